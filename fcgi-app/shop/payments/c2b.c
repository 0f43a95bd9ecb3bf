/*
 * A buyer may pay by hand: he types our paybill, the order's number and the amount into his phone.
 * M-Pesa asks first whether we take it (validation, if that is switched on), and tells us
 * afterwards that it came (confirmation). What a human typed may be wrong; the money has come all
 * the same, so it is never refused then: what fits no order waits for a person.
 *
 * The same money can be told of twice, since an STK payment may echo as C2B. The receipt decides:
 * what is known by it is done. Else it is taken for the success of the order's attempt of this
 * amount, and only then for a payment of its own. All of it goes through payments_settle(). Whoever
 * pays by hand beside his prompt is charged twice, and looks the same until the prompt's own
 * callback brings another receipt, if it ever comes: so once the prompt must be over, Daraja's list
 * is read, and what it has of this order that no payment has is taken too.
 *
 * The token in the path is one for all, registered with Safaricom once. From a listed address the
 * word counts; from any other it waits until Daraja lists the transaction among those that came to
 * us (pull), and what counts then is what Daraja said, not what was posted.
 */
#include "base/clock.h"
#include "base/config.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/log.h"
#include "io/pg.h"
#include "io/secret.h"
#include "io/tx.h"
#include "providers/daraja.h"
#include "shop/ledger.h"
#include "shop/payments/attempts.h"
#include "shop/req.h"
#include "shop/stmt.h"

#include <string.h>

#define KES "KES"
#define BILL_MOST 12
#define TYPED_MOST 40                            /* of an unknown bill, for the person who looks */
#define PULL_MS ((48 * 60 - 5) * INT64_C(60000)) /* Daraja knows the last 48 hours */

static const struct out_field answer_fields[] = {
    {"ResultCode", OUT_TEXT, .one_of = "0|C2B00012|C2B00013|C2B00015|C2B00016", .eg = "0",
     .doc = "0: take it; else why not"},
    {"ResultDesc", OUT_TEXT, .one_of = "Accepted|Rejected", .eg = "Accepted",
     .doc = "The same in words"},
};
static const struct output answer_out = OUTPUT(answer_fields, "PaybillAnswer");

struct id_row {
    struct uuid id;
};
static const struct field id_row_fields[] = {FIELD(struct id_row, id)};
static const struct input id_row = INPUT(id_row, "PaybillOrder", NULL);

struct attempt_row {
    struct uuid id;
    bool has_paid;
};
static const struct field attempt_row_fields[] = {
    FIELD(struct attempt_row, id),
    FIELD(struct attempt_row, has_paid),
};
static const struct input attempt_row = INPUT(attempt_row, "PaybillAttempt", NULL);

struct body_row {
    const char *body;
};
static const struct field body_row_fields[] = {FIELD(struct body_row, body)};
static const struct input body_row = INPUT(body_row, "PaybillWord", NULL);

static const struct uuid nobody;

/* --- what was posted -------------------------------------------------------------------------- */

static enum err
demand_token(struct req *rq)
{
    const char *token = conf->daraja_c2b_token;
    size_t len = strlen(rq->words[0]);

    if (strlen(token) == len && secret_equal(token, rq->words[0], len))
        return OK;
    return fail(&rq->ctx, ERR_NOT_FOUND, NULL, "there is nothing at this path");
}

static bool
is_ours(const char *shortcode)
{
    return strcmp(shortcode, conf->daraja_shortcode) == 0 ||
           (conf->daraja_till[0] != '\0' && strcmp(shortcode, conf->daraja_till) == 0);
}

/* What a human typed, as an order number would stand: without blanks, in capitals. NULL: none has
 * that shape. */
static const char *
order_number(struct ctx *ctx, const char *typed)
{
    char number[BILL_MOST + 1];
    size_t n = 0;

    for (const char *c = typed; *c != '\0'; c++) {
        if (*c == ' ' || *c == '\t')
            continue;
        if (n == BILL_MOST)
            return NULL;
        number[n++] = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
    }
    number[n] = '\0';
    return n > 0 ? arena_strdup(ctx->arena, number) : NULL;
}

/* The order that the bill names, under its lock. ERR_NOT_FOUND, without a problem, if there is none
 * that can be paid so. */
static enum err
find_order(struct ctx *ctx, const char *typed, struct order *o)
{
    const char *number = order_number(ctx, typed);
    struct id_row row = {0};

    if (number == NULL)
        return ERR_NOT_FOUND;
    enum err e = pg_one(ctx, C2B_ORDER, &id_row, &row, ARG_TEXT(number));
    if (e == OK)
        e = orders_lock(ctx, row.id, nobody, o);
    if (e == OK && (o->method == METHOD_CASH_ON_DELIVERY || strcmp(o->currency, KES) != 0))
        e = ERR_NOT_FOUND;
    if (e == ERR_NOT_FOUND)
        problems_clear(&ctx->problems);
    return e;
}

