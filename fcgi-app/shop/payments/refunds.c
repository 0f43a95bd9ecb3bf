/* STUB: replaced by its owner before this branch lands. */
#include "shop/payments/payments.h"
#include "shop/req.h"
static enum err payments_result_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint payments_result = { .name = "payments_result", .tag = "Payments", .doc = "Not yet.", .run = payments_result_run, .out = &message_out, .raw = true };
static enum err payments_timeout_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint payments_timeout = { .name = "payments_timeout", .tag = "Payments", .doc = "Not yet.", .run = payments_timeout_run, .out = &message_out, .raw = true };
enum err refunds_claim_due(struct ctx *ctx, int64_t limit, struct order_id **ids, size_t *count) { (void)ctx; (void)limit; *ids = NULL; *count = 0; return OK; }
void refunds_ask_about(struct ctx *ctx, struct uuid refund) { (void)ctx; (void)refund; }
enum err refunds_start(struct ctx *ctx, const struct delivery *d, void **step) { *step = NULL; return payments_pay_refund(ctx, d); }
enum err refunds_call(struct ctx *ctx, void *step) { (void)ctx; (void)step; return OK; }
enum err refunds_finish(struct ctx *ctx, void *step) { (void)ctx; (void)step; return OK; }
enum err refunds_hear_stripe(struct ctx *ctx, const struct stripe_refund *r) { (void)ctx; (void)r; return OK; }
