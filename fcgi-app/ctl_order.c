/*
 * Orders. Who cancels one here acts for its sellers: the same table says what may still be
 * cancelled (shop/orders/rules.c), the buyer is told, stock goes back, and so does what was paid.
 */
#include "ctl_rows.h"
#include "shop/audit.h"
#include "shop/orders/orders.h"
#include "shop/stmt.h"

#include <stdio.h>
#include <sysexits.h>

int
ctl_order_list(const struct ctl_options *o)
{
    struct pg_arg from, until, buyer = ARG_NULL;
    struct uuid account;

    if (!ctl_one_of("--status", o->status, ORDER_STATUS_WORDS) ||
        !ctl_one_of("--payment-status", o->payment_status, PAYMENT_STATUS_WORDS) ||
        !ctl_time("from", o->from, &from) || !ctl_time("until", o->until, &until))
        return EX_USAGE;
    struct ctx *ctx = ctl_open();
    if (o->buyer != NULL) {
        if (!ctl_find_account(ctx, o->buyer, &account))
            return CTL_FAILED;
        buyer = ARG_ID(account);
    }
    return ctl_list(ctx, o, ORDERS_ADMIN_LIST,
                    "order_number id account_name status payment_status payment_method "
                    "total_amount currency created_at",
                    ARG_TEXT(o->status), ARG_TEXT(o->payment_status), buyer, ARG_NULL, from, until);
}

int
ctl_order_show(const struct ctl_options *o)
{
    struct ctx *ctx = ctl_open();
    struct uuid order;

    if (!ctl_find_order(ctx, o->argv[0], &order))
        return CTL_FAILED;
    return ctl_show(ctx, o, ORDERS_SHEET, ARG_ID(order));
}

static enum err
cancel_work(struct ctx *ctx, void *arg)
{
    const struct uuid *id = arg;
    struct order order;

    enum err e = orders_lock(ctx, *id, (struct uuid){{0}}, &order);
    if (e == OK)
        e = orders_cancel_all(ctx, &order, MOVER_SELLER);
    if (e == OK)
        audit_note(ctx, AUDIT_ORDER_MOVED, *id, "status", part_status_name(PART_CANCELLED));
    return e;
}

int
ctl_order_cancel(const struct ctl_options *o)
{
    if (!ctl_is_sure(o, "the whole order ends, its stock and what was paid for it go back"))
        return EX_USAGE;
    struct ctx *ctx = ctl_open();
    struct uuid order;

    if (!ctl_find_order(ctx, o->argv[0], &order) || ctl_work(ctx, cancel_work, &order) != 0)
        return CTL_FAILED;
    puts("the order is cancelled; soko-jobs sends back what was paid");
    return 0;
}
