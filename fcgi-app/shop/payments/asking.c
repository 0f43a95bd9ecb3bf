/*
 * soko-jobs asks what became of payments: outside of any transaction, then the word is applied in
 * one.
 *
 * Who asks has claimed the attempt by moving its ask_at past the lease, so that a process that dies
 * delays the question and loses nothing. After each answer that settles nothing the pause doubles,
 * so that a provider who is away is not hammered; his breaker (providers/outside.h) makes each
 * question of that time a cheap one.
 *
 * Stripe. An attempt whose creation nobody saw through is created again under the same key: the
 * same intent. Stripe forgets keys after a day, but then nobody ever had the secret of what may
 * have been made, so nobody can have paid it: it is abandoned. What is to be closed is cancelled;
 * that Stripe refuses because it was paid is the word that it was paid.
 *
 * M-Pesa. A prompt cannot be taken back, only asked about, by its CheckoutRequestID. If the answer
 * that brought it was lost, the list of what came to our shortcode is read, once no prompt can be
 * alive: one entry with this order's number and amount, that no payment has, is it; several are for
 * a person; none means that it was not paid, and a callback that comes later counts all the same. A
 * callback from an address that is not listed waits in the inbox for the same question: if Daraja
 * confirms that it was paid, the callback says the receipt, and its amount is compared.
 */
#include "shop/payments/asking.h"
#include "base/config.h"
#include "base/fault.h"
#include "base/log.h"
#include "io/pg.h"
#include "io/tx.h"
#include "providers/daraja.h"
#include "shop/stmt.h"

#include <string.h>

#define KEY_LIFE_MS (23 * INT64_C(3600000))  /* Stripe keeps an Idempotency-Key for 24 hours */
#define PULL_EARLIER_MS INT64_C(60000)       /* their clock and ours */
#define PULL_MOST_MS (47 * INT64_C(3600000)) /* they list the last 48 hours */
#define PULL_BUDGET_MS INT64_C(1000)         /* with less left, a receipt is not looked for */

struct waiting_row {
    struct uuid id, subject;
    const char *kind, *body;
};
static const struct field waiting_row_fields[] = {
    FIELD(struct waiting_row, id),
    FIELD(struct waiting_row, subject),
    FIELD(struct waiting_row, kind),
    FIELD(struct waiting_row, body),
};
static const struct input waiting_row = INPUT(waiting_row, "WaitingWord", NULL);

struct receipt_row {
    const char *receipt;
};
static const struct field receipt_row_fields[] = {FIELD(struct receipt_row, receipt)};
static const struct input receipt_row = INPUT(receipt_row, "KnownReceipt", NULL);

struct count_row {
    int64_t n;
};
static const struct field count_row_fields[] = {FIELD(struct count_row, n)};
static const struct input count_row = INPUT(count_row, "OpenCount", NULL);

static const struct field due_id_fields[] = {
    FIELD(struct due_id, id),
    FIELD(struct due_id, request_id),
    FIELD(struct due_id, trace_id),
    FIELD(struct due_id, sampled),
};
static const struct input due_id = INPUT(due_id, "DuePayment", NULL);

static const struct uuid nobody;

/* What a question has brought. */
enum finding {
    FOUND_NOTHING, /* nobody knows: ask again later */
    FOUND_INTENT,  /* Stripe's intent, whatever it says */
    FOUND_PAID,
    FOUND_FAILED,
    FOUND_NEVER,  /* it never came to anything */
    FOUND_SEVERAL /* more than one receipt might be it */
};

struct inquiry {
    struct uuid payment;
    struct attempt a;
    size_t waiting; /* callbacks in the inbox that wait for this question */
    enum finding finding;
    struct stripe_intent intent;
    struct refusal why;
    const char *code;    /* FOUND_FAILED */
    const char *receipt; /* FOUND_PAID; or NULL */
    int64_t amount;      /* of it; 0: not said */
};

/* --- Stripe ----------------------------------------------------------------------------------- */

