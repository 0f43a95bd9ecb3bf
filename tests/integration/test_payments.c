/*
 * payments_settle() and what follows from it, on rows that the shop's own statements made: however
 * often, in whatever order, and by however many at once it is told, its effect happens once.
 */
#include "sale_fixture.h"

/* --- words ------------------------------------------------------------------------------------ */

#define WORDS_MAX 3
static const struct {
    const char *label;
    struct {
        int event; /* 0 ends the list; the same number is the same event */
        enum outcome outcome;
        int64_t amount;
        const char *currency;
    } words[WORDS_MAX + 1];
    const char *payment, *order, *order_paid;
    int64_t marked; /* how often the order heard that it is paid */
    int64_t heard;
} stories[] = {
    {"paid", {{1, OUTCOME_PAID, 700, "KES"}}, "succeeded", "paid", "paid", 1, 1},
    {"the same word twice",
     {{1, OUTCOME_PAID, 700, "KES"}, {1, OUTCOME_PAID, 700, "KES"}},
     "succeeded",
     "paid",
     "paid",
     1,
     1},
    {"two words of one payment",
     {{1, OUTCOME_PAID, 700, "KES"}, {2, OUTCOME_PAID, 700, "KES"}},
     "succeeded",
     "paid",
     "paid",
     1,
     2},
    {"failed", {{1, OUTCOME_FAILED, 0, ""}}, "failed", "pending", "unpaid", 0, 1},
    {"failed, then paid after all",
     {{1, OUTCOME_FAILED, 0, ""}, {2, OUTCOME_PAID, 700, "KES"}},
     "succeeded",
     "paid",
     "paid",
     1,
     2},
    {"paid, then a late failure",
     {{1, OUTCOME_PAID, 700, "KES"}, {2, OUTCOME_FAILED, 0, ""}},
     "succeeded",
     "paid",
     "paid",
     1,
     2},
    {"paid, then nobody knows",
     {{1, OUTCOME_PAID, 700, "KES"}, {2, OUTCOME_UNKNOWN, 0, ""}},
     "succeeded",
     "paid",
     "paid",
     1,
     2},
    {"an event that was heard as a failure",
     {{1, OUTCOME_FAILED, 0, ""}, {1, OUTCOME_PAID, 700, "KES"}},
     "failed",
     "pending",
     "unpaid",
     0,
     1},
    {"unknown", {{1, OUTCOME_UNKNOWN, 0, ""}}, "unknown", "pending", "unpaid", 0, 1},
    {"unknown, then paid",
     {{1, OUTCOME_UNKNOWN, 0, ""}, {2, OUTCOME_PAID, 700, "KES"}},
     "succeeded",
     "paid",
     "paid",
     1,
     2},
    {"unknown, failed, paid",
     {{1, OUTCOME_UNKNOWN, 0, ""}, {2, OUTCOME_FAILED, 0, ""}, {3, OUTCOME_PAID, 700, "KES"}},
     "succeeded",
     "paid",
     "paid",
     1,
     3},
    {"too little", {{1, OUTCOME_PAID, 699, "KES"}}, "needs_review", "pending", "unpaid", 0, 1},
    {"too much", {{1, OUTCOME_PAID, 701, "KES"}}, "needs_review", "pending", "unpaid", 0, 1},
    {"another currency",
     {{1, OUTCOME_PAID, 700, "USD"}},
     "needs_review",
     "pending",
     "unpaid",
     0,
     1},
    {"too little, then the right word: a person must look all the same",
     {{1, OUTCOME_PAID, 699, "KES"}, {2, OUTCOME_PAID, 700, "KES"}},
     "needs_review",
     "pending",
     "unpaid",
     0,
     2},
    {"failed, then too little",
     {{1, OUTCOME_FAILED, 0, ""}, {2, OUTCOME_PAID, 1, "KES"}},
     "needs_review",
     "pending",
     "unpaid",
     0,
     2},
};

