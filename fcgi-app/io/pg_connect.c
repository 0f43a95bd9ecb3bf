/*
 * io/pg_connect: the connection, and the plans of its statements.
 *
 * All statements are prepared at once when the connection is made, with a sync after each, so that
 * every bad one is named, not only the first. They go in chunks, because a server that is reading
 * Parse messages must not be kept from writing its answers. What a statement returns is described
 * here too, so that no request has to look at types or parse aliases.
 *
 * One worker, one connection, no pool: a worker serves one request at a time. Rejected: preparing
 * on first use, which finds a bad statement in the middle of an order; and SQL's PREPARE, which
 * would need types.
 */
#include "io/pg_private.h"

#include "base/clock.h"
#include "base/log.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 32
/* Between two attempts to connect: as long as one took, within these. */
#define RETRY_MIN_NS INT64_C(100000000)
#define RETRY_MAX_NS INT64_C(1000000000)

#define LOG_AGAIN_NS INT64_C(5000000000) /* between two lines about one outage */
#define IDLE_MS 10000                    /* a transaction of ours that idles so long is nobody's */
#define GRACE_MS 2000                    /* beyond statement_timeout, then the server hangs */
#define STANDBY_GRACE_MS 250             /* there is somebody else to ask */
#define KEEPALIVE_IDLE "2"     /* s; at most connect_ms in all, which is tcp_user_timeout too */
#define KEEPALIVE_INTERVAL "1" /* s */
#define KEEPALIVE_COUNT "3"
#define KEY_MAX 512 /* a column name has 63 bytes, escapes at most six each */

/* Types by their numbers in pg_type.dat, which are part of PostgreSQL's protocol. */
static const struct {
    Oid oid;
    enum column_kind kind;
} types[] = {
    {20, COLUMN_INT},      /* int8 */
    {23, COLUMN_INT},      /* int4 */
    {21, COLUMN_INT},      /* int2 */
    {25, COLUMN_TEXT},     /* text */
    {2950, COLUMN_ID},     /* uuid */
    {1184, COLUMN_TIME},   /* timestamptz */
    {16, COLUMN_BOOL},     /* bool */
    {3802, COLUMN_JSON},   /* jsonb */
    {114, COLUMN_JSON},    /* json */
    {1700, COLUMN_NUMBER}, /* numeric */
    {701, COLUMN_NUMBER},  /* float8 */
    {700, COLUMN_NUMBER},  /* float4 */
    {26, COLUMN_INT},      /* oid */
};

static const char *const kind_names[COLUMN__COUNT] = {
    [COLUMN_TEXT] = "text", [COLUMN_INT] = "int",     [COLUMN_NUMBER] = "number",
    [COLUMN_BOOL] = "bool", [COLUMN_JSON] = "json",   [COLUMN_TIME] = "time",
    [COLUMN_ID] = "id",     [COLUMN_MONEY] = "money", [COLUMN_HIDDEN] = "hidden",
};

void
pg_die(const char *stmt, const char *what)
{
    log_event(LOG_ERROR, EVENT("pg.misuse"), TEXT("db.operation", stmt),
              TEXT("error.message", what));
    abort();
}

const char *
pg_stmt_name(const struct pg *pg, int stmt)
{
    if (stmt <= 0 || stmt >= pg->options.count)
        pg_die(NULL, "no such statement");
    return pg->options.stmts[stmt].name;
}

int
pg_stmt_named(const struct pg *pg, const char *name)
{
    for (int i = 1; i < pg->options.count; i++)
        if (strcmp(pg->options.stmts[i].name, name) == 0)
            return i;
    pg_die(name, "the table of statements lacks it");
}

/* A notice may quote rows; what kind of notice it was is enough. One matters: that a commit was let
 * go, by pg_cancel_backend(), before a standby had confirmed it. */
