/*
 * io/cache: Redis by hiredis, one blocking connection a worker.
 *
 * Every failure is the same answer, CACHE_DOWN, so there is one place, drop(), that closes a
 * connection and one, log_down(), that says so. After a failure nothing is tried for 250 ms. A
 * connection that Redis closed while it was idle is no outage: it is found before the next command
 * and made anew at once. Redis that answers with an error (LOADING, OOM, READONLY) is down for that
 * answer only; the connection is kept.
 *
 * The rate limit is GCRA in a Lua script: one key holds the theoretical arrival time of the next
 * request in microseconds of Redis's clock. A fixed window in INCR + EXPIRE was rejected: it lets
 * twice the limit through at a window's edge, and a crash between the two commands leaves a counter
 * that never ends.
 */
#include "io/cache.h"

#include "base/clock.h"
#include "base/log.h"
#include "io/metrics.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define RETRY_NS INT64_C(250000000)
#define LOG_AGAIN_NS INT64_C(1000000000)
#define SHA1_DIGITS 40
#define INT_SIZE 21

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
    char *password; /* NULL: none */
    char *path;     /* of a unix socket, else NULL */
    char *host;
    int port;
    int64_t timeout_ms;
    redisContext *conn; /* NULL: not connected */
    int64_t retry_at_ns, logged_ns;
    bool was_down;
    char sha[SHA1_DIGITS + 1]; /* of gcra, as Redis computes it; empty: not loaded yet */
};

static void
die(const char *what)
{
    log_event(LOG_ERROR, EVENT("cache.failed"), TEXT("error.message", what));
    abort();
}

static char *
copy(const char *s, size_t len)
{
    char *out = strndup(s, len);

    if (out == NULL)
        die("out of memory");
    return out;
}

/* ---- connection ---- */

static void
drop(struct cache *c)
{
    if (c->conn != NULL)
        redisFree(c->conn);
    c->conn = NULL;
}

static void
log_down(struct cache *c, const char *why)
{
    if (!c->was_down)
        log_event(LOG_WARN, EVENT("cache.down"), TEXT("error.message", why));
    c->was_down = true;
}

/* The connection is broken, or too slow. */
static void
broken(struct cache *c)
{
    log_down(c, c->conn != NULL ? c->conn->errstr : "out of memory");
    drop(c);
    c->retry_at_ns = clock_mono_ns() + RETRY_NS;
}

/* An error reply; its text may quote the key, so only the first word is logged. */
static void
log_error_reply(struct cache *c, const redisReply *r)
{
    int64_t now = clock_mono_ns();
    char word[32] = "unexpected";

    if (c->logged_ns != 0 && now - c->logged_ns < LOG_AGAIN_NS)
        return;
    c->logged_ns = now;
    if (r->type == REDIS_REPLY_ERROR)
        snprintf(word, sizeof word, "%.*s", (int)strcspn(r->str, " "), r->str);
    log_event(LOG_WARN, EVENT("cache.error"), TEXT("error.code", word));
}

static redisReply *
reply(struct cache *c)
{
    void *r = NULL;

    if (c->conn == NULL)
        return NULL;
    if (redisGetReply(c->conn, &r) != REDIS_OK) {
        broken(c);
        return NULL;
    }
    return r;
}

static redisReply *
command(struct cache *c, int argc, const char **argv)
{
    if (redisAppendCommandArgv(c->conn, argc, argv, NULL) != REDIS_OK) {
        broken(c);
        return NULL;
    }
    return reply(c);
}

