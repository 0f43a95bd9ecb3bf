/*
 * What providers post to us. A word is authenticated first, by Stripe's signature over the exact
 * bytes or by the token in the path that Daraja was given for this one attempt; then it is kept as
 * it came, in a row that is unique, so that a replay finds it; and what follows from it happens in
 * the same transaction. Only then it is acknowledged. Nothing is answered 200 and dropped: what
 * names a payment that we do not know yet waits, and comes again by the outbox, until it is known
 * or a person looks.
 *
 * Stripe's events come in any order and are snapshots. What counts is the state that the intent in
 * it says, not the event's name, and it moves the payment forward only. payment_failed alone is
 * another thing: the intent it speaks of may be paid yet, so it is noted and shown, and the attempt
 * stays open. charge.refunded repeats what the refund's own events say better.
 *
 * M-Pesa signs nothing. From an address of Safaricom's the token suffices; from any other the word
 * waits until a query confirms it (asking.c), as does one that says "paid" without saying what, or
 * a code that nobody knows. M-Pesa does not repeat a callback: a body that cannot be read is
 * refused, and the attempt is asked about at once.
 */
#include "base/config.h"
#include "base/fault.h"
#include "base/log.h"
#include "io/pg.h"
#include "io/tx.h"
#include "providers/daraja.h"
#include "shop/payments/asking.h"
#include "shop/req.h"

#include <string.h>

#define KIND_STRIPE "stripe.event"
#define KIND_STK "stk.callback"

struct found_row {
    struct uuid id, order_id;
};
static const struct field found_row_fields[] = {
    FIELD(struct found_row, id),
    FIELD(struct found_row, order_id),
};
static const struct input found_row = INPUT(found_row, "FoundPayment", NULL);

struct kept_row {
    struct uuid id, subject;
    const char *kind, *body;
};
static const struct field kept_row_fields[] = {
    FIELD(struct kept_row, id),
    FIELD(struct kept_row, subject),
    FIELD(struct kept_row, kind),
    FIELD(struct kept_row, body),
};
static const struct input kept_row = INPUT(kept_row, "KeptWord", NULL);

static const struct uuid nobody;

/* A word on its way into the inbox. */
struct word {
    const char *provider, *event_id, *kind;
    const char *body;
    struct found_row about; /* nil: no payment of ours */
    struct uuid subject;    /* what its token named; nil: it had none */
};

/* Keeps it. *heard is true if it was kept before: then nothing is to be done any more. */
static enum err
keep(struct ctx *ctx, const struct word *w, const char *state, struct uuid *id, bool *heard)
{
    int64_t kept;

    *id = uuid_v7(ctx->now_ms);
    enum err e = pg_touch(ctx, PAYMENTS_INBOX_ADD, &kept, ARG_ID(*id), ARG_TEXT(w->provider),
                          ARG_TEXT(w->event_id), ARG_TEXT(w->kind), ARG_ID_OR_NULL(w->about.id),
                          ARG_TEXT(w->body), ARG_ID_OR_NULL(w->subject), ARG_TEXT(state));
    *heard = e == OK && kept == 0;
    return e;
}

/* --- Stripe ----------------------------------------------------------------------------------- */

static enum err
demand_authentic(struct req *rq)
{
    const char *fault = "Stripe is not configured";

    if (conf->stripe_webhook_secrets[0] != '\0')
        fault = stripe_signature_fault(rq->signature, rq->raw, rq->raw_len,
                                       conf->stripe_webhook_secrets, rq->ctx.now_ms / 1000,
                                       conf->stripe_tolerance.ms / 1000);
    if (fault == NULL)
        return OK;
    log_event(LOG_WARN, EVENT("webhook.refused"),
              TEXT("soko.payment.provider", PROVIDER_NAME_STRIPE), TEXT("error.message", fault));
    return fail(&rq->ctx, ERR_VALIDATION, NULL, "the signature is not valid");
}

static enum err
demand_ours(struct ctx *ctx, const struct stripe_event *event)
{
    if (event->livemode != stripe_is_live())
        return fail(ctx, ERR_VALIDATION, NULL, "an event of another mode than our key's");
    if (event->api_version == NULL || strcmp(event->api_version, conf->stripe_api_version) != 0)
        log_event(LOG_WARN, EVENT("webhook.other_version"),
                  TEXT("soko.stripe.api_version", event->api_version));
    return OK;
}

