/*
 * One row a listener, not one an event: each has its own retries, and is parked alone.
 *
 * The lease is available_at itself, moved past the time that an effect may take: no second column,
 * no sweep for the dead. The number of the attempt is the fence against one who outlives his lease.
 */
#include "shop/outbox.h"
#include "base/config.h"
#include "base/log.h"
#include "base/trace.h"
#include "io/pg.h"
#include "shop/stmt.h"

#include <string.h>

static const char *const event_names[EVENT__COUNT] = {
    [EVENT_ORDER_CREATED] = "order.created",
    [EVENT_ORDER_CANCELLED] = "order.cancelled",
    [EVENT_PART_CANCELLED] = "part.cancelled",
    [EVENT_PAYMENT_INITIATED] = "payment.initiated",
    [EVENT_REFUND_REQUESTED] = "refund.requested",
    [EVENT_SESSION_ENDED] = "session.ended",
    [EVENT_NAMES_CHANGED] = "names.changed",
    [EVENT_MESSAGE_QUEUED] = "message.queued",
    [EVENT_PROVIDER_SPOKE] = "provider.spoke",
    [EVENT_C2B_HEARD] = "c2b.heard",
    [EVENT_PASSWORD_FORGOTTEN] = "password.forgotten",
    [EVENT_TOKEN_ENDED] = "token.ended",
};

static const char *const lane_names[LANE__COUNT] = {
    [LANE_PAYMENTS] = "payments",
    [LANE_CLOCK] = "clock",
    [LANE_MESSAGES] = "messages",
    [LANE_TOKENS] = "tokens",
};

/* Who listens to what, and what is lost with a delivery that is dropped. */
static const struct {
    enum event event;
    const char *consumer;
    enum lane lane;
    const char *loss;
} listeners[] = {
    {EVENT_ORDER_CREATED, "payments_begin", LANE_PAYMENTS,
     "the order is not paid by the simulated provider, and expires"},
    {EVENT_PAYMENT_INITIATED, "payments_ask", LANE_PAYMENTS,
     "the simulated payment stays open, and its order unpaid"},
    {EVENT_ORDER_CANCELLED, "payments_refund_order", LANE_PAYMENTS,
     "what was paid for a cancelled order does not go back to its buyer"},
    {EVENT_ORDER_CANCELLED, "payments_close", LANE_PAYMENTS,
     "a payment of a cancelled order stays open; if it is paid, it goes back"},
    {EVENT_PART_CANCELLED, "payments_close", LANE_PAYMENTS,
     "a payment of a cancelled order stays open; if it is paid, it goes back"},
    {EVENT_PART_CANCELLED, "payments_refund_part", LANE_PAYMENTS,
     "what was paid for a cancelled part does not go back to its buyer"},
    {EVENT_REFUND_REQUESTED, "refunds_send", LANE_PAYMENTS,
     "the refund stays pending, and its buyer without his money"},
    {EVENT_PROVIDER_SPOKE, "payments_hear", LANE_PAYMENTS,
     "a provider's word stays unheard; soko-jobs asks him while the payment is open"},
    {EVENT_C2B_HEARD, "payments_c2b", LANE_PAYMENTS,
     "money that somebody sent by hand is not looked for, and pays nothing"},
    {EVENT_MESSAGE_QUEUED, "messages_send", LANE_MESSAGES, "the message is never sent"},
    {EVENT_SESSION_ENDED, "sessions_bury", LANE_CLOCK,
     "Redis may hold an ended session for good for as long as ACCESS_TOKEN_TTL"},
    {EVENT_PASSWORD_FORGOTTEN, "reset_send", LANE_CLOCK,
     "who forgot his password is sent no code; he can ask again"},
    {EVENT_NAMES_CHANGED, "products_reindex", LANE_CLOCK,
     "goods are found by the old name of their store or category"},
    {EVENT_TOKEN_ENDED, "external_revoke", LANE_TOKENS,
     "the OAuth2 server keeps a token that was given up until it expires"},
};
#define LISTENERS (sizeof(listeners) / sizeof(listeners[0]))

