/*
 * tests/integration/pg_fixture: a schema of its own, a handle under test and one to interfere.
 *
 * The tables must exist before a handle can prepare its statements, so each test makes them anew
 * with a handle (`other`) that knows only how to control transactions and to do mischief.
 */
#ifndef SOKO_TESTS_INTEGRATION_PG_FIXTURE_H
#define SOKO_TESTS_INTEGRATION_PG_FIXTURE_H

#include "io/pg.h"

#include "base/clock.h"
#include "harness.h"

#define TX_ROWS                                                                                    \
    {NULL, NULL, 0, false}, {"TX_BEGIN", "begin", 0, false}, {"TX_COMMIT", "commit", 0, false},    \
        {"TX_ROLLBACK", "rollback", 0, false},                                                     \
        {"TX_PLAN_CUSTOM", "set plan_cache_mode = force_custom_plan", 0, false},                   \
    {                                                                                              \
        "TX_PLAN_AUTO", "set plan_cache_mode = auto", 0, false                                     \
    }
#define TX_ENUM NO_STMT, TX_BEGIN, TX_COMMIT, TX_ROLLBACK, TX_PLAN_CUSTOM, TX_PLAN_AUTO

#define PG_SCHEMA "soko_test_io"

struct party {
    struct pg_options options;
    struct ctx ctx;
};

static inline void
party_new(struct party *p, const struct pg_stmt *table, int count,
          const struct pg_constraint *constraints)
{
    memset(p, 0, sizeof *p);
    p->options = (struct pg_options){.url = env_or_fail("SOKO_TEST_DATABASE_URL"),
                                     .name = "soko-test",
                                     .connect_ms = 2000,
                                     .statement_ms = 3000,
                                     .stmts = table,
                                     .count = count,
                                     .constraints = constraints};
    p->ctx.arena = arena_new();
    p->ctx.pg = pg_new(&p->options);
    p->ctx.request_id = "test";
    p->ctx.trace_id = "0af7651916cd43dd8448eb211c80319c";
    p->ctx.sampled = true;
}

static inline void
party_end(struct party *p)
{
    arena_free(p->ctx.arena);
    pg_free(p->ctx.pg);
}

static inline void
party_script(struct party *p, const char *sql)
{
    const char *why = "";
    enum err e = pg_script(&p->ctx, sql, &why);

    ck_assert_msg(e == OK, "%s: %s", err_code(e), why);
}

#define STMTS(table) (table), (int)(sizeof(table) / sizeof((table)[0]))

#endif
