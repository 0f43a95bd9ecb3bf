/*
 * app: one request from its arrival to its log line.
 *
 * Match, limit, authorise, read, run, commit, reply, log, reset. Endpoints know nothing of all
 * this; it is the same for each.
 */
#ifndef SOKO_APP_H
#define SOKO_APP_H

#include "prefork.h"
#include "routes.h"

/* Serves requests from the socket `fd` over the given table until *stop or old age: the child of
 * soko-api's prefork. Connects to PostgreSQL first; PREFORK_UNFIT if a statement cannot be
 * prepared. Tests pass a table of their own. */
int app_serve(int fd, const struct route *table, size_t count, enum pool pool, struct slot *slot,
              const volatile sig_atomic_t *stop);

#endif
