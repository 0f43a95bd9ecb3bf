/*
 * Money in and money back, as an administrator sees and decides it (shop/payments/admin.c). Nobody
 * calls a provider from here: what is to be asked or sent, soko-jobs asks or sends.
 */
#include "ctl_rows.h"
#include "shop/payments/payments.h"
#include "shop/stmt.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define REFUND_WORDS "pending|sending|sent|succeeded|failed"

int
ctl_payment_list(const struct ctl_options *o)
{
    struct pg_arg from, until;

    if (!ctl_one_of("--status", o->status, PAYMENT_WORDS) ||
        !ctl_one_of("--provider", o->provider, PROVIDER_WORDS) ||
        !ctl_time("from", o->from, &from) || !ctl_time("until", o->until, &until))
        return EX_USAGE;
    return ctl_list(ctl_open(), o, PAYMENTS_ADMIN_LIST,
                    "id order_number provider status amount received refunded currency receipt "
                    "failure created_at",
                    ARG_TEXT(o->status), ARG_TEXT(o->provider), ARG_TEXT(o->receipt),
                    ARG_TEXT(o->order), ARG_NULL, from, until);
}

int
ctl_payment_show(const struct ctl_options *o)
{
    struct ctx *ctx = ctl_open();
    struct uuid payment;

    if (!ctl_find_payment(ctx, o->argv[0], &payment))
        return CTL_FAILED;
    return ctl_show(ctx, o, PAYMENTS_ADMIN_SHOW, ARG_ID(payment));
}

int
ctl_payment_heard(const struct ctl_options *o)
{
    struct ctx *ctx = ctl_open();
    struct uuid payment;

    if (!ctl_find_payment(ctx, o->argv[0], &payment))
        return CTL_FAILED;
    return ctl_list(ctx, o, PAYMENTS_ADMIN_HEARD, "received_at kind state outcome body",
                    ARG_ID(payment));
}

static enum err
ask_work(struct ctx *ctx, void *arg)
{
    const struct uuid *payment = arg;

    return payments_ask_soon(ctx, *payment);
}

int
ctl_payment_ask(const struct ctl_options *o)
{
    struct ctx *ctx = ctl_open();
    struct uuid payment;

    if (!ctl_find_payment(ctx, o->argv[0], &payment) || ctl_work(ctx, ask_work, &payment) != 0)
        return CTL_FAILED;
    puts("soko-jobs asks its provider at the next turn");
    return 0;
}

struct decision {
    struct uuid payment, order;
    bool accepts;
    const char *note;
};

static enum err
decide_work(struct ctx *ctx, void *arg)
{
    const struct decision *d = arg;

    return payments_decide(ctx, d->payment, d->accepts, d->order, d->note);
}

static int
decide(const struct ctl_options *o, bool accepts, const char *done)
{
    struct ctx *ctx = ctl_open();
    struct decision d = {.accepts = accepts, .note = o->note};

    if (!ctl_find_payment(ctx, o->argv[0], &d.payment) ||
        (o->order != NULL && !ctl_find_order(ctx, o->order, &d.order)) ||
        ctl_work(ctx, decide_work, &d) != 0)
        return CTL_FAILED;
    puts(done);
    return 0;
}

int
ctl_payment_accept(const struct ctl_options *o)
{
    return decide(o, true, "the money is the order's");
}

int
ctl_payment_return(const struct ctl_options *o)
{
    return decide(o, false, "soko-jobs sends back all that has come");
}

int
ctl_refund_list(const struct ctl_options *o)
{
    struct pg_arg from, until;

    if (!ctl_one_of("--status", o->status, REFUND_WORDS) || !ctl_time("from", o->from, &from) ||
        !ctl_time("until", o->until, &until))
        return EX_USAGE;
    return ctl_list(ctl_open(), o, REFUNDS_ADMIN_LIST,
                    "id order_number amount currency status reason channel attempt failure "
                    "created_at",
                    ARG_TEXT(o->status), ARG_TEXT(o->order), from, until);
}

static enum err
retry_work(struct ctx *ctx, void *arg)
{
    const struct uuid *refund = arg;

    return refunds_try_again(ctx, *refund);
}

int
ctl_refund_retry(const struct ctl_options *o)
{
    struct pg_arg id;

    if (!ctl_id(o->argv[0], o->argv[0], &id))
        return EX_USAGE;
    if (ctl_work(ctl_open(), retry_work, &id.v.id) != 0)
        return CTL_FAILED;
    puts("soko-jobs sends it again at the next turn");
    return 0;
}
