/*
 * io/pg_args: parameters in text form.
 *
 * Text, not binary: the server infers the type of $n from the statement, so that a caller need not
 * say whether an integer is an int2, int4, int8 or numeric, and a log of the protocol can be read.
 * Quoting is needed inside of array literals only, where every text element is quoted, whether it
 * needs it or not, so that an element "NULL" is a text.
 */
#include "io/pg_private.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define INT_SIZE 21 /* -9223372036854775808 and a NUL */

/* A growing end of a buffer whose size was computed beforehand. */
static char *
put(char *at, const char *s, size_t len)
{
    memcpy(at, s, len);
    return at + len;
}

static size_t
int_text(int64_t n, char out[INT_SIZE])
{
    return (size_t)snprintf(out, INT_SIZE, "%" PRId64, n);
}

static const char *
bytes_text(struct arena *a, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char *out = arena_alloc(a, 2 * n + 3), *p = put(out, "\\x", 2);

    for (size_t i = 0; i < n; i++) {
        *p++ = digits[bytes[i] >> 4];
        *p++ = digits[bytes[i] & 15];
    }
    *p = '\0';
    return out;
}

static const char *
ids_text(struct arena *a, const struct uuid *ids, size_t n)
{
    char *out = arena_alloc(a, n * UUID_TEXT_SIZE + 3), *p = out;
    char one[UUID_TEXT_SIZE];

    *p++ = '{';
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            *p++ = ',';
        p = put(p, uuid_text(ids[i], one), UUID_TEXT_SIZE - 1);
    }
    *p++ = '}';
    *p = '\0';
    return out;
}

static const char *
ints_text(struct arena *a, const int64_t *ints, size_t n)
{
    char *out = arena_alloc(a, n * INT_SIZE + 3), *p = out;
    char one[INT_SIZE];

    *p++ = '{';
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            *p++ = ',';
        p = put(p, one, int_text(ints[i], one));
    }
    *p++ = '}';
    *p = '\0';
    return out;
}

static const char *
texts_text(struct arena *a, const char *const *texts, size_t n)
{
    size_t size = 3;

    for (size_t i = 0; i < n; i++)
        size += texts[i] == NULL ? 5 : 2 * strlen(texts[i]) + 3;

    char *out = arena_alloc(a, size), *p = out;
    *p++ = '{';
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            *p++ = ',';
        if (texts[i] == NULL) {
            p = put(p, "NULL", 4);
            continue;
        }
        *p++ = '"';
        for (const char *s = texts[i]; *s != '\0'; s++) {
            if (*s == '"' || *s == '\\')
                *p++ = '\\';
            *p++ = *s;
        }
        *p++ = '"';
    }
    *p++ = '}';
    *p = '\0';
    return out;
}

static const char *
value(struct arena *a, const struct pg_arg *arg, bool copy)
{
    char buffer[CLOCK_RFC3339_MS_SIZE > INT_SIZE ? CLOCK_RFC3339_MS_SIZE : INT_SIZE];
    char id[UUID_TEXT_SIZE];

    switch (arg->kind) {
    case PG_NULL:
        return NULL;
    case PG_TEXT:
        return copy ? arena_strdup(a, arg->v.text) : arg->v.text;
    case PG_INT:
        return arena_strndup(a, buffer, int_text(arg->v.number, buffer));
    case PG_BOOL:
        return arg->v.number != 0 ? "t" : "f";
    case PG_ID:
        return arena_strdup(a, uuid_text(arg->v.id, id));
    case PG_BYTES:
        return arg->v.bytes == NULL ? NULL : bytes_text(a, arg->v.bytes, arg->count);
    case PG_TIME:
        return arena_strdup(a, clock_rfc3339_ms(arg->v.number, buffer));
    case PG_IDS:
        return ids_text(a, arg->v.ids, arg->count);
    case PG_INTS:
        return ints_text(a, arg->v.ints, arg->count);
    case PG_TEXTS:
        return texts_text(a, arg->v.texts, arg->count);
    case PG_NONE:
        break;
    }
    pg_die(NULL, "ARG_NONE among other arguments");
}

const char *const *
pg_values(struct arena *a, const struct pg_arg *args, size_t n, bool copy)
{
    const char **values = arena_array(a, n, sizeof *values);

    for (size_t i = 0; i < n; i++)
        values[i] = value(a, &args[i], copy);
    return values;
}

struct pg_arg
pg_arg_text(const char *s)
{
    struct pg_arg arg = {.kind = s == NULL ? PG_NULL : PG_TEXT, .v.text = s};

    return arg;
}

struct pg_arg
pg_arg_id_or_null(struct uuid id)
{
    struct pg_arg arg = {.kind = uuid_is_nil(id) ? PG_NULL : PG_ID, .v.id = id};

    return arg;
}
