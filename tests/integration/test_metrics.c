/*
 * What processes count in the memory that they share: nothing is lost or counted twice, also if
 * they are killed at any instruction, and a file that is not as it should be is not believed.
 */
#include "io/metrics_private.h"

#include "base/clock.h"
#include "harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define CHILDREN 8
#define ROUNDS 20000
#define KINDS 50
#define NS_IN_S INT64_C(1000000000)
#define TEXT_MAX ((size_t)16 << 20)

static char dir[] = "/tmp/soko-metrics-XXXXXX";
static struct arena *arena;

static void
set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    arena = arena_new();
}

static void
tear_down(void)
{
    DIR *d = opendir(dir);
    const struct dirent *e;

    ck_assert_ptr_nonnull(d);
    while ((e = readdir(d)) != NULL)
        if (e->d_name[0] != '.')
            unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    ck_assert_int_eq(rmdir(dir), 0);
    arena_free(arena);
}

/* The number of files in the folder, and the name of one of them. */
static int
files(char name[NAME_MAX + 1])
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    int n = 0;

    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(name, NAME_MAX + 1, "%s", e->d_name);
        n++;
    }
    closedir(d);
    return n;
}

static const char *
the_file(void)
{
    static char path[PATH_MAX];
    char name[NAME_MAX + 1];

    ck_assert_int_eq(files(name), 1);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static const char *
printed(void)
{
    struct text out = text_new(arena, TEXT_MAX);

    ck_assert(metrics_print(&out, dir));
    return text_cstr(&out);
}

/* The value behind a series; -1 if it is not printed. */
static double
value(const char *series)
{
    size_t len = strlen(series);

    for (const char *at = printed(); at != NULL && *at != '\0'; at = strchr(at, '\n') + 1)
        if (strncmp(at, series, len) == 0 && at[len] == ' ')
            return strtod(at + len, NULL);
    return -1;
}

static int64_t
dropped(void)
{
    return (int64_t)value("soko_metrics_dropped_total{pool=\"fast\"}");
}

static void
open_fast(void)
{
    ck_assert(metrics_open(dir, "fast"));
    metric_set(METRIC_SEEN, clock_ms() * 1000000, NO_LABELS);
}

/* ---- many at once ---- */

/* What each child is about to count, and has counted. */
struct tally {
    _Atomic uint64_t begun, done;
};

static const char *
kind(unsigned k)
{
    static char names[KINDS][16];

    snprintf(names[k % KINDS], sizeof names[0], "kind-%u", k % KINDS);
    return names[k % KINDS];
}

static _Noreturn void
count(struct tally *t, unsigned seed, uint64_t rounds)
{
    for (uint64_t i = 0; i < rounds; i++) {
        atomic_fetch_add(&t->begun, 1);
        metric_add(METRIC_REPLAYS, 1, NO_LABELS);
        atomic_fetch_add(&t->done, 1);
        metric_add(METRIC_REQUESTS, 1, LABELS(kind(seed + (unsigned)i), "GET", "200"));
        metric_observe(METRIC_QUEUE_SECONDS, (int64_t)(i % 20) * 1000000, NO_LABELS);
    }
    _exit(EXIT_SUCCESS);
}

static struct tally *
start(pid_t pids[CHILDREN], uint64_t rounds)
{
    struct tally *t =
        mmap(NULL, CHILDREN * sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(t, MAP_FAILED);
    for (unsigned i = 0; i < CHILDREN; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] == 0)
            count(&t[i], i * 7, rounds);
    }
    return t;
}

START_TEST(nothing_is_lost_among_many)
{
    pid_t pids[CHILDREN];

    open_fast();
    start(pids, ROUNDS);
    for (int i = 0; i < CHILDREN; i++)
        ck_assert_int_eq(waitpid(pids[i], NULL, 0), pids[i]);
    ck_assert_double_eq(value("soko_idempotent_replays_total{pool=\"fast\"}"), CHILDREN * ROUNDS);
    for (unsigned k = 0; k < KINDS; k++)
        ck_assert_double_eq(
            value(arena_printf(
                arena,
                "soko_requests_total{pool=\"fast\",route=\"%s\",method=\"GET\",status=\"200\"}",
                kind(k))),
            (double)CHILDREN * ROUNDS / KINDS);
    ck_assert_double_eq(value("soko_queue_wait_seconds_count{pool=\"fast\"}"), CHILDREN * ROUNDS);
    ck_assert_double_eq(value("soko_queue_wait_seconds_bucket{pool=\"fast\",le=\"0.005\"}"),
                        (double)CHILDREN * ROUNDS * 6 / 20);
    ck_assert_double_eq(value("soko_queue_wait_seconds_sum{pool=\"fast\"}"),
                        (double)CHILDREN * ROUNDS / 20 * 190 / 1000);
    ck_assert_int_eq(dropped(), 0);
}
END_TEST

