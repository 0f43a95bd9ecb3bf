/*
 * A catalogue from a file: lines are read, held against their table, and handed on in batches
 * (shop/imports/batch.h), each of which is a transaction that also notes how far the file has come.
 * So any file takes the memory of one batch, and whatever kills the import, running it again goes
 * on.
 *
 * Lines are done in the file's order: a sku that comes again changes what the line before has made.
 * As a batch is one statement, it ends before a line whose sku it has already.
 *
 * The report on refused lines is written before the commit that passes them, and cut to what was
 * committed when an import goes on: each refused line is in it once.
 */
#include "base/clock.h"
#include "base/text.h"
#include "ctl.h"
#include "ctl_lines.h"
#include "ctl_progress.h"
#include "io/tx.h"
#include "shop/imports/batch.h"
#include "shop/stmt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define BATCH_LINES 500
#define BATCH_BYTES (INT64_C(4) << 20) /* of the file */
#define KEY_SLOTS 2048                 /* a power of two, well above BATCH_LINES */
#define SHOWN_MOST 10                  /* refused lines on the screen, if there is no report */
#define REPORT_MOST ((size_t)16 << 20) /* of one batch */

struct run {
    const struct ctl_import *job;
    struct lines *lines;
    struct import_header header;
    struct import_file file;
    struct import_mark mark;
    struct uuid owner;
    int report;        /* descriptor, or -1 */
    int64_t report_at; /* where the next refused line goes */
    struct line pending;
    bool has_pending;
    size_t keys[KEY_SLOTS]; /* lines of the batch by store and sku: index + 1 */
    int shown;
    struct progress progress;
};

struct account_row {
    struct uuid id;
};
static const struct field account_row_fields[] = {FIELD(struct account_row, id)};
static const struct input account_row = INPUT(account_row, "ImportOwner", NULL);

struct owner_search {
    const char *email;
    struct account_row row;
};

static enum err
owner_work(struct ctx *ctx, void *arg)
{
    struct owner_search *s = arg;

    return pg_one(ctx, ACCOUNTS_OF_EMAIL, &account_row, &s->row, ARG_TEXT(s->email));
}

static bool
find_owner(struct ctx *ctx, struct run *r)
{
    struct owner_search s = {.email = r->job->owner};

    if (s.email == NULL)
        return true;
    enum err e = tx_read(ctx, owner_work, &s);
    if (e == ERR_NOT_FOUND)
        fprintf(stderr, "sokoctl: --owner %s: no account has this e-mail address\n", s.email);
    else if (e != OK)
        ctl_complain(ctx, e);
    r->owner = s.row.id;
    return e == OK;
}

/* --- the report ------------------------------------------------------------------------------- */

static bool
report_failed(const struct run *r)
{
    fprintf(stderr, "sokoctl: %s: %s\n", r->job->refused, strerror(errno));
    return false;
}

static void
report_row(struct text *t, const char *line, const char *sku, const char *field, const char *reason)
{
    const char *cells[] = {line, sku, field, reason};

    for (size_t i = 0; i < 4; i++)
        csv_put(t, i, cells[i] != NULL ? cells[i] : "", cells[i] != NULL ? strlen(cells[i]) : 0);
    csv_end(t);
}

