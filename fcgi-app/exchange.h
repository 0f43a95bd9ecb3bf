/*
 * exchange: one request and its answer, as the files of the app hand it on.
 *
 *     app.c           the worker's loop; reads the request, asks the others in turn, logs
 *     app_gate.c      who calls, and whether he may: token, limits, session, role
 *     app_run.c       the transaction, the idempotency key, the three steps
 *     app_reply.c     the envelope, the headers, the bytes
 */
#ifndef SOKO_EXCHANGE_H
#define SOKO_EXCHANGE_H

#include "io/cache.h"
#include "io/fcgi.h"
#include "routes.h"
#include "shop/accounts/caller.h"
#include "shop/idempotency.h"
#include "shop/req.h"

struct exchange {
    struct req rq; /* what the endpoint sees */

    /* From the wire. Strings live in the arena. */
    struct fcgi *fcgi;
    enum method method; /* HEAD stays HEAD here; its route is GET's */
    const char *method_word, *path, *query;
    const char *body;
    size_t body_len;

    /* Found out on the way. */
    const struct route *route; /* NULL: none */
    unsigned allow;            /* the methods that the path takes, for 405 and OPTIONS */
    struct caller caller;
    struct cache_limit limit;
    struct idempotency idem; /* key NULL: none was sent */
    bool replayed;

    int status; /* of the answer */
};

/* app_gate.c: names the caller, counts him, and lets him in or not. Problems are added. */
enum err gate(struct exchange *x);

/* app_run.c: runs the endpoint of a request that is let in and read. On OK, x->status and
 * x->rq.reply are the answer. */
enum err run(struct exchange *x);

/* Whether the answer is the same for all who do not say who they are. */
bool exchange_is_public(const struct exchange *x);

/* app_reply.c: sends what `e` and x say. */
void reply(struct exchange *x, enum err e);

#endif
