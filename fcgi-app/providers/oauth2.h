/*
 * providers/oauth2: tokens of an OAuth2 server: given, looked at, revoked.
 *
 * Sources: RFC 6749 (sections 2.3.1, 4.4, 5), RFC 7662, RFC 7009, and where these leave a choice,
 * ORY Hydra. A call takes at most conf->oauth2_timeout (outside.h). That he does not know us (401,
 * 403) is a fault of our settings, and logged as one: it says nothing about the token, and nothing
 * about who sent it.
 */
#ifndef SOKO_PROVIDERS_OAUTH2_H
#define SOKO_PROVIDERS_OAUTH2_H

#include "providers/outside.h"

#include <stdbool.h>
#include <stdint.h>

/* The longest access token that is taken: it must fit into a header. */
#define OAUTH2_TOKEN_MOST 4096

/* Whether `token` may stand behind "Bearer " (RFC 6750, section 2.1), and is not too long. */
bool oauth2_is_token(const char *token);

struct oauth2_token {
    const char *token;
    int64_t expires_ms;
};
/* Obtains a token for ourselves (client_credentials) with conf->oauth2_scope. HEARD_DONE: *out is
 * good to be handed out. All else: there is none, or, if the answer is not of the documented shape
 * or grants less than was asked for, out->token is one to be revoked. */
enum heard oauth2_obtain(struct ctx *ctx, struct oauth2_token *out, struct refusal *why);

struct oauth2_view {
    bool is_active;      /* by his word and by what we demand: times, scope, audience, issuer */
    int64_t expires_ms;  /* INT64_MAX: he does not say */
    const char *refused; /* active by his word, but not for us: why; or NULL */
};
/* What he says of a token. HEARD_DONE: *out says it. All else: nobody knows. */
enum heard oauth2_introspect(struct ctx *ctx, const char *token, struct oauth2_view *out,
                             struct refusal *why);

/* Revokes a token. HEARD_DONE: he says so, which is no proof. HEARD_REFUSED: he never will. All
 * else: try again. */
enum heard oauth2_revoke(struct ctx *ctx, const char *token, struct refusal *why);

#endif
