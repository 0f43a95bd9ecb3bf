/*
 * base/json_get: reads members of JSON that somebody else made: tolerant of what is missing or
 * unknown, strict about types.
 *
 * Every reader takes NULL for "no value" and answers with "nothing" for it, so that calls nest
 * without a test between them: json_get_text(json_get(json_get(root, "data"), "object"), "id"). A
 * member that is null is the same as one that is not there. Numbers are read from their text,
 * never through double.
 */
#ifndef SOKO_BASE_JSON_GET_H
#define SOKO_BASE_JSON_GET_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

/* What `len` bytes hold, by json_read()'s grammar; owned by the arena. NULL if it is not JSON, or
 * null. `s` may hold NUL bytes (which are refused), and be NULL if `len` is 0. */
struct json_object *json_get_tree(struct arena *a, const void *s, size_t len);

/* The member `name` of an object, of any type; NULL if `o` is no object or has none. */
struct json_object *json_get(struct json_object *o, const char *name);

/* The member's text if it is a string, also an empty one; else NULL. Lives as long as the tree. */
const char *json_get_text(struct json_object *o, const char *name);

/* The member's text if it is a string, or a number as it was written; else NULL. For those who
 * write "0" today and 0 tomorrow. */
const char *json_get_word(struct json_object *o, const char *name);

/* The member if it is a number without fraction and exponent; else false, and *out alone. */
bool json_get_int(struct json_object *o, const char *name, int64_t *out);

/* The member if it is true or false; else false, and *out alone. */
bool json_get_bool(struct json_object *o, const char *name, bool *out);

/* The same readers for a value itself. */
const char *json_get_own_text(struct json_object *v);
const char *json_get_own_word(struct json_object *v);

bool json_get_is_object(struct json_object *v);

/* The i-th member of an object, in the order in which they were written; *value is NULL for null.
 * False beyond its end, or if `o` is no object. */
bool json_get_member(struct json_object *o, size_t i, const char **name,
                     struct json_object **value);

/* How many values a list has. What is no list counts as a list of itself, for those who leave the
 * brackets out if there is but one; NULL is an empty one. */
size_t json_get_count(struct json_object *v);

/* The i-th value of such a list; NULL beyond its end. */
struct json_object *json_get_item(struct json_object *v, size_t i);

#endif
