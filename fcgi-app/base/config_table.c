/*
 * One row a setting, in the order of struct config. To add one: a member there, a row here.
 */
#include "base/config_table.h"

#ifndef SOKO_SQL_DIR
#define SOKO_SQL_DIR "/usr/share/soko/sql"
#endif

#define ROW(member_, def_, min_, max_, ...)                                                          \
    {                                                                                                \
        .member = #member_, .at = offsetof(struct config, member_),                                \
        .kind = _Generic(((struct config *)0)->member_,                                            \
                         const char *: SETTING_TEXT,                                                  \
                         int64_t: SETTING_INT,                                                        \
                         struct span: SETTING_SPAN,                                                   \
                         struct size: SETTING_SIZE),                                                  \
        .def = (def_), .min = (min_), .max = (max_), __VA_ARGS__ \
    }

/* clang-format off */
const struct setting settings[] = {
    ROW(soko_env, "production", 0, 16, .one_of = "production|demo",
        .doc = "demo offers simulated payments and prints what a shop must keep to itself"),
    ROW(log_level, "info", 0, 16, .one_of = "debug|info|warn|error",
        .doc = "the least level that is logged"),
    ROW(database_url, NULL, 1, 4096, .secret = true,
        .doc = "PostgreSQL, as postgresql://user:password@host/soko or key=value pairs"),
    ROW(database_connect_timeout, "5s", 1, 5 * MINUTE,
        .doc = "how long a connection to PostgreSQL may take to open"),
    ROW(statement_timeout, "5s", 1, HOUR,
        .doc = "how long one SQL statement may run; must be less than WORKER_DEADLINE"),
    ROW(redis_address, "127.0.0.1:6379", 1, 1024, .secret = true,
        .doc = "Redis, as host:port or unix:/path, with password@ before it if it has one"),
    ROW(redis_timeout, "200ms", 1, MINUTE,
        .doc = "how long Redis may take to connect, or to answer, before we go on without it"),
    ROW(token_key, NULL, 32, 1024, .secret = true,
        .doc = "signs access tokens: whoever knows it is everybody; by openssl rand -hex 32"),
    ROW(access_token_ttl, "15min", 1, DAY,
        .doc = "life of an access token"),
    ROW(refresh_token_ttl, "7d", 1, 365 * DAY,
        .doc = "life of a refresh token; a session unused for so long is over"),
    ROW(refresh_grace, "30s", 0, HOUR,
        .doc = "how long a rotated refresh token may come again without ending the session"),
    ROW(password_min_length, "8", 1, 128,
        .doc = "least characters of a new password"),
    ROW(password_cost, "5", 1, 11,
        .doc = "cost of yescrypt; each step doubles memory and time of a sign-in"),
    ROW(limit_public, "60", 0, 1000000,
        .doc = "requests a minute and address without sign-in; 0 is no limit"),
    ROW(limit_signed_in, "120", 0, 1000000,
        .doc = "requests a minute and account; 0 is no limit"),
    ROW(limit_login, "10", 0, 1000000,
        .doc = "sign-ins and registrations together a minute and address; 0 is no limit"),
    ROW(idempotency_ttl, "24h", 1, 365 * DAY,
        .doc = "how long an answer is kept under its Idempotency-Key"),
    ROW(order_payment_ttl, "30min", 1, 365 * DAY,
        .doc = "how long an order waits for its payment before it expires"),
    ROW(workers_fast, "0", 0, 4096,
        .doc = "workers for what needs PostgreSQL and Redis only; 0 is four a core"),
    ROW(workers_hash, "0", 0, 4096,
        .doc = "workers for what hashes passwords; 0 is one a core"),
    ROW(workers_wire, "16", 1, 4096,
        .doc = "workers for what calls a provider"),
    ROW(worker_max_requests, "100000", 0, 1000000000,
        .doc = "requests after which a worker is replaced; 0 is never"),
    ROW(worker_deadline, "10s", 1, HOUR,
        .doc = "a worker that spends longer on one request is killed"),
    ROW(queue_limit, "1s", 1, HOUR,
        .doc = "a request that waited longer for a worker is answered 503 at once"),
    ROW(stop_timeout, "30s", 1, HOUR,
        .doc = "how long workers may finish their request when the service stops"),
    ROW(jobs_poll, "100ms", 1, HOUR,
        .doc = "pause between looks at an empty outbox"),
    ROW(jobs_lease, "60s", 1, DAY,
        .doc = "a job whose worker died is taken over after this"),
    ROW(jobs_backoff, "1s", 1, DAY,
        .doc = "pause before the first retry of a job, doubled for each further one"),
    ROW(jobs_backoff_max, "1h", 1, 30 * DAY,
        .doc = "longest pause between retries of a job"),
    ROW(jobs_max_attempts, "12", 1, 1000,
        .doc = "attempts after which a job is set aside for a person to look at"),
    ROW(jobs_batch, "16", 1, 1000,
        .doc = "jobs claimed at once"),
    ROW(jobs_sweep, "1min", 1, 1 * DAY,
        .doc = "pause between removals of expired sessions and idempotency keys"),
    ROW(media_dir, "/var/lib/soko/media", 1, 4096,
        .doc = "folder of uploaded images, an absolute path: we write it, nginx reads it"),
    ROW(upload_max_size, "5M", 1024, 64 * 1024 * 1024,
        .doc = "largest image that may be uploaded; nginx's configuration follows from it"),
    ROW(media_sweep, "1h", 1, 365 * DAY,
        .doc = "pause between looks for images that nothing refers to"),
    ROW(media_grace, "24h", 1, 365 * DAY,
        .doc = "how old an image that nothing refers to must be before it is removed"),
    ROW(sql_dir, SOKO_SQL_DIR, 1, 4096,
        .doc = "folder of the schema's migrations and functions"),
    ROW(fault_dir, "", 0, 4096,
        .doc = "for tests: folder whose files make a process die (see base/fault.h)"),
};
/* clang-format on */
_Static_assert(sizeof settings / sizeof settings[0] == SETTINGS, "a row a member");
