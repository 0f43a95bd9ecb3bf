/*
 * io/cache_look: each Redis of a list, as a sysadmin sees it. For sokoctl.
 */
#ifndef SOKO_IO_CACHE_LOOK_H
#define SOKO_IO_CACHE_LOOK_H

#include "base/arena.h"

#include <stdint.h>

/* What one says of itself; texts are in the arena, never NULL. */
struct cache_look {
    const char *name; /* its address without its password */
    const char *why;  /* it does not answer: in a few words; else "" */
    const char *info; /* what INFO says, lines of "name:value" */
    int64_t ahead_ms; /* its clock, of ours */
};

/* Looks at each server of `address`, which is REDIS_ADDRESS and has no fault. How many: *looks is
 * an array in the arena. */
size_t cache_look(struct arena *a, const char *address, int64_t timeout_ms,
                  struct cache_look **looks);

#endif
