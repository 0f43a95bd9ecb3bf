/*
 * fuzz: what each fuzz target offers, and what it may use.
 *
 * A target is one file, fuzz_NAME.c: it reads bytes as a stranger sends them, and demands what must
 * hold whatever they are. With --enable-fuzzing libFuzzer makes the bytes; without, replay.c feeds
 * it the files of corpus/NAME, so that `make check` meets all that was ever found.
 */
#ifndef SOKO_FUZZ_H
#define SOKO_FUZZ_H

#include "base/arena.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer's. Always 0: every input is one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A demand on the code under test: ends the process, which is what libFuzzer calls a crash. */
#define DEMAND(what)                                                                               \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The arena of this input, empty. It is the same one each time, as a worker's is. */
static inline struct arena *
fuzz_arena(void)
{
    static struct arena *a;

    if (a == NULL)
        a = arena_new();
    arena_reset(a);
    return a;
}

/* The input as a string: up to its first NUL, as a C caller would see it. */
static inline char *
fuzz_text(struct arena *a, const uint8_t *data, size_t size)
{
    return arena_strndup(a, (const char *)data, size);
}

/* The next piece of an input that stands for several: up to a NUL, or to its end. */
static inline char *
fuzz_piece(struct arena *a, const uint8_t **data, size_t *size)
{
    const uint8_t *end = *size == 0 ? NULL : memchr(*data, 0, *size);
    size_t len = end != NULL ? (size_t)(end - *data) : *size;
    char *piece = fuzz_text(a, *data, len);

    len += end != NULL;
    *data += len;
    *size -= len;
    return piece;
}

#endif
