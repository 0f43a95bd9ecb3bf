/*
 * The statements against the schema: all can be prepared; what answers a request has the columns
 * that its output schema says; SQL and C write money and times alike; and a worker's role may do
 * what a worker does, and nothing else.
 */
#include "base/money.h"
#include "routes.h"
#include "shop_fixture.h"

#include <inttypes.h>

enum { T_SCALE = STMT__COUNT, T_MONEY, T_TIME };

static const struct pg_stmt more[] = {
    {"T_SCALE", "SELECT money_scale($1) AS n", 1, false},
    {"T_MONEY", "SELECT money_text($1::bigint, $2) AS s", 2, false},
    {"T_TIME", "SELECT $1::timestamptz AS ours, api_time($1::timestamptz) AS theirs", 1, false},
};

static struct party us;
static struct ctx *ctx;

static void
setup(void)
{
    shop_config(NULL);
    shop_party(&us, STMTS(more));
    ctx = &us.ctx;
}

static void
teardown(void)
{
    party_end(&us);
}

/* pg_open() prepares all; setup has seen it succeed. Here is the number, so that none is lost. */
START_TEST(every_statement_prepares)
{
    for (int i = 1; i < STMT__COUNT; i++) {
        ck_assert_msg(stmts[i].name != NULL && stmts[i].sql != NULL, "statement %d is empty", i);
        ck_assert_int_ge(pg_columns(ctx->pg, i), 0);
    }
}
END_TEST

static const char *const kind_of[] = {
    [OUT_TEXT] = "text",   [OUT_ID] = "id",     [OUT_INT] = "int",     [OUT_NUMBER] = "number",
    [OUT_BOOL] = "bool",   [OUT_TIME] = "time", [OUT_MONEY] = "money", [OUT_JSON] = "json",
    [OUT_OBJECT] = "json", [OUT_LIST] = "json",
};

static const struct out_field *
declared(const struct output *out, const char *name)
{
    for (size_t i = 0; i < out->count; i++) {
        if (strcmp(out->fields[i].name, name) == 0)
            return &out->fields[i];
    }
    return NULL;
}

/* Holds one statement against one schema. Gives the number of columns that are shown. */
static size_t
hold(const struct endpoint *ep, int stmt)
{
    size_t shown = 0;
    bool money = false, currency = false;

    for (int c = 0; c < pg_columns(ctx->pg, stmt); c++) {
        const char *name = pg_column_name(ctx->pg, stmt, c);
        const char *kind = pg_column_kind(ctx->pg, stmt, c);

        currency = currency || strcmp(name, "currency") == 0;
        if (strcmp(kind, "hidden") == 0 || strcmp(name, "outcome") == 0)
            continue;
        const struct out_field *f = declared(ep->out, name);
        ck_assert_msg(f != NULL, "%s: column %s of %s is not in %s", ep->name, name,
                      stmts[stmt].name, ep->out->name);
        ck_assert_msg(strcmp(kind, kind_of[f->kind]) == 0, "%s: column %s of %s is %s, not %s",
                      ep->name, name, stmts[stmt].name, kind, kind_of[f->kind]);
        money = money || f->kind == OUT_MONEY;
        shown++;
    }
    ck_assert_msg(!money || currency, "%s: %s has money and no currency", ep->name,
                  stmts[stmt].name);
    return shown;
}

START_TEST(replies_have_the_columns_of_their_schema)
{
    int held = 0;

    for (size_t i = 0; i < routes_count; i++) {
        const struct endpoint *ep = routes[i].endpoint;

        for (size_t j = 0; j < sizeof(ep->replies) / sizeof(ep->replies[0]); j++) {
            if (ep->replies[j] == STMT_NONE)
                break;
            /* Names are unique in a result (pg_open) and in a schema (below): equal numbers make
             * equal sets. */
            size_t shown = hold(ep, ep->replies[j]);
            ck_assert_msg(shown == ep->out->count, "%s: %s shows %zu columns, %s has %zu", ep->name,
                          stmts[ep->replies[j]].name, shown, ep->out->name, ep->out->count);
            held++;
        }
    }
    ck_assert_int_gt(held, 0);
}
END_TEST

static void
check_output(const struct output *out)
{
    ck_assert_ptr_nonnull(out->name);
    ck_assert_uint_gt(out->count, 0);
    for (size_t i = 0; i < out->count; i++) {
        const struct out_field *f = &out->fields[i];

        ck_assert_msg(declared(out, f->name) == f, "%s: %s stands twice", out->name, f->name);
        ck_assert_msg(f->doc != NULL, "%s: %s has no words", out->name, f->name);
        ck_assert_msg(f->kind != OUT_OBJECT || f->of != NULL, "%s: %s is an object of what?",
                      out->name, f->name);
        if (f->of != NULL)
            check_output(f->of);
    }
}

START_TEST(schemas_are_sound)
{
    for (size_t i = 0; i < routes_count; i++)
        if (routes[i].endpoint->out != NULL) /* what is text has no schema */
            check_output(routes[i].endpoint->out);
}
END_TEST

/* --- one form of money and time --------------------------------------------------------------- */

