/*
 * From a cart, or a list of items, to an order, in one transaction: read (the cart under its lock),
 * decide in C, write.
 *
 * Stock is taken last among the writes, so that the rows that everybody wants are locked for the
 * shortest time. Two orders for the last unit meet at that row; one is refused, whole. The price is
 * the product's in this transaction: a seller's change that commits a moment later comes after the
 * order.
 */
#include "base/config.h"
#include "io/pg.h"
#include "shop/addresses.h"
#include "shop/cart.h"
#include "shop/catalog/products.h"
#include "shop/messages.h"
#include "shop/orders/orders.h"
#include "shop/outbox.h"
#include "shop/pricing.h"
#include "shop/req.h"

#include <string.h>

#define ORDER_NUMBER_LENGTH                                                                        \
    10 /* 50 random bits; at most 12 characters, M-Pesa's AccountReference */

struct item_in {
    uint64_t sent;
    struct uuid product_id;
    int64_t quantity;
};
static const struct field item_in_fields[] = {
    FIELD(struct item_in, product_id, .required = true,
          .eg = "01920000-0000-7000-8000-000000000005", .doc = "A product that is on sale"),
    FIELD(struct item_in, quantity, .required = true, .min = 1, .max = 999, .eg = "2",
          .doc = "Units"),
};
static const struct input item_in = INPUT(item_in, "OrderItemInput", NULL);

struct place_in {
    uint64_t sent;
    struct json_value shipping_address;
    struct uuid address_id;
    struct list_value items;
    const char *payment_method, *notes;
};
static const struct field place_in_fields[] = {
    FIELD(struct place_in, shipping_address, .min = 1, .max = 2000,
          .eg = "{\"street\":\"Moi Avenue 12\",\"city\":\"Nairobi\",\"country\":\"KE\"}",
          .doc =
              "A text, or an object of street, city, country and postal_code; given back as sent"),
    FIELD(struct place_in, address_id, .eg = "01920000-0000-7000-8000-000000000009",
          .doc = "One of your addresses, instead of shipping_address"),
    FIELD(struct place_in, items, .items = &item_in, .min = 1, .max = 100,
          .eg = "[{\"product_id\":\"01920000-0000-7000-8000-000000000005\",\"quantity\":2}]",
          .doc = "What to buy instead of the cart, which is then left alone"),
    FIELD(struct place_in, payment_method, .one_of = METHOD_WORDS, .eg = "cash_on_delivery",
          .doc = "One that the shop offers (mpesa and stripe: begin the payment by POST "
                 "/payments/...); default simulated in a demo shop, else required"),
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
check_items(struct input_errors *errors, const struct list_value *list)
{
    const struct item_in *items = list->items;

    for (size_t i = 0; i < list->count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (uuid_equal(items[i].product_id, items[j].product_id))
                input_reject(errors, "items", "name a product twice");
        }
    }
}

/* A text of blanks, or an object without a member. */
static bool
is_empty(const struct json_value *address)
{
    if (address->is_string)
        return address->string[strspn(address->string, " \t\r\n")] == '\0';
    return strchr(address->text, ':') == NULL;
}

static void
check_place(struct input_errors *errors, const void *body)
{
    const struct place_in *in = body;
    bool by_id = !uuid_is_nil(in->address_id);

    if (in->shipping_address.text == NULL && !by_id && !input_refused(errors, "address_id"))
        input_reject(errors, "shipping_address", "is required");
    if (in->shipping_address.text != NULL && by_id)
        input_reject(errors, "address_id", "comes instead of shipping_address, not with it");
    if (in->shipping_address.text != NULL && is_empty(&in->shipping_address))
        input_reject(errors, "shipping_address", "must not be empty");
    check_items(errors, &in->items);
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
        if (strcmp(lines[i].currency, lines[0].currency) != 0)
            return fail(ctx, ERR_VALIDATION, "items", "are priced in several currencies");
    }
    return OK;
}