/* Which payment it is about; nil if it is none of ours. */
static enum err
find_subject(struct ctx *ctx, const struct stripe_event *event, struct found_row *out)
{
    const char *intent = event->intent_id;
    struct uuid attempt = nobody;

    *out = (struct found_row){0};
    if (event->kind == STRIPE_INTENT) {
        intent = event->intent.id;
        attempt = event->intent.attempt;
    } else if (event->kind == STRIPE_REFUND) {
        intent = event->refund.intent;
    }
    if (intent == NULL && uuid_is_nil(attempt))
        return OK;
    enum err e =
        pg_one(ctx, PAYMENTS_BY_INTENT, &found_row, out, ARG_TEXT(intent), ARG_ID_OR_NULL(attempt));
    return e == ERR_NOT_FOUND ? OK : e;
}

/* An intent that names an attempt of ours is ours, also if we do not know it yet. */
static const char *
state_of(const struct stripe_event *event, const struct found_row *about)
{
    bool known = !uuid_is_nil(about->id);

    switch (event->kind) {
    case STRIPE_INTENT:
        return known ? "applied" : uuid_is_nil(event->intent.attempt) ? "ignored" : "waiting";
    case STRIPE_REFUND:
        return "applied";
    case STRIPE_DISPUTE:
        return known ? "applied" : "ignored";
    default:
        return "ignored";
    }
}

static enum err
hear_intent(struct ctx *ctx, const struct stripe_event *event, const struct found_row *about)
{
    const struct stripe_intent *intent = &event->intent;
    struct attempt a;
    struct order o;

    enum err e = orders_lock(ctx, about->order_id, nobody, &o);
    if (e == OK)
        e = attempts_lock(ctx, about->id, &a);
    if (e != OK)
        return e;
    if (attempts_is_open(&a) && strcmp(event->type, "payment_intent.payment_failed") == 0) {
        orders_note(ctx, o.id, "payment_failed");
        attempts_log("payment.failed", &a, "failure", intent->failure);
    }
    e = asking_note_intent(ctx, &a, intent);
    return e != OK ? e : asking_settle_intent(ctx, a.id, intent, NULL);
}

static void
hear_dispute(struct ctx *ctx, const struct stripe_event *event, const struct found_row *about)
{
    char id[UUID_TEXT_SIZE];

    log_event(LOG_WARN, EVENT("payment.disputed"),
              TEXT("soko.order.id", uuid_text(about->order_id, id)),
              TEXT("soko.stripe.event", event->type));
    if (strcmp(event->type, "charge.dispute.created") == 0)
        orders_note(ctx, about->order_id, "payment_disputed");
    else if (strcmp(event->type, "charge.dispute.closed") == 0)
        orders_note(ctx, about->order_id, "payment_dispute_closed");
}

static enum err
act(struct ctx *ctx, const struct stripe_event *event, const struct found_row *about)
{
    if (event->kind == STRIPE_INTENT)
        return hear_intent(ctx, event, about);
    if (event->kind == STRIPE_REFUND)
        return refunds_hear_stripe(ctx, &event->refund);
    if (event->kind == STRIPE_DISPUTE && !uuid_is_nil(about->order_id))
        hear_dispute(ctx, event, about);
    return OK;
}

static enum err
take_event(struct ctx *ctx, const struct stripe_event *event, const struct word *w)
{
    const char *state = state_of(event, &w->about);
    struct uuid id;
    bool heard;

    enum err e = keep(ctx, w, state, &id, &heard);
    if (e != OK || heard)
        return e;
    if (strcmp(state, "waiting") == 0)
        outbox_add(ctx, EVENT_PROVIDER_SPOKE, id, nobody);
    return strcmp(state, "applied") == 0 ? act(ctx, event, &w->about) : OK;
}

