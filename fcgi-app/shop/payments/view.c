/* STUB: replaced by its owner before this branch lands. */
#include "shop/payments/payments.h"
#include "shop/req.h"
static enum err payments_show_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint payments_show = { .name = "payments_show", .tag = "Payments", .doc = "Not yet.", .run = payments_show_run, .out = &message_out };
static enum err payments_of_order_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint payments_of_order = { .name = "payments_of_order", .tag = "Payments", .doc = "Not yet.", .run = payments_of_order_run, .out = &message_out };
