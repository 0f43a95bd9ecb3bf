/*
 * shop/payments/refunds: what the files about money that goes back share. Nobody else includes it.
 */
#ifndef SOKO_SHOP_PAYMENTS_REFUNDS_H
#define SOKO_SHOP_PAYMENTS_REFUNDS_H

#include "io/secret.h"
#include "providers/daraja.h"
#include "providers/stripe.h"
#include "shop/payments/payments.h"
#include "shop/payments/refund_rules.h"

/* --- asking for one (excess.c) ---------------------------------------------------------------- */

struct refund_wish {
    struct uuid payment, order; /* order nil: nobody knows what the payment was for */
    int64_t amount;
    const char *currency, *reason;
    struct uuid store, by; /* who gives it back; nil: the platform, the machine */
    const char *note;
    bool in_review; /* of money in suspense, which has paid nothing */
    /* It takes the place of one that went and came back: so many attempts have failed already. 0:
     * new. */
    int64_t failed;
    const char *failure;
    int64_t next_ms; /* then: when to try again; 0: when a person says so */
};

/* Under the locks of order and payment: a row, its entries in the ledger, and the event that sends
 * it. */
enum err refunds_request(struct ctx *ctx, const struct refund_wish *w, struct uuid *id);

/* Under the order's lock: what was paid for it, and is not on its way back. */
enum err refunds_kept(struct ctx *ctx, const struct order *o, int64_t *kept);

struct refunds_made {
    struct uuid *ids;
    size_t count;
    int64_t amount;
};

/* payments_refund_excess(), but of at most `limit`, and says what it made. Of the wish: reason,
 * store, by and note. */
enum err refunds_take_excess(struct ctx *ctx, const struct order *o, const struct refund_wish *w,
                             int64_t limit, struct refunds_made *made);

/* --- one under its locks (paid_back.c) -------------------------------------------------------- */

#define REASON_REVIEW "review" /* of money in suspense */

struct refund {
    /* Of the refund. */
    struct uuid id, payment_id, store_id, requested_by;
    int64_t amount, sent_amount, attempt, times_asked;
    const char *currency, *reason, *note, *provider_ref, *conversation;
    enum refund_status status;
    enum refund_channel channel;
    bool is_due; /* its time to be looked at has come */
    bool reversed;
    bool has_channel;
    /* Of its payment. */
    struct uuid order_id; /* nil: none */
    const char *provider, *payment_status, *payment_ref, *receipt, *phone;
    int64_t paid_amount, received, back;
    /* Of the order, if there is one. */
    struct order order;
};

/* Locks order, payment and refund. ERR_NOT_FOUND. */
enum err refunds_lock(struct ctx *ctx, struct uuid id, struct refund *out);

/* A refund in the tests' fault points, and in the log: its order, or its payment. */
struct uuid refunds_subject(const struct refund *r);

/* What was heard of the attempt that is under way. */
struct refund_heard {
    enum refund_news news;
    const char *ref;          /* re_..., M-Pesa's receipt; or NULL */
    const char *conversation; /* or NULL */
    const char *failure;      /* REFUND_REFUSED: why, in a code or a few words */
    bool hopeless;            /* REFUND_REFUSED: sending it again is idle, a person must look */
};

/* Moves a locked refund by the table, and all that follows from it: its payment, the order, ledger,
 * message. A word that moves nothing changes nothing, but for names that were not known yet. */
enum err refunds_apply(struct ctx *ctx, struct refund *r, const struct refund_heard *w);

/* --- sending (refunds.c) ---------------------------------------------------------------------- */

/* One call to a provider, from start to finish. */
struct refund_step {
    struct uuid refund, subject;
    int64_t attempt, amount;
    bool ask;   /* what became of it, instead of sending it */
    bool again; /* this attempt was sent before, perhaps */
    enum refund_channel channel;
    const char *currency, *ref, *conversation, *receipt, *phone;
    const char *result, *timeout; /* URLs */
    /* What was heard. */
    enum heard heard;
    struct refusal why;
    struct stripe_refund stripe;
    struct daraja_sent sent;
};

/* OriginatorConversationID of an attempt. */
const char *refunds_originator(struct ctx *ctx, struct uuid refund, int64_t attempt);

/* The token of an attempt's result URLs, and its hash. The same each time it is asked for. */
const char *refunds_token(struct ctx *ctx, struct uuid refund, int64_t attempt,
                          uint8_t hash[SHA256_SIZE]);

#endif
