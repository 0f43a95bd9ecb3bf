/*
 * full_at is GCRA's theoretical arrival time: a try moves it on by an hour's share, and may not
 * move it further than an hour from now. The refused are told by a plain read, so that a flood of
 * them writes nothing; the update repeats the condition, since another may have come between.
 */
#include "shop/accounts/throttle.h"

#include "base/config.h"
#include "io/pg.h"
#include "shop/stmt.h"

#include <string.h>

#define HOUR_MS INT64_C(3600000)

struct bucket_row {
    int64_t wait_ms;
};
static const struct field bucket_row_fields[] = {FIELD(struct bucket_row, wait_ms)};
static const struct input bucket_row = INPUT(bucket_row, "TriesLeft", NULL);

static void
bucket_of(const char *what, const char *name, const char *network, uint8_t out[SHA256_SIZE])
{
    const struct secret_piece pieces[] = {
        {"tries", sizeof("tries")},
        {what, strlen(what) + 1},
        {name, strlen(name) + 1},
        {network != NULL ? network : "", network != NULL ? strlen(network) + 1 : 0},
    };

    secret_hmac_sha256(conf->data_key, strlen(conf->data_key), pieces,
                       sizeof(pieces) / sizeof(pieces[0]), out);
}

static enum err
refuse(struct ctx *ctx, int64_t wait_ms)
{
    ctx->retry_after_ms = wait_ms;
    return fail(ctx, ERR_RATE_LIMITED, NULL, "too many tries; wait %d seconds",
                (int)((wait_ms + 999) / 1000));
}

enum err
throttle_take(struct ctx *ctx, const char *what, const char *name, const char *network,
              int64_t per_hour, struct try *out)
{
    struct bucket_row row = {0};
    int64_t taken;

    *out = (struct try){.each_ms = per_hour > 0 ? HOUR_MS / per_hour : 0};
    if (per_hour == 0)
        return OK;
    bucket_of(what, name, network, out->bucket);
    struct pg_arg bucket = ARG_BYTES(out->bucket, sizeof(out->bucket));
    enum err e = pg_one(ctx, ACCOUNTS_TRIES_LEFT, &bucket_row, &row, bucket, ARG_INT(out->each_ms),
                        ARG_INT(HOUR_MS));
    if (e != OK)
        return e;
    if (row.wait_ms > 0)
        return refuse(ctx, row.wait_ms);
    e = pg_touch(ctx, ACCOUNTS_TRY, &taken, bucket, ARG_INT(out->each_ms), ARG_INT(HOUR_MS));
    if (e != OK)
        return e;
    return taken > 0 ? OK : refuse(ctx, out->each_ms);
}

void
throttle_give_back(struct ctx *ctx, const struct try *t)
{
    if (t->each_ms > 0)
        pg_queue(ctx, ACCOUNTS_TRY_BACK, ARG_BYTES(t->bucket, sizeof(t->bucket)),
                 ARG_INT(t->each_ms));
}

enum err
throttle_sweep(struct ctx *ctx)
{
    enum err e = pg_touch(ctx, ACCOUNTS_TRIES_SWEEP, NULL);

    return e != OK
               ? e
               : pg_touch(ctx, ACCOUNTS_SWEEP_ADDRESSES, NULL, ARG_INT(conf->login_address_ttl.ms));
}
