/*
 * tests/integration/harness: what every integration test needs.
 *
 * A server that is not there fails the test; nothing is ever skipped. Connections are opened in
 * checked fixtures, because libcheck forks for each test.
 */
#ifndef SOKO_TESTS_INTEGRATION_HARNESS_H
#define SOKO_TESTS_INTEGRATION_HARNESS_H

#include "base/log.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline const char *
env_or_fail(const char *name)
{
    const char *value = getenv(name);

    ck_assert_msg(value != NULL && value[0] != '\0', "%s is not set", name);
    return value;
}

/* Log lines go into a file that nobody else sees, until log_captured(). */
static inline int
log_capture(void)
{
    char path[] = "/tmp/soko-test-XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    unlink(path);
    log_set_fd(fd);
    return fd;
}

/* What was logged since; logging goes to stderr again. */
static inline const char *
log_captured(int fd)
{
    static char content[16384];

    log_set_fd(-1);
    ssize_t n = pread(fd, content, sizeof content - 1, 0);
    ck_assert_int_ge(n, 0);
    content[n] = '\0';
    close(fd);
    return content;
}

static inline int
run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);

    log_init("test", LOG_WARN);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
