/* STUB: replaced by its owner before this branch lands. */
#ifndef SOKO_SHOP_PAYMENTS_ATTEMPTS_H
#define SOKO_SHOP_PAYMENTS_ATTEMPTS_H
#include "shop/payments/payments.h"
#endif
