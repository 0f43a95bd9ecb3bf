/*
 * Opening an attempt, and what its steps have in common.
 *
 * An attempt is committed before anybody is called, so that whatever the provider says later finds
 * it. The order's lock makes openings take turns; the partial unique index stands behind it.
 *
 * The way of paying that an order was placed with is what the buyer meant then; who takes the money
 * is the attempt's. Both are kept: an order placed for M-Pesa may be paid by card, and its
 * payment_method still says mpesa. Cash alone is another thing: such an order waits for no payment.
 *
 * What is open in the way is marked as closing in the same transaction, so that soko-jobs goes on
 * with it should this worker die; but the buyer waits for it here, by attempts_open_after(): a card
 * is never charged while a prompt may yet be approved.
 */
#include "shop/payments/attempts.h"
#include "base/config.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/phone.h"
#include "io/pg.h"
#include "io/tx.h"
#include "providers/daraja.h"
#include "providers/stripe.h"
#include "shop/stmt.h"

#include <string.h>

static const struct field attempt_fields[] = {
    FIELD(struct attempt, id),
    FIELD(struct attempt, order_id),
    FIELD(struct attempt, provider),
    FIELD(struct attempt, status),
    FIELD(struct attempt, currency),
    FIELD(struct attempt, order_number),
    FIELD(struct attempt, provider_ref),
    FIELD(struct attempt, merchant_ref),
    FIELD(struct attempt, client_secret),
    FIELD(struct attempt, receipt),
    FIELD(struct attempt, phone),
    FIELD(struct attempt, amount),
    FIELD(struct attempt, asked),
    FIELD(struct attempt, received),
    FIELD(struct attempt, times_asked),
    FIELD(struct attempt, age_ms),
    FIELD(struct attempt, created_ms),
    FIELD(struct attempt, closing),
};
static const struct input attempt = INPUT(attempt, "Attempt", NULL);

enum err
attempts_find(struct ctx *ctx, struct uuid payment, struct attempt *out)
{
    *out = (struct attempt){0};
    return pg_one(ctx, PAYMENTS_FIND, &attempt, out, ARG_ID(payment));
}

enum err
attempts_lock(struct ctx *ctx, struct uuid payment, struct attempt *out)
{
    *out = (struct attempt){0};
    return pg_one(ctx, PAYMENTS_LOCK, &attempt, out, ARG_ID(payment));
}

enum err
attempts_lock_open(struct ctx *ctx, struct uuid order, struct attempt *out, bool *found)
{
    *out = (struct attempt){0};
    enum err e = pg_one(ctx, PAYMENTS_LOCK_OPEN, &attempt, out, ARG_ID(order));
    *found = e == OK;
    return e == ERR_NOT_FOUND ? OK : e;
}

bool
attempts_is_open(const struct attempt *a)
{
    enum payment_status s;

    return payment_status_parse(a->status, &s) && payment_is_open(s);
}

bool
attempts_is(const struct attempt *a, const char *provider)
{
    return strcmp(a->provider, provider) == 0;
}

int64_t
payments_due(const struct order *o)
{
    int64_t sum = 0;

    for (size_t i = 0; i < o->part_count; i++) {
        if (o->parts[i].status == PART_PENDING)
            sum += o->parts[i].amount;
    }
    return sum;
}

int64_t
payments_wanted(const struct order *o)
{
    int64_t revived = orders_owed_revived(o);

    if (revived > 0)
        return revived;
    return strcmp(o->payment_status, "unpaid") == 0 ? payments_due(o) : 0;
}

void
attempts_log(const char *event, const struct attempt *a, const char *outcome, const char *failure)
{
    char id[UUID_TEXT_SIZE], order[UUID_TEXT_SIZE], phone[PHONE_SIZE];
    bool known = !uuid_is_nil(a->order_id);

    log_event(LOG_INFO, EVENT(event), TEXT("soko.payment.id", uuid_text(a->id, id)),
              TEXT("soko.order.id", known ? uuid_text(a->order_id, order) : NULL),
              TEXT("soko.payment.provider", a->provider), TEXT("event.outcome", outcome),
              INT("soko.payment.amount", a->asked), TEXT("soko.payment.currency", a->currency),
              TEXT("soko.payment.phone", a->phone != NULL ? phone_mask(a->phone, phone) : NULL),
              TEXT("soko.payment.failure", failure));
}

/* --- tokens of callbacks ---------------------------------------------------------------------- */

void
attempts_token_hash(const char *token, uint8_t hash[SHA256_SIZE])
{
    secret_sha256(token, strlen(token), hash);
}

const char *
attempts_token(struct ctx *ctx, uint8_t hash[SHA256_SIZE])
{
    uint8_t bytes[CALLBACK_TOKEN_BYTES];

    random_bytes(bytes, sizeof(bytes));
    const char *token = secret_hex(ctx->arena, bytes, sizeof(bytes));
    attempts_token_hash(token, hash);
    return token;
}

