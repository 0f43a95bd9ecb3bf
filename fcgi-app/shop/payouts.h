/*
 * shop/payouts: what a seller has earned, from the ledger.
 */
#ifndef SOKO_SHOP_PAYOUTS_H
#define SOKO_SHOP_PAYOUTS_H

#include "shop/endpoint.h"

extern const struct endpoint payouts_balance;   /* GET /seller/balance */
extern const struct endpoint payouts_statement; /* GET /seller/statement */

#endif
