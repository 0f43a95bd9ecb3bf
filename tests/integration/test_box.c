/* io/box: what was sealed opens by the same key, purpose and owner, unaltered, and else not. */
#include "io/box.h"

#include "harness.h"

#define KEY "0123456789abcdef0123456789abcdef"
#define PURPOSE "totp"
#define OWNER "01920000-0000-7000-8000-000000000001"

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

static struct box_bytes
seal(const void *data, size_t len)
{
    return box_seal(a, KEY, PURPOSE, OWNER, data, len);
}

static struct box_bytes
open_it(struct box_bytes sealed)
{
    return box_open(a, KEY, PURPOSE, OWNER, sealed.data, sealed.len);
}

static const struct {
    const char *data;
    size_t len;
} contents[] = {
    {"", 0},
    {"x", 1},
    {"\0\0\0", 3},
    {"exactly 16 bytes", 16},
    {"a text that is longer than one block", 36},
};

START_TEST(what_was_sealed_opens)
{
    struct box_bytes sealed = seal(contents[_i].data, contents[_i].len);
    struct box_bytes opened = open_it(sealed);

    ck_assert_ptr_nonnull(opened.data);
    ck_assert_uint_eq(opened.len, contents[_i].len);
    ck_assert_mem_eq(opened.data, contents[_i].data, contents[_i].len + 1);
    ck_assert_uint_eq(sealed.len, contents[_i].len + 29);
}
END_TEST

START_TEST(a_long_one_opens)
{
    enum { LEN = 100000 };
    char *data = arena_alloc(a, LEN);

    memset(data, 'x', LEN);
    struct box_bytes opened = open_it(seal(data, LEN));
    ck_assert_uint_eq(opened.len, LEN);
    ck_assert_mem_eq(opened.data, data, LEN);
}
END_TEST

START_TEST(it_looks_like_another_thing_each_time)
{
    struct box_bytes one = seal("a secret", 8), two = seal("a secret", 8);

    ck_assert_uint_eq(one.len, two.len);
    ck_assert_mem_ne(one.data + 1, two.data + 1, 12); /* the nonce */
    ck_assert_mem_ne(one.data + 13, two.data + 13, 8);
    ck_assert_ptr_null(memmem(one.data, one.len, "secret", 6));
}
END_TEST

static const struct {
    const char *key, *purpose, *owner;
} others[] = {
    {"0123456789abcdef0123456789abcdeF", PURPOSE, OWNER},
    {"0123456789abcdef0123456789abcde", PURPOSE, OWNER},
    {"", PURPOSE, OWNER},
    {KEY, "totp2", OWNER},
    {KEY, "tot", OWNER},
    {KEY, "", OWNER},
    {KEY, PURPOSE, "01920000-0000-7000-8000-000000000002"},
    {KEY, PURPOSE, "01920000-0000-7000-8000-00000000000"},
    {KEY, PURPOSE, ""},
    {KEY, OWNER, PURPOSE},
};

START_TEST(by_another_key_purpose_or_owner_it_stays_shut)
{
    struct box_bytes sealed = seal("a secret", 8);
    struct box_bytes opened =
        box_open(a, others[_i].key, others[_i].purpose, others[_i].owner, sealed.data, sealed.len);

    ck_assert_ptr_null(opened.data);
    ck_assert_uint_eq(opened.len, 0);
    ck_assert_ptr_nonnull(open_it(sealed).data);
}
END_TEST

/* Version, nonce, ciphertext, tag: every bit of every byte counts. */
START_TEST(altered_it_stays_shut)
{
    struct box_bytes sealed = seal("a secret", 8);

    for (size_t i = 0; i < sealed.len * 8; i++) {
        uint8_t *bad = arena_alloc(a, sealed.len);

        memcpy(bad, sealed.data, sealed.len);
        bad[i / 8] ^= (uint8_t)(1U << i % 8);
        ck_assert_msg(open_it((struct box_bytes){bad, sealed.len}).data == NULL, "bit %zu", i);
    }
}
END_TEST

START_TEST(cut_or_lengthened_it_stays_shut)
{
    struct box_bytes sealed = seal("a secret", 8);
    uint8_t *more = arena_alloc(a, sealed.len + 1);

    for (size_t len = 0; len < sealed.len; len++) {
        ck_assert_ptr_null(open_it((struct box_bytes){sealed.data, len}).data);
        ck_assert_ptr_null(open_it((struct box_bytes){sealed.data + sealed.len - len, len}).data);
    }
    memcpy(more, sealed.data, sealed.len);
    more[sealed.len] = 0;
    ck_assert_ptr_null(open_it((struct box_bytes){more, sealed.len + 1}).data);
    ck_assert_ptr_null(open_it((struct box_bytes){NULL, 0}).data);
    ck_assert_ptr_null(open_it((struct box_bytes){NULL, 64}).data);
}
END_TEST

/* The tag of one does not make another whole. */
START_TEST(two_cannot_be_mixed)
{
    struct box_bytes one = seal("a secret", 8), two = seal("b secret", 8);
    uint8_t *mixed = arena_alloc(a, one.len);

    memcpy(mixed, one.data, one.len);
    memcpy(mixed + 13, two.data + 13, 8);
    ck_assert_ptr_null(open_it((struct box_bytes){mixed, one.len}).data);
    memcpy(mixed, one.data, one.len);
    memcpy(mixed + 1, two.data + 1, 12);
    ck_assert_ptr_null(open_it((struct box_bytes){mixed, one.len}).data);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("box");
    TCase *tcase = tcase_create("box");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, what_was_sealed_opens, 0, sizeof contents / sizeof contents[0]);
    tcase_add_test(tcase, a_long_one_opens);
    tcase_add_test(tcase, it_looks_like_another_thing_each_time);
    tcase_add_loop_test(tcase, by_another_key_purpose_or_owner_it_stays_shut, 0,
                        sizeof others / sizeof others[0]);
    tcase_add_test(tcase, altered_it_stays_shut);
    tcase_add_test(tcase, cut_or_lengthened_it_stays_shut);
    tcase_add_test(tcase, two_cannot_be_mixed);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
