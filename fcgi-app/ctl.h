/*
 * ctl: the commands of sokoctl.
 *
 * A command is a row of ctl_table.c: its words, what it takes, a sentence, and a function of its
 * own file (ctl_migrate.c, ctl_user.c, ctl_import.c, ...; printing of tables in ctl_print.c). It is
 * given the options that its row names, and as many operands as that allows. Results go to stdout,
 * complaints to stderr. The return value is the exit status.
 */
#ifndef SOKO_CTL_H
#define SOKO_CTL_H

#include "io/ctx.h"
#include "io/pg.h"
#include "shop/imports/export.h"

#define CTL_FAILED 1

/* The options that commands take, as the command line gave them; NULL or false if not given. */
struct ctl_options {
    const char *email, *phone, *username, *name, *role, *accounts;
    const char *format, *store, *owner, *refused;
    const char *books, *from, *until;
    const char *actor, *subject, *event, *head, *after;
    const char *keep, *head_file;
    const char *config;
    const char *search, *status, *payment_status, *buyer, *provider, *receipt, *order, *note;
    const char *lane, *limit;
    bool password_stdin, nginx, json, again, help, version;
    bool all, parked, yes;
    bool no_media, verify, check;
    int argc; /* the operands: what follows the command's words */
    char **argv;
};

/* A context on the shop's database with all statements, for the life of the process. */
struct ctx *ctl_open(void);

/* Ends what ctl_open() opened, if it did; main() calls it behind each command. */
void ctl_close(void);

/* Prints what a piece of work had to complain about, as "sokoctl: email: is taken" lines. */
void ctl_complain(const struct ctx *ctx, enum err e);

int ctl_migrate_up(const struct ctl_options *o);
int ctl_migrate_down(const struct ctl_options *o);
int ctl_migrate_status(const struct ctl_options *o);
int ctl_migrate_verify(const struct ctl_options *o);
int ctl_user_create(const struct ctl_options *o);
int ctl_user_totp_off(const struct ctl_options *o);
int ctl_user_import(const struct ctl_options *o);
int ctl_demo_load(const struct ctl_options *o);
int ctl_product_import(const struct ctl_options *o);
int ctl_product_export(const struct ctl_options *o);
int ctl_ledger_check(const struct ctl_options *o);
int ctl_statement(const struct ctl_options *o);
int ctl_audit_list(const struct ctl_options *o);
int ctl_audit_verify(const struct ctl_options *o);
int ctl_audit_seal(const struct ctl_options *o);
int ctl_user_list(const struct ctl_options *o);
int ctl_user_show(const struct ctl_options *o);
int ctl_user_activate(const struct ctl_options *o);
int ctl_user_deactivate(const struct ctl_options *o);
int ctl_user_grant(const struct ctl_options *o);
int ctl_user_revoke(const struct ctl_options *o);
int ctl_user_sign_out(const struct ctl_options *o);
int ctl_user_forgive(const struct ctl_options *o);
int ctl_user_drop_hashes(const struct ctl_options *o);
int ctl_store_list(const struct ctl_options *o);
int ctl_store_show(const struct ctl_options *o);
int ctl_store_balance(const struct ctl_options *o);
int ctl_store_suspend(const struct ctl_options *o);
int ctl_store_open(const struct ctl_options *o);
int ctl_store_commission(const struct ctl_options *o);
int ctl_order_list(const struct ctl_options *o);
int ctl_order_show(const struct ctl_options *o);
int ctl_order_cancel(const struct ctl_options *o);
int ctl_payment_list(const struct ctl_options *o);
int ctl_payment_show(const struct ctl_options *o);
int ctl_payment_heard(const struct ctl_options *o);
int ctl_payment_ask(const struct ctl_options *o);
int ctl_payment_accept(const struct ctl_options *o);
int ctl_payment_return(const struct ctl_options *o);
int ctl_refund_list(const struct ctl_options *o);
int ctl_refund_retry(const struct ctl_options *o);
int ctl_outbox_list(const struct ctl_options *o);
int ctl_outbox_retry(const struct ctl_options *o);
int ctl_outbox_drop(const struct ctl_options *o);
int ctl_doctor(const struct ctl_options *o);
int ctl_backup(const struct ctl_options *o);
int ctl_restore(const struct ctl_options *o);
int ctl_openapi(const struct ctl_options *o);
int ctl_routes(const struct ctl_options *o);
int ctl_errors(const struct ctl_options *o);
int ctl_nginx_origins(const struct ctl_options *o);
int ctl_nginx_proxies(const struct ctl_options *o);
int ctl_metrics(const struct ctl_options *o);
int ctl_config(const struct ctl_options *o);
int ctl_man(const struct ctl_options *o);
int ctl_completion_bash(const struct ctl_options *o);
int ctl_config_example(const struct ctl_options *o);
int ctl_config_secrets(const struct ctl_options *o);
int ctl_nginx_check(const struct ctl_options *o);
int ctl_nginx_write(const struct ctl_options *o);
int ctl_maintenance_on(const struct ctl_options *o);
int ctl_maintenance_off(const struct ctl_options *o);
int ctl_maintenance_status(const struct ctl_options *o);

/* What an import is to do. */
struct ctl_import {
    const char *path;
    enum import_format format;
    const char *owner;   /* e-mail of who owns a store that is missing, or NULL */
    const char *refused; /* file for the report, or NULL */
    bool again;          /* from the first line, finished or not */
    bool quiet;          /* nothing is printed but what goes wrong */
};

/* Imports a file, or goes on with it. The exit status: EX_DATAERR if lines were refused. */
int ctl_import(struct ctx *ctx, const struct ctl_import *job);

/* Reads --format, or the file's ending. False after complaining. `path` may be NULL. */
bool ctl_format(const char *format, const char *path, enum import_format *out);

/* A moment that the option --name gave; null if there is none. False after complaining. */
bool ctl_time(const char *name, const char *text, struct pg_arg *out);

/* The whole of a file, NUL-terminated, in the arena; NULL after complaining. *len may be NULL. */
char *ctl_read_file(struct arena *a, const char *path, size_t *len);

#endif
