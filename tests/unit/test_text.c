/* The buffer's maximum, and JSON that any parser reads back. */
#include "base/text.h"

#include "unit.h"

#include <stdint.h>

START_TEST(test_json)
{
    static const struct {
        const char *s;
        size_t len;
        const char *want;
    } rows[] = {
        {NULL, 0, "null"},
        {"", 0, "\"\""},
        {"soko", 4, "\"soko\""},
        {"a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\""},
        {"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
        {"\x01\x1f\x7f", 3, "\"\\u0001\\u001f\x7f\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"<&>", 3, "\"<&>\""},
        {"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80", 9, "\"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\""},
    };
    struct arena *a = arena_new();

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct text t = text_new(a, 1000);

        text_json_n(&t, rows[i].s, rows[i].len);
        ASSERT_TEXT(text_cstr(&t), rows[i].want, rows[i].want);
        ck_assert(!t.overflow);
    }
    arena_free(a);
}
END_TEST

START_TEST(test_int)
{
    static const struct {
        int64_t n;
        const char *want;
    } rows[] = {
        {0, "0"},
        {-1, "-1"},
        {10, "10"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
    };
    struct arena *a = arena_new();

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct text t = text_new(a, 100);

        text_int(&t, rows[i].n);
        ASSERT_TEXT(text_cstr(&t), rows[i].want, rows[i].want);
    }
    arena_free(a);
}
END_TEST

START_TEST(test_object)
{
    struct arena *a = arena_new();
    struct text t = text_new(a, 10000);

    ck_assert_str_eq(text_cstr(&t), "");
    text_putc(&t, '{');
    text_member(&t, "a", "x");
    text_member(&t, "b", NULL);
    text_member_int(&t, "c", -5);
    text_member_bool(&t, "d", true);
    text_member_raw(&t, "e", NULL);
    text_key(&t, "f");
    text_putc(&t, '[');
    for (int i = 0; i < 3; i++) {
        text_comma(&t);
        text_putc(&t, '{');
        text_member_raw(&t, "n\"", "[]");
        text_putc(&t, '}');
    }
    text_puts(&t, "]}");
    ck_assert_str_eq(text_cstr(&t), "{\"a\":\"x\",\"b\":null,\"c\":-5,\"d\":true,\"e\":null,\"f\":["
                                    "{\"n\\\"\":[]},{\"n\\\"\":[]},{\"n\\\"\":[]}]}");
    text_clear(&t);
    ck_assert_str_eq(text_cstr(&t), "");
    text_comma(&t);
    ck_assert_uint_eq(t.len, 0);
    arena_free(a);
}
END_TEST

START_TEST(test_overflow)
{
    static const size_t most[] = {0, 1, 7, 255, 256, 257, 5000};
    struct arena *a = arena_new();

    for (size_t i = 0; i < COUNT_OF(most); i++) {
        struct text t = text_new(a, most[i]);

        for (size_t k = 0; k < most[i]; k++) {
            text_putc(&t, 'x');
            ck_assert(!t.overflow);
        }
        ck_assert_uint_eq(t.len, most[i]);
        text_add(&t, "", 0);
        ck_assert(!t.overflow);
        text_putc(&t, 'y');
        ck_assert(t.overflow);
        ck_assert_uint_eq(t.len, most[i]);
        ck_assert_uint_eq(strlen(text_cstr(&t)), most[i]);
        text_clear(&t);
        ck_assert(!t.overflow);
    }
    struct text t = text_new(a, 5);
    text_puts(&t, "1234567");
    text_puts(&t, "8");
    ck_assert_str_eq(text_cstr(&t), "12345");
    ck_assert(t.overflow);
    arena_free(a);
}
END_TEST

START_TEST(test_printf)
{
    struct arena *a = arena_new();
    struct text t = text_new(a, SIZE_MAX);
    char big[2000];

    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    text_printf(&t, "%s|%d", big, 7);
    ck_assert_uint_eq(t.len, sizeof big + 1);
    ck_assert_str_eq(text_cstr(&t) + sizeof big - 1, "|7");
    arena_free(a);
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_json);
    tcase_add_test(tcase, test_int);
    tcase_add_test(tcase, test_object);
    tcase_add_test(tcase, test_overflow);
    tcase_add_test(tcase, test_printf);
}

int
main(void)
{
    return unit_run("text", fill);
}
