/*
 * tests/integration/pg_stock: a small table of stock, the statements on it, and what goes wrong
 * with them. `us` is the handle under test, `other` terminates backends and changes tables.
 */
#ifndef SOKO_TESTS_INTEGRATION_PG_STOCK_H
#define SOKO_TESTS_INTEGRATION_PG_STOCK_H

#include "pg_fixture.h"

enum {
    TX_ENUM,
    ADD_SURE,
    ADD,
    SET,
    DELETE,
    TAKE,
    TAKE_ROW,
    PID,
    VALUE,
    COUNT,
    SLEEP,
    KILL_ME,
    CAST,
    DIVIDE,
    LATER_DIES,
    WHO,
    UNKNOWN_OUTCOME,
    LOCK,
    STAR
};

static const struct pg_stmt stmts[] = {
    TX_ROWS,
    {"ADD_SURE", "insert into soko_test_io.t (id, n) values ($1, $2)", 2, false},
    {"ADD", "insert into soko_test_io.t (id, n) select $1, $2", 2, false},
    {"SET", "update soko_test_io.t set n = $2 where id = $1", 2, false},
    {"DELETE", "delete from soko_test_io.t where n = $1", 1, false},
    {"TAKE",
     "with u as (update soko_test_io.t set n = n - $2 where id = $1 and n >= $2 returning n),"
     " old as (select n from soko_test_io.t where id = $1)"
     " select case when exists (select 1 from u) then null"
     " when exists (select 1 from old) then 'INSUFFICIENT_STOCK' else 'NOT_FOUND' end as outcome,"
     " 'quantity' as field, 'only ' || (select n from old) || ' left' as message,"
     " (select n from old) as available, null::text as nothing, 7 as \"secret:hidden\"",
     2, false},
    {"TAKE_ROW",
     "with u as (update soko_test_io.t set n = n - $2 where id = $1 and n >= $2 returning n)"
     " select null::text as outcome, n from u",
     2, false},
    {"PID", "select pg_backend_pid()::int8 as n", 0, false},
    {"VALUE", "select n from soko_test_io.t where id = $1", 1, false},
    {"COUNT", "select count(*) as n from soko_test_io.t", 0, true},
    {"SLEEP", "select pg_sleep($1::int8 / 1000.0)", 1, false},
    {"KILL_ME", "insert into soko_test_io.t (id, n) values (soko_test_io.die(), 1)", 0, false},
    {"CAST", "select $1::text::int as n", 1, false},
    {"DIVIDE", "select 1 / $1::int8 as n", 1, false},
    {"LATER_DIES", "insert into soko_test_io.late (id) values ($1)", 1, false},
    {"WHO",
     "select current_setting('application_name') || ' ' || current_setting('TimeZone') ||"
     " ' ' || current_setting('plan_cache_mode') as s",
     0, true},
    {"UNKNOWN_OUTCOME", "select 'SHIPWRECK' as outcome", 0, false},
    {"LOCK", "lock table soko_test_io.t in share mode", 0, false},
    {"STAR", "select * from soko_test_io.star", 0, false},
};

enum { TERMINATE = TX_PLAN_AUTO + 1 };

static const struct pg_stmt other_stmts[] = {
    TX_ROWS,
    {"TERMINATE", "select pg_terminate_backend($1::int8::int, 2000)", 1, false},
};

static const struct pg_constraint constraints[] = {
    {"t_pkey", ERR_CONFLICT, "id", "taken already"},
    {"t_n_check", ERR_VALIDATION, "n", NULL},
    {"late_parent", ERR_NOT_FOUND, NULL, NULL},
    {NULL, OK, NULL, NULL},
};

static const char schema[] =
    "drop schema if exists soko_test_io cascade; create schema soko_test_io;"
    "create table soko_test_io.t (id int8 primary key, n int8 not null,"
    "  constraint t_n_check check (n >= 0), constraint t_secret_check check (n <> 666));"
    "create table soko_test_io.late (id int8,"
    "  constraint late_parent foreign key (id) references soko_test_io.t deferrable initially "
    "deferred);"
    "create table soko_test_io.star (a int8); insert into soko_test_io.star values (1);"
    "create function soko_test_io.die() returns int8 language plpgsql as $$ begin"
    "  perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(5); return 1; end $$;"
    "create function soko_test_io.die_late() returns trigger language plpgsql as $$ begin"
    "  if new.id = 2 then perform soko_test_io.die(); end if; return null; end $$;"
    "create constraint trigger late_dies after insert on soko_test_io.late deferrable initially"
    "  deferred for each row execute function soko_test_io.die_late();"
    "insert into soko_test_io.t values (1, 10), (2, 20);";

struct number {
    uint64_t sent;
    int64_t n;
};
static const struct field number_fields[] = {FIELD(struct number, n)};
static const struct input number_in = INPUT(number, "Number", NULL);

static struct party us, other;
static struct ctx *ctx;

static inline void
setup(void)
{
    party_new(&other, STMTS(other_stmts), NULL);
    party_script(&other, schema);
    party_new(&us, STMTS(stmts), constraints);
    ctx = &us.ctx;
}

static inline void
teardown(void)
{
    party_end(&us);
    party_end(&other);
}

static inline int64_t
number(int stmt, const struct pg_arg *args, size_t n)
{
    struct number row;

    ck_assert_int_eq(pg_one_args(ctx, stmt, &number_in, &row, args, n), OK);
    return row.n;
}

#define NUMBER(stmt, ...) number((stmt), PG_ARGS(__VA_ARGS__))

static inline void
terminate(int64_t pid)
{
    ck_assert_int_eq(pg_run(&other.ctx, TERMINATE, ARG_INT(pid)), OK);
}

#endif
