/*
 * Design: RFC 9562 section 6.2, method 1. The 12 bits of rand_a count within a millisecond; they
 * are seeded with 11 random bits, so that at least 2,048 ids fit, and an overflow borrows the next
 * millisecond. The other 62 bits are random for each id: processes that share a millisecond, or a
 * fork, cannot collide.
 *
 * A clock that is set back starts a new series at once: to keep order over a step of hours would
 * mean to lie about the time for hours.
 */
#include "base/id.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>

#define COUNTER_MOST 0x0fff
#define COUNTER_SEED 0x07ff

static const char hex[] = "0123456789abcdef";
static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The series of this process: for which instant the last id was asked, and what it got. */
static int64_t asked_ms = -1, given_ms = -1;
static unsigned counter;

static int
nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool
is_hyphen(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

struct uuid
uuid_v7(int64_t now_ms)
{
    struct uuid id;

    random_bytes(id.b, sizeof id.b);
    if (asked_ms >= 0 && now_ms >= asked_ms && now_ms <= given_ms) {
        if (++counter > COUNTER_MOST) {
            counter = 0;
            given_ms++;
        }
    } else {
        given_ms = now_ms;
        counter = ((unsigned)id.b[6] << 8 | id.b[7]) & COUNTER_SEED;
    }
    asked_ms = now_ms;

    for (int i = 0; i < 6; i++)
        id.b[i] = (uint8_t)((uint64_t)given_ms >> (40 - 8 * i));
    id.b[6] = (uint8_t)(0x70 | counter >> 8);
    id.b[7] = (uint8_t)(counter & 0xff);
    id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
    return id;
}

bool
uuid_parse(const char *s, size_t len, struct uuid *out)
{
    struct uuid id;
    size_t n = 0;

    if (len != UUID_TEXT_SIZE - 1)
        return false;
    for (size_t i = 0; i < len;) {
        if (is_hyphen(i)) {
            if (s[i++] != '-')
                return false;
            continue;
        }
        int high = nibble(s[i]), low = nibble(s[i + 1]);
        if (high < 0 || low < 0)
            return false;
        id.b[n++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    *out = id;
    return true;
}

const char *
uuid_text(struct uuid id, char out[UUID_TEXT_SIZE])
{
    size_t at = 0;

    for (size_t i = 0; i < sizeof id.b; i++) {
        if (is_hyphen(at))
            out[at++] = '-';
        out[at++] = hex[id.b[i] >> 4];
        out[at++] = hex[id.b[i] & 15];
    }
    out[at] = '\0';
    return out;
}

bool
uuid_equal(struct uuid a, struct uuid b)
{
    return memcmp(a.b, b.b, sizeof a.b) == 0;
}

bool
uuid_is_nil(struct uuid id)
{
    return uuid_equal(id, (struct uuid){{0}});
}

void
random_bytes(void *out, size_t len)
{
    unsigned char *at = out;

    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            abort();
        at += n;
        len -= (size_t)n;
    }
}

void
random_base32(char *out, size_t len)
{
    random_bytes(out, len);
    for (size_t i = 0; i < len; i++)
        out[i] = crockford[(unsigned char)out[i] & 31];
    out[len] = '\0';
}
