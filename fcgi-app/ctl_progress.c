/*
 * Drawn at most ten times a second, so that it costs nothing; in whole numbers.
 */
#include "ctl_progress.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
#define REDRAW_NS (SECOND_NS / 10)
#define REPEAT_NS (5 * SECOND_NS) /* of plain lines */
#define BAR 30
#define CLEAR "\r\033[K"

void
progress_start(struct progress *p, const char *name, int64_t at, int64_t size, bool quiet)
{
    *p = (struct progress){.name = name, .quiet = quiet, .size = size};
    p->terminal = isatty(STDERR_FILENO) == 1;
    p->began_ns = clock_mono_ns();
    p->next_ns = p->began_ns + (p->terminal ? 0 : REPEAT_NS);
    progress_step(p, 0, at, 0);
}

static int64_t
per_second(const struct progress *p, int64_t now_ns)
{
    int64_t ms = (now_ns - p->began_ns) / 1000000;

    return p->lines * 1000 / (ms > 0 ? ms : 1);
}

void
progress_step(struct progress *p, int64_t lines, int64_t at, int64_t refused)
{
    char bar[BAR + 1];
    int64_t now = clock_mono_ns();

    p->lines += lines;
    if (p->quiet || now < p->next_ns)
        return;
    int64_t percent = p->size > 0 ? at * 100 / p->size : 100, rate = per_second(p, now);
    if (p->terminal) {
        size_t full = (size_t)(percent * BAR / 100);
        memset(bar, '.', BAR);
        memset(bar, '#', full);
        bar[BAR] = '\0';
        fprintf(stderr,
                CLEAR "[%s] %3" PRId64 " %%  %" PRId64 " lines, %" PRId64 "/s, %" PRId64 " refused",
                bar, percent, p->lines, rate, refused);
        p->drawn = true;
        p->next_ns = now + REDRAW_NS;
        return;
    }
    fprintf(stderr,
            "sokoctl: %s: %" PRId64 " %%, %" PRId64 " lines, %" PRId64 "/s, %" PRId64 " refused\n",
            p->name, percent, p->lines, rate, refused);
    p->next_ns = now + REPEAT_NS;
}

void
progress_clear(struct progress *p)
{
    if (p->drawn)
        fputs(CLEAR, stderr);
    p->drawn = false;
}

void
progress_end(struct progress *p)
{
    int64_t now = clock_mono_ns(), tenths = (now - p->began_ns) * 10 / SECOND_NS;

    progress_clear(p);
    if (!p->quiet)
        fprintf(stderr,
                "sokoctl: %s: %" PRId64 " lines in %" PRId64 ".%" PRId64 " s, %" PRId64
                " lines/s\n",
                p->name, p->lines, tenths / 10, tenths % 10, per_second(p, now));
}
