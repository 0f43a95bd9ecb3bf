/*
 * shop/accounts/throttle: how often one may try (OWASP ASVS 4.0.3, V2.2.1).
 *
 * A bucket per what and whose ("sign_in" at "ann@example.com"), in PostgreSQL: neither a flush nor
 * an outage of Redis opens the door. Buckets of names that nobody has are kept alike, so that a
 * refusal tells nothing. In any sixty minutes at most `per_hour` tries are let through.
 */
#ifndef SOKO_SHOP_ACCOUNTS_THROTTLE_H
#define SOKO_SHOP_ACCOUNTS_THROTTLE_H

#include "io/ctx.h"
#include "io/secret.h"

#include <stdbool.h>
#include <stdint.h>

struct
try {
    uint8_t bucket[SHA256_SIZE];
    const char *made_at; /* PostgreSQL's; NULL: there is no limit */
};

/* Takes one of `per_hour` tries (0: no limit; at most LIMIT_LOGIN_ACCOUNT's maximum, since a bucket
 * remembers each) of `what` at `name` from `network`, or of that session (NULL: from anywhere).
 * `name` is in its canonical form: whoever can write it in two ways has two buckets.
 * ERR_RATE_LIMITED, with a problem and ctx->retry_after_ms, if there is none left; the refused try
 * costs nothing. Holds the bucket's lock until the transaction ends, so it comes last in it. */
enum err throttle_take(struct ctx *ctx, const char *what, const char *name, const char *network,
                       int64_t per_hour, struct try *out);

/* Gives it back: it was no failure. In a transaction. */
void throttle_give_back(struct ctx *ctx, const struct try *t);

/* Forgets what an account has tried and failed: by its names, by itself, from wherever it was
 * signed in. Tries from elsewhere at its names count in its names. *touched: how many buckets. In a
 * transaction. ERR_NOT_FOUND if there is no such account. */
enum err throttle_forgive(struct ctx *ctx, struct uuid account, int64_t *touched);

/* The same for everybody, whoever and whatever. */
enum err throttle_forgive_all(struct ctx *ctx, int64_t *touched);

/* Removes buckets that are empty, and addresses that are no longer known. In a transaction. */
enum err throttle_sweep(struct ctx *ctx);

#endif
