/*
 * jobs: what happens later, or on a clock.
 */
#ifndef SOKO_JOBS_H
#define SOKO_JOBS_H

#include "prefork.h"
#include "shop/outbox.h"

/* Serves one lane until *stop: takes deliveries that are due and runs each consumer in a
 * transaction that also deletes the delivery; the lane of the clock also runs the schedule. The
 * child of soko-jobs' prefork. */
int jobs_serve(enum lane lane, struct slot *slot, const volatile sig_atomic_t *stop);

/* Whether each listener of outbox.c is a function here. False after logging. */
bool jobs_check(void);

#endif
