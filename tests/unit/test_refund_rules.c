/*
 * How a refund may move, cell by cell; how much goes back, and by which way.
 */
#include "shop/payments/refund_rules.h"
#include "shop/payments/rules.h"
#include "unit.h"

#define STAYS REFUND__COUNT

/* Rows: where it is; columns: what is heard. A second table for Stripe, where it differs. */
static const enum refund_status others[REFUND__COUNT][REFUND_NEWS__COUNT] = {
    /*                    tried           taken        gone              refused */
    [REFUND_PENDING] = {REFUND_SENDING, STAYS, STAYS, STAYS},
    [REFUND_SENDING] = {STAYS, REFUND_SENT, REFUND_SUCCEEDED, REFUND_FAILED},
    [REFUND_SENT] = {STAYS, STAYS, REFUND_SUCCEEDED, REFUND_FAILED},
    [REFUND_SUCCEEDED] = {STAYS, STAYS, STAYS, STAYS},
    [REFUND_FAILED] = {REFUND_SENDING, STAYS, REFUND_SUCCEEDED, STAYS},
};
static const enum refund_status stripes[REFUND__COUNT][REFUND_NEWS__COUNT] = {
    [REFUND_PENDING] = {REFUND_SENDING, STAYS, STAYS, STAYS},
    [REFUND_SENDING] = {STAYS, REFUND_SENT, REFUND_SUCCEEDED, REFUND_FAILED},
    [REFUND_SENT] = {STAYS, STAYS, REFUND_SUCCEEDED, REFUND_FAILED},
    [REFUND_SUCCEEDED] = {STAYS, STAYS, STAYS, REFUND_FAILED},
    [REFUND_FAILED] = {REFUND_SENDING, STAYS, STAYS, STAYS},
};

START_TEST(test_every_cell)
{
    for (enum refund_channel by = 0; by < BACK__COUNT; by++) {
        for (enum refund_status from = 0; from < REFUND__COUNT; from++) {
            for (enum refund_news news = 0; news < REFUND_NEWS__COUNT; news++) {
                enum refund_status want =
                    by == BACK_BY_STRIPE ? stripes[from][news] : others[from][news];
                enum refund_status to = STAYS;

                bool moves = refund_moves(from, news, by, &to);
                ck_assert_msg(moves == (want != STAYS) && to == want, "%s, news %d, by %s: %d",
                              refund_status_name(from), (int)news, refund_channel_name(by),
                              (int)to);
            }
        }
    }
}
END_TEST

START_TEST(test_names)
{
    static const char *const strangers[] = {NULL, "", "Pending", "sent ", "mpesa"};

    for (enum refund_status s = 0; s < REFUND__COUNT; s++) {
        enum refund_status back = REFUND__COUNT;
        ck_assert(refund_status_parse(refund_status_name(s), &back) && back == s);
    }
    for (enum refund_channel c = 0; c < BACK__COUNT; c++) {
        enum refund_channel back = BACK__COUNT;
        ck_assert(refund_channel_parse(refund_channel_name(c), &back) && back == c);
    }
    for (size_t i = 0; i < COUNT_OF(strangers); i++) {
        enum refund_status s = REFUND__COUNT;
        enum refund_channel c = BACK__COUNT;
        ck_assert(!refund_status_parse(strangers[i], &s) && s == REFUND__COUNT);
        ck_assert(!refund_channel_parse(strangers[i], &c) && c == BACK__COUNT);
    }
}
END_TEST

