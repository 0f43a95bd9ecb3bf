/*
 * providers/stripe: Stripe's PaymentIntents, refunds and webhooks.
 *
 * Source: docs.stripe.com/api (payment_intents, refunds, errors, idempotent_requests, webhooks), as
 * gathered in the wire notes. Amounts here are Soko's minor units and upper-case ISO 4217 codes;
 * what Stripe scales otherwise is scaled here, both ways. Idempotency-Keys are made from our own
 * rows' ids, so that whoever repeats a call after a crash repeats the same one. All strings live in
 * ctx->arena.
 */
#ifndef SOKO_PROVIDERS_STRIPE_H
#define SOKO_PROVIDERS_STRIPE_H

#include "base/id.h"
#include "providers/outside.h"

#include <stddef.h>
#include <stdint.h>

/* https://docs.stripe.com/payments/paymentintents/lifecycle; an unknown word is INTENT_OTHER, and
 * is to be treated like processing. */
enum intent_status {
    INTENT_OTHER,
    INTENT_REQUIRES_PAYMENT_METHOD,
    INTENT_REQUIRES_CONFIRMATION,
    INTENT_REQUIRES_ACTION,
    INTENT_PROCESSING,
    INTENT_REQUIRES_CAPTURE,
    INTENT_CANCELED,
    INTENT_SUCCEEDED
};

struct stripe_intent {
    const char *id;            /* "pi_..." */
    const char *client_secret; /* for the paying buyer alone; NULL in some events */
    enum intent_status status;
    const char *currency; /* "KES" */
    int64_t amount, amount_received;
    const char *latest_charge; /* "ch_...", or NULL: the receipt */
    const char *failure;       /* last_payment_error's decline_code or code, or NULL */
    struct uuid attempt;       /* metadata[attempt_id]; nil if there is none */
    bool livemode;
};

struct stripe_intent_in {
    struct uuid attempt,
        order; /* our payment's id, in metadata and in the Idempotency-Key "pi-create:" */
    const char *order_number; /* the description */
    int64_t amount;
    const char *currency;
};

/* Whether Stripe takes this currency and amount (at most eight digits of its own minor units). */
bool stripe_takes(int64_t amount, const char *currency);

/* Whether STRIPE_SECRET_KEY moves real money: `livemode` of what is ours must be the same. */
bool stripe_is_live(void);

enum heard stripe_create_intent(struct ctx *ctx, const struct stripe_intent_in *in,
                                struct stripe_intent *out, struct refusal *why);
enum heard stripe_get_intent(struct ctx *ctx, const char *id, struct stripe_intent *out,
                             struct refusal *why);
/* HEARD_DONE also when it could not be cancelled because of its state
 * (payment_intent_unexpected_state): *out is then the intent as it is, and its status says so;
 * canceled already is the same. */
enum heard stripe_cancel_intent(struct ctx *ctx, const char *id, struct stripe_intent *out,
                                struct refusal *why);

enum refund_word { REFUND_WORD_PENDING, REFUND_WORD_SUCCEEDED, REFUND_WORD_FAILED };

struct stripe_refund {
    const char *id; /* "re_..." */
    enum refund_word
        status;          /* requires_action and what is unknown are pending; canceled is failed */
    const char *failure; /* failure_reason, or NULL */
    const char *intent;  /* "pi_...", or NULL */
    const char *currency;
    int64_t amount;
    struct uuid refund; /* metadata[refund_id]; nil if there is none */
};

struct stripe_refund_in {
    struct uuid refund; /* our row */
    int64_t attempt;    /* Idempotency-Key "refund:UUID:attempt" */
    const char *intent;
    int64_t amount;
    const char *currency;
};

/* charge_already_refunded is HEARD_REFUSED with that code: the caller asks what stands. */
enum heard stripe_refund(struct ctx *ctx, const struct stripe_refund_in *in,
                         struct stripe_refund *out, struct refusal *why);
enum heard stripe_get_refund(struct ctx *ctx, const char *id, struct stripe_refund *out,
                             struct refusal *why);

/* Looks for a refund of ours among those of an intent, by metadata[refund_id], one that lives
 * before one that has failed. HEARD_DONE with out->id NULL: there is none. */
enum heard stripe_find_refund(struct ctx *ctx, const char *intent, struct uuid refund,
                              struct stripe_refund *out, struct refusal *why);

/* Webhooks. Verifies Stripe-Signature over the exact bytes: any v1 by any of `secrets`
 * (comma-separated; the whole "whsec_..." string is the key), compared in constant time, `t` within
 * `tolerance_s` of now either way. NULL if all is well, else what is wrong, in words for the log.
 */
const char *stripe_signature_fault(const char *header, const void *body, size_t len,
                                   const char *secrets, int64_t now_s, int64_t tolerance_s);

enum stripe_object { STRIPE_OTHER, STRIPE_INTENT, STRIPE_REFUND, STRIPE_CHARGE, STRIPE_DISPUTE };

struct stripe_event {
    const char *id;          /* "evt_..." */
    const char *type;        /* "payment_intent.succeeded" */
    const char *api_version; /* "" if it does not say */
    bool livemode;
    enum stripe_object kind;     /* of data.object, by its "object" */
    struct stripe_intent intent; /* STRIPE_INTENT */
    struct stripe_refund refund; /* STRIPE_REFUND */
    const char *intent_id;       /* STRIPE_CHARGE, STRIPE_DISPUTE: whose; or NULL */
};

/* ERR_VALIDATION if it is no event: unknown members and types are fine. */
enum err stripe_event_read(struct ctx *ctx, const void *body, size_t len, struct stripe_event *out);

#endif
