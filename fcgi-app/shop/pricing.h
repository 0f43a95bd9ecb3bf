/*
 * shop/pricing: what an order costs. Pure: no I/O, integers only.
 *
 * Prices are what the database said in the transaction that sells (seed hole 1: prices came from
 * the client); a client never sends one.
 */
#ifndef SOKO_SHOP_PRICING_H
#define SOKO_SHOP_PRICING_H

#include "base/arena.h"
#include "base/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One product of an order. Prices in minor units of the order's currency. */
struct priced_line {
    struct uuid product, store;
    int64_t price, quantity;
};

/* What one store sells in an order. */
struct priced_part {
    struct uuid store;
    int64_t amount; /* the sum of its lines */
};

struct priced_order {
    int64_t total;
    struct priced_part *parts; /* in the order in which the stores first appear */
    size_t part_count;
};

/* Sums `count` lines (at least one). False if an amount leaves [0, MONEY_MAX], or a price or
 * quantity is negative. *out lives in the arena. */
bool pricing_sum(struct arena *a, const struct priced_line *lines, size_t count,
                 struct priced_order *out);

/* What of `amount` is the platform's, at `bp` hundredths of a percent, rounded half up: the fee of
 * what a store keeps of a part. `amount` in [0, MONEY_MAX], `bp` in [0, 10000].
 *
 * The fee is always that of all that is kept, never a sum of fees: what a refund gives back is the
 * difference of two of them (pricing_commission_back), so that after any number of refunds exactly
 * the fee of what is left has been taken, and of nothing exactly nothing. */
int64_t pricing_commission(int64_t amount, int64_t bp);

/* What of the fee goes back when of `kept` the buyer gets `back`, which is at most `kept`. */
int64_t pricing_commission_back(int64_t kept, int64_t back, int64_t bp);

#endif
