/*
 * The table of all statements with most of them replaced by one that is always good, so that each
 * keeps its number.
 */
#include "ctl_few.h"

#include "base/clock.h"
#include "base/config.h"
#include "io/pg.h"
#include "shop/stmt.h"

#include <string.h>

static bool
is_wanted(const char *name, const char *const *prefixes)
{
    for (; *prefixes != NULL; prefixes++) {
        if (strncmp(name, *prefixes, strlen(*prefixes)) == 0)
            return true;
    }
    return false;
}

static void
close_pg(void *arg)
{
    pg_free(arg);
}

struct ctx *
ctl_few(struct arena *a, const char *url, const char *const *prefixes)
{
    struct pg_options *options = arena_alloc(a, sizeof(*options));
    struct pg_stmt *table = arena_array(a, STMT__COUNT, sizeof(*table));
    struct ctx *ctx = arena_alloc(a, sizeof(*ctx));

    for (int i = 1; i < STMT__COUNT; i++) {
        table[i] = stmts[i];
        if (strncmp(stmts[i].name, "TX_", 3) != 0 && !is_wanted(stmts[i].name, prefixes))
            table[i] = (struct pg_stmt){.name = stmts[i].name, .sql = stmts[STATUS_PING].sql};
    }
    *options = (struct pg_options){
        .url = arena_strdup(a, url),
        .name = "sokoctl",
        .connect_ms = conf->database_connect_timeout.ms,
        .statement_ms = 0,
        .stmts = table,
        .count = STMT__COUNT,
    };
    ctx->arena = a;
    ctx->pg = pg_new(options);
    arena_defer(a, close_pg, ctx->pg);
    ctx->now_ms = clock_ms();
    ctx->trace_id = "sokoctl";
    return ctx;
}