START_TEST(words_about_one_payment)
{
    const char *label = stories[_i].label;
    struct sale s = sell(500, 200, NOT_DUE);

    for (int i = 0; stories[_i].words[i].event != 0; i++) {
        struct verdict v = verdict(s.payment, event_of(s.payment, stories[_i].words[i].event),
                                   stories[_i].words[i].outcome, stories[_i].words[i].amount);
        v.currency = stories[_i].words[i].currency;
        ck_assert_msg(tx_run(ctx, settle_work, &v) == OK, "%s: word %d", label, i);
    }
    SEE_TEXT(T_PAYMENT, s.payment, stories[_i].payment);
    see_order(label, &s, stories[_i].order, stories[_i].order_paid);
    SEE_NUMBER(stories[_i].marked, T_EVENTS, ARG_ID(s.order), ARG_TEXT("payment_paid"));
    SEE_NUMBER(2 * stories[_i].marked, T_EVENTS, ARG_ID(s.order), ARG_TEXT("paid"));
    SEE_NUMBER(stories[_i].heard, T_HEARD, ARG_ID(s.payment));
    see_refunds(label, &s, 0, 0);
    see_stock(label, &s, STOCK - 1);
}
END_TEST

START_TEST(unknown_payment)
{
    struct uuid id = new_id();
    struct verdict v = verdict(id, event_of(id, 1), OUTCOME_PAID, 1);

    ck_assert_int_eq(tx_run(ctx, settle_work, &v), ERR_NOT_FOUND);
}
END_TEST

/* --- money that must go back ------------------------------------------------------------------ */

START_TEST(paid_after_the_order_was_cancelled)
{
    const char *label = "by the buyer";
    struct sale s = sell(500, 200, -1000);

    ck_assert_int_eq(tx_run(ctx, cancel_work, &s), OK);
    see_order(label, &s, "cancelled", "unpaid");
    see_stock(label, &s, STOCK);
    for (int i = 1; i <= 3; i++)
        paid(s.payment, s.total, i);
    hand(payments_refund_order, s.order); /* what the cancelling has asked for comes last */
    SEE_TEXT(T_PAYMENT, s.payment, "succeeded");
    see_order(label, &s, "cancelled", "unpaid");
    see_refunds(label, &s, 1, s.total);
    SEE_NUMBER(0, T_EVENTS, ARG_ID(s.order), ARG_TEXT("payment_paid"));
    see_stock(label, &s, STOCK);

    pay_refunds(&s);
    SEE_TEXT(T_PAYMENT, s.payment, "refunded");
    see_order(label, &s, "cancelled", "refunded");
    see_refunds(label, &s, 1, s.total);
}
END_TEST

static enum err
buy_all_work(struct ctx *c, void *arg)
{
    const struct sale *s = arg;
    const int64_t all[PARTS_MAX] = {STOCK, STOCK};

    return pg_run(c, CATALOG_STOCK_TAKE, ARG_IDS(s->products, 1), ARG_INTS(all, 1));
}

/* Late money: the order stands again if its stock is there, all of it; else the money goes back. */
START_TEST(paid_after_the_order_expired)
{
    const char *label = _i == 0 ? "its stock is there" : "one thing is sold out";
    struct sale s = sell(500, 200, -1000);

    ck_assert_int_eq(tx_run(ctx, expire_work, &s), OK);
    see_order(label, &s, "cancelled", "unpaid");
    SEE_TEXT(T_PAYMENT, s.payment, "cancelled");
    see_stock(label, &s, STOCK);
    if (_i == 1)
        ck_assert_int_eq(tx_run(ctx, buy_all_work, &s), OK);
    for (int i = 1; i <= 3; i++)
        paid(s.payment, s.total, i);
    hand(payments_refund_order, s.order);
    hand(payments_close, s.order);
    ck_assert_int_eq(tx_run(ctx, expire_work, &s), OK);
    SEE_TEXT(T_PAYMENT, s.payment, "succeeded");
    if (_i == 0) {
        see_order(label, &s, "paid", "paid");
        see_refunds(label, &s, 0, 0);
        SEE_NUMBER(1, T_EVENTS, ARG_ID(s.order), ARG_TEXT("payment_paid"));
        see_stock(label, &s, STOCK - 1);
        return;
    }
    see_order(label, &s, "cancelled", "unpaid");
    see_refunds(label, &s, 1, s.total);
    SEE_NUMBER(0, T_STOCK, ARG_ID(s.products[0]));
    SEE_NUMBER(STOCK, T_STOCK, ARG_ID(s.products[1]));
    pay_refunds(&s);
    see_order(label, &s, "cancelled", "refunded");
}
END_TEST

