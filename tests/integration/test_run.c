/*
 * app_run.c with endpoints of our own: the transaction, the key, the three steps. Each step leaves
 * a row in the outbox, in a lane that nobody serves, so that what is committed can be counted.
 */
#include "exchange.h"
#include "shop_fixture.h"

enum { T_MARK = STMT__COUNT, T_MARKS, T_KEYS_STARTED, T_KEYS_DONE };

static const struct pg_stmt more[] = {
    {"T_MARK",
     "INSERT INTO outbox (event, consumer, lane, subject, trace_id)"
     " VALUES ($2, 'test', 'test', $1, 'test')",
     2, false},
    {"T_MARKS", "SELECT count(*) AS n FROM outbox WHERE subject = $1 AND event = $2", 2, false},
    {"T_KEYS_STARTED",
     "SELECT count(*) AS n FROM idempotency_keys WHERE account_id = $1 AND status IS NULL", 1,
     false},
    {"T_KEYS_DONE",
     "SELECT count(*) AS n FROM idempotency_keys WHERE account_id = $1 AND status IS NOT NULL", 1,
     false},
};

/* Ours, and the other worker's. */
static struct party us, other;
static struct uuid me; /* the account, and the subject of each mark */

/* What the endpoints do, and did. */
static struct {
    char steps[64];       /* a letter each */
    enum err fails;       /* of the step named below */
    char failing;         /* 's', 'c', 'f', 'r' */
    int reruns;           /* so often the handler asks to be run again */
    bool keeps;           /* calls tx_keep() */
    bool dies;            /* within call() */
    bool was_dirty;       /* found an answer or a problem that it had not made */
    bool in_transaction;  /* seen in call() */
    int effects;          /* of after_commit */
    int64_t seen_outside; /* marks that another connection saw when the effect ran */
    void (*meanwhile)(void);
} story;

static void
tell(char step)
{
    size_t n = strlen(story.steps);

    ck_assert_uint_lt(n + 1, sizeof(story.steps));
    story.steps[n] = step;
}

static int64_t
marks(const char *event)
{
    return NUMBER(&other.ctx, T_MARKS, ARG_ID(me), ARG_TEXT(event));
}

static int64_t
keys(int stmt)
{
    return NUMBER(&other.ctx, stmt, ARG_ID(me));
}

static enum err
outcome_of(struct req *rq, char step)
{
    if (story.fails == OK || story.failing != step)
        return OK;
    return fail(&rq->ctx, story.fails, NULL, "as told");
}

static enum err
start(struct req *rq)
{
    tell('s');
    rq->step = arena_printf(rq->ctx.arena, "attempt");
    enum err e = pg_run(&rq->ctx, T_MARK, ARG_ID(me), ARG_TEXT("start"));
    return e != OK ? e : outcome_of(rq, 's');
}

static enum err
call(struct req *rq)
{
    tell('c');
    ck_assert_str_eq(rq->step, "attempt");
    story.in_transaction = pg_in_transaction(rq->ctx.pg);
    if (story.meanwhile != NULL)
        story.meanwhile();
    if (story.dies)
        kill(getpid(), SIGKILL);
    return outcome_of(rq, 'c');
}

static enum err
finish(struct req *rq)
{
    tell('f');
    enum err e = pg_run(&rq->ctx, T_MARK, ARG_ID(me), ARG_TEXT("finish"));
    text_puts(&rq->reply, "{\"step\":\"finish\"}");
    return e != OK ? e : outcome_of(rq, 'f');
}

static void
effect(struct ctx *ctx, void *arg)
{
    (void)arg;
    ck_assert(!pg_in_transaction(ctx->pg));
    story.effects++;
    story.seen_outside = marks("run");
}

static enum err
run_one(struct req *rq)
{
    tell('r');
    story.was_dirty = story.was_dirty || rq->reply.len != 0 || rq->ctx.problems.first != NULL ||
                      rq->paging.total != -1 || rq->paging.capped;
    text_puts(&rq->reply, "{\"step\":\"run\"}");
    rq->paging.total = 7;
    rq->paging.capped = true;
    after_commit(&rq->ctx, effect, NULL);
    if (story.keeps)
        tx_keep(&rq->ctx);
    enum err e = pg_run(&rq->ctx, T_MARK, ARG_ID(me), ARG_TEXT("run"));
    if (e == OK && story.meanwhile != NULL)
        story.meanwhile();
    if (e == OK && story.reruns-- > 0)
        return fail(&rq->ctx, ERR_RERUN, NULL, "again");
    return e != OK ? e : outcome_of(rq, 'r');
}

#define TOLD .tag = "T", .doc = "D.", .out = &message_out
static const struct endpoint long_one = {
    .name = "long", TOLD, .start = start, .call = call, .finish = finish, .status = 202};
