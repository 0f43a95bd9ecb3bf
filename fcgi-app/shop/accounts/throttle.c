/*
 * A bucket holds the times of its tries of the last hour, of which there are at most `per_hour`: so
 * in any sixty minutes no more than that are let through, whatever their pace. Rejected: GCRA, as
 * the gate has it. It gives back a share each three minutes, so that whoever takes all at once and
 * then waits has nearly twice as many in his first hour.
 *
 * The refused are told by a plain read, so that a flood of them writes nothing and waits for no
 * lock; the write repeats the condition under the row's lock, since others may have come between.
 *
 * The bucket is the name's, not the account's. An account that is called by e-mail, phone and
 * username thus has three; one bucket for all of them would tell a stranger which number belongs to
 * which address, by being empty for both.
 *
 * What a known address tells: who shares it (a family, an office behind one IPv4 address) and has
 * spent the name's tries from elsewhere is refused for a name that nobody has, and not for the
 * account that was signed in from here. That is the price of not locking out the owner.
 *
 * Rejected: a bucket for all that fail from one network, over all names. One IPv4 address of a
 * Kenyan mobile network stands for thousands of people; LIMIT_LOGIN bounds it already, 10 a minute.
 */
#include "shop/accounts/throttle.h"

#include "base/config.h"
#include "io/pg.h"
#include "shop/stmt.h"

#include <string.h>

struct wait_row {
    int64_t wait_ms;
};
static const struct field wait_row_fields[] = {FIELD(struct wait_row, wait_ms)};
static const struct input wait_row = INPUT(wait_row, "TriesLeft", NULL);

struct made_row {
    const char *made_at;
};
static const struct field made_row_fields[] = {FIELD(struct made_row, made_at)};
static const struct input made_row = INPUT(made_row, "Try", NULL);

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

/* Refuses if nothing is left. */
static enum err
look(struct ctx *ctx, struct pg_arg bucket, int64_t per_hour)
{
    struct wait_row row = {0};

    enum err e = pg_one(ctx, ACCOUNTS_TRIES_LEFT, &wait_row, &row, bucket, ARG_INT(per_hour));
    if (e != OK || row.wait_ms <= 0)
        return e;
    ctx->retry_after_ms = row.wait_ms;
    return fail(ctx, ERR_RATE_LIMITED, NULL, "too many tries; wait %d seconds",
                (int)((row.wait_ms + 999) / 1000));
}

enum err
throttle_take(struct ctx *ctx, const char *what, const char *name, const char *network,
              int64_t per_hour, struct try *out)
{
    struct made_row row = {0};

    *out = (struct try){0};
    if (per_hour == 0)
        return OK;
    bucket_of(what, name, network, out->bucket);
    struct pg_arg bucket = ARG_BYTES(out->bucket, sizeof(out->bucket));
    enum err e = look(ctx, bucket, per_hour);
    if (e == OK)
        e = pg_one(ctx, ACCOUNTS_TRY, &made_row, &row, bucket, ARG_INT(per_hour));
    if (e == ERR_NOT_FOUND) {
        problems_clear(&ctx->problems);
        e = look(ctx, bucket, per_hour); /* another took the last one: how long now? */
        return e != OK ? e : ERR_RERUN;  /* and one was given back since */
    }
    out->made_at = row.made_at;
    return e;
}

void
throttle_give_back(struct ctx *ctx, const struct try *t)
{
    if (t->made_at != NULL)
        pg_queue(ctx, ACCOUNTS_TRY_BACK, ARG_BYTES(t->bucket, sizeof(t->bucket)),
                 ARG_TEXT(t->made_at));
}

/* Every limit that asks by a name, and every one that asks by an account's id, is named here. */
static const char *const by_name[] = {"sign_in", "reset", "forgot", "contact_told"};
static const char *const by_id[] = {"totp", "proof", "contact", "password_changed", "api_key"};
#define BY_NAME (sizeof(by_name) / sizeof(by_name[0]))
#define BY_ID (sizeof(by_id) / sizeof(by_id[0]))

struct called_row {
    const char *name, *network; /* network NULL: from anywhere */
    bool is_id;
};
static const struct field called_row_fields[] = {
    FIELD(struct called_row, name),
    FIELD(struct called_row, network),
    FIELD(struct called_row, is_id),
};
static const struct input called_row = INPUT(called_row, "NameOrAccount", NULL);

enum err
throttle_forgive(struct ctx *ctx, struct uuid account, int64_t *touched)
{
    struct called_row *rows;
    size_t count, n = 0;

    enum err e = pg_all(ctx, ACCOUNTS_TRIED_BY, &called_row, &rows, &count, ARG_ID(account));
    if (e != OK || count == 0)
        return e != OK ? e : ERR_NOT_FOUND;
    const char **buckets = arena_array(ctx->arena, count * (BY_NAME + BY_ID), sizeof(*buckets));
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < (rows[i].is_id ? BY_ID : BY_NAME); j++) {
            uint8_t bucket[SHA256_SIZE];
            bucket_of(rows[i].is_id ? by_id[j] : by_name[j], rows[i].name, rows[i].network, bucket);
            buckets[n++] = secret_hex(ctx->arena, bucket, sizeof(bucket));
        }
    }
    return pg_touch(ctx, ACCOUNTS_TRIES_FORGIVE, touched, ARG_TEXTS(buckets, n));
}

enum err
throttle_forgive_all(struct ctx *ctx, int64_t *touched)
{
    return pg_touch(ctx, ACCOUNTS_TRIES_FORGIVE_ALL, touched, ARG_NONE);
}

enum err
throttle_sweep(struct ctx *ctx)
{
    enum err e = pg_touch(ctx, ACCOUNTS_TRIES_SWEEP, NULL);

    return e != OK
               ? e
               : pg_touch(ctx, ACCOUNTS_SWEEP_ADDRESSES, NULL, ARG_INT(conf->login_address_ttl.ms));
}
