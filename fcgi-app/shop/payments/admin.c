/*
 * Payments for the administrator: whose a receipt was, and what becomes of money that fits nothing.
 *
 * Money in review stands in suspense. To accept it is to say that it is the order's: it leaves
 * suspense and does what money that has come does. If more has come than was asked for, all of it
 * is the order's, and what is too much goes back; if less, a person has said that it is enough, and
 * the rest is ours to bear, which rounding shows. Money that was sent without a known order number
 * must cover the order that it is given to, so that a slip of the hand gives nothing away.
 *
 * Who did it is in the audit log.
 */
#include "base/log.h"
#include "io/pg.h"
#include "shop/audit.h"
#include "shop/ledger.h"
#include "shop/payments/refunds.h"
#include "shop/payments/returns.h"
#include "shop/req.h"

#include <inttypes.h>
#include <string.h>

struct payment_query {
    uint64_t sent;
    int64_t page, per_page;
    const char *status, *provider, *receipt, *order_number;
    struct uuid account_id;
    const char *from, *until;
};
static const struct field payment_query_fields[] = {
    PAGE_FIELDS(struct payment_query),
    FIELD(struct payment_query, status, .one_of = PAYMENT_WORDS, .eg = "needs_review",
          .doc = "Stand so"),
    FIELD(struct payment_query, provider, .one_of = PROVIDER_WORDS, .eg = "mpesa",
          .doc = "By this provider"),
    FIELD(struct payment_query, receipt, .max = 255, .eg = "THC9YIBI4J",
          .doc = "With the provider's receipt: M-Pesa's, or Stripe's charge"),
    FIELD(struct payment_query, order_number, .max = 12, .eg = "7H2K9QXW4M",
          .doc = "For the order of this number"),
    FIELD(struct payment_query, account_id, .eg = "01920000-0000-7000-8000-000000000001",
          .doc = "For orders of this buyer"),
    FIELD(struct payment_query, from, .format = FORMAT_TIME, .eg = "2026-02-01",
          .doc = "Begun then or later"),
    FIELD(struct payment_query, until, .format = FORMAT_TIME, .eg = "2026-03-01",
          .doc = "Begun before"),
};
static const struct input payment_query = INPUT(payment_query, "AdminPaymentQuery", NULL);

struct resolve_in {
    uint64_t sent;
    const char *action;
    struct uuid order_id;
    const char *reason;
};
static const struct field resolve_in_fields[] = {
    FIELD(struct resolve_in, action, .required = true, .one_of = "accept|refund", .eg = "accept",
          .doc = "accept: it is the order's; refund: all that has come goes back"),
    FIELD(struct resolve_in, order_id, .eg = "01920000-0000-7000-8000-000000000006",
          .doc = "Whose money it is, if the payment does not know"),
    FIELD(struct resolve_in, reason, .max = 255, .eg = "The buyer wrote the wrong number",
          .doc = "For the books"),
};
static const struct input resolve_in = INPUT(resolve_in, "PaymentResolution", NULL);

static const struct out_field payment_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000011", .doc = "The payment"},
    {"order_id", OUT_ID, .nullable = true, .eg = "01920000-0000-7000-8000-000000000006",
     .doc = "What for; null: nobody knows"},
    {"order_number", OUT_TEXT, .nullable = true, .eg = "7H2K9QXW4M", .doc = "For people"},
    {"account_id", OUT_ID, .nullable = true, .eg = "01920000-0000-7000-8000-000000000001",
     .doc = "The buyer"},
    {"account_name", OUT_TEXT, .nullable = true, .eg = "Ann Wanjiru", .doc = "The buyer's name"},
    {"provider", OUT_TEXT, .one_of = PROVIDER_WORDS, .eg = "mpesa", .doc = "By whom"},
    {"status", OUT_TEXT, .one_of = PAYMENT_WORDS, .eg = "succeeded", .doc = "How it stands"},
    {"amount", OUT_MONEY, .eg = "1700", .doc = "What it is for"},
    {"received", OUT_MONEY, .nullable = true, .eg = "1700", .doc = "What has come; null: nothing"},
    {"refunded", OUT_MONEY, .eg = "0", .doc = "What went back"},
    {"currency", OUT_TEXT, .eg = "KES", .doc = "ISO 4217"},
    {"receipt", OUT_TEXT, .nullable = true, .eg = "THC9YIBI4J", .doc = "The provider's"},
    {"phone", OUT_TEXT, .nullable = true, .eg = "+254712***678",
     .doc = "Whose, enough for a human to recognise"},
    {"failure", OUT_TEXT, .nullable = true, .eg = "1032", .doc = "Why it failed, or waits"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it began"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it changed last"},
};
static const struct output payment_out = OUTPUT(payment_fields, "AdminPayment");

