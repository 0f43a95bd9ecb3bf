/*
 * io/http_out: against a server in a child process that misbehaves by path. What matters most is
 * which failures mean "never sent".
 */
#include "io/http_out.h"

#include "base/clock.h"
#include "certificate.h"
#include "harness.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct arena *a;
static struct http_out *h;
static pid_t server;
static int port;
/* What the child has seen, shared with it. */
static struct seen {
    int requests, connections;
    char last[8192];
} * seen;

/* ---- the server ---- */

static void
say(int fd, const char *s)
{
    if (write(fd, s, strlen(s)) < 0)
        return;
}

/* Answers one request; false to close the connection. */
static bool
answer(int fd, const char *in)
{
    if (strstr(in, " /ok") != NULL) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        return true;
    }
    if (strstr(in, " /status") != NULL) {
        say(fd, "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy");
        return true;
    }
    if (strstr(in, " /redirect") != NULL) {
        say(fd, "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n");
        return true;
    }
    if (strstr(in, " /empty") != NULL) {
        say(fd, "HTTP/1.1 204 No Content\r\n\r\n");
        return true;
    }
    if (strstr(in, " /nul") != NULL) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
        return write(fd, "a\0b", 3) == 3;
    }
    if (strstr(in, " /big") != NULL) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n");
        for (int i = 0; i < 1001; i++)
            say(fd, "x");
        return true;
    }
    if (strstr(in, " /endless") != NULL) {
        say(fd, "HTTP/1.1 200 OK\r\n\r\n");
        for (int i = 0; i < 100000; i++)
            say(fd, "0123456789");
        return false;
    }
    if (strstr(in, " /cut") != NULL)
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly so much");
    if (strstr(in, " /cookie") != NULL) {
        say(fd, "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n");
        return true;
    }
    if (strstr(in, " /headers") != NULL) {
        say(fd, "HTTP/1.1 200 OK\r\nX-One:  yes \r\nX-Twice: a\r\nx-twice: b\r\nX-Empty:\r\n"
                "Content-Length: 0\r\n\r\n");
        return true;
    }
    if (strstr(in, " /garbage") != NULL)
        say(fd, "I am no HTTP server\r\n\r\n");
    if (strstr(in, " /hang") != NULL)
        sleep(10);
    if (strstr(in, " /slow") != NULL) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
        for (int i = 0; i < 100; i++) {
            say(fd, "x");
            usleep(50000);
        }
    }
    return false; /* /nothing: hangs up without a word */
}

/* The whole request: head, and Content-Length bytes. */
static bool
read_request(int fd, char *in, size_t size)
{
    size_t len = 0;

    for (;;) {
        ssize_t n = read(fd, in + len, size - 1 - len);
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

static void
serve(int listener)
{
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        seen->connections++;
        /* A child for each connection: a hanging one must not stop the next. */
        if (fork() == 0) {
            char in[8192];
            alarm(15);
            for (int n = 1; read_request(fd, in, sizeof in); n++) {
                seen->requests++;
                memcpy(seen->last, in, sizeof in);
                /* /flaky answers the first request of a connection, and hangs up at the next. */
                bool flaky = strstr(in, " /flaky") != NULL;
                if (flaky && n == 1)
                    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                else if (flaky || !answer(fd, in))
                    break;
            }
            _exit(0);
        }
        close(fd);
    }
}

static int
listen_on_loopback(int *on)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *on = ntohs(address.sin_port);
    return fd;
}

static void
setup(void)
{
    a = arena_new();
    /* None of these may have an effect. */
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(seen, MAP_FAILED);
    int fd = listen_on_loopback(&port);
    server = fork();
    ck_assert_int_ge(server, 0);
    if (server == 0) {
        signal(SIGCHLD, SIG_IGN);
        signal(SIGPIPE, SIG_IGN);
        serve(fd);
    }
    close(fd);
    h = http_out_new("soko-test/1");
    ck_assert_ptr_nonnull(h);
}

static void
teardown(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    http_out_free(h);
    munmap(seen, sizeof *seen);
    arena_free(a);
}

static struct http_answer got;

