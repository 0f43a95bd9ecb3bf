/*
 * ctl_rows: what commands that look and act have in common: lists, single things, operands that
 * name something, and work in a transaction.
 *
 * A listing prints a table for people, with --json an object a line for programs, as the
 * statement's columns are: what the API says of money and times is said here too.
 */
#ifndef SOKO_CTL_ROWS_H
#define SOKO_CTL_ROWS_H

#include "ctl.h"

/* Prints text of whoever wrote it: a terminal is shown no control characters. */
void ctl_put(const char *s);

/*
 * Prints the rows of `stmt`, which takes the arguments and then LIMIT and OFFSET. `columns`: the
 * members that people are shown, "id status amount"; programs get all. At most --limit rows;
 * without it people are shown 100, and told if that was not all. Returns the exit status.
 */
#define ctl_list(ctx, o, stmt, columns, ...)                                                       \
    ctl_list_args((ctx), (o), (stmt), (columns), PG_ARGS(__VA_ARGS__))
int ctl_list_args(struct ctx *ctx, const struct ctl_options *o, int stmt, const char *columns,
                  const struct pg_arg *args, size_t n);

/* Prints the one row of `stmt`: a member a line, lists below theirs. Returns the exit status. */
#define ctl_show(ctx, o, stmt, ...) ctl_show_args((ctx), (o), (stmt), PG_ARGS(__VA_ARGS__))
int ctl_show_args(struct ctx *ctx, const struct ctl_options *o, int stmt, const struct pg_arg *args,
                  size_t n);

/* Runs work(ctx, arg) in a transaction and complains if it fails. Returns the exit status. */
int ctl_work(struct ctx *ctx, enum err (*work)(struct ctx *ctx, void *arg), void *arg);

/* What an operand names: by id, and an account also by e-mail address, phone or username, a store
 * by its name, an order by its number, a payment by its receipt. False after complaining. */
bool ctl_find_account(struct ctx *ctx, const char *text, struct uuid *out);
bool ctl_find_store(struct ctx *ctx, const char *text, struct uuid *out);
bool ctl_find_order(struct ctx *ctx, const char *text, struct uuid *out);
bool ctl_find_payment(struct ctx *ctx, const char *text, struct uuid *out);

/* The account that --email, --phone or --username names. False after complaining. */
bool ctl_find_named(struct ctx *ctx, const struct ctl_options *o, struct uuid *out);

/* An id as --NAME or an operand gave it; null if there is none. False after complaining. */
bool ctl_id(const char *name, const char *text, struct pg_arg *out);

/* Whether `text` is one of `words`, "active|suspended", or NULL. False after complaining. */
bool ctl_one_of(const char *name, const char *text, const char *words);

/* Whether --yes was given to what cannot be undone; else says so. */
bool ctl_is_sure(const struct ctl_options *o, const char *what);

#endif
