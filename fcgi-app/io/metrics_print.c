/*
 * The printer copies each file by read(2) and looks at the copy: a file that is cut meanwhile is
 * too short, not a signal. What stands in it was written by our own processes, and is checked all
 * the same: a metric that there is, text that ends, characters that a label may have.
 *
 * A service that is not there any more leaves counters, which are still true, and gauges, which are
 * not: they are left out a minute after it was seen last, but for those that say when that was.
 *
 * All numbers are integers here, seconds too: nanoseconds with a point.
 */
#include "io/metrics_private.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NS_IN_S UINT64_C(1000000000)
#define NS_IN_MS INT64_C(1000000)
#define SILENT_NS (60 * (int64_t)NS_IN_S) /* after so long its gauges say nothing any more */
#define FILES_MAX 16

static const char *const bound_names[METRIC_BOUNDS] = {"0.001", "0.0025", "0.005", "0.01", "0.025",
                                                       "0.05",  "0.1",    "0.25",  "0.5",  "1",
                                                       "2.5",   "5",      "10"};

/* One series of one file's copy. */
struct sample {
    const struct metric_family *family;
    const char *service, *labels; /* values, each ending with a NUL */
    const _Atomic uint64_t *value;
    const struct metrics_histogram *histogram;
};

struct samples {
    struct sample *list;
    size_t count, room;
};

/* ---- reading ---- */

/* A copy of the file; NULL if it is not ours, or not whole. */
static struct metrics_file *
copy_file(struct arena *a, int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct metrics_head head;
    struct metrics_file *copy = NULL;
    size_t got = 0;
    struct stat st;

    /* root may look at what the shop's user has written. */
    bool good = fd >= 0 && fstat(fd, &st) == 0 &&
                metrics_is_ours(fd, geteuid() == 0 ? st.st_uid : geteuid(), &head);
    if (good) {
        copy = arena_alloc(a, sizeof *copy);
        while (got < sizeof *copy) {
            ssize_t n = pread(fd, (char *)copy + got, sizeof *copy - got, (off_t)got);
            if (n <= 0 && !(n < 0 && errno == EINTR))
                break;
            got += n > 0 ? (size_t)n : 0;
        }
    }
    if (fd >= 0)
        close(fd);
    return got == sizeof *copy ? copy : NULL;
}

static bool
is_named_by(const char *file, const struct metrics_head *head)
{
    size_t len = strlen(head->service);

    return strncmp(file, head->service, len) == 0 && file[len] == '-' &&
           strspn(head->service, "abcdefghijklmnopqrstuvwxyz") == len && len > 0;
}

/* Whether all labels of the family are there. */
static bool
is_whole(const struct metric_family *f, const char *labels)
{
    size_t at = 0;

    for (size_t i = 0; i < METRIC_LABELS_MAX && f->labels[i] != NULL; i++) {
        const char *end = memchr(labels + at, '\0', METRICS_TEXT - at);
        if (end == NULL)
            return false;
        at = (size_t)(end - labels) + 1;
        if (at == METRICS_TEXT && i + 1 < METRIC_LABELS_MAX && f->labels[i + 1] != NULL)
            return false;
    }
    return true;
}

/* When the service's parent was alive last; 0: never. */
static int64_t
seen_ns(const struct metrics_file *f)
{
    for (size_t i = 0; i < METRICS_SERIES; i++)
        if (f->cells[i].ready == METRIC_SEEN + 1)
            return (int64_t)f->values[i];
    return 0;
}

static void
add_sample(struct samples *s, struct sample one)
{
    if (s->count < s->room)
        s->list[s->count++] = one;
}

static void
take_samples(struct samples *s, const struct metrics_file *f, int64_t now_ns)
{
    bool silent = seen_ns(f) < now_ns - SILENT_NS; /* it may be METRIC_UNKNOWN */

    add_sample(s, (struct sample){.family = &metric_families[METRIC_DROPPED],
                                  .service = f->head.service,
                                  .labels = "",
                                  .value = &f->dropped});
    for (size_t i = 0; i < METRICS_SERIES + METRICS_HISTOGRAMS; i++) {
        uint64_t m = f->cells[i].ready;
        bool histogram = i >= METRICS_SERIES;

        if (m == 0 || m > METRIC__COUNT)
            continue;
        const struct metric_family *family = &metric_families[m - 1];
        const char *labels = (const char *)f->cells[i].text;
        if (histogram != (family->kind == METRIC_HISTOGRAM) || !is_whole(family, labels))
            continue;
        if (family->kind == METRIC_GAUGE &&
            ((silent && !family->lasting) || (int64_t)f->values[i] == METRIC_UNKNOWN))
            continue;
        add_sample(
            s, (struct sample){.family = family,
                               .service = f->head.service,
                               .labels = labels,
                               .value = histogram ? NULL : &f->values[i],
                               .histogram = histogram ? &f->histograms[i - METRICS_SERIES] : NULL});
    }
}

