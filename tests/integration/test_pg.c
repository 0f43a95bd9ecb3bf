/*
 * io/pg: connection, statements, refusals, errors, scripts, misuse.
 */
#include "pg_stock.h"

#include <signal.h>

/* ---- connection ---- */

START_TEST(opens_and_describes)
{
    ck_assert_int_eq(pg_open(ctx->pg), OK);
    ck_assert_int_eq(pg_open(ctx->pg), OK);
    ck_assert_int_eq(pg_columns(ctx->pg, TAKE), 6);
    ck_assert_str_eq(pg_column_name(ctx->pg, TAKE, 5), "secret");
    ck_assert_str_eq(pg_column_kind(ctx->pg, TAKE, 5), "hidden");
    ck_assert_str_eq(pg_column_kind(ctx->pg, TAKE, 3), "int");
    ck_assert_int_eq(pg_columns(ctx->pg, SET), 0);
}
END_TEST

START_TEST(session_is_set_up)
{
    struct text out = text_new(ctx->arena, 1000);

    ck_assert_int_eq(pg_object(ctx, WHO, &out, ARG_NONE), OK);
    ck_assert_str_eq(text_cstr(&out), "{\"s\":\"soko-test UTC force_custom_plan\"}");
}
END_TEST

START_TEST(what_is_no_address_is_refused_unquoted)
{
    static const char *const good[] = {"postgresql://soko_app@/soko?host=/run/x",
                                       "postgres://u:p%2Fw@h1:1,h2:2/soko", "dbname=soko",
                                       "host=h port=5433 user=u password='a b'"};
    static const char *const bad[] = {"sesame",
                                      "postgres//u:sesame@h/soko",
                                      "postgres//u:ses=ame@h/soko",
                                      "sesame=1",
                                      "postgresql://u:sesame%zz@h/soko",
                                      "postgresql://u:sesame/2@h/soko",
                                      "host=h password=open sesame user=u",
                                      "postgresql://[sesame"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(pg_url_fault(good[i]) == NULL, "%s: %s", good[i], pg_url_fault(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *why = pg_url_fault(bad[i]);

        ck_assert_msg(why != NULL, "%s", bad[i]);
        ck_assert_ptr_null(strstr(why, "ame"));
    }
}
END_TEST

/* libpq quotes what it cannot use, and that may be the end of a password with an '@' in it. */
START_TEST(an_outage_quotes_no_address)
{
    static const char *const urls[] = {"postgresql://u:open@sesame@nowhere.invalid/x",
                                       "postgresql://u:p@h/x?sslmode=sesame"};

    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct pg_options o = us.options;
        int log = log_capture();

        o.url = urls[i];
        struct pg *pg = pg_new(&o);
        ck_assert_int_eq(pg_open(pg), ERR_SERVICE_UNAVAILABLE);
        pg_free(pg);
        const char *said = log_captured(log);
        ck_assert_ptr_nonnull(strstr(said, "DATABASE_URL"));
        ck_assert_ptr_null(strstr(said, "sesame"));
    }
}
END_TEST

START_TEST(unreachable_server_fails_at_once_the_second_time)
{
    struct pg_options o = us.options;
    int log = log_capture();

    o.url = "host=/nonexistent dbname=x user=x";
    struct pg *pg = pg_new(&o);
    ck_assert_int_eq(pg_open(pg), ERR_SERVICE_UNAVAILABLE);
    int64_t before = clock_mono_ns();
    ck_assert_int_eq(pg_open(pg), ERR_SERVICE_UNAVAILABLE);
    ck_assert_int_lt(clock_mono_ns() - before, 5000000);
    usleep(110000);
    ck_assert_int_eq(pg_open(pg), ERR_SERVICE_UNAVAILABLE);
    pg_free(pg);
    const char *said = log_captured(log);
    ck_assert_ptr_nonnull(strstr(said, "pg.unavailable"));
    ck_assert_ptr_null(strstr(strstr(said, "pg.unavailable") + 1, "pg.unavailable"));
}
END_TEST

static const struct {
    struct pg_stmt stmt;
    const char *why;
} bad_stmts[] = {
    {{"BAD", "select nothing from nowhere", 0, false}, "42P01"},
    {{"BAD", "selekt", 0, false}, "42601"},
    {{"BAD", "select $1::int", 0, false}, "number of parameters"},
    {{"BAD", "select 1", 1, false}, "number of parameters"},
    {{"BAD", "select 1 as \"n:monye\"", 0, false}, "unknown kind"},
    {{"BAD", "select 1 as \"n:\"", 0, false}, "unknown kind"},
    {{"BAD", "select 1 as \"n:money\"", 0, false}, "column currency"},
    {{"BAD", "select 'x' as \"n:money\", 'KES' as currency", 0, false}, "integer type"},
    {{"BAD", "select 1 as n, 2 as \"n:hidden\"", 0, false}, "same name"},
};

START_TEST(bad_statement_stops_the_start)
{
    const struct pg_stmt table[] = {TX_ROWS,
                                    bad_stmts[_i].stmt,
                                    {"FINE", "select 1 as n", 0, false},
                                    {"ALSO_BAD", "select x", 0, false}};
    struct pg_options o = us.options;
    int log = log_capture();

    o.stmts = table;
    o.count = sizeof table / sizeof table[0];
    struct pg *pg = pg_new(&o);
    ck_assert_int_eq(pg_open(pg), ERR_INTERNAL);
    pg_free(pg);
    const char *said = log_captured(log);
    ck_assert_ptr_nonnull(strstr(said, "\"BAD\""));
    ck_assert_ptr_nonnull(strstr(said, bad_stmts[_i].why));
    ck_assert_ptr_nonnull(strstr(said, "\"ALSO_BAD\""));
    ck_assert_ptr_null(strstr(said, "\"FINE\""));
}
END_TEST

START_TEST(many_statements_are_prepared)
{
    enum { MANY = 500 };
    static const struct pg_stmt tx[] = {TX_ROWS};
    struct pg_stmt *table = arena_array(ctx->arena, MANY, sizeof *table);
    struct pg_options o = us.options;

    for (int i = 0; i < MANY; i++)
        table[i] = (struct pg_stmt){arena_printf(ctx->arena, "S%d", i),
                                    arena_printf(ctx->arena, "select %d as n%d", i, i), 0, false};
    memcpy(table, tx, sizeof tx);
    o.stmts = table;
    o.count = MANY;
    struct pg *pg = pg_new(&o);
    ck_assert_int_eq(pg_open(pg), OK);
    ck_assert_str_eq(pg_column_name(pg, MANY - 1, 0), "n499");
    pg_free(pg);
}
END_TEST

START_TEST(missing_control_statement_aborts)
{
    struct pg_options o = us.options;

    log_capture();
    o.count = 3;
    pg_new(&o);
}
END_TEST

/* ---- effects, refusals ---- */

START_TEST(run_says_whether_a_row_was_touched)
{
    int64_t touched = -1;

    ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(1), ARG_INT(11)), OK);
    ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(99), ARG_INT(11)), ERR_NOT_FOUND);
    ck_assert_ptr_null(ctx->problems.first);
    ck_assert_int_eq(pg_touch(ctx, SET, &touched, ARG_INT(99), ARG_INT(1)), OK);
    ck_assert_int_eq(touched, 0);
    ck_assert_int_eq(pg_touch(ctx, SET, &touched, ARG_INT(1), ARG_INT(1)), OK);
    ck_assert_int_eq(touched, 1);
    ck_assert_int_eq(pg_touch(ctx, SET, NULL, ARG_INT(1), ARG_INT(1)), OK);
}
END_TEST

