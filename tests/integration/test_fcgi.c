/*
 * io/fcgi: a worker in a child process, spoken to in FastCGI records made by hand (FastCGI 1.0,
 * section 3), as nginx would send them and as a broken peer would.
 */
#include "io/fcgi.h"

#include "harness.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define BODY_CAP 1000
#define RESPONDER 1

enum record { BEGIN_REQUEST = 1, PARAMS = 4, STDIN = 5, STDOUT = 6 };

static volatile sig_atomic_t stop;
static pid_t worker;
static int port;

static void
on_term(int sig)
{
    (void)sig;
    stop = 1;
}

/* ---- the worker: answers with what it has read ---- */

static void
work(int listener)
{
    struct sigaction action = {.sa_handler = on_term}; /* no SA_RESTART */
    struct fcgi *f = fcgi_new(listener);
    struct arena *a = arena_new();

    sigaction(SIGTERM, &action, NULL);
    while (fcgi_accept(f, &stop)) {
        const char *body, *method = fcgi_param(f, a, "REQUEST_METHOD");
        const char *empty = fcgi_param(f, a, "EMPTY"), *none = fcgi_param(f, a, "NONE");
        const char *bulk = fcgi_param(f, a, "BULK");
        size_t len;
        enum err e = fcgi_body(f, a, BODY_CAP, &body, &len);
        const char *head =
            arena_printf(a, "Status: 200\r\n\r\n%s|%s|%s|%s|%zu|", method, err_code(e),
                         empty == NULL && fcgi_has_param(f, "EMPTY") ? "null" : "wrong",
                         none == NULL && !fcgi_has_param(f, "NONE") ? "null" : "wrong", len);
        bool sent = fcgi_send(f, head, strlen(head)) && fcgi_send(f, body, len);
        for (int i = 0; bulk != NULL && sent && i < 10000; i++)
            sent = fcgi_send(f, "0123456789abcdef0123456789abcdef", 32);
        fcgi_finish(f);
        arena_reset(a);
    }
    arena_free(a);
    fcgi_free(f);
    exit(7);
}

static void
setup(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    port = ntohs(address.sin_port);
    worker = fork();
    ck_assert_int_ge(worker, 0);
    if (worker == 0)
        work(fd);
    close(fd);
}

/* The worker must leave when asked, repeatedly as the parent does, and not have died before. */
static void
teardown(void)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    int status = 0;

    for (int i = 0; i < 200; i++) {
        kill(worker, SIGTERM);
        if (waitpid(worker, &status, WNOHANG) == worker) {
            ck_assert(WIFEXITED(status));
            ck_assert_int_eq(WEXITSTATUS(status), 7);
            return;
        }
        nanosleep(&pause, NULL);
    }
    kill(worker, SIGKILL);
    ck_abort_msg("the worker did not leave");
}

/* ---- the web server's side ---- */