static enum err
stripe_event(struct req *rq)
{
    struct ctx *ctx = &rq->ctx;
    struct stripe_event event = {0};
    struct word w = {.provider = PROVIDER_NAME_STRIPE, .kind = KIND_STRIPE};

    enum err e = demand_authentic(rq);
    if (e == OK)
        e = stripe_event_read(ctx, rq->raw, rq->raw_len, &event);
    if (e == OK)
        e = demand_ours(ctx, &event);
    if (e == OK)
        e = find_subject(ctx, &event, &w.about);
    if (e != OK)
        return e;
    w.event_id = event.id;
    w.body = arena_strndup(ctx->arena, rq->raw, rq->raw_len);
    fault_point_of(FAULT_WEBHOOK_HEARD, w.about.order_id);
    attempts_fault_after_commit(ctx, FAULT_WEBHOOK_STORED, w.about.order_id);
    e = take_event(ctx, &event, &w);
    return e != OK ? e : reply_message(rq, "received");
}

enum err
payments_hear(struct ctx *ctx, const struct delivery *d)
{
    struct kept_row kept = {0};
    struct stripe_event event = {0};
    struct found_row about;

    enum err e = pg_one(ctx, PAYMENTS_INBOX_FIND, &kept_row, &kept, ARG_ID(d->subject));
    if (e == ERR_NOT_FOUND)
        return OK; /* heard meanwhile */
    if (e == OK && strcmp(kept.kind, KIND_STRIPE) != 0)
        return ERR_INTERNAL;
    if (e == OK)
        e = stripe_event_read(ctx, kept.body, strlen(kept.body), &event);
    if (e == OK)
        e = find_subject(ctx, &event, &about);
    if (e == OK && uuid_is_nil(about.id))
        return ERR_NOT_FOUND; /* again later */
    if (e == OK)
        e = act(ctx, &event, &about);
    return e != OK ? e
                   : pg_run(ctx, PAYMENTS_INBOX_SET, ARG_ID(kept.id), ARG_TEXT("applied"),
                            ARG_ID(about.id));
}

/* --- M-Pesa ----------------------------------------------------------------------------------- */

static const struct out_field ack_fields[] = {
    {"ResultCode", OUT_INT, .eg = "0", .doc = "0: it is kept"},
    {"ResultDesc", OUT_TEXT, .eg = "Accepted", .doc = "The same in a word"},
};
const struct output payments_ack_out = OUTPUT(ack_fields, "CallbackAccepted");

enum err
payments_acknowledge(struct req *rq, const char *text)
{
    text_clear(&rq->reply);
    text_printf(&rq->reply, "{\"ResultCode\":0,\"ResultDesc\":\"%s\"}", text);
    return OK;
}

static const char *
id_of_callback(struct ctx *ctx, const struct req *rq, struct uuid payment)
{
    uint8_t digest[SHA256_SIZE];
    char id[UUID_TEXT_SIZE];

    uuid_text(payment, id);
    const char *all =
        arena_printf(ctx->arena, "%s\n%.*s", id, (int)rq->raw_len, (const char *)rq->raw);
    secret_sha256(all, strlen(all), digest);
    return arena_printf(ctx->arena, "stk:%s", secret_hex(ctx->arena, digest, sizeof(digest)));
}

/* Whether Daraja was asked already and said that it is paid, so that only the receipt is missing.
 */
static bool
only_adds(const struct attempt *a, const struct daraja_callback *c)
{
    return a->received > 0 && a->receipt == NULL && c->amount == a->received;
}

/* What is to become of a callback: "applied" settles it now. */
static const char *
fate_of(const struct req *rq, const struct attempt *a, const struct daraja_callback *c)
{
    enum daraja_word word = daraja_stk_word(c->code);
    bool listed = daraja_address_listed(conf->daraja_addresses, rq->address);
    bool complete = c->receipt != NULL && c->amount > 0;

    if (a->provider_ref != NULL && strcmp(a->provider_ref, c->checkout_id) != 0)
        return "ignored";
    if (word == DARAJA_PAID && complete && (listed || only_adds(a, c)))
        return "applied";
    if (word == DARAJA_FAILED && listed)
        return "applied";
    if (word == DARAJA_FAILED && !attempts_is_open(a))
        return "ignored"; /* it says nothing new */
    return "waiting";
}

