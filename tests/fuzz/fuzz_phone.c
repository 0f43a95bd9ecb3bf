/* Telephone numbers: what is canonical stays as it is. */
#include "base/phone.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = fuzz_arena();
    char out[PHONE_SIZE], again[PHONE_SIZE], mask[PHONE_SIZE];

    if (!phone_normalise(fuzz_text(a, data, size), out))
        return 0;
    DEMAND(out[0] == '+' && strspn(out + 1, "0123456789") == strlen(out + 1));
    DEMAND(strlen(out) >= 9 && strlen(out) <= 16);
    DEMAND(phone_normalise(out, again) && strcmp(out, again) == 0);
    DEMAND((strncmp(out, "+254", 4) == 0) == phone_is_kenyan_mobile(out));
    DEMAND(strcmp(phone_mask(out, mask), out) != 0);
    return 0;
}
