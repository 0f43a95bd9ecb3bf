/*
 * prefork: a parent that keeps a number of workers alive (design, section 5).
 *
 * soko-api runs one for its pool, soko-jobs one with a child per lane. The parent forks, replaces
 * the dead with back-off, kills a child that exceeds its deadline, passes SIGTERM on and waits,
 * re-reads the configuration on SIGHUP and then replaces its children one generation by another,
 * and tells systemd READY, RELOADING, STOPPING and WATCHDOG (sd_notify's protocol, by hand: one
 * datagram). It touches neither PostgreSQL nor Redis, and so cannot hang.
 *
 * Children share an anonymous mapping with the parent, a slot each. What is in a slot has one
 * writer: its child, but for the time at which the pool opened, which is the parent's word.
 */
#ifndef SOKO_PREFORK_H
#define SOKO_PREFORK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct slot;

struct prefork {
    const char *name;        /* for the log: "fast" */
    const char *config_file; /* read again on SIGHUP; NULL: environment alone */

    /* How many children, at least 1; asked again after SIGHUP, since the configuration may say so.
     */
    int (*children)(void);

    /* The child's life: serves until *stop or until slot_done() says that it is old, then returns
     * its exit status. `index` counts from 0. Runs after the fork, so connections are made here.
     * Exit status PREFORK_UNFIT says that it cannot start at all (a statement cannot be prepared):
     * if this comes before any child was ready, the parent gives up with status 1. */
    int (*child)(struct slot *slot, int index, const volatile sig_atomic_t *stop);
};

#define PREFORK_UNFIT 78 /* sysexits' EX_CONFIG */

/* Runs until SIGTERM or SIGINT has ended all children (conf->stop_timeout, then SIGKILL). The exit
 * status for main(). The configuration must be loaded. Deadline and life are conf->worker_deadline
 * and conf->worker_max_requests. */
int prefork_run(const struct prefork *p);

/* The child is ready to serve. The parent tells systemd READY when all are. */
void slot_ready(struct slot *s);

/* When all children were ready for the first time, as clock_ms() says it; 0 before. It does not
 * change when children are replaced, one by one or by a reload: only a parent that starts opens
 * anew. */
int64_t slot_open_since(const struct slot *s);

/* Work begins: the deadline runs from here. Work ended: counts it. */
void slot_busy(struct slot *s);
void slot_idle(struct slot *s);

/* Whether the child has served conf->worker_max_requests (never, if that is 0). */
bool slot_done(const struct slot *s);

#endif
