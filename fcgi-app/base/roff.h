/*
 * base/roff: text for manual pages, as man(7) reads it.
 */
#ifndef SOKO_BASE_ROFF_H
#define SOKO_BASE_ROFF_H

#include <stdio.h>

/* Prints text so that nothing in it is a request or an escape, with hyphens as they are typed. A
 * newline begins a paragraph. */
void roff_text(FILE *out, const char *s);

/* The same for the first `len` bytes, in a font: 'R', 'B' or 'I'. */
void roff_font(FILE *out, char font, const char *s, int len);

#endif
