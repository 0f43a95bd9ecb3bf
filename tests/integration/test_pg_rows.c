/*
 * io/pg: what goes in and what comes out. Every kind of parameter there and back, every kind of
 * column as JSON and as a member of a struct, pages, refused shapes.
 */
#include "pg_fixture.h"

#include "base/json.h"

#include <inttypes.h>

enum {
    TX_ENUM,
    ECHO_TEXT,
    ECHO_INT,
    ECHO_BOOL,
    ECHO_ID,
    ECHO_BYTES,
    ECHO_TIME,
    ECHO_IDS,
    ECHO_INTS,
    ECHO_TEXTS,
    TEXTS_COUNT,
    KINDS,
    NULLS,
    MONEY,
    TIMES,
    SERIES,
    NOTHING,
    NUMBERS,
    LIST,
    LIST_COUNT,
    FRACTION,
    ALL_HIDDEN,
    JSONS,
    THERE_AND_BACK
};

static const struct pg_stmt stmts[] = {
    TX_ROWS,
    {"ECHO_TEXT", "select $1::text as s", 1, false},
    {"ECHO_INT", "select $1::int8::text as s", 1, false},
    {"ECHO_BOOL", "select case when $1::bool then 'yes' else 'no' end as s", 1, false},
    {"ECHO_ID", "select $1::uuid::text as s", 1, false},
    {"ECHO_BYTES", "select encode($1::bytea, 'hex') as s", 1, false},
    {"ECHO_TIME", "select to_char($1::timestamptz, 'YYYY-MM-DD HH24:MI:SS.MS') as s", 1, false},
    {"ECHO_IDS", "select array_to_string($1::uuid[], '|', 'null') as s", 1, false},
    {"ECHO_INTS", "select array_to_string($1::int8[], '|', 'null') as s", 1, false},
    {"ECHO_TEXTS", "select array_to_string($1::text[], '|', 'null') as s", 1, false},
    {"TEXTS_COUNT", "select cardinality($1::text[])::text as s", 1, false},
    {"KINDS",
     "select 7::int2 as i2, -8::int4 as i4, 9223372036854775807::int8 as i8, 12.50::numeric as n,"
     " 0.5::float8 as f8, 1.5::float4 as f4, true as yes, false as no,"
     " '{\"a\": [1, \"x\"]}'::json as j, '{\"b\":null}'::jsonb as jb,"
     " '2026-02-20 10:00:00.987+00'::timestamptz as at,"
     " '01890000-0000-7000-8000-00000000000a'::uuid as id, 'q\"\\/\n\t'::text as s,"
     " 'v'::varchar as v, '2026-02-20'::date as d, '{1,2}'::int[] as arr,"
     " 'a'::\"char\" as c, '1 day'::interval as span, '\\x00ff'::bytea as raw, ''::text as empty",
     0, false},
    {"NULLS",
     "select null::int8 as i, null::text as s, null::bool as b, null::jsonb as j,"
     " null::timestamptz as at, null::uuid as id, null::numeric as n, null::int8 as \"m:money\","
     " 'KES' as currency",
     0, false},
    {"MONEY",
     "select x.m as \"price:money\", x.c as currency, 1 as \"inner:hidden\" from"
     " (values (1, 45000000::int8, 'KES'), (2, 1250, 'KES'), (3, 5, 'USD'), (4, 700, null))"
     " as x(i, m, c) order by x.i",
     0, false},
    {"TIMES",
     "select x.t::timestamptz as t from (values (1, '1969-12-31 23:59:59.5+00'),"
     " (2, '0001-01-01 00:00:00+00'), (3, '9999-12-31 23:59:59.999999+00'),"
     " (4, '2026-02-20 13:00:00+03'), (5, 'infinity'), (6, '0044-03-15 00:00:00+00 BC'),"
     " (7, '10000-01-01 00:00:00+00')) as x(i, t) order by x.i",
     0, false},
    {"SERIES", "select g as n, 'row ' || g as s from generate_series(1, $1::int8) g", 1, false},
    {"NOTHING", "select 1 as n where false", 0, false},
    {"NUMBERS",
     "select 'NaN'::float8 as nan, '-Infinity'::float8 as inf, 'NaN'::numeric as nn,"
     " 1e300::float8 as big, -0.25::numeric as minus",
     0, false},
    {"LIST",
     "select g as n from generate_series(1, 10) g where ($1::int8 is null or g > $1)"
     " order by g limit $2 offset $3",
     3, true},
    {"LIST_COUNT",
     "select count(*) from generate_series(1, 10) g where ($1::int8 is null or g > $1)", 1, true},
    {"FRACTION", "select $1::numeric as n", 1, false},
    {"ALL_HIDDEN", "select 1 as \"n:hidden\", null::text as outcome", 0, false},
    {"JSONS", "select $1::jsonb as j", 1, false},
    {"THERE_AND_BACK", "select $1::timestamptz as t", 1, false},
};

