/* STUB: replaced by its owner before this branch lands. */
#include "shop/orders/orders.h"
enum err orders_revive(struct ctx *ctx, struct order *o, bool *revived) { (void)ctx; (void)o; *revived = false; return OK; }
enum err orders_give_back(struct ctx *ctx, struct order *o, struct uuid store, const struct refund_line *lines, size_t count, int64_t amount, int64_t *given)
{ (void)ctx; (void)o; (void)store; (void)lines; (void)count; (void)amount; *given = 0; return ERR_INTERNAL; }
int64_t orders_owed(const struct order *o)
{
    int64_t sum = 0;
    for (size_t i = 0; i < o->part_count; i++) {
        if (o->parts[i].status != PART_CANCELLED)
            sum += o->parts[i].amount - o->parts[i].refunded;
    }
    return sum;
}