static enum err
send_to(const char *method, const char *url, const char *body)
{
    const char *const headers[] = {"Content-Type: application/json", "X-Test: yes", NULL};
    struct http_call call = {.method = method,
                             .url = url,
                             .headers = headers,
                             .body = body,
                             .body_len = body == NULL ? 0 : strlen(body),
                             .connect_ms = 500,
                             .total_ms = 600,
                             .answer_max = 1000};

    enum err e = http_send(h, a, &call, &got);
    ck_assert_ptr_nonnull(got.body);
    ck_assert_uint_eq(strlen(got.body) > got.body_len, 0);
    if (e != OK) {
        ck_assert_int_eq(got.status, 0);
        ck_assert_ptr_nonnull(got.why);
        ck_assert_ptr_null(strstr(got.why, "127.0.0.1"));
    }
    return e;
}

static enum err
call(const char *method, const char *path, const char *body)
{
    return send_to(method, arena_printf(a, "http://127.0.0.1:%d%s", port, path), body);
}

/* ---- answers ---- */

static const struct {
    const char *method, *path, *body;
    int status;
    const char *answer;
} good[] = {
    {"GET", "/ok", NULL, 200, "hello"},    {"POST", "/ok", "{\"a\":1}", 200, "hello"},
    {"POST", "/ok", NULL, 200, "hello"},   {"PUT", "/ok", "x", 200, "hello"},
    {"PATCH", "/ok", "x", 200, "hello"},   {"DELETE", "/ok", NULL, 200, "hello"},
    {"GET", "/status", NULL, 503, "busy"}, {"POST", "/status", "x", 503, "busy"},
    {"GET", "/redirect", NULL, 302, ""},   {"POST", "/redirect", "x", 302, ""},
    {"GET", "/empty", NULL, 204, ""},      {"GET", "/ok?q=a%20b", NULL, 200, "hello"},
};

START_TEST(whole_answers)
{
    ck_assert_int_eq(call(good[_i].method, good[_i].path, good[_i].body), OK);
    ck_assert_int_eq(got.status, good[_i].status);
    ck_assert_str_eq(got.body, good[_i].answer);
    ck_assert_uint_eq(got.body_len, strlen(good[_i].answer));
    ck_assert_int_eq(seen->requests, 1);
    const char *line = arena_printf(a, "%s %s HTTP/1.1\r\n", good[_i].method, good[_i].path);
    ck_assert(strncmp(seen->last, line, strlen(line)) == 0);
    ck_assert_ptr_nonnull(strstr(seen->last, "\r\nX-Test: yes\r\n"));
    ck_assert_ptr_nonnull(strstr(seen->last, "\r\nUser-Agent: soko-test/1\r\n"));
    ck_assert_ptr_null(strstr(seen->last, "Expect"));
    ck_assert_ptr_null(strstr(seen->last, "urlencoded"));
    if (good[_i].body != NULL)
        ck_assert_str_eq(strstr(seen->last, "\r\n\r\n") + 4, good[_i].body);
}
END_TEST

START_TEST(bytes_of_the_answer_are_kept)
{
    ck_assert_int_eq(call("GET", "/nul", NULL), OK);
    ck_assert_uint_eq(got.body_len, 3);
    ck_assert_mem_eq(got.body, "a\0b", 4);
}
END_TEST

START_TEST(options_do_not_stay)
{
    ck_assert_int_eq(call("POST", "/ok", "x"), OK);
    ck_assert_int_eq(call("GET", "/ok", NULL), OK);
    ck_assert(strncmp(seen->last, "GET ", 4) == 0);
    ck_assert_ptr_null(strstr(seen->last, "Content-Length"));
    ck_assert_int_eq(call("HEAD", "/empty", NULL), OK);
    ck_assert_int_eq(call("GET", "/cookie", NULL), OK);
    ck_assert_int_eq(call("GET", "/ok", NULL), OK);
    ck_assert_str_eq(got.body, "hello");
    ck_assert_ptr_null(strstr(seen->last, "Cookie"));
}
END_TEST

START_TEST(reads_keep_the_connection)
{
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(call("GET", "/ok", NULL), OK);
    ck_assert_int_eq(seen->connections, 1);
}
END_TEST

