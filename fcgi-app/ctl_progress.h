/*
 * ctl_progress: how far a long command has come, on stderr: a bar on a terminal, a line now and
 * then anywhere else.
 */
#ifndef SOKO_CTL_PROGRESS_H
#define SOKO_CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *name;
    bool quiet, terminal, drawn;
    int64_t size, began_ns, next_ns;
    int64_t lines; /* done since it began */
};

/* `name` is what the lines begin with; `at` of `size` bytes are done already. */
void progress_start(struct progress *p, const char *name, int64_t at, int64_t size, bool quiet);

/* So many lines more, now at byte `at`, so many refused in all. */
void progress_step(struct progress *p, int64_t lines, int64_t at, int64_t refused);

/* Takes the bar away, so that something else can be printed. */
void progress_clear(struct progress *p);

/* Says how long it took. */
void progress_end(struct progress *p);

#endif
