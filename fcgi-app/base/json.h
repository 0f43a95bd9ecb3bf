/*
 * base/json: a strict reader in front of json-c.
 *
 * json-c parses, but it is no validator: it takes duplicate keys, NaN, raw newlines, overlong
 * UTF-8 and lone surrogates, cuts keys at NUL and clamps 2^64. json_read() therefore first walks
 * the bytes once and checks RFC 8259's grammar, UTF-8 (RFC 3629), escapes (no \u0000, no lone
 * surrogate), depth, duplicate keys and the length of numbers; only what passes reaches json-c.
 */
#ifndef SOKO_BASE_JSON_H
#define SOKO_BASE_JSON_H

#include "base/arena.h"
#include "base/err.h"

#include <json-c/json.h>

#define JSON_DEPTH_MAX 16  /* containers within containers */
#define JSON_DIGITS_MAX 18 /* digits of a number, so that each integer fits an int64 */

/* Parses `len` bytes. On OK *out is the value (a JSON null gives NULL), owned by the arena: it is
 * put when the arena is reset. On ERR_VALIDATION one problem was added: its field is the top-level
 * member in which the fault lies (NULL outside of any), its message says what and at which byte. */
enum err json_read(struct arena *a, struct problems *list, const char *s, size_t len,
                   struct json_object **out);

/* The text of a number as it was written, so that no double is involved; NULL if `o` is no number.
 */
const char *json_number_text(struct json_object *o);

/* The length in bytes (1 to 4) of the code point that begins at `s`, of which `len` bytes may be
 * read; 0 if it is malformed: overlong, a surrogate, above U+10FFFF, cut off, or len 0. NUL is
 * well- formed here. */
size_t utf8_step(const char *s, size_t len);

/* Whether `len` bytes are well-formed UTF-8 without NUL. */
bool utf8_valid(const char *s, size_t len);

/* The number of code points in well-formed UTF-8. */
size_t utf8_length(const char *s);

#endif
