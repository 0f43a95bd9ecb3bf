/*
 * Rows are read as the JSON that the API would answer (pg_array), so that one statement serves
 * people and programs, and money and times are printed in one place. For programs each object is
 * passed on as it is.
 *
 * People's tables are as wide as what stands in them, so all rows are read before the first is
 * printed; programs get theirs page by page, however many there are.
 */
#include "ctl_rows.h"

#include "base/json.h"
#include "base/json_get.h"
#include "io/tx.h"
#include "shop/stmt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define PAGE 500
#define PAGE_BYTES ((size_t)64 << 20)
#define FOR_PEOPLE 100 /* rows, unless they say otherwise */
#define MOST INT64_C(1000000000)
#define COLUMNS_MOST 16
#define DEEPER 4 /* columns, for what lies within */

void
ctl_put(const char *s)
{
    for (const unsigned char *c = (const unsigned char *)s; *c != '\0'; c++) {
        if (c[0] == 0xC2 && c[1] >= 0x80 && c[1] <= 0x9F) {
            putchar('?'); /* U+0080 to U+009F are controls too */
            c++;
        } else {
            putchar(*c < ' ' || *c == 0x7F ? '?' : *c);
        }
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

struct reading {
    int stmt;
    const struct pg_arg *args;
    size_t n;
    bool is_list;
    int64_t limit, offset;
    struct text out;
};

static enum err
read_work(struct ctx *ctx, void *arg)
{
    struct reading *r = arg;
    struct pg_arg args[COLUMNS_MOST];
    size_t n = r->n == 1 && r->args[0].kind == PG_NONE ? 0 : r->n;

    text_clear(&r->out);
    if (!r->is_list)
        return pg_object_args(ctx, r->stmt, &r->out, r->args, r->n);
    memcpy(args, r->args, n * sizeof(args[0]));
    args[n++] = ARG_INT(r->limit);
    args[n++] = ARG_INT(r->offset);
    return pg_array_args(ctx, r->stmt, &r->out, args, n);
}

/* How long the object is that begins at `s`. */
static size_t
object_len(const char *s)
{
    size_t depth = 0;
    bool quoted = false;

    for (size_t i = 0;; i++) {
        if (quoted && s[i] == '\\')
            i++;
        else if (s[i] == '"')
            quoted = !quoted;
        else if (!quoted && (s[i] == '{' || s[i] == '['))
            depth++;
        else if (!quoted && (s[i] == '}' || s[i] == ']') && --depth == 0)
            return i + 1;
        if (s[i] == '\0')
            return i;
    }
}

/* The next object of an array's text; NULL at its end. */
static const char *
next_object(const char **at, size_t *len)
{
    const char *s = strchr(*at, '{');

    if (s == NULL)
        return NULL;
    *len = object_len(s);
    *at = s + *len;
    return s;
}

/* --- tables ----------------------------------------------------------------------------------- */

struct table {
    const char *names[COLUMNS_MOST];
    size_t widths[COLUMNS_MOST];
    size_t columns, count;
    const char **cells; /* row by row */
};

static const char *
cell_text(struct arena *a, struct json_object *row, const char *name)
{
    struct json_object *value = json_get(row, name);
    const char *word = json_get_word(row, name);
    bool yes;

    if (value == NULL)
        return "-";
    if (word != NULL)
        return word;
    if (json_get_bool(row, name, &yes))
        return yes ? "yes" : "no";
    struct text t = text_new(a, PAGE_BYTES);
    for (size_t i = 0; i < json_get_count(value); i++) {
        const char *item = json_get_own_word(json_get_item(value, i));
        text_printf(&t, "%s%s", i > 0 ? "," : "", item != NULL ? item : "...");
    }
    return text_cstr(&t);
}

static void
split_columns(struct arena *a, struct table *t, const char *columns)
{
    while (*columns != '\0' && t->columns < COLUMNS_MOST) {
        size_t len = strcspn(columns, " ");
        t->names[t->columns] = arena_strndup(a, columns, len);
        t->widths[t->columns++] = len;
        columns += len + (columns[len] == ' ');
    }
}

static void
add_row(struct arena *a, struct table *t, const char *object, size_t len)
{
    struct json_object *row = json_get_tree(a, object, len);

    for (size_t i = 0; i < t->columns; i++) {
        const char *cell = cell_text(a, row, t->names[i]);
        size_t width = utf8_length(cell);
        t->cells[t->count * t->columns + i] = cell;
        if (width > t->widths[i])
            t->widths[i] = width;
    }
    t->count++;
}

static void
print_cells(const struct table *t, const char *const *cells)
{
    for (size_t i = 0; i < t->columns; i++) {
        ctl_put(cells[i]);
        if (i + 1 < t->columns)
            printf("%*s", (int)(t->widths[i] - utf8_length(cells[i]) + 2), "");
    }
    putchar('\n');
}

/* --- lists ------------------------------------------------------------------------------------ */

static bool
read_limit(const struct ctl_options *o, int64_t *out)
{
    char *end;

    *out = o->json ? MOST : FOR_PEOPLE;
    if (o->limit == NULL)
        return true;
    *out = strtoll(o->limit, &end, 10);
    if (*end == '\0' && *out > 0 && *out <= MOST)
        return true;
    fprintf(stderr, "sokoctl: --limit: not a number of rows\n");
    return false;
}

/* Reads a page into an arena of its own. */
static enum err
read_page(const struct ctx *ctx, struct arena *a, struct reading *r)
{
    struct ctx page = *ctx;

    page.arena = a;
    r->out = text_new(a, PAGE_BYTES);
    enum err e = tx_read(&page, read_work, r);
    if (e == OK && r->out.overflow)
        e = ERR_INTERNAL;
    if (e != OK)
        ctl_complain(&page, e);
    return e;
}

static int
list_for_programs(struct ctx *ctx, struct reading *r, int64_t most)
{
    int64_t rows = PAGE;

    while (rows == PAGE && r->offset < most) {
        struct arena *a = arena_new();
        const char *object;
        size_t len;

        rows = 0;
        r->limit = most - r->offset < PAGE ? most - r->offset : PAGE;
        if (read_page(ctx, a, r) != OK) {
            arena_free(a);
            return CTL_FAILED;
        }
        const char *at = text_cstr(&r->out);
        for (; (object = next_object(&at, &len)) != NULL; rows++)
            printf("%.*s\n", (int)len, object);
        r->offset += rows;
        arena_free(a);
    }
    return 0;
}

static int
list_for_people(struct ctx *ctx, struct reading *r, int64_t most, const char *columns)
{
    struct arena *a = ctx->arena;
    struct table t = {.columns = 0};
    const char *object;
    size_t len;

    r->limit = most + 1; /* one more tells that there are more */
    if (read_page(ctx, a, r) != OK)
        return CTL_FAILED;
    const char *at = text_cstr(&r->out);
    int64_t rows = 0;
    while (next_object(&at, &len) != NULL)
        rows++;
    split_columns(a, &t, columns);
    t.cells = arena_array(a, (size_t)rows * t.columns, sizeof(*t.cells));
    at = text_cstr(&r->out);
    while ((int64_t)t.count < most && (object = next_object(&at, &len)) != NULL)
        add_row(a, &t, object, len);
    if (t.count > 0)
        print_cells(&t, t.names);
    for (size_t i = 0; i < t.count; i++)
        print_cells(&t, t.cells + i * t.columns);
    if (rows > most)
        fprintf(stderr, "sokoctl: there are more than these %" PRId64 "; --limit N shows N\n",
                most);
    else if (rows == 0)
        fprintf(stderr, "sokoctl: there are none\n");
    return 0;
}

int
ctl_list_args(struct ctx *ctx, const struct ctl_options *o, int stmt, const char *columns,
              const struct pg_arg *args, size_t n)
{
    struct reading r = {.stmt = stmt, .args = args, .n = n, .is_list = true};
    int64_t most;

    if (n + 2 > COLUMNS_MOST)
        abort(); /* ours */
    if (!read_limit(o, &most))
        return EX_USAGE;
    return o->json ? list_for_programs(ctx, &r, most) : list_for_people(ctx, &r, most, columns);
}

/* --- one thing -------------------------------------------------------------------------------- */

static void print_members(struct arena *a, struct json_object *o, int indent);

/* A list of objects, or an object, below its name; anything else behind it. */
static void
print_member(struct arena *a, struct json_object *o, const char *name, struct json_object *value,
             int indent)
{
    bool nested = json_get_is_object(json_get_item(value, 0));

    printf("%*s%s:", indent, "", name);
    if (!nested) {
        putchar(' ');
        ctl_put(cell_text(a, o, name));
    }
    putchar('\n');
    for (size_t i = 0; nested && i < json_get_count(value); i++) {
        if (i > 0)
            putchar('\n');
        print_members(a, json_get_item(value, i), indent + DEEPER);
    }
}

static void
print_members(struct arena *a, struct json_object *o, int indent)
{
    struct json_object *value;
    const char *name;

    for (size_t i = 0; json_get_member(o, i, &name, &value); i++)
        print_member(a, o, name, value, indent);
}

int
ctl_show_args(struct ctx *ctx, const struct ctl_options *o, int stmt, const struct pg_arg *args,
              size_t n)
{
    struct reading r = {.stmt = stmt, .args = args, .n = n};

    if (read_page(ctx, ctx->arena, &r) != OK)
        return CTL_FAILED;
    if (o->json)
        printf("%s\n", text_cstr(&r.out));
    else
        print_members(ctx->arena, json_get_tree(ctx->arena, text_cstr(&r.out), r.out.len), 0);
    return 0;
}

/* --- acting ----------------------------------------------------------------------------------- */

int
ctl_work(struct ctx *ctx, enum err (*work)(struct ctx *ctx, void *arg), void *arg)
{
    enum err e = tx_run(ctx, work, arg);

    if (e == OK)
        return 0;
    ctl_complain(ctx, e);
    return CTL_FAILED;
}

bool
ctl_one_of(const char *name, const char *text, const char *words)
{
    size_t len = text != NULL ? strlen(text) : 0;

    for (const char *w = words; text != NULL && *w != '\0'; w += strspn(w, "|")) {
        size_t n = strcspn(w, "|");
        if (n == len && memcmp(w, text, n) == 0)
            return true;
        w += n;
    }
    if (text == NULL)
        return true;
    fprintf(stderr, "sokoctl: %s: is none of %s\n", name, words);
    return false;
}

bool
ctl_is_sure(const struct ctl_options *o, const char *what)
{
    if (!o->yes)
        fprintf(stderr, "sokoctl: %s; this cannot be undone: say it again with --yes\n", what);
    return o->yes;
}
