/*
 * Money goes back in three steps, like all that calls a provider: `sending` is committed before
 * anybody is called, so that a crash leaves a trace, and every repetition of one attempt says the
 * same to the provider: Stripe's Idempotency-Key and M-Pesa's OriginatorConversationID are made of
 * our row's id and the number of the attempt, and what is reversed already says so. Only an attempt
 * that has failed for certain is followed by another, with another number.
 *
 * The event refund.requested begins; whatever is not over then is the clock's, by ask_at alone.
 * While somebody is at it, ask_at lies a lease ahead. So a worker that dies is followed by the
 * clock, and an event that is delivered twice finds that somebody is at it.
 *
 * The token of the result URLs is a MAC of row and attempt by TOKEN_KEY: a repeated call must name
 * the same URL, and the row keeps its hash alone.
 */
#include "base/clock.h"
#include "base/config.h"
#include "base/fault.h"
#include "base/log.h"
#include "io/pg.h"
#include "io/tx.h"
#include "shop/payments/attempts.h"
#include "shop/payments/refunds.h"
#include "shop/stmt.h"

#include <string.h>

static const struct field due_id_fields[] = {
    FIELD(struct due_id, id),
    FIELD(struct due_id, request_id),
    FIELD(struct due_id, trace_id),
    FIELD(struct due_id, sampled),
};
static const struct input due_id = INPUT(due_id, "DueRefund", NULL);

struct others_row {
    int64_t amount, sent;
};
static const struct field others_row_fields[] = {
    FIELD(struct others_row, amount),
    FIELD(struct others_row, sent),
};
static const struct input others_row = INPUT(others_row, "OtherRefunds", NULL);

const char *
refunds_originator(struct ctx *ctx, struct uuid refund, int64_t attempt)
{
    char id[UUID_TEXT_SIZE];

    return arena_printf(ctx->arena, "%s-%lld", uuid_text(refund, id), (long long)attempt);
}

const char *
refunds_token(struct ctx *ctx, struct uuid refund, int64_t attempt, uint8_t hash[SHA256_SIZE])
{
    uint8_t digest[SHA256_SIZE];
    const char *text =
        arena_printf(ctx->arena, "refund %s", refunds_originator(ctx, refund, attempt));
    const char *sealed = secret_seal(ctx->arena, conf->token_key, text);

    secret_sha256(sealed, strlen(sealed), digest);
    const char *token = secret_hex(ctx->arena, digest, sizeof(digest));
    secret_sha256(token, strlen(token), hash);
    return token;
}

/* --- start ------------------------------------------------------------------------------------ */

static bool
is_mpesa(enum refund_channel c)
{
    return c == BACK_BY_REVERSAL || c == BACK_BY_B2C;
}

/* What calling needs to know, of the attempt as its row now says. */
static struct refund_step *
step_of(struct ctx *ctx, const struct refund *r, bool ask)
{
    struct refund_step *s = arena_alloc(ctx->arena, sizeof(*s));
    uint8_t hash[SHA256_SIZE];

    *s = (struct refund_step){
        .refund = r->id,
        .subject = refunds_subject(r),
        .attempt = r->attempt,
        .amount = r->sent_amount,
        .ask = ask,
        .again = r->times_asked > 0,
        .channel = r->channel,
        .currency = r->currency,
        .ref = r->channel == BACK_BY_STRIPE && !ask ? r->payment_ref : r->provider_ref,
        .conversation = r->conversation,
        .receipt = r->receipt,
        .phone = r->phone,
        .heard = HEARD_NOTHING,
        .why = {.code = "", .message = ""},
    };
    if (is_mpesa(r->channel)) {
        const char *token = refunds_token(ctx, r->id, r->attempt, hash);
        s->result = payments_callback_url(ctx, "result", token);
        s->timeout = payments_callback_url(ctx, "timeout", token);
    }
    return s;
}

