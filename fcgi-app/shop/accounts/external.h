/*
 * shop/accounts/external: access tokens that an OAuth2 server makes (TOKEN_ISSUER=oauth2).
 *
 * Every session has a token of its own, obtained for it and bound to it by the token's SHA-256 in
 * external_tokens (seed hole 26: there all users held tokens of one client, and the token alone was
 * looked at). A request is checked by the session and by introspection (RFC 7662), whose good
 * answer may be used again for conf->token_cache. The server being down is 503, never 401. A token
 * that is replaced, or whose session ends, is dead for us at once, and is revoked at the server
 * (RFC 7009) through the outbox, since his 200 is no proof.
 */
#ifndef SOKO_SHOP_ACCOUNTS_EXTERNAL_H
#define SOKO_SHOP_ACCOUNTS_EXTERNAL_H

#include "io/ctx.h"
#include "shop/accounts/caller.h"
#include "shop/outbox.h"

#include <stdbool.h>
#include <stdint.h>

/* One token; `token` is NULL where we make our own. */
struct external_token {
    const char *token;
    int64_t expires_ms;
};

bool external_is_on(void);

/* Obtains a token from the server; outside of a transaction. With our own tokens: OK at once, and
 * *out is all zeroes. ERR_SERVICE_UNAVAILABLE, with a problem, if the server does not give one. */
enum err external_obtain(struct ctx *ctx, struct external_token *out);

/* Gives the session `t`, and ends the one that it had. In a transaction. Does nothing if t->token
 * is NULL. */
enum err external_keep(struct ctx *ctx, struct uuid session, const struct external_token *t);

/* Ends the session's token, in the transaction that ends the session. Does nothing with our own. */
enum err external_end(struct ctx *ctx, struct uuid session);

/* Whose token it is: *out. CREDENTIAL_NONE if it is nobody's or not active. With `ask` false the
 * server is not asked: what is not known from before is CREDENTIAL_NONE. ERR_SERVICE_UNAVAILABLE,
 * with a problem, if he had to be asked and did not answer. Outside of a transaction. */
enum err external_resolve(struct ctx *ctx, const char *token, bool ask, struct caller *out);

/* Consumer of token.ended, in three steps (jobs.h): revokes it at the server. */
enum err external_revoke_start(struct ctx *ctx, const struct delivery *d, void **step);
enum err external_revoke_call(struct ctx *ctx, void *step);
enum err external_revoke_finish(struct ctx *ctx, void *step);

#endif
