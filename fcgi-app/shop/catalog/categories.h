/*
 * shop/catalog/categories: the tree that products hang in.
 */
#ifndef SOKO_SHOP_CATALOG_CATEGORIES_H
#define SOKO_SHOP_CATALOG_CATEGORIES_H

#include "shop/endpoint.h"

extern const struct endpoint categories_create;
extern const struct endpoint categories_list;
extern const struct endpoint categories_update;
extern const struct endpoint categories_delete;

#endif
