/*
 * Design: bump allocation from a list of blocks. A request seldom needs more than the first 64 KiB,
 * which survive the reset, so a worker in steady state calls malloc hardly ever. Later blocks
 * double up to 1 MiB, and a request for more gets a block of its own size.
 *
 * Memory is zeroed when it is handed out and not at the reset: only what is used is paid for.
 * Deferred releases live in the arena itself; they run before any block goes.
 *
 * Rejected: talloc-like trees (nothing here is freed alone) and mmap'd growth in place (saves a
 * copy in text.c, costs a page fault for every request).
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_FIRST ((size_t)64 * 1024)
#define BLOCK_MOST ((size_t)1024 * 1024)
#define ALIGNMENT alignof(max_align_t)

#if defined(__SANITIZE_ADDRESS__)
#define ONE_MALLOC_EACH 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ONE_MALLOC_EACH 1
#endif
#endif
#ifndef ONE_MALLOC_EACH
#define ONE_MALLOC_EACH 0
#endif

struct block {
    struct block *older;
    size_t cap, used;
    alignas(max_align_t) unsigned char data[];
};

struct deferred {
    struct deferred *earlier;
    void (*release)(void *);
    void *arg;
};

struct arena {
    struct block *newest;
    struct deferred *last;
    size_t used;
};

static void die(const char *why) __attribute__((noreturn));

static void
die(const char *why)
{
    ssize_t ignored = write(STDERR_FILENO, why, strlen(why));

    (void)ignored;
    abort();
}

static struct block *
block_new(struct block *older, size_t cap)
{
    if (cap > SIZE_MAX / 2)
        die("arena: absurd size\n");
    struct block *b = malloc(sizeof *b + cap);
    if (b == NULL)
        die("arena: out of memory\n");
    b->older = older;
    b->cap = cap;
    b->used = 0;
    return b;
}

static size_t
next_cap(const struct arena *a, size_t size)
{
    if (ONE_MALLOC_EACH)
        return size;
    size_t cap = a->newest == NULL ? BLOCK_FIRST : a->newest->cap * 2;
    if (cap > BLOCK_MOST)
        cap = BLOCK_MOST;
    return size > cap ? size : cap;
}

struct arena *
arena_new(void)
{
    struct arena *a = calloc(1, sizeof *a);

    if (a == NULL)
        die("arena: out of memory\n");
    return a;
}

void
arena_reset(struct arena *a)
{
    while (a->last != NULL) {
        struct deferred *d = a->last;

        a->last = d->earlier;
        d->release(d->arg);
    }
    while (a->newest != NULL) {
        struct block *b = a->newest;

        /* A first block that was born large would pin its memory for the worker's whole life. */
        if (!ONE_MALLOC_EACH && b->older == NULL && b->cap == BLOCK_FIRST) {
            b->used = 0;
            break;
        }
        a->newest = b->older;
        free(b);
    }
    a->used = 0;
}

void
arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    arena_reset(a);
    free(a->newest);
    free(a);
}

void *
arena_alloc(struct arena *a, size_t size)
{
    if (size > SIZE_MAX / 2)
        die("arena: absurd size\n");
    size_t step = ONE_MALLOC_EACH ? size : (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (a->newest == NULL || ONE_MALLOC_EACH || a->newest->cap - a->newest->used < step)
        a->newest = block_new(a->newest, next_cap(a, step));

    struct block *b = a->newest;
    void *p = b->data + b->used;
    b->used += step;
    a->used += size;
    return memset(p, 0, size);
}

void *
arena_array(struct arena *a, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        die("arena: absurd size\n");
    return arena_alloc(a, count * size);
}

char *
arena_strndup(struct arena *a, const char *s, size_t len)
{
    if (len == SIZE_MAX)
        die("arena: absurd size\n");
    char *copy = arena_alloc(a, len + 1);
    if (len != 0)
        memcpy(copy, s, len);
    return copy;
}

char *
arena_strdup(struct arena *a, const char *s)
{
    return s == NULL ? NULL : arena_strndup(a, s, strlen(s));
}

char *
arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    va_list again;

    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, ap);
    if (len < 0)
        die("arena: bad format\n");
    char *s = arena_alloc(a, (size_t)len + 1);
    vsnprintf(s, (size_t)len + 1, fmt, again);
    va_end(again);
    return s;
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *s = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return s;
}

void
arena_defer(struct arena *a, void (*release)(void *), void *arg)
{
    struct deferred *d = arena_alloc(a, sizeof *d);

    d->release = release;
    d->arg = arg;
    d->earlier = a->last;
    a->last = d;
}

size_t
arena_used(const struct arena *a)
{
    return a->used;
}
