/*
 * A lane is a process that polls. Polling a partial index ten times a second costs next to nothing,
 * and a NOTIFY inside the transactions that write events would serialise their commits.
 *
 * Each delivery has an arena and a transaction of its own: one that fails disturbs no other. While
 * a batch comes back full the lane does not wait.
 */
#include "jobs.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/trace.h"
#include "io/cache.h"
#include "io/http_out.h"
#include "io/metrics.h"
#include "io/pg.h"
#include "io/tx.h"
#include "shop/accounts/codes.h"
#include "shop/accounts/external.h"
#include "shop/accounts/reset.h"
#include "shop/accounts/keys.h"
#include "shop/accounts/sessions.h"
#include "shop/accounts/throttle.h"
#include "shop/audit_seal.h"
#include "shop/catalog/products.h"
#include "shop/constraints.h"
#include "shop/idempotency.h"
#include "shop/media.h"
#include "shop/messages.h"
#include "shop/orders/orders.h"
#include "shop/payments/payments.h"
#include "shop/stmt.h"

#include <poll.h>
#include <string.h>

/* Which function each listener of outbox.c is. */
static const struct consumer {
    const char *name;
    enum err (*run)(struct ctx *ctx, const struct delivery *d);
    enum err (*start)(struct ctx *ctx, const struct delivery *d, void **step);
    enum err (*call)(struct ctx *ctx, void *step);
    enum err (*finish)(struct ctx *ctx, void *step);
} consumers[] = {
    {.name = "payments_begin", .run = payments_begin},
    {.name = "payments_ask", .run = payments_ask},
    {.name = "payments_refund_order", .run = payments_refund_order},
    {.name = "payments_refund_part", .run = payments_refund_part},
    {.name = "payments_close", .run = payments_close},
    {.name = "payments_hear", .run = payments_hear},
    {.name = "payments_c2b",
     .start = payments_c2b_start,
     .call = payments_c2b_call,
     .finish = payments_c2b_finish},
    {.name = "refunds_send",
     .start = refunds_start,
     .call = refunds_call,
     .finish = refunds_finish},
    {.name = "messages_send",
     .start = messages_start,
     .call = messages_call,
     .finish = messages_finish},
    {.name = "sessions_bury", .run = sessions_bury},
    {.name = "reset_send", .run = reset_send},
    {.name = "products_reindex", .run = products_reindex},
    {.name = "external_revoke",
     .start = external_revoke_start,
     .call = external_revoke_call,
     .finish = external_revoke_finish},
};
#define CONSUMERS (sizeof(consumers) / sizeof(consumers[0]))

/* What a lane holds while it lives. */
struct lane_state {
    enum lane lane;
    struct pg *pg;
    struct cache *cache;
    struct http_out *http;
    struct arena *arena; /* of one turn */
    struct media_sweep media;
    int64_t swept_ms; /* when the schedule ran last */
    struct audit_sealer audit;
    int64_t sealed_ms; /* when the audit log was sealed last */
    const volatile sig_atomic_t *stop;
};

static const struct consumer *
find_consumer(const char *name)
{
    for (size_t i = 0; i < CONSUMERS; i++) {
        if (strcmp(consumers[i].name, name) == 0)
            return &consumers[i];
    }
    return NULL;
}

/* Of what no request has caused, until somebody says which. */
static struct ctx
fresh_ctx(const struct lane_state *l, struct arena *a)
{
    return (struct ctx){.arena = a,
                        .pg = l->pg,
                        .cache = l->cache,
                        .http = l->http,
                        .now_ms = clock_ms(),
                        .trace_id = trace_new(a)};
}

/* Names the cause, in the log too; what began before there were traces has none. */
static void
caused_by(struct ctx *ctx, const char *request_id, const char *trace_id, bool sampled)
{
    if (trace_id != NULL) {
        ctx->request_id = request_id;
        ctx->trace_id = trace_id;
        ctx->sampled = sampled;
    }
    log_set_trace(ctx->request_id, ctx->trace_id);
}

/* One delivery under way. */
struct effort {
    const struct delivery *delivery;
    const struct consumer *consumer;
    void *step; /* from start() to finish() */
};

static enum err
run_work(struct ctx *ctx, void *arg)
{
    struct effort *w = arg;

    enum err e = w->consumer->run(ctx, w->delivery);
    return e != OK ? e : outbox_done(ctx, w->delivery);
}

static enum err
start_work(struct ctx *ctx, void *arg)
{
    struct effort *w = arg;

    w->step = NULL;
    enum err e = w->consumer->start(ctx, w->delivery, &w->step);
    return e != OK || w->step != NULL ? e : outbox_done(ctx, w->delivery);
}

static enum err
finish_work(struct ctx *ctx, void *arg)
{
    struct effort *w = arg;

    enum err e = w->consumer->finish(ctx, w->step);
    return e != OK ? e : outbox_done(ctx, w->delivery);
}

