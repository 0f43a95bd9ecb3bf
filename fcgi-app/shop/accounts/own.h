/*
 * shop/accounts/own: one's own sessions and password.
 */
#ifndef SOKO_SHOP_ACCOUNTS_OWN_H
#define SOKO_SHOP_ACCOUNTS_OWN_H

#include "shop/endpoint.h"

extern const struct endpoint own_sessions;
extern const struct endpoint own_session_end;
extern const struct endpoint own_password;

#endif