/* Who is killed may have counted what he was about to, or not; nothing else is wrong, and nobody
 * else is stopped by it. */
START_TEST(killed_processes_break_nothing)
{
    pid_t pids[CHILDREN];
    double least = 0, most = 0;

    open_fast();
    for (int round = 0; round < 5; round++) {
        struct tally *t = start(pids, UINT64_MAX);
        for (int i = 0; i < CHILDREN; i++)
            while (atomic_load(&t[i].done) < 1000)
                nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        for (int i = 0; i < CHILDREN; i++)
            kill(pids[i], SIGKILL);
        for (int i = 0; i < CHILDREN; i++) {
            ck_assert_int_eq(waitpid(pids[i], NULL, 0), pids[i]);
            least += (double)atomic_load(&t[i].done);
            most += (double)atomic_load(&t[i].begun);
        }
        munmap(t, CHILDREN * sizeof *t);
        double now = value("soko_idempotent_replays_total{pool=\"fast\"}");
        ck_assert_msg(now >= least && now <= most, "%f of %f to %f", now, least, most);
    }
    ck_assert_int_eq(dropped(), 0);
    /* Each series has one cell, whoever made it. */
    const char *text = printed();
    for (unsigned k = 0; k < KINDS; k++) {
        const char *series = arena_printf(arena, "route=\"%s\",method", kind(k));
        const char *first = strstr(text, series);
        ck_assert_ptr_nonnull(first);
        ck_assert_ptr_null(strstr(first + 1, series));
    }
}
END_TEST

/* Killed between claiming a cell and writing what it is: the next one does it. */
START_TEST(a_cell_without_its_text_is_completed)
{
    open_fast();
    metric_add(METRIC_REPLAYS, 3, NO_LABELS);
    int fd = open(the_file(), O_RDWR);
    struct metrics_file *f = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    ck_assert_ptr_ne(f, MAP_FAILED);
    size_t at = 0;
    while (f->cells[at].ready != METRIC_REPLAYS + 1)
        at++;
    f->cells[at].ready = 0;
    ck_assert_double_eq(value("soko_idempotent_replays_total{pool=\"fast\"}"), -1);
    metric_add(METRIC_REPLAYS, 1, NO_LABELS);
    ck_assert_double_eq(value("soko_idempotent_replays_total{pool=\"fast\"}"), 4);
    munmap(f, sizeof *f);
}
END_TEST

/* ---- the file ---- */

START_TEST(counters_outlive_the_service_and_gauges_do_not)
{
    open_fast();
    metric_add(METRIC_REPLAYS, 5, NO_LABELS);
    metric_set(METRIC_WORKERS_WANTED, 7, NO_LABELS);
    ck_assert_double_eq(value("soko_workers_wanted{pool=\"fast\"}"), 7);
    open_fast();
    metric_add(METRIC_REPLAYS, 2, NO_LABELS);
    ck_assert_double_eq(value("soko_idempotent_replays_total{pool=\"fast\"}"), 7);
    ck_assert_double_eq(value("soko_workers_wanted{pool=\"fast\"}"), -1);
    ck_assert_double_ge(value("soko_start_timestamp_seconds{pool=\"fast\"}"), 1e9);
}
END_TEST

START_TEST(who_is_silent_says_nothing_of_now)
{
    open_fast();
    metric_add(METRIC_REPLAYS, 5, NO_LABELS);
    metric_set(METRIC_WORKERS_WANTED, 7, NO_LABELS);
    metric_set(METRIC_SEEN, clock_ms() * 1000000 - 61 * NS_IN_S, NO_LABELS);
    ck_assert_double_eq(value("soko_workers_wanted{pool=\"fast\"}"), -1);
    ck_assert_double_eq(value("soko_idempotent_replays_total{pool=\"fast\"}"), 5);
    ck_assert_double_ge(value("soko_seen_timestamp_seconds{pool=\"fast\"}"), 1e9);
    /* Just opened, and not seen yet. */
    metric_set(METRIC_SEEN, METRIC_UNKNOWN, NO_LABELS);
    ck_assert_double_eq(value("soko_workers_wanted{pool=\"fast\"}"), -1);
    ck_assert_double_eq(value("soko_seen_timestamp_seconds{pool=\"fast\"}"), -1);
}
END_TEST

enum harm {
    HARM_CUT,
    HARM_LONGER,
    HARM_EMPTY,
    HARM_MAGIC,
    HARM_LAYOUT,
    HARM_SERVICE,
    HARM_OPEN,
    HARM_LINK,
    HARM_FOLDER,
    HARM__COUNT
};

