/*
 * Money that goes back, step by step and by hand: what each word of a provider leads to, what a
 * crash between two steps leaves, and that many at once send it once.
 */
#include "sale_fixture.h"
#include "shop/payments/refunds.h"

/* --- by hand ---------------------------------------------------------------------------------- */

struct sending {
    struct uuid refund;
    void *step;
};

static enum err
start_work(struct ctx *c, void *arg)
{
    struct sending *s = arg;
    const struct delivery d = {.subject = s->refund};

    return refunds_start(c, &d, &s->step);
}

static enum err
finish_work(struct ctx *c, void *arg)
{
    const struct sending *s = arg;

    return refunds_finish(c, s->step);
}

static enum err
apply_work(struct ctx *c, void *arg)
{
    const struct sending *s = arg;
    struct refund r;

    enum err e = refunds_lock(c, s->refund, &r);
    return e != OK ? e : refunds_apply(c, &r, s->step);
}

static void *
started(struct uuid refund)
{
    struct sending s = {.refund = refund};

    ck_assert_int_eq(tx_run(ctx, start_work, &s), OK);
    return s.step;
}

static void
finished(struct uuid refund, void *step)
{
    struct sending s = {refund, step};

    ck_assert_int_eq(tx_run(ctx, finish_work, &s), OK);
}

/* What a webhook says of it. */
static void
said(struct uuid refund, struct refund_heard *w)
{
    struct sending s = {refund, w};

    ck_assert_int_eq(tx_run(ctx, apply_work, &s), OK);
}

static struct uuid
nth_refund(const struct sale *s, int64_t n)
{
    const char *id = STRING(ctx, T_REFUND_NTH, ARG_ID(s->order), ARG_INT(n));
    struct uuid refund;

    ck_assert(uuid_parse(id, strlen(id), &refund));
    return refund;
}

struct change {
    int stmt;
    struct uuid id;
    const char *word;
};

static enum err
change_work(struct ctx *c, void *arg)
{
    const struct change *w = arg;

    return w->word == NULL ? pg_run(c, w->stmt, ARG_ID(w->id))
                           : pg_run(c, w->stmt, ARG_ID(w->id), ARG_TEXT(w->word));
}

static void
change(int stmt, struct uuid id, const char *word)
{
    struct change w = {stmt, id, word};

    ck_assert_int_eq(tx_run(ctx, change_work, &w), OK);
}

/* A sale of 700 that was paid by this provider and cancelled: a refund of all of it waits. */
static struct sale
cancelled_sale(const char *provider, struct uuid *refund)
{
    struct sale s = sell(70000, 0, NOT_DUE);

    paid(s.payment, s.total, 1);
    change(T_PROVIDER, s.payment, provider);
    ck_assert_int_eq(tx_run(ctx, cancel_work, &s), OK);
    hand(payments_refund_order, s.order);
    *refund = nth_refund(&s, 0);
    return s;
}

static void
see_booked(const char *label, struct uuid refund, int64_t requested, int64_t went, int64_t back)
{
    SEE_NUMBER(requested, T_BOOKED, ARG_ID(refund), ARG_TEXT("refund_requested"));
    SEE_NUMBER(went, T_BOOKED, ARG_ID(refund), ARG_TEXT("refund_paid"));
    SEE_NUMBER(back, T_BOOKED, ARG_ID(refund), ARG_TEXT("refund_reversed"));
}

/* --- what an answer leads to ------------------------------------------------------------------ */

