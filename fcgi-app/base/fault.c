/*
 * Design: unlink(2) is the lottery. Of all the processes that pass the point exactly one removes
 * the file, and that one dies; no lock, no shared memory, and the test sees that it happened by the
 * file's absence. A point whose file is absent costs one failing system call, in test builds only.
 */
#include "base/fault.h"

#ifdef SOKO_FAULTS
#include "base/config.h"

#include <signal.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>
#endif

#include <stddef.h>

/* clang-format off */
static const char *const names[FAULT__COUNT] = {
    [FAULT_BEFORE_COMMIT] = "before_commit",
    [FAULT_AFTER_COMMIT]  = "after_commit",
    [FAULT_AFTER_CALL]    = "after_call",
    [FAULT_JOB_CLAIMED]   = "job_claimed",
    [FAULT_JOB_DONE]      = "job_done",
};
/* clang-format on */

const char *
fault_name(enum fault f)
{
    return (unsigned)f < FAULT__COUNT ? names[f] : "unknown";
}

#ifdef SOKO_FAULTS
void
fault_point(enum fault f)
{
    char path[4096];

    if (conf == NULL || conf->fault_dir == NULL || conf->fault_dir[0] == '\0')
        return;
    int n = snprintf(path, sizeof path, "%s/%s", conf->fault_dir, fault_name(f));
    if (n > 0 && (size_t)n < sizeof path && unlink(path) == 0)
        kill(getpid(), SIGKILL);
}
#endif
