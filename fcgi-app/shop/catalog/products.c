/*
 * A product's stock is a row of its own (product_stock): a sale touches neither the product nor its
 * version, and a seller who edits a product cannot overwrite what was sold meanwhile (seed holes
 * 29, 30).
 *
 * The list is one statement a sort order. Filters are optional parameters of a function that
 * PostgreSQL inlines (sql/functions/catalog.sql), planned at each call.
 */
#include "shop/catalog/products.h"
#include "base/money.h"
#include "io/pg.h"
#include "shop/req.h"
#include "shop/stores.h"

#include <string.h>

#define REINDEX_BATCH 1000
#define ASCENDING 0
#define DESCENDING 1

struct product_in {
    uint64_t sent;
    const char *name;
    struct decimal price;
    struct uuid category_id;
    const char *description, *currency, *sku;
    int64_t stock, weight_g;
    bool is_active;
    struct uuid store_id;
};
static const struct field product_in_fields[] = {
    PRODUCT_FIELDS(struct product_in),
    FIELD(struct product_in, category_id, .required = true,
          .eg = "01920000-0000-7000-8000-000000000003", .doc = "Where it belongs"),
    FIELD(struct product_in, store_id, .eg = "01920000-0000-7000-8000-000000000002",
          .doc = "Whose it is; for administrators, a seller's own is implied"),
};

static const char *
currency_or_default(const char *currency)
{
    return currency != NULL ? currency : PRODUCT_CURRENCY;
}

void
products_check_price(struct input_errors *errors, struct decimal price, const char *currency)
{
    int64_t amount;

    if (input_refused(errors, "price") || input_refused(errors, "currency"))
        return;
    currency = currency_or_default(currency);
    if (!money_from_decimal(price, currency, &amount))
        input_reject(errors, "price", "is too large, or has more decimals than %s has", currency);
    else if (amount == 0)
        input_reject(errors, "price", "must be more than zero");
}

static void
check_product(struct input_errors *errors, const void *body)
{
    const struct product_in *in = body;

    products_check_price(errors, in->price, in->currency);
}
static const struct input product_in = INPUT(product_in, "ProductInput", check_product);

struct product_query {
    uint64_t sent;
    int64_t page, per_page;
    struct uuid category_id, store_id;
    const char *search, *currency, *sort_by, *sort_order;
    struct decimal min_price, max_price;
    bool in_stock;
    const char *cursor;
    bool facets;
};
static const struct field product_query_fields[] = {
    PAGE_FIELDS(struct product_query),
    FIELD(struct product_query, category_id, .eg = "01920000-0000-7000-8000-000000000003",
          .doc = "This category and those below it"),
    FIELD(struct product_query, store_id, .eg = "01920000-0000-7000-8000-000000000002",
          .doc = "This store's"),
    FIELD(struct product_query, search, .max = 200, .eg = "novel",
          .doc = "Words in name, description, category or store, the last also begun; \"phrases\" "
                 "and -exclusions. What nothing matches is taken for misspelt"),
    FIELD(struct product_query, currency, .format = FORMAT_CURRENCY, .eg = "KES",
          .doc = "Priced in this; KES when a price bound is given"),
    FIELD(struct product_query, sort_by, .one_of = "created_at|price|name|rating|relevance",
          .eg = "price", .doc = "Default: relevance of a search, else created_at"),
    FIELD(struct product_query, sort_order, .one_of = "asc|desc", .eg = "asc",
          .doc = "Default: asc for name and price, desc for all else"),
    FIELD(struct product_query, min_price, .eg = "100", .doc = "At least this dear"),
    FIELD(struct product_query, max_price, .eg = "5000.50", .doc = "At most this dear"),
    FIELD(struct product_query, in_stock, .eg = "true",
          .doc = "Only what can, or cannot, be bought"),
    FIELD(struct product_query, cursor, .max = 1024, .eg = "",
          .doc =
              "next_cursor of the page before, with the same filters and order; instead of page"),
    FIELD(struct product_query, facets, .eg = "true",
          .doc = "Also count the matches by category, store and price band"),
};

static void
check_bound(struct input_errors *errors, const char *name, struct decimal bound,
            const char *currency)
{
    int64_t amount;

    if (!input_refused(errors, name) && !money_from_decimal(bound, currency, &amount))
        input_reject(errors, name, "is too large, or has more decimals than %s has", currency);
}

