/*
 * Exactly once, by four guards in one transaction: the order's lock makes all that concerns it take
 * turns; the provider's event is a unique row; the payment moves by a table that only goes forward;
 * and the status is written WHERE it still is what was read.
 *
 * What must go back is excess.c's.
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
