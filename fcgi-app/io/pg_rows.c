/*
 * io/pg_rows: rows as structs.
 *
 * The table of an input struct says where each member lies, so it serves for rows as well; of a
 * field only name, kind and place are used. Columns are looked up by name once a call. Text is not
 * copied: members point into the result, which the arena releases.
 */
#include "io/pg_private.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 64

static void
release(void *r)
{
    PQclear(r);
}

static enum err
mistaken(const struct pg *pg, int stmt, const char *column, const char *what)
{
    log_event(LOG_ERROR, EVENT("pg.rows"), TEXT("db.operation", pg_stmt_name(pg, stmt)),
              TEXT("db.column", column), TEXT("error.message", what));
    return ERR_INTERNAL;
}

bool
pg_int_parse(const char *s, int64_t *out)
{
    bool negative = *s == '-';
    int64_t n = 0;

    s += negative ? 1 : 0;
    if (*s == '\0')
        return false;
    for (; *s != '\0'; s++) {
        if (*s < '0' || *s > '9' || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_sub_overflow(n, *s - '0', &n)) /* downwards: INT64_MIN has no opposite */
            return false;
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, n, &n))
        return false;
    *out = n;
    return true;
}

/* Reads exactly `n` digits. */
static bool
digits(const char **s, int n, int64_t *out)
{
    *out = 0;
    for (int i = 0; i < n; i++, (*s)++) {
        if (**s < '0' || **s > '9')
            return false;
        *out = *out * 10 + (**s - '0');
    }
    return true;
}

static bool
skip(const char **s, char c)
{
    return *(*s)++ == c;
}

/* Days since 1970-01-01 in the Gregorian calendar: years begin in March, so that the leap day is
 * the last, and 400 years have 146,097 days. */
