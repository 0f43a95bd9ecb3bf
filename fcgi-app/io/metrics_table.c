/*
 * One row a metric, in the order of enum metric. Names follow Prometheus' conventions: base units,
 * _total for what only grows. To add one: a member there, a row here, a line in
 * nginx/docs/metrics.html.
 *
 * How many series there can be is bounded by what the labels can say: routes times the statuses
 * that each declares, named statements, the listeners of the outbox, providers times their
 * operations; never an id, an address or a word of a client. A shop at work has some 1,500; a
 * service has room for METRICS_SERIES (metrics_private.h), and what does not fit is counted.
 */
#include "io/metrics.h"

#define MS INT64_C(1000000)

const int64_t metric_bounds[METRIC_BOUNDS] = {1 * MS,    5 * MS / 2, 5 * MS,    10 * MS,  25 * MS,
                                              50 * MS,   100 * MS,   250 * MS,  500 * MS, 1000 * MS,
                                              2500 * MS, 5000 * MS,  10000 * MS};

/* clang-format off */
const struct metric_family metric_families[METRIC__COUNT] = {
    /* What workers serve. */
    [METRIC_REQUESTS] = {"soko_requests_total", "Requests that workers have answered.", METRIC_COUNTER,
        .labels = {"route", "method", "status"}},
    [METRIC_REQUEST_SECONDS] = {"soko_request_duration_seconds", "Time from a worker's taking a request to its answer.",
        METRIC_HISTOGRAM, .seconds = true, .labels = {"route"}},
    [METRIC_QUEUE_SECONDS] = {"soko_queue_wait_seconds", "Time from a request's arrival at nginx to a worker's taking it.",
        METRIC_HISTOGRAM, .seconds = true},
    [METRIC_REPLAYS] = {"soko_idempotent_replays_total", "Answers given again under their Idempotency-Key.", METRIC_COUNTER},
    [METRIC_RATE_LIMITED] = {"soko_rate_limited_total", "Requests refused by a limit: account, public, sign_in.",
        METRIC_COUNTER, .labels = {"limit"}},

    /* The pools. */
    [METRIC_WORKERS] = {"soko_workers", "Workers that are starting, idle, busy, leaving.", METRIC_GAUGE,
        .labels = {"state"}},
    [METRIC_WORKERS_WANTED] = {"soko_workers_wanted", "Workers that there should be.", METRIC_GAUGE},
    [METRIC_WORKER_STARTS] = {"soko_worker_starts_total", "Workers forked.", METRIC_COUNTER},
    [METRIC_WORKER_EXITS] = {"soko_worker_exits_total",
        "Workers that ended: told (stop or reload), retired (served enough), deadline and stop_timeout (killed by the "
        "parent), signal (killed by somebody else, or crashed), failed (left by itself).", METRIC_COUNTER,
        .labels = {"reason"}},
    [METRIC_EXHAUSTED] = {"soko_pool_exhausted_seconds_total", "Time in which no worker was idle.", METRIC_COUNTER,
        .seconds = true},
    [METRIC_STARTED] = {"soko_start_timestamp_seconds", "When the service started.", METRIC_GAUGE, .seconds = true,
        .lasting = true},
    [METRIC_SEEN] = {"soko_seen_timestamp_seconds", "When the service's parent was alive last.", METRIC_GAUGE,
        .seconds = true, .lasting = true},
    [METRIC_BUILD] = {"soko_build_info", "1, for the version that the service runs.", METRIC_GAUGE,
        .labels = {"version"}},

    /* What they stand on. */
    [METRIC_SQL] = {"soko_sql_statements_total", "SQL statements whose result came, by name.", METRIC_COUNTER,
        .labels = {"statement"}},
    [METRIC_SQL_SECONDS] = {"soko_sql_seconds_total", "Time waited for results of SQL statements.", METRIC_COUNTER,
        .seconds = true, .labels = {"statement"}},
    [METRIC_SQL_ERRORS] = {"soko_sql_errors_total",
        "SQL statements that failed: conflict (runs again), lost (no connection), timeout, refused (a constraint), other.",
        METRIC_COUNTER, .labels = {"statement", "kind"}},
    [METRIC_RERUNS] = {"soko_transaction_reruns_total", "Transactions run again: conflict (40001, 40P01), lost (connection).",
        METRIC_COUNTER, .labels = {"reason"}},
    [METRIC_REDIS] = {"soko_redis_calls_total", "Calls to Redis: ok, down.", METRIC_COUNTER, .labels = {"call", "outcome"}},
    [METRIC_REDIS_SECONDS] = {"soko_redis_duration_seconds", "Time of a call to Redis.", METRIC_HISTOGRAM, .seconds = true},

    /* Providers. */
    [METRIC_PROVIDER_CALLS] = {"soko_provider_calls_total",
        "Calls to providers: success, refused (HTTP 4xx), failure (429, 5xx, or no good answer), not_sent (no connection, "
        "no place, or left alone), unknown (no answer).", METRIC_COUNTER,
        .labels = {"provider", "operation", "outcome"}},
    [METRIC_PROVIDER_SECONDS] = {"soko_provider_call_duration_seconds", "Time of a call to a provider.", METRIC_HISTOGRAM,
        .seconds = true, .labels = {"provider", "operation"}},
    [METRIC_BREAKER] = {"soko_provider_breaker_open", "1 while a provider is left alone, until one call succeeds.",
        METRIC_GAUGE, .labels = {"provider"}},

    /* soko-jobs. */
    [METRIC_DELIVERIES] = {"soko_deliveries_total", "Deliveries of the outbox: done, failed (comes again), parked.",
        METRIC_COUNTER, .labels = {"consumer", "outcome"}},
    [METRIC_DELIVERY_SECONDS] = {"soko_delivery_duration_seconds", "Time of a delivery.", METRIC_HISTOGRAM, .seconds = true,
        .labels = {"consumer"}},

    /* What soko-jobs reads from the database every METRICS_EVERY. */
    [METRIC_OUTBOX] = {"soko_outbox_deliveries", "Deliveries that wait: due, later. Counted up to 10,000 a lane.",
        METRIC_GAUGE, .shop = true, .labels = {"lane", "state"}},
    [METRIC_OUTBOX_AGE] = {"soko_outbox_oldest_due_seconds", "For how long the oldest delivery has been due; 0: none is.",
        METRIC_GAUGE, .seconds = true, .shop = true, .labels = {"lane"}},
    [METRIC_OUTBOX_PARKED] = {"soko_outbox_parked", "Deliveries set aside for a person to look at. Counted up to 10,000.",
        METRIC_GAUGE, .shop = true, .labels = {"lane"}},
    [METRIC_PAYMENTS_OPEN] = {"soko_payments_open", "Payments under way.", METRIC_GAUGE, .shop = true,
        .labels = {"provider", "status"}},
    [METRIC_PAYMENTS_AGE] = {"soko_payments_oldest_open_seconds", "Age of the oldest payment under way; 0: there is none.",
        METRIC_GAUGE, .seconds = true, .shop = true, .labels = {"provider", "status"}},
    [METRIC_REVIEW] = {"soko_payments_need_review", "Payments that wait for a person.", METRIC_GAUGE, .shop = true},
    [METRIC_REFUNDS_WAITING] = {"soko_refunds_waiting", "Refunds that have failed for good, and wait for a person.",
        METRIC_GAUGE, .shop = true},
    [METRIC_RECENT_PAYMENTS] = {"soko_payments_last_hour", "Payments begun in the last hour.", METRIC_GAUGE, .shop = true,
        .labels = {"provider", "status"}},
    [METRIC_ORDERS_OVERDUE] = {"soko_orders_overdue_seconds", "For how long the oldest unpaid order should have expired; 0: "
        "there is none.", METRIC_GAUGE, .seconds = true, .shop = true},
    [METRIC_AUDIT_AGE] = {"soko_audit_unsealed_seconds", "Age of the oldest audit entry that has no seal; 0: all have.",
        METRIC_GAUGE, .seconds = true, .shop = true},
    [METRIC_LEDGER_UNBALANCED] = {"soko_ledger_unbalanced_transactions",
        "Ledger transactions of the last hour whose entries do not sum to zero.", METRIC_GAUGE, .shop = true},

    /* And every METRICS_FULL_EVERY, by reading whole tables. */
    [METRIC_PAYMENTS] = {"soko_payments", "All payments.", METRIC_GAUGE, .shop = true, .labels = {"provider", "status"}},
    [METRIC_REFUNDS] = {"soko_refunds", "All refunds.", METRIC_GAUGE, .shop = true, .labels = {"status"}},
    [METRIC_ORDERS] = {"soko_orders", "All orders.", METRIC_GAUGE, .shop = true, .labels = {"status"}},
    [METRIC_LEDGER] = {"soko_ledger_difference_minor_units",
        "What must be zero: entries (the sum of all entries), cash (what the ledger says that providers hold, less what "
        "payments brought and refunds took).", METRIC_GAUGE, .shop = true, .labels = {"currency", "what"}},
    [METRIC_OBSERVED] = {"soko_observed_timestamp_seconds", "When the database was read last: often, full.", METRIC_GAUGE,
        .seconds = true, .shop = true, .lasting = true, .labels = {"reading"}},
    [METRIC_OBSERVING] = {"soko_observing_seconds", "How long that reading took.", METRIC_GAUGE, .seconds = true,
        .shop = true, .labels = {"reading"}},

    [METRIC_DROPPED] = {"soko_metrics_dropped_total", "Counts that had no room. Should be 0.", METRIC_COUNTER},
};
/* clang-format on */
