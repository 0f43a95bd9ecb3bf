/* base/base32 against the vectors of RFC 4648, section 10, less their padding. */
#include "base/base32.h"

#include "unit.h"

START_TEST(test_vectors)
{
    static const struct {
        const char *data;
        size_t len;
        const char *text;
    } rows[] = {
        {"", 0, ""},
        {"f", 1, "MY"},
        {"fo", 2, "MZXQ"},
        {"foo", 3, "MZXW6"},
        {"foob", 4, "MZXW6YQ"},
        {"fooba", 5, "MZXW6YTB"},
        {"foobar", 6, "MZXW6YTBOI"},
        {"\x00", 1, "AA"},
        {"\xff\xff\xff\xff\xff", 5, "77777777"},
        {"12345678901234567890", 20, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"},
    };
    struct arena *a = arena_new();

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ASSERT_TEXT(base32(a, rows[i].data, rows[i].len), rows[i].text, rows[i].text);
    arena_free(a);
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_vectors);
}

int
main(void)
{
    return unit_run("base32", fill);
}
