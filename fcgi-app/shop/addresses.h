/*
 * shop/addresses: where a buyer has things sent.
 */
#ifndef SOKO_SHOP_ADDRESSES_H
#define SOKO_SHOP_ADDRESSES_H

#include "io/ctx.h"
#include "shop/endpoint.h"

extern const struct endpoint addresses_create;
extern const struct endpoint addresses_list;
extern const struct endpoint addresses_update;
extern const struct endpoint addresses_delete;

/* One of the actor's addresses as the JSON object that an order keeps. ERR_VALIDATION on address_id
 * if it is not his. */
enum err addresses_for_order(struct ctx *ctx, struct uuid id, const char **json);

#endif
