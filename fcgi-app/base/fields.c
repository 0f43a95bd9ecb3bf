/*
 * Design: both sources end in the same functions. A JSON member and a query parameter are first
 * told apart by what they are (a string, a number's text, null, ...), a `struct raw`, and then read
 * by kind (kinds.c), so that a rule about text or integers exists once.
 *
 * Each object is read in three passes: members by the table, the table's own check, then the
 * report. Refusals are kept per field until the end, because they are told in the order of the
 * table, and a check may add to them. A list's items report into a list of their own, which is
 * hung in at the field's place.
 *
 * Rejected: JSON Schema at run time (a second language for what the struct says already), and
 * stopping at the first fault (API.md promises all of them).
 */
#include "base/fields.h"

#include "base/form.h"
#include "base/json.h"
#include "base/kinds.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MOST 100
#define PROBLEMS_MOST 100 /* of one body; hostile ones could ask for thousands */
#define NAME_SHOWN 64     /* bytes of an unknown name that we repeat */

struct reading {
    struct input_errors *errors;
    const char *prefix; /* "items[2]." or "" */
    size_t *left;       /* problems that may still be told */
};

static void *read_object(struct arena *a, const struct input *table, struct json_object *o,
                         const char *prefix, size_t *left, struct problems *list);

static size_t
find(const struct input *table, const char *name)
{
    size_t i = 0;

    while (i < table->count && strcmp(table->fields[i].name, name) != 0)
        i++;
    return i;
}

static size_t
find_or_abort(const struct input *table, const char *name)
{
    size_t i = find(table, name);

    if (i == table->count)
        abort();
    return i;
}

static bool
read_list(struct reading *r, size_t i, const struct raw *raw, void *to)
{
    struct input_errors *errors = r->errors;
    const struct field *f = &errors->table->fields[i];
    const struct input *of = f->items;
    struct arena *a = errors->arena;

    if (!json_object_is_type(raw->json, json_type_array))
        return kinds_refuse(errors, i, "must be a list");
    struct list_value v = {.count = json_object_array_length(raw->json)};
    if (!kinds_in_range(errors, i, (int64_t)v.count, f->max != 0 ? f->max : LIST_MOST, "item"))
        return false;
    v.items = arena_array(a, v.count, of->size);
    for (size_t k = 0; k < v.count; k++) {
        struct json_object *item = json_object_array_get_idx(raw->json, k);
        const char *name = arena_printf(a, "%s%s[%zu]", r->prefix, f->name, k);

        if (json_object_is_type(item, json_type_object)) {
            const char *prefix = arena_printf(a, "%s.", name);

            memcpy((char *)v.items + k * of->size,
                   read_object(a, of, item, prefix, r->left, &errors->items[i]), of->size);
        } else if (*r->left > 0) {
            --*r->left;
            problems_add(a, &errors->items[i], ERR_VALIDATION, name, NULL, "must be an object");
        }
    }
    memcpy(to, &v, sizeof v);
    return errors->items[i].first == NULL;
}

static void
read_field(struct reading *r, size_t i, const struct raw *raw, void *in)
{
    struct input_errors *errors = r->errors;
    const struct field *f = &errors->table->fields[i];
    void *to = (char *)in + f->at;
    uint64_t sent;

    memcpy(&sent, in, sizeof sent);
    sent |= UINT64_C(1) << i;
    memcpy(in, &sent, sizeof sent);
    if (raw->type == RAW_NULL) {
        if (!f->nullable)
            kinds_refuse(errors, i, "must not be null");
        else if (f->kind == KIND_INT)
            memcpy(to, &(int64_t){INPUT_NULL}, sizeof(int64_t));
        return;
    }
    if (f->kind == KIND_LIST)
        read_list(r, i, raw, to);
    else
        kinds_read(errors, i, raw, to);
}

