/*
 * base/money: int64 minor units and an ISO 4217 currency; decimal strings exist only in JSON;
 * nothing here is ever floating (seed hole 48: three of the five systems computed in floats).
 */
#ifndef SOKO_BASE_MONEY_H
#define SOKO_BASE_MONEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A decimal as a client wrote it: units * 10^-scale. What it is worth depends on the currency. */
struct decimal {
    int64_t units; /* never negative */
    int scale;     /* digits after the point, 0 to 18; trailing zeroes are stripped */
};

/* Reads digits with at most one point ("450000", "12.5", "0.05", "12.50"). Refused: signs,
 * exponents, blanks, an empty side of the point, a leading zero before another digit, more than 18
 * significant digits. False leaves `*out` alone. */
bool decimal_parse(const char *s, size_t len, struct decimal *out);

/* Largest amount that we store, in minor units: 10^15 - 1; sums of 1,000 of them fit an int64. */
#define MONEY_MAX INT64_C(999999999999999)

/* The number of decimals of `currency` (ISO 4217 "minor unit"), or -1 if we do not take it. */
int money_scale(const char *currency);

/* The codes that we take, NULL-terminated, in alphabetical order. */
const char *const *money_currencies(void);

/* `d` in minor units of `currency`. False if the currency is unknown, `d` has more decimals than it
 * has, or the amount is above MONEY_MAX. */
bool money_from_decimal(struct decimal d, const char *currency, int64_t *out);

/* The shortest exact form of `minor`: "450000", "12.5", "-3.2". `out` holds MONEY_TEXT_SIZE.
 * An unknown currency is printed as whole minor units. Returns `out`. */
#define MONEY_TEXT_SIZE 28
const char *money_text(int64_t minor, const char *currency, char out[MONEY_TEXT_SIZE]);

/* *sum += amount * quantity. False, and *sum unchanged, if the result leaves [0, MONEY_MAX] or an
 * operand is negative. */
bool money_add(int64_t *sum, int64_t amount, int64_t quantity);

#endif
