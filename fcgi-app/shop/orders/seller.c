/*
 * What a seller sees and does: his store's part of an order, and nothing of the others' (seed hole
 * 34).
 */
#include "io/pg.h"
#include "shop/audit.h"
#include "shop/orders/orders.h"
#include "shop/req.h"
#include "shop/stores.h"

struct list_query {
    uint64_t sent;
    int64_t page, per_page;
    const char *status;
    struct uuid store_id;
};
static const struct field list_query_fields[] = {
    PAGE_FIELDS(struct list_query),
    FIELD(struct list_query, status, .one_of = ORDER_STATUS_WORDS, .eg = "paid",
          .doc = "Only parts that stand so"),
    FIELD(struct list_query, store_id, .eg = "01920000-0000-7000-8000-000000000002",
          .doc = "Whose; for administrators, a seller's own is implied"),
};
static const struct input list_query = INPUT(list_query, "SellerOrderQuery", NULL);

struct status_in {
    uint64_t sent;
    const char *status, *tracking_number;
    struct uuid store_id;
};
static const struct field status_in_fields[] = {
    FIELD(struct status_in, status, .required = true, .one_of = ORDER_STATUS_WORDS,
          .eg = "processing", .doc = "The next step, or cancelled"),
    FIELD(struct status_in, tracking_number, .max = 64, .eg = "KE123", .doc = "Of the parcel"),
    FIELD(struct status_in, store_id, .eg = "01920000-0000-7000-8000-000000000002",
          .doc = "Whose part; for administrators, a seller's own is implied"),
};
static const struct input status_in = INPUT(status_in, "OrderStatusInput", NULL);

static const struct out_field seller_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000006", .doc = "The order"},
    {"order_number", OUT_TEXT, .eg = "7H2K9QXW4M", .doc = "For people"},
    {"store_id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000002", .doc = "Whose part this is"},
    {"status", OUT_TEXT, .one_of = ORDER_STATUS_WORDS, .eg = "paid", .doc = "Of this store's part"},
    {"payment_status", OUT_TEXT, .one_of = PAYMENT_STATUS_WORDS, .eg = "paid",
     .doc = "Of the order"},
    {"payment_method", OUT_TEXT, .one_of = METHOD_WORDS, .eg = "cash_on_delivery",
     .doc = "How it is paid"},
    {"amount", OUT_MONEY, .eg = "1700", .doc = "Of this part"},
    {"currency", OUT_TEXT, .eg = "KES", .doc = "ISO 4217"},
    {"tracking_number", OUT_TEXT, .nullable = true, .eg = "KE123", .doc = "Of the parcel"},
    {"shipping_address", OUT_JSON, .eg = "Moi Avenue 12, Nairobi", .doc = "Where to send it"},
    {"items", OUT_LIST, .of = &order_line_out, .doc = "This store's lines"},
    {"events", OUT_LIST, .of = &order_event_out, .doc = "What happened to this part"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was placed"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it moved last"},
};
static const struct output seller_out = OUTPUT(seller_fields, "SellerOrder");

static enum err
list(struct req *rq)
{
    const struct list_query *in = rq->in;
    struct uuid store;

    enum err e = stores_of_actor(&rq->ctx, in->store_id, &store);
    return e != OK ? e
                   : reply_page(rq, ORDERS_SELLER_LIST, ORDERS_SELLER_COUNT, ARG_ID(store),
                                ARG_TEXT(in->status));
}

/* Money follows two of the moves: a cancelled part is paid back, a completed one paid out. */
static void
note_move(struct ctx *ctx, const struct order *o, struct uuid store, enum part_status to)
{
    char id[UUID_TEXT_SIZE];
    const struct audit_fact facts[] = {
        {"status", part_status_name(to)},
        {"store", uuid_text(store, id)},
    };

    if (to == PART_CANCELLED || to == PART_COMPLETED)
        audit_add(ctx, AUDIT_ORDER_MOVED, o->id, facts, sizeof(facts) / sizeof(facts[0]));
}

static enum err
set_status(struct req *rq)
{
    const struct status_in *in = rq->in;
    struct ctx *ctx = &rq->ctx;
    enum part_status to;
    struct order o;
    struct uuid store;
    size_t mine = 0;

    enum err e = stores_of_actor(ctx, in->store_id, &store);
    if (e == OK)
        e = orders_lock_for_store(ctx, rq->ids[0], store, &o);
    if (e != OK)
        return e;
    while (!uuid_equal(o.parts[mine].store_id, store))
        mine++;
    if (!part_status_parse(in->status, &to))
        return ERR_INTERNAL; /* one_of has seen to it */
    e = orders_move_part(ctx, &o, mine, to, MOVER_SELLER, in->tracking_number);
    if (e == OK)
        note_move(ctx, &o, store, to);
    return e != OK ? e : reply_rows(rq, ORDERS_SELLER_SHOW, ARG_ID(o.id), ARG_ID(store));
}

const struct endpoint orders_seller_list = {
    .name = "seller_order_list",
    .tag = "Selling",
    .doc = "Your store's parts of orders, newest first.",
    .run = list,
    .in = &list_query,
    .out = &seller_out,
    .shape = SHAPE_PAGE,
    .replies = {ORDERS_SELLER_LIST},
    .errors = {ERR_VALIDATION},
};
const struct endpoint orders_set_status = {
    .name = "order_set_status",
    .tag = "Selling",
    .doc =
        "Moves your store's part one step, or cancels it: restocked, and refunded if it was paid.",
    .run = set_status,
    .in = &status_in,
    .out = &seller_out,
    .replies = {ORDERS_SELLER_SHOW},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND, ERR_INVALID_STATUS},
};
