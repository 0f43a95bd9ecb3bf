/*
 * shop/accounts/keys: API keys, for machine clients.
 *
 * A key is "sk_soko_" and 43 characters (256 random bits), shown once and kept as its SHA-256. It
 * acts in one role, which its account must still hold, to read or to write; it cannot do what a
 * person does for himself (routes.h, IN_PERSON).
 */
#ifndef SOKO_SHOP_ACCOUNTS_KEYS_H
#define SOKO_SHOP_ACCOUNTS_KEYS_H

#include "io/ctx.h"
#include "shop/accounts/caller.h"
#include "shop/endpoint.h"

#define KEY_PREFIX "sk_soko_"

/* Whose key it is: *out, of CREDENTIAL_KEY; CREDENTIAL_NONE if it is nobody's, expired or revoked,
 * or its account is deactivated or has lost the role. A good answer may be used again for
 * conf->token_cache; revoking a key ends that too. Outside of a transaction. */
enum err keys_resolve(struct ctx *ctx, const char *key, struct caller *out);

#endif
