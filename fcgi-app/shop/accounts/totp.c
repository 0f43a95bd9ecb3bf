/*
 * The secret must be read again, so it cannot be hashed: it is sealed by DATA_KEY and bound to its
 * account (io/box). Recovery codes are only compared, so their MAC is kept, by a key of their own
 * that the database does not hold; the account's id is the salt.
 *
 * A code that comes again was read over a shoulder, or phished: its owner is told (ASVS 4.0.3,
 * V2.8.5). Apps that send one twice by mistake cost him a message, and teach their makers.
 *
 * That a code is taken once rests on last_step, which only moves forward: of two sign-ins with one
 * code, the second finds the step taken (RFC 6238, section 5.2). Codes of one account are tried
 * under its lock, one after another, and so are tries counted (throttle.h): by account, since who
 * knows the password may come by any of its names, and from any address.
 */
#include "shop/accounts/totp.h"

#include "base/base32.h"
#include "base/config.h"
#include "base/log.h"
#include "io/box.h"
#include "io/pg.h"
#include "io/secret.h"
#include "io/tx.h"
#include "shop/accounts/keys.h"
#include "shop/accounts/otp.h"
#include "shop/accounts/sessions.h"
#include "shop/accounts/throttle.h"
#include "shop/audit.h"
#include "shop/messages.h"
#include "shop/stmt.h"

#include <string.h>

#define PURPOSE "totp"

struct factor_row {
    const char *secret;
    int64_t last_step;
    bool is_confirmed;
};
static const struct field factor_row_fields[] = {
    FIELD(struct factor_row, secret),
    FIELD(struct factor_row, last_step),
    FIELD(struct factor_row, is_confirmed),
};
static const struct input factor_row = INPUT(factor_row, "SecondFactor", NULL);

static const struct field holder_fields[] = {
    FIELD(struct totp_holder, label),
    FIELD(struct totp_holder, is_admin),
};
static const struct input holder = {.name = "FactorHolder",
                                    .size = sizeof(struct totp_holder),
                                    .fields = holder_fields,
                                    .count = sizeof(holder_fields) / sizeof(holder_fields[0])};

struct found {
    struct uuid id;
};
static const struct field found_fields[] = {FIELD(struct found, id)};
static const struct input found = INPUT(found, "FactorAccount", NULL);

bool
totp_is_required(enum role role)
{
    return role == ROLE_ADMIN && strcmp(conf->totp_required, "admin") == 0;
}

static const char *
owner_of(struct ctx *ctx, struct uuid account)
{
    return uuid_text(account, arena_alloc(ctx->arena, UUID_TEXT_SIZE));
}

/* The factor under its lock; *row is empty if there is none. */
static enum err
lock(struct ctx *ctx, struct uuid account, struct factor_row *row)
{
    *row = (struct factor_row){0};
    enum err e = pg_one(ctx, TOTP_LOCK, &factor_row, row, ARG_ID(account));
    if (e != ERR_NOT_FOUND)
        return e;
    problems_clear(&ctx->problems);
    return OK;
}

static void
mac_of(struct uuid account, const char *code, uint8_t out[SHA256_SIZE])
{
    static const char purpose[] = "recovery_codes";
    const struct secret_piece name = {purpose, sizeof(purpose)};
    const struct secret_piece pieces[] = {{account.b, sizeof(account.b)}, {code, strlen(code)}};
    uint8_t key[SHA256_SIZE];

    secret_hmac_sha256(conf->data_key, strlen(conf->data_key), &name, 1, key);
    secret_hmac_sha256(key, sizeof(key), pieces, 2, out);
}

static enum err
try_timed(struct ctx *ctx, struct uuid account, const struct factor_row *row, const char *code,
          bool *is_right)
{
    size_t len = 0;
    int64_t taken = 0;
    const uint8_t *sealed = secret_unhex(ctx->arena, row->secret, &len);
    struct box_bytes secret =
        box_open(ctx->arena, conf->data_key, PURPOSE, owner_of(ctx, account), sealed, len);

    if (secret.data == NULL) {
        log_event(LOG_ERROR, EVENT("totp.sealed_by_another_key"),
                  TEXT("user.id", owner_of(ctx, account)));
        return OK;
    }
    int64_t step = otp_match(secret.data, secret.len, ctx->now_ms, row->last_step, code);
    if (step < 0)
        return OK;
    if (step <= row->last_step && row->is_confirmed) {
        audit_note(ctx, AUDIT_PROOF_FAILED, account, "what", "used_code");
        messages_notice(ctx, account, NOTICE_CODE_USED_AGAIN);
        return OK;
    }
    enum err e = pg_touch(ctx, TOTP_TAKE_STEP, &taken, ARG_ID(account), ARG_INT(step));
    *is_right = e == OK && taken > 0;
    return e;
}

static enum err
try_recovery(struct ctx *ctx, struct uuid account, const char *code, bool *is_right)
{
    uint8_t mac[SHA256_SIZE];
    int64_t taken = 0;

    mac_of(account, code, mac);
    enum err e =
        pg_touch(ctx, TOTP_TAKE_CODE, &taken, ARG_ID(account), ARG_BYTES(mac, sizeof(mac)));
    *is_right = e == OK && taken > 0;
    if (*is_right) {
        audit_note(ctx, AUDIT_RECOVERY_CODE_USED, account, NULL, NULL);
        messages_notice(ctx, account, NOTICE_RECOVERY_CODE_USED);
    }
    return e;
}

