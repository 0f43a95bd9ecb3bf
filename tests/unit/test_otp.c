/* Codes against the vectors of RFC 4226, appendix D, and RFC 6238, appendix B; what may be typed;
 * what an app is told. */
#include "shop/accounts/otp.h"

#include "unit.h"

static const uint8_t secret[] = "12345678901234567890"; /* of both papers, 20 bytes */
#define SECRET secret, OTP_SECRET_SIZE

START_TEST(test_rfc_4226)
{
    static const char *const rows[] = {"755224", "287082", "359152", "969429", "338314",
                                       "254676", "287922", "162583", "399871", "520489"};
    char code[OTP_DIGITS + 1];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        otp_code(SECRET, (int64_t)i, code);
        ASSERT_TEXT(code, rows[i], rows[i]);
    }
}
END_TEST

/* The paper's codes have eight digits, of which ours are the last six. */
START_TEST(test_rfc_6238)
{
    static const struct {
        int64_t seconds, step;
        const char *code;
    } rows[] = {
        {59, 0x1, "94287082"},
        {1111111109, 0x23523EC, "07081804"},
        {1111111111, 0x23523ED, "14050471"},
        {1234567890, 0x273EF07, "89005924"},
        {2000000000, 0x3F940AA, "69279037"},
        {INT64_C(20000000000), 0x27BC86AA, "65353130"},
    };
    char code[OTP_DIGITS + 1];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ck_assert_int_eq(otp_step(rows[i].seconds * 1000), rows[i].step);
        otp_code(SECRET, rows[i].step, code);
        ASSERT_TEXT(code, rows[i].code + 2, rows[i].code);
    }
}
END_TEST

START_TEST(test_match)
{
    enum { NOW = 100 };
    static const struct {
        int64_t code_of, last_step, found;
        const char *words;
    } rows[] = {
        {NOW, 0, NOW, "now"},
        {NOW - 1, 0, NOW - 1, "one before"},
        {NOW + 1, 0, NOW + 1, "one after"},
        {NOW - 2, 0, -1, "two before"},
        {NOW + 2, 0, -1, "two after"},
        {NOW, NOW - 1, NOW, "later than the last"},
        {NOW, NOW, NOW, "taken: the caller sees that it is not later"},
        {NOW - 1, NOW, NOW - 1, "before the last"},
        {NOW + 1, NOW, NOW + 1, "ahead of the last"},
    };
    static const int64_t instants[] = {NOW * OTP_STEP_MS, NOW * OTP_STEP_MS + OTP_STEP_MS - 1};
    char code[OTP_DIGITS + 1];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        otp_code(SECRET, rows[i].code_of, code);
        for (size_t j = 0; j < COUNT_OF(instants); j++)
            ck_assert_msg(otp_match(SECRET, instants[j], rows[i].last_step, code) == rows[i].found,
                          "%s", rows[i].words);
    }
    ck_assert_int_eq(
        otp_match((const uint8_t *)"12345678901234567891", OTP_SECRET_SIZE, instants[0], 0, code),
        -1);
}
END_TEST

START_TEST(test_read)
{
    static const struct {
        const char *typed;
        enum otp_kind kind;
        const char *out;
    } rows[] = {
        {"492039", OTP_TIMED, "492039"},
        {"000000", OTP_TIMED, "000000"},
        {" 492 039 ", OTP_TIMED, "492039"},
        {"492-039", OTP_TIMED, "492039"},
        {"49203", OTP_NONE, NULL},
        {"4920391", OTP_NONE, NULL},
        {"49203x", OTP_NONE, NULL},
        {"+49203", OTP_NONE, NULL},
        {"", OTP_NONE, NULL},
        {"-- --", OTP_NONE, NULL},
        {"7KQ2-M9XW-PAQ3-4XYZ", OTP_RECOVERY, "7KQ2M9XWPAQ34XYZ"},
        {"7kq2m9xwpaq34xyz", OTP_RECOVERY, "7KQ2M9XWPAQ34XYZ"},
        {"oOlL iIkK-0011-2233", OTP_RECOVERY, "001111KK00112233"},
        {"7KQ2-M9XW-PAQ3-4XY", OTP_NONE, NULL},
        {"7KQ2-M9XW-PAQ3-4XYZ2", OTP_NONE, NULL},
        {"7KQ2-M9XW-PAQ3-4XYU", OTP_NONE, NULL},
        {"7KQ2-M9XW-PAQ3-4XY\xc3\xa9", OTP_NONE, NULL},
        {"\t492039", OTP_NONE, NULL},
        {"1111222233334444", OTP_RECOVERY, "1111222233334444"},
    };
    char out[OTP_RECOVERY_LEN + 1];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ck_assert_msg(otp_read(rows[i].typed, out) == rows[i].kind, "%s", rows[i].typed);
        if (rows[i].out != NULL)
            ASSERT_TEXT(out, rows[i].out, rows[i].typed);
    }
}
END_TEST

START_TEST(test_recovery)
{
    struct arena *a = arena_new();
    const char *before = "";

    for (int i = 0; i < 1000; i++) {
        const char *code, *shown;
        char out[OTP_RECOVERY_LEN + 1];

        otp_recovery(a, &code, &shown);
        ck_assert_uint_eq(strlen(code), OTP_RECOVERY_LEN);
        ck_assert_uint_eq(strlen(shown), OTP_RECOVERY_LEN + 3);
        ck_assert_int_eq(otp_read(shown, out), OTP_RECOVERY);
        ck_assert_str_eq(out, code);
        ck_assert_str_ne(code, before);
        before = code;
    }
    arena_free(a);
}
END_TEST

START_TEST(test_url)
{
    static const struct {
        const char *issuer, *account, *url;
    } rows[] = {
        {"Soko", "ann@example.com",
         "otpauth://totp/Soko:ann%40example.com?secret=MZXW6&issuer=Soko"
         "&algorithm=SHA1&digits=6&period=30"},
        {"Kibanda & Co: M\xc3\xbc", "+254712345678",
         "otpauth://totp/Kibanda%20%26%20Co%20M%C3%BC:%2B254712345678?secret=MZXW6"
         "&issuer=Kibanda%20%26%20Co%20M%C3%BC&algorithm=SHA1&digits=6&period=30"},
        {"a?b#c%/", "x:y&secret=z",
         "otpauth://totp/a%3Fb%23c%25%2F:xy%26secret%3Dz?secret=MZXW6&issuer=a%3Fb%23c%25%2F"
         "&algorithm=SHA1&digits=6&period=30"},
    };
    struct arena *a = arena_new();

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ASSERT_TEXT(otp_url(a, rows[i].issuer, rows[i].account, "MZXW6"), rows[i].url,
                    rows[i].issuer);
    arena_free(a);
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_rfc_4226);
    tcase_add_test(tcase, test_rfc_6238);
    tcase_add_test(tcase, test_match);
    tcase_add_test(tcase, test_read);
    tcase_add_test(tcase, test_recovery);
    tcase_add_test(tcase, test_url);
}

int
main(void)
{
    return unit_run("otp", fill);
}
