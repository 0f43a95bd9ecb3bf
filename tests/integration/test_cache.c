/*
 * io/cache: against the real Redis, and against a bad one: a child process that accepts and then
 * hangs, hangs up, or answers with errors.
 */
#include "io/cache.h"

#include "base/clock.h"
#include "base/id.h"
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static struct arena *a;
static struct cache *c;
static char run[9]; /* keys of this test */

static void
setup(void)
{
    a = arena_new();
    random_base32(run, 8);
    c = cache_new(env_or_fail("SOKO_TEST_REDIS_ADDRESS"), 1000);
}

static void
teardown(void)
{
    cache_free(c);
    arena_free(a);
}

static const char *
key(const char *name)
{
    return arena_printf(a, "test:%s:%s", run, name);
}

START_TEST(what_is_no_address_is_refused)
{
    static const char *const good[] = {"127.0.0.1:6379",    "redis",
                                       "[::1]:6379",        "unix:/run/r.sock",
                                       "p@ss:word@redis:1", "p/w@unix:/r"};
    static const char *const bad[] = {
        ":6379",    "redis:", "redis:sesame",    "redis:0",     "redis:65536", "redis:-1",
        "redis:1 ", "unix:",  "unix:run/r.sock", "redis://h:1", "pass@",       "h:999999"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(cache_address_fault(good[i]) == NULL, "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(cache_address_fault(bad[i]) != NULL, "%s", bad[i]);
}
END_TEST

/* ---- values ---- */

START_TEST(values_come_back)
{
    const char *value = NULL;

    ck_assert_int_eq(cache_ping(c), CACHE_HIT);
    ck_assert_int_eq(cache_get(c, a, key("a b"), &value), CACHE_MISS);
    ck_assert_int_eq(cache_set(c, key("a b"), "x \"y\"\r\n z", 5000, false), CACHE_HIT);
    ck_assert_int_eq(cache_get(c, a, key("a b"), &value), CACHE_HIT);
    ck_assert_str_eq(value, "x \"y\"\r\n z");
    ck_assert_int_eq(cache_set(c, key("a b"), "", 5000, false), CACHE_HIT);
    ck_assert_int_eq(cache_get(c, a, key("a b"), &value), CACHE_HIT);
    ck_assert_str_eq(value, "");
}
END_TEST

START_TEST(only_new_leaves_what_is_there)
{
    const char *value = NULL;

    ck_assert_int_eq(cache_set(c, key("k"), "1", 5000, true), CACHE_HIT);
    ck_assert_int_eq(cache_set(c, key("k"), "2", 5000, true), CACHE_MISS);
    ck_assert_int_eq(cache_get(c, a, key("k"), &value), CACHE_HIT);
    ck_assert_str_eq(value, "1");
    ck_assert_int_eq(cache_set(c, key("k"), "3", 5000, false), CACHE_HIT);
    ck_assert_int_eq(cache_get(c, a, key("k"), &value), CACHE_HIT);
    ck_assert_str_eq(value, "3");
}
END_TEST

START_TEST(values_end)
{
    const char *value = NULL;

    ck_assert_int_eq(cache_set(c, key("k"), "1", 30, false), CACHE_HIT);
    /* Until it is gone; check's own time-out ends a test that would wait for ever. */
    while (cache_get(c, a, key("k"), &value) == CACHE_HIT)
        usleep(1000);
    ck_assert_int_eq(cache_get(c, a, key("k"), &value), CACHE_MISS);
}
END_TEST

/* ---- limits ---- */

static struct cache_limit
gate(const char *name, int64_t per_minute, int64_t burst)
{
    struct cache_limit limit = {.key = key(name), .per_minute = per_minute, .burst = burst};

    ck_assert_int_eq(cache_gate(c, a, NULL, NULL, &limit), CACHE_MISS);
    return limit;
}

START_TEST(burst_then_refusal)
{
    /* A request a minute: the bucket does not refill during the test. */
    for (int i = 4; i >= 0; i--) {
        struct cache_limit l = gate("k", 1, 5);
        ck_assert(!l.refused);
        ck_assert_int_eq(l.remaining, i);
        ck_assert_int_eq(l.retry_after_ms, 0);
        ck_assert_int_gt(l.reset_ms, (5 - i) * 60000 - 5000);
        ck_assert_int_le(l.reset_ms, (5 - i) * 60000);
    }
    struct cache_limit l = gate("k", 1, 5);
    ck_assert(l.refused);
    ck_assert_int_eq(l.remaining, 0);
    ck_assert_int_gt(l.retry_after_ms, 55000);
    ck_assert_int_le(l.retry_after_ms, 60000);
    ck_assert(!gate("another", 1, 5).refused);
}
END_TEST

START_TEST(bucket_refills_and_refusals_do_not_count)
{
    /* One each 100 ms. */
    ck_assert(!gate("k", 600, 1).refused);
    int64_t since = clock_mono_ns();
    struct cache_limit l = {0};
    for (int i = 0; i < 20; i++) {
        l = gate("k", 600, 1);
        if (!l.refused)
            break;
        ck_assert_int_ge(l.retry_after_ms, 1);
        ck_assert_int_le(l.retry_after_ms, 100);
        usleep(10000);
    }
    ck_assert(!l.refused);
    ck_assert_int_ge((clock_mono_ns() - since) / 1000000, 80);
}
END_TEST

START_TEST(retry_after_is_the_truth)
{
    ck_assert(!gate("k", 600, 1).refused);
    struct cache_limit l = gate("k", 600, 1);
    ck_assert(l.refused);
    usleep((useconds_t)(l.retry_after_ms + 1) * 1000);
    ck_assert(!gate("k", 600, 1).refused);
}
END_TEST

/* As fast as they come, most of them within one millisecond: each takes its own place in the
 * bucket, and those that are refused take none, so that who was refused a thousand times waits no
 * longer. */
START_TEST(hole_38_requests_of_one_millisecond_count_each_and_refused_ones_do_not)
{
    int64_t wait = 0;

    for (int i = 0; i < 200; i++) {
        struct cache_limit l = gate("k", 1, 200);
        ck_assert_msg(!l.refused, "request %d", i);
        ck_assert_int_eq(l.remaining, 199 - i);
    }
    for (int i = 0; i < 1000; i++) {
        struct cache_limit l = gate("k", 1, 200);
        ck_assert_msg(l.refused, "refusal %d", i);
        ck_assert_msg(i == 0 || l.retry_after_ms <= wait, "refusal %d waits longer", i);
        wait = l.retry_after_ms;
    }
}
END_TEST

START_TEST(no_limit_is_no_limit)
{
    struct cache_limit l = {.key = NULL, .per_minute = 1, .burst = 1};

    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(cache_gate(c, a, NULL, NULL, &l), CACHE_MISS);
        ck_assert(!l.refused);
        ck_assert(!gate("k", 0, 1).refused);
        ck_assert(!gate("zero burst counts as one", 60000000, 0).refused);
    }
    ck_assert_int_eq(cache_gate(c, a, NULL, NULL, NULL), CACHE_MISS);
}
END_TEST

START_TEST(lowered_limit_locks_nobody_out)
{
    for (int i = 0; i < 100; i++)
        gate("k", 60, 100); /* 100 s of debt */
    struct cache_limit l = gate("k", 60, 2);
    ck_assert(l.refused);
    ck_assert_int_le(l.retry_after_ms, 1000);
}
END_TEST

START_TEST(concurrent_requests_are_counted_once_each)
{
    int passed = 0;

    for (int i = 0; i < 4; i++) {
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            struct cache *mine = cache_new(env_or_fail("SOKO_TEST_REDIS_ADDRESS"), 1000);
            int good = 0;
            for (int n = 0; n < 50; n++) {
                struct cache_limit l = {.key = key("k"), .per_minute = 1, .burst = 60};
                cache_gate(mine, a, NULL, NULL, &l);
                good += l.refused ? 0 : 1;
            }
            _exit(good);
        }
    }
    for (int i = 0; i < 4; i++) {
        int status;
        ck_assert_int_gt(wait(&status), 0);
        ck_assert(WIFEXITED(status));
        passed += WEXITSTATUS(status);
    }
    ck_assert_int_eq(passed, 60);
}
END_TEST

