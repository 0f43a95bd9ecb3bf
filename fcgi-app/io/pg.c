/*
 * io/pg: the pipeline and the transaction.
 *
 * Everything is sent by libpq's pipeline mode: the calls in the queue, then one sync. After an
 * error the server skips to the sync, so that a pipeline fails as a whole, and the state of the
 * transaction afterwards is what PQtransactionStatus says. A COMMIT goes along in the same pipeline
 * only if no call before it can refuse; a refusal is a result like any other to the server, which
 * would commit all the same.
 *
 * What a broken connection means depends on where COMMIT stood. Results arrive in the order of the
 * calls, so an error of the server for an earlier call proves that COMMIT was not reached; silence
 * proves nothing. A connection that broke while idle is found before anything is sent, and is
 * replaced without a word.
 *
 * Rejected: one PQexecPrepared a statement (a round trip each); libpq's non-blocking mode (we have
 * nothing else to do meanwhile; in blocking mode libpq itself reads while it cannot write).
 */
#include "io/pg_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "io/metrics.h"

#include <stdlib.h>
#include <string.h>

/* What reading a pipeline's results has come to. */
struct reading {
    size_t at;      /* the call whose result is next */
    enum err err;   /* the first failure */
    bool lost;      /* the connection is of no use */
    bool definite;  /* the first failure was said by the server before COMMIT took effect */
    bool committed; /* COMMIT is acknowledged */
    int64_t since;  /* when the result before came, or all was sent; monotonic ns */
};

/* ---- the queue ---- */

static void
push(struct pg *pg, struct pg_call call)
{
    if (pg->calls_len == pg->calls_cap) {
        pg->calls_cap = pg->calls_cap == 0 ? 32 : 2 * pg->calls_cap;
        pg->calls = realloc(pg->calls, pg->calls_cap * sizeof *pg->calls);
        if (pg->calls == NULL)
            pg_die(NULL, "out of memory");
    }
    pg->calls[pg->calls_len++] = call;
}

static void
push_control(struct pg *pg, int stmt)
{
    push(pg, (struct pg_call){.stmt = stmt, .use = USE_CONTROL});
}

void
pg_call_add(struct ctx *ctx, int stmt, enum pg_use use, PGresult **keep, const struct pg_arg *args,
            size_t n)
{
    struct pg *pg = ctx->pg;
    const char *name = pg_stmt_name(pg, stmt);
    const struct pg_stmt *s = &pg->options.stmts[stmt];

    if (n == 1 && args[0].kind == PG_NONE)
        n = 0;
    if (n != (size_t)s->params)
        pg_die(name, "wrong number of arguments");
    struct pg_call call = {.stmt = stmt, .use = use, .count = (int)n, .keep = keep};
    call.values = pg_values(ctx->arena, args, n, use == USE_QUEUE);
    if (!s->custom_plan) {
        push(pg, call);
        return;
    }
    /* Neighbours with custom plans share the switch. */
    if (pg->calls_len > 0 && pg->calls[pg->calls_len - 1].stmt == pg->plan_auto)
        pg->calls_len--;
    else
        push_control(pg, pg->plan_custom);
    push(pg, call);
    push_control(pg, pg->plan_auto);
}

static bool
queue_may_refuse(const struct pg *pg)
{
    for (size_t i = 0; i < pg->calls_len; i++)
        if (pg->calls[i].use != USE_CONTROL && !pg->plans[pg->calls[i].stmt].sure)
            return true;
    return false;
}

/* ---- results ---- */

static const char *
cell(const PGresult *r, int row, int column)
{
    return column < 0 || PQgetisnull(r, row, column) ? NULL : PQgetvalue(r, row, column);
}

static enum err
refusal(struct ctx *ctx, const struct pg_plan *plan, const PGresult *r, int row)
{
    enum err e = err_from_code(PQgetvalue(r, row, plan->outcome));
    const char *message = cell(r, row, plan->message);

    if (e == OK)
        e = ERR_INTERNAL;
    return problems_add(ctx->arena, &ctx->problems, e, cell(r, row, plan->field),
                        pg_encode_details(ctx->arena, plan, r, row), "%s",
                        message != NULL ? message : err_message(e));
}

