/*
 * base/clock: time. Instants are int64 milliseconds since 1970-01-01T00:00:00Z (POSIX time: no leap
 * seconds); spans are milliseconds, or nanoseconds of the monotonic clock where the name says so.
 */
#ifndef SOKO_BASE_CLOCK_H
#define SOKO_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Now, UTC, in milliseconds. */
int64_t clock_ms(void);

/* Monotonic nanoseconds, for measuring; comparable between processes of one boot. */
int64_t clock_mono_ns(void);

/* "2026-02-20T10:00:00Z" and a NUL; RFC 3339, whole seconds, always 20 characters for the years
 * 0000 to 9999. */
#define CLOCK_RFC3339_SIZE 21
const char *clock_rfc3339(int64_t ms, char out[CLOCK_RFC3339_SIZE]);

/* "2026-02-20T10:00:00.123Z" for logs. */
#define CLOCK_RFC3339_MS_SIZE 25
const char *clock_rfc3339_ms(int64_t ms, char out[CLOCK_RFC3339_MS_SIZE]);

/* Reads "2026-02-20T10:00:00Z" (RFC 3339 in UTC, whole seconds) or a day, "2026-02-20", which is
 * its first instant. False, with *ms alone, for anything else, and for days that no calendar has.
 */
bool clock_parse(const char *s, int64_t *ms);

#endif
