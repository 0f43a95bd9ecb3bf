/*
 * The ledger: a fact is booked once, by however many; what does not sum to zero, and every change
 * of what is booked, is refused by the database itself. And what orders book in it: what a
 * completed part earns, what is given back of it, cash; and the order that late money revives.
 */
#include "sale_fixture.h"
#include "shop/ledger.h"

#include <signal.h>

/* Their numbers follow those of sale_fixture's, which this suite does not use. */
enum {
    L_BOOKED = STMT__COUNT,
    L_ENTRIES,
    L_SUM,
    L_SUM_OF_STORE,
    L_ADD,
    L_ADD_ENTRY,
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
    {"L_ENTRIES",
     "SELECT string_agg(concat_ws(' ', e.account, e.provider, (e.store_id IS NOT NULL)::text, "
     "e.amount), ', '"
     " ORDER BY e.entry_no) AS s FROM ledger_transactions t JOIN ledger_entries e ON "
     "e.transaction_id = t.id"
     " WHERE t.subject = $1",
     1, false},
    {"L_SUM",
     "SELECT coalesce(sum(e.amount), 0)::bigint AS n FROM ledger_entries e"
     " JOIN ledger_transactions t ON t.id = e.transaction_id WHERE t.order_id = $1 AND e.account = "
     "$2",
     2, false},
    {"L_SUM_OF_STORE",
     "SELECT coalesce(sum(amount), 0)::bigint AS n FROM ledger_entries WHERE store_id = $1", 1,
     false},
    {"L_ADD",
     "INSERT INTO ledger_transactions (id, kind, subject, currency)"
     " VALUES ($1, 'payment_settled', $1, 'KES')",
     1, false},
    {"L_ADD_ENTRY",
     "INSERT INTO ledger_entries (transaction_id, entry_no, account, amount) VALUES ($1, $2, "
     "'buyer_funds', $3)",
     3, false},
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

/* --- booking ---------------------------------------------------------------------------------- */

static enum err
book_work(struct ctx *c, void *arg)
{
    return ledger_book(c, arg);
}

static enum err
book(enum ledger_kind kind, struct uuid subject, struct uuid store, const char *provider,
     const struct ledger_entry *entries, size_t count)
{
    struct ledger_booking b = {.kind = kind,
                               .subject = subject,
                               .store = store,
                               .provider = provider,
                               .currency = "KES",
                               .entries = entries,
                               .count = count};

    return tx_run(ctx, book_work, &b);
}

static const struct ledger_entry paid_100[] = {{LEDGER_PROVIDER_CASH, 100},
                                               {LEDGER_BUYER_FUNDS, -100}};

static const struct {
    enum ledger_kind kind;
    const char *name;
    bool of_store;
    const char *provider;
    struct ledger_entry entries[3];
    const char *want;
} kinds_row[] = {
    {LEDGER_PAYMENT_SETTLED,
     "payment_settled",
     false,
     "mpesa",
     {{LEDGER_PROVIDER_CASH, 1300}, {LEDGER_BUYER_FUNDS, -1250}, {LEDGER_ROUNDING, -50}},
     "provider_cash mpesa false 1300, buyer_funds false -1250, rounding false -50"},
    {LEDGER_PAYMENT_PARKED,
     "payment_parked",
     false,
     "stripe",
     {{LEDGER_PROVIDER_CASH, 7}, {LEDGER_SUSPENSE, -7}, {0, 0}},
     "provider_cash stripe false 7, suspense false -7"},
    {LEDGER_REVIEW_ACCEPTED,
     "review_accepted",
     false,
     NULL,
     {{LEDGER_SUSPENSE, 7}, {LEDGER_BUYER_FUNDS, -7}, {0, 0}},
     "suspense false 7, buyer_funds false -7"},
    {LEDGER_REFUND_REQUESTED,
     "refund_requested",
     false,
     NULL,
     {{LEDGER_BUYER_FUNDS, 5}, {LEDGER_REFUNDS_PAYABLE, -5}, {0, 0}},
     "buyer_funds false 5, refunds_payable false -5"},
    {LEDGER_REFUND_REVERSED,
     "refund_reversed",
     false,
     "stripe",
     {{LEDGER_PROVIDER_CASH, 5}, {LEDGER_BUYER_FUNDS, -5}, {0, 0}},
     "provider_cash stripe false 5, buyer_funds false -5"},
    {LEDGER_REFUND_PAID,
     "refund_paid",
     false,
     "mpesa",
     {{LEDGER_REFUNDS_PAYABLE, 5}, {LEDGER_PROVIDER_CASH, -5}, {0, 0}},
     "refunds_payable false 5, provider_cash mpesa false -5"},
    {LEDGER_PART_COMPLETED,
     "part_completed",
     true,
     NULL,
     {{LEDGER_BUYER_FUNDS, 10}, {LEDGER_STORE_PAYABLE, -9}, {LEDGER_COMMISSION, -1}},
     "buyer_funds false 10, store_payable true -9, commission false -1"},
    {LEDGER_CASH_COMPLETED,
     "cash_part_completed",
     true,
     NULL,
     {{LEDGER_STORE_PAYABLE, 1}, {LEDGER_COMMISSION, -1}, {0, 0}},
     "store_payable true 1, commission false -1"},
    {LEDGER_PART_REFUNDED,
     "part_refunded",
     true,
     NULL,
     {{LEDGER_STORE_PAYABLE, 9}, {LEDGER_COMMISSION, 1}, {LEDGER_BUYER_FUNDS, -10}},
     "store_payable true 9, commission false 1, buyer_funds false -10"},
};

START_TEST(each_kind_once)
{
    struct uuid subject = new_id(), store = {{0}};
    struct sale s;

    if (kinds_row[_i].of_store) {
        s = sell(100, 0, NOT_DUE);
        store = s.stores[0];
    }
    for (int again = 0; again < 3; again++) {
        ck_assert_int_eq(book(kinds_row[_i].kind, subject, store, kinds_row[_i].provider,
                              kinds_row[_i].entries, 3),
                         OK);
        ck_assert_int_eq(NUMBER(ctx, L_BOOKED, ARG_TEXT(kinds_row[_i].name), ARG_ID(subject)), 1);
        ck_assert_str_eq(STRING(ctx, L_ENTRIES, ARG_ID(subject)), kinds_row[_i].want);
    }
}
END_TEST

/* Cash on delivery without commission: there is nothing to book. */
START_TEST(nothing_moves)
{
    static const struct ledger_entry none[] = {{LEDGER_STORE_PAYABLE, 0}, {LEDGER_COMMISSION, 0}};
    struct uuid subject = new_id();

    ck_assert_int_eq(book(LEDGER_CASH_COMPLETED, subject, (struct uuid){{0}}, NULL, none, 2), OK);
    ck_assert_int_eq(NUMBER(ctx, L_BOOKED, ARG_TEXT("cash_part_completed"), ARG_ID(subject)), 0);
}
END_TEST

START_TEST(unbalanced_aborts)
{
    static const struct ledger_entry odd[] = {{LEDGER_PROVIDER_CASH, 100},
                                              {LEDGER_BUYER_FUNDS, -99}};

    book(LEDGER_PAYMENT_SETTLED, new_id(), (struct uuid){{0}}, "stripe", odd, 2);
}
END_TEST

/* A booker that fails leaves nothing, and the next one books. */
static enum err
book_and_fail_work(struct ctx *c, void *arg)
{
    enum err e = ledger_book(c, arg);

    return e != OK ? e : ERR_CONFLICT;
}

START_TEST(rolled_back_is_not_booked)
{
    struct uuid subject = new_id();
    struct ledger_booking b = {.kind = LEDGER_PAYMENT_SETTLED,
                               .subject = subject,
                               .provider = "stripe",
                               .currency = "KES",
                               .entries = paid_100,
                               .count = 2};

    ck_assert_int_eq(tx_run(ctx, book_and_fail_work, &b), ERR_CONFLICT);
    ck_assert_int_eq(NUMBER(ctx, L_BOOKED, ARG_TEXT("payment_settled"), ARG_ID(subject)), 0);
    ck_assert_int_eq(tx_run(ctx, book_work, &b), OK);
    ck_assert_int_eq(NUMBER(ctx, L_BOOKED, ARG_TEXT("payment_settled"), ARG_ID(subject)), 1);
}
END_TEST

/* Each booker is a process with a connection of its own, let go with the others. */
START_TEST(eight_bookers_at_once)
{
    struct uuid subject = new_id();
    int ready[2], gate[2];
    pid_t pids[8];
    char none;

    ck_assert_int_eq(pipe(ready), 0);
    ck_assert_int_eq(pipe(gate), 0);
    for (int i = 0; i < 8; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] != 0)
            continue;
        struct party own;
        close(gate[1]);
        shop_party(&own, STMTS(mine));
        ctx = &own.ctx;
        if (write(ready[1], "x", 1) != 1 || read(gate[0], &none, 1) != 0)
            _exit(1);
        _exit(book(LEDGER_PAYMENT_SETTLED, subject, (struct uuid){{0}}, "stripe", paid_100, 2) == OK
                  ? 0
                  : 2);
    }
    close(ready[1]);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(read(ready[0], &none, 1), 1);
    close(gate[1]);
    for (int i = 0; i < 8; i++)
        expect_child(pids[i]);
    ck_assert_int_eq(NUMBER(ctx, L_BOOKED, ARG_TEXT("payment_settled"), ARG_ID(subject)), 1);
    ck_assert_str_eq(STRING(ctx, L_ENTRIES, ARG_ID(subject)),
                     "provider_cash stripe false 100, buyer_funds false -100");
}
END_TEST

