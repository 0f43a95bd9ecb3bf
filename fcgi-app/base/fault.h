/*
 * base/fault: places where a test may kill the process.
 *
 * Built with --enable-faults, fault_point(FAULT_X) looks for a file of the point's name in
 * $FAULT_DIR; if it is there, exactly one process unlinks it and ends itself by SIGKILL, as the
 * kernel's out-of-memory killer would. Built without, it is nothing at all.
 */
#ifndef SOKO_BASE_FAULT_H
#define SOKO_BASE_FAULT_H

enum fault {
    FAULT_BEFORE_COMMIT, /* app.c: all statements have run, COMMIT was not sent */
    FAULT_AFTER_COMMIT,  /* app.c: COMMIT is acknowledged, the answer was not sent */
    FAULT_AFTER_CALL,    /* app.c: the provider was called, its answer is not recorded */
    FAULT_JOB_CLAIMED,   /* jobs.c: an outbox row is leased, its effect has not begun */
    FAULT_JOB_DONE,      /* jobs.c: the effect is committed, the next row not begun */
    FAULT__COUNT
};

/* "before_commit" and so on; static. */
const char *fault_name(enum fault f);

#ifdef SOKO_FAULTS
void fault_point(enum fault f);
#else
#define fault_point(f) ((void)(f))
#endif

#endif
