/*
 * Design: a reader per question that providers' answers raise, each total: whatever comes, it has
 * an answer, and no caller looks at a type. json_read() has checked grammar, UTF-8 and the length
 * of numbers before, so that an integer always fits, and no string holds a NUL.
 *
 * Rejected: paths ("data.object.id"), which need a parser of their own and save one call a line;
 * and the tables of base/fields, which are for what our clients send: there an unknown member is a
 * fault, here it is next month's version.
 */
#include "base/json_get.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

struct json_object *
json_get_tree(struct arena *a, const void *s, size_t len)
{
    struct problems ignored = {0};
    struct json_object *o = NULL;

    if (len == 0 || json_read(a, &ignored, s, len, &o) != OK)
        return NULL;
    return o;
}

bool
json_get_is_object(struct json_object *v)
{
    return json_object_is_type(v, json_type_object) != 0;
}

struct json_object *
json_get(struct json_object *o, const char *name)
{
    struct json_object *v = NULL;

    if (!json_get_is_object(o) || !json_object_object_get_ex(o, name, &v))
        return NULL;
    return v;
}

const char *
json_get_own_text(struct json_object *v)
{
    return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

const char *
json_get_own_word(struct json_object *v)
{
    const char *s = json_get_own_text(v);

    return s != NULL || v == NULL ? s : json_number_text(v);
}

const char *
json_get_text(struct json_object *o, const char *name)
{
    return json_get_own_text(json_get(o, name));
}

const char *
json_get_word(struct json_object *o, const char *name)
{
    return json_get_own_word(json_get(o, name));
}

bool
json_get_int(struct json_object *o, const char *name, int64_t *out)
{
    struct json_object *v = json_get(o, name);
    const char *s = v == NULL ? NULL : json_number_text(v);

    if (s == NULL)
        return false;
    size_t sign = s[0] == '-', digits = strspn(s + sign, "0123456789");
    if (digits == 0 || digits > JSON_DIGITS_MAX || s[sign + digits] != '\0')
        return false;
    *out = strtoll(s, NULL, 10);
    return true;
}

bool
json_get_bool(struct json_object *o, const char *name, bool *out)
{
    struct json_object *v = json_get(o, name);

    if (!json_object_is_type(v, json_type_boolean))
        return false;
    *out = json_object_get_boolean(v) != 0;
    return true;
}

size_t
json_get_count(struct json_object *v)
{
    if (json_object_is_type(v, json_type_array))
        return json_object_array_length(v);
    return v == NULL ? 0 : 1;
}

struct json_object *
json_get_item(struct json_object *v, size_t i)
{
    if (json_object_is_type(v, json_type_array))
        return i < json_object_array_length(v) ? json_object_array_get_idx(v, i) : NULL;
    return i == 0 ? v : NULL;
}

bool
json_get_member(struct json_object *o, size_t i, const char **name, struct json_object **value)
{
    if (!json_object_is_type(o, json_type_object))
        return false;
    json_object_object_foreach(o, key, v)
    {
        if (i-- == 0) {
            *name = key;
            *value = v;
            return true;
        }
    }
    return false;
}
