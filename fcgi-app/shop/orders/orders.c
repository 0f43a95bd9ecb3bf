/*
 * Every change of an order begins by locking its row, so that what buyer, seller, payment and clock
 * do to it takes turns; each then decides by the table in rules.c on what it sees under the lock.
 * Stock goes back through the lines' `restocked`, which remembers that it has (seed hole 32).
 *
 * A part that completes has earned its money: it is booked in the same transaction, once for each
 * order and store. What comes back later, and what comes too late, is refund.c's.
 */
#include "shop/orders/orders.h"
#include "io/pg.h"
#include "shop/catalog/products.h"
#include "shop/ledger.h"
#include "shop/messages.h"
#include "shop/outbox.h"
#include "shop/pricing.h"
#include "shop/stmt.h"

#include <string.h>

struct order_row {
    struct uuid id, account_id;
    const char *order_number;
    const char *status, *payment_status, *payment_method, *currency, *cancel_reason;
    int64_t total_amount;
    bool is_due;
};
static const struct field order_row_fields[] = {
    FIELD(struct order_row, id),
    FIELD(struct order_row, account_id),
    FIELD(struct order_row, order_number),
    FIELD(struct order_row, status),
    FIELD(struct order_row, payment_status),
    FIELD(struct order_row, payment_method),
    FIELD(struct order_row, currency),
    FIELD(struct order_row, cancel_reason),
    FIELD(struct order_row, total_amount),
    FIELD(struct order_row, is_due),
};
static const struct input order_row = INPUT(order_row, "OrderRow", NULL);

struct part_row {
    struct uuid store_id;
    const char *status;
    int64_t amount, refunded, commission_bp;
    bool expired;
};
static const struct field part_row_fields[] = {
    FIELD(struct part_row, store_id),      FIELD(struct part_row, status),
    FIELD(struct part_row, amount),        FIELD(struct part_row, refunded),
    FIELD(struct part_row, commission_bp), FIELD(struct part_row, expired),
};
static const struct input part_row = INPUT(part_row, "PartRow", NULL);

struct stock_row {
    struct uuid product_id;
    int64_t quantity;
};
static const struct field stock_row_fields[] = {
    FIELD(struct stock_row, product_id),
    FIELD(struct stock_row, quantity),
};
static const struct input stock_row = INPUT(stock_row, "StockRow", NULL);

static const struct field due_id_fields[] = {FIELD(struct due_id, id)};
static const struct input due_id = INPUT(due_id, "DueOrder", NULL);

static const struct uuid nobody;

static const char *const reasons[] = {
    [MOVER_BUYER] = "buyer",
    [MOVER_SELLER] = "seller",
    [MOVER_EXPIRY] = "expired",
};

static enum err
read_parts(struct ctx *ctx, const struct order_row *row, struct order *out)
{
    struct part_row *parts;

    enum err e = pg_all(ctx, ORDERS_PARTS, &part_row, &parts, &out->part_count, ARG_ID(row->id));
    if (e != OK)
        return e;
    out->id = row->id;
    out->account_id = row->account_id;
    out->order_number = row->order_number;
    out->payment_status = row->payment_status;
    out->currency = row->currency;
    out->cancel_reason = row->cancel_reason;
    out->total_amount = row->total_amount;
    out->is_due = row->is_due;
    out->parts = arena_array(ctx->arena, out->part_count, sizeof(*out->parts));
    bool known = part_status_parse(row->status, &out->status) &&
                 payment_method_parse(row->payment_method, &out->method);
    for (size_t i = 0; i < out->part_count; i++) {
        out->parts[i].store_id = parts[i].store_id;
        out->parts[i].amount = parts[i].amount;
        out->parts[i].refunded = parts[i].refunded;
        out->parts[i].commission_bp = parts[i].commission_bp;
        out->parts[i].expired = parts[i].expired;
        known = part_status_parse(parts[i].status, &out->parts[i].status) && known;
    }
    return known ? OK : ERR_INTERNAL; /* a word that the schema's check should not have let in */
}

static bool
lives(const struct order_part *part)
{
    return part->status != PART_CANCELLED;
}

