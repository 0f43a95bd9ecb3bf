/*
 * io/pg_encode: rows as JSON.
 *
 * This is the hot path of every list: a row is printed by one switch over kinds that were resolved
 * at prepare, between keys that were formatted then. PostgreSQL's text form of integers, booleans
 * (by their first letter), json and uuid is JSON's already; only text needs escapes. Measured
 * before: twice the speed of building json-c objects, and of json_agg for lists (DESIGN.md,
 * section 4).
 */
#include "io/pg_private.h"

#include <string.h>

#define DETAILS_MAX 4096
#define DATE_LEN 10 /* 2026-02-20 */
#define TIME_LEN 8  /* 10:00:00 */

/* "2026-02-20 10:00:00.123+00" to "2026-02-20T10:00:00Z". The session's TimeZone is UTC. Anything
 * of another shape (infinity, years beyond 9999) is printed as it is. */
static void
encode_time(struct text *out, const char *s, size_t len)
{
    char t[] = "\"2026-02-20T10:00:00Z\"";

    if (len < DATE_LEN + 1 + TIME_LEN + 3 || s[4] != '-' || s[DATE_LEN] != ' ' ||
        strcmp(s + len - 3, "+00") != 0) {
        text_json_n(out, s, len);
        return;
    }
    memcpy(t + 1, s, DATE_LEN);
    memcpy(t + 1 + DATE_LEN + 1, s + DATE_LEN + 1, TIME_LEN);
    text_add(out, t, sizeof t - 1);
}

static void
encode_money(struct text *out, const struct pg_plan *plan, const PGresult *r, int row,
             const char *value)
{
    char money[MONEY_TEXT_SIZE];
    int64_t minor;

    if (plan->currency < 0 || PQgetisnull(r, row, plan->currency) || !pg_int_parse(value, &minor)) {
        text_add(out, "null", 4);
        return;
    }
    text_putc(out, '"');
    text_puts(out, money_text(minor, PQgetvalue(r, row, plan->currency), money));
    text_putc(out, '"');
}

static void
encode_cell(struct text *out, const struct pg_plan *plan, const PGresult *r, int row, int c)
{
    const char *value = PQgetvalue(r, row, c);
    size_t len = (size_t)PQgetlength(r, row, c);

    if (len == 0 && PQgetisnull(r, row, c)) {
        text_add(out, "null", 4);
        return;
    }
    switch (plan->column[c].kind) {
    case COLUMN_NUMBER: /* NaN and Infinity are no JSON */
        if (strchr("NI", value[value[0] == '-' ? 1 : 0]) != NULL)
            text_add(out, "null", 4);
        else
            text_add(out, value, len);
        return;
    case COLUMN_INT:
    case COLUMN_JSON:
        text_add(out, value, len);
        return;
    case COLUMN_BOOL:
        text_puts(out, value[0] == 't' ? "true" : "false");
        return;
    case COLUMN_TIME:
        encode_time(out, value, len);
        return;
    case COLUMN_ID:
        text_putc(out, '"');
        text_add(out, value, len);
        text_putc(out, '"');
        return;
    case COLUMN_MONEY:
        encode_money(out, plan, r, row, value);
        return;
    case COLUMN_TEXT:
    case COLUMN_HIDDEN:
    case COLUMN__COUNT:
        break;
    }
    text_json_n(out, value, len);
}

void
pg_encode_row(struct text *out, const struct pg_plan *plan, const PGresult *r, int row)
{
    size_t comma = 1; /* to leave out */

    text_putc(out, '{');
    for (int c = 0; c < plan->columns; c++) {
        const struct pg_column *column = &plan->column[c];
        if (column->kind == COLUMN_HIDDEN)
            continue;
        text_add(out, column->key + comma, column->key_len - comma);
        comma = 0;
        encode_cell(out, plan, r, row, c);
    }
    text_putc(out, '}');
}

