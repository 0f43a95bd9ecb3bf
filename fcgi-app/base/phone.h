/*
 * base/phone: telephone numbers in E.164 (ITU-T; at most 15 digits), with the forms that people in
 * Kenya write: 0712 345 678, 0112345678, 712345678, 254712345678, +254 712-345-678.
 */
#ifndef SOKO_BASE_PHONE_H
#define SOKO_BASE_PHONE_H

#include <stdbool.h>
#include <stddef.h>

#define PHONE_SIZE 17 /* '+', 15 digits, NUL */

/* Writes the canonical form "+254712345678". Blanks, hyphens, dots and round brackets between
 * digits are ignored. Accepted: a Kenyan mobile number in any of the forms above (07 and 01
 * prefixes), or any number that begins with '+' and has 8 to 15 digits, the first not 0; what
 * begins with +254 must be a Kenyan mobile number (254 then 7 or 1, then 8 digits). False leaves
 * `out` alone. */
bool phone_normalise(const char *s, char out[PHONE_SIZE]);

/* Whether a canonical number is a Kenyan mobile number, which M-Pesa can serve. */
bool phone_is_kenyan_mobile(const char *canonical);

/* "+254712***678": enough for a human to recognise, not to call. For logs. */
const char *phone_mask(const char *canonical, char out[PHONE_SIZE]);

#endif
