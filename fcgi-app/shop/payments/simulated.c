/*
 * The provider of demo shops. It goes the way that a real one goes: an attempt is committed first,
 * then asked about, then settled by its verdict; only that nobody is called.
 */
#include "io/pg.h"
#include "shop/payments/attempts.h"
#include "shop/stmt.h"

#define RECEIPT_LENGTH 10

static const struct uuid nobody;

enum err
payments_begin(struct ctx *ctx, const struct delivery *d)
{
    struct order o;
    int64_t added;
    struct uuid id = uuid_v7(ctx->now_ms);

    enum err e = orders_lock(ctx, d->subject, nobody, &o);
    if (e != OK || o.method != METHOD_SIMULATED || o.status != PART_PENDING)
        return e;
    e = pg_touch(ctx, PAYMENTS_ADD, &added, ARG_ID(id), ARG_ID(o.id),
                 ARG_TEXT(PROVIDER_NAME_SIMULATED), ARG_INT(payments_due(&o)), ARG_TEXT(o.currency),
                 ARG_INT(payments_due(&o)), ARG_NULL, ARG_NULL, ARG_NULL, ARG_ORIGIN(ctx));
    if (e == OK && added > 0)
        outbox_add(ctx, EVENT_PAYMENT_INITIATED, id, nobody);
    return e;
}

enum err
payments_ask(struct ctx *ctx, const struct delivery *d)
{
    struct attempt p;
    char receipt[RECEIPT_LENGTH + 1], id[UUID_TEXT_SIZE];

    enum err e = attempts_find(ctx, d->subject, &p);
    if (e != OK || !attempts_is(&p, PROVIDER_NAME_SIMULATED))
        return e;
    random_base32(receipt, RECEIPT_LENGTH);
    struct verdict v = {
        .payment = p.id,
        .provider = PROVIDER_NAME_SIMULATED,
        .event_id = uuid_text(p.id, id),
        .outcome = OUTCOME_PAID,
        .amount = p.amount,
        .currency = p.currency,
        .receipt = receipt,
    };
    return payments_settle(ctx, &v);
}
