/*
 * A seller, or an administrator for him, gives money back for what was kept of an order: units of
 * its lines, or an amount. The order writes down what was given (orders_give_back()); what is sent
 * is the difference that this makes (excess.c), so that the two cannot disagree, and never more
 * than was paid.
 *
 * Two requests for the same line take turns at the order's lock, and the second is told what is
 * left.
 */
#include "io/pg.h"
#include "shop/payments/refunds.h"
#include "shop/payments/returns.h"
#include "shop/req.h"
#include "shop/stores.h"

struct back_line_in {
    uint64_t sent;
    struct uuid product_id;
    int64_t quantity;
};
static const struct field back_line_in_fields[] = {
    FIELD(struct back_line_in, product_id, .required = true,
          .eg = "01920000-0000-7000-8000-000000000005", .doc = "A product of the order"),
    FIELD(struct back_line_in, quantity, .required = true, .min = 1, .max = 999, .eg = "1",
          .doc = "Units that are given back, at what they cost"),
};
static const struct input back_line_in = INPUT(back_line_in, "RefundLineInput", NULL);

struct back_in {
    uint64_t sent;
    struct list_value lines;
    struct decimal amount;
    const char *reason;
    struct uuid store_id;
};
static const struct field back_in_fields[] = {
    FIELD(struct back_in, lines, .items = &back_line_in, .min = 1, .max = 100,
          .eg = "[{\"product_id\":\"01920000-0000-7000-8000-000000000005\",\"quantity\":1}]",
          .doc = "What is given back"),
    FIELD(struct back_in, amount, .eg = "100", .doc = "How much, instead of lines"),
    FIELD(struct back_in, reason, .max = 255, .eg = "Arrived broken", .doc = "For the books"),
    FIELD(struct back_in, store_id, .eg = "01920000-0000-7000-8000-000000000002",
          .doc = "Whose part; for administrators, a seller's own is implied"),
};

static void check_back(struct input_errors *errors, const void *body);

static const struct input back_in = INPUT(back_in, "RefundInput", check_back);

struct list_query {
    uint64_t sent;
    struct uuid store_id;
};
static const struct field list_query_fields[] = {
    FIELD(struct list_query, store_id, .eg = "01920000-0000-7000-8000-000000000002",
          .doc = "Whose; for administrators, who else see all; a seller's own is implied"),
};
static const struct input list_query = INPUT(list_query, "RefundQuery", NULL);

static const struct out_field refund_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000012", .doc = "The refund"},
    {"store_id", OUT_ID, .nullable = true, .eg = "01920000-0000-7000-8000-000000000002",
     .doc = "Whose part it is of; null: of the whole order"},
    {"amount", OUT_MONEY, .eg = "100", .doc = "What goes back"},
    {"currency", OUT_TEXT, .eg = "KES", .doc = "ISO 4217"},
    {"status", OUT_TEXT, .one_of = "pending|sending|sent|succeeded|failed", .eg = "succeeded",
     .doc = "How far it is; a failed one is tried again by itself, or by an administrator"},
    {"reason", OUT_TEXT, .one_of = "order_cancelled|part_cancelled|late|overpaid|returned|review",
     .eg = "returned", .doc = "Why there is one"},
    {"note", OUT_TEXT, .nullable = true, .eg = "Arrived broken",
     .doc = "In the words of whoever gave it"},
    {"failure", OUT_TEXT, .nullable = true, .eg = "insufficient_funds",
     .doc = "Why the last attempt failed, in the provider's code or in ours"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was asked for"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it changed last"},
};
const struct output refund_out = OUTPUT(refund_fields, "Refund");

struct line_row {
    int64_t line_no;
    struct uuid product_id;
};
static const struct field line_row_fields[] = {
    FIELD(struct line_row, line_no),
    FIELD(struct line_row, product_id),
};
static const struct input line_row = INPUT(line_row, "LineOfPart", NULL);

static void
check_back(struct input_errors *errors, const void *body)
{
    const struct back_in *in = body;
    const struct back_line_in *lines = in->lines.items;
    bool by_amount = input_sent(&back_in, in, "amount");

    if (in->lines.count == 0 && !by_amount && !input_refused(errors, "lines"))
        input_reject(errors, "lines", "is required, or amount");
    if (in->lines.count > 0 && by_amount)
        input_reject(errors, "amount", "comes instead of lines, not with them");
    for (size_t i = 0; i < in->lines.count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (uuid_equal(lines[i].product_id, lines[j].product_id))
                input_reject(errors, "lines", "name a product twice");
        }
    }
}

