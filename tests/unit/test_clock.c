/* Against known instants, and day by day against the C library. */
#include "base/clock.h"

#include "unit.h"

#include <time.h>

START_TEST(test_known)
{
    static const struct {
        int64_t ms;
        const char *want;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {INT64_C(1771581600123), "2026-02-20T10:00:00.123Z"},
        {INT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
        {INT64_C(4107542400000), "2100-03-01T00:00:00.000Z"},
        {INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z"},
        {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "0000-01-01T00:00:00.000Z"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char with[CLOCK_RFC3339_MS_SIZE], without[CLOCK_RFC3339_SIZE];

        ASSERT_TEXT(clock_rfc3339_ms(rows[i].ms, with), rows[i].want, rows[i].want);
        ck_assert_uint_eq(strlen(clock_rfc3339(rows[i].ms, without)), 20);
        ck_assert_int_eq(strncmp(with, without, 19), 0);
        ck_assert_int_eq(without[19], 'Z');
    }
}
END_TEST

START_TEST(test_each_day)
{
    char ours[CLOCK_RFC3339_SIZE], theirs[64];

    for (int64_t day = -719528 + 366; day < 2932896; day += 3) {
        time_t t = (time_t)(day * 86400 + day % 86400);
        struct tm tm;

        gmtime_r(&t, &tm);
        strftime(theirs, sizeof theirs, "-%m-%dT%H:%M:%SZ", &tm);
        clock_rfc3339((int64_t)t * 1000, ours);
        if (strcmp(ours + 4, theirs) != 0 || strtol(ours, NULL, 10) != tm.tm_year + 1900)
            ck_abort_msg("%s, but strftime says year %d and %s", ours, tm.tm_year + 1900, theirs);
    }
}
END_TEST

START_TEST(test_now)
{
    int64_t before = clock_mono_ns();

    ck_assert_int_le(llabs(clock_ms() / 1000 - (int64_t)time(NULL)), 1);
    ck_assert_int_ge(clock_mono_ns(), before);
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_known);
    tcase_add_test(tcase, test_each_day);
    tcase_add_test(tcase, test_now);
}

int
main(void)
{
    return unit_run("clock", fill);
}
