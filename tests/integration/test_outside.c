/*
 * providers/outside: breaker, cap and budget, between processes of which some are killed in a call.
 * Nothing here asserts a time: what must come is waited for, what must not come is refused at once.
 */
#include "providers/outside.h"

#include "base/config.h"
#include "wire_server.h"

static struct arena *a;
static struct ctx ctx;
static struct http_answer got;

static void
configure(const char *name, const char *value)
{
    setenv(name, value, 1);
    ck_assert(config_load(NULL, stderr));
}

static void
setup(void)
{
    a = arena_new();
    setenv("DATABASE_URL", "dbname=none", 1);
    setenv("TOKEN_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("DATA_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("PROVIDER_TIMEOUT", "5s", 1);
    setenv("PROVIDER_PAUSE", "1h", 1);
    configure("PROVIDER_FAILURES", "3");
    ctx = (struct ctx){.arena = a, .trace_id = "", .now_ms = clock_ms()};
    ctx.http = http_out_new("soko-test/1");
    ck_assert_ptr_nonnull(ctx.http);
    wire_start();
}

static void
setup_shared(void)
{
    setup();
    outside_share();
}

static void
teardown(void)
{
    wire_stop();
    http_out_free(ctx.http);
    arena_free(a);
}

static enum err
send_as(enum provider p)
{
    struct http_call call = {
        .method = "POST",
        .url = arena_printf(a, "http://127.0.0.1:%d/secret-path", wire_port),
        .body = "secret-body",
        .body_len = 11,
    };

    ctx.now_ms = clock_ms(); /* a new piece of work */
    return outside_send(&ctx, p, "test_call", &call, &got);
}

static enum err
send_one(void)
{
    return send_as(PROVIDER_STRIPE);
}

/* A child that sends one call, with a connection of its own; its exit status is the outcome. */
static pid_t
send_in_child_as(enum provider p)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        alarm(30);
        ctx.http = http_out_new("soko-test/1");
        _exit((int)send_as(p));
    }
    return pid;
}

static pid_t
send_in_child(void)
{
    return send_in_child_as(PROVIDER_STRIPE);
}