/* Whether Redis closed the connection while it was idle. */
static bool
is_stale(const struct cache *c)
{
    struct pollfd p = {.fd = c->conn->fd, .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}

static bool
sign_in(struct cache *c)
{
    if (c->password == NULL)
        return true;
    redisReply *r = command(c, 2, (const char *[]){"AUTH", c->password});
    if (r == NULL)
        return false;
    bool good = r->type == REDIS_REPLY_STATUS;
    freeReplyObject(r);
    if (!good) {
        log_down(c, "the password was refused");
        drop(c);
        c->retry_at_ns = clock_mono_ns() + RETRY_NS;
    }
    return good;
}

/* Whether a command can be sent now. */
static bool
ready(struct cache *c)
{
    struct timeval tv = {.tv_sec = c->timeout_ms / 1000, .tv_usec = c->timeout_ms % 1000 * 1000};

    if (c->conn != NULL && is_stale(c))
        drop(c);
    if (c->conn != NULL)
        return true;
    if (c->retry_at_ns != 0 && clock_mono_ns() < c->retry_at_ns)
        return false;
    c->conn = c->path != NULL ? redisConnectUnixWithTimeout(c->path, tv)
                              : redisConnectWithTimeout(c->host, c->port, tv);
    if (c->conn == NULL || c->conn->err != 0 || redisSetTimeout(c->conn, tv) != REDIS_OK) {
        broken(c);
        return false;
    }
    return sign_in(c);
}

static void
worked(struct cache *c)
{
    if (c->was_down)
        log_event(LOG_INFO, EVENT("cache.up"));
    c->was_down = false;
    c->retry_at_ns = 0;
}

/* ---- answers ---- */

/* A GET's reply. Frees it. */
static enum cache_answer
take_value(struct cache *c, struct arena *a, redisReply *r, const char **value)
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
        log_error_reply(c, r);
    }
    freeReplyObject(r);
    if (answer != CACHE_DOWN)
        worked(c);
    return answer;
}

static bool
is_noscript(const redisReply *r)
{
    return r != NULL && r->type == REDIS_REPLY_ERROR && strncmp(r->str, "NOSCRIPT", 8) == 0;
}

/* The script's reply. Frees it. */
static void
take_limit(struct cache *c, redisReply *r, struct cache_limit *limit)
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
        worked(c);
    } else {
        log_error_reply(c, r);
    }
    freeReplyObject(r);
}

/* Learns the script's digest from Redis, which computes it anyway: no SHA-1 of our own. */
static bool
load_script(struct cache *c)
{
    redisReply *r = command(c, 3, (const char *[]){"SCRIPT", "LOAD", gcra});

    if (r == NULL)
        return false;
    if (r->type == REDIS_REPLY_STRING && r->len == SHA1_DIGITS)
        memcpy(c->sha, r->str, SHA1_DIGITS + 1);
    else
        log_error_reply(c, r);
    freeReplyObject(r);
    return c->sha[0] != '\0';
}

static enum cache_answer
count_call(const char *name, int64_t since, enum cache_answer answer)
{
    metric_add(METRIC_REDIS, 1, LABELS(name, answer == CACHE_DOWN ? "down" : "ok"));
    metric_observe(METRIC_REDIS_SECONDS, clock_mono_ns() - since, NO_LABELS);
    return answer;
}

/* ---- public ---- */

const char *
cache_address_fault(const char *address)
{
    const char *at = strrchr(address, '@');

    if (at != NULL)
        address = at + 1;
    if (strncmp(address, "unix:", 5) == 0)
        return address[5] == '/' ? NULL : "must have an absolute path after unix:";
    const char *colon = strrchr(address, ':');
    size_t host = colon == NULL ? strlen(address) : (size_t)(colon - address);
    if (host == 0 || strchr(address, '/') != NULL)
        return "must be host:port or unix:/path, with password@ before it if it has one";
    if (colon == NULL)
        return NULL;
    size_t digits = strspn(colon + 1, "0123456789");
    long port =
        digits == 0 || digits > 5 || colon[1 + digits] != '\0' ? 0 : strtol(colon + 1, NULL, 10);
    return port >= 1 && port <= 65535 ? NULL
                                      : "must have a port from 1 to 65535 after its last ':'";
}

struct cache *
cache_new(const char *address, int64_t timeout_ms)
{
    struct cache *c = calloc(1, sizeof *c);
    const char *at = strrchr(address, '@');

    if (c == NULL)
        die("out of memory");
    signal(SIGPIPE, SIG_IGN); /* hiredis writes with write(2) */
    if (at != NULL) {
        c->password = copy(address, (size_t)(at - address));
        address = at + 1;
    }
    if (strncmp(address, "unix:", 5) == 0) {
        c->path = copy(address + 5, strlen(address + 5));
    } else {
        const char *colon = strrchr(address, ':');
        size_t len = colon == NULL ? strlen(address) : (size_t)(colon - address);
        c->port = colon == NULL ? 6379 : (int)strtol(colon + 1, NULL, 10);
        if (len > 2 && address[0] == '[' && address[len - 1] == ']') /* IPv6 */
            c->host = copy(address + 1, len - 2);
        else
            c->host = copy(address, len);
    }
    c->timeout_ms = timeout_ms < 1 ? 1 : timeout_ms;
    return c;
}

