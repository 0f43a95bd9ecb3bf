/*
 * Redis may be lost without anybody losing anything, so its absence is "degraded", never 503.
 */
#include "shop/status.h"
#include "base/config.h"
#include "io/cache.h"
#include "io/metrics.h"
#include "io/replica.h"
#include "shop/req.h"

struct migration_row {
    int64_t version;
};
static const struct field migration_row_fields[] = {FIELD(struct migration_row, version)};
static const struct input migration_row = INPUT(migration_row, "Migration", NULL);

static const char *
redis_state(struct ctx *ctx)
{
    return cache_ping(ctx->cache) == CACHE_DOWN ? "degraded" : "ok";
}

static const char *
replica_state(struct ctx *ctx)
{
    return ctx->replica == NULL ? "none" : replica_is_good(ctx->replica, ctx) ? "ok" : "degraded";
}

static enum err
health(struct req *rq)
{
    text_puts(&rq->reply, "{\"status\":\"ok\"}");
    return OK;
}

static enum err
ready(struct req *rq)
{
    struct migration_row m = {0};

    if (pg_one(&rq->ctx, STATUS_MIGRATION, &migration_row, &m, ARG_NONE) != OK) {
        problems_clear(&rq->ctx.problems);
        return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "PostgreSQL does not answer");
    }
    if (m.version < SCHEMA_VERSION)
        return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL,
                    "migrations are behind: the database is at %d, this program needs %d",
                    (int)m.version, SCHEMA_VERSION);
    text_putc(&rq->reply, '{');
    text_member(&rq->reply, "status", "ready");
    text_member(&rq->reply, "postgres", "ok");
    text_member(&rq->reply, "redis", redis_state(&rq->ctx));
    text_member(&rq->reply, "replica", replica_state(&rq->ctx));
    text_member_int(&rq->reply, "migration", m.version);
    text_putc(&rq->reply, '}');
    return OK;
}

static enum err
show(struct req *rq)
{
    int64_t rows;

    if (pg_touch(&rq->ctx, STATUS_PING, &rows, ARG_NONE) != OK) {
        problems_clear(&rq->ctx.problems);
        return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "PostgreSQL does not answer");
    }
    text_putc(&rq->reply, '{');
    text_member(&rq->reply, "postgres", "ok");
    text_member(&rq->reply, "redis", redis_state(&rq->ctx));
    text_member(&rq->reply, "replica", replica_state(&rq->ctx));
    text_putc(&rq->reply, '}');
    return OK;
}

/* Not JSON: the text that Prometheus reads. */
static enum err
metrics(struct req *rq)
{
    if (!metrics_print(&rq->reply, conf->metrics_dir))
        return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "METRICS_DIR cannot be read");
    return OK;
}

static const struct out_field health_fields[] = {
    {"status", OUT_TEXT, .one_of = "ok", .eg = "ok", .doc = "Always ok: the process answers"},
};
static const struct output health_out = OUTPUT(health_fields, "Health");

static const struct out_field ready_fields[] = {
    {"status", OUT_TEXT, .one_of = "ready", .eg = "ready", .doc = "Send it work"},
    {"postgres", OUT_TEXT, .one_of = "ok", .eg = "ok", .doc = "PostgreSQL answers"},
    {"redis", OUT_TEXT, .one_of = "ok|degraded", .eg = "ok",
     .doc = "Degraded: sessions are read from PostgreSQL, limits do not count"},
    {"replica", OUT_TEXT, .one_of = "ok|degraded|none", .eg = "none",
     .doc = "Degraded: it is away or behind, and PostgreSQL itself answers for the catalogue"},
    {"migration", OUT_INT, .eg = "9", .doc = "The newest migration of the database"},
};
static const struct output ready_out = OUTPUT(ready_fields, "Ready");

static const struct out_field status_fields[] = {
    {"postgres", OUT_TEXT, .one_of = "ok", .eg = "ok", .doc = "PostgreSQL answers"},
    {"redis", OUT_TEXT, .one_of = "ok|degraded", .eg = "ok", .doc = "Redis, which may be lost"},
    {"replica", OUT_TEXT, .one_of = "ok|degraded|none", .eg = "none",
     .doc = "A copy of PostgreSQL for catalogue reads, which may be lost too"},
};
static const struct output status_out = OUTPUT(status_fields, "Status");

const struct endpoint status_health = {
    .name = "health",
    .tag = "Status",
    .doc = "Whether the process answers; touches nothing else.",
    .run = health,
    .out = &health_out,
};
const struct endpoint status_ready = {
    .name = "ready",
    .tag = "Status",
    .doc =
        "Whether to send work: PostgreSQL answers and is migrated; 503 names the part that is not.",
    .run = ready,
    .out = &ready_out,
};
const struct endpoint status_show = {
    .name = "status",
    .tag = "Status",
    .doc = "The state of what the shop stands on.",
    .run = show,
    .out = &status_out,
};
const struct endpoint status_metrics = {
    .name = "metrics",
    .tag = "Status",
    .doc = "What the services of this machine have counted, for Prometheus; nginx lets in whom "
           "METRICS_ADDRESSES names.",
    .run = metrics,
    .bare = true,
    .type = METRICS_TYPE,
};
