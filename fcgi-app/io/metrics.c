/*
 * A service's file is an open hash table of series in shared memory. Whoever counts hashes what he
 * counts, takes the cell of that hash, or claims a free one by a compare-and-swap, and adds with a
 * relaxed atomic: no lock, nothing to undo. What stands in a cell follows from its key alone, so
 * whoever finds a claimed cell without its text (its owner was killed, or is at it) writes the same
 * text once more. A cell is never given back. Two keys with one hash of 64 bits would share a cell;
 * with some thousand series the chance is one in 10^12.
 *
 * The name of the file ends with a hash of the layout: the rows of metrics_table.c and the sizes
 * here. A version that counts something else has a file of its own, and an old and a new one beside
 * one another never misread each other; one that counts the same goes on in the same file. Whoever
 * opens removes files of other layouts under his service's name: an older parent that still runs
 * has mapped its own, which lives until he leaves.
 *
 * A file is made whole under a name of its own and then linked to its place, so that nobody ever
 * sees half of one, and of two who start at once both have the same. Its blocks are reserved: a
 * write to a full disk through a mapping would be SIGBUS. One that is not as it should be is
 * replaced, never mended. Whoever may truncate it under our feet has our uid, and could kill us
 * too.
 *
 * Rejected: a fixed place for each series, known when the file is made (every floor's tables would
 * have to be known here, and each new route or statement would throw all counters away); a file a
 * process (a worker's counts must outlive it, and somebody would have to add them up); an anonymous
 * mapping (a restart would lose it, and nobody else could read it); pushing to a collector (another
 * thing that can be away).
 */
#include "io/metrics_private.h"

#include "base/clock.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FNV_BASIS UINT64_C(14695981039346656037)
#define FNV_PRIME UINT64_C(1099511628211)
#define MIX_PRIME UINT64_C(0xbf58476d1ce4e5b9) /* of splitmix64 */
#define FILE_MODE 0640
#define NS_IN_MS INT64_C(1000000)
#define PROBES 64 /* cells that are looked at before one gives up */

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a lock cannot be shared between processes");
_Static_assert(METRICS_TEXT % 8 == 0, "text is written in words");

static struct metrics_file *ours; /* NULL: nothing is counted */

/* ---- series ---- */

static uint64_t
hash_bytes(uint64_t h, const void *data, size_t len)
{
    const unsigned char *at = data;

    for (size_t i = 0; i < len; i++)
        h = (h ^ at[i]) * FNV_PRIME;
    return h;
}

static uint64_t
hash_text(uint64_t h, const char *s)
{
    return hash_bytes(h, s, strlen(s) + 1);
}

uint64_t
metrics_layout(void)
{
    const uint64_t size = sizeof(struct metrics_file);
    uint64_t h = hash_text(FNV_BASIS, METRICS_MAGIC);

    h = hash_bytes(h, &size, sizeof size);
    h = hash_bytes(h, metric_bounds, sizeof metric_bounds);
    for (int m = 0; m < METRIC__COUNT; m++) {
        const struct metric_family *f = &metric_families[m];

        h = hash_text(h, f->name);
        h = hash_bytes(h, &f->kind, sizeof f->kind);
        h = hash_bytes(h, &f->seconds, sizeof f->seconds);
        for (size_t i = 0; i < METRIC_LABELS_MAX && f->labels[i] != NULL; i++)
            h = hash_text(h, f->labels[i]);
    }
    return h;
}

/* Of a whole word at once: this one is on the way of every request. Multiplication carries what
 * differs upwards, the shift brings it down again. */
static uint64_t
mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * MIX_PRIME;
    return h ^ h >> 29;
}

/* What a series is, as its cell has it. */
struct series {
    uint64_t key, ready;
    uint64_t words[METRICS_WORDS];
};