static void
do_harm(enum harm harm, const char *path)
{
    struct metrics_head head;
    int fd = open(path, O_RDWR);

    ck_assert_int_eq(pread(fd, &head, sizeof head, 0), sizeof head);
    switch (harm) {
    case HARM_CUT:
        ck_assert_int_eq(ftruncate(fd, sizeof(struct metrics_file) - 1), 0);
        break;
    case HARM_LONGER:
        ck_assert_int_eq(ftruncate(fd, sizeof(struct metrics_file) + 1), 0);
        break;
    case HARM_EMPTY:
        ck_assert_int_eq(ftruncate(fd, 0), 0);
        break;
    case HARM_MAGIC:
        head.magic[0] = 'x';
        break;
    case HARM_LAYOUT:
        head.layout++;
        break;
    case HARM_SERVICE:
        memset(head.service, 'x', sizeof head.service);
        break;
    case HARM_OPEN:
        ck_assert_int_eq(fchmod(fd, 0666), 0);
        break;
    case HARM_LINK:
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(symlink("/etc/passwd", path), 0);
        break;
    case HARM_FOLDER:
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(mkdir(path, 0755), 0);
        break;
    case HARM__COUNT:
        break;
    }
    if (harm == HARM_MAGIC || harm == HARM_LAYOUT || harm == HARM_SERVICE)
        ck_assert_int_eq(pwrite(fd, &head, sizeof head, 0), sizeof head);
    close(fd);
}

START_TEST(a_file_that_is_not_ours_is_not_believed)
{
    open_fast();
    metric_add(METRIC_REPLAYS, 5, NO_LABELS);
    const char *path = the_file();
    pid_t child = fork(); /* a mapping that is cut is SIGBUS: we must not hold one */
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        do_harm((enum harm)_i, path);
        const char *text = printed();
        _exit(strstr(text, "is left out") != NULL && strstr(text, "\nsoko_") == NULL ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "it was believed: %d", _i);
    if (_i == HARM_FOLDER) { /* which we do not remove: without metrics, then */
        int fd = log_capture();
        ck_assert(!metrics_open(dir, "fast"));
        ck_assert_ptr_nonnull(strstr(log_captured(fd), "metrics.off"));
        ck_assert_int_eq(rmdir(path), 0);
        return;
    }
    open_fast();
    metric_add(METRIC_REPLAYS, 1, NO_LABELS);
    ck_assert_double_eq(value("soko_idempotent_replays_total{pool=\"fast\"}"), 1);
}
END_TEST

START_TEST(files_of_other_versions_are_removed_by_their_own_service)
{
    static const char *const others[] = {"fast-0000000000000001.metrics", "fast-77.new",
                                         "hash-0000000000000001.metrics"};
    char name[NAME_MAX + 1];

    for (size_t i = 0; i < 3; i++)
        close(open(arena_printf(arena, "%s/%s", dir, others[i]), O_CREAT | O_WRONLY, 0600));
    open_fast();
    ck_assert_int_eq(files(name), 2);
    ck_assert_int_eq(access(arena_printf(arena, "%s/%s", dir, others[2]), F_OK), 0);
}
END_TEST

START_TEST(without_a_folder_nothing_is_counted_and_all_goes_on)
{
    int fd = log_capture();
    struct text out = text_new(arena, TEXT_MAX);

    ck_assert(!metrics_open("/nowhere/at/all", "fast"));
    const char *said = log_captured(fd);
    ck_assert_ptr_nonnull(strstr(said, "metrics.off"));
    ck_assert_ptr_nonnull(strstr(said, "/nowhere/at/all"));
    metric_add(METRIC_REPLAYS, 1, NO_LABELS);
    metric_set(METRIC_WORKERS_WANTED, 1, NO_LABELS);
    metric_observe(METRIC_QUEUE_SECONDS, 1, NO_LABELS);
    ck_assert(!metrics_print(&out, "/nowhere/at/all"));
}
END_TEST

/* ---- series ---- */