/* What is not sent for a reason that we know beforehand. */
static enum err
give_up(struct ctx *ctx, struct refund *r, const char *why)
{
    const struct refund_heard w = {.news = REFUND_REFUSED, .failure = why, .hopeless = true};

    return refunds_apply(ctx, r, &w);
}

static enum err
begin_attempt(struct ctx *ctx, struct refund *r, int64_t attempt, void **step)
{
    struct others_row others = {0};
    uint8_t hash[SHA256_SIZE];
    enum refund_status to;

    if (!refund_moves(r->status, REFUND_TRIED, BACK_BY_NOBODY, &to))
        return OK;
    enum err e = pg_one(ctx, REFUNDS_OTHERS, &others_row, &others, ARG_ID(r->id));
    if (e != OK)
        return e;
    const struct refund_case c = {
        .provider = r->provider,
        .amount = r->amount,
        .received = r->received,
        .back = others.amount,
        .sent = others.sent,
        .has_receipt = r->receipt != NULL,
        .has_phone = r->phone != NULL,
        .has_ref = r->payment_ref != NULL,
    };
    const char *why = refund_plan(&c, &r->channel, &r->sent_amount);
    refunds_token(ctx, r->id, attempt, hash);
    e = pg_run(ctx, REFUNDS_BEGIN, ARG_ID(r->id), ARG_TEXT(refund_status_name(r->status)),
               ARG_INT(attempt), ARG_TEXT(refund_channel_name(r->channel)),
               why == NULL ? ARG_INT(r->sent_amount) : ARG_NULL,
               is_mpesa(r->channel) ? ARG_BYTES(hash, sizeof(hash)) : ARG_NULL,
               ARG_TIME(ctx->now_ms + conf->jobs_lease.ms));
    if (e != OK)
        return e;
    r->status = to;
    r->has_channel = true;
    r->attempt = attempt;
    r->times_asked = 0;
    r->provider_ref = r->conversation = NULL;
    if (why != NULL)
        return give_up(ctx, r, why);
    if (r->channel == BACK_BY_NOBODY) {
        const struct refund_heard gone = {.news = REFUND_GONE};
        return refunds_apply(ctx, r, &gone);
    }
    *step = step_of(ctx, r, false);
    return OK;
}

/* A reversal of which M-Pesa has told no name is not asked about but repeated: that is harmless,
 * and the payment's receipt would tell of the payment. */
static bool
can_be_asked(const struct refund *r)
{
    return r->channel != BACK_BY_REVERSAL || r->conversation != NULL;
}

/* `claimed`: the clock has, and nobody else is at it. */
static enum err
start(struct ctx *ctx, struct uuid id, bool claimed, void **step)
{
    struct refund r;

    *step = NULL;
    enum err e = refunds_lock(ctx, id, &r);
    if (e != OK)
        return e;
    if (r.status == REFUND_PENDING)
        return begin_attempt(ctx, &r, r.attempt, step);
    if (r.reversed || !(claimed || r.is_due))
        return OK;
    if (r.status == REFUND_FAILED)
        return begin_attempt(ctx, &r, r.attempt + 1, step);
    if (r.status == REFUND_SENDING || r.status == REFUND_SENT) {
        *step = step_of(ctx, &r, r.status == REFUND_SENT && can_be_asked(&r));
        if (!claimed)
            e = pg_run(ctx, REFUNDS_LEASE, ARG_ID(r.id),
                       ARG_TIME(ctx->now_ms + conf->jobs_lease.ms));
    }
    return e;
}

enum err
refunds_start(struct ctx *ctx, const struct delivery *d, void **step)
{
    return start(ctx, d->subject, false, step);
}

/* --- call ------------------------------------------------------------------------------------- */

/* An attempt that may have been made before is looked for: Stripe forgets keys after a day. Else it
 * is made, under the same key; and if Stripe has kept a fault of his own under that key, he will
 * repeat it for a day, but he is done with it, and made nothing. */