static void
check_query(struct input_errors *errors, const void *query)
{
    const struct product_query *in = query;
    const char *currency = currency_or_default(in->currency);

    if (!input_refused(errors, "currency")) {
        check_bound(errors, "min_price", in->min_price, currency);
        check_bound(errors, "max_price", in->max_price, currency);
    }
    if (in->sort_by != NULL && strcmp(in->sort_by, "relevance") == 0 && in->search == NULL)
        input_reject(errors, "sort_by", "relevance needs a search");
}
static const struct input product_query = INPUT(product_query, "ProductQuery", check_query);

/* A statement for each sort order, ascending and descending. */
static const struct {
    const char *sort_by;
    enum stmt list[2];
    int by_default;
} sort_orders[] = {
    {"created_at", {CATALOG_OLDEST, CATALOG_NEWEST}, DESCENDING},
    {"price", {CATALOG_CHEAPEST, CATALOG_DEAREST}, ASCENDING},
    {"name", {CATALOG_BY_NAME, CATALOG_BY_NAME_DOWN}, ASCENDING},
    {"rating", {CATALOG_WORST_RATED, CATALOG_BEST_RATED}, DESCENDING},
    {"relevance", {CATALOG_WORST_MATCH, CATALOG_BEST_MATCH}, DESCENDING},
};
#define SORT_ORDERS (sizeof(sort_orders) / sizeof(sort_orders[0]))

static const struct out_field facet_category_fields[] = {
    {"category_id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000003", .doc = "The category"},
    {"name", OUT_TEXT, .eg = "Books", .doc = "Its name"},
    {"count", OUT_INT, .eg = "12", .doc = "Matches in it"},
};
static const struct output facet_category_out = OUTPUT(facet_category_fields, "FacetCategory");

static const struct out_field facet_store_fields[] = {
    {"store_id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000002", .doc = "The store"},
    {"name", OUT_TEXT, .eg = "Kibanda Books", .doc = "Its name"},
    {"count", OUT_INT, .eg = "12", .doc = "Matches in it"},
};
static const struct output facet_store_out = OUTPUT(facet_store_fields, "FacetStore");

static const struct out_field facet_price_fields[] = {
    {"currency", OUT_TEXT, .eg = "KES", .doc = "ISO 4217"},
    {"min_price", OUT_MONEY, .eg = "100", .doc = "From here (0 is below 1 too)"},
    {"below", OUT_MONEY, .eg = "1000", .doc = "To below this"},
    {"count", OUT_INT, .eg = "12", .doc = "Matches in the band"},
};
static const struct output facet_price_out = OUTPUT(facet_price_fields, "FacetPrice");

static const struct out_field facet_fields[] = {
    {"categories", OUT_LIST, .of = &facet_category_out, .doc = "By category, most first"},
    {"stores", OUT_LIST, .of = &facet_store_out, .doc = "By store, most first"},
    {"prices", OUT_LIST, .of = &facet_price_out, .doc = "By price band"},
};
static const struct output facets_out = OUTPUT(facet_fields, "Facets");

static const struct field product_offer_fields[] = {
    FIELD(struct product_offer, product_id), FIELD(struct product_offer, store_id),
    FIELD(struct product_offer, name),       FIELD(struct product_offer, currency),
    FIELD(struct product_offer, price),      FIELD(struct product_offer, on_sale),
};
static const struct input product_offer = INPUT(product_offer, "ProductOffer", NULL);

