/*
 * A gauge of the database is read by one process and kept in its service's file, so that asking for
 * /metrics costs the database nothing, however often and by whom it is asked. Each reading says
 * when it was made.
 *
 * Two readings: what an alert is about is a few rows of a partial index, read often; totals take a
 * whole table, and are read seldom. Rejected: counting totals along, in rows of their own (a hot
 * row that every sale updates) or in memory (a rolled-back transaction would count).
 */
#include "shop/gauges.h"

#include "base/clock.h"
#include "io/metrics.h"
#include "io/pg.h"
#include "io/tx.h"
#include "shop/outbox.h"
#include "shop/stmt.h"

#define NS_IN_MS INT64_C(1000000)

struct lane_row {
    const char *lane;
    int64_t due, later, oldest_ns, parked;
};
static const struct field lane_row_fields[] = {
    FIELD(struct lane_row, lane),   FIELD(struct lane_row, due),
    FIELD(struct lane_row, later),  FIELD(struct lane_row, oldest_ns),
    FIELD(struct lane_row, parked),
};
static const struct input lane_row = INPUT(lane_row, "GaugesLane", NULL);

/* Of payments, refunds and orders; the latter two have no provider. */
struct count_row {
    const char *provider, *status;
    int64_t n, oldest_ns;
};
static const struct field payment_row_fields[] = {
    FIELD(struct count_row, provider),
    FIELD(struct count_row, status),
    FIELD(struct count_row, n),
};
static const struct field open_row_fields[] = {
    FIELD(struct count_row, provider),
    FIELD(struct count_row, status),
    FIELD(struct count_row, n),
    FIELD(struct count_row, oldest_ns),
};
static const struct field status_row_fields[] = {
    FIELD(struct count_row, status),
    FIELD(struct count_row, n),
};
#define COUNTS(table, name_)                                                                       \
    {                                                                                              \
        .name = (name_), .size = sizeof(struct count_row), .fields = (table),                      \
        .count = sizeof(table) / sizeof((table)[0])                                                \
    }
static const struct input payment_row = COUNTS(payment_row_fields, "GaugesPayments");
static const struct input open_row = COUNTS(open_row_fields, "GaugesOpen");
static const struct input status_row = COUNTS(status_row_fields, "GaugesStatus");

struct attention {
    int64_t review, refunds, overdue_ns, unsealed_ns, unbalanced;
};
static const struct field attention_fields[] = {
    FIELD(struct attention, review),     FIELD(struct attention, refunds),
    FIELD(struct attention, overdue_ns), FIELD(struct attention, unsealed_ns),
    FIELD(struct attention, unbalanced),
};
static const struct input attention_row = {
    .name = "GaugesAttention",
    .size = sizeof(struct attention),
    .fields = attention_fields,
    .count = sizeof(attention_fields) / sizeof(attention_fields[0]),
};

struct ledger_row {
    const char *currency;
    int64_t entries, cash;
};
static const struct field ledger_row_fields[] = {
    FIELD(struct ledger_row, currency),
    FIELD(struct ledger_row, entries),
    FIELD(struct ledger_row, cash),
};
static const struct input ledger_row = INPUT(ledger_row, "GaugesLedger", NULL);

static enum err
read_outbox(struct ctx *ctx)
{
    const char *lanes[LANE__COUNT];
    struct lane_row *rows;
    size_t count;

    for (int l = 0; l < LANE__COUNT; l++)
        lanes[l] = lane_name((enum lane)l);
    enum err e =
        pg_all(ctx, GAUGES_OUTBOX, &lane_row, &rows, &count, ARG_TEXTS(lanes, LANE__COUNT));
    for (size_t i = 0; e == OK && i < count; i++) {
        const struct lane_row *r = &rows[i];

        metric_set(METRIC_OUTBOX, r->due, LABELS(r->lane, "due"));
        metric_set(METRIC_OUTBOX, r->later, LABELS(r->lane, "later"));
        metric_set(METRIC_OUTBOX_AGE, r->oldest_ns, LABELS(r->lane));
        metric_set(METRIC_OUTBOX_PARKED, r->parked, LABELS(r->lane));
    }
    return e;
}

