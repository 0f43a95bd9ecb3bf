/*
 * Exactly once, by four guards in one transaction: the order's lock makes all that concerns it take
 * turns; the provider's event is a unique row; the payment moves by a table that only goes forward;
 * and the status is written WHERE it still is what was read.
 *
 * A receipt is money: the same receipt is the same money, whichever way it is told and whichever
 * attempt it is told of; another receipt is other money. So one that another payment has changes
 * nothing here, and one that comes to a payment that has its own is a second payment.
 *
 * A payment that was set aside because nobody knew (needs_review, and nothing received) hears the
 * provider as one that is unknown: his word is what the person was waiting for.
 *
 * What must go back is excess.c's.
 */
#include "base/fault.h"
#include "base/log.h"
#include "io/pg.h"
#include "shop/ledger.h"
#include "shop/messages.h"
#include "shop/payments/attempts.h"
#include "shop/payments/refunds.h"
#include "shop/stmt.h"

#include <string.h>

struct order_of_row {
    struct uuid order_id;
};
static const struct field order_of_row_fields[] = {FIELD(struct order_of_row, order_id)};
static const struct input order_of_row = INPUT(order_of_row, "OrderOfPayment", NULL);

struct owner_row {
    struct uuid id;
};
static const struct field owner_row_fields[] = {FIELD(struct owner_row, id)};
static const struct input owner_row = INPUT(owner_row, "OwnerOfReceipt", NULL);

static const struct uuid nobody;

enum err
payments_money_came(struct ctx *ctx, struct order *o)
{
    bool revived = false;
    int64_t kept;

    enum err e = refunds_kept(ctx, o, &kept);
    /* By hand comes any amount: one that does not cover an expired order goes back. */
    if (e == OK && kept >= orders_owed_revived(o))
        e = orders_revive(ctx, o, &revived);
    bool waits = revived || strcmp(o->payment_status, "unpaid") == 0;
    if (e == OK && o->status == PART_PENDING && waits && kept >= orders_owed(o)) {
        e = orders_mark_paid(ctx, o);
        if (e == OK) /* whatever else could still be paid for it */
            e = pg_touch(ctx, PAYMENTS_CLOSE_OPEN, NULL, ARG_ID(o->id));
        messages_send_order(ctx, o->account_id, TEMPLATE_ORDER_PAID, o->order_number,
                            orders_owed(o), o->currency);
    }
    if (e != OK)
        return e;
    return payments_refund_excess(ctx, o, o->status == PART_CANCELLED ? "late" : "overpaid", nobody,
                                  nobody, NULL);
}

static enum err
book(struct ctx *ctx, const struct attempt *a, const char *currency, int64_t received, bool settled)
{
    const struct ledger_entry entries[] = {
        {LEDGER_PROVIDER_CASH, received},
        {settled ? LEDGER_BUYER_FUNDS : LEDGER_SUSPENSE, settled ? -a->amount : -received},
        {LEDGER_ROUNDING, settled ? a->amount - received : 0},
    };

    return ledger_book(ctx, &(struct ledger_booking){
                                .kind = settled ? LEDGER_PAYMENT_SETTLED : LEDGER_PAYMENT_PARKED,
                                .subject = a->id,
                                .order = a->order_id,
                                .provider = a->provider,
                                .currency = currency,
                                .entries = entries,
                                .count = sizeof(entries) / sizeof(entries[0]),
                            });
}

/* What was paid, by a verdict; 0 means what was asked for. */
static int64_t
paid_amount(const struct verdict *v, const struct attempt *a)
{
    return v->amount != 0 ? v->amount : a->asked;
}

/* Writes the move down. In another currency than was asked for, the row is about what has come. */
static enum err
write_move(struct ctx *ctx, const struct verdict *v, const struct attempt *a,
           enum payment_status to)
{
    bool paid = v->outcome == OUTCOME_PAID;
    bool strange = paid && strcmp(v->currency, a->currency) != 0;
    int64_t received = paid_amount(v, a);

    return pg_run(ctx, PAYMENTS_SET_STATUS, ARG_ID(a->id), ARG_TEXT(a->status),
                  ARG_TEXT(payment_status_name(to)), paid ? ARG_TEXT(v->receipt) : ARG_NULL,
                  paid ? ARG_INT(received) : ARG_NULL, ARG_TEXT(v->failure),
                  strange ? ARG_TEXT(v->currency) : ARG_NULL,
                  strange ? ARG_INT(received) : ARG_NULL);
}

/* What follows from a move. */
static enum err
follow(struct ctx *ctx, const struct verdict *v, struct order *o, const struct attempt *a,
       enum payment_status to)
{
    enum err e = OK;

