/* STUB: replaced by its owner before this branch lands. */
#include "providers/stripe.h"
bool stripe_takes(int64_t amount, const char *currency)
{ (void)amount; (void)currency; return false; }
enum heard stripe_create_intent(struct ctx *ctx, const struct stripe_intent_in *in,
                                struct stripe_intent *out, struct refusal *why)
{ (void)ctx; (void)in; (void)out; (void)why; return HEARD_NOT_SENT; }
enum heard stripe_get_intent(struct ctx *ctx, const char *id, struct stripe_intent *out,
                             struct refusal *why)
{ (void)ctx; (void)id; (void)out; (void)why; return HEARD_NOT_SENT; }
enum heard stripe_cancel_intent(struct ctx *ctx, const char *id, struct stripe_intent *out,
                                struct refusal *why)
{ (void)ctx; (void)id; (void)out; (void)why; return HEARD_NOT_SENT; }
enum heard stripe_refund(struct ctx *ctx, const struct stripe_refund_in *in,
                         struct stripe_refund *out, struct refusal *why)
{ (void)ctx; (void)in; (void)out; (void)why; return HEARD_NOT_SENT; }
enum heard stripe_get_refund(struct ctx *ctx, const char *id, struct stripe_refund *out,
                             struct refusal *why)
{ (void)ctx; (void)id; (void)out; (void)why; return HEARD_NOT_SENT; }
const char *stripe_signature_fault(const char *header, const void *body, size_t len,
                                   const char *secrets, int64_t now_s, int64_t tolerance_s)
{ (void)header; (void)body; (void)len; (void)secrets; (void)now_s; (void)tolerance_s; return NULL; }
enum err stripe_event_read(struct ctx *ctx, const void *body, size_t len, struct stripe_event *out)
{ (void)ctx; (void)body; (void)len; (void)out; return ERR_SERVICE_UNAVAILABLE; }