static int
by_name(const void *x, const void *y)
{
    const struct sample *a = x, *b = y;

    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    int order = strcmp(a->service, b->service);
    for (size_t i = 0, at = 0, bt = 0;
         order == 0 && i < METRIC_LABELS_MAX && a->family->labels[i] != NULL; i++) {
        order = strcmp(a->labels + at, b->labels + bt);
        at += strlen(a->labels + at) + 1;
        bt += strlen(b->labels + bt) + 1;
    }
    return order;
}

/* ---- printing ---- */

static void
print_value(struct text *out, const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            text_putc(out, '\\');
        text_putc(out, *s >= ' ' && *s <= '~' ? *s : '?');
    }
}

/* The braces, with `le` if it is not NULL; nothing if there is no label. */
static void
print_labels(struct text *out, const struct sample *s, const char *le)
{
    const char *value = s->labels;
    char mark = '{';

    if (!s->family->shop) {
        text_puts(out, "{pool=\"");
        text_puts(out, s->service);
        text_putc(out, '"');
        mark = ',';
    }
    for (size_t i = 0; i < METRIC_LABELS_MAX && s->family->labels[i] != NULL; i++) {
        text_putc(out, mark);
        text_puts(out, s->family->labels[i]);
        text_puts(out, "=\"");
        print_value(out, value);
        text_putc(out, '"');
        value += strlen(value) + 1;
        mark = ',';
    }
    if (le != NULL)
        text_printf(out, "%cle=\"%s\"", mark, le);
    if (le != NULL || mark == ',')
        text_putc(out, '}');
}

static void
print_number(struct text *out, const struct metric_family *f, uint64_t value)
{
    int64_t n = (int64_t)value;

    text_putc(out, ' ');
    if (f->kind == METRIC_GAUGE && n < 0) {
        text_putc(out, '-');
        value = 0 - value;
    }
    if (f->seconds)
        text_printf(out, "%" PRIu64 ".%09" PRIu64 "\n", value / NS_IN_S, value % NS_IN_S);
    else
        text_printf(out, "%" PRIu64 "\n", value);
}

static void
print_histogram(struct text *out, const struct sample *s)
{
    uint64_t sum = 0;

    for (size_t i = 0; i <= METRIC_BOUNDS; i++) {
        sum += s->histogram->buckets[i];
        text_printf(out, "%s_bucket", s->family->name);
        print_labels(out, s, i < METRIC_BOUNDS ? bound_names[i] : "+Inf");
        text_printf(out, " %" PRIu64 "\n", sum);
    }
    text_printf(out, "%s_sum", s->family->name);
    print_labels(out, s, NULL);
    print_number(out, s->family, s->histogram->sum);
    text_printf(out, "%s_count", s->family->name);
    print_labels(out, s, NULL);
    text_printf(out, " %" PRIu64 "\n", sum);
}

static void
print_sample(struct text *out, const struct sample *s)
{
    if (s->histogram != NULL) {
        print_histogram(out, s);
        return;
    }
    text_puts(out, s->family->name);
    print_labels(out, s, NULL);
    print_number(out, s->family, *s->value);
}

static void
print_all(struct text *out, const struct samples *s)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};

    for (size_t m = 0, at = 0; m < METRIC__COUNT; m++) {
        const struct metric_family *f = &metric_families[m];

        text_printf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, kinds[f->kind]);
        for (; at < s->count && s->list[at].family == f; at++)
            print_sample(out, &s->list[at]);
    }
}

static bool
has_suffix(const char *name, const char *suffix)
{
    size_t len = strlen(name), n = strlen(suffix);

    return len >= n && strcmp(name + len - n, suffix) == 0;
}

bool
metrics_print(struct text *out, const char *dir)
{
    DIR *d = opendir(dir);
    struct arena *a = out->arena;
    const struct metrics_file *files[FILES_MAX];
    const struct dirent *e;
    size_t count = 0;

    if (d == NULL)
        return false;
    /* cppcheck-suppress readdirCalled ; readdir_r is the one that is obsolete */
    while ((e = readdir(d)) != NULL) {
        if (!has_suffix(e->d_name, METRICS_SUFFIX))
            continue;
        struct metrics_file *f = copy_file(a, dirfd(d), e->d_name);
        if (f != NULL && is_named_by(e->d_name, &f->head) && count < FILES_MAX)
            files[count++] = f;
        else
            text_puts(
                out,
                "# A file of METRICS_DIR is left out: it is of another version, or not ours.\n");
    }
    closedir(d);

    struct samples s = {.room = count * (METRICS_SERIES + METRICS_HISTOGRAMS + 1)};
    s.list = arena_array(a, s.room, sizeof *s.list);
    for (size_t i = 0; i < count; i++)
        take_samples(&s, files[i], clock_ms() * NS_IN_MS);
    qsort(s.list, s.count, sizeof *s.list, by_name);
    print_all(out, &s);
    return true;
}