    switch (to) {
    case PAYMENT_SUCCEEDED:
        e = book(ctx, a, a->currency, paid_amount(v, a), true);
        return e != OK ? e : payments_money_came(ctx, o);
    case PAYMENT_NEEDS_REVIEW:
        orders_note(ctx, o->id, "payment_needs_review");
        return v->outcome == OUTCOME_PAID ? book(ctx, a, v->currency, paid_amount(v, a), false)
                                          : OK;
    case PAYMENT_FAILED:
        orders_note(ctx, o->id, "payment_failed");
        return OK;
    case PAYMENT_CANCELLED:
        orders_note(ctx, o->id, "payment_cancelled");
        return OK;
    default:
        return OK;
    }
}

static enum err
move(struct ctx *ctx, const struct verdict *v, struct order *o, const struct attempt *a)
{
    enum payment_status from, to;
    bool matches = paid_amount(v, a) == a->asked && strcmp(v->currency, a->currency) == 0;

    if (!payment_status_parse(a->status, &from))
        return ERR_INTERNAL;
    if (from == PAYMENT_NEEDS_REVIEW && a->received == 0)
        from = PAYMENT_UNKNOWN;
    if (!payment_moves(from, v->outcome, matches, &to) ||
        strcmp(a->status, payment_status_name(to)) == 0)
        return OK;
    attempts_log("payment.settled", a, payment_status_name(to), v->failure);
    enum err e = write_move(ctx, v, a, to);
    return e != OK ? e : follow(ctx, v, o, a, to);
}

/* The receipt is another payment's: the same money, told twice. What is still open here has got
 * nothing. */
static enum err
same_money(struct ctx *ctx, const struct verdict *v, struct order *o, const struct attempt *a)
{
    struct verdict none = *v;

    attempts_log("payment.same_receipt", a, NULL, NULL);
    none.outcome = OUTCOME_ABANDONED;
    return move(ctx, &none, o, a);
}

/* Money beside the money that this payment has got: a payment of its own. */
static enum err
second(struct ctx *ctx, const struct verdict *v, struct order *o, const struct attempt *first)
{
    struct uuid id = uuid_v7(ctx->now_ms);
    struct attempt a;

    enum err e = pg_run(ctx, PAYMENTS_ADD_SECOND, ARG_ID(first->id), ARG_ID(id));
    if (e == OK)
        e = attempts_lock(ctx, id, &a);
    if (e != OK)
        return e;
    attempts_log("payment.second_receipt", &a, NULL, NULL);
    return move(ctx, v, o, &a);
}

static enum err
paid(struct ctx *ctx, const struct verdict *v, struct order *o, const struct attempt *a)
{
    struct owner_row owner = {0};

    if (v->receipt == NULL)
        return move(ctx, v, o, a);
    enum err e = pg_one(ctx, PAYMENTS_BY_RECEIPT, &owner_row, &owner, ARG_TEXT(v->provider),
                        ARG_TEXT(v->receipt));
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    if (e == OK && uuid_equal(owner.id, a->id))
        return OK;
    if (e == OK)
        return same_money(ctx, v, o, a);
    if (a->received == 0)
        return move(ctx, v, o, a);
    if (a->receipt == NULL)
        return pg_touch(ctx, PAYMENTS_ADD_RECEIPT, NULL, ARG_ID(a->id), ARG_TEXT(v->receipt));
    return second(ctx, v, o, a);
}

static enum err
apply(struct ctx *ctx, const struct verdict *v, struct order *o, const struct attempt *a)
{
    if (strcmp(v->provider, a->provider) != 0)
        return fail(ctx, ERR_VALIDATION, "provider", "this payment is another provider's");
    if (v->amount < 0)
        return fail(ctx, ERR_VALIDATION, "amount", "is negative");
    return v->outcome == OUTCOME_PAID ? paid(ctx, v, o, a) : move(ctx, v, o, a);
}

enum err
payments_settle(struct ctx *ctx, const struct verdict *v)
{
    struct order_of_row of = {0};
    struct attempt a;
    struct order o;
    int64_t heard = 1;

    enum err e = pg_one(ctx, PAYMENTS_ORDER_OF, &order_of_row, &of, ARG_ID(v->payment));
    if (e == OK && uuid_is_nil(of.order_id))
        return OK; /* nobody knows what it was for: a person's affair */
    if (e == OK)
        e = orders_lock(ctx, of.order_id, nobody, &o);
    if (e == OK)
        e = attempts_lock(ctx, v->payment, &a);
    if (e == OK && v->event_id != NULL)
        e = pg_touch(ctx, PAYMENTS_EVENT_ADD, &heard, ARG_TEXT(v->provider), ARG_TEXT(v->event_id),
                     ARG_ID(v->payment), ARG_TEXT(outcome_name(v->outcome)));
    if (e != OK || heard == 0)
        return e;
    e = apply(ctx, v, &o, &a);
    fault_point_of(FAULT_SETTLING, o.id);
    return e;
}