/* --- may it come? ----------------------------------------------------------------------------- */

static enum err
judge(struct ctx *ctx, const struct daraja_c2b *c, const char **code)
{
    struct order o;

    *code = "C2B00015";
    if (!is_ours(c->shortcode))
        return OK;
    *code = "C2B00012";
    enum err e = find_order(ctx, c->bill, &o);
    if (e == ERR_NOT_FOUND)
        return OK;
    int64_t due = e == OK ? payments_due(&o) : 0;
    if (e != OK || due == 0 || strcmp(o.payment_status, "unpaid") != 0)
        return e;
    *code = daraja_whole(due) == c->amount ? "0" : "C2B00013";
    return OK;
}

static enum err
validation(struct req *rq)
{
    struct ctx *ctx = &rq->ctx;
    const char *code = "C2B00016";
    struct daraja_c2b c;

    enum err e = demand_token(rq);
    if (e == OK && daraja_c2b_read(ctx, rq->raw, rq->raw_len, &c))
        e = judge(ctx, &c, &code);
    if (e != OK)
        return e;
    log_event(LOG_INFO, EVENT("c2b.validated"), TEXT("event.outcome", code));
    text_clear(&rq->reply);
    text_printf(&rq->reply, "{\"ResultCode\":\"%s\",\"ResultDesc\":\"%s\"}", code,
                strcmp(code, "0") == 0 ? "Accepted" : "Rejected");
    return OK;
}

/* --- it has come ------------------------------------------------------------------------------ */

/* The beginning of what was typed, cut between two characters: half of one is no text. */
static const char *
head_of(struct ctx *ctx, const char *typed)
{
    size_t len = strlen(typed), n = 0, step;

    while ((step = utf8_step(typed + n, len - n)) > 0 && n + step <= TYPED_MOST)
        n += step;
    return arena_strndup(ctx->arena, typed, n);
}

static enum err
park(struct ctx *ctx, const struct daraja_c2b *c, struct uuid *payment)
{
    const struct ledger_entry entries[] = {
        {LEDGER_PROVIDER_CASH, c->amount},
        {LEDGER_SUSPENSE, -c->amount},
    };

    *payment = uuid_v7(ctx->now_ms);
    log_event(LOG_WARN, EVENT("payment.parked"), TEXT("soko.payment.provider", PROVIDER_NAME_MPESA),
              TEXT("event.reason", "unknown bill"), INT("soko.payment.amount", c->amount));
    enum err e =
        pg_run(ctx, C2B_PARK, ARG_ID(*payment), ARG_INT(c->amount), ARG_TEXT(c->receipt),
               ARG_TEXT(arena_printf(ctx->arena, "unknown bill: %s", head_of(ctx, c->bill))));
    if (e != OK)
        return e;
    return ledger_book(ctx, &(struct ledger_booking){.kind = LEDGER_PAYMENT_PARKED,
                                                     .subject = *payment,
                                                     .provider = PROVIDER_NAME_MPESA,
                                                     .currency = KES,
                                                     .entries = entries,
                                                     .count = 2});
}

static enum err
settle(struct ctx *ctx, const struct daraja_c2b *c, struct uuid payment)
{
    const struct verdict v = {
        .payment = payment,
        .provider = PROVIDER_NAME_MPESA,
        .event_id = NULL, /* stored already, in this transaction */
        .outcome = OUTCOME_PAID,
        .amount = c->amount,
        .currency = KES,
        .receipt = c->receipt,
    };

    return payments_settle(ctx, &v);
}

/* For a locked order: of one of its attempts, or a payment of its own. Of what is paid already, or
 * cancelled, nothing is due: all of it is too much, and settling sends it back; so too what does
 * not cover an order that has expired. */
