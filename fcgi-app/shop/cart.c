/*
 * Every change first writes the cart's own row, which makes changes of one cart take turns; the
 * statement after it sees what the lock protects. Prices and stock are shown as they are now, next
 * to the price at which a thing was put in.
 */
#include "shop/cart.h"
#include "io/pg.h"
#include "shop/req.h"

struct cart_item_in {
    uint64_t sent;
    struct uuid product_id;
    int64_t quantity;
};
static const struct field cart_item_in_fields[] = {
    FIELD(struct cart_item_in, product_id, .required = true,
          .eg = "01920000-0000-7000-8000-000000000005", .doc = "A product that is on sale"),
    FIELD(struct cart_item_in, quantity, .required = true, .min = 1, .max = 999, .eg = "2",
          .doc = "Units to add; summed with what the cart holds"),
};
static const struct input cart_item_in = INPUT(cart_item_in, "CartItemInput", NULL);

struct cart_quantity_in {
    uint64_t sent;
    int64_t quantity;
};
static const struct field cart_quantity_in_fields[] = {
    FIELD(struct cart_quantity_in, quantity, .required = true, .min = 1, .max = 999, .eg = "3",
          .doc = "Units that the cart shall hold"),
};
static const struct input cart_quantity_in = INPUT(cart_quantity_in, "CartQuantityInput", NULL);

static const struct field cart_line_fields[] = {
    FIELD(struct cart_line, product_id), FIELD(struct cart_line, store_id),
    FIELD(struct cart_line, name),       FIELD(struct cart_line, currency),
    FIELD(struct cart_line, price),      FIELD(struct cart_line, quantity),
    FIELD(struct cart_line, on_sale),
};
static const struct input cart_line = INPUT(cart_line, "CartLine", NULL);

static const struct out_field item_fields[] = {
    {"product_id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000005", .doc = "The product"},
    {"name", OUT_TEXT, .eg = "Weep Not, Child", .doc = "Its name"},
    {"price", OUT_MONEY, .eg = "850", .doc = "Of one, now"},
    {"added_price", OUT_MONEY, .eg = "800", .doc = "Of one, when it was added last"},
    {"quantity", OUT_INT, .eg = "2", .doc = "Units in the cart"},
    {"subtotal", OUT_MONEY, .eg = "1700", .doc = "Of this line, now"},
    {"image_url", OUT_TEXT, .nullable = true, .eg = "/media/ab12.jpg", .doc = "A picture"},
    {"available", OUT_INT, .eg = "20", .doc = "Units for sale now; 0 if it is no longer sold"},
};
static const struct output item_out = OUTPUT(item_fields, "CartItem");

static const struct out_field cart_fields[] = {
    {"items", OUT_LIST, .of = &item_out, .doc = "In the order in which they were added"},
    {"item_count", OUT_INT, .eg = "2", .doc = "Units, all together"},
    {"total_amount", OUT_MONEY, .eg = "1700", .doc = "At the prices of now"},
    {"currency", OUT_TEXT, .eg = "KES", .doc = "One cart has one currency"},
    {"updated_at", OUT_TIME, .nullable = true, .eg = "2026-02-20T10:00:00Z",
     .doc = "When it was changed last; null if never"},
};
static const struct output cart_out = OUTPUT(cart_fields, "Cart");

static enum err
reply_cart(struct req *rq)
{
    return reply_rows(rq, CART_SHOW, ARG_ID(rq->ctx.actor.account));
}

static enum err
add_item(struct req *rq)
{
    const struct cart_item_in *in = rq->in;
    struct uuid me = rq->ctx.actor.account;

    pg_queue(&rq->ctx, CART_TOUCH, ARG_ID(me));
    enum err e =
        pg_run(&rq->ctx, CART_ADD_ITEM, ARG_ID(me), ARG_ID(in->product_id), ARG_INT(in->quantity));
    return e != OK ? e : reply_cart(rq);
}

static enum err
set_item(struct req *rq)
{
    const struct cart_quantity_in *in = rq->in;
    struct uuid me = rq->ctx.actor.account;

    pg_queue(&rq->ctx, CART_TOUCH, ARG_ID(me));
    enum err e =
        pg_run(&rq->ctx, CART_SET_ITEM, ARG_ID(me), ARG_ID(rq->ids[0]), ARG_INT(in->quantity));
    return e != OK ? e : reply_cart(rq);
}

static enum err
remove_item(struct req *rq)
{
    struct uuid me = rq->ctx.actor.account;

    pg_queue(&rq->ctx, CART_TOUCH, ARG_ID(me));
    enum err e = pg_run(&rq->ctx, CART_REMOVE_ITEM, ARG_ID(me), ARG_ID(rq->ids[0]));
    return e != OK ? e : reply_cart(rq);
}

static enum err
clear(struct req *rq)
{
    pg_queue(&rq->ctx, CART_TOUCH, ARG_ID(rq->ctx.actor.account));
    enum err e = pg_touch(&rq->ctx, CART_CLEAR, NULL, ARG_ID(rq->ctx.actor.account));
    return e != OK ? e : reply_cart(rq);
}

const struct endpoint cart_show = {
    .name = "cart_show",
    .tag = "Cart",
    .doc = "Your cart, at the prices of now.",
    .run = reply_cart,
    .out = &cart_out,
    .replies = {CART_SHOW},
};
const struct endpoint cart_clear = {
    .name = "cart_clear",
    .tag = "Cart",
    .doc = "Empties your cart.",
    .run = clear,
    .out = &cart_out,
    .replies = {CART_SHOW},
};
const struct endpoint cart_add_item = {
    .name = "cart_add_item",
    .tag = "Cart",
    .doc = "Adds units of a product.",
    .run = add_item,
    .in = &cart_item_in,
    .out = &cart_out,
    .replies = {CART_SHOW},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND, ERR_CONFLICT, ERR_INSUFFICIENT_STOCK},
};
const struct endpoint cart_set_item = {
    .name = "cart_set_item",
    .tag = "Cart",
    .doc = "Sets the quantity of a product in the cart.",
    .run = set_item,
    .in = &cart_quantity_in,
    .out = &cart_out,
    .replies = {CART_SHOW},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND, ERR_INSUFFICIENT_STOCK},
};
const struct endpoint cart_remove_item = {
    .name = "cart_remove_item",
    .tag = "Cart",
    .doc = "Takes a product out of the cart.",
    .run = remove_item,
    .out = &cart_out,
    .replies = {CART_SHOW},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};

enum err
cart_take(struct ctx *ctx, struct cart_line **lines, size_t *count)
{
    pg_queue(ctx, CART_LOCK, ARG_ID(ctx->actor.account));
    return pg_all(ctx, CART_LINES, &cart_line, lines, count, ARG_ID(ctx->actor.account));
}

void
cart_empty(struct ctx *ctx)
{
    pg_queue(ctx, CART_CLEAR, ARG_ID(ctx->actor.account));
}