static void
notice(void *arg, const PGresult *r)
{
    struct pg *pg = arg;
    const char *function = PQresultErrorField(r, PG_DIAG_SOURCE_FUNCTION);

    if (function != NULL && strcmp(function, "SyncRepWaitForLSN") == 0)
        pg->unconfirmed = true;
    log_event(LOG_DEBUG, EVENT("pg.notice"),
              TEXT("error.code", PQresultErrorField(r, PG_DIAG_SQLSTATE)),
              TEXT("error.type", PQresultErrorField(r, PG_DIAG_SOURCE_FUNCTION)));
}

/* An outage makes each request fail; it need not make each one log. */
static void
log_outage(struct pg *pg, const char *why)
{
    int64_t now = clock_mono_ns();

    if (pg->logged_ns != 0 && now - pg->logged_ns < LOG_AGAIN_NS)
        return;
    pg->logged_ns = now;
    log_event(pg->options.standby ? LOG_WARN : LOG_ERROR, EVENT("pg.unavailable"),
              TEXT("soko.connection", pg->options.standby ? "replica" : "primary"),
              TEXT("error.message", why));
}

/* libpq's words. What it says of an address that it cannot use quotes it, and may so quote the
 * password: "invalid percent-encoded token", "could not translate host name". */
static const char *
reason(const PGconn *conn, bool is_standby)
{
    static const char of_server[] = "connection to server";
    const char *why = PQerrorMessage(conn);

    return strncmp(why, of_server, sizeof of_server - 1) == 0 ? why
           : is_standby ? "no server can be looked for at DATABASE_REPLICA_URL"
                        : "no server can be looked for at DATABASE_URL";
}

void
pg_close(struct pg *pg)
{
    PQfinish(pg->conn);
    pg->conn = NULL;
    pg->unconfirmed = false;
    arena_reset(pg->arena);
    memset(pg->plans, 0, (size_t)pg->options.count * sizeof *pg->plans);
}

bool
pg_alive(struct pg *pg)
{
    if (pg->conn == NULL || PQstatus(pg->conn) != CONNECTION_OK)
        return false;
    /* An idle server says nothing, unless it says farewell: a message, then the end of the stream,
     * which libpq sees one after the other. */
    for (int i = 0; i < 4; i++) {
        struct pollfd p = {.fd = PQsocket(pg->conn), .events = POLLIN};
        if (poll(&p, 1, 0) <= 0)
            return true;
        if (PQconsumeInput(pg->conn) == 0 || PQstatus(pg->conn) != CONNECTION_OK)
            return false;
    }
    return true;
}

PGresult *
pg_next_result(struct pg *pg)
{
    int64_t limit = pg->options.statement_ms;
    int64_t grace = pg->options.standby ? STANDBY_GRACE_MS : GRACE_MS;
    int wait = limit <= 0 || limit > 86400000 ? -1 : (int)(limit + grace);

    if (pg->conn == NULL)
        return NULL;
    while (PQstatus(pg->conn) == CONNECTION_OK && PQisBusy(pg->conn)) {
        struct pollfd p = {.fd = PQsocket(pg->conn), .events = POLLIN};
        if (p.fd < 0)
            break;
        if (poll(&p, 1, wait) == 0) {
            log_outage(pg, "the server hangs");
            pg_close(pg);
            return NULL;
        }
        if (PQconsumeInput(pg->conn) == 0)
            break;
    }
    return PQgetResult(pg->conn);
}

/* ---- plans ---- */

static int
column_named(const struct pg_plan *plan, const char *name)
{
    for (int i = 0; i < plan->columns; i++)
        if (strcmp(plan->column[i].name, name) == 0)
            return i;
    return -1;
}

static enum column_kind
kind_of_type(Oid oid)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].oid == oid)
            return types[i].kind;
    return COLUMN_TEXT;
}

