/*
 * io/pg: PostgreSQL by named statements.
 *
 * C contains no SQL. The statements of sql/queries/ become `enum stmt` and a table (shop/stmt.h,
 * made by sql/statements.awk); pg_open() prepares all of them, so that a bad one stops the worker
 * at its start. Parameters and results travel in text form.
 *
 * Refusals. A guarded statement returns a column `outcome`: null, or the code of an error such as
 * NOT_FOUND. Every function below turns it into that `enum err` and adds a problem to ctx: its
 * field and message come from columns of those names if there are any, all other columns that are
 * not null become `details`.
 *
 * Transactions belong to app.c and jobs.c: pg_begin(), pg_commit(), pg_rollback(). Without
 * pg_begin() each statement is a transaction of its own.
 *
 * Round trips. pg_queue() only notes a statement; the next call that needs an answer sends all that
 * is queued and itself as one pipeline, and reports the first failure. pg_begin() is queued too, so
 * begin + reads is one round trip, and writes + commit is one, unless a queued statement can refuse
 * (it returns `outcome`, or may touch no row, which all may but a plain INSERT ... VALUES): then
 * the commit waits for its result. Keep a pipeline small (some dozens of statements, some 10 KiB):
 * libpq sends it before it reads.
 *
 * Errors. SQLSTATEs and constraint names become `enum err` in two tables (pg_errors.c, and the
 * shop's constraints). ERR_RERUN: serialization failure or deadlock. ERR_LOST: the connection died
 * and COMMIT had not been sent, so nothing happened. ERR_SERVICE_UNAVAILABLE: no connection can be
 * made, or it died when the COMMIT was under way, so that nobody knows, or no standby has confirmed
 * it where one must. ERR_REQUEST_TIMEOUT: statement_timeout. Anything unforeseen is logged with
 * statement name, SQLSTATE and terse message, and is ERR_INTERNAL.
 */
#ifndef SOKO_IO_PG_H
#define SOKO_IO_PG_H

#include "base/fields.h"
#include "base/text.h"
#include "io/ctx.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One named statement. Row 0 of a table is unused, so that 0 can mean "no statement". */
struct pg_stmt {
    const char *name; /* as in the file: "CART_SHOW" */
    const char *sql;
    int params;
    bool custom_plan; /* planned at each call: optional filters find their index */
};

/* What a violated constraint means to the caller; the shop's table is shop/constraints.c. A
 * constraint without a row is ERR_INTERNAL. */
struct pg_constraint {
    const char *name; /* "accounts_email_key" */
    enum err err;
    const char *field;   /* or NULL */
    const char *message; /* NULL: the error's own */
};

struct pg_options {
    const char *url;      /* postgresql://... or key=value; of several hosts, who takes writes */
    const char *name;     /* application_name */
    int64_t connect_ms;   /* connection time-out, and how long either machine may be silent */
    int64_t statement_ms; /* statement_timeout */
    const struct pg_stmt *stmts;
    int count;
    bool standby; /* for reads alone: a standby is taken if the url names one, and nothing is ever
                     written */
    const struct pg_constraint *constraints; /* ends with a row whose name is NULL; or NULL */
};

/* What is wrong with a `url` in itself, without asking a server; NULL if all is well. Quotes
 * nothing of it, unlike libpq. */
const char *pg_url_fault(const char *url);

/* A handle that is not connected yet. The table must contain TX_BEGIN, TX_COMMIT, TX_ROLLBACK,
 * TX_PLAN_CUSTOM and TX_PLAN_AUTO; aborts if one is missing. `options` and its strings must outlive
 * it. Ends with pg_free(). */
struct pg *pg_new(const struct pg_options *options);
void pg_free(struct pg *pg);

/* Connects if there is no healthy connection, and prepares every statement. OK,
 * ERR_SERVICE_UNAVAILABLE if the server does not answer, ERR_INTERNAL if a statement cannot be
 * prepared (logged with its name). Called by the worker at its start and by pg_begin and the
 * statement calls whenever the connection is gone; after a failed attempt the next one waits as
 * long as that took, from 100 ms to a second, within which calls fail at once. */
enum err pg_open(struct pg *pg);