/* What a result that is no failure to the server is to us. */
static enum err
judge(struct ctx *ctx, const struct pg_call *call, const PGresult *r, struct reading *reading)
{
    struct pg *pg = ctx->pg;
    const struct pg_plan *plan = &pg->plans[call->stmt];

    if (call->use == USE_CONTROL) {
        if (call->stmt != pg->commit)
            return OK;
        reading->committed = strcmp(PQcmdStatus((PGresult *)(uintptr_t)r), "COMMIT") == 0;
        return reading->committed ? OK : ERR_INTERNAL;
    }
    if (plan->outcome >= 0)
        for (int row = 0; row < PQntuples(r); row++)
            if (!PQgetisnull(r, row, plan->outcome))
                return refusal(ctx, plan, r, row);
    bool needs_row = call->use == USE_RUN || (call->use == USE_QUEUE && plan->outcome < 0);
    /* A utility statement has no number of rows at all. */
    if (needs_row && PQntuples(r) == 0 && strcmp(PQcmdTuples((PGresult *)(uintptr_t)r), "0") == 0)
        return ERR_NOT_FOUND;
    return OK;
}

static const char *
kind_of(const struct pg_failure *f)
{
    return f->err == ERR_RERUN             ? "conflict"
           : f->lost                       ? "lost"
           : f->err == ERR_REQUEST_TIMEOUT ? "timeout"
           : f->err == ERR_INTERNAL        ? "other"
                                           : "refused";
}

/* The time of a statement is that from the result before it: they come in order. */
static void
count_result(const struct pg *pg, const struct pg_call *call, struct reading *reading)
{
    int64_t now = clock_mono_ns();
    const char *name = pg_stmt_name(pg, call->stmt);

    metric_add(METRIC_SQL, 1, LABELS(name));
    metric_add(METRIC_SQL_SECONDS, (uint64_t)(now - reading->since), LABELS(name));
    log_event(LOG_DEBUG, EVENT("pg.statement"), TEXT("db.operation", name),
              TEXT("soko.connection", pg->options.standby ? "replica" : "primary"),
              INT("event.duration", now - reading->since));
    reading->since = now;
}

static void
failed(struct ctx *ctx, const struct pg_call *call, const PGresult *r, struct reading *reading)
{
    const char *name = call == NULL ? NULL : pg_stmt_name(ctx->pg, call->stmt);
    bool said = PQresultErrorField(r, PG_DIAG_SQLSTATE) != NULL;

    if (reading->err != OK) { /* the news is only whether the connection has gone too */
        reading->lost = reading->lost || !said;
        return;
    }
    struct pg_failure f = pg_failure_of(ctx, name, r);
    reading->err = f.err;
    reading->lost = f.lost;
    if (name != NULL)
        metric_add(METRIC_SQL_ERRORS, 1, LABELS(name, kind_of(&f)));
    /* A shutdown while COMMIT itself runs may come after it took effect. */
    reading->definite = said && (!f.lost || call == NULL || call->stmt != ctx->pg->commit);
}

static void
read_one(struct ctx *ctx, PGresult *r, struct reading *reading)
{
    struct pg *pg = ctx->pg;
    const struct pg_call *call = reading->at < pg->calls_len ? &pg->calls[reading->at] : NULL;
    ExecStatusType status = PQresultStatus(r);

    if (call != NULL && status != PGRES_PIPELINE_ABORTED)
        count_result(pg, call, reading);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        if (call != NULL && reading->err == OK) {
            reading->err = judge(ctx, call, r, reading);
            reading->definite = reading->err != OK;
            if (call->keep != NULL) {
                *call->keep = r;
                return;
            }
        }
    } else if (status != PGRES_PIPELINE_ABORTED) {
        failed(ctx, call, r, reading);
    }
    PQclear(r);
}

