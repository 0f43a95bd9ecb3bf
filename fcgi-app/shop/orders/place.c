/*
 * From a cart to an order, in one transaction: read the cart under its lock, decide in C, write.
 *
 * Stock is taken last among the writes, so that the rows that everybody wants are locked for the
 * shortest time. Two orders for the last unit meet at that row; one is refused, whole. The price is
 * the product's in this transaction: a seller's change that commits a moment later comes after the
 * order.
 */
#include "base/config.h"
#include "io/pg.h"
#include "shop/cart.h"
#include "shop/catalog/products.h"
#include "shop/orders/orders.h"
#include "shop/outbox.h"
#include "shop/pricing.h"
#include "shop/req.h"

#include <string.h>

#define ORDER_NUMBER_LENGTH                                                                        \
    10 /* 50 random bits; at most 12 characters, M-Pesa's AccountReference */

struct place_in {
    uint64_t sent;
    struct json_value shipping_address;
    const char *payment_method, *notes;
};
static const struct field place_in_fields[] = {
    FIELD(struct place_in, shipping_address, .required = true, .max = 2000,
          .eg = "{\"street\":\"Moi Avenue 12\",\"city\":\"Nairobi\",\"country\":\"KE\"}",
          .doc =
              "A text, or an object of street, city, country and postal_code; given back as sent"),
    FIELD(struct place_in, payment_method, .one_of = "mpesa|stripe|cash_on_delivery|simulated",
          .eg = "cash_on_delivery",
          .doc = "One that the shop offers; default simulated in a demo shop, else required"),
    FIELD(struct place_in, notes, .max = 1000, .eg = "Ring twice", .doc = "For the sellers"),
};

static enum payment_method
method_of(const struct place_in *in)
{
    enum payment_method m = METHOD_SIMULATED;

    payment_method_parse(in->payment_method, &m);
    return m;
}

static void
check_place(struct input_errors *errors, const void *body)
{
    const struct place_in *in = body;

    if (in->shipping_address.text != NULL && strpbrk(in->shipping_address.text, ":") == NULL &&
        !in->shipping_address.is_string)
        input_reject(errors, "shipping_address", "must not be empty");
    if (input_refused(errors, "payment_method"))
        return;
    if (in->payment_method == NULL && !config_is_demo())
        input_reject(errors, "payment_method", "is required");
    else if (!payment_method_offered(method_of(in)))
        input_reject(errors, "payment_method", "is not offered by this shop");
}
static const struct input place_in = INPUT(place_in, "OrderInput", check_place);

/* What is asked for that is no longer sold is as short as what is sold out. */
static enum err
refuse_unsold(struct ctx *ctx, const struct cart_line *line)
{
    char id[UUID_TEXT_SIZE];
    const char *details = arena_printf(ctx->arena, "{\"product_id\":\"%s\",\"available\":0}",
                                       uuid_text(line->product_id, id));

    return problems_add(ctx->arena, &ctx->problems, ERR_INSUFFICIENT_STOCK, NULL, details,
                        "%s is no longer sold", line->name);
}

static enum err
demand_sellable(struct ctx *ctx, const struct cart_line *lines, size_t count)
{
    if (count == 0)
        return fail(ctx, ERR_VALIDATION, "items", "the cart is empty");
    for (size_t i = 0; i < count; i++) {
        if (!lines[i].on_sale)
            return refuse_unsold(ctx, &lines[i]);
    }
    return OK;
}

static void
write_order(struct ctx *ctx, const struct place_in *in, struct uuid id, const char *currency,
            const struct priced_order *order)
{
    enum payment_method method = method_of(in);
    char number[ORDER_NUMBER_LENGTH + 1];
    struct uuid *stores = arena_array(ctx->arena, order->part_count, sizeof(*stores));
    int64_t *amounts = arena_array(ctx->arena, order->part_count, sizeof(*amounts));

    random_base32(number, ORDER_NUMBER_LENGTH);
    for (size_t i = 0; i < order->part_count; i++) {
        stores[i] = order->parts[i].store;
        amounts[i] = order->parts[i].amount;
    }
    pg_queue(ctx, ORDERS_ADD, ARG_ID(id), ARG_TEXT(number), ARG_ID(ctx->actor.account),
             ARG_TEXT(payment_method_name(method)), ARG_TEXT(currency), ARG_INT(order->total),
             ARG_TEXT(in->shipping_address.text), ARG_TEXT(in->notes),
             payment_method_expires(method) ? ARG_TIME(ctx->now_ms + conf->order_payment_ttl.ms)
                                            : ARG_NULL);
    pg_queue(ctx, ORDERS_ADD_PARTS, ARG_ID(id), ARG_IDS(stores, order->part_count),
             ARG_INTS(amounts, order->part_count));
    pg_queue(ctx, ORDERS_ADD_EVENT, ARG_ID(id), ARG_NULL, ARG_TEXT("placed"));
}

static enum err
place(struct req *rq)
{
    struct ctx *ctx = &rq->ctx;
    struct uuid id = uuid_v7(ctx->now_ms);
    struct cart_line *cart;
    struct priced_order order;
    size_t n;

    enum err e = cart_take(ctx, &cart, &n);
    if (e == OK)
        e = demand_sellable(ctx, cart, n);
    if (e != OK)
        return e;

    struct priced_line *lines = arena_array(ctx->arena, n, sizeof(*lines));
    struct uuid *stores = arena_array(ctx->arena, n, sizeof(*stores));
    struct uuid *products = arena_array(ctx->arena, n, sizeof(*products));
    const char **names = arena_array(ctx->arena, n, sizeof(*names));
    int64_t *prices = arena_array(ctx->arena, n, sizeof(*prices));
    int64_t *quantities = arena_array(ctx->arena, n, sizeof(*quantities));
    for (size_t i = 0; i < n; i++) {
        lines[i] = (struct priced_line){cart[i].product_id, cart[i].store_id, cart[i].price,
                                        cart[i].quantity};
        stores[i] = cart[i].store_id;
        products[i] = cart[i].product_id;
        names[i] = cart[i].name;
        prices[i] = cart[i].price;
        quantities[i] = cart[i].quantity;
    }
    if (!pricing_sum(ctx->arena, lines, n, &order))
        return fail(ctx, ERR_VALIDATION, "items", "the total is larger than an order may be");

    write_order(ctx, rq->in, id, cart[0].currency, &order);
    pg_queue(ctx, ORDERS_ADD_LINES, ARG_ID(id), ARG_IDS(stores, n), ARG_IDS(products, n),
             ARG_TEXTS(names, n), ARG_INTS(prices, n), ARG_INTS(quantities, n));
    cart_empty(ctx);
    outbox_add(ctx, EVENT_ORDER_CREATED, id, (struct uuid){{0}});
    products_take_stock(ctx, products, quantities, n);
    return reply_rows(rq, ORDERS_SHOW, ARG_ID(id), ARG_ID(ctx->actor.account));
}

const struct endpoint orders_place = {
    .name = "order_place",
    .tag = "Orders",
    .doc = "Buys what is in the cart: all of it or nothing. Stock is taken now.",
    .run = place,
    .in = &place_in,
    .out = &order_out,
    .status = 201,
    .replies = {ORDERS_SHOW},
    .errors = {ERR_VALIDATION, ERR_INSUFFICIENT_STOCK},
};
