/* The points have names that can be file names, each its own. (That they kill is tests/fault's.) */
#include "base/fault.h"

#include "unit.h"

START_TEST(test_names)
{
    for (int f = 0; f < FAULT__COUNT; f++) {
        const char *name = fault_name((enum fault)f);

        ck_assert_uint_gt(strlen(name), 0);
        ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
        for (int g = 0; g < f; g++)
            ck_assert_str_ne(name, fault_name((enum fault)g));
        /* Without a folder in the settings nothing happens, however it was built. */
        fault_point((enum fault)f);
    }
    ck_assert_str_eq(fault_name(FAULT_BEFORE_COMMIT), "before_commit");
    ck_assert_str_eq(fault_name(FAULT__COUNT), "unknown");
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_names);
}

int
main(void)
{
    return unit_run("fault", fill);
}