static const struct endpoint long_secret = {
    .name = "ls", TOLD, .start = start, .call = call, .finish = finish, .secret = true};
static const struct endpoint short_one = {.name = "short", TOLD, .run = run_one, .status = 201};
static const struct endpoint short_secret = {.name = "ss", TOLD, .run = run_one, .secret = true};

static const struct route row = {.method = POST, .path = "/test", .who = SIGNED_IN};

/* A request as app.c would have read it. `key` may be NULL. */
static struct exchange
request(struct party *p, const struct endpoint *ep, const char *key, const char *body)
{
    struct exchange x = {.route = &row, .method = POST, .method_word = "POST", .path = "/test"};

    x.rq.ctx = p->ctx;
    x.rq.ctx.actor.account = me;
    x.rq.endpoint = ep;
    x.rq.reply = text_new(p->ctx.arena, REPLY_MAX);
    x.rq.paging.total = -1;
    if (key != NULL)
        x.idem = idempotency_of(p->ctx.arena, key, "POST", "/test", body, strlen(body));
    return x;
}

static enum err
once(struct party *p, const struct endpoint *ep, const char *key, struct exchange *x)
{
    *x = request(p, ep, key, "{}");
    return run(x);
}

static void
setup(void)
{
    shop_config(NULL);
    shop_party(&us, STMTS(more));
    shop_party(&other, STMTS(more));
    me = uuid_v7(us.ctx.now_ms);
    memset(&story, 0, sizeof(story));
}

static void
teardown(void)
{
    party_end(&us);
    party_end(&other);
}

/* --- three steps ------------------------------------------------------------------------------ */

START_TEST(steps_run_in_order)
{
    const char *key = _i == 0 ? NULL : "k";
    struct exchange x;

    ck_assert_int_eq(once(&us, &long_one, key, &x), OK);
    ck_assert_str_eq(story.steps, "scf");
    ck_assert(!story.in_transaction);
    ck_assert_int_eq(x.status, 202);
    ck_assert_str_eq(text_cstr(&x.rq.reply), "{\"step\":\"finish\"}");
    ck_assert_int_eq(marks("start"), 1);
    ck_assert_int_eq(marks("finish"), 1);
    ck_assert_int_eq(keys(T_KEYS_DONE), _i);
    /* Without a key, again is again. */
    ck_assert_int_eq(once(&us, &long_one, key, &x), OK);
    ck_assert_str_eq(story.steps, _i == 0 ? "scfscf" : "scf");
    ck_assert(x.replayed == (_i == 1));
}
END_TEST

static const struct endpoint *const replayed[] = {&long_one, &short_one};

START_TEST(finished_answer_is_replayed)
{
    const struct endpoint *ep = replayed[_i];
    struct exchange x;
    char steps[sizeof(story.steps)];

    ck_assert_int_eq(once(&us, ep, "k", &x), OK);
    const char *answer = text_cstr(&x.rq.reply);
    memcpy(steps, story.steps, sizeof(steps));
    for (int i = 0; i < 3; i++) {
        struct exchange y;

        ck_assert_int_eq(once(i == 1 ? &us : &other, ep, "k", &y), OK);
        ck_assert(y.replayed);
        ck_assert_int_eq(y.status, ep->status);
        ck_assert_str_eq(text_cstr(&y.rq.reply), answer);
    }
    ck_assert_str_eq(story.steps, steps);
    ck_assert_int_eq(keys(T_KEYS_DONE), 1);
    ck_assert_int_eq(keys(T_KEYS_STARTED), 0);
}
END_TEST

static const struct endpoint *twin_of;

static void
meet_a_twin(void)
{
    struct exchange twin;

    story.meanwhile = NULL;
    ck_assert_int_eq(once(&other, twin_of, "k", &twin), ERR_CONFLICT);
    ck_assert_str_eq(twin.rq.ctx.problems.first->field, "Idempotency-Key");
    /* Another key is another matter, and so is the same key of somebody else. */
    struct exchange x = request(&other, &short_one, "other", "{}");
    ck_assert_int_eq(run(&x), OK);
    x = request(&other, &short_one, "k", "{}");
    x.rq.ctx.actor.account = uuid_v7(us.ctx.now_ms);
    ck_assert_int_eq(run(&x), OK);
}

START_TEST(twin_meets_conflict)
{
    struct exchange x;

    twin_of = replayed[_i];
    story.meanwhile = meet_a_twin;
    ck_assert_int_eq(once(&us, twin_of, "k", &x), OK);
    ck_assert_str_eq(story.steps, _i == 0 ? "scrrf" : "rrr");
    /* The lock is free again: the twin now gets the answer. */
    ck_assert_int_eq(once(&other, twin_of, "k", &x), OK);
    ck_assert(x.replayed);
}
END_TEST