START_TEST(money_is_written_alike)
{
    static const int64_t amounts[] = {
        0,     1,      5,      9,         10,   11,   50,   99,         100,
        101,   110,    999,    1000,      1001, 1010, 1100, 1250,       45000000,
        99999, 100000, 100001, MONEY_MAX, -1,   -10,  -320, -MONEY_MAX, MONEY_MAX - 1,
    };
    const char *const *codes = money_currencies();

    ck_assert_ptr_nonnull(codes[0]);
    for (; *codes != NULL; codes++) {
        ck_assert_msg(NUMBER(ctx, T_SCALE, ARG_TEXT(*codes)) == money_scale(*codes), "%s", *codes);
        for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
            char ours[MONEY_TEXT_SIZE];
            const char *theirs = STRING(ctx, T_MONEY, ARG_INT(amounts[i]), ARG_TEXT(*codes));

            money_text(amounts[i], *codes, ours);
            ck_assert_msg(strcmp(ours, theirs) == 0, "%" PRId64 " %s: C %s, SQL %s", amounts[i],
                          *codes, ours, theirs);
        }
    }
}
END_TEST

START_TEST(times_are_written_alike)
{
    static const struct {
        int64_t ms;
        const char *want;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},
        {999, "1970-01-01T00:00:00Z"},
        {1000, "1970-01-01T00:00:01Z"},
        {951782400000, "2000-02-29T00:00:00Z"},
        {1709251199999, "2024-02-29T23:59:59Z"},
        {1771581600123, "2026-02-20T10:00:00Z"},
        {4102444799999, "2099-12-31T23:59:59Z"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text out = text_new(ctx->arena, 256);
        const char *want = arena_printf(ctx->arena, "{\"ours\":\"%s\",\"theirs\":\"%s\"}",
                                        rows[i].want, rows[i].want);

        ck_assert_int_eq(pg_object(ctx, T_TIME, &out, ARG_TIME(rows[i].ms)), OK);
        ck_assert_str_eq(text_cstr(&out), want);
    }
}
END_TEST

/* --- the role --------------------------------------------------------------------------------- */

static const struct {
    const char *sql;
    bool may;
} role_rows[] = {
    {"CREATE TABLE public.mine (n int)", false},
    {"CREATE VIEW public.mine AS SELECT 1", false},
    {"CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql RETURN 1", false},
    {"CREATE SEQUENCE public.mine", false},
    {"CREATE INDEX ON orders (notes)", false},
    {"CREATE ROLE mine", false},
    {"ALTER TABLE orders ADD COLUMN mine int", false},
    {"ALTER TABLE order_events DISABLE TRIGGER ALL", false},
    {"ALTER ROLE soko_app SUPERUSER", false},
    {"DROP TABLE reviews", false},
    {"DROP VIEW product_view", false},
    {"DROP FUNCTION money_text(bigint, text)", false},
    {"TRUNCATE outbox", false},
    {"SET ROLE soko_owner", false},
    {"UPDATE order_events SET event = 'forged'", false},
    {"DELETE FROM order_events", false},
    {"UPDATE provider_events SET event_id = 'forged'", false},
    {"DELETE FROM provider_events", false},
    {"UPDATE ledger_transactions SET kind = 'forged'", false},
    {"DELETE FROM ledger_transactions", false},
    {"UPDATE ledger_entries SET amount = 1", false},
    {"DELETE FROM ledger_entries", false},
    {"TRUNCATE ledger_entries", false},
    {"ALTER TABLE ledger_entries DISABLE TRIGGER ALL", false},
    {"INSERT INTO schema_migrations VALUES (9999, 'mine', '')", false},
    {"UPDATE schema_migrations SET checksum = ''", false},
    {"DELETE FROM schema_migrations", false},
    {"COPY orders TO PROGRAM 'cat'", false},
    {"SELECT pg_read_file('PG_VERSION')", false},
    {"SELECT count(*) FROM order_events", true},
    {"SELECT count(*) FROM schema_migrations", true},
    {"UPDATE orders SET notes = notes WHERE false", true},
    {"DELETE FROM outbox WHERE false", true},
};

START_TEST(the_role_has_its_bounds)
{
    const char *why = "";
    int log = log_capture();

    enum err e = pg_script(ctx, role_rows[_i].sql, &why);
    log_captured(log);
    ck_assert_msg((e == OK) == role_rows[_i].may, "%s: %s", role_rows[_i].sql, why);
    if (e != OK)
        ck_assert_msg(strstr(why, "permission denied") != NULL || strstr(why, "must be ") != NULL,
                      "%s: refused for another reason: %s", role_rows[_i].sql, why);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("sql");
    TCase *t = tcase_create("sql");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, every_statement_prepares);
    tcase_add_test(t, replies_have_the_columns_of_their_schema);
    tcase_add_test(t, schemas_are_sound);
    tcase_add_test(t, money_is_written_alike);
    tcase_add_test(t, times_are_written_alike);
    tcase_add_loop_test(t, the_role_has_its_bounds, 0,
                        (int)(sizeof(role_rows) / sizeof(role_rows[0])));
    suite_add_tcase(s, t);
    return run_suite(s);
}