static struct party us;
static struct ctx *ctx;

static void
setup(void)
{
    party_new(&us, STMTS(stmts), NULL);
    ctx = &us.ctx;
}

static void
teardown(void)
{
    party_end(&us);
}

struct one_text {
    uint64_t sent;
    const char *s;
};
static const struct field one_text_fields[] = {FIELD(struct one_text, s)};
static const struct input one_text_in = INPUT(one_text, "OneText", NULL);

static const char *
echo(int stmt, struct pg_arg arg)
{
    struct one_text row;

    ck_assert_int_eq(pg_one_args(ctx, stmt, &one_text_in, &row, &arg, 1), OK);
    return row.s;
}

/* ---- parameters ---- */

static const char *const texts[] = {
    "",
    " ",
    "plain",
    "it's",
    "\"quoted\"",
    "back\\slash \\\" \\\\",
    "{curly,comma}",
    "NULL",
    "null",
    "new\nline\ttab\r",
    "K\xc3\xa4se \xe2\x82\xac \xf0\x9f\x9b\x92",
    "%s $1 ${x}",
    "'; drop table t; --",
    "\x01\x7f",
};
#define TEXTS (sizeof texts / sizeof texts[0])

START_TEST(texts_round_trip)
{
    struct text out = text_new(ctx->arena, 1000);
    struct json_object *o;

    ck_assert_str_eq(echo(ECHO_TEXT, ARG_TEXT(texts[_i])), texts[_i]);
    ck_assert_str_eq(echo(ECHO_TEXTS, ARG_TEXTS(&texts[_i], 1)), texts[_i]);
    ck_assert_int_eq(pg_object(ctx, ECHO_TEXT, &out, ARG_TEXT(texts[_i])), OK);
    ck_assert_int_eq(json_read(ctx->arena, &ctx->problems, out.data, out.len, &o), OK);
    ck_assert_str_eq(json_object_get_string(json_object_object_get(o, "s")), texts[_i]);
}
END_TEST

START_TEST(nulls_are_null)
{
    struct uuid nil = {0};

    ck_assert_ptr_null(echo(ECHO_TEXT, ARG_NULL));
    ck_assert_ptr_null(echo(ECHO_TEXT, ARG_TEXT(NULL)));
    ck_assert_ptr_null(echo(ECHO_ID, ARG_ID_OR_NULL(nil)));
    ck_assert_ptr_null(echo(ECHO_BYTES, ARG_BYTES(NULL, 0)));
    ck_assert_ptr_null(echo(ECHO_INT, ARG_NULL));
}
END_TEST

START_TEST(integers_round_trip)
{
    static const int64_t ints[] = {0, -1, 1, INT64_MIN, INT64_MAX, 1000000};

    for (size_t i = 0; i < 6; i++)
        ck_assert_str_eq(echo(ECHO_INT, ARG_INT(ints[i])),
                         arena_printf(ctx->arena, "%" PRId64, ints[i]));
    ck_assert_str_eq(echo(ECHO_INTS, ARG_INTS(ints, 6)),
                     "0|-1|1|-9223372036854775808|9223372036854775807|1000000");
    ck_assert_str_eq(echo(ECHO_INTS, ARG_INTS(ints, 0)), "");
}
END_TEST

START_TEST(booleans_round_trip)
{
    ck_assert_str_eq(echo(ECHO_BOOL, ARG_BOOL(true)), "yes");
    ck_assert_str_eq(echo(ECHO_BOOL, ARG_BOOL(false)), "no");
    ck_assert_str_eq(echo(ECHO_BOOL, ARG_BOOL(INT64_C(0x100000000))), "yes");
}
END_TEST

