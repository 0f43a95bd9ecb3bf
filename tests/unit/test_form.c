/* base/form: what is encoded is decoded to the same; what is hostile is nothing. */
#include "base/form.h"

#include "unit.h"

static struct arena *a;

static void
setup(void)
{
    a = arena_new();
}

static void
teardown(void)
{
    arena_free(a);
}

START_TEST(fields_are_encoded_whole)
{
    struct text t = text_new(a, 1000);

    form_add(&t, "to", "+254711000000");
    form_add(&t, "metadata[order_id]", "a b&c=d;e/f?\r\n");
    form_add(&t, "plain", "azAZ09-._~");
    form_add(&t, "empty", "");
    form_add(&t, "text", "Sh\xc3\xa9 100%");
    ck_assert_str_eq(text_cstr(&t),
                     "to=%2B254711000000&metadata%5Border_id%5D=a%20b%26c%3Dd%3Be%2Ff%"
                     "3F%0D%0A&plain=azAZ09-._~&empty=&text=Sh%C3%A9%20100%25");
}
END_TEST

START_TEST(all_bytes_come_back)
{
    char all[256];
    struct text t = text_new(a, 2000);

    for (int c = 1; c < 128; c++)
        all[c - 1] = (char)c;
    all[127] = '\0';
    form_add(&t, all, all);
    ck_assert_uint_eq(strspn(text_cstr(&t), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                            "0123456789-._~%="),
                      t.len);
    ck_assert_str_eq(form_get(a, t.data, t.len, all), all);
}
END_TEST

static const struct {
    const char *form, *name, *want;
} reads[] = {
    {"id=1&status=Success", "id", "1"},
    {"id=1&status=Success", "status", "Success"},
    {"id=1&status=Success", "stat", NULL},
    {"id=1&status=Success", "", NULL},
    {"", "id", NULL},
    {"&&&", "id", NULL},
    {"&&id=1", "id", "1"},
    {"id", "id", ""},
    {"id=", "id", ""},
    {"=1", "", "1"},
    {"id=a+b%20c%2B", "id", "a b c+"},
    {"i%64=x", "id", "x"},
    {"id=1&id=2", "id", "1"},
    {"a=%&id=1", "id", "1"},
    {"%zz=2&id=1", "id", "1"},
    {"id=a=b", "id", "a=b"},
    {"id=%", "id", NULL},
    {"id=%4", "id", NULL},
    {"id=%4g", "id", NULL},
    {"id=%00", "id", NULL},
    {"id=%ff", "id", NULL},
    {"id=%c3%a9", "id", "\xc3\xa9"},
};

START_TEST(fields_are_found)
{
    /* Not NUL-terminated: the sanitizers see a step too far. */
    size_t len = strlen(reads[_i].form);
    char *exact = malloc(len == 0 ? 1 : len);

    memcpy(exact, reads[_i].form, len);
    ASSERT_TEXT(form_get(a, exact, len, reads[_i].name), reads[_i].want, reads[_i].form);
    free(exact);
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
    ck_assert_ptr_null(form_get(a, "id=a\0b", 6, "id"));
    ck_assert_ptr_null(form_get(a, "id\0=a", 5, "id"));
}
END_TEST

static void
fill(TCase *t)
{
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, fields_are_encoded_whole);
    tcase_add_test(t, all_bytes_come_back);
    tcase_add_loop_test(t, fields_are_found, 0, COUNT_OF(reads));
    tcase_add_test(t, nul_bytes_are_refused);
}

int
main(void)
{
    return unit_run("form", fill);
}
