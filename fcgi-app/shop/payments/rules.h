/*
 * shop/payments/rules: how a payment may move. Pure: one table, no I/O.
 *
 * It moves forward only: a late "failed" never overwrites money that has come, and money that comes
 * after a failure counts.
 */
#ifndef SOKO_SHOP_PAYMENTS_RULES_H
#define SOKO_SHOP_PAYMENTS_RULES_H

#include <stdbool.h>
#include <stdint.h>

enum payment_status {
    PAYMENT_INITIATING, /* our row stands; nobody was called, or nobody knows */
    PAYMENT_PROCESSING, /* the provider has taken it on */
    PAYMENT_UNKNOWN,    /* called, and no answer */
    PAYMENT_SUCCEEDED,
    PAYMENT_FAILED,
    PAYMENT_CANCELLED,
    PAYMENT_ABANDONED,
    PAYMENT_PARTIALLY_REFUNDED,
    PAYMENT_REFUNDED,
    PAYMENT_NEEDS_REVIEW, /* money has come that does not match, or may have come: a person must
                             look */
    PAYMENT__COUNT
};

/* The provider's word; of the last three, ours, for want of one. */
enum outcome {
    OUTCOME_PAID,
    OUTCOME_FAILED,
    OUTCOME_CANCELLED, /* by whom ever: nobody can pay it any more */
    OUTCOME_UNKNOWN,   /* called, and no answer */
    OUTCOME_ABANDONED, /* he knows of nothing */
    OUTCOME_GIVEN_UP,  /* nobody knows, and we stop asking: a person must look */
    OUTCOME__COUNT
};

/* Who takes the money: the words of the rows and of the API. */
#define PROVIDER_NAME_STRIPE "stripe"
#define PROVIDER_NAME_MPESA "mpesa"
#define PROVIDER_NAME_SIMULATED "simulated"
#define PROVIDER_WORDS "simulated|stripe|mpesa"

/* A payment's states, as the words of the API. */
#define PAYMENT_WORDS                                                                              \
    "initiating|processing|unknown|succeeded|failed|cancelled|abandoned|partially_refunded|"       \
    "refunded|needs_review"

const char *payment_status_name(enum payment_status s);
const char *outcome_name(enum outcome o);
bool payment_status_parse(const char *name, enum payment_status *out);

/* Whether the provider may still be asked for it. */
bool payment_is_open(enum payment_status s);

/* Where a payment goes when it hears `word`; `matches`: amount and currency are those that were
 * asked for. False if it stays where it is. */
bool payment_moves(enum payment_status from, enum outcome word, bool matches,
                   enum payment_status *to);

/* How long to wait before a provider is asked again, after `times` pauses: `first`, doubled each
 * time, at most `longest`. Milliseconds. */
int64_t payment_pause(int64_t first, int64_t longest, int64_t times);

#endif
