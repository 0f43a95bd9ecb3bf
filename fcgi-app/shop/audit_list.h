/*
 * shop/audit_list: the audit log, for the administrator.
 */
#ifndef SOKO_SHOP_AUDIT_LIST_H
#define SOKO_SHOP_AUDIT_LIST_H

#include "shop/endpoint.h"

extern const struct endpoint audit_list;

#endif