static const struct {
    const char *label, *provider;
    enum heard heard;
    enum refund_word stripe; /* of HEARD_DONE */
    const char *code;        /* of HEARD_REFUSED */
    const char *is, *payment, *order;
    int64_t booked;
} answers[] = {
    {"Stripe did it", "stripe", HEARD_DONE, REFUND_WORD_SUCCEEDED, "",
     "succeeded stripe 70000 1 re_1", "refunded", "refunded", 1},
    {"Stripe took it on", "stripe", HEARD_DONE, REFUND_WORD_PENDING, "", "sent stripe 70000 1 re_1",
     "succeeded", "paid", 0},
    {"Stripe says that it failed", "stripe", HEARD_DONE, REFUND_WORD_FAILED, "",
     "failed stripe 70000 1 re_1 unknown", "succeeded", "paid", 0},
    {"Stripe refuses", "stripe", HEARD_REFUSED, REFUND_WORD_PENDING, "insufficient_funds",
     "failed stripe 70000 1 insufficient_funds", "succeeded", "paid", 0},
    {"nobody knows", "stripe", HEARD_NOTHING, REFUND_WORD_PENDING, "", "sending stripe 70000 1",
     "succeeded", "paid", 0},
    {"it was not sent", "stripe", HEARD_NOT_SENT, REFUND_WORD_PENDING, "", "sending stripe 70000 1",
     "succeeded", "paid", 0},
    {"M-Pesa took it on", "mpesa", HEARD_DONE, REFUND_WORD_PENDING, "",
     "sent mpesa_reversal 70000 1", "succeeded", "paid", 0},
    {"M-Pesa refuses", "mpesa", HEARD_REFUSED, REFUND_WORD_PENDING, "400.002.02",
     "failed mpesa_reversal 70000 1 400.002.02", "succeeded", "paid", 0},
    {"M-Pesa, and nobody knows", "mpesa", HEARD_NOTHING, REFUND_WORD_PENDING, "",
     "sending mpesa_reversal 70000 1", "succeeded", "paid", 0},
};

START_TEST(each_answer)
{
    const char *label = answers[_i].label;
    struct uuid refund;
    struct sale s = cancelled_sale(answers[_i].provider, &refund);
    struct refund_step *step = started(refund);

    ck_assert_ptr_nonnull(step);
    SEE_TEXT(T_REFUND, refund, "sending");
    step->heard = answers[_i].heard;
    step->why = (struct refusal){.code = answers[_i].code, .message = ""};
    step->stripe = (struct stripe_refund){.id = "re_1", .status = answers[_i].stripe};
    step->sent.conversation = "AG_1";
    finished(refund, step);
    SEE_TEXT(T_REFUND_IS, refund, answers[_i].is);
    SEE_TEXT(T_PAYMENT, s.payment, answers[_i].payment);
    see_order(label, &s, "cancelled", answers[_i].order);
    see_booked(label, refund, 1, answers[_i].booked, 0);
    /* The same answer again, as after a crash before the job was noted as done. */
    finished(refund, step);
    SEE_TEXT(T_REFUND_IS, refund, answers[_i].is);
    see_booked(label, refund, 1, answers[_i].booked, 0);
    hand(payments_refund_order, s.order);
    see_refunds(label, &s, 1, s.total); /* what is owed is owed once, also if it failed */
}
END_TEST

/* --- crashes ---------------------------------------------------------------------------------- */

START_TEST(a_crash_before_the_call)
{
    const char *label = "crash";
    struct uuid refund;
    struct sale s = cancelled_sale("stripe", &refund);

    ck_assert_ptr_nonnull(started(refund)); /* and dies */
    ck_assert_ptr_null(started(refund));    /* delivered again: somebody is at it */
    SEE_TEXT(T_REFUND_IS, refund, "sending stripe 70000 1");
    change(T_REFUND_DUE, refund, NULL); /* his lease is over */
    struct refund_step *step = started(refund);
    ck_assert_ptr_nonnull(step);
    ck_assert_int_eq(step->attempt, 1); /* the same attempt: the same key */
    ck_assert(!step->ask);
    ck_assert_ptr_null(started(refund));
    step->heard = HEARD_DONE;
    step->stripe = (struct stripe_refund){.id = "re_1", .status = REFUND_WORD_SUCCEEDED};
    finished(refund, step);
    SEE_TEXT(T_REFUND, refund, "succeeded");
    ck_assert_ptr_null(started(refund));
    see_order(label, &s, "cancelled", "refunded");
    see_booked(label, refund, 1, 1, 0);
}
END_TEST

