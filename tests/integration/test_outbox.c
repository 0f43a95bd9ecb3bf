/*
 * The outbox: leases, back-off, parking, and the fence against one who outlives his lease. Time is
 * moved by writing available_at, never by waiting.
 */
#include "base/trace.h"
#include "io/tx.h"
#include "jobs.h"
#include "shop/outbox.h"
#include "shop_fixture.h"

#define MAX_ATTEMPTS 6
#define LIMIT 10

enum {
    T_CLEAR = STMT__COUNT,
    T_ROWS,
    T_MARK,
    T_MARKS,
    T_DUE,
    T_WAIT,
    T_PARKED,
    T_ERROR,
    T_ATTEMPTS,
    T_OLD
};

static const struct pg_stmt more[] = {
    {"T_CLEAR", "DELETE FROM outbox", 0, false},
    {"T_ROWS", "SELECT count(*) AS n FROM outbox WHERE lane <> 'test'", 0, false},
    /* An effect: a row in a lane that nobody serves. */
    {"T_MARK",
     "INSERT INTO outbox (event, consumer, lane, subject, trace_id)"
     " VALUES ('mark', 'test', 'test', gen_random_uuid(), 'test')",
     0, false},
    {"T_MARKS", "SELECT count(*) AS n FROM outbox WHERE lane = 'test'", 0, false},
    {"T_DUE", "UPDATE outbox SET available_at = now() WHERE id = $1", 1, false},
    /* In the transaction that has written it, so that now() is the same. */
    {"T_WAIT",
     "SELECT (extract(epoch FROM available_at - now()) * 1000)::bigint AS n FROM outbox"
     " WHERE id = $1",
     1, false},
    {"T_PARKED", "SELECT count(parked_at) AS n FROM outbox WHERE id = $1", 1, false},
    {"T_ERROR", "SELECT last_error AS s FROM outbox WHERE id = $1", 1, false},
    {"T_ATTEMPTS", "SELECT attempts AS n FROM outbox WHERE id = $1", 1, false},
    {"T_OLD",
     "INSERT INTO outbox (event, consumer, lane, subject, trace_id)"
     " VALUES ('order.created', 'payments_begin', 'payments', gen_random_uuid(), $1)",
     1, false},
};

static struct party us, other;
static struct ctx *ctx;

struct claim {
    struct delivery *rows;
    size_t count;
    int64_t limit;
};

static enum err
claim_work(struct ctx *c, void *arg)
{
    struct claim *claim = arg;

    return outbox_claim(c, LANE_PAYMENTS, claim->limit, &claim->rows, &claim->count);
}

static struct claim
claim(struct party *p)
{
    struct claim made = {.limit = LIMIT};

    ck_assert_int_eq(tx_run(&p->ctx, claim_work, &made), OK);
    return made;
}

static enum err
add_work(struct ctx *c, void *arg)
{
    const int64_t *n = arg;

    for (int64_t i = 0; i < *n; i++)
        outbox_add(c, EVENT_PAYMENT_INITIATED, uuid_v7(c->now_ms), (struct uuid){{0}});
    return OK;
}

static void
add(int64_t n)
{
    ck_assert_int_eq(tx_run(ctx, add_work, &n), OK);
}

static enum err
clear_work(struct ctx *c, void *arg)
{
    (void)arg;
    return pg_touch(c, T_CLEAR, NULL, ARG_NONE);
}

static enum err
due_work(struct ctx *c, void *arg)
{
    const int64_t *id = arg;

    return pg_run(c, T_DUE, ARG_INT(*id));
}

static void
make_due(int64_t id)
{
    ck_assert_int_eq(tx_run(ctx, due_work, &id), OK);
}

static void
setup(void)
{
    static const char *const settings[] = {"JOBS_BACKOFF=1s", "JOBS_BACKOFF_MAX=5s",
                                           "JOBS_MAX_ATTEMPTS=6", "JOBS_LEASE=60s", NULL};

    shop_config(settings);
    shop_party(&us, STMTS(more));
    shop_party(&other, STMTS(more));
    ctx = &us.ctx;
    ck_assert_int_eq(tx_run(ctx, clear_work, NULL), OK);
}

static void
teardown(void)
{
    party_end(&us);
    party_end(&other);
}

/* --- in the transaction of the cause ---------------------------------------------------------- */

static enum err
add_and_fail(struct ctx *c, void *arg)
{
    outbox_add(c, EVENT_ORDER_CREATED, uuid_v7(c->now_ms), (struct uuid){{0}});
    return *(const enum err *)arg;
}

