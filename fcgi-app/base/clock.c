/*
 * Design: civil dates from days by Howard Hinnant's integer algorithm, eras of 400 years that begin
 * on 1 March. gmtime_r and strftime would do, at ten times the cost, and with a year that may have
 * any number of digits; the log prints a time for each line.
 */
#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

#define MS_A_DAY INT64_C(86400000)
#define NS_A_SECOND INT64_C(1000000000)
#define DAYS_AN_ERA 146097

/* 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z. */
#define MS_LEAST INT64_C(-62167219200000)
#define MS_MOST INT64_C(253402300799999)

static int64_t
read_clock(clockid_t id, struct timespec *t)
{
    if (clock_gettime(id, t) != 0)
        abort();
    return (int64_t)t->tv_sec;
}

static char *
put(char *out, int64_t n, int digits, char after)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + n % 10);
        n /= 10;
    }
    out[digits] = after;
    return out + digits + 1;
}

/* Writes "2026-02-20T10:00:00" and `after`; returns the place behind, and the rest in *ms. */
static char *
put_seconds(int64_t *ms, char *out, char after)
{
    int64_t t = *ms < MS_LEAST ? MS_LEAST : *ms > MS_MOST ? MS_MOST : *ms;
    int64_t since = t - MS_LEAST;
    /* Days since 0000-03-01 of the era before, so that all below is positive. */
    int64_t days = since / MS_A_DAY + DAYS_AN_ERA - 60;
    int64_t in_day = since % MS_A_DAY;
    int64_t era = days / DAYS_AN_ERA, doe = days % DAYS_AN_ERA;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / (DAYS_AN_ERA - 1)) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t from_march = (5 * doy + 2) / 153;
    int64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
    int64_t year = yoe + (era - 1) * 400 + (month <= 2);

    out = put(out, year, 4, '-');
    out = put(out, month, 2, '-');
    out = put(out, doy - (153 * from_march + 2) / 5 + 1, 2, 'T');
    out = put(out, in_day / 3600000, 2, ':');
    out = put(out, in_day / 60000 % 60, 2, ':');
    out = put(out, in_day / 1000 % 60, 2, after);
    *ms = in_day % 1000;
    return out;
}

int64_t
clock_ms(void)
{
    struct timespec t;
    int64_t seconds = read_clock(CLOCK_REALTIME, &t);

    return seconds * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_mono_ns(void)
{
    struct timespec t;
    int64_t seconds = read_clock(CLOCK_MONOTONIC, &t);

    return seconds * NS_A_SECOND + t.tv_nsec;
}

const char *
clock_rfc3339(int64_t ms, char out[CLOCK_RFC3339_SIZE])
{
    *put_seconds(&ms, out, 'Z') = '\0';
    return out;
}

const char *
clock_rfc3339_ms(int64_t ms, char out[CLOCK_RFC3339_MS_SIZE])
{
    char *end = put_seconds(&ms, out, '.');

    *put(end, ms, 3, 'Z') = '\0';
    return out;
}