START_TEST(a_certain_failure_begins_another_attempt)
{
    const char *label = "failure";
    struct uuid refund;
    struct sale s = cancelled_sale("stripe", &refund);

    for (int64_t attempt = 1; attempt <= conf->refund_attempts; attempt++) {
        struct refund_step *step = started(refund);

        ck_assert_ptr_nonnull(step);
        ck_assert_int_eq(step->attempt, attempt);
        step->heard = HEARD_REFUSED;
        step->why = (struct refusal){.code = "insufficient_funds", .message = ""};
        finished(refund, step);
        SEE_TEXT(T_REFUND, refund, "failed");
        ck_assert_ptr_null(started(refund)); /* not yet */
        if (attempt < conf->refund_attempts)
            change(T_REFUND_DUE, refund, NULL);
    }
    struct due_id *ids;
    size_t count;
    ck_assert_int_eq(refunds_claim_due(ctx, 1000, &ids, &count), OK);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(!uuid_equal(ids[i].id, refund), "a person must look, not the clock");
    see_booked(label, refund, 1, 0, 0);
    see_order(label, &s, "cancelled", "paid");
}
END_TEST

/* An answer that comes when its attempt is over says nothing of the next. */
START_TEST(an_old_answer)
{
    const char *label = "old";
    struct uuid refund;

    cancelled_sale("stripe", &refund);
    struct refund_step *first = started(refund);
    change(T_REFUND_DUE, refund, NULL);
    struct refund_step *twin = started(refund);
    twin->heard = first->heard = HEARD_REFUSED;
    twin->why = first->why = (struct refusal){.code = "x", .message = ""};
    finished(refund, twin);
    change(T_REFUND_DUE, refund, NULL);
    struct refund_step *second = started(refund);
    ck_assert_int_eq(second->attempt, 2);
    finished(refund, first);
    SEE_TEXT(T_REFUND_IS, refund, "sending stripe 70000 2");
}
END_TEST

/* --- words that come by themselves ------------------------------------------------------------ */

START_TEST(the_result_before_the_answer)
{
    const char *label = "before";
    struct uuid refund;
    struct sale s = cancelled_sale("mpesa", &refund);
    struct refund_step *step = started(refund);
    struct refund_heard gone = {.news = REFUND_GONE, .ref = "SG632NMUAB"};

    said(refund, &gone);
    said(refund, &gone);
    step->heard = HEARD_DONE;
    step->sent.conversation = "AG_1";
    finished(refund, step);
    SEE_TEXT(T_REFUND_IS, refund, "succeeded mpesa_reversal 70000 1 SG632NMUAB");
    see_order(label, &s, "cancelled", "refunded");
    see_booked(label, refund, 1, 1, 0);
}
END_TEST

START_TEST(a_late_failure_of_mpesa_changes_nothing)
{
    const char *label = "late";
    struct uuid refund;
    struct sale s = cancelled_sale("mpesa", &refund);
    struct refund_heard gone = {.news = REFUND_GONE, .ref = "SG632NMUAB"};
    struct refund_heard no = {.news = REFUND_REFUSED, .failure = "1"};

    ck_assert_ptr_nonnull(started(refund));
    said(refund, &gone);
    said(refund, &no);
    SEE_TEXT(T_REFUND, refund, "succeeded");
    see_order(label, &s, "cancelled", "refunded");
    see_booked(label, refund, 1, 1, 0);
}
END_TEST

START_TEST(a_late_success_of_mpesa_counts)
{
    const char *label = "late";
    struct uuid refund;
    struct sale s = cancelled_sale("mpesa", &refund);
    struct refund_heard no = {.news = REFUND_REFUSED, .failure = "1"};
    struct refund_heard gone = {.news = REFUND_GONE, .ref = "SG632NMUAB"};

    ck_assert_ptr_nonnull(started(refund));
    said(refund, &no);
    said(refund, &gone);
    SEE_TEXT(T_REFUND, refund, "succeeded");
    change(T_REFUND_DUE, refund, NULL);
    ck_assert_ptr_null(started(refund)); /* nothing more is sent */
    see_order(label, &s, "cancelled", "refunded");
}
END_TEST

