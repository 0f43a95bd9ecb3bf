/*
 * io/pg_probe: what can be told of a database from its address alone, for sokoctl: why a server
 * does not let us in, and what its own programs (pg_dump, psql) must be told to go the same way.
 */
#ifndef SOKO_IO_PG_PROBE_H
#define SOKO_IO_PG_PROBE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* What a connection says of itself. Texts are in the arena, never NULL. */
struct pg_probe {
    const char *why; /* not reached: in libpq's words, which quote no password */
    const char *role, *host, *database;
    int version;   /* 150014 is 15.14 */
    bool is_local; /* by a socket, or this host's own address */
    bool has_tls;
};

/* Connects once, looks, and leaves. False if that fails: `why` alone is set. `connect_ms` is
 * rounded up to seconds. */
bool pg_probe(struct arena *a, const char *url, int64_t connect_ms, struct pg_probe *out);

/* The database that `url` names; "" if it names none, or is none. */
const char *pg_url_database(struct arena *a, const char *url);

/* The same address with another database, as key=value pairs; NULL if `url` is none. It holds the
 * password. */
const char *pg_url_with(struct arena *a, const char *url, const char *database);

/* What libpq's own programs read from their environment to go where `url` leads, as NAME=value,
 * with a NULL at the end: no password stands on a command line. NULL if `url` is none. */
const char *const *pg_url_environment(struct arena *a, const char *url);

#endif
