/*
 * io/metrics_private: a service's file, for metrics.c and metrics_print.c alone.
 *
 * All of it is words of 64 bits, which are written and read whole. `key` is a hash of what the
 * series is; 0: the cell is free. `ready` is the metric and 1, once the text stands there.
 */
#ifndef SOKO_IO_METRICS_PRIVATE_H
#define SOKO_IO_METRICS_PRIVATE_H

#include "io/metrics.h"

#include <stdatomic.h>
#include <sys/types.h>

#define METRICS_SERIES 4096    /* counters and gauges of a service */
#define METRICS_HISTOGRAMS 512 /* histograms of a service */
#define METRICS_TEXT 128       /* bytes of a series' label values, each ending with a NUL */
#define METRICS_WORDS (METRICS_TEXT / 8)
#define METRICS_SERVICE 16
#define METRICS_SUFFIX ".metrics"

struct metrics_cell {
    _Atomic uint64_t key, ready;
    _Atomic uint64_t text[METRICS_WORDS];
};

struct metrics_histogram {
    _Atomic uint64_t buckets[METRIC_BOUNDS + 1];
    _Atomic uint64_t sum;
};

struct metrics_head {
    char magic[8];
    uint64_t layout;
    char service[METRICS_SERVICE];
};

struct metrics_file {
    struct metrics_head head;
    _Atomic uint64_t dropped;
    struct metrics_cell
        cells[METRICS_SERIES + METRICS_HISTOGRAMS]; /* histograms' behind the others' */
    _Atomic uint64_t values[METRICS_SERIES];
    struct metrics_histogram histograms[METRICS_HISTOGRAMS];
};

#define METRICS_MAGIC "sokomtr1"

/* A hash of all that a file's meaning depends on. */
uint64_t metrics_layout(void);

/* Whether an open file is one of ours, of this layout: a regular file of that owner, which nobody
 * else may write, of our size, and with our head, which it puts into *head. */
bool metrics_is_ours(int fd, uid_t owner, struct metrics_head *head);

#endif
