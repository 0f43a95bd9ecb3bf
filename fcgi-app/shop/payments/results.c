/*
 * What M-Pesa posts about money on its way back: the result of a reversal or payout, the answer to
 * a question about one, or that it was too slow to say. All come to URLs whose token names one
 * attempt; who knows the token is believed if his address is listed, and else only makes us ask.
 *
 * One URL hears both results and answers, which look alike. So a failure counts only if it names
 * the conversation of the attempt itself: a question that failed says nothing of the money, and to
 * take it for a failed payout would send the money twice.
 */
#include "base/config.h"
#include "base/fault.h"
#include "base/log.h"
#include "io/pg.h"
#include "io/tx.h"
#include "shop/payments/attempts.h"
#include "shop/payments/refunds.h"
#include "shop/req.h"

#include <string.h>

struct token_row {
    struct uuid id;
    int64_t attempt;
};
static const struct field token_row_fields[] = {
    FIELD(struct token_row, id),
    FIELD(struct token_row, attempt),
};
static const struct input token_row = INPUT(token_row, "TokenOfRefund", NULL);

/* The refund whose attempt the token names, under its locks. *current: that attempt is still the
 * one that is under way. */
static enum err
find(struct req *rq, struct refund *r, bool *current)
{
    struct ctx *ctx = &rq->ctx;
    struct token_row row = {0};
    uint8_t hash[SHA256_SIZE];

    secret_sha256(rq->words[0], strlen(rq->words[0]), hash);
    enum err e = pg_one(ctx, REFUNDS_BY_TOKEN, &token_row, &row, ARG_BYTES(hash, sizeof(hash)));
    if (e == OK)
        e = refunds_lock(ctx, row.id, r);
    if (e == ERR_NOT_FOUND) {
        problems_clear(&ctx->problems);
        return fail(ctx, e, NULL, "there is nothing at this path");
    }
    if (e != OK)
        return e;
    *current = r->attempt == row.attempt;
    fault_point_of(FAULT_WEBHOOK_HEARD, refunds_subject(r));
    attempts_fault_after_commit(ctx, FAULT_WEBHOOK_STORED, refunds_subject(r));
    return OK;
}

/* Keeps the word as it came. *first is false if it was heard before. */
static enum err
keep(struct req *rq, const struct refund *r, const char *kind, bool listed, bool *first)
{
    struct ctx *ctx = &rq->ctx;
    uint8_t hash[SHA256_SIZE];
    char id[UUID_TEXT_SIZE];
    int64_t touched = 0;

    secret_sha256(rq->raw, rq->raw_len, hash);
    const char *event =
        arena_printf(ctx->arena, "%s/%s/%s%s", kind, uuid_text(r->id, id), listed ? "" : "hearsay/",
                     secret_hex(ctx->arena, hash, sizeof(hash)));
    const char *body = arena_strndup(ctx->arena, rq->raw, rq->raw_len);
    enum err e = pg_touch(ctx, REFUNDS_EVENT_ADD, &touched, ARG_ID(uuid_v7(ctx->now_ms)),
                          ARG_TEXT(event), ARG_ID(r->payment_id), ARG_TEXT(kind), ARG_TEXT(body),
                          ARG_ID(r->id), ARG_TEXT(listed ? "applied" : "ignored"));
    *first = touched > 0;
    return e;
}

static bool
same(const char *told, const char *known)
{
    return known != NULL && told[0] != '\0' && strcmp(told, known) == 0;
}

/* Whether a result is that of the attempt's own call, and not of a question about it. */
static bool
is_of_attempt(struct ctx *ctx, const struct refund *r, const struct daraja_result *said)
{
    const char *originator = refunds_originator(ctx, r->id, r->attempt);

    if (said->status != NULL)
        return false;
    if (same(said->originator, originator) || same(said->conversation, r->conversation))
        return true;
    /* It came before the answer that would have named it. A reversal may be repeated whatever this
     * says; of a payout we know the name that we gave it. */
    return r->channel == BACK_BY_REVERSAL && r->conversation == NULL;
}