START_TEST(ids_round_trip)
{
    struct uuid ids[3];
    char one[UUID_TEXT_SIZE], two[UUID_TEXT_SIZE], three[UUID_TEXT_SIZE];

    for (int i = 0; i < 3; i++)
        ids[i] = uuid_v7(clock_ms());
    uuid_text(ids[0], one);
    uuid_text(ids[1], two);
    uuid_text(ids[2], three);
    ck_assert_str_eq(echo(ECHO_ID, ARG_ID(ids[0])), one);
    ck_assert_str_eq(echo(ECHO_ID, ARG_ID_OR_NULL(ids[1])), two);
    ck_assert_str_eq(echo(ECHO_IDS, ARG_IDS(ids, 3)),
                     arena_printf(ctx->arena, "%s|%s|%s", one, two, three));
    ck_assert_str_eq(echo(ECHO_IDS, ARG_IDS(ids, 0)), "");
}
END_TEST

START_TEST(bytes_round_trip)
{
    ck_assert_str_eq(echo(ECHO_BYTES, ARG_BYTES("\x00\xff\\x41", 5)), "00ff5c7834");
    ck_assert_str_eq(echo(ECHO_BYTES, ARG_BYTES("", 0)), "");
}
END_TEST

START_TEST(times_round_trip)
{
    ck_assert_str_eq(echo(ECHO_TIME, ARG_TIME(1771581600123)), "2026-02-20 10:00:00.123");
    ck_assert_str_eq(echo(ECHO_TIME, ARG_TIME(0)), "1970-01-01 00:00:00.000");
    ck_assert_str_eq(echo(ECHO_TIME, ARG_TIME(-1)), "1969-12-31 23:59:59.999");
}
END_TEST

START_TEST(text_arrays_hold_nulls)
{
    const char *const some[] = {"a", NULL, "NULL", "", "x,y", "q\"\\"};

    ck_assert_str_eq(echo(ECHO_TEXTS, ARG_TEXTS(some, 6)), "a|null|NULL||x,y|q\"\\");
    ck_assert_str_eq(echo(TEXTS_COUNT, ARG_TEXTS(some, 6)), "6");
    ck_assert_str_eq(echo(TEXTS_COUNT, ARG_TEXTS(some, 0)), "0");
}
END_TEST

START_TEST(large_text_round_trips)
{
    size_t len = 3000000;
    char *big = arena_alloc(ctx->arena, len + 1);

    memset(big, 'x', len);
    ck_assert_str_eq(echo(ECHO_TEXT, ARG_TEXT(big)), big);
}
END_TEST

/* ---- JSON ---- */

START_TEST(every_kind_as_json)
{
    struct text out = text_new(ctx->arena, 10000);

    ck_assert_int_eq(pg_object(ctx, KINDS, &out, ARG_NONE), OK);
    ck_assert_str_eq(text_cstr(&out),
                     "{\"i2\":7,\"i4\":-8,\"i8\":9223372036854775807,\"n\":12.50,\"f8\":0.5,"
                     "\"f4\":1.5,\"yes\":true,\"no\":false,\"j\":{\"a\": [1, \"x\"]},"
                     "\"jb\":{\"b\": null},\"at\":\"2026-02-20T10:00:00Z\","
                     "\"id\":\"01890000-0000-7000-8000-00000000000a\","
                     "\"s\":\"q\\\"\\\\/\\n\\t\",\"v\":\"v\",\"d\":\"2026-02-20\","
                     "\"arr\":\"{1,2}\",\"c\":\"a\",\"span\":\"P1D\",\"raw\":\"\\\\x00ff\","
                     "\"empty\":\"\"}");
}
END_TEST

START_TEST(kinds_are_named)
{
    static const char *const names[] = {"int",    "int",  "int",  "number", "number",
                                        "number", "bool", "bool", "json",   "json",
                                        "time",   "id",   "text"};

    ck_assert_int_eq(pg_open(ctx->pg), OK);
    for (int i = 0; i < 13; i++)
        ck_assert_str_eq(pg_column_kind(ctx->pg, KINDS, i), names[i]);
    ck_assert_str_eq(pg_column_kind(ctx->pg, MONEY, 0), "money");
    ck_assert_str_eq(pg_column_name(ctx->pg, MONEY, 0), "price");
    ck_assert_str_eq(pg_column_kind(ctx->pg, MONEY, 2), "hidden");
}
END_TEST