/* False if its labels are too long. */
static bool
describe(enum metric m, const char *const *labels, struct series *s)
{
    const struct metric_family *f = &metric_families[m];
    char *text = (char *)s->words;
    size_t at = 0;

    *s = (struct series){.ready = (uint64_t)m + 1};
    for (size_t i = 0; i < METRIC_LABELS_MAX && f->labels[i] != NULL; i++) {
        const char *value = labels != NULL && labels[i] != NULL ? labels[i] : "";
        size_t len = strlen(value) + 1;

        if (at + len > METRICS_TEXT)
            return false;
        memcpy(text + at, value, len);
        at += len;
    }
    s->key = mix(FNV_BASIS, s->ready);
    for (size_t i = 0; i < (at + 7) / 8; i++)
        s->key = mix(s->key, s->words[i]);
    s->key += s->key == 0;
    return true;
}

static void
write_cell(struct metrics_cell *c, const struct series *s)
{
    for (size_t i = 0; i < METRICS_WORDS; i++)
        atomic_store_explicit(&c->text[i], s->words[i], memory_order_relaxed);
    atomic_store_explicit(&c->ready, s->ready, memory_order_release);
}

/* The number of the series' cell among `count` from `cells` on; -1: there is no room for it. */
static int
find_cell(struct metrics_cell *cells, unsigned count, const struct series *s)
{
    for (unsigned i = 0; i < PROBES; i++) {
        unsigned at = (unsigned)((s->key + i) % count);
        struct metrics_cell *c = &cells[at];
        uint64_t key = atomic_load_explicit(&c->key, memory_order_relaxed);

        if (key == 0)
            atomic_compare_exchange_strong_explicit(&c->key, &key, s->key, memory_order_relaxed,
                                                    memory_order_relaxed);
        if (key != 0 && key != s->key)
            continue;
        if (atomic_load_explicit(&c->ready, memory_order_relaxed) != s->ready)
            write_cell(c, s);
        return (int)at;
    }
    return -1;
}

static int
find(enum metric m, const char *const *labels)
{
    bool histogram = metric_families[m].kind == METRIC_HISTOGRAM;
    struct series s;
    int at = -1;

    if (describe(m, labels, &s))
        at = histogram ? find_cell(ours->cells + METRICS_SERIES, METRICS_HISTOGRAMS, &s)
                       : find_cell(ours->cells, METRICS_SERIES, &s);
    if (at < 0)
        atomic_fetch_add_explicit(&ours->dropped, 1, memory_order_relaxed);
    return at;
}

void
metric_add(enum metric m, uint64_t n, const char *const *labels)
{
    int at = ours != NULL ? find(m, labels) : -1;

    if (at >= 0)
        atomic_fetch_add_explicit(&ours->values[at], n, memory_order_relaxed);
}

void
metric_set(enum metric m, int64_t value, const char *const *labels)
{
    int at = ours != NULL ? find(m, labels) : -1;

    if (at >= 0)
        atomic_store_explicit(&ours->values[at], (uint64_t)value, memory_order_relaxed);
}

void
metric_observe(enum metric m, int64_t ns, const char *const *labels)
{
    int at = ours != NULL ? find(m, labels) : -1;
    size_t bucket = 0;

    if (at < 0)
        return;
    struct metrics_histogram *h = &ours->histograms[at];
    while (bucket < METRIC_BOUNDS && ns > metric_bounds[bucket])
        bucket++;
    atomic_fetch_add_explicit(&h->buckets[bucket], 1, memory_order_relaxed);
    if (ns > 0)
        atomic_fetch_add_explicit(&h->sum, (uint64_t)ns, memory_order_relaxed);
}

/* ---- the file ---- */

bool
metrics_is_ours(int fd, uid_t owner, struct metrics_head *head)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == owner &&
           (st.st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
           st.st_size == (off_t)sizeof(struct metrics_file) &&
           pread(fd, head, sizeof *head, 0) == (ssize_t)sizeof *head &&
           memcmp(head->magic, METRICS_MAGIC, sizeof head->magic) == 0 &&
           head->layout == metrics_layout() &&
           memchr(head->service, '\0', sizeof head->service) != NULL;
}

/* "fast-0123456789abcdef.metrics". */
static bool
file_name(char out[NAME_MAX + 1], const char *service)
{
    int n = snprintf(out, NAME_MAX + 1, "%s-%016" PRIx64 METRICS_SUFFIX, service, metrics_layout());

    return n > 0 && n <= NAME_MAX && strlen(service) < METRICS_SERVICE;
}

