/*
 * io/cache: Redis, or the first of several that answers, and what is asked of it.
 *
 * Every failure is the same answer, CACHE_DOWN. A connection that Redis closed while it was idle is
 * no outage: it is found before the next command and made anew at once. Redis that answers with an
 * error (LOADING, OOM, READONLY) is down for that answer, and, if there is another, for a while.
 *
 * Of several servers the first in the list that answers is used, by all workers alike as far as
 * they can know, and the first again as soon as it is back. Nothing is copied from one to another:
 * a counter begins anew, a copy is read again from the truth. But what overrides a copy (the
 * tombstone of a session) is written to all that can be reached, so that a switch forgets none; a
 * server that could not be reached then may know a living copy still, for what is left of its life.
 * Rejected: Sentinel and Cluster (what is kept here is not worth their care), and spreading the
 * keys over the servers (a server that is away would take its share with it, and hosts that see
 * different servers would not find each other's).
 *
 * The rate limit is GCRA in a Lua script: one key holds the theoretical arrival time of the next
 * request in microseconds of Redis's clock. A fixed window in INCR + EXPIRE was rejected: it lets
 * twice the limit through at a window's edge, and a crash between the two commands leaves a counter
 * that never ends.
 */
#include "io/cache.h"

#include "base/clock.h"
#include "base/log.h"
#include "io/cache_private.h"
#include "io/metrics.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_AGAIN_NS INT64_C(1000000000)
#define SHA1_DIGITS 40
#define INT_SIZE 21
#define NONE (-1)

/* KEYS: the bucket, the session. ARGV: microseconds per request, burst, the session's value for
 * which nothing is counted. Returns refused, remaining, retry after and reset, the last two in
 * milliseconds rounded up. The time stored is clamped, so that a lowered limit does not lock out
 * who used the old one. */
static const char gcra[] =
    "if KEYS[2] and redis.call('GET', KEYS[2]) == ARGV[3] then return {0, 0, 0, 0} end\n"
    "local t = redis.call('TIME')\n"
    "local now = t[1] * 1000000 + t[2]\n"
    "local each, room = tonumber(ARGV[1]), ARGV[1] * ARGV[2]\n"
    "local tat = tonumber(redis.call('GET', KEYS[1]) or now) or now\n"
    "if tat < now then tat = now end\n"
    "if tat > now + room then tat = now + room end\n"
    "local new = tat + each\n"
    "if new - now > room then\n"
    "  return {1, 0, math.ceil((new - now - room) / 1000), math.ceil((tat - now) / 1000)}\n"
    "end\n"
    "local reset = math.ceil((new - now) / 1000)\n"
    "redis.call('SET', KEYS[1], string.format('%.0f', new), 'PX', reset)\n"
    "return {0, math.floor((room - (new - now)) / each), 0, reset}\n";

struct cache {
    struct cache_server servers[CACHE_SERVERS_MAX];
    int count;
    int used; /* which was used last, or NONE: none answered */
    int64_t logged_ns;
    char sha[SHA1_DIGITS + 1]; /* of gcra, as Redis computes it; empty: not loaded yet */
};

static void
die(const char *what)
{
    log_event(LOG_ERROR, EVENT("cache.failed"), TEXT("error.message", what));
    abort();
}

/* ---- which server ---- */

/* Says it once when another server is used than before, or none. */
static void
note_used(struct cache *c, int i)
{
    if (i == c->used)
        return;
    if (i == NONE)
        log_event(LOG_WARN, EVENT("cache.down"),
                  TEXT("error.message", c->servers[c->count - 1].why));
    else if (c->used == NONE)
        log_event(LOG_INFO, EVENT("cache.up"), INT("soko.redis.server", i + 1));
    else
        log_event(LOG_WARN, EVENT("cache.switched"), INT("soko.redis.server", i + 1),
                  TEXT("error.message", i > c->used ? c->servers[c->used].why : NULL));
    c->used = i;
}

/* The first that a command can be sent to now; NULL if there is none. */
static struct cache_server *
ready(struct cache *c)
{
    for (int i = 0; i < c->count; i++) {
        if (cache_server_ready(&c->servers[i])) {
            /* It counts as used only once it has answered: see worked(). */
            return &c->servers[i];
        }
    }
    note_used(c, NONE);
    return NULL;
}

static void
worked(struct cache *c, struct cache_server *s)
{
    cache_server_worked(s);
    note_used(c, (int)(s - c->servers));
}

/* An error reply; its text may quote the key, so only the first word is logged. */
static void
error_reply(struct cache *c, struct cache_server *s, const redisReply *r)
{
    int64_t now = clock_mono_ns();
    char word[32] = "unexpected";

    if (c->count > 1)
        cache_server_leave(s, "it answers with errors");
    if (c->logged_ns != 0 && now - c->logged_ns < LOG_AGAIN_NS)
        return;
    c->logged_ns = now;
    if (r->type == REDIS_REPLY_ERROR)
        snprintf(word, sizeof word, "%.*s", (int)strcspn(r->str, " "), r->str);
    log_event(LOG_WARN, EVENT("cache.error"), TEXT("error.code", word));
}

