/*
 * A row a state in which something can still be learned; what is not here hears nothing more.
 */
#include "shop/payments/rules.h"

#include <stddef.h>
#include <string.h>

static const char *const status_names[PAYMENT__COUNT] = {
    [PAYMENT_INITIATING] = "initiating", [PAYMENT_PROCESSING] = "processing",
    [PAYMENT_UNKNOWN] = "unknown",       [PAYMENT_SUCCEEDED] = "succeeded",
    [PAYMENT_FAILED] = "failed",         [PAYMENT_CANCELLED] = "cancelled",
    [PAYMENT_ABANDONED] = "abandoned",   [PAYMENT_PARTIALLY_REFUNDED] = "partially_refunded",
    [PAYMENT_REFUNDED] = "refunded",     [PAYMENT_NEEDS_REVIEW] = "needs_review",
};

static const char *const outcome_names[OUTCOME__COUNT] = {
    [OUTCOME_PAID] = "paid",           [OUTCOME_FAILED] = "failed",
    [OUTCOME_CANCELLED] = "cancelled", [OUTCOME_UNKNOWN] = "unknown",
    [OUTCOME_ABANDONED] = "abandoned", [OUTCOME_GIVEN_UP] = "given_up",
};

static const struct {
    enum payment_status from;
    enum outcome word;
    enum payment_status to;
} moves[] = {
    {PAYMENT_INITIATING, OUTCOME_PAID, PAYMENT_SUCCEEDED},
    {PAYMENT_PROCESSING, OUTCOME_PAID, PAYMENT_SUCCEEDED},
    {PAYMENT_UNKNOWN, OUTCOME_PAID, PAYMENT_SUCCEEDED},
    {PAYMENT_FAILED, OUTCOME_PAID, PAYMENT_SUCCEEDED},
    {PAYMENT_CANCELLED, OUTCOME_PAID, PAYMENT_SUCCEEDED},
    {PAYMENT_ABANDONED, OUTCOME_PAID, PAYMENT_SUCCEEDED},

    {PAYMENT_INITIATING, OUTCOME_FAILED, PAYMENT_FAILED},
    {PAYMENT_PROCESSING, OUTCOME_FAILED, PAYMENT_FAILED},
    {PAYMENT_UNKNOWN, OUTCOME_FAILED, PAYMENT_FAILED},

    {PAYMENT_INITIATING, OUTCOME_CANCELLED, PAYMENT_CANCELLED},
    {PAYMENT_PROCESSING, OUTCOME_CANCELLED, PAYMENT_CANCELLED},
    {PAYMENT_UNKNOWN, OUTCOME_CANCELLED, PAYMENT_CANCELLED},

    {PAYMENT_INITIATING, OUTCOME_ABANDONED, PAYMENT_ABANDONED},
    {PAYMENT_PROCESSING, OUTCOME_ABANDONED, PAYMENT_ABANDONED},
    {PAYMENT_UNKNOWN, OUTCOME_ABANDONED, PAYMENT_ABANDONED},

    {PAYMENT_INITIATING, OUTCOME_GIVEN_UP, PAYMENT_NEEDS_REVIEW},
    {PAYMENT_PROCESSING, OUTCOME_GIVEN_UP, PAYMENT_NEEDS_REVIEW},
    {PAYMENT_UNKNOWN, OUTCOME_GIVEN_UP, PAYMENT_NEEDS_REVIEW},

    {PAYMENT_INITIATING, OUTCOME_UNKNOWN, PAYMENT_UNKNOWN},
    {PAYMENT_PROCESSING, OUTCOME_UNKNOWN, PAYMENT_UNKNOWN},
};
#define MOVES (sizeof(moves) / sizeof(moves[0]))

const char *
payment_status_name(enum payment_status s)
{
    return status_names[s];
}

const char *
outcome_name(enum outcome o)
{
    return outcome_names[o];
}

bool
payment_status_parse(const char *name, enum payment_status *out)
{
    for (enum payment_status s = 0; name != NULL && s < PAYMENT__COUNT; s++) {
        if (strcmp(name, status_names[s]) == 0) {
            *out = s;
            return true;
        }
    }
    return false;
}

bool
payment_is_open(enum payment_status s)
{
    return s == PAYMENT_INITIATING || s == PAYMENT_PROCESSING || s == PAYMENT_UNKNOWN;
}

bool
payment_moves(enum payment_status from, enum outcome word, bool matches, enum payment_status *to)
{
    for (size_t i = 0; i < MOVES; i++) {
        if (moves[i].from == from && moves[i].word == word) {
            *to = word == OUTCOME_PAID && !matches ? PAYMENT_NEEDS_REVIEW : moves[i].to;
            return true;
        }
    }
    return false;
}

int64_t
payment_pause(int64_t first, int64_t longest, int64_t times)
{
    int64_t ms = first;

    for (int64_t i = 0; i < times && ms < longest; i++)
        ms *= 2;
    return ms < longest ? ms : longest;
}
