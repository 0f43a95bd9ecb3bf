/*
 * A transaction is begun lazily (pg_begin only queues), so work that fails before its first
 * statement costs no round trip.
 *
 * Rejected: running statements again one by one. After a deadlock what was read is
 * void, so the decisions taken from it are too; the work is small, and runs again whole.
 */
#include "io/tx.h"
#include "base/fault.h"
#include "base/log.h"
#include "io/metrics.h"
#include "io/pg.h"

#define ATTEMPTS 5

struct effect {
    void (*run)(struct ctx *ctx, void *arg);
    void *arg;
    struct effect *next;
};

static void
start_clean(struct ctx *ctx)
{
    problems_clear(&ctx->problems);
    ctx->first_effect = ctx->last_effect = NULL;
    ctx->keep = false;
}

static void
run_effects(struct ctx *ctx)
{
    struct effect *first = ctx->first_effect;

    ctx->first_effect = ctx->last_effect = NULL;
    for (struct effect *e = first; e != NULL; e = e->next)
        e->run(ctx, e->arg);
}

static bool
deserves_another(enum err e)
{
    return e == ERR_RERUN || e == ERR_LOST;
}

/* Whether attempt `i` is followed by another, which is then counted. */
static bool
tries_again(enum err e, int i)
{
    if (!deserves_another(e) || i + 1 == ATTEMPTS)
        return false;
    metric_add(METRIC_RERUNS, 1, LABELS(e == ERR_LOST ? "lost" : "conflict"));
    return true;
}

static enum err
give_up(struct ctx *ctx, enum err e)
{
    if (!deserves_another(e))
        return e;
    log_event(LOG_WARN, EVENT("tx.given_up"), TEXT("error.code", err_code(e)),
              INT("soko.attempts", ATTEMPTS));
    problems_clear(&ctx->problems);
    return ERR_SERVICE_UNAVAILABLE;
}

static enum err
once(struct ctx *ctx, enum err (*work)(struct ctx *, void *), void *arg, bool *committed)
{
    enum err e = pg_begin(ctx);

    *committed = false;
    if (e == OK)
        e = work(ctx, arg);
    if (e == ERR_RERUN || e == ERR_LOST || (e != OK && !ctx->keep)) {
        pg_rollback(ctx);
        return e;
    }
    fault_point(FAULT_BEFORE_COMMIT);
    enum err ended = pg_commit(ctx);
    if (ended != OK) {
        pg_rollback(ctx);
        return ended;
    }
    *committed = true;
    fault_point(FAULT_AFTER_COMMIT);
    return e;
}

enum err
tx_run(struct ctx *ctx, enum err (*work)(struct ctx *, void *), void *arg)
{
    enum err e = OK;
    bool committed = false;

    for (int i = 0; i < ATTEMPTS; i++) {
        start_clean(ctx);
        e = once(ctx, work, arg, &committed);
        if (!tries_again(e, i))
            break;
    }
    /* Work that is kept may fail and yet be committed; work that meant to be kept may be lost. */
    if (committed)
        run_effects(ctx);
    return give_up(ctx, e);
}

enum err
tx_read(struct ctx *ctx, enum err (*work)(struct ctx *, void *), void *arg)
{
    enum err e = OK;

    for (int i = 0; i < ATTEMPTS; i++) {
        start_clean(ctx);
        e = work(ctx, arg);
        if (!tries_again(e, i))
            break;
    }
    return give_up(ctx, e);
}

void
tx_keep(struct ctx *ctx)
{
    ctx->keep = true;
}

void
after_commit(struct ctx *ctx, void (*effect)(struct ctx *, void *), void *arg)
{
    struct effect *e = arena_alloc(ctx->arena, sizeof(*e));

    *e = (struct effect){.run = effect, .arg = arg};
    if (ctx->last_effect != NULL)
        ctx->last_effect->next = e;
    else
        ctx->first_effect = e;
    ctx->last_effect = e;
}
