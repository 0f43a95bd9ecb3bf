/*
 * ctl_lines: a catalogue file as lines, read from disk piece by piece; a line is a record of CSV,
 * or a line of JSON.
 */
#ifndef SOKO_CTL_LINES_H
#define SOKO_CTL_LINES_H

#include "base/csv.h"
#include "shop/imports/export.h"

#include <sys/types.h>

#define LINE_MAX_BYTES ((size_t)256 << 10)

struct lines;

struct line {
    int64_t number;               /* of its first line in the file, from 1 */
    const struct csv_record *csv; /* CSV; it lives until the next */
    const char *json;             /* JSON Lines; NULL if it is too long */
    size_t len;
};

/* Opens a regular file for reading from its beginning; NULL after complaining. */
struct lines *lines_open(struct arena *a, const char *path, enum import_format format);
void lines_close(struct lines *l);

/* The next line; false at the file's end, or after complaining: lines_failed says which. */
bool lines_next(struct lines *l, struct line *line);
bool lines_failed(const struct lines *l);

/* Where the next line begins, and the size of the file when it was opened. */
int64_t lines_offset(const struct lines *l);
int64_t lines_number(const struct lines *l);
int64_t lines_size(const struct lines *l);

/* Goes on at a place that lines_offset and lines_number have told of this file before. */
bool lines_seek(struct lines *l, int64_t offset, int64_t number);

/* The first `len` bytes, or all if there are fewer, without moving; -1 after complaining. */
ssize_t lines_head(struct lines *l, void *out, size_t len);

#endif