/* The order follows its parts. */
static enum err
sync_status(struct ctx *ctx, struct order *o, enum mover mover)
{
    enum part_status *all = arena_array(ctx->arena, o->part_count, sizeof(*all));

    for (size_t i = 0; i < o->part_count; i++)
        all[i] = o->parts[i].status;
    enum part_status now = order_status_of(all, o->part_count);
    if (now == o->status)
        return OK;
    o->status = now;
    if (now == PART_CANCELLED)
        o->cancel_reason = reasons[mover];
    return pg_run(ctx, ORDERS_SET_STATUS, ARG_ID(o->id), ARG_TEXT(part_status_name(now)),
                  ARG_TEXT(o->cancel_reason));
}

/* Gives back the stock of one store's lines, or of all if `store` is nil. */
static enum err
restock(struct ctx *ctx, struct uuid order, struct uuid store)
{
    struct stock_row *rows;
    size_t count;

    enum err e = pg_all(ctx, ORDERS_RESTOCK_LINES, &stock_row, &rows, &count, ARG_ID(order),
                        ARG_ID_OR_NULL(store));
    if (e != OK || count == 0)
        return e;
    struct uuid *products = arena_array(ctx->arena, count, sizeof(*products));
    int64_t *quantities = arena_array(ctx->arena, count, sizeof(*quantities));
    for (size_t i = 0; i < count; i++) {
        products[i] = rows[i].product_id;
        quantities[i] = rows[i].quantity;
    }
    return products_give_stock(ctx, products, quantities, count);
}

/* Writes one move down, whatever else it brings about. */
static void
note_move(struct ctx *ctx, struct order *o, size_t i, enum part_status to, enum mover mover,
          const char *tracking)
{
    struct order_part *part = &o->parts[i];

    pg_queue(ctx, ORDERS_MOVE_PART, ARG_ID(o->id), ARG_ID(part->store_id),
             ARG_TEXT(part_status_name(part->status)), ARG_TEXT(part_status_name(to)),
             ARG_TEXT(tracking), ARG_TEXT(to == PART_CANCELLED ? reasons[mover] : NULL));
    pg_queue(ctx, ORDERS_ADD_EVENT, ARG_ID(o->id), ARG_ID(part->store_id),
             ARG_TEXT(part_status_name(to)));
    part->status = to;
}

/* What the store has earned: of money that we hold, its share; of cash that it holds, it owes us
 * the commission. */
static enum err
book_completed(struct ctx *ctx, const struct order *o, const struct order_part *part)
{
    bool cash = o->method == METHOD_CASH_ON_DELIVERY;
    int64_t kept = part->amount - part->refunded;
    int64_t fee = pricing_commission(kept, part->commission_bp);
    const struct ledger_entry prepaid[] = {
        {LEDGER_BUYER_FUNDS, kept},
        {LEDGER_STORE_PAYABLE, fee - kept},
        {LEDGER_COMMISSION, -fee},
    };
    const struct ledger_entry in_cash[] = {
        {LEDGER_STORE_PAYABLE, fee},
        {LEDGER_COMMISSION, -fee},
    };

    return ledger_book(
        ctx, &(struct ledger_booking){.kind = cash ? LEDGER_CASH_COMPLETED : LEDGER_PART_COMPLETED,
                                      .subject = o->id,
                                      .order = o->id,
                                      .store = part->store_id,
                                      .currency = o->currency,
                                      .entries = cash ? in_cash : prepaid,
                                      .count = cash ? sizeof(in_cash) / sizeof(in_cash[0])
                                                    : sizeof(prepaid) / sizeof(prepaid[0])});
}

/* Cash is in the courier's hand when the last live part is completed. */
static bool
cash_has_come(const struct order *o)
{
    return o->method == METHOD_CASH_ON_DELIVERY && o->status == PART_COMPLETED &&
           strcmp(o->payment_status, "unpaid") == 0;
}

enum err
orders_lock(struct ctx *ctx, struct uuid id, struct uuid buyer, struct order *out)
{
    struct order_row row = {0};

    enum err e = pg_one(ctx, ORDERS_LOCK, &order_row, &row, ARG_ID(id), ARG_ID_OR_NULL(buyer));
    return e != OK ? e : read_parts(ctx, &row, out);
}