static struct reading
read_all(struct ctx *ctx, int64_t since)
{
    struct pg *pg = ctx->pg;
    struct reading reading = {.since = since};

    for (;;) {
        PGresult *r = pg_next_result(pg);
        if (r == NULL) {
            reading.at++;
            if (pg->conn == NULL || PQstatus(pg->conn) != CONNECTION_OK ||
                reading.at > pg->calls_len) {
                reading.lost = true;
                return reading;
            }
        } else if (PQresultStatus(r) == PGRES_PIPELINE_SYNC) {
            PQclear(r);
            return reading;
        } else {
            read_one(ctx, r, &reading);
        }
    }
}

static void
send_all(struct pg *pg)
{
    for (size_t i = 0; i < pg->calls_len; i++) {
        const struct pg_call *c = &pg->calls[i];
        /* If the server is gone, the reading will find out; it may have left a message. */
        if (PQsendQueryPrepared(pg->conn, pg->options.stmts[c->stmt].name, c->count, c->values,
                                NULL, NULL, 0) == 0)
            break;
        if (c->stmt == pg->begin)
            pg->tx = TX_STATE_OPEN;
    }
    PQpipelineSync(pg->conn);
}

/* Whether the queue can be sent. */
static enum err
ready(struct pg *pg)
{
    if (pg->tx == TX_STATE_NONE || pg->tx == TX_STATE_QUEUED)
        return pg_open(pg);
    if (pg->tx == TX_STATE_OPEN && pg->conn != NULL && PQstatus(pg->conn) == CONNECTION_OK)
        return OK;
    return ERR_LOST;
}

enum err
pg_pipeline(struct ctx *ctx)
{
    struct pg *pg = ctx->pg;
    enum err e = ready(pg);
    bool commits = false;

    if (e != OK) {
        pg->calls_len = 0;
        if (pg->tx != TX_STATE_NONE)
            pg->tx = TX_STATE_DEAD;
        return e;
    }
    for (size_t i = 0; i < pg->calls_len; i++) {
        commits = commits || pg->calls[i].stmt == pg->commit;
        if (pg->calls[i].keep != NULL)
            *pg->calls[i].keep = NULL;
    }
    int64_t since = clock_mono_ns();
    send_all(pg);
    pg->unconfirmed = false;
    struct reading reading = read_all(ctx, since);

    if (pg->unconfirmed) { /* done here, and lost if this machine is: as good as silence */
        log_event(LOG_ERROR, EVENT("pg.unconfirmed"),
                  TEXT("error.message", "a commit was let go before a standby confirmed it"));
        reading = (struct reading){.err = ERR_LOST, .lost = true};
    }
    e = reading.err;
    if (reading.committed) {
        if (e != OK)
            log_event(LOG_ERROR, EVENT("pg.unguarded"), TEXT("error.code", err_code(e)));
        e = OK;
    } else if (reading.lost && !reading.definite) {
        e = commits ? ERR_SERVICE_UNAVAILABLE : ERR_LOST;
    }
    for (size_t i = 0; i < pg->calls_len && e != OK; i++)
        if (pg->calls[i].keep != NULL) {
            PQclear(*pg->calls[i].keep);
            *pg->calls[i].keep = NULL;
        }
    pg->calls_len = 0;
    if (reading.lost)
        pg_close(pg);
    if (pg->tx == TX_STATE_OPEN &&
        (pg->conn == NULL || PQtransactionStatus(pg->conn) == PQTRANS_IDLE))
        pg->tx = TX_STATE_DEAD;
    return e;
}

enum err
pg_ask(struct ctx *ctx, int stmt, enum pg_use use, PGresult **keep, const struct pg_arg *args,
       size_t n)
{
    pg_call_add(ctx, stmt, use, keep, args, n);
    return pg_pipeline(ctx);
}

/* ---- transactions ---- */

enum err
pg_begin(struct ctx *ctx)
{
    struct pg *pg = ctx->pg;

    if (pg->tx != TX_STATE_NONE)
        pg_die(NULL, "pg_begin within a transaction");
    push_control(pg, pg->begin);
    pg->tx = TX_STATE_QUEUED;
    return OK;
}

