/*
 * io/replica: a second PostgreSQL for reads that need not be the newest.
 *
 * The replica is a hot standby (or any server that has the same rows). Whoever reads there sees
 * what the primary had at most `lag_ms` ago; if that cannot be promised, because the replica is
 * away, too far behind, or refuses, the primary is asked, and nobody is told but the log. While the
 * primary itself is away the replica goes on as it was judged last: nobody can write then.
 *
 * Nothing is ever written through it: its sessions are read only, whatever server they reach.
 */
#ifndef SOKO_IO_REPLICA_H
#define SOKO_IO_REPLICA_H

#include "io/pg.h"

struct replica;

/* pg_url_fault(), but that "" is no replica, and no fault. */
const char *replica_url_fault(const char *url);

/* `options`: as of pg_new(), with the replica's url; `standby` is set here. The table of statements
 * must have TX_POSITION; aborts if not. Does not connect yet. Ends with replica_free(). */
struct replica *replica_new(const struct pg_options *options, int64_t lag_ms);
void replica_free(struct replica *r);

/* Whether reads may go there now. Asks both servers how far they are, at most four times in lag_ms,
 * and once a second at least; ctx->pg is the primary, outside of a transaction. Connects if there
 * is no connection; after a failure not before a pause, from one second, doubled to half a minute.
 * `r` may be NULL: no. */
bool replica_is_good(struct replica *r, struct ctx *ctx);

/* Runs read(ctx, arg) with ctx->pg being the replica, which replica_is_good() has just found good.
 * False: the primary has to be asked, since the replica could not answer (no connection, a conflict
 * with recovery, a time-out, an error), or knows nothing of the thing (ERR_NOT_FOUND: it may be
 * new); then there are no problems in ctx. True: *e is the answer. */
bool replica_read(struct replica *r, struct ctx *ctx, enum err (*read)(struct ctx *ctx, void *arg),
                  void *arg, enum err *e);

#endif