START_TEST(stripe_takes_it_back)
{
    const char *label = "back";
    struct uuid refund;
    struct sale s = cancelled_sale("stripe", &refund);
    struct refund_heard gone = {.news = REFUND_GONE, .ref = "re_1"};
    struct refund_heard no = {.news = REFUND_REFUSED, .ref = "re_1", .failure = "declined"};

    ck_assert_ptr_nonnull(started(refund));
    said(refund, &gone);
    see_order(label, &s, "cancelled", "refunded");
    said(refund, &no);
    said(refund, &no);
    said(refund, &gone); /* an old event */
    SEE_TEXT(T_REFUND, refund, "failed");
    SEE_TEXT(T_PAYMENT, s.payment, "succeeded");
    see_order(label, &s, "cancelled", "paid");
    see_booked(label, refund, 1, 1, 1);
    SEE_NUMBER(2, T_REFUNDS, ARG_ID(s.order));
    hand(payments_refund_order, s.order);
    SEE_NUMBER(2, T_REFUNDS, ARG_ID(s.order));

    struct uuid next = nth_refund(&s, 1);
    SEE_TEXT(T_REFUND_IS, next, "failed 1 declined");
    change(T_REFUND_DUE, next, NULL);
    struct refund_step *step = started(next);
    ck_assert_int_eq(step->attempt, 2);
    step->heard = HEARD_DONE;
    step->stripe = (struct stripe_refund){.id = "re_2", .status = REFUND_WORD_SUCCEEDED};
    finished(next, step);
    see_order(label, &s, "cancelled", "refunded");
    see_booked(label, next, 1, 1, 0);
}
END_TEST

/* --- at once ---------------------------------------------------------------------------------- */

START_TEST(eight_consumers_at_once)
{
    const char *label = "consumers";
    static const char *const providers[] = {"simulated", "stripe"};
    struct uuid refund;
    struct sale s = cancelled_sale(providers[_i], &refund);
    struct sending sendings[8];
    struct runner runners[8];

    for (int i = 0; i < 8; i++) {
        sendings[i] = (struct sending){.refund = refund};
        runners[i] = (struct runner){start_work, &sendings[i]};
    }
    run_together(runners, 8);
    SEE_TEXT(T_REFUND, refund, _i == 0 ? "succeeded" : "sending");
    see_refunds(label, &s, 1, s.total);
    see_booked(label, refund, 1, _i == 0 ? 1 : 0, 0);
}
END_TEST

static enum err
give_work(struct ctx *c, void *arg)
{
    const struct sale *s = arg;
    const struct refund_line line = {1, 1};
    const struct refund_wish wish = {.reason = "returned", .store = s->stores[0]};
    struct refunds_made made;
    struct order o;
    int64_t given;

    enum err e = orders_lock_for_store(c, s->order, s->stores[0], &o);
    if (e == OK)
        e = orders_give_back(c, &o, s->stores[0], &line, 1, 0, &given);
    if (e == ERR_VALIDATION)
        return OK; /* nothing is left of the line */
    return e != OK ? e : refunds_take_excess(c, &o, &wish, given, &made);
}

START_TEST(eight_give_the_same_line)
{
    const char *label = "lines";
    struct sale s = sell(500, 200, NOT_DUE);
    struct runner runners[8];

    paid(s.payment, s.total, 1);
    for (int i = 0; i < 8; i++)
        runners[i] = (struct runner){give_work, &s};
    run_together(runners, 8);
    see_refunds(label, &s, 1, 500);
    pay_refunds(&s);
    see_order(label, &s, "paid", "partially_refunded");
    ck_assert_int_eq(tx_run(ctx, cancel_work, &s), OK);
    hand(payments_refund_order, s.order);
    see_refunds(label, &s, 2, s.total);
    pay_refunds(&s);
    see_order(label, &s, "cancelled", "refunded");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("refunds");
    TCase *t = tcase_create("refunds");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, each_answer, 0, (int)(sizeof(answers) / sizeof(answers[0])));
    tcase_add_test(t, a_crash_before_the_call);
    tcase_add_test(t, a_certain_failure_begins_another_attempt);
    tcase_add_test(t, an_old_answer);
    tcase_add_test(t, the_result_before_the_answer);
    tcase_add_test(t, a_late_failure_of_mpesa_changes_nothing);
    tcase_add_test(t, a_late_success_of_mpesa_counts);
    tcase_add_test(t, stripe_takes_it_back);
    tcase_add_loop_test(t, eight_consumers_at_once, 0, 2);
    tcase_add_test(t, eight_give_the_same_line);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
