/* Whatever goes in, one line of valid JSON of at most 4 KiB comes out. */
#include "base/json.h"
#include "base/log.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int ends[2];
static char line[70000];

/* Reads what was written, checks that it is one whole JSON line, and returns it parsed. */
static struct json_object *
read_log(struct arena *a)
{
    struct problems list = {0};
    struct json_object *o = NULL;
    ssize_t n = read(ends[0], line, sizeof line - 1);

    ck_assert_int_gt(n, 1);
    ck_assert_int_le(n, 4096);
    ck_assert_int_eq(line[n - 1], '\n');
    ck_assert_ptr_null(memchr(line, '\n', (size_t)n - 1));
    line[n] = '\0';
    ck_assert_msg(json_read(a, &list, line, (size_t)n, &o) == OK, "%s: %s", list.first->message,
                  line);
    return o;
}

static const char *
member(struct json_object *o, const char *name)
{
    return json_object_get_string(json_object_object_get(o, name));
}

static void
set_up(void)
{
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    log_set_fd(ends[1]);
    log_init("soko-test", LOG_INFO);
}

START_TEST(test_plain)
{
    struct arena *a = arena_new();

    errno = ENOENT;
    log_set_trace("the-request", "abc");
    log_event(LOG_WARN, EVENT("pg.lost"), TEXT("error.message", "it's \"gone\"\n"),
              TEXT("left.out", NULL), INT("event.duration", -INT64_C(999999999999999999)));
    ck_assert_int_eq(errno, ENOENT);
    struct json_object *o = read_log(a);
    ASSERT_TEXT(member(o, "log.level"), "warn", line);
    ASSERT_TEXT(member(o, "service.name"), "soko-test", line);
    ck_assert_int_eq(json_object_get_int64(json_object_object_get(o, "process.pid")), getpid());
    ASSERT_TEXT(member(o, "event.action"), "pg.lost", line);
    ASSERT_TEXT(member(o, "error.message"), "it's \"gone\"\n", line);
    ASSERT_TEXT(member(o, "left.out"), NULL, line);
    ASSERT_TEXT(member(o, "event.duration"), "-999999999999999999", line);
    ASSERT_TEXT(member(o, "http.request.id"), "the-request", line);
    ASSERT_TEXT(member(o, "trace.id"), "abc", line);
    ck_assert_uint_eq(strlen(member(o, "@timestamp")), 24);
    ck_assert_int_eq(strncmp(line, "{\"@timestamp\":", 14), 0);
    log_set_trace(NULL, NULL);
    log_event(LOG_ERROR, EVENT("x"));
    ASSERT_TEXT(member(read_log(a), "trace.id"), NULL, line);
    arena_free(a);
}
END_TEST

START_TEST(test_levels)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    struct arena *a = arena_new();
    enum log_level level = LOG_ERROR;

    log_event(LOG_DEBUG, EVENT("x"));
    ck_assert_int_eq(read(ends[0], line, sizeof line), -1);
    log_set_level(LOG_DEBUG);
    log_event(LOG_DEBUG, EVENT("x"));
    read_log(a);
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        ck_assert(log_level_parse(names[i], &level));
        ck_assert_int_eq((int)level, i);
    }
    ck_assert(!log_level_parse("WARN", &level));
    ck_assert(!log_level_parse("", &level));
    ck_assert(!log_level_parse(NULL, &level));
    arena_free(a);
}
END_TEST

START_TEST(test_hostile)
{
    static const struct {
        const char *s, *want;
    } rows[] = {
        {"", ""},
        {"\xff", "?"},
        {"a\xc3", "a?"},
        {"\xc0\xaf", "??"},
        {"\xed\xa0\x80", "???"},
        {"\xf4\x90\x80\x80", "????"},
        {"\xe2\x82\xac", "\xe2\x82\xac"},
        {"\x01\x1b[31m\x7f", "\x01\x1b[31m\x7f"},
        {"\\\"\t\r", "\\\"\t\r"},
    };
    struct arena *a = arena_new();

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        log_event(LOG_INFO, TEXT("x", rows[i].s));
        ASSERT_TEXT(member(read_log(a), "x"), rows[i].want, rows[i].s);
    }
    arena_free(a);
}
END_TEST

START_TEST(test_cut)
{
    static const char *const units[] = {
        "x", "\"", "\x01", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xff"};
    static char big[65536];
    struct arena *a = arena_new();

    for (size_t u = 0; u < COUNT_OF(units); u++) {
        /* Lengths around every limit, so that each offset of the cut is met. */
        for (size_t len = 1; len < 5000; len += len < 1000 ? 97 : len < 1900 ? 31 : 1) {
            size_t n = strlen(units[u]);

            for (size_t i = 0; i < len; i++)
                big[i] = units[u][i % n];
            big[len] = '\0';
            log_set_trace(big, big);
            log_event(LOG_INFO, TEXT("a", big), TEXT("b", big), TEXT("c", big), INT("n", 7),
                      TEXT(big, "d"));
            struct json_object *o = read_log(a);
            ck_assert_ptr_nonnull(member(o, "a"));
            ck_assert_ptr_nonnull(member(o, "http.request.id"));
            ck_assert_ptr_nonnull(member(o, "trace.id"));
            arena_reset(a);
        }
    }
    log_set_trace(NULL, NULL);
    memset(big, 'x', sizeof big - 1);
    log_event(LOG_INFO, TEXT("a", big), INT("n", 7));
    ASSERT_TEXT(member(read_log(a), "n"), "7", "a long value leaves room for the next");
    arena_free(a);
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, test_plain);
    tcase_add_test(tcase, test_levels);
    tcase_add_test(tcase, test_hostile);
    tcase_add_test(tcase, test_cut);
}

int
main(void)
{
    return unit_run("log", fill);
}
