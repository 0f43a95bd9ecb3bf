#include "base/json_get.h"

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

static struct json_object *
tree(const char *s)
{
    return json_get_tree(a, s, strlen(s));
}

static const struct {
    const char *json, *text, *word;
} words[] = {
    {"{\"m\":\"a\"}", "a", "a"},
    {"{\"m\":\"\"}", "", ""},
    {"{\"m\":\"\\u00e9\"}", "\xc3\xa9", "\xc3\xa9"},
    {"{\"m\":\"0\"}", "0", "0"},
    {"{\"m\":0}", NULL, "0"},
    {"{\"m\":-1}", NULL, "-1"},
    {"{\"m\":1.00}", NULL, "1.00"},
    {"{\"m\":8959269.60}", NULL, "8959269.60"},
    {"{\"m\":1e2}", NULL, "1e2"},
    {"{\"m\":0.1}", NULL, "0.1"},
    {"{\"m\":254708374149}", NULL, "254708374149"},
    {"{\"m\":20191219102115}", NULL, "20191219102115"},
    {"{\"m\":999999999999999999}", NULL, "999999999999999999"},
    {"{\"m\":null}", NULL, NULL},
    {"{\"m\":true}", NULL, NULL},
    {"{\"m\":[\"a\"]}", NULL, NULL},
    {"{\"m\":{\"m\":\"a\"}}", NULL, NULL},
    {"{\"n\":\"a\"}", NULL, NULL},
    {"{\"m\\u0020\":\"a\"}", NULL, NULL},
    {"{}", NULL, NULL},
    {"[\"m\"]", NULL, NULL},
    {"\"m\"", NULL, NULL},
    {"null", NULL, NULL},
};

START_TEST(texts_and_words)
{
    struct json_object *o = tree(words[_i].json);

    ASSERT_TEXT(json_get_text(o, "m"), words[_i].text, words[_i].json);
    ASSERT_TEXT(json_get_word(o, "m"), words[_i].word, words[_i].json);
    ASSERT_TEXT(json_get_own_text(json_get(o, "m")), words[_i].text, words[_i].json);
    ASSERT_TEXT(json_get_own_word(json_get(o, "m")), words[_i].word, words[_i].json);
}
END_TEST

static const struct {
    const char *json;
    bool good;
    int64_t n;
} ints[] = {
    {"{\"m\":0}", true, 0},
    {"{\"m\":-0}", true, 0},
    {"{\"m\":1099}", true, 1099},
    {"{\"m\":-1099}", true, -1099},
    {"{\"m\":9007199254740993}", true, INT64_C(9007199254740993)}, /* 2^53 + 1: no double */
    {"{\"m\":20191219102115}", true, INT64_C(20191219102115)},
    {"{\"m\":999999999999999999}", true, INT64_C(999999999999999999)},
    {"{\"m\":-999999999999999999}", true, INT64_C(-999999999999999999)},
    {"{\"m\":1000000000000000000}", false, 0}, /* no JSON that we read */
    {"{\"m\":18446744073709551617}", false, 0},
    {"{\"m\":1.0}", false, 0},
    {"{\"m\":1e2}", false, 0},
    {"{\"m\":1E2}", false, 0},
    {"{\"m\":\"1\"}", false, 0},
    {"{\"m\":true}", false, 0},
    {"{\"m\":null}", false, 0},
    {"{\"m\":[1]}", false, 0},
    {"{\"m\":{}}", false, 0},
    {"{}", false, 0},
    {"1", false, 0},
    {"[1]", false, 0},
};

START_TEST(integers)
{
    int64_t n = 42;

    ck_assert_msg(json_get_int(tree(ints[_i].json), "m", &n) == ints[_i].good, "%s", ints[_i].json);
    ck_assert_int_eq(n, ints[_i].good ? ints[_i].n : 42);
}
END_TEST

