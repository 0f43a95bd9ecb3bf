/*
 * Money that goes back, and money that comes late, as the order sees them; the payments' side of
 * both is shop/payments.
 *
 * What was given back is written on the lines, in money and in units, and can never be more than
 * was sold: the rule is here, the constraint behind it. A whole part that is cancelled is not
 * written there, as all of it goes back. So what an order owes follows from its rows alone
 * (orders_owed()), and whoever sends money back sends the difference.
 */
#include "base/money.h"
#include "io/pg.h"
#include "shop/catalog/products.h"
#include "shop/ledger.h"
#include "shop/orders/orders.h"
#include "shop/pricing.h"
#include "shop/stmt.h"

#include <inttypes.h>
#include <string.h>

/* A line of a part, and what of it is to go back now. */
struct kept_line {
    int64_t line_no, price, quantity, refunded, refunded_units;
};
static const struct field kept_line_fields[] = {
    FIELD(struct kept_line, line_no),        FIELD(struct kept_line, price),
    FIELD(struct kept_line, quantity),       FIELD(struct kept_line, refunded),
    FIELD(struct kept_line, refunded_units),
};
static const struct input kept_line = INPUT(kept_line, "KeptLine", NULL);

struct taken_row {
    struct uuid product_id;
    int64_t quantity;
};
static const struct field taken_row_fields[] = {
    FIELD(struct taken_row, product_id),
    FIELD(struct taken_row, quantity),
};
static const struct input taken_row = INPUT(taken_row, "ExpiredLine", NULL);

struct store_row {
    struct uuid id;
};
static const struct field store_row_fields[] = {FIELD(struct store_row, id)};
static const struct input store_row = INPUT(store_row, "RevivedPart", NULL);

static const struct uuid nobody;

/* What goes back, line by line. */
struct back {
    int64_t *lines, *units, *amounts;
    size_t count;
    int64_t sum;
};

static void
add_back(struct back *b, struct kept_line *line, int64_t units, int64_t amount)
{
    b->lines[b->count] = line->line_no;
    b->units[b->count] = units;
    b->amounts[b->count++] = amount;
    b->sum += amount;
}

static int64_t
left_of(const struct kept_line *line)
{
    return line->price * line->quantity - line->refunded;
}

/* Units of lines, at what they cost. Each line is named once: one statement writes all of them. */
static enum err
back_by_lines(struct ctx *ctx, struct kept_line *kept, size_t count,
              const struct refund_line *lines, size_t wanted, struct back *out)
{
    for (size_t i = 0; i < wanted; i++) {
        size_t k = 0;

        while (k < count && kept[k].line_no != lines[i].line_no)
            k++;
        if (k == count)
            return fail(ctx, ERR_VALIDATION, arena_printf(ctx->arena, "lines[%zu].line_no", i),
                        "is not a line of this store's part");
        for (size_t j = 0; j < i; j++) {
            if (lines[j].line_no == lines[i].line_no)
                return fail(ctx, ERR_VALIDATION, arena_printf(ctx->arena, "lines[%zu].line_no", i),
                            "stands twice");
        }
        int64_t units = kept[k].quantity - kept[k].refunded_units;
        if (lines[i].units < 1 || lines[i].units > units)
            return fail(ctx, ERR_VALIDATION, arena_printf(ctx->arena, "lines[%zu].quantity", i),
                        "must be from 1 to %" PRId64 ", what is left of the line", units);
        int64_t amount = lines[i].units * kept[k].price;
        if (amount > left_of(&kept[k]))
            return fail(ctx, ERR_VALIDATION, arena_printf(ctx->arena, "lines[%zu].quantity", i),
                        "costs more than what is left of the line's money");
        add_back(out, &kept[k], lines[i].units, amount);
    }
    return OK;
}

/* An amount, from the lines in order. */
static enum err
back_by_amount(struct ctx *ctx, const struct order *o, struct kept_line *kept, size_t count,
               int64_t amount, struct back *out)
{
    int64_t left = 0;
    char text[MONEY_TEXT_SIZE];

    for (size_t i = 0; i < count; i++)
        left += left_of(&kept[i]);
    if (amount < 1 || amount > left)
        return fail(ctx, ERR_VALIDATION, "amount",
                    "must be more than 0 and at most %s, what is left",
                    money_text(left, o->currency, text));
    for (size_t i = 0; i < count && amount > 0; i++) {
        int64_t piece = left_of(&kept[i]) < amount ? left_of(&kept[i]) : amount;

        if (piece == 0)
            continue;
        add_back(out, &kept[i], 0, piece);
        amount -= piece;
    }
    return OK;
}

/* The store gives back its share, we give back ours: the fee is that of what is kept. */
static enum err
book_refunded(struct ctx *ctx, const struct order *o, const struct order_part *part, int64_t back)
{
    int64_t kept = part->amount - part->refunded;
    int64_t fee = pricing_commission_back(kept, back, part->commission_bp);
    const struct ledger_entry entries[] = {
        {LEDGER_STORE_PAYABLE, back - fee},
        {LEDGER_COMMISSION, fee},
        {LEDGER_BUYER_FUNDS, -back},
    };

    return ledger_book(ctx,
                       &(struct ledger_booking){.kind = LEDGER_PART_REFUNDED,
                                                .subject = uuid_v7(ctx->now_ms),
                                                .order = o->id,
                                                .store = part->store_id,
                                                .currency = o->currency,
                                                .entries = entries,
                                                .count = sizeof(entries) / sizeof(entries[0])});
}

