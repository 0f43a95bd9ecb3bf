/*
 * A provider's word about a refund, whoever brought it: the answer to our call, a webhook, or the
 * answer to a question. All end in refunds_apply(), under the locks of order, payment and refund,
 * where the table in refund_rules.c decides.
 *
 * A refund of Stripe's that went and came back after all is over: what was booked of it is booked
 * back, and another row takes its place, so that each row of the ledger stays the fact that it was.
 */
#include "base/config.h"
#include "base/log.h"
#include "io/pg.h"
#include "shop/ledger.h"
#include "shop/messages.h"
#include "shop/payments/refunds.h"
#include "shop/stmt.h"

#include <string.h>

struct whose_row {
    struct uuid order_id;
};
static const struct field whose_row_fields[] = {FIELD(struct whose_row, order_id)};
static const struct input whose_row = INPUT(whose_row, "OrderOfRefund", NULL);

struct payer_row {
    struct uuid id;
    const char *provider, *status, *provider_ref, *receipt, *phone;
    int64_t amount, received;
};
static const struct field payer_row_fields[] = {
    FIELD(struct payer_row, id),      FIELD(struct payer_row, provider),
    FIELD(struct payer_row, status),  FIELD(struct payer_row, provider_ref),
    FIELD(struct payer_row, receipt), FIELD(struct payer_row, phone),
    FIELD(struct payer_row, amount),  FIELD(struct payer_row, received),
};
static const struct input payer_row = INPUT(payer_row, "PaymentOfRefund", NULL);

struct refund_row {
    struct uuid id, payment_id, store_id, requested_by;
    int64_t amount, sent_amount, attempt, times_asked;
    const char *currency, *reason, *note, *provider_ref, *conversation, *status, *channel;
    bool is_due, reversed;
};
static const struct field refund_row_fields[] = {
    FIELD(struct refund_row, id),           FIELD(struct refund_row, payment_id),
    FIELD(struct refund_row, store_id),     FIELD(struct refund_row, requested_by),
    FIELD(struct refund_row, amount),       FIELD(struct refund_row, sent_amount),
    FIELD(struct refund_row, attempt),      FIELD(struct refund_row, times_asked),
    FIELD(struct refund_row, currency),     FIELD(struct refund_row, reason),
    FIELD(struct refund_row, note),         FIELD(struct refund_row, provider_ref),
    FIELD(struct refund_row, conversation), FIELD(struct refund_row, status),
    FIELD(struct refund_row, channel),      FIELD(struct refund_row, is_due),
    FIELD(struct refund_row, reversed),
};
static const struct input refund_row = INPUT(refund_row, "RefundRow", NULL);

struct sums_row {
    int64_t amount, refunded;
};
static const struct field sums_row_fields[] = {
    FIELD(struct sums_row, amount),
    FIELD(struct sums_row, refunded),
};
static const struct input sums_row = INPUT(sums_row, "PaymentSums", NULL);

struct id_row {
    struct uuid id;
};
static const struct field id_row_fields[] = {FIELD(struct id_row, id)};
static const struct input id_row = INPUT(id_row, "RefundId", NULL);

static const struct uuid nobody;

static enum err
take_rows(struct refund *out, const struct payer_row *p, const struct refund_row *r)
{
    *out = (struct refund){
        .id = r->id,
        .payment_id = r->payment_id,
        .store_id = r->store_id,
        .requested_by = r->requested_by,
        .amount = r->amount,
        .sent_amount = r->sent_amount,
        .attempt = r->attempt,
        .times_asked = r->times_asked,
        .currency = r->currency,
        .reason = r->reason,
        .note = r->note,
        .provider_ref = r->provider_ref,
        .conversation = r->conversation,
        .is_due = r->is_due,
        .reversed = r->reversed,
        .order_id = out->order_id,
        .order = out->order,
        .provider = p->provider,
        .payment_status = p->status,
        .payment_ref = p->provider_ref,
        .receipt = p->receipt,
        .phone = p->phone,
        .paid_amount = p->amount,
        .received = p->received,
    };
    out->has_channel = refund_channel_parse(r->channel, &out->channel);
    return refund_status_parse(r->status, &out->status) ? OK : ERR_INTERNAL;
}

enum err
refunds_lock(struct ctx *ctx, struct uuid id, struct refund *out)
{
    struct whose_row whose = {0};
    struct payer_row p = {0};
    struct refund_row r = {0};

    *out = (struct refund){0};
    enum err e = pg_one(ctx, REFUNDS_ORDER_OF, &whose_row, &whose, ARG_ID(id));
    if (e == OK && !uuid_is_nil(whose.order_id)) {
        out->order_id = whose.order_id;
        e = orders_lock(ctx, whose.order_id, nobody, &out->order);
    }
    if (e == OK)
        e = pg_one(ctx, REFUNDS_LOCK_PAYMENT, &payer_row, &p, ARG_ID(id));
    if (e == OK)
        e = pg_one(ctx, REFUNDS_LOCK, &refund_row, &r, ARG_ID(id));
    return e != OK ? e : take_rows(out, &p, &r);
}

