/*
 * Five bits a character, highest first; the last character's missing bits are zero. No padding:
 * it tells a length that whoever reads knows, and authenticator apps differ in whether they take
 * it.
 */
#include "base/base32.h"

#include <stdint.h>

char *
base32(struct arena *a, const void *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const uint8_t *in = data;
    char *out = arena_alloc(a, (len * 8 + 4) / 5 + 1);
    size_t n = 0;
    uint32_t held = 0; /* its lowest `bits` bits have not been written yet */
    int bits = 0;

    for (size_t i = 0; i < len; i++) {
        held = held << 8 | in[i];
        for (bits += 8; bits >= 5; bits -= 5)
            out[n++] = digits[held >> (bits - 5) & 31];
    }
    if (bits > 0)
        out[n++] = digits[held << (5 - bits) & 31];
    out[n] = '\0';
    return out;
}
