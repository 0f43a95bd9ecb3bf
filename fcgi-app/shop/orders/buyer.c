/*
 * What a buyer sees and does of his orders. The statements carry his account in their WHERE: what
 * is not his is not found.
 */
#include "io/pg.h"
#include "shop/orders/orders.h"
#include "shop/req.h"

struct list_query {
    uint64_t sent;
    int64_t page, per_page;
};
static const struct field list_query_fields[] = {PAGE_FIELDS(struct list_query)};
static const struct input list_query = INPUT(list_query, "OrderQuery", NULL);

static const struct out_field line_fields[] = {
    {"product_id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000005", .doc = "The product"},
    {"store_id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000002", .doc = "Who sells it"},
    {"name", OUT_TEXT, .eg = "Weep Not, Child", .doc = "Its name when it was sold"},
    {"price", OUT_MONEY, .eg = "850", .doc = "Of one, when it was sold"},
    {"quantity", OUT_INT, .eg = "2", .doc = "Units"},
    {"subtotal", OUT_MONEY, .eg = "1700", .doc = "Of this line"},
};
const struct output order_line_out = OUTPUT(line_fields, "OrderLine");

static const struct out_field part_fields[] = {
    {"store_id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000002", .doc = "The seller"},
    {"store_name", OUT_TEXT, .eg = "Kibanda Books", .doc = "Its name"},
    {"status", OUT_TEXT, .one_of = ORDER_STATUS_WORDS, .eg = "paid", .doc = "How far this part is"},
    {"amount", OUT_MONEY, .eg = "1700", .doc = "Of this part"},
    {"tracking_number", OUT_TEXT, .nullable = true, .eg = "KE123", .doc = "Of the parcel"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it moved last"},
};
const struct output order_part_out = OUTPUT(part_fields, "OrderPart");

static const struct out_field payment_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000007", .doc = "The payment"},
    {"provider", OUT_TEXT, .eg = "simulated", .doc = "Who takes the money"},
    {"status", OUT_TEXT,
     .one_of = "initiating|processing|unknown|succeeded|failed|cancelled|abandoned|"
               "partially_refunded|refunded|needs_review",
     .eg = "succeeded", .doc = "How far it is"},
    {"amount", OUT_MONEY, .eg = "1700", .doc = "What is paid"},
    {"refunded", OUT_MONEY, .eg = "0", .doc = "What was given back"},
    {"currency", OUT_TEXT, .eg = "KES", .doc = "ISO 4217"},
    {"receipt", OUT_TEXT, .nullable = true, .eg = "SIM7H2K9QX", .doc = "The provider's receipt"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it changed last"},
};
const struct output order_payment_out = OUTPUT(payment_fields, "OrderPayment");

static const struct out_field event_fields[] = {
    {"event", OUT_TEXT, .eg = "placed", .doc = "What happened"},
    {"store_id", OUT_ID, .nullable = true, .eg = "01920000-0000-7000-8000-000000000002",
     .doc = "To which part; null: to the whole order"},
    {"at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When"},
};
const struct output order_event_out = OUTPUT(event_fields, "OrderEvent");

static const struct out_field order_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000006", .doc = "The order"},
    {"order_number", OUT_TEXT, .eg = "7H2K9QXW4M", .doc = "For people, and M-Pesa"},
    {"status", OUT_TEXT, .one_of = ORDER_STATUS_WORDS, .eg = "pending",
     .doc = "Its least advanced live part's"},
    {"payment_status", OUT_TEXT, .one_of = PAYMENT_STATUS_WORDS, .eg = "unpaid",
     .doc = "Whether it is paid"},
    {"payment_method", OUT_TEXT, .one_of = METHOD_WORDS, .eg = "cash_on_delivery", .doc = "How"},
    {"total_amount", OUT_MONEY, .eg = "1700", .doc = "Of all lines"},
    {"currency", OUT_TEXT, .eg = "KES", .doc = "ISO 4217"},
    {"shipping_address", OUT_JSON, .eg = "Moi Avenue 12, Nairobi", .doc = "As it was sent"},
    {"notes", OUT_TEXT, .nullable = true, .eg = "Ring twice", .doc = "For the sellers"},
    {"cancel_reason", OUT_TEXT, .nullable = true, .one_of = "buyer|seller|expired", .eg = "buyer",
     .doc = "Why it was cancelled"},
    {"items", OUT_LIST, .of = &order_line_out, .doc = "What was bought"},
    {"parts", OUT_LIST, .of = &order_part_out, .doc = "One for each store"},
    {"payment", OUT_OBJECT, .nullable = true, .of = &order_payment_out,
     .doc = "The payment, once there is one"},
    {"events", OUT_LIST, .of = &order_event_out, .doc = "What happened, in order"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was placed"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it changed last"},
    {"expires_at", OUT_TIME, .nullable = true, .eg = "2026-02-20T10:30:00Z",
     .doc = "Until when it must be paid; null: no such time"},
};
const struct output order_out = OUTPUT(order_fields, "Order");

static const struct out_field summary_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000006", .doc = "The order"},
    {"order_number", OUT_TEXT, .eg = "7H2K9QXW4M", .doc = "For people, and M-Pesa"},
    {"status", OUT_TEXT, .one_of = ORDER_STATUS_WORDS, .eg = "pending", .doc = "How far it is"},
    {"payment_status", OUT_TEXT, .one_of = PAYMENT_STATUS_WORDS, .eg = "unpaid",
     .doc = "Whether it is paid"},
    {"payment_method", OUT_TEXT, .eg = "cash_on_delivery", .doc = "How"},
    {"total_amount", OUT_MONEY, .eg = "1700", .doc = "Of all lines"},
    {"currency", OUT_TEXT, .eg = "KES", .doc = "ISO 4217"},
    {"item_count", OUT_INT, .eg = "2", .doc = "Units, all together"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was placed"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it changed last"},
};
static const struct output summary_out = OUTPUT(summary_fields, "OrderSummary");

static enum err
list(struct req *rq)
{
    return reply_page(rq, ORDERS_LIST, ORDERS_COUNT, ARG_ID(rq->ctx.actor.account));
}

static enum err
show(struct req *rq)
{
    return reply_rows(rq, ORDERS_SHOW, ARG_ID(rq->ids[0]), ARG_ID(rq->ctx.actor.account));
}

static enum err
cancel(struct req *rq)
{
    struct order o;

    enum err e = orders_lock(&rq->ctx, rq->ids[0], rq->ctx.actor.account, &o);
    if (e == OK)
        e = orders_cancel_all(&rq->ctx, &o, MOVER_BUYER);
    return e != OK ? e : reply_message(rq, "order cancelled");
}

const struct endpoint orders_list = {
    .name = "order_list",
    .tag = "Orders",
    .doc = "Your orders, newest first.",
    .run = list,
    .in = &list_query,
    .out = &summary_out,
    .shape = SHAPE_PAGE,
    .replies = {ORDERS_LIST},
    .errors = {ERR_VALIDATION},
};
const struct endpoint orders_show = {
    .name = "order_show",
    .tag = "Orders",
    .doc = "One of your orders.",
    .run = show,
    .out = &order_out,
    .replies = {ORDERS_SHOW},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};
const struct endpoint orders_cancel = {
    .name = "order_cancel",
    .tag = "Orders",
    .doc = "Cancels an order of which no part is shipping yet; what was paid is refunded.",
    .run = cancel,
    .out = &message_out,
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND, ERR_INVALID_STATUS},
};