static int
dial(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void
record(int fd, enum record type, const void *data, size_t len)
{
    unsigned char head[8] = {
        1, (unsigned char)type, 0, 1, (unsigned char)(len >> 8), (unsigned char)len, 0, 0};

    ck_assert_int_eq(write(fd, head, 8), 8);
    if (len > 0)
        ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
}

static void
param(int fd, const char *name, const char *value)
{
    unsigned char pair[256] = {(unsigned char)strlen(name), (unsigned char)strlen(value)};

    memcpy(pair + 2, name, pair[0]);
    memcpy(pair + 2 + pair[0], value, pair[1]);
    record(fd, PARAMS, pair, 2 + (size_t)pair[0] + pair[1]);
}

/* The answer's stdout; the connection is closed then. */
static const char *
answer(int fd)
{
    static char out[4096];
    unsigned char head[8], skip[256];
    size_t n = 0;

    while (recv(fd, head, 8, MSG_WAITALL) == 8) {
        size_t size = (size_t)head[4] << 8 | head[5];
        if (head[1] == STDOUT && n + size < sizeof out) {
            ck_assert_int_eq(recv(fd, out + n, size, MSG_WAITALL), (ssize_t)size);
            n += size;
        } else if (size > 0) {
            ck_assert_int_eq(recv(fd, skip, size, MSG_WAITALL), (ssize_t)size);
        }
        if (head[6] > 0)
            ck_assert_int_eq(recv(fd, skip, head[6], MSG_WAITALL), head[6]);
    }
    close(fd);
    out[n] = '\0';
    return out;
}

static int
begin(void)
{
    const unsigned char role[8] = {0, RESPONDER};
    int fd = dial();

    record(fd, BEGIN_REQUEST, role, sizeof role);
    return fd;
}

/* Sends a request and reads its answer. */
static const char *
ask(const char *content_length, const char *body, size_t len)
{
    int fd = begin();

    param(fd, "REQUEST_METHOD", "POST");
    param(fd, "EMPTY", "");
    if (content_length != NULL)
        param(fd, "CONTENT_LENGTH", content_length);
    record(fd, PARAMS, "", 0);
    if (len > 0)
        record(fd, STDIN, body, len);
    record(fd, STDIN, "", 0);
    return answer(fd);
}

static char big[BODY_CAP + 2];

static const struct {
    const char *content_length, *body, *answer;
} cases[] = {
    {"5", "hello", "POST|OK|null|null|5|hello"},
    {"0", "", "POST|OK|null|null|0|"},
    {"", "", "POST|OK|null|null|0|"},
    {NULL, "", "POST|OK|null|null|0|"},
    {"3", "hello", "POST|OK|null|null|3|hel"},
    {"6", "hello", "POST|VALIDATION_ERROR|null|null|0|"},
    {"x", "hello", "POST|VALIDATION_ERROR|null|null|0|"},
    {"-5", "hello", "POST|VALIDATION_ERROR|null|null|0|"},
    {"5 ", "hello", "POST|VALIDATION_ERROR|null|null|0|"},
    {"1000", big, NULL},
    {"1001", big, "POST|PAYLOAD_TOO_LARGE|null|null|0|"},
    {"18446744073709551621", "hello", "POST|PAYLOAD_TOO_LARGE|null|null|0|"},
    {"999999999999999999", "hello", "POST|PAYLOAD_TOO_LARGE|null|null|0|"},
};

START_TEST(bodies)
{
    memset(big, 'x', BODY_CAP);
    const char *got = ask(cases[_i].content_length, cases[_i].body, strlen(cases[_i].body));
    const char *body = strstr(got, "\r\n\r\n");

    ck_assert_ptr_nonnull(body);
    if (cases[_i].answer != NULL) {
        ck_assert_str_eq(body + 4, cases[_i].answer);
    } else {
        ck_assert_uint_eq(strlen(body + 4), strlen("POST|OK|null|null|1000|") + BODY_CAP);
    }
}
END_TEST

START_TEST(requests_follow_each_other)
{
    for (int i = 0; i < 50; i++)
        ck_assert_ptr_nonnull(strstr(ask("2", "ab", 2), "|2|ab"));
}
END_TEST

/* Peers that leave before, in the middle of, and after their request. */
START_TEST(broken_peers_do_no_harm)
{
    struct linger hard = {.l_onoff = 1};

    for (int i = 0; i < 20; i++) {
        int fd = i % 4 > 0 ? begin() : dial();
        if (i % 4 > 1) {
            param(fd, "REQUEST_METHOD", "GET");
            param(fd, "BULK", "yes");
        }
        if (i % 4 > 2) {
            record(fd, PARAMS, "", 0);
            record(fd, STDIN, "", 0);
        }
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close(fd); /* with a reset */
    }
    ck_assert_ptr_nonnull(strstr(ask("2", "ab", 2), "|2|ab"));
}
END_TEST

/* Tells the worker to leave, as its parent does, once it waits for more of the request. */
static void
tell_to_leave(void)
{
    const struct timespec pause = {.tv_nsec = 20000000};

    for (int i = 0; i < 5; i++) {
        nanosleep(&pause, NULL);
        kill(worker, SIGTERM);
    }
    nanosleep(&pause, NULL);
}

/* Whoever has taken a connection finishes it, wherever in it the signal comes. */
START_TEST(told_to_leave_it_finishes_its_request)
{
    int fd = dial();

    if (_i > 0) {
        close(fd);
        fd = begin();
        param(fd, "REQUEST_METHOD", "POST");
        param(fd, "EMPTY", "");
    }
    if (_i > 1) {
        param(fd, "CONTENT_LENGTH", "4");
        record(fd, PARAMS, "", 0);
        record(fd, STDIN, "ab", 2);
    }
    tell_to_leave();
    if (_i == 0) {
        const unsigned char role[8] = {0, RESPONDER};
        record(fd, BEGIN_REQUEST, role, sizeof role);
        param(fd, "REQUEST_METHOD", "POST");
        param(fd, "EMPTY", "");
    }
    if (_i < 2) {
        param(fd, "CONTENT_LENGTH", "4");
        record(fd, PARAMS, "", 0);
        record(fd, STDIN, "ab", 2);
    }
    record(fd, STDIN, "cd", 2);
    record(fd, STDIN, "", 0);
    ck_assert_ptr_nonnull(strstr(answer(fd), "POST|OK|null|null|4|abcd"));
}
END_TEST

/* One who connects and says nothing, or stops in the middle, holds the worker for a while only. */
START_TEST(silent_peer_is_left)
{
    int fd = dial();

    ck_assert_ptr_nonnull(strstr(ask("2", "ab", 2), "|2|ab"));
    close(fd);
}
END_TEST

START_TEST(idle_worker_leaves_on_a_signal)
{
    /* teardown asks it; here it only has to have reached accept(2). */
    usleep(50000);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("fcgi");
    TCase *t = tcase_create("fcgi");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 20);
    tcase_add_loop_test(t, bodies, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(t, requests_follow_each_other);
    tcase_add_test(t, broken_peers_do_no_harm);
    tcase_add_loop_test(t, told_to_leave_it_finishes_its_request, 0, 3);
    tcase_add_test(t, silent_peer_is_left);
    tcase_add_test(t, idle_worker_leaves_on_a_signal);
    suite_add_tcase(s, t);
    return run_suite(s);
}