/* ---- answers ---- */

/* A GET's reply. Frees it. */
static enum cache_answer
take_value(struct cache *c, struct cache_server *s, struct arena *a, redisReply *r,
           const char **value)
{
    enum cache_answer answer = CACHE_DOWN;

    if (r == NULL)
        return CACHE_DOWN;
    if (r->type == REDIS_REPLY_STRING) {
        *value = arena_strndup(a, r->str, (size_t)r->len);
        answer = CACHE_HIT;
    } else if (r->type == REDIS_REPLY_NIL) {
        answer = CACHE_MISS;
    } else {
        error_reply(c, s, r);
    }
    freeReplyObject(r);
    if (answer != CACHE_DOWN)
        worked(c, s);
    return answer;
}

static bool
is_noscript(const redisReply *r)
{
    return r != NULL && r->type == REDIS_REPLY_ERROR && strncmp(r->str, "NOSCRIPT", 8) == 0;
}

/* The script's reply. Frees it. */
static void
take_limit(struct cache *c, struct cache_server *s, redisReply *r, struct cache_limit *limit)
{
    if (r == NULL)
        return;
    bool good = r->type == REDIS_REPLY_ARRAY && r->elements == 4;
    for (size_t i = 0; good && i < 4; i++)
        good = r->element[i]->type == REDIS_REPLY_INTEGER;
    if (good) {
        limit->refused = r->element[0]->integer != 0;
        limit->remaining = r->element[1]->integer;
        limit->retry_after_ms = r->element[2]->integer;
        limit->reset_ms = r->element[3]->integer;
        worked(c, s);
    } else {
        error_reply(c, s, r);
    }
    freeReplyObject(r);
}

/* Learns the script's digest from Redis, which computes it anyway: no SHA-1 of our own. */
static void
load_script(struct cache *c, struct cache_server *s)
{
    redisReply *r = cache_server_ask(s, 3, (const char *[]){"SCRIPT", "LOAD", gcra});

    if (r == NULL)
        return;
    if (r->type == REDIS_REPLY_STRING && r->len == SHA1_DIGITS)
        memcpy(c->sha, r->str, SHA1_DIGITS + 1);
    freeReplyObject(r);
}

/* A SET's answer. */
static enum cache_answer
set_there(struct cache *c, struct cache_server *s, int argc, const char **argv)
{
    redisReply *r = cache_server_ask(s, argc, argv);

    if (r == NULL)
        return CACHE_DOWN;
    enum cache_answer answer = r->type == REDIS_REPLY_STATUS ? CACHE_HIT
                               : r->type == REDIS_REPLY_NIL  ? CACHE_MISS
                                                             : CACHE_DOWN;
    if (answer == CACHE_DOWN)
        error_reply(c, s, r);
    else
        cache_server_worked(s);
    freeReplyObject(r);
    return answer;
}

static enum cache_answer
count_call(const char *name, int64_t since, enum cache_answer answer)
{
    metric_add(METRIC_REDIS, 1, LABELS(name, answer == CACHE_DOWN ? "down" : "ok"));
    metric_observe(METRIC_REDIS_SECONDS, clock_mono_ns() - since, NO_LABELS);
    log_event(LOG_DEBUG, EVENT("cache.call"), TEXT("soko.operation", name),
              TEXT("event.outcome", answer == CACHE_DOWN ? "failure" : "success"),
              INT("event.duration", clock_mono_ns() - since));
    return answer;
}

/* ---- public ---- */

const char *
cache_address_fault(const char *address)
{
    bool several = strchr(address, ',') != NULL;
    int count = 0;

    for (const char *at = address;; at++) {
        size_t len = strcspn(at, ",");
        const char *why = cache_server_fault(at, len, several);

        if (why != NULL)
            return why;
        if (++count > CACHE_SERVERS_MAX)
            return "names too many servers";
        at += len;
        if (*at == '\0')
            return NULL;
    }
}

struct cache *
cache_new(const char *address, int64_t timeout_ms)
{
    struct cache *c = calloc(1, sizeof *c);
    bool several = strchr(address, ',') != NULL;

    if (c == NULL)
        die("out of memory");
    signal(SIGPIPE, SIG_IGN); /* hiredis writes with write(2) */
    for (const char *at = address; c->count < CACHE_SERVERS_MAX; at++) {
        size_t len = strcspn(at, ",");

        if (!cache_server_init(&c->servers[c->count++], at, len, timeout_ms, !several))
            die("out of memory");
        at += len;
        if (*at == '\0')
            break;
    }
    return c;
}

void
cache_free(struct cache *c)
{
    if (c == NULL)
        return;
    for (int i = 0; i < c->count; i++)
        cache_server_end(&c->servers[i]);
    free(c);
}

