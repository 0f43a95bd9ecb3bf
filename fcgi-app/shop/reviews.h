/*
 * shop/reviews: what buyers think. Only who has had a product shipped may review it, and once.
 */
#ifndef SOKO_SHOP_REVIEWS_H
#define SOKO_SHOP_REVIEWS_H

#include "shop/endpoint.h"

extern const struct endpoint reviews_create;
extern const struct endpoint reviews_list;
extern const struct endpoint reviews_show;
extern const struct endpoint reviews_update;
extern const struct endpoint reviews_delete;

#endif
