/*
 * Design: one pass strips separators and keeps at most 15 digits, then four shapes are told apart
 * by their length and first digits. libphonenumber knows every country's plan, and needs C++ and
 * megabytes; the only plan that matters here is the one that M-Pesa serves.
 */
#include "base/phone.h"

#include <string.h>

#define DIGITS_LEAST 8
#define DIGITS_MOST 15
#define KENYA "254"
#define SUBSCRIBER_DIGITS 9 /* 712345678 */
#define MASK_LAST 3
#define MASK_FIRST 7

static bool
is_mobile(const char *subscriber)
{
    return subscriber[0] == '7' || subscriber[0] == '1';
}

/* Copies the digits of `s`; their number, or 0 if there is anything else, or too many. */
static size_t
strip(const char *s, char digits[DIGITS_MOST + 1], bool *plus)
{
    size_t n = 0;

    *plus = false;
    for (; *s != '\0'; s++) {
        if (strchr(" -.()", *s) != NULL)
            continue;
        if (*s == '+' && n == 0 && !*plus) {
            *plus = true;
            continue;
        }
        if (*s < '0' || *s > '9' || n == DIGITS_MOST)
            return 0;
        digits[n++] = *s;
    }
    digits[n] = '\0';
    return n;
}

bool
phone_normalise(const char *s, char out[PHONE_SIZE])
{
    char digits[DIGITS_MOST + 1];
    bool plus;
    size_t n = strip(s, digits, &plus);
    const char *subscriber = NULL;

    if (n == 0)
        return false;
    bool kenya = strncmp(digits, KENYA, 3) == 0;
    if (plus && !kenya) {
        if (n < DIGITS_LEAST || digits[0] == '0')
            return false;
        out[0] = '+';
        memcpy(out + 1, digits, n + 1);
        return true;
    }

    if (kenya && n == 3 + SUBSCRIBER_DIGITS)
        subscriber = digits + 3;
    else if (!plus && n == 1 + SUBSCRIBER_DIGITS && digits[0] == '0')
        subscriber = digits + 1;
    else if (!plus && n == SUBSCRIBER_DIGITS)
        subscriber = digits;
    if (subscriber == NULL || !is_mobile(subscriber))
        return false;
    memcpy(out, "+" KENYA, 4);
    memcpy(out + 4, subscriber, SUBSCRIBER_DIGITS + 1);
    return true;
}

bool
phone_is_kenyan_mobile(const char *canonical)
{
    if (strlen(canonical) != 4 + SUBSCRIBER_DIGITS || strncmp(canonical, "+" KENYA, 4) != 0)
        return false;
    return is_mobile(canonical + 4) && strspn(canonical + 4, "0123456789") == SUBSCRIBER_DIGITS;
}

const char *
phone_mask(const char *canonical, char out[PHONE_SIZE])
{
    size_t len = strlen(canonical), first = 0, last = 0;

    /* At least three digits stay hidden, however short the number. */
    if (len >= DIGITS_LEAST) {
        last = MASK_LAST;
        first = len - last - 3 < MASK_FIRST ? len - last - 3 : MASK_FIRST;
    }
    memcpy(out, canonical, first);
    memcpy(out + first, "***", 3);
    memcpy(out + first + 3, canonical + len - last, last);
    out[first + 3 + last] = '\0';
    return out;
}