static const struct {
    int stmt;
    const char *json;
} arrays[] = {
    {NULLS, "[{\"i\":null,\"s\":null,\"b\":null,\"j\":null,\"at\":null,\"id\":null,\"n\":null,"
            "\"m\":null,\"currency\":\"KES\"}]"},
    {MONEY,
     "[{\"price\":\"450000\",\"currency\":\"KES\"},{\"price\":\"12.5\",\"currency\":\"KES\"},"
     "{\"price\":\"0.05\",\"currency\":\"USD\"},{\"price\":null,\"currency\":null}]"},
    {TIMES, "[{\"t\":\"1969-12-31T23:59:59Z\"},{\"t\":\"0001-01-01T00:00:00Z\"},"
            "{\"t\":\"9999-12-31T23:59:59Z\"},{\"t\":\"2026-02-20T10:00:00Z\"},"
            "{\"t\":\"infinity\"},{\"t\":\"0044-03-15 00:00:00+00 BC\"},"
            "{\"t\":\"10000-01-01 00:00:00+00\"}]"},
    {NOTHING, "[]"},
    {NUMBERS, "[{\"nan\":null,\"inf\":null,\"nn\":null,\"big\":1e+300,\"minus\":-0.25}]"},
    {ALL_HIDDEN, "[{}]"},
};

START_TEST(arrays_as_json)
{
    struct text out = text_new(ctx->arena, 10000);

    ck_assert_int_eq(pg_array(ctx, arrays[_i].stmt, &out, ARG_NONE), OK);
    ck_assert_str_eq(text_cstr(&out), arrays[_i].json);
}
END_TEST

START_TEST(no_row_is_not_found)
{
    struct text out = text_new(ctx->arena, 10000);
    struct one_text row;

    ck_assert_int_eq(pg_object(ctx, NOTHING, &out, ARG_NONE), ERR_NOT_FOUND);
    ck_assert_uint_eq(out.len, 0);
    ck_assert_int_eq(pg_one(ctx, SERIES, &one_text_in, &row, ARG_INT(0)), ERR_NOT_FOUND);
}
END_TEST

START_TEST(result_is_appended)
{
    struct text out = text_new(ctx->arena, 10000);

    text_puts(&out, "{\"data\":");
    ck_assert_int_eq(pg_array(ctx, SERIES, &out, ARG_INT(2)), OK);
    text_putc(&out, '}');
    ck_assert_str_eq(text_cstr(&out),
                     "{\"data\":[{\"n\":1,\"s\":\"row 1\"},{\"n\":2,\"s\":\"row 2\"}]}");
}
END_TEST

START_TEST(overflow_is_flagged)
{
    struct text out = text_new(ctx->arena, 50);

    ck_assert_int_eq(pg_array(ctx, SERIES, &out, ARG_INT(100000)), OK);
    ck_assert(out.overflow);
    ck_assert_uint_le(out.len, 50);
}
END_TEST

START_TEST(pages)
{
    struct text out = text_new(ctx->arena, 1000);
    struct pg_page first = {.limit = 2, .offset = 1}, beyond = {.limit = 5, .offset = 20};

    ck_assert_int_eq(pg_page(ctx, LIST, LIST_COUNT, &first, &out, ARG_INT(4)), OK);
    ck_assert_str_eq(text_cstr(&out), "[{\"n\":6},{\"n\":7}]");
    ck_assert_int_eq(first.total, 6);
    ck_assert_int_eq(first.rows, 2);
    ck_assert_ptr_null(first.cursor);
    text_clear(&out);
    pg_begin(ctx);
    ck_assert_int_eq(pg_page(ctx, LIST, LIST_COUNT, &beyond, &out, ARG_NULL), OK);
    ck_assert_int_eq(pg_commit(ctx), OK);
    ck_assert_str_eq(text_cstr(&out), "[]");
    ck_assert_int_eq(beyond.total, 10);
}
END_TEST