struct review_row {
    struct uuid id, order_id;
    const char *provider, *status, *currency;
    int64_t amount, asked, received;
};
static const struct field review_row_fields[] = {
    FIELD(struct review_row, id),       FIELD(struct review_row, order_id),
    FIELD(struct review_row, provider), FIELD(struct review_row, status),
    FIELD(struct review_row, currency), FIELD(struct review_row, amount),
    FIELD(struct review_row, asked),    FIELD(struct review_row, received),
};
static const struct input review_row = INPUT(review_row, "PaymentInReview", NULL);

struct count_row {
    int64_t n;
};
static const struct field count_row_fields[] = {FIELD(struct count_row, n)};
static const struct input count_row = INPUT(count_row, "ReturningCount", NULL);

struct order_of_row {
    struct uuid order_id;
};
static const struct field order_of_row_fields[] = {FIELD(struct order_of_row, order_id)};
static const struct input order_of_row = INPUT(order_of_row, "OrderOfReview", NULL);

static const struct uuid nobody;

static enum err
list(struct req *rq)
{
    const struct payment_query *in = rq->in;

    return reply_page(rq, PAYMENTS_ADMIN_LIST, PAYMENTS_ADMIN_COUNT, ARG_TEXT(in->status),
                      ARG_TEXT(in->provider), ARG_TEXT(in->receipt), ARG_TEXT(in->order_number),
                      ARG_ID_OR_NULL(in->account_id), req_time(in->from), req_time(in->until));
}

static void
log_hand(const struct ctx *ctx, const char *what, struct uuid of, const char *action)
{
    char who[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE];

    log_event(LOG_INFO, EVENT(what), TEXT("event.reason", action),
              TEXT("user.id", uuid_text(ctx->actor.account, who)),
              TEXT("soko.subject.id", uuid_text(of, id)));
}

/* --- money in review -------------------------------------------------------------------------- */

/* The payment, under the locks of the order that it has or is to have, and of itself. */
static enum err
lock_review(struct ctx *ctx, struct uuid id, struct uuid wanted, struct review_row *p,
            struct order *o)
{
    struct order_of_row of = {0};
    struct count_row returning = {0};

    enum err e = pg_one(ctx, PAYMENTS_ADMIN_ORDER_OF, &order_of_row, &of, ARG_ID(id));
    if (e != OK)
        return e;
    bool known = !uuid_is_nil(of.order_id);
    if (known && !uuid_is_nil(wanted) && !uuid_equal(wanted, of.order_id))
        return fail(ctx, ERR_VALIDATION, "order_id", "the payment is another order's");
    struct uuid target = known ? of.order_id : wanted;
    *o = (struct order){.currency = ""};
    if (!uuid_is_nil(target))
        e = orders_lock(ctx, target, nobody, o);
    if (e == ERR_NOT_FOUND && !known) {
        problems_clear(&ctx->problems);
        return fail(ctx, ERR_VALIDATION, "order_id", "is not a known order");
    }
    if (e == OK)
        e = pg_one(ctx, PAYMENTS_ADMIN_LOCK, &review_row, p, ARG_ID(id));
    if (e != OK)
        return e;
    if (!uuid_equal(p->order_id, of.order_id))
        return ERR_RERUN; /* given to an order between our two looks */
    if (strcmp(p->status, "needs_review") != 0)
        return fail(ctx, ERR_INVALID_STATUS, "status", "a payment that is %s needs no review",
                    p->status);
    e = pg_one(ctx, PAYMENTS_ADMIN_RETURNING, &count_row, &returning, ARG_ID(id));
    if (e == OK && returning.n > 0)
        return fail(ctx, ERR_INVALID_STATUS, "status", "its money is on its way back already");
    return e;
}