/* Rows of (provider,) status and n, each a gauge. */
static enum err
read_counts(struct ctx *ctx, int stmt, const struct input *table, enum metric m)
{
    struct count_row *rows;
    size_t count;

    enum err e = pg_all(ctx, stmt, table, &rows, &count, ARG_NONE);
    for (size_t i = 0; e == OK && i < count; i++) {
        const struct count_row *r = &rows[i];

        metric_set(m, r->n,
                   r->provider != NULL ? LABELS(r->provider, r->status) : LABELS(r->status));
        if (table == &open_row)
            metric_set(METRIC_PAYMENTS_AGE, r->oldest_ns, LABELS(r->provider, r->status));
    }
    return e;
}

static enum err
read_attention(struct ctx *ctx)
{
    struct attention a = {0};

    enum err e = pg_one(ctx, GAUGES_ATTENTION, &attention_row, &a, ARG_NONE);
    if (e != OK)
        return e;
    metric_set(METRIC_REVIEW, a.review, NO_LABELS);
    metric_set(METRIC_REFUNDS_WAITING, a.refunds, NO_LABELS);
    metric_set(METRIC_ORDERS_OVERDUE, a.overdue_ns, NO_LABELS);
    metric_set(METRIC_AUDIT_AGE, a.unsealed_ns, NO_LABELS);
    metric_set(METRIC_LEDGER_UNBALANCED, a.unbalanced, NO_LABELS);
    return OK;
}

static enum err
read_ledger(struct ctx *ctx)
{
    struct ledger_row *rows;
    size_t count;

    enum err e = pg_all(ctx, GAUGES_LEDGER, &ledger_row, &rows, &count, ARG_NONE);
    for (size_t i = 0; e == OK && i < count; i++) {
        metric_set(METRIC_LEDGER, rows[i].entries, LABELS(rows[i].currency, "entries"));
        metric_set(METRIC_LEDGER, rows[i].cash, LABELS(rows[i].currency, "cash"));
    }
    return e;
}

static enum err
often_work(struct ctx *ctx, void *arg)
{
    (void)arg;
    enum err e = read_outbox(ctx);
    if (e == OK)
        e = read_counts(ctx, GAUGES_PAYMENTS_OPEN, &open_row, METRIC_PAYMENTS_OPEN);
    if (e == OK)
        e = read_counts(ctx, GAUGES_PAYMENTS_RECENT, &payment_row, METRIC_RECENT_PAYMENTS);
    return e != OK ? e : read_attention(ctx);
}

static enum err
full_work(struct ctx *ctx, void *arg)
{
    (void)arg;
    enum err e = read_counts(ctx, GAUGES_PAYMENTS, &payment_row, METRIC_PAYMENTS);
    if (e == OK)
        e = read_counts(ctx, GAUGES_REFUNDS, &status_row, METRIC_REFUNDS);
    if (e == OK)
        e = read_counts(ctx, GAUGES_ORDERS, &status_row, METRIC_ORDERS);
    return e != OK ? e : read_ledger(ctx);
}

static enum err
read_all(struct ctx *ctx, enum err (*work)(struct ctx *ctx, void *arg), const char *reading)
{
    int64_t since = clock_mono_ns();

    enum err e = tx_read(ctx, work, NULL);
    if (e != OK)
        return e;
    metric_set(METRIC_OBSERVED, clock_ms() * NS_IN_MS, LABELS(reading));
    metric_set(METRIC_OBSERVING, clock_mono_ns() - since, LABELS(reading));
    return OK;
}

enum err
gauges_often(struct ctx *ctx)
{
    return read_all(ctx, often_work, "often");
}

enum err
gauges_full(struct ctx *ctx)
{
    return read_all(ctx, full_work, "full");
}
