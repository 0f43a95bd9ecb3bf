/*
 * base/fault: places where a test may kill the process.
 *
 * Built with --enable-faults, fault_point(FAULT_X) looks for a file of the point's name in
 * $FAULT_DIR; if it is there, exactly one process unlinks it and ends itself by SIGKILL, as the
 * kernel's out-of-memory killer would. Built without, it is nothing at all.
 */
#ifndef SOKO_BASE_FAULT_H
#define SOKO_BASE_FAULT_H

#include "base/id.h"

enum fault {
    FAULT_BEFORE_COMMIT, /* tx.c: the work is done, COMMIT was not sent; requests and deliveries */
    FAULT_AFTER_COMMIT,  /* tx.c: COMMIT is acknowledged, nothing after it has happened */
    FAULT_STARTED,       /* app_run.c: the first of three steps is committed, nothing was called */
    FAULT_AFTER_CALL,    /* app_run.c: the provider was called, its answer is not recorded */
    FAULT_FINISHING,     /* app_run.c: the last of three steps is done, COMMIT was not sent */
    FAULT_BEFORE_ANSWER, /* app.c: all is done, and the client was told nothing */
    FAULT_JOB_CLAIMED,   /* jobs.c: an outbox row is leased, its effect has not begun */
    FAULT_JOB_DONE, /* jobs.c: the effect is committed or has failed, and neither is noted further
                     */
    /* The path of money. Each is passed on behalf of one order. */
    FAULT_PAYMENT_STARTED, /* the attempt is committed, the provider not called */
    FAULT_PAYMENT_CALLED,  /* the provider has answered, and nothing of it is recorded */
    FAULT_PAYMENT_NOTED,   /* it is recorded, and the client has no answer */
    FAULT_WEBHOOK_HEARD,   /* a callback is authentic, and nothing of it is stored */
    FAULT_WEBHOOK_STORED,  /* its effect is committed, and the provider has no answer */
    FAULT_SETTLING,        /* in payments_settle: all is written, COMMIT was not sent */
    FAULT_PAYMENT_ASKED,   /* soko-jobs has asked the provider, and nothing is recorded */
    FAULT_REFUND_STARTED,  /* a refund is marked as being sent, the provider not called */
    FAULT_REFUND_CALLED,   /* the provider has answered, and nothing of it is recorded */
    FAULT_REFUND_NOTED,    /* it is recorded, and the job is not done */
    FAULT_MESSAGE_CALLED,  /* an SMS or e-mail may have been sent, and nothing of it is recorded */
    FAULT__COUNT
};

/* "before_commit" and so on; static. */
const char *fault_name(enum fault f);

/* fault_point_of(f, id) is passed on behalf of one thing: it looks for a file "name.UUID" too, so
 * that a test can kill whoever works for this payment, and nobody else. */
#ifdef SOKO_FAULTS
void fault_point(enum fault f);
void fault_point_of(enum fault f, struct uuid id);
#else
#define fault_point(f) ((void)(f))
#define fault_point_of(f, id) ((void)(f), (void)(id))
#endif

#endif
