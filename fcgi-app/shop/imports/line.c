/*
 * A sku is no must for the API, and one here: together with the store it is the key by which a line
 * finds its product. That, and the path, are all that the table says beyond a product's own rows.
 */
#include "shop/imports/line.h"
#include "base/json.h"
#include "shop/catalog/products.h"

#include <string.h>

#define NAME_MAX_CHARACTERS 255
#define BLANKS " \t\r\n"

const char *const import_columns[] = {
    "store", "category", "sku",   "name",     "description",
    "price", "currency", "stock", "weight_g", "is_active",
};
const size_t import_columns_count = sizeof(import_columns) / sizeof(import_columns[0]);

static const struct field import_in_fields[] = {
    FIELD(struct import_in, store, .required = true, .min = 2, .max = 255),
    FIELD(struct import_in, category, .required = true, .max = 4096),
    PRODUCT_FIELDS(struct import_in),
};

static void
check_line(struct input_errors *errors, const void *body)
{
    const struct import_in *in = body;

    if (in->category != NULL) {
        struct arena *a = arena_new();
        const char *names[IMPORT_DEPTH_MAX];
        size_t count;
        const char *wrong = import_path(a, in->category, names, &count);
        if (wrong != NULL)
            input_reject(errors, "category", "%s", wrong);
        arena_free(a);
    }
    if (in->sku == NULL || in->sku[0] == '\0')
        input_reject(errors, "sku", "is required");
    products_check_price(errors, in->price, in->currency);
}
static const struct input import_in = INPUT(import_in, "ImportLine", check_line);

bool
import_sent(const struct import_line *line, const char *field)
{
    return input_sent(&import_in, line->in, field);
}

enum err
import_header_read(struct arena *a, struct problems *list, const struct csv_record *r,
                   struct import_header *out)
{
    header_read(a, list, r, import_columns, import_columns_count, out);
    for (size_t i = 0; r->fault == NULL && i < import_in.count; i++) {
        const struct field *f = &import_in.fields[i];
        if ((f->required || strcmp(f->name, "sku") == 0) && !header_has(out, f->name))
            header_miss(a, list, f->name);
    }
    return list->first != NULL ? ERR_VALIDATION : OK;
}

/* What both forms end with. */
static void
finish(struct import_line *line, const struct import_in *in)
{
    if (in == NULL)
        return;
    line->currency = in->currency != NULL ? in->currency : PRODUCT_CURRENCY;
    if (money_from_decimal(in->price, line->currency, &line->price)) /* check_line has seen to it */
        line->in = in;
}

/* The sku for the report, as far as it is text. */
static const char *
copy_sku(struct arena *a, const char *s, size_t len)
{
    return len > 0 && len <= 4 * NAME_MAX_CHARACTERS && utf8_valid(s, len)
               ? arena_strndup(a, s, len)
               : NULL;
}

void
import_line_csv(struct arena *a, const struct import_header *header, const struct csv_record *r,
                struct import_line *line)
{
    struct input_text texts[CSV_FIELDS_MAX];
    void *in = NULL;
    bool no_description = false;

    *line = (struct import_line){.number = r->line};
    if (header_fits(a, &line->problems, header, r) != OK)
        return;
    for (size_t i = 0; i < r->count; i++) {
        struct input_text *t = &texts[i];
        *t = (struct input_text){header->names[i], r->fields[i], r->lens[i]};
        if (strcmp(t->name, "sku") == 0)
            line->sku = copy_sku(a, t->s, t->len);
        else if (strcmp(t->name, "weight_g") == 0)
            line->no_weight = t->len == 0;
        else if (strcmp(t->name, "description") == 0)
            no_description = t->len == 0;
        else if (strcmp(t->name, "is_active") == 0)
            t->s = header_truth(t->s);
    }
    if (input_from_texts(a, &line->problems, &import_in, texts, r->count, &in) != OK)
        return;
    if (no_description)
        ((struct import_in *)in)->description = "";
    finish(line, in);
}

void
import_line_json(struct arena *a, const char *s, size_t len, int64_t number,
                 struct import_line *line)
{
    struct json_object *body, *member;
    void *in = NULL;

    *line = (struct import_line){.number = number};
    if (json_read(a, &line->problems, s, len, &body) != OK)
        return;
    if (json_object_is_type(body, json_type_object)) {
        if (json_object_object_get_ex(body, "sku", &member) &&
            json_object_is_type(member, json_type_string))
            line->sku = copy_sku(a, json_object_get_string(member),
                                 (size_t)json_object_get_string_len(member));
        if (json_object_object_get_ex(body, "weight_g", &member) && member == NULL) {
            line->no_weight = true;
            json_object_object_del(body, "weight_g");
        }
    }
    if (input_from_json(a, &line->problems, &import_in, body, &in) == OK)
        finish(line, in);
}

/* Copies one name of a path, up to '>' or the end, without its blanks and escapes. */
static const char *
copy_name(struct arena *a, const char **path)
{
    const char *s = *path + strspn(*path, BLANKS);
    char *out = arena_alloc(a, strlen(s) + 1);
    size_t len = 0;

    for (; *s != '\0' && *s != '>'; s++) {
        if (*s == '\\' && (s[1] == '>' || s[1] == '\\'))
            s++;
        out[len++] = *s;
    }
    while (len > 0 && strchr(BLANKS, out[len - 1]) != NULL)
        len--;
    out[len] = '\0';
    *path = s;
    return out;
}

const char *
import_path(struct arena *a, const char *path, const char **names, size_t *count)
{
    *count = 0;
    for (;;) {
        if (*count == IMPORT_DEPTH_MAX)
            return "has more than 16 levels";
        const char *name = copy_name(a, &path);
        if (name[0] == '\0')
            return "has an empty name";
        if (utf8_length(name) > NAME_MAX_CHARACTERS)
            return "has a name of more than 255 characters";
        names[(*count)++] = name;
        if (*path == '\0')
            return NULL;
        path++;
    }
}
