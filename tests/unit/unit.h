/*
 * unit: what every unit test program shares. check forks for each test, writes TAP to
 * $CK_TAP_LOG_FILE_NAME if that is set, and the exit status says whether all passed.
 */
#ifndef SOKO_UNIT_H
#define SOKO_UNIT_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* Runs a suite of one test case, to which `fill` adds the tests; the exit status for main(). */
static inline int
unit_run(const char *name, void (*fill)(TCase *))
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);

    tcase_set_timeout(tcase, 60);
    fill(tcase);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Like ck_assert_str_eq, with the row's input in the message, and NULL for "none". */
#define ASSERT_TEXT(got, want, row)                                                                \
    do {                                                                                           \
        const char *got_ = (got), *want_ = (want);                                                 \
        ck_assert_msg((got_ == NULL) == (want_ == NULL) &&                                         \
                          (got_ == NULL || strcmp(got_, want_) == 0),                              \
                      "%s: got \"%s\", want \"%s\"", (row), got_ == NULL ? "(null)" : got_,        \
                      want_ == NULL ? "(null)" : want_);                                           \
    } while (0)

#endif
