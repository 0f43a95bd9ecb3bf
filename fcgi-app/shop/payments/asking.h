/*
 * shop/payments/asking: an intent of Stripe's and the verdict that it stands for, for the files
 * of this folder. What soko-jobs calls is in payments.h.
 */
#ifndef SOKO_SHOP_PAYMENTS_ASKING_H
#define SOKO_SHOP_PAYMENTS_ASKING_H

#include "providers/stripe.h"
#include "shop/payments/attempts.h"

/* The intent of an attempt, as it is: created, by the same key however often, if we do not know it.
 * Out of any transaction. */
enum heard asking_intent(struct ctx *ctx, const struct attempt *a, struct stripe_intent *out,
                         struct refusal *why);

/* In a transaction, under the order's lock: what Stripe calls it, and its secret. Never its state.
 */
enum err asking_note_intent(struct ctx *ctx, const struct attempt *a,
                            const struct stripe_intent *intent);

/* In a transaction: the verdict that an intent as it is stands for, if it is one. `event_id` as in
 * struct verdict. A failure that is not the end is noted. */
enum err asking_settle_intent(struct ctx *ctx, struct uuid payment,
                              const struct stripe_intent *intent, const char *event_id);

#endif
