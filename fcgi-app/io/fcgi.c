/*
 * io/fcgi: FastCGI requests by libfcgi's fcgiapp interface.
 *
 * We accept(2) ourselves and hand libfcgi the connection, as if it were one that was kept. Its own
 * accept would do with SIGTERM let through for the whole request: libfcgi takes an interrupted read
 * or write for a peer that left, so a worker told to stop dropped the request that it had just
 * taken, and cut uploads short. Here SIGTERM is blocked at all times but in our accept(2): whoever
 * has a connection serves it to its end, and then sees *stop. libfcgi is given no listening socket,
 * so that FCGX_Accept_r comes back to us when a peer has left instead of waiting for another where
 * no signal reaches it.
 *
 * A signal that arrives between the test of *stop and accept(2) is lost: the parent repeats its
 * SIGTERM until the worker is gone, so nothing finer is needed here. Rejected: ppoll(2), which
 * would close that gap, but wakes every idle worker for each request. nginx is told to keep no
 * connection, because a kept one pins a blocking worker; one that says nothing is closed after
 * PEER_TIMEOUT for the same reason.
 *
 * libfcgi writes with write(2), so SIGPIPE is ignored: a client that left is an answer not sent,
 * not a worker killed.
 */
#include "io/fcgi.h"

#include "base/log.h"

#include <errno.h>
#include <fcgiapp.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define LENGTH_DIGITS 18
#define NO_LISTENER (-1)
#define PEER_TIMEOUT 5 /* seconds between two pieces of a request; nginx sends it at once */

struct fcgi {
    FCGX_Request request;
    int listener;
    bool open; /* between accept and finish */
};

static void
die(const char *what)
{
    log_event(LOG_ERROR, EVENT("fcgi.failed"), TEXT("error.message", what));
    abort();
}

/* Lets SIGTERM through, or holds it back. */
static void
let_stop(bool through)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(through ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
}

struct fcgi *
fcgi_new(int fd)
{
    struct fcgi *f = calloc(1, sizeof *f);

    if (f == NULL)
        die("out of memory");
    if (FCGX_Init() != 0 || FCGX_InitRequest(&f->request, NO_LISTENER, 0) != 0)
        die("libfcgi cannot start");
    f->listener = fd;
    signal(SIGPIPE, SIG_IGN);
    let_stop(false);
    return f;
}

void
fcgi_free(struct fcgi *f)
{
    if (f == NULL)
        return;
    fcgi_finish(f);
    FCGX_Free(&f->request, 1);
    free(f);
}

/* A connection, or -1 with errno: a signal, or no descriptor left. Once there is a connection it is
 * ours, whatever signal comes. */
static int
take(int listener, const volatile sig_atomic_t *stop)
{
    int fd = -1;

    errno = EINTR;
    let_stop(true);
    if (*stop == 0)
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    int why = errno;
    let_stop(false);
    errno = why;
    return fd;
}

/* No answer waits for more of it to be sent together; a unix socket knows no such thing. */
static void
prepare(int fd)
{
    const struct timeval patience = {.tv_sec = PEER_TIMEOUT};
    const int yes = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

bool
fcgi_accept(struct fcgi *f, const volatile sig_atomic_t *stop)
{
    const struct timespec pause = {.tv_nsec = 10000000};

    fcgi_finish(f);
    while (*stop == 0) {
        int fd = take(f->listener, stop);
        if (fd < 0) {
            if (errno != EINTR && errno != ECONNABORTED)
                nanosleep(&pause, NULL); /* there may be a descriptor again */
            continue;
        }
        prepare(fd);
        f->request.ipcFd = fd;
        f->request.keepConnection = 1; /* or FCGX_Accept_r would begin by closing it */
        if (FCGX_Accept_r(&f->request) == 0) {
            f->open = true;
            return true;
        }
        /* The peer left before it had said what it wants; libfcgi has closed the connection. */
    }
    return false;
}

const char *
fcgi_param(struct fcgi *f, struct arena *a, const char *name)
{
    const char *value = FCGX_GetParam(name, f->request.envp);

    return value == NULL || value[0] == '\0' ? NULL : arena_strdup(a, value);
}

bool
fcgi_has_param(struct fcgi *f, const char *name)
{
    return FCGX_GetParam(name, f->request.envp) != NULL;
}

enum err
fcgi_body(struct fcgi *f, struct arena *a, size_t cap, const char **data, size_t *len)
{
    const char *length = FCGX_GetParam("CONTENT_LENGTH", f->request.envp);
    size_t n = 0;

    *data = "";
    *len = 0;
    if (length == NULL || length[0] == '\0')
        return OK;
    if (strspn(length, "0123456789") != strlen(length))
        return ERR_VALIDATION;
    if (strlen(length) > LENGTH_DIGITS)
        return ERR_PAYLOAD_TOO_LARGE;
    for (const char *p = length; *p != '\0'; p++)
        n = n * 10 + (size_t)(*p - '0');
    if (n > cap || n > INT_MAX)
        return ERR_PAYLOAD_TOO_LARGE;
    if (n == 0)
        return OK;

    char *body = arena_alloc(a, n + 1);
    if (FCGX_GetStr(body, (int)n, f->request.in) != (int)n)
        return ERR_VALIDATION;
    *data = body;
    *len = n;
    return OK;
}

bool
fcgi_send(struct fcgi *f, const char *data, size_t len)
{
    while (len > 0) {
        int part = len > INT_MAX ? INT_MAX : (int)len;
        if (FCGX_PutStr(data, part, f->request.out) != part)
            return false;
        data += part;
        len -= (size_t)part;
    }
    return FCGX_GetError(f->request.out) == 0;
}

void
fcgi_finish(struct fcgi *f)
{
    if (f->open)
        FCGX_Finish_r(&f->request);
    f->open = false;
}
