/*
 * shop/catalog/products: what is sold.
 */
#ifndef SOKO_SHOP_CATALOG_PRODUCTS_H
#define SOKO_SHOP_CATALOG_PRODUCTS_H

#include "base/fields.h"
#include "io/ctx.h"
#include "shop/endpoint.h"
#include "shop/outbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRODUCT_CURRENCY "KES" /* of a price without one */

/* What whoever describes a product says of it, one after another or by the thousand: rows for a
 * table of a struct that has these members. */
#define PRODUCT_FIELDS(type)                                                                       \
    FIELD(type, name, .required = true, .max = 255, .eg = "Weep Not, Child",                       \
          .doc = "What it is called")                                                              \
    , FIELD(type, price, .required = true, .eg = "850", .doc = "More than zero")                   \
    , FIELD(type, description, .max = 10000, .eg = "Novel, paperback", .doc = "More words")        \
    , FIELD(type, currency, .format = FORMAT_CURRENCY, .eg = "KES",                                \
            .doc = "ISO 4217; default " PRODUCT_CURRENCY)                                          \
    , FIELD(type, sku, .max = 64, .nullable = true, .eg = "BK-0001",                               \
            .doc = "Your own number; unique in the store")                                         \
    , FIELD(type, stock, .min = 0, .max = 1000000000, .eg = "20",                                  \
            .doc = "Units for sale; default 0")                                                    \
    , FIELD(type, weight_g, .min = 0, .max = 10000000, .eg = "250", .doc = "Weight in grams")      \
    , FIELD(type, is_active, .eg = "true", .doc = "Whether it is on sale; default true")

/* For the check of such a table: refuses a price that is none in this currency (NULL: the default).
 */
void products_check_price(struct input_errors *errors, struct decimal price, const char *currency);

extern const struct output product_out;

extern const struct endpoint products_create;
extern const struct endpoint products_list;
extern const struct endpoint products_show;

/* A product as it would be sold now. */
struct product_offer {
    struct uuid product_id, store_id;
    const char *name, *currency;
    int64_t price; /* of one, in minor units */
    bool on_sale;
};

/* What is offered of `products`, in no order; an unknown one is not among them. */
enum err products_offer(struct ctx *ctx, const struct uuid *products, size_t count,
                        struct product_offer **offers, size_t *offer_count);

/* Takes stock for a sale, all of it or none. Queued; the next answer is ERR_INSUFFICIENT_STOCK,
 * with details.product_id and details.available, if there is not enough. Locks the stock rows in id
 * order until the transaction ends. No product may appear twice. */
void products_take_stock(struct ctx *ctx, const struct uuid *products, const int64_t *quantities,
                         size_t count);

/* Queues a change of a product's rating: so many more ratings, so many more points; less is
 * negative. */
void products_count_rating(struct ctx *ctx, struct uuid product, int64_t ratings, int64_t points);

/* The consumer of names.changed: copies the new name of a store or category into what is searched
 * of its products, some at a time. */
enum err products_reindex(struct ctx *ctx, const struct delivery *d);

/* The same for whoever can do without: *taken says whether all of it was there. The transaction
 * goes on either way. */
enum err products_try_stock(struct ctx *ctx, const struct uuid *products, const int64_t *quantities,
                            size_t count, bool *taken);

/* Gives stock back. The caller makes sure that he does so once. */
enum err products_give_stock(struct ctx *ctx, const struct uuid *products,
                             const int64_t *quantities, size_t count);

#endif