static void
encode_array(struct text *out, const struct pg_plan *plan, const PGresult *r)
{
    text_putc(out, '[');
    for (int row = 0; row < PQntuples(r) && !out->overflow; row++) {
        if (row > 0)
            text_putc(out, ',');
        pg_encode_row(out, plan, r, row);
    }
    text_putc(out, ']');
}

const char *
pg_encode_details(struct arena *a, const struct pg_plan *plan, const PGresult *r, int row)
{
    struct text out = text_new(a, DETAILS_MAX);
    size_t comma = 1;

    text_putc(&out, '{');
    for (int c = 0; c < plan->columns; c++) {
        const struct pg_column *column = &plan->column[c];
        if (column->kind == COLUMN_HIDDEN || c == plan->field || c == plan->message ||
            PQgetisnull(r, row, c))
            continue;
        text_add(&out, column->key + comma, column->key_len - comma);
        comma = 0;
        encode_cell(&out, plan, r, row, c);
    }
    text_putc(&out, '}');
    return comma == 1 || out.overflow ? NULL : text_cstr(&out);
}

enum err
pg_object_args(struct ctx *ctx, int stmt, struct text *out, const struct pg_arg *args, size_t n)
{
    PGresult *r = NULL;
    enum err e = pg_ask(ctx, stmt, USE_ROWS, &r, args, n);

    if (e != OK)
        return e;
    if (PQntuples(r) == 0)
        e = ERR_NOT_FOUND;
    else
        pg_encode_row(out, &ctx->pg->plans[stmt], r, 0);
    PQclear(r);
    return e;
}

enum err
pg_array_args(struct ctx *ctx, int stmt, struct text *out, const struct pg_arg *args, size_t n)
{
    PGresult *r = NULL;
    enum err e = pg_ask(ctx, stmt, USE_ROWS, &r, args, n);

    if (e != OK)
        return e;
    encode_array(out, &ctx->pg->plans[stmt], r);
    PQclear(r);
    return OK;
}

/* The cursor of the last row, if the list has one. */
static const char *
last_cursor(struct ctx *ctx, const struct pg_plan *plan, const PGresult *rows)
{
    int last = PQntuples(rows) - 1;

    for (int i = 0; last >= 0 && i < plan->columns; i++) {
        if (plan->column[i].kind == COLUMN_HIDDEN && strcmp(plan->column[i].name, "cursor") == 0)
            return arena_strdup(ctx->arena, PQgetvalue(rows, last, i));
    }
    return NULL;
}

enum err
pg_page_args(struct ctx *ctx, int list, int count, struct pg_page *page, struct text *out,
             const struct pg_arg *args, size_t n)
{
    PGresult *rows = NULL, *sum = NULL;

    if (n == 1 && args[0].kind == PG_NONE)
        n = 0;
    struct pg_arg *more = arena_array(ctx->arena, n + 4, sizeof *more);
    size_t m = n;
    memcpy(more, args, n * sizeof *more);
    if (page->keyed) {
        more[m++] = ARG_TEXT(page->after_key);
        more[m++] = ARG_ID_OR_NULL(page->after_id);
    }
    more[m++] = ARG_INT(page->limit);
    more[m++] = ARG_INT(page->offset);
    pg_call_add(ctx, list, USE_ROWS, &rows, more, m);
    enum err e = pg_ask(ctx, count, USE_ROWS, &sum, n > 0 ? args : &ARG_NONE, n > 0 ? n : 1);
    if (e != OK)
        return e;
    if (PQntuples(sum) != 1 || PQnfields(sum) != 1 ||
        !pg_int_parse(PQgetvalue(sum, 0, 0), &page->total))
        pg_die(pg_stmt_name(ctx->pg, count), "a count must return one integer");
    encode_array(out, &ctx->pg->plans[list], rows);
    page->rows = PQntuples(rows);
    page->cursor = last_cursor(ctx, &ctx->pg->plans[list], rows);
    PQclear(rows);
    PQclear(sum);
    return OK;
}