static const struct out_field product_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000005", .doc = "The product"},
    {"store_id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000002", .doc = "Who sells it"},
    {"store_name", OUT_TEXT, .eg = "Kibanda Books", .doc = "The seller's name"},
    {"category_id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000003",
     .doc = "Where it belongs"},
    {"category_name", OUT_TEXT, .eg = "Books", .doc = "The category's name"},
    {"name", OUT_TEXT, .eg = "Weep Not, Child", .doc = "What it is called"},
    {"description", OUT_TEXT, .eg = "Novel, paperback", .doc = "May be empty"},
    {"price", OUT_MONEY, .eg = "850", .doc = "Of one unit"},
    {"currency", OUT_TEXT, .eg = "KES", .doc = "ISO 4217"},
    {"stock", OUT_INT, .eg = "20", .doc = "Units for sale"},
    {"sku", OUT_TEXT, .nullable = true, .eg = "BK-0001", .doc = "The seller's own number"},
    {"weight_g", OUT_INT, .nullable = true, .eg = "250", .doc = "Weight in grams"},
    {"image_url", OUT_TEXT, .nullable = true, .eg = "/media/ab12.jpg", .doc = "The first picture"},
    {"images", OUT_LIST, .eg = "/media/ab12.jpg", .doc = "All pictures"},
    {"rating_average", OUT_NUMBER, .eg = "4.5", .doc = "Mean of the ratings; 0 without any"},
    {"rating_count", OUT_INT, .eg = "12", .doc = "How many have rated it"},
    {"is_active", OUT_BOOL, .eg = "true", .doc = "Whether it is on sale"},
    {"version", OUT_INT, .eg = "1", .doc = "Counts changes; for If-Match"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was made"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was changed last"},
};
const struct output product_out = OUTPUT(product_fields, "Product");

static enum err
create(struct req *rq)
{
    const struct product_in *in = rq->in;
    struct ctx *ctx = &rq->ctx;
    const char *currency = currency_or_default(in->currency);
    bool active = !input_sent(&product_in, in, "is_active") || in->is_active;
    struct uuid id = uuid_v7(ctx->now_ms), store;
    int64_t price;

    enum err e = stores_of_actor(ctx, in->store_id, &store);
    if (e != OK)
        return e;
    if (!money_from_decimal(in->price, currency, &price))
        return ERR_INTERNAL; /* check_product has seen to it */
    pg_queue(ctx, CATALOG_PRODUCT_ADD, ARG_ID(id), ARG_ID(store), ARG_ID(in->category_id),
             ARG_TEXT(in->name), ARG_TEXT(in->description != NULL ? in->description : ""),
             ARG_INT(price), ARG_TEXT(currency), ARG_TEXT(in->sku),
             input_sent(&product_in, in, "weight_g") ? ARG_INT(in->weight_g) : ARG_NULL,
             ARG_BOOL(active));
    pg_queue(ctx, CATALOG_STOCK_ADD, ARG_ID(id), ARG_INT(in->stock));
    pg_queue(ctx, CATALOG_RATING_ADD, ARG_ID(id));
    return reply_rows(rq, CATALOG_PRODUCT_OWN, ARG_ID(id), ARG_ID(store));
}

static struct pg_arg
bound_arg(const struct product_query *in, const char *name, struct decimal bound)
{
    int64_t amount;

    if (!input_sent(&product_query, in, name) ||
        !money_from_decimal(bound, currency_or_default(in->currency), &amount))
        return ARG_NULL;
    return ARG_INT(amount);
}

static enum stmt
statement_for(const struct product_query *in)
{
    const char *by = in->sort_by != NULL  ? in->sort_by
                     : in->search != NULL ? "relevance"
                                          : "created_at";
    size_t i = 0;

    while (i + 1 < SORT_ORDERS && strcmp(sort_orders[i].sort_by, by) != 0)
        i++;
    int way = in->sort_order == NULL                ? sort_orders[i].by_default
              : strcmp(in->sort_order, "desc") == 0 ? DESCENDING
                                                    : ASCENDING;
    return sort_orders[i].list[way];
}

/* The filters, as product_matches() takes them. */
#define FILTER_ARGS(in, fuzzy)                                                                     \
    ARG_ID_OR_NULL((in)->category_id), ARG_ID_OR_NULL((in)->store_id), ARG_TEXT((in)->search),     \
        ARG_BOOL(fuzzy), ARG_TEXT(currency_of((in))),                                              \
        bound_arg((in), "min_price", (in)->min_price),                                             \
        bound_arg((in), "max_price", (in)->max_price),                                             \
        input_sent(&product_query, (in), "in_stock") ? ARG_BOOL((in)->in_stock) : ARG_NULL

/* A bound means nothing without a currency. */
static const char *
currency_of(const struct product_query *in)
{
    bool bounded =
        input_sent(&product_query, in, "min_price") || input_sent(&product_query, in, "max_price");

    return bounded ? currency_or_default(in->currency) : in->currency;
}