enum cache_answer
cache_get(struct cache *c, struct arena *a, const char *key, const char **value)
{
    int64_t since = clock_mono_ns();
    struct cache_server *s = ready(c);
    enum cache_answer answer = CACHE_DOWN;

    if (s != NULL)
        answer = take_value(c, s, a, cache_server_ask(s, 2, (const char *[]){"GET", key}), value);
    return count_call("get", since, answer);
}

static enum cache_answer
set(struct cache *c, const char *key, const char *value, int64_t ttl_ms, bool only_new)
{
    char ttl[INT_SIZE];
    const char *argv[] = {"SET", key, value, "PX", ttl, "NX"};
    enum cache_answer answer = CACHE_DOWN;
    struct cache_server *used = ready(c);

    snprintf(ttl, sizeof ttl, "%" PRId64, ttl_ms < 1 ? 1 : ttl_ms);
    if (used == NULL)
        return CACHE_DOWN;
    if (only_new) {
        answer = set_there(c, used, 6, argv);
    } else {
        for (int i = 0; i < c->count; i++) {
            struct cache_server *s = &c->servers[i];

            if (cache_server_ready(s) && set_there(c, s, 5, argv) == CACHE_HIT)
                answer = CACHE_HIT;
        }
    }
    if (answer != CACHE_DOWN && used->conn != NULL)
        worked(c, used);
    return answer;
}

enum cache_answer
cache_set(struct cache *c, const char *key, const char *value, int64_t ttl_ms, bool only_new)
{
    int64_t since = clock_mono_ns();

    return count_call("set", since, set(c, key, value, ttl_ms, only_new));
}

static enum cache_answer
ping(struct cache *c)
{
    struct cache_server *s = ready(c);
    redisReply *r = s == NULL ? NULL : cache_server_ask(s, 1, (const char *[]){"PING"});

    if (r == NULL)
        return CACHE_DOWN;
    bool good = r->type == REDIS_REPLY_STATUS;
    if (good)
        worked(c, s);
    else
        error_reply(c, s, r);
    freeReplyObject(r);
    return good ? CACHE_HIT : CACHE_DOWN;
}

enum cache_answer
cache_ping(struct cache *c)
{
    int64_t since = clock_mono_ns();

    return count_call("ping", since, ping(c));
}

/* One round trip to a server that is ready. */
static enum cache_answer
gate_at(struct cache *c, struct cache_server *s, struct arena *a, const char *session_key,
        const char **session, struct cache_limit *limit)
{
    char each[INT_SIZE], burst[INT_SIZE];
    enum cache_answer answer = CACHE_MISS;

    if (limit != NULL && c->sha[0] == '\0')
        load_script(c, s);
    /* A digest that could not be learnt (Redis is loading) fails below like any other error. */
    const char *argv[8] = {"EVALSHA", c->sha, "1"};
    int argc = 3;
    if (limit != NULL) {
        bool spares = session_key != NULL && limit->unless != NULL;
        int64_t us = INT64_C(60000000) / limit->per_minute;

        argv[argc++] = limit->key;
        if (spares) {
            argv[2] = "2";
            argv[argc++] = session_key;
        }
        argv[argc++] = each;
        argv[argc++] = burst;
        if (spares)
            argv[argc++] = limit->unless;
        snprintf(each, sizeof each, "%" PRId64, us < 1 ? 1 : us);
        snprintf(burst, sizeof burst, "%" PRId64, limit->burst < 1 ? 1 : limit->burst);
    }
    if ((session_key != NULL && !cache_server_send(s, 2, (const char *[]){"GET", session_key})) ||
        (limit != NULL && !cache_server_send(s, argc, argv)))
        return CACHE_DOWN;
    if (session_key != NULL)
        answer = take_value(c, s, a, cache_server_reply(s), session);
    if (limit != NULL) {
        redisReply *r = cache_server_reply(s);
        if (is_noscript(r)) { /* Redis forgot its scripts (SCRIPT FLUSH, failover) */
            freeReplyObject(r);
            argv[0] = "EVAL";
            argv[1] = gcra;
            r = cache_server_ask(s, argc, argv);
        }
        if (r == NULL && session_key == NULL)
            return CACHE_DOWN;
        take_limit(c, s, r, limit);
    }
    return answer;
}

enum cache_answer
cache_gate(struct cache *c, struct arena *a, const char *session_key, const char **session,
           struct cache_limit *limit)
{
    int64_t since = clock_mono_ns();

    if (limit != NULL) {
        limit->refused = false;
        limit->remaining = limit->retry_after_ms = limit->reset_ms = 0;
        if (limit->key == NULL || limit->per_minute <= 0)
            limit = NULL;
    }
    if (session_key == NULL && limit == NULL)
        return CACHE_MISS;
    struct cache_server *s = ready(c);
    return count_call("gate", since,
                      s == NULL ? CACHE_DOWN : gate_at(c, s, a, session_key, session, limit));
}
