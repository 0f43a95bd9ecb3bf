/*
 * What must go back is computed from what stands (paid, returning, still owed), never from what
 * just happened, so that two reasons for one refund cannot make two refunds. A refund whose sending
 * failed is returning still: it is sent again. Only one that went, and came back after all, is not;
 * another row has taken its place.
 */
#include "base/log.h"
#include "io/pg.h"
#include "shop/audit.h"
#include "shop/ledger.h"
#include "shop/payments/refunds.h"
#include "shop/stmt.h"

#include <inttypes.h>

struct paid_row {
    struct uuid id;
    const char *currency;
    int64_t amount, returning;
};
static const struct field paid_row_fields[] = {
    FIELD(struct paid_row, id),
    FIELD(struct paid_row, currency),
    FIELD(struct paid_row, amount),
    FIELD(struct paid_row, returning),
};
static const struct input paid_row = INPUT(paid_row, "PaidRow", NULL);

static const struct uuid nobody;

/* What a person asked for; the machine's own are in the books alone. */
static void
note_by_staff(struct ctx *ctx, const struct refund_wish *w, struct uuid refund)
{
    char order[UUID_TEXT_SIZE];
    const struct audit_fact facts[] = {
        {"order", uuid_is_nil(w->order) ? NULL : uuid_text(w->order, order)},
        {"amount", arena_printf(ctx->arena, "%" PRId64, w->amount)},
        {"currency", w->currency},
        {"reason", w->reason},
    };

    if (ctx->actor.role == ROLE_SELLER || ctx->actor.role == ROLE_ADMIN)
        audit_add(ctx, AUDIT_REFUND_REQUESTED, refund, facts, sizeof(facts) / sizeof(facts[0]));
}

enum err
refunds_request(struct ctx *ctx, const struct refund_wish *w, struct uuid *id)
{
    const struct ledger_entry entries[] = {
        {w->in_review ? LEDGER_SUSPENSE : LEDGER_BUYER_FUNDS, w->amount},
        {LEDGER_REFUNDS_PAYABLE, -w->amount},
    };

    *id = uuid_v7(ctx->now_ms);
    log_event(LOG_INFO, EVENT("refund.requested"), TEXT("soko.refund.reason", w->reason),
              INT("soko.refund.amount", w->amount), TEXT("soko.refund.currency", w->currency));
    enum err e =
        pg_run(ctx, REFUNDS_ADD, ARG_ID(*id), ARG_ID(w->payment), ARG_INT(w->amount),
               ARG_TEXT(w->currency), ARG_TEXT(w->reason), ARG_ID_OR_NULL(w->store),
               ARG_ID_OR_NULL(w->by), ARG_TEXT(w->note),
               ARG_TEXT(refund_status_name(w->failed > 0 ? REFUND_FAILED : REFUND_PENDING)),
               ARG_INT(w->failed > 0 ? w->failed : 1), ARG_TEXT(w->failure),
               w->next_ms != 0 ? ARG_TIME(w->next_ms) : ARG_NULL, ARG_ORIGIN(ctx));
    if (e != OK)
        return e;
    note_by_staff(ctx, w, *id);
    if (w->failed == 0)
        outbox_add(ctx, EVENT_REFUND_REQUESTED, *id, nobody);
    return ledger_book(ctx, &(struct ledger_booking){.kind = LEDGER_REFUND_REQUESTED,
                                                     .subject = *id,
                                                     .order = w->order,
                                                     .currency = w->currency,
                                                     .entries = entries,
                                                     .count = 2});
}

enum err
refunds_kept(struct ctx *ctx, const struct order *o, int64_t *kept)
{
    struct paid_row *paid;
    size_t count;

    *kept = 0;
    enum err e = pg_all(ctx, REFUNDS_LOCK_PAID, &paid_row, &paid, &count, ARG_ID(o->id));
    for (size_t i = 0; e == OK && i < count; i++)
        *kept += paid[i].amount - paid[i].returning;
    return e;
}

enum err
refunds_take_excess(struct ctx *ctx, const struct order *o, const struct refund_wish *w,
                    int64_t limit, struct refunds_made *made)
{
    struct paid_row *paid;
    size_t count;
    int64_t excess = -orders_owed(o);

    *made = (struct refunds_made){0};
    enum err e = pg_all(ctx, REFUNDS_LOCK_PAID, &paid_row, &paid, &count, ARG_ID(o->id));
    for (size_t i = 0; e == OK && i < count; i++)
        excess += paid[i].amount - paid[i].returning;
    if (excess > limit)
        excess = limit;
    made->ids = arena_array(ctx->arena, count, sizeof(*made->ids));
    for (size_t i = 0; e == OK && i < count && excess > 0; i++) {
        struct refund_wish one = *w;
        int64_t left = paid[i].amount - paid[i].returning;

        one.amount = left < excess ? left : excess;
        if (one.amount <= 0)
            continue;
        one.payment = paid[i].id;
        one.order = o->id;
        one.currency = paid[i].currency;
        e = refunds_request(ctx, &one, &made->ids[made->count++]);
        excess -= one.amount;
        made->amount += one.amount;
    }
    return e;
}

enum err
payments_refund_excess(struct ctx *ctx, const struct order *o, const char *reason,
                       struct uuid store, struct uuid by, const char *note)
{
    const struct refund_wish w = {.reason = reason, .store = store, .by = by, .note = note};
    struct refunds_made made;

    return refunds_take_excess(ctx, o, &w, INT64_MAX, &made);
}

enum err
payments_refund_order(struct ctx *ctx, const struct delivery *d)
{
    struct order o;

    enum err e = orders_lock(ctx, d->subject, nobody, &o);
    return e != OK ? e : payments_refund_excess(ctx, &o, "order_cancelled", nobody, nobody, NULL);
}

/* In the name of its store, which sees what went back of its own part, and no more. */
enum err
payments_refund_part(struct ctx *ctx, const struct delivery *d)
{
    const struct refund_wish w = {.reason = "part_cancelled", .store = d->detail};
    struct refunds_made made;
    int64_t limit = INT64_MAX;
    struct order o;

    enum err e = orders_lock(ctx, d->subject, nobody, &o);
    if (e != OK)
        return e;
    for (size_t i = 0; i < o.part_count; i++) {
        if (uuid_equal(o.parts[i].store_id, d->detail))
            limit = o.parts[i].amount - o.parts[i].refunded;
    }
    return refunds_take_excess(ctx, &o, &w, limit, &made);
}
