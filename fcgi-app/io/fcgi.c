/*
 * io/fcgi: FastCGI requests by libfcgi's fcgiapp interface.
 *
 * FCGI_FAIL_ACCEPT_ON_INTR makes a signal end the wait in accept(2); without it FCGX_Accept_r
 * would go on for ever. A signal that arrives between the test of *stop and accept(2) is lost: the
 * parent repeats its SIGTERM until the worker is gone, so nothing finer (a self-pipe, ppoll) is
 * needed here. nginx is told to keep no connection, because a kept one pins a blocking worker.
 *
 * libfcgi writes with write(2), so SIGPIPE is ignored: a client that left is an answer not sent,
 * not a worker killed.
 */
#include "io/fcgi.h"

#include "base/log.h"

#include <fcgiapp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LENGTH_DIGITS 18

struct fcgi {
    FCGX_Request request;
    bool open; /* between accept and finish */
};

static void
die(const char *what)
{
    log_event(LOG_ERROR, EVENT("fcgi.failed"), TEXT("error.message", what));
    abort();
}

struct fcgi *
fcgi_new(int fd)
{
    struct fcgi *f = calloc(1, sizeof *f);

    if (f == NULL)
        die("out of memory");
    if (FCGX_Init() != 0 || FCGX_InitRequest(&f->request, fd, FCGI_FAIL_ACCEPT_ON_INTR) != 0)
        die("libfcgi cannot start");
    signal(SIGPIPE, SIG_IGN);
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

bool
fcgi_accept(struct fcgi *f, const volatile sig_atomic_t *stop)
{
    const struct timespec pause = {.tv_nsec = 10000000};

    fcgi_finish(f);
    while (*stop == 0) {
        if (FCGX_Accept_r(&f->request) == 0) {
            f->open = true;
            return true;
        }
        /* A signal, a peer that left at once, or no descriptor left: the last needs time. */
        if (*stop == 0)
            nanosleep(&pause, NULL);
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
