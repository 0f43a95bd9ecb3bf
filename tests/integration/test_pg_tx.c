/*
 * io/pg: transactions, and how they end. Faults are made for real: a second connection terminates
 * the backend, locks rows, changes tables.
 */
#include "pg_stock.h"

#include <pthread.h>

/* ---- transactions ---- */

START_TEST(begin_read_write_commit)
{
    ck_assert(!pg_in_transaction(ctx->pg));
    ck_assert_int_eq(pg_begin(ctx), OK);
    ck_assert(pg_in_transaction(ctx->pg));
    ck_assert_int_eq(NUMBER(VALUE, ARG_INT(1)), 10);
    pg_queue(ctx, ADD_SURE, ARG_INT(3), ARG_INT(30));
    pg_queue(ctx, ADD_SURE, ARG_INT(4), ARG_INT(40));
    ck_assert_int_eq(pg_commit(ctx), OK);
    ck_assert(!pg_in_transaction(ctx->pg));
    ck_assert_int_eq(NUMBER(COUNT, ARG_NONE), 4);
}
END_TEST

START_TEST(empty_transaction_needs_no_server)
{
    terminate(NUMBER(PID, ARG_NONE));
    ck_assert_int_eq(pg_begin(ctx), OK);
    ck_assert_int_eq(pg_commit(ctx), OK);
}
END_TEST

START_TEST(rollback_undoes)
{
    pg_begin(ctx);
    ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(1), ARG_INT(77)), OK);
    ck_assert_int_eq(NUMBER(VALUE, ARG_INT(1)), 77);
    pg_rollback(ctx);
    ck_assert(!pg_in_transaction(ctx->pg));
    ck_assert_int_eq(NUMBER(VALUE, ARG_INT(1)), 10);
    pg_begin(ctx);
    pg_queue(ctx, SET, ARG_INT(1), ARG_INT(77));
    pg_rollback(ctx);
    pg_rollback(ctx);
    ck_assert_int_eq(NUMBER(VALUE, ARG_INT(1)), 10);
}
END_TEST

START_TEST(queued_arguments_are_copied)
{
    char digits[] = "5";

    pg_begin(ctx);
    pg_queue(ctx, ADD_SURE, ARG_TEXT(digits), ARG_INT(50));
    digits[0] = '6';
    ck_assert_int_eq(pg_commit(ctx), OK);
    ck_assert_int_eq(NUMBER(VALUE, ARG_INT(5)), 50);
}
END_TEST

START_TEST(queued_refusal_prevents_the_commit)
{
    pg_begin(ctx);
    pg_queue(ctx, ADD_SURE, ARG_INT(3), ARG_INT(30));
    pg_queue(ctx, TAKE, ARG_INT(1), ARG_INT(50));
    pg_queue(ctx, ADD_SURE, ARG_INT(4), ARG_INT(40));
    ck_assert_int_eq(pg_commit(ctx), ERR_INSUFFICIENT_STOCK);
    ck_assert(!pg_in_transaction(ctx->pg));
    ck_assert_str_eq(ctx->problems.first->field, "quantity");
    pg_rollback(ctx);
    ck_assert_int_eq(NUMBER(COUNT, ARG_NONE), 2);
    ck_assert_int_eq(NUMBER(VALUE, ARG_INT(1)), 10);
}
END_TEST

START_TEST(queued_write_of_nothing_prevents_the_commit)
{
    pg_begin(ctx);
    pg_queue(ctx, ADD_SURE, ARG_INT(3), ARG_INT(30));
    pg_queue(ctx, SET, ARG_INT(99), ARG_INT(50));
    ck_assert_int_eq(pg_commit(ctx), ERR_NOT_FOUND);
    ck_assert_int_eq(NUMBER(COUNT, ARG_NONE), 2);
}
END_TEST

START_TEST(queued_failure_is_told_by_the_next_call)
{
    pg_begin(ctx);
    pg_queue(ctx, SET, ARG_INT(99), ARG_INT(50));
    ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(1), ARG_INT(50)), ERR_NOT_FOUND);
    pg_rollback(ctx);
    pg_begin(ctx);
    pg_queue(ctx, ADD_SURE, ARG_INT(1), ARG_INT(50));
    ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(99), ARG_INT(50)), ERR_CONFLICT);
    ck_assert_ptr_null(ctx->problems.first->next);
    pg_rollback(ctx);
    ck_assert_int_eq(NUMBER(VALUE, ARG_INT(1)), 10);
}
END_TEST

START_TEST(failure_in_the_commits_own_pipeline)
{
    pg_begin(ctx);
    pg_queue(ctx, ADD_SURE, ARG_INT(3), ARG_INT(30));
    pg_queue(ctx, ADD_SURE, ARG_INT(1), ARG_INT(30));
    ck_assert_int_eq(pg_commit(ctx), ERR_CONFLICT);
    ck_assert_int_eq(NUMBER(COUNT, ARG_NONE), 2);
}
END_TEST