static struct raw
raw_json(struct json_object *o)
{
    switch (json_object_get_type(o)) {
    case json_type_null:
        return (struct raw){.type = RAW_NULL};
    case json_type_string:
        return (struct raw){.type = RAW_STRING,
                            .s = json_object_get_string(o),
                            .len = (size_t)json_object_get_string_len(o),
                            .json = o};
    case json_type_int:
    case json_type_double: {
        const char *s = json_number_text(o);

        return (struct raw){.type = RAW_NUMBER, .s = s, .len = strlen(s), .json = o};
    }
    case json_type_boolean:
        return (struct raw){.type = RAW_BOOL, .truth = json_object_get_boolean(o), .json = o};
    case json_type_object:
    case json_type_array:
        break;
    }
    return (struct raw){.type = RAW_OTHER, .json = o};
}

static struct input_errors *
errors_new(struct arena *a, const struct input *table)
{
    struct input_errors *errors = arena_alloc(a, sizeof *errors);

    if (table->count > FIELDS_MOST || table->size < sizeof(uint64_t))
        abort();
    errors->arena = a;
    errors->table = table;
    errors->message = arena_array(a, table->count, sizeof errors->message[0]);
    errors->items = arena_array(a, table->count, sizeof errors->items[0]);
    return errors;
}

static void
join(struct problems *list, const struct problems *more)
{
    if (list->last == NULL)
        list->first = more->first;
    else
        list->last->next = more->first;
    list->last = more->last;
}

/* Adds what was found to `list`, in the order of the table. */
static void
report(struct reading *r, struct problems *list, const void *in)
{
    struct input_errors *errors = r->errors;
    const struct input *table = errors->table;

    for (size_t i = 0; i < table->count; i++) {
        const struct field *f = &table->fields[i];

        if (f->required && !input_sent(table, in, f->name))
            kinds_refuse(errors, i, "is required");
    }
    if (table->check != NULL)
        table->check(errors, in);
    for (size_t i = 0; i < table->count; i++) {
        const struct problems *items = &errors->items[i];

        if (items->first != NULL) /* counted when they were found */
            join(list, items);
        if (errors->message[i] != NULL && *r->left > 0) {
            --*r->left;
            problems_add(errors->arena, list, ERR_VALIDATION,
                         arena_printf(errors->arena, "%s%s", r->prefix, table->fields[i].name),
                         NULL, "%s", errors->message[i]);
        }
    }
}

static void
report_unknown(struct reading *r, struct problems *list, const char *name)
{
    size_t len = strlen(name), shown = 0, step;

    if (*r->left == 0)
        return;
    --*r->left;
    while (shown < len && (step = utf8_step(name + shown, len - shown)) != 0 &&
           shown + step <= NAME_SHOWN)
        shown += step;
    problems_add(r->errors->arena, list, ERR_VALIDATION,
                 arena_printf(r->errors->arena, "%s%.*s", r->prefix, (int)shown, name), NULL,
                 "is not a known field");
}

static void *
read_object(struct arena *a, const struct input *table, struct json_object *o, const char *prefix,
            size_t *left, struct problems *list)
{
    struct reading r = {.errors = errors_new(a, table), .prefix = prefix, .left = left};
    void *in = arena_alloc(a, table->size);

    for (size_t i = 0; i < table->count; i++) {
        struct json_object *member;

        if (json_object_object_get_ex(o, table->fields[i].name, &member)) {
            struct raw raw = raw_json(member);

            read_field(&r, i, &raw, in);
        }
    }
    report(&r, list, in);
    json_object_object_foreach(o, name, unused)
    {
        (void)unused;
        if (find(table, name) == table->count)
            report_unknown(&r, list, name);
    }
    return in;
}

/* One "name=value" of a query. */
static void
read_pair(struct reading *r, const char *s, size_t len, uint64_t *seen, void *in,
          struct problems *unknown)
{
    struct input_errors *errors = r->errors;
    const char *equals = memchr(s, '=', len);
    size_t name_len = equals == NULL ? len : (size_t)(equals - s), n, i;
    char *name, *value;
    struct raw raw = {.type = RAW_STRING, .s = ""};

    if (form_decode(errors->arena, s, name_len, &name, &n) != NULL) {
        if (unknown->last == NULL || unknown->last->field != NULL)
            problems_add(errors->arena, unknown, ERR_VALIDATION, NULL, NULL,
                         "the query string has a malformed name");
        return;
    }
    i = find(errors->table, name);
    if (i == errors->table->count) {
        report_unknown(r, unknown, name);
        return;
    }
    const char *fault = NULL;
    if (equals != NULL) {
        fault = form_decode(errors->arena, equals + 1, len - name_len - 1, &value, &raw.len);
        raw.s = value;
    }
    uint64_t bit = UINT64_C(1) << i;
    if ((*seen & bit) != 0)
        kinds_refuse(errors, i, "must be sent once");
    else if (fault != NULL)
        kinds_refuse(errors, i, "%s", fault);
    else if (raw.len != 0)
        read_field(r, i, &raw, in);
    *seen |= bit;
}

