/* Zeroed, aligned, released last first, and ready again after a reset. */
#include "base/arena.h"

#include "unit.h"

#include <signal.h>
#include <stdint.h>

static char order[16];

static void
note(void *arg)
{
    size_t n = strlen(order);

    order[n] = *(const char *)arg;
    order[n + 1] = '\0';
}

START_TEST(test_sizes)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 4096, 65535, 65536, 65537, 3000000};
    struct arena *a = arena_new();

    for (int round = 0; round < 3; round++) {
        size_t sum = 0;

        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            unsigned char *p = arena_alloc(a, sizes[i]);

            ck_assert_uint_eq((uintptr_t)p % _Alignof(max_align_t), 0);
            for (size_t k = 0; k < sizes[i]; k++) {
                if (p[k] != 0) /* millions of assertions would take a minute */
                    ck_abort_msg("byte %zu of %zu is not zero", k, sizes[i]);
            }
            memset(p, 0xa5, sizes[i]);
            sum += sizes[i];
        }
        ck_assert_uint_eq(arena_used(a), sum);
        arena_reset(a);
        ck_assert_uint_eq(arena_used(a), 0);
    }
    arena_free(a);
    arena_free(NULL);
}
END_TEST

START_TEST(test_apart)
{
    struct arena *a = arena_new();
    char *p[2000];

    for (int i = 0; i < 2000; i++) {
        p[i] = arena_alloc(a, 100);
        memset(p[i], i & 0x7f, 100);
    }
    for (int i = 0; i < 2000; i++) {
        for (int k = 0; k < 100; k++) {
            if (p[i][k] != (i & 0x7f))
                ck_abort_msg("byte %d of allocation %d is another's", k, i);
        }
    }
    arena_free(a);
}
END_TEST

START_TEST(test_copies)
{
    struct arena *a = arena_new();
    char big[1000];

    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    ck_assert_ptr_null(arena_strdup(a, NULL));
    ck_assert_str_eq(arena_strdup(a, ""), "");
    ck_assert_str_eq(arena_strdup(a, "soko"), "soko");
    ck_assert_str_eq(arena_strndup(a, "soko", 2), "so");
    ck_assert_str_eq(arena_strndup(a, NULL, 0), "");
    ck_assert_int_eq(memcmp(arena_strndup(a, "a\0b", 3), "a\0b", 4), 0);
    ck_assert_str_eq(arena_printf(a, "%d-%s", 7, "x"), "7-x");
    ck_assert_str_eq(arena_printf(a, "%s", big), big);
    ck_assert_ptr_nonnull(arena_array(a, 0, 8));
    arena_free(a);
}
END_TEST

START_TEST(test_defer)
{
    struct arena *a = arena_new();

    arena_defer(a, note, "1");
    arena_defer(a, note, "2");
    arena_defer(a, note, "3");
    arena_reset(a);
    ck_assert_str_eq(order, "321");
    arena_reset(a);
    ck_assert_str_eq(order, "321");
    arena_defer(a, note, "4");
    arena_free(a);
    ck_assert_str_eq(order, "3214");
}
END_TEST

START_TEST(test_overflow)
{
    volatile size_t count = SIZE_MAX / 4;

    arena_array(arena_new(), count, 8);
}
END_TEST

START_TEST(test_absurd)
{
    volatile size_t size = SIZE_MAX - 3;

    arena_alloc(arena_new(), size);
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_sizes);
    tcase_add_test(tcase, test_apart);
    tcase_add_test(tcase, test_copies);
    tcase_add_test(tcase, test_defer);
    tcase_add_test_raise_signal(tcase, test_overflow, SIGABRT);
    tcase_add_test_raise_signal(tcase, test_absurd, SIGABRT);
}

int
main(void)
{
    return unit_run("arena", fill);
}
