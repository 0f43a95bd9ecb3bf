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
    FAULT_BEFORE_COMMIT, /* tx.c: the work is done, COMMIT was not sent; requests and deliveries */
    FAULT_AFTER_COMMIT,  /* tx.c: COMMIT is acknowledged, nothing after it has happened */
    FAULT_AFTER_CALL,    /* app_run.c: the provider was called, its answer is not recorded */
    FAULT_JOB_CLAIMED,   /* jobs.c: an outbox row is leased, its effect has not begun */
    FAULT_JOB_DONE, /* jobs.c: the effect is committed or has failed, and neither is noted further
                     */
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
