/*
 * shop/accounts/external: access tokens that an OAuth2 server makes (TOKEN_ISSUER=oauth2).
 *
 * Every session has a token of its own, obtained for it and bound to it by the token's SHA-256 in
 * external_tokens (seed hole 26: there all users held tokens of one client, and the token alone was
 * looked at). A request is checked by the session and by introspection (RFC 7662), whose good
 * answer may be used again for conf->token_cache. The server being down is 503, never 401. A token
 * that is replaced, or whose session ends, is dead for us at once, and is revoked at the server
 * (RFC 7009) through the outbox, since his 200 is no proof.
 *
 * TOKEN_ISSUER may change on a running shop, either way: access tokens of the other kind are
 * refused, refresh tokens go on and give tokens of the new kind.
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
    bool is_kept; /* the session has it already: external_again() */
};

bool external_is_on(void);

/* Obtains a token from the server, and asks him whether it is as we want it; outside of a
 * transaction. With our own tokens: OK at once, and *out is all zeroes. ERR_SERVICE_UNAVAILABLE,
 * with a problem, if the server does not give a good one. Whoever has one either keeps it or throws
 * it away. */
enum err external_obtain(struct ctx *ctx, struct external_token *out);

/* Gives the session, which acts for `account` in `role`, the token `t`, and ends the one that it
 * had. In a transaction, under the session's lock. With our own tokens it only ends. Does nothing
 * if t->is_kept. ERR_SERVICE_UNAVAILABLE, with a problem, if there is no token, or the server has
 * given it before: two sessions never share one. */
enum err external_keep(struct ctx *ctx, struct uuid session, struct uuid account, enum role role,
                       const struct external_token *t);

/* Revokes a token that was obtained and is not needed. In a transaction, which must be kept. Does
 * nothing if t->token is NULL or t->is_kept. */
enum err external_throw_away(struct ctx *ctx, const struct external_token *t);

/* A refresh token, by its SHA-256, that comes again within the grace (a lost answer), or beside
 * others of its session (two tabs), gets no token of its own: then each would end the other's, or
 * one would live that nobody ends. *out is what the session was given, less than
 * conf->refresh_grace ago, by another use of its refresh tokens since this one was made; else all
 * zeroes. In a transaction. */
enum err external_again(struct ctx *ctx, const uint8_t *refresh_hash, struct external_token *out);

/* Ends the session's token, in the transaction that ends the session. */
enum err external_end(struct ctx *ctx, struct uuid session);

/* Whose token it is: *out. CREDENTIAL_NONE if it is nobody's; ERR_UNAUTHORIZED with the problem
 * "Session expired" if it was somebody's, or is not active. With `ask` false neither the server
 * nor the database is asked: what Redis does not know is CREDENTIAL_NONE, and OK.
 * ERR_SERVICE_UNAVAILABLE, with a problem, if he had to be asked and did not answer. Outside of a
 * transaction. */
enum err external_resolve(struct ctx *ctx, const char *token, bool ask, struct caller *out);

/* Consumer of token.ended, in three steps (jobs.h): revokes it at the server. */
enum err external_revoke_start(struct ctx *ctx, const struct delivery *d, void **step);
enum err external_revoke_call(struct ctx *ctx, void *step);
enum err external_revoke_finish(struct ctx *ctx, void *step);

/* Ends the tokens of sessions that ran out, and removes those that expired long ago. In a
 * transaction. */
enum err external_sweep(struct ctx *ctx);

#endif
