/*
 * tests/integration/shop_fixture: parties that know all statements of the shop, and some more that
 * only tests ask.
 *
 * The database is migrated, and everybody is soko_app, as in a worker. Tests do not clean up: they
 * make rows of their own, with new ids.
 */
#ifndef SOKO_TESTS_INTEGRATION_SHOP_FIXTURE_H
#define SOKO_TESTS_INTEGRATION_SHOP_FIXTURE_H

#include "base/config.h"
#include "pg_fixture.h"
#include "shop/constraints.h"
#include "shop/stmt.h"

#include <stdio.h>
#include <sys/wait.h>

/* Of an account that nobody signs in to; such as libcrypt would write. */
#define NO_PASSWORD "$y$j9T$bPih7Bj/ee151sfiu3QLU0$5muJqG5JbqWt9nX.uMhyo3NP2SB2zocrKlKwIIRjjS3"

#undef fail /* an old name of check's; here it is io/ctx.h's */

#define MORE_STMTS_MAX 24

/* A test's own statements are numbered from STMT__COUNT on. */
static struct pg_stmt shop_stmts[STMT__COUNT + MORE_STMTS_MAX];

/* The settings of a demo shop, with those of the test ("NAME=value", ends with NULL) over them. */
static inline void
shop_config(const char *const *more)
{
    setenv("SOKO_ENV", "demo", 1);
    setenv("DATABASE_URL", env_or_fail("SOKO_TEST_DATABASE_URL"), 1);
    setenv("TOKEN_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("DATA_KEY", "0123456789abcdef0123456789abcdef", 1);
    for (; more != NULL && *more != NULL; more++) {
        const char *equals = strchr(*more, '=');
        char name[64];

        ck_assert(equals != NULL && (size_t)(equals - *more) < sizeof(name));
        memcpy(name, *more, (size_t)(equals - *more));
        name[equals - *more] = '\0';
        setenv(name, equals + 1, 1);
    }
    ck_assert(config_load(NULL, stderr));
}

static inline void
shop_party(struct party *p, const struct pg_stmt *more, int count)
{
    ck_assert_int_le(count, MORE_STMTS_MAX);
    memcpy(shop_stmts, stmts, sizeof(struct pg_stmt) * STMT__COUNT);
    if (count > 0)
        memcpy(shop_stmts + STMT__COUNT, more, sizeof(struct pg_stmt) * (size_t)count);
    party_new(p, shop_stmts, STMT__COUNT + count, constraints);
    p->ctx.now_ms = clock_ms();
    ck_assert_int_eq(pg_open(p->ctx.pg), OK);
}

/* The one integer that a statement gives. */
struct shop_number {
    int64_t n;
};

static inline int64_t
shop_number(struct ctx *ctx, int stmt, const struct pg_arg *args, size_t n)
{
    static const struct field fields[] = { FIELD(struct shop_number, n) };
    static const struct input table = {
        .name = "Number", .size = sizeof(struct shop_number), .fields = fields, .count = 1};
    struct shop_number row = {0};

    ck_assert_int_eq(pg_one_args(ctx, stmt, &table, &row, args, n), OK);
    return row.n;
}
#define NUMBER(ctx, stmt, ...) shop_number((ctx), (stmt), PG_ARGS(__VA_ARGS__))

/* The one text that a statement gives; NULL is null. */
struct shop_text {
    const char *s;
};

static inline const char *
shop_text(struct ctx *ctx, int stmt, const struct pg_arg *args, size_t n)
{
    static const struct field fields[] = { FIELD(struct shop_text, s) };
    static const struct input table = {
        .name = "Text", .size = sizeof(struct shop_text), .fields = fields, .count = 1};
    struct shop_text row = {0};

    ck_assert_int_eq(pg_one_args(ctx, stmt, &table, &row, args, n), OK);
    return row.s;
}
#define STRING(ctx, stmt, ...) shop_text((ctx), (stmt), PG_ARGS(__VA_ARGS__))

/* Waits for a child of ours, which must have ended well. */
static inline void
expect_child(pid_t pid)
{
    int status = -1;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %d: status %d", (int)pid,
                  status);
}

#endif
