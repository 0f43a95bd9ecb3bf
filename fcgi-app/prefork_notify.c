/*
 * A message is one datagram from a socket made for it: a few a minute, so the cost is nothing, and
 * no descriptor stays open that a child could inherit.
 *
 * Rejected: libsystemd, a library for 60 lines; a blocking send, since the parent must not hang
 * because systemd does.
 */
#include "prefork_notify.h"

#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX 512
#define NS_PER_US INT64_C(1000)

static void
read_address(struct prefork_notify *n)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path != NULL ? strlen(path) : 0;

    if (len == 0)
        return;
    if ((path[0] != '/' && path[0] != '@') || len >= sizeof n->to.sun_path) {
        log_event(LOG_WARN, EVENT("prefork.notify"),
                  TEXT("error.message", "NOTIFY_SOCKET is no address of a unix socket"));
        return;
    }
    n->to.sun_family = AF_UNIX;
    memcpy(n->to.sun_path, path, len);
    if (path[0] == '@')
        n->to.sun_path[0] = '\0'; /* an abstract name: exactly its bytes, no NUL at its end */
    n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

/* A positive decimal, or 0. */
static int64_t
number_from_env(const char *name)
{
    const char *s = getenv(name);
    char *end = NULL;

    if (s == NULL || s[0] < '0' || s[0] > '9')
        return 0;
    errno = 0;
    long long n = strtoll(s, &end, 10);
    return errno == 0 && *end == '\0' ? n : 0;
}

static int64_t
watchdog_interval(void)
{
    int64_t us = number_from_env("WATCHDOG_USEC");

    if (us > INT64_MAX / NS_PER_US)
        return 0;
    if (getenv("WATCHDOG_PID") != NULL && number_from_env("WATCHDOG_PID") != getpid())
        return 0;
    return us * NS_PER_US / 2;
}

void
prefork_notify_init(struct prefork_notify *n)
{
    memset(n, 0, sizeof *n);
    read_address(n);
    n->watchdog_ns = watchdog_interval();
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

bool
prefork_notify_send(const struct prefork_notify *n, const char *fmt, ...)
{
    char message[MESSAGE_MAX];
    va_list ap;

    if (n->to_len == 0)
        return true;
    va_start(ap, fmt);
    int len = vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    if (len < 0 || (size_t)len >= sizeof message)
        return false;

    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    ssize_t sent =
        sendto(fd, message, (size_t)len, MSG_NOSIGNAL, (const struct sockaddr *)&n->to, n->to_len);
    close(fd);
    return sent == len;
}
