/*
 * A row a move; what is not here changes nothing. Two providers, two kinds of last words: Stripe
 * may say that a refund went and later that it did not (a card that was closed), and never takes a
 * failure back, though an old word of success may come after it. M-Pesa's success is final; and
 * should it come after a failure, the money has gone, and nobody may send it again.
 *
 * The shillings of M-Pesa are rounded over the sum of a payment's refunds, not one by one:
 * twice 5.25 of 10.50, for which 11 were taken, is 5 and then 6.
 */
#include "shop/payments/refund_rules.h"
#include "providers/daraja.h"
#include "shop/payments/rules.h"

#include <stddef.h>
#include <string.h>

static const char *const status_names[REFUND__COUNT] = {
    [REFUND_PENDING] = "pending",     [REFUND_SENDING] = "sending", [REFUND_SENT] = "sent",
    [REFUND_SUCCEEDED] = "succeeded", [REFUND_FAILED] = "failed",
};

static const char *const channel_names[BACK__COUNT] = {
    [BACK_BY_NOBODY] = "simulated",
    [BACK_BY_STRIPE] = "stripe",
    [BACK_BY_REVERSAL] = "mpesa_reversal",
    [BACK_BY_B2C] = "mpesa_b2c",
};

enum whose { ANY, STRIPE, NOT_STRIPE };

static const struct {
    enum refund_status from;
    enum refund_news news;
    enum whose whose;
    enum refund_status to;
} moves[] = {
    {REFUND_PENDING, REFUND_TRIED, ANY, REFUND_SENDING},
    {REFUND_FAILED, REFUND_TRIED, ANY, REFUND_SENDING},

    {REFUND_SENDING, REFUND_TAKEN, ANY, REFUND_SENT},
    {REFUND_SENDING, REFUND_GONE, ANY, REFUND_SUCCEEDED},
    {REFUND_SENDING, REFUND_REFUSED, ANY, REFUND_FAILED},

    {REFUND_SENT, REFUND_GONE, ANY, REFUND_SUCCEEDED},
    {REFUND_SENT, REFUND_REFUSED, ANY, REFUND_FAILED},

    {REFUND_SUCCEEDED, REFUND_REFUSED, STRIPE, REFUND_FAILED},
    {REFUND_FAILED, REFUND_GONE, NOT_STRIPE, REFUND_SUCCEEDED},
};
#define MOVES (sizeof(moves) / sizeof(moves[0]))

const char *
refund_status_name(enum refund_status s)
{
    return status_names[s];
}

const char *
refund_channel_name(enum refund_channel c)
{
    return channel_names[c];
}

bool
refund_status_parse(const char *name, enum refund_status *out)
{
    for (enum refund_status s = 0; name != NULL && s < REFUND__COUNT; s++) {
        if (strcmp(name, status_names[s]) == 0) {
            *out = s;
            return true;
        }
    }
    return false;
}

bool
refund_channel_parse(const char *name, enum refund_channel *out)
{
    for (enum refund_channel c = 0; name != NULL && c < BACK__COUNT; c++) {
        if (strcmp(name, channel_names[c]) == 0) {
            *out = c;
            return true;
        }
    }
    return false;
}

bool
refund_moves(enum refund_status from, enum refund_news news, enum refund_channel by,
             enum refund_status *to)
{
    enum whose whose = by == BACK_BY_STRIPE ? STRIPE : NOT_STRIPE;

    for (size_t i = 0; i < MOVES; i++) {
        if (moves[i].from == from && moves[i].news == news &&
            (moves[i].whose == ANY || moves[i].whose == whose)) {
            *to = moves[i].to;
            return true;
        }
    }
    return false;
}

static const char *
plan_mpesa(const struct refund_case *c, enum refund_channel *by, int64_t *amount)
{
    int64_t left = c->received - c->sent;
    int64_t due = daraja_whole(c->back + c->amount) - c->sent;

    *amount = due < left ? due : left;
    if (*amount <= 0)
        return "less than a shilling is left to send back";
    *by = BACK_BY_REVERSAL;
    if (c->has_receipt && c->sent == 0 && *amount == c->received)
        return NULL;
    *by = BACK_BY_B2C;
    if (!c->has_phone)
        return "the payer's phone number is not known, and only a whole payment can be reversed";
    if (*amount < DARAJA_SEND_LEAST)
        return "M-Pesa sends no less than 10 shillings";
    return *amount > DARAJA_MOST ? "M-Pesa sends no more than 250,000 shillings" : NULL;
}

const char *
refund_plan(const struct refund_case *c, enum refund_channel *by, int64_t *amount)
{
    if (strcmp(c->provider, PROVIDER_NAME_MPESA) == 0)
        return plan_mpesa(c, by, amount);
    int64_t left = c->received - c->sent;
    *amount = c->amount < left ? c->amount : left;
    *by = BACK_BY_NOBODY;
    if (*amount <= 0)
        return "nothing is left of what was received";
    if (strcmp(c->provider, PROVIDER_NAME_SIMULATED) == 0)
        return NULL;
    *by = BACK_BY_STRIPE;
    return c->has_ref ? NULL : "the provider's name of the payment is not known";
}
