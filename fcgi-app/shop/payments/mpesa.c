/* STUB: replaced by its owner before this branch lands. */
#include "shop/payments/payments.h"
#include "shop/req.h"
static enum err payments_mpesa_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint payments_mpesa = { .name = "payments_mpesa", .tag = "Payments", .doc = "Not yet.", .run = payments_mpesa_run, .out = &message_out };