/* Reads "name:kind". NULL, or what is wrong with it. */
static const char *
describe_column(struct arena *a, struct pg_column *c, const char *alias, Oid oid)
{
    const char *colon = strchr(alias, ':');

    c->type = c->kind = kind_of_type(oid);
    c->name =
        colon == NULL ? arena_strdup(a, alias) : arena_strndup(a, alias, (size_t)(colon - alias));
    if (colon != NULL && strcmp(colon + 1, "hidden") == 0)
        c->kind = COLUMN_HIDDEN;
    else if (colon != NULL && strcmp(colon + 1, "money") == 0)
        c->kind = COLUMN_MONEY;
    else if (colon != NULL)
        return "a column has an alias of unknown kind";
    if (c->kind == COLUMN_MONEY && c->type != COLUMN_INT)
        return "a money column is not of integer type";
    if (strcmp(c->name, "outcome") == 0)
        c->kind = COLUMN_HIDDEN;

    struct text key = text_new(a, KEY_MAX);
    text_putc(&key, ',');
    text_json(&key, c->name);
    text_putc(&key, ':');
    c->key = text_cstr(&key);
    c->key_len = key.len;
    return NULL;
}

/* Whether a statement always touches a row or fails: a plain INSERT ... VALUES. A cautious guess
 * from the words in its text: if in doubt, the COMMIT waits one round trip. */
static bool
is_plain_insert(const char *sql)
{
    static const char *const doubts[] = {"select", "conflict", "unnest", "where", "with", "--"};

    sql += strspn(sql, " \t\r\n");
    if (strncasecmp(sql, "insert", 6) != 0 || strcasestr(sql, "values") == NULL)
        return false;
    for (size_t i = 0; i < sizeof doubts / sizeof doubts[0]; i++)
        if (strcasestr(sql, doubts[i]) != NULL)
            return false;
    return true;
}

static const char *
describe(struct pg *pg, int stmt, const PGresult *r)
{
    const struct pg_stmt *s = &pg->options.stmts[stmt];
    struct pg_plan *plan = &pg->plans[stmt];

    if (PQnparams(r) != s->params)
        return "the number of parameters differs from the table's";
    plan->columns = 0;
    plan->column = arena_array(pg->arena, (size_t)PQnfields(r), sizeof *plan->column);
    for (int i = 0; i < PQnfields(r); i++) {
        const char *wrong =
            describe_column(pg->arena, &plan->column[i], PQfname(r, i), PQftype(r, i));
        if (wrong == NULL && column_named(plan, plan->column[i].name) >= 0)
            wrong = "two columns have the same name";
        if (wrong != NULL)
            return wrong;
        plan->columns++;
    }
    plan->outcome = column_named(plan, "outcome");
    plan->field = column_named(plan, "field");
    plan->message = column_named(plan, "message");
    plan->currency = column_named(plan, "currency");
    plan->sure = plan->outcome < 0 && is_plain_insert(s->sql);
    for (int i = 0; i < plan->columns; i++)
        if (plan->column[i].kind == COLUMN_MONEY && plan->currency < 0)
            return "a money column needs a column currency";
    return NULL;
}

static void
log_bad_statement(const struct pg *pg, int stmt, const char *state, const char *why)
{
    log_event(LOG_ERROR, EVENT("pg.prepare"), TEXT("db.operation", pg->options.stmts[stmt].name),
              TEXT("error.code", state), TEXT("error.message", why));
}

/* Reads the answers to Parse and Describe of one statement, up to the sync. */
static enum err
read_prepared(struct pg *pg, int stmt)
{
    enum err e = OK;
    bool described = false;

    for (int results = 0;;) {
        PGresult *r = pg_next_result(pg);
        if (r == NULL) {
            if (pg->conn == NULL || PQstatus(pg->conn) != CONNECTION_OK || ++results > 8)
                return ERR_SERVICE_UNAVAILABLE;
            continue;
        }
        ExecStatusType status = PQresultStatus(r);
        if (status == PGRES_FATAL_ERROR && e == OK) {
            const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
            log_bad_statement(pg, stmt, state, PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY));
            e = ERR_INTERNAL;
        } else if (status == PGRES_COMMAND_OK && e == OK) {
            /* The first is the answer to Parse, the second that to Describe. */
            const char *wrong = described ? describe(pg, stmt, r) : NULL;
            described = true;
            if (wrong != NULL) {
                log_bad_statement(pg, stmt, NULL, wrong);
                e = ERR_INTERNAL;
            }
        }
        PQclear(r);
        if (status == PGRES_PIPELINE_SYNC)
            return e;
    }
}

