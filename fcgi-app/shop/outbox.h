/*
 * shop/outbox: what must happen later, written in the transaction of its cause.
 *
 * A domain that something has happened in records an event; domains after it act on it in
 * soko-jobs. outbox.c lists who listens to what, and jobs.c which function each listener is. An
 * event is delivered at least once, in no order: a consumer makes sure by its own rows that its
 * effect happens once.
 */
#ifndef SOKO_SHOP_OUTBOX_H
#define SOKO_SHOP_OUTBOX_H

#include "io/ctx.h"

#include <stdbool.h>

enum event {
    EVENT_ORDER_CREATED,      /* subject: the order */
    EVENT_ORDER_CANCELLED,    /* subject: the order */
    EVENT_PART_CANCELLED,     /* subject: the order; detail: the store */
    EVENT_PAYMENT_INITIATED,  /* subject: the payment */
    EVENT_REFUND_REQUESTED,   /* subject: the refund */
    EVENT_SESSION_ENDED,      /* subject: the session */
    EVENT_TOKEN_ENDED,        /* subject: a row of external_tokens that is to be revoked */
    EVENT_NAMES_CHANGED,      /* subject: the store or category that has a new name */
    EVENT_MESSAGE_QUEUED,     /* subject: the message */
    EVENT_PROVIDER_SPOKE,     /* subject: a row of provider_events that waits */
    EVENT_C2B_HEARD,          /* subject: the same, of money that somebody says was sent by hand */
    EVENT_PASSWORD_FORGOTTEN, /* subject: a row of forgotten_passwords */
    EVENT__COUNT
};

/* A process of soko-jobs serves one lane, so that a hanging party delays only its own. */
enum lane { LANE_PAYMENTS, LANE_CLOCK, LANE_MESSAGES, LANE_TOKENS, LANE__COUNT };

const char *event_name(enum event e);
const char *lane_name(enum lane l);

/* Queues one row for each listener; they are written with the transaction. `detail` may be nil. */
void outbox_add(struct ctx *ctx, enum event e, struct uuid subject, struct uuid detail);

/* The listeners, for the start-up check of soko-jobs: row i, or NULL past the end. */
const char *outbox_consumer(size_t i);

/* One delivery. */
struct delivery {
    int64_t id;
    const char *event, *consumer;
    const char *request_id, *trace_id; /* of what has caused it, as in ctx */
    bool sampled;
    struct uuid subject, detail;
    int64_t attempts;
};

/* Leases up to `limit` deliveries that are due (in a transaction of its own). */
enum err outbox_claim(struct ctx *ctx, enum lane lane, int64_t limit, struct delivery **out,
                      size_t *count);

/* In the transaction of the effect: the delivery is done. ERR_NOT_FOUND if its lease was lost, and
 * the effect must be rolled back. */
enum err outbox_done(struct ctx *ctx, const struct delivery *d);

/* Whoever claimed it stops before he has begun: it is due at once, for others, and was no attempt.
 * ERR_NOT_FOUND if the lease was lost, which is as good. */
enum err outbox_release(struct ctx *ctx, const struct delivery *d);

/* What nobody will do if a delivery to this consumer is dropped, in words; NULL: no such consumer.
 */
const char *outbox_loss(const char *consumer);

/* What a person decides of a parked delivery, in a transaction. `id` 0 lets all of them try once
 * more; *touched is how many. Dropping one is the end of it: ERR_NOT_FOUND if it is not parked. */
enum err outbox_free(struct ctx *ctx, int64_t id, int64_t *touched);
enum err outbox_drop(struct ctx *ctx, int64_t id);

/* The effect failed: again after a while, twice as long each time, or, after
 * conf->jobs_max_attempts, parked until a person looks. */
enum err outbox_failed(struct ctx *ctx, const struct delivery *d, enum err why);

#endif