START_TEST(deferred_constraint_fails_at_commit)
{
    pg_begin(ctx);
    pg_queue(ctx, LATER_DIES, ARG_INT(99));
    ck_assert_int_eq(pg_commit(ctx), ERR_NOT_FOUND);
    ck_assert(!pg_in_transaction(ctx->pg));
    ck_assert_int_eq(NUMBER(COUNT, ARG_NONE), 2);
}
END_TEST

START_TEST(commit_after_failure_does_not_commit)
{
    log_capture();
    pg_begin(ctx);
    ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(2), ARG_INT(21)), OK);
    ck_assert_int_eq(pg_run(ctx, ADD, ARG_INT(1), ARG_INT(1)), ERR_CONFLICT);
    ck_assert_int_eq(pg_commit(ctx), ERR_INTERNAL);
    ck_assert_int_eq(NUMBER(VALUE, ARG_INT(2)), 20);
}
END_TEST

START_TEST(commit_after_refusal_commits)
{
    pg_begin(ctx);
    ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(2), ARG_INT(21)), OK);
    ck_assert_int_eq(pg_run(ctx, TAKE, ARG_INT(1), ARG_INT(50)), ERR_INSUFFICIENT_STOCK);
    ck_assert_int_eq(pg_commit(ctx), OK);
    ck_assert_int_eq(NUMBER(VALUE, ARG_INT(2)), 21);
}
END_TEST

START_TEST(custom_plans_within_a_transaction)
{
    struct text out = text_new(ctx->arena, 1000);

    pg_begin(ctx);
    pg_queue(ctx, LOCK, ARG_NONE);
    ck_assert_int_eq(pg_object(ctx, WHO, &out, ARG_NONE), OK);
    ck_assert_int_eq(NUMBER(COUNT, ARG_NONE), 2);
    ck_assert_int_eq(pg_commit(ctx), OK);
}
END_TEST

START_TEST(many_calls_in_one_pipeline)
{
    pg_begin(ctx);
    for (int i = 100; i < 1100; i++)
        pg_queue(ctx, ADD_SURE, ARG_INT(i), ARG_INT(1));
    ck_assert_int_eq(pg_commit(ctx), OK);
    ck_assert_int_eq(NUMBER(COUNT, ARG_NONE), 1002);
}
END_TEST

/* ---- rerun ---- */

START_TEST(concurrent_update_asks_for_a_rerun)
{
    struct pg_stmt serial[sizeof stmts / sizeof stmts[0]];

    memcpy(serial, stmts, sizeof stmts);
    serial[TX_BEGIN].sql = "begin isolation level serializable";
    us.options.stmts = serial;
    pg_free(ctx->pg);
    ctx->pg = pg_new(&us.options);

    pg_begin(ctx);
    ck_assert_int_eq(NUMBER(VALUE, ARG_INT(1)), 10);
    party_script(&other, "update soko_test_io.t set n = 5 where id = 1");
    ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(1), ARG_INT(6)), ERR_RERUN);
    ck_assert_ptr_null(ctx->problems.first);
    pg_rollback(ctx);
    pg_begin(ctx);
    ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(1), ARG_INT(6)), OK);
    ck_assert_int_eq(pg_commit(ctx), OK);
}
END_TEST

static void *
lock_two_then_one(void *arg)
{
    struct party *p = arg;
    const char *why;

    return (void *)(uintptr_t)pg_script(&p->ctx,
                                        "update soko_test_io.t set n = 3 where id = 1;"
                                        "rollback",
                                        &why);
}

START_TEST(deadlock_asks_for_a_rerun)
{
    pthread_t thread;
    void *result;

    party_script(&other, "set deadlock_timeout = '10s'"); /* we are the victim */
    party_script(&us, "set deadlock_timeout = '20ms'");
    pg_begin(ctx);
    ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(1), ARG_INT(1)), OK);
    party_script(&other, "begin; update soko_test_io.t set n = 3 where id = 2");
    pthread_create(&thread, NULL, lock_two_then_one, &other);
    usleep(200000);
    ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(2), ARG_INT(1)), ERR_RERUN);
    pg_rollback(ctx);
    pthread_join(thread, &result);
    ck_assert_uint_eq((uintptr_t)result, OK);
    ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(2), ARG_INT(1)), OK);
}
END_TEST

/* ---- loss ---- */

START_TEST(terminated_while_idle_is_not_noticed)
{
    log_capture();
    terminate(NUMBER(PID, ARG_NONE));
    ck_assert_int_eq(NUMBER(VALUE, ARG_INT(1)), 10);
    terminate(NUMBER(PID, ARG_NONE));
    pg_begin(ctx);
    pg_queue(ctx, ADD_SURE, ARG_INT(3), ARG_INT(30));
    ck_assert_int_eq(pg_commit(ctx), OK);
    ck_assert_int_eq(NUMBER(COUNT, ARG_NONE), 3);
}
END_TEST

