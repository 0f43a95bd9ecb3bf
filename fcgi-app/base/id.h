/*
 * base/id: UUIDs (RFC 9562). Public things get version 7 ids, made here: their first 48 bits are
 * the time, so that a B-tree grows at its right end.
 */
#ifndef SOKO_BASE_ID_H
#define SOKO_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uuid {
    uint8_t b[16];
};

#define UUID_TEXT_SIZE 37 /* 36 characters and a NUL */

/* A new version 7 id for the instant `now_ms`. Ids of one process and one millisecond ascend
 * (RFC 9562 section 6.2, method 1: a 12-bit counter, seeded at random). */
struct uuid uuid_v7(int64_t now_ms);

/* Reads the 8-4-4-4-12 form, either case, exactly 36 characters. False leaves `*out` alone. */
bool uuid_parse(const char *s, size_t len, struct uuid *out);

/* Writes the lower-case form and a NUL; returns `out`. */
const char *uuid_text(struct uuid id, char out[UUID_TEXT_SIZE]);

bool uuid_equal(struct uuid a, struct uuid b);
bool uuid_is_nil(struct uuid id);

/* Fills `out` from getrandom(2); aborts if the system refuses. */
void random_bytes(void *out, size_t len);

/* `len` random characters of Crockford's base 32 (0-9 A-Z without I, L, O, U) and a NUL: five bits
 * each. `out` holds len + 1. */
void random_base32(char *out, size_t len);

#endif
