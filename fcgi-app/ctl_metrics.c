/*
 * sokoctl metrics: what GET /metrics answers, read from the files themselves. It works while no
 * worker answers, and on a machine that only serves (several hosts behind one nginx), where it
 * writes a file for the node exporter's textfile collector.
 */
#include "base/config.h"
#include "ctl.h"
#include "io/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define METRICS_MAX ((size_t)16 << 20)

int
ctl_metrics(const struct ctl_options *o)
{
    struct arena *a = arena_new();
    struct text out = text_new(a, METRICS_MAX);

    (void)o;
    bool good = metrics_print(&out, conf->metrics_dir);
    if (good)
        fwrite(out.data, 1, out.len, stdout);
    else
        fprintf(stderr, "sokoctl: METRICS_DIR: %s: %s\n", conf->metrics_dir, strerror(errno));
    arena_free(a);
    return good ? 0 : CTL_FAILED;
}
