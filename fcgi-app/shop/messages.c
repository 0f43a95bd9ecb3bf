/* STUB: replaced by its owner before this branch lands. */
#include "shop/messages.h"
#include "shop/req.h"
static enum err messages_report_run(struct req *rq) { return fail(&rq->ctx, ERR_SERVICE_UNAVAILABLE, NULL, "not yet"); }
const struct endpoint messages_report = { .name = "messages_report", .tag = "Payments", .doc = "Not yet.", .run = messages_report_run, .out = &message_out, .raw = true };
void messages_send(struct ctx *ctx, struct uuid account, enum template t,
                   const struct message_param *params, size_t count)
{ (void)ctx; (void)account; (void)t; (void)params; (void)count;  }
bool messages_check(void)
{  return false; }
enum err messages_start(struct ctx *ctx, const struct delivery *d, void **step)
{ (void)ctx; (void)d; (void)step; return ERR_SERVICE_UNAVAILABLE; }
enum err messages_call(struct ctx *ctx, void *step)
{ (void)ctx; (void)step; return ERR_SERVICE_UNAVAILABLE; }
enum err messages_finish(struct ctx *ctx, void *step)
{ (void)ctx; (void)step; return ERR_SERVICE_UNAVAILABLE; }
