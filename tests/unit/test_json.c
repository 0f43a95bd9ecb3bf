/* RFC 8259 to the letter, and everything that json-c alone would have let through. */
#include "base/json.h"

#include "unit.h"

#include <stdint.h>
#include <stdio.h>

#define S(text) text, sizeof(text) - 1

static const struct {
    const char *s;
    size_t len;
} good[] = {
    {S("{}")},
    {S("[]")},
    {S(" \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } } \n")},
    {S("\"\"")},
    {S("0")},
    {S("-0")},
    {S("123")},
    {S("-12.50e+10")},
    {S("1E5")},
    {S("1e-999")},
    {S("1e400")},
    {S("999999999999999999")},
    {S("0.000000000000000000000000000001")},
    {S("true")},
    {S("false")},
    {S("[null]")},
    {S("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"")},
    {S("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"")},
    {S("\"\xef\xbf\xbf\xf4\x8f\xbf\xbf\"")},
    {S("{\"a\":{\"a\":1},\"b\":{\"a\":1}}")},
    {S("[{\"a\":1},{\"a\":1}]")},
    {S("{\"\":1,\" \":2}")},
    {S("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]")},
};

static const struct {
    const char *s;
    size_t len;
    const char *field, *message;
} bad[] = {
    {S(""), NULL, "the body is empty"},
    {S(" \n"), NULL, "the body is empty"},
    {S("\0"), NULL, "unexpected character at byte 0"},
    {S("\xef\xbb\xbf{}"), NULL, "unexpected character at byte 0"},
    {S("{\"a\":1,\"b\":"), "b", "unexpected end of input at byte 11"},
    {S("{\"a\":1,\"b"), NULL, "unexpected end of input at byte 9"},
    {S("{\"a\":1"), NULL, "unexpected end of input at byte 6"},
    {S("{\"a\""), "a", "unexpected end of input at byte 4"},
    {S("{"), NULL, "unexpected end of input at byte 1"},
    {S("[1,"), NULL, "unexpected end of input at byte 3"},
    {S("\"abc"), NULL, "unexpected end of input at byte 4"},
    {S("\"abc\\"), NULL, "unexpected end of input at byte 5"},
    {S("tru"), NULL, "unexpected end of input at byte 3"},
    {S("-"), NULL, "unexpected end of input at byte 1"},
    {S("1."), NULL, "unexpected end of input at byte 2"},
    {S("1e"), NULL, "unexpected end of input at byte 2"},
    {S("1e+"), NULL, "unexpected end of input at byte 3"},
    {S("{} {}"), NULL, "unexpected text after the value at byte 3"},
    {S("{}\0"), NULL, "unexpected text after the value at byte 2"},
    {S("01"), NULL, "unexpected text after the value at byte 1"},
    {S("0x10"), NULL, "unexpected text after the value at byte 1"},
    {S("1.e5"), NULL, "unexpected character at byte 2"},
    {S(".5"), NULL, "unexpected character at byte 0"},
    {S("+1"), NULL, "unexpected character at byte 0"},
    {S("-a"), NULL, "unexpected character at byte 1"},
    {S("NaN"), NULL, "unexpected character at byte 0"},
    {S("nan"), NULL, "unexpected character at byte 1"},
    {S("Infinity"), NULL, "unexpected character at byte 0"},
    {S("-Infinity"), NULL, "unexpected character at byte 1"},
    {S("TRUE"), NULL, "unexpected character at byte 0"},
    {S("'a'"), NULL, "unexpected character at byte 0"},
    {S("{a:1}"), NULL, "unexpected character at byte 1"},
    {S("{\"a\" 1}"), "a", "unexpected character at byte 5"},
    {S("{\"a\":1,}"), NULL, "unexpected character at byte 7"},
    {S("{,}"), NULL, "unexpected character at byte 1"},
    {S("[1,]"), NULL, "unexpected character at byte 3"},
    {S("[1 2]"), NULL, "unexpected character at byte 3"},
    {S("[1}"), NULL, "unexpected character at byte 2"},
    {S("/* c */1"), NULL, "unexpected character at byte 0"},
    {S("{\"a\":1 // c\n}"), NULL, "unexpected character at byte 7"},
    {S("\"a\nb\""), NULL, "control character in a string at byte 2"},
    {S("\"a\0b\""), NULL, "control character in a string at byte 2"},
    {S("{\"a\0b\":1}"), NULL, "control character in a string at byte 3"},
    {S("\"\\x41\""), NULL, "unknown escape at byte 1"},
    {S("\"\\\0\""), NULL, "unknown escape at byte 1"},
    {S("{\"a\":\"\\u0000\"}"), "a", "\\u0000 is not allowed at byte 6"},
    {S("{\"a\\u0000b\":1}"), NULL, "\\u0000 is not allowed at byte 3"},
    {S("\"\\u12\""), NULL, "malformed \\u escape at byte 1"},
    {S("\"\\u12"), NULL, "malformed \\u escape at byte 1"},
    {S("\"\\u12g4\""), NULL, "malformed \\u escape at byte 1"},
    {S("\"\\ud83d\""), NULL, "lone surrogate at byte 1"},
    {S("\"\\ud83dx\""), NULL, "lone surrogate at byte 1"},
    {S("\"\\ud83d\\u0041\""), NULL, "lone surrogate at byte 1"},
    {S("\"\\ud83d\\ud83d\""), NULL, "lone surrogate at byte 1"},
    {S("\"\\ude00\\ud83d\""), NULL, "lone surrogate at byte 1"},
    {S("\"\\ud83d\\u"), NULL, "lone surrogate at byte 1"},
    {S("\"\xff\""), NULL, "is not valid UTF-8 at byte 1"},
    {S("\"\x80\""), NULL, "is not valid UTF-8 at byte 1"},
    {S("\"\xc0\xaf\""), NULL, "is not valid UTF-8 at byte 1"},
    {S("\"\xc1\xbf\""), NULL, "is not valid UTF-8 at byte 1"},
    {S("\"\xe0\x80\xaf\""), NULL, "is not valid UTF-8 at byte 1"},
    {S("\"\xf0\x80\x80\xaf\""), NULL, "is not valid UTF-8 at byte 1"},
    {S("\"\xed\xa0\x80\""), NULL, "is not valid UTF-8 at byte 1"},
    {S("\"\xf4\x90\x80\x80\""), NULL, "is not valid UTF-8 at byte 1"},
    {S("\"\xf8\x88\x80\x80\x80\""), NULL, "is not valid UTF-8 at byte 1"},
    {S("\"\xe2\x82\""), NULL, "is not valid UTF-8 at byte 1"},
    {S("\"\xe2\x82"), NULL, "is not valid UTF-8 at byte 1"},
    {S("{\"price\":{\"x\":[\"\xff\"]}}"), "price", "is not valid UTF-8 at byte 16"},
    {S("{\"n\":1000000000000000000}"), "n", "number is too large at byte 5"},
    {S("{\"n\":-9223372036854775809}"), "n", "number is too large at byte 5"},
    {S("9223372036854775808"), NULL, "number is too large at byte 0"},
    {S("18446744073709551616"), NULL, "number is too large at byte 0"},
    {S("0.1234567890123456789"), NULL, "number is too large at byte 0"},
    {S("1e1000"), NULL, "number is too large at byte 0"},
    {S("1e-0001"), NULL, "number is too large at byte 0"},
    {S("{\"a\":1,\"a\":2}"), "a", "duplicate member at byte 7"},
    {S("{\"a\":1,\"\\u0061\":2}"), "a", "duplicate member at byte 7"},
    {S("{\"\xc3\xa9\":1,\"\\u00E9\":2}"), "\xc3\xa9", "duplicate member at byte 8"},
    {S("{\"x\\/y\":1,\"x/y\":2}"), "x/y", "duplicate member at byte 10"},
    {S("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}"), "\xf0\x9f\x98\x80",
     "duplicate member at byte 10"},
    {S("{\"\":1,\"\":2}"), "", "duplicate member at byte 6"},
    {S("{\"o\":{\"k\":[{\"a\":1,\"b\":{},\"a\":2}]}}"), "o", "duplicate member at byte 25"},
    {S("[{\"a\":1,\"a\":2}]"), NULL, "duplicate member at byte 8"},
    {S("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"), NULL, "is nested too deeply at byte 16"},
};

START_TEST(test_good)
{
    struct arena *a = arena_new();

    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct problems list = {0};
        struct json_object *o = NULL;

        ck_assert_msg(json_read(a, &list, good[i].s, good[i].len, &o) == OK, "%s: %s", good[i].s,
                      list.first->message);
        ck_assert_ptr_nonnull(o);
        ck_assert_ptr_null(list.first);
    }
    arena_free(a);
}
END_TEST

START_TEST(test_bad)
{
    struct arena *a = arena_new();

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct problems list = {0};
        struct json_object *o = NULL;
        /* A copy of exact size lets AddressSanitizer see a read past the end. */
        char *s = malloc(bad[i].len);

        memcpy(s, bad[i].s, bad[i].len);
        ck_assert_msg(json_read(a, &list, s, bad[i].len, &o) == ERR_VALIDATION, "%s", bad[i].s);
        ASSERT_TEXT(list.first->message, bad[i].message, bad[i].s);
        ASSERT_TEXT(list.first->field, bad[i].field, bad[i].s);
        ck_assert_ptr_eq(list.first, list.last);
        ck_assert_ptr_null(o);
        free(s);
    }
    arena_free(a);
}
END_TEST

/* Whatever a client breaks off or garbles, the answer is a refusal or a value, never a crash. */
START_TEST(test_garbled)
{
    struct arena *a = arena_new();

    for (size_t i = 0; i < COUNT_OF(good); i++) {
        for (size_t at = 0; at <= good[i].len; at++) {
            for (int byte = -1; byte < 256; byte++) {
                struct problems list = {0};
                struct json_object *o = NULL;
                size_t len = byte < 0 ? at : good[i].len;
                char *s = malloc(len + 1);

                memcpy(s, good[i].s, len);
                if (byte >= 0 && at < len)
                    s[at] = (char)byte;
                enum err e = json_read(a, &list, s, len, &o);
                ck_assert(e == OK || list.first != NULL);
                ck_assert(e == OK || strncmp(list.first->message, "is not valid JSON", 17) != 0);
                free(s);
                arena_reset(a);
            }
        }
    }
    arena_free(a);
}
END_TEST

START_TEST(test_deep)
{
    static const char *const opens[] = {"[", "{\"a\":", "[{\"a\":"};
    struct arena *a = arena_new();

    for (size_t i = 0; i < COUNT_OF(opens); i++) {
        struct problems list = {0};
        struct json_object *o;
        size_t n = strlen(opens[i]);
        char *s = arena_alloc(a, n * 10000);

        for (size_t k = 0; k < 10000; k++)
            memcpy(s + k * n, opens[i], n);
        ck_assert_int_eq(json_read(a, &list, s, n * 10000, &o), ERR_VALIDATION);
        ck_assert_ptr_nonnull(strstr(list.first->message, "nested too deeply"));
    }
    arena_free(a);
}
END_TEST

START_TEST(test_members)
{
    struct arena *a = arena_new();

    for (int n = 999; n <= 1001; n++) {
        struct problems list = {0};
        struct json_object *o;
        char *s = arena_alloc(a, 20000), *at = s;

        *at++ = '{';
        for (int i = 0; i < n; i++)
            at += snprintf(at, 20, "%s\"k%d\":%d", i == 0 ? "" : ",", i, i);
        *at++ = '}';
        enum err e = json_read(a, &list, s, (size_t)(at - s), &o);
        ck_assert_int_eq(e, n <= 1000 ? OK : ERR_VALIDATION);
    }
    arena_free(a);
}
END_TEST

START_TEST(test_values)
{
    static const struct {
        const char *s, *number;
    } rows[] = {
        {"12.50", "12.50"},
        {"1e400", "1e400"},
        {"-7", "-7"},
        {"0.1", "0.1"},
        {"1E5", "1E5"},
        {"999999999999999999", "999999999999999999"},
        {"1.0", "1.0"},
        {"0", "0"},
        {"\"1\"", NULL},
        {"true", NULL},
        {"[1]", NULL},
        {"null", NULL},
        {"100000.00", "100000.00"},
    };
    struct arena *a = arena_new();

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct problems list = {0};
        struct json_object *o;

        ck_assert_int_eq(json_read(a, &list, rows[i].s, strlen(rows[i].s), &o), OK);
        ASSERT_TEXT(json_number_text(o), rows[i].number, rows[i].s);
    }
    arena_free(a);
}
END_TEST

START_TEST(test_long_name)
{
    struct arena *a = arena_new();
    struct problems list = {0};
    struct json_object *o;
    char s[500] = "{\"";

    for (int i = 0; i < 100; i++)
        memcpy(s + 2 + 3 * i, "\xe2\x82\xac", 3);
    memcpy(s + 302, "\":x}", 4);
    ck_assert_int_eq(json_read(a, &list, s, 306, &o), ERR_VALIDATION);
    ck_assert_uint_eq(strlen(list.first->field), 63);
    ck_assert(utf8_valid(list.first->field, 63));
    arena_free(a);
}
END_TEST

START_TEST(test_utf8)
{
    static const struct {
        const char *s;
        size_t len;
        bool valid;
        size_t length;
    } rows[] = {
        {S(""), true, 0},
        {S("abc"), true, 3},
        {S("\xc2\x80\xdf\xbf"), true, 2},
        {S("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80"), true, 3},
        {S("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), true, 2},
        {S("a\0b"), false, 0},
        {S("\xc3"), false, 0},
        {S("\xc3\x28"), false, 0},
        {S("\xe2\x28\xa1"), false, 0},
        {S("\xf5\x80\x80\x80"), false, 0},
        {S("\xfe\xff"), false, 0},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ck_assert_int_eq(utf8_valid(rows[i].s, rows[i].len), rows[i].valid);
        if (rows[i].valid)
            ck_assert_uint_eq(utf8_length(rows[i].s), rows[i].length);
    }
    ck_assert_uint_eq(utf8_step("", 0), 0);
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_good);
    tcase_add_test(tcase, test_bad);
    tcase_add_test(tcase, test_garbled);
    tcase_add_test(tcase, test_deep);
    tcase_add_test(tcase, test_members);
    tcase_add_test(tcase, test_values);
    tcase_add_test(tcase, test_long_name);
    tcase_add_test(tcase, test_utf8);
}

int
main(void)
{
    return unit_run("json", fill);
}