static enum err
settle_callback(struct ctx *ctx, const struct attempt *a, const struct daraja_callback *c)
{
    bool paid = daraja_stk_word(c->code) == DARAJA_PAID;
    const struct verdict v = {
        .payment = a->id,
        .provider = PROVIDER_NAME_MPESA,
        .outcome = paid ? OUTCOME_PAID : OUTCOME_FAILED,
        .amount = paid ? c->amount : 0,
        .currency = "KES",
        .receipt = paid ? c->receipt : NULL,
        .failure = paid ? NULL : c->code,
    };

    return payments_settle(ctx, &v);
}

/* Its names, if its answer was lost or is yet to come; then its word, now or when it is confirmed.
 */
static enum err
take_callback(struct ctx *ctx, const struct req *rq, const struct attempt *a,
              const struct daraja_callback *c, const struct word *w)
{
    const char *fate = fate_of(rq, a, c);
    struct uuid id;
    bool heard;

    enum err e = keep(ctx, w, fate, &id, &heard);
    if (e != OK || heard)
        return e;
    if (strcmp(fate, "ignored") == 0) {
        attempts_log("payment.callback_ignored", a, NULL, NULL);
        return OK;
    }
    e = pg_run(ctx, PAYMENTS_NOTE, ARG_ID(a->id), ARG_TEXT(c->checkout_id),
               ARG_TEXT(c->merchant_id), ARG_NULL, ARG_NULL);
    if (e != OK)
        return e;
    if (strcmp(fate, "applied") == 0)
        return settle_callback(ctx, a, c);
    attempts_log("payment.callback_waits", a, NULL, NULL);
    return pg_run(ctx, PAYMENTS_ASK_NOW, ARG_ID(a->id));
}

static enum err
find_by_token(struct ctx *ctx, const char *token, struct found_row *out)
{
    uint8_t hash[SHA256_SIZE];

    *out = (struct found_row){0};
    attempts_token_hash(token, hash);
    enum err e = pg_one(ctx, PAYMENTS_BY_TOKEN, &found_row, out, ARG_BYTES(hash, sizeof(hash)));
    return e == ERR_NOT_FOUND ? fail(ctx, e, NULL, "there is nothing at this path") : e;
}

static enum err
refuse_body(struct ctx *ctx, struct uuid payment)
{
    enum err e = pg_run(ctx, PAYMENTS_ASK_NOW, ARG_ID(payment));

    if (e != OK)
        return e;
    tx_keep(ctx);
    return fail(ctx, ERR_VALIDATION, NULL, "this is no callback");
}

static enum err
stk_callback(struct req *rq)
{
    struct ctx *ctx = &rq->ctx;
    struct daraja_callback c;
    struct attempt a;
    struct order o;
    struct word w = {.provider = PROVIDER_NAME_MPESA, .kind = KIND_STK};

    enum err e = find_by_token(ctx, rq->words[0], &w.about);
    if (e != OK)
        return e;
    fault_point_of(FAULT_WEBHOOK_HEARD, w.about.order_id);
    attempts_fault_after_commit(ctx, FAULT_WEBHOOK_STORED, w.about.order_id);
    e = orders_lock(ctx, w.about.order_id, nobody, &o);
    if (e == OK)
        e = attempts_lock(ctx, w.about.id, &a);
    if (e != OK)
        return e;
    if (!daraja_callback_read(ctx, rq->raw, rq->raw_len, &c))
        return refuse_body(ctx, a.id);
    w.event_id = id_of_callback(ctx, rq, a.id);
    w.body = arena_strndup(ctx->arena, rq->raw, rq->raw_len);
    w.subject = a.id;
    e = take_callback(ctx, rq, &a, &c, &w);
    return e != OK ? e : payments_acknowledge(rq, "Accepted");
}

const struct endpoint payments_stripe_event = {
    .name = "webhook_stripe",
    .tag = "Webhooks",
    .doc = "Stripe's events, signed.",
    .run = stripe_event,
    .raw = true,
    .out = &message_out,
    .errors = {ERR_VALIDATION},
};
const struct endpoint payments_stk_callback = {
    .name = "webhook_stk",
    .tag = "Webhooks",
    .doc = "M-Pesa's word about a prompt; the path's token names the payment.",
    .run = stk_callback,
    .raw = true,
    .bare = true,
    .out = &payments_ack_out,
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};
