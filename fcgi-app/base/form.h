/*
 * base/form: application/x-www-form-urlencoded (the URL Standard, section 5), to send and to read.
 *
 * What is sent is encoded whole: all but A-Z a-z 0-9 - . _ ~ becomes %XX, a blank too, so that no
 * reader can take '+' or '&' for something else (seed hole 25). Our own clients' forms are read by
 * base/fields, which refuses what it does not know; form_get() is for what somebody else made.
 */
#ifndef SOKO_BASE_FORM_H
#define SOKO_BASE_FORM_H

#include "base/arena.h"
#include "base/text.h"

#include <stddef.h>

/* Adds "name=value", after a '&' unless it is the first. Both are encoded. */
void form_add(struct text *t, const char *name, const char *value);

/* Adds `s` encoded: for a part of a URL's path or query. */
void form_escape(struct text *t, const char *s);

/* Undoes the encoding of `len` bytes: '+' is a blank. NULL if all is well, else what is wrong: "is
 * not ...". *out is in the arena, and NUL-terminated. */
const char *form_decode(struct arena *a, const char *s, size_t len, char **out, size_t *out_len);

/* The value of the first field called `name`; NULL if there is none, or it is malformed. */
const char *form_get(struct arena *a, const char *form, size_t len, const char *name);

#endif