/* Aborts if the table has what no text can say. */
static void
only_texts(const struct input *table)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->fields[i].kind == KIND_JSON || table->fields[i].kind == KIND_LIST ||
            table->fields[i].kind == KIND_WORDS)
            abort();
    }
}

bool
input_sent(const struct input *table, const void *in, const char *name)
{
    uint64_t sent;

    memcpy(&sent, in, sizeof sent);
    return (sent >> find_or_abort(table, name) & 1) != 0;
}

void
input_reject(struct input_errors *errors, const char *name, const char *fmt, ...)
{
    size_t i = find_or_abort(errors->table, name);
    va_list ap;

    if (errors->message[i] != NULL || errors->items[i].first != NULL)
        return;
    va_start(ap, fmt);
    errors->message[i] = arena_vprintf(errors->arena, fmt, ap);
    va_end(ap);
}

bool
input_refused(const struct input_errors *errors, const char *name)
{
    size_t i = find_or_abort(errors->table, name);

    return errors->message[i] != NULL || errors->items[i].first != NULL;
}

enum err
input_from_json(struct arena *a, struct problems *list, const struct input *table,
                struct json_object *body, void **out)
{
    struct problems found = {0};
    size_t left = PROBLEMS_MOST;

    if (!json_object_is_type(body, json_type_object))
        return problems_add(a, list, ERR_VALIDATION, NULL, NULL, "the body must be a JSON object");
    void *in = read_object(a, table, body, "", &left, &found);
    if (found.first != NULL) {
        join(list, &found);
        return ERR_VALIDATION;
    }
    *out = in;
    return OK;
}

enum err
input_from_query(struct arena *a, struct problems *list, const struct input *table,
                 const char *query, void **out)
{
    struct problems found = {0}, unknown = {0};
    /* Unknown names have an allowance of their own: they are met before the table is reported. */
    size_t left = FIELDS_MOST, left_unknown = PROBLEMS_MOST - FIELDS_MOST;
    struct reading r = {.errors = errors_new(a, table), .prefix = "", .left = &left_unknown};
    void *in = arena_alloc(a, table->size);
    uint64_t seen = 0;

    only_texts(table);
    for (const char *s = query == NULL ? "" : query; *s != '\0';) {
        size_t len = strcspn(s, "&");

        if (len != 0)
            read_pair(&r, s, len, &seen, in, &unknown);
        s += len + (s[len] == '&');
    }
    r.left = &left;
    report(&r, &found, in);
    if (unknown.first != NULL)
        join(&found, &unknown);
    if (found.first != NULL) {
        join(list, &found);
        return ERR_VALIDATION;
    }
    *out = in;
    return OK;
}

enum err
input_from_texts(struct arena *a, struct problems *list, const struct input *table,
                 const struct input_text *texts, size_t count, void **out)
{
    struct problems found = {0};
    size_t left = FIELDS_MOST;
    struct reading r = {.errors = errors_new(a, table), .prefix = "", .left = &left};
    void *in = arena_alloc(a, table->size);

    only_texts(table);
    for (size_t k = 0; k < count; k++) {
        const struct input_text *t = &texts[k];
        struct raw raw = {.type = RAW_STRING, .s = t->s, .len = t->len};
        size_t i = find_or_abort(table, t->name);

        if (memchr(t->s, '\0', t->len) != NULL)
            kinds_refuse(r.errors, i, "contains a control character");
        else if (!utf8_valid(t->s, t->len))
            kinds_refuse(r.errors, i, "is not valid UTF-8");
        else if (t->len != 0)
            read_field(&r, i, &raw, in);
    }
    report(&r, &found, in);
    if (found.first != NULL) {
        join(list, &found);
        return ERR_VALIDATION;
    }
    *out = in;
    return OK;
}