/* The file of our service, if it is as it should be; -1 if it is not, or there is none. */
static int
open_trusted(int dir, const char *name, const char *service)
{
    struct metrics_head head;
    int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd >= 0 && (!metrics_is_ours(fd, geteuid(), &head) || strcmp(head.service, service) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Makes a new one under its name, unless there is one. False with errno. */
static bool
make_file(int dir, const char *name, const char *service)
{
    struct metrics_head head = {.magic = METRICS_MAGIC, .layout = metrics_layout()};
    char draft[NAME_MAX + 1];
    int why = 0;

    snprintf(head.service, sizeof head.service, "%s", service);
    snprintf(draft, sizeof draft, "%s-%ld.new", service, (long)getpid());
    unlinkat(dir, draft, 0);
    int fd = openat(dir, draft, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0)
        return false;
    why = posix_fallocate(fd, 0, (off_t)sizeof(struct metrics_file));
    if (why == 0 && pwrite(fd, &head, sizeof head, 0) != (ssize_t)sizeof head)
        why = errno;
    close(fd);
    if (why == 0 && linkat(dir, draft, dir, name, 0) != 0 && errno != EEXIST)
        why = errno;
    unlinkat(dir, draft, 0);
    errno = why;
    return why == 0;
}

/* What other layouts, and starts that were killed, left under the service's name. */
static void
remove_stale(int dir, const char *name, const char *service)
{
    DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    size_t len = strlen(service);
    const struct dirent *e;

    /* cppcheck-suppress readdirCalled ; readdir_r is the one that is obsolete */
    while (d != NULL && (e = readdir(d)) != NULL) {
        const char *end = strrchr(e->d_name, '.');

        if (strncmp(e->d_name, service, len) == 0 && e->d_name[len] == '-' && end != NULL &&
            (strcmp(end, METRICS_SUFFIX) == 0 || strcmp(end, ".new") == 0) &&
            strcmp(e->d_name, name) != 0)
            unlinkat(dir, e->d_name, 0);
    }
    if (d != NULL)
        closedir(d);
}

/* What the last life of the service said of its state is not known to be so any more. */
static void
forget_gauges(void)
{
    for (size_t i = 0; i < METRICS_SERIES; i++) {
        uint64_t m = atomic_load(&ours->cells[i].ready);

        if (m > 0 && m <= METRIC__COUNT && metric_families[m - 1].kind == METRIC_GAUGE)
            atomic_store(&ours->values[i], (uint64_t)METRIC_UNKNOWN);
    }
}

/* The file, mapped; NULL with errno. */
static struct metrics_file *
map(int dir, const char *name, const char *service)
{
    int fd = open_trusted(dir, name, service);

    if (fd < 0) {
        unlinkat(dir, name, 0);
        if (!make_file(dir, name, service))
            return NULL;
        fd = open_trusted(dir, name, service);
    }
    if (fd < 0) {
        errno = EEXIST; /* somebody else's, again */
        return NULL;
    }
    void *memory =
        mmap(NULL, sizeof(struct metrics_file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int why = errno;
    close(fd);
    errno = why;
    if (memory == MAP_FAILED)
        return NULL;
    return memory;
}

bool
metrics_open(const char *dir, const char *service)
{
    char name[NAME_MAX + 1];
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    errno = fd < 0 ? errno : ENAMETOOLONG;
    ours = fd >= 0 && file_name(name, service) ? map(fd, name, service) : NULL;
    if (ours == NULL) {
        log_event(LOG_ERROR, EVENT("metrics.off"), TEXT("soko.pool", service),
                  TEXT("file.directory", dir), TEXT("error.message", strerror(errno)));
    } else {
        remove_stale(fd, name, service);
        forget_gauges();
        metric_set(METRIC_STARTED, clock_ms() * NS_IN_MS, NO_LABELS);
        metric_set(METRIC_BUILD, 1, LABELS(SOKO_VERSION));
    }
    if (fd >= 0)
        close(fd);
    return ours != NULL;
}