static enum err
run_consumer(struct ctx *ctx, const struct delivery *d)
{
    struct effort w = {.delivery = d, .consumer = find_consumer(d->consumer)};

    if (w.consumer == NULL)
        return ERR_INTERNAL; /* a newer release has written it: it is tried again, then parked */
    if (w.consumer->run != NULL)
        return tx_run(ctx, run_work, &w);
    enum err e = tx_run(ctx, start_work, &w);
    if (e != OK || w.step == NULL)
        return e;
    e = w.consumer->call(ctx, w.step);
    return e != OK ? e : tx_run(ctx, finish_work, &w);
}

struct failure {
    const struct delivery *delivery;
    enum err why;
};

static enum err
fail_work(struct ctx *ctx, void *arg)
{
    const struct failure *f = arg;

    return outbox_failed(ctx, f->delivery, f->why);
}

static void
deliver(const struct lane_state *l, const struct delivery *d)
{
    struct arena *a = arena_new();
    struct ctx ctx = fresh_ctx(l, a);
    int64_t since = clock_mono_ns();
    const char *outcome = "done";

    caused_by(&ctx, d->request_id, d->trace_id, d->sampled);
    fault_point(FAULT_JOB_CLAIMED);
    enum err e = run_consumer(&ctx, d);
    fault_point(FAULT_JOB_DONE);
    if (e != OK) {
        struct failure failure = {d, e};
        outcome = d->attempts >= conf->jobs_max_attempts ? "parked" : "failed";
        e = tx_run(&ctx, fail_work, &failure);
        if (e != OK) /* the lease runs out by itself */
            log_event(LOG_ERROR, EVENT("outbox.not_noted"), INT("soko.outbox.id", d->id),
                      TEXT("error.code", err_code(e)));
    }
    metric_add(METRIC_DELIVERIES, 1, LABELS(d->consumer, outcome));
    metric_observe(METRIC_DELIVERY_SECONDS, clock_mono_ns() - since, LABELS(d->consumer));
    log_set_trace(NULL, NULL);
    arena_free(a);
}

struct batch {
    enum lane lane;
    struct delivery *rows;
    size_t count;
};

static enum err
claim_work(struct ctx *ctx, void *arg)
{
    struct batch *b = arg;

    return outbox_claim(ctx, b->lane, conf->jobs_batch, &b->rows, &b->count);
}

static enum err
release_work(struct ctx *ctx, void *arg)
{
    return outbox_release(ctx, arg);
}

/* Told to stop: what was claimed and not begun is for others, now and not when its lease runs out.
 */
static void
release(const struct lane_state *l, struct delivery *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct arena *a = arena_new();
        struct ctx ctx = fresh_ctx(l, a);

        caused_by(&ctx, rows[i].request_id, rows[i].trace_id, rows[i].sampled);
        enum err e = tx_run(&ctx, release_work, &rows[i]);
        if (e != OK) /* the lease runs out by itself */
            log_event(LOG_WARN, EVENT("outbox.not_released"), INT("soko.outbox.id", rows[i].id),
                      TEXT("error.code", err_code(e)));
        log_set_trace(NULL, NULL);
        arena_free(a);
    }
}

/* Takes what is due. True if there may be more at once. */
static bool
drain(const struct lane_state *l, struct slot *slot)
{
    struct ctx ctx = fresh_ctx(l, l->arena);
    struct batch batch = {.lane = l->lane};

    if (tx_run(&ctx, claim_work, &batch) != OK)
        return false;
    size_t done = 0;
    for (; done < batch.count && !*l->stop; done++) {
        slot_busy(slot);
        deliver(l, &batch.rows[done]);
        slot_idle(slot);
    }
    release(l, batch.rows + done, batch.count - done);
    return batch.count == (size_t)conf->jobs_batch;
}

/* --- the schedule ----------------------------------------------------------------------------- */

static enum err
expire_work(struct ctx *ctx, void *arg)
{
    const struct due_id *id = arg;

    return payments_expire(ctx, id->id);
}

static enum err
sweep_work(struct ctx *ctx, void *arg)
{
    (void)arg;
    enum err e = idempotency_sweep(ctx);
    if (e == OK)
        e = external_sweep(ctx);
    if (e == OK)
        e = sessions_sweep(ctx);
    if (e == OK)
        e = messages_sweep(ctx);
    if (e == OK)
        e = codes_sweep(ctx);
    if (e == OK)
        e = keys_sweep(ctx);
    return e != OK ? e : throttle_sweep(ctx);
}

struct due {
    struct due_id *ids;
    size_t count;
};

static enum err
due_work(struct ctx *ctx, void *arg)
{
    struct due *due = arg;

    return orders_due(ctx, conf->jobs_batch, &due->ids, &due->count);
}

/* Unpaid orders, each in a transaction of its own. */
static void
expire_orders(const struct lane_state *l)
{
    struct ctx ctx = fresh_ctx(l, l->arena);
    struct due due = {0};

    if (tx_read(&ctx, due_work, &due) != OK)
        return;
    for (size_t i = 0; i < due.count && !*l->stop; i++) {
        struct arena *a = arena_new();
        struct ctx one = fresh_ctx(l, a);

        caused_by(&one, NULL, NULL, false);
        enum err e = tx_run(&one, expire_work, &due.ids[i]);
        if (e != OK)
            log_event(LOG_WARN, EVENT("orders.expire_failed"), TEXT("error.code", err_code(e)));
        log_set_trace(NULL, NULL);
        arena_free(a);
    }
}