START_TEST(terminated_in_mid_transaction_is_lost)
{
    log_capture();
    pg_begin(ctx);
    int64_t pid = NUMBER(PID, ARG_NONE);
    ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(1), ARG_INT(1)), OK);
    terminate(pid);
    if (_i == 0) {
        ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(2), ARG_INT(1)), ERR_LOST);
        /* Nothing goes on behind the caller's back. */
        ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(2), ARG_INT(1)), ERR_LOST);
        ck_assert(pg_in_transaction(ctx->pg));
        ck_assert_int_eq(pg_commit(ctx), ERR_LOST);
    }
    pg_rollback(ctx);
    ck_assert(!pg_in_transaction(ctx->pg));

    pg_begin(ctx);
    ck_assert_int_eq(NUMBER(VALUE, ARG_INT(1)), 10);
    ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(1), ARG_INT(12)), OK);
    ck_assert_int_eq(pg_commit(ctx), OK);
    ck_assert_int_eq(NUMBER(VALUE, ARG_INT(1)), 12);
}
END_TEST

START_TEST(terminated_before_commit_arrives)
{
    /* The guard makes pg_commit ask first, so COMMIT was not sent. */
    log_capture();
    pg_begin(ctx);
    terminate(NUMBER(PID, ARG_NONE));
    pg_queue(ctx, SET, ARG_INT(1), ARG_INT(50));
    ck_assert_int_eq(pg_commit(ctx), ERR_LOST);
    ck_assert_int_eq(NUMBER(VALUE, ARG_INT(1)), 10);
}
END_TEST

START_TEST(terminated_by_a_statement_before_commit_is_lost)
{
    log_capture();
    pg_begin(ctx);
    pg_queue(ctx, ADD_SURE, ARG_INT(3), ARG_INT(30));
    pg_queue(ctx, KILL_ME, ARG_NONE);
    ck_assert_int_eq(pg_commit(ctx), ERR_LOST);
    ck_assert_int_eq(NUMBER(COUNT, ARG_NONE), 2);
}
END_TEST

START_TEST(terminated_within_commit_is_unknown)
{
    log_capture();
    pg_begin(ctx);
    pg_queue(ctx, LATER_DIES, ARG_INT(2));
    ck_assert_int_eq(pg_commit(ctx), ERR_SERVICE_UNAVAILABLE);
    ck_assert(!pg_in_transaction(ctx->pg));
    ck_assert_int_eq(NUMBER(COUNT, ARG_NONE), 2);
}
END_TEST

START_TEST(read_outside_a_transaction_is_lost)
{
    log_capture();
    ck_assert_int_eq(pg_run(ctx, KILL_ME, ARG_NONE), ERR_LOST);
    ck_assert_int_eq(NUMBER(COUNT, ARG_NONE), 2);
}
END_TEST

START_TEST(stale_plan_is_lost_once)
{
    struct text out = text_new(ctx->arena, 1000);

    log_capture();
    ck_assert_int_eq(pg_object(ctx, STAR, &out, ARG_NONE), OK);
    party_script(&other, "alter table soko_test_io.star add b text");
    ck_assert_int_eq(pg_object(ctx, STAR, &out, ARG_NONE), ERR_LOST);
    text_clear(&out);
    ck_assert_int_eq(pg_object(ctx, STAR, &out, ARG_NONE), OK);
    ck_assert_str_eq(text_cstr(&out), "{\"a\":1,\"b\":null}");
}
END_TEST

/* Nothing has happened there, so that who runs again whole (io/tx) may. */
START_TEST(read_only_server_is_left)
{
    log_capture();
    party_script(&us, "set default_transaction_read_only = on");
    ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(1), ARG_INT(1)), ERR_LOST);
    /* A new connection may reach the new primary. */
    ck_assert_int_eq(pg_run(ctx, SET, ARG_INT(1), ARG_INT(1)), OK);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("pg_tx");
    TCase *t = tcase_create("pg_tx");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, begin_read_write_commit);
    tcase_add_test(t, empty_transaction_needs_no_server);
    tcase_add_test(t, rollback_undoes);
    tcase_add_test(t, queued_arguments_are_copied);
    tcase_add_test(t, queued_refusal_prevents_the_commit);
    tcase_add_test(t, queued_write_of_nothing_prevents_the_commit);
    tcase_add_test(t, queued_failure_is_told_by_the_next_call);
    tcase_add_test(t, failure_in_the_commits_own_pipeline);
    tcase_add_test(t, deferred_constraint_fails_at_commit);
    tcase_add_test(t, commit_after_failure_does_not_commit);
    tcase_add_test(t, commit_after_refusal_commits);
    tcase_add_test(t, custom_plans_within_a_transaction);
    tcase_add_test(t, many_calls_in_one_pipeline);
    tcase_add_test(t, concurrent_update_asks_for_a_rerun);
    tcase_add_test(t, deadlock_asks_for_a_rerun);
    tcase_add_test(t, terminated_while_idle_is_not_noticed);
    tcase_add_loop_test(t, terminated_in_mid_transaction_is_lost, 0, 2);
    tcase_add_test(t, terminated_before_commit_arrives);
    tcase_add_test(t, terminated_by_a_statement_before_commit_is_lost);
    tcase_add_test(t, terminated_within_commit_is_unknown);
    tcase_add_test(t, read_outside_a_transaction_is_lost);
    tcase_add_test(t, stale_plan_is_lost_once);
    tcase_add_test(t, read_only_server_is_left);
    suite_add_tcase(s, t);
    return run_suite(s);
}