enum err
pg_commit(struct ctx *ctx)
{
    struct pg *pg = ctx->pg;
    enum err e;

    if (pg->tx == TX_STATE_NONE)
        pg_die(NULL, "pg_commit without pg_begin");
    if (pg->tx == TX_STATE_QUEUED && pg->calls_len == 1) { /* BEGIN alone: nothing to do */
        pg->calls_len = 0;
        pg->tx = TX_STATE_NONE;
        return OK;
    }
    e = ready(pg); /* the plans are needed now */
    if (e == OK && pg->tx == TX_STATE_OPEN && PQtransactionStatus(pg->conn) == PQTRANS_INERROR) {
        log_event(LOG_ERROR, EVENT("pg.misuse"),
                  TEXT("error.message", "pg_commit after a statement has failed"));
        e = ERR_INTERNAL;
    }
    if (e == OK && queue_may_refuse(pg))
        e = pg_pipeline(ctx);
    if (e == OK) {
        push_control(pg, pg->commit);
        e = pg_pipeline(ctx);
    }
    if (e != OK)
        pg_rollback(ctx);
    pg->tx = TX_STATE_NONE;
    return e;
}

void
pg_rollback(struct ctx *ctx)
{
    struct pg *pg = ctx->pg;

    pg->calls_len = 0;
    if (pg->tx == TX_STATE_OPEN) {
        push_control(pg, pg->rollback);
        if (pg_pipeline(ctx) != OK || pg->conn == NULL ||
            PQtransactionStatus(pg->conn) != PQTRANS_IDLE)
            pg_close(pg);
    }
    pg->tx = TX_STATE_NONE;
}

bool
pg_in_transaction(const struct pg *pg)
{
    return pg->tx != TX_STATE_NONE;
}

/* ---- statements for their effect ---- */

void
pg_queue_args(struct ctx *ctx, int stmt, const struct pg_arg *args, size_t n)
{
    /* Nobody might ever send it, and the arena would go. */
    if (ctx->pg->tx == TX_STATE_NONE)
        pg_die(pg_stmt_name(ctx->pg, stmt), "pg_queue outside of a transaction");
    pg_call_add(ctx, stmt, USE_QUEUE, NULL, args, n);
}

enum err
pg_run_args(struct ctx *ctx, int stmt, const struct pg_arg *args, size_t n)
{
    return pg_ask(ctx, stmt, USE_RUN, NULL, args, n);
}

enum err
pg_touch_args(struct ctx *ctx, int stmt, int64_t *touched, const struct pg_arg *args, size_t n)
{
    PGresult *r = NULL;
    enum err e = pg_ask(ctx, stmt, USE_TOUCH, &r, args, n);

    if (touched != NULL) {
        *touched = 0;
        if (e == OK)
            pg_int_parse(PQcmdTuples(r), touched);
    }
    PQclear(r);
    return e;
}

/* PQexec takes several statements at once, but not in pipeline mode. */
static enum err
script_error(const char *state)
{
    if (state != NULL && (strcmp(state, "40P01") == 0 || strcmp(state, "40001") == 0))
        return ERR_RERUN;
    if (state != NULL && strcmp(state, "55P03") == 0)
        return ERR_REQUEST_TIMEOUT;
    log_event(LOG_ERROR, EVENT("pg.script"), TEXT("error.code", state));
    return ERR_INTERNAL;
}

enum err
pg_script(struct ctx *ctx, const char *sql, const char **why)
{
    struct pg *pg = ctx->pg;
    enum err e = pg->calls_len > 0 ? pg_pipeline(ctx) : ready(pg);

    *why = "no connection to the server";
    if (e != OK)
        return e;
    PQexitPipelineMode(pg->conn);
    PGresult *r = PQexec(pg->conn, sql);
    ExecStatusType status = PQresultStatus(r);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
        const char *said = PQresultErrorMessage(r);
        *why = said[0] == '\0' ? "COPY is not possible here" : arena_strdup(ctx->arena, said);
        e = script_error(PQresultErrorField(r, PG_DIAG_SQLSTATE));
    }
    PQclear(r);
    if (PQenterPipelineMode(pg->conn) == 0 || PQstatus(pg->conn) != CONNECTION_OK)
        pg_close(pg);
    if (pg->tx == TX_STATE_OPEN &&
        (pg->conn == NULL || PQtransactionStatus(pg->conn) == PQTRANS_IDLE))
        pg->tx = TX_STATE_DEAD;
    return e;
}