START_TEST(second_payment_of_an_order_goes_back)
{
    const char *label = _i == 0 ? "in sequence" : "the first comes last";
    struct sale s = sell(700, 0, NOT_DUE);
    struct verdict failed = verdict(s.payment, event_of(s.payment, 1), OUTCOME_FAILED, 0);

    ck_assert_int_eq(tx_run(ctx, settle_work, &failed), OK);
    struct uuid second = add_attempt(&s);
    paid(_i == 0 ? s.payment : second, s.total, 2);
    see_refunds(label, &s, 0, 0);
    paid(_i == 0 ? second : s.payment, s.total, 2);
    SEE_TEXT(T_PAYMENT, s.payment, "succeeded");
    SEE_TEXT(T_PAYMENT, second, "succeeded");
    see_order(label, &s, "paid", "paid");
    see_refunds(label, &s, 1, s.total);
    SEE_NUMBER(1, T_EVENTS, ARG_ID(s.order), ARG_TEXT("payment_paid"));
    pay_refunds(&s);
    see_refunds(label, &s, 1, s.total);
    see_order(label, &s, "paid", "paid"); /* what was kept covers it */
}
END_TEST

START_TEST(cancelled_after_it_was_paid)
{
    const char *label = "cancelled";
    struct sale s = sell(500, 200, NOT_DUE);

    paid(s.payment, s.total, 1);
    ck_assert_int_eq(tx_run(ctx, cancel_work, &s), OK);
    ck_assert_int_eq(tx_run(ctx, cancel_work, &s), ERR_INVALID_STATUS);
    see_stock(label, &s, STOCK);
    for (int i = 0; i < 3; i++)
        hand(payments_refund_order, s.order);
    see_refunds(label, &s, 1, s.total);
    pay_refunds(&s);
    hand(payments_refund_order, s.order);
    see_refunds(label, &s, 1, s.total);
    see_order(label, &s, "cancelled", "refunded");
    SEE_TEXT(T_REASON, s.order, "buyer");
    SEE_TEXT(T_PAYMENT, s.payment, "refunded");
}
END_TEST

START_TEST(part_cancelled_while_payment_is_under_way)
{
    const char *label = "before";
    struct sale s = sell(500, 200, NOT_DUE);

    ck_assert_int_eq(tx_run(ctx, cancel_first_part_work, &s), OK);
    hand(payments_refund_part, s.order);
    see_refunds(label, &s, 0, 0);
    paid(s.payment, s.total, 1);
    label = "settled";
    see_order(label, &s, "paid", "paid");
    see_refunds(label, &s, 1, 500);
    hand(payments_refund_part, s.order);
    see_refunds(label, &s, 1, 500);
    pay_refunds(&s);
    label = "paid back";
    see_order(label, &s, "paid", "partially_refunded");
    SEE_TEXT(T_PAYMENT, s.payment, "partially_refunded");
    SEE_NUMBER(STOCK, T_STOCK, ARG_ID(s.products[0]));
    SEE_NUMBER(STOCK - 1, T_STOCK, ARG_ID(s.products[1]));
}
END_TEST

START_TEST(part_by_part)
{
    const char *label = "one part";
    struct sale s = sell(500, 200, NOT_DUE);

    paid(s.payment, s.total, 1);
    ck_assert_int_eq(tx_run(ctx, cancel_first_part_work, &s), OK);
    ck_assert_int_eq(tx_run(ctx, cancel_first_part_work, &s), ERR_INVALID_STATUS);
    hand(payments_refund_part, s.order);
    see_refunds(label, &s, 1, 500);
    if (_i == 1)
        pay_refunds(&s);
    label = "then the rest";
    ck_assert_int_eq(tx_run(ctx, cancel_work, &s), OK);
    hand(payments_refund_order, s.order);
    hand(payments_refund_part, s.order);
    see_refunds(label, &s, 2, s.total);
    pay_refunds(&s);
    see_order(label, &s, "cancelled", "refunded");
    see_stock(label, &s, STOCK);
}
END_TEST