enum heard
asking_intent(struct ctx *ctx, const struct attempt *a, struct stripe_intent *out,
              struct refusal *why)
{
    const struct stripe_intent_in in = {
        .attempt = a->id,
        .order = a->order_id,
        .order_number = a->order_number,
        .amount = a->asked,
        .currency = a->currency,
    };

    *out = (struct stripe_intent){0};
    *why = (struct refusal){.code = "", .message = ""};
    if (a->provider_ref != NULL)
        return stripe_get_intent(ctx, a->provider_ref, out, why);
    return stripe_create_intent(ctx, &in, out, why);
}

enum err
asking_note_intent(struct ctx *ctx, const struct attempt *a, const struct stripe_intent *intent)
{
    return pg_run(ctx, PAYMENTS_NOTE, ARG_ID(a->id), ARG_TEXT(intent->id), ARG_NULL,
                  ARG_TEXT(intent->client_secret), ARG_NULL);
}

enum err
asking_settle_intent(struct ctx *ctx, struct uuid payment, const struct stripe_intent *intent,
                     const char *event_id)
{
    struct verdict v = {
        .payment = payment,
        .provider = PROVIDER_NAME_STRIPE,
        .event_id = event_id,
        .currency = intent->currency,
    };

    if (intent->status == INTENT_SUCCEEDED) {
        v.outcome = OUTCOME_PAID;
        v.amount = intent->amount_received;
        v.receipt = intent->latest_charge;
        return payments_settle(ctx, &v);
    }
    if (intent->status == INTENT_CANCELED) {
        v.outcome = OUTCOME_CANCELLED;
        return payments_settle(ctx, &v);
    }
    if (intent->failure == NULL)
        return OK;
    return pg_touch(ctx, PAYMENTS_NOTE_FAILURE, NULL, ARG_ID(payment), ARG_TEXT(intent->failure));
}

/* Stripe keeps a 500 under its key and gives it again for a day. Nobody has the secret of an intent
 * that may have been made all the same, so nobody can pay it: the buyer may begin anew. */
static bool
is_stored_trouble(const struct attempt *a, enum heard heard, const struct refusal *why)
{
    return a->provider_ref == NULL && heard == HEARD_NOTHING && why->status >= 500 &&
           a->times_asked > 0;
}

static void
ask_stripe(struct ctx *ctx, struct inquiry *q)
{
    const struct attempt *a = &q->a;
    enum heard heard;

    if (a->provider_ref == NULL && a->age_ms > KEY_LIFE_MS) {
        q->finding = FOUND_NEVER;
        return;
    }
    if (a->closing && a->provider_ref != NULL) {
        heard = stripe_cancel_intent(ctx, a->provider_ref, &q->intent, &q->why);
    } else {
        heard = asking_intent(ctx, a, &q->intent, &q->why);
        if (heard == HEARD_DONE && a->closing)
            heard = stripe_cancel_intent(ctx, q->intent.id, &q->intent, &q->why);
    }
    if (heard == HEARD_DONE)
        q->finding = FOUND_INTENT;
    else if (heard == HEARD_REFUSED && a->provider_ref == NULL) {
        q->finding = FOUND_FAILED;
        q->code = q->why.code;
    } else if (is_stored_trouble(a, heard, &q->why)) {
        q->finding = FOUND_FAILED;
        q->code = "provider_error";
    }
}

/* --- M-Pesa ----------------------------------------------------------------------------------- */

struct receipts {
    const char **names;
    size_t count;
    struct receipt_row *known;
    size_t known_count;
};

static enum err
known_work(struct ctx *ctx, void *arg)
{
    struct receipts *r = arg;

    return pg_all(ctx, PAYMENTS_RECEIPTS_KNOWN, &receipt_row, &r->known, &r->known_count,
                  ARG_TEXT(PROVIDER_NAME_MPESA), ARG_TEXTS(r->names, r->count));
}

static bool
is_known(const struct receipts *r, const char *receipt)
{
    for (size_t i = 0; i < r->known_count; i++) {
        if (strcmp(r->known[i].receipt, receipt) == 0)
            return true;
    }
    return false;
}

