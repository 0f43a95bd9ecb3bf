/* STUB: replaced by its owner before this branch lands. */
#include "shop/payments/attempts.h"
const char *payments_callback_url(struct ctx *ctx, const char *kind, const char *token)
{ (void)ctx; (void)kind; (void)token; return ""; }
