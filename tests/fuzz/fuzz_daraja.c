/* What Daraja posts: STK callbacks, results, C2B. What is read has the shapes that the header
 * promises, and an amount is never negative. */
#include "fuzz.h"
#include "io/ctx.h"
#include "providers/daraja.h"

static void
demand_word(const char *s)
{
    if (s == NULL)
        return;
    DEMAND(strlen(s) <= 100);
    for (; *s != '\0'; s++)
        DEMAND(*s >= ' ' && *s <= '~');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ctx ctx = {.arena = fuzz_arena()};
    struct daraja_callback callback = {0};
    struct daraja_result result = {0};
    struct daraja_c2b c2b = {0};

    if (daraja_callback_read(&ctx, data, size, &callback)) {
        demand_word(callback.checkout_id);
        demand_word(callback.code);
        demand_word(callback.receipt);
        DEMAND(callback.amount >= 0);
        daraja_stk_word(callback.code);
    }
    if (daraja_result_read(&ctx, data, size, &result)) {
        demand_word(result.code);
        DEMAND(result.amount >= 0);
    }
    if (daraja_c2b_read(&ctx, data, size, &c2b))
        DEMAND(c2b.amount >= 0);
    return 0;
}
