/*
 * shop/orders/rules: how an order may move. Pure: one table, no I/O.
 *
 * An order is split into parts, one a store. Parts move; the order's status is its least advanced
 * part that lives, or cancelled when none does.
 */
#ifndef SOKO_SHOP_ORDERS_RULES_H
#define SOKO_SHOP_ORDERS_RULES_H

#include <stdbool.h>
#include <stddef.h>

/* In the order of advance; cancelled stands apart, at the end. */
enum part_status {
    PART_PENDING,
    PART_PAID,
    PART_PROCESSING,
    PART_SHIPPING,
    PART_SHIPPED,
    PART_COMPLETED,
    PART_CANCELLED,
    PART__COUNT
};

/* Who moves a part. */
enum mover {
    MOVER_PAYMENT, /* payments_settle alone: money has come */
    MOVER_SELLER,
    MOVER_BUYER,
    MOVER_EXPIRY /* nobody paid in time */
};

enum payment_method {
    METHOD_SIMULATED,
    METHOD_CASH_ON_DELIVERY,
    METHOD_MPESA,
    METHOD_STRIPE,
    METHOD__COUNT
};

/* The words of the API. */
#define METHOD_WORDS "mpesa|stripe|cash_on_delivery|simulated"

/* The words of the API; static. */
const char *part_status_name(enum part_status s);
const char *payment_method_name(enum payment_method m);

/* False if `name` is NULL or unknown. */
bool part_status_parse(const char *name, enum part_status *out);
bool payment_method_parse(const char *name, enum payment_method *out);

/* Whether the table lets `mover` move a part of an order paid by `method`. */
bool part_may_move(enum part_status from, enum part_status to, enum mover mover,
                   enum payment_method method);

/* The order's status, from its parts'. `count` is at least 1. */
enum part_status order_status_of(const enum part_status *parts, size_t count);

/* Whether the shop offers a method now: simulated only in a demo, those of providers if their key
 * is configured. */
bool payment_method_offered(enum payment_method m);

/* Whether an order so paid expires when it is not. */
bool payment_method_expires(enum payment_method m);

#endif
