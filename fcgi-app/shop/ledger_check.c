/* STUB: replaced by its owner before this branch lands. */
#include "shop/ledger.h"
enum err ledger_check(struct ctx *ctx, FILE *out, size_t *faults)
{ (void)ctx; (void)out; (void)faults; return ERR_SERVICE_UNAVAILABLE; }
