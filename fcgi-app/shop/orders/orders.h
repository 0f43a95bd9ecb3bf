/*
 * shop/orders: from a cart to a promise, and what becomes of it.
 */
#ifndef SOKO_SHOP_ORDERS_ORDERS_H
#define SOKO_SHOP_ORDERS_ORDERS_H

#include "io/ctx.h"
#include "shop/endpoint.h"
#include "shop/orders/rules.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An order as its buyer sees it, and what a seller's view shares with it (buyer.c). */
extern const struct output order_out;
extern const struct output order_line_out;
extern const struct output order_event_out;
extern const struct output order_part_out;
extern const struct output order_payment_out;

#define ORDER_STATUS_WORDS "pending|paid|processing|shipping|shipped|completed|cancelled"
#define PAYMENT_STATUS_WORDS "unpaid|paid|partially_refunded|refunded"

extern const struct endpoint orders_place;       /* place.c */
extern const struct endpoint orders_list;        /* buyer.c */
extern const struct endpoint orders_show;        /* buyer.c */
extern const struct endpoint orders_cancel;      /* buyer.c */
extern const struct endpoint orders_admin_list;  /* admin.c */
extern const struct endpoint orders_seller_list; /* seller.c */
extern const struct endpoint orders_set_status;  /* seller.c */

/* An order under its lock, with its parts. The parts are the money: payments ask for, and refunds
 * return, sums of them; total_amount is their sum when the order was placed. A discount would have
 * to be shared out among the parts. */
struct order {
    struct uuid id, account_id; /* whose */
    const char *order_number;
    enum part_status status;
    enum payment_method method;
    const char *payment_status, *currency;
    const char *cancel_reason; /* NULL while it lives */
    int64_t total_amount;
    bool is_due; /* its time to be paid is over; orders_lock() alone looks */
    struct order_part *parts;
    size_t part_count;
};

struct order_part {
    struct uuid store_id;
    enum part_status status;
    int64_t amount;        /* what its lines cost */
    int64_t refunded;      /* what was given back of lines that were kept */
    int64_t commission_bp; /* as it was when the order was placed */
    bool expired;          /* cancelled because it was not paid in time */
};

/* Locks an order until the transaction ends. `buyer` nil: on nobody's behalf, the machine's own.
 * ERR_NOT_FOUND if there is none, or it is not the buyer's. */
enum err orders_lock(struct ctx *ctx, struct uuid id, struct uuid buyer, struct order *out);

/* The same on behalf of a store that has a part in it. */
enum err orders_lock_for_store(struct ctx *ctx, struct uuid id, struct uuid store,
                               struct order *out);

/* Moves the part `i` by the table, and the order's status with it. ERR_INVALID_STATUS, with a
 * problem, if the table refuses. `tracking` may be NULL. The last live part of a cash order
 * completes: it is paid. */
enum err orders_move_part(struct ctx *ctx, struct order *o, size_t i, enum part_status to,
                          enum mover mover, const char *tracking);

/* Money has come for a locked order: its pending parts are paid. */
enum err orders_mark_paid(struct ctx *ctx, struct order *o);

/* Cancels all parts that live, gives their stock back, once, and records order.cancelled.
 * ERR_INVALID_STATUS, with a problem, if one of them has gone too far. */
enum err orders_cancel_all(struct ctx *ctx, struct order *o, enum mover mover);

/* An entry in the history of an order, for buyer and sellers: "payment_initiated". With the
 * transaction. */
void orders_note(struct ctx *ctx, struct uuid order, const char *event);
/* The same about one store's part, which other sellers do not read; nil is the whole order. */
void orders_note_part(struct ctx *ctx, struct uuid order, struct uuid store, const char *event);

/* "unpaid", "paid", "partially_refunded", "refunded". */
enum err orders_set_payment_status(struct ctx *ctx, struct uuid order, const char *status);

/* Under its lock: cancels an order that was not paid in time. */
enum err orders_expire(struct ctx *ctx, struct order *o);

/* Under its lock: money has come for an order that has expired. If all of its stock can be had
 * again, it is taken, the order stands as it did before it expired, and *revived is true. */
enum err orders_revive(struct ctx *ctx, struct order *o, bool *revived);

/* Under its lock: gives back money for what was kept of one store's part. By lines (then `amount`
 * is 0): units of each, at what they cost. By amount (then `count` is 0): taken from the lines in
 * order. ERR_VALIDATION, with a problem on `lines` or `amount`, for more than is left;
 * ERR_INVALID_STATUS for a part that is cancelled, or was never paid. The ledger is told if the
 * part was completed already. *given is the sum; payments_refund_excess() then sends it. */
struct refund_line {
    int64_t line_no, units;
};
enum err orders_give_back(struct ctx *ctx, struct order *o, struct uuid store,
                          const struct refund_line *lines, size_t count, int64_t amount,
                          int64_t *given);

/* What the live parts of a locked order cost, less what was given back. */
int64_t orders_owed(const struct order *o);

/* What a locked order that has expired would cost if it were revived; 0: there is nothing to
 * revive. */
int64_t orders_owed_revived(const struct order *o);

/* What the clock has to look at: an order here, a payment or a refund in payments.h. */
struct due_id {
    struct uuid id;
    const char *request_id, *trace_id; /* of what has caused it, as in ctx; NULL: not known */
    bool sampled;
};

/* At most `limit` orders that are due; for the clock. */
enum err orders_due(struct ctx *ctx, int64_t limit, struct due_id **ids, size_t *count);

#endif