static bool
write_at(const struct run *r, const struct text *t, int64_t at)
{
    for (size_t done = 0; done < t->len;) {
        ssize_t n = pwrite(r->report, t->data + done, t->len - done, (off_t)at + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return report_failed(r);
        done += (size_t)n;
    }
    return ftruncate(r->report, (off_t)at + (off_t)t->len) == 0 || report_failed(r);
}

static bool
open_report(struct run *r, struct arena *a)
{
    struct text t = text_new(a, 1000);
    struct stat st;

    r->report = -1;
    if (r->job->refused == NULL)
        return true;
    r->report = open(r->job->refused, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (r->report < 0 || fstat(r->report, &st) != 0)
        return report_failed(r);
    if (r->mark.report_bytes > 0 && st.st_size >= r->mark.report_bytes) {
        r->report_at = r->mark.report_bytes;
        return true;
    }
    if (r->mark.refused > 0)
        fprintf(stderr, "sokoctl: %s: lines that were refused before are not in it\n",
                r->job->refused);
    report_row(&t, "line", "sku", "field", "reason");
    r->report_at = (int64_t)t.len;
    return write_at(r, &t, 0);
}

static bool
report_batch(struct import_batch *b, int64_t *end)
{
    struct run *r = b->arg;
    struct arena *a;
    char number[24];

    *end = r->report_at;
    if (r->report < 0)
        return true;
    a = arena_new();
    struct text t = text_new(a, REPORT_MOST);
    for (size_t i = 0; i < b->count; i++) {
        const struct import_line *line = &b->lines[i];
        snprintf(number, sizeof(number), "%" PRId64, line->number);
        for (const struct problem *p = line->problems.first; p != NULL; p = p->next)
            report_row(&t, number, line->sku, p->field, p->message);
    }
    bool good = write_at(r, &t, r->report_at);
    *end += (int64_t)t.len;
    arena_free(a);
    return good;
}

/* Without a report the first few are shown. */
static void
show_refused(struct run *r, const struct import_batch *b)
{
    for (size_t i = 0; r->report < 0 && i < b->count && r->shown <= SHOWN_MOST; i++) {
        const struct problem *p = b->lines[i].problems.first;
        if (p == NULL)
            continue;
        progress_clear(&r->progress);
        if (r->shown++ == SHOWN_MOST)
            fputs("sokoctl: and more; --refused FILE reports all of them\n", stderr);
        for (; p != NULL && r->shown <= SHOWN_MOST; p = p->next)
            fprintf(stderr, "sokoctl: %s: line %" PRId64 ": %s%s%s\n", r->job->path,
                    b->lines[i].number, p->field != NULL ? p->field : "",
                    p->field != NULL ? ": " : "", p->message);
    }
}

/* --- a batch ---------------------------------------------------------------------------------- */

/* The next byte of a store's name that matters: names are alike whatever the case, so letters are
 * folded, and of those that are not ASCII nothing is said. Two names that differ may seem alike,
 * which ends a batch early; the other way round never. */
static unsigned char
next_byte(const char **s)
{
    while ((**s & 0x80) != 0)
        ++*s;
    unsigned char c = (unsigned char)**s;
    if (c != '\0')
        ++*s;
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c - 'A' + 'a') : c;
}

static bool
same_key(const struct import_in *x, const struct import_in *y)
{
    const char *a = x->store, *b = y->store;
    unsigned char c;

    if (strcmp(x->sku, y->sku) != 0)
        return false;
    do {
        c = next_byte(&a);
        if (c != next_byte(&b))
            return false;
    } while (c != '\0');
    return true;
}

/* FNV-1a. */
static size_t
key_hash(const struct import_in *in)
{
    uint64_t h = UINT64_C(14695981039346656037);
    const char *store = in->store;
    unsigned char c;

    for (const char *s = in->sku; *s != '\0'; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
    while ((c = next_byte(&store)) != '\0')
        h = (h ^ c) * UINT64_C(1099511628211);
    return (size_t)(h ^ h >> 32);
}

/* Whether the batch has the key of line `i`; notes it if not. */
static bool
key_taken(struct run *r, const struct import_line *lines, size_t i)
{
    size_t slot = key_hash(lines[i].in) % KEY_SLOTS;

    for (; r->keys[slot] != 0; slot = (slot + 1) % KEY_SLOTS) {
        if (same_key(lines[r->keys[slot] - 1].in, lines[i].in))
            return true;
    }
    r->keys[slot] = i + 1;
    return false;
}

static void
read_line(struct run *r, struct arena *a, const struct line *from, struct import_line *line)
{
    if (from->csv != NULL) {
        import_line_csv(a, &r->header, from->csv, line);
        return;
    }
    if (from->json != NULL) {
        import_line_json(a, from->json, from->len, from->number, line);
        return;
    }
    *line = (struct import_line){.number = from->number};
    problems_add(a, &line->problems, ERR_VALIDATION, NULL, NULL, "is too long");
}

/* Fills a batch; false after complaining. */
static bool
fill_batch(struct run *r, struct arena *a, struct import_batch *b)
{
    int64_t from = r->mark.byte_offset;

    *b = (struct import_batch){.file = &r->file,
                               .owner = r->owner,
                               .mark = &r->mark,
                               .byte_offset = r->mark.byte_offset,
                               .line_number = r->mark.line_number,
                               .report = report_batch,
                               .arg = r};
    b->lines = arena_array(a, BATCH_LINES, sizeof(b->lines[0]));
    memset(r->keys, 0, sizeof(r->keys));
    while (b->count < BATCH_LINES && b->byte_offset - from < BATCH_BYTES) {
        if (!r->has_pending && !lines_next(r->lines, &r->pending)) {
            b->last = true;
            break;
        }
        r->has_pending = false;
        read_line(r, a, &r->pending, &b->lines[b->count]);
        if (b->lines[b->count].in != NULL && key_taken(r, b->lines, b->count)) {
            r->has_pending = true; /* it begins the next batch */
            break;
        }
        b->count++;
        b->byte_offset = lines_offset(r->lines);
        b->line_number = lines_number(r->lines);
    }
    if (b->last)
        b->byte_offset = r->file.size;
    return !lines_failed(r->lines);
}

static bool
run_batches(struct ctx *ctx, struct run *r)
{
    struct arena *keep = ctx->arena, *a = arena_new();
    struct import_batch b = {0};
    bool good = true;

    ctx->arena = a;
    while (good && !r->mark.finished) {
        arena_reset(a);
        ctx->now_ms = clock_ms();
        good = fill_batch(r, a, &b);
        enum err e = good ? import_batch_run(ctx, &b) : ERR_INTERNAL;
        if (good && e != OK) {
            progress_clear(&r->progress);
            ctl_complain(ctx, e);
            good = false;
        }
        if (good) {
            r->report_at = r->mark.report_bytes;
            show_refused(r, &b);
            progress_step(&r->progress, (int64_t)b.count, r->mark.byte_offset, r->mark.refused);
        }
    }
    progress_clear(&r->progress);
    if (!good)
        fprintf(stderr,
                "sokoctl: %s: stopped before line %" PRId64 "; the same command goes on there\n",
                r->job->path, r->mark.line_number);
    ctx->arena = keep;
    arena_free(a);
    return good;
}

/* --- a file ----------------------------------------------------------------------------------- */

static bool
know_file(struct run *r, struct arena *a)
{
    void *head = arena_alloc(a, IMPORT_HEAD);
    ssize_t n = lines_head(r->lines, head, IMPORT_HEAD);

    if (n < 0)
        return false;
    secret_sha256(head, (size_t)n, r->file.head);
    r->file.size = lines_size(r->lines);
    return true;
}

/* Reads a CSV file's first line; JSON Lines have none. */
static bool
read_header(struct ctx *ctx, struct run *r)
{
    struct problems list = {0};
    struct line first;

    if (r->job->format != IMPORT_CSV)
        return true;
    if (!lines_next(r->lines, &first)) {
        if (!lines_failed(r->lines))
            fprintf(stderr, "sokoctl: %s: is empty; its first line must name the columns\n",
                    r->job->path);
        return false;
    }
    import_header_read(ctx->arena, &list, first.csv, &r->header);
    for (const struct problem *p = list.first; p != NULL; p = p->next)
        fprintf(stderr, "sokoctl: %s: line %" PRId64 ": %s%s%s\n", r->job->path, first.number,
                p->field != NULL ? p->field : "", p->field != NULL ? ": " : "", p->message);
    return list.first == NULL;
}

/* Decides where to begin: *done if there is nothing to do. */
static enum err
find_place(struct ctx *ctx, struct run *r, bool *done)
{
    enum err e = import_find(ctx, &r->file, &r->mark);

    *done = e == OK && r->mark.finished && !r->job->again;
    if (*done || (e != OK && e != ERR_NOT_FOUND))
        return e;
    if (e == OK && !r->job->again) {
        const struct import_mark *m = &r->mark;
        if (!lines_seek(r->lines, m->byte_offset, m->line_number))
            return ERR_INTERNAL;
        fprintf(stderr,
                "sokoctl: %s: goes on at line %" PRId64 "; %" PRId64 " lines are imported, %" PRId64
                " refused\n",
                r->job->path, m->line_number, m->added + m->changed + m->same, m->refused);
        return OK;
    }
    problems_clear(&ctx->problems);
    r->mark = (struct import_mark){.byte_offset = lines_offset(r->lines),
                                   .line_number = lines_number(r->lines)};
    return import_begin(ctx, &r->file, r->mark.byte_offset, r->mark.line_number);
}

static void
print_result(const struct run *r)
{
    const struct import_mark *m = &r->mark;

    printf("%s: %" PRId64 " lines: %" PRId64 " new, %" PRId64 " changed, %" PRId64
           " as they were, %" PRId64 " refused\n",
           r->job->path, m->added + m->changed + m->same + m->refused, m->added, m->changed,
           m->same, m->refused);
}

static int
status_of(const struct run *r)
{
    return r->mark.refused > 0 ? EX_DATAERR : 0;
}

static int
import_file(struct ctx *ctx, struct run *r)
{
    bool done;

    if (!find_owner(ctx, r) || !know_file(r, ctx->arena))
        return CTL_FAILED;
    if (!read_header(ctx, r))
        return lines_failed(r->lines) ? CTL_FAILED : EX_DATAERR;
    enum err e = find_place(ctx, r, &done);
    if (e != OK) {
        ctl_complain(ctx, e);
        return CTL_FAILED;
    }
    if (done) {
        if (!r->job->quiet) {
            printf("%s was imported at %s; --again imports it again\n", r->job->path,
                   r->mark.finished_at);
            print_result(r);
        }
        return status_of(r);
    }
    if (!open_report(r, ctx->arena))
        return CTL_FAILED;
    progress_start(&r->progress, r->job->path, r->mark.byte_offset, r->file.size, r->job->quiet);
    bool good = run_batches(ctx, r);
    if (r->report >= 0 && close(r->report) != 0)
        good = report_failed(r);
    if (!good)
        return CTL_FAILED;
    progress_end(&r->progress);
    if (!r->job->quiet)
        print_result(r);
    return status_of(r);
}

int
ctl_import(struct ctx *ctx, const struct ctl_import *job)
{
    struct run *r = arena_alloc(ctx->arena, sizeof(*r));

    *r = (struct run){.job = job, .lines = lines_open(ctx->arena, job->path, job->format)};
    if (r->lines == NULL)
        return CTL_FAILED;
    int status = import_file(ctx, r);
    lines_close(r->lines);
    return status;
}

bool
ctl_format(const char *format, const char *path, enum import_format *out)
{
    static const struct {
        const char *word;
        enum import_format format;
    } words[] = {{"csv", IMPORT_CSV}, {"jsonl", IMPORT_JSONL}, {"ndjson", IMPORT_JSONL}};
    const char *dot = path != NULL ? strrchr(path, '.') : NULL;
    const char *word = format != NULL ? format : dot != NULL ? dot + 1 : path == NULL ? "csv" : "";

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(word, words[i].word) == 0) {
            *out = words[i].format;
            return true;
        }
    }
    if (format != NULL)
        fprintf(stderr, "sokoctl: --format %s: is csv or jsonl\n", format);
    else
        fprintf(stderr,
                "sokoctl: %s: ends neither with .csv nor .jsonl; --format says which it is\n",
                path);
    return false;
}

int
ctl_product_import(const struct ctl_options *o)
{
    struct ctl_import job = {.owner = o->owner, .refused = o->refused, .again = o->again};

    job.path = o->argv[0];
    if (!ctl_format(o->format, job.path, &job.format))
        return EX_USAGE;
    return ctl_import(ctl_open(), &job);
}
