/*
 * Exactly once, by four guards in one transaction: the order's lock makes all that concerns it take
 * turns; the provider's event is a unique row; the payment moves by a table that only goes forward;
 * and the status is written WHERE it still is what was read.
 *
 * What must go back is computed from what stands (paid, returning, still owed), never from what
 * just happened, so that two reasons for one refund cannot make two refunds.
 */
#include "base/log.h"
#include "io/pg.h"
#include "shop/payments/payments.h"
#include "shop/stmt.h"

#include <string.h>

struct payment_row {
    struct uuid id, order_id;
    const char *provider, *status, *currency;
    int64_t amount, refunded;
};
static const struct field payment_row_fields[] = {
    FIELD(struct payment_row, id),       FIELD(struct payment_row, order_id),
    FIELD(struct payment_row, provider), FIELD(struct payment_row, status),
    FIELD(struct payment_row, currency), FIELD(struct payment_row, amount),
    FIELD(struct payment_row, refunded),
};
static const struct input payment_row = INPUT(payment_row, "PaymentRow", NULL);

struct paid_row {
    struct uuid id;
    const char *currency;
    int64_t amount, refunded, returning;
};
static const struct field paid_row_fields[] = {
    FIELD(struct paid_row, id),        FIELD(struct paid_row, currency),
    FIELD(struct paid_row, amount),    FIELD(struct paid_row, refunded),
    FIELD(struct paid_row, returning),
};
static const struct input paid_row = INPUT(paid_row, "PaidRow", NULL);

struct order_of_row {
    struct uuid order_id;
};
static const struct field order_of_row_fields[] = {FIELD(struct order_of_row, order_id)};
static const struct input order_of_row = INPUT(order_of_row, "OrderOfPayment", NULL);

static const struct uuid nobody;

enum err
payments_money_came(struct ctx *ctx, struct order *o)
{
    if (o->status == PART_PENDING && strcmp(o->payment_status, "unpaid") == 0) {
        enum err e = orders_mark_paid(ctx, o);
        if (e != OK)
            return e;
    }
    return payments_refund_excess(ctx, o, o->status == PART_CANCELLED ? "late" : "overpaid", nobody,
                                  nobody, NULL);
}

static enum err
apply(struct ctx *ctx, const struct verdict *v, struct order *o, const struct payment_row *p)
{
    enum payment_status from, to;
    bool matches = v->amount == p->amount && strcmp(v->currency, p->currency) == 0;

    if (strcmp(v->provider, p->provider) != 0)
        return fail(ctx, ERR_VALIDATION, "provider", "this payment is another provider's");
    if (!payment_status_parse(p->status, &from))
        return ERR_INTERNAL;
    if (!payment_moves(from, v->outcome, matches, &to))
        return OK;
    log_event(LOG_INFO, EVENT("payment.settled"), TEXT("soko.payment.provider", v->provider),
              TEXT("event.outcome", payment_status_name(to)),
              INT("soko.payment.amount", v->amount));
    enum err e = pg_run(ctx, PAYMENTS_SET_STATUS, ARG_ID(p->id), ARG_TEXT(p->status),
                        ARG_TEXT(payment_status_name(to)), ARG_TEXT(v->receipt),
                        v->outcome == OUTCOME_PAID ? ARG_INT(v->amount) : ARG_NULL);
    if (e != OK || to != PAYMENT_SUCCEEDED)
        return e;
    return payments_money_came(ctx, o);
}

enum err
payments_settle(struct ctx *ctx, const struct verdict *v)
{
    struct order_of_row of;
    struct payment_row p = {0};
    struct order o;
    int64_t heard;

    enum err e = pg_one(ctx, PAYMENTS_ORDER_OF, &order_of_row, &of, ARG_ID(v->payment));
    if (e == OK)
        e = orders_lock(ctx, of.order_id, nobody, &o);
    if (e == OK)
        e = pg_one(ctx, PAYMENTS_LOCK, &payment_row, &p, ARG_ID(v->payment));
    if (e == OK)
        e = pg_touch(ctx, PAYMENTS_EVENT_ADD, &heard, ARG_TEXT(v->provider), ARG_TEXT(v->event_id),
                     ARG_ID(v->payment), ARG_TEXT(outcome_name(v->outcome)));
    if (e != OK || heard == 0)
        return e;
    return apply(ctx, v, &o, &p);
}

enum err
payments_refund_excess(struct ctx *ctx, const struct order *o, const char *reason,
                       struct uuid store, struct uuid by, const char *note)
{
    struct paid_row *paid;
    size_t count;
    int64_t excess = -orders_owed(o);

    enum err e = pg_all(ctx, PAYMENTS_LOCK_PAID, &paid_row, &paid, &count, ARG_ID(o->id));
    for (size_t i = 0; e == OK && i < count; i++)
        excess += paid[i].amount - paid[i].returning;
    for (size_t i = 0; e == OK && i < count && excess > 0; i++) {
        int64_t left = paid[i].amount - paid[i].returning;
        int64_t back = left < excess ? left : excess;

        if (back == 0)
            continue;
        struct uuid id = uuid_v7(ctx->now_ms);
        excess -= back;
        e = pg_run(ctx, PAYMENTS_REFUND_ADD, ARG_ID(id), ARG_ID(paid[i].id), ARG_INT(back),
                   ARG_TEXT(paid[i].currency), ARG_TEXT(reason), ARG_ID_OR_NULL(store),
                   ARG_ID_OR_NULL(by), ARG_TEXT(note));
        outbox_add(ctx, EVENT_REFUND_REQUESTED, id, nobody);
    }
    return e;
}

/* Both say the same to whoever looks at the order as it now stands. */
static enum err
refund_after(struct ctx *ctx, struct uuid order, const char *reason)
{
    struct order o;

    enum err e = orders_lock(ctx, order, nobody, &o);
    return e != OK ? e : payments_refund_excess(ctx, &o, reason, nobody, nobody, NULL);
}

enum err
payments_refund_order(struct ctx *ctx, const struct delivery *d)
{
    return refund_after(ctx, d->subject, "order_cancelled");
}

enum err
payments_refund_part(struct ctx *ctx, const struct delivery *d)
{
    return refund_after(ctx, d->subject, "part_cancelled");
}