/* Counts the try, and takes the code if it is right. */
static enum err
take(struct ctx *ctx, struct uuid account, const struct factor_row *row, const char *typed,
     const char *network, bool *is_right)
{
    char code[OTP_RECOVERY_LEN + 1];
    struct try try;

    *is_right = false;
    enum err e = throttle_take(ctx, "totp", owner_of(ctx, account), network,
                               conf->limit_login_account, &try);
    if (e != OK)
        return e;
    enum otp_kind kind = otp_read(typed, code);
    if (kind == OTP_TIMED)
        e = try_timed(ctx, account, row, code, is_right);
    if (kind == OTP_RECOVERY && row->is_confirmed)
        e = try_recovery(ctx, account, code, is_right);
    if (*is_right)
        throttle_give_back(ctx, &try);
    return e;
}

static enum err
demand(struct ctx *ctx, const char *words)
{
    return problems_add(ctx->arena, &ctx->problems, ERR_UNAUTHORIZED, "totp_code",
                        "{\"totp_required\":true}", "%s", words);
}

enum err
totp_demand(struct ctx *ctx, struct uuid account, const char *code, const char *network, bool *has)
{
    struct factor_row row;
    bool is_right;

    enum err e = lock(ctx, account, &row);
    *has = e == OK && row.is_confirmed;
    if (!*has)
        return e;
    if (code == NULL)
        return demand(ctx, "this account has a second factor: send totp_code too");
    e = take(ctx, account, &row, code, network, &is_right);
    if (e != OK || is_right)
        return e;
    return demand(ctx, "is wrong, or was used already: wait for the app's next code");
}

enum err
totp_hold(struct ctx *ctx, struct uuid account, struct totp_holder *out)
{
    *out = (struct totp_holder){0};
    pg_queue(ctx, TOTP_LOCK_ACCOUNT, ARG_ID(account));
    return pg_one(ctx, TOTP_HOLDER, &holder, out, ARG_ID(account));
}

enum err
totp_find(struct ctx *ctx, const char *email, const char *phone, const char *username,
          struct uuid *account)
{
    struct found row = {0};

    enum err e =
        pg_one(ctx, TOTP_FIND, &found, &row, ARG_TEXT(email), ARG_TEXT(phone), ARG_TEXT(username));
    *account = row.id;
    if (e != ERR_NOT_FOUND)
        return e;
    problems_clear(&ctx->problems);
    return fail(ctx, e, NULL, "there is no such account");
}

enum err
totp_begin(struct ctx *ctx, struct uuid account, const char **secret)
{
    uint8_t bytes[OTP_SECRET_SIZE];
    int64_t kept;

    random_bytes(bytes, sizeof(bytes));
    struct box_bytes sealed =
        box_seal(ctx->arena, conf->data_key, PURPOSE, owner_of(ctx, account), bytes, sizeof(bytes));
    *secret = base32(ctx->arena, bytes, sizeof(bytes));
    enum err e =
        pg_touch(ctx, TOTP_BEGIN, &kept, ARG_ID(account), ARG_BYTES(sealed.data, sealed.len));
    if (e == OK && kept == 0)
        return fail(ctx, ERR_CONFLICT, NULL,
                    "this account has a second factor already: remove it first (DELETE)");
    return e;
}

enum err
totp_take(struct ctx *ctx, struct uuid account, bool confirmed, const char *code)
{
    char session[UUID_TEXT_SIZE];
    struct factor_row row;
    bool is_right;

    enum err e = lock(ctx, account, &row);
    if (e != OK)
        return e;
    if (row.secret == NULL || row.is_confirmed != confirmed)
        return fail(ctx, ERR_NOT_FOUND, NULL, "%s",
                    confirmed ? "this account has no second factor"
                              : "nothing waits to be confirmed: POST /api/v1/auth/totp first");
    /* Of one that is not confirmed, by session: who has stolen one shall keep nobody from it. */
    e = take(ctx, account, &row, code, confirmed ? NULL : uuid_text(ctx->actor.session, session),
             &is_right);
    if (e != OK || is_right)
        return e;
    audit_note(ctx, AUDIT_PROOF_FAILED, account, "what", "totp_code");
    return fail(ctx, ERR_VALIDATION, "code",
                "is wrong, or was used already: wait for the app's next code");
}

enum err
totp_confirm(struct ctx *ctx, struct uuid account)
{
    return pg_run(ctx, TOTP_CONFIRM, ARG_ID(account));
}

enum err
totp_new_codes(struct ctx *ctx, struct uuid account, const char *codes[TOTP_RECOVERY_CODES])
{
    enum err e = pg_touch(ctx, TOTP_DROP_CODES, NULL, ARG_ID(account));

    for (size_t i = 0; e == OK && i < TOTP_RECOVERY_CODES; i++) {
        uint8_t *mac = arena_alloc(ctx->arena, SHA256_SIZE);
        const char *code;

        otp_recovery(ctx->arena, &code, &codes[i]);
        mac_of(account, code, mac);
        pg_queue(ctx, TOTP_ADD_CODE, ARG_ID(account), ARG_BYTES(mac, SHA256_SIZE));
    }
    return e;
}

enum err
totp_off(struct ctx *ctx, struct uuid account, struct uuid spared)
{
    int64_t removed;

    enum err e = pg_touch(ctx, TOTP_OFF, &removed, ARG_ID(account));
    if (e == OK && removed == 0)
        return fail(ctx, ERR_NOT_FOUND, NULL, "this account has no second factor");
    if (e == OK)
        e = sessions_end_others(ctx, account, spared, "second_factor_off");
    if (e == OK && !uuid_is_nil(spared))
        e = pg_touch(ctx, TOTP_MARK_SESSION, NULL, ARG_ID(spared), ARG_BOOL(false));
    if (e == OK)
        e = keys_recheck(ctx, account);
    if (e != OK)
        return e;
    audit_note(ctx, AUDIT_TOTP_DISABLED, account, NULL, NULL);
    messages_notice(ctx, account, NOTICE_SECOND_FACTOR_OFF);
    return OK;
}
