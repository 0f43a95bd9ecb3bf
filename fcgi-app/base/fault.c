/*
 * Design: unlink(2) is the lottery. Of all the processes that pass the point exactly one removes
 * the file, and that one dies; no lock, no shared memory, and the test sees that it happened by the
 * file's absence. A point whose file is absent costs one failing system call, in test builds only.
 */
#include "base/fault.h"

#ifdef SOKO_FAULTS
#include "base/config.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>
#endif

#include <stddef.h>

/* clang-format off */
static const char *const names[FAULT__COUNT] = {
    [FAULT_BEFORE_COMMIT] = "before_commit",
    [FAULT_AFTER_COMMIT]  = "after_commit",
    [FAULT_STARTED]       = "started",
    [FAULT_AFTER_CALL]    = "after_call",
    [FAULT_FINISHING]     = "finishing",
    [FAULT_BEFORE_ANSWER] = "before_answer",
    [FAULT_JOB_CLAIMED]   = "job_claimed",
    [FAULT_JOB_DONE]      = "job_done",
    [FAULT_PAYMENT_STARTED] = "payment_started",
    [FAULT_PAYMENT_CALLED]  = "payment_called",
    [FAULT_PAYMENT_NOTED]   = "payment_noted",
    [FAULT_WEBHOOK_HEARD]   = "webhook_heard",
    [FAULT_WEBHOOK_STORED]  = "webhook_stored",
    [FAULT_SETTLING]        = "settling",
    [FAULT_PAYMENT_ASKED]   = "payment_asked",
    [FAULT_REFUND_STARTED]  = "refund_started",
    [FAULT_REFUND_CALLED]   = "refund_called",
    [FAULT_REFUND_NOTED]    = "refund_noted",
    [FAULT_MESSAGE_CALLED]  = "message_called",
};
/* clang-format on */

const char *
fault_name(enum fault f)
{
    return (unsigned)f < FAULT__COUNT ? names[f] : "unknown";
}

#ifdef SOKO_FAULTS
/* Whoever removes the file dies. */
static void
die_by(const char *name, const char *of)
{
    char path[4096];

    int n = snprintf(path, sizeof path, "%s/%s%s%s", conf->fault_dir, name, of != NULL ? "." : "",
                     of != NULL ? of : "");
    if (n > 0 && (size_t)n < sizeof path && unlink(path) == 0)
        kill(getpid(), SIGKILL);
}

static bool
has_faults(void)
{
    return conf != NULL && conf->fault_dir != NULL && conf->fault_dir[0] != '\0';
}

void
fault_point(enum fault f)
{
    if (has_faults())
        die_by(fault_name(f), NULL);
}

void
fault_point_of(enum fault f, struct uuid id)
{
    char text[UUID_TEXT_SIZE];

    if (!has_faults())
        return;
    die_by(fault_name(f), NULL);
    die_by(fault_name(f), uuid_text(id, text));
}
#endif
