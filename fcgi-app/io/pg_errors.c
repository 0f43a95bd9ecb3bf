/*
 * io/pg_errors: what a SQLSTATE means to us, in one table.
 *
 * What is not in the table is a mistake of ours: it is logged and becomes ERR_INTERNAL. The log
 * gets the statement's name, the SQLSTATE, and the primary message, never DETAIL, HINT or CONTEXT,
 * which quote rows. Class 22 (data exceptions) quotes the offending value in the primary message
 * itself, so that of these only the server's function is logged. A constraint that has no row in
 * the shop's table is unforeseen too.
 */
#include "io/pg_private.h"

#include "base/log.h"

#include <string.h>

enum treatment {
    TREAT_MAP,        /* to `err`, silently */
    TREAT_CONSTRAINT, /* by the constraint's name */
    TREAT_LOST        /* the connection is of no use */
};

/* A prefix of a SQLSTATE. The first row that matches counts. */
static const struct {
    const char *prefix;
    enum treatment treatment;
    enum err err;
} sqlstates[] = {
    {"40001", TREAT_MAP, ERR_RERUN},           /* serialization_failure */
    {"40P01", TREAT_MAP, ERR_RERUN},           /* deadlock_detected */
    {"23505", TREAT_CONSTRAINT, OK},           /* unique_violation */
    {"23503", TREAT_CONSTRAINT, OK},           /* foreign_key_violation */
    {"23514", TREAT_CONSTRAINT, OK},           /* check_violation */
    {"23502", TREAT_CONSTRAINT, OK},           /* not_null_violation: of a domain, has a name */
    {"23P01", TREAT_CONSTRAINT, OK},           /* exclusion_violation */
    {"57014", TREAT_MAP, ERR_REQUEST_TIMEOUT}, /* query_canceled: statement_timeout */
    {"22P05", TREAT_MAP, ERR_VALIDATION},      /* untranslatable_character: \u0000 in jsonb */
    {"22021", TREAT_MAP, ERR_VALIDATION},      /* character_not_in_repertoire: not UTF-8 */
    {"57P", TREAT_LOST, ERR_LOST},             /* shutdown, crash of another backend, starting */
    {"08", TREAT_LOST, ERR_LOST},              /* connection_exception */
    {"53300", TREAT_LOST, ERR_SERVICE_UNAVAILABLE}, /* too_many_connections */
    {"25006", TREAT_LOST, ERR_LOST}, /* read_only: no primary any more; another may be */
    {"25P03", TREAT_LOST, ERR_LOST}, /* idle_in_transaction_session_timeout */
    {"26000", TREAT_LOST, ERR_LOST}, /* a prepared statement has vanished */
};

static const char *
field_of(const PGresult *r, int code)
{
    const char *s = PQresultErrorField(r, code);

    return s == NULL ? "" : s;
}

static const struct pg_constraint *
constraint_of(const struct pg *pg, const char *name)
{
    for (const struct pg_constraint *c = pg->options.constraints; c != NULL && c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

static void
log_failure(enum log_level level, const char *stmt, const PGresult *r)
{
    const char *state = field_of(r, PG_DIAG_SQLSTATE);
    const char *message =
        strncmp(state, "22", 2) == 0 ? NULL : field_of(r, PG_DIAG_MESSAGE_PRIMARY);

    log_event(level, EVENT("pg.error"), TEXT("db.operation", stmt), TEXT("error.code", state),
              TEXT("error.message", message),
              TEXT("error.type", PQresultErrorField(r, PG_DIAG_SOURCE_FUNCTION)),
              TEXT("db.constraint", PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME)));
}

/* After DDL a prepared statement may be stale for good ("cached plan must not change result type",
 * 0A000, a code that it shares with unsupported features): a new connection prepares it anew. A
 * view or function that was dropped and made again while we planned has another number, and the old
 * one is not found (XX000, "could not open relation with OID", "cache lookup failed for function").
 * One that gained a column while we waited for it is another than the function was made for that we
 * had looked up before (42P13, "return type mismatch in function").
 */
static bool
is_stale_plan(const PGresult *r)
{
    static const char lookup[] = "cache lookup failed for ", check_fn[] = "check_sql_fn_";
    const char *state = field_of(r, PG_DIAG_SQLSTATE);
    const char *function = field_of(r, PG_DIAG_SOURCE_FUNCTION);

    if (strcmp(state, "XX000") == 0)
        return strcmp(function, "relation_open") == 0 ||
               strncmp(field_of(r, PG_DIAG_MESSAGE_PRIMARY), lookup, sizeof(lookup) - 1) == 0;
    if (strcmp(state, "42P13") == 0)
        return strncmp(function, check_fn, sizeof(check_fn) - 1) == 0;
    return strcmp(state, "0A000") == 0 && strcmp(function, "RevalidateCachedQuery") == 0;
}

struct pg_failure
pg_failure_of(struct ctx *ctx, const char *stmt, const PGresult *r)
{
    const char *state = field_of(r, PG_DIAG_SQLSTATE);

    /* Without SQLSTATE it is libpq itself who speaks: the connection broke. */
    if (state[0] == '\0' || is_stale_plan(r)) {
        log_event(LOG_WARN, EVENT("pg.lost"), TEXT("db.operation", stmt), TEXT("error.code", state),
                  TEXT("error.message", state[0] == '\0' ? "connection broken" : "stale plan"));
        return (struct pg_failure){ERR_LOST, true};
    }
    for (size_t i = 0; i < sizeof sqlstates / sizeof sqlstates[0]; i++) {
        if (strncmp(state, sqlstates[i].prefix, strlen(sqlstates[i].prefix)) != 0)
            continue;
        if (sqlstates[i].treatment == TREAT_MAP)
            return (struct pg_failure){sqlstates[i].err, false};
        if (sqlstates[i].treatment == TREAT_LOST) {
            log_failure(LOG_WARN, stmt, r);
            return (struct pg_failure){sqlstates[i].err, true};
        }
        const struct pg_constraint *c =
            constraint_of(ctx->pg, field_of(r, PG_DIAG_CONSTRAINT_NAME));
        if (c == NULL)
            break;
        problems_add(ctx->arena, &ctx->problems, c->err, c->field, NULL, "%s",
                     c->message != NULL ? c->message : err_message(c->err));
        return (struct pg_failure){c->err, false};
    }
    log_failure(LOG_ERROR, stmt, r);
    return (struct pg_failure){ERR_INTERNAL, false};
}