START_TEST(session_and_limit_together)
{
    struct cache_limit l = {.key = key("limit"), .per_minute = 1, .burst = 2};
    const char *session = NULL;

    ck_assert_int_eq(cache_gate(c, a, key("s"), &session, &l), CACHE_MISS);
    ck_assert_int_eq(l.remaining, 1);
    ck_assert_int_eq(cache_set(c, key("s"), "alive", 5000, false), CACHE_HIT);
    ck_assert_int_eq(cache_gate(c, a, key("s"), &session, &l), CACHE_HIT);
    ck_assert_str_eq(session, "alive");
    ck_assert_int_eq(l.remaining, 0);
    ck_assert_int_eq(cache_gate(c, a, key("s"), &session, &l), CACHE_HIT);
    ck_assert(l.refused);
    ck_assert_int_eq(cache_gate(c, a, key("s"), &session, NULL), CACHE_HIT);
}
END_TEST

/* ---- bad servers ---- */

enum behaviour { HANG, HANG_UP, LOADING, NOSCRIPT_ONCE };

static pid_t server;
static struct cache *bad;

/* Reads a whole command (an array of bulk strings in one read is enough here) and answers. */
static void
serve(int listener, enum behaviour how)
{
    char in[8192];

    for (int connections = 0;; connections++) {
        int fd = accept(listener, NULL, NULL);
        ssize_t n;
        int commands = 0;
        while (fd >= 0 && how != HANG_UP && (n = read(fd, in, sizeof in - 1)) > 0) {
            const char *answer = "-LOADING Redis is loading test:secret\r\n";
            in[n] = '\0';
            if (how == HANG)
                continue;
            if (how == NOSCRIPT_ONCE)
                answer = strstr(in, "LOAD") != NULL
                             ? "$40\r\n0123456789012345678901234567890123456789\r\n"
                         : strstr(in, "EVALSHA") != NULL ? "-NOSCRIPT No matching script.\r\n"
                                                         : "*4\r\n:0\r\n:7\r\n:0\r\n:9\r\n";
            for (const char *p = in; (p = strchr(p, '*')) != NULL; p++)
                commands += p == in || p[-1] == '\n' ? 1 : 0;
            for (; commands > 0; commands--)
                if (write(fd, answer, strlen(answer)) < 0)
                    break;
        }
        close(fd);
    }
}

