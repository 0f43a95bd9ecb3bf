/*
 * ctl_child: PostgreSQL's own programs as children of sokoctl: pg_dump, pg_restore, psql, createdb
 * and dropdb.
 *
 * A password reaches them by their environment alone, which nobody but root and their own user can
 * read.
 */
#ifndef SOKO_CTL_CHILD_H
#define SOKO_CTL_CHILD_H

#include "base/arena.h"

#include <stdbool.h>
#include <sys/types.h>

/* The program's path for a server of that version (150014): Debian's of that major version or the
 * next newer one that is there, else the one in PATH. A program older than the server is no use:
 * NULL after complaining with what to install. */
const char *ctl_child_program(struct arena *a, const char *name, int server_version);

struct ctl_child {
    const char *const *argv; /* argv[0] is the program's path; ends with NULL */
    const char *const *env;  /* NAME=value, on top of ours; ends with NULL; or NULL */
    int in, out;             /* descriptors; -1: /dev/null */
};

/* Starts it; it ends with us. Its complaints go where ours go. -1 after complaining. `in` and `out`
 * stay open here. */
pid_t ctl_child_start(const struct ctl_child *c);

/* Waits for its end. True if it ended well; false after complaining, by its name. */
bool ctl_child_wait(pid_t pid, const char *name);

/* Both. */
bool ctl_child_run(const struct ctl_child *c);

#endif
