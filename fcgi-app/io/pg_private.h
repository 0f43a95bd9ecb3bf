/*
 * io/pg_private: what the files of io/pg share. Only they include this.
 *
 * A connection has a plan for each statement: its columns, resolved once at prepare. A pipeline is
 * an array of calls; pg_pipeline() sends them all with one sync at the end and reads one result for
 * each.
 */
#ifndef SOKO_IO_PG_PRIVATE_H
#define SOKO_IO_PG_PRIVATE_H

#include "io/pg.h"

#include <libpq-fe.h>

enum column_kind {
    COLUMN_TEXT = 0,
    COLUMN_INT,
    COLUMN_NUMBER,
    COLUMN_BOOL,
    COLUMN_JSON,
    COLUMN_TIME,
    COLUMN_ID,
    COLUMN_MONEY,
    COLUMN_HIDDEN,
    COLUMN__COUNT
};

struct pg_column {
    const char *name; /* without ":kind" */
    const char *key;  /* `,"name":` */
    size_t key_len;
    enum column_kind kind; /* how it is printed */
    enum column_kind type; /* what it is: never MONEY or HIDDEN */
};

struct pg_plan {
    struct pg_column *column;
    int columns;
    int outcome, field, message, currency; /* columns of these names, or -1 */
    bool sure; /* neither refuses nor touches no row: a COMMIT may follow unseen */
};

enum pg_use {
    USE_CONTROL, /* BEGIN and its like: no rows are meant */
    USE_RUN,     /* must return or touch a row */
    USE_QUEUE,   /* the same, unless it has a column outcome */
    USE_TOUCH,   /* no row is fine */
    USE_ROWS     /* the rows are the caller's business */
};

struct pg_call {
    int stmt;
    enum pg_use use;
    const char *const *values;
    int count;
    PGresult **keep; /* where the result goes if the whole pipeline succeeds; NULL: dropped */
};

enum tx_state {
    TX_STATE_NONE,
    TX_STATE_QUEUED, /* BEGIN waits in the queue */
    TX_STATE_OPEN,   /* BEGIN was sent */
    TX_STATE_DEAD    /* what was begun is gone; only pg_rollback() helps */
};

struct pg {
    struct pg_options options;
    PGconn *conn;        /* NULL: not connected */
    struct arena *arena; /* of the connection: plans */
    struct pg_plan *plans;
    enum tx_state tx;
    bool unconfirmed;      /* the server gave up waiting for a standby: COMMIT is worth nothing */
    struct pg_call *calls; /* the queue */
    size_t calls_len, calls_cap;
    int64_t retry_at_ns;                                 /* no attempt to connect before */
    int64_t logged_ns;                                   /* when an outage was logged last */
    enum err last_open;                                  /* what the last attempt came to */
    int begin, commit, rollback, plan_custom, plan_auto; /* control statements */
};

/* What SQLSTATE says about a failed result. */
struct pg_failure {
    enum err err;
    bool lost; /* the server has ended the connection, or it is of no use any more */
};

/* pg_connect.c */
void pg_die(const char *stmt, const char *what) __attribute__((noreturn));
const char *pg_stmt_name(const struct pg *pg, int stmt);
/* Aborts if there is none of this name. */
int pg_stmt_named(const struct pg *pg, const char *name);
void pg_close(struct pg *pg);
/* False if the idle connection is gone; notices what the server said meanwhile. */
bool pg_alive(struct pg *pg);
/* The next result of the pipeline; NULL as from PQgetResult, or with a dead connection. Waits for
 * statement_ms and some grace at most, then closes the connection. */
PGresult *pg_next_result(struct pg *pg);

/* pg_race.c: as PQconnectdbParams(names, values, 1), where "dbname" is the address. If that is a
 * list of hosts, within `limit_ms` the first that answers and is what target_session_attrs wants
 * (of the address, else among `names`, else read-write). Memory from `a`. */
PGconn *pg_race(struct arena *a, const char *const *names, const char *const *values,
                int64_t limit_ms);

/* pg_errors.c: reads the SQLSTATE of a failed result, logs what is unforeseen, adds a problem for
 * a known constraint. */
struct pg_failure pg_failure_of(struct ctx *ctx, const char *stmt, const PGresult *r);

/* pg_args.c: the values of `args` as text. `copy`: of everything, else pointers are kept. */
const char *const *pg_values(struct arena *a, const struct pg_arg *args, size_t n, bool copy);

/* pg.c */
/* Adds a call to the queue. */
void pg_call_add(struct ctx *ctx, int stmt, enum pg_use use, PGresult **keep,
                 const struct pg_arg *args, size_t n);
/* Sends the queue and reads all results; the first failure or refusal. On OK the results that
 * somebody keeps are the caller's to clear; else they are NULL. */
enum err pg_pipeline(struct ctx *ctx);
/* Both for one statement. */
enum err pg_ask(struct ctx *ctx, int stmt, enum pg_use use, PGresult **keep,
                const struct pg_arg *args, size_t n);

/* pg_rows.c: "2026-02-20 10:00:00.123+00" as milliseconds since the epoch. */
bool pg_time_parse(const char *s, int64_t *ms);
bool pg_int_parse(const char *s, int64_t *out);

/* pg_encode.c: one JSON object, braces included. */
void pg_encode_row(struct text *out, const struct pg_plan *plan, const PGresult *r, int row);
/* The columns of a refusal that are not null, as an object's text; NULL if there are none. */
const char *pg_encode_details(struct arena *a, const struct pg_plan *plan, const PGresult *r,
                              int row);

#endif