/* Amounts in cents. `by` BACK__COUNT: it cannot be sent. */
static const struct {
    const char *label;
    struct refund_case c; /* provider, amount, received, back, sent, receipt, phone, ref */
    enum refund_channel by;
    int64_t amount;
} plans[] = {
    {"simulated", {"simulated", 700, 700, 0, 0, true, false, false}, BACK_BY_NOBODY, 700},
    {"by card", {"stripe", 700, 700, 0, 0, true, false, true}, BACK_BY_STRIPE, 700},
    {"a part, by card", {"stripe", 1, 700, 0, 0, true, false, true}, BACK_BY_STRIPE, 1},
    {"the rest, by card", {"stripe", 200, 700, 500, 500, true, false, true}, BACK_BY_STRIPE, 200},
    {"less had come, and was accepted",
     {"stripe", 700, 699, 0, 0, true, false, true},
     BACK_BY_STRIPE,
     699},
    {"nothing is left", {"stripe", 1, 699, 699, 699, true, false, true}, BACK__COUNT, 0},
    {"no name of the payment", {"stripe", 700, 700, 0, 0, true, false, false}, BACK__COUNT, 0},

    {"all of it, by its receipt",
     {"mpesa", 150000, 150000, 0, 0, true, true, true},
     BACK_BY_REVERSAL,
     150000},
    {"all of it, without a receipt",
     {"mpesa", 150000, 150000, 0, 0, false, true, true},
     BACK_BY_B2C,
     150000},
    {"all of it, sent by hand",
     {"mpesa", 500, 500, 0, 0, true, false, false},
     BACK_BY_REVERSAL,
     500},
    {"a part", {"mpesa", 50000, 150000, 0, 0, true, true, true}, BACK_BY_B2C, 50000},
    {"the rest is no longer the whole",
     {"mpesa", 100000, 150000, 50000, 50000, true, true, true},
     BACK_BY_B2C,
     100000},
    {"10.50, for which 11 were taken",
     {"mpesa", 1050, 1100, 0, 0, true, true, true},
     BACK_BY_REVERSAL,
     1100},
    {"10.49, for which 10 were taken",
     {"mpesa", 1049, 1000, 0, 0, true, true, true},
     BACK_BY_REVERSAL,
     1000},
    {"one half of 20.50", {"mpesa", 1025, 2100, 0, 0, true, true, true}, BACK_BY_B2C, 1000},
    {"the other half of it",
     {"mpesa", 1025, 2100, 1025, 1000, true, true, true},
     BACK_BY_B2C,
     1100},
    {"more than has come is never sent",
     {"mpesa", 2000, 2100, 1025, 1000, true, true, true},
     BACK_BY_B2C,
     1100},
    {"M-Pesa sends ten shillings at least",
     {"mpesa", 900, 150000, 0, 0, true, true, true},
     BACK__COUNT,
     0},
    {"ten shillings", {"mpesa", 1000, 150000, 0, 0, true, true, true}, BACK_BY_B2C, 1000},
    {"less than ten, but the whole",
     {"mpesa", 900, 900, 0, 0, true, true, true},
     BACK_BY_REVERSAL,
     900},
    {"less than half a shilling", {"mpesa", 49, 150000, 0, 0, true, true, true}, BACK__COUNT, 0},
    {"a part, and no phone", {"mpesa", 50000, 150000, 0, 0, true, false, true}, BACK__COUNT, 0},
    {"all of it, neither receipt nor phone",
     {"mpesa", 50000, 50000, 0, 0, false, false, true},
     BACK__COUNT,
     0},
    {"250,000 shillings",
     {"mpesa", 25000000, 30000000, 0, 0, true, true, true},
     BACK_BY_B2C,
     25000000},
    {"more than M-Pesa sends",
     {"mpesa", 25000100, 30000000, 0, 0, true, true, true},
     BACK__COUNT,
     0},
};

START_TEST(test_plan)
{
    enum refund_channel by = BACK__COUNT;
    int64_t amount = -1;
    const char *why = refund_plan(&plans[_i].c, &by, &amount);

    if (plans[_i].by == BACK__COUNT) {
        ck_assert_msg(why != NULL && why[0] != '\0', "%s: is sent", plans[_i].label);
        return;
    }
    ck_assert_msg(why == NULL, "%s: %s", plans[_i].label, why);
    ck_assert_msg(by == plans[_i].by && amount == plans[_i].amount, "%s: %lld by %s",
                  plans[_i].label, (long long)amount, refund_channel_name(by));
}
END_TEST

/* However a payment goes back in pieces, what was sent is what had come, and never more on the way.
 */
START_TEST(test_pieces_come_to_the_whole)
{
    static const int64_t totals[] = {10050, 10049, 10000, 99999, 123456};

    for (size_t t = 0; t < COUNT_OF(totals); t++) {
        int64_t received = (totals[t] + 50) / 100 * 100, back = 0, sent = 0;

        while (back < totals[t]) {
            int64_t piece = 1033, amount;
            enum refund_channel by;

            if (totals[t] - back < 2 * piece)
                piece = totals[t] - back;
            const struct refund_case c = {"mpesa", piece, received, back, sent, true, true, true};
            ck_assert_ptr_null(refund_plan(&c, &by, &amount));
            back += piece;
            sent += amount;
            ck_assert_int_le(sent, received);
        }
        ck_assert_int_eq(sent, received);
    }
}
END_TEST

START_TEST(test_pause)
{
    static const struct {
        int64_t first, longest, times, want;
    } rows[] = {
        {1000, 60000, 0, 1000},  {1000, 60000, 1, 2000},   {1000, 60000, 5, 32000},
        {1000, 60000, 6, 60000}, {1000, 60000, 99, 60000}, {90000, 60000, 0, 60000},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_int_eq(payment_pause(rows[i].first, rows[i].longest, rows[i].times),
                         rows[i].want);
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_every_cell);
    tcase_add_test(tcase, test_names);
    tcase_add_loop_test(tcase, test_plan, 0, (int)COUNT_OF(plans));
    tcase_add_test(tcase, test_pieces_come_to_the_whole);
    tcase_add_test(tcase, test_pause);
}

int
main(void)
{
    return unit_run("refund_rules", fill);
}