START_TEST(cash_of_a_provider)
{
    int64_t before, after;

    ck_assert_int_eq(ledger_cash(ctx, "stripe", "KES", &before), OK);
    ck_assert_int_eq(
        book(LEDGER_PAYMENT_SETTLED, new_id(), (struct uuid){{0}}, "stripe", paid_100, 2), OK);
    ck_assert_int_eq(ledger_cash(ctx, "stripe", "KES", &after), OK);
    ck_assert_int_eq(after - before, 100);
    ck_assert_int_eq(ledger_cash(ctx, "stripe", "TZS", &after), OK);
    ck_assert_int_eq(after, 0);
}
END_TEST

/* --- the database itself ---------------------------------------------------------------------- */

struct forged {
    struct uuid id;
    int64_t amounts[2]; /* of its entries; 0: none */
    int first;          /* number of the first */
    bool is_new;
};

static enum err
forge_work(struct ctx *c, void *arg)
{
    const struct forged *f = arg;
    enum err e = f->is_new ? pg_run(c, L_ADD, ARG_ID(f->id)) : OK;

    for (int i = 0; e == OK && i < 2; i++) {
        if (f->amounts[i] != 0)
            e = pg_run(c, L_ADD_ENTRY, ARG_ID(f->id), ARG_INT(f->first + i),
                       ARG_INT(f->amounts[i]));
    }
    ck_assert_int_eq(e, OK); /* only COMMIT refuses */
    return e;
}

