/*
 * jobs: what happens later, or on a clock.
 */
#ifndef SOKO_JOBS_H
#define SOKO_JOBS_H

#include "prefork.h"
#include "shop/outbox.h"

/* A consumer is one function, run in the transaction that also deletes its delivery; or, if it
 * calls a provider, three steps, as an endpoint has: start() commits what must be known before the
 * call (and leaves *step NULL if there is nothing to call, which ends the delivery), call() holds
 * no transaction, finish() commits the outcome together with the end of the delivery. A crash
 * between them leaves the delivery to be tried again from start(), which must find what was begun.
 *
 * Serves one lane until *stop: takes deliveries that are due and runs each consumer in a
 * transaction that also deletes the delivery; the lane of the clock also runs the
 * schedule, that of payments also asks providers what became of what they were asked. The
 * child of soko-jobs' prefork. */
int jobs_serve(enum lane lane, struct slot *slot, const volatile sig_atomic_t *stop);

/* Whether each listener of outbox.c is a function here. False after logging. */
bool jobs_check(void);

#endif
