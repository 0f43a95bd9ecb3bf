/*
 * A cart has few stores, so they are found by looking through the parts made so far.
 */
#include "shop/pricing.h"
#include "base/money.h"

#define BP_WHOLE 10000 /* all of it, in hundredths of a percent */

static struct priced_part *
part_of(struct priced_order *order, struct uuid store)
{
    for (size_t i = 0; i < order->part_count; i++) {
        if (uuid_equal(order->parts[i].store, store))
            return &order->parts[i];
    }
    struct priced_part *part = &order->parts[order->part_count++];
    part->store = store;
    return part;
}

bool
pricing_sum(struct arena *a, const struct priced_line *lines, size_t count,
            struct priced_order *out)
{
    *out = (struct priced_order){.parts = arena_array(a, count, sizeof(*out->parts))};
    for (size_t i = 0; i < count; i++) {
        struct priced_part *part = part_of(out, lines[i].store);

        if (!money_add(&part->amount, lines[i].price, lines[i].quantity) ||
            !money_add(&out->total, lines[i].price, lines[i].quantity))
            return false;
    }
    return true;
}

/* In two steps, as amount * bp leaves int64_t; the first is exact. */
int64_t
pricing_commission(int64_t amount, int64_t bp)
{
    return amount / BP_WHOLE * bp + (amount % BP_WHOLE * bp + BP_WHOLE / 2) / BP_WHOLE;
}

int64_t
pricing_commission_back(int64_t kept, int64_t back, int64_t bp)
{
    return pricing_commission(kept, bp) - pricing_commission(kept - back, bp);
}
