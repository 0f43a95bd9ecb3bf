/* STUB: replaced by its owner before this branch lands. */
#include "shop/payments/payments.h"
#include "shop/req.h"
static enum err payments_c2b_validation_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint payments_c2b_validation = { .name = "payments_c2b_validation", .tag = "Payments", .doc = "Not yet.", .run = payments_c2b_validation_run, .out = &message_out, .raw = true };
static enum err payments_c2b_confirmation_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint payments_c2b_confirmation = { .name = "payments_c2b_confirmation", .tag = "Payments", .doc = "Not yet.", .run = payments_c2b_confirmation_run, .out = &message_out, .raw = true };