/* False: nothing is known by it. */
static bool
read_word(struct ctx *ctx, const struct refund *r, const struct daraja_result *said,
          struct refund_heard *w)
{
    static const char *const over[] = {"Failed", "Cancelled", "Declined", "Expired"};
    bool good = strcmp(said->code, "0") == 0;

    *w = (struct refund_heard){
        .news = REFUND_GONE,
        .ref = said->receipt != NULL          ? said->receipt
               : said->transaction[0] != '\0' ? said->transaction
                                              : NULL,
    };
    if (said->status != NULL) { /* the answer to a question */
        if (!good || strcmp(said->status, "Completed") == 0)
            return good;
        w->news = REFUND_REFUSED;
        w->failure = said->status;
        w->ref = NULL;
        for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++) {
            if (strcmp(said->status, over[i]) == 0)
                return true;
        }
        return false;
    }
    if (good || (r->channel == BACK_BY_REVERSAL && strcmp(said->code, "R000001") == 0))
        return is_of_attempt(ctx, r, said);
    w->news = REFUND_REFUSED;
    w->failure = said->code;
    w->ref = NULL;
    return is_of_attempt(ctx, r, said);
}

static enum err
hear(struct ctx *ctx, struct refund *r, const struct daraja_result *said)
{
    struct refund_heard w;

    if (!read_word(ctx, r, said, &w))
        return OK; /* asked again when its time has come */
    if (w.news == REFUND_GONE && said->amount != 0 && said->amount != r->sent_amount)
        log_event(LOG_ERROR, EVENT("refund.amount_differs"),
                  INT("soko.refund.sent", r->sent_amount), INT("soko.refund.amount", said->amount));
    return refunds_apply(ctx, r, &w);
}

/* M-Pesa does not repeat itself: whatever that was, it makes us ask. */
static enum err
refuse_body(struct ctx *ctx, const struct refund *r)
{
    enum err e = pg_touch(ctx, REFUNDS_ASK_NOW, NULL, ARG_ID(r->id));

    if (e != OK)
        return e;
    tx_keep(ctx);
    return fail(ctx, ERR_VALIDATION, NULL, "this is no result");
}

static enum err
result(struct req *rq)
{
    struct ctx *ctx = &rq->ctx;
    bool listed = daraja_address_listed(conf->daraja_addresses, rq->address), first = false,
         current = false;
    struct daraja_result said;
    struct refund r;

    enum err e = find(rq, &r, &current);
    if (e != OK)
        return e;
    if (!daraja_result_read(ctx, rq->raw, rq->raw_len, &said))
        return refuse_body(ctx, &r);
    e = keep(rq, &r, "result", listed, &first);
    if (e == OK && first && current)
        e = listed ? hear(ctx, &r, &said) : pg_touch(ctx, REFUNDS_ASK_NOW, NULL, ARG_ID(r.id));
    return e != OK ? e : payments_acknowledge(rq, "Accepted");
}

/* Too slow is not failed: it only makes us ask. */
static enum err
timeout(struct req *rq)
{
    struct refund r;
    bool first = false, current = false;

    enum err e = find(rq, &r, &current);
    if (e == OK)
        e = keep(rq, &r, "timeout", false, &first);
    if (e == OK && first && current)
        e = pg_touch(&rq->ctx, REFUNDS_ASK_NOW, NULL, ARG_ID(r.id));
    return e != OK ? e : payments_acknowledge(rq, "Accepted");
}

const struct endpoint payments_result = {
    .name = "webhook_result",
    .tag = "Webhooks",
    .doc = "M-Pesa's word about a refund. The token is the attempt's.",
    .run = result,
    .raw = true,
    .bare = true,
    .out = &payments_ack_out,
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};
const struct endpoint payments_timeout = {
    .name = "webhook_timeout",
    .tag = "Webhooks",
    .doc = "M-Pesa was too slow to say what became of a refund. The token is the attempt's.",
    .run = timeout,
    .raw = true,
    .bare = true,
    .out = &payments_ack_out,
    .errors = {ERR_NOT_FOUND},
};
