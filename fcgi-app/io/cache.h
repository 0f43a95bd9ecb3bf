/*
 * io/cache: Redis, which may be lost at any time.
 *
 * What Redis holds is a copy (sessions) or a counter (limits): every answer has a third value,
 * CACHE_DOWN, and the caller goes on without. Nothing here adds a problem or fails a request. A
 * broken or slow connection is dropped, logged once, and tried again after 250 ms at the earliest,
 * so that a hanging Redis costs a request one time-out and not each its own; of several servers the
 * next is used meanwhile.
 */
#ifndef SOKO_IO_CACHE_H
#define SOKO_IO_CACHE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct cache;

enum cache_answer { CACHE_HIT, CACHE_MISS, CACHE_DOWN };

/* What is wrong with an address in itself, quoting nothing of it; NULL if all is well. */
const char *cache_address_fault(const char *address);

#define CACHE_SERVERS_MAX 8

/* `address`: "host:port", "unix:/path", with an optional "password@" before it; or several with
 * commas, of which the first that answers is used. Time-out for connect and for each answer. Does
 * not connect yet. Ends with cache_free(). */
struct cache *cache_new(const char *address, int64_t timeout_ms);
void cache_free(struct cache *c);

/* *value in the arena on CACHE_HIT. */
enum cache_answer cache_get(struct cache *c, struct arena *a, const char *key, const char **value);

/* Sets with a life in milliseconds. CACHE_HIT: done. With `only_new` (a copy) an existing key is
 * left alone, and the answer is CACHE_MISS; without it (what overrides a copy) each server that can
 * be reached is told, and CACHE_HIT says that one has taken it. */
enum cache_answer cache_set(struct cache *c, const char *key, const char *value, int64_t ttl_ms,
                            bool only_new);

enum cache_answer cache_ping(struct cache *c);

/* A rate limit by GCRA (generic cell rate algorithm: a leaky bucket that stores one time). `burst`
 * requests at once, refilled at `per_minute`. */
struct cache_limit {
    const char *key; /* NULL or per_minute 0: no limit */
    int64_t per_minute, burst;
    const char *unless; /* nothing is counted if this is the session key's value; NULL: none is */
    /* Answers; all 0 when there is no limit or Redis is down. */
    bool refused;
    int64_t remaining;      /* requests that may follow at once */
    int64_t retry_after_ms; /* if refused */
    int64_t reset_ms;       /* until the bucket is full again */
};

/* One round trip for what each request needs: the value of `session_key` (NULL: not asked) and the
 * decision of `limit` (NULL: not asked). A refused request is not counted. The script runs inside
 * Redis, so it is atomic (seed hole 38), on Redis's own clock, so that hosts need not agree. The
 * answer speaks of the session key; CACHE_MISS if none was asked. */
enum cache_answer cache_gate(struct cache *c, struct arena *a, const char *session_key,
                             const char **session, struct cache_limit *limit);

#endif