static enum err
prepare_all(struct pg *pg)
{
    const struct pg_stmt *stmts = pg->options.stmts;
    enum err e = OK;

    for (int from = 1; from < pg->options.count; from += CHUNK) {
        int to = from + CHUNK < pg->options.count ? from + CHUNK : pg->options.count;
        for (int i = from; i < to; i++)
            if (PQsendPrepare(pg->conn, stmts[i].name, stmts[i].sql, 0, NULL) == 0 ||
                PQsendDescribePrepared(pg->conn, stmts[i].name) == 0 ||
                PQpipelineSync(pg->conn) == 0)
                return ERR_SERVICE_UNAVAILABLE;
        for (int i = from; i < to; i++) {
            enum err one = read_prepared(pg, i);
            if (one == ERR_SERVICE_UNAVAILABLE)
                return one;
            if (one != OK)
                e = one;
        }
    }
    return e;
}

static enum err
try_open(struct pg *pg)
{
    const struct pg_options *o = &pg->options;
    /* Each side is to notice soon that the other's machine is gone: we, because a worker hangs
     * meanwhile, and may hang for less than its deadline; the server, because what a dead worker
     * has locked stays locked meanwhile. */
    const char *options = arena_printf(
        pg->arena,
        "-c statement_timeout=%lld -c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=iso_8601 "
        "-c bytea_output=hex -c idle_in_transaction_session_timeout=%d -c plan_cache_mode=auto%s "
        "-c tcp_user_timeout=%lld -c tcp_keepalives_idle=" KEEPALIVE_IDLE
        " -c tcp_keepalives_interval=" KEEPALIVE_INTERVAL
        " -c tcp_keepalives_count=" KEEPALIVE_COUNT,
        (long long)o->statement_ms, IDLE_MS,
        o->standby ? " -c default_transaction_read_only=on" : "", (long long)o->connect_ms);
    const char *seconds = arena_printf(pg->arena, "%lld", (long long)(o->connect_ms + 999) / 1000);
    const char *user_timeout = arena_printf(pg->arena, "%lld", (long long)o->connect_ms);
    /* What stands before dbname is a default, which the url may change. */
    const char *const names[] = {"target_session_attrs", "dbname",           "application_name",
                                 "connect_timeout",      "options",          "client_encoding",
                                 "tcp_user_timeout",     "keepalives",       "keepalives_idle",
                                 "keepalives_interval",  "keepalives_count", NULL};
    const char *const values[] = {o->standby ? "prefer-standby" : NULL,
                                  o->url,
                                  o->name,
                                  seconds,
                                  options,
                                  "UTF8",
                                  user_timeout,
                                  "1",
                                  KEEPALIVE_IDLE,
                                  KEEPALIVE_INTERVAL,
                                  KEEPALIVE_COUNT,
                                  NULL};

    pg->conn = pg_race(pg->arena, names, values, o->connect_ms);
    if (pg->conn == NULL || PQstatus(pg->conn) != CONNECTION_OK) {
        log_outage(pg, pg->conn == NULL ? "out of memory" : reason(pg->conn, o->standby));
        return ERR_SERVICE_UNAVAILABLE;
    }
    PQsetNoticeReceiver(pg->conn, notice, pg);
    PQsetErrorVerbosity(pg->conn, PQERRORS_TERSE);
    PQsetErrorContextVisibility(pg->conn, PQSHOW_CONTEXT_NEVER);
    if (PQenterPipelineMode(pg->conn) == 0)
        return ERR_SERVICE_UNAVAILABLE;
    enum err e = prepare_all(pg);
    if (e == ERR_SERVICE_UNAVAILABLE)
        log_outage(pg, "the connection broke while statements were prepared");
    return e;
}