START_TEST(refusal_tells_all)
{
    ck_assert_int_eq(pg_run(ctx, TAKE, ARG_INT(1), ARG_INT(3)), OK);
    ck_assert_int_eq(pg_run(ctx, TAKE, ARG_INT(1), ARG_INT(8)), ERR_INSUFFICIENT_STOCK);
    const struct problem *p = ctx->problems.first;
    ck_assert_ptr_nonnull(p);
    ck_assert_ptr_null(p->next);
    ck_assert_int_eq(p->err, ERR_INSUFFICIENT_STOCK);
    ck_assert_str_eq(p->field, "quantity");
    ck_assert_str_eq(p->message, "only 7 left");
    ck_assert_str_eq(p->details, "{\"available\":7}");
    problems_clear(&ctx->problems);
    ck_assert_int_eq(pg_run(ctx, TAKE, ARG_INT(99), ARG_INT(8)), ERR_NOT_FOUND);
    ck_assert_ptr_null(ctx->problems.first->details);
    ck_assert_int_eq(NUMBER(VALUE, ARG_INT(1)), 7);
}
END_TEST

START_TEST(unknown_outcome_is_our_fault)
{
    ck_assert_int_eq(pg_run(ctx, UNKNOWN_OUTCOME, ARG_NONE), ERR_INTERNAL);
}
END_TEST

