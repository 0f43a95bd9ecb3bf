/*
 * One buffer of the file's bytes, and how many of them are eaten; what the next line begins at
 * follows from that. The file is read up to the size that it had when it was opened: what is
 * appended meanwhile is another file.
 */
#include "ctl_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE ((size_t)128 << 10)

struct lines {
    struct arena *arena;
    const char *path;
    enum import_format format;
    int fd;
    int64_t size, read; /* of the file: in all, and up to the buffer's end */
    char *buffer;
    size_t at, end;
    struct csv_reader *csv;
    int64_t number;
    char *json; /* the line so far */
    size_t json_len;
    bool failed;
};

static void
complain(const char *path, const char *what)
{
    fprintf(stderr, "sokoctl: %s: %s\n", path, what);
}

struct lines *
lines_open(struct arena *a, const char *path, enum import_format format)
{
    struct lines *l = arena_alloc(a, sizeof(*l));
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) != 0) {
        complain(path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    if (!S_ISREG(st.st_mode)) {
        complain(path, "is not a regular file; an import that is to be resumed needs one");
        close(fd);
        return NULL;
    }
    *l = (struct lines){.arena = a, .path = path, .format = format, .fd = fd, .size = st.st_size};
    l->buffer = arena_alloc(a, BUFFER_SIZE);
    if (format == IMPORT_JSONL)
        l->json = arena_alloc(a, LINE_MAX_BYTES + 1);
    lines_seek(l, 0, 1);
    return l;
}

void
lines_close(struct lines *l)
{
    close(l->fd);
}

bool
lines_failed(const struct lines *l)
{
    return l->failed;
}

int64_t
lines_offset(const struct lines *l)
{
    return l->read - (int64_t)(l->end - l->at);
}

int64_t
lines_number(const struct lines *l)
{
    return l->number;
}

int64_t
lines_size(const struct lines *l)
{
    return l->size;
}

bool
lines_seek(struct lines *l, int64_t offset, int64_t number)
{
    if (lseek(l->fd, offset, SEEK_SET) != offset) {
        complain(l->path, strerror(errno));
        l->failed = true;
        return false;
    }
    l->read = offset;
    l->at = l->end = 0;
    l->number = number;
    if (l->format == IMPORT_CSV)
        l->csv = csv_reader_new(l->arena, LINE_MAX_BYTES, number);
    return true;
}

ssize_t
lines_head(struct lines *l, void *out, size_t len)
{
    size_t have = 0;

    while (have < len) {
        ssize_t n = pread(l->fd, (char *)out + have, len - have, (off_t)have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            complain(l->path, strerror(errno));
            return -1;
        }
        if (n == 0)
            break;
        have += (size_t)n;
    }
    return (ssize_t)have;
}

/* Reads more; false at the end. */
static bool
refill(struct lines *l)
{
    int64_t left = l->size - l->read;
    size_t want = left < (int64_t)BUFFER_SIZE ? (size_t)left : BUFFER_SIZE;
    ssize_t n;

    do
        n = want > 0 ? read(l->fd, l->buffer, want) : 0;
    while (n < 0 && errno == EINTR);
    if (n < 0 || (n == 0 && want > 0)) {
        complain(l->path, n < 0 ? strerror(errno) : "has become shorter while it was read");
        l->failed = true;
    }
    if (n <= 0)
        return false;
    l->at = 0;
    l->end = (size_t)n;
    l->read += n;
    return true;
}

static int64_t
count_ends(const char *s, size_t len)
{
    int64_t n = 0;

    for (const char *at = s; (at = memchr(at, '\n', len - (size_t)(at - s))) != NULL; at++)
        n++;
    return n;
}

static bool
next_csv(struct lines *l, struct line *line)
{
    const struct csv_record *record = NULL;

    while (record == NULL && (l->at < l->end || refill(l))) {
        size_t eaten = csv_feed(l->csv, l->buffer + l->at, l->end - l->at, &record);
        l->number += count_ends(l->buffer + l->at, eaten);
        l->at += eaten;
    }
    if (record == NULL && !l->failed)
        record = csv_finish(l->csv);
    if (record == NULL)
        return false;
    *line = (struct line){.number = record->line, .csv = record};
    return true;
}

/* Adds bytes to the line; one that is too long is remembered as such. */
static void
add_json(struct lines *l, const char *s, size_t len)
{
    size_t room = LINE_MAX_BYTES - l->json_len;

    if (l->json_len > LINE_MAX_BYTES)
        return;
    if (len > room) {
        l->json_len = LINE_MAX_BYTES + 1;
        return;
    }
    memcpy(l->json + l->json_len, s, len);
    l->json_len += len;
}

static bool
is_blank(const struct lines *l)
{
    return l->json_len <= LINE_MAX_BYTES && strspn(l->json, " \t\r") == l->json_len;
}

static bool
next_json(struct lines *l, struct line *line)
{
    bool complete = false, more = true;

    do {
        l->json_len = 0;
        int64_t number = l->number;
        for (complete = false; !complete && (more = l->at < l->end || refill(l));) {
            const char *from = l->buffer + l->at, *lf = memchr(from, '\n', l->end - l->at);
            size_t n = lf != NULL ? (size_t)(lf - from) : l->end - l->at;
            add_json(l, from, n);
            complete = lf != NULL;
            l->at += n + complete;
        }
        if (l->failed)
            return false;
        l->number += complete;
        l->json[l->json_len <= LINE_MAX_BYTES ? l->json_len : 0] = '\0';
        *line = (struct line){.number = number,
                              .json = l->json_len <= LINE_MAX_BYTES ? l->json : NULL,
                              .len = l->json_len};
    } while (more && is_blank(l));
    return !is_blank(l);
}

bool
lines_next(struct lines *l, struct line *line)
{
    return l->format == IMPORT_CSV ? next_csv(l, line) : next_json(l, line);
}
