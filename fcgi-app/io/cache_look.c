/*
 * A connection of its own to each server: the shop's would ask the first that answers alone.
 */
#include "io/cache_look.h"

#include "base/clock.h"
#include "base/listed.h"
#include "io/cache.h"
#include "io/cache_private.h"

#include <stdlib.h>
#include <string.h>

static void
take_time(struct cache_server *s, struct cache_look *out)
{
    int64_t before = clock_ms();
    redisReply *r = cache_server_ask(s, 1, (const char *[]){"TIME"});

    if (r != NULL && r->type == REDIS_REPLY_ARRAY && r->elements == 2 &&
        r->element[0]->type == REDIS_REPLY_STRING && r->element[1]->type == REDIS_REPLY_STRING)
        out->ahead_ms = strtoll(r->element[0]->str, NULL, 10) * 1000 +
                        strtoll(r->element[1]->str, NULL, 10) / 1000 -
                        (before + (clock_ms() - before) / 2);
    if (r != NULL)
        freeReplyObject(r);
}

static void
look_at(struct arena *a, struct cache_server *s, struct cache_look *out)
{
    redisReply *r = cache_server_ready(s) ? cache_server_ask(s, 1, (const char *[]){"INFO"}) : NULL;

    if (r == NULL) {
        out->why = arena_strdup(a, s->why[0] != '\0' ? s->why : "it does not answer");
        return;
    }
    if (r->type == REDIS_REPLY_STRING)
        out->info = arena_strndup(a, r->str, (size_t)r->len);
    else
        out->why = r->type == REDIS_REPLY_ERROR ? arena_strndup(a, r->str, strcspn(r->str, " \r\n"))
                                                : "it answers strangely";
    freeReplyObject(r);
    if (out->why[0] == '\0')
        take_time(s, out);
}

size_t
cache_look(struct arena *a, const char *address, int64_t timeout_ms, struct cache_look **looks)
{
    struct cache_look *all = arena_array(a, CACHE_SERVERS_MAX, sizeof(*all));
    const char *at = address, *one;
    size_t n = 0;

    while (n < CACHE_SERVERS_MAX && (one = listed_next(a, &at)) != NULL) {
        const char *password_end = strrchr(one, '@');
        struct cache_server s = {0};
        struct cache_look *out = &all[n++];

        *out = (struct cache_look){
            .name = password_end != NULL ? password_end + 1 : one, .why = "", .info = ""};
        if (cache_server_init(&s, one, strlen(one), timeout_ms, true))
            look_at(a, &s, out);
        cache_server_end(&s);
    }
    *looks = all;
    return n;
}
