/*
 * What all commands share: the context that they work in, complaints, times, files.
 */
#include "ctl.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/trace.h"
#include "io/cache.h"
#include "shop/constraints.h"
#include "shop/stmt.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX ((size_t)16 << 20)
#define NAMES_SIZE 4096 /* of a system user's row */

/* Who sits at this end: root by sudo is the one who called sudo. */
static const char *
operator_name(struct arena *a)
{
    const char *sudo = getenv("SUDO_USER");
    struct passwd room, *user = NULL;
    char names[NAMES_SIZE];

    if (getuid() == 0 && sudo != NULL && sudo[0] != '\0')
        return arena_strdup(a, sudo);
    if (getpwuid_r(getuid(), &room, names, sizeof(names), &user) == 0 && user != NULL)
        return arena_strdup(a, user->pw_name);
    return arena_printf(a, "uid %ld", (long)getuid());
}

static struct ctx *opened; /* what ctl_close() closes */

struct ctx *
ctl_open(void)
{
    static struct pg_options options;
    struct arena *a = arena_new();
    struct ctx *ctx = arena_alloc(a, sizeof(*ctx));

    options = (struct pg_options){
        .url = conf->database_url,
        .name = "sokoctl",
        .connect_ms = conf->database_connect_timeout.ms,
        .statement_ms = conf->statement_timeout.ms,
        .stmts = stmts,
        .count = STMT__COUNT,
        .constraints = constraints,
    };
    ctx->arena = a;
    ctx->pg = pg_new(&options);
    /* For what ends sessions and keys; it connects only then. */
    ctx->cache = cache_new(conf->redis_address, conf->redis_timeout.ms);
    ctx->now_ms = clock_ms();
    ctx->trace_id = trace_new(a);
    ctx->actor.operator= operator_name(a);
    opened = ctx;
    return ctx;
}

void
ctl_close(void)
{
    struct arena *a = opened != NULL ? opened->arena : NULL;

    if (opened != NULL) {
        pg_free(opened->pg);
        cache_free(opened->cache);
    }
    opened = NULL;
    arena_free(a); /* the context lies in it */
}

void
ctl_complain(const struct ctx *ctx, enum err e)
{
    if (ctx->problems.first == NULL)
        fprintf(stderr, "sokoctl: %s\n", err_message(e));
    for (const struct problem *p = ctx->problems.first; p != NULL; p = p->next)
        fprintf(stderr, "sokoctl: %s%s%s\n", p->field != NULL ? p->field : "",
                p->field != NULL ? ": " : "", p->message);
}

bool
ctl_time(const char *name, const char *text, struct pg_arg *out)
{
    int64_t ms;

    *out = ARG_NULL;
    if (text == NULL)
        return true;
    if (!clock_parse(text, &ms)) {
        fprintf(stderr, "sokoctl: --%s: not a date, such as 2026-02-20 or 2026-02-20T10:00:00Z\n",
                name);
        return false;
    }
    *out = ARG_TIME(ms);
    return true;
}

char *
ctl_read_file(struct arena *a, const char *path, size_t *len)
{
    FILE *in = fopen(path, "rb");
    char *data = in != NULL ? arena_alloc(a, FILE_MAX) : NULL;
    size_t n = in != NULL ? fread(data, 1, FILE_MAX - 1, in) : 0;

    if (in == NULL || ferror(in) || !feof(in)) {
        fprintf(stderr, "sokoctl: %s: %s\n", path,
                in != NULL && !ferror(in) ? "is too large" : strerror(errno));
        data = NULL;
    }
    if (in != NULL)
        fclose(in);
    if (len != NULL)
        *len = n;
    return data;
}
