/*
 * shop/catalog/products: what is sold.
 */
#ifndef SOKO_SHOP_CATALOG_PRODUCTS_H
#define SOKO_SHOP_CATALOG_PRODUCTS_H

#include "io/ctx.h"
#include "shop/endpoint.h"

#include <stddef.h>
#include <stdint.h>

extern const struct endpoint products_create;
extern const struct endpoint products_list;
extern const struct endpoint products_show;

/* Takes stock for a sale, all of it or none. Queued; the next answer is ERR_INSUFFICIENT_STOCK,
 * with details.product_id and details.available, if there is not enough. Locks the stock rows in id
 * order until the transaction ends. No product may appear twice. */
void products_take_stock(struct ctx *ctx, const struct uuid *products, const int64_t *quantities,
                         size_t count);

/* Gives stock back. The caller makes sure that he does so once. */
enum err products_give_stock(struct ctx *ctx, const struct uuid *products,
                             const int64_t *quantities, size_t count);

#endif
