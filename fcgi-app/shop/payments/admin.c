/* STUB: replaced by its owner before this branch lands. */
#include "shop/payments/payments.h"
#include "shop/req.h"
static enum err payments_admin_list_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint payments_admin_list = { .name = "payments_admin_list", .tag = "Payments", .doc = "Not yet.", .run = payments_admin_list_run, .out = &message_out };
static enum err payments_resolve_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint payments_resolve = { .name = "payments_resolve", .tag = "Payments", .doc = "Not yet.", .run = payments_resolve_run, .out = &message_out };
static enum err refunds_retry_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint refunds_retry = { .name = "refunds_retry", .tag = "Payments", .doc = "Not yet.", .run = refunds_retry_run, .out = &message_out };
