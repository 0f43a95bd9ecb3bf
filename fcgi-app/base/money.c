/*
 * Design: a decimal stays units and scale until its currency is known; only then it becomes minor
 * units, exactly or not at all. Nothing rounds here: where money is split, the rule that splits
 * says how.
 *
 * UGX is left out on purpose: Stripe's pages contradict each other on its exponent (PROVIDERS.md
 * 1.2), and a factor of 100 is no risk to take.
 */
#include "base/money.h"

#include <string.h>

#define DIGITS_MOST 18

struct currency {
    char code[4];
    int scale;
};

/* clang-format off */
static const struct currency currencies[] = {
    {"AED", 2}, {"AUD", 2}, {"BHD", 3}, {"BIF", 0}, {"CAD", 2}, {"CHF", 2}, {"CNY", 2}, {"DKK", 2},
    {"EGP", 2}, {"ETB", 2}, {"EUR", 2}, {"GBP", 2}, {"GHS", 2}, {"INR", 2}, {"ISK", 0}, {"JPY", 0},
    {"KES", 2}, {"KRW", 0}, {"KWD", 3}, {"NGN", 2}, {"NOK", 2}, {"NZD", 2}, {"PLN", 2}, {"RWF", 0},
    {"SAR", 2}, {"SEK", 2}, {"TND", 3}, {"TZS", 2}, {"USD", 2}, {"XAF", 0}, {"XOF", 0}, {"ZAR", 2},
    {"ZMW", 2},
};
/* clang-format on */

#define CURRENCY_COUNT (sizeof currencies / sizeof currencies[0])

bool
decimal_parse(const char *s, size_t len, struct decimal *out)
{
    const char *point = memchr(s, '.', len);
    size_t whole = point == NULL ? len : (size_t)(point - s);
    size_t end = len;
    int64_t units = 0;
    size_t digits = 0;

    if (whole == 0 || whole + 1 == len || (whole > 1 && s[0] == '0'))
        return false;
    while (point != NULL && end > whole && (s[end - 1] == '0' || s[end - 1] == '.'))
        end--;
    for (size_t i = 0; i < len; i++) {
        if (i == whole)
            continue;
        if (s[i] < '0' || s[i] > '9')
            return false;
        if (i >= end)
            continue;
        if ((digits != 0 || s[i] != '0') && ++digits > DIGITS_MOST)
            return false;
        units = units * 10 + (s[i] - '0');
    }
    size_t scale = end > whole ? end - whole - 1 : 0;
    if (scale > DIGITS_MOST)
        return false;
    *out = (struct decimal){.units = units, .scale = (int)scale};
    return true;
}

int
money_scale(const char *currency)
{
    if (currency == NULL)
        return -1;
    for (size_t i = 0; i < CURRENCY_COUNT; i++) {
        if (strcmp(currencies[i].code, currency) == 0)
            return currencies[i].scale;
    }
    return -1;
}

const char *const *
money_currencies(void)
{
    static const char *codes[CURRENCY_COUNT + 1];

    for (size_t i = 0; i < CURRENCY_COUNT; i++)
        codes[i] = currencies[i].code;
    return codes;
}

bool
money_from_decimal(struct decimal d, const char *currency, int64_t *out)
{
    int scale = money_scale(currency);
    int64_t minor = d.units;

    if (scale < 0 || d.scale < 0 || d.scale > scale || minor < 0 || minor > MONEY_MAX)
        return false;
    for (int i = d.scale; i < scale; i++) {
        minor *= 10;
        if (minor > MONEY_MAX)
            return false;
    }
    *out = minor;
    return true;
}

const char *
money_text(int64_t minor, const char *currency, char out[MONEY_TEXT_SIZE])
{
    int scale = money_scale(currency);
    uint64_t rest = minor < 0 ? -(uint64_t)minor : (uint64_t)minor;
    char *at = out + MONEY_TEXT_SIZE;

    *--at = '\0';
    for (; scale > 0; scale--, rest /= 10) {
        /* Zeroes at the right end say nothing; once a digit stands there they do. */
        if (*at != '\0' || rest % 10 != 0)
            *--at = (char)('0' + rest % 10);
    }
    if (*at != '\0')
        *--at = '.';
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (minor < 0)
        *--at = '-';
    return memmove(out, at, (size_t)(out + MONEY_TEXT_SIZE - at));
}

bool
money_add(int64_t *sum, int64_t amount, int64_t quantity)
{
    if (*sum < 0 || *sum > MONEY_MAX || amount < 0 || quantity < 0)
        return false;
    if (quantity != 0 && amount > (MONEY_MAX - *sum) / quantity)
        return false;
    *sum += amount * quantity;
    return true;
}