/* libcurl would repeat a POST on a kept connection that turns out dead, as it does with a GET. */
START_TEST(writes_are_never_sent_twice)
{
    ck_assert_int_eq(call("GET", "/flaky", NULL), OK);
    ck_assert_int_eq(call("POST", "/flaky", "pay"), OK);
    ck_assert_int_eq(call("POST", "/flaky", "pay"), OK);
    ck_assert_int_eq(call("POST", "/nothing", "pay"), ERR_REQUEST_TIMEOUT);
    ck_assert_int_eq(seen->requests, 4);
    ck_assert_int_eq(call("GET", "/flaky", NULL), OK);
    ck_assert_int_ge(seen->requests, 6);
}
END_TEST

/* ---- failures ---- */

static const char *const unknown[] = {"/big",  "/endless", "/cut",    "/garbage",
                                      "/hang", "/slow",    "/nothing"};

START_TEST(may_have_been_sent)
{
    int64_t since = clock_mono_ns();

    ck_assert_int_eq(call(_i % 2 == 0 ? "GET" : "POST", unknown[_i / 2], NULL),
                     ERR_REQUEST_TIMEOUT);
    ck_assert_str_eq(got.body, "");
    ck_assert_int_eq(seen->requests, 1);
    ck_assert_int_lt((clock_mono_ns() - since) / 1000000, 1500);
    ck_assert_int_eq(call("GET", "/ok", NULL), OK);
}
END_TEST

START_TEST(never_sent)
{
    int64_t since = clock_mono_ns();
    int closed;
    int fd = listen_on_loopback(&closed);

    close(fd);
    ck_assert_int_eq(send_to("POST", arena_printf(a, "http://127.0.0.1:%d/", closed), "x"),
                     ERR_PROVIDER_UNAVAILABLE);
    ck_assert_int_eq(send_to("POST", "https://nowhere.invalid/", "x"), ERR_PROVIDER_UNAVAILABLE);
    ck_assert_int_lt((clock_mono_ns() - since) / 1000000, 3000);
}
END_TEST

/* A listener that never accepts TLS: the handshake times out, nothing was sent. */
START_TEST(silent_handshake_is_never_sent)
{
    int silent;
    int fd = listen_on_loopback(&silent);

    ck_assert_int_eq(send_to("POST", arena_printf(a, "https://127.0.0.1:%d/", silent), "x"),
                     ERR_PROVIDER_UNAVAILABLE);
    close(fd);
    /* Speaks HTTP where TLS is due. */
    ck_assert_int_eq(send_to("POST", arena_printf(a, "https://127.0.0.1:%d/ok", port), "x"),
                     ERR_PROVIDER_UNAVAILABLE);
    ck_assert_int_eq(seen->requests, 0);
}
END_TEST

START_TEST(unknown_certificate_is_never_sent)
{
    int tls_port;
    int listener = listen_on_loopback(&tls_port);
    SSL_CTX *ctx = certificate_server();
    pid_t child = fork();

    if (child == 0) {
        alarm(10);
        SSL *ssl = SSL_new(ctx);
        char in[1000];
        SSL_set_fd(ssl, accept(listener, NULL, NULL));
        /* 1: something of the request arrived after all. */
        _exit(SSL_accept(ssl) == 1 && SSL_read(ssl, in, sizeof in) > 0 ? 1 : 0);
    }
    ck_assert_int_eq(send_to("POST", arena_printf(a, "https://localhost:%d/", tls_port), "secret"),
                     ERR_PROVIDER_UNAVAILABLE);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    SSL_CTX_free(ctx);
    close(listener);
}
END_TEST

static const char *const forbidden[] = {
    "http://example.com/",
    "http://10.0.0.1/",
    "http://128.0.0.1/",
    "http://127.evil.example/",
    "http://127.0.0.1.evil.example/",
    "http://localhost.evil.example/",
    "http://127.0.0.1@evil.example/",
    "http://[::2]/",
    "http://[::ffff:10.0.0.1]/",
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "dict://127.0.0.1/",
    "127.0.0.1",
    "",
    "http://",
    "//127.0.0.1/",
};

START_TEST(forbidden_urls)
{
    log_capture();
    ck_assert_int_eq(send_to("GET", forbidden[_i], NULL), ERR_INTERNAL);
}
END_TEST

START_TEST(loopback_has_several_names)
{
    ck_assert_int_eq(send_to("GET", arena_printf(a, "http://localhost:%d/ok", port), NULL), OK);
    ck_assert_int_eq(send_to("GET", arena_printf(a, "http://LOCALHOST:%d/ok", port), NULL), OK);
    ck_assert_int_ne(send_to("GET", "http://[::1]:1/ok", NULL), ERR_INTERNAL);
    ck_assert_int_ne(send_to("GET", "http://127.1.2.3:1/ok", NULL), ERR_INTERNAL);
}
END_TEST

