/*
 * The money of an order: what a completed part earns, what is given back of it, cash; and the order
 * that late money revives.
 */
#include "sale_fixture.h"

/* Their numbers follow those of sale_fixture's, which this suite does not use. */
enum {
    L_BOOKED = STMT__COUNT,
    L_SUM,
    L_SUM_OF_STORE,
    L_STATUS,
    L_STOCK,
    L_EVENTS,
    L_PART,
    L_METHOD,
    L_LINE
};

static const struct pg_stmt mine[] = {
    {"L_BOOKED", "SELECT count(*) AS n FROM ledger_transactions WHERE kind = $1 AND subject = $2",
     2, false},
    {"L_SUM",
     "SELECT coalesce(sum(e.amount), 0)::bigint AS n FROM ledger_entries e"
     " JOIN ledger_transactions t ON t.id = e.transaction_id WHERE t.order_id = $1 AND e.account = "
     "$2",
     2, false},
    {"L_SUM_OF_STORE",
     "SELECT coalesce(sum(amount), 0)::bigint AS n FROM ledger_entries WHERE store_id = $1", 1,
     false},
    {"L_STATUS",
     "SELECT status || ' ' || coalesce(cancel_reason, '-') AS s FROM orders WHERE id = $1", 1,
     false},
    {"L_STOCK", "SELECT available AS n FROM product_stock WHERE product_id = $1", 1, false},
    {"L_EVENTS", "SELECT count(*) AS n FROM order_events WHERE order_id = $1 AND event = $2", 2,
     false},
    {"L_PART",
     "SELECT status || ' ' || coalesce(cancel_reason, '-') AS s FROM order_parts WHERE order_id = "
     "$1 AND store_id = $2",
     2, false},
    {"L_METHOD", "UPDATE orders SET payment_method = $2 WHERE id = $1", 2, false},
    {"L_LINE", "UPDATE order_lines SET price = price / $2, quantity = $2 WHERE order_id = $1", 2,
     false},
};

static void
setup_ledger(void)
{
    static const char *const settings[] = {"COMMISSION_BP=850", NULL};

    shop_config(settings);
    shop_party(&us, STMTS(mine));
    ctx = &us.ctx;
}

/* --- what orders book ------------------------------------------------------------------------- */

#define SEE_SUM(want, account)                                                                     \
    ck_assert_int_eq(NUMBER(ctx, L_SUM, ARG_ID(s.order), ARG_TEXT(account)), (want))

struct step {
    const struct sale *sale;
    enum part_status to;
    enum mover mover;
    struct refund_line lines[2];
    size_t count;
    int64_t amount, given;
    bool revived;
};

static size_t
first_part(const struct order *o, const struct sale *s)
{
    size_t i = 0;

    while (!uuid_equal(o->parts[i].store_id, s->stores[0]))
        i++;
    return i;
}

static enum err
move_work(struct ctx *c, void *arg)
{
    const struct step *step = arg;
    struct order o;

    enum err e = orders_lock(c, step->sale->order, (struct uuid){{0}}, &o);
    return e != OK
               ? e
               : orders_move_part(c, &o, first_part(&o, step->sale), step->to, step->mover, NULL);
}

static enum err
mark_paid_work(struct ctx *c, void *arg)
{
    const struct sale *s = arg;
    struct order o;

    enum err e = orders_lock(c, s->order, (struct uuid){{0}}, &o);
    return e != OK ? e : orders_mark_paid(c, &o);
}

static enum err
give_back_work(struct ctx *c, void *arg)
{
    struct step *step = arg;
    struct order o;

    enum err e = orders_lock(c, step->sale->order, (struct uuid){{0}}, &o);
    if (e != OK)
        return e;
    int64_t owed = orders_owed(&o);
    e = orders_give_back(c, &o, step->sale->stores[0], step->lines, step->count, step->amount,
                         &step->given);
    if (e == OK)
        ck_assert_int_eq(owed - orders_owed(&o), step->given);
    return e;
}

