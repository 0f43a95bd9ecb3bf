/*
 * Tries at a name, and what a sign-in must hash. An hour passes by moving what was tried into the
 * past, never by waiting.
 */
#include "base/id.h"
#include "io/tx.h"
#include "shop/accounts/throttle.h"
#include "shop_fixture.h"

#define BCRYPT_10 "$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga"
#define BCRYPT_5 "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"
#define BCRYPT_5B "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

enum { T_AGE = STMT__COUNT, T_BUCKETS, T_FORGET, T_SPOIL };

static const struct pg_stmt more[] = {
    {"T_AGE",
     "UPDATE tries SET over_at = over_at - $2::bigint * interval '1 s', made_at ="
     " ARRAY(SELECT m - $2::bigint * interval '1 s' FROM unnest(made_at) AS m) WHERE bucket = $1",
     2, false},
    {"T_BUCKETS", "SELECT count(*) AS n FROM tries WHERE bucket = $1", 1, false},
    {"T_FORGET", "DELETE FROM accounts WHERE name = 'scheme'", 0, false},
    {"T_SPOIL", "UPDATE accounts SET password_hash = $2 WHERE id = $1", 2, false},
};

static struct party us;
static struct ctx *ctx;

static void
setup(void)
{
    shop_config(NULL);
    shop_party(&us, STMTS(more));
    ctx = &us.ctx;
}

static void
teardown(void)
{
    party_end(&us);
}

/* --- tries ------------------------------------------------------------------------------------ */

struct taking {
    const char *name, *network;
    int64_t per_hour;
    bool give_back;
    struct try try;
};

static enum err
take_work(struct ctx *c, void *arg)
{
    struct taking *t = arg;

    enum err e = throttle_take(c, "test", t->name, t->network, t->per_hour, &t->try);
    if (e == OK && t->give_back)
        throttle_give_back(c, &t->try);
    return e;
}

static enum err
take(struct taking *t)
{
    return tx_run(ctx, take_work, t);
}

static const char *
new_name(void)
{
    char id[UUID_TEXT_SIZE];

    return arena_strdup(ctx->arena, uuid_text(uuid_v7(clock_ms()), id));
}

static void
age(const struct taking *t, int64_t seconds)
{
    ck_assert_int_eq(pg_run(ctx, T_AGE, ARG_BYTES(t->try.bucket, SHA256_SIZE), ARG_INT(seconds)),
                     OK);
}

START_TEST(so_many_an_hour_and_no_more)
{
    struct taking t = {.name = new_name(), .per_hour = 3};

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(take(&t), OK);
    ck_assert_int_eq(take(&t), ERR_RATE_LIMITED);
    ck_assert_int_gt(ctx->retry_after_ms, 3590000);
    ck_assert_int_le(ctx->retry_after_ms, 3600000);
    ck_assert_int_eq((int)strlen(ctx->problems.first->message) > 0, 1);
    age(&t, 3000);
    ck_assert_int_eq(take(&t), ERR_RATE_LIMITED);
    ck_assert_int_gt(ctx->retry_after_ms, 590000);
    ck_assert_int_le(ctx->retry_after_ms, 600000);
    age(&t, 600);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(take(&t), OK);
    ck_assert_int_eq(take(&t), ERR_RATE_LIMITED);
}
END_TEST

/* Whoever spreads his tries has not more of them: each counts for an hour from its own time. */
START_TEST(in_any_hour_not_only_in_the_first)
{
    struct taking t = {.name = new_name(), .per_hour = 2};

    ck_assert_int_eq(take(&t), OK);
    age(&t, 3500);
    ck_assert_int_eq(take(&t), OK);
    age(&t, 200); /* the first is over, the second is not */
    ck_assert_int_eq(take(&t), OK);
    ck_assert_int_eq(take(&t), ERR_RATE_LIMITED);
    ck_assert_int_gt(ctx->retry_after_ms, 3390000);
    ck_assert_int_le(ctx->retry_after_ms, 3400000);
}
END_TEST

START_TEST(what_is_given_back_can_be_taken_again)
{
    struct taking t = {.name = new_name(), .per_hour = 2, .give_back = true};

    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(take(&t), OK);
    t.give_back = false;
    ck_assert_int_eq(take(&t), OK);
    ck_assert_int_eq(take(&t), OK);
    ck_assert_int_eq(take(&t), ERR_RATE_LIMITED);
}
END_TEST

static enum err
give_back_work(struct ctx *c, void *arg)
{
    throttle_give_back(c, arg);
    return OK;
}

