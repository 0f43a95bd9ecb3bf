/*
 * Every cell of the order's state machine: from x to x mover x payment method, against a picture
 * that was drawn from API.md, not from the table under test.
 */
#include "base/config.h"
#include "shop/orders/rules.h"

#include "unit.h"

#include <stdio.h>

#define MOVERS (MOVER_EXPIRY + 1)

static const char *const movers[MOVERS] = {
    [MOVER_PAYMENT] = "payment",
    [MOVER_SELLER] = "seller",
    [MOVER_BUYER] = "buyer",
    [MOVER_EXPIRY] = "expiry",
};

/* A line a state that is left, a column a state that is reached: pending, paid, processing,
 * shipping, shipped, completed, cancelled. */
struct picture {
    enum mover mover;
    const char *prepaid[PART__COUNT]; /* simulated, mpesa, stripe */
    const char *cash[PART__COUNT];
};

/* clang-format off */
static const struct picture pictures[MOVERS] = {
    {MOVER_PAYMENT,
     /*                    prepaid      cash on delivery */
     {[PART_PENDING]    = ". X . . . . .",
      [PART_PAID]       = ". . . . . . .",
      [PART_PROCESSING] = ". . . . . . .",
      [PART_SHIPPING]   = ". . . . . . .",
      [PART_SHIPPED]    = ". . . . . . .",
      [PART_COMPLETED]  = ". . . . . . .",
      [PART_CANCELLED]  = ". . . . . . ."},
     {[PART_PENDING]    = ". . . . . . .",
      [PART_PAID]       = ". . . . . . .",
      [PART_PROCESSING] = ". . . . . . .",
      [PART_SHIPPING]   = ". . . . . . .",
      [PART_SHIPPED]    = ". . . . . . .",
      [PART_COMPLETED]  = ". . . . . . .",
      [PART_CANCELLED]  = ". . . . . . ."}},
    {MOVER_SELLER,
     {[PART_PENDING]    = ". . . . . . X",
      [PART_PAID]       = ". . X . . . X",
      [PART_PROCESSING] = ". . . X . . X",
      [PART_SHIPPING]   = ". . . . X . .",
      [PART_SHIPPED]    = ". . . . . X .",
      [PART_COMPLETED]  = ". . . . . . .",
      [PART_CANCELLED]  = ". . . . . . ."},
     {[PART_PENDING]    = ". . X . . . X",
      [PART_PAID]       = ". . . . . . X",
      [PART_PROCESSING] = ". . . X . . X",
      [PART_SHIPPING]   = ". . . . X . .",
      [PART_SHIPPED]    = ". . . . . X .",
      [PART_COMPLETED]  = ". . . . . . .",
      [PART_CANCELLED]  = ". . . . . . ."}},
    {MOVER_BUYER,
     {[PART_PENDING]    = ". . . . . . X",
      [PART_PAID]       = ". . . . . . X",
      [PART_PROCESSING] = ". . . . . . X",
      [PART_SHIPPING]   = ". . . . . . .",
      [PART_SHIPPED]    = ". . . . . . .",
      [PART_COMPLETED]  = ". . . . . . .",
      [PART_CANCELLED]  = ". . . . . . ."},
     {[PART_PENDING]    = ". . . . . . X",
      [PART_PAID]       = ". . . . . . X",
      [PART_PROCESSING] = ". . . . . . X",
      [PART_SHIPPING]   = ". . . . . . .",
      [PART_SHIPPED]    = ". . . . . . .",
      [PART_COMPLETED]  = ". . . . . . .",
      [PART_CANCELLED]  = ". . . . . . ."}},
    {MOVER_EXPIRY,
     {[PART_PENDING]    = ". . . . . . X",
      [PART_PAID]       = ". . . . . . .",
      [PART_PROCESSING] = ". . . . . . .",
      [PART_SHIPPING]   = ". . . . . . .",
      [PART_SHIPPED]    = ". . . . . . .",
      [PART_COMPLETED]  = ". . . . . . .",
      [PART_CANCELLED]  = ". . . . . . ."},
     {[PART_PENDING]    = ". . . . . . .",
      [PART_PAID]       = ". . . . . . .",
      [PART_PROCESSING] = ". . . . . . .",
      [PART_SHIPPING]   = ". . . . . . .",
      [PART_SHIPPED]    = ". . . . . . .",
      [PART_COMPLETED]  = ". . . . . . .",
      [PART_CANCELLED]  = ". . . . . . ."}},
};
/* clang-format on */

START_TEST(test_every_cell)
{
    const struct picture *p = &pictures[_i];
    int cells = 0;

    ck_assert_int_eq((int)p->mover, _i);
    for (enum payment_method m = 0; m < METHOD__COUNT; m++) {
        const char *const *lines = m == METHOD_CASH_ON_DELIVERY ? p->cash : p->prepaid;

        for (enum part_status from = 0; from < PART__COUNT; from++) {
            ck_assert_uint_eq(strlen(lines[from]), 2 * (size_t)PART__COUNT - 1);
            for (enum part_status to = 0; to < PART__COUNT; to++, cells++) {
                bool want = lines[from][2 * (size_t)to] == 'X';

                ck_assert_msg(part_may_move(from, to, p->mover, m) == want,
                              "%s: %s -> %s by %s must%s be allowed", payment_method_name(m),
                              part_status_name(from), part_status_name(to), movers[_i],
                              want ? "" : " not");
            }
        }
    }
    ck_assert_int_eq(cells, METHOD__COUNT * PART__COUNT * PART__COUNT);
}
END_TEST