static const struct product_offer *
offer_of(const struct product_offer *offers, size_t count, struct uuid product)
{
    for (size_t i = 0; i < count; i++) {
        if (uuid_equal(offers[i].product_id, product))
            return &offers[i];
    }
    return NULL;
}

/* The items of the request as lines, each with what the product costs now. */
static enum err
take_items(struct ctx *ctx, const struct list_value *list, struct cart_line **lines, size_t *count)
{
    const struct item_in *items = list->items;
    struct uuid *ids = arena_array(ctx->arena, list->count, sizeof(*ids));
    struct product_offer *offers;
    size_t found;

    for (size_t i = 0; i < list->count; i++)
        ids[i] = items[i].product_id;
    enum err e = products_offer(ctx, ids, list->count, &offers, &found);
    *lines = arena_array(ctx->arena, list->count, sizeof(**lines));
    *count = list->count;
    for (size_t i = 0; e == OK && i < list->count; i++) {
        const struct product_offer *o = offer_of(offers, found, ids[i]);
        if (o == NULL)
            return fail(ctx, ERR_VALIDATION, arena_printf(ctx->arena, "items[%zu].product_id", i),
                        "is not a known product");
        (*lines)[i] = (struct cart_line){o->product_id, o->store_id,       o->name,   o->currency,
                                         o->price,      items[i].quantity, o->on_sale};
    }
    return e;
}

static void
write_order(struct ctx *ctx, const struct place_in *in, struct uuid id, const char *address,
            const char *currency, const struct priced_order *order)
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
             ARG_TEXT(address), ARG_TEXT(in->notes),
             payment_method_expires(method) ? ARG_TIME(ctx->now_ms + conf->order_payment_ttl.ms)
                                            : ARG_NULL);
    pg_queue(ctx, ORDERS_ADD_PARTS, ARG_ID(id), ARG_IDS(stores, order->part_count),
             ARG_INTS(amounts, order->part_count), ARG_INT(conf->commission_bp));
    pg_queue(ctx, ORDERS_ADD_EVENT, ARG_ID(id), ARG_NULL, ARG_TEXT("placed"));
    messages_send_order(ctx, ctx->actor.account, TEMPLATE_ORDER_PLACED, number, order->total,
                        currency);
}

static enum err
place(struct req *rq)
{
    const struct place_in *in = rq->in;
    struct ctx *ctx = &rq->ctx;
    struct uuid id = uuid_v7(ctx->now_ms);
    const char *address = in->shipping_address.text;
    bool from_cart = in->items.count == 0;
    struct cart_line *cart;
    struct priced_order order;
    size_t n;

    enum err e = from_cart ? cart_take(ctx, &cart, &n) : take_items(ctx, &in->items, &cart, &n);
    if (e == OK)
        e = demand_sellable(ctx, cart, n);
    if (e == OK && address == NULL)
        e = addresses_for_order(ctx, in->address_id, &address);
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

    write_order(ctx, in, id, address, cart[0].currency, &order);
    pg_queue(ctx, ORDERS_ADD_LINES, ARG_ID(id), ARG_IDS(stores, n), ARG_IDS(products, n),
             ARG_TEXTS(names, n), ARG_INTS(prices, n), ARG_INTS(quantities, n));
    if (from_cart)
        cart_empty(ctx);
    outbox_add(ctx, EVENT_ORDER_CREATED, id, (struct uuid){{0}});
    products_take_stock(ctx, products, quantities, n);
    return reply_rows(rq, ORDERS_SHOW, ARG_ID(id), ARG_ID(ctx->actor.account));
}

const struct endpoint orders_place = {
    .name = "order_place",
    .tag = "Orders",
    .doc = "Buys the cart, or the items given: all or nothing. Stock is taken now.",
    .run = place,
    .in = &place_in,
    .out = &order_out,
    .status = 201,
    .replies = {ORDERS_SHOW},
    .errors = {ERR_VALIDATION, ERR_INSUFFICIENT_STOCK},
};
