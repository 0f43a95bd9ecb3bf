/*
 * A request's parameters and body as nginx passes them on: names and values are a client's, the
 * records around them are nginx's. An input is names and values, each with a NUL behind it, an
 * empty name, and the body.
 *
 * The records themselves are not fuzzed: who speaks them is nginx (the socket's mode, and for TCP
 * IPAddressAllow, let nobody else in), and libfcgi believes him: it asks for as much memory as a
 * length says, and ends the process if there is none.
 */
#include "base/text.h"
#include "fuzz.h"
#include "io/fcgi.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BODY_CAP ((size_t)1024)
#define INPUT_MAX ((size_t)4096) /* what the socket holds without a reader, many times over */

static const char *const params[] = {"REQUEST_METHOD",     "REQUEST_URI",          "CONTENT_TYPE",
                                     "HTTP_AUTHORIZATION", "HTTP_IDEMPOTENCY_KEY", "SOKO_ARRIVAL"};
static volatile sig_atomic_t stop;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_len;
static struct fcgi *fcgi;

/* An abstract socket: no file is left behind. */
static void
listen_once(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address_len = sizeof(sa_family_t);
    DEMAND(fd >= 0 && bind(fd, (struct sockaddr *)&address, address_len) == 0);
    address_len = sizeof address;
    DEMAND(getsockname(fd, (struct sockaddr *)&address, &address_len) == 0 && listen(fd, 8) == 0);
    fcgi = fcgi_new(fd);
}

/* One record, of at most 65535 bytes. */
static void
put_record(struct text *t, int type, const char *content, size_t len)
{
    const char head[8] = {1, (char)type, 0, 1, (char)(len >> 8), (char)len, 0, 0};

    text_add(t, head, sizeof head);
    text_add(t, content, len);
}

/* A stream, in records of `step` bytes, and its end. */
static void
put_stream(struct text *t, int type, const char *content, size_t len, size_t step)
{
    for (size_t at = 0; at < len; at += step)
        put_record(t, type, content + at, len - at < step ? len - at : step);
    put_record(t, type, "", 0);
}

static void
put_length(struct text *t, size_t len)
{
    if (len > 127)
        for (int shift = 24; shift > 0; shift -= 8)
            text_putc(t, (char)((len >> shift & 0xff) | (shift == 24 ? 0x80 : 0)));
    text_putc(t, (char)len);
}

static struct text
request_of(struct arena *a, const uint8_t *data, size_t size)
{
    struct text pairs = text_new(a, 8 * size + 64), all = text_new(a, 32 * size + 4096);
    const size_t step = size > 0 ? 1 + data[size - 1] % 61 : 1;

    while (size > 0) {
        const char *name = fuzz_piece(a, &data, &size);
        if (name[0] == '\0')
            break;
        const char *value = fuzz_piece(a, &data, &size);
        put_length(&pairs, strlen(name));
        put_length(&pairs, strlen(value));
        text_puts(&pairs, name);
        text_puts(&pairs, value);
    }
    put_record(&all, 1, "\0\1\0\0\0\0\0\0", 8);
    put_stream(&all, 4, pairs.data, pairs.len, step);
    put_stream(&all, 5, (const char *)data, size, step);
    DEMAND(!pairs.overflow && !all.overflow);
    return all;
}

/* Sends all, says that no more comes. */
static int
speak(const char *data, size_t size)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    DEMAND(fd >= 0 && connect(fd, (struct sockaddr *)&address, address_len) == 0);
    DEMAND(send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size);
    shutdown(fd, SHUT_WR);
    return fd;
}

static void
serve(struct arena *a)
{
    const char *body;
    size_t len = 0;

    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++) {
        const char *value = fcgi_param(fcgi, a, params[i]);
        DEMAND(value == NULL || (value[0] != '\0' && fcgi_has_param(fcgi, params[i])));
    }
    if (fcgi_body(fcgi, a, BODY_CAP, &body, &len) == OK)
        DEMAND(len <= BODY_CAP && body[len] == '\0');
    fcgi_send(fcgi, "Status: 200\r\n\r\n{}", 17);
    fcgi_finish(fcgi);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = fuzz_arena();
    char answer[64];

    if (size > INPUT_MAX)
        return 0;
    if (fcgi == NULL)
        listen_once();
    struct text request = request_of(a, data, size);
    int peer = speak(request.data, request.len);
    DEMAND(fcgi_accept(fcgi, &stop));
    serve(a);
    DEMAND(recv(peer, answer, sizeof answer, 0) > 0);
    close(peer);
    return 0;
}
