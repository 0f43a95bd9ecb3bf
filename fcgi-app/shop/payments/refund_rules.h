/*
 * shop/payments/refund_rules: how a refund may move. Pure: one table, no I/O.
 *
 * A row is one obligation: money that is owed to a buyer stays owed until it has gone, however
 * often sending it has failed. An attempt at it is certain to have failed before the next one
 * begins.
 */
#ifndef SOKO_SHOP_PAYMENTS_REFUND_RULES_H
#define SOKO_SHOP_PAYMENTS_REFUND_RULES_H

#include <stdbool.h>
#include <stdint.h>

enum refund_status {
    REFUND_PENDING, /* wanted; nobody was called */
    REFUND_SENDING, /* the provider may have been called, and nobody knows what he said */
    REFUND_SENT,    /* he has taken it on, and will say later */
    REFUND_SUCCEEDED,
    REFUND_FAILED, /* this attempt, for certain */
    REFUND__COUNT
};

enum refund_channel {
    BACK_BY_NOBODY,
    BACK_BY_STRIPE,
    BACK_BY_REVERSAL, /* M-Pesa: the payment is undone, whole */
    BACK_BY_B2C,      /* M-Pesa: money is sent to the payer's phone */
    BACK__COUNT
};

/* What is heard of the attempt that is under way. */
enum refund_news {
    REFUND_TRIED,   /* our own: an attempt begins */
    REFUND_TAKEN,   /* the provider has taken it on */
    REFUND_GONE,    /* the money has gone */
    REFUND_REFUSED, /* it has not, and will not */
    REFUND_NEWS__COUNT
};

const char *refund_status_name(enum refund_status s);
const char *refund_channel_name(enum refund_channel c);
bool refund_status_parse(const char *name, enum refund_status *out);
bool refund_channel_parse(const char *name, enum refund_channel *out);

/* Where a refund goes when it hears `news` of its attempt. False if it stays where it is. */
bool refund_moves(enum refund_status from, enum refund_news news, enum refund_channel by,
                  enum refund_status *to);

/* What is known when an attempt begins. Amounts in minor units. */
struct refund_case {
    const char *provider; /* of the payment */
    int64_t amount;       /* of the refund */
    int64_t received;     /* of the payment */
    int64_t back; /* of its other refunds that have gone or are on their way: what they are for */
    int64_t sent; /* the same: what was sent */
    bool has_receipt, has_phone, has_ref;
};

/* How and how much to send. NULL, or, in a few plain words, why it cannot be sent at all. M-Pesa
 * sends whole shillings: the sum of what is sent is the sum of what is owed, rounded half up, so
 * that many small refunds neither lose nor win; and it is never more than what was received. */
const char *refund_plan(const struct refund_case *c, enum refund_channel *by, int64_t *amount);

#endif
