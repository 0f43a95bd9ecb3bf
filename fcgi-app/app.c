/*
 * The worker's loop, and the way of one request: read its head, match, let in, read its input, run,
 * reply, log, reset. Whatever goes wrong on the way ends in the same reply().
 *
 * A request that has waited longer than conf->queue_limit is refused at once: its client has most
 * likely given up, and serving the newest is what keeps a flooded shop useful.
 *
 * A restart is no flood. The socket is systemd's and keeps what arrives while nobody serves; those
 * clients have not given up, there are few of them, and whoever comes next waits behind them. So
 * nobody is refused while the pool opens (slot_open_since) nor until GRACE limits later, by when
 * the queue of a restart is gone. Counting from the opening alone was not enough: a dozen who
 * wanted to sign in keep the two workers that hash passwords busy for longer than one limit. If the
 * shop was flooded when it was restarted, the flood is served, oldest first, for so much longer,
 * once; then all who have waited too long are refused at once, as ever.
 */
#include "app.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/log.h"
#include "base/trace.h"
#include "exchange.h"
#include "io/http_out.h"
#include "io/metrics.h"
#include "io/replica.h"
#include "route_facts.h"
#include "shop/constraints.h"

#include <string.h>
#include <strings.h>

#define UNREAD_MAX ((size_t)1024) /* a body that nobody asked for: "{}" is common */
#define DEFAULT_PER_PAGE 10
#define AGENT_MAX ((size_t)255)
#define TOKEN_DIGITS 64
#define GRACE 5 /* queue limits after its pool has opened */
#define NS_IN_MS INT64_C(1000000)

struct worker {
    struct fcgi *fcgi;
    struct pg *pg;
    struct cache *cache;
    struct replica *replica; /* or NULL */
    struct http_out *http;
    struct arena *arena;
    const struct route *table;
    size_t count;
    const struct slot *slot;
};

static const char *
param_or(struct exchange *x, const char *name, const char *fallback)
{
    const char *value = fcgi_param(x->fcgi, x->rq.ctx.arena, name);

    return value != NULL ? value : fallback;
}

/* Both ids are nginx's word; what it does not say is made here, by the same rule. */
static void
read_trace(struct exchange *x)
{
    struct ctx *ctx = &x->rq.ctx;
    const char *id = param_or(x, "SOKO_TRACE_ID", NULL);
    struct trace *t = arena_alloc(ctx->arena, sizeof(*t));
    char made[UUID_TEXT_SIZE];

    ctx->request_id = param_or(x, "SOKO_REQUEST_ID", NULL);
    if (ctx->request_id == NULL)
        ctx->request_id = arena_strdup(ctx->arena, uuid_text(uuid_v7(ctx->now_ms), made));
    if (!trace_parse(param_or(x, "HTTP_TRACEPARENT", NULL), t))
        trace_begin(ctx->request_id, t);
    if (trace_id_good(id) && strcmp(id, t->id) != 0)
        trace_begin(id, t);
    ctx->trace_id = t->id;
    ctx->sampled = t->sampled;
    log_set_trace(ctx->request_id, ctx->trace_id);
}

/* The path as it was sent, without its query: what is encoded in it matches nothing of ours. */
static void
read_target(struct exchange *x)
{
    const char *uri = param_or(x, "REQUEST_URI", "/");
    const char *mark = strchr(uri, '?');

    x->path = mark == NULL ? uri : arena_strndup(x->rq.ctx.arena, uri, (size_t)(mark - uri));
    x->query = mark == NULL ? "" : mark + 1;
}

/* A header as text that can be stored and shown: cut, '?' for what is no UTF-8 or a control. */
static const char *
readable(struct exchange *x, const char *header)
{
    size_t len = strlen(header), n = 0, step;
    char *out = arena_strndup(x->rq.ctx.arena, header, len < AGENT_MAX ? len : AGENT_MAX);

    for (len = strlen(out); n < len; n += step) {
        step = utf8_step(out + n, len - n);
        if (step == 0 || (unsigned char)out[n] < ' ') {
            out[n] = '?';
            step = 1;
        }
    }
    return out;
}