START_TEST(events_go_with_their_cause)
{
    enum err e = ERR_CONFLICT;

    ck_assert_int_eq(tx_run(ctx, add_and_fail, &e), ERR_CONFLICT);
    ck_assert_int_eq(NUMBER(ctx, T_ROWS, ARG_NONE), 0);
    e = OK;
    ck_assert_int_eq(tx_run(ctx, add_and_fail, &e), OK);
    ck_assert_int_eq(NUMBER(ctx, T_ROWS, ARG_NONE), 1);

    struct claim c = claim(&us);
    ck_assert_uint_eq(c.count, 1);
    ck_assert_str_eq(c.rows[0].event, "order.created");
    ck_assert_str_eq(c.rows[0].consumer, "payments_begin");
    ck_assert_str_eq(c.rows[0].request_id, "test");
    ck_assert_str_eq(c.rows[0].trace_id, "0af7651916cd43dd8448eb211c80319c");
    ck_assert(c.rows[0].sampled);
    ck_assert(uuid_is_nil(c.rows[0].detail));
    ck_assert_int_eq(c.rows[0].attempts, 1);
}
END_TEST

/* The release before wrote the request's id alone. */
START_TEST(old_rows_have_a_trace)
{
    ck_assert_int_eq(pg_touch(ctx, T_OLD, NULL, ARG_TEXT("a-request-of-the-client")), OK);
    ck_assert_int_eq(pg_touch(ctx, T_OLD, NULL, ARG_TEXT("0af7651916cd43dd8448eb211c80319c")), OK);
    struct claim c = claim(&us);
    ck_assert_uint_eq(c.count, 2);
    for (size_t i = 0; i < c.count; i++) {
        const struct delivery *d = &c.rows[i];

        ck_assert(trace_id_good(d->trace_id));
        ck_assert(!d->sampled);
        if (d->request_id == NULL)
            ck_assert_str_eq(d->trace_id, "0af7651916cd43dd8448eb211c80319c");
        else
            ck_assert_str_eq(d->request_id, "a-request-of-the-client");
    }
}
END_TEST

START_TEST(every_listener_is_a_function)
{
    ck_assert(jobs_check());
    ck_assert_ptr_nonnull(outbox_consumer(0));
    for (enum event e = 0; e < EVENT__COUNT; e++)
        ck_assert_ptr_nonnull(event_name(e));
    for (enum lane l = 0; l < LANE__COUNT; l++)
        ck_assert_ptr_nonnull(lane_name(l));
}
END_TEST

/* --- leases ----------------------------------------------------------------------------------- */

START_TEST(lease_keeps_others_away)
{
    add(3);
    ck_assert_uint_eq(claim(&us).count, 3);
    ck_assert_uint_eq(claim(&other).count, 0);
    ck_assert_uint_eq(claim(&us).count, 0);
}
END_TEST

static enum err
claim_beside(struct ctx *c, void *arg)
{
    struct claim *mine = arg;

    enum err e = claim_work(c, mine);
    /* Before we have committed: what we hold is passed over, and nobody waits. */
    struct claim theirs = claim(&other);
    ck_assert_uint_eq(theirs.count, 3);
    for (size_t i = 0; i < mine->count; i++) {
        for (size_t j = 0; j < theirs.count; j++)
            ck_assert_int_ne(mine->rows[i].id, theirs.rows[j].id);
    }
    return e;
}

START_TEST(two_at_once_take_different_rows)
{
    struct claim mine = {.limit = 3};

    add(6);
    ck_assert_int_eq(tx_run(ctx, claim_beside, &mine), OK);
    ck_assert_uint_eq(mine.count, 3);
    ck_assert_uint_eq(claim(&us).count, 0);
}
END_TEST

static enum err
effect_work(struct ctx *c, void *arg)
{
    const struct delivery *d = arg;

    enum err e = pg_run(c, T_MARK, ARG_NONE);
    return e != OK ? e : outbox_done(c, d);
}

START_TEST(done_is_done_once)
{
    add(1);
    struct claim c = claim(&us);

    ck_assert_int_eq(tx_run(ctx, effect_work, &c.rows[0]), OK);
    ck_assert_int_eq(NUMBER(ctx, T_ROWS, ARG_NONE), 0);
    ck_assert_int_eq(tx_run(ctx, effect_work, &c.rows[0]), ERR_NOT_FOUND);
    ck_assert_int_eq(NUMBER(ctx, T_MARKS, ARG_NONE), 1);
}
END_TEST

struct failure {
    const struct delivery *delivery;
    int64_t wait; /* ms until it is due again */
};

static enum err
fail_work(struct ctx *c, void *arg)
{
    struct failure *f = arg;

    enum err e = outbox_failed(c, f->delivery, ERR_PROVIDER_UNAVAILABLE);
    if (e == OK)
        f->wait = NUMBER(c, T_WAIT, ARG_INT(f->delivery->id));
    return e;
}