static int
outcome_of(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- the log ---- */

static int
count(const char *in, const char *what)
{
    int n = 0;

    for (; (in = strstr(in, what)) != NULL; in++)
        n++;
    return n;
}

START_TEST(one_line_a_call)
{
    log_set_level(LOG_DEBUG);
    int fd = log_capture();

    wire_replies(0, 201, "", "{\"secret\":1}");
    wire_says(1, WIRE_HANG_UP);
    ck_assert_int_eq(send_one(), OK);
    ck_assert_int_eq(got.status, 201);
    ck_assert_str_eq(got.body, "{\"secret\":1}");
    ck_assert_int_eq(send_one(), ERR_REQUEST_TIMEOUT);
    const char *log = log_captured(fd);
    ck_assert_int_eq(count(log, "\n"), 2);
    ck_assert_int_eq(count(log, "\"event.action\":\"provider.call\""), 2);
    ck_assert_int_eq(count(log, "\"soko.provider\":\"stripe\",\"soko.operation\":\"test_call\""),
                     2);
    ck_assert_int_eq(count(log, "\"event.duration\":"), 2);
    ck_assert_int_eq(count(log, "\"event.outcome\":\"success\""), 1);
    ck_assert_int_eq(count(log, "\"event.outcome\":\"unknown\""), 1);
    ck_assert_int_eq(count(log, "\"http.response.status_code\":201"), 1);
    ck_assert_int_eq(count(log, "\"http.response.status_code\""), 1);
    ck_assert_int_eq(count(log, "secret"), 0);
    ck_assert_int_eq(count(log, "127.0.0.1"), 0);
}
END_TEST

/* ---- the breaker ---- */

static const struct {
    enum provider p;
    int status; /* 0: hangs up */
    bool counts;
} answers[] = {
    {PROVIDER_STRIPE, 0, true},    {PROVIDER_STRIPE, 500, true},  {PROVIDER_STRIPE, 503, true},
    {PROVIDER_STRIPE, 429, true},  {PROVIDER_STRIPE, 200, false}, {PROVIDER_STRIPE, 400, false},
    {PROVIDER_STRIPE, 401, false}, {PROVIDER_STRIPE, 402, false}, {PROVIDER_STRIPE, 409, false},
    {PROVIDER_DARAJA, 0, true},    {PROVIDER_DARAJA, 500, false}, {PROVIDER_DARAJA, 503, true},
    {PROVIDER_DARAJA, 429, true},  {PROVIDER_OAUTH2, 500, true},
};

START_TEST(what_counts)
{
    enum provider p = answers[_i].p;

    log_capture();
    for (int n = 0; n < 3; n++) {
        if (answers[_i].status == 0)
            wire_says(n, WIRE_HANG_UP);
        else
            wire_replies(n, answers[_i].status, "", "{}");
        ck_assert_int_eq(send_as(p), answers[_i].status == 0 ? ERR_REQUEST_TIMEOUT : OK);
    }
    wire_replies_from(3, 200, "{}");
    ck_assert_int_eq(send_as(p), answers[_i].counts ? ERR_PROVIDER_UNAVAILABLE : OK);
    ck_assert_int_eq(atomic_load(&wire->requests), answers[_i].counts ? 3 : 4);
    /* A provider's failures are his own. */
    ck_assert_int_eq(send_as(PROVIDER_AFRICASTALKING), OK);
    outside_forget();
    ck_assert_int_eq(send_as(p), OK);
}
END_TEST

START_TEST(only_failures_in_a_row)
{
    log_capture();
    for (int n = 0; n < 9; n++) {
        wire_replies(n, n % 3 == 2 ? 200 : 503, "", "{}");
        ck_assert_int_eq(send_one(), OK);
    }
    ck_assert_int_eq(atomic_load(&wire->requests), 9);
}
END_TEST

/* Nobody listens: never sent, and it counts. */
START_TEST(no_connection)
{
    int port = wire_port;

    log_capture();
    wire_port = 1;
    for (int n = 0; n < 3; n++)
        ck_assert_int_eq(send_one(), ERR_PROVIDER_UNAVAILABLE);
    wire_port = port;
    ck_assert_int_eq(send_one(), ERR_PROVIDER_UNAVAILABLE);
    ck_assert_int_eq(atomic_load(&wire->requests), 0);
}
END_TEST

/* What is our own fault says nothing about the provider. */
START_TEST(our_fault)
{
    struct http_out *http = ctx.http;

    log_capture();
    ctx.http = NULL;
    for (int n = 0; n < 4; n++)
        ck_assert_int_eq(send_one(), ERR_INTERNAL);
    ctx.http = http;
    wire_replies(0, 200, "", "{}");
    ck_assert_int_eq(send_one(), OK);
}
END_TEST

/* Three failures in children leave the provider alone for all. */
START_TEST(failures_are_shared)
{
    int fd = log_capture();

    for (int n = 0; n < 3; n++) {
        wire_says(n, WIRE_HANG_UP);
        ck_assert_int_eq(outcome_of(send_in_child()), ERR_REQUEST_TIMEOUT);
    }
    ck_assert_int_eq(send_one(), ERR_PROVIDER_UNAVAILABLE);
    ck_assert_int_eq(outcome_of(send_in_child()), ERR_PROVIDER_UNAVAILABLE);
    ck_assert_int_eq(atomic_load(&wire->requests), 3);
    const char *log = log_captured(fd);
    ck_assert_int_eq(count(log, "\"event.action\":\"provider.left_alone\""), 1);
    ck_assert_int_eq(count(log, "\"error.message\":\"is left alone\""), 2);
}
END_TEST

START_TEST(without_sharing_each_for_himself)
{
    log_capture();
    for (int n = 0; n < 3; n++) {
        wire_says(n, WIRE_HANG_UP);
        ck_assert_int_eq(outcome_of(send_in_child()), ERR_REQUEST_TIMEOUT);
    }
    wire_replies(3, 200, "", "{}");
    ck_assert_int_eq(send_one(), OK);
}
END_TEST

/* Calls until one goes out: the pause is over. */
static pid_t
child_that_gets_out(int requests)
{
    int64_t until = clock_ms() + 10000;

    for (;;) {
        pid_t pid = send_in_child();

        while (atomic_load(&wire->requests) < requests && waitpid(pid, NULL, WNOHANG) == 0)
            poll(NULL, 0, 1);
        if (atomic_load(&wire->requests) >= requests)
            return pid;
        ck_assert_int_lt(clock_ms(), until);
    }
}

START_TEST(one_tries_after_the_pause)
{
    configure("PROVIDER_PAUSE", "20ms");
    int fd = log_capture();
    for (int n = 0; n < 3; n++) {
        wire_says(n, WIRE_HANG_UP);
        ck_assert_int_eq(send_one(), ERR_REQUEST_TIMEOUT);
    }
    wire_says(3, WIRE_HOLD);
    wire_replies_from(4, 200, "{}");
    pid_t one = child_that_gets_out(4);
    /* While he waits for his answer nobody else may. */
    for (int n = 0; n < 5; n++)
        ck_assert_int_eq(send_one(), ERR_PROVIDER_UNAVAILABLE);
    ck_assert_int_eq(atomic_load(&wire->requests), 4);
    atomic_store(&wire->released, 1);
    ck_assert_int_eq(outcome_of(one), OK);
    ck_assert_int_eq(send_one(), OK);
    ck_assert_int_eq(send_one(), OK);
    const char *log = log_captured(fd);
    ck_assert_int_eq(count(log, "\"event.action\":\"provider.left_alone\""), 1);
    ck_assert_int_eq(count(log, "\"event.action\":\"provider.back\""), 1);
}
END_TEST

START_TEST(a_failed_try_opens_again)
{
    configure("PROVIDER_PAUSE", "20ms");
    int fd = log_capture();
    for (int n = 0; n < 4; n++)
        wire_says(n, WIRE_HANG_UP);
    for (int n = 0; n < 3; n++)
        ck_assert_int_eq(send_one(), ERR_REQUEST_TIMEOUT);
    configure("PROVIDER_PAUSE", "1h");
    ck_assert_int_eq(outcome_of(child_that_gets_out(4)), ERR_REQUEST_TIMEOUT);
    ck_assert_int_eq(send_one(), ERR_PROVIDER_UNAVAILABLE);
    ck_assert_int_eq(atomic_load(&wire->requests), 4);
    ck_assert_int_eq(count(log_captured(fd), "\"event.action\":\"provider.left_alone\""), 1);
}
END_TEST

/* Who tries may be killed; the next one tries when his time is over. */
START_TEST(who_tries_is_killed)
{
    configure("PROVIDER_PAUSE", "20ms");
    log_capture();
    for (int n = 0; n < 3; n++) {
        wire_says(n, WIRE_HANG_UP);
        ck_assert_int_eq(send_one(), ERR_REQUEST_TIMEOUT);
    }
    wire_says(3, WIRE_HANG);
    wire_replies_from(4, 200, "{}");
    configure("PROVIDER_TIMEOUT", "200ms");
    pid_t one = child_that_gets_out(4);
    kill(one, SIGKILL);
    ck_assert_int_eq(outcome_of(one), -1);
    ck_assert_int_eq(outcome_of(child_that_gets_out(5)), OK);
    ck_assert_int_eq(send_one(), OK);
}
END_TEST

/* ---- the cap ---- */

START_TEST(at_once)
{
    configure("PROVIDER_AT_ONCE", "2");
    int fd = log_capture();
    wire_says(0, WIRE_HOLD);
    wire_says(1, WIRE_HOLD);
    wire_replies_from(2, 200, "{}");
    pid_t one = send_in_child(), two = send_in_child();
    wire_wait_for(2);
    for (int n = 0; n < 5; n++)
        ck_assert_int_eq(send_one(), ERR_PROVIDER_UNAVAILABLE);
    ck_assert_int_eq(atomic_load(&wire->requests), 2);
    ck_assert_int_eq(count(log_captured(fd), "\"too many calls at once\""), 5);
    /* Another provider has places of his own. */
    ck_assert_int_eq(send_as(PROVIDER_DARAJA), OK);
    /* Too many at once is no failure of the provider. */
    atomic_store(&wire->released, 1);
    ck_assert_int_eq(outcome_of(one), OK);
    ck_assert_int_eq(outcome_of(two), OK);
    for (int n = 0; n < 5; n++)
        ck_assert_int_eq(send_one(), OK);
}
END_TEST

/* The OAuth2 server has places of his own, fewer, and takes none of others'. */
START_TEST(a_cap_of_his_own)
{
    configure("OAUTH2_AT_ONCE", "2");
    configure("OAUTH2_TIMEOUT", "4s");
    int fd = log_capture();
    wire_says(0, WIRE_HOLD);
    wire_says(1, WIRE_HOLD);
    wire_replies_from(2, 200, "{}");
    pid_t one = send_in_child_as(PROVIDER_OAUTH2), two = send_in_child_as(PROVIDER_OAUTH2);
    wire_wait_for(2);
    for (int n = 0; n < 3; n++)
        ck_assert_int_eq(send_as(PROVIDER_OAUTH2), ERR_PROVIDER_UNAVAILABLE);
    ck_assert_int_eq(send_as(PROVIDER_STRIPE), OK);
    ck_assert_int_eq(atomic_load(&wire->requests), 3);
    atomic_store(&wire->released, 1);
    ck_assert_int_eq(outcome_of(one), OK);
    ck_assert_int_eq(outcome_of(two), OK);
    ck_assert_int_eq(send_as(PROVIDER_OAUTH2), OK);
    ck_assert_int_eq(count(log_captured(fd), "\"error.message\":\"too many calls at once\""), 3);
}
END_TEST

/* As long as he is quick, more callers than places are served one after another. */
START_TEST(a_place_is_waited_for)
{
    pid_t pids[8];

    configure("OAUTH2_AT_ONCE", "1");
    log_capture();
    wire_replies_from(0, 200, "{}");
    for (int i = 0; i < 8; i++)
        pids[i] = send_in_child_as(PROVIDER_OAUTH2);
    int served = 0;
    for (int i = 0; i < 8; i++)
        served += outcome_of(pids[i]) == OK ? 1 : 0;
    ck_assert_int_ge(served, 2); /* one, if nobody waited */
    ck_assert_int_eq(atomic_load(&wire->requests), served);
}
END_TEST

/* His time is his own too: a call to him ends by OAUTH2_TIMEOUT, and counts. */
START_TEST(a_time_of_his_own)
{
    configure("OAUTH2_TIMEOUT", "50ms");
    configure("PROVIDER_TIMEOUT", "9s");
    log_capture();
    for (int n = 0; n < 3; n++) {
        wire_says(n, WIRE_HANG);
        ck_assert_int_eq(send_as(PROVIDER_OAUTH2), ERR_REQUEST_TIMEOUT);
    }
    ck_assert_int_eq(send_as(PROVIDER_OAUTH2), ERR_PROVIDER_UNAVAILABLE);
    ck_assert_int_eq(atomic_load(&wire->requests), 3);
}
END_TEST

START_TEST(a_killed_process_gives_its_place_back)
{
    configure("PROVIDER_AT_ONCE", "2");
    log_capture();
    wire_says(0, WIRE_HANG);
    wire_says(1, WIRE_HANG);
    wire_replies_from(2, 200, "{}");
    pid_t one = send_in_child(), two = send_in_child();
    wire_wait_for(2);
    ck_assert_int_eq(send_one(), ERR_PROVIDER_UNAVAILABLE);
    kill(one, SIGKILL);
    ck_assert_int_eq(outcome_of(one), -1);
    ck_assert_int_eq(send_one(), OK);
    ck_assert_int_eq(send_one(), OK);
    kill(two, SIGKILL);
    ck_assert_int_eq(outcome_of(two), -1);
    ck_assert_int_eq(send_one(), OK);
}
END_TEST

/* A process that lives, as one with the pid of a dead one does, loses its place when its call must
 * have ended; and it does not take the place of whoever came after. */
START_TEST(a_place_ends_with_its_time)
{
    configure("PROVIDER_AT_ONCE", "1");
    configure("PROVIDER_TIMEOUT", "200ms");
    log_capture();
    wire_says(0, WIRE_HANG);
    wire_says(1, WIRE_HOLD);
    wire_replies_from(2, 200, "{}");
    pid_t stopped = send_in_child();
    wire_wait_for(1);
    kill(stopped, SIGSTOP);
    configure("PROVIDER_TIMEOUT", "5s");
    pid_t heir = child_that_gets_out(2);
    kill(stopped, SIGCONT);
    ck_assert_int_eq(outcome_of(stopped), ERR_REQUEST_TIMEOUT);
    ck_assert_int_eq(send_one(), ERR_PROVIDER_UNAVAILABLE);
    atomic_store(&wire->released, 1);
    ck_assert_int_eq(outcome_of(heir), OK);
    ck_assert_int_eq(send_one(), OK);
}
END_TEST

/* ---- the budget ---- */

START_TEST(a_spent_budget_sends_nothing)
{
    struct http_call call = {.method = "GET",
                             .url = arena_printf(a, "http://127.0.0.1:%d/", wire_port)};

    log_capture();
    ctx.now_ms = clock_ms() - 5000;
    ck_assert_int_eq(outside_budget(&ctx), 0);
    for (int n = 0; n < 5; n++)
        ck_assert_int_eq(outside_send(&ctx, PROVIDER_STRIPE, "late", &call, &got),
                         ERR_PROVIDER_UNAVAILABLE);
    ck_assert_str_eq(got.body, "");
    ck_assert_int_eq(atomic_load(&wire->requests), 0);
    /* And is no failure of the provider. */
    wire_replies(0, 200, "", "{}");
    ck_assert_int_eq(send_one(), OK);
}
END_TEST

START_TEST(a_call_gets_what_is_left)
{
    struct http_call call = {.method = "GET",
                             .url = arena_printf(a, "http://127.0.0.1:%d/", wire_port)};

    wire_replies_from(0, 200, "{}");
    ctx.now_ms = clock_ms() - 4000;
    ck_assert_int_eq(outside_send(&ctx, PROVIDER_STRIPE, "late", &call, &got), OK);
    ck_assert_int_gt(call.total_ms, 0);
    ck_assert_int_le(call.total_ms, 1000);
    ck_assert_int_le(call.connect_ms, call.total_ms);
    /* A clock that was set back gives nobody more than a whole budget. */
    ctx.now_ms = clock_ms() + 3600000;
    ck_assert_int_eq(outside_budget(&ctx), 5000);
    ck_assert_int_eq(outside_send(&ctx, PROVIDER_STRIPE, "early", &call, &got), OK);
    ck_assert_int_eq(call.total_ms, 5000);
    ck_assert_int_eq(call.connect_ms, 3000);
}
END_TEST

/* A time-out of a call that had but the rest of a budget is not held against the provider. */
START_TEST(the_rest_of_a_budget_judges_nobody)
{
    struct http_call call = {.method = "POST",
                             .url = arena_printf(a, "http://127.0.0.1:%d/", wire_port)};

    log_capture();
    configure("PROVIDER_FAILURES", "1");
    wire_says(0, WIRE_HANG);
    ctx.now_ms = clock_ms() - 4000;
    ck_assert_int_eq(outside_send(&ctx, PROVIDER_STRIPE, "late", &call, &got), ERR_REQUEST_TIMEOUT);
    wire_replies(1, 200, "", "{}");
    ck_assert_int_eq(send_one(), OK);
}
END_TEST

/* ---- calls that are not HTTP ---- */

static enum err
say(struct ctx *c, int64_t total_ms, void *arg)
{
    ck_assert_ptr_eq(c, &ctx);
    ck_assert_int_gt(total_ms, 0);
    ck_assert_int_le(total_ms, 5000);
    return *(enum err *)arg;
}

START_TEST(guarded_calls)
{
    enum err e = OK;

    log_capture();
    ck_assert_int_eq(outside_guard(&ctx, PROVIDER_MAIL, "send", say, &e), OK);
    e = ERR_VALIDATION;
    for (int n = 0; n < 4; n++)
        ck_assert_int_eq(outside_guard(&ctx, PROVIDER_MAIL, "send", say, &e), ERR_VALIDATION);
    e = ERR_REQUEST_TIMEOUT;
    for (int n = 0; n < 3; n++)
        ck_assert_int_eq(outside_guard(&ctx, PROVIDER_MAIL, "send", say, &e), ERR_REQUEST_TIMEOUT);
    e = OK;
    ck_assert_int_eq(outside_guard(&ctx, PROVIDER_MAIL, "send", say, &e), ERR_PROVIDER_UNAVAILABLE);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("outside");
    TCase *shared = tcase_create("shared"), *alone = tcase_create("alone");

    tcase_add_checked_fixture(shared, setup_shared, teardown);
    tcase_set_timeout(shared, 30);
    tcase_add_test(shared, one_line_a_call);
    tcase_add_loop_test(shared, what_counts, 0, (int)(sizeof answers / sizeof answers[0]));
    tcase_add_test(shared, only_failures_in_a_row);
    tcase_add_test(shared, no_connection);
    tcase_add_test(shared, our_fault);
    tcase_add_test(shared, failures_are_shared);
    tcase_add_test(shared, one_tries_after_the_pause);
    tcase_add_test(shared, a_failed_try_opens_again);
    tcase_add_test(shared, who_tries_is_killed);
    tcase_add_test(shared, at_once);
    tcase_add_test(shared, a_cap_of_his_own);
    tcase_add_test(shared, a_place_is_waited_for);
    tcase_add_test(shared, a_time_of_his_own);
    tcase_add_test(shared, a_killed_process_gives_its_place_back);
    tcase_add_test(shared, a_place_ends_with_its_time);
    tcase_add_test(shared, a_spent_budget_sends_nothing);
    tcase_add_test(shared, a_call_gets_what_is_left);
    tcase_add_test(shared, the_rest_of_a_budget_judges_nobody);
    tcase_add_test(shared, guarded_calls);
    suite_add_tcase(s, shared);

    tcase_add_checked_fixture(alone, setup, teardown);
    tcase_set_timeout(alone, 30);
    tcase_add_test(alone, without_sharing_each_for_himself);
    tcase_add_test(alone, one_line_a_call);
    tcase_add_test(alone, only_failures_in_a_row);
    suite_add_tcase(s, alone);
    return run_suite(s);
}
