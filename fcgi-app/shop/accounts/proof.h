/*
 * shop/accounts/proof: the password once more, from somebody who is signed in, before something
 * that a stolen session must not do (OWASP ASVS 4.0.3, V3.7.1).
 *
 * In the three steps of an endpoint. Wrong passwords are counted, by session and for all such
 * endpoints together (conf->limit_login_account), so that a stolen session cannot guess it.
 */
#ifndef SOKO_SHOP_ACCOUNTS_PROOF_H
#define SOKO_SHOP_ACCOUNTS_PROOF_H

#include "io/ctx.h"
#include "shop/accounts/throttle.h"

#include <stdbool.h>

struct proof {
    const char *password_hash;
    struct try try;
    bool is_right;
};

/* start(): takes a try, and reads what there is to compare. ERR_RATE_LIMITED if none is left. */
enum err proof_start(struct ctx *ctx, struct proof *p);

/* call(): hashes, without a transaction. Whether it is the password. */
bool proof_check(struct proof *p, const char *password);

/* finish(): locks the account. ERR_VALIDATION, with a problem on `field`, if the password was
 * wrong, or has changed since; that is written down, and the transaction is kept. */
enum err proof_demand(struct ctx *ctx, const struct proof *p, const char *field);

/* The end of finish(), after a right password: keeps the transaction if `e` is a refusal, else a
 * right password would have cost a try. Nothing may have been written before a refusal. Gives `e`.
 */
enum err proof_settle(struct ctx *ctx, enum err e);

#endif
