/*
 * Design: civil dates from days by Howard Hinnant's integer algorithm, eras of 400 years that begin
 * on 1 March. gmtime_r and strftime would do, at ten times the cost, and with a year that may have
 * any number of digits; the log prints a time for each line.
 */
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
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

/* The number that `len` digits at `s` are; -1 if they are no digits. */
static int64_t
digits(const char *s, size_t len)
{
    int64_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        n = n * 10 + (s[i] - '0');
    }
    return n;
}

bool
clock_parse(const char *s, int64_t *ms)
{
    static const char form[] = "0000-00-00T00:00:00Z";
    char back[CLOCK_RFC3339_SIZE], whole[CLOCK_RFC3339_SIZE];
    size_t len = strlen(s);

    if (len != 10 && len != sizeof(form) - 1)
        return false;
    memcpy(whole, form, sizeof(form));
    memcpy(whole, s, len);
    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        bool digit = whole[i] >= '0' && whole[i] <= '9';
        if (form[i] == '0' ? !digit : whole[i] != form[i])
            return false;
    }
    int64_t year = digits(whole, 4), month = digits(whole + 5, 2), day = digits(whole + 8, 2);
    if (month < 1 || month > 12 || day < 1)
        return false;
    /* The year begins in March, so that a leap day is its last. */
    int64_t y = month <= 2 ? year - 1 : year, era = (y + 400) / 400 - 1, yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t days = era * DAYS_AN_ERA + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
    int64_t t = days * MS_A_DAY + digits(whole + 11, 2) * 3600000 + digits(whole + 14, 2) * 60000 +
                digits(whole + 17, 2) * 1000;
    /* What is no day, hour or minute comes back as another. */
    if (strcmp(clock_rfc3339(t, back), whole) != 0)
        return false;
    *ms = t;
    return true;
}
