/*
 * io/digest: SHA-256 of what does not fit into memory, piece by piece.
 */
#ifndef SOKO_IO_DIGEST_H
#define SOKO_IO_DIGEST_H

#include "base/arena.h"
#include "io/secret.h"

#include <stddef.h>
#include <stdint.h>

struct digest;

/* An empty one, owned by the arena. Aborts without memory. */
struct digest *digest_new(struct arena *a);
void digest_add(struct digest *d, const void *data, size_t len);

/* Ends it: no more may be added. */
void digest_end(struct digest *d, uint8_t out[SHA256_SIZE]);

/* Of a file from here to its end, in lower-case hexadecimal digits in the arena; *bytes (may be
 * NULL) is how long it was. NULL with errno if it cannot be read. */
const char *digest_of_file(struct arena *a, int fd, int64_t *bytes);

#endif
