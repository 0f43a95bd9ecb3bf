/*
 * shop/catalog/selling: a product's seller changes it, hides it, and lists what he has.
 */
#ifndef SOKO_SHOP_CATALOG_SELLING_H
#define SOKO_SHOP_CATALOG_SELLING_H

#include "shop/endpoint.h"

extern const struct endpoint selling_update;
extern const struct endpoint selling_hide;
extern const struct endpoint selling_list;

#endif
