/*
 * The document is printed from the tables and from nothing else, so it cannot lag behind. It is
 * made once, at build or start, by sokoctl: speed does not matter here, order does, so that two
 * prints of one tree are the same bytes.
 */
#include "openapi.h"
#include "base/text.h"
#include "route_facts.h"
#include "shop/accounts/keys.h"

#include <string.h>

#define DOCUMENT_MAX ((size_t)16 << 20)
#define SCHEMAS_MAX 128

/* --- schemas ---------------------------------------------------------------------------------- */

/* "a|b" as ["a","b"]. */
static void
write_words(struct text *t, const char *words)
{
    text_putc(t, '[');
    while (*words != '\0') {
        size_t n = strcspn(words, "|");
        text_comma(t);
        text_json_n(t, words, n);
        words += n + (words[n] == '|');
    }
    text_putc(t, ']');
}

/* "type":"string", or "type":["string","null"]. */
static void
write_type(struct text *t, const char *type, bool nullable)
{
    text_key(t, "type");
    if (nullable)
        text_putc(t, '[');
    text_json(t, type);
    if (nullable)
        text_puts(t, ",\"null\"]");
}

static void
write_ref(struct text *t, const char *schema)
{
    text_key(t, "$ref");
    text_printf(t, "\"#/components/schemas/%s\"", schema);
}

/* An example is bare in the table; what is no number or boolean in JSON needs its quotes. */
static void
write_example(struct text *t, const char *eg, bool bare)
{
    if (eg == NULL)
        return;
    text_key(t, "examples");
    text_putc(t, '[');
    if (bare)
        text_puts(t, eg);
    else
        text_json(t, eg);
    text_putc(t, ']');
}

static void
write_field_limits(struct text *t, const struct field *f)
{
    if (f->kind == KIND_TEXT && f->one_of == NULL) {
        text_member_int(t, "minLength", f->min > 0 ? f->min : f->required ? 1 : 0);
        text_member_int(t, "maxLength", f->max > 0 ? f->max : 255);
    }
    if (f->kind == KIND_INT && (f->min != 0 || f->max != 0)) {
        text_member_int(t, "minimum", f->min);
        if (f->max != 0)
            text_member_int(t, "maximum", f->max);
    }
    if (f->kind == KIND_LIST) {
        text_member_int(t, "minItems", f->min);
        text_member_int(t, "maxItems", f->max > 0 ? f->max : 100);
    }
}

static const char *
field_format(const struct field *f)
{
    switch (f->format) {
    case FORMAT_EMAIL:
        return "email";
    case FORMAT_SECRET:
        return "password";
    case FORMAT_TIME: /* a day is accepted too, and "date-time" would deny it */
    case FORMAT_PLAIN:
    case FORMAT_PHONE:
    case FORMAT_USERNAME:
    case FORMAT_CURRENCY:
        break;
    }
    return f->kind == KIND_ID ? "uuid" : NULL;
}

/* The schema of one input field, as an object. */
static void
write_field(struct text *t, const struct field *f)
{
    static const char *const types[] = {
        [KIND_TEXT] = "string", [KIND_INT] = "integer",    [KIND_BOOL] = "boolean",
        [KIND_ID] = "string",   [KIND_DECIMAL] = "string", [KIND_LIST] = "array",
        [KIND_WORDS] = "array",
    };
    bool bare = f->kind == KIND_INT || f->kind == KIND_BOOL || f->kind == KIND_LIST ||
                f->kind == KIND_WORDS || (f->kind == KIND_JSON && f->eg != NULL && f->eg[0] == '{');

    text_putc(t, '{');
    if (f->kind == KIND_JSON)
        text_member_raw(t, "type", "[\"string\",\"object\"]");
    else if (f->kind == KIND_DECIMAL)
        text_member_raw(t, "type", "[\"string\",\"number\"]");
    else
        write_type(t, types[f->kind], f->nullable);
    if (f->kind == KIND_DECIMAL)
        text_member(t, "pattern", "^(0|[1-9][0-9]*)(\\.[0-9]+)?$");
    if (field_format(f) != NULL)
        text_member(t, "format", field_format(f));
    if (f->one_of != NULL && f->kind == KIND_WORDS) {
        text_key(t, "items");
        text_puts(t, "{\"type\":\"string\",\"enum\":");
        write_words(t, f->one_of);
        text_putc(t, '}');
    } else if (f->one_of != NULL) {
        text_key(t, "enum");
        write_words(t, f->one_of);
    }
    if (f->items != NULL) {
        text_key(t, "items");
        text_putc(t, '{');
        write_ref(t, f->items->name);
        text_putc(t, '}');
    }
    write_field_limits(t, f);
    text_member(t, "description", f->doc);
    write_example(t, f->eg, bare);
    text_putc(t, '}');
}

