/* The table has no hole, the codes are those of API.md, and problems keep their order. */
#include "base/err.h"

#include "unit.h"

START_TEST(test_table)
{
    for (int e = OK; e < ERR__COUNT; e++) {
        int status = err_status((enum err)e);

        ck_assert(e == OK ? status == 200 : status >= 400 && status <= 504);
        ck_assert_ptr_nonnull(err_code((enum err)e));
        ck_assert_uint_gt(strlen(err_message((enum err)e)), 0);
        if (e != OK && e != ERR_LOST)
            ck_assert_int_eq((int)err_from_code(err_code((enum err)e)), e);
    }
    ck_assert_int_eq(err_status(ERR__COUNT), 500);
}
END_TEST

START_TEST(test_codes)
{
    static const struct {
        const char *code;
        enum err e;
        int status;
    } rows[] = {
        {"VALIDATION_ERROR", ERR_VALIDATION, 400},
        {"INVALID_STATUS", ERR_INVALID_STATUS, 400},
        {"UNAUTHORIZED", ERR_UNAUTHORIZED, 401},
        {"PAYMENT_FAILED", ERR_PAYMENT_FAILED, 402},
        {"FORBIDDEN", ERR_FORBIDDEN, 403},
        {"NOT_FOUND", ERR_NOT_FOUND, 404},
        {"METHOD_NOT_ALLOWED", ERR_METHOD_NOT_ALLOWED, 405},
        {"CONFLICT", ERR_CONFLICT, 409},
        {"INSUFFICIENT_STOCK", ERR_INSUFFICIENT_STOCK, 409},
        {"PRECONDITION_FAILED", ERR_PRECONDITION_FAILED, 412},
        {"PAYLOAD_TOO_LARGE", ERR_PAYLOAD_TOO_LARGE, 413},
        {"UNSUPPORTED_MEDIA_TYPE", ERR_UNSUPPORTED_MEDIA_TYPE, 415},
        {"IDEMPOTENCY_KEY_REUSED", ERR_IDEMPOTENCY_KEY_REUSED, 422},
        {"RATE_LIMITED", ERR_RATE_LIMITED, 429},
        {"INTERNAL_ERROR", ERR_INTERNAL, 500},
        {"PROVIDER_UNAVAILABLE", ERR_PROVIDER_UNAVAILABLE, 502},
        {"SERVICE_UNAVAILABLE", ERR_SERVICE_UNAVAILABLE, 503},
        {"REQUEST_TIMEOUT", ERR_REQUEST_TIMEOUT, 504},
        {"OK", ERR_INTERNAL, 500},
        {"LOST", ERR_INTERNAL, 500},
        {"not_found", ERR_INTERNAL, 500},
        {"", ERR_INTERNAL, 500},
        {NULL, ERR_INTERNAL, 500},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ck_assert_msg(err_from_code(rows[i].code) == rows[i].e, "%s", rows[i].code);
        ck_assert_int_eq(err_status(rows[i].e), rows[i].status);
    }
}
END_TEST

START_TEST(test_problems)
{
    struct arena *a = arena_new();
    struct problems list = {0};
    char field[] = "email";

    ck_assert_int_eq(problems_add(a, &list, ERR_VALIDATION, field, NULL, "must be %d", 5),
                     ERR_VALIDATION);
    field[0] = 'X';
    problems_add(a, &list, ERR_CONFLICT, NULL, "{\"a\":1}", NULL);
    ck_assert_str_eq(list.first->field, "email");
    ck_assert_str_eq(list.first->message, "must be 5");
    ck_assert_ptr_null(list.first->details);
    ck_assert_ptr_eq(list.first->next, list.last);
    ck_assert_ptr_null(list.last->field);
    ck_assert_str_eq(list.last->message, err_message(ERR_CONFLICT));
    ck_assert_str_eq(list.last->details, "{\"a\":1}");
    problems_clear(&list);
    ck_assert_ptr_null(list.first);
    problems_add(a, &list, ERR_INTERNAL, NULL, NULL, NULL);
    ck_assert_ptr_eq(list.first, list.last);
    arena_free(a);
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_table);
    tcase_add_test(tcase, test_codes);
    tcase_add_test(tcase, test_problems);
}

int
main(void)
{
    return unit_run("err", fill);
}
