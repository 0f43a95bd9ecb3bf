/*
 * What a buyer sees of his payments: without the secret, the phone masked. Whose they are is in the
 * statements' WHERE.
 */
#include "io/pg.h"
#include "shop/payments/payments.h"
#include "shop/req.h"

struct owned {
    struct uuid id;
};
static const struct field owned_fields[] = {FIELD(struct owned, id)};
static const struct input owned = INPUT(owned, "OwnedOrder", NULL);

static const struct out_field payment_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000007", .doc = "The payment"},
    {"order_id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000006", .doc = "What it pays"},
    {"provider", OUT_TEXT, .one_of = PROVIDER_WORDS, .eg = "mpesa", .doc = "Who takes the money"},
    {"status", OUT_TEXT, .one_of = PAYMENT_WORDS, .eg = "succeeded", .doc = "How far it is"},
    {"amount", OUT_MONEY, .eg = "1699.5", .doc = "What is to be paid"},
    {"asked", OUT_MONEY, .eg = "1700", .doc = "What the provider was asked for"},
    {"received", OUT_MONEY, .nullable = true, .eg = "1700",
     .doc = "What has come; null: nothing yet"},
    {"refunded", OUT_MONEY, .eg = "0", .doc = "What was given back"},
    {"currency", OUT_TEXT, .eg = "KES", .doc = "ISO 4217"},
    {"receipt", OUT_TEXT, .nullable = true, .eg = "THC9YIBI4J", .doc = "The provider's receipt"},
    {"phone", OUT_TEXT, .nullable = true, .eg = "+254712***678", .doc = "M-Pesa: whose, masked"},
    {"failure", OUT_TEXT, .nullable = true, .eg = "1032",
     .doc = "The provider's code for what went wrong last"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was begun"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it changed last"},
};
static const struct output payment_out = OUTPUT(payment_fields, "Payment");

static enum err
show(struct req *rq)
{
    return reply_rows(rq, PAYMENTS_SHOW, ARG_ID(rq->ids[0]), ARG_ID(rq->ctx.actor.account));
}

static enum err
of_order(struct req *rq)
{
    struct owned row;
    struct uuid me = rq->ctx.actor.account;

    enum err e =
        pg_one(&rq->ctx, PAYMENTS_OWNS_ORDER, &owned, &row, ARG_ID(rq->ids[0]), ARG_ID(me));
    return e != OK ? e : reply_list(rq, PAYMENTS_OF_ORDER, ARG_ID(rq->ids[0]), ARG_ID(me));
}

const struct endpoint payments_show = {
    .name = "payment_show",
    .tag = "Payments",
    .doc = "One of your payments.",
    .run = show,
    .out = &payment_out,
    .replies = {PAYMENTS_SHOW},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};
const struct endpoint payments_of_order = {
    .name = "payment_list_of_order",
    .tag = "Payments",
    .doc = "All payments of one of your orders, newest first.",
    .run = of_order,
    .out = &payment_out,
    .shape = SHAPE_LIST,
    .replies = {PAYMENTS_OF_ORDER},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};