static void
start(enum behaviour how)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/soko-test-%s", run);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    server = fork();
    ck_assert_int_ge(server, 0);
    if (server == 0) {
        serve(fd, how);
        _exit(0);
    }
    close(fd);
    bad = cache_new(arena_printf(a, "unix:%s", address.sun_path), 100);
}

static void
stop(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    unlink(arena_printf(a, "/tmp/soko-test-%s", run));
    cache_free(bad);
}

static void
all_down(struct cache *which)
{
    struct cache_limit l = {.key = "k", .per_minute = 1, .burst = 1};
    const char *value;

    ck_assert_int_eq(cache_gate(which, a, "s", &value, &l), CACHE_DOWN);
    ck_assert(!l.refused);
    ck_assert_int_eq(l.remaining + l.retry_after_ms + l.reset_ms, 0);
    ck_assert_int_eq(cache_get(which, a, "s", &value), CACHE_DOWN);
    ck_assert_int_eq(cache_set(which, "s", "v", 1000, false), CACHE_DOWN);
    ck_assert_int_eq(cache_ping(which), CACHE_DOWN);
}

static int
lines_with(const char *text, const char *what)
{
    int n = 0;

    while ((text = strstr(text, what)) != NULL) {
        n++;
        text++;
    }
    return n;
}

START_TEST(hanging_redis_costs_one_time_out)
{
    int log = log_capture();
    start(HANG);
    int64_t since = clock_mono_ns();

    all_down(bad);
    all_down(bad);
    int64_t ms = (clock_mono_ns() - since) / 1000000;
    ck_assert_int_ge(ms, 90);
    ck_assert_int_lt(ms, 230);
    usleep(260000); /* then it is tried again */
    since = clock_mono_ns();
    ck_assert_int_eq(cache_ping(bad), CACHE_DOWN);
    ck_assert_int_ge((clock_mono_ns() - since) / 1000000, 90);
    stop();
    ck_assert_int_eq(lines_with(log_captured(log), "cache.down"), 1);
}
END_TEST