const char *
payments_callback_url(struct ctx *ctx, const char *kind, const char *token)
{
    size_t len = strlen(conf->public_url);

    while (len > 0 && conf->public_url[len - 1] == '/')
        len--;
    return arena_printf(ctx->arena, "%.*s/webhooks/%s/%s", (int)len, conf->public_url, kind, token);
}

/* --- opening ---------------------------------------------------------------------------------- */

/* The order as such: may it be paid at all? */
static enum err
demand_payable(struct ctx *ctx, const struct order *o)
{
    if (o->status == PART_CANCELLED)
        return fail(ctx, ERR_INVALID_STATUS, "order_id", "the order is cancelled");
    if (strcmp(o->payment_status, "unpaid") != 0)
        return fail(ctx, ERR_CONFLICT, "order_id", "the order is paid already");
    if (o->method == METHOD_CASH_ON_DELIVERY)
        return fail(ctx, ERR_INVALID_STATUS, "order_id", "the order is paid in cash, on delivery");
    if (o->status != PART_PENDING || payments_due(o) <= 0)
        return fail(ctx, ERR_INVALID_STATUS, "order_id", "the order waits for no payment");
    if (o->is_due)
        return fail(ctx, ERR_INVALID_STATUS, "order_id", "the order's time to be paid is over");
    return OK;
}

/* What the client believes to be due (seed hole 7). All that is wrong is told at once. */
static enum err
demand_amount(struct ctx *ctx, const struct opening *w, const struct order *o)
{
    char text[MONEY_TEXT_SIZE];
    int64_t sent, due = payments_due(o);
    enum err e = OK;

    if (w->amount != NULL && (!money_from_decimal(*w->amount, o->currency, &sent) || sent != due))
        e = fail(ctx, ERR_VALIDATION, "amount", "must be what is due: %s",
                 money_text(due, o->currency, text));
    if (w->currency != NULL && strcmp(w->currency, o->currency) != 0)
        e = fail(ctx, ERR_VALIDATION, "currency", "must be the order's: %s", o->currency);
    return e;
}

/* What the provider takes. */
static enum err
demand_taken(struct ctx *ctx, const struct opening *w, const struct order *o, int64_t *asked)
{
    int64_t due = payments_due(o);

    *asked = due;
    if (strcmp(w->provider, PROVIDER_NAME_STRIPE) == 0)
        return stripe_takes(due, o->currency)
                   ? OK
                   : fail(ctx, ERR_VALIDATION, "order_id", "cards do not take such an amount");
    if (strcmp(o->currency, "KES") != 0)
        return fail(ctx, ERR_VALIDATION, "order_id", "M-Pesa takes KES only");
    *asked = daraja_whole(due);
    if (*asked < DARAJA_LEAST || *asked > DARAJA_MOST)
        return fail(ctx, ERR_VALIDATION, "order_id",
                    "M-Pesa takes 1 to 250,000 shillings at a time");
    return OK;
}

/* Whether the open attempt is what is wanted, so that it is gone on with. */
static bool
serves(const struct attempt *a, const struct opening *w, int64_t asked)
{
    return attempts_is(a, w->provider) && attempts_is(a, PROVIDER_NAME_STRIPE) && !a->closing &&
           a->asked == asked;
}

static enum err
meet_open(struct ctx *ctx, struct opening *w, int64_t asked)
{
    const struct attempt *a = &w->attempt;

    if (serves(a, w, asked))
        return OK;
    if (attempts_is(a, PROVIDER_NAME_SIMULATED))
        return fail(ctx, ERR_CONFLICT, "order_id", "the order is being paid");
    if (attempts_is(a, PROVIDER_NAME_MPESA) && a->age_ms < conf->mpesa_prompt_ttl.ms)
        return fail(ctx, ERR_CONFLICT, "order_id",
                    "a prompt for this order may still be on a phone: answer it, or wait");
    w->in_the_way = a->id;
    return pg_touch(ctx, PAYMENTS_CLOSE_OPEN, NULL, ARG_ID(w->order));
}

static enum err
add(struct ctx *ctx, struct opening *w, const struct order *o, int64_t asked)
{
    struct uuid id = uuid_v7(ctx->now_ms);
    int64_t added;

    enum err e = pg_touch(ctx, PAYMENTS_ADD, &added, ARG_ID(id), ARG_ID(o->id),
                          ARG_TEXT(w->provider), ARG_INT(payments_due(o)), ARG_TEXT(o->currency),
                          ARG_INT(asked), ARG_TEXT(w->phone),
                          w->token_hash != NULL ? ARG_BYTES(w->token_hash, SHA256_SIZE) : ARG_NULL,
                          ARG_INT(conf->payment_ask_after.ms), ARG_ORIGIN(ctx));
    if (e == OK && added == 0)
        e = fail(ctx, ERR_CONFLICT, "order_id", "a payment of this order is being looked at");
    if (e == OK)
        e = attempts_lock(ctx, id, &w->attempt);
    if (e != OK)
        return e;
    orders_note(ctx, o->id, "payment_initiated");
    attempts_log("payment.initiated", &w->attempt, NULL, NULL);
    return OK;
}