struct uuid
refunds_subject(const struct refund *r)
{
    return uuid_is_nil(r->order_id) ? r->payment_id : r->order_id;
}

/* Money in suspense has paid nothing: giving it back tells nothing of the order. */
static bool
concerns_order(const struct refund *r)
{
    return !uuid_is_nil(r->order_id) && strcmp(r->reason, REASON_REVIEW) != 0;
}

/* The order's word follows from all its payments: it stays paid while what was kept covers it, as
 * when the second of two payments went back. */
static enum err
tell_order(struct ctx *ctx, const struct refund *r)
{
    const struct order *o = &r->order;
    struct sums_row sums = {0};

    if (!concerns_order(r))
        return OK;
    enum err e = pg_one(ctx, REFUNDS_SUMS, &sums_row, &sums, ARG_ID(o->id));
    if (e != OK)
        return e;
    const char *word = sums.refunded == sums.amount                     ? "refunded"
                       : sums.amount - sums.refunded >= o->total_amount ? "paid"
                                                                        : "partially_refunded";
    return strcmp(word, o->payment_status) == 0 ? OK : orders_set_payment_status(ctx, o->id, word);
}

static void
tell_buyer(struct ctx *ctx, const struct refund *r)
{
    if (!uuid_is_nil(r->order_id))
        messages_send_order(ctx, r->order.account_id, TEMPLATE_REFUNDED, r->order.order_number,
                            r->sent_amount, r->currency);
}

static void
note(struct ctx *ctx, const struct refund *r, const char *event)
{
    if (!uuid_is_nil(r->order_id))
        orders_note_part(ctx, r->order_id, r->store_id, event);
}

static enum err
book(struct ctx *ctx, const struct refund *r, enum ledger_kind kind,
     const struct ledger_entry entries[3])
{
    return ledger_book(ctx, &(struct ledger_booking){.kind = kind,
                                                     .subject = r->id,
                                                     .order = r->order_id,
                                                     .provider = r->provider,
                                                     .currency = r->currency,
                                                     .entries = entries,
                                                     .count = 3});
}

/* refunds_payable was credited when the refund was asked for; now it has gone. */
static enum err
book_paid(struct ctx *ctx, const struct refund *r)
{
    const struct ledger_entry entries[3] = {
        {LEDGER_REFUNDS_PAYABLE, r->amount},
        {LEDGER_PROVIDER_CASH, -r->sent_amount},
        {LEDGER_ROUNDING, r->sent_amount - r->amount},
    };

    return book(ctx, r, LEDGER_REFUND_PAID, entries);
}

/* The money is with the provider again, and the buyer's: all that was booked of this refund, back.
 */
static enum err
book_reversed(struct ctx *ctx, const struct refund *r)
{
    bool in_review = strcmp(r->reason, REASON_REVIEW) == 0;
    const struct ledger_entry entries[3] = {
        {LEDGER_PROVIDER_CASH, r->sent_amount},
        {in_review ? LEDGER_SUSPENSE : LEDGER_BUYER_FUNDS, -r->amount},
        {LEDGER_ROUNDING, r->amount - r->sent_amount},
    };

    return book(ctx, r, LEDGER_REFUND_REVERSED, entries);
}

static enum err
has_gone(struct ctx *ctx, const struct refund *r)
{
    enum err e = pg_run(ctx, REFUNDS_COUNT, ARG_ID(r->payment_id), ARG_INT(r->amount));
    if (e == OK)
        e = book_paid(ctx, r);
    note(ctx, r, "refund_paid");
    tell_buyer(ctx, r);
    return e != OK ? e : tell_order(ctx, r);
}

/* When an attempt that failed is followed by another; 0: never by itself. */
static int64_t
next_attempt(const struct ctx *ctx, const struct refund *r)
{
    if (r->attempt >= conf->refund_attempts)
        return 0;
    return ctx->now_ms +
           payment_pause(conf->refund_ask_after.ms, conf->payment_ask_max.ms, r->attempt - 1);
}

/* What takes its place counts as its next attempt, so that a card that always gives back is not
 * sent to for ever. */
static enum err
has_come_back(struct ctx *ctx, const struct refund *r, const char *failure)
{
    struct refund_wish again = {
        .failed = r->attempt,
        .failure = failure,
        .next_ms = next_attempt(ctx, r),
        .payment = r->payment_id,
        .order = r->order_id,
        .amount = r->amount,
        .currency = r->currency,
        .reason = r->reason,
        .store = r->store_id,
        .by = r->requested_by,
        .note = r->note,
        .in_review = strcmp(r->reason, REASON_REVIEW) == 0,
    };
    struct uuid id;

    enum err e = pg_run(ctx, REFUNDS_UNCOUNT, ARG_ID(r->payment_id), ARG_INT(r->amount),
                        ARG_BOOL(again.in_review));
    if (e == OK)
        e = book_reversed(ctx, r);
    if (e == OK)
        e = refunds_request(ctx, &again, &id);
    note(ctx, r, "refund_came_back");
    return e != OK ? e : tell_order(ctx, r);
}