START_TEST(bad_calls)
{
    const char *const smuggled[] = {"X-A: b\r\nX-Smuggled: yes", NULL};
    const char *url = arena_printf(a, "http://127.0.0.1:%d/ok", port);
    struct http_call bad = {.method = "GET", .url = url, .answer_max = 10, .total_ms = 100};

    log_capture();
    ck_assert_int_eq(http_send(h, a, &bad, &got), ERR_INTERNAL);
    bad.connect_ms = 100;
    bad.headers = smuggled;
    ck_assert_int_eq(http_send(h, a, &bad, &got), ERR_INTERNAL);
    ck_assert_int_eq(seen->requests, 0);
    bad.headers = NULL;
    ck_assert_int_eq(http_send(h, a, &bad, &got), OK);
}
END_TEST

START_TEST(cap_is_exact)
{
    const char *url = arena_printf(a, "http://127.0.0.1:%d/ok", port);
    struct http_call five = {
        .method = "GET", .url = url, .connect_ms = 500, .total_ms = 500, .answer_max = 5};

    ck_assert_int_eq(http_send(h, a, &five, &got), OK);
    five.answer_max = 4;
    ck_assert_int_eq(http_send(h, a, &five, &got), ERR_REQUEST_TIMEOUT);
    five.answer_max = 0;
    ck_assert_int_eq(http_send(h, a, &five, &got), ERR_REQUEST_TIMEOUT);
}
END_TEST

START_TEST(wanted_headers)
{
    static const char *const wanted[] = {"x-one", "X-Twice", "X-Missing", "X-Empty", NULL};
    static const char *const none[] = {NULL};
    struct http_call call = {.method = "GET",
                             .url = arena_printf(a, "http://127.0.0.1:%d/headers", port),
                             .connect_ms = 500,
                             .total_ms = 500,
                             .wanted = wanted};

    ck_assert_int_eq(http_send(h, a, &call, &got), OK);
    ck_assert_str_eq(got.headers[0], "yes");
    ck_assert_str_eq(got.headers[1], "b");
    ck_assert_ptr_null(got.headers[2]);
    ck_assert_str_eq(got.headers[3], "");
    call.wanted = none;
    ck_assert_int_eq(http_send(h, a, &call, &got), OK);
    call.wanted = NULL;
    ck_assert_int_eq(http_send(h, a, &call, &got), OK);
    ck_assert_ptr_null(got.headers);
    /* Those of the answer before are gone. */
    call.wanted = wanted;
    call.url = arena_printf(a, "http://127.0.0.1:%d/status", port);
    call.answer_max = 10;
    ck_assert_int_eq(http_send(h, a, &call, &got), OK);
    ck_assert_ptr_null(got.headers[0]);
    call.url = arena_printf(a, "http://127.0.0.1:%d/nothing", port);
    ck_assert_int_eq(http_send(h, a, &call, &got), ERR_REQUEST_TIMEOUT);
    ck_assert_ptr_null(got.headers);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("http_out");
    TCase *t = tcase_create("http_out");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 20);
    tcase_add_loop_test(t, whole_answers, 0, (int)(sizeof good / sizeof good[0]));
    tcase_add_test(t, bytes_of_the_answer_are_kept);
    tcase_add_test(t, options_do_not_stay);
    tcase_add_test(t, reads_keep_the_connection);
    tcase_add_test(t, writes_are_never_sent_twice);
    tcase_add_loop_test(t, may_have_been_sent, 0, 2 * (int)(sizeof unknown / sizeof unknown[0]));
    tcase_add_test(t, never_sent);
    tcase_add_test(t, silent_handshake_is_never_sent);
    tcase_add_test(t, unknown_certificate_is_never_sent);
    tcase_add_loop_test(t, forbidden_urls, 0, (int)(sizeof forbidden / sizeof forbidden[0]));
    tcase_add_test(t, loopback_has_several_names);
    tcase_add_test(t, bad_calls);
    tcase_add_test(t, cap_is_exact);
    tcase_add_test(t, wanted_headers);
    suite_add_tcase(s, t);
    return run_suite(s);
}