static enum err
credit(struct ctx *ctx, const struct daraja_c2b *c, const struct order *o, struct uuid *payment)
{
    struct attempt_row attempt = {0};

    enum err e =
        pg_one(ctx, C2B_ATTEMPT, &attempt_row, &attempt, ARG_ID(o->id), ARG_INT(c->amount));
    if (e == OK) {
        *payment = attempt.id;
        e = attempt.has_paid
                ? pg_run(ctx, C2B_ADD_RECEIPT, ARG_ID(attempt.id), ARG_TEXT(c->receipt))
                : settle(ctx, c, attempt.id);
        return e != OK
                   ? e
                   : pg_run(ctx, C2B_DOUBT, ARG_ID(attempt.id), ARG_INT(conf->mpesa_prompt_ttl.ms));
    }
    if (e != ERR_NOT_FOUND)
        return e;
    problems_clear(&ctx->problems);
    int64_t wanted = payments_wanted(o);
    /* An expired order asks for nothing: what does not fit it goes back, and needs nobody. */
    bool asked = wanted > 0 && (o->status != PART_CANCELLED || daraja_whole(wanted) == c->amount);
    int64_t amount = asked ? wanted : c->amount;
    *payment = uuid_v7(ctx->now_ms);
    e = pg_run(ctx, C2B_ADD, ARG_ID(*payment), ARG_ID(o->id), ARG_INT(amount),
               ARG_INT(asked ? daraja_whole(wanted) : c->amount));
    return e != OK ? e : settle(ctx, c, *payment);
}

static const char *
event_of(struct ctx *ctx, const char *receipt)
{
    return arena_printf(ctx->arena, "c2b/%s", receipt);
}

/* Money has come, for certain. `body` is how it was told. */
static enum err
take(struct ctx *ctx, const struct daraja_c2b *c, const char *body)
{
    struct id_row known = {0};
    struct uuid payment = nobody;
    struct order o = {0};
    int64_t first;

    enum err found = find_order(ctx, c->bill, &o);
    if (found != OK && found != ERR_NOT_FOUND)
        return found;
    enum err e = pg_touch(ctx, C2B_HEAR, &first, ARG_ID(uuid_v7(ctx->now_ms)),
                          ARG_TEXT(event_of(ctx, c->receipt)), ARG_TEXT(body));
    if (e != OK || first == 0)
        return e;
    e = pg_one(ctx, C2B_KNOWN, &id_row, &known, ARG_TEXT(c->receipt));
    if (e != ERR_NOT_FOUND) {
        payment = known.id;
    } else {
        problems_clear(&ctx->problems);
        e = found == OK ? credit(ctx, c, &o, &payment) : park(ctx, c, &payment);
    }
    if (e != OK)
        return e;
    log_event(LOG_INFO, EVENT("c2b.taken"), INT("soko.payment.amount", c->amount),
              TEXT("event.outcome", found == OK ? "order" : "parked"));
    return pg_run(ctx, C2B_NOTE_PAYMENT, ARG_TEXT(event_of(ctx, c->receipt)), ARG_ID(payment));
}

/* From an address that is not listed: it waits, and Daraja is asked. */
static enum err
wait_for_daraja(struct ctx *ctx, const struct daraja_c2b *c, const char *body)
{
    struct uuid id = uuid_v7(ctx->now_ms);
    int64_t first;

    enum err e = pg_touch(ctx, C2B_WAIT, &first, ARG_ID(id), ARG_TEXT(event_of(ctx, c->receipt)),
                          ARG_TEXT(body));
    if (e == OK && first > 0) {
        log_event(LOG_WARN, EVENT("c2b.unlisted"), INT("soko.payment.amount", c->amount));
        outbox_add(ctx, EVENT_C2B_HEARD, id, nobody);
    }
    return e;
}

static enum err
confirmation(struct req *rq)
{
    struct ctx *ctx = &rq->ctx;
    struct daraja_c2b c;

    enum err e = demand_token(rq);
    if (e != OK)
        return e;
    if (!daraja_c2b_read(ctx, rq->raw, rq->raw_len, &c) || c.receipt[0] == '\0' || c.amount <= 0)
        return fail(ctx, ERR_VALIDATION, NULL, "this is no payment");
    if (!is_ours(c.shortcode))
        return fail(ctx, ERR_VALIDATION, NULL, "this is another's shortcode");
    fault_point(FAULT_WEBHOOK_HEARD);
    const char *body = arena_strndup(ctx->arena, rq->raw, rq->raw_len);
    e = daraja_address_listed(conf->daraja_addresses, rq->address) ? take(ctx, &c, body)
                                                                   : wait_for_daraja(ctx, &c, body);
    if (e != OK)
        return e;
    attempts_fault_after_commit(ctx, FAULT_WEBHOOK_STORED, nobody);
    return payments_acknowledge(rq, "Success");
}

/* --- asking Daraja ---------------------------------------------------------------------------- */

struct c2b_step {
    struct daraja_c2b posted, found; /* found.receipt NULL: Daraja does not list it */
    const char *body;
};