static const struct {
    const char *json;
    bool good, is;
} bools[] = {
    {"{\"m\":true}", true, true},   {"{\"m\":false}", true, false},     {"{\"m\":1}", false, false},
    {"{\"m\":null}", false, false}, {"{\"m\":\"true\"}", false, false}, {"{}", false, false},
    {"true", false, false},
};

START_TEST(booleans)
{
    bool b = !bools[_i].is;

    ck_assert_int_eq(json_get_bool(tree(bools[_i].json), "m", &b), bools[_i].good);
    ck_assert_int_eq(b, bools[_i].good ? bools[_i].is : !bools[_i].is);
}
END_TEST

static const char *const broken[] = {
    "",
    " ",
    "{",
    "{\"m\":1",
    "{\"m\":1,\"m\":2}",
    "{'m':1}",
    "<html></html>",
    "\"a\\u0000b\"",
    "nul",
    "{} {}",
    "\xff",
    "{\"m\":NaN}",
};

START_TEST(no_json)
{
    ck_assert_ptr_null(tree(broken[_i]));
}
END_TEST

START_TEST(no_bytes)
{
    ck_assert_ptr_null(json_get_tree(a, NULL, 0));
    ck_assert_ptr_null(json_get_tree(a, "{}\0", 3));
    ck_assert_ptr_null(json_get_tree(a, "{\"m\":1}", 6));
    ck_assert_ptr_nonnull(json_get_tree(a, "{}x", 2));
}
END_TEST

START_TEST(nothing_nests)
{
    struct json_object *o = tree("{\"data\":{\"object\":{\"id\":\"pi_1\"}},\"list\":[1]}");

    ASSERT_TEXT(json_get_text(json_get(json_get(o, "data"), "object"), "id"), "pi_1", "nested");
    ASSERT_TEXT(json_get_text(json_get(json_get(o, "list"), "object"), "id"), NULL, "list");
    ASSERT_TEXT(json_get_text(json_get(json_get(NULL, "data"), "object"), "id"), NULL, "NULL");
    ck_assert(json_get_is_object(json_get(o, "data")));
    ck_assert(!json_get_is_object(json_get(o, "list")));
    ck_assert(!json_get_is_object(NULL));
    ck_assert_ptr_null(json_get_own_text(NULL));
    ck_assert_ptr_null(json_get_own_word(NULL));
}
END_TEST

/* A list of one without its brackets is a list. */
static const struct {
    const char *json;
    size_t count;
} lists[] = {
    {"{\"m\":[{\"k\":\"0\"},{\"k\":\"1\"}]}", 2},
    {"{\"m\":{\"k\":\"0\"}}", 1},
    {"{\"m\":[]}", 0},
    {"{\"m\":null}", 0},
    {"{}", 0},
    {"{\"m\":\"k\"}", 1},
};

START_TEST(lists_and_single_values)
{
    struct json_object *m = json_get(tree(lists[_i].json), "m");

    ck_assert_uint_eq(json_get_count(m), lists[_i].count);
    ck_assert_ptr_null(json_get_item(m, lists[_i].count));
    ck_assert_ptr_null(json_get_item(m, SIZE_MAX));
    for (size_t i = 0; i < lists[_i].count; i++) {
        ck_assert_ptr_nonnull(json_get_item(m, i));
        if (json_get_is_object(json_get_item(m, i)))
            ASSERT_TEXT(json_get_text(json_get_item(m, i), "k"), i == 0 ? "0" : "1",
                        lists[_i].json);
    }
}
END_TEST

static void
fill(TCase *t)
{
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, texts_and_words, 0, COUNT_OF(words));
    tcase_add_loop_test(t, integers, 0, COUNT_OF(ints));
    tcase_add_loop_test(t, booleans, 0, COUNT_OF(bools));
    tcase_add_loop_test(t, no_json, 0, COUNT_OF(broken));
    tcase_add_test(t, no_bytes);
    tcase_add_test(t, nothing_nests);
    tcase_add_loop_test(t, lists_and_single_values, 0, COUNT_OF(lists));
}

int
main(void)
{
    return unit_run("json_get", fill);
}