static void
read_head(struct exchange *x)
{
    struct ctx *ctx = &x->rq.ctx;

    ctx->now_ms = clock_ms();
    read_trace(x);
    x->method_word = param_or(x, "REQUEST_METHOD", "");
    x->method = method_parse(x->method_word);
    x->rq.address = param_or(x, "REMOTE_ADDR", "unknown");
    x->rq.network = address_network(ctx->arena, x->rq.address);
    ctx->actor.address = x->rq.address;
    x->rq.signature = param_or(x, "HTTP_STRIPE_SIGNATURE", "");
    x->rq.agent = readable(x, param_or(x, "HTTP_USER_AGENT", ""));
    x->rq.reply = text_new(ctx->arena, REPLY_MAX);
    x->rq.facets = text_new(ctx->arena, REPLY_MAX);
    x->rq.paging.total = -1;
    read_target(x);
}

/* nginx tells when a request came, as "seconds.milliseconds". */
static enum err
demand_fresh(struct exchange *x, int64_t open_since)
{
    struct decimal at;
    const char *arrival = param_or(x, "SOKO_ARRIVAL", NULL);

    if (arrival == NULL || !decimal_parse(arrival, strlen(arrival), &at))
        return OK;
    int64_t ms = at.units;
    for (int scale = at.scale; scale < 3; scale++)
        ms *= 10;
    if (at.scale > 3)
        return OK;
    int64_t now = clock_ms(), limit = conf->queue_limit.ms;
    metric_observe(METRIC_QUEUE_SECONDS, (now - ms) * NS_IN_MS, NO_LABELS);
    if (open_since == 0 || now - open_since <= GRACE * limit || now - ms <= limit)
        return OK;
    return fail(&x->rq.ctx, ERR_SERVICE_UNAVAILABLE, NULL, "the shop is overloaded");
}

static enum err
match(struct exchange *x, const struct worker *w, const char *ids[ROUTE_IDS_MAX])
{
    char *scratch = arena_alloc(x->rq.ctx.arena, strlen(x->path) + 1);

    x->route = route_find(w->table, w->count, x->method, x->path, scratch, ids, &x->allow);
    if (x->route != NULL) {
        x->rq.endpoint = x->route->endpoint;
        return OK;
    }
    if (x->allow == 0)
        return fail(&x->rq.ctx, ERR_NOT_FOUND, NULL, "there is nothing at this path");
    return fail(&x->rq.ctx, ERR_METHOD_NOT_ALLOWED, NULL, "this path takes other methods");
}

/* The name of the i-th id in a route's path, for the error message. */
static const char *
id_name(struct exchange *x, size_t i)
{
    const char *at = x->route->path;

    for (size_t seen = 0; (at = strchr(at, ':')) != NULL; seen++) {
        at++;
        if (seen == i)
            return arena_strndup(x->rq.ctx.arena, at, strcspn(at, "/"));
    }
    return "id";
}

/* Digits, at most nine, the first of them not 0. */
static bool
read_number(const char *s, int64_t *out)
{
    size_t digits = strspn(s, "0123456789");
    int64_t n = 0;

    if (digits == 0 || digits > 9 || s[digits] != '\0' || s[0] == '0')
        return false;
    for (; *s != '\0'; s++)
        n = n * 10 + (*s - '0');
    *out = n;
    return true;
}

/* A token is 256 random bits: whoever sends another shape guesses. */
static bool
is_token(const char *s)
{
    return strspn(s, "0123456789abcdef") == TOKEN_DIGITS && s[TOKEN_DIGITS] == '\0';
}

