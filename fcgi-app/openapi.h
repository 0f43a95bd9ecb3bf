/*
 * openapi: the tables, printed for others to read.
 */
#ifndef SOKO_OPENAPI_H
#define SOKO_OPENAPI_H

#include "routes.h"

#include <stdio.h>

/* The OpenAPI 3.1 document, as JSON: every path, its inputs with examples, its answer's schema, and
 * every error that it may answer. */
void openapi_print(FILE *out, const struct route *table, size_t count);

#endif
