/*
 * Both ways are one, told apart by a row of a table. The account is locked first, so that the
 * number that is called verified is the one that the code was sent to: PUT /auth/profile waits, and
 * what it sets is unverified.
 */
#include "shop/accounts/verify.h"

#include "shop/accounts/codes.h"
#include "shop/accounts/contacts.h"
#include "shop/audit.h"
#include "shop/req.h"

struct verify_in {
    uint64_t sent;
    const char *code;
};
static const struct field verify_in_fields[] = {
    FIELD(struct verify_in, code, .max = 6, .format = FORMAT_SECRET, .eg = "492039",
          .doc = "Six digits, as they came; without it, a code is sent"),
};

static void
check_code(struct input_errors *errors, const void *body)
{
    const struct verify_in *in = body;
    const char *fault = in->code != NULL ? codes_fault(in->code) : NULL;

    if (fault != NULL)
        input_reject(errors, "code", "%s", fault);
}
static const struct input verify_in = INPUT(verify_in, "VerifyInput", check_code);

static const struct way {
    const char *field, *none, *already, *off, *sent, *done;
    enum code_purpose purpose;
    enum channel channel;
    int verified; /* the statement */
} ways[CHANNEL__COUNT] = {
    [CHANNEL_SMS] = {"phone",
                     "the account has no phone number: set one by PUT /api/v1/auth/profile",
                     "the phone number is verified already", "this shop sends no SMS now",
                     "a code is on its way by SMS", "the phone number is verified",
                     CODE_VERIFY_PHONE, CHANNEL_SMS, CODES_PHONE_VERIFIED},
    [CHANNEL_EMAIL] = {"email",
                       "the account has no e-mail address: set one by PUT /api/v1/auth/profile",
                       "the e-mail address is verified already", "this shop sends no e-mail now",
                       "a code is on its way by e-mail", "the e-mail address is verified",
                       CODE_VERIFY_EMAIL, CHANNEL_EMAIL, CODES_EMAIL_VERIFIED},
};

static enum err
send_code(struct req *rq, const struct way *w, const char *target)
{
    struct ctx *ctx = &rq->ctx;

    if (!messages_can(w->channel))
        return fail(ctx, ERR_SERVICE_UNAVAILABLE, NULL, "%s", w->off);
    enum err e = codes_send(ctx, ctx->actor.account, w->purpose, w->channel, target);
    if (e == ERR_RATE_LIMITED)
        return fail(ctx, e, NULL, "a code was sent; wait %d seconds for another",
                    (int)((ctx->retry_after_ms + 999) / 1000));
    return e != OK ? e : reply_message(rq, w->sent);
}

static enum err
check(struct req *rq, const struct way *w, const char *target, const char *code)
{
    struct ctx *ctx = &rq->ctx;

    enum err e = codes_check(ctx, ctx->actor.account, w->purpose, target, code);
    if (e == ERR_VALIDATION)
        return fail(ctx, e, "code", CODE_IS_NOT_GOOD);
    if (e == OK)
        e = pg_run(ctx, w->verified, ARG_ID(ctx->actor.account));
    if (e != OK)
        return e;
    audit_note(ctx, AUDIT_CONTACT_VERIFIED, ctx->actor.account, "what", w->field);
    return reply_message(rq, w->done);
}

static enum err
verify(struct req *rq, enum channel c)
{
    const struct verify_in *in = rq->in;
    const struct way *w = &ways[c];
    struct contacts own = {0};

    enum err e = contacts_lock(&rq->ctx, rq->ctx.actor.account, &own);
    if (e != OK)
        return e;
    const char *target = c == CHANNEL_SMS ? own.phone : own.email;
    if (target == NULL)
        return fail(&rq->ctx, ERR_VALIDATION, w->field, "%s", w->none);
    if (c == CHANNEL_SMS ? own.phone_verified : own.email_verified)
        return reply_message(rq, w->already);
    return in->code == NULL ? send_code(rq, w, target) : check(rq, w, target, in->code);
}

static enum err
run_phone(struct req *rq)
{
    return verify(rq, CHANNEL_SMS);
}

static enum err
run_email(struct req *rq)
{
    return verify(rq, CHANNEL_EMAIL);
}

const struct endpoint verify_phone = {
    .name = "verify_phone",
    .tag = "Accounts",
    .doc = "Sends a one-time code to your phone by SMS, or confirms the number by it.",
    .run = run_phone,
    .in = &verify_in,
    .out = &message_out,
    .errors = {ERR_VALIDATION},
};
const struct endpoint verify_email = {
    .name = "verify_email",
    .tag = "Accounts",
    .doc = "Sends a one-time code to your e-mail address, or confirms the address by it.",
    .run = run_email,
    .in = &verify_in,
    .out = &message_out,
    .errors = {ERR_VALIDATION},
};
