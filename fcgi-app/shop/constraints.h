/*
 * shop/constraints: what a violated constraint of our schema means to the caller.
 */
#ifndef SOKO_SHOP_CONSTRAINTS_H
#define SOKO_SHOP_CONSTRAINTS_H

#include "io/pg.h"

/* For pg_options.constraints; ends with a row without a name. */
extern const struct pg_constraint constraints[];

#endif