START_TEST(failed_page_leaves_nothing)
{
    struct text out = text_new(ctx->arena, 1000);
    struct pg_page negative = {.limit = -2}, page = {.limit = 2};

    log_capture();
    ck_assert_int_eq(pg_page(ctx, LIST, LIST_COUNT, &negative, &out, ARG_INT(4)), ERR_INTERNAL);
    ck_assert_int_eq(pg_page(ctx, LIST, LIST_COUNT, &page, &out, ARG_TEXT("x")), ERR_INTERNAL);
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

/* ---- structs ---- */

struct kinds {
    uint64_t sent;
    const char *s;
    int64_t i8, i4;
    bool yes, no;
    struct uuid id;
    struct json_value j;
    int64_t at;
};
static const struct field kinds_fields[] = {
    FIELD(struct kinds, s),   FIELD(struct kinds, i8), FIELD(struct kinds, i4),
    FIELD(struct kinds, yes), FIELD(struct kinds, no), FIELD(struct kinds, id),
    FIELD(struct kinds, j),   FIELD(struct kinds, at),
};
static const struct input kinds_in = INPUT(kinds, "Kinds", NULL);

START_TEST(every_kind_as_member)
{
    struct kinds row;
    char id[UUID_TEXT_SIZE];

    memset(&row, 0xaa, sizeof row);
    ck_assert_int_eq(pg_one(ctx, KINDS, &kinds_in, &row, ARG_NONE), OK);
    ck_assert_str_eq(row.s, "q\"\\/\n\t");
    ck_assert_int_eq(row.i8, INT64_MAX);
    ck_assert_int_eq(row.i4, -8);
    ck_assert(row.yes);
    ck_assert(!row.no);
    ck_assert_str_eq(uuid_text(row.id, id), "01890000-0000-7000-8000-00000000000a");
    ck_assert_str_eq(row.j.text, "{\"a\": [1, \"x\"]}");
    ck_assert(!row.j.is_string);
    ck_assert_int_eq(row.at, 1771581600987);
    ck_assert_uint_eq(row.sent, 0);
}
END_TEST

struct nulls {
    uint64_t sent;
    int64_t i, at;
    const char *s;
    bool b;
    struct json_value j;
    struct uuid id;
};
static const struct field nulls_fields[] = {
    FIELD(struct nulls, i), FIELD(struct nulls, at), FIELD(struct nulls, s),
    FIELD(struct nulls, b), FIELD(struct nulls, j),  FIELD(struct nulls, id),
};
static const struct input nulls_in = INPUT(nulls, "Nulls", NULL);

START_TEST(null_leaves_zero)
{
    static const struct nulls zero;
    struct nulls row;

    memset(&row, 0xaa, sizeof row);
    ck_assert_int_eq(pg_one(ctx, NULLS, &nulls_in, &row, ARG_NONE), OK);
    ck_assert_mem_eq(&row, &zero, sizeof row);
}
END_TEST

struct json_row {
    uint64_t sent;
    struct json_value j;
};
static const struct field json_row_fields[] = {FIELD(struct json_row, j)};
static const struct input json_row_in = INPUT(json_row, "JsonRow", NULL);

START_TEST(json_strings_are_decoded)
{
    struct json_row row;

    ck_assert_int_eq(pg_one(ctx, JSONS, &json_row_in, &row, ARG_TEXT("\"a\\n\\\"\\u00e4\"")), OK);
    ck_assert(row.j.is_string);
    ck_assert_str_eq(row.j.string, "a\n\"\xc3\xa4");
}
END_TEST

struct series {
    uint64_t sent;
    int64_t n;
    const char *s;
};
static const struct field series_fields[] = {FIELD(struct series, s), FIELD(struct series, n)};
static const struct input series_in = INPUT(series, "Series", NULL);

START_TEST(all_rows)
{
    struct series *rows;
    size_t count;

    ck_assert_int_eq(pg_all(ctx, SERIES, &series_in, &rows, &count, ARG_INT(1000)), OK);
    ck_assert_uint_eq(count, 1000);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(rows[i].n, (int64_t)i + 1);
        ck_assert_str_eq(rows[i].s, arena_printf(ctx->arena, "row %zu", i + 1));
    }
    ck_assert_int_eq(pg_all(ctx, SERIES, &series_in, &rows, &count, ARG_INT(0)), OK);
    ck_assert_uint_eq(count, 0);
}
END_TEST

struct one_int {
    uint64_t sent;
    int64_t n;
};
static const struct field one_int_fields[] = {FIELD(struct one_int, n)};
static const struct input one_int_in = INPUT(one_int, "OneInt", NULL);

struct time_row {
    uint64_t sent;
    int64_t t;
};
static const struct field time_row_fields[] = {FIELD(struct time_row, t)};
static const struct input time_row_in = INPUT(time_row, "TimeRow", NULL);