static void
write_input(struct text *t, const struct input *in)
{
    text_key(t, in->name);
    text_puts(t, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (size_t i = 0; i < in->count; i++) {
        text_key(t, in->fields[i].name);
        write_field(t, &in->fields[i]);
    }
    text_puts(t, "},\"required\":[");
    for (size_t i = 0; i < in->count; i++) {
        if (in->fields[i].required) {
            text_comma(t);
            text_json(t, in->fields[i].name);
        }
    }
    text_puts(t, "]}");
}

/* What the elements of a list of plain texts are. */
static void
write_element(struct text *t, const struct out_field *f)
{
    text_key(t, "items");
    text_putc(t, '{');
    if (f->of != NULL) {
        write_ref(t, f->of->name);
    } else {
        write_type(t, "string", false);
        if (f->one_of != NULL) {
            text_key(t, "enum");
            write_words(t, f->one_of);
        }
    }
    text_putc(t, '}');
}

static void
write_out_words(struct text *t, const struct out_field *f)
{
    if (f->one_of == NULL)
        return;
    text_key(t, "enum");
    write_words(t, f->one_of);
    if (f->nullable) {
        t->len--; /* inside the bracket */
        text_puts(t, ",null]");
    }
}

/* The schema of one member of an answer, as an object. */
static void
write_out_field(struct text *t, const struct out_field *f)
{
    text_putc(t, '{');
    switch (f->kind) {
    case OUT_TEXT:
        write_type(t, "string", f->nullable);
        write_out_words(t, f);
        break;
    case OUT_ID:
        write_type(t, "string", f->nullable);
        text_member(t, "format", "uuid");
        break;
    case OUT_TIME:
        write_type(t, "string", f->nullable);
        text_member(t, "format", "date-time");
        text_member(t, "pattern", "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$");
        break;
    case OUT_MONEY:
        write_type(t, "string", f->nullable);
        text_member(t, "pattern", "^-?(0|[1-9][0-9]*)(\\.[0-9]*[1-9])?$");
        break;
    case OUT_INT:
        write_type(t, "integer", f->nullable);
        break;
    case OUT_NUMBER:
        write_type(t, "number", f->nullable);
        break;
    case OUT_BOOL:
        write_type(t, "boolean", f->nullable);
        break;
    case OUT_JSON:
        text_member_raw(t, "type", "[\"string\",\"object\"]");
        break;
    case OUT_OBJECT:
        if (f->nullable) {
            text_puts(t, "\"anyOf\":[{");
            write_ref(t, f->of->name);
            text_puts(t, "},{\"type\":\"null\"}]");
        } else {
            write_ref(t, f->of->name);
        }
        break;
    case OUT_LIST:
        write_type(t, "array", f->nullable);
        write_element(t, f);
        break;
    }
    text_member(t, "description", f->doc);
    if (f->kind != OUT_LIST)
        write_example(t, f->eg, f->kind == OUT_INT || f->kind == OUT_NUMBER || f->kind == OUT_BOOL);
    text_putc(t, '}');
}

static void
write_output(struct text *t, const struct output *out)
{
    text_key(t, out->name);
    text_puts(t, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (size_t i = 0; i < out->count; i++) {
        text_key(t, out->fields[i].name);
        write_out_field(t, &out->fields[i]);
    }
    text_puts(t, "},\"required\":[");
    for (size_t i = 0; i < out->count; i++) {
        text_comma(t);
        text_json(t, out->fields[i].name);
    }
    text_puts(t, "]}");
}

/* The schemas that were printed; a name is printed once. */
struct printed {
    const char *names[SCHEMAS_MAX];
    size_t count;
};

static bool
first_time(struct printed *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->names[i], name) == 0)
            return false;
    }
    p->names[p->count++] = name;
    return true;
}

