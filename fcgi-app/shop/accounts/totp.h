/*
 * shop/accounts/totp: the second factor, time-based one-time passwords (RFC 6238).
 *
 * SHA-1, six digits, 30 seconds, one step of tolerance either way: what all authenticator apps
 * know. A code is taken once (second_factors.last_step). Ten recovery codes, each good once, stand
 * in for a lost telephone. The endpoints are in factor.h.
 *
 * conf->totp_required asks for it by role, and everybody who lets somebody act in a role keeps this
 * rule: where totp_is_required(role), a session acts in it only if sessions.second_factor is set
 * (sessions.h: at sign-in, at refresh, and at each request), an API key only while its account has
 * a confirmed row in second_factors (keys.h).
 */
#ifndef SOKO_SHOP_ACCOUNTS_TOTP_H
#define SOKO_SHOP_ACCOUNTS_TOTP_H

#include "io/ctx.h"

#include <stdbool.h>
#include <stddef.h>

#define TOTP_RECOVERY_CODES 10

/* Whether conf->totp_required asks whoever acts in `role` for a second factor. */
bool totp_is_required(enum role role);

/* At sign-in, after the password was right, in the transaction that opens the session, under the
 * account's lock. *has is whether the account has a second factor; without one: OK, whatever was
 * sent. `code` is what was sent, a TOTP or a recovery code, or NULL. `network` is from where, if
 * the account is known to sign in from there, else NULL: as for the password, known addresses have
 * their own tries, so that nobody locks out the owner (throttle.h). ERR_UNAUTHORIZED with details
 * {"totp_required": true} if a code is missing or wrong: the two differ in their words.
 * In that case the caller keeps the transaction (tx_keep), else the try would not count.
 * ERR_RATE_LIMITED: too many wrong ones. */
enum err totp_demand(struct ctx *ctx, struct uuid account, const char *code, const char *network,
                     bool *has);

/* --- for factor.c and sokoctl, each in a transaction, under the account's lock ---------------- */

/* The account of that name, of which one is given, the others NULL. ERR_NOT_FOUND, with a problem.
 */
enum err totp_find(struct ctx *ctx, const char *email, const char *phone, const char *username,
                   struct uuid *account);

/* Locks the account, and says what is to be known of it. */
struct totp_holder {
    const char *label; /* e-mail address, username or number: what to call it in an app */
    bool is_admin;
};
enum err totp_hold(struct ctx *ctx, struct uuid account, struct totp_holder *out);

/* Makes a secret, unconfirmed, in the place of one that is; *secret in base 32, in the arena.
 * ERR_CONFLICT if a confirmed one is there. */
enum err totp_begin(struct ctx *ctx, struct uuid account, const char **secret);

/* Takes a code of the factor that is unconfirmed, or of the confirmed one, which may be a recovery
 * code. ERR_NOT_FOUND, with a problem, if there is none in that state; ERR_VALIDATION, with a
 * problem on `code`, if it is wrong or was used: the caller keeps the transaction then.
 * ERR_RATE_LIMITED: too many wrong ones. */
enum err totp_take(struct ctx *ctx, struct uuid account, bool confirmed, const char *code);

/* The factor, whose code was taken, holds from now on. */
enum err totp_confirm(struct ctx *ctx, struct uuid account);

/* New recovery codes in the place of all before, as they are to be shown, in the arena. */
enum err totp_new_codes(struct ctx *ctx, struct uuid account,
                        const char *codes[TOTP_RECOVERY_CODES]);

/* Removes the factor, its recovery codes, and every session of the account but `spared` (nil: none
 * is), whose mark goes; API keys in a role that takes it are refused from then on. ERR_NOT_FOUND,
 * with a problem, if there is none. */
enum err totp_off(struct ctx *ctx, struct uuid account, struct uuid spared);

#endif