/* Looks for money with this order's number and amount that no payment has. False: nobody knows. */
static bool
look_for_receipt(struct ctx *ctx, const struct attempt *a, const char **receipt, size_t *matches)
{
    struct daraja_receipt *came;
    struct receipts r = {0};
    size_t count;
    int64_t from = a->created_ms - PULL_EARLIER_MS;

    *matches = 0;
    if (from < ctx->now_ms - PULL_MOST_MS)
        from = ctx->now_ms - PULL_MOST_MS;
    if (daraja_pull(ctx, &payments_daraja, from, ctx->now_ms, &came, &count) != HEARD_DONE)
        return false;
    r.names = arena_array(ctx->arena, count, sizeof(*r.names));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(came[i].bill, a->order_number) == 0 && came[i].amount == a->asked)
            r.names[r.count++] = came[i].receipt;
    }
    if (r.count > 0 && tx_read(ctx, known_work, &r) != OK)
        return false;
    for (size_t i = 0; i < r.count; i++) {
        if (!is_known(&r, r.names[i])) {
            *receipt = r.names[i];
            (*matches)++;
        }
    }
    return true;
}

/* It is paid; by which receipt, if that is cheap to know, and nobody waits to tell it. */
static void
find_receipt(struct ctx *ctx, struct inquiry *q)
{
    const char *receipt = NULL;
    size_t matches;

    if (q->waiting > 0 || q->a.receipt != NULL || outside_budget(ctx) < PULL_BUDGET_MS)
        return;
    if (look_for_receipt(ctx, &q->a, &receipt, &matches) && matches == 1) {
        q->receipt = receipt;
        q->amount = q->a.asked;
    }
}

static void
ask_prompt(struct ctx *ctx, struct inquiry *q)
{
    enum daraja_word word;

    if (daraja_query(ctx, &payments_daraja, q->a.provider_ref, &word, &q->code) != HEARD_DONE)
        return;
    if (word == DARAJA_FAILED) {
        q->finding = FOUND_FAILED;
    } else if (word == DARAJA_PAID) {
        q->finding = FOUND_PAID;
        find_receipt(ctx, q);
    }
}

/* The answer to the push was lost, or the push never left. */
static void
look_for_prompt(struct ctx *ctx, struct inquiry *q)
{
    const char *receipt = NULL;
    size_t matches;

    if (q->a.age_ms < conf->mpesa_prompt_ttl.ms ||
        !look_for_receipt(ctx, &q->a, &receipt, &matches))
        return;
    q->finding = matches == 0 ? FOUND_NEVER : matches == 1 ? FOUND_PAID : FOUND_SEVERAL;
    if (matches == 1) {
        q->receipt = receipt;
        q->amount = q->a.asked;
    }
}

/* --- the word is applied ---------------------------------------------------------------------- */

static const char *
event_of(struct ctx *ctx, const struct inquiry *q, const char *what)
{
    char id[UUID_TEXT_SIZE];

    return arena_printf(ctx->arena, "asked:%s:%s", uuid_text(q->payment, id), what);
}

static enum err
settle(struct ctx *ctx, const struct inquiry *q, enum outcome outcome, const char *failure)
{
    const struct verdict v = {
        .payment = q->payment,
        .provider = q->a.provider,
        .event_id = event_of(ctx, q, outcome_name(outcome)),
        .outcome = outcome,
        .currency = q->a.currency,
        .failure = failure,
    };

    return payments_settle(ctx, &v);
}

static enum err
settle_paid(struct ctx *ctx, const struct inquiry *q, const char *receipt, int64_t amount)
{
    const struct verdict v = {
        .payment = q->payment,
        .provider = PROVIDER_NAME_MPESA,
        .event_id = event_of(ctx, q, receipt != NULL ? receipt : "paid"),
        .outcome = OUTCOME_PAID,
        .amount = amount,
        .currency = "KES",
        .receipt = receipt,
    };

    return payments_settle(ctx, &v);
}

