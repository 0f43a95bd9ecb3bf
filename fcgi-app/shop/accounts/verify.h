/*
 * shop/accounts/verify: proving that an address or a number is one's own.
 */
#ifndef SOKO_SHOP_ACCOUNTS_VERIFY_H
#define SOKO_SHOP_ACCOUNTS_VERIFY_H

#include "shop/endpoint.h"

extern const struct endpoint verify_phone;
extern const struct endpoint verify_email;

#endif