static enum err
book_accepted(struct ctx *ctx, const struct review_row *p, const struct order *o, int64_t received,
              int64_t amount)
{
    bool parked = p->received > 0;
    const struct ledger_entry entries[] = {
        {parked ? LEDGER_SUSPENSE : LEDGER_PROVIDER_CASH, received},
        {LEDGER_BUYER_FUNDS, -amount},
        {LEDGER_ROUNDING, amount - received},
    };

    return ledger_book(ctx, &(struct ledger_booking){.kind = parked ? LEDGER_REVIEW_ACCEPTED
                                                                    : LEDGER_PAYMENT_SETTLED,
                                                     .subject = p->id,
                                                     .order = o->id,
                                                     .provider = parked ? NULL : p->provider,
                                                     .currency = p->currency,
                                                     .entries = entries,
                                                     .count = 3});
}

/* What an accepted payment is for: at least what has come. */
static enum err
accepted_amount(struct ctx *ctx, const struct review_row *p, const struct order *o,
                int64_t received, int64_t *amount)
{
    int64_t due = payments_wanted(o);

    if (!uuid_is_nil(p->order_id)) {
        *amount = received > p->asked ? received : p->amount;
        return OK;
    }
    *amount = due > 0 && daraja_whole(due) == received ? due : received;
    return received >= *amount && *amount >= due
               ? OK
               : fail(ctx, ERR_INVALID_STATUS, "order_id", "less has come than this order costs");
}

/* Money of which nobody could say whether it came has no `received`: a person says that it did. */
static enum err
accept(struct ctx *ctx, const struct review_row *p, struct order *o)
{
    int64_t received = p->received > 0 ? p->received : p->asked, amount;

    if (uuid_is_nil(o->id))
        return fail(ctx, ERR_VALIDATION, "order_id", "is required: nobody knows what it is for");
    if (o->method == METHOD_CASH_ON_DELIVERY)
        return fail(ctx, ERR_INVALID_STATUS, "order_id", "the order is paid in cash");
    if (strcmp(o->currency, p->currency) != 0)
        return fail(ctx, ERR_INVALID_STATUS, "order_id", "the order is in another currency");
    enum err e = accepted_amount(ctx, p, o, received, &amount);
    if (e == OK)
        e = pg_run(ctx, PAYMENTS_ADMIN_ACCEPT, ARG_ID(p->id), ARG_ID(o->id), ARG_INT(amount),
                   ARG_INT(received));
    if (e == OK)
        e = book_accepted(ctx, p, o, received, amount);
    if (e != OK)
        return e;
    orders_note(ctx, o->id, "payment_accepted");
    return payments_money_came(ctx, o);
}

static enum err
send_back(struct ctx *ctx, const struct review_row *p, const struct order *o, const char *note)
{
    const struct refund_wish wish = {
        .payment = p->id,
        .order = o->id,
        .amount = p->received,
        .currency = p->currency,
        .reason = REASON_REVIEW,
        .by = ctx->actor.account,
        .note = note,
        .in_review = true,
    };
    struct uuid id;

    if (p->received == 0)
        return fail(ctx, ERR_INVALID_STATUS, "status", "nothing is known to have come");
    return refunds_request(ctx, &wish, &id);
}

static void
note_resolved(struct ctx *ctx, const struct review_row *p, const struct order *o,
              const char *action)
{
    char order[UUID_TEXT_SIZE];
    int64_t money = p->received > 0 ? p->received : p->asked;
    const struct audit_fact facts[] = {
        {"resolution", action},
        {"order", uuid_is_nil(o->id) ? NULL : uuid_text(o->id, order)},
        {"amount", arena_printf(ctx->arena, "%" PRId64, money)},
        {"currency", p->currency},
    };

    audit_add(ctx, AUDIT_PAYMENT_RESOLVED, p->id, facts, sizeof(facts) / sizeof(facts[0]));
}

