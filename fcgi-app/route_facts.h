/*
 * route_facts: what follows from a row of the route table, for those who print it.
 */
#ifndef SOKO_ROUTE_FACTS_H
#define SOKO_ROUTE_FACTS_H

#include "routes.h"

#include <stdio.h>

#define ROUTE_ERRORS_MAX 24

struct error_list {
    enum err e[ROUTE_ERRORS_MAX];
    size_t count;
};

/* Every error that a route may answer: its endpoint's own first, then those of app.c that its row
 * allows. None twice. */
struct error_list route_errors(const struct route *r);

/* Whether a request on it may carry an Idempotency-Key. */
bool route_takes_key(const struct route *r);

/* The bytes that its body may have; 0: it takes none. Of an upload: conf->upload_max_size and what
 * a form has around its file; the default before a configuration is loaded. */
size_t route_body_max(const struct route *r);

/* The status of success. */
int route_status(const struct route *r);

/* The route table as a JSON list, for tests: method, path, name, who, ids, stranger, limit, pool,
 * cacheable, body_max, upload (the field of its file, or null), takes_key, status, schema, errors
 * (all declared codes), own_errors (the endpoint's). */
void routes_print_json(FILE *out, const struct route *table, size_t count);

#endif