static enum err
read_ids(struct exchange *x, const char *const ids[ROUTE_IDS_MAX])
{
    enum err e = OK;

    for (size_t i = 0; i < ROUTE_IDS_MAX && x->route->ids[i] != ID_NONE; i++) {
        if (x->route->ids[i] == ID_TOKEN) {
            if (!is_token(ids[i]))
                return fail(&x->rq.ctx, ERR_NOT_FOUND, NULL, "there is nothing at this path");
            x->rq.words[i] = ids[i];
            continue;
        }
        if (x->route->ids[i] == ID_NUMBER) {
            if (!read_number(ids[i], &x->rq.numbers[i]))
                e = fail(&x->rq.ctx, ERR_VALIDATION, id_name(x, i), "must be a number from 1");
        } else if (!uuid_parse(ids[i], strlen(ids[i]), &x->rq.ids[i]))
            e = fail(&x->rq.ctx, ERR_VALIDATION, id_name(x, i), "must be a UUID");
    }
    return e;
}

static bool
is_json(const char *type)
{
    static const char json[] = "application/json";
    size_t n = sizeof(json) - 1;

    return strncasecmp(type, json, n) == 0 && (type[n] == '\0' || type[n] == ';' || type[n] == ' ');
}

/* The file of a form. It is all that a form means to us, so from here on it is the body: the
 * boundary, which clients invent anew for each attempt, must not make two bodies of one file. */
static enum err
read_upload(struct exchange *x)
{
    struct ctx *ctx = &x->rq.ctx;
    const char *type = param_or(x, "CONTENT_TYPE", ""), *name = x->rq.endpoint->upload;
    char boundary[MULTIPART_BOUNDARY_MAX + 1];

    if (!multipart_is_form(type))
        return fail(ctx, ERR_UNSUPPORTED_MEDIA_TYPE, NULL,
                    "send Content-Type: multipart/form-data, the file in the field %s", name);
    if (!multipart_boundary(type, boundary))
        return fail(ctx, ERR_VALIDATION, NULL, "malformed form: Content-Type has no good boundary");
    enum err e = multipart_read(ctx->arena, &ctx->problems, boundary, x->body, x->body_len, name,
                                &x->rq.upload);
    if (e != OK)
        return e;
    if (x->rq.upload.len > (size_t)conf->upload_max_size.bytes)
        return fail(ctx, ERR_PAYLOAD_TOO_LARGE, name, "may have at most %lld bytes",
                    (long long)conf->upload_max_size.bytes);
    x->body = x->rq.upload.data;
    x->body_len = x->rq.upload.len;
    return OK;
}

static enum err
read_body(struct exchange *x)
{
    struct ctx *ctx = &x->rq.ctx;
    size_t max = x->route->body_max > 0 ? route_body_max(x->route) : UNREAD_MAX;
    struct json_object *json;

    enum err e = fcgi_body(x->fcgi, ctx->arena, max, &x->body, &x->body_len);
    if (e == ERR_PAYLOAD_TOO_LARGE)
        return fail(ctx, e, NULL, "the body may have at most %zu bytes", max);
    if (e == ERR_VALIDATION)
        return fail(ctx, e, NULL, "the body ended early, or has no Content-Length");
    x->rq.raw = x->body;
    x->rq.raw_len = x->body_len;
    if (e == OK && x->rq.endpoint->upload != NULL)
        return read_upload(x);
    if (e != OK || x->rq.endpoint->in == NULL)
        return e;
    if (x->body_len > 0 && !is_json(param_or(x, "CONTENT_TYPE", "")))
        return fail(ctx, ERR_UNSUPPORTED_MEDIA_TYPE, NULL, "send Content-Type: application/json");
    e = json_read(ctx->arena, &ctx->problems, x->body, x->body_len, &json);
    if (e != OK)
        return e;
    return input_from_json(ctx->arena, &ctx->problems, x->rq.endpoint->in, json,
                           (void **)&x->rq.in);
}

/* Every paged query begins so (req.h, PAGE_FIELDS). */
struct page_in {
    uint64_t sent;
    int64_t page, per_page;
};

