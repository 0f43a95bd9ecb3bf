/*
 * An advisory lock makes twins take turns without waiting: the second is told 409 at once, rather
 * than hold a worker. The primary key stands behind it: even without the lock no key could have
 * two answers.
 *
 * The fingerprint is a MAC: bodies hold passwords and codes, and a plain digest of one could be
 * guessed at from a copy of the database, faster than any password hash.
 */
#include "shop/idempotency.h"
#include "base/config.h"
#include "io/pg.h"
#include "io/secret.h"
#include "shop/stmt.h"

#include <string.h>

struct key_row {
    const char *fingerprint, *body;
    int64_t status;
};
static const struct field key_row_fields[] = {
    FIELD(struct key_row, fingerprint),
    FIELD(struct key_row, body),
    FIELD(struct key_row, status),
};
static const struct input key_row = INPUT(key_row, "IdempotencyKey", NULL);

/* With the lock held: what was answered before. */
static enum err
find(struct ctx *ctx, const struct idempotency *idem, struct replay *out)
{
    struct key_row row = {0};

    *out = (struct replay){0};
    enum err e = pg_one(ctx, IDEMPOTENCY_FIND, &key_row, &row, ARG_ID(ctx->actor.account),
                        ARG_TEXT(idem->key), ARG_INT(conf->idempotency_ttl.ms));
    if (e != OK)
        return e;
    if (row.fingerprint != NULL && strcmp(row.fingerprint, idem->fingerprint) != 0)
        return fail(ctx, ERR_IDEMPOTENCY_KEY_REUSED, "Idempotency-Key",
                    "this key was used for another request");
    out->status = (int)row.status;
    out->body = row.body;
    return OK;
}

struct idempotency
idempotency_of(struct arena *a, const char *key, const char *method, const char *path,
               const char *body, size_t len)
{
    uint8_t of_body[SHA256_SIZE], of_all[SHA256_SIZE];

    secret_sha256(body, len, of_body);
    const char *all =
        arena_printf(a, "%s\n%s\n%s", method, path, secret_hex(a, of_body, sizeof(of_body)));
    const struct secret_piece pieces[] = {{"idempotency", sizeof("idempotency")},
                                          {all, strlen(all)}};
    secret_hmac_sha256(conf->data_key, strlen(conf->data_key), pieces, 2, of_all);
    return (struct idempotency){.key = key, .fingerprint = secret_hex(a, of_all, sizeof(of_all))};
}

enum err
idempotency_begin(struct ctx *ctx, const struct idempotency *idem, struct replay *out)
{
    pg_queue(ctx, IDEMPOTENCY_LOCK, ARG_ID(ctx->actor.account), ARG_TEXT(idem->key));
    return find(ctx, idem, out);
}

enum err
idempotency_begin_long(struct ctx *ctx, const struct idempotency *idem, struct replay *out)
{
    enum err e =
        pg_run(ctx, IDEMPOTENCY_LOCK_LONG, ARG_ID(ctx->actor.account), ARG_TEXT(idem->key));
    if (e != OK)
        return e;
    e = find(ctx, idem, out);
    if (e != OK) /* else it would be held as long as this worker lives */
        idempotency_end_long(ctx, idem);
    return e;
}

enum err
idempotency_look(struct ctx *ctx, const struct idempotency *idem, struct replay *out)
{
    return find(ctx, idem, out);
}

void
idempotency_end_long(struct ctx *ctx, const struct idempotency *idem)
{
    /* A lost connection has given the lock back already, and what it says is of no interest. */
    (void)pg_touch(ctx, IDEMPOTENCY_END_LONG, NULL, ARG_ID(ctx->actor.account),
                   ARG_TEXT(idem->key));
}

enum err
idempotency_store(struct ctx *ctx, const struct idempotency *idem, int status, const char *body)
{
    int64_t stored;

    enum err e =
        pg_touch(ctx, IDEMPOTENCY_ADD, &stored, ARG_ID(ctx->actor.account), ARG_TEXT(idem->key),
                 ARG_TEXT(idem->fingerprint), status != 0 ? ARG_INT(status) : ARG_NULL,
                 ARG_TEXT(body), ARG_INT(conf->idempotency_ttl.ms));
    if (e != OK)
        return e;
    return stored > 0 ? OK : ERR_RERUN;
}

enum err
idempotency_confirm(struct ctx *ctx)
{
    return pg_run(ctx, IDEMPOTENCY_CONFIRM, ARG_NONE);
}

enum err
idempotency_sweep(struct ctx *ctx)
{
    return pg_touch(ctx, IDEMPOTENCY_SWEEP, NULL, ARG_INT(conf->idempotency_ttl.ms));
}
