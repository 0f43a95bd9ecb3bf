/* STUB: replaced by its owner before this branch lands. */
#include "shop/payments/payments.h"
#include "shop/req.h"
static enum err payments_stripe_event_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint payments_stripe_event = { .name = "payments_stripe_event", .tag = "Payments", .doc = "Not yet.", .run = payments_stripe_event_run, .out = &message_out, .raw = true };
static enum err payments_stk_callback_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint payments_stk_callback = { .name = "payments_stk_callback", .tag = "Payments", .doc = "Not yet.", .run = payments_stk_callback_run, .out = &message_out, .raw = true };
enum err payments_hear(struct ctx *ctx, const struct delivery *d) { (void)ctx; (void)d; return OK; }