/* A parameter. Text, bytes and arrays are not copied before the statement is sent or queued. */
struct pg_arg {
    enum {
        PG_NULL = 0,
        PG_TEXT,
        PG_INT,
        PG_BOOL,
        PG_ID,
        PG_BYTES,
        PG_TIME,
        PG_IDS,
        PG_INTS,
        PG_TEXTS,
        PG_NONE
    } kind;
    size_t count;
    union {
        const char *text;
        int64_t number;
        struct uuid id;
        const void *bytes;
        const struct uuid *ids;
        const int64_t *ints;
        const char *const *texts;
    } v;
};

#define ARG_NONE ((struct pg_arg){.kind = PG_NONE}) /* alone: the statement has no parameters */
#define ARG_NULL ((struct pg_arg){.kind = PG_NULL})
#define ARG_TEXT(s) pg_arg_text(s) /* NULL is null */
#define ARG_INT(n) ((struct pg_arg){.kind = PG_INT, .v.number = (n)})
#define ARG_BOOL(b) ((struct pg_arg){.kind = PG_BOOL, .v.number = (b) ? 1 : 0})
#define ARG_ID(u) ((struct pg_arg){.kind = PG_ID, .v.id = (u)})
#define ARG_ID_OR_NULL(u) pg_arg_id_or_null(u) /* the nil UUID is null */
#define ARG_BYTES(p, n) ((struct pg_arg){.kind = PG_BYTES, .v.bytes = (p), .count = (n)})
#define ARG_TIME(ms) ((struct pg_arg){.kind = PG_TIME, .v.number = (ms)}) /* timestamptz */
#define ARG_IDS(p, n) ((struct pg_arg){.kind = PG_IDS, .v.ids = (p), .count = (n)})
#define ARG_INTS(p, n) ((struct pg_arg){.kind = PG_INTS, .v.ints = (p), .count = (n)})
#define ARG_TEXTS(p, n) ((struct pg_arg){.kind = PG_TEXTS, .v.texts = (p), .count = (n)})

/* What a row keeps of its cause, for who goes on with it later: request id, trace id, sampled. */
#define ARG_ORIGIN(ctx)                                                                            \
    ARG_TEXT((ctx)->request_id), ARG_TEXT((ctx)->trace_id), ARG_BOOL((ctx)->sampled)

struct pg_arg pg_arg_text(const char *s);
struct pg_arg pg_arg_id_or_null(struct uuid id);

#define PG_ARGS(...)                                                                               \
    (const struct pg_arg[]){__VA_ARGS__},                                                          \
        (sizeof((const struct pg_arg[]){__VA_ARGS__}) / sizeof(struct pg_arg))

/* The transaction. pg_begin() is queued, not sent. pg_commit() sends what is queued and COMMIT; OK
 * means committed, anything else that it was rolled back (but see ERR_SERVICE_UNAVAILABLE above):
 * either way the transaction is over. pg_rollback() drops the queue and rolls back; it never fails
 * (a lost connection has rolled back already), and does nothing without a transaction. Nesting is a
 * bug and aborts. After ERR_LOST every call is ERR_LOST until pg_rollback(). */
enum err pg_begin(struct ctx *ctx);
enum err pg_commit(struct ctx *ctx);
void pg_rollback(struct ctx *ctx);
bool pg_in_transaction(const struct pg *pg);

/* Notes a statement whose rows nobody needs. The arguments are copied. Its failure or refusal is
 * what the next sending call returns; a write that touched no row is ERR_NOT_FOUND there, unless
 * the statement returns a column `outcome`. Aborts if the number of arguments is wrong, or outside
 * of a transaction, where nobody would send it. Only reads run outside: there too a lost connection
 * is ERR_LOST, though the statement may have run. */
#define pg_queue(ctx, stmt, ...) pg_queue_args((ctx), (stmt), PG_ARGS(__VA_ARGS__))
void pg_queue_args(struct ctx *ctx, int stmt, const struct pg_arg *args, size_t n);

/* Runs a statement for its effect: OK, its refusal, or ERR_NOT_FOUND if it neither returned nor
 * touched a row. */
#define pg_run(ctx, stmt, ...) pg_run_args((ctx), (stmt), PG_ARGS(__VA_ARGS__))
enum err pg_run_args(struct ctx *ctx, int stmt, const struct pg_arg *args, size_t n);

