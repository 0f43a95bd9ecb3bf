/*
 * shop/payments: money in, and money back.
 *
 * Whatever a provider says, and however it reaches us, ends in payments_settle(), whose effect
 * happens once (design, section 7). The functions of soko-jobs below it are consumers of events.
 */
#ifndef SOKO_SHOP_PAYMENTS_PAYMENTS_H
#define SOKO_SHOP_PAYMENTS_PAYMENTS_H

#include "io/ctx.h"
#include "shop/orders/orders.h"
#include "shop/outbox.h"
#include "shop/payments/rules.h"

#include <stdint.h>

/* What a provider says of one attempt. */
struct verdict {
    struct uuid payment;
    const char *provider;
    const char *event_id; /* unique for the provider: the same word heard twice has one effect */
    enum outcome outcome;
    int64_t amount; /* what was paid, in minor units; compared before anything is marked */
    const char *currency;
    const char *receipt; /* or NULL */
};

/* Applies a verdict: payment, order and what follows in one transaction, which the caller owns. OK
 * also when it was heard before or changes nothing. Money that does not match is parked as
 * needs_review; money for an order that is cancelled, or paid already, goes back. */
enum err payments_settle(struct ctx *ctx, const struct verdict *v);

/* Under the order's lock: asks for a refund of what was paid above what its live parts cost. State,
 * not difference: called twice, the second finds nothing left to ask for. */
enum err payments_refund_excess(struct ctx *ctx, const struct order *o, const char *reason);

/* Consumers. order.created: opens an attempt for an order that is paid by the provider simulated.
 */
enum err payments_begin(struct ctx *ctx, const struct delivery *d);
/* payment.initiated: asks the provider simulated, who pays always. */
enum err payments_ask(struct ctx *ctx, const struct delivery *d);
/* order.cancelled and part.cancelled. */
enum err payments_refund_order(struct ctx *ctx, const struct delivery *d);
enum err payments_refund_part(struct ctx *ctx, const struct delivery *d);
/* refund.requested: pays it back through the provider simulated, who is never short. */
enum err payments_pay_refund(struct ctx *ctx, const struct delivery *d);

#endif
