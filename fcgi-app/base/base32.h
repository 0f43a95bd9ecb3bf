/*
 * base/base32: bytes as letters and digits that people can type (RFC 4648, section 6).
 */
#ifndef SOKO_BASE_BASE32_H
#define SOKO_BASE_BASE32_H

#include "base/arena.h"

#include <stddef.h>

/* `len` bytes in base 32, capital letters, without padding, in the arena: as authenticator apps
 * read a secret. */
char *base32(struct arena *a, const void *data, size_t len);

#endif