START_TEST(refusal_in_every_call)
{
    struct text out = text_new(ctx->arena, 1000);
    struct number row;
    int64_t touched;

    ck_assert_int_eq(pg_touch(ctx, TAKE, &touched, ARG_INT(1), ARG_INT(50)),
                     ERR_INSUFFICIENT_STOCK);
    ck_assert_int_eq(pg_object(ctx, TAKE, &out, ARG_INT(1), ARG_INT(50)), ERR_INSUFFICIENT_STOCK);
    ck_assert_int_eq(pg_array(ctx, TAKE, &out, ARG_INT(1), ARG_INT(50)), ERR_INSUFFICIENT_STOCK);
    ck_assert_int_eq(pg_one(ctx, TAKE, &number_in, &row, ARG_INT(1), ARG_INT(50)),
                     ERR_INSUFFICIENT_STOCK);
    ck_assert_uint_eq(out.len, 0);
    ck_assert_int_eq(pg_object(ctx, TAKE_ROW, &out, ARG_INT(1), ARG_INT(4)), OK);
    ck_assert_str_eq(text_cstr(&out), "{\"n\":6}");
}
END_TEST

START_TEST(constraints_become_errors)
{
    ck_assert_int_eq(pg_run(ctx, ADD, ARG_INT(1), ARG_INT(1)), ERR_CONFLICT);
    ck_assert_str_eq(ctx->problems.first->field, "id");
    ck_assert_str_eq(ctx->problems.first->message, "taken already");
    problems_clear(&ctx->problems);
    ck_assert_int_eq(pg_run(ctx, ADD, ARG_INT(3), ARG_INT(-1)), ERR_VALIDATION);
    ck_assert_str_eq(ctx->problems.first->message, err_message(ERR_VALIDATION));
    ck_assert_int_eq(pg_run(ctx, ADD, ARG_INT(3), ARG_INT(1)), OK);
}
END_TEST

START_TEST(unforeseen_errors_are_logged_without_values)
{
    int log = log_capture();

    ck_assert_int_eq(pg_run(ctx, ADD, ARG_INT(3), ARG_INT(666)), ERR_INTERNAL);
    ck_assert_int_eq(pg_run(ctx, CAST, ARG_TEXT("sesame")), ERR_INTERNAL);
    ck_assert_int_eq(pg_run(ctx, DIVIDE, ARG_INT(0)), ERR_INTERNAL);
    ck_assert_int_eq(pg_run(ctx, ADD, ARG_INT(3), ARG_NULL), ERR_INTERNAL);
    const char *said = log_captured(log);
    ck_assert_ptr_nonnull(strstr(said, "t_secret_check"));
    ck_assert_ptr_nonnull(strstr(said, "23514"));
    ck_assert_ptr_nonnull(strstr(said, "22P02"));
    ck_assert_ptr_nonnull(strstr(said, "22012"));
    ck_assert_ptr_nonnull(strstr(said, "\"CAST\""));
    ck_assert_ptr_null(strstr(said, "666"));
    ck_assert_ptr_null(strstr(said, "sesame"));
    ck_assert_ptr_null(ctx->problems.first);
}
END_TEST

START_TEST(bad_text_is_the_callers_fault)
{
    ck_assert_int_eq(pg_run(ctx, CAST, ARG_TEXT("\xff\xfe")), ERR_VALIDATION);
    ck_assert_int_eq(pg_run(ctx, CAST, ARG_TEXT("12")), OK);
}
END_TEST

START_TEST(statement_timeout_is_a_timeout)
{
    us.options.statement_ms = 100;
    pg_free(ctx->pg);
    ctx->pg = pg_new(&us.options);
    ck_assert_int_eq(pg_run(ctx, SLEEP, ARG_INT(5000)), ERR_REQUEST_TIMEOUT);
    ck_assert_int_eq(pg_run(ctx, SLEEP, ARG_INT(1)), OK);
}
END_TEST

