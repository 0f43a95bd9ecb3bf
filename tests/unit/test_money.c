/* Decimals as clients write them, exponents of ISO 4217, and no amount beyond MONEY_MAX. */
#include "base/money.h"

#include "unit.h"

START_TEST(test_parse)
{
    static const struct {
        const char *s;
        int64_t units; /* -1: refused */
        int scale;
    } rows[] = {
        {"0", 0, 0},
        {"0.0", 0, 0},
        {"0.000000000000000000000000", 0, 0},
        {"450000", 450000, 0},
        {"12.5", 125, 1},
        {"12.50", 125, 1},
        {"12.00", 12, 0},
        {"100", 100, 0},
        {"0.05", 5, 2},
        {"0.000000000000000001", 1, 18},
        {"0.0000000000000000001", -1, 0},
        {"999999999999999999", INT64_C(999999999999999999), 0},
        {"1000000000000000000", -1, 0},
        {"9223372036854775808", -1, 0},
        {"123456789.123456789", INT64_C(123456789123456789), 9},
        {"123456789.1234567891", -1, 0},
        {"", -1, 0},
        {".", -1, 0},
        {".5", -1, 0},
        {"5.", -1, 0},
        {"1.2.3", -1, 0},
        {"1..", -1, 0},
        {"00", -1, 0},
        {"01", -1, 0},
        {"00.5", -1, 0},
        {"-1", -1, 0},
        {"-0", -1, 0},
        {"+1", -1, 0},
        {"1e3", -1, 0},
        {" 1", -1, 0},
        {"1 ", -1, 0},
        {"1,5", -1, 0},
        {"0x10", -1, 0},
        {"1.x0", -1, 0},
        {"NaN", -1, 0},
        {"\xd9\xa1", -1, 0},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct decimal d = {-7, -7};
        bool ok = decimal_parse(rows[i].s, strlen(rows[i].s), &d);

        ck_assert_msg(ok == (rows[i].units >= 0), "%s", rows[i].s);
        ck_assert_int_eq(d.units, ok ? rows[i].units : -7);
        ck_assert_int_eq(d.scale, ok ? rows[i].scale : -7);
    }
    struct decimal d;
    ck_assert(!decimal_parse("1\0", 2, &d));
    ck_assert(decimal_parse("123", 2, &d) && d.units == 12);
}
END_TEST

START_TEST(test_from_decimal)
{
    static const struct {
        struct decimal d;
        const char *currency;
        int64_t want; /* -1: refused */
    } rows[] = {
        {{450000, 0}, "KES", 45000000},
        {{125, 1}, "KES", 1250},
        {{5, 2}, "KES", 5},
        {{5, 3}, "KES", -1},
        {{5, 3}, "KWD", 5},
        {{5, 0}, "KWD", 5000},
        {{5, 0}, "JPY", 5},
        {{5, 1}, "JPY", -1},
        {{INT64_C(9999999999999), 0}, "KES", INT64_C(999999999999900)},
        {{INT64_C(999999999999999), 2}, "KES", MONEY_MAX},
        {{INT64_C(10000000000000), 0}, "KES", -1},
        {{MONEY_MAX, 0}, "JPY", MONEY_MAX},
        {{MONEY_MAX + 1, 0}, "JPY", -1},
        {{INT64_MAX, 0}, "KWD", -1},
        {{-1, 0}, "KES", -1},
        {{1, -1}, "KES", -1},
        {{1, 0}, "UGX", -1},
        {{1, 0}, "kes", -1},
        {{1, 0}, "", -1},
        {{1, 0}, NULL, -1},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t minor = -1;

        ck_assert_int_eq(money_from_decimal(rows[i].d, rows[i].currency, &minor),
                         rows[i].want >= 0);
        ck_assert_int_eq(minor, rows[i].want);
    }
}
END_TEST

