/*
 * ctl_few: a connection with a few of the shop's statements, for commands that must work where not
 * all of them can be prepared: on an older schema, on an empty database, on a broken one.
 */
#ifndef SOKO_CTL_FEW_H
#define SOKO_CTL_FEW_H

#include "io/ctx.h"

/* A context on `url` with the statements whose names begin with one of `prefixes` (which ends with
 * NULL), for as long as each may take: the command's caller has the patience. Others do nothing.
 * It lives as long as the arena, which closes it. */
struct ctx *ctl_few(struct arena *a, const char *url, const char *const *prefixes);

#endif