START_TEST(test_order_follows_its_parts)
{
    static const struct {
        const char *label;
        enum part_status parts[4];
        size_t count;
        enum part_status want;
    } rows[] = {
        {"one, new", {PART_PENDING}, 1, PART_PENDING},
        {"one, done", {PART_COMPLETED}, 1, PART_COMPLETED},
        {"one, cancelled", {PART_CANCELLED}, 1, PART_CANCELLED},
        {"all cancelled", {PART_CANCELLED, PART_CANCELLED}, 2, PART_CANCELLED},
        {"the least counts", {PART_SHIPPED, PART_PAID}, 2, PART_PAID},
        {"in either sequence", {PART_PAID, PART_SHIPPED}, 2, PART_PAID},
        {"cancelled ones do not", {PART_CANCELLED, PART_SHIPPING}, 2, PART_SHIPPING},
        {"even the first of all", {PART_SHIPPING, PART_CANCELLED, PART_SHIPPED}, 3, PART_SHIPPING},
        {"one still pending", {PART_PAID, PART_PENDING, PART_PAID}, 3, PART_PENDING},
        {"the last live one completes",
         {PART_CANCELLED, PART_COMPLETED, PART_COMPLETED, PART_CANCELLED},
         4,
         PART_COMPLETED},
        {"between all steps",
         {PART_COMPLETED, PART_SHIPPED, PART_SHIPPING, PART_PROCESSING},
         4,
         PART_PROCESSING},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ASSERT_TEXT(part_status_name(order_status_of(rows[i].parts, rows[i].count)),
                    part_status_name(rows[i].want), rows[i].label);
}
END_TEST

START_TEST(test_words)
{
    static const char *const statuses[PART__COUNT] = {
        "pending", "paid", "processing", "shipping", "shipped", "completed", "cancelled"};
    static const char *const methods[METHOD__COUNT] = {
        [METHOD_SIMULATED] = "simulated",
        [METHOD_CASH_ON_DELIVERY] = "cash_on_delivery",
        [METHOD_MPESA] = "mpesa",
        [METHOD_STRIPE] = "stripe",
    };
    static const char *const strangers[] = {NULL,       "",     "Paid",   "paid ",
                                            "refunded", "cash", "unknown"};

    for (enum part_status s = 0; s < PART__COUNT; s++) {
        enum part_status back = PART__COUNT;

        ASSERT_TEXT(part_status_name(s), statuses[s], "status");
        ck_assert(part_status_parse(statuses[s], &back) && back == s);
    }
    for (enum payment_method m = 0; m < METHOD__COUNT; m++) {
        enum payment_method back = METHOD__COUNT;

        ASSERT_TEXT(payment_method_name(m), methods[m], "method");
        ck_assert(payment_method_parse(methods[m], &back) && back == m);
    }
    for (size_t i = 0; i < COUNT_OF(strangers); i++) {
        enum part_status s = PART__COUNT;
        enum payment_method m = METHOD__COUNT;

        ck_assert(!part_status_parse(strangers[i], &s) && s == PART__COUNT);
        ck_assert(!payment_method_parse(strangers[i], &m) && m == METHOD__COUNT);
    }
}
END_TEST

/* What a shop offers follows from its settings; what expires does not. */
START_TEST(test_methods)
{
    static const struct {
        const char *env, *keys; /* "s": Stripe's; "m": M-Pesa's */
        enum payment_method method;
        bool offered, expires;
    } rows[] = {
        {"demo", "", METHOD_SIMULATED, true, true},
        {"demo", "", METHOD_CASH_ON_DELIVERY, true, false},
        {"demo", "", METHOD_MPESA, false, true},
        {"demo", "", METHOD_STRIPE, false, true},
        {"production", "sm", METHOD_SIMULATED, false, true},
        {"production", "sm", METHOD_CASH_ON_DELIVERY, true, false},
        {"production", "", METHOD_MPESA, false, true},
        {"production", "", METHOD_STRIPE, false, true},
        {"production", "s", METHOD_MPESA, false, true},
        {"production", "s", METHOD_STRIPE, true, true},
        {"production", "m", METHOD_MPESA, true, true},
        {"production", "m", METHOD_STRIPE, false, true},
    };

    setenv("DATABASE_URL", "dbname=soko", 1);
    setenv("TOKEN_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("DATA_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("PUBLIC_URL", "https://shop.example.com", 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *name = payment_method_name(rows[i].method);
        bool stripe = strchr(rows[i].keys, 's') != NULL, mpesa = strchr(rows[i].keys, 'm') != NULL;

        setenv("SOKO_ENV", rows[i].env, 1);
        setenv("STRIPE_SECRET_KEY", stripe ? "sk_test_1" : "", 1);
        setenv("STRIPE_WEBHOOK_SECRETS", stripe ? "whsec_1" : "", 1);
        setenv("DARAJA_CONSUMER_KEY", mpesa ? "key" : "", 1);
        setenv("DARAJA_CONSUMER_SECRET", mpesa ? "secret" : "", 1);
        setenv("DARAJA_SHORTCODE", mpesa ? "174379" : "", 1);
        setenv("DARAJA_PASSKEY", mpesa ? "passkey" : "", 1);
        ck_assert(config_load(NULL, stderr));
        ck_assert_msg(payment_method_offered(rows[i].method) == rows[i].offered, "%s %s: %s",
                      rows[i].env, rows[i].keys, name);
        ck_assert_msg(payment_method_expires(rows[i].method) == rows[i].expires, "%s: %s",
                      rows[i].env, name);
    }
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_loop_test(tcase, test_every_cell, 0, MOVERS);
    tcase_add_test(tcase, test_order_follows_its_parts);
    tcase_add_test(tcase, test_words);
    tcase_add_test(tcase, test_methods);
}

int
main(void)
{
    return unit_run("order_rules", fill);
}
