/*
 * All orders, for the administrator.
 */
#include "io/pg.h"
#include "shop/orders/orders.h"
#include "shop/req.h"

struct admin_query {
    uint64_t sent;
    int64_t page, per_page;
    const char *status, *payment_status, *order_number;
    struct uuid account_id;
    const char *from, *until;
};
static const struct field admin_query_fields[] = {
    PAGE_FIELDS(struct admin_query),
    FIELD(struct admin_query, status, .one_of = ORDER_STATUS_WORDS, .eg = "paid",
          .doc = "Stand so"),
    FIELD(struct admin_query, payment_status, .one_of = PAYMENT_STATUS_WORDS, .eg = "unpaid",
          .doc = "Are so far paid"),
    FIELD(struct admin_query, order_number, .max = 12, .eg = "7H2K9QXW4M",
          .doc = "Have this number"),
    FIELD(struct admin_query, account_id, .eg = "01920000-0000-7000-8000-000000000001",
          .doc = "Were placed by this buyer"),
    FIELD(struct admin_query, from, .format = FORMAT_TIME, .eg = "2026-02-01",
          .doc = "Placed then or later"),
    FIELD(struct admin_query, until, .format = FORMAT_TIME, .eg = "2026-03-01",
          .doc = "Placed before"),
};
static const struct input admin_query = INPUT(admin_query, "AdminOrderQuery", NULL);

static const struct out_field admin_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000006", .doc = "The order"},
    {"order_number", OUT_TEXT, .eg = "7H2K9QXW4M", .doc = "For people"},
    {"account_id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000001", .doc = "Who placed it"},
    {"account_name", OUT_TEXT, .eg = "Ann Wanjiru", .doc = "His name"},
    {"status", OUT_TEXT, .one_of = ORDER_STATUS_WORDS, .eg = "paid", .doc = "How far it is"},
    {"payment_status", OUT_TEXT, .one_of = PAYMENT_STATUS_WORDS, .eg = "paid",
     .doc = "Whether it is paid"},
    {"payment_method", OUT_TEXT, .one_of = METHOD_WORDS, .eg = "cash_on_delivery", .doc = "How"},
    {"total_amount", OUT_MONEY, .eg = "1700", .doc = "Of all lines"},
    {"currency", OUT_TEXT, .eg = "KES", .doc = "ISO 4217"},
    {"items", OUT_LIST, .of = &order_line_out, .doc = "What was bought"},
    {"parts", OUT_LIST, .of = &order_part_out, .doc = "One for each store"},
    {"payment", OUT_OBJECT, .nullable = true, .of = &order_payment_out,
     .doc = "The payment, once there is one"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was placed"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it changed last"},
};
static const struct output admin_out = OUTPUT(admin_fields, "AdminOrder");

static enum err
list(struct req *rq)
{
    const struct admin_query *in = rq->in;

    return reply_page(rq, ORDERS_ADMIN_LIST, ORDERS_ADMIN_COUNT, ARG_TEXT(in->status),
                      ARG_TEXT(in->payment_status), ARG_ID_OR_NULL(in->account_id),
                      ARG_TEXT(in->order_number), req_time(in->from), req_time(in->until));
}

const struct endpoint orders_admin_list = {
    .name = "admin_order_list",
    .tag = "Administration",
    .doc = "All orders, newest first.",
    .run = list,
    .in = &admin_query,
    .out = &admin_out,
    .shape = SHAPE_PAGE,
    .replies = {ORDERS_ADMIN_LIST},
    .errors = {ERR_VALIDATION},
};
