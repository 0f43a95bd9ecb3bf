/*
 * base/arena: memory with the lifetime of one request.
 *
 * Allocate freely, free nothing: arena_reset() gives back all at once, after the reply. Allocation
 * never returns NULL: if the system has no memory the process aborts, and its parent forks another.
 * What is not memory (a PGresult, a file) is handed to arena_defer(), and is released by the reset,
 * last first.
 *
 * Advantage: no ownership to think about inside a request. Disadvantage: a loop that allocates
 * without end grows without end; loops over many requests' worth of data (soko-jobs, imports) use
 * an arena for each turn.
 *
 * Built with sanitizers, each allocation is a malloc of its own, so that an overrun by one byte is
 * seen, and a use after reset too.
 */
#ifndef SOKO_BASE_ARENA_H
#define SOKO_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena;

/* A new empty arena. The caller ends it with arena_free(). */
struct arena *arena_new(void);

/* Runs the deferred releases, last first, then forgets all memory but a first block, which is kept
 * for the next request. */
void arena_reset(struct arena *a);

/* arena_reset(), then the arena itself. NULL has no effect. */
void arena_free(struct arena *a);

/* `size` zeroed bytes, aligned for any type. Size 0 gives a valid pointer. Aborts if out of memory.
 */
void *arena_alloc(struct arena *a, size_t size) __attribute__((malloc, returns_nonnull));

/* An array of `count` zeroed elements; aborts if count * size overflows. */
void *arena_array(struct arena *a, size_t count, size_t size)
    __attribute__((malloc, returns_nonnull));

/* Copies. arena_strdup(NULL) is NULL. arena_strndup copies exactly `len` bytes and adds a NUL. */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len) __attribute__((returns_nonnull));

/* printf into new memory. */
char *arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0), returns_nonnull));

/* Calls release(arg) at reset or free, in reverse order of registration. `release` must not
 * allocate from `a`. */
void arena_defer(struct arena *a, void (*release)(void *), void *arg);

/* Bytes handed out since the last reset, for metrics and tests. */
size_t arena_used(const struct arena *a);

#endif