static enum err
demand_paid(struct ctx *ctx, const struct order *o, const struct order_part *part)
{
    if (o->method == METHOD_CASH_ON_DELIVERY)
        return fail(ctx, ERR_INVALID_STATUS, "status",
                    "the order was paid in cash, which the store gives back in cash");
    if (part->status == PART_CANCELLED)
        return fail(ctx, ERR_INVALID_STATUS, "status",
                    "the part is cancelled: all of it goes back already");
    if (part->status == PART_PENDING || strcmp(o->payment_status, "unpaid") == 0)
        return fail(ctx, ERR_INVALID_STATUS, "status", "the part has not been paid");
    return OK;
}

enum err
orders_give_back(struct ctx *ctx, struct order *o, struct uuid store,
                 const struct refund_line *lines, size_t count, int64_t amount, int64_t *given)
{
    struct kept_line *kept;
    struct back back = {0};
    size_t n, mine = 0;

    *given = 0;
    while (mine < o->part_count && !uuid_equal(o->parts[mine].store_id, store))
        mine++;
    if (mine == o->part_count)
        return ERR_NOT_FOUND;
    struct order_part *part = &o->parts[mine];
    enum err e = demand_paid(ctx, o, part);
    if (e == OK)
        e = pg_all(ctx, ORDERS_LINES_KEPT, &kept_line, &kept, &n, ARG_ID(o->id), ARG_ID(store));
    if (e != OK)
        return e;
    back.lines = arena_array(ctx->arena, n, sizeof(*back.lines));
    back.units = arena_array(ctx->arena, n, sizeof(*back.units));
    back.amounts = arena_array(ctx->arena, n, sizeof(*back.amounts));
    e = count > 0 ? back_by_lines(ctx, kept, n, lines, count, &back)
                  : back_by_amount(ctx, o, kept, n, amount, &back);
    if (e == OK)
        e = pg_run(ctx, ORDERS_GIVE_BACK, ARG_ID(o->id), ARG_INTS(back.lines, back.count),
                   ARG_INTS(back.units, back.count), ARG_INTS(back.amounts, back.count));
    if (e == OK && part->status == PART_COMPLETED)
        e = book_refunded(ctx, o, part, back.sum);
    if (e != OK)
        return e;
    part->refunded += back.sum;
    *given = back.sum;
    return OK;
}

int64_t
orders_owed(const struct order *o)
{
    int64_t sum = 0;

    for (size_t i = 0; i < o->part_count; i++) {
        if (o->parts[i].status != PART_CANCELLED)
            sum += o->parts[i].amount - o->parts[i].refunded;
    }
    return sum;
}

int64_t
orders_owed_revived(const struct order *o)
{
    int64_t sum = 0;

    if (o->status != PART_CANCELLED || o->cancel_reason == NULL ||
        strcmp(o->cancel_reason, "expired") != 0)
        return 0;
    for (size_t i = 0; i < o->part_count; i++) {
        if (o->parts[i].expired)
            sum += o->parts[i].amount - o->parts[i].refunded;
    }
    return sum;
}

/* Takes again what expiry gave back: all of it, or none and *taken is false. */
static enum err
take_again(struct ctx *ctx, const struct order *o, bool *taken)
{
    struct taken_row *rows;
    size_t count;

    *taken = false;
    enum err e = pg_all(ctx, ORDERS_EXPIRED_LINES, &taken_row, &rows, &count, ARG_ID(o->id));
    if (e != OK || count == 0)
        return e;
    struct uuid *products = arena_array(ctx->arena, count, sizeof(*products));
    int64_t *quantities = arena_array(ctx->arena, count, sizeof(*quantities));
    for (size_t i = 0; i < count; i++) {
        products[i] = rows[i].product_id;
        quantities[i] = rows[i].quantity;
    }
    e = products_try_stock(ctx, products, quantities, count, taken);
    return e == OK && *taken ? pg_run(ctx, ORDERS_RETAKE_LINES, ARG_ID(o->id)) : e;
}

static void
set_pending(struct order *o, struct uuid store)
{
    for (size_t i = 0; i < o->part_count; i++) {
        if (!uuid_equal(o->parts[i].store_id, store))
            continue;
        o->parts[i].status = PART_PENDING;
        o->parts[i].expired = false;
    }
}

enum err
orders_revive(struct ctx *ctx, struct order *o, bool *revived)
{
    struct store_row *stores;
    size_t count;

    *revived = false;
    if (orders_owed_revived(o) == 0)
        return OK;
    enum err e = take_again(ctx, o, revived);
    if (e != OK || !*revived)
        return e;
    e = pg_all(ctx, ORDERS_REVIVE_PARTS, &store_row, &stores, &count, ARG_ID(o->id));
    for (size_t i = 0; e == OK && i < count; i++)
        set_pending(o, stores[i].id);
    if (e != OK)
        return e;
    o->status = PART_PENDING;
    o->cancel_reason = NULL;
    pg_queue(ctx, ORDERS_ADD_EVENT, ARG_ID(o->id), ARG_ID_OR_NULL(nobody), ARG_TEXT("revived"));
    return pg_run(ctx, ORDERS_SET_STATUS, ARG_ID(o->id), ARG_TEXT(part_status_name(o->status)),
                  ARG_NULL);
}
