/* Amounts: what is read in any currency prints as the shortest form of itself. */
#include "base/money.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *const *currencies = money_currencies();
    struct decimal d, again;
    int64_t minor, more, sum = 0;
    char text[MONEY_TEXT_SIZE];

    if (!decimal_parse((const char *)data, size, &d))
        return 0;
    DEMAND(d.units >= 0 && d.scale >= 0 && d.scale <= 18 && (d.scale == 0 || d.units % 10 != 0));
    for (size_t i = 0; currencies[i] != NULL; i++) {
        if (!money_from_decimal(d, currencies[i], &minor))
            continue;
        DEMAND(minor >= 0 && minor <= MONEY_MAX);
        money_text(minor, currencies[i], text);
        DEMAND(strlen(text) <= size);
        DEMAND(decimal_parse(text, strlen(text), &again) && again.units == d.units &&
               again.scale == d.scale);
        DEMAND(money_from_decimal(again, currencies[i], &more) && more == minor);
        DEMAND(money_add(&sum, minor, 1) ? sum <= MONEY_MAX : minor > 0);
    }
    return 0;
}
