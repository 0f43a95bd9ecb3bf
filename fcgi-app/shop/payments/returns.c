/* STUB: replaced by its owner before this branch lands. */
#include "shop/payments/payments.h"
#include "shop/req.h"
static enum err refunds_create_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint refunds_create = { .name = "refunds_create", .tag = "Payments", .doc = "Not yet.", .run = refunds_create_run, .out = &message_out };
static enum err refunds_list_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint refunds_list = { .name = "refunds_list", .tag = "Payments", .doc = "Not yet.", .run = refunds_list_run, .out = &message_out };
