/*
 * shop/cart: what a buyer means to buy. Kept in PostgreSQL, for ever; nothing is reserved by it.
 */
#ifndef SOKO_SHOP_CART_H
#define SOKO_SHOP_CART_H

#include "io/ctx.h"
#include "shop/endpoint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const struct endpoint cart_show;
extern const struct endpoint cart_clear;
extern const struct endpoint cart_add_item;
extern const struct endpoint cart_set_item;
extern const struct endpoint cart_remove_item;

/* A line as it would be sold now. */
struct cart_line {
    struct uuid product_id, store_id;
    const char *name, *currency;
    int64_t price, quantity; /* price of one, in minor units, as the product has it now */
    bool on_sale;
};

/* The actor's cart for an order, locked until the transaction ends, so that it is sold once. *count
 * may be 0. */
enum err cart_take(struct ctx *ctx, struct cart_line **lines, size_t *count);

/* Queues the emptying of the actor's cart. */
void cart_empty(struct ctx *ctx);

#endif