/* The numbers of the lines that were named by product. */
static enum err
find_lines(struct ctx *ctx, const struct order *o, struct uuid store, const struct list_value *list,
           struct refund_line **out)
{
    const struct back_line_in *wanted = list->items;
    struct line_row *rows;
    size_t count;

    enum err e = pg_all(ctx, REFUNDS_LINES, &line_row, &rows, &count, ARG_ID(o->id), ARG_ID(store));
    *out = arena_array(ctx->arena, list->count, sizeof(**out));
    for (size_t i = 0; e == OK && i < list->count; i++) {
        size_t k = 0;

        while (k < count && !uuid_equal(rows[k].product_id, wanted[i].product_id))
            k++;
        if (k == count)
            return fail(ctx, ERR_VALIDATION, arena_printf(ctx->arena, "lines[%zu].product_id", i),
                        "is not in this store's part of the order");
        (*out)[i] = (struct refund_line){rows[k].line_no, wanted[i].quantity};
    }
    return e;
}

static enum err
give_back(struct ctx *ctx, struct order *o, struct uuid store, const struct back_in *in,
          int64_t *given)
{
    struct refund_line *lines = NULL;
    int64_t amount = 0;
    enum err e = OK;

    if (in->lines.count > 0)
        e = find_lines(ctx, o, store, &in->lines, &lines);
    else if (!money_from_decimal(in->amount, o->currency, &amount))
        return fail(ctx, ERR_VALIDATION, "amount", "is no amount of %s", o->currency);
    return e != OK ? e : orders_give_back(ctx, o, store, lines, in->lines.count, amount, given);
}

static enum err
create(struct req *rq)
{
    const struct back_in *in = rq->in;
    struct ctx *ctx = &rq->ctx;
    struct refund_wish wish = {.reason = "returned", .by = ctx->actor.account, .note = in->reason};
    struct refunds_made made;
    struct order o;
    int64_t given = 0;

    enum err e = stores_of_actor(ctx, in->store_id, &wish.store);
    if (e == OK)
        e = orders_lock_for_store(ctx, rq->ids[0], wish.store, &o);
    if (e == OK)
        e = give_back(ctx, &o, wish.store, in, &given);
    if (e == OK)
        e = refunds_take_excess(ctx, &o, &wish, given, &made);
    if (e == OK && made.amount < given)
        return fail(ctx, ERR_INVALID_STATUS, NULL, "less was paid for the order than that");
    return e != OK ? e : reply_list(rq, REFUNDS_MADE, ARG_IDS(made.ids, made.count));
}

static enum err
list(struct req *rq)
{
    const struct list_query *in = rq->in;
    struct ctx *ctx = &rq->ctx;
    struct uuid store = in->store_id;
    enum err e = OK;

    if (ctx->actor.role != ROLE_ADMIN || !uuid_is_nil(store))
        e = stores_of_actor(ctx, store, &store);
    if (e == OK)
        e = pg_run(ctx, REFUNDS_ORDER_SEEN, ARG_ID(rq->ids[0]), ARG_ID_OR_NULL(store));
    return e != OK ? e : reply_list(rq, REFUNDS_LIST, ARG_ID(rq->ids[0]), ARG_ID_OR_NULL(store));
}

const struct endpoint refunds_create = {
    .name = "refund_create",
    .tag = "Selling",
    .doc = "Gives money back for your store's part of an order: by lines, or an amount.",
    .run = create,
    .in = &back_in,
    .out = &refund_out,
    .shape = SHAPE_LIST,
    .status = 201,
    .replies = {REFUNDS_MADE},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND, ERR_INVALID_STATUS},
};
const struct endpoint refunds_list = {
    .name = "refund_list",
    .tag = "Selling",
    .doc = "What went back of your store's part of an order, or is on its way.",
    .run = list,
    .in = &list_query,
    .out = &refund_out,
    .shape = SHAPE_LIST,
    .replies = {REFUNDS_LIST},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};
