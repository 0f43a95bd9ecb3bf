/* The forms that people write, and those that are no number. */
#include "base/phone.h"

#include "unit.h"

START_TEST(test_normalise)
{
    static const struct {
        const char *s, *want; /* NULL: refused */
    } rows[] = {
        {"0712345678", "+254712345678"},
        {"0712 345 678", "+254712345678"},
        {"0112345678", "+254112345678"},
        {"712345678", "+254712345678"},
        {"112345678", "+254112345678"},
        {"254712345678", "+254712345678"},
        {"+254 712-345-678", "+254712345678"},
        {"(0712) 345.678", "+254712345678"},
        {"+254712345678", "+254712345678"},
        {"+44 20 7946 0958", "+442079460958"},
        {"+12345678", "+12345678"},
        {"+123456789012345", "+123456789012345"},
        {"+1234567", NULL},
        {"+1234567890123456", NULL},
        {"+0712345678", NULL},
        {"+254212345678", NULL},
        {"+25471234567", NULL},
        {"+2547123456789", NULL},
        {"+2540712345678", NULL},
        {"0212345678", NULL},
        {"07123456789", NULL},
        {"071234567", NULL},
        {"812345678", NULL},
        {"442079460958", NULL},
        {"++254712345678", NULL},
        {"0+712345678", NULL},
        {"254+712345678", NULL},
        {"0712345678x", NULL},
        {"0712\t345678", NULL},
        {"071234567\xd9\xa8", NULL},
        {"+", NULL},
        {"()", NULL},
        {"", NULL},
        {"99999999999999999999999999999999999999999999999999", NULL},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char out[PHONE_SIZE] = "left alone";
        bool ok = phone_normalise(rows[i].s, out);

        ck_assert_msg(ok == (rows[i].want != NULL), "%s", rows[i].s);
        ASSERT_TEXT(out, ok ? rows[i].want : "left alone", rows[i].s);
    }
}
END_TEST

START_TEST(test_kenyan)
{
    static const struct {
        const char *s;
        bool want;
    } rows[] = {
        {"+254712345678", true},   {"+254112345678", true},  {"+254212345678", false},
        {"+25471234567", false},   {"+442079460958", false}, {"0712345678", false},
        {"+2547123456789", false}, {"+25471234567x", false}, {"", false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_msg(phone_is_kenyan_mobile(rows[i].s) == rows[i].want, "%s", rows[i].s);
}
END_TEST

START_TEST(test_mask)
{
    static const struct {
        const char *s, *want;
    } rows[] = {
        {"+254712345678", "+254712***678"},
        {"+12345678", "+12***678"},
        {"+123456789012345", "+123456***345"},
        {"", "***"},
        {"+1234", "***"},
    };
    char out[PHONE_SIZE];

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ASSERT_TEXT(phone_mask(rows[i].s, out), rows[i].want, rows[i].s);
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_normalise);
    tcase_add_test(tcase, test_kenyan);
    tcase_add_test(tcase, test_mask);
}

int
main(void)
{
    return unit_run("phone", fill);
}
