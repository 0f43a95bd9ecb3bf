/*
 * Accounts from a file. Each batch is a transaction of its own, and a line that was imported is
 * known again (shop/imports/people.h): an import that was interrupted is simply run again, from the
 * first line. It keeps no mark of how far it came; a million lines that are here already take some
 * minutes. The report is written anew each time, for all lines that are refused.
 */
#include "base/clock.h"
#include "base/text.h"
#include "ctl.h"
#include "ctl_lines.h"
#include "ctl_progress.h"
#include "shop/imports/people.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define BATCH_LINES 500
#define SHOWN_MOST 10 /* refused lines on the screen, if there is no report */
#define REPORT_MOST ((size_t)1 << 20)

struct run {
    const char *path, *refused;
    struct lines *lines;
    struct import_header header;
    FILE *report; /* or NULL */
    int shown;
    struct people_count total;
    struct progress progress;
};

static bool
report_failed(const struct run *r)
{
    fprintf(stderr, "sokoctl: %s: %s\n", r->refused, strerror(errno));
    return false;
}

static bool
report_row(const struct run *r, const char *line, const char *field, const char *reason)
{
    const char *cells[] = {line, field != NULL ? field : "", reason};
    struct arena *a = arena_new();
    struct text t = text_new(a, REPORT_MOST);

    for (size_t i = 0; i < 3; i++)
        csv_put(&t, i, cells[i], strlen(cells[i]));
    csv_end(&t);
    bool good = fwrite(t.data, 1, t.len, r->report) == t.len || report_failed(r);
    arena_free(a);
    return good;
}

static bool
open_report(struct run *r)
{
    if (r->refused == NULL)
        return true;
    r->report = fopen(r->refused, "we");
    return r->report != NULL ? report_row(r, "line", "field", "reason") : report_failed(r);
}

static void
show(struct run *r, int64_t number, const struct problem *p)
{
    progress_clear(&r->progress);
    fprintf(stderr, "sokoctl: %s: line %" PRId64 ": %s%s%s\n", r->path, number,
            p->field != NULL ? p->field : "", p->field != NULL ? ": " : "", p->message);
}

/* Every fault of every line into the report; without one, the first few onto the screen. */
static bool
tell_refused(struct run *r, const struct person_line *lines, size_t count)
{
    char number[24];
    bool good = true;

    for (size_t i = 0; i < count; i++) {
        const struct problem *p = lines[i].problems.first;
        if (p == NULL)
            continue;
        snprintf(number, sizeof(number), "%" PRId64, lines[i].number);
        if (r->report == NULL && r->shown == SHOWN_MOST)
            fputs("sokoctl: and more; --refused FILE reports all of them\n", stderr);
        for (; p != NULL && good; p = p->next) {
            if (r->report != NULL)
                good = report_row(r, number, p->field, p->message);
            else if (r->shown < SHOWN_MOST)
                show(r, lines[i].number, p);
        }
        r->shown++;
    }
    return good;
}

static bool
read_header(struct ctx *ctx, struct run *r)
{
    struct problems list = {0};
    struct line first;

    if (!lines_next(r->lines, &first)) {
        if (!lines_failed(r->lines))
            fprintf(stderr, "sokoctl: %s: is empty; its first line must name the columns\n",
                    r->path);
        return false;
    }
    people_header_read(ctx->arena, &list, first.csv, &r->header);
    for (const struct problem *p = list.first; p != NULL; p = p->next)
        show(r, first.number, p);
    return list.first == NULL;
}

/* Reads and imports a batch; *more is false at the file's end. */
static bool
run_batch(struct ctx *ctx, struct run *r, bool *more)
{
    struct person_line *lines = arena_array(ctx->arena, BATCH_LINES, sizeof(lines[0]));
    struct people_count count;
    struct line line;
    size_t n = 0;

    while (n < BATCH_LINES && (*more = lines_next(r->lines, &line)))
        people_line_read(ctx->arena, &r->header, line.csv, &lines[n++]);
    if (lines_failed(r->lines))
        return false;
    enum err e = people_add(ctx, lines, n, &count);
    if (e != OK) {
        progress_clear(&r->progress);
        ctl_complain(ctx, e);
        return false;
    }
    r->total.added += count.added;
    r->total.same += count.same;
    r->total.refused += count.refused;
    if (!tell_refused(r, lines, n))
        return false;
    progress_step(&r->progress, (int64_t)n, lines_offset(r->lines), r->total.refused);
    return true;
}

static bool
run_batches(struct ctx *ctx, struct run *r)
{
    struct arena *keep = ctx->arena, *a = arena_new();
    bool good = true, more = true;

    ctx->arena = a;
    while (good && more) {
        arena_reset(a);
        problems_clear(&ctx->problems);
        ctx->now_ms = clock_ms();
        good = run_batch(ctx, r, &more);
    }
    progress_clear(&r->progress);
    ctx->arena = keep;
    arena_free(a);
    return good;
}

static enum err
print_result(struct ctx *ctx, const struct run *r)
{
    const struct people_count *t = &r->total;
    const char *schemes;

    printf("%s: %" PRId64 " lines: %" PRId64 " new, %" PRId64 " here already, %" PRId64
           " refused\n",
           r->path, t->added + t->same + t->refused, t->added, t->same, t->refused);
    enum err e = people_schemes(ctx, &schemes);
    if (e == OK)
        printf("each sign-in now takes the time of one hash of each of these: %s\n", schemes);
    return e;
}

static int
import_people(struct ctx *ctx, struct run *r)
{
    if (!read_header(ctx, r))
        return lines_failed(r->lines) ? CTL_FAILED : EX_DATAERR;
    if (!open_report(r))
        return CTL_FAILED;
    progress_start(&r->progress, r->path, lines_offset(r->lines), lines_size(r->lines), false);
    bool good = run_batches(ctx, r);
    if (r->report != NULL && fclose(r->report) != 0)
        good = report_failed(r);
    if (!good) {
        fprintf(stderr,
                "sokoctl: %s: stopped before line %" PRId64 "; %" PRId64
                " accounts are made; the same command makes the others\n",
                r->path, lines_number(r->lines), r->total.added);
        return CTL_FAILED;
    }
    progress_end(&r->progress);
    enum err e = print_result(ctx, r);
    if (e != OK) {
        ctl_complain(ctx, e);
        return CTL_FAILED;
    }
    return r->total.refused > 0 ? EX_DATAERR : 0;
}

int
ctl_user_import(const struct ctl_options *o)
{
    struct ctx *ctx = ctl_open();
    struct run *r = arena_alloc(ctx->arena, sizeof(*r));

    *r = (struct run){.path = o->argv[0], .refused = o->refused};
    r->lines = lines_open(ctx->arena, r->path, IMPORT_CSV);
    if (r->lines == NULL)
        return CTL_FAILED;
    int status = import_people(ctx, r);
    lines_close(r->lines);
    return status;
}