static enum err
read_query(struct exchange *x)
{
    struct ctx *ctx = &x->rq.ctx;

    if (x->rq.endpoint->in == NULL)
        return OK;
    enum err e = input_from_query(ctx->arena, &ctx->problems, x->rq.endpoint->in, x->query,
                                  (void **)&x->rq.in);
    if (e == OK && x->rq.endpoint->shape == SHAPE_PAGE) {
        const struct page_in *in = x->rq.in;
        x->rq.paging.page = in->page > 0 ? in->page : 1;
        x->rq.paging.per_page = in->per_page > 0 ? in->per_page : DEFAULT_PER_PAGE;
    }
    return e;
}

/* Authenticated POSTs take a key; all else ignores it (API.md, Idempotency-Key). */
static enum err
read_key(struct exchange *x)
{
    struct ctx *ctx = &x->rq.ctx;
    const char *key = param_or(x, "HTTP_IDEMPOTENCY_KEY", "");

    if (!fcgi_has_param(x->fcgi, "HTTP_IDEMPOTENCY_KEY") || x->route->method != POST ||
        x->route->who == ANYONE || x->rq.endpoint->unkeyed)
        return OK;
    bool printable = *key != '\0'; /* who sends an empty key believes that it protects */
    for (const char *c = key; *c != '\0'; c++)
        printable = printable && *c >= ' ' && *c <= '~';
    if (!printable || strlen(key) > IDEMPOTENCY_KEY_MAX)
        return fail(ctx, ERR_VALIDATION, "Idempotency-Key",
                    "must have 1 to %d printable ASCII characters", IDEMPOTENCY_KEY_MAX);
    /* Administrators may do what sellers may, on other terms: what one of an account's sessions was
     * answered as such is not shown to another that acts as seller. */
    const char *as = x->route->who == SELLER && ctx->actor.role == ROLE_ADMIN ? "ADMIN" : "";
    const char *method = arena_printf(ctx->arena, "%s%s", x->method_word, as);
    x->idem = idempotency_of(ctx->arena, key, method, x->path, x->body, x->body_len);
    return OK;
}

/* If-Match: "3" (RFC 9110, section 13.1.1). What is no version of ours matches none. */
static void
read_if_match(struct exchange *x)
{
    const char *header = param_or(x, "HTTP_IF_MATCH", "*");
    size_t digits = header[0] == '"' ? strspn(header + 1, "0123456789") : 0;

    x->rq.if_match = strcmp(header, "*") == 0 ? -1 : 0;
    if (digits == 0 || digits > 9 || strcmp(header + 1 + digits, "\"") != 0)
        return;
    for (size_t i = 1; i <= digits; i++)
        x->rq.if_match = x->rq.if_match * 10 + (header[i] - '0');
}

static enum err
serve(struct exchange *x, const struct worker *w)
{
    const char *ids[ROUTE_IDS_MAX] = {NULL};

    enum err e = demand_fresh(x, slot_open_since(w->slot));
    if (e == OK)
        e = match(x, w, ids);
    if (e == ERR_METHOD_NOT_ALLOWED && x->method == OPTIONS) {
        problems_clear(&x->rq.ctx.problems);
        x->status = 204;
        return OK;
    }
    if (e == OK)
        e = gate(x);
    if (e == OK)
        e = read_ids(x, ids);
    if (e == OK)
        e = x->route->method == GET ? read_query(x) : read_body(x);
    if (e == OK)
        e = read_key(x);
    read_if_match(x);
    return e != OK ? e : run(x);
}

static void
count_request(const struct exchange *x, int64_t took_ns)
{
    const char *path = x->route != NULL ? x->route->path : "(none)";
    const char status[] = {(char)('0' + x->status / 100 % 10), (char)('0' + x->status / 10 % 10),
                           (char)('0' + x->status % 10), '\0'};

    metric_add(METRIC_REQUESTS, 1, LABELS(path, method_name(x->method), status));
    metric_observe(METRIC_REQUEST_SECONDS, took_ns, LABELS(path));
    if (x->replayed)
        metric_add(METRIC_REPLAYS, 1, NO_LABELS);
}