static void
write_outputs(struct text *t, struct printed *p, const struct output *out)
{
    if (!first_time(p, out->name))
        return;
    write_output(t, out);
    for (size_t i = 0; i < out->count; i++) {
        if (out->fields[i].of != NULL)
            write_outputs(t, p, out->fields[i].of);
    }
}

static void
write_inputs(struct text *t, struct printed *p, const struct input *in)
{
    if (!first_time(p, in->name))
        return;
    write_input(t, in);
    for (size_t i = 0; i < in->count; i++) {
        if (in->fields[i].items != NULL)
            write_inputs(t, p, in->fields[i].items);
    }
}

static void
write_common_schemas(struct text *t)
{
    text_puts(t,
              "\"Meta\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
              "\"request_id\":{\"type\":\"string\"},"
              "\"timestamp\":{\"type\":\"string\",\"format\":\"date-time\"}},"
              "\"required\":[\"request_id\",\"timestamp\"]},"
              "\"PageMeta\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
              "\"request_id\":{\"type\":\"string\"},"
              "\"timestamp\":{\"type\":\"string\",\"format\":\"date-time\"},"
              "\"pagination\":{\"$ref\":\"#/components/schemas/Pagination\"},"
              "\"facets\":{\"$ref\":\"#/components/schemas/Facets\"}},"
              "\"required\":[\"request_id\",\"timestamp\",\"pagination\"]},"
              "\"Pagination\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
              "\"current_page\":{\"type\":\"integer\"},\"per_page\":{\"type\":\"integer\"},"
              "\"total_items\":{\"type\":\"integer\"},\"total_pages\":{\"type\":\"integer\"},"
              "\"total_is_capped\":{\"type\":\"boolean\"},"
              "\"next_cursor\":{\"type\":\"string\"}},"
              "\"required\":[\"per_page\",\"total_items\",\"total_pages\"]},"
              "\"Errors\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
              "\"errors\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"object\","
              "\"additionalProperties\":false,\"properties\":{"
              "\"code\":{\"type\":\"string\"},\"field\":{\"type\":\"string\"},"
              "\"message\":{\"type\":\"string\"},\"details\":{\"type\":\"object\"}},"
              "\"required\":[\"code\",\"message\"]}},"
              "\"meta\":{\"$ref\":\"#/components/schemas/Meta\"}},"
              "\"required\":[\"errors\",\"meta\"]}");
}

static void
write_components(struct text *t, const struct route *table, size_t count)
{
    struct printed printed = {.count = 0};

    text_key(t, "components");
    text_puts(t, "{\"securitySchemes\":{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\","
                 "\"bearerFormat\":\"JWT\",\"description\":\"The access token of a session\"},"
                 "\"api_key\":{\"type\":\"http\",\"scheme\":\"bearer\","
                 "\"bearerFormat\":\"" KEY_PREFIX "...\",\"description\":\"A key of POST "
                 "/api/v1/api-keys, for machines. It acts in its one role; with scope read it may "
                 "GET alone, and what takes a person refuses it.\"}},\"schemas\":{");
    write_common_schemas(t);
    for (size_t i = 0; i < count; i++) {
        if (table[i].endpoint->in != NULL && table[i].method != GET)
            write_inputs(t, &printed, table[i].endpoint->in);
        if (table[i].endpoint->out != NULL)
            write_outputs(t, &printed, table[i].endpoint->out);
        if (table[i].endpoint->facets != NULL)
            write_outputs(t, &printed, table[i].endpoint->facets);
    }
    text_puts(t, "}}");
}

/* --- paths ------------------------------------------------------------------------------------ */