START_TEST(what_has_no_room_is_counted_and_said)
{
    char name[METRICS_TEXT + 8];

    open_fast();
    memset(name, 'x', sizeof name);
    name[METRICS_TEXT - 1] = '\0'; /* fits, with its NUL */
    metric_add(METRIC_SQL, 1, LABELS(name));
    ck_assert_int_eq(dropped(), 0);
    name[METRICS_TEXT - 1] = 'x';
    name[METRICS_TEXT] = '\0';
    metric_add(METRIC_SQL, 1, LABELS(name));
    ck_assert_int_eq(dropped(), 1);
    for (int i = 0; i < METRICS_SERIES + 100; i++) {
        snprintf(name, sizeof name, "S%d", i);
        metric_add(METRIC_SQL, 1, LABELS(name));
    }
    ck_assert_int_gt(dropped(), 100);
    for (int i = 0; i < METRICS_HISTOGRAMS + 100; i++) {
        snprintf(name, sizeof name, "r%d", i);
        metric_observe(METRIC_REQUEST_SECONDS, 1, LABELS(name));
    }
    ck_assert_int_gt(dropped(), 200);
    metric_add(METRIC_SQL, 1, LABELS("S0"));
    ck_assert_double_eq(value("soko_sql_statements_total{pool=\"fast\",statement=\"S0\"}"), 2);
}
END_TEST

START_TEST(labels_are_printed_safely)
{
    open_fast();
    metric_add(METRIC_SQL, 1, LABELS("a\"b\\c\nd\xff"));
    ck_assert_double_eq(
        value("soko_sql_statements_total{pool=\"fast\",statement=\"a\\\"b\\\\c?d?\"}"), 1);
    metric_add(METRIC_SQL, 1, LABELS(NULL));
    ck_assert_double_eq(value("soko_sql_statements_total{pool=\"fast\",statement=\"\"}"), 1);
}
END_TEST

START_TEST(numbers_are_printed_exactly)
{
    open_fast();
    metric_add(METRIC_SQL_SECONDS, UINT64_C(12345678901234567), LABELS("A"));
    metric_set(METRIC_LEDGER, -7, LABELS("KES", "cash"));
    metric_set(METRIC_AUDIT_AGE, -1500000000, NO_LABELS);
    const char *text = printed();
    ck_assert_ptr_nonnull(strstr(text, "statement=\"A\"} 12345678.901234567\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "soko_ledger_difference_minor_units{currency=\"KES\",what=\"cash\"} -7\n"));
    ck_assert_ptr_nonnull(strstr(text, "soko_audit_unsealed_seconds -1.500000000\n"));
    metric_observe(METRIC_QUEUE_SECONDS, -5, NO_LABELS);
    metric_observe(METRIC_QUEUE_SECONDS, 20 * NS_IN_S, NO_LABELS);
    ck_assert_double_eq(value("soko_queue_wait_seconds_bucket{pool=\"fast\",le=\"0.001\"}"), 1);
    ck_assert_double_eq(value("soko_queue_wait_seconds_bucket{pool=\"fast\",le=\"10\"}"), 1);
    ck_assert_double_eq(value("soko_queue_wait_seconds_bucket{pool=\"fast\",le=\"+Inf\"}"), 2);
    ck_assert_double_eq(value("soko_queue_wait_seconds_sum{pool=\"fast\"}"), 20);
}
END_TEST

/* Prints what counting costs; asserts nothing about it. */
START_TEST(the_cost_is_told)
{
    enum { TIMES = 200000 };

    open_fast();
    int64_t began = clock_mono_ns();
    for (int i = 0; i < TIMES; i++)
        metric_add(METRIC_REQUESTS, 1, LABELS("/api/v1/products/:id", "GET", "200"));
    int64_t added = clock_mono_ns();
    for (int i = 0; i < TIMES; i++)
        metric_observe(METRIC_REQUEST_SECONDS, 3000000, LABELS("/api/v1/products/:id"));
    int64_t observed = clock_mono_ns();
    const char *text = printed();
    printf("# add: %" PRId64 " ns, observe: %" PRId64 " ns, print: %" PRId64 " us\n",
           (added - began) / TIMES, (observed - added) / TIMES,
           (clock_mono_ns() - observed) / 1000);
    ck_assert_ptr_nonnull(strstr(text, "status=\"200\"} 200000\n"));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("metrics");
    TCase *t = tcase_create("metrics");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, nothing_is_lost_among_many);
    tcase_add_test(t, killed_processes_break_nothing);
    tcase_add_test(t, a_cell_without_its_text_is_completed);
    tcase_add_test(t, counters_outlive_the_service_and_gauges_do_not);
    tcase_add_test(t, who_is_silent_says_nothing_of_now);
    tcase_add_loop_test(t, a_file_that_is_not_ours_is_not_believed, 0, HARM__COUNT);
    tcase_add_test(t, files_of_other_versions_are_removed_by_their_own_service);
    tcase_add_test(t, without_a_folder_nothing_is_counted_and_all_goes_on);
    tcase_add_test(t, what_has_no_room_is_counted_and_said);
    tcase_add_test(t, labels_are_printed_safely);
    tcase_add_test(t, numbers_are_printed_exactly);
    tcase_add_test(t, the_cost_is_told);
    suite_add_tcase(s, t);
    return run_suite(s);
}
