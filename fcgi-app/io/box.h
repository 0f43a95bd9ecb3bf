/*
 * io/box: what must be kept and read again, but not by whoever reads the database: second factors,
 * external tokens, one-time codes on their way. AES-256-GCM by OpenSSL.
 */
#ifndef SOKO_IO_BOX_H
#define SOKO_IO_BOX_H

#include "base/arena.h"
#include "io/secret.h"

#include <stddef.h>
#include <stdint.h>

struct box_bytes {
    const uint8_t *data;
    size_t len;
};

/* Seals `len` bytes by a key that is derived from `key` for `purpose` ("totp"). `owner` (a UUID's
 * text, say) is bound to it: a sealed value that is moved to another row does not open. Another
 * result each time; in the arena. Aborts if OpenSSL fails. */
struct box_bytes box_seal(struct arena *a, const char *key, const char *purpose, const char *owner,
                          const void *data, size_t len);

/* What was sealed, with a NUL behind it; data NULL if key, purpose or owner are others, or it was
 * altered. */
struct box_bytes box_open(struct arena *a, const char *key, const char *purpose, const char *owner,
                          const void *sealed, size_t len);

/* The key of a purpose, for what is authenticated and not hidden (a chain of MACs): HMAC-SHA-256 of
 * "box", NUL and the purpose, by `key`. A purpose whose key is taken from here seals no boxes. */
void box_key(const char *key, const char *purpose, uint8_t out[SHA256_SIZE]);

#endif
