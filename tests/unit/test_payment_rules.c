/*
 * Every cell of the payment's state machine: from x the provider's word x whether the amount
 * matches, against a picture that was drawn from DESIGN section 7, not from the table under test.
 */
#include "shop/payments/rules.h"

#include "unit.h"

#include <string.h>

/* Where each word leads; the words are those of the API, NULL: it stays where it is. */
static const struct {
    const char *from;
    const char *paid, *paid_other_amount, *failed, *cancelled, *unknown, *abandoned, *given_up;
} rows[PAYMENT__COUNT] = {
    {"initiating", "succeeded", "needs_review", "failed", "cancelled", "unknown", "abandoned",
     "needs_review"},
    {"processing", "succeeded", "needs_review", "failed", "cancelled", "unknown", "abandoned",
     "needs_review"},
    {"unknown", "succeeded", "needs_review", "failed", "cancelled", NULL, "abandoned",
     "needs_review"},
    /* Money that has come stays, whatever is said later. */
    {"succeeded", NULL, NULL, NULL, NULL, NULL, NULL, NULL},
    {"partially_refunded", NULL, NULL, NULL, NULL, NULL, NULL, NULL},
    {"refunded", NULL, NULL, NULL, NULL, NULL, NULL, NULL},
    {"needs_review", NULL, NULL, NULL, NULL, NULL, NULL, NULL},
    /* What was given up may yet be paid, and nothing else. */
    {"failed", "succeeded", "needs_review", NULL, NULL, NULL, NULL, NULL},
    {"cancelled", "succeeded", "needs_review", NULL, NULL, NULL, NULL, NULL},
    {"abandoned", "succeeded", "needs_review", NULL, NULL, NULL, NULL, NULL},
};

static void
expect(enum payment_status from, enum outcome word, bool matches, const char *want)
{
    enum payment_status to = PAYMENT__COUNT;
    bool moves = payment_moves(from, word, matches, &to);

    ck_assert_msg(moves == (want != NULL), "%s hears %s%s: must%s move", payment_status_name(from),
                  outcome_name(word), matches ? "" : " of another amount",
                  want != NULL ? "" : " not");
    if (!moves)
        ck_assert_msg(to == PAYMENT__COUNT, "%s: *to was written", payment_status_name(from));
    else
        ASSERT_TEXT(payment_status_name(to), want, payment_status_name(from));
}

START_TEST(test_every_cell)
{
    bool met[PAYMENT__COUNT] = {false};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum payment_status from;

        ck_assert_msg(payment_status_parse(rows[i].from, &from), "%s", rows[i].from);
        ck_assert(!met[from]);
        met[from] = true;
        expect(from, OUTCOME_PAID, true, rows[i].paid);
        expect(from, OUTCOME_PAID, false, rows[i].paid_other_amount);
        /* Of what was not paid no amount is compared. */
        for (int matches = 0; matches < 2; matches++) {
            expect(from, OUTCOME_FAILED, matches, rows[i].failed);
            expect(from, OUTCOME_CANCELLED, matches, rows[i].cancelled);
            expect(from, OUTCOME_UNKNOWN, matches, rows[i].unknown);
            expect(from, OUTCOME_ABANDONED, matches, rows[i].abandoned);
            expect(from, OUTCOME_GIVEN_UP, matches, rows[i].given_up);
        }
        bool open = strcmp(rows[i].from, "initiating") == 0 ||
                    strcmp(rows[i].from, "processing") == 0 || strcmp(rows[i].from, "unknown") == 0;
        ck_assert_msg(payment_is_open(from) == open, "%s: open", rows[i].from);
    }
}
END_TEST

/* Forward only: no sequence of words leads from a state back to it. */
START_TEST(test_no_way_back)
{
    for (enum payment_status start = 0; start < PAYMENT__COUNT; start++) {
        bool reached[PAYMENT__COUNT] = {false};
        bool grew = true;

        for (int round = 0; grew; round++) {
            grew = false;
            for (enum payment_status from = 0; from < PAYMENT__COUNT; from++) {
                if (round == 0 ? from != start : !reached[from])
                    continue;
                for (int word = 0; word < 2 * OUTCOME__COUNT; word++) {
                    enum payment_status to;

                    if (payment_moves(from, (enum outcome)(word / 2), word % 2 == 0, &to) &&
                        !reached[to])
                        reached[to] = grew = true;
                }
            }
        }
        ck_assert_msg(!reached[start], "%s comes back", payment_status_name(start));
    }
}
END_TEST

START_TEST(test_words)
{
    static const char *const strangers[] = {NULL, "", "paid", "Succeeded", "succeeded "};
    static const char *const words[OUTCOME__COUNT] = {"paid",    "failed",    "cancelled",
                                                      "unknown", "abandoned", "given_up"};

    for (enum outcome o = 0; o < OUTCOME__COUNT; o++)
        ASSERT_TEXT(outcome_name(o), words[o], "outcome");
    for (enum payment_status s = 0; s < PAYMENT__COUNT; s++) {
        enum payment_status back = PAYMENT__COUNT;

        ck_assert(payment_status_parse(payment_status_name(s), &back) && back == s);
    }
    for (size_t i = 0; i < COUNT_OF(strangers); i++) {
        enum payment_status s = PAYMENT__COUNT;

        ck_assert(!payment_status_parse(strangers[i], &s) && s == PAYMENT__COUNT);
    }
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_every_cell);
    tcase_add_test(tcase, test_no_way_back);
    tcase_add_test(tcase, test_words);
}

int
main(void)
{
    return unit_run("payment_rules", fill);
}