struct time_text {
    uint64_t sent;
    const char *at;
};
static const struct field time_text_fields[] = {FIELD(struct time_text, at)};
static const struct input time_text_in = INPUT(time_text, "TimeText", NULL);

START_TEST(values_that_do_not_fit)
{
    struct one_int row;
    struct time_row *times;
    struct time_text at;
    size_t count;

    log_capture();
    ck_assert_int_eq(pg_one(ctx, FRACTION, &one_int_in, &row, ARG_INT(12)), OK);
    ck_assert_int_eq(row.n, 12);
    ck_assert_int_eq(pg_one(ctx, FRACTION, &one_int_in, &row, ARG_TEXT("-9223372036854775808")),
                     OK);
    ck_assert_int_eq(row.n, INT64_MIN);
    ck_assert_int_eq(pg_one(ctx, FRACTION, &one_int_in, &row, ARG_TEXT("12.5")), ERR_INTERNAL);
    ck_assert_int_eq(pg_one(ctx, FRACTION, &one_int_in, &row, ARG_TEXT("9223372036854775808")),
                     ERR_INTERNAL);
    ck_assert_int_eq(pg_all(ctx, TIMES, &time_row_in, &times, &count, ARG_NONE), ERR_INTERNAL);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(pg_one(ctx, TIMES, &time_row_in, &row, ARG_NONE), OK);
    ck_assert_int_eq(row.n, -500);
    ck_assert_int_eq(pg_one(ctx, KINDS, &time_text_in, &at, ARG_NONE), OK);
    ck_assert_str_eq(at.at, "2026-02-20 10:00:00.987+00");
}
END_TEST

START_TEST(missing_or_unfit_column_is_our_fault)
{
    struct one_int row;
    struct kinds kinds;
    int log = log_capture();

    ck_assert_int_eq(pg_one(ctx, ECHO_TEXT, &one_int_in, &row, ARG_TEXT("x")), ERR_INTERNAL);
    ck_assert_int_eq(pg_one(ctx, ECHO_TEXT, &kinds_in, &kinds, ARG_TEXT("x")), ERR_INTERNAL);
    const char *said = log_captured(log);
    ck_assert_ptr_nonnull(strstr(said, "no such column"));
    ck_assert_ptr_nonnull(strstr(said, "ECHO_TEXT"));
}
END_TEST

/* clock.c writes the parameter, the server understands it, pg_rows.c reads it back. */
START_TEST(times_agree_with_the_server)
{
    struct time_row row;

    for (int64_t day = -700000; day < 2900000; day += 9973) {
        int64_t ms = day * 86400000 + 12345678;
        ck_assert_int_eq(pg_one(ctx, THERE_AND_BACK, &time_row_in, &row, ARG_TIME(ms)), OK);
        ck_assert_int_eq(row.t, ms);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("pg_rows");
    TCase *t = tcase_create("pg_rows");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, texts_round_trip, 0, (int)TEXTS);
    tcase_add_test(t, nulls_are_null);
    tcase_add_test(t, integers_round_trip);
    tcase_add_test(t, booleans_round_trip);
    tcase_add_test(t, ids_round_trip);
    tcase_add_test(t, bytes_round_trip);
    tcase_add_test(t, times_round_trip);
    tcase_add_test(t, text_arrays_hold_nulls);
    tcase_add_test(t, large_text_round_trips);
    tcase_add_test(t, every_kind_as_json);
    tcase_add_test(t, kinds_are_named);
    tcase_add_loop_test(t, arrays_as_json, 0, (int)(sizeof arrays / sizeof arrays[0]));
    tcase_add_test(t, no_row_is_not_found);
    tcase_add_test(t, result_is_appended);
    tcase_add_test(t, overflow_is_flagged);
    tcase_add_test(t, pages);
    tcase_add_test(t, failed_page_leaves_nothing);
    tcase_add_test(t, every_kind_as_member);
    tcase_add_test(t, null_leaves_zero);
    tcase_add_test(t, json_strings_are_decoded);
    tcase_add_test(t, all_rows);
    tcase_add_test(t, values_that_do_not_fit);
    tcase_add_test(t, missing_or_unfit_column_is_our_fault);
    tcase_add_test(t, times_agree_with_the_server);
    suite_add_tcase(s, t);
    return run_suite(s);
}