START_TEST(lost_lease_undoes_the_effect)
{
    add(1);
    struct claim slow = claim(&us);
    make_due(slow.rows[0].id); /* the lease is over */
    struct claim quick = claim(&other);

    ck_assert_uint_eq(quick.count, 1);
    ck_assert_int_eq(quick.rows[0].id, slow.rows[0].id);
    ck_assert_int_eq(quick.rows[0].attempts, 2);

    /* Neither his success nor his failure counts. */
    struct failure f = {&slow.rows[0], 0};
    int log = log_capture();
    ck_assert_int_eq(tx_run(ctx, effect_work, &slow.rows[0]), ERR_NOT_FOUND);
    ck_assert_int_eq(NUMBER(ctx, T_MARKS, ARG_NONE), 0);
    ck_assert_int_eq(tx_run(ctx, fail_work, &f), ERR_NOT_FOUND);
    log_captured(log);
    ck_assert_ptr_null(STRING(ctx, T_ERROR, ARG_INT(slow.rows[0].id)));

    ck_assert_int_eq(tx_run(&other.ctx, effect_work, &quick.rows[0]), OK);
    ck_assert_int_eq(NUMBER(ctx, T_MARKS, ARG_NONE), 1);
    ck_assert_int_eq(NUMBER(ctx, T_ROWS, ARG_NONE), 0);
}
END_TEST

/* --- failures --------------------------------------------------------------------------------- */

static enum err
release_one(struct ctx *c, void *arg)
{
    return outbox_release(c, arg);
}

/* Who stops in the middle of a batch keeps nobody waiting, and wears nothing out. */
START_TEST(what_was_not_begun_is_given_back)
{
    add(1);
    struct claim ours = claim(&us);
    ck_assert_uint_eq(ours.count, 1);
    ck_assert_uint_eq(claim(&other).count, 0);

    ck_assert_int_eq(tx_run(ctx, release_one, &ours.rows[0]), OK);
    struct claim theirs = claim(&other);
    ck_assert_uint_eq(theirs.count, 1);
    ck_assert_int_eq(theirs.rows[0].id, ours.rows[0].id);
    ck_assert_int_eq(theirs.rows[0].attempts, 1);

    /* A lease that was lost is not given back over the head of him who has it now. */
    make_due(theirs.rows[0].id);
    struct claim again = claim(&us);
    ck_assert_int_eq(again.rows[0].attempts, 2);
    ck_assert_int_eq(tx_run(&other.ctx, release_one, &theirs.rows[0]), ERR_NOT_FOUND);
    ck_assert_uint_eq(claim(&other).count, 0);
}
END_TEST

START_TEST(failures_wait_longer_and_longer_and_are_parked)
{
    static const int64_t waits[MAX_ATTEMPTS - 1] = {1000, 2000, 4000, 5000, 5000};
    int log = log_capture();

    add(1);
    for (int i = 0; i < MAX_ATTEMPTS; i++) {
        struct claim c = claim(&us);
        ck_assert_uint_eq(c.count, 1);
        ck_assert_int_eq(c.rows[0].attempts, i + 1);
        int64_t id = c.rows[0].id;

        struct failure f = {&c.rows[0], 0};
        ck_assert_int_eq(tx_run(ctx, fail_work, &f), OK);
        ck_assert_str_eq(STRING(ctx, T_ERROR, ARG_INT(id)), "PROVIDER_UNAVAILABLE");
        ck_assert_int_eq(NUMBER(ctx, T_PARKED, ARG_INT(id)), i + 1 == MAX_ATTEMPTS);
        if (i + 1 < MAX_ATTEMPTS)
            ck_assert_int_eq(f.wait, waits[i]);
        ck_assert_uint_eq(claim(&other).count, 0);
        make_due(id);
    }
    /* Due, and left alone until a person looks. */
    ck_assert_uint_eq(claim(&us).count, 0);
    ck_assert_int_eq(NUMBER(ctx, T_ROWS, ARG_NONE), 1);
    ck_assert_ptr_nonnull(strstr(log_captured(log), "outbox.parked"));
}
END_TEST

START_TEST(one_failure_holds_up_nobody)
{
    add(2);
    struct claim c = claim(&us);
    struct failure f = {&c.rows[0], 0};
    int log = log_capture();

    ck_assert_uint_eq(c.count, 2);
    ck_assert_int_eq(tx_run(ctx, fail_work, &f), OK);
    log_captured(log);
    ck_assert_int_eq(tx_run(ctx, effect_work, &c.rows[1]), OK);
    ck_assert_int_eq(NUMBER(ctx, T_ROWS, ARG_NONE), 1);
    make_due(c.rows[0].id);
    ck_assert_uint_eq(claim(&us).count, 1);
    ck_assert_int_eq(NUMBER(ctx, T_ATTEMPTS, ARG_INT(c.rows[0].id)), 2);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("outbox");
    TCase *t = tcase_create("outbox");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, events_go_with_their_cause);
    tcase_add_test(t, old_rows_have_a_trace);
    tcase_add_test(t, every_listener_is_a_function);
    tcase_add_test(t, lease_keeps_others_away);
    tcase_add_test(t, two_at_once_take_different_rows);
    tcase_add_test(t, done_is_done_once);
    tcase_add_test(t, lost_lease_undoes_the_effect);
    tcase_add_test(t, what_was_not_begun_is_given_back);
    tcase_add_test(t, failures_wait_longer_and_longer_and_are_parked);
    tcase_add_test(t, one_failure_holds_up_nobody);
    suite_add_tcase(s, t);
    return run_suite(s);
}