static int64_t
days_since_epoch(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2 ? 1 : 0;
    int64_t era = year / 400, of_era = year % 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

bool
pg_time_parse(const char *s, int64_t *ms)
{
    int64_t year, month, day, hour, minute, second, fraction = 0;

    if (!digits(&s, 4, &year) || !skip(&s, '-') || !digits(&s, 2, &month) || !skip(&s, '-') ||
        !digits(&s, 2, &day) || !skip(&s, ' ') || !digits(&s, 2, &hour) || !skip(&s, ':') ||
        !digits(&s, 2, &minute) || !skip(&s, ':') || !digits(&s, 2, &second))
        return false;
    if (*s == '.') {
        int64_t unit = 100;
        for (s++; *s >= '0' && *s <= '9'; s++, unit /= 10)
            fraction += unit * (*s - '0');
    }
    if (strcmp(s, "+00") != 0)
        return false;
    *ms = (((days_since_epoch(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000 +
          fraction;
    return true;
}

/* Whether a column of this type can be read into a member of that kind. */
static bool
fits(enum field_kind kind, enum column_kind type)
{
    switch (kind) {
    case KIND_TEXT:
        return true;
    case KIND_INT: /* sum() of int8 is numeric; a fraction is found at the value */
        return type == COLUMN_INT || type == COLUMN_TIME || type == COLUMN_NUMBER;
    case KIND_BOOL:
        return type == COLUMN_BOOL;
    case KIND_ID:
        return type == COLUMN_ID;
    case KIND_JSON:
        return type == COLUMN_JSON;
    case KIND_NONE:
    case KIND_DECIMAL:
    case KIND_WORDS:
    case KIND_LIST:
        break;
    }
    return false;
}

static enum err
find_columns(const struct pg *pg, int stmt, const struct input *table, int columns[FIELDS_MAX])
{
    const struct pg_plan *plan = &pg->plans[stmt];

    if (table->count > FIELDS_MAX)
        pg_die(table->name, "too many fields");
    for (size_t f = 0; f < table->count; f++) {
        const struct field *field = &table->fields[f];
        if (field->kind == KIND_DECIMAL || field->kind == KIND_LIST || field->kind == KIND_WORDS ||
            field->kind == KIND_NONE)
            pg_die(pg_stmt_name(pg, stmt), "no row can be read into a decimal or a list");
        columns[f] = -1;
        for (int c = 0; c < plan->columns && columns[f] < 0; c++)
            if (strcmp(plan->column[c].name, field->name) == 0)
                columns[f] = c;
        if (columns[f] < 0)
            return mistaken(pg, stmt, field->name, "the statement returns no such column");
        if (!fits(field->kind, plan->column[columns[f]].type))
            return mistaken(pg, stmt, field->name, "the column's type does not fit the member");
    }
    return OK;
}

static struct json_value
json_value(struct arena *a, const char *text)
{
    struct json_value v = {.text = text, .is_string = text[0] == '"'};

    if (v.is_string) {
        struct json_object *o = json_tokener_parse(text);
        v.string = arena_strdup(a, o == NULL ? "" : json_object_get_string(o));
        json_object_put(o);
    }
    return v;
}

/* False if the value cannot be read. */
static bool
read_value(struct arena *a, enum field_kind kind, enum column_kind type, const char *s, void *to)
{
    struct json_value json;
    const char *text = s;
    struct uuid id;
    int64_t n;
    bool yes = s[0] == 't';

    switch (kind) {
    case KIND_TEXT:
        memcpy(to, &text, sizeof text);
        return true;
    case KIND_INT:
        if (type == COLUMN_TIME ? !pg_time_parse(s, &n) : !pg_int_parse(s, &n))
            return false;
        memcpy(to, &n, sizeof n);
        return true;
    case KIND_BOOL:
        memcpy(to, &yes, sizeof yes);
        return true;
    case KIND_ID:
        if (!uuid_parse(s, strlen(s), &id))
            return false;
        memcpy(to, &id, sizeof id);
        return true;
    case KIND_JSON:
        json = json_value(a, s);
        memcpy(to, &json, sizeof json);
        return true;
    case KIND_NONE:
    case KIND_DECIMAL:
    case KIND_WORDS:
    case KIND_LIST:
        break;
    }
    return false;
}

static enum err
read_row(struct ctx *ctx, int stmt, const struct input *table, const int *columns,
         const PGresult *r, int row, void *to)
{
    const struct pg_plan *plan = &ctx->pg->plans[stmt];

    for (size_t f = 0; f < table->count; f++) {
        const struct field *field = &table->fields[f];
        int c = columns[f];
        if (!PQgetisnull(r, row, c) && !read_value(ctx->arena, field->kind, plan->column[c].type,
                                                   PQgetvalue(r, row, c), (char *)to + field->at))
            return mistaken(ctx->pg, stmt, field->name, "the value does not fit the member");
    }
    return OK;
}

/* Runs the statement; on OK *r belongs to the arena. */
static enum err
ask_rows(struct ctx *ctx, int stmt, const struct input *table, const struct pg_arg *args, size_t n,
         PGresult **r, int columns[FIELDS_MAX])
{
    enum err e = pg_ask(ctx, stmt, USE_ROWS, r, args, n);

    if (e != OK)
        return e;
    arena_defer(ctx->arena, release, *r);
    return find_columns(ctx->pg, stmt, table, columns);
}

enum err
pg_one_args(struct ctx *ctx, int stmt, const struct input *table, void *row,
            const struct pg_arg *args, size_t n)
{
    int columns[FIELDS_MAX];
    PGresult *r = NULL;

    memset(row, 0, table->size);
    enum err e = ask_rows(ctx, stmt, table, args, n, &r, columns);
    if (e != OK)
        return e;
    return PQntuples(r) == 0 ? ERR_NOT_FOUND : read_row(ctx, stmt, table, columns, r, 0, row);
}

enum err
pg_all_args(struct ctx *ctx, int stmt, const struct input *table, void **rows, size_t *count,
            const struct pg_arg *args, size_t n)
{
    int columns[FIELDS_MAX];
    PGresult *r = NULL;

    *rows = NULL;
    *count = 0;
    enum err e = ask_rows(ctx, stmt, table, args, n, &r, columns);
    if (e != OK)
        return e;
    char *array = arena_array(ctx->arena, (size_t)PQntuples(r), table->size);
    for (int i = 0; i < PQntuples(r) && e == OK; i++)
        e = read_row(ctx, stmt, table, columns, r, i, array + (size_t)i * table->size);
    if (e != OK)
        return e;
    *rows = array;
    *count = (size_t)PQntuples(r);
    return OK;
}