static bool
are_ports(const char *s)
{
    return s == NULL || strspn(s, "0123456789,") == strlen(s);
}

/* ---- public ---- */

/* A bare word would be taken for the name of a database on this host. */
const char *
pg_url_fault(const char *url)
{
    bool is_url = strncmp(url, "postgresql://", 13) == 0 || strncmp(url, "postgres://", 11) == 0;
    const char *port = NULL, *fault = NULL;

    if (!is_url && strchr(url, '=') == NULL)
        return "must be postgresql://user:password@host/database, or key=value pairs";
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    if (options == NULL)
        return is_url ? "is not a well-formed URL: what is special in a password is written %XX"
                      : "is not made of key=value pairs that PostgreSQL knows";
    for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
        if (strcmp(o->keyword, "port") == 0)
            port = o->val;
    }
    if (!are_ports(port))
        fault = "has a port that is not a number: a '/' in a password is written %2F";
    PQconninfoFree(options);
    return fault;
}

struct pg *
pg_new(const struct pg_options *options)
{
    struct pg *pg = calloc(1, sizeof *pg);

    if (pg == NULL)
        pg_die(NULL, "out of memory");
    pg->options = *options;
    pg->begin = pg_stmt_named(pg, "TX_BEGIN");
    pg->commit = pg_stmt_named(pg, "TX_COMMIT");
    pg->rollback = pg_stmt_named(pg, "TX_ROLLBACK");
    pg->plan_custom = pg_stmt_named(pg, "TX_PLAN_CUSTOM");
    pg->plan_auto = pg_stmt_named(pg, "TX_PLAN_AUTO");
    pg->plans = calloc((size_t)options->count, sizeof *pg->plans);
    if (pg->plans == NULL)
        pg_die(NULL, "out of memory");
    pg->arena = arena_new();
    return pg;
}

void
pg_free(struct pg *pg)
{
    if (pg == NULL)
        return;
    pg_close(pg);
    arena_free(pg->arena);
    free(pg->plans);
    free(pg->calls);
    free(pg);
}

/* A server that is slow to refuse takes at most half of a worker's time: the other half is for
 * requests that can do without. */
static int64_t
retry_at(int64_t began_ns, int64_t now_ns)
{
    int64_t pause = now_ns - began_ns;

    if (pause < RETRY_MIN_NS)
        pause = RETRY_MIN_NS;
    return now_ns + (pause > RETRY_MAX_NS ? RETRY_MAX_NS : pause);
}

enum err
pg_open(struct pg *pg)
{
    if (pg_alive(pg))
        return OK;
    if (pg->conn != NULL)
        log_event(LOG_WARN, EVENT("pg.lost"), TEXT("error.message", "connection found broken"));
    pg_close(pg);
    if (pg->retry_at_ns != 0 && clock_mono_ns() < pg->retry_at_ns)
        return pg->last_open;
    int64_t began = clock_mono_ns();
    pg->last_open = try_open(pg);
    if (pg->last_open == OK) {
        pg->retry_at_ns = pg->logged_ns = 0;
    } else {
        pg_close(pg);
        pg->retry_at_ns = retry_at(began, clock_mono_ns());
    }
    return pg->last_open;
}

int
pg_columns(struct pg *pg, int stmt)
{
    pg_stmt_name(pg, stmt);
    return pg->plans[stmt].columns;
}

const char *
pg_column_name(struct pg *pg, int stmt, int column)
{
    if (column < 0 || column >= pg_columns(pg, stmt))
        pg_die(pg_stmt_name(pg, stmt), "no such column");
    return pg->plans[stmt].column[column].name;
}

const char *
pg_column_kind(struct pg *pg, int stmt, int column)
{
    if (column < 0 || column >= pg_columns(pg, stmt))
        pg_die(pg_stmt_name(pg, stmt), "no such column");
    return kind_names[pg->plans[stmt].column[column].kind];
}
