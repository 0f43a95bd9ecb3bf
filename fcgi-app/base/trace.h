/*
 * base/trace: the two ids that a piece of work is found by, in every log.
 *
 * The request id (`http.request.id`) is X-Request-ID: the client's, or nginx's, and it names one
 * request. The trace id (`trace.id`) is that of W3C Trace Context (https://www.w3.org/TR/
 * trace-context/, version 00): it names all that a caller's own work has caused, here and at the
 * providers. It is the caller's if he has sent a valid `traceparent`; else the request id, if that
 * is one that a trace may have, as nginx's are; else one of nginx's. nginx decides, by the maps of
 * soko.conf.in, and tells the worker, so that both logs say the same; what the maps do is done here
 * once more, for a site that does not tell.
 */
#ifndef SOKO_BASE_TRACE_H
#define SOKO_BASE_TRACE_H

#include "base/arena.h"

#include <stdbool.h>

#define TRACE_ID_SIZE 33    /* 32 lower-case hexadecimal digits and a NUL */
#define SPAN_ID_SIZE 17     /* 16 */
#define TRACEPARENT_SIZE 56 /* 00-TRACE-SPAN-FLAGS */

struct trace {
    char id[TRACE_ID_SIZE];
    bool sampled; /* whoever began it asks for it to be recorded */
};

/* Whether `id` is 32 lower-case hexadecimal digits, not all 0. NULL is none. */
bool trace_id_good(const char *id);

/* Reads a `traceparent`. False, and *out is left alone, if it is malformed, and then it counts for
 * nothing: of version 00 with anything behind it, of version ff, with upper-case digits, with an id
 * of zeroes. Of a version that nobody knows yet the parts of version 00 are read, if nothing or a
 * '-' follows them (section 3.2.3). */
bool trace_parse(const char *traceparent, struct trace *out);

/* The trace of a request that brought none: its id, if that is good or a UUID in lower case, whose
 * digits it is then; else a new one, by chance. `request_id` may be NULL. Not sampled. */
void trace_begin(const char *request_id, struct trace *out);

/* A new trace's id, in the arena: of what no request has caused. */
const char *trace_new(struct arena *a);

/* A new span's id, by chance, and the `traceparent` that names it. */
void trace_span(char out[SPAN_ID_SIZE]);
const char *trace_parent(const char *trace_id, const char *span_id, bool sampled,
                         char out[TRACEPARENT_SIZE]);

#endif