/* --- receipts, and what nobody knows -------------------------------------------------------------
 */

static const char *
new_receipt(void)
{
    char receipt[11];

    random_base32(receipt, sizeof(receipt) - 1);
    return arena_strdup(ctx->arena, receipt);
}

/* A word with a receipt; an amount of 0 is not said. */
static void
paid_by(struct uuid payment, const char *receipt, int64_t amount, int event)
{
    struct verdict v = verdict(payment, event_of(payment, event), OUTCOME_PAID, amount);

    v.receipt = receipt;
    ck_assert_int_eq(tx_run(ctx, settle_work, &v), OK);
}

START_TEST(receipt_is_added_later)
{
    const char *label = "added", *receipt = new_receipt();
    struct sale s = sell(500, 200, NOT_DUE);

    paid_by(s.payment, NULL, 0, 1); /* a query: neither receipt nor amount */
    see_order(label, &s, "paid", "paid");
    paid_by(s.payment, receipt, s.total, 2);
    paid_by(s.payment, receipt, s.total, 3);
    SEE_TEXT(T_RECEIPT, s.payment, receipt);
    SEE_NUMBER(1, T_PAYMENTS, ARG_ID(s.order));
    SEE_NUMBER(1, T_BOOKED, ARG_ID(s.payment), ARG_TEXT("payment_settled"));
    see_refunds(label, &s, 0, 0);
}
END_TEST

START_TEST(second_receipt_is_a_second_payment)
{
    const char *label = "second", *first = new_receipt(), *second = new_receipt();
    struct sale s = sell(500, 200, NOT_DUE);

    paid_by(s.payment, first, s.total, 1);
    for (int i = 2; i < 5; i++)
        paid_by(s.payment, second, s.total, i);
    SEE_TEXT(T_RECEIPT, s.payment, first);
    SEE_NUMBER(2, T_PAYMENTS, ARG_ID(s.order));
    see_order(label, &s, "paid", "paid");
    see_refunds(label, &s, 1, s.total);
    pay_refunds(&s);
    see_order(label, &s, "paid", "paid");
}
END_TEST

START_TEST(same_receipt_is_the_same_money)
{
    const char *label = "same", *receipt = new_receipt();
    struct sale s = sell(500, 200, NOT_DUE);
    struct verdict failed = verdict(s.payment, event_of(s.payment, 1), OUTCOME_FAILED, 0);

    ck_assert_int_eq(tx_run(ctx, settle_work, &failed), OK);
    struct uuid other = add_attempt(&s);
    paid_by(other, receipt, s.total, 1);
    paid_by(s.payment, receipt, s.total, 2);
    SEE_TEXT(T_PAYMENT, s.payment, "failed");
    SEE_TEXT(T_PAYMENT, other, "succeeded");
    SEE_NUMBER(2, T_PAYMENTS, ARG_ID(s.order));
    see_refunds(label, &s, 0, 0);
}
END_TEST

/* Set aside because nobody knew; then the provider speaks after all. */
START_TEST(given_up_and_yet_paid)
{
    const char *label = _i == 0 ? "what was due" : "something else";
    struct sale s = sell(500, 200, NOT_DUE);
    struct verdict v = verdict(s.payment, event_of(s.payment, 1), OUTCOME_GIVEN_UP, 0);

    ck_assert_int_eq(tx_run(ctx, settle_work, &v), OK);
    SEE_TEXT(T_PAYMENT, s.payment, "needs_review");
    SEE_NUMBER(0, T_BOOKED, ARG_ID(s.payment), ARG_TEXT("payment_parked"));
    paid_by(s.payment, new_receipt(), s.total - _i, 2);
    SEE_TEXT(T_PAYMENT, s.payment, _i == 0 ? "succeeded" : "needs_review");
    see_order(label, &s, _i == 0 ? "paid" : "pending", _i == 0 ? "paid" : "unpaid");
    SEE_NUMBER(1 - _i, T_BOOKED, ARG_ID(s.payment), ARG_TEXT("payment_settled"));
    see_refunds(label, &s, 0, 0);
}
END_TEST