enum err
orders_lock_for_store(struct ctx *ctx, struct uuid id, struct uuid store, struct order *out)
{
    struct order_row row = {0};

    enum err e = pg_one(ctx, ORDERS_LOCK_FOR_STORE, &order_row, &row, ARG_ID(id), ARG_ID(store));
    return e != OK ? e : read_parts(ctx, &row, out);
}

enum err
orders_move_part(struct ctx *ctx, struct order *o, size_t i, enum part_status to, enum mover mover,
                 const char *tracking)
{
    struct order_part *part = &o->parts[i];

    if (!part_may_move(part->status, to, mover, o->method))
        return fail(ctx, ERR_INVALID_STATUS, "status", "a part that is %s cannot become %s",
                    part_status_name(part->status), part_status_name(to));
    note_move(ctx, o, i, to, mover, tracking);
    enum err e = OK;
    if (to == PART_SHIPPED)
        messages_send_order(ctx, o->account_id, TEMPLATE_ORDER_SHIPPED, o->order_number, 0, NULL);
    if (to == PART_CANCELLED) {
        e = restock(ctx, o->id, part->store_id);
        outbox_add(ctx, EVENT_PART_CANCELLED, o->id, part->store_id);
    } else if (to == PART_COMPLETED) {
        e = book_completed(ctx, o, part);
    }
    if (e == OK)
        e = sync_status(ctx, o, mover);
    if (e == OK && cash_has_come(o))
        e = orders_set_payment_status(ctx, o->id, "paid");
    return e;
}

enum err
orders_mark_paid(struct ctx *ctx, struct order *o)
{
    for (size_t i = 0; i < o->part_count; i++) {
        if (part_may_move(o->parts[i].status, PART_PAID, MOVER_PAYMENT, o->method))
            note_move(ctx, o, i, PART_PAID, MOVER_PAYMENT, NULL);
    }
    enum err e = orders_set_payment_status(ctx, o->id, "paid");
    return e != OK ? e : sync_status(ctx, o, MOVER_PAYMENT);
}

enum err
orders_cancel_all(struct ctx *ctx, struct order *o, enum mover mover)
{
    if (o->status == PART_CANCELLED)
        return fail(ctx, ERR_INVALID_STATUS, "status", "the order is cancelled already");
    for (size_t i = 0; i < o->part_count; i++) {
        if (lives(&o->parts[i]) &&
            !part_may_move(o->parts[i].status, PART_CANCELLED, mover, o->method))
            return fail(ctx, ERR_INVALID_STATUS, "status",
                        "a part of the order is %s already, and cannot be cancelled",
                        part_status_name(o->parts[i].status));
    }
    for (size_t i = 0; i < o->part_count; i++) {
        if (lives(&o->parts[i]))
            note_move(ctx, o, i, PART_CANCELLED, mover, NULL);
    }
    enum err e = sync_status(ctx, o, mover);
    if (e == OK)
        e = restock(ctx, o->id, nobody);
    if (e == OK)
        outbox_add(ctx, EVENT_ORDER_CANCELLED, o->id, nobody);
    return e;
}

void
orders_note(struct ctx *ctx, struct uuid order, const char *event)
{
    pg_queue(ctx, ORDERS_ADD_EVENT, ARG_ID(order), ARG_NULL, ARG_TEXT(event));
}

enum err
orders_set_payment_status(struct ctx *ctx, struct uuid order, const char *status)
{
    orders_note(ctx, order, arena_printf(ctx->arena, "payment_%s", status));
    return pg_run(ctx, ORDERS_SET_PAYMENT_STATUS, ARG_ID(order), ARG_TEXT(status));
}

void
orders_note_part(struct ctx *ctx, struct uuid order, struct uuid store, const char *event)
{
    pg_queue(ctx, ORDERS_ADD_EVENT, ARG_ID(order), ARG_ID_OR_NULL(store), ARG_TEXT(event));
}

enum err
orders_expire(struct ctx *ctx, struct order *o)
{
    if (!o->is_due || o->status != PART_PENDING || strcmp(o->payment_status, "unpaid") != 0)
        return OK; /* paid, or cancelled, while we looked */
    return orders_cancel_all(ctx, o, MOVER_EXPIRY);
}

enum err
orders_due(struct ctx *ctx, int64_t limit, struct due_id **ids, size_t *count)
{
    return pg_all(ctx, ORDERS_EXPIRED, &due_id, ids, count, ARG_INT(limit));
}