/* "/products/:id" as "/products/{id}". */
static void
write_template(struct text *t, const char *path)
{
    text_comma(t);
    text_putc(t, '"');
    while (*path != '\0') {
        if (*path == ':') {
            size_t n = strcspn(path, "/");
            text_putc(t, '{');
            text_add(t, path + 1, n - 1);
            text_putc(t, '}');
            path += n;
        } else {
            text_putc(t, *path++);
        }
    }
    text_puts(t, "\":");
}

/* The rest of a parameter of the path. */
static const char *
path_schema(enum id_kind kind)
{
    switch (kind) {
    case ID_NUMBER:
        return ",\"schema\":{\"type\":\"integer\",\"minimum\":1}}";
    case ID_TOKEN:
        return ",\"schema\":{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{64}$\"}}";
    default:
        return ",\"schema\":{\"type\":\"string\",\"format\":\"uuid\"}}";
    }
}

static void
write_parameters(struct text *t, const struct route *r)
{
    text_key(t, "parameters");
    text_putc(t, '[');
    size_t i = 0;
    for (const char *at = strchr(r->path, ':'); at != NULL; at = strchr(at, ':')) {
        size_t n = strcspn(++at, "/");
        text_comma(t);
        text_puts(t, "{\"in\":\"path\",\"required\":true,\"name\":");
        text_json_n(t, at, n);
        text_puts(t, path_schema(r->ids[i++]));
    }
    for (i = 0; r->method == GET && r->endpoint->in != NULL && i < r->endpoint->in->count; i++) {
        const struct field *f = &r->endpoint->in->fields[i];
        text_comma(t);
        text_puts(t, "{\"in\":\"query\"");
        text_member(t, "name", f->name);
        text_member_bool(t, "required", f->required);
        text_member(t, "description", f->doc);
        text_key(t, "schema");
        write_field(t, f);
        text_putc(t, '}');
    }
    if (r->cache == CACHE_PUBLIC) {
        text_comma(t);
        text_puts(t, "{\"in\":\"header\",\"name\":\"If-None-Match\",\"description\":"
                     "\"The ETag of an answer that you hold\",\"schema\":{\"type\":\"string\"}}");
    }
    if (route_takes_key(r)) {
        text_comma(t);
        text_puts(t, "{\"in\":\"header\",\"name\":\"Idempotency-Key\",\"description\":"
                     "\"Makes a repeated request harmless: the first answer is given again\","
                     "\"schema\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":255}}");
    }
    text_putc(t, ']');
}

/* What a provider wants to hear, or the monitoring. */
static void
write_bare_success(struct text *t, const struct route *r)
{
    const struct endpoint *ep = r->endpoint;
    text_printf(t, "\"%d\":{\"description\":\"Heard\",\"content\":{\"%s\":{\"schema\":{",
                route_status(r), ep->type != NULL ? "text/plain" : "application/json");
    if (ep->type != NULL)
        write_type(t, "string", false);
    else
        write_ref(t, ep->out->name);
    text_puts(t, "}}}}");
}

static void
write_success(struct text *t, const struct route *r)
{
    if (r->endpoint->bare) {
        write_bare_success(t, r);
        return;
    }
    text_printf(t,
                "\"%d\":{\"description\":\"Done\",\"content\":{\"application/json\":{\"schema\":"
                "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"data\":{",
                route_status(r));
    if (r->endpoint->shape != SHAPE_OBJECT)
        text_puts(t, "\"type\":\"array\",\"items\":{");
    write_ref(t, r->endpoint->out->name);
    text_puts(t, r->endpoint->shape != SHAPE_OBJECT ? "}}" : "}");
    text_key(t, "meta");
    text_putc(t, '{');
    write_ref(t, r->endpoint->shape == SHAPE_PAGE ? "PageMeta" : "Meta");
    text_puts(t, "}},\"required\":[\"data\",\"meta\"]}}}}");
    if (r->cache == CACHE_PUBLIC)
        text_puts(t, ",\"304\":{\"description\":\"If-None-Match names what it still is\"}");
}