static enum heard
send_by_stripe(struct ctx *ctx, struct refund_step *s)
{
    const struct stripe_refund_in in = {
        .refund = s->refund,
        .attempt = s->attempt,
        .intent = s->ref,
        .amount = s->amount,
        .currency = s->currency,
    };

    if (s->again) {
        enum heard h = stripe_find_refund(ctx, s->ref, s->refund, &s->stripe, &s->why);
        if (h == HEARD_REFUSED)
            return HEARD_NOTHING;
        if (h != HEARD_DONE || (s->stripe.id != NULL && s->stripe.status != REFUND_WORD_FAILED))
            return h;
    }
    enum heard h = stripe_refund(ctx, &in, &s->stripe, &s->why);
    if (s->again && h == HEARD_DONE) /* the answer of that time, perhaps */
        return stripe_get_refund(ctx, s->stripe.id, &s->stripe, &s->why);
    return h == HEARD_NOTHING && s->again && s->why.status >= 500 && s->why.code[0] != '\0'
               ? HEARD_REFUSED
               : h;
}

static enum heard
call_stripe(struct ctx *ctx, struct refund_step *s)
{
    return s->ask ? stripe_get_refund(ctx, s->ref, &s->stripe, &s->why) : send_by_stripe(ctx, s);
}

static enum heard
call_mpesa(struct ctx *ctx, struct refund_step *s)
{
    const char *originator = refunds_originator(ctx, s->refund, s->attempt);
    const struct daraja_reversal_in reversal = {s->receipt, s->amount, s->result, s->timeout};
    const struct daraja_payout_in payout = {originator, s->phone, s->amount, s->result, s->timeout};

    if (s->ask)
        return daraja_ask_status(ctx, &payments_daraja, NULL,
                                 s->conversation != NULL ? s->conversation : originator, s->result,
                                 s->timeout);
    return s->channel == BACK_BY_REVERSAL
               ? daraja_reverse(ctx, &payments_daraja, &reversal, &s->sent, &s->why)
               : daraja_pay(ctx, &payments_daraja, &payout, &s->sent, &s->why);
}

enum err
refunds_call(struct ctx *ctx, void *step)
{
    struct refund_step *s = step;

    fault_point_of(FAULT_REFUND_STARTED, s->subject);
    s->heard = is_mpesa(s->channel) ? call_mpesa(ctx, s) : call_stripe(ctx, s);
    fault_point_of(FAULT_REFUND_CALLED, s->subject);
    return OK;
}

/* --- finish ----------------------------------------------------------------------------------- */

/* Nothing new is known, or not enough: the same attempt is looked at again. */
static enum err
look_later(struct ctx *ctx, const struct refund *r)
{
    char id[UUID_TEXT_SIZE];
    int64_t pause =
        payment_pause(conf->refund_ask_after.ms, conf->payment_ask_max.ms, r->times_asked);

    if (r->times_asked + 1 >= conf->refund_attempts)
        log_event(LOG_ERROR, EVENT("refund.nobody_knows"),
                  TEXT("soko.refund.id", uuid_text(r->id, id)),
                  TEXT("event.outcome", refund_status_name(r->status)),
                  INT("soko.refund.times_asked", r->times_asked + 1));
    return pg_touch(ctx, REFUNDS_LATER, NULL, ARG_ID(r->id), ARG_TIME(clock_ms() + pause));
}

static bool
is_told(const char *s)
{
    return s != NULL && s[0] != '\0';
}

