/* STUB: replaced by its owner before this branch lands. */
#include "shop/payments/payments.h"
#include "shop/req.h"
static enum err payments_stripe_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint payments_stripe = { .name = "payments_stripe", .tag = "Payments", .doc = "Not yet.", .run = payments_stripe_run, .out = &message_out };
