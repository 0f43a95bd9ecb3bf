/* RFC 9562's bits, ascending order whatever the clock does, and a parser that takes one form. */
#include "base/id.h"

#include "unit.h"

#include <strings.h>

START_TEST(test_parse)
{
    static const struct {
        const char *s;
        size_t len;
        bool ok;
    } rows[] = {
        {"0198f3c2-7b1a-7abc-8def-0123456789ab", 36, true},
        {"0198F3C2-7B1A-7ABC-8DEF-0123456789AB", 36, true},
        {"00000000-0000-0000-0000-000000000000", 36, true},
        {"0198f3c2-7b1a-7abc-8def-0123456789a", 35, false},
        {"0198f3c2-7b1a-7abc-8def-0123456789abc", 37, false},
        {"0198f3c27b1a-7abc-8def-0123456789ab-", 36, false},
        {"0198f3c2-7b1a-7abc-8def-0123456789ag", 36, false},
        {"0198f3c2_7b1a_7abc_8def_0123456789ab", 36, false},
        {"{198f3c2-7b1a-7abc-8def-0123456789a}", 36, false},
        {" 198f3c2-7b1a-7abc-8def-0123456789ab", 36, false},
        {"0198f3c2-7b1a-7abc-8def-0123456789\0b", 36, false},
        {"", 0, false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct uuid id = {{1}}, old = id;
        char out[UUID_TEXT_SIZE];

        ck_assert_msg(uuid_parse(rows[i].s, rows[i].len, &id) == rows[i].ok, "%s", rows[i].s);
        if (rows[i].ok)
            ck_assert_int_eq(strcasecmp(uuid_text(id, out), rows[i].s), 0);
        else
            ck_assert(uuid_equal(id, old));
    }
}
END_TEST

START_TEST(test_v7)
{
    struct uuid last = uuid_v7(INT64_C(0x0198f3c27b1a)), id;
    char out[UUID_TEXT_SIZE];

    ck_assert_int_eq(strncmp(uuid_text(last, out), "0198f3c2-7b1a-7", 15), 0);
    for (int i = 0; i < 20000; i++) {
        id = uuid_v7(INT64_C(0x0198f3c27b1a));
        ck_assert_int_lt(memcmp(last.b, id.b, 16), 0);
        ck_assert_int_eq(id.b[6] >> 4, 7);
        ck_assert_int_eq(id.b[8] >> 6, 2);
        last = id;
    }
    /* 20,000 ids have borrowed some milliseconds: the next one must still follow. */
    id = uuid_v7(INT64_C(0x0198f3c27b1b));
    ck_assert_int_lt(memcmp(last.b, id.b, 16), 0);
    /* A clock that was set back is believed. */
    id = uuid_v7(INT64_C(0x0198f3c27000));
    ck_assert_int_eq(strncmp(uuid_text(id, out), "0198f3c2-7000-7", 15), 0);
}
END_TEST

START_TEST(test_compare)
{
    ck_assert(uuid_is_nil((struct uuid){{0}}));
    ck_assert(!uuid_is_nil(uuid_v7(0)));
    ck_assert(!uuid_equal(uuid_v7(0), uuid_v7(0)));
}
END_TEST

START_TEST(test_random)
{
    char out[10001];
    int seen[256] = {0};
    unsigned char bytes[1000] = {0};
    int zeroes = 0;

    random_base32(out, 10000);
    ck_assert_uint_eq(strlen(out), 10000);
    ck_assert_uint_eq(strspn(out, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 10000);
    for (int i = 0; i < 10000; i++)
        seen[(unsigned char)out[i]]++;
    for (const char *c = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; *c != '\0'; c++)
        ck_assert_int_gt(seen[(unsigned char)*c], 150);
    random_base32(out, 0);
    ck_assert_str_eq(out, "");
    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        zeroes += bytes[i] == 0;
    ck_assert_int_lt(zeroes, 50);
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_parse);
    tcase_add_test(tcase, test_v7);
    tcase_add_test(tcase, test_compare);
    tcase_add_test(tcase, test_random);
}

int
main(void)
{
    return unit_run("id", fill);
}
