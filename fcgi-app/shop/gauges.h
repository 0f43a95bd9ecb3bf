/*
 * shop/gauges: what the database says of the shop, for the metrics: queues, open payments, what
 * waits for a person, and whether the books agree. Read by a process of soko-jobs that does nothing
 * else (watch.h).
 */
#ifndef SOKO_SHOP_GAUGES_H
#define SOKO_SHOP_GAUGES_H

#include "io/ctx.h"

/* Sets the gauges that cost some index lookups. On an error those that could not be read stay as
 * they are, and so does the time of the last reading. */
enum err gauges_often(struct ctx *ctx);

/* Sets those that take a look at every order, payment, refund and ledger entry: seconds for some
 * millions. */
enum err gauges_full(struct ctx *ctx);

#endif
