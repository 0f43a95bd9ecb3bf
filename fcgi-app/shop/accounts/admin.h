/*
 * shop/accounts/admin: accounts as an administrator sees them.
 */
#ifndef SOKO_SHOP_ACCOUNTS_ADMIN_H
#define SOKO_SHOP_ACCOUNTS_ADMIN_H

#include "shop/endpoint.h"

extern const struct endpoint admin_user_list;
extern const struct endpoint admin_user_update;

#endif
