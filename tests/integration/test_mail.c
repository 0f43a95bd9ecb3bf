/*
 * providers/mail and io/mail_out against an SMTP server that misbehaves as it is told: what a
 * message looks like, and what a failure means.
 */
#include "providers/mail.h"

#include "base/config.h"
#include "certificate.h"
#include "io/mail_out.h"

#include "base/clock.h"
#include <arpa/inet.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define COUNT(table) ((int)(sizeof(table) / sizeof(table)[0]))
/* 2035-12-31 21:15:07 UTC: later than now, so that the budget of time is whole. */
#define NOW INT64_C(2082748507000)

/* What the server answers instead of what it should; NULL: what it should. "-" hangs up, "..." says
 * nothing more. */
struct script {
    const char *greeting, *ehlo, *auth, *mail, *rcpt, *data, *dot, *quit;
    bool starttls;
};

static struct arena *a;
static struct ctx ctx;
static struct refusal why;
static pid_t server;
static int port;
/* What the child has heard, shared with it. */
static struct heard_bytes {
    _Atomic int messages, connections, tls;
    char commands[4096]; /* each with its line's end */
    char message[65536]; /* as it came, dots doubled */
} * got;

/* ---- the server ---- */

/* False to end the connection. */
static bool
say(int fd, const char *special, const char *usual)
{
    const char *s = special == NULL ? usual : special;
    char c;

    if (strcmp(s, "...") == 0)
        while (read(fd, &c, 1) > 0)
            ;
    if (s[0] == '-' || s[0] == '.')
        return false;
    return write(fd, s, strlen(s)) == (ssize_t)strlen(s);
}

static bool
read_line(int fd, char *line, size_t size)
{
    size_t len = 0;

    while (len + 1 < size && read(fd, line + len, 1) == 1)
        if (line[len++] == '\n')
            break;
    line[len] = '\0';
    return len > 0 && line[len - 1] == '\n';
}

static bool
read_message(int fd)
{
    char line[2048];
    size_t len = 0;

    while (read_line(fd, line, sizeof line)) {
        if (strcmp(line, ".\r\n") == 0)
            return true;
        size_t n = strlen(line);
        if (len + n >= sizeof got->message)
            return false;
        memcpy(got->message + len, line, n + 1);
        len += n;
    }
    return false;
}

static bool
begins(const char *line, const char *command)
{
    return strncmp(line, command, strlen(command)) == 0;
}

static void
hear(const char *line)
{
    strncat(got->commands, line, sizeof got->commands - strlen(got->commands) - 1);
}

/* One connection, until somebody hangs up. */
static void
converse(int fd, const struct script *s)
{
    char line[2048];
    const char *features = s->starttls ? "250-here\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n"
                                       : "250-here\r\n250-SIZE 1000000\r\n250 AUTH PLAIN\r\n";
    bool on = say(fd, s->greeting, "220 here ESMTP\r\n");

    while (on && read_line(fd, line, sizeof line)) {
        hear(line);
        if (begins(line, "EHLO")) {
            on = say(fd, s->ehlo, features);
        } else if (begins(line, "STARTTLS")) {
            SSL *ssl = SSL_new(certificate_server());
            say(fd, NULL, "220 go\r\n");
            SSL_set_fd(ssl, fd);
            if (SSL_accept(ssl) == 1 && SSL_read(ssl, line, sizeof line) > 0)
                got->tls++;
            on = false;
        } else if (begins(line, "AUTH")) {
            on = say(fd, NULL, "334 \r\n") && read_line(fd, line, sizeof line);
            hear(line);
            on = on && say(fd, s->auth, "235 fine\r\n");
        } else if (begins(line, "MAIL")) {
            on = say(fd, s->mail, "250 fine\r\n");
        } else if (begins(line, "RCPT")) {
            on = say(fd, s->rcpt, "250 fine\r\n");
        } else if (begins(line, "DATA")) {
            on = say(fd, s->data, "354 go on\r\n");
            if (on && (s->data == NULL || s->data[0] == '3')) {
                on = read_message(fd);
                got->messages += on;
                on = on && say(fd, s->dot, "250 taken\r\n");
            }
        } else {
            on = say(fd, s->quit, "221 bye\r\n") && !begins(line, "QUIT");
        }
    }
}

