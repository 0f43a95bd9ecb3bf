/*
 * shop/accounts/totp: the second factor, time-based one-time passwords (RFC 6238).
 *
 * SHA-1, six digits, 30 seconds, one step of tolerance either way: what all authenticator apps
 * know. A code is taken once (second_factors.last_step). Ten recovery codes, each good once, stand
 * in for a lost telephone.
 */
#ifndef SOKO_SHOP_ACCOUNTS_TOTP_H
#define SOKO_SHOP_ACCOUNTS_TOTP_H

#include "io/ctx.h"
#include "shop/endpoint.h"

#include <stdbool.h>

/* At sign-in, after the password was right, in the transaction that opens the session. *has is
 * whether the account has a second factor; without one: OK. `code` is what was sent, a TOTP or a
 * recovery code, or NULL. ERR_UNAUTHORIZED with details {"totp_required": true} if a code is
 * missing or wrong: the two differ in their words. */
enum err totp_demand(struct ctx *ctx, struct uuid account, const char *code, bool *has);

/* Whether conf->totp_required asks whoever acts in `role` for a second factor. */
bool totp_is_required(enum role role);

#endif
