/*
 * A process of its own, since a look at everything may take seconds: in a lane it would delay what
 * the lane is there for. For the same reason it has more patience with the database than others.
 *
 * It has nothing to finish, so SIGTERM ends it at once, also in the middle of a look: the service's
 * stop does not wait for a sum.
 */
#include "watch.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "io/pg.h"
#include "shop/constraints.h"
#include "shop/gauges.h"
#include "shop/stmt.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE_MS (10 * 60 * INT64_C(1000))

static void
leave(int sig)
{
    (void)sig;
    _exit(EXIT_SUCCESS);
}

/* When it was due, it is done; *last is moved on also if it fails, so that it is not tried at once.
 */
static void
look(struct pg *pg, enum err (*gauges)(struct ctx *ctx), int64_t every_ms, int64_t *last)
{
    int64_t now = clock_ms();

    if (*last != 0 && now - *last < every_ms && now >= *last)
        return;
    struct arena *a = arena_new();
    struct ctx ctx = {.arena = a, .pg = pg, .now_ms = now, .trace_id = "watch"};
    enum err e = gauges(&ctx);
    if (e != OK)
        log_event(LOG_WARN, EVENT("watch.failed"), TEXT("error.code", err_code(e)));
    arena_free(a);
    *last = now;
}

int
watch_serve(struct slot *slot, const volatile sig_atomic_t *stop)
{
    const struct pg_options options = {
        .url = conf->database_url,
        .name = "soko-jobs watch",
        .connect_ms = conf->database_connect_timeout.ms,
        .statement_ms = PATIENCE_MS,
        .stmts = stmts,
        .count = STMT__COUNT,
        .constraints = constraints,
    };
    struct pg *pg = pg_new(&options);
    int64_t often = 0, full = 0;

    int status = pg_open(pg) == ERR_INTERNAL ? PREFORK_UNFIT : 0;
    if (status == 0)
        slot_ready(slot);
    if (!*stop)
        signal(SIGTERM, leave);
    while (status == 0 && !*stop) {
        look(pg, gauges_often, conf->metrics_every.ms, &often);
        look(pg, gauges_full, conf->metrics_full_every.ms, &full);
        int64_t nap = conf->metrics_every.ms < conf->metrics_full_every.ms
                          ? conf->metrics_every.ms
                          : conf->metrics_full_every.ms;
        poll(NULL, 0, (int)nap);
    }
    pg_free(pg);
    return status;
}
