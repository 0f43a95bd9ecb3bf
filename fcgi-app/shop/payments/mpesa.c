/*
 * POST /payments/mpesa, in three steps, as in stripe.c; but Daraja knows no Idempotency-Key. Of a
 * call that nobody answered the prompt may be on the phone: it is never sent again, the attempt is
 * unknown, and soko-jobs finds out (asking.c). A callback may be here before the answer is: it
 * finds its attempt by the token in its URL.
 */
#include "providers/daraja.h"
#include "base/config.h"
#include "base/fault.h"
#include "base/phone.h"
#include "io/pg.h"
#include "shop/payments/attempts.h"
#include "shop/req.h"

#include <string.h>

struct mpesa_in {
    uint64_t sent;
    struct uuid order_id;
    const char *phone;
};
static const struct field mpesa_in_fields[] = {
    FIELD(struct mpesa_in, order_id, .required = true, .eg = "01920000-0000-7000-8000-000000000006",
          .doc = "One of your orders, unpaid, in KES"),
    FIELD(struct mpesa_in, phone, .required = true, .format = FORMAT_PHONE, .eg = "0712345678",
          .doc = "The Kenyan mobile number that pays, in any form"),
};

static void
check_mpesa(struct input_errors *errors, const void *body)
{
    const struct mpesa_in *in = body;

    if (in->phone != NULL && !phone_is_kenyan_mobile(in->phone))
        input_reject(errors, "phone", "must be a Kenyan mobile number");
}
static const struct input mpesa_in = INPUT(mpesa_in, "MpesaPaymentInput", check_mpesa);

static const struct out_field mpesa_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000007", .doc = "The payment"},
    {"order_id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000006", .doc = "What it pays"},
    {"provider", OUT_TEXT, .eg = "mpesa", .doc = "Who takes the money"},
    {"status", OUT_TEXT, .one_of = PAYMENT_WORDS, .eg = "processing",
     .doc = "How far it is; look again until it changes"},
    {"amount", OUT_MONEY, .eg = "1699.5", .doc = "What is to be paid"},
    {"asked", OUT_MONEY, .eg = "1700", .doc = "What the phone is asked for: whole shillings"},
    {"currency", OUT_TEXT, .eg = "KES", .doc = "ISO 4217"},
    {"phone", OUT_TEXT, .nullable = true, .eg = "+254712***678", .doc = "Whose phone, masked"},
    {"checkout_request_id", OUT_TEXT, .nullable = true, .eg = "ws_CO_191220191020363925",
     .doc = "M-Pesa's name for it"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was begun"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it changed last"},
};
static const struct output mpesa_out = OUTPUT(mpesa_fields, "MpesaPayment");

struct step {
    struct opening opening;
    const char *token;
    uint8_t hash[SHA256_SIZE];
    bool goes_on; /* with an attempt whose worker died: the phone was asked, or never is */
    enum heard heard;
    struct refusal why;
    struct daraja_push push;
};

/* Whether this key has begun an attempt that is not known to have come to nothing. Nobody may send
 * a second prompt for it: the answer is what became of the first. */
static enum err
look_back(struct req *rq, struct step *s)
{
    struct uuid id;

    if (rq->note == NULL || !uuid_parse(rq->note, strlen(rq->note), &id))
        return OK;
    enum err e = attempts_find(&rq->ctx, id, &s->opening.attempt);
    s->goes_on = e == OK && strcmp(s->opening.attempt.status, "failed") != 0 &&
                 strcmp(s->opening.attempt.status, "cancelled") != 0 &&
                 strcmp(s->opening.attempt.status, "abandoned") != 0;
    return e;
}

static enum err
start(struct req *rq)
{
    const struct mpesa_in *in = rq->in;
    struct step *s = arena_alloc(rq->ctx.arena, sizeof(*s));
    char id[UUID_TEXT_SIZE];

    *s = (struct step){0};
    if (conf->daraja_consumer_key[0] == '\0')
        return fail(&rq->ctx, ERR_INVALID_STATUS, NULL, "this shop does not take M-Pesa");
    s->token = attempts_token(&rq->ctx, s->hash);
    s->opening = (struct opening){
        .order = in->order_id,
        .provider = PROVIDER_NAME_MPESA,
        .phone = in->phone,
        .token_hash = s->hash,
    };
    rq->step = s;
    enum err e = look_back(rq, s);
    if (e != OK || s->goes_on)
        return e;
    e = attempts_open(&rq->ctx, &s->opening);
    if (e == OK && uuid_is_nil(s->opening.in_the_way))
        rq->note = arena_strdup(rq->ctx.arena, uuid_text(s->opening.attempt.id, id));
    return e;
}

static enum err
call(struct req *rq)
{
    struct step *s = rq->step;

    fault_point_of(FAULT_PAYMENT_STARTED, s->opening.order);
    if (s->goes_on)
        return OK;
    enum err e = attempts_open_after(&rq->ctx, &s->opening);
    if (e != OK)
        return e;
    const struct attempt *a = &s->opening.attempt;
    const struct daraja_push_in in = {
        .phone = a->phone,
        .amount = a->asked,
        .callback = payments_callback_url(&rq->ctx, "stk", s->token),
        .reference = a->order_number,
    };
    s->heard = daraja_push(&rq->ctx, &payments_daraja, &in, &s->push, &s->why);
    fault_point_of(FAULT_PAYMENT_CALLED, s->opening.order);
    return OK;
}

static enum err
finish(struct req *rq)
{
    struct step *s = rq->step;
    struct ctx *ctx = &rq->ctx;
    struct attempt now;

    enum err e = attempts_lock_again(ctx, &s->opening, &now);
    if (e != OK)
        return e;
    if (s->goes_on)
        return reply_rows(rq, PAYMENTS_SHOW_MPESA, ARG_ID(now.id));
    if (s->heard == HEARD_NOTHING && strcmp(now.status, "initiating") != 0)
        return reply_rows(rq, PAYMENTS_SHOW_MPESA, ARG_ID(now.id)); /* the callback was quicker */
    if (s->heard != HEARD_DONE)
        return attempts_refuse(ctx, &now, s->heard, &s->why);
    e = pg_run(ctx, PAYMENTS_NOTE, ARG_ID(now.id), ARG_TEXT(s->push.checkout_id),
               ARG_TEXT(s->push.merchant_id), ARG_NULL, ARG_INT(conf->payment_ask_after.ms));
    return e != OK ? e : reply_rows(rq, PAYMENTS_SHOW_MPESA, ARG_ID(now.id));
}

const struct endpoint payments_mpesa = {
    .name = "payment_mpesa",
    .tag = "Payments",
    .doc = "Sends a prompt to a phone, to pay an order by M-Pesa; what the buyer answers is seen "
           "in the payment.",
    .start = start,
    .call = call,
    .finish = finish,
    .in = &mpesa_in,
    .out = &mpesa_out,
    .status = 202,
    .replies = {PAYMENTS_SHOW_MPESA},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND, ERR_INVALID_STATUS, ERR_CONFLICT, ERR_PAYMENT_FAILED,
               ERR_PROVIDER_UNAVAILABLE, ERR_REQUEST_TIMEOUT},
};
