/*
 * prefork_notify: what a service tells systemd (the protocol of sd_notify(3), by hand).
 */
#ifndef SOKO_PREFORK_NOTIFY_H
#define SOKO_PREFORK_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct prefork_notify {
    struct sockaddr_un to;
    socklen_t to_len;    /* 0: nobody listens */
    int64_t watchdog_ns; /* how often WATCHDOG=1 is due: half of $WATCHDOG_USEC; 0: never */
};

/* Reads $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID, and removes them from the environment, so
 * that no child speaks for its parent. A NOTIFY_SOCKET that cannot be an address is logged, and
 * then nobody listens. */
void prefork_notify_init(struct prefork_notify *n);

/* Sends one message, lines of NAME=value. Never blocks. False if it was not taken: send it again
 * later if it matters. True if nobody listens. */
bool prefork_notify_send(const struct prefork_notify *n, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