static void
move_to(const struct sale *s, enum part_status to)
{
    struct step step = {.sale = s, .to = to, .mover = MOVER_SELLER};

    ck_assert_int_eq(tx_run(ctx, move_work, &step), OK);
}

static void
complete(const struct sale *s)
{
    move_to(s, PART_PROCESSING);
    move_to(s, PART_SHIPPING);
    move_to(s, PART_SHIPPED);
    move_to(s, PART_COMPLETED);
}

static enum err
give_back(const struct sale *s, int64_t line, int64_t units, int64_t amount, int64_t *given)
{
    struct step step = {.sale = s, .lines = {{line, units}}, .count = line > 0, .amount = amount};

    enum err e = tx_run(ctx, give_back_work, &step);
    *given = step.given;
    return e;
}

START_TEST(a_completed_part_has_earned)
{
    struct sale s = sell(1001, 0, NOT_DUE);
    int64_t given;

    ck_assert_int_eq(tx_run(ctx, mark_paid_work, &s), OK);
    complete(&s);
    /* 8.5 % of 1001 is 85.085 */
    SEE_SUM(1001, "buyer_funds");
    SEE_SUM(-916, "store_payable");
    SEE_SUM(-85, "commission");
    /* of 995 it is 84.575, of 1 nothing */
    ck_assert_int_eq(give_back(&s, 0, 0, 6, &given), OK);
    ck_assert_int_eq(given, 6);
    SEE_SUM(995, "buyer_funds");
    SEE_SUM(-910, "store_payable");
    SEE_SUM(-85, "commission");
    ck_assert_int_eq(give_back(&s, 0, 0, 994, &given), OK);
    SEE_SUM(1, "buyer_funds");
    SEE_SUM(-1, "store_payable");
    SEE_SUM(0, "commission");
    ck_assert_int_eq(give_back(&s, 0, 0, 2, &given), ERR_VALIDATION);
    ck_assert_int_eq(give_back(&s, 0, 0, 1, &given), OK);
    SEE_SUM(0, "buyer_funds");
    SEE_SUM(0, "store_payable");
    SEE_SUM(0, "commission");
    ck_assert_int_eq(give_back(&s, 0, 0, 1, &given), ERR_VALIDATION);
    ck_assert_int_eq(NUMBER(ctx, L_SUM_OF_STORE, ARG_ID(s.stores[0])), 0);
}
END_TEST

/* What went back before it completed was never earned; of the rest, the fee. */
START_TEST(given_back_before_it_completed)
{
    struct sale s = sell(1000, 0, NOT_DUE);
    int64_t given;

    ck_assert_int_eq(tx_run(ctx, mark_paid_work, &s), OK);
    ck_assert_int_eq(give_back(&s, 0, 0, 400, &given), OK);
    SEE_SUM(0, "store_payable");
    complete(&s);
    SEE_SUM(600, "buyer_funds");
    SEE_SUM(-549, "store_payable");
    SEE_SUM(-51, "commission");
}
END_TEST

static enum err
more_units_work(struct ctx *c, void *arg)
{
    const struct sale *s = arg;

    return pg_run(c, L_LINE, ARG_ID(s->order), ARG_INT(4));
}

