/*
 * shop/payments/returns: a refund as its shop sees it.
 */
#ifndef SOKO_SHOP_PAYMENTS_RETURNS_H
#define SOKO_SHOP_PAYMENTS_RETURNS_H

#include "shop/endpoint.h"

extern const struct output refund_out;

#endif