void
cache_free(struct cache *c)
{
    if (c == NULL)
        return;
    drop(c);
    free(c->password);
    free(c->path);
    free(c->host);
    free(c);
}

enum cache_answer
cache_get(struct cache *c, struct arena *a, const char *key, const char **value)
{
    int64_t since = clock_mono_ns();
    enum cache_answer answer = CACHE_DOWN;

    if (ready(c))
        answer = take_value(c, a, command(c, 2, (const char *[]){"GET", key}), value);
    return count_call("get", since, answer);
}

static enum cache_answer
set(struct cache *c, const char *key, const char *value, int64_t ttl_ms, bool only_new)
{
    char ttl[INT_SIZE];
    const char *argv[] = {"SET", key, value, "PX", ttl, "NX"};

    snprintf(ttl, sizeof ttl, "%" PRId64, ttl_ms < 1 ? 1 : ttl_ms);
    if (!ready(c))
        return CACHE_DOWN;
    redisReply *r = command(c, only_new ? 6 : 5, argv);
    if (r == NULL)
        return CACHE_DOWN;

    enum cache_answer answer = r->type == REDIS_REPLY_STATUS ? CACHE_HIT
                               : r->type == REDIS_REPLY_NIL  ? CACHE_MISS
                                                             : CACHE_DOWN;
    if (answer == CACHE_DOWN)
        log_error_reply(c, r);
    else
        worked(c);
    freeReplyObject(r);
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
    if (!ready(c))
        return CACHE_DOWN;
    redisReply *r = command(c, 1, (const char *[]){"PING"});
    if (r == NULL)
        return CACHE_DOWN;
    bool good = r->type == REDIS_REPLY_STATUS;
    if (good)
        worked(c);
    else
        log_error_reply(c, r);
    freeReplyObject(r);
    return good ? CACHE_HIT : CACHE_DOWN;
}

enum cache_answer
cache_ping(struct cache *c)
{
    int64_t since = clock_mono_ns();

    return count_call("ping", since, ping(c));
}

static enum cache_answer
ask_gate(struct cache *c, struct arena *a, const char *session_key, const char **session,
         struct cache_limit *limit)
{
    char each[INT_SIZE], burst[INT_SIZE];
    enum cache_answer answer = CACHE_MISS;
    bool limited = limit != NULL && limit->key != NULL && limit->per_minute > 0;

    if (!ready(c) || (limited && c->sha[0] == '\0' && !load_script(c) && c->conn == NULL))
        return CACHE_DOWN;
    /* A digest that could not be learnt (Redis is loading) fails below like any other error. */
    const char *argv[8] = {"EVALSHA", c->sha, "1"};
    int argc = 3;
    if (limited) {
        argv[argc++] = limit->key;
        if (session_key != NULL && limit->unless != NULL) {
            argv[2] = "2";
            argv[argc++] = session_key;
        }
        argv[argc++] = each;
        argv[argc++] = burst;
        if (session_key != NULL && limit->unless != NULL)
            argv[argc++] = limit->unless;
        int64_t us = INT64_C(60000000) / limit->per_minute;
        snprintf(each, sizeof each, "%" PRId64, us < 1 ? 1 : us);
        snprintf(burst, sizeof burst, "%" PRId64, limit->burst < 1 ? 1 : limit->burst);
    }
    if ((session_key != NULL &&
         redisAppendCommandArgv(c->conn, 2, (const char *[]){"GET", session_key}, NULL) !=
             REDIS_OK) ||
        (limited && redisAppendCommandArgv(c->conn, argc, argv, NULL) != REDIS_OK)) {
        broken(c);
        return CACHE_DOWN;
    }
    if (session_key != NULL)
        answer = take_value(c, a, reply(c), session);
    if (limited) {
        redisReply *r = reply(c);
        if (is_noscript(r)) { /* Redis forgot its scripts (SCRIPT FLUSH, failover) */
            freeReplyObject(r);
            argv[0] = "EVAL";
            argv[1] = gcra;
            r = command(c, argc, argv);
        }
        if (r == NULL && session_key == NULL)
            return CACHE_DOWN;
        take_limit(c, r, limit);
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
    }
    if (session_key == NULL && (limit == NULL || limit->key == NULL || limit->per_minute <= 0))
        return CACHE_MISS;
    return count_call("gate", since, ask_gate(c, a, session_key, session, limit));
}