static enum err
list_once(struct req *rq, const struct product_query *in, bool fuzzy)
{
    rq->paging.cursor = in->cursor;
    enum err e = reply_keyed_page(rq, statement_for(in), CATALOG_COUNT, FILTER_ARGS(in, fuzzy));
    if (e == OK && in->facets) {
        text_clear(&rq->facets);
        e = pg_object(&rq->ctx, CATALOG_FACETS, &rq->facets, FILTER_ARGS(in, fuzzy));
    }
    return e;
}

/* Words that nothing matches are looked for once more, as misspelt. */
static enum err
list(struct req *rq)
{
    const struct product_query *in = rq->in;
    enum err e = list_once(rq, in, false);

    if (e == OK && in->search != NULL && rq->paging.total == 0)
        e = list_once(rq, in, true);
    return e;
}

static enum err
show(struct req *rq)
{
    return reply_rows(rq, CATALOG_PRODUCT_SHOW, ARG_ID(rq->ids[0]));
}

const struct endpoint products_create = {
    .name = "product_create",
    .tag = "Products",
    .doc = "Puts a product into your store.",
    .run = create,
    .in = &product_in,
    .out = &product_out,
    .status = 201,
    .replies = {CATALOG_PRODUCT_OWN},
    .errors = {ERR_VALIDATION, ERR_CONFLICT},
};
const struct endpoint products_list = {
    .name = "product_list",
    .tag = "Products",
    .doc = "What is on sale: searched, filtered, sorted.",
    .run = list,
    .in = &product_query,
    .out = &product_out,
    .shape = SHAPE_PAGE,
    .facets = &facets_out,
    .replies = {CATALOG_OLDEST, CATALOG_NEWEST, CATALOG_CHEAPEST, CATALOG_DEAREST, CATALOG_BY_NAME,
                CATALOG_BY_NAME_DOWN, CATALOG_WORST_RATED, CATALOG_BEST_RATED, CATALOG_WORST_MATCH,
                CATALOG_BEST_MATCH},
    .errors = {ERR_VALIDATION},
};
const struct endpoint products_show = {
    .name = "product_show",
    .tag = "Products",
    .doc = "One product that is on sale.",
    .run = show,
    .out = &product_out,
    .replies = {CATALOG_PRODUCT_SHOW},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};

enum err
products_offer(struct ctx *ctx, const struct uuid *products, size_t count,
               struct product_offer **offers, size_t *offer_count)
{
    return pg_all(ctx, CATALOG_FOR_ORDER, &product_offer, offers, offer_count,
                  ARG_IDS(products, count));
}

void
products_take_stock(struct ctx *ctx, const struct uuid *products, const int64_t *quantities,
                    size_t count)
{
    pg_queue(ctx, CATALOG_STOCK_TAKE, ARG_IDS(products, count), ARG_INTS(quantities, count));
}

enum err
products_try_stock(struct ctx *ctx, const struct uuid *products, const int64_t *quantities,
                   size_t count, bool *taken)
{
    enum err e =
        pg_run(ctx, CATALOG_STOCK_TAKE, ARG_IDS(products, count), ARG_INTS(quantities, count));

    *taken = e == OK;
    if (e != ERR_INSUFFICIENT_STOCK)
        return e;
    problems_clear(&ctx->problems);
    return OK;
}

void
products_count_rating(struct ctx *ctx, struct uuid product, int64_t ratings, int64_t points)
{
    pg_queue(ctx, CATALOG_COUNT_RATING, ARG_ID(product), ARG_INT(ratings), ARG_INT(points));
}

enum err
products_reindex(struct ctx *ctx, const struct delivery *d)
{
    int64_t done;

    enum err e = pg_touch(ctx, CATALOG_REINDEX, &done, ARG_ID(d->subject), ARG_INT(REINDEX_BATCH));
    if (e == OK && done == REINDEX_BATCH)
        outbox_add(ctx, EVENT_NAMES_CHANGED, d->subject, (struct uuid){{0}});
    return e;
}

enum err
products_give_stock(struct ctx *ctx, const struct uuid *products, const int64_t *quantities,
                    size_t count)
{
    return pg_run(ctx, CATALOG_STOCK_GIVE, ARG_IDS(products, count), ARG_INTS(quantities, count));
}
