/*
 * prefork with children that do as they are told through shared memory. The parent under test is a
 * process of its own. Nothing is asserted about time: a condition is waited for, and only a very
 * long wait fails.
 */
#include "prefork.h"

#include "base/config.h"
#include "harness.h"

#include <poll.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define CHILDREN_MAX 8
#define NAP_MS 2
#define NAPS_MAX 30000

enum job { JOB_NONE, JOB_UNTIL_RELEASED, JOB_STUCK };

/* What children find when they are born, what they are to do, and what they did. */
struct board {
    atomic_int crash;  /* so many more are to exit with status 3 before they are ready */
    atomic_bool unfit; /* exit with PREFORK_UNFIT before being ready */
    atomic_bool hold;  /* do not get ready while this is set */
    atomic_int job;    /* one of them takes it */
    atomic_bool release;

    atomic_int births, ready, finished, left;
    atomic_int pid[CHILDREN_MAX]; /* who is ready at the place */
    atomic_int busy_pid;
    atomic_bool speaks_to_systemd; /* a child has NOTIFY_SOCKET or its like */
};

static struct board *board;
static int config_fd, log_fd;
static char config_path[64];
static pid_t parent;

static void
nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = NAP_MS * 1000000L}, NULL);
}

#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        int naps_ = 0;                                                                             \
        while (!(condition) && naps_++ < NAPS_MAX)                                                 \
            nap();                                                                                 \
        ck_assert_msg(condition, "never: %s", #condition);                                         \
    } while (0)

/* ---- the parent under test and its children ---- */

static void
work(struct slot *slot, int job)
{
    slot_busy(slot);
    atomic_store(&board->busy_pid, getpid());
    while (job == JOB_STUCK || !atomic_load(&board->release))
        nap();
    slot_idle(slot);
    atomic_fetch_add(&board->finished, 1);
}

static int
child(struct slot *slot, int index, const volatile sig_atomic_t *stop)
{
    if (getenv("NOTIFY_SOCKET") != NULL || getenv("WATCHDOG_USEC") != NULL)
        atomic_store(&board->speaks_to_systemd, true);
    int crash = atomic_load(&board->crash);
    if (crash > 0)
        atomic_store(&board->crash, crash - 1);
    atomic_fetch_add(&board->births, 1);
    if (crash > 0)
        return 3;
    if (atomic_load(&board->unfit))
        return PREFORK_UNFIT;
    while (atomic_load(&board->hold) && !*stop)
        nap();
    atomic_store(&board->pid[index], getpid());
    slot_ready(slot);
    atomic_fetch_add(&board->ready, 1);
    while (!*stop && !slot_done(slot)) {
        int job = atomic_exchange(&board->job, JOB_NONE);
        if (job != JOB_NONE)
            work(slot, job);
        nap();
    }
    atomic_fetch_add(&board->left, 1);
    return 0;
}

static int
count_children(void)
{
    return (int)conf->workers_fast;
}

static void
configure(const char *content)
{
    ck_assert_int_eq(ftruncate(config_fd, 0), 0);
    ck_assert_int_eq(pwrite(config_fd, content, strlen(content), 0), (ssize_t)strlen(content));
}

/* Dies with the test, and its children with it. */
static void
start(const char *config)
{
    configure(config);
    ck_assert(config_load(config_path, stderr));
    parent = fork();
    ck_assert_int_ge(parent, 0);
    if (parent == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(prefork_run(&(struct prefork){.name = "test",
                                            .config_file = config_path,
                                            .children = count_children,
                                            .child = child}));
    }
}

static void
expect_exit(int want)
{
    int status;

    ck_assert_int_eq(waitpid(parent, &status, 0), parent);
    ck_assert_msg(WIFEXITED(status), "wait status %d", status);
    ck_assert_int_eq(WEXITSTATUS(status), want);
}

static void
stop(void)
{
    kill(parent, SIGTERM);
    expect_exit(0);
}

static bool
is_gone(int pid)
{
    return kill(pid, 0) != 0;
}

static int
give_job(enum job job)
{
    atomic_store(&board->busy_pid, 0);
    atomic_store(&board->job, (int)job);
    UNTIL(atomic_load(&board->busy_pid) != 0);
    return atomic_load(&board->busy_pid);
}

