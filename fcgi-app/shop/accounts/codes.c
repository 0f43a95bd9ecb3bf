/*
 * Six digits are no secret to whoever can try a million MACs, so the MAC's key is one that the
 * database does not hold. It covers account, purpose, target and code: a row that is copied to
 * another account, or given another target, matches nothing.
 *
 * A try is one UPDATE, which counts it or takes the code. Whoever looked first and wrote after
 * would let a thousand parallel tries see the same count.
 *
 * Guessing: 5 tries at each of 5 codes an hour, with an SMS to the owner each.
 */
#include "shop/accounts/codes.h"

#include "base/config.h"
#include "io/pg.h"
#include "io/secret.h"
#include "io/tx.h"
#include "shop/stmt.h"

#include <stdio.h>
#include <string.h>

#define MINUTE_MS INT64_C(60000)
#define DAY_MS (24 * 60 * MINUTE_MS)

static const struct {
    const char *name;
    enum template template;
} purposes[CODE__COUNT] = {
    [CODE_VERIFY_PHONE] = {"verify_phone", TEMPLATE_VERIFY},
    [CODE_VERIFY_EMAIL] = {"verify_email", TEMPLATE_VERIFY},
    [CODE_RESET_PASSWORD] = {"reset_password", TEMPLATE_RESET},
};

struct wait_row {
    int64_t wait_ms;
};
static const struct field wait_row_fields[] = {FIELD(struct wait_row, wait_ms)};
static const struct input wait_row = INPUT(wait_row, "CodeWait", NULL);

struct try_row {
    bool is_right;
};
static const struct field try_row_fields[] = {FIELD(struct try_row, is_right)};
static const struct input try_row = INPUT(try_row, "CodeTry", NULL);

static void
mac_of(struct uuid account, enum code_purpose p, const char *target, const char *code,
       uint8_t out[SHA256_SIZE])
{
    const struct secret_piece name = {"one-time code", sizeof("one-time code")};
    char id[UUID_TEXT_SIZE];
    const struct secret_piece pieces[] = {
        {uuid_text(account, id), sizeof(id)},
        {purposes[p].name, strlen(purposes[p].name) + 1},
        {target, strlen(target) + 1},
        {code, strlen(code) + 1},
    };
    uint8_t key[SHA256_SIZE];

    secret_hmac_sha256(conf->data_key, strlen(conf->data_key), &name, 1, key);
    secret_hmac_sha256(key, sizeof(key), pieces, sizeof(pieces) / sizeof(pieces[0]), out);
}

static enum err
too_early(struct ctx *ctx, struct uuid account, enum code_purpose p)
{
    struct wait_row row = {0};

    enum err e =
        pg_one(ctx, CODES_WAIT, &wait_row, &row, ARG_ID(account), ARG_TEXT(purposes[p].name),
               ARG_INT(conf->code_pause.ms), ARG_INT(conf->limit_codes));
    if (e != OK)
        return e;
    ctx->retry_after_ms = row.wait_ms > 0 ? row.wait_ms : 1;
    return ERR_RATE_LIMITED;
}

const char *
codes_purpose_name(enum code_purpose p)
{
    return purposes[p].name;
}

const char *
codes_fault(const char *code)
{
    return strlen(code) == CODE_DIGITS && strspn(code, "0123456789") == CODE_DIGITS
               ? NULL
               : "must be six digits";
}

enum err
codes_send(struct ctx *ctx, struct uuid account, enum code_purpose p, enum channel c,
           const char *target)
{
    int64_t until_ms = ctx->now_ms + conf->code_ttl.ms, added;
    char code[CODE_DIGITS + 1], minutes[24];
    uint8_t mac[SHA256_SIZE];

    secret_digits(code, CODE_DIGITS);
    mac_of(account, p, target, code, mac);
    enum err e = pg_touch(ctx, CODES_ADD, &added, ARG_ID(account), ARG_TEXT(purposes[p].name),
                          ARG_TEXT(target), ARG_BYTES(mac, sizeof(mac)), ARG_TIME(until_ms),
                          ARG_INT(conf->code_pause.ms), ARG_INT(conf->limit_codes));
    if (e != OK)
        return e;
    if (added == 0)
        return too_early(ctx, account, p);
    snprintf(minutes, sizeof(minutes), "%d",
             (int)((conf->code_ttl.ms + MINUTE_MS - 1) / MINUTE_MS));
    const struct message_param secrets[] = {{"code", code}, {"minutes", minutes}};
    messages_send_to(ctx, account, purposes[p].template, c, target, secrets, 2, until_ms);
    return OK;
}

enum err
codes_check(struct ctx *ctx, struct uuid account, enum code_purpose p, const char *target,
            const char *code)
{
    struct try_row row = {0};
    uint8_t mac[SHA256_SIZE];

    mac_of(account, p, target, code, mac);
    enum err e = pg_one(ctx, CODES_TRY, &try_row, &row, ARG_ID(account), ARG_TEXT(purposes[p].name),
                        ARG_TEXT(target), ARG_BYTES(mac, sizeof(mac)), ARG_INT(conf->code_tries));
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    if (e == OK && row.is_right)
        return OK;
    tx_keep(ctx);
    return ERR_VALIDATION;
}

enum err
codes_end(struct ctx *ctx, struct uuid account, enum code_purpose p)
{
    return pg_touch(ctx, CODES_END, NULL, ARG_ID(account), ARG_TEXT(purposes[p].name));
}

enum err
codes_sweep(struct ctx *ctx)
{
    enum err e = pg_touch(ctx, CODES_SWEEP, NULL, ARG_NONE);

    return e != OK ? e : pg_touch(ctx, CODES_FORGOTTEN_SWEEP, NULL, ARG_INT(DAY_MS));
}