START_TEST(hanging_server_is_left)
{
    int64_t before = clock_mono_ns();

    us.options.statement_ms = 100;
    pg_free(ctx->pg);
    ctx->pg = pg_new(&us.options);
    log_capture();
    party_script(&us, "set statement_timeout = 0");
    ck_assert_int_eq(pg_run(ctx, SLEEP, ARG_INT(20000)), ERR_LOST);
    ck_assert_int_lt((clock_mono_ns() - before) / 1000000, 6000);
    ck_assert_int_eq(pg_run(ctx, SLEEP, ARG_INT(1)), OK);
}
END_TEST

/* ---- scripts, misuse ---- */

START_TEST(script_in_a_transaction)
{
    const char *why = NULL;

    pg_begin(ctx);
    party_script(&us,
                 "create table soko_test_io.x (a int); insert into soko_test_io.x values (1);");
    pg_rollback(ctx);
    party_script(&us, "create table soko_test_io.x (a int)");
    log_capture();
    pg_begin(ctx);
    ck_assert_int_eq(pg_script(ctx, "create table soko_test_io.y (a int); selekt", &why),
                     ERR_INTERNAL);
    ck_assert_ptr_nonnull(strstr(why, "selekt"));
    pg_rollback(ctx);
    ck_assert_int_eq(pg_script(ctx, "copy soko_test_io.x from stdin", &why), ERR_INTERNAL);
    ck_assert_int_eq(NUMBER(COUNT, ARG_NONE), 2);
    pg_begin(ctx);
    party_script(&us, "insert into soko_test_io.t values (3, 3)");
    pg_queue(ctx, ADD_SURE, ARG_INT(4), ARG_INT(4));
    ck_assert_int_eq(pg_commit(ctx), OK);
    ck_assert_int_eq(NUMBER(COUNT, ARG_NONE), 4);
}
END_TEST

START_TEST(misuse_aborts)
{
    log_capture();
    switch (_i) {
    case 0:
        pg_run(ctx, SET, ARG_INT(1));
        break;
    case 1:
        pg_run(ctx, SET, ARG_NONE);
        break;
    case 2:
        pg_run(ctx, NO_STMT, ARG_NONE);
        break;
    case 3:
        pg_run(ctx, 1000, ARG_NONE);
        break;
    case 4:
        pg_begin(ctx);
        pg_begin(ctx);
        break;
    case 5:
        pg_commit(ctx);
        break;
    case 6:
        pg_queue(ctx, SET, ARG_INT(1), ARG_INT(1));
        break;
    default:
        pg_run(ctx, SET, ARG_INT(1), ARG_NONE);
        break;
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("pg");
    TCase *t = tcase_create("pg");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, opens_and_describes);
    tcase_add_test(t, session_is_set_up);
    tcase_add_test(t, what_is_no_address_is_refused_unquoted);
    tcase_add_test(t, an_outage_quotes_no_address);
    tcase_add_test(t, unreachable_server_fails_at_once_the_second_time);
    tcase_add_loop_test(t, bad_statement_stops_the_start, 0,
                        (int)(sizeof bad_stmts / sizeof bad_stmts[0]));
    tcase_add_test(t, many_statements_are_prepared);
    tcase_add_test_raise_signal(t, missing_control_statement_aborts, SIGABRT);
    tcase_add_test(t, run_says_whether_a_row_was_touched);
    tcase_add_test(t, refusal_tells_all);
    tcase_add_test(t, unknown_outcome_is_our_fault);
    tcase_add_test(t, refusal_in_every_call);
    tcase_add_test(t, constraints_become_errors);
    tcase_add_test(t, unforeseen_errors_are_logged_without_values);
    tcase_add_test(t, bad_text_is_the_callers_fault);
    tcase_add_test(t, statement_timeout_is_a_timeout);
    tcase_add_test(t, hanging_server_is_left);
    tcase_add_test(t, script_in_a_transaction);
    tcase_add_loop_test_raise_signal(t, misuse_aborts, SIGABRT, 0, 8);
    suite_add_tcase(s, t);
    return run_suite(s);
}
