/*
 * providers/outside: one call to an outside party, guarded.
 *
 * A provider that hangs must not take the pool with it (DESIGN, section 5; seed hole 25): each has
 * at most conf->provider_at_once calls under way (the OAuth2 server: conf->oauth2_at_once, for
 * which a call waits up to 100 ms) in the processes of one program, and after
 * conf->provider_failures calls without an answer it is left alone for conf->provider_pause, after
 * which one call tries again. Both counts live in memory shared by the program's processes; a
 * process that is killed in a call gives its place back.
 *
 * All calls of one piece of work share one budget of time, conf->provider_timeout from ctx->now_ms,
 * so that a request ends before its worker's deadline. A call to the OAuth2 server may take at most
 * conf->oauth2_timeout of it.
 *
 * README.md, "How to add a provider of payments", names the files, in their order.
 */
#ifndef SOKO_PROVIDERS_OUTSIDE_H
#define SOKO_PROVIDERS_OUTSIDE_H

#include "io/ctx.h"
#include "io/http_out.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum provider {
    PROVIDER_STRIPE,
    PROVIDER_DARAJA,
    PROVIDER_AFRICASTALKING,
    PROVIDER_OAUTH2,
    PROVIDER_MAIL,
    PROVIDER__COUNT
};

/* What is known after a call. */
enum heard {
    HEARD_DONE,     /* it was done as asked, or answered */
    HEARD_REFUSED,  /* the provider said no: nothing has happened, and asking the same again is idle
                     */
    HEARD_NOT_SENT, /* it never left, or was turned away at the door: nothing has happened, try
                       later */
    HEARD_NOTHING   /* it may have been done: ask, never guess */
};

/* The provider's words for a refusal, for our log and the row; short, never NULL. */
struct refusal {
    int status;          /* HTTP; 0: none */
    const char *code;    /* "card_declined", "400.002.02", or "" */
    const char *message; /* his sentence; it may name a phone number: never logged */
};

/* Maps the shared memory; before the first fork, once. */
void outside_share(void);

/* Sends one call in the name of `operation` ("create_intent"), which is what the log says of it:
 * provider, operation, HTTP status, duration, outcome, span.id; no URL, no body. It carries
 * `traceparent`, with ctx->trace_id and a span id of its own (base/trace.h). OK: an answer with any
 * status has come whole. ERR_PROVIDER_UNAVAILABLE: it was not sent, for certain (breaker open, no
 * place, budget spent, no connection). ERR_REQUEST_TIMEOUT: nobody knows. `call->connect_ms`,
 * `total_ms` and `answer_max` are set here; an answer with status 5xx or 429 counts as a failure
 * for the breaker, but not M-Pesa's 500, which is how he says "still in process" and "you sent this
 * twice". ERR_INTERNAL: ctx->http is NULL, or the call is malformed. */
enum err outside_send(struct ctx *ctx, enum provider p, const char *operation,
                      struct http_call *call, struct http_answer *answer);

/* The same guards around a call that is not HTTP (mail): call() returns what outside_send() would.
 */
enum err outside_guard(struct ctx *ctx, enum provider p, const char *operation,
                       enum err (*call)(struct ctx *ctx, int64_t total_ms, void *arg), void *arg);

/* Who waits until another process has called the provider for him too takes a place, as if he
 * called: else all could wait for one who hangs. False: there is none, or the provider is left
 * alone; that is logged as a call of `operation`. What was taken is given back with
 * outside_waited(). */
struct outside_wait {
    _Atomic uint64_t *place;
    uint64_t mine;
};
bool outside_wait(struct ctx *ctx, enum provider p, const char *operation,
                  struct outside_wait *out);
void outside_waited(const struct outside_wait *w);

/* What is left of the budget, in milliseconds; 0: nothing. */
int64_t outside_budget(const struct ctx *ctx);

/* Forgets all failures; for tests. */
void outside_forget(void);

const char *provider_name(enum provider p);

#endif