/* --- at once ---------------------------------------------------------------------------------- */

START_TEST(eight_at_once)
{
    const char *label = _i == 0 ? "one event" : "eight events";
    struct sale s = sell(500, 200, NOT_DUE);
    struct verdict words[8];
    struct runner runners[8];

    for (int i = 0; i < 8; i++) {
        words[i] = verdict(s.payment, event_of(s.payment, _i == 0 ? 1 : i), OUTCOME_PAID, s.total);
        runners[i] = (struct runner){settle_work, &words[i]};
    }
    run_together(runners, 8);
    SEE_TEXT(T_PAYMENT, s.payment, "succeeded");
    see_order(label, &s, "paid", "paid");
    SEE_NUMBER(1, T_EVENTS, ARG_ID(s.order), ARG_TEXT("payment_paid"));
    SEE_NUMBER(_i == 0 ? 1 : 8, T_HEARD, ARG_ID(s.payment));
    see_refunds(label, &s, 0, 0);
}
END_TEST

START_TEST(eight_refunds_at_once)
{
    const char *label = "refunds";
    struct sale s = sell(500, 200, NOT_DUE);
    struct handing h = {payments_refund_order, {.subject = s.order}};
    struct runner runners[8];

    paid(s.payment, s.total, 1);
    ck_assert_int_eq(tx_run(ctx, cancel_work, &s), OK);
    for (int i = 0; i < 8; i++)
        runners[i] = (struct runner){handing_work, &h};
    run_together(runners, 8);
    see_refunds(label, &s, 1, s.total);
}
END_TEST

/* Whoever comes first, the other sees it under the order's lock. */
START_TEST(cancelling_meets_the_payment)
{
    for (int round = 0; round < 8; round++) {
        struct sale s = sell(500, 200, -1000);
        struct verdict v = verdict(s.payment, event_of(s.payment, 1), OUTCOME_PAID, s.total);
        struct runner both[2];

        both[round % 2] = (struct runner){settle_work, &v};
        both[1 - round % 2] = (struct runner){_i == 0 ? expire_work : cancel_work, &s};
        run_together(both, 2);
        hand(payments_refund_order, s.order);

        const char *label = _i == 0 ? "the clock" : "the buyer";
        SEE_TEXT(T_PAYMENT, s.payment, "succeeded");
        if (_i == 1) {
            see_order(label, &s, "cancelled", STRING(ctx, T_ORDER_PAID, ARG_ID(s.order)));
            SEE_TEXT(T_REASON, s.order, "buyer");
            see_refunds(label, &s, 1, s.total);
            see_stock(label, &s, STOCK);
        } else { /* in time, or revived */
            see_order(label, &s, "paid", "paid");
            see_refunds(label, &s, 0, 0);
            see_stock(label, &s, STOCK - 1);
            SEE_NUMBER(1, T_EVENTS, ARG_ID(s.order), ARG_TEXT("payment_paid"));
        }
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("payments");
    TCase *t = tcase_create("payments");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, words_about_one_payment, 0, (int)(sizeof(stories) / sizeof(stories[0])));
    tcase_add_test(t, unknown_payment);
    tcase_add_test(t, paid_after_the_order_was_cancelled);
    tcase_add_loop_test(t, paid_after_the_order_expired, 0, 2);
    tcase_add_loop_test(t, second_payment_of_an_order_goes_back, 0, 2);
    tcase_add_test(t, cancelled_after_it_was_paid);
    tcase_add_test(t, part_cancelled_while_payment_is_under_way);
    tcase_add_loop_test(t, part_by_part, 0, 2);
    tcase_add_test(t, receipt_is_added_later);
    tcase_add_test(t, second_receipt_is_a_second_payment);
    tcase_add_test(t, same_receipt_is_the_same_money);
    tcase_add_loop_test(t, given_up_and_yet_paid, 0, 2);
    tcase_add_loop_test(t, eight_at_once, 0, 2);
    tcase_add_test(t, eight_refunds_at_once);
    tcase_add_loop_test(t, cancelling_meets_the_payment, 0, 2);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
