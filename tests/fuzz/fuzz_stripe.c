/* Stripe's webhooks: a Stripe-Signature, a NUL, and a body. No header signs a body that Stripe has
 * not signed; any body is read or refused. */
#include "base/config.h"
#include "fuzz.h"
#include "io/ctx.h"
#include "providers/stripe.h"

#define SECRETS "whsec_first0123456789,whsec_second987654321"
#define NOW 1790000000
#define TOLERANCE 300

/* What is read of a shop's settings: its defaults. */
static void
configure(void)
{
    setenv("DATABASE_URL", "dbname=none", 1);
    setenv("TOKEN_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("DATA_KEY", "fedcba9876543210fedcba9876543210", 1);
    DEMAND(config_load(NULL, stderr));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = fuzz_arena();
    struct ctx ctx = {.arena = a, .now_ms = NOW * INT64_C(1000)};
    struct stripe_event event = {0};
    if (conf == NULL)
        configure();
    const char *header = fuzz_piece(a, &data, &size);

    DEMAND(stripe_signature_fault(header, data, size, SECRETS, NOW, TOLERANCE) != NULL);
    DEMAND(stripe_signature_fault(header, data, size, "", NOW, TOLERANCE) != NULL);
    if (stripe_event_read(&ctx, data, size, &event) != OK)
        return 0;
    DEMAND(event.id != NULL && event.type != NULL && event.api_version != NULL);
    if (event.kind == STRIPE_INTENT)
        DEMAND(event.intent.id != NULL && event.intent.amount >= 0);
    if (event.kind == STRIPE_REFUND)
        DEMAND(event.refund.id != NULL && event.refund.amount >= 0);
    return 0;
}