static const struct field delivery_fields[] = {
    FIELD(struct delivery, id),       FIELD(struct delivery, event),
    FIELD(struct delivery, consumer), FIELD(struct delivery, request_id),
    FIELD(struct delivery, trace_id), FIELD(struct delivery, sampled),
    FIELD(struct delivery, subject),  FIELD(struct delivery, detail),
    FIELD(struct delivery, attempts),
};
static const struct input delivery = INPUT(delivery, "Delivery", NULL);

static int64_t
backoff_ms(int64_t attempts)
{
    int64_t ms = conf->jobs_backoff.ms;

    for (int64_t i = 1; i < attempts && ms < conf->jobs_backoff_max.ms; i++)
        ms *= 2;
    return ms < conf->jobs_backoff_max.ms ? ms : conf->jobs_backoff_max.ms;
}

const char *
event_name(enum event e)
{
    return event_names[e];
}

const char *
lane_name(enum lane l)
{
    return lane_names[l];
}

const char *
outbox_consumer(size_t i)
{
    return i < LISTENERS ? listeners[i].consumer : NULL;
}

const char *
outbox_loss(const char *consumer)
{
    for (size_t i = 0; i < LISTENERS; i++) {
        if (strcmp(listeners[i].consumer, consumer) == 0)
            return listeners[i].loss;
    }
    return NULL;
}

void
outbox_add(struct ctx *ctx, enum event e, struct uuid subject, struct uuid detail)
{
    for (size_t i = 0; i < LISTENERS; i++) {
        if (listeners[i].event == e)
            pg_queue(ctx, OUTBOX_ADD, ARG_TEXT(event_names[e]), ARG_TEXT(listeners[i].consumer),
                     ARG_TEXT(lane_names[listeners[i].lane]), ARG_ID(subject),
                     ARG_ID_OR_NULL(detail), ARG_ORIGIN(ctx));
    }
}

/* A release that knew no traces wrote the request's id in the trace's place. */
static void
mend_trace(struct arena *a, struct delivery *d)
{
    struct trace *t = arena_alloc(a, sizeof(*t));

    trace_begin(d->trace_id, t);
    if (d->request_id == NULL)
        d->request_id = d->trace_id;
    d->trace_id = t->id;
}

enum err
outbox_claim(struct ctx *ctx, enum lane lane, int64_t limit, struct delivery **out, size_t *count)
{
    enum err e = pg_all(ctx, OUTBOX_CLAIM, &delivery, out, count, ARG_TEXT(lane_names[lane]),
                        ARG_INT(conf->jobs_lease.ms), ARG_INT(limit));

    for (size_t i = 0; e == OK && i < *count; i++)
        if (!trace_id_good((*out)[i].trace_id))
            mend_trace(ctx->arena, &(*out)[i]);
    return e;
}

enum err
outbox_done(struct ctx *ctx, const struct delivery *d)
{
    return pg_run(ctx, OUTBOX_DONE, ARG_INT(d->id), ARG_INT(d->attempts));
}

enum err
outbox_release(struct ctx *ctx, const struct delivery *d)
{
    return pg_run(ctx, OUTBOX_RELEASE, ARG_INT(d->id), ARG_INT(d->attempts));
}

enum err
outbox_failed(struct ctx *ctx, const struct delivery *d, enum err why)
{
    bool park = d->attempts >= conf->jobs_max_attempts;

    log_event(park ? LOG_ERROR : LOG_WARN, EVENT(park ? "outbox.parked" : "outbox.failed"),
              INT("soko.outbox.id", d->id), TEXT("soko.outbox.consumer", d->consumer),
              TEXT("error.code", err_code(why)), INT("soko.outbox.attempts", d->attempts));
    if (park)
        return pg_run(ctx, OUTBOX_PARK, ARG_INT(d->id), ARG_INT(d->attempts),
                      ARG_TEXT(err_code(why)));
    return pg_run(ctx, OUTBOX_RETRY, ARG_INT(d->id), ARG_INT(d->attempts),
                  ARG_INT(backoff_ms(d->attempts)), ARG_TEXT(err_code(why)));
}

enum err
outbox_free(struct ctx *ctx, int64_t id, int64_t *touched)
{
    return pg_touch(ctx, OUTBOX_FREE, touched, id == 0 ? ARG_NULL : ARG_INT(id));
}

enum err
outbox_drop(struct ctx *ctx, int64_t id)
{
    return pg_run(ctx, OUTBOX_DROP, ARG_INT(id));
}
