/*
 * io/tx: one transaction around a piece of work, and what may happen only after it.
 *
 * Isolation is READ COMMITTED: each statement sees what was committed before it began. What a
 * decision rests on is locked first (CART_LOCK, ORDERS_LOCK) or guarded in the statement that
 * writes (CATALOG_STOCK_TAKE). Locks are taken in this sequence everywhere: the idempotency key,
 * the cart, the order, its payments, stock by product id.
 *
 * Here, and nowhere else, work is run again: on a serialization failure, a deadlock, or a
 * connection that died before COMMIT was sent. The work must therefore have no effect but on the
 * database; anything else (Redis, files) is registered by after_commit() and idempotent.
 */
#ifndef SOKO_IO_TX_H
#define SOKO_IO_TX_H

#include "io/ctx.h"

/* Runs work(ctx, arg) between BEGIN and COMMIT, at most 5 times. The work's error rolls back and is
 * returned, unless it called tx_keep(). Once committed, what it registered is run in order. Each
 * run starts with no problems and nothing registered. ERR_RERUN and ERR_LOST never leave:
 * after the last attempt they are ERR_SERVICE_UNAVAILABLE. */
enum err tx_run(struct ctx *ctx, enum err (*work)(struct ctx *ctx, void *arg), void *arg);

/* The same for reads of a single statement each: no BEGIN, no COMMIT, the same second chance. */
enum err tx_read(struct ctx *ctx, enum err (*work)(struct ctx *ctx, void *arg), void *arg);

/* For work that refuses and yet must leave a mark (a stolen refresh token ends its family, and the
 * thief gets 401): commit although the work returns an error. */
void tx_keep(struct ctx *ctx);

/* Runs effect(ctx, arg) once the transaction is committed. Its failure is its own to log. */
void after_commit(struct ctx *ctx, void (*effect)(struct ctx *ctx, void *arg), void *arg);

#endif