static enum err
note_stripe(struct ctx *ctx, struct refund *r, const struct refund_step *s)
{
    struct refund_heard w = {.ref = s->stripe.id};

    switch (s->stripe.status) {
    case REFUND_WORD_SUCCEEDED:
        w.news = REFUND_GONE;
        break;
    case REFUND_WORD_FAILED:
        w.news = REFUND_REFUSED;
        w.failure = is_told(s->stripe.failure) ? s->stripe.failure : "unknown";
        break;
    case REFUND_WORD_PENDING:
    default:
        w.news = REFUND_TAKEN;
        break;
    }
    /* Somebody has spoken of it while we called, by a name that we did not know yet: what our
     * answer says may be old already, so it is asked about by that name. */
    bool stale = !s->ask && r->is_due && w.news == REFUND_GONE;
    if (stale)
        w.news = REFUND_TAKEN;
    enum refund_status before = r->status;
    enum err e = refunds_apply(ctx, r, &w);
    if (e == OK && stale)
        return pg_touch(ctx, REFUNDS_ASK_NOW, NULL, ARG_ID(r->id));
    /* Still on its way: asked about again, each time later. */
    return e == OK && before == REFUND_SENT && r->status == REFUND_SENT ? look_later(ctx, r) : e;
}

/* A refusal of the same attempt: nothing has happened. What Stripe says is refunded already was
 * done by somebody else, in the dashboard perhaps, and a person must look. */
static enum err
note_refusal(struct ctx *ctx, struct refund *r, const struct refund_step *s)
{
    const char *code =
        is_told(s->why.code) ? s->why.code : arena_printf(ctx->arena, "HTTP %d", s->why.status);
    const struct refund_heard w = {
        .news = REFUND_REFUSED,
        .failure = code,
        .hopeless = strcmp(code, "charge_already_refunded") == 0,
    };

    return refunds_apply(ctx, r, &w);
}

static enum err
note_answer(struct ctx *ctx, struct refund *r, const struct refund_step *s)
{
    const struct refund_heard taken = {
        .news = REFUND_TAKEN,
        .conversation = is_told(s->sent.conversation) ? s->sent.conversation : NULL,
    };

    if (s->heard == HEARD_REFUSED && !s->ask)
        return note_refusal(ctx, r, s);
    if (s->heard == HEARD_DONE && s->channel == BACK_BY_STRIPE)
        return note_stripe(ctx, r, s);
    if (s->heard != HEARD_DONE || s->ask)
        return look_later(ctx, r);
    enum refund_status before = r->status;
    enum err e = refunds_apply(ctx, r, &taken);
    return e == OK && before == REFUND_SENT ? look_later(ctx, r) : e;
}

enum err
refunds_finish(struct ctx *ctx, void *step)
{
    struct refund_step *s = step;
    struct refund r;

    enum err e = refunds_lock(ctx, s->refund, &r);
    if (e == OK && r.attempt == s->attempt && r.has_channel && r.channel == s->channel)
        e = note_answer(ctx, &r, s);
    attempts_fault_after_commit(ctx, FAULT_REFUND_NOTED, s->subject);
    return e;
}

/* --- the clock -------------------------------------------------------------------------------- */

enum err
refunds_claim_due(struct ctx *ctx, int64_t limit, struct due_id **ids, size_t *count)
{
    return pg_all(ctx, REFUNDS_CLAIM_DUE, &due_id, ids, count, ARG_INT(limit),
                  ARG_TIME(ctx->now_ms + conf->jobs_lease.ms));
}

struct effort {
    struct uuid refund;
    void *step;
};

static enum err
start_work(struct ctx *ctx, void *arg)
{
    struct effort *w = arg;

    return start(ctx, w->refund, true, &w->step);
}

static enum err
finish_work(struct ctx *ctx, void *arg)
{
    const struct effort *w = arg;

    return refunds_finish(ctx, w->step);
}

void
refunds_ask_about(struct ctx *ctx, struct uuid refund)
{
    struct effort w = {.refund = refund};

    enum err e = tx_run(ctx, start_work, &w);
    if (e == OK && w.step != NULL)
        e = refunds_call(ctx, w.step);
    if (e == OK && w.step != NULL)
        e = tx_run(ctx, finish_work, &w);
    if (e != OK) /* the lease runs out by itself */
        log_event(LOG_WARN, EVENT("refund.not_asked"), TEXT("error.code", err_code(e)));
}
