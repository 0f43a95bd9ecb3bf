/*
 * Whoever sets a second factor up, removes it, or wants new recovery codes, shows the password
 * again (proof.h): a stolen session must not be turned into an account of the thief's.
 *
 * A factor holds only once a code of it was shown: a QR code that was never scanned must lock
 * nobody out. From then on every session that was opened without it is over but the one that
 * showed the code. Wrong codes are 400, not 401: the session is a good one.
 */
#include "shop/accounts/factor.h"

#include "base/config.h"
#include "io/pg.h"
#include "shop/accounts/otp.h"
#include "shop/accounts/proof.h"
#include "shop/accounts/sessions.h"
#include "shop/accounts/totp.h"
#include "shop/audit.h"
#include "shop/messages.h"
#include "shop/req.h"

/* Of all inputs here; a table has those that it takes. */
struct proof_in {
    uint64_t sent;
    const char *password, *code;
};
#define PASSWORD_FIELD                                                                             \
    FIELD(struct proof_in, password, .required = true, .max = 256, .format = FORMAT_SECRET,        \
          .eg = "correct horse battery", .doc = "The account's password")
#define CODE_FIELD(sentence)                                                                       \
    FIELD(struct proof_in, code, .required = true, .max = 32, .format = FORMAT_SECRET,             \
          .eg = "492039", .doc = (sentence))

static const struct field begin_fields[] = {PASSWORD_FIELD};
static const struct field confirm_fields[] = {CODE_FIELD("What the authenticator app shows")};
static const struct field proof_fields[] = {
    PASSWORD_FIELD,
    CODE_FIELD("What the authenticator app shows, or a recovery code"),
};
#define PROOF(table, schema)                                                                       \
    {                                                                                              \
        .name = (schema), .size = sizeof(struct proof_in), .fields = (table),                      \
        .count = sizeof(table) / sizeof((table)[0])                                                \
    }
static const struct input begin_in = PROOF(begin_fields, "SecondFactorInput");
static const struct input confirm_in = PROOF(confirm_fields, "SecondFactorCodeInput");
static const struct input proof_in = PROOF(proof_fields, "SecondFactorProofInput");

static const struct out_field show_fields[] = {
    {"is_enabled", OUT_BOOL, .eg = "true", .doc = "Whether signing in takes a code"},
    {"enabled_at", OUT_TIME, .nullable = true, .eg = "2026-02-20T10:00:00Z", .doc = "Since when"},
    {"recovery_codes_left", OUT_INT, .eg = "9", .doc = "Recovery codes that were not used yet"},
};
static const struct output show_out = OUTPUT(show_fields, "SecondFactor");

static const struct out_field secret_fields[] = {
    {"secret", OUT_TEXT, .eg = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
     .doc = "For the authenticator app, in base 32; shown once"},
    {"otpauth_url", OUT_TEXT,
     .eg = "otpauth://totp/Soko:ann%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
           "&issuer=Soko&algorithm=SHA1&digits=6&period=30",
     .doc = "The same as a URL, to be shown as a QR code"},
};
static const struct output secret_out = OUTPUT(secret_fields, "SecondFactorSecret");

static const struct out_field codes_fields[] = {
    {"recovery_codes", OUT_LIST, .eg = "7KQ2-M9XW-PAQ3-4XYZ",
     .doc = "Each good for one sign-in without the app; shown once: keep them on paper"},
};
static const struct output codes_out = OUTPUT(codes_fields, "RecoveryCodes");

static enum err
show(struct req *rq)
{
    return reply_rows(rq, TOTP_SHOW, ARG_ID(rq->ctx.actor.account));
}

/* The first two steps of whatever takes the password. */
static enum err
start(struct req *rq)
{
    rq->step = arena_alloc(rq->ctx.arena, sizeof(struct proof));
    return proof_start(&rq->ctx, rq->step);
}

static enum err
call(struct req *rq)
{
    const struct proof_in *in = rq->in;

    proof_check(rq->step, in->password);
    return OK;
}

/* Begins the third, of what takes a code too. */
static enum err
prove_both(struct req *rq)
{
    const struct proof_in *in = rq->in;
    struct ctx *ctx = &rq->ctx;

    enum err e = proof_demand(ctx, rq->step, "password");
    return e != OK ? e : proof_settle(ctx, totp_take(ctx, ctx->actor.account, true, in->code));
}

static enum err
begin(struct req *rq)
{
    struct totp_holder holder;
    struct ctx *ctx = &rq->ctx;
    const char *secret;

    enum err e = proof_demand(ctx, rq->step, "password");
    if (e == OK)
        e = totp_hold(ctx, ctx->actor.account, &holder);
    if (e == OK)
        e = proof_settle(ctx, totp_begin(ctx, ctx->actor.account, &secret));
    if (e != OK)
        return e;
    text_putc(&rq->reply, '{');
    text_member(&rq->reply, "secret", secret);
    text_member(&rq->reply, "otpauth_url",
                otp_url(ctx->arena, conf->totp_issuer, holder.label, secret));
    text_putc(&rq->reply, '}');
    return OK;
}

