/*
 * base/kinds: one value for one field, for fields.c alone; everybody else includes base/fields.h.
 */
#ifndef SOKO_BASE_KINDS_H
#define SOKO_BASE_KINDS_H

#include "base/fields.h"

#define FIELDS_MOST 64

/* What is wrong with one object so far. */
struct input_errors {
    struct arena *arena;
    const struct input *table;
    const char **message;   /* one a field; NULL: not refused */
    struct problems *items; /* one a field: what its list holds */
};

/* A value before its kind is applied, whether it came from JSON or from a query string. */
struct raw {
    enum { RAW_NULL, RAW_STRING, RAW_NUMBER, RAW_BOOL, RAW_OTHER } type;
    const char *s; /* RAW_STRING, RAW_NUMBER; NUL-terminated */
    size_t len;
    bool truth;               /* RAW_BOOL */
    struct json_object *json; /* NULL for a query, which has strings only */
};

/* Refuses field `i` of the table, unless it is refused already. Always false. */
bool kinds_refuse(struct input_errors *errors, size_t i, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Refuses field `i` unless `n` of a thing ("item") lies between its min and `max`. */
bool kinds_in_range(struct input_errors *errors, size_t i, int64_t n, int64_t max,
                    const char *thing);

/* Reads a value of any kind but KIND_LIST into the member at `to`, or refuses field `i` and leaves
 * `to` alone. Aborts for KIND_LIST and KIND_NONE. */
void kinds_read(struct input_errors *errors, size_t i, const struct raw *raw, void *to);

#endif
