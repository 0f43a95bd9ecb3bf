/*
 * The table is the state machine: a row that is not here does not happen. Guards are columns, so
 * that the whole of it can be read at once, and tested cell by cell.
 */
#include "shop/orders/rules.h"
#include "base/config.h"

#include <string.h>

static const char *const status_names[PART__COUNT] = {
    [PART_PENDING] = "pending",     [PART_PAID] = "paid",       [PART_PROCESSING] = "processing",
    [PART_SHIPPING] = "shipping",   [PART_SHIPPED] = "shipped", [PART_COMPLETED] = "completed",
    [PART_CANCELLED] = "cancelled",
};

static const char *const method_names[METHOD__COUNT] = {
    [METHOD_SIMULATED] = "simulated",
    [METHOD_CASH_ON_DELIVERY] = "cash_on_delivery",
    [METHOD_MPESA] = "mpesa",
    [METHOD_STRIPE] = "stripe",
};

/* When the way of paying allows a move. */
enum guard { ALWAYS, PREPAID, CASH };

static const struct {
    enum part_status from, to;
    enum mover mover;
    enum guard guard;
} moves[] = {
    {PART_PENDING, PART_PAID, MOVER_PAYMENT, PREPAID},
    {PART_PENDING, PART_PROCESSING, MOVER_SELLER, CASH},
    {PART_PAID, PART_PROCESSING, MOVER_SELLER, PREPAID},
    {PART_PROCESSING, PART_SHIPPING, MOVER_SELLER, ALWAYS},
    {PART_SHIPPING, PART_SHIPPED, MOVER_SELLER, ALWAYS},
    {PART_SHIPPED, PART_COMPLETED, MOVER_SELLER, ALWAYS},

    {PART_PENDING, PART_CANCELLED, MOVER_SELLER, ALWAYS},
    {PART_PAID, PART_CANCELLED, MOVER_SELLER, ALWAYS},
    {PART_PROCESSING, PART_CANCELLED, MOVER_SELLER, ALWAYS},
    {PART_PENDING, PART_CANCELLED, MOVER_BUYER, ALWAYS},
    {PART_PAID, PART_CANCELLED, MOVER_BUYER, ALWAYS},
    {PART_PROCESSING, PART_CANCELLED, MOVER_BUYER, ALWAYS},
    {PART_PENDING, PART_CANCELLED, MOVER_EXPIRY, PREPAID},
};
#define MOVES (sizeof(moves) / sizeof(moves[0]))

static bool
guard_holds(enum guard guard, enum payment_method method)
{
    bool cash = method == METHOD_CASH_ON_DELIVERY;

    return guard == ALWAYS || (guard == CASH) == cash;
}

const char *
part_status_name(enum part_status s)
{
    return status_names[s];
}

const char *
payment_method_name(enum payment_method m)
{
    return method_names[m];
}

bool
part_status_parse(const char *name, enum part_status *out)
{
    for (enum part_status s = 0; name != NULL && s < PART__COUNT; s++) {
        if (strcmp(name, status_names[s]) == 0) {
            *out = s;
            return true;
        }
    }
    return false;
}

bool
payment_method_parse(const char *name, enum payment_method *out)
{
    for (enum payment_method m = 0; name != NULL && m < METHOD__COUNT; m++) {
        if (strcmp(name, method_names[m]) == 0) {
            *out = m;
            return true;
        }
    }
    return false;
}

bool
part_may_move(enum part_status from, enum part_status to, enum mover mover,
              enum payment_method method)
{
    for (size_t i = 0; i < MOVES; i++) {
        if (moves[i].from == from && moves[i].to == to && moves[i].mover == mover)
            return guard_holds(moves[i].guard, method);
    }
    return false;
}

enum part_status
order_status_of(const enum part_status *parts, size_t count)
{
    enum part_status least = PART_CANCELLED;

    for (size_t i = 0; i < count; i++) {
        if (parts[i] < least)
            least = parts[i];
    }
    return least;
}

bool
payment_method_offered(enum payment_method m)
{
    switch (m) {
    case METHOD_CASH_ON_DELIVERY:
        return true;
    case METHOD_SIMULATED:
        return config_is_demo();
    case METHOD_STRIPE:
        return conf->stripe_secret_key[0] != '\0';
    case METHOD_MPESA:
        return conf->daraja_consumer_key[0] != '\0';
    default:
        return false;
    }
}

bool
payment_method_expires(enum payment_method m)
{
    return m != METHOD_CASH_ON_DELIVERY;
}
