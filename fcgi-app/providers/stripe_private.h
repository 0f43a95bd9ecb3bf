/*
 * providers/stripe_private: what stripe.c, which calls, and stripe_event.c, which is called, both
 * read; for those two and stripe_read.c alone.
 */
#ifndef SOKO_PROVIDERS_STRIPE_PRIVATE_H
#define SOKO_PROVIDERS_STRIPE_PRIVATE_H

#include "base/json_get.h"
#include "providers/stripe.h"

/* An amount as Stripe counts it. False if it does not take the currency or the amount. */
bool stripe_amount_out(int64_t amount, const char *currency, int64_t *out);

/* An amount of Stripe's as we count it; of a currency that we do not take, as it is. False if it is
 * negative, too large, or no whole number of our units. */
bool stripe_amount_in(int64_t amount, const char *currency, int64_t *out);

/* Whether `id` is `prefix` and then letters, digits and underscores: it may stand in a URL. */
bool stripe_id_valid(const char *id, const char *prefix);

/* Reads the object of that name; false if it is none. Texts live as long as the tree, or the arena.
 */
bool stripe_read_intent(struct arena *a, struct json_object *o, struct stripe_intent *out);
bool stripe_read_refund(struct arena *a, struct json_object *o, struct stripe_refund *out);

/* The id of a member that is an id, or the object itself if it was expanded; else NULL. */
const char *stripe_read_id(struct json_object *o, const char *name, const char *prefix);

#endif
