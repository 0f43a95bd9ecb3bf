/*
 * shop/accounts/factor: one's own second factor (totp.h has the rules).
 */
#ifndef SOKO_SHOP_ACCOUNTS_FACTOR_H
#define SOKO_SHOP_ACCOUNTS_FACTOR_H

#include "shop/endpoint.h"

extern const struct endpoint factor_show;
extern const struct endpoint factor_begin;
extern const struct endpoint factor_confirm;
extern const struct endpoint factor_remove;
extern const struct endpoint factor_new_codes;

#endif