/* Its own, and only once: not the one that came after it. */
START_TEST(each_try_is_given_back_for_itself)
{
    struct taking first = {.name = new_name(), .per_hour = 2}, second = first;

    ck_assert_int_eq(take(&first), OK);
    ck_assert_int_eq(take(&second), OK);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(tx_run(ctx, give_back_work, &first.try), OK);
    ck_assert_int_eq(take(&first), OK);
    ck_assert_int_eq(take(&first), ERR_RATE_LIMITED);
}
END_TEST

START_TEST(what_was_forgotten_is_given_back_to_nobody)
{
    struct taking t = {.name = new_name(), .per_hour = 1};

    ck_assert_int_eq(take(&t), OK);
    age(&t, 4000);
    while (NUMBER(ctx, T_BUCKETS, ARG_BYTES(t.try.bucket, SHA256_SIZE)) > 0)
        ck_assert_int_eq(throttle_sweep(ctx), OK);
    ck_assert_int_eq(tx_run(ctx, give_back_work, &t.try), OK);
}
END_TEST

START_TEST(the_sweep_leaves_what_still_counts)
{
    struct taking t = {.name = new_name(), .per_hour = 1};

    ck_assert_int_eq(take(&t), OK);
    age(&t, 3000);
    ck_assert_int_eq(throttle_sweep(ctx), OK);
    ck_assert_int_eq(take(&t), ERR_RATE_LIMITED);
}
END_TEST

START_TEST(buckets_are_apart)
{
    const char *name = new_name();
    struct taking all = {.name = name, .per_hour = 1},
                  one = {.name = name, .network = "192.0.2.1", .per_hour = 1},
                  two = {.name = name, .network = "2001:db8::/64", .per_hour = 1},
                  joined = {.name = arena_printf(ctx->arena, "%s%s", name, "192.0.2.1"),
                            .per_hour = 1};
    struct taking *const each[] = {&all, &one, &two, &joined};

    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(take(each[i]), OK);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(take(each[i]), ERR_RATE_LIMITED);
}
END_TEST

START_TEST(no_limit_remembers_nothing)
{
    struct taking t = {.name = new_name(), .per_hour = 0, .give_back = true};

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(take(&t), OK);
    t.per_hour = 1;
    t.give_back = false;
    ck_assert_int_eq(take(&t), OK);
}
END_TEST

/* A limit that was lowered counts what was tried under the old one. */
START_TEST(a_lower_limit_holds_at_once)
{
    struct taking t = {.name = new_name(), .per_hour = 5};

    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(take(&t), OK);
    t.per_hour = 2;
    ck_assert_int_eq(take(&t), ERR_RATE_LIMITED);
    t.per_hour = 6;
    ck_assert_int_eq(take(&t), OK);
}
END_TEST

/* Eight processes at one bucket: exactly so many get through. */
START_TEST(everybody_at_once)
{
    enum { PROCESSES = 8, EACH = 25, LIMIT = 20 };
    struct taking t = {.name = new_name(), .per_hour = LIMIT};
    int gate[2], total[2], taken = 0;
    pid_t pids[PROCESSES];
    char c;

    ck_assert_int_eq(pipe(gate), 0);
    ck_assert_int_eq(pipe(total), 0);
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] != 0)
            continue;
        struct party own;
        shop_party(&own, STMTS(more));
        ctx = &own.ctx;
        close(gate[1]);
        if (read(gate[0], &c, 1) != 0) /* until the parent has closed it */
            _exit(2);
        for (int k = 0; k < EACH; k++) {
            enum err e = take(&t);
            if (e == OK && write(total[1], "x", 1) != 1)
                _exit(3);
            if (e != OK && e != ERR_RATE_LIMITED)
                _exit(4);
        }
        party_end(&own);
        _exit(0);
    }
    close(gate[0]);
    close(gate[1]);
    close(total[1]);
    while (read(total[0], &c, 1) == 1)
        taken++;
    close(total[0]);
    for (int i = 0; i < PROCESSES; i++)
        expect_child(pids[i]);
    ck_assert_int_eq(taken, LIMIT);
}
END_TEST

/* --- what a sign-in must hash ----------------------------------------------------------------- */

struct scheme_row {
    const char *scheme;
};
static const struct field scheme_row_fields[] = {FIELD(struct scheme_row, scheme)};
static const struct input scheme_row = INPUT(scheme_row, "TestScheme", NULL);

static bool
in_use(const char *scheme)
{
    struct scheme_row *rows;
    size_t count, found = 0;

    ck_assert_int_eq(pg_all(ctx, ACCOUNTS_SCHEMES, &scheme_row, &rows, &count, ARG_NONE), OK);
    for (size_t i = 0; i < count; i++) {
        found += strcmp(rows[i].scheme, scheme) == 0;
        ck_assert(i == 0 || strcmp(rows[i - 1].scheme, rows[i].scheme) < 0); /* each once */
    }
    return found > 0;
}

