/*
 * base/fields: a struct described once.
 *
 * A row of `FIELD(struct cart_item_in, quantity, .min = 1, .max = 999, ...)` says everything about
 * one member: its JSON name is the member's name, its kind follows from the member's C type, so
 * that the two cannot disagree. From such a table come the reading of a JSON body and of a query
 * string with all errors at once, the reading of a database row, and the OpenAPI schema.
 *
 * An input struct begins with `uint64_t sent`: bit i is set when field i was sent, so that PUT
 * changes only what was sent. A field that is `nullable` and was sent as null is zero with its bit
 * set; a number, which may be zero too, is INPUT_NULL.
 */
#ifndef SOKO_BASE_FIELDS_H
#define SOKO_BASE_FIELDS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/money.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INPUT_NULL INT64_MIN

struct input;
struct input_errors;

/* Any JSON value, kept as the text that json-c prints for it. */
struct json_value {
    const char *text;   /* NULL when absent or null */
    bool is_string;     /* whether the value is a JSON string */
    const char *string; /* its content when it is a string, else NULL */
};

/* A JSON list of objects, each read by `field.items`. */
struct list_value {
    void *items; /* array of the item's struct */
    size_t count;
};

/* Some of the words of `field.one_of`, from a JSON list of strings: bit i is the i-th word. */
struct word_set {
    uint64_t bits;
};

enum field_kind {
    KIND_NONE = 0,
    KIND_TEXT,    /* const char * */
    KIND_INT,     /* int64_t */
    KIND_BOOL,    /* bool */
    KIND_ID,      /* struct uuid */
    KIND_DECIMAL, /* struct decimal: a string or a number in JSON */
    KIND_JSON,    /* struct json_value: a string or an object */
    KIND_WORDS,   /* struct word_set: a list of words, each of one_of, none twice */
    KIND_LIST     /* struct list_value */
};

enum field_format {
    FORMAT_PLAIN = 0,
    FORMAT_EMAIL,    /* ASCII with one @, a dot in the domain, no blanks and none of <>()[],;:\",
                        at most 254; made lower case */
    FORMAT_PHONE,    /* made canonical by phone_normalise */
    FORMAT_USERNAME, /* 3-32 of a-z 0-9 . _ -, begins with a letter; made lower case */
    FORMAT_CURRENCY, /* one that money_scale knows */
    FORMAT_TIME,     /* what clock_parse reads */
    FORMAT_SECRET    /* a password: never trimmed, never an example, never logged */
};

struct field {
    const char *name;
    enum field_kind kind;
    size_t at; /* offset in the struct */
    /* What a client must keep to. */
    bool required;
    bool nullable;
    int64_t min, max;   /* KIND_TEXT: characters after trimming; KIND_INT: value; KIND_LIST: items;
                           KIND_JSON: characters of a string (untrimmed), and max alone: bytes of
                           an object; max 0 is 255 for text, 100 for lists, 4096 for an object,
                           none for numbers; min 0 refuses negative numbers */
    const char *one_of; /* "asc|desc": the only words allowed */
    enum field_format format;
    const struct input *items; /* KIND_LIST: of what */
    /* What a reader of the documentation sees. */
    const char *eg;  /* an example, as JSON for KIND_JSON and KIND_LIST, else bare */
    const char *doc; /* one sentence */
};

#define FIELD_KIND(member)                                                                         \
    _Generic((member),                                                                             \
        const char *: KIND_TEXT,                                                                   \
        int64_t: KIND_INT,                                                                         \
        bool: KIND_BOOL,                                                                           \
        struct uuid: KIND_ID,                                                                      \
        struct decimal: KIND_DECIMAL,                                                              \
        struct json_value: KIND_JSON,                                                              \
        struct word_set: KIND_WORDS,                                                              \
        struct list_value: KIND_LIST)

#define FIELD(type, member, ...)                                                                   \
    {                                                                                              \
        .name = #member, .kind = FIELD_KIND(((type *)0)->member), .at = offsetof(type, member),    \
        __VA_ARGS__                                                                                \
    }

/* A table of fields, and what no single field can say. At most 64 fields. */
struct input {
    const char *name; /* of the schema in the OpenAPI document: "CartItemInput" */
    size_t size;      /* of the struct */
    const struct field *fields;
    size_t count;
    /* Rules between fields, or NULL. Runs even when fields failed, so that all errors are told at
     * once; input_reject() puts its findings in the order of the table. */
    void (*check)(struct input_errors *errors, const void *in);
};

/* INPUT(cart_item_in, "CartItemInput", check) for `static const struct field cart_item_in_fields[]`
 * and `struct cart_item_in`. */
#define INPUT(type, schema, checker)                                                               \
    {                                                                                              \
        .name = (schema), .size = sizeof(struct type), .fields = type##_fields,                    \
        .count = sizeof(type##_fields) / sizeof(type##_fields[0]), .check = (checker)              \
    }

/* Whether field `name` of `in` (a struct described by `table`) was sent. Aborts if the table has no
 * such field. */
bool input_sent(const struct input *table, const void *in, const char *name);

/* For `check`: refuses field `name`. The first refusal of a field is kept. Aborts if the table has
 * no such field. input_refused says whether a field is refused already. */
void input_reject(struct input_errors *errors, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool input_refused(const struct input_errors *errors, const char *name);

/* Reads a JSON object into a new struct in the arena. ERR_VALIDATION after adding a problem for
 * each field that fails, in the order of the table, then for each unknown member in the order sent;
 * after a hundred it stops counting. A list's parts are named "items[2].quantity".
 * Text is trimmed of blanks at both ends, except FORMAT_SECRET, and must not be empty if
 * required. */
enum err input_from_json(struct arena *a, struct problems *list, const struct input *table,
                         struct json_object *body, void **out);

/* The same from a query string (application/x-www-form-urlencoded: '+' is a blank). An empty value
 * counts as not sent. A name that appears twice is refused. Aborts if the table has a KIND_JSON or
 * KIND_LIST: a query cannot say them. */
enum err input_from_query(struct arena *a, struct problems *list, const struct input *table,
                          const char *query, void **out);

/* A text by the name of its field, as a column of a CSV file has it. */
struct input_text {
    const char *name, *s; /* `s` is followed by a NUL; it may hold others */
    size_t len;
};

/* The same from such texts, which are read as a query's values are: an empty one counts as not
 * sent. What is no UTF-8 is refused. Aborts if the table has no field of a name. */
enum err input_from_texts(struct arena *a, struct problems *list, const struct input *table,
                          const struct input_text *texts, size_t count, void **out);

#endif