/* A query confirms one payment, never a second receipt. */
static bool
is_other_money(const struct attempt *a, const char *receipt)
{
    return receipt != NULL && a->receipt != NULL && strcmp(receipt, a->receipt) != 0;
}

/* Callbacks that waited for this question: what Daraja confirms is settled by them, since they say
 * receipt and amount; what he contradicts is ignored. *settled: one of them said it. */
static enum err
hear_waiting(struct ctx *ctx, const struct inquiry *q, bool *settled)
{
    struct waiting_row *rows;
    size_t count;

    *settled = false;
    enum err e =
        pg_all(ctx, PAYMENTS_INBOX_WAITING, &waiting_row, &rows, &count, ARG_ID(q->payment));
    for (size_t i = 0; e == OK && i < count; i++) {
        struct daraja_callback c;
        bool reads = daraja_callback_read(ctx, rows[i].body, strlen(rows[i].body), &c);
        enum daraja_word word = reads ? daraja_stk_word(c.code) : DARAJA_PENDING;
        bool other = is_other_money(&q->a, reads ? c.receipt : NULL);
        bool confirmed = !other && (word == DARAJA_PAID) == (q->finding == FOUND_PAID);

        if (!confirmed)
            log_event(LOG_WARN, EVENT("payment.callback_contradicted"));
        if (confirmed && word == DARAJA_PAID && c.receipt != NULL) {
            e = settle_paid(ctx, q, c.receipt, c.amount);
            *settled = true;
        }
        if (e == OK)
            e = pg_run(ctx, PAYMENTS_INBOX_SET, ARG_ID(rows[i].id),
                       ARG_TEXT(confirmed ? "applied" : "ignored"), ARG_ID(q->payment));
    }
    return e;
}

/* Nobody knows. For how long already? */
static enum err
give_up_or_wait(struct ctx *ctx, struct inquiry *q)
{
    bool settled;

    if (q->a.age_ms < conf->payment_give_up.ms)
        return OK;
    log_event(LOG_ERROR, EVENT("payment.given_up"), TEXT("soko.payment.provider", q->a.provider));
    enum err e = settle(ctx, q, OUTCOME_GIVEN_UP, "unknown");
    return e != OK ? e : hear_waiting(ctx, q, &settled);
}

static enum err
apply(struct ctx *ctx, struct inquiry *q)
{
    const struct attempt *a = &q->a;
    bool settled = false;
    enum err e = OK;

    switch (q->finding) {
    case FOUND_NOTHING:
        return give_up_or_wait(ctx, q);
    case FOUND_INTENT:
        e = asking_note_intent(ctx, a, &q->intent);
        return e != OK
                   ? e
                   : asking_settle_intent(
                         ctx, a->id, &q->intent,
                         event_of(ctx, q,
                                  q->intent.status == INTENT_SUCCEEDED ? "succeeded" : "canceled"));
    case FOUND_PAID:
        e = hear_waiting(ctx, q, &settled);
        return e != OK || settled ? e : settle_paid(ctx, q, q->receipt, q->amount);
    case FOUND_FAILED:
        e = hear_waiting(ctx, q, &settled);
        return e != OK ? e : settle(ctx, q, OUTCOME_FAILED, q->code);
    case FOUND_NEVER:
        return settle(ctx, q, OUTCOME_ABANDONED, NULL);
    case FOUND_SEVERAL:
        return settle(ctx, q, OUTCOME_GIVEN_UP, "several_receipts");
    }
    return ERR_INTERNAL;
}