struct making {
    struct uuid id;
    const char *hash;
};

static enum err
make_work(struct ctx *c, void *arg)
{
    const struct making *m = arg;

    return pg_run(c, ACCOUNTS_ADD, ARG_ID(m->id), ARG_TEXT("scheme"), ARG_NULL, ARG_NULL,
                  ARG_TEXT(arena_printf(c->arena, "u%s", new_name())), ARG_TEXT(m->hash));
}

static struct uuid
make(const char *hash)
{
    struct making m = {uuid_v7(clock_ms()), hash};

    ck_assert_int_eq(tx_run(ctx, make_work, &m), OK);
    return m.id;
}

static enum err
rehash(struct uuid id, const char *from, const char *to)
{
    return pg_run(ctx, ACCOUNTS_REHASH, ARG_ID(id), ARG_TEXT(from), ARG_TEXT(to));
}

START_TEST(the_schemes_are_those_of_the_accounts)
{
    const char *cost_1 = password_hash(ctx->arena, "x", 1),
               *cost_2 = password_hash(ctx->arena, "x", 2);

    ck_assert_int_eq(pg_touch(ctx, T_FORGET, NULL, ARG_NONE), OK);
    ck_assert(!in_use("$2b$05$") && !in_use("$2b$10$"));
    struct uuid ten = make(BCRYPT_10), five = make(BCRYPT_5), five_too = make(BCRYPT_5B);
    make(cost_1);
    make(cost_2);
    ck_assert(in_use("$2b$10$"));
    ck_assert(in_use("$2b$05$"));
    ck_assert(!in_use("$2a$10$") && !in_use("$2y$05$")); /* the same work, so not once more */
    ck_assert(in_use(password_scheme(ctx->arena, 1)));
    ck_assert(in_use(password_scheme(ctx->arena, 2)));

    /* They sign in, one after another. */
    ck_assert_int_eq(rehash(ten, BCRYPT_10, cost_1), OK);
    ck_assert(!in_use("$2b$10$"));
    ck_assert_int_eq(rehash(five, BCRYPT_5, cost_1), OK);
    ck_assert(in_use("$2b$05$"));
    ck_assert_int_eq(rehash(five_too, BCRYPT_5B, cost_1), OK);
    ck_assert(!in_use("$2b$05$"));
    /* Not, if the password has changed meanwhile. */
    ck_assert_int_eq(rehash(five_too, BCRYPT_5B, cost_2), ERR_NOT_FOUND);
    ck_assert_int_eq(pg_touch(ctx, T_FORGET, NULL, ARG_NONE), OK);
}
END_TEST

/* A hash without a scheme, or one that libcrypt cannot read, is refused by the table. */
static const char *const unreadable[] = {
    "",
    "x",
    "$2b$",
    "$2b$10$",
    "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    "$2b$5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
    "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW",
    "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe\n",
    "$y$j9T$$",
    "$y$j9T$aaaa$bbbb",
    "$6$salt$hash",
    "*",
    "!"};

START_TEST(the_table_refuses_what_cannot_be_read)
{
    struct uuid id = make(BCRYPT_5);

    int fd = log_capture();
    ck_assert_int_ne(pg_run(ctx, T_SPOIL, ARG_ID(id), ARG_TEXT(unreadable[_i])), OK);
    const char *log = log_captured(fd);
    ck_assert_msg(strstr(log, "23514") != NULL || strstr(log, "23502") != NULL, "%s", log);
    ck_assert_int_eq(pg_run(ctx, T_SPOIL, ARG_ID(id), ARG_TEXT(password_hash(ctx->arena, "x", 1))),
                     OK);
    ck_assert_int_eq(pg_touch(ctx, T_FORGET, NULL, ARG_NONE), OK);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("throttle");
    TCase *tc = tcase_create("throttle");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, so_many_an_hour_and_no_more);
    tcase_add_test(tc, in_any_hour_not_only_in_the_first);
    tcase_add_test(tc, what_is_given_back_can_be_taken_again);
    tcase_add_test(tc, each_try_is_given_back_for_itself);
    tcase_add_test(tc, what_was_forgotten_is_given_back_to_nobody);
    tcase_add_test(tc, the_sweep_leaves_what_still_counts);
    tcase_add_test(tc, buckets_are_apart);
    tcase_add_test(tc, no_limit_remembers_nothing);
    tcase_add_test(tc, a_lower_limit_holds_at_once);
    tcase_add_test(tc, everybody_at_once);
    tcase_add_test(tc, the_schemes_are_those_of_the_accounts);
    tcase_add_loop_test(tc, the_table_refuses_what_cannot_be_read, 0,
                        sizeof unreadable / sizeof unreadable[0]);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
