/*
 * shop/catalog/images: the pictures of a product, in their order; the first is its face.
 */
#ifndef SOKO_SHOP_CATALOG_IMAGES_H
#define SOKO_SHOP_CATALOG_IMAGES_H

#include "shop/endpoint.h"

#define IMAGES_MAX 10 /* of a product */

extern const struct endpoint images_add;
extern const struct endpoint images_remove;

#endif