static void
set_up(void)
{
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(board != MAP_FAILED);
    config_fd = memfd_create("soko.conf", 0);
    ck_assert_int_ge(config_fd, 0);
    snprintf(config_path, sizeof config_path, "/proc/self/fd/%d", config_fd);
    log_fd = log_capture();
    log_set_level(LOG_DEBUG);
    unsetenv("WORKERS_FAST"); /* it would outweigh the file */
    setenv("LOG_LEVEL", "debug", 1);
    setenv("DATABASE_URL", "postgresql:///nowhere", 1);
    setenv("TOKEN_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("DATA_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("STATEMENT_TIMEOUT", "10ms", 1);
    setenv("PROVIDER_TIMEOUT", "10ms", 1);
    setenv("WORKER_DEADLINE", "1h", 1);
    setenv("WORKER_MAX_REQUESTS", "0", 1);
    setenv("STOP_TIMEOUT", "1h", 1);
}

/* ---- births and deaths ---- */

START_TEST(test_starts_and_stops)
{
    char path[64], name[32] = "";

    start("WORKERS_FAST=3\n");
    UNTIL(atomic_load(&board->ready) == 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_ne(board->pid[i], 0);
        ck_assert_int_ne(board->pid[i], board->pid[(i + 1) % 3]);
    }
    snprintf(path, sizeof path, "/proc/%d/comm", board->pid[2]);
    FILE *comm = fopen(path, "r");
    ck_assert_ptr_nonnull(comm);
    ck_assert_ptr_nonnull(fgets(name, sizeof name, comm));
    fclose(comm);
    ck_assert_str_eq(name, "soko-test/2\n");
    stop();
    ck_assert_int_eq(board->left, 3);
    ck_assert_int_eq(board->births, 3);
}
END_TEST

START_TEST(test_sigint_stops_too)
{
    start("WORKERS_FAST=2\n");
    UNTIL(atomic_load(&board->ready) == 2);
    kill(board->pid[0], SIGINT); /* ^C reaches all: children leave it to the parent */
    kill(board->pid[0], SIGHUP);
    kill(parent, SIGINT);
    expect_exit(0);
    ck_assert_int_eq(board->left, 2);
}
END_TEST

START_TEST(test_replaces_the_killed)
{
    start("WORKERS_FAST=3\n");
    UNTIL(atomic_load(&board->ready) == 3);
    int victim = board->pid[1], other = board->pid[0];
    kill(victim, SIGKILL);
    UNTIL(atomic_load(&board->ready) == 4 && atomic_load(&board->pid[1]) != victim);
    ck_assert_int_eq(board->pid[0], other);
    stop();
    char want[64];
    const char *log = log_captured(log_fd);
    snprintf(want, sizeof want, "\"soko.child_pid\":%d,\"soko.slot\":1,\"soko.signal\":9", victim);
    ck_assert_ptr_nonnull(strstr(log, "prefork.child_died"));
    ck_assert_msg(strstr(log, want) != NULL, "%s is not in %s", want, log);
}
END_TEST

START_TEST(test_kills_over_deadline)
{
    setenv("WORKER_DEADLINE", "50ms", 1);
    start("WORKERS_FAST=2\n");
    UNTIL(atomic_load(&board->ready) == 2);
    int victim = give_job(JOB_STUCK);
    UNTIL(is_gone(victim) && atomic_load(&board->ready) == 3);
    stop();
    ck_assert_int_eq(board->finished, 0);
    ck_assert_ptr_nonnull(strstr(log_captured(log_fd), "prefork.deadline"));
}
END_TEST

START_TEST(test_retires_the_old)
{
    setenv("WORKER_MAX_REQUESTS", "1", 1);
    start("WORKERS_FAST=1\n");
    atomic_store(&board->release, true);
    for (int i = 1; i <= 5; i++) {
        give_job(JOB_UNTIL_RELEASED);
        UNTIL(atomic_load(&board->ready) == i + 1);
    }
    stop();
    ck_assert_int_eq(board->finished, 5);
    ck_assert_ptr_null(strstr(log_captured(log_fd), "prefork.child_died"));
}
END_TEST

START_TEST(test_restarts_who_crashes_at_start)
{
    atomic_store(&board->crash, 3);
    start("WORKERS_FAST=1\n");
    UNTIL(atomic_load(&board->ready) == 1);
    ck_assert_int_eq(board->births, 4);
    stop();
    ck_assert_ptr_nonnull(strstr(log_captured(log_fd), "\"process.exit_code\":3"));
}
END_TEST

START_TEST(test_unfit_ends_all)
{
    atomic_store(&board->unfit, true);
    start("WORKERS_FAST=2\n");
    expect_exit(1);
    ck_assert_int_eq(board->births, 2);
    ck_assert_ptr_nonnull(strstr(log_captured(log_fd), "prefork.unfit"));
}
END_TEST

START_TEST(test_unfit_later_is_retried)
{
    start("WORKERS_FAST=2\n");
    UNTIL(atomic_load(&board->ready) == 2);
    atomic_store(&board->unfit, true);
    kill(board->pid[0], SIGKILL);
    UNTIL(atomic_load(&board->births) >= 4);
    atomic_store(&board->unfit, false);
    UNTIL(atomic_load(&board->ready) == 3);
    stop();
}
END_TEST

/* A pipe whose writers are all gone says so: nobody need reap them for that. */
START_TEST(test_orphans_die)
{
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    start("WORKERS_FAST=3\n");
    close(ends[1]);
    UNTIL(atomic_load(&board->ready) == 3);
    give_job(JOB_STUCK);
    kill(parent, SIGKILL);
    ck_assert_int_eq(poll(&(struct pollfd){.fd = ends[0], .events = POLLIN}, 1, 60000), 1);
    ck_assert_int_eq(read(ends[0], &(char){0}, 1), 0);
}
END_TEST

/* ---- stopping ---- */

START_TEST(test_busy_may_finish)
{
    start("WORKERS_FAST=3\n");
    UNTIL(atomic_load(&board->ready) == 3);
    int busy = give_job(JOB_UNTIL_RELEASED);
    kill(parent, SIGTERM);
    UNTIL(atomic_load(&board->left) == 2);
    ck_assert(!is_gone(busy));
    ck_assert_int_eq(board->finished, 0);
    atomic_store(&board->release, true);
    expect_exit(0);
    ck_assert_int_eq(board->finished, 1);
    ck_assert_int_eq(board->left, 3);
    ck_assert_int_eq(board->births, 3);
}
END_TEST

START_TEST(test_stuck_is_killed)
{
    setenv("STOP_TIMEOUT", "50ms", 1);
    start("WORKERS_FAST=2\n");
    UNTIL(atomic_load(&board->ready) == 2);
    give_job(JOB_STUCK);
    stop();
    ck_assert_int_eq(board->finished, 0);
    ck_assert_ptr_nonnull(strstr(log_captured(log_fd), "prefork.stop_timeout"));
}
END_TEST

/* ---- SIGHUP ---- */

START_TEST(test_reload_replaces_all)
{
    static const struct {
        const char *config;
        int count;
    } turns[] = {{"WORKERS_FAST=5\n", 5}, {"WORKERS_FAST=5\n", 5}, {"WORKERS_FAST=1\n", 1}};
    int ready = 2, left = 0, count = 2;

    start("WORKERS_FAST=2\n");
    UNTIL(atomic_load(&board->ready) == 2);
    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        configure(turns[i].config);
        kill(parent, SIGHUP);
        ready += turns[i].count;
        left += count;
        count = turns[i].count;
        UNTIL(atomic_load(&board->ready) == ready && atomic_load(&board->left) == left);
        for (int k = 0; k < count; k++)
            ck_assert(!is_gone(board->pid[k]));
    }
    stop();
    ck_assert_int_eq(board->left, ready);
    ck_assert_int_eq(board->births, ready);
}
END_TEST

