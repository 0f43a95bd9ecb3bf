/*
 * base/multipart: the one file in a form (multipart/form-data, RFC 7578 over RFC 2046).
 *
 * Nothing is copied and nothing is believed: not the file's name, not its type. What may be read in
 * two ways is refused, so that no other reader of the same bytes can see another file.
 */
#ifndef SOKO_BASE_MULTIPART_H
#define SOKO_BASE_MULTIPART_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define MULTIPART_BOUNDARY_MAX 70
#define MULTIPART_HEADERS_MAX 4096  /* bytes of a part's headers */
#define MULTIPART_PARTS_MAX 16      /* parts of a form that we look at */
#define MULTIPART_ENVELOPE_MAX 8192 /* bytes that a good form has around its file */

/* What was sent in a field. It points into the body. */
struct upload {
    const char *data;
    size_t len;
};

/* Whether a Content-Type says multipart/form-data. */
bool multipart_is_form(const char *type);

/* Its boundary, quoted or not. False if there is none, or two, or one that breaks the grammar. */
bool multipart_boundary(const char *type, char out[MULTIPART_BOUNDARY_MAX + 1]);

/* Reads a form that must hold exactly the part `name`. ERR_VALIDATION after adding a problem for
 * each part of another name, for `name` if it is missing, empty or there twice, or one without a
 * field if the form is malformed, or ends before its last boundary. */
enum err multipart_read(struct arena *a, struct problems *list, const char *boundary,
                        const char *body, size_t len, const char *name, struct upload *out);

#endif
