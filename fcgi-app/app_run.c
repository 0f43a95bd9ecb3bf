/*
 * The transaction belongs to this file. A request that changes something runs between BEGIN and
 * COMMIT together with the row of its Idempotency-Key, and may run again whole (io/tx).
 *
 * An endpoint that calls a provider has three steps. The first commits an attempt, so that a crash
 * leaves a trace; the second holds no transaction, so that a slow provider holds no lock; the
 * third commits outcome and answer. The key's lock spans all three. A retry after a crash finds the
 * lock free and the key started, and goes through the steps again; start() then finds its attempt,
 * by itself or by the note that it left with the key.
 *
 * Which reads a replica may answer is said by the route's CACHE_PUBLIC.
 */
#include "base/fault.h"
#include "exchange.h"
#include "io/replica.h"

/* A handler that runs again begins with an empty answer. */
static void
forget_answer(struct req *rq)
{
    text_clear(&rq->reply);
    rq->paging.total = -1;
    rq->paging.capped = false;
    rq->paging.next = NULL;
    text_clear(&rq->facets);
}

static int
success_status(const struct endpoint *ep)
{
    return ep->status != 0 ? ep->status : 200;
}

/* The answer of a twin. It may have been cut off before a standby had confirmed its commit, so ours
 * is confirmed behind it. */
static enum err
replay(struct exchange *x, const struct replay *before)
{
    if (before->body == NULL)
        return fail(&x->rq.ctx, ERR_CONFLICT, "Idempotency-Key",
                    "this was done before; its answer held a secret, and was not kept");
    enum err e = idempotency_confirm(&x->rq.ctx);
    if (e != OK)
        return e;
    forget_answer(&x->rq);
    text_puts(&x->rq.reply, before->body);
    x->status = before->status;
    x->replayed = true;
    return OK;
}

static enum err
store(struct exchange *x)
{
    const struct endpoint *ep = x->rq.endpoint;

    x->status = success_status(ep);
    if (x->idem.key == NULL)
        return OK;
    return idempotency_store(&x->rq.ctx, &x->idem, x->status,
                             ep->secret ? NULL : text_cstr(&x->rq.reply));
}

static enum err
read_work(struct ctx *ctx, void *arg)
{
    struct exchange *x = arg;

    (void)ctx;
    forget_answer(&x->rq);
    x->status = success_status(x->rq.endpoint);
    return x->rq.endpoint->run(&x->rq);
}

static enum err
write_work(struct ctx *ctx, void *arg)
{
    struct exchange *x = arg;

    forget_answer(&x->rq);
    x->replayed = false;
    if (x->idem.key != NULL) {
        struct replay before;
        enum err e = idempotency_begin(ctx, &x->idem, &before);
        if (e != OK)
            return e;
        if (before.status != 0)
            return replay(x, &before);
    }
    enum err e = x->rq.endpoint->run(&x->rq);
    return e != OK ? e : store(x);
}

/* Between the steps the connection may be lost, and the key's lock with it; a twin may then have
 * come to the end before us. His answer is ours. */
static enum err
look_for_twin(struct exchange *x)
{
    struct replay before;

    forget_answer(&x->rq);
    x->replayed = false;
    if (x->idem.key == NULL)
        return OK;
    enum err e = idempotency_look(&x->rq.ctx, &x->idem, &before);
    if (e == OK && before.status != 0)
        return replay(x, &before);
    x->rq.note = before.body;
    return e;
}

static enum err
start_work(struct ctx *ctx, void *arg)
{
    struct exchange *x = arg;

    enum err e = look_for_twin(x);
    if (e != OK || x->replayed)
        return e;
    e = x->rq.endpoint->start(&x->rq);
    if (e == OK && x->idem.key != NULL)
        e = idempotency_store(ctx, &x->idem, 0, x->rq.note);
    return e;
}

static enum err
finish_work(struct ctx *ctx, void *arg)
{
    struct exchange *x = arg;

    (void)ctx;
    enum err e = look_for_twin(x);
    if (e != OK || x->replayed)
        return e;
    e = x->rq.endpoint->finish(&x->rq);
    if (e == OK)
        e = store(x);
    fault_point(FAULT_FINISHING);
    return e;
}

static enum err
begin_long_work(struct ctx *ctx, void *arg)
{
    struct exchange *x = arg;
    struct replay before;

    x->replayed = false;
    enum err e = idempotency_begin_long(ctx, &x->idem, &before);
    if (e == OK && before.status != 0) {
        e = replay(x, &before);
        idempotency_end_long(ctx, &x->idem);
    }
    return e;
}

static enum err
run_steps(struct exchange *x)
{
    struct ctx *ctx = &x->rq.ctx;

    if (x->idem.key != NULL) {
        enum err e = tx_read(ctx, begin_long_work, x);
        if (e != OK || x->replayed)
            return e;
    }
    enum err e = tx_run(ctx, start_work, x);
    if (e == OK && !x->replayed) {
        fault_point(FAULT_STARTED);
        e = x->rq.endpoint->call(&x->rq);
        fault_point(FAULT_AFTER_CALL);
    }
    if (e == OK && !x->replayed)
        e = tx_run(ctx, finish_work, x);
    if (x->idem.key != NULL)
        idempotency_end_long(ctx, &x->idem);
    return e;
}

/* What nginx may keep for a second, the replica may answer: both have what anybody may see, a
 * little later. Whoever says who he is may have just changed it, and reads the primary. */
static enum err
run_read(struct exchange *x)
{
    struct ctx *ctx = &x->rq.ctx;
    enum err e;

    if (exchange_is_public(x) && replica_is_good(ctx->replica, ctx) &&
        replica_read(ctx->replica, ctx, read_work, x, &e))
        return e;
    return tx_read(ctx, read_work, x);
}

enum err
run(struct exchange *x)
{
    if (x->rq.endpoint->start != NULL)
        return run_steps(x);
    if (x->route->method == GET)
        return run_read(x);
    return tx_run(&x->rq.ctx, write_work, x);
}