START_TEST(test_text)
{
    static const struct {
        int64_t minor;
        const char *currency, *want;
    } rows[] = {
        {45000000, "KES", "450000"},
        {1250, "KES", "12.5"},
        {1205, "KES", "12.05"},
        {-320, "KES", "-3.2"},
        {5, "KES", "0.05"},
        {-5, "KES", "-0.05"},
        {50, "KES", "0.5"},
        {0, "KES", "0"},
        {0, "JPY", "0"},
        {1250, "JPY", "1250"},
        {1, "KWD", "0.001"},
        {1010, "KWD", "1.01"},
        {1000, "KWD", "1"},
        {1250, "???", "1250"},
        {1250, NULL, "1250"},
        {INT64_MAX, "KWD", "9223372036854775.807"},
        {INT64_MIN, "KES", "-92233720368547758.08"},
        {INT64_MIN, "JPY", "-9223372036854775808"},
    };
    char out[MONEY_TEXT_SIZE];

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ASSERT_TEXT(money_text(rows[i].minor, rows[i].currency, out), rows[i].want, rows[i].want);
}
END_TEST

START_TEST(test_round_trip)
{
    char out[MONEY_TEXT_SIZE];

    for (const char *const *c = money_currencies(); *c != NULL; c++) {
        for (int64_t n = 1; n < MONEY_MAX / 7; n = n * 7 + 3) {
            struct decimal d;
            int64_t back = -1;

            money_text(n, *c, out);
            ck_assert(decimal_parse(out, strlen(out), &d));
            ck_assert(money_from_decimal(d, *c, &back));
            ck_assert_int_eq(back, n);
        }
    }
}
END_TEST

START_TEST(test_currencies)
{
    static const struct {
        const char *code;
        int scale;
    } rows[] = {{"KES", 2}, {"USD", 2},  {"BIF", 0},  {"JPY", 0},   {"KRW", 0},
                {"RWF", 0}, {"XAF", 0},  {"XOF", 0},  {"KWD", 3},   {"BHD", 3},
                {"TND", 3}, {"UGX", -1}, {"XXX", -1}, {"KESX", -1}, {"KE", -1}};
    const char *const *codes = money_currencies();
    size_t n = 0;

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_int_eq(money_scale(rows[i].code), rows[i].scale);
    for (; codes[n] != NULL; n++) {
        ck_assert_int_ge(money_scale(codes[n]), 0);
        ck_assert(n == 0 || strcmp(codes[n - 1], codes[n]) < 0);
    }
    ck_assert_uint_eq(n, 33);
}
END_TEST

START_TEST(test_add)
{
    static const struct {
        int64_t sum, amount, quantity, want; /* -1: refused */
    } rows[] = {
        {0, 5, 3, 15},
        {1, 0, INT64_MAX, 1},
        {1, INT64_MAX, 0, 1},
        {0, MONEY_MAX, 1, MONEY_MAX},
        {1, MONEY_MAX, 1, -1},
        {MONEY_MAX, 0, 1, MONEY_MAX},
        {MONEY_MAX, 1, 1, -1},
        {0, INT64_MAX, INT64_MAX, -1},
        {0, INT64_C(3037000500), INT64_C(3037000500), -1},
        {0, -1, 1, -1},
        {0, 1, -1, -1},
        {-1, 1, 1, -1},
        {INT64_MAX, 0, 0, -1},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t sum = rows[i].sum;

        ck_assert_int_eq(money_add(&sum, rows[i].amount, rows[i].quantity), rows[i].want >= 0);
        ck_assert_int_eq(sum, rows[i].want >= 0 ? rows[i].want : rows[i].sum);
    }
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_parse);
    tcase_add_test(tcase, test_from_decimal);
    tcase_add_test(tcase, test_text);
    tcase_add_test(tcase, test_round_trip);
    tcase_add_test(tcase, test_currencies);
    tcase_add_test(tcase, test_add);
}

int
main(void)
{
    return unit_run("money", fill);
}
