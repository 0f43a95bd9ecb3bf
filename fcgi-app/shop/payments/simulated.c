/*
 * The provider of demo shops. It goes the way that a real one goes: an attempt is committed first,
 * then asked about, then settled by its verdict; only that nobody is called.
 */
#include "io/pg.h"
#include "shop/payments/payments.h"
#include "shop/stmt.h"

#include <string.h>

#define PROVIDER "simulated"
#define RECEIPT_LENGTH 10

struct attempt_row {
    struct uuid id, order_id;
    const char *provider, *status, *currency;
    int64_t amount;
};
static const struct field attempt_row_fields[] = {
    FIELD(struct attempt_row, id),       FIELD(struct attempt_row, order_id),
    FIELD(struct attempt_row, provider), FIELD(struct attempt_row, status),
    FIELD(struct attempt_row, currency), FIELD(struct attempt_row, amount),
};
static const struct input attempt_row = INPUT(attempt_row, "AttemptRow", NULL);

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
    e = pg_touch(ctx, PAYMENTS_ADD, &added, ARG_ID(id), ARG_ID(o.id), ARG_TEXT(PROVIDER),
                 ARG_INT(payments_due(&o)), ARG_TEXT(o.currency), ARG_INT(payments_due(&o)),
                 ARG_NULL, ARG_NULL, ARG_NULL);
    if (e == OK && added > 0)
        outbox_add(ctx, EVENT_PAYMENT_INITIATED, id, nobody);
    return e;
}

enum err
payments_ask(struct ctx *ctx, const struct delivery *d)
{
    struct attempt_row p = {0};
    char receipt[RECEIPT_LENGTH + 1], id[UUID_TEXT_SIZE];

    enum err e = pg_one(ctx, PAYMENTS_FIND, &attempt_row, &p, ARG_ID(d->subject));
    if (e != OK || strcmp(p.provider, PROVIDER) != 0)
        return e;
    random_base32(receipt, RECEIPT_LENGTH);
    struct verdict v = {
        .payment = p.id,
        .provider = PROVIDER,
        .event_id = uuid_text(p.id, id),
        .outcome = OUTCOME_PAID,
        .amount = p.amount,
        .currency = p.currency,
        .receipt = receipt,
    };
    return payments_settle(ctx, &v);
}
