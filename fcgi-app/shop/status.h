/*
 * shop/status: whether the shop lives, and what of it.
 */
#ifndef SOKO_SHOP_STATUS_H
#define SOKO_SHOP_STATUS_H

#include "shop/endpoint.h"

extern const struct endpoint status_health;  /* the process alone */
extern const struct endpoint status_ready;   /* whether to send it work */
extern const struct endpoint status_show;    /* PostgreSQL and Redis, for clients */
extern const struct endpoint status_metrics; /* what was counted, for Prometheus */

#endif