static enum err
media_work(struct ctx *ctx, void *arg)
{
    return media_sweep_turn(ctx, arg);
}

static void
run_schedule(struct lane_state *l)
{
    struct ctx ctx = fresh_ctx(l, l->arena);

    expire_orders(l);
    enum err e = tx_read(&ctx, media_work, &l->media);
    if (e != OK)
        log_event(LOG_WARN, EVENT("media.sweep_failed"), TEXT("error.code", err_code(e)));
    if (ctx.now_ms - l->sealed_ms >= conf->audit_seal.ms) {
        l->sealed_ms = ctx.now_ms;
        audit_seal_turn(&ctx, &l->audit, l->stop);
    }
    if (ctx.now_ms - l->swept_ms < conf->jobs_sweep.ms)
        return;
    l->swept_ms = ctx.now_ms;
    e = tx_run(&ctx, sweep_work, NULL);
    if (e != OK)
        log_event(LOG_WARN, EVENT("jobs.sweep_failed"), TEXT("error.code", err_code(e)));
}

/* Waits for the next turn; a signal cuts it short. */
static void
wait_a_turn(void)
{
    poll(NULL, 0, (int)conf->jobs_poll.ms);
}

/* --- providers that have not said ------------------------------------------------------------- */

struct claim {
    enum err (*take)(struct ctx *ctx, int64_t limit, struct due_id **ids, size_t *count);
    struct due_id *ids;
    size_t count;
};

static enum err
take_work(struct ctx *ctx, void *arg)
{
    struct claim *c = arg;

    return c->take(ctx, conf->jobs_batch, &c->ids, &c->count);
}

/* Asks about each of what is due. True if there may be more at once. */
static bool
ask_about_all(const struct lane_state *l, struct slot *slot, struct claim *c,
              void (*ask)(struct ctx *ctx, struct uuid id))
{
    struct ctx ctx = fresh_ctx(l, l->arena);

    if (tx_run(&ctx, take_work, c) != OK)
        return false;
    for (size_t i = 0; i < c->count && !*l->stop; i++) {
        struct arena *a = arena_new();
        struct ctx one = fresh_ctx(l, a);
        const struct due_id *due = &c->ids[i];

        caused_by(&one, due->request_id, due->trace_id, due->sampled);
        slot_busy(slot);
        ask(&one, due->id);
        slot_idle(slot);
        log_set_trace(NULL, NULL);
        arena_free(a);
    }
    return c->count == (size_t)conf->jobs_batch;
}

static bool
ask_providers(const struct lane_state *l, struct slot *slot)
{
    struct claim payments = {.take = payments_claim_due}, refunds = {.take = refunds_claim_due};
    struct claim doubts = {.take = payments_claim_doubts};

    bool more = ask_about_all(l, slot, &payments, payments_ask_about);
    more = ask_about_all(l, slot, &doubts, payments_recheck) || more;
    return ask_about_all(l, slot, &refunds, refunds_ask_about) || more;
}

int
jobs_serve(enum lane lane, struct slot *slot, const volatile sig_atomic_t *stop)
{
    static const char *const names[LANE__COUNT] = {"soko-jobs payments", "soko-jobs clock",
                                                   "soko-jobs messages", "soko-jobs tokens"};
    const struct pg_options options = {
        .url = conf->database_url,
        .name = names[lane],
        .connect_ms = conf->database_connect_timeout.ms,
        .statement_ms = conf->statement_timeout.ms,
        .stmts = stmts,
        .count = STMT__COUNT,
        .constraints = constraints,
    };
    struct lane_state l = {
        .lane = lane,
        .pg = pg_new(&options),
        .cache = cache_new(conf->redis_address, conf->redis_timeout.ms),
        .http = http_out_new("Soko/" SOKO_VERSION),
        .arena = arena_new(),
        .stop = stop,
    };

    int status = l.http == NULL || pg_open(l.pg) == ERR_INTERNAL ? PREFORK_UNFIT : 0;
    if (status == 0)
        slot_ready(slot);
    while (status == 0 && !*stop && !slot_done(slot)) {
        bool more = drain(&l, slot);
        if (lane == LANE_CLOCK)
            run_schedule(&l);
        if (lane == LANE_PAYMENTS)
            more = ask_providers(&l, slot) || more;
        arena_reset(l.arena);
        if (!more)
            wait_a_turn();
    }
    media_sweep_end(&l.media);
    arena_free(l.arena);
    cache_free(l.cache);
    http_out_free(l.http);
    pg_free(l.pg);
    return status;
}

bool
jobs_check(void)
{
    bool good = true;

    for (size_t i = 0; outbox_consumer(i) != NULL; i++) {
        if (find_consumer(outbox_consumer(i)) == NULL) {
            log_event(LOG_ERROR, EVENT("jobs.no_consumer"),
                      TEXT("soko.outbox.consumer", outbox_consumer(i)));
            good = false;
        }
    }
    return good;
}