enum err
payments_c2b_start(struct ctx *ctx, const struct delivery *d, void **step)
{
    struct c2b_step *s = arena_alloc(ctx->arena, sizeof(*s));
    struct body_row row = {0};

    *step = NULL;
    enum err e = pg_one(ctx, C2B_WAITING, &body_row, &row, ARG_ID(d->subject));
    if (e == ERR_NOT_FOUND) {
        problems_clear(&ctx->problems);
        return OK; /* a listed address has told it since */
    }
    if (e != OK)
        return e;
    *s = (struct c2b_step){.body = row.body};
    if (!daraja_c2b_read(ctx, row.body, strlen(row.body), &s->posted))
        return ERR_INTERNAL;
    *step = s;
    return OK;
}

enum err
payments_c2b_call(struct ctx *ctx, void *step)
{
    struct c2b_step *s = step;
    struct daraja_receipt *list = NULL;
    size_t count = 0;
    int64_t now = clock_ms();

    if (daraja_pull(ctx, &payments_daraja, now - PULL_MS, now, &list, &count) != HEARD_DONE)
        return ERR_PROVIDER_UNAVAILABLE;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].receipt, s->posted.receipt) == 0)
            s->found = (struct daraja_c2b){.receipt = list[i].receipt,
                                           .bill = list[i].bill,
                                           .shortcode = conf->daraja_shortcode,
                                           .amount = list[i].amount};
    }
    return OK;
}

/* Not listed yet, or never: it is asked for again, later each time, and in the end set aside. */
enum err
payments_c2b_finish(struct ctx *ctx, void *step)
{
    const struct c2b_step *s = step;

    if (s->found.receipt == NULL)
        return fail(ctx, ERR_NOT_FOUND, NULL, "Daraja does not know of this money");
    return take(ctx, &s->found, s->body);
}

/* --- looking again ---------------------------------------------------------------------------- */

static const struct field due_id_fields[] = {
    FIELD(struct due_id, id),
    FIELD(struct due_id, request_id),
    FIELD(struct due_id, trace_id),
    FIELD(struct due_id, sampled),
};
static const struct input due_id = INPUT(due_id, "DoubtfulPayment", NULL);

enum err
payments_claim_doubts(struct ctx *ctx, int64_t limit, struct due_id **ids, size_t *count)
{
    return pg_all(ctx, C2B_DOUBTS, &due_id, ids, count, ARG_INT(limit),
                  ARG_INT(conf->jobs_lease.ms));
}

struct recheck {
    struct attempt a;
    bool listed; /* Daraja has given his list */
    struct daraja_receipt *list;
    size_t count;
};

static enum err
find_doubt(struct ctx *ctx, void *arg)
{
    struct recheck *r = arg;

    return attempts_find(ctx, r->a.id, &r->a);
}

static enum err
apply_list(struct ctx *ctx, void *arg)
{
    struct recheck *r = arg;
    enum err e = OK;

    for (size_t i = 0; e == OK && i < r->count; i++) {
        const char *number = order_number(ctx, r->list[i].bill);
        const struct daraja_c2b c = {.receipt = r->list[i].receipt,
                                     .bill = r->list[i].bill,
                                     .shortcode = conf->daraja_shortcode,
                                     .amount = r->list[i].amount};

        if (number != NULL && strcmp(number, r->a.order_number) == 0)
            e = take(ctx, &c, NULL);
    }
    return e != OK ? e : pg_run(ctx, C2B_SURE, ARG_ID(r->a.id));
}

void
payments_recheck(struct ctx *ctx, struct uuid payment)
{
    struct recheck r = {.a.id = payment};
    int64_t now = clock_ms();

    enum err e = tx_read(ctx, find_doubt, &r);
    if (e == OK && r.a.order_number != NULL)
        r.listed =
            daraja_pull(ctx, &payments_daraja, now - PULL_MS, now, &r.list, &r.count) == HEARD_DONE;
    bool given_up = !r.listed && r.a.age_ms > conf->payment_give_up.ms;
    if (e == OK && (r.listed || given_up))
        e = tx_run(ctx, apply_list, &r);
    if (e != OK || given_up)
        log_event(LOG_ERROR, EVENT("payment.recheck_failed"),
                  TEXT("error.code", e != OK ? err_code(e) : "PROVIDER_UNAVAILABLE"));
}

const struct endpoint payments_c2b_validation = {
    .name = "webhook_c2b_validation",
    .tag = "Webhooks",
    .doc = "M-Pesa asks whether money sent by hand may come. The token is DARAJA_C2B_TOKEN.",
    .run = validation,
    .raw = true,
    .bare = true,
    .out = &answer_out,
    .errors = {ERR_NOT_FOUND},
};
const struct endpoint payments_c2b_confirmation = {
    .name = "webhook_c2b_confirmation",
    .tag = "Webhooks",
    .doc = "M-Pesa says that money sent by hand has come. The token is DARAJA_C2B_TOKEN.",
    .run = confirmation,
    .raw = true,
    .bare = true,
    .out = &payments_ack_out,
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};