static const struct {
    const char *label;
    int64_t amounts[2];
    enum err want;
} forgeries[] = {
    {"no entry", {0, 0}, ERR_INTERNAL},
    {"one side", {5, 0}, ERR_INTERNAL},
    {"off by one", {5, -4}, ERR_INTERNAL},
    {"zero", {5, -5}, OK},
};

START_TEST(commit_demands_zero)
{
    struct forged f = {.id = new_id(), .first = 1, .is_new = true};

    memcpy(f.amounts, forgeries[_i].amounts, sizeof(f.amounts));
    ck_assert_msg(tx_run(ctx, forge_work, &f) == forgeries[_i].want, "%s", forgeries[_i].label);
    ck_assert_int_eq(NUMBER(ctx, L_BOOKED, ARG_TEXT("payment_settled"), ARG_ID(f.id)),
                     forgeries[_i].want == OK ? 1 : 0);
    if (forgeries[_i].want != OK)
        return;
    f.is_new = false;
    f.first = 3;
    f.amounts[1] = 0;
    ck_assert_msg(tx_run(ctx, forge_work, &f) == ERR_INTERNAL, "an entry more, later");
}
END_TEST

static const char *const changes[] = {
    "UPDATE ledger_entries SET amount = 1",
    "UPDATE ledger_entries SET amount = 1 WHERE false",
    "DELETE FROM ledger_entries",
    "TRUNCATE ledger_entries",
    "UPDATE ledger_transactions SET currency = 'TZS'",
    "DELETE FROM ledger_transactions",
    "TRUNCATE ledger_transactions CASCADE",
};

START_TEST(even_the_owner_changes_nothing)
{
    static const struct pg_stmt none[] = {TX_ROWS};
    struct party owner;
    const char *why = "";

    setenv("SOKO_TEST_DATABASE_URL", env_or_fail("SOKO_TEST_OWNER_URL"), 1);
    party_new(&owner, STMTS(none), NULL);
    enum err e = pg_script(&owner.ctx, changes[_i], &why);
    ck_assert_msg(e != OK && strstr(why, "append-only") != NULL, "%s: %s", changes[_i], why);
    party_end(&owner);
}
END_TEST

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
    Suite *suite = suite_create("ledger");
    TCase *t = tcase_create("ledger");
    tcase_add_checked_fixture(t, setup_ledger, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, each_kind_once, 0, (int)(sizeof(kinds_row) / sizeof(kinds_row[0])));
    tcase_add_test(t, nothing_moves);
    tcase_add_test_raise_signal(t, unbalanced_aborts, SIGABRT);
    tcase_add_test(t, rolled_back_is_not_booked);
    tcase_add_test(t, eight_bookers_at_once);
    tcase_add_test(t, cash_of_a_provider);
    tcase_add_loop_test(t, commit_demands_zero, 0, (int)(sizeof(forgeries) / sizeof(forgeries[0])));
    tcase_add_loop_test(t, even_the_owner_changes_nothing, 0,
                        (int)(sizeof(changes) / sizeof(changes[0])));
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
