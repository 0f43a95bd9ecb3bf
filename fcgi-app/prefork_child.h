/*
 * prefork_child: one process of prefork's, from its fork to its burial. For prefork.c alone.
 */
#ifndef SOKO_PREFORK_CHILD_H
#define SOKO_PREFORK_CHILD_H

#include "prefork.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Written by the child, read by the parent; the last one the other way round. */
struct slot {
    _Atomic int64_t busy_since; /* monotonic ns; 0: idle */
    _Atomic int64_t served;
    _Atomic bool ready;
    _Atomic int64_t open_since; /* ms since the epoch; 0: the pool is not open yet */
};

struct child {
    struct child *next;
    struct slot *slot; /* a page of its own */
    pid_t pid;
    int place;
    unsigned generation;
    int64_t started;
    int64_t told, told_last; /* when it was told to leave; 0: it was not */
    bool killed;
    bool overdue; /* killed for its deadline */
};

/* Forks. The caller has blocked the signals of the parent, so that one that comes before the
 * child's handlers are there waits for them. NULL with errno if the system refuses. */
struct child *prefork_child_start(const struct prefork *p, int place, unsigned generation,
                                  int64_t now);

/* Forgets a child that has been waited for. */
void prefork_child_free(struct child *c);

/* Asks the child to finish and leave; once. NULL has no effect. */
void prefork_child_tell(struct child *c, int64_t now);

void prefork_child_kill(struct child *c);

bool prefork_child_is_ready(const struct child *c);

/* Whether it ever had work. */
bool prefork_child_worked(const struct child *c);

#endif
