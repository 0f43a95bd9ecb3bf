/*
 * POST /payments/stripe, in three steps: the attempt is committed; Stripe is called, in no
 * transaction; what he said is committed with the answer.
 *
 * The client secret lets its holder pay this one intent, so it goes to the buyer alone, and the
 * answer is not kept for a replay: whoever asks again is given the same open attempt. After a crash
 * in between, that attempt has no secret yet; creating it once more under the same Idempotency-Key
 * at Stripe gives the same intent.
 */
#include "providers/stripe.h"
#include "base/config.h"
#include "base/fault.h"
#include "io/tx.h"
#include "shop/payments/asking.h"
#include "shop/req.h"

#include <string.h>

struct stripe_in {
    uint64_t sent;
    struct uuid order_id;
    struct decimal amount;
    const char *currency;
};
static const struct field stripe_in_fields[] = {
    FIELD(struct stripe_in, order_id, .required = true,
          .eg = "01920000-0000-7000-8000-000000000006", .doc = "One of your orders, unpaid"),
    FIELD(struct stripe_in, amount, .eg = "1700",
          .doc = "What you believe is due; refused if it is not"),
    FIELD(struct stripe_in, currency, .format = FORMAT_CURRENCY, .eg = "KES",
          .doc = "The same for the currency"),
};
static const struct input stripe_in = INPUT(stripe_in, "StripePaymentInput", NULL);

static const struct out_field stripe_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000007", .doc = "The payment"},
    {"order_id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000006", .doc = "What it pays"},
    {"provider", OUT_TEXT, .eg = "stripe", .doc = "Who takes the money"},
    {"status", OUT_TEXT, .one_of = PAYMENT_WORDS, .eg = "processing", .doc = "How far it is"},
    {"amount", OUT_MONEY, .eg = "1700", .doc = "What is to be paid"},
    {"currency", OUT_TEXT, .eg = "KES", .doc = "ISO 4217"},
    {"payment_intent_id", OUT_TEXT, .nullable = true, .eg = "pi_3Abc",
     .doc = "Stripe's name for it"},
    {"client_secret", OUT_TEXT, .nullable = true, .eg = "pi_3Abc_secret_xyz",
     .doc = "For Stripe.js in the buyer's browser, and for nobody else"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was begun"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it changed last"},
};
static const struct output stripe_out = OUTPUT(stripe_fields, "StripePayment");

struct step {
    struct opening opening;
    struct decimal amount;
    bool called; /* Stripe was asked */
    enum heard heard;
    struct refusal why;
    struct stripe_intent intent;
};

static enum err
start(struct req *rq)
{
    const struct stripe_in *in = rq->in;
    struct step *s = arena_alloc(rq->ctx.arena, sizeof(*s));

    if (conf->stripe_secret_key[0] == '\0')
        return fail(&rq->ctx, ERR_INVALID_STATUS, NULL, "this shop takes no cards");
    s->amount = in->amount;
    s->opening = (struct opening){
        .order = in->order_id,
        .provider = PROVIDER_NAME_STRIPE,
        .amount = input_sent(&stripe_in, in, "amount") ? &s->amount : NULL,
        .currency = in->currency,
    };
    rq->step = s;
    return attempts_open(&rq->ctx, &s->opening);
}

static enum err
call(struct req *rq)
{
    struct step *s = rq->step;

    fault_point_of(FAULT_PAYMENT_STARTED, s->opening.order);
    enum err e = attempts_open_after(&rq->ctx, &s->opening);
    if (e != OK)
        return e;
    const struct attempt *a = &s->opening.attempt;
    s->called = a->client_secret == NULL;
    if (s->called)
        s->heard = asking_intent(&rq->ctx, a, &s->intent, &s->why);
    fault_point_of(FAULT_PAYMENT_CALLED, s->opening.order);
    return OK;
}

/* What the intent is now follows by the way that all words go. */
static enum err
hear(struct req *rq, const struct step *s)
{
    struct ctx *ctx = &rq->ctx;

    enum err e = asking_note_intent(ctx, &s->opening.attempt, &s->intent);
    if (e != OK)
        return e;
    return asking_settle_intent(ctx, s->opening.attempt.id, &s->intent,
                                arena_printf(ctx->arena, "answer:%s", s->intent.id));
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
    if (s->called && s->heard != HEARD_DONE)
        return attempts_refuse(ctx, &now, s->heard, &s->why);
    e = s->called ? hear(rq, s) : OK;
    if (e == OK)
        e = attempts_lock(ctx, now.id, &now);
    if (e != OK)
        return e;
    if (!attempts_is_open(&now) && strcmp(now.status, "succeeded") != 0) {
        tx_keep(ctx); /* it was closed meanwhile: nobody is given its secret, so nobody pays it */
        return fail(ctx, ERR_CONFLICT, "order_id", "the payment was closed meanwhile; ask again");
    }
    return reply_rows(rq, PAYMENTS_SHOW_STRIPE, ARG_ID(now.id));
}

const struct endpoint payments_stripe = {
    .name = "payment_stripe",
    .tag = "Payments",
    .doc = "Begins to pay an order by card: the answer's client_secret is for Stripe.js; the open "
           "attempt is given again.",
    .start = start,
    .call = call,
    .finish = finish,
    .in = &stripe_in,
    .out = &stripe_out,
    .status = 201,
    .replies = {PAYMENTS_SHOW_STRIPE},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND, ERR_INVALID_STATUS, ERR_CONFLICT, ERR_PAYMENT_FAILED,
               ERR_PROVIDER_UNAVAILABLE, ERR_REQUEST_TIMEOUT},
    .secret = true,
};
