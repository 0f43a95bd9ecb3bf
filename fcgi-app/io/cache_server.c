/*
 * After a failure nothing is tried for 250 ms, so that a hanging Redis costs a request one time-out
 * and not each its own. If there is another to ask, the pause is doubled each time, since the
 * time-out would be paid by requests that are served well.
 */
#include "io/cache_private.h"

#include "base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define PAUSE_NS INT64_C(250000000)
#define PAUSE_MAX_NS INT64_C(2000000000)

static void
drop(struct cache_server *s)
{
    if (s->conn != NULL)
        redisFree(s->conn);
    s->conn = NULL;
}

void
cache_server_leave(struct cache_server *s, const char *why)
{
    snprintf(s->why, sizeof s->why, "%s", why);
    s->pause_ns = s->pause_ns == 0 ? PAUSE_NS : 2 * s->pause_ns;
    if (s->pause_ns > s->pause_max_ns)
        s->pause_ns = s->pause_max_ns;
    s->retry_at_ns = clock_mono_ns() + s->pause_ns;
    drop(s);
}

/* The connection is broken, or too slow. */
static void
broken(struct cache_server *s)
{
    cache_server_leave(s, s->conn != NULL ? s->conn->errstr : "out of memory");
}

/* Whether Redis closed the connection while it was idle. */
static bool
is_stale(const struct cache_server *s)
{
    struct pollfd p = {.fd = s->conn->fd, .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}

static bool
sign_in(struct cache_server *s)
{
    if (s->password == NULL)
        return true;
    redisReply *r = cache_server_ask(s, 2, (const char *[]){"AUTH", s->password});
    if (r == NULL)
        return false;
    bool good = r->type == REDIS_REPLY_STATUS;
    freeReplyObject(r);
    if (!good)
        cache_server_leave(s, "the password was refused");
    return good;
}

bool
cache_server_ready(struct cache_server *s)
{
    struct timeval tv = {.tv_sec = s->timeout_ms / 1000, .tv_usec = s->timeout_ms % 1000 * 1000};

    if (s->conn != NULL && is_stale(s))
        drop(s);
    if (s->conn != NULL)
        return true;
    if (s->retry_at_ns != 0 && clock_mono_ns() < s->retry_at_ns)
        return false;
    s->conn = s->path != NULL ? redisConnectUnixWithTimeout(s->path, tv)
                              : redisConnectWithTimeout(s->host, s->port, tv);
    if (s->conn == NULL || s->conn->err != 0 || redisSetTimeout(s->conn, tv) != REDIS_OK) {
        broken(s);
        return false;
    }
    return sign_in(s);
}

bool
cache_server_send(struct cache_server *s, int argc, const char **argv)
{
    if (s->conn == NULL)
        return false;
    if (redisAppendCommandArgv(s->conn, argc, argv, NULL) == REDIS_OK)
        return true;
    broken(s);
    return false;
}

redisReply *
cache_server_reply(struct cache_server *s)
{
    void *r = NULL;

    if (s->conn == NULL)
        return NULL;
    if (redisGetReply(s->conn, &r) != REDIS_OK) {
        broken(s);
        return NULL;
    }
    return r;
}

redisReply *
cache_server_ask(struct cache_server *s, int argc, const char **argv)
{
    return cache_server_send(s, argc, argv) ? cache_server_reply(s) : NULL;
}

void
cache_server_worked(struct cache_server *s)
{
    s->retry_at_ns = s->pause_ns = 0;
}

/* ---- addresses ---- */

static const char *
last(const char *s, size_t len, char c)
{
    return memrchr(s, c, len);
}

const char *
cache_server_fault(const char *address, size_t len, bool port)
{
    const char *end = address + len, *at = last(address, len, '@');

    if (at != NULL)
        address = at + 1;
    len = (size_t)(end - address);
    if (len >= 5 && strncmp(address, "unix:", 5) == 0)
        return len > 5 && address[5] == '/' ? NULL : "must have an absolute path after unix:";
    const char *colon = last(address, len, ':');
    size_t host = colon == NULL ? len : (size_t)(colon - address);
    if (host == 0 || memchr(address, '/', len) != NULL)
        return "must be host:port or unix:/path, with password@ before it if it has one";
    if (colon == NULL)
        return port ? "must say the port of each host, if there are several" : NULL;
    size_t digits = strspn(colon + 1, "0123456789");
    if (digits == 0 || digits > 5 || colon + 1 + digits != end)
        return "must have a port from 1 to 65535 after its last ':'";
    long number = strtol(colon + 1, NULL, 10);
    return number >= 1 && number <= 65535 ? NULL
                                          : "must have a port from 1 to 65535 after its last ':'";
}

bool
cache_server_init(struct cache_server *s, const char *address, size_t len, int64_t timeout_ms,
                  bool alone)
{
    const char *end = address + len, *at = last(address, len, '@');

    s->timeout_ms = timeout_ms < 1 ? 1 : timeout_ms;
    s->pause_max_ns = alone ? PAUSE_NS : PAUSE_MAX_NS;
    if (at != NULL) {
        s->password = strndup(address, (size_t)(at - address));
        if (s->password == NULL)
            return false;
        address = at + 1;
    }
    len = (size_t)(end - address);
    if (len >= 5 && strncmp(address, "unix:", 5) == 0) {
        s->path = strndup(address + 5, len - 5);
        return s->path != NULL;
    }
    const char *colon = last(address, len, ':');
    s->port = colon == NULL ? 6379 : (int)strtol(colon + 1, NULL, 10);
    size_t host = colon == NULL ? len : (size_t)(colon - address);
    if (host > 2 && address[0] == '[' && address[host - 1] == ']') /* IPv6 */
        s->host = strndup(address + 1, host - 2);
    else
        s->host = strndup(address, host);
    return s->host != NULL;
}

void
cache_server_end(struct cache_server *s)
{
    drop(s);
    free(s->password);
    free(s->path);
    free(s->host);
}
