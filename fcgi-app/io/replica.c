/*
 * How far the replica is behind is found out by places in the write-ahead log. Now and then the
 * primary is asked where it is; once the replica has replayed up to there, it is as fresh as that
 * moment. Rejected: pg_last_xact_replay_timestamp(), which grows while nothing is written, and
 * which stands still, with nothing left to replay, on a standby that the primary cannot reach; and
 * pg_stat_wal_receiver, which our role may not see.
 *
 * So the clock is this host's alone, and the answer is cautious: a replica is at most as old as it
 * is said to be. Places of several moments are kept, since a busy primary is always ahead of where
 * the replica is by the time that it is asked.
 *
 * After a promotion the new primary's places go on from where the old one's ended. A standby that
 * did not follow it stays behind them, and so is found out.
 */
#include "io/replica.h"

#include "base/clock.h"
#include "base/log.h"
#include "io/pg_private.h"

#include <stdlib.h>

#define NS_IN_MS INT64_C(1000000)
#define PLACES 8
#define LOOKS 4 /* in the time that the replica may be behind */
#define LOOK_MIN_NS (20 * NS_IN_MS)
#define LOOK_MAX_NS (1000 * NS_IN_MS)
#define PAUSE_MIN_NS (1000 * NS_IN_MS)
#define PAUSE_MAX_NS (30000 * NS_IN_MS)
#define PRIMARY_PAUSE_NS (5000 * NS_IN_MS) /* a primary that is away is not asked by us */

/* Where the primary was, and when. */
struct place {
    int64_t at_ns, position;
};

struct replica {
    struct pg_options options;
    struct pg *pg;
    int position; /* the statement */
    int64_t lag_ns, look_ns;
    struct place places[PLACES]; /* a ring; position 0: none yet */
    int next;
    int64_t fresh_ns;       /* what was committed before has been replayed; 0: not known */
    int64_t look_at_ns;     /* when to look again */
    int64_t primary_at_ns;  /* when to ask the primary again */
    int64_t pause_until_ns; /* the replica is left alone until then */
    int64_t pause_ns;
    bool good;
    bool told; /* the log has been told that it is not */
};

struct position_row {
    int64_t position;
};
static const struct field position_row_fields[] = {FIELD(struct position_row, position)};
static const struct input position_row = INPUT(position_row, "Position", NULL);

static void
tell_bad(struct replica *r, const char *why)
{
    r->good = false;
    if (!r->told)
        log_event(LOG_WARN, EVENT("replica.not_used"), TEXT("error.message", why));
    r->told = true;
}

static void
tell_good(struct replica *r)
{
    r->good = true;
    r->pause_ns = 0;
    if (r->told)
        log_event(LOG_INFO, EVENT("replica.used"));
    r->told = false;
}

static void
leave_alone(struct replica *r, const char *why)
{
    r->pause_ns = r->pause_ns == 0 ? PAUSE_MIN_NS : 2 * r->pause_ns;
    if (r->pause_ns > PAUSE_MAX_NS)
        r->pause_ns = PAUSE_MAX_NS;
    r->pause_until_ns = clock_mono_ns() + r->pause_ns;
    tell_bad(r, why);
}

/* Where a server is. Problems in ctx are the caller's, and stay as they were. */
static enum err
ask(struct ctx *ctx, struct pg *pg, int stmt, int64_t *out)
{
    struct position_row row = {0};
    struct problems before = ctx->problems;
    struct pg *own = ctx->pg;

    ctx->pg = pg;
    enum err e = pg_one(ctx, stmt, &position_row, &row, ARG_NONE);
    ctx->pg = own;
    ctx->problems = before;
    *out = row.position;
    return e;
}

/* False if the primary is away. */
static bool
note_place(struct replica *r, struct ctx *ctx, int64_t now)
{
    struct place place = {.at_ns = now};

    if (now < r->primary_at_ns)
        return false;
    if (ask(ctx, ctx->pg, r->position, &place.position) != OK) {
        r->primary_at_ns = clock_mono_ns() + PRIMARY_PAUSE_NS;
        return false;
    }
    r->places[r->next] = place;
    r->next = (r->next + 1) % PLACES;
    return true;
}

static void
look(struct replica *r, struct ctx *ctx, int64_t now)
{
    int64_t replayed;
    bool known = note_place(r, ctx, now);

    r->look_at_ns = now + r->look_ns;
    if (ask(ctx, r->pg, r->position, &replayed) != OK) {
        leave_alone(r, "it does not answer");
        return;
    }
    for (int i = 0; i < PLACES; i++) {
        const struct place *p = &r->places[i];

        if (p->position > 0 && p->position <= replayed && p->at_ns > r->fresh_ns)
            r->fresh_ns = p->at_ns;
    }
    if (!known) /* as it was judged before */
        return;
    if (r->fresh_ns != 0 && now - r->fresh_ns <= r->lag_ns)
        tell_good(r);
    else
        tell_bad(r, "it is behind the primary");
}

const char *
replica_url_fault(const char *url)
{
    return url[0] == '\0' ? NULL : pg_url_fault(url);
}

struct replica *
replica_new(const struct pg_options *options, int64_t lag_ms)
{
    struct replica *r = calloc(1, sizeof *r);

    if (r == NULL)
        pg_die(NULL, "out of memory");
    r->options = *options;
    r->options.standby = true;
    r->pg = pg_new(&r->options);
    r->position = pg_stmt_named(r->pg, "TX_POSITION");
    r->lag_ns = lag_ms * NS_IN_MS;
    r->look_ns = r->lag_ns / LOOKS;
    if (r->look_ns < LOOK_MIN_NS)
        r->look_ns = LOOK_MIN_NS;
    if (r->look_ns > LOOK_MAX_NS)
        r->look_ns = LOOK_MAX_NS;
    return r;
}

void
replica_free(struct replica *r)
{
    if (r == NULL)
        return;
    pg_free(r->pg);
    free(r);
}

bool
replica_is_good(struct replica *r, struct ctx *ctx)
{
    int64_t now = clock_mono_ns();

    if (r == NULL || now < r->pause_until_ns)
        return false;
    if (now >= r->look_at_ns)
        look(r, ctx, now);
    return r->good;
}

/* Whether it is no answer, or none to be relied on. */
static bool
is_no_answer(enum err e)
{
    return e == ERR_NOT_FOUND || e == ERR_RERUN || e == ERR_LOST || e == ERR_SERVICE_UNAVAILABLE ||
           e == ERR_REQUEST_TIMEOUT || e == ERR_INTERNAL;
}

bool
replica_read(struct replica *r, struct ctx *ctx, enum err (*read)(struct ctx *ctx, void *arg),
             void *arg, enum err *e)
{
    struct problems before = ctx->problems;
    struct pg *primary = ctx->pg;

    ctx->pg = r->pg;
    *e = read(ctx, arg);
    ctx->pg = primary;
    if (!is_no_answer(*e))
        return true;
    ctx->problems = before;
    /* Of a conflict with recovery, and of a row that is not there yet, the next reader need not be
     * afraid. */
    if (*e != ERR_RERUN && *e != ERR_NOT_FOUND)
        leave_alone(r, "it could not answer");
    return false;
}
