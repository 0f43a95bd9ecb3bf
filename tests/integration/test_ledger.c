/*
 * The ledger: a fact is booked once, by however many; what does not sum to zero, and every change
 * of what is booked, is refused by the database itself.
 */
#include "sale_fixture.h"
#include "shop/ledger.h"

#include <signal.h>

/* Their numbers follow those of sale_fixture's, which this suite does not use. */
enum { L_BOOKED = STMT__COUNT, L_ENTRIES, L_ADD, L_ADD_ENTRY };

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
    {"L_ADD",
     "INSERT INTO ledger_transactions (id, kind, subject, currency)"
     " VALUES ($1, 'payment_settled', $1, 'KES')",
     1, false},
    {"L_ADD_ENTRY",
     "INSERT INTO ledger_entries (transaction_id, entry_no, account, amount) VALUES ($1, $2, "
     "'buyer_funds', $3)",
     3, false},
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
    tcase_add_loop_test(t, commit_demands_zero, 0, (int)(sizeof(forgeries) / sizeof(forgeries[0])));
    tcase_add_loop_test(t, even_the_owner_changes_nothing, 0,
                        (int)(sizeof(changes) / sizeof(changes[0])));
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
