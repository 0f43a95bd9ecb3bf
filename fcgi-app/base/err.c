/*
 * Design: one table, indexed by the enum, in its order. A hole in it would be a NULL string; the
 * unit test walks all of it.
 *
 * The two errors that are never sent have names all the same: logs print them, and a statement may
 * answer RERUN (a random name that was taken). LOST is the connection's to say, and OK is no error:
 * err_from_code refuses both.
 */
#include "base/err.h"

#include <stdarg.h>
#include <string.h>

struct row {
    int status;
    const char *code, *message;
};

/* clang-format off */
static const struct row rows[ERR__COUNT] = {
    [OK]                         = {200, "OK",                     "ok"},
    [ERR_VALIDATION]             = {400, "VALIDATION_ERROR",       "is not valid"},
    [ERR_INVALID_STATUS]         = {400, "INVALID_STATUS",         "not possible in this status"},
    [ERR_UNAUTHORIZED]           = {401, "UNAUTHORIZED",           "sign in first"},
    [ERR_PAYMENT_FAILED]         = {402, "PAYMENT_FAILED",         "the payment failed"},
    [ERR_FORBIDDEN]              = {403, "FORBIDDEN",              "not allowed"},
    [ERR_NOT_FOUND]              = {404, "NOT_FOUND",              "not found"},
    [ERR_METHOD_NOT_ALLOWED]     = {405, "METHOD_NOT_ALLOWED",     "method not allowed"},
    [ERR_CONFLICT]               = {409, "CONFLICT",               "exists already"},
    [ERR_INSUFFICIENT_STOCK]     = {409, "INSUFFICIENT_STOCK",     "not enough in stock"},
    [ERR_PRECONDITION_FAILED]    = {412, "PRECONDITION_FAILED",    "changed in the meantime"},
    [ERR_PAYLOAD_TOO_LARGE]      = {413, "PAYLOAD_TOO_LARGE",      "the body is too large"},
    [ERR_UNSUPPORTED_MEDIA_TYPE] = {415, "UNSUPPORTED_MEDIA_TYPE", "unsupported media type"},
    [ERR_IDEMPOTENCY_KEY_REUSED] = {422, "IDEMPOTENCY_KEY_REUSED", "used for another request"},
    [ERR_RATE_LIMITED]           = {429, "RATE_LIMITED",           "too many requests"},
    [ERR_INTERNAL]               = {500, "INTERNAL_ERROR",         "internal error"},
    [ERR_PROVIDER_UNAVAILABLE]   = {502, "PROVIDER_UNAVAILABLE",   "the provider does not answer"},
    [ERR_SERVICE_UNAVAILABLE]    = {503, "SERVICE_UNAVAILABLE",    "try again later"},
    [ERR_REQUEST_TIMEOUT]        = {504, "REQUEST_TIMEOUT",        "the request took too long"},
    [ERR_RERUN]                  = {500, "RERUN",                  "the transaction must rerun"},
    [ERR_LOST]                   = {500, "LOST",                   "the connection was lost"},
};
/* clang-format on */

static const struct row *
row_of(enum err e)
{
    return (unsigned)e < ERR__COUNT ? &rows[e] : &rows[ERR_INTERNAL];
}

int
err_status(enum err e)
{
    return row_of(e)->status;
}

const char *
err_code(enum err e)
{
    return row_of(e)->code;
}

const char *
err_message(enum err e)
{
    return row_of(e)->message;
}

enum err
err_from_code(const char *code)
{
    if (code == NULL)
        return ERR_INTERNAL;
    for (int e = OK + 1; e < ERR_LOST; e++) {
        if (strcmp(rows[e].code, code) == 0)
            return (enum err)e;
    }
    return ERR_INTERNAL;
}

enum err
problems_add(struct arena *a, struct problems *list, enum err e, const char *field,
             const char *details, const char *fmt, ...)
{
    struct problem *p = arena_alloc(a, sizeof *p);

    p->err = e;
    p->field = arena_strdup(a, field);
    p->details = arena_strdup(a, details);
    if (fmt == NULL) {
        p->message = err_message(e);
    } else {
        va_list ap;

        va_start(ap, fmt);
        p->message = arena_vprintf(a, fmt, ap);
        va_end(ap);
    }
    if (list->last == NULL)
        list->first = p;
    else
        list->last->next = p;
    list->last = p;
    return e;
}

void
problems_clear(struct problems *list)
{
    list->first = list->last = NULL;
}
