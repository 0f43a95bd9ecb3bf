/*
 * base/text: a growing buffer of bytes in an arena, created with its maximum size, and the JSON
 * writer that prints into it.
 *
 * Growing past the maximum sets `overflow` and drops what did not fit: the writer goes on without a
 * test after each call, and whoever sends the buffer looks at the flag once.
 */
#ifndef SOKO_BASE_TEXT_H
#define SOKO_BASE_TEXT_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct text {
    struct arena *arena;
    char *data; /* NUL-terminated once anything was added; see text_cstr */
    size_t len, cap, max;
    bool overflow;
};

/* An empty buffer of at most `max` bytes; allocates nothing yet. */
struct text text_new(struct arena *a, size_t max);

/* The content as a C string, never NULL; lives as long as the arena, and until the next addition.
 */
const char *text_cstr(const struct text *t);

/* Empties the buffer, keeps its memory, clears `overflow`. */
void text_clear(struct text *t);

void text_add(struct text *t, const char *data, size_t len);
void text_puts(struct text *t, const char *s);
void text_putc(struct text *t, char c);
void text_int(struct text *t, int64_t n);
void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string with quotes and escapes (RFC 8259 section 7; also U+2028/2029 and '<' '>' '&' are
 * left as they are: the type is application/json). `s` must be UTF-8; NULL prints null. */
void text_json(struct text *t, const char *s);
void text_json_n(struct text *t, const char *s, size_t len);

/* Members of a JSON object, with the comma that is due: a comma is written unless the last byte is
 * '{' or '[' or ':'. text_key writes `,"key":`. */
void text_key(struct text *t, const char *key);
void text_member(struct text *t, const char *key, const char *value); /* string, or null */
void text_member_int(struct text *t, const char *key, int64_t value);
void text_member_bool(struct text *t, const char *key, bool value);
void text_member_raw(struct text *t, const char *key, const char *json); /* NULL prints null */

/* The comma of a list: writes ',' unless the last byte is '[' or '{' or ':' or nothing. */
void text_comma(struct text *t);

#endif