START_TEST(given_back_by_lines)
{
    struct sale s = sell(1000, 0, NOT_DUE);
    struct step twice = {.sale = &s, .lines = {{1, 1}, {1, 1}}, .count = 2};
    int64_t given;

    ck_assert_int_eq(tx_run(ctx, more_units_work, &s), OK); /* 4 units at 250 */
    ck_assert_int_eq(tx_run(ctx, mark_paid_work, &s), OK);
    ck_assert_int_eq(give_back(&s, 2, 1, 0, &given), ERR_VALIDATION);
    ck_assert_int_eq(give_back(&s, 1, 0, 0, &given), ERR_VALIDATION);
    ck_assert_int_eq(give_back(&s, 1, 5, 0, &given), ERR_VALIDATION);
    ck_assert_int_eq(tx_run(ctx, give_back_work, &twice), ERR_VALIDATION);
    ck_assert_int_eq(give_back(&s, 1, 1, 0, &given), OK);
    ck_assert_int_eq(given, 250);
    ck_assert_int_eq(give_back(&s, 1, 4, 0, &given), ERR_VALIDATION);
    ck_assert_int_eq(give_back(&s, 0, 0, 300, &given), OK);
    /* 3 units are left, and money for 1 */
    ck_assert_int_eq(give_back(&s, 1, 2, 0, &given), ERR_VALIDATION);
    ck_assert_int_eq(give_back(&s, 1, 1, 0, &given), OK);
    ck_assert_int_eq(give_back(&s, 0, 0, 201, &given), ERR_VALIDATION);
    ck_assert_int_eq(give_back(&s, 0, 0, 200, &given), OK);
}
END_TEST

START_TEST(what_was_not_paid_is_not_given_back)
{
    struct sale s = sell(1000, 500, NOT_DUE);
    struct step cancel = {.sale = &s, .to = PART_CANCELLED, .mover = MOVER_SELLER};
    int64_t given;

    ck_assert_int_eq(give_back(&s, 0, 0, 1, &given), ERR_INVALID_STATUS);
    ck_assert_int_eq(tx_run(ctx, mark_paid_work, &s), OK);
    ck_assert_int_eq(tx_run(ctx, move_work, &cancel), OK);
    ck_assert_int_eq(give_back(&s, 0, 0, 1, &given), ERR_INVALID_STATUS);
}
END_TEST

static enum err
in_cash_work(struct ctx *c, void *arg)
{
    const struct sale *s = arg;

    return pg_run(c, L_METHOD, ARG_ID(s->order), ARG_TEXT("cash_on_delivery"));
}

START_TEST(cash_owes_the_commission)
{
    struct sale s = sell(1000, 0, NOT_DUE);
    int64_t given;

    ck_assert_int_eq(tx_run(ctx, in_cash_work, &s), OK);
    complete(&s);
    SEE_SUM(0, "buyer_funds");
    SEE_SUM(85, "store_payable");
    SEE_SUM(-85, "commission");
    ck_assert_int_eq(NUMBER(ctx, L_BOOKED, ARG_TEXT("cash_part_completed"), ARG_ID(s.order)), 1);
    ck_assert_int_eq(give_back(&s, 0, 0, 1, &given), ERR_INVALID_STATUS);
}
END_TEST

/* --- late money ------------------------------------------------------------------------------- */

static enum err
revive_work(struct ctx *c, void *arg)
{
    struct step *step = arg;
    struct order o;

    enum err e = orders_lock(c, step->sale->order, (struct uuid){{0}}, &o);
    if (e == OK)
        e = orders_revive(c, &o, &step->revived);
    if (e == OK && step->revived) {
        ck_assert_int_eq(o.status, PART_PENDING);
        ck_assert_ptr_null(o.cancel_reason);
        e = orders_mark_paid(c, &o); /* the transaction goes on */
    }
    return e;
}

static enum err
expire_directly_work(struct ctx *c, void *arg)
{
    const struct sale *s = arg;
    struct order o;

    enum err e = orders_lock(c, s->order, (struct uuid){{0}}, &o);
    return e != OK ? e : orders_expire(c, &o);
}

static enum err
take_stock_work(struct ctx *c, void *arg)
{
    const struct sale *s = arg;
    const int64_t all = STOCK;

    return pg_run(c, CATALOG_STOCK_TAKE, ARG_IDS(&s->products[1], 1), ARG_INTS(&all, 1));
}

static bool
revive(const struct sale *s)
{
    struct step step = {.sale = s};

    ck_assert_int_eq(tx_run(ctx, revive_work, &step), OK);
    ck_assert_ptr_null(ctx->problems.first);
    return step.revived;
}

