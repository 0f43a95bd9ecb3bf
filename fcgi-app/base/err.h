/*
 * base/err: the one error table.
 *
 * Every function that can fail returns an `enum err`; OK is 0. The table in err.c gives each error
 * its HTTP status, its stable string (API.md, "Codes") and a default message. Clients rely on the
 * strings: add, never rename.
 *
 * An error alone seldom helps the caller; a `struct problems` collects what to tell him: which
 * field, in which words, with which details.
 */
#ifndef SOKO_BASE_ERR_H
#define SOKO_BASE_ERR_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>

enum err {
    OK = 0,
    ERR_VALIDATION,             /* 400: a field is missing or malformed */
    ERR_INVALID_STATUS,         /* 400: a state machine refuses */
    ERR_UNAUTHORIZED,           /* 401: no session, or not one that lives */
    ERR_PAYMENT_FAILED,         /* 402 */
    ERR_FORBIDDEN,              /* 403: known, and not allowed */
    ERR_NOT_FOUND,              /* 404: unknown, or somebody else's secret */
    ERR_METHOD_NOT_ALLOWED,     /* 405: with Allow */
    ERR_CONFLICT,               /* 409: exists already, or in flight */
    ERR_INSUFFICIENT_STOCK,     /* 409: with details.available */
    ERR_PRECONDITION_FAILED,    /* 412: If-Match does not match */
    ERR_PAYLOAD_TOO_LARGE,      /* 413 */
    ERR_UNSUPPORTED_MEDIA_TYPE, /* 415 */
    ERR_IDEMPOTENCY_KEY_REUSED, /* 422: another body under the same key */
    ERR_RATE_LIMITED,           /* 429: with Retry-After */
    ERR_INTERNAL,               /* 500: ours; the log says what */
    ERR_PROVIDER_UNAVAILABLE,   /* 502: an outside party does not answer */
    ERR_SERVICE_UNAVAILABLE, /* 503: PostgreSQL is away, or we are overloaded; with Retry-After */
    ERR_REQUEST_TIMEOUT,     /* 504 */

    /* Never sent: io/tx acts on them, and runs the transaction again whole. */
    ERR_RERUN, /* deadlock, serialization failure, or a random name that was taken */
    ERR_LOST,  /* the connection died before COMMIT was sent: nothing has happened */
    ERR__COUNT
};

/* The HTTP status of `e`; 200 for OK, 500 for what is never sent. */
int err_status(enum err e);

/* The stable string, such as "NOT_FOUND"; static. */
const char *err_code(enum err e);

/* The default message, such as "not found"; static. */
const char *err_message(enum err e);

/* The error whose stable string is `code`; ERR_INTERNAL if there is none (a statement that names an
 * unknown outcome is our fault). */
enum err err_from_code(const char *code);

/* One thing to tell the caller. All strings live in the arena that was given to problems_add. */
struct problem {
    enum err err;
    const char *field;   /* NULL if no field is to blame */
    const char *message; /* never NULL */
    const char *details; /* a JSON object's text, or NULL */
    struct problem *next;
};

/* A list in order of arrival. All zeroes is the empty list. */
struct problems {
    struct problem *first, *last;
};

/* Adds one problem and returns `e`, so that a handler can `return problems_add(...)`. `field` and
 * `details` may be NULL and are copied; `fmt` NULL means err_message(e). */
enum err problems_add(struct arena *a, struct problems *list, enum err e, const char *field,
                      const char *details, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* Forgets all (a transaction that runs again starts clean). */
void problems_clear(struct problems *list);

#endif