static enum err
reply_codes(struct req *rq)
{
    const char *codes[TOTP_RECOVERY_CODES];

    enum err e = totp_new_codes(&rq->ctx, rq->ctx.actor.account, codes);
    text_puts(&rq->reply, "{\"recovery_codes\":[");
    for (size_t i = 0; e == OK && i < TOTP_RECOVERY_CODES; i++) {
        text_comma(&rq->reply);
        text_json(&rq->reply, codes[i]);
    }
    text_puts(&rq->reply, "]}");
    return e;
}

static enum err
confirm(struct req *rq)
{
    const struct proof_in *in = rq->in;
    struct ctx *ctx = &rq->ctx;
    struct uuid account = ctx->actor.account, session = ctx->actor.session;
    struct totp_holder holder;

    enum err e = totp_hold(ctx, account, &holder);
    if (e == OK)
        e = totp_take(ctx, account, false, in->code);
    if (e == ERR_VALIDATION)
        tx_keep(ctx);
    if (e == OK)
        e = totp_confirm(ctx, account);
    if (e == OK)
        e = pg_touch(ctx, TOTP_MARK_SESSION, NULL, ARG_ID(session), ARG_BOOL(true));
    if (e == OK)
        e = pg_touch(ctx, TOTP_FORGET_ADDRESSES, NULL, ARG_ID(account), ARG_TEXT(rq->network));
    if (e == OK)
        e = sessions_end_others(ctx, account, session, "second_factor_on");
    if (e != OK)
        return e;
    audit_note(ctx, AUDIT_TOTP_ENABLED, account, NULL, NULL);
    messages_notice(ctx, account, NOTICE_SECOND_FACTOR_ON);
    return reply_codes(rq);
}

/* An administrator is signed out here too: an access token that he was given before may still say
 * that he acts as one. */
static enum err
remove_factor(struct req *rq)
{
    struct ctx *ctx = &rq->ctx;
    struct totp_holder holder = {0};
    struct uuid spared = {{0}};

    enum err e = prove_both(rq);
    if (e == OK)
        e = totp_hold(ctx, ctx->actor.account, &holder);
    if (!holder.is_admin)
        spared = ctx->actor.session;
    if (e == OK)
        e = totp_off(ctx, ctx->actor.account, spared);
    if (e != OK)
        return e;
    return reply_message(rq, holder.is_admin
                                 ? "second factor removed; all sessions have ended, this one too"
                                 : "second factor removed; other sessions have ended");
}

static enum err
new_codes(struct req *rq)
{
    struct ctx *ctx = &rq->ctx;

    enum err e = prove_both(rq);
    if (e != OK)
        return e;
    audit_note(ctx, AUDIT_RECOVERY_CODES_RENEWED, ctx->actor.account, NULL, NULL);
    return reply_codes(rq);
}

const struct endpoint factor_show = {
    .name = "totp_show",
    .tag = "Accounts",
    .doc = "Whether your account has a second factor.",
    .run = show,
    .out = &show_out,
    .replies = {TOTP_SHOW},
};
const struct endpoint factor_begin = {
    .name = "totp_begin",
    .tag = "Accounts",
    .doc = "Makes the secret of a second factor, which holds once a code of it has confirmed it.",
    .start = start,
    .call = call,
    .finish = begin,
    .in = &begin_in,
    .out = &secret_out,
    .status = 201,
    .secret = true,
    .errors = {ERR_VALIDATION, ERR_CONFLICT},
};
const struct endpoint factor_confirm = {
    .name = "totp_confirm",
    .tag = "Accounts",
    .doc = "Turns the second factor on, gives recovery codes, and ends your other sessions.",
    .run = confirm,
    .in = &confirm_in,
    .out = &codes_out,
    .secret = true,
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};
const struct endpoint factor_remove = {
    .name = "totp_remove",
    .tag = "Accounts",
    .doc = "Turns the second factor off and ends your other sessions; all of an administrator's.",
    .start = start,
    .call = call,
    .finish = remove_factor,
    .in = &proof_in,
    .out = &message_out,
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};
const struct endpoint factor_new_codes = {
    .name = "totp_recovery_codes",
    .tag = "Accounts",
    .doc = "Gives new recovery codes; those of before are void.",
    .start = start,
    .call = call,
    .finish = new_codes,
    .in = &proof_in,
    .out = &codes_out,
    .secret = true,
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};