START_TEST(test_reload_waits_for_the_successor)
{
    start("WORKERS_FAST=1\n");
    UNTIL(atomic_load(&board->ready) == 1);
    int old = board->pid[0];
    atomic_store(&board->crash, 2);
    atomic_store(&board->hold, true);
    kill(parent, SIGHUP);
    UNTIL(atomic_load(&board->births) == 4); /* two crashed, the third holds */
    ck_assert_int_eq(board->left, 0);
    ck_assert(!is_gone(old));
    kill(old, SIGKILL); /* its successor is in charge now, ready or not */
    UNTIL(is_gone(old));
    atomic_store(&board->hold, false);
    UNTIL(atomic_load(&board->ready) == 2);
    stop();
    ck_assert_int_eq(board->births, 4);
}
END_TEST

START_TEST(test_second_reload_replaces_a_stuck_successor)
{
    start("WORKERS_FAST=1\n");
    UNTIL(atomic_load(&board->ready) == 1);
    int old = board->pid[0];
    atomic_store(&board->hold, true);
    kill(parent, SIGHUP);
    UNTIL(atomic_load(&board->births) == 2);
    ck_assert(!is_gone(old));
    kill(parent, SIGHUP);
    UNTIL(atomic_load(&board->births) == 3);
    atomic_store(&board->hold, false);
    UNTIL(is_gone(old));
    ck_assert_int_ne(board->pid[0], old);
    stop();
}
END_TEST

