/*
 * watch: the process of soko-jobs that looks at the database for the metrics (shop/gauges.h).
 */
#ifndef SOKO_WATCH_H
#define SOKO_WATCH_H

#include "prefork.h"

/* Looks every conf->metrics_every, and every conf->metrics_full_every at everything, until it is
 * told to stop. A child of soko-jobs' prefork. */
int watch_serve(struct slot *slot, const volatile sig_atomic_t *stop);

#endif
