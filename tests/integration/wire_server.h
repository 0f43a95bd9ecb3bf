/*
 * tests/integration/wire_server: a provider in a child process that plays a script: the n-th
 * request gets the n-th answer, and is kept byte for byte. It shares no code with the clients.
 */
#ifndef SOKO_TESTS_INTEGRATION_WIRE_SERVER_H
#define SOKO_TESTS_INTEGRATION_WIRE_SERVER_H

#include "base/clock.h"
#include "harness.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define WIRE_REQUESTS 32
#define WIRE_BYTES 8192

/* Answers that are none: hang up without a word; wait until wire->released; never answer. */
#define WIRE_HANG_UP "-"
#define WIRE_HOLD "hold"
#define WIRE_HANG "hang"

static struct wire {
    _Atomic int requests, released;
    char request[WIRE_REQUESTS][WIRE_BYTES];
    char answer[WIRE_REQUESTS][WIRE_BYTES];
} * wire;
static int wire_port;
static pid_t wire_pid;

static inline bool
wire_read(int fd, char *in)
{
    size_t len = 0;

    for (;;) {
        ssize_t n = read(fd, in + len, WIRE_BYTES - 1 - len);
        if (n <= 0)
            return false;
        len += (size_t)n;
        in[len] = '\0';
        const char *end = strstr(in, "\r\n\r\n"), *length = strcasestr(in, "\nContent-Length: ");
        size_t body = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
        if (end != NULL && len >= (size_t)(end + 4 - in) + body)
            return true;
    }
}

/* Until the client has gone. */
static inline void
wire_wait_for_end(int fd)
{
    char c;

    while (read(fd, &c, 1) > 0)
        ;
}

static inline bool
wire_answer(int fd, const char *answer)
{
    if (strcmp(answer, WIRE_HANG) == 0)
        wire_wait_for_end(fd);
    while (strcmp(answer, WIRE_HOLD) == 0 && !atomic_load(&wire->released))
        poll(NULL, 0, 1);
    if (strcmp(answer, WIRE_HOLD) == 0)
        answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    size_t len = strlen(answer);
    return answer[0] == 'H' && write(fd, answer, len) == (ssize_t)len;
}

static inline void
wire_serve(int listener)
{
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        if (fork() == 0) {
            static char in[WIRE_BYTES];
            alarm(30);
            while (wire_read(fd, in)) {
                int n = atomic_load(&wire->requests);
                while (!atomic_compare_exchange_weak(&wire->requests, &n, n + 1))
                    ;
                if (n >= WIRE_REQUESTS)
                    break;
                memcpy(wire->request[n], in, sizeof in);
                if (!wire_answer(fd, wire->answer[n]))
                    break;
            }
            _exit(0);
        }
        close(fd);
    }
}

static inline void
wire_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 64), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    wire_port = ntohs(address.sin_port);
    wire = mmap(NULL, sizeof *wire, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(wire, MAP_FAILED);
    wire_pid = fork();
    ck_assert_int_ge(wire_pid, 0);
    if (wire_pid == 0) {
        signal(SIGCHLD, SIG_IGN);
        signal(SIGPIPE, SIG_IGN);
        wire_serve(fd);
    }
    close(fd);
}

static inline void
wire_stop(void)
{
    kill(wire_pid, SIGKILL);
    waitpid(wire_pid, NULL, 0);
    munmap(wire, sizeof *wire);
}

/* The n-th answer, as it goes over the wire. */
static inline void
wire_says(int n, const char *answer)
{
    ck_assert_int_lt(snprintf(wire->answer[n], WIRE_BYTES, "%s", answer), WIRE_BYTES);
}

/* The n-th answer, with a head. `headers` are lines that end with \r\n, or "". */
static inline void
wire_replies(int n, int status, const char *headers, const char *body)
{
    int len =
        snprintf(wire->answer[n], WIRE_BYTES, "HTTP/1.1 %d Said\r\n%sContent-Length: %zu\r\n\r\n%s",
                 status, headers, strlen(body), body);

    ck_assert_int_lt(len, WIRE_BYTES);
}

/* All answers from the n-th on. */
static inline void
wire_replies_from(int n, int status, const char *body)
{
    for (; n < WIRE_REQUESTS; n++)
        wire_replies(n, status, "", body);
}

/* Until that many requests have come. */
static inline void
wire_wait_for(int requests)
{
    int64_t until = clock_ms() + 10000;

    while (atomic_load(&wire->requests) < requests) {
        ck_assert_msg(clock_ms() < until, "%d of %d requests came", atomic_load(&wire->requests),
                      requests);
        poll(NULL, 0, 1);
    }
}

#endif
