/*
 * Every change begins with a claim: a statement that locks the product, and says why not if it is
 * another's, gone, or newer than the version that If-Match names.
 *
 * Nothing is ever deleted: orders point at products. DELETE hides one; is_active brings it back.
 */
#include "shop/catalog/selling.h"
#include "base/money.h"
#include "io/pg.h"
#include "shop/catalog/products.h"
#include "shop/req.h"
#include "shop/stores.h"

struct product_change {
    uint64_t sent;
    const char *name;
    struct decimal price;
    struct uuid category_id;
    const char *description, *currency, *sku;
    int64_t stock, weight_g;
    bool is_active;
};
static const struct field product_change_fields[] = {
    FIELD(struct product_change, name, .min = 1, .max = 255, .eg = "Weep Not, Child",
          .doc = "A new name"),
    FIELD(struct product_change, price, .eg = "900", .doc = "More than zero"),
    FIELD(struct product_change, category_id, .eg = "01920000-0000-7000-8000-000000000003",
          .doc = "Where it belongs from now on"),
    FIELD(struct product_change, description, .max = 10000, .eg = "Novel, hardback",
          .doc = "New words"),
    FIELD(struct product_change, currency, .format = FORMAT_CURRENCY, .eg = "KES",
          .doc = "Only together with a price"),
    FIELD(struct product_change, sku, .max = 64, .nullable = true, .eg = "BK-0002",
          .doc = "Your own number; null takes it away"),
    FIELD(struct product_change, stock, .min = 0, .max = 1000000000, .eg = "25",
          .doc = "Units for sale from now on"),
    FIELD(struct product_change, weight_g, .min = 0, .max = 10000000, .eg = "300",
          .doc = "Weight in grams"),
    FIELD(struct product_change, is_active, .eg = "true", .doc = "Hides it, or brings it back"),
};

static void
check_change(struct input_errors *errors, const void *body)
{
    const struct product_change *in = body;

    if (in->currency != NULL && in->price.units == 0 && !input_refused(errors, "price"))
        input_reject(errors, "currency", "needs a price in it");
}
static const struct input product_change = INPUT(product_change, "ProductChange", check_change);

struct claim_row {
    struct uuid store_id;
    const char *currency;
};
static const struct field claim_row_fields[] = {
    FIELD(struct claim_row, store_id),
    FIELD(struct claim_row, currency),
};
static const struct input claim_row = INPUT(claim_row, "ProductClaim", NULL);

struct own_query {
    uint64_t sent;
    int64_t page, per_page;
    struct uuid store_id;
    bool is_active;
    const char *search;
};
static const struct field own_query_fields[] = {
    PAGE_FIELDS(struct own_query),
    FIELD(struct own_query, store_id, .eg = "01920000-0000-7000-8000-000000000002",
          .doc = "Whose; for administrators, a seller's own is implied"),
    FIELD(struct own_query, is_active, .eg = "false", .doc = "Only the hidden, or those on sale"),
    FIELD(struct own_query, search, .max = 200, .eg = "novel",
          .doc = "Words in name or description"),
};
static const struct input own_query = INPUT(own_query, "SellerProductQuery", NULL);

/* The new price in minor units of the new currency, or of the one that the product has. */
static enum err
price_arg(struct req *rq, const struct product_change *in, const char *currency, struct pg_arg *out)
{
    int64_t price;

    *out = ARG_NULL;
    if (!input_sent(&product_change, in, "price"))
        return OK;
    if (!money_from_decimal(in->price, currency, &price))
        return fail(&rq->ctx, ERR_VALIDATION, "price",
                    "is too large, or has more decimals than %s has", currency);
    if (price == 0)
        return fail(&rq->ctx, ERR_VALIDATION, "price", "must be more than zero");
    *out = ARG_INT(price);
    return OK;
}

static enum err
update(struct req *rq)
{
    const struct product_change *in = rq->in;
    struct ctx *ctx = &rq->ctx;
    struct uuid id = rq->ids[0];
    struct claim_row claim = {0};
    struct pg_arg price;

    enum err e = pg_one(ctx, CATALOG_PRODUCT_CLAIM, &claim_row, &claim, ARG_ID(id), ARG_CLAIM(rq));
    if (e == OK)
        e = price_arg(rq, in, in->currency != NULL ? in->currency : claim.currency, &price);
    if (e != OK)
        return e;
    pg_queue(ctx, CATALOG_PRODUCT_UPDATE, ARG_ID(id), ARG_TEXT(in->name), ARG_TEXT(in->description),
             ARG_ID_OR_NULL(in->category_id), price, ARG_TEXT(in->currency),
             input_sent(&product_change, in, "is_active") ? ARG_BOOL(in->is_active) : ARG_NULL,
             ARG_BOOL(input_sent(&product_change, in, "sku")), ARG_TEXT(in->sku),
             ARG_BOOL(input_sent(&product_change, in, "weight_g")), ARG_INT(in->weight_g));
    if (input_sent(&product_change, in, "stock"))
        pg_queue(ctx, CATALOG_STOCK_SET, ARG_ID(id), ARG_INT(in->stock));
    return reply_rows(rq, CATALOG_PRODUCT_OWN, ARG_ID(id), ARG_ID(claim.store_id));
}

static enum err
hide(struct req *rq)
{
    pg_queue(&rq->ctx, CATALOG_PRODUCT_CLAIM, ARG_ID(rq->ids[0]), ARG_CLAIM(rq));
    enum err e = pg_run(&rq->ctx, CATALOG_PRODUCT_HIDE, ARG_ID(rq->ids[0]));
    return e != OK ? e : reply_message(rq, "product deleted");
}

static enum err
list(struct req *rq)
{
    const struct own_query *in = rq->in;
    struct uuid store;

    enum err e = stores_of_actor(&rq->ctx, in->store_id, &store);
    return e != OK ? e
                   : reply_page(rq, CATALOG_SELLER_LIST, CATALOG_SELLER_COUNT, ARG_ID(store),
                                input_sent(&own_query, in, "is_active") ? ARG_BOOL(in->is_active)
                                                                        : ARG_NULL,
                                ARG_TEXT(in->search));
}

const struct endpoint selling_update = {
    .name = "product_update",
    .tag = "Selling",
    .doc = "Changes what is sent of a product of yours.",
    .run = update,
    .in = &product_change,
    .out = &product_out,
    .replies = {CATALOG_PRODUCT_OWN},
    .errors = {ERR_VALIDATION, ERR_FORBIDDEN, ERR_NOT_FOUND, ERR_CONFLICT, ERR_PRECONDITION_FAILED},
};
const struct endpoint selling_hide = {
    .name = "product_delete",
    .tag = "Selling",
    .doc = "Hides a product of yours; orders keep their lines.",
    .run = hide,
    .out = &message_out,
    .errors = {ERR_VALIDATION, ERR_FORBIDDEN, ERR_NOT_FOUND, ERR_PRECONDITION_FAILED},
};
const struct endpoint selling_list = {
    .name = "seller_product_list",
    .tag = "Selling",
    .doc = "Your store's products, newest first, hidden ones too.",
    .run = list,
    .in = &own_query,
    .out = &product_out,
    .shape = SHAPE_PAGE,
    .replies = {CATALOG_SELLER_LIST},
    .errors = {ERR_VALIDATION},
};