START_TEST(redis_that_hangs_up_is_down)
{
    int log = log_capture();

    start(HANG_UP);
    all_down(bad);
    stop();
    ck_assert_int_eq(lines_with(log_captured(log), "cache.down"), 1);
}
END_TEST

START_TEST(redis_that_answers_errors_is_down)
{
    int log = log_capture();

    start(LOADING);
    all_down(bad);
    all_down(bad);
    stop();
    const char *said = log_captured(log);
    ck_assert_int_eq(lines_with(said, "cache.error"), 1);
    ck_assert_int_eq(lines_with(said, "LOADING"), 1);
    ck_assert_int_eq(lines_with(said, "secret"), 0);
}
END_TEST

START_TEST(forgotten_script_is_sent_again)
{
    struct cache_limit l = {.key = "k", .per_minute = 1, .burst = 1};

    start(NOSCRIPT_ONCE);
    ck_assert_int_eq(cache_gate(bad, a, NULL, NULL, &l), CACHE_MISS);
    ck_assert_int_eq(l.remaining, 7);
    ck_assert_int_eq(l.reset_ms, 9);
    stop();
}
END_TEST

START_TEST(nobody_there_is_down)
{
    int log = log_capture();
    struct cache *none = cache_new(_i == 0   ? "unix:/nonexistent/redis.sock"
                                   : _i == 1 ? "127.0.0.1:1"
                                             : "secret@[::1]:1",
                                   100);

    all_down(none);
    cache_free(none);
    ck_assert_int_eq(lines_with(log_captured(log), "cache.down"), 1);
}
END_TEST

START_TEST(refused_password_is_down)
{
    struct cache *wrong =
        cache_new(arena_printf(a, "wr@ng@%s", env_or_fail("SOKO_TEST_REDIS_ADDRESS")), 1000);
    int log = log_capture();

    all_down(wrong); /* Redis refuses a password when it has none, too */
    cache_free(wrong);
    ck_assert_int_eq(lines_with(log_captured(log), "wr@ng"), 0);
}
END_TEST

/* Redis restarted: our connection is gone while idle, and nobody needs to know. */
START_TEST(connection_closed_while_idle_is_made_anew)
{
    const char *value = NULL;

    ck_assert_int_eq(cache_set(c, key("k"), "1", 5000, false), CACHE_HIT);
    for (int fd = 3; fd < 64; fd++) {
        struct sockaddr_storage address;
        socklen_t len = sizeof address;
        if (getpeername(fd, (struct sockaddr *)&address, &len) == 0)
            shutdown(fd, SHUT_RDWR);
    }
    ck_assert_int_eq(cache_get(c, a, key("k"), &value), CACHE_HIT);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("cache");
    TCase *t = tcase_create("cache");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 20);
    tcase_add_test(t, what_is_no_address_is_refused);
    tcase_add_test(t, values_come_back);
    tcase_add_test(t, only_new_leaves_what_is_there);
    tcase_add_test(t, values_end);
    tcase_add_test(t, burst_then_refusal);
    tcase_add_test(t, hole_38_requests_of_one_millisecond_count_each_and_refused_ones_do_not);
    tcase_add_test(t, bucket_refills_and_refusals_do_not_count);
    tcase_add_test(t, retry_after_is_the_truth);
    tcase_add_test(t, no_limit_is_no_limit);
    tcase_add_test(t, lowered_limit_locks_nobody_out);
    tcase_add_test(t, concurrent_requests_are_counted_once_each);
    tcase_add_test(t, session_and_limit_together);
    tcase_add_test(t, hanging_redis_costs_one_time_out);
    tcase_add_test(t, redis_that_hangs_up_is_down);
    tcase_add_test(t, redis_that_answers_errors_is_down);
    tcase_add_test(t, forgotten_script_is_sent_again);
    tcase_add_loop_test(t, nobody_there_is_down, 0, 3);
    tcase_add_test(t, refused_password_is_down);
    tcase_add_test(t, connection_closed_while_idle_is_made_anew);
    suite_add_tcase(s, t);
    return run_suite(s);
}