static enum err
apply_work(struct ctx *ctx, void *arg)
{
    struct inquiry *q = arg;
    struct order o;
    struct attempt now;

    enum err e = orders_lock(ctx, q->a.order_id, nobody, &o);
    if (e == OK)
        e = attempts_lock(ctx, q->payment, &q->a); /* it may have moved while we asked */
    if (e == OK)
        e = apply(ctx, q);
    if (e == OK)
        e = attempts_lock(ctx, q->payment, &now);
    if (e != OK)
        return e;
    bool again = attempts_is_open(&now) || (q->waiting > 0 && q->finding == FOUND_NOTHING &&
                                            now.age_ms < conf->payment_give_up.ms);
    int64_t pause =
        payment_pause(conf->payment_ask_after.ms, conf->payment_ask_max.ms, now.times_asked);
    return pg_run(ctx, PAYMENTS_ASK_LATER, ARG_ID(q->payment), again ? ARG_INT(pause) : ARG_NULL);
}

static enum err
find_work(struct ctx *ctx, void *arg)
{
    struct inquiry *q = arg;
    struct waiting_row *rows;

    enum err e = attempts_find(ctx, q->payment, &q->a);
    return e != OK ? e
                   : pg_all(ctx, PAYMENTS_INBOX_WAITING, &waiting_row, &rows, &q->waiting,
                            ARG_ID(q->payment));
}

static void
ask(struct ctx *ctx, struct inquiry *q)
{
    if (attempts_is(&q->a, PROVIDER_NAME_STRIPE))
        ask_stripe(ctx, q);
    else if (q->a.provider_ref != NULL)
        ask_prompt(ctx, q);
    else
        look_for_prompt(ctx, q);
}

void
payments_ask_about(struct ctx *ctx, struct uuid payment)
{
    struct inquiry q = {.payment = payment};

    enum err e = tx_read(ctx, find_work, &q);
    bool asks = e == OK && !uuid_is_nil(q.a.order_id) &&
                !attempts_is(&q.a, PROVIDER_NAME_SIMULATED) &&
                (attempts_is_open(&q.a) || q.waiting > 0);
    if (asks) {
        ask(ctx, &q);
        fault_point_of(FAULT_PAYMENT_ASKED, q.a.order_id);
        e = tx_run(ctx, apply_work, &q);
    }
    if (e != OK)
        log_event(LOG_WARN, EVENT("payment.ask_failed"), TEXT("error.code", err_code(e)));
}

/* --- the clock -------------------------------------------------------------------------------- */

enum err
payments_claim_due(struct ctx *ctx, int64_t limit, struct due_id **ids, size_t *count)
{
    return pg_all(ctx, PAYMENTS_CLAIM, &due_id, ids, count, ARG_INT(limit),
                  ARG_INT(conf->jobs_lease.ms));
}

/* Under the order's lock: nobody shall pay it any more. *open: a provider must be asked first. */
static enum err
close_open(struct ctx *ctx, struct uuid order, bool *open)
{
    struct count_row row = {0};

    enum err e = pg_touch(ctx, PAYMENTS_CANCEL_SIMULATED, NULL, ARG_ID(order));
    if (e == OK)
        e = pg_touch(ctx, PAYMENTS_CLOSE_OPEN, NULL, ARG_ID(order));
    if (e == OK)
        e = pg_one(ctx, PAYMENTS_IS_OPEN, &count_row, &row, ARG_ID(order));
    *open = row.n > 0;
    return e;
}

enum err
payments_close(struct ctx *ctx, const struct delivery *d)
{
    struct order o;
    bool open;

    enum err e = orders_lock(ctx, d->subject, nobody, &o);
    if (e != OK || o.status == PART_CANCELLED)
        return e != OK ? e : close_open(ctx, o.id, &open);
    /* Other parts live, and what is asked for is too much: the buyer asks again, for what is due.
     */
    return pg_touch(ctx, PAYMENTS_CLOSE_OPEN, NULL, ARG_ID(o.id));
}

enum err
payments_expire(struct ctx *ctx, struct uuid order)
{
    struct order o;
    bool open = false;

    enum err e = orders_lock(ctx, order, nobody, &o);
    if (e != OK)
        return e;
    if (o.is_due && o.status == PART_PENDING && strcmp(o.payment_status, "unpaid") == 0)
        e = close_open(ctx, o.id, &open);
    return e != OK || open ? e : orders_expire(ctx, &o);
}