START_TEST(crash_after_start_is_resumed)
{
    struct exchange x;
    enum err e;
    int status;

    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct party mine; /* a connection that dies with us */
        shop_party(&mine, STMTS(more));
        story.dies = true;
        once(&mine, &long_one, "k", &x);
        _exit(1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_int_eq(keys(T_KEYS_STARTED), 1);
    ck_assert_int_eq(marks("start"), 1);
    ck_assert_int_eq(marks("finish"), 0);

    /* The server gives the lock back as soon as it sees that nobody is there any more. */
    do
        e = once(&us, &long_one, "k", &x);
    while (e == ERR_CONFLICT);
    ck_assert_int_eq(e, OK);
    ck_assert(!x.replayed);
    ck_assert_str_eq(story.steps, "scf");
    ck_assert_int_eq(marks("start"), 2);
    ck_assert_int_eq(marks("finish"), 1);
    ck_assert_int_eq(keys(T_KEYS_STARTED), 0);
    ck_assert_int_eq(once(&other, &long_one, "k", &x), OK);
    ck_assert(x.replayed);
    ck_assert_str_eq(story.steps, "scf");
}
END_TEST

static const struct {
    char failing;
    enum err fails;
    const char *steps, *later;
    int started;
} failures[] = {
    {'s', ERR_VALIDATION, "s", "scf", 0},
    {'c', ERR_PROVIDER_UNAVAILABLE, "sc", "scf", 1},
    {'f', ERR_PAYMENT_FAILED, "scf", "scf", 1},
};

START_TEST(failed_step_leaves_the_key_resumable)
{
    struct exchange x;

    story.failing = failures[_i].failing;
    story.fails = failures[_i].fails;
    ck_assert_int_eq(once(&us, &long_one, "k", &x), failures[_i].fails);
    ck_assert_str_eq(story.steps, failures[_i].steps);
    ck_assert_int_eq(keys(T_KEYS_STARTED), failures[_i].started);
    ck_assert_int_eq(keys(T_KEYS_DONE), 0);
    ck_assert_int_eq(marks("start"), failures[_i].started);
    ck_assert_int_eq(marks("finish"), 0);

    memset(&story, 0, sizeof(story));
    ck_assert_int_eq(once(&other, &long_one, "k", &x), OK);
    ck_assert(!x.replayed);
    ck_assert_str_eq(story.steps, failures[_i].later);
    ck_assert_int_eq(marks("finish"), 1);
    ck_assert_int_eq(keys(T_KEYS_DONE), 1);
}
END_TEST

static const struct endpoint *const secrets[] = {&long_secret, &short_secret};

START_TEST(secret_answer_is_not_kept)
{
    struct exchange x;

    ck_assert_int_eq(once(&us, secrets[_i], "k", &x), OK);
    ck_assert_uint_gt(x.rq.reply.len, 0);
    const char *steps = arena_strdup(us.ctx.arena, story.steps);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(once(i == 0 ? &us : &other, secrets[_i], "k", &x), ERR_CONFLICT);
        ck_assert_uint_eq(x.rq.reply.len, 0);
    }
    ck_assert_str_eq(story.steps, steps);
}
END_TEST

/* 422, and nobody is locked out by having been refused. */
START_TEST(key_of_another_body)
{
    const struct endpoint *ep = replayed[_i];
    struct exchange x;

    ck_assert_int_eq(once(&us, ep, "k", &x), OK);
    x = request(&us, ep, "k", "{\"other\":1}");
    ck_assert_int_eq(run(&x), ERR_IDEMPOTENCY_KEY_REUSED);
    ck_assert_int_eq(once(&other, ep, "k", &x), OK);
    ck_assert(x.replayed);
}
END_TEST

/* --- one transaction -------------------------------------------------------------------------- */

START_TEST(asked_again_begins_clean)
{
    struct exchange x;

    story.reruns = 2;
    ck_assert_int_eq(once(&us, &short_one, _i == 0 ? NULL : "k", &x), OK);
    ck_assert_str_eq(story.steps, "rrr");
    ck_assert(!story.was_dirty);
    ck_assert_str_eq(text_cstr(&x.rq.reply), "{\"step\":\"run\"}");
    ck_assert_ptr_null(x.rq.ctx.problems.first);
    ck_assert_int_eq(marks("run"), 1);
    ck_assert_int_eq(story.effects, 1);
    ck_assert_int_eq(x.status, 201);
}
END_TEST

