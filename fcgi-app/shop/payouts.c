/*
 * A balance is the sum of the store's entries, and a statement is their list: neither is kept
 * anywhere else, so neither can disagree with the ledger. What is still to come is not booked yet;
 * it is reckoned from the parts that are paid and on their way.
 */
#include "shop/payouts.h"
#include "base/config.h"
#include "shop/req.h"
#include "shop/stores.h"

struct balance_query {
    uint64_t sent;
    struct uuid store_id;
};
static const struct field balance_query_fields[] = {
    FIELD(struct balance_query, store_id, .eg = "01920000-0000-7000-8000-000000000002",
          .doc = "Whose; for administrators, a seller's own is implied"),
};
static const struct input balance_query = INPUT(balance_query, "BalanceQuery", NULL);

struct statement_query {
    uint64_t sent;
    int64_t page, per_page;
    const char *cursor;
    const char *from, *until;
    struct uuid store_id;
};
static const struct field statement_query_fields[] = {
    PAGE_FIELDS(struct statement_query),
    FIELD(struct statement_query, cursor, .max = 1024, .eg = "",
          .doc = "next_cursor of the page before, with the same filters; instead of page"),
    FIELD(struct statement_query, from, .format = FORMAT_TIME, .eg = "2026-02-01",
          .doc = "Booked then or later"),
    FIELD(struct statement_query, until, .format = FORMAT_TIME, .eg = "2026-03-01",
          .doc = "Booked before"),
    FIELD(struct statement_query, store_id, .eg = "01920000-0000-7000-8000-000000000002",
          .doc = "Whose; for administrators, a seller's own is implied"),
};
static const struct input statement_query = INPUT(statement_query, "StatementQuery", NULL);

static const struct out_field in_currency_fields[] = {
    {"currency", OUT_TEXT, .eg = "KES", .doc = "ISO 4217"},
    {"available", OUT_MONEY, .eg = "1555.5",
     .doc = "What we owe the store; negative: commission on cash sales that it owes us"},
    {"pending", OUT_MONEY, .eg = "915",
     .doc = "What parts that are paid, and not completed yet, will bring, commission taken off"},
};
static const struct output in_currency_out = OUTPUT(in_currency_fields, "BalanceInCurrency");

static const struct out_field balance_fields[] = {
    {"store_id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000002", .doc = "Whose"},
    {"commission_bp", OUT_INT, .eg = "850",
     .doc = "What the next sale will be charged, in hundredths of a percent"},
    {"balances", OUT_LIST, .of = &in_currency_out, .doc = "One for each currency sold in"},
};
static const struct output balance_out = OUTPUT(balance_fields, "SellerBalance");

static const struct out_field statement_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-00000000000d", .doc = "The ledger's transaction"},
    {"booked_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When"},
    {"kind", OUT_TEXT, .one_of = "part_completed|cash_part_completed|part_refunded",
     .eg = "part_completed",
     .doc = "A sale that completed; one paid in cash, of which you owe the commission; money given "
            "back of a completed sale"},
    {"order_id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000006", .doc = "Of which order"},
    {"order_number", OUT_TEXT, .eg = "7H2K9QXW4M", .doc = "For people"},
    {"amount", OUT_MONEY, .eg = "1555.5", .doc = "To you; negative: from you"},
    {"commission", OUT_MONEY, .eg = "144.5", .doc = "Taken off; negative: given back"},
    {"currency", OUT_TEXT, .eg = "KES", .doc = "ISO 4217"},
};
static const struct output statement_out = OUTPUT(statement_fields, "StatementLine");

static enum err
balance(struct req *rq)
{
    const struct balance_query *in = rq->in;
    struct uuid store;

    enum err e = stores_of_actor(&rq->ctx, in->store_id, &store);
    return e != OK ? e
                   : reply_rows(rq, PAYOUTS_BALANCE, ARG_ID(store), ARG_INT(conf->commission_bp));
}

static enum err
statement(struct req *rq)
{
    const struct statement_query *in = rq->in;
    struct uuid store;

    rq->paging.cursor = in->cursor;
    enum err e = stores_of_actor(&rq->ctx, in->store_id, &store);
    return e != OK ? e
                   : reply_keyed_page(rq, PAYOUTS_STATEMENT, PAYOUTS_STATEMENT_COUNT, ARG_ID(store),
                                      req_time(in->from), req_time(in->until));
}

const struct endpoint payouts_balance = {
    .name = "seller_balance",
    .tag = "Selling",
    .doc = "What your store has earned, and what is still to come.",
    .run = balance,
    .in = &balance_query,
    .out = &balance_out,
    .replies = {PAYOUTS_BALANCE},
    .errors = {ERR_VALIDATION},
};
const struct endpoint payouts_statement = {
    .name = "seller_statement",
    .tag = "Selling",
    .doc = "What was booked for your store, newest first.",
    .run = statement,
    .in = &statement_query,
    .out = &statement_out,
    .shape = SHAPE_PAGE,
    .replies = {PAYOUTS_STATEMENT},
    .errors = {ERR_VALIDATION},
};