/* Runs a statement whose effect on no row is fine too; *touched (may be NULL) is the number. */
#define pg_touch(ctx, stmt, touched, ...)                                                          \
    pg_touch_args((ctx), (stmt), (touched), PG_ARGS(__VA_ARGS__))
enum err pg_touch_args(struct ctx *ctx, int stmt, int64_t *touched, const struct pg_arg *args,
                       size_t n);

/* Reads one row into `*row`, column by column into the member of the same name. Every field must
 * have its column (ERR_INTERNAL else, logged); columns without a field are ignored; null leaves
 * zero. ERR_NOT_FOUND if there is no row; the first if there are several. Members are TEXT, INT,
 * BOOL, ID or JSON; timestamps are read as TEXT (in PostgreSQL's form, so that they can be handed
 * back without loss), or, in milliseconds, into INT. Text lives in ctx->arena. */
#define pg_one(ctx, stmt, table, row, ...)                                                         \
    pg_one_args((ctx), (stmt), (table), (row), PG_ARGS(__VA_ARGS__))
enum err pg_one_args(struct ctx *ctx, int stmt, const struct input *table, void *row,
                     const struct pg_arg *args, size_t n);

/* The same for all rows: *rows is an array in ctx->arena, *count may be 0. */
#define pg_all(ctx, stmt, table, rows, count, ...)                                                 \
    pg_all_args((ctx), (stmt), (table), (void **)(rows), (count), PG_ARGS(__VA_ARGS__))
enum err pg_all_args(struct ctx *ctx, int stmt, const struct input *table, void **rows,
                     size_t *count, const struct pg_arg *args, size_t n);

/* Encodes a result as JSON: an object (ERR_NOT_FOUND if there is no row) or an array. Column names
 * are member names; integers, floats, numerics and booleans are printed bare, json as it is,
 * timestamptz as an RFC 3339 time in UTC, all else as strings. An alias "name:kind" says what a
 * type cannot: "price:money" is printed as a decimal string of the row's `currency` column;
 * "x:hidden" is not printed, nor is `outcome`. */
#define pg_object(ctx, stmt, out, ...) pg_object_args((ctx), (stmt), (out), PG_ARGS(__VA_ARGS__))
enum err pg_object_args(struct ctx *ctx, int stmt, struct text *out, const struct pg_arg *args,
                        size_t n);
#define pg_array(ctx, stmt, out, ...) pg_array_args((ctx), (stmt), (out), PG_ARGS(__VA_ARGS__))
enum err pg_array_args(struct ctx *ctx, int stmt, struct text *out, const struct pg_arg *args,
                       size_t n);

/* Where a page begins and ends, and what was found. */
struct pg_page {
    int64_t limit, offset;
    bool keyed;            /* the list takes a cursor's key and id, before limit and offset */
    const char *after_key; /* NULL: from the beginning */
    struct uuid after_id;
    int64_t total; /* out: what `count` says */
    const char
        *cursor;  /* out: the column "cursor:hidden" of the last row; NULL: no row, no column */
    int64_t rows; /* out: on this page */
};

/* A page: statement `list` takes the arguments, then key and id if it is keyed, then limit and
 * offset; statement `count` takes the arguments and returns one integer. One round trip. */
#define pg_page(ctx, list, count, page, out, ...)                                                  \
    pg_page_args((ctx), (list), (count), (page), (out), PG_ARGS(__VA_ARGS__))
enum err pg_page_args(struct ctx *ctx, int list, int count, struct pg_page *page, struct text *out,
                      const struct pg_arg *args, size_t n);

/* Runs SQL from a file (a migration, the demo data): several statements, no parameters, no result.
 * For sokoctl only. ERR_RERUN after a deadlock, ERR_REQUEST_TIMEOUT if a lock was not to be had
 * within lock_timeout, else ERR_INTERNAL after logging; `*why` (in ctx->arena) is the server's
 * message. */
enum err pg_script(struct ctx *ctx, const char *sql, const char **why);

/* For the test that holds statements against output schemas: column i of a prepared statement. The
 * kind is one of "int", "number", "bool", "json", "time", "id", "text", "money", "hidden". */
int pg_columns(struct pg *pg, int stmt);
const char *pg_column_name(struct pg *pg, int stmt, int column);
const char *pg_column_kind(struct pg *pg, int stmt, int column);

#endif