static void
see_stocks(const struct sale *s, int64_t first, int64_t second)
{
    ck_assert_int_eq(NUMBER(ctx, L_STOCK, ARG_ID(s->products[0])), first);
    ck_assert_int_eq(NUMBER(ctx, L_STOCK, ARG_ID(s->products[1])), second);
}

START_TEST(revived_with_all_its_stock)
{
    struct sale s = sell(500, 200, -1000);

    ck_assert_int_eq(tx_run(ctx, expire_directly_work, &s), OK);
    ck_assert_str_eq(STRING(ctx, L_STATUS, ARG_ID(s.order)), "cancelled expired");
    see_stocks(&s, STOCK, STOCK);
    ck_assert(revive(&s));
    ck_assert_str_eq(STRING(ctx, L_STATUS, ARG_ID(s.order)), "paid -");
    ck_assert_str_eq(STRING(ctx, L_PART, ARG_ID(s.order), ARG_ID(s.stores[0])), "paid -");
    see_stocks(&s, STOCK - 1, STOCK - 1);
    ck_assert_int_eq(NUMBER(ctx, L_EVENTS, ARG_ID(s.order), ARG_TEXT("revived")), 1);
    ck_assert(!revive(&s)); /* it lives */
    /* Cancelled once more, its stock goes back once more. */
    ck_assert_int_eq(tx_run(ctx, cancel_work, &s), OK);
    see_stocks(&s, STOCK, STOCK);
    ck_assert(!revive(&s));
}
END_TEST

START_TEST(not_revived_without_all_its_stock)
{
    struct sale s = sell(500, 200, -1000);

    ck_assert_int_eq(tx_run(ctx, expire_directly_work, &s), OK);
    ck_assert_int_eq(tx_run(ctx, take_stock_work, &s), OK);
    ck_assert(!revive(&s));
    ck_assert_str_eq(STRING(ctx, L_STATUS, ARG_ID(s.order)), "cancelled expired");
    see_stocks(&s, STOCK, 0);
    ck_assert_int_eq(NUMBER(ctx, L_EVENTS, ARG_ID(s.order), ARG_TEXT("revived")), 0);
}
END_TEST

/* What its seller had cancelled before stays so. */
START_TEST(only_what_expired_revives)
{
    struct sale s = sell(500, 200, -1000);
    struct step cancel = {.sale = &s, .to = PART_CANCELLED, .mover = MOVER_SELLER};

    ck_assert_int_eq(tx_run(ctx, move_work, &cancel), OK);
    ck_assert_int_eq(tx_run(ctx, expire_directly_work, &s), OK);
    ck_assert(revive(&s));
    ck_assert_str_eq(STRING(ctx, L_PART, ARG_ID(s.order), ARG_ID(s.stores[0])), "cancelled seller");
    ck_assert_str_eq(STRING(ctx, L_PART, ARG_ID(s.order), ARG_ID(s.stores[1])), "paid -");
    see_stocks(&s, STOCK, STOCK - 1);
}
END_TEST

START_TEST(a_person_s_no_is_a_no)
{
    struct sale s = sell(500, 200, -1000);

    ck_assert_int_eq(tx_run(ctx, cancel_work, &s), OK);
    ck_assert(!revive(&s));
    ck_assert_str_eq(STRING(ctx, L_STATUS, ARG_ID(s.order)), "cancelled buyer");
    see_stocks(&s, STOCK, STOCK);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("order_money");
    TCase *t = tcase_create("order_money");
    tcase_add_checked_fixture(t, setup_ledger, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_completed_part_has_earned);
    tcase_add_test(t, given_back_before_it_completed);
    tcase_add_test(t, given_back_by_lines);
    tcase_add_test(t, what_was_not_paid_is_not_given_back);
    tcase_add_test(t, cash_owes_the_commission);
    tcase_add_test(t, revived_with_all_its_stock);
    tcase_add_test(t, not_revived_without_all_its_stock);
    tcase_add_test(t, only_what_expired_revives);
    tcase_add_test(t, a_person_s_no_is_a_no);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