enum err
attempts_open(struct ctx *ctx, struct opening *w)
{
    struct order o;
    bool found;
    int64_t asked;

    w->in_the_way = (struct uuid){{0}};
    enum err e = orders_lock(ctx, w->order, ctx->actor.account, &o);
    if (e == ERR_NOT_FOUND)
        return fail(ctx, e, "order_id", "you have no such order");
    if (e == OK)
        e = demand_payable(ctx, &o);
    if (e == OK)
        e = demand_amount(ctx, w, &o);
    if (e == OK)
        e = demand_taken(ctx, w, &o, &asked);
    if (e == OK)
        e = attempts_lock_open(ctx, o.id, &w->attempt, &found);
    if (e != OK)
        return e;
    return found ? meet_open(ctx, w, asked) : add(ctx, w, &o, asked);
}

static enum err
open_work(struct ctx *ctx, void *arg)
{
    struct opening *w = arg;

    enum err e = attempts_open(ctx, w);
    if (e != OK || uuid_is_nil(w->in_the_way))
        return e;
    return fail(
        ctx, ERR_CONFLICT, "order_id",
        "another payment of this order cannot be closed yet: nobody knows what became of it");
}

enum err
attempts_open_after(struct ctx *ctx, struct opening *w)
{
    if (uuid_is_nil(w->in_the_way))
        return OK;
    payments_ask_about(ctx, w->in_the_way);
    return tx_run(ctx, open_work, w);
}

/* --- the end of the steps --------------------------------------------------------------------- */

enum err
attempts_lock_again(struct ctx *ctx, const struct opening *w, struct attempt *now)
{
    struct order o;

    enum err e = orders_lock(ctx, w->order, ctx->actor.account, &o);
    if (e == OK)
        e = attempts_lock(ctx, w->attempt.id, now);
    if (e == OK)
        attempts_fault_after_commit(ctx, FAULT_PAYMENT_NOTED, o.id);
    return e;
}

static enum err
say(struct ctx *ctx, const struct attempt *a, enum outcome outcome, const char *failure)
{
    char id[UUID_TEXT_SIZE];
    const struct verdict v = {
        .payment = a->id,
        .provider = a->provider,
        .event_id =
            arena_printf(ctx->arena, "call:%s:%s", uuid_text(a->id, id), outcome_name(outcome)),
        .outcome = outcome,
        .currency = a->currency,
        .failure = failure,
    };
    return payments_settle(ctx, &v);
}

/* Under the order's lock: only what nobody else has taken further meanwhile is written down. */
static enum err
write_down(struct ctx *ctx, const struct attempt *a, enum heard heard, const struct refusal *why)
{
    bool untouched = strcmp(a->status, "initiating") == 0 && a->provider_ref == NULL;

    if (!untouched)
        return OK;
    if (heard == HEARD_REFUSED)
        return say(ctx, a, OUTCOME_FAILED, why->code[0] != '\0' ? why->code : "refused");
    if (heard == HEARD_NOT_SENT)
        return say(ctx, a, OUTCOME_FAILED, "not_sent");
    return say(ctx, a, OUTCOME_UNKNOWN, NULL);
}

enum err
attempts_refuse(struct ctx *ctx, const struct attempt *a, enum heard heard,
                const struct refusal *why)
{
    char id[UUID_TEXT_SIZE];
    const char *details = arena_printf(ctx->arena, "{\"payment_id\":\"%s\"}", uuid_text(a->id, id));

    enum err e = write_down(ctx, a, heard, why);
    if (e != OK)
        return e;
    tx_keep(ctx);
    if (heard == HEARD_REFUSED)
        return problems_add(ctx->arena, &ctx->problems, ERR_PAYMENT_FAILED, NULL, details,
                            "the provider refuses this payment");
    if (heard == HEARD_NOT_SENT)
        return problems_add(ctx->arena, &ctx->problems, ERR_PROVIDER_UNAVAILABLE, NULL, details,
                            "the provider cannot be reached; nothing was charged");
    return problems_add(ctx->arena, &ctx->problems, ERR_REQUEST_TIMEOUT, NULL, details,
                        "the provider did not answer: look at the payment before you try again");
}

struct fault_of {
    enum fault fault;
    struct uuid order;
};

static void
pass_fault(struct ctx *ctx, void *arg)
{
    const struct fault_of *f = arg;

    (void)ctx;
    fault_point_of(f->fault, f->order);
}

void
attempts_fault_after_commit(struct ctx *ctx, enum fault f, struct uuid order)
{
    struct fault_of *of = arena_alloc(ctx->arena, sizeof(*of));

    *of = (struct fault_of){f, order};
    after_commit(ctx, pass_fault, of);
}