/* When to look again at a refund that is now `to`; 0: never by itself. */
static int64_t
look_at(const struct ctx *ctx, const struct refund *r, const struct refund_heard *w,
        enum refund_status to)
{
    if (to == REFUND_SENT)
        return ctx->now_ms + conf->refund_ask_after.ms;
    if (to != REFUND_FAILED || w->hopeless || r->status == REFUND_SUCCEEDED)
        return 0;
    return next_attempt(ctx, r);
}

static void
log_move(const struct refund *r, const struct refund_heard *w, enum refund_status to, int64_t next)
{
    bool stuck = to == REFUND_FAILED && next == 0;
    char id[UUID_TEXT_SIZE];

    log_event(stuck                 ? LOG_ERROR
              : to == REFUND_FAILED ? LOG_WARN
                                    : LOG_INFO,
              EVENT(stuck ? "refund.waits_for_a_person" : "refund.moved"),
              TEXT("soko.refund.id", uuid_text(r->id, id)),
              TEXT("event.outcome", refund_status_name(to)),
              TEXT("soko.refund.channel", r->has_channel ? refund_channel_name(r->channel) : NULL),
              INT("soko.refund.attempt", r->attempt), INT("soko.refund.amount", r->amount),
              INT("soko.refund.sent", r->sent_amount), TEXT("error.code", w->failure));
}

enum err
refunds_apply(struct ctx *ctx, struct refund *r, const struct refund_heard *w)
{
    enum refund_status to, from = r->status;

    if (r->reversed || !refund_moves(from, w->news, r->channel, &to))
        return pg_touch(ctx, REFUNDS_NOTE, NULL, ARG_ID(r->id), ARG_TEXT(w->ref),
                        ARG_TEXT(w->conversation));
    int64_t next = look_at(ctx, r, w, to);
    bool came_back = from == REFUND_SUCCEEDED;
    log_move(r, w, to, came_back ? next_attempt(ctx, r) : next);
    enum err e =
        pg_run(ctx, REFUNDS_SET_STATUS, ARG_ID(r->id), ARG_TEXT(refund_status_name(from)),
               ARG_TEXT(refund_status_name(to)), ARG_TEXT(w->ref), ARG_TEXT(w->conversation),
               ARG_TEXT(w->failure), next != 0 ? ARG_TIME(next) : ARG_NULL, ARG_BOOL(came_back));
    r->status = to;
    if (e == OK && to == REFUND_SUCCEEDED)
        e = has_gone(ctx, r);
    if (e == OK && came_back)
        e = has_come_back(ctx, r, w->failure);
    return e;
}

static enum err
find_of_stripe(struct ctx *ctx, const struct stripe_refund *s, struct uuid *id)
{
    struct id_row row = {0};

    *id = s->refund;
    if (!uuid_is_nil(*id))
        return OK;
    enum err e = pg_one(ctx, REFUNDS_BY_REF, &id_row, &row, ARG_TEXT(s->id));
    *id = row.id;
    return e;
}

/* A refund's word by another name is of an attempt that is over, or of one whose name we have not
 * heard yet: then asking tells what stands, and guessing might send money twice. */
enum err
refunds_hear_stripe(struct ctx *ctx, const struct stripe_refund *s)
{
    struct refund r;
    struct uuid id;

    enum err e = find_of_stripe(ctx, s, &id);
    if (e == OK)
        e = refunds_lock(ctx, id, &r);
    if (e == ERR_NOT_FOUND) {
        problems_clear(&ctx->problems);
        log_event(LOG_WARN, EVENT("refund.not_ours"), TEXT("soko.refund.ref", s->id),
                  INT("soko.refund.amount", s->amount));
        return OK;
    }
    if (e != OK || !r.has_channel || r.channel != BACK_BY_STRIPE)
        return e;
    if (r.provider_ref == NULL || strcmp(r.provider_ref, s->id) != 0)
        return pg_touch(ctx, REFUNDS_ASK_NOW, NULL, ARG_ID(r.id));
    const struct refund_heard w = {
        .news = s->status == REFUND_WORD_SUCCEEDED ? REFUND_GONE
                : s->status == REFUND_WORD_FAILED  ? REFUND_REFUSED
                                                   : REFUND_TAKEN,
        .ref = s->id,
        .failure = s->status != REFUND_WORD_FAILED ? NULL
                   : s->failure != NULL            ? s->failure
                                                   : "unknown",
    };
    return refunds_apply(ctx, &r, &w);
}