/* One response a status, whose description lists the codes. */
static void
write_responses(struct text *t, const struct route *r)
{
    struct error_list list = route_errors(r);

    text_key(t, "responses");
    text_putc(t, '{');
    write_success(t, r);
    for (int status = 400; status < 600; status++) {
        bool open = false;
        for (size_t i = 0; i < list.count; i++) {
            if (err_status(list.e[i]) != status)
                continue;
            if (!open)
                text_printf(t, ",\"%d\":{\"description\":\"", status);
            text_printf(t, "%s%s", open ? " or " : "", err_code(list.e[i]));
            open = true;
        }
        if (open)
            text_puts(t, "\",\"content\":{\"application/json\":{\"schema\":"
                         "{\"$ref\":\"#/components/schemas/Errors\"}}}}");
    }
    text_putc(t, '}');
}

/* A form with one file. */
static void
write_form(struct text *t, const char *field)
{
    text_key(t, "requestBody");
    text_puts(t, "{\"required\":true,\"content\":{\"multipart/form-data\":{\"schema\":"
                 "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    text_key(t, field);
    text_puts(t, "{\"type\":\"string\",\"format\":\"binary\",\"description\":"
                 "\"A JPEG, PNG or WebP image\"}},\"required\":[");
    text_json(t, field);
    text_puts(t, "]},\"encoding\":{");
    text_key(t, field);
    text_puts(t, "{\"contentType\":\"image/jpeg, image/png, image/webp\"}}}}}");
}

static void
write_operation(struct text *t, const struct route *r)
{
    const struct endpoint *ep = r->endpoint;
    static const char *const words[] = {
        [GET] = "get", [POST] = "post", [PUT] = "put", [DELETE] = "delete"};

    text_key(t, words[r->method]);
    text_putc(t, '{');
    text_member(t, "operationId", ep->name);
    text_key(t, "tags");
    text_putc(t, '[');
    text_json(t, ep->tag);
    text_putc(t, ']');
    text_member(t, "summary", ep->doc);
    text_key(t, "description");
    text_printf(t, "\"Who: %s.%s\"", who_name(r->who),
                who_is_person(r->who) ? " Takes a session; an API key is refused." : "");
    if (r->who != ANYONE)
        text_member_raw(t, "security",
                        who_is_person(r->who) ? "[{\"bearer\":[]}]"
                                              : "[{\"bearer\":[]},{\"api_key\":[]}]");
    write_parameters(t, r);
    if (r->method != GET && ep->in != NULL) {
        text_key(t, "requestBody");
        text_puts(t, "{\"required\":true,\"content\":{\"application/json\":{\"schema\":{");
        write_ref(t, ep->in->name);
        text_puts(t, "}}}}");
    }
    if (ep->raw) {
        text_key(t, "requestBody");
        text_puts(t, "{\"required\":true,\"description\":\"As the provider sends it\","
                     "\"content\":{\"*/*\":{\"schema\":{}}}}");
    }
    if (ep->upload != NULL)
        write_form(t, ep->upload);
    write_responses(t, r);
    text_putc(t, '}');
}

static bool
met_before(const struct route *table, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (strcmp(table[j].path, table[i].path) == 0)
            return true;
    }
    return false;
}

static void
write_paths(struct text *t, const struct route *table, size_t count)
{
    text_key(t, "paths");
    text_putc(t, '{');
    for (size_t i = 0; i < count; i++) {
        if (met_before(table, i))
            continue;
        write_template(t, table[i].path);
        text_putc(t, '{');
        for (size_t j = i; j < count; j++) {
            if (strcmp(table[j].path, table[i].path) == 0)
                write_operation(t, &table[j]);
        }
        text_putc(t, '}');
    }
    text_putc(t, '}');
}

void
openapi_print(FILE *out, const struct route *table, size_t count)
{
    struct arena *a = arena_new();
    struct text t = text_new(a, DOCUMENT_MAX);

    text_puts(&t, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Soko\",\"version\":\"1\","
                  "\"description\":\"The API of the marketplace. Money is a decimal string with a "
                  "currency, times are RFC 3339 in UTC, ids are UUIDs.\"},"
                  "\"servers\":[{\"url\":\"/\"}]");
    write_paths(&t, table, count);
    write_components(&t, table, count);
    text_puts(&t, "}\n");
    fwrite(t.data, 1, t.len, out);
    arena_free(a);
}