/* ---- systemd ---- */

/* A socket that stands for systemd's, in $NOTIFY_SOCKET. */
static int
listen_as_systemd(bool abstract)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(to.sun_path, sizeof to.sun_path, "%s/soko-test-prefork-%d", abstract ? "@" : "/tmp",
             (int)getpid());
    setenv("NOTIFY_SOCKET", to.sun_path, 1);
    size_t len = strlen(to.sun_path);
    if (abstract)
        to.sun_path[0] = '\0';
    ck_assert_int_eq(
        bind(fd, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
        0);
    return fd;
}

/* Reads messages until one begins with `want`. */
static void
expect_message(int fd, const char *want)
{
    char got[512] = "";

    while (strncmp(got, want, strlen(want)) != 0) {
        ck_assert_msg(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 60000) == 1,
                      "no message %s, the last was %s", want, got);
        ssize_t n = recv(fd, got, sizeof got - 1, 0);
        ck_assert_int_ge(n, 0);
        got[n] = '\0';
    }
}

START_TEST(test_tells_systemd)
{
    int fd = listen_as_systemd(_i == 1);

    setenv("WATCHDOG_USEC", "2000", 1);
    atomic_store(&board->hold, true);
    start("WORKERS_FAST=2\n");
    expect_message(fd, "STATUS=0 of 2");
    expect_message(fd, "WATCHDOG=1");
    expect_message(fd, "WATCHDOG=1");
    atomic_store(&board->hold, false);
    expect_message(fd, "READY=1");
    ck_assert_int_eq(board->ready, 2);
    kill(parent, SIGTERM);
    expect_message(fd, "STOPPING=1");
    expect_exit(0);
    ck_assert(!board->speaks_to_systemd);
    const char *path = getenv("NOTIFY_SOCKET");
    if (_i == 0 && path != NULL)
        unlink(path);
}
END_TEST

START_TEST(test_watchdog_of_another_process)
{
    int fd = listen_as_systemd(true);
    char got[512];

    setenv("WATCHDOG_USEC", "2000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    start("WORKERS_FAST=1\n");
    expect_message(fd, "READY=1");
    stop();
    for (ssize_t n; (n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT)) >= 0;) {
        got[n] = '\0';
        ck_assert_ptr_null(strstr(got, "WATCHDOG"));
    }
}
END_TEST

START_TEST(test_bad_reload_keeps_all)
{
    int fd = listen_as_systemd(true);

    start("WORKERS_FAST=2\n");
    expect_message(fd, "READY=1");
    configure("WORKERS_FAST=many\n");
    kill(parent, SIGHUP);
    expect_message(fd, "RELOADING=1\nMONOTONIC_USEC=");
    expect_message(fd, "STATUS=configuration refused");
    expect_message(fd, "READY=1");
    ck_assert_int_eq(board->births, 2);
    ck_assert_int_eq(board->left, 0);
    configure("WORKERS_FAST=1\n");
    kill(parent, SIGHUP);
    expect_message(fd, "RELOADING=1");
    expect_message(fd, "READY=1");
    UNTIL(atomic_load(&board->left) == 2);
    ck_assert_int_eq(board->ready, 3);
    stop();
    ck_assert_ptr_nonnull(strstr(log_captured(log_fd), "WORKERS_FAST: "));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("prefork");
    TCase *tcase = tcase_create("prefork");

    tcase_set_timeout(tcase, 180);
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, test_starts_and_stops);
    tcase_add_test(tcase, test_sigint_stops_too);
    tcase_add_test(tcase, test_replaces_the_killed);
    tcase_add_test(tcase, test_kills_over_deadline);
    tcase_add_test(tcase, test_retires_the_old);
    tcase_add_test(tcase, test_restarts_who_crashes_at_start);
    tcase_add_test(tcase, test_unfit_ends_all);
    tcase_add_test(tcase, test_unfit_later_is_retried);
    tcase_add_test(tcase, test_orphans_die);
    tcase_add_test(tcase, test_busy_may_finish);
    tcase_add_test(tcase, test_stuck_is_killed);
    tcase_add_test(tcase, test_reload_replaces_all);
    tcase_add_test(tcase, test_reload_waits_for_the_successor);
    tcase_add_test(tcase, test_second_reload_replaces_a_stuck_successor);
    tcase_add_loop_test(tcase, test_tells_systemd, 0, 2);
    tcase_add_test(tcase, test_watchdog_of_another_process);
    tcase_add_test(tcase, test_bad_reload_keeps_all);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