enum err
payments_decide(struct ctx *ctx, struct uuid payment, bool accepts, struct uuid order,
                const char *note)
{
    struct review_row p = {.currency = ""};
    struct order o = {.currency = ""};
    const char *action = accepts ? "accept" : "refund";

    enum err e = lock_review(ctx, payment, accepts ? order : nobody, &p, &o);
    if (e == OK)
        e = accepts ? accept(ctx, &p, &o) : send_back(ctx, &p, &o, note);
    if (e != OK)
        return e;
    log_hand(ctx, "payment.resolved", p.id, action);
    note_resolved(ctx, &p, &o, action);
    return OK;
}

static enum err
resolve(struct req *rq)
{
    const struct resolve_in *in = rq->in;
    enum err e = payments_decide(&rq->ctx, rq->ids[0], strcmp(in->action, "accept") == 0,
                                 in->order_id, in->reason);

    return e != OK ? e : reply_rows(rq, PAYMENTS_ADMIN_SHOW, ARG_ID(rq->ids[0]));
}

/* --- payments of which nobody knows ----------------------------------------------------------- */

enum err
payments_ask_soon(struct ctx *ctx, struct uuid payment)
{
    struct order_of_row of = {0};
    int64_t touched = 0;

    enum err e = pg_one(ctx, PAYMENTS_ADMIN_ORDER_OF, &order_of_row, &of, ARG_ID(payment));
    if (e == OK)
        e = pg_touch(ctx, PAYMENTS_ADMIN_ASK, &touched, ARG_ID(payment));
    if (e != OK)
        return e;
    if (touched == 0)
        return fail(ctx, ERR_INVALID_STATUS, "status",
                    "nobody is asked about a payment that is over, or simulated");
    audit_note(ctx, AUDIT_PAYMENT_ASKED, payment, NULL, NULL);
    return OK;
}

/* --- refunds that wait for a person ----------------------------------------------------------- */

enum err
refunds_try_again(struct ctx *ctx, struct uuid refund)
{
    struct refund r;

    enum err e = refunds_lock(ctx, refund, &r);
    if (e != OK)
        return e;
    if (r.reversed)
        return fail(ctx, ERR_INVALID_STATUS, "status", "another refund has taken its place");
    if (r.status != REFUND_FAILED)
        return fail(ctx, ERR_INVALID_STATUS, "status", "a refund that is %s is not tried again",
                    refund_status_name(r.status));
    e = pg_run(ctx, REFUNDS_RETRY, ARG_ID(r.id));
    if (e != OK)
        return e;
    outbox_add(ctx, EVENT_REFUND_REQUESTED, r.id, nobody);
    log_hand(ctx, "refund.retried", r.id, NULL);
    audit_note(ctx, AUDIT_REFUND_RETRIED, r.id, NULL, NULL);
    return OK;
}

static enum err
retry(struct req *rq)
{
    enum err e = refunds_try_again(&rq->ctx, rq->ids[0]);

    return e != OK ? e : reply_rows(rq, REFUNDS_SHOW, ARG_ID(rq->ids[0]));
}

const struct endpoint payments_admin_list = {
    .name = "admin_payment_list",
    .tag = "Administration",
    .doc = "All payments, newest first: which buyer made the payment with this receipt?",
    .run = list,
    .in = &payment_query,
    .out = &payment_out,
    .shape = SHAPE_PAGE,
    .replies = {PAYMENTS_ADMIN_LIST},
    .errors = {ERR_VALIDATION},
};
const struct endpoint payments_resolve = {
    .name = "admin_payment_resolve",
    .tag = "Administration",
    .doc = "Says what becomes of a payment that needs review: it is the order's, or goes back.",
    .run = resolve,
    .in = &resolve_in,
    .out = &payment_out,
    .replies = {PAYMENTS_ADMIN_SHOW},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND, ERR_INVALID_STATUS},
};
const struct endpoint refunds_retry = {
    .name = "admin_refund_retry",
    .tag = "Administration",
    .doc = "Tries a failed refund again.",
    .run = retry,
    .out = &refund_out,
    .replies = {REFUNDS_SHOW},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND, ERR_INVALID_STATUS},
};
