/*
 * shop/stores: where sellers sell. One store an account.
 */
#ifndef SOKO_SHOP_STORES_H
#define SOKO_SHOP_STORES_H

#include "io/ctx.h"
#include "shop/endpoint.h"

extern const struct endpoint stores_create;
extern const struct endpoint stores_show;
extern const struct endpoint stores_list;
extern const struct endpoint stores_update;
extern const struct endpoint stores_set_logo;
extern const struct endpoint stores_set_status;
extern const struct endpoint stores_set_commission;

/* Suspends a store, or opens it again: `status` is active or suspended. `seen` is the version that
 * the caller has seen, negative if none. In a transaction, for who administers. ERR_NOT_FOUND,
 * ERR_PRECONDITION_FAILED. */
enum err stores_change_status(struct ctx *ctx, struct uuid id, int64_t seen, const char *status);

/* The same of what the platform takes of its sales, in hundredths of a percent; negative: the usual
 * rate. */
enum err stores_change_commission(struct ctx *ctx, struct uuid id, int64_t seen, int64_t bp);

/* The store for which the actor acts. A seller's is his own; `named` may be nil, and naming another
 * is ERR_FORBIDDEN. An administrator names any: nil and an unknown one are ERR_VALIDATION on
 * store_id. */
enum err stores_of_actor(struct ctx *ctx, struct uuid named, struct uuid *out);

#endif
