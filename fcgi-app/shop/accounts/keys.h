/*
 * shop/accounts/keys: API keys, for machine clients.
 *
 * A key is "sk_soko_" and 43 characters (256 random bits), shown once and kept as its SHA-256. It
 * acts in one role, which its account must still hold, to read or to write; it cannot do what a
 * person does for himself (routes.h, IN_PERSON).
 *
 * A key is no password and no session: it stays when its owner changes his password, resets it by a
 * code or signs out, so that no machine stops because a person forgot something (OWASP ASVS 4.0.3,
 * V3.3.3, speaks of sessions; what Stripe and Shopify do). Who resets because somebody else knew
 * his password must look at his keys: GET /api-keys shows them, and revoking one works at once.
 */
#ifndef SOKO_SHOP_ACCOUNTS_KEYS_H
#define SOKO_SHOP_ACCOUNTS_KEYS_H

#include "io/ctx.h"
#include "shop/accounts/caller.h"
#include "shop/endpoint.h"

extern const struct endpoint keys_create;
extern const struct endpoint keys_list;
extern const struct endpoint keys_revoke;

#define KEY_PREFIX "sk_soko_"

/* Whose key it is: *out, of CREDENTIAL_KEY; CREDENTIAL_NONE if it is nobody's, expired or revoked,
 * or its account is deactivated, has lost the role, or lacks the second factor that the role takes.
 * What does not look like a key asks nobody. A good answer may be used again for conf->token_cache;
 * revoking a key and keys_recheck() end that at once, or, while Redis is away, within that time.
 * ERR_SERVICE_UNAVAILABLE if PostgreSQL had to be asked and is away. Outside of a transaction. */
enum err keys_resolve(struct ctx *ctx, const char *key, struct caller *out);

/* What the account may has changed (a role, the second factor, whether it is active): from the
 * commit on its keys are looked at anew. Call it beside sessions_end_others(). In a transaction. */
enum err keys_recheck(struct ctx *ctx, struct uuid account);

/* Removes keys that expired or were revoked conf->api_key_kept ago. In a transaction. */
enum err keys_sweep(struct ctx *ctx);

#endif