START_TEST(asked_again_for_ever_is_unavailable)
{
    struct exchange x;

    story.reruns = 1000;
    story.keeps = _i == 1;
    int log = log_capture();
    ck_assert_int_eq(once(&us, &short_one, "k", &x), ERR_SERVICE_UNAVAILABLE);
    log_captured(log);
    ck_assert_int_eq(marks("run"), 0);
    ck_assert_int_eq(story.effects, 0);
    ck_assert_ptr_null(x.rq.ctx.problems.first);
}
END_TEST

START_TEST(effects_come_after_the_commit)
{
    struct exchange x;

    ck_assert_int_eq(once(&us, &short_one, NULL, &x), OK);
    ck_assert_int_eq(story.effects, 1);
    ck_assert_int_eq(story.seen_outside, 1);
    /* A replay has no effect of its own. */
    ck_assert_int_eq(once(&us, &short_one, "k", &x), OK);
    ck_assert_int_eq(story.effects, 2);
    ck_assert_int_eq(once(&us, &short_one, "k", &x), OK);
    ck_assert_int_eq(story.effects, 2);
}
END_TEST

START_TEST(error_undoes_unless_it_is_kept)
{
    struct exchange x;

    story.keeps = _i == 1;
    story.failing = 'r';
    story.fails = ERR_UNAUTHORIZED;
    ck_assert_int_eq(once(&us, &short_one, "k", &x), ERR_UNAUTHORIZED);
    ck_assert_str_eq(story.steps, "r");
    ck_assert_int_eq(marks("run"), _i);
    ck_assert_int_eq(story.effects, _i);
    ck_assert_ptr_nonnull(x.rq.ctx.problems.first);
    /* What was refused is not stored: the same key may try again. */
    ck_assert_int_eq(keys(T_KEYS_DONE), 0);
    story.fails = OK;
    ck_assert_int_eq(once(&us, &short_one, "k", &x), OK);
    ck_assert(!x.replayed);
}
END_TEST

/* The backend is gone before COMMIT: the work runs again on a new connection, whether or not it
 * meant to be kept. */
static void
cut_our_line(void)
{
    const char *why = "";

    story.meanwhile = NULL;
    log_capture();
    pg_script(&us.ctx, "SELECT pg_terminate_backend(pg_backend_pid())", &why);
}

START_TEST(lost_connection_runs_again)
{
    struct exchange x;

    story.keeps = _i == 1;
    story.meanwhile = cut_our_line;
    ck_assert_int_eq(once(&us, &short_one, "k", &x), OK);
    ck_assert_str_eq(story.steps, "rr");
    ck_assert_int_eq(marks("run"), 1);
    ck_assert_int_eq(story.effects, 1);
}
END_TEST

/* In call(): our connection is lost, and the key's lock with it; a twin takes it and ends before
 * us. */
static void
lose_the_lock_to_a_twin(void)
{
    struct exchange twin;
    enum err e;

    cut_our_line();
    do /* the server needs a moment to see that nobody is there any more */
        e = once(&other, &long_one, "k", &twin);
    while (e == ERR_CONFLICT);
    ck_assert_int_eq(e, OK);
    ck_assert(!twin.replayed);
}

START_TEST(twin_was_quicker)
{
    struct exchange x;

    story.meanwhile = lose_the_lock_to_a_twin;
    ck_assert_int_eq(once(&us, &long_one, "k", &x), OK);
    ck_assert_str_eq(story.steps, "scscf"); /* the twin's finish() alone */
    ck_assert(x.replayed);
    ck_assert_int_eq(x.status, 202);
    ck_assert_str_eq(text_cstr(&x.rq.reply), "{\"step\":\"finish\"}");
    ck_assert_int_eq(marks("finish"), 1);
    ck_assert_int_eq(keys(T_KEYS_DONE), 1);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("run");
    TCase *t = tcase_create("run");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, steps_run_in_order, 0, 2);
    tcase_add_loop_test(t, finished_answer_is_replayed, 0, 2);
    tcase_add_loop_test(t, twin_meets_conflict, 0, 2);
    tcase_add_test(t, crash_after_start_is_resumed);
    tcase_add_loop_test(t, failed_step_leaves_the_key_resumable, 0, 3);
    tcase_add_loop_test(t, secret_answer_is_not_kept, 0, 2);
    tcase_add_loop_test(t, key_of_another_body, 0, 2);
    tcase_add_loop_test(t, asked_again_begins_clean, 0, 2);
    tcase_add_loop_test(t, asked_again_for_ever_is_unavailable, 0, 2);
    tcase_add_test(t, effects_come_after_the_commit);
    tcase_add_loop_test(t, error_undoes_unless_it_is_kept, 0, 2);
    tcase_add_test(t, twin_was_quicker);
    tcase_add_loop_test(t, lost_connection_runs_again, 0, 2);
    suite_add_tcase(s, t);
    return run_suite(s);
}
