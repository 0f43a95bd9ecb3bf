/*
 * ctl: the commands of sokoctl.
 *
 * A command is a row of sokoctl.c: its words, what it takes, a sentence, and a function of its own
 * file (ctl_migrate.c, ctl_user.c, ctl_demo.c; printing of tables in sokoctl.c). Results go to
 * stdout, complaints to stderr. The return value is the exit status.
 */
#ifndef SOKO_CTL_H
#define SOKO_CTL_H

#include "io/ctx.h"
#include "io/pg.h"

#define CTL_FAILED 1

/* The options that commands take, as the command line gave them; NULL or false if not given. */
struct ctl_options {
    const char *email, *phone, *username, *name, *role, *accounts;
    bool password_stdin, nginx, json;
    int argc; /* what follows the command's words */
    char **argv;
};

/* A context on the shop's database with all statements, for the life of the process. */
struct ctx *ctl_open(void);

/* Prints what a piece of work had to complain about, as "sokoctl: email: is taken" lines. */
void ctl_complain(const struct ctx *ctx, enum err e);

int ctl_migrate_up(const struct ctl_options *o);
int ctl_migrate_down(const struct ctl_options *o);
int ctl_migrate_status(const struct ctl_options *o);
int ctl_user_create(const struct ctl_options *o);
int ctl_demo_load(const struct ctl_options *o);

/* The whole of a file, NUL-terminated, in the arena; NULL after complaining. *len may be NULL. */
char *ctl_read_file(struct arena *a, const char *path, size_t *len);

#endif