static void
log_request(const struct exchange *x, enum err e, int64_t took_ns)
{
    char id[UUID_TEXT_SIZE];
    bool named = !uuid_is_nil(x->rq.ctx.actor.account);

    log_event(x->status >= 500 ? LOG_ERROR : LOG_INFO, EVENT("http.request"),
              TEXT("http.request.method", method_name(x->method)),
              TEXT("url.path", x->route != NULL ? x->route->path : "(none)"),
              INT("http.response.status_code", x->status),
              TEXT("error.code", e != OK ? err_code(e) : NULL), INT("event.duration", took_ns),
              TEXT("user.id", named ? uuid_text(x->rq.ctx.actor.account, id) : NULL));
}

static void
serve_one(const struct worker *w)
{
    int64_t began = clock_mono_ns();
    struct exchange *x = arena_alloc(w->arena, sizeof(*x));

    x->fcgi = w->fcgi;
    x->rq.ctx.arena = w->arena;
    x->rq.ctx.pg = w->pg;
    x->rq.ctx.cache = w->cache;
    x->rq.ctx.replica = w->replica;
    x->rq.ctx.http = w->http;
    read_head(x);
    enum err e = serve(x, w);
    fault_point(FAULT_BEFORE_ANSWER);
    reply(x, e);
    int64_t took = clock_mono_ns() - began;
    count_request(x, took);
    log_request(x, e, took);
    fcgi_finish(w->fcgi);
    log_set_trace(NULL, NULL);
    arena_reset(w->arena);
}

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Its connection is made when it is first used. What it does not answer the primary has to, before
 * the worker's deadline, and before those who wait for the worker are turned away. */
static struct replica *
open_replica(const struct pg_options *primary)
{
    struct pg_options options = *primary;
    int64_t ms = least(conf->queue_limit.ms, conf->worker_deadline.ms - conf->statement_timeout.ms);

    if (conf->database_replica_url[0] == '\0')
        return NULL;
    options.url = conf->database_replica_url;
    ms = ms / 2 > 0 ? ms / 2 : 1;
    options.connect_ms = least(ms, options.connect_ms);
    options.statement_ms = least(ms, options.statement_ms);
    return replica_new(&options, conf->replica_lag.ms);
}

int
app_serve(int fd, const struct route *table, size_t count, enum pool pool, struct slot *slot,
          const volatile sig_atomic_t *stop)
{
    static const char *const names[POOL__COUNT] = {"soko-fast", "soko-hash", "soko-wire"};
    const struct pg_options options = {
        .url = conf->database_url,
        .name = names[pool],
        .connect_ms = conf->database_connect_timeout.ms,
        .statement_ms = conf->statement_timeout.ms,
        .stmts = stmts,
        .count = STMT__COUNT,
        .constraints = constraints,
    };
    struct worker w = {
        .fcgi = fcgi_new(fd),
        .pg = pg_new(&options),
        .cache = cache_new(conf->redis_address, conf->redis_timeout.ms),
        .http = http_out_new("Soko/" SOKO_VERSION),
        .replica = open_replica(&options),
        .arena = arena_new(),
        .table = table,
        .count = count,
        .slot = slot,
    };

    /* A database that is away may come back; a statement that it refuses will not mend itself. */
    int status = w.http == NULL || pg_open(w.pg) == ERR_INTERNAL ? PREFORK_UNFIT : 0;
    if (status == 0)
        slot_ready(slot);
    while (status == 0 && !slot_done(slot) && fcgi_accept(w.fcgi, stop)) {
        slot_busy(slot);
        serve_one(&w);
        slot_idle(slot);
    }
    arena_free(w.arena);
    cache_free(w.cache);
    replica_free(w.replica);
    http_out_free(w.http);
    pg_free(w.pg);
    fcgi_free(w.fcgi);
    return status;
}
