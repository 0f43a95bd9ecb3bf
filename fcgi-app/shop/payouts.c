/* STUB: replaced by its owner before this branch lands. */
#include "shop/payouts.h"
#include "shop/req.h"
static enum err payouts_balance_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint payouts_balance = { .name = "payouts_balance", .tag = "Payments", .doc = "Not yet.", .run = payouts_balance_run, .out = &message_out };
static enum err payouts_statement_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint payouts_statement = { .name = "payouts_statement", .tag = "Payments", .doc = "Not yet.", .run = payouts_statement_run, .out = &message_out };
