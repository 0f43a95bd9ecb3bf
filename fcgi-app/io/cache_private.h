/*
 * io/cache_private: one Redis by hiredis, one blocking connection a worker: cache_server.c. For
 * io/cache.c alone.
 *
 * A failure closes the connection and notes why; then nothing is tried for a while.
 */
#ifndef SOKO_IO_CACHE_PRIVATE_H
#define SOKO_IO_CACHE_PRIVATE_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache_server {
    char *password; /* NULL: none */
    char *path;     /* of a unix socket, else NULL */
    char *host;
    int port;
    int64_t timeout_ms;
    int64_t pause_max_ns; /* a pause is doubled up to it */
    redisContext *conn;   /* NULL: not connected */
    int64_t retry_at_ns, pause_ns;
    char why[128]; /* what was wrong last */
};

/* What is wrong with one address of `len` bytes; NULL if nothing is. `port`: it must be said. */
const char *cache_server_fault(const char *address, size_t len, bool port);

/* *s is all zeroes. False if there is no memory. `alone`: there is no other to ask meanwhile, so
 * pauses stay short. */
bool cache_server_init(struct cache_server *s, const char *address, size_t len, int64_t timeout_ms,
                       bool alone);
void cache_server_end(struct cache_server *s);

/* Whether a command can be sent now; connects if need be. */
bool cache_server_ready(struct cache_server *s);

/* One command and its reply (the caller's to free); NULL if the connection broke. */
redisReply *cache_server_ask(struct cache_server *s, int argc, const char **argv);

/* The same in two halves, so that several commands make one round trip. False: it broke. */
bool cache_server_send(struct cache_server *s, int argc, const char **argv);
redisReply *cache_server_reply(struct cache_server *s);

/* It has answered well. */
void cache_server_worked(struct cache_server *s);

/* It is of no use for a while, though it answers. */
void cache_server_leave(struct cache_server *s, const char *why);

#endif
