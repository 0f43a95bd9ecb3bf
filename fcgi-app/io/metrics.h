/*
 * io/metrics: what the shop's processes count, for Prometheus.
 *
 * A service (a pool of soko-api, soko-jobs) has one file in conf->metrics_dir, which all of its
 * processes map. A process adds to it without a lock and may be killed at any instruction. The file
 * outlives the service, so that counters go on after a restart; it is gone when the machine starts
 * anew, which is what Prometheus calls a reset. Any process may print the files of all services.
 *
 * What is counted is one table (metrics_table.c). A series is a row of it and its labels' values;
 * it comes to be when it is first counted, so no floor must know what another one names.
 */
#ifndef SOKO_IO_METRICS_H
#define SOKO_IO_METRICS_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of the table, which says each one's name, labels and meaning. */
enum metric {
    METRIC_REQUESTS,
    METRIC_REQUEST_SECONDS,
    METRIC_QUEUE_SECONDS,
    METRIC_REPLAYS,
    METRIC_RATE_LIMITED,
    METRIC_WORKERS,
    METRIC_WORKERS_WANTED,
    METRIC_WORKER_STARTS,
    METRIC_WORKER_EXITS,
    METRIC_EXHAUSTED,
    METRIC_STARTED,
    METRIC_SEEN,
    METRIC_BUILD,
    METRIC_SQL,
    METRIC_SQL_SECONDS,
    METRIC_SQL_ERRORS,
    METRIC_RERUNS,
    METRIC_REDIS,
    METRIC_REDIS_SECONDS,
    METRIC_PROVIDER_CALLS,
    METRIC_PROVIDER_SECONDS,
    METRIC_BREAKER,
    METRIC_DELIVERIES,
    METRIC_DELIVERY_SECONDS,
    METRIC_OUTBOX,
    METRIC_OUTBOX_AGE,
    METRIC_OUTBOX_PARKED,
    METRIC_PAYMENTS_OPEN,
    METRIC_PAYMENTS_AGE,
    METRIC_REVIEW,
    METRIC_REFUNDS_WAITING,
    METRIC_RECENT_PAYMENTS,
    METRIC_ORDERS_OVERDUE,
    METRIC_AUDIT_AGE,
    METRIC_LEDGER_UNBALANCED,
    METRIC_PAYMENTS,
    METRIC_REFUNDS,
    METRIC_ORDERS,
    METRIC_LEDGER,
    METRIC_OBSERVED,
    METRIC_OBSERVING,
    METRIC_DROPPED,
    METRIC__COUNT
};

#define METRIC_LABELS_MAX 3

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_family {
    const char *name, *help;
    enum metric_kind kind;
    bool seconds; /* counted in nanoseconds, printed as seconds; every histogram is */
    bool shop;    /* says something about the shop, not about the service that has found it out:
                     it has no label `pool` */
    bool lasting; /* a gauge that is true also when its service is not there any more */
    const char *labels[METRIC_LABELS_MAX]; /* names, besides pool; NULL: no more */
};

extern const struct metric_family metric_families[METRIC__COUNT];

/* Bounds of the histograms' buckets, in nanoseconds; above the last is one more. */
#define METRIC_BOUNDS 13
extern const int64_t metric_bounds[METRIC_BOUNDS];

/* Maps the file of `service` (at most 15 small letters) in `dir`, making it if there is none that
 * can be trusted; before the first fork, once. Until then, and if it fails, counting has no effect:
 * a shop sells without being measured. False after logging what is wrong with which folder. */
bool metrics_open(const char *dir, const char *service);

/* Labels in the order of the table; their text is copied. A value may be any text; what is no
 * printable ASCII is shown as '?'. Too many series, or one too long, are counted as dropped. */
#define LABELS(...) ((const char *const[METRIC_LABELS_MAX]){__VA_ARGS__})
#define NO_LABELS NULL

/* A counter: adds `n` (nanoseconds, if the family counts seconds). What a transaction does is
 * counted by after_commit() (io/tx.h), since it may be rolled back, or run again. */
void metric_add(enum metric m, uint64_t n, const char *const *labels);

/* A gauge. METRIC_UNKNOWN takes it away. */
#define METRIC_UNKNOWN INT64_MIN
void metric_set(enum metric m, int64_t value, const char *const *labels);

/* A histogram: one more that took `ns`; what is less than 0 took nothing. */
void metric_observe(enum metric m, int64_t ns, const char *const *labels);

/* All that the services of this machine have counted, in Prometheus' text format 0.0.4. A file that
 * is not ours, or not whole, or of another version, is left out, which is said in a comment. False
 * if `dir` cannot be read. */
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
bool metrics_print(struct text *out, const char *dir);

#endif