/* On all addresses: 0.0.0.0 reaches it, and is no loopback by its name. */
static void
serve(const struct script *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 8), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    port = ntohs(address.sin_port);
    server = fork();
    ck_assert_int_ge(server, 0);
    if (server == 0) {
        signal(SIGPIPE, SIG_IGN);
        alarm(30);
        for (;;) {
            int fd = accept(listener, NULL, NULL);
            got->connections++;
            converse(fd, script);
            close(fd);
        }
    }
    close(listener);
}

static void
configure(const char *name, const char *value)
{
    setenv(name, value, 1);
    ck_assert(config_load(NULL, stderr));
}

static void
setup(void)
{
    a = arena_new();
    got = mmap(NULL, sizeof *got, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(got, MAP_FAILED);
    setenv("DATABASE_URL", "dbname=none", 1);
    setenv("TOKEN_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("DATA_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("SMTP_PASSWORD", "mail-secret", 1);
    setenv("MAIL_FROM", "shop@soko.example", 1);
    configure("PROVIDER_TIMEOUT", "2s");
    ctx = (struct ctx){.arena = a, .trace_id = "", .now_ms = NOW};
    log_set_level(LOG_ERROR);
}

static void
teardown(void)
{
    if (server > 0) {
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
    }
    munmap(got, sizeof *got);
    arena_free(a);
}

static const struct script proper = {0};

static void
server_at(const struct script *script, const char *url)
{
    serve(script);
    configure("SMTP_URL", arena_printf(a, "%s:%d", url, port));
}

static enum heard
send_mail(const char *to, const char *subject, const char *text, const char *id)
{
    const struct mail m = {.to = to, .subject = subject, .text = text, .id = id};

    return mail_send(&ctx, &m, &why);
}

static enum heard
send_one(void)
{
    return send_mail("ann@example.com", "Order successful", "Asante.\n", "0189-1");
}

/* ---- what a message looks like ---- */

#define HEAD(subject)                                                                              \
    "From: <shop@soko.example>\r\nTo: <ann@example.com>\r\n" subject                               \
    "Date: Mon, 31 Dec 2035 21:15:07 +0000\r\nMessage-ID: <0189-1@soko.example>\r\n"               \
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"                             \
    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"

START_TEST(a_conversation_is_as_it_should_be)
{
    server_at(&proper, "smtp://us%40soko.example@127.0.0.1");
    ck_assert_int_eq(send_one(), HEARD_DONE);
    ck_assert_str_eq(got->message, HEAD("Subject: Order successful\r\n") "Asante.\r\n");
    ck_assert_int_eq(got->messages, 1);
    /* base64 of "\0us@soko.example\0mail-secret" */
    ck_assert_ptr_nonnull(strstr(got->commands, "AUTH PLAIN"));
    ck_assert_ptr_nonnull(strstr(got->commands, "AHVzQHNva28uZXhhbXBsZQBtYWlsLXNlY3JldA==\r\n"));
    ck_assert_ptr_nonnull(strstr(got->commands, "MAIL FROM:<shop@soko.example>"));
    ck_assert_ptr_nonnull(strstr(got->commands, "RCPT TO:<ann@example.com>\r\nDATA\r\n"));
}
END_TEST

START_TEST(without_a_user_nobody_signs_in)
{
    server_at(&proper, "smtp://127.0.0.1");
    ck_assert_int_eq(send_one(), HEARD_DONE);
    ck_assert_ptr_null(strstr(got->commands, "AUTH"));
}
END_TEST

#define TEN "1234567890"
#define FIFTY TEN TEN TEN TEN TEN

static const struct {
    const char *subject, *header;
} subjects[] = {
    {"Karibu", "Subject: Karibu\r\n"},
    {"", "Subject: \r\n"},
    {FIFTY TEN, "Subject: " FIFTY TEN "\r\n"},
    {FIFTY TEN "x",
     "Subject: =?UTF-8?B?MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1?="
     "\r\n =?UTF-8?B?Njc4OTAxMjM0NTY3ODkweA==?=\r\n"},
    {"Caf\xc3\xa9", "Subject: =?UTF-8?B?Q2Fmw6k=?=\r\n"},
    {"=?UTF-8?B?QQ==?=", "Subject: =?UTF-8?B?PT9VVEYtOD9CP1FRPT0/PQ==?=\r\n"},
    /* 44 bytes and a character of two: it is not cut. */
    {TEN TEN TEN TEN "1234\xc3\xa9",
     "Subject: =?UTF-8?B?MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ=?="
     "\r\n =?UTF-8?B?w6k=?=\r\n"},
};

START_TEST(subjects_are_one_header)
{
    server_at(&proper, "smtp://127.0.0.1");
    ck_assert_int_eq(send_mail("ann@example.com", subjects[_i].subject, "x", "0189-1"), HEARD_DONE);
    ck_assert_str_eq(got->message, arena_printf(a, HEAD("%s") "x\r\n", subjects[_i].header));
}
END_TEST

static const struct {
    const char *text, *lines;
} texts[] = {
    {"", ""},
    {"a\nb", "a\r\nb\r\n"},
    {"a\n\nb\n", "a\r\n\r\nb\r\n"},
    {"1 = 1\n", "1 =3D 1\r\n"},
    {"Caf\xc3\xa9\n", "Caf=C3=A9\r\n"},
    {"blank at the end \n\ttab\t\n", "blank at the end=20\r\n\ttab=09\r\n"},
    {"a\r\nb\x01\x7f\n", "a=0D\r\nb=01=7F\r\n"},
    /* 76 characters stay, 77 do not. */
    {FIFTY TEN TEN "123456\n", FIFTY TEN TEN "123456\r\n"},
    {FIFTY TEN TEN "1234567\n", FIFTY TEN TEN "12345=\r\n67\r\n"},
    {FIFTY TEN TEN "1234\xc3\xa9\n", FIFTY TEN TEN "1234=\r\n=C3=A9\r\n"},
    {FIFTY TEN TEN "12345 \n", FIFTY TEN TEN "12345=\r\n=20\r\n"},
    /* A dot that begins a line is doubled on the wire. */
    {".\nx\n.hidden\n", "..\r\nx\r\n..hidden\r\n"},
    {"x\n.", "x\r\n..\r\n"},
    {".\r\nQUIT\r\n", "..=0D\r\nQUIT=0D\r\n"},
};

START_TEST(texts_are_quoted)
{
    const char *lines = texts[_i].lines;

    /* A dot alone is never the end of the message. */
    server_at(&proper, "smtp://127.0.0.1");
    ck_assert_int_eq(send_mail("ann@example.com", "s", texts[_i].text, "0189-1"), HEARD_DONE);
    if (strcmp(texts[_i].text, ".\r\nQUIT\r\n") == 0)
        lines = "..=0D\r\nQUIT=0D\r\n";
    ck_assert_str_eq(got->message, arena_printf(a, HEAD("Subject: s\r\n") "%s", lines));
    ck_assert_int_eq(got->messages, 1);
}
END_TEST

static const struct {
    const char *to, *subject, *text, *id;
} injections[] = {
    {"ann@example.com\r\nBcc: all@example.com", "s", "x", "1"},
    {"ann@example.com\nx", "s", "x", "1"},
    {"ann@example.com>, <bob@example.com", "s", "x", "1"},
    {"ann@example.com,bob@example.com", "s", "x", "1"},
    {"ann@example.com bob", "s", "x", "1"},
    {"Ann <ann@example.com>", "s", "x", "1"},
    {"ann@@example.com", "s", "x", "1"},
    {"@example.com", "s", "x", "1"},
    {"ann@", "s", "x", "1"},
    {"ann", "s", "x", "1"},
    {"", "s", "x", "1"},
    {NULL, "s", "x", "1"},
    {"\xc3\xa9@example.com", "s", "x", "1"},
    {"ann@example.com", "s\r\nBcc: all@example.com", "x", "1"},
    {"ann@example.com", "s\nBcc: all@example.com", "x", "1"},
    {"ann@example.com", "s\rBcc: all@example.com", "x", "1"},
    {"ann@example.com", "\xff", "x", "1"},
    {"ann@example.com", "s", "\xff", "1"},
    {"ann@example.com", "s", "x", "1>\r\nBcc: all@example.com"},
    {"ann@example.com", "s", "x", "a@b"},
    {"ann@example.com", "s", "x", ""},
    {"ann@example.com", "s", "x", NULL},
};

START_TEST(no_value_makes_a_header)
{
    server_at(&proper, "smtp://127.0.0.1");
    ck_assert_int_eq(send_mail(injections[_i].to, injections[_i].subject, injections[_i].text,
                               injections[_i].id),
                     HEARD_REFUSED);
    ck_assert_int_eq(got->connections, 0);
}
END_TEST

START_TEST(without_server_or_sender_nothing_is_sent)
{
    server_at(&proper, "smtp://127.0.0.1");
    configure("MAIL_FROM", _i == 0 ? "" : "Shop <shop@soko.example>");
    ck_assert_int_eq(send_one(), HEARD_NOT_SENT);
    configure("MAIL_FROM", "shop@soko.example");
    configure("SMTP_URL", "");
    ck_assert_int_eq(send_one(), HEARD_NOT_SENT);
    ck_assert_int_eq(got->connections, 0);
}
END_TEST

/* ---- what a failure means ---- */

static const struct failure {
    struct script script;
    enum heard heard;
    int status;
} failures[] = {
    /* For good. */
    {{.rcpt = "550 no such user\r\n"}, HEARD_REFUSED, 550},
    {{.mail = "553 not you\r\n"}, HEARD_REFUSED, 553},
    {{.data = "554 no\r\n"}, HEARD_REFUSED, 554},
    {{.dot = "550 spam\r\n"}, HEARD_REFUSED, 550},
    {{.rcpt = "550 no such user\r\n", .quit = "..."}, HEARD_REFUSED, 550},
    /* Later: it was not taken. */
    {{.greeting = "554 no service\r\n"}, HEARD_NOT_SENT, -1},
    {{.greeting = "421 busy\r\n"}, HEARD_NOT_SENT, -1},
    {{.greeting = "-"}, HEARD_NOT_SENT, -1},
    {{.greeting = "..."}, HEARD_NOT_SENT, -1},
    {{.greeting = "SSH-2.0-OpenSSH\r\n"}, HEARD_NOT_SENT, -1},
    {{.ehlo = "-"}, HEARD_NOT_SENT, -1},
    {{.auth = "535 wrong password\r\n"}, HEARD_NOT_SENT, -1},
    {{.mail = "451 later\r\n"}, HEARD_NOT_SENT, 451},
    {{.mail = "-"}, HEARD_NOT_SENT, -1},
    {{.rcpt = "450 greylisted\r\n"}, HEARD_NOT_SENT, 450},
    {{.rcpt = "..."}, HEARD_NOT_SENT, -1},
    {{.data = "451 later\r\n"}, HEARD_NOT_SENT, 451},
    {{.data = "-"}, HEARD_NOT_SENT, -1},
    {{.data = "..."}, HEARD_NOT_SENT, -1},
    {{.dot = "451 later\r\n"}, HEARD_NOT_SENT, 451},
    /* Nobody knows. */
    {{.dot = "-"}, HEARD_NOTHING, -1},
    {{.dot = "..."}, HEARD_NOTHING, -1},
    /* Taken, whatever comes after. */
    {{.quit = "-"}, HEARD_DONE, 250},
    {{.quit = "..."}, HEARD_DONE, 250},
    {{.quit = "500 what?\r\n"}, HEARD_DONE, 250},
};

START_TEST(a_failure_means_what_is_certain)
{
    const struct failure *row = &failures[_i];

    configure("PROVIDER_TIMEOUT", "700ms");
    server_at(&row->script, "smtp://us@127.0.0.1");
    ck_assert_int_eq(send_one(), row->heard);
    if (row->status >= 0)
        ck_assert_int_eq(why.status, row->status);
    if (row->heard == HEARD_REFUSED)
        ck_assert_str_eq(why.code, arena_printf(a, "%d", row->status));
    ck_assert_int_eq(got->connections, 1);
}
END_TEST

START_TEST(nobody_listens)
{
    configure("SMTP_URL", _i == 0 ? "smtp://127.0.0.1:1" : "smtps://nowhere.invalid");
    ck_assert_int_eq(send_one(), HEARD_NOT_SENT);
}
END_TEST

/* ---- TLS ---- */

/* 0.0.0.0 is this machine, but not loopback by its name: what is demanded of a server elsewhere. */
START_TEST(beyond_loopback_nothing_is_said_in_the_clear)
{
    static const struct script tls = {.starttls = true};

    server_at(_i == 0 ? &proper : &tls, "smtp://us@0.0.0.0");
    ck_assert_int_eq(send_one(), HEARD_NOT_SENT);
    ck_assert_int_eq(got->connections, 1);
    ck_assert_ptr_null(strstr(got->commands, "AUTH"));
    ck_assert_ptr_null(strstr(got->commands, "MAIL"));
    /* A certificate that nobody vouches for gets not a byte either. */
    ck_assert((strstr(got->commands, "STARTTLS") != NULL) == (_i == 1));
    ck_assert_int_eq(got->tls, 0);
}
END_TEST

/* TLS from the first byte, where the server speaks none. */
START_TEST(smtps_speaks_no_clear_text)
{
    server_at(&proper, "smtps://us@127.0.0.1");
    configure("PROVIDER_TIMEOUT", "700ms");
    ck_assert_int_eq(send_one(), HEARD_NOT_SENT);
    ck_assert_ptr_null(strstr(got->commands, "EHLO"));
}
END_TEST

static const struct {
    const char *url;
    bool good;
} urls[] = {
    {"", true},
    {"smtp://host", true},
    {"smtp://host:587", true},
    {"smtps://user@host:465", true},
    {"smtps://user%40example.com@host:465", true},
    {"smtp://[::1]:25", true},
    {"smtp://host/", true},
    {"SMTP://host", false},
    {"host:25", false},
    {"http://host", false},
    {"file:///etc/passwd", false},
    {"smtp://", false},
    {"smtp://user:password@host", false},
    {"smtp://host/path", false},
    {"smtp://host?x=y", false},
    {"smtp://host#x", false},
    {"smtp://host:99999", false},
    {"smtp://a b", false},
    {"smtp://host\r\nx", false},
};

START_TEST(urls_are_judged)
{
    const char *fault = mail_url_fault(urls[_i].url);

    ck_assert_msg((fault == NULL) == urls[_i].good, "%s", urls[_i].url);
    if (fault != NULL)
        ck_assert_ptr_null(strstr(fault, "host:"));
}
END_TEST

START_TEST(nothing_secret_is_logged)
{
    static const struct script refusing = {.rcpt = "550 ann@example.com is unknown\r\n"};

    server_at(&refusing, "smtp://us@127.0.0.1");
    log_set_level(LOG_DEBUG);
    int fd = log_capture();
    ck_assert_int_eq(send_one(), HEARD_REFUSED);
    const char *said = log_captured(fd);
    ck_assert_ptr_nonnull(strstr(said, "mail"));
    ck_assert_ptr_null(strstr(said, "ann@"));
    ck_assert_ptr_null(strstr(said, "mail-secret"));
    ck_assert_ptr_null(strstr(said, "Asante"));
    ck_assert_ptr_null(strstr(said, "Order"));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("mail");
    TCase *t = tcase_create("mail");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, a_conversation_is_as_it_should_be);
    tcase_add_test(t, without_a_user_nobody_signs_in);
    tcase_add_loop_test(t, subjects_are_one_header, 0, COUNT(subjects));
    tcase_add_loop_test(t, texts_are_quoted, 0, COUNT(texts));
    tcase_add_loop_test(t, no_value_makes_a_header, 0, COUNT(injections));
    tcase_add_loop_test(t, without_server_or_sender_nothing_is_sent, 0, 2);
    tcase_add_loop_test(t, a_failure_means_what_is_certain, 0, COUNT(failures));
    tcase_add_loop_test(t, nobody_listens, 0, 2);
    tcase_add_loop_test(t, beyond_loopback_nothing_is_said_in_the_clear, 0, 2);
    tcase_add_test(t, smtps_speaks_no_clear_text);
    tcase_add_loop_test(t, urls_are_judged, 0, COUNT(urls));
    tcase_add_test(t, nothing_secret_is_logged);
    suite_add_tcase(s, t);
    return run_suite(s);
}
