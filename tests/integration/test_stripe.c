/*
 * providers/stripe against a scripted server: golden requests, byte for byte, and what every row of
 * the table of errors means.
 */
#include "stripe_fixture.h"

/* What must have come as the n-th request. */
static void
assert_request(int n, const char *line, const char *key, const char *body)
{
    const char *head = arena_printf(
        a,
        "%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: soko-test/1\r\nAccept: */*\r\n"
        "Authorization: Bearer " KEY "\r\nStripe-Version: 2026-10-28.endive\r\n",
        line, wire_port);
    const char *want = body == NULL
                           ? arena_printf(a, "%s\r\n", head)
                           : arena_printf(a,
                                          "%sIdempotency-Key: %s\r\n"
                                          "Content-Type: application/x-www-form-urlencoded\r\n"
                                          "Content-Length: %zu\r\n\r\n%s",
                                          head, key, strlen(body), body);

    ck_assert_int_gt(atomic_load(&wire->requests), n);
    ck_assert_str_eq(wire->request[n], want);
}

START_TEST(golden_create)
{
    wire_replies(0, 200, "Request-Id: req_1\r\n", INTENT);
    ck_assert_int_eq(create(), HEARD_DONE);
    assert_request(0, "POST /v1/payment_intents", "pi-create:" ATTEMPT,
                   "amount=1099&currency=kes&automatic_payment_methods[enabled]=true"
                   "&description=AB12CD34&metadata[attempt_id]=" ATTEMPT
                   "&metadata[order_id]=" ORDER);
    ck_assert_str_eq(intent.id, "pi_3Abc");
    ck_assert_str_eq(intent.client_secret, "pi_3Abc_secret_xyz");
    ck_assert_int_eq(intent.status, INTENT_REQUIRES_PAYMENT_METHOD);
    ck_assert_str_eq(intent.currency, "KES");
    ck_assert_int_eq(intent.amount, 1099);
    ck_assert_int_eq(intent.amount_received, 0);
    ck_assert_ptr_null(intent.latest_charge);
    ck_assert_ptr_null(intent.failure);
    ck_assert(uuid_equal(intent.attempt, id_of(ATTEMPT)));
    ck_assert(!intent.livemode);
    ck_assert_int_eq(why.status, 200);
}
END_TEST

START_TEST(golden_get)
{
    wire_replies(0, 200, "",
                 "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\",\"amount\":1099,"
                 "\"amount_received\":1099,\"currency\":\"kes\",\"status\":\"succeeded\","
                 "\"latest_charge\":{\"id\":\"ch_9\",\"object\":\"charge\"},\"metadata\":{},"
                 "\"livemode\":true,\"invented_tomorrow\":[1.5,{}]}");
    ck_assert_int_eq(get(), HEARD_DONE);
    assert_request(0, "GET /v1/payment_intents/pi_3Abc", NULL, NULL);
    ck_assert_int_eq(intent.status, INTENT_SUCCEEDED);
    ck_assert_int_eq(intent.amount_received, 1099);
    ck_assert_str_eq(intent.latest_charge, "ch_9");
    ck_assert_ptr_null(intent.client_secret);
    ck_assert(uuid_is_nil(intent.attempt));
    ck_assert(intent.livemode);
}
END_TEST

START_TEST(golden_cancel)
{
    wire_replies(0, 200, "", INTENT_OF("pi_3Abc", "1099", "kes", "canceled"));
    ck_assert_int_eq(cancel(), HEARD_DONE);
    ck_assert_int_eq(intent.status, INTENT_CANCELED);
    const char *key = strstr(wire->request[0], "Idempotency-Key: pi-cancel:");
    ck_assert_ptr_nonnull(key);
    key = arena_strndup(a, key + 17, strcspn(key + 17, "\r"));
    assert_request(0, "POST /v1/payment_intents/pi_3Abc/cancel", key,
                   "cancellation_reason=abandoned");
    /* Another call has another key: the first one's answer is not to be kept for a day. */
    wire_replies(1, 200, "", INTENT_OF("pi_3Abc", "1099", "kes", "canceled"));
    ck_assert_int_eq(cancel(), HEARD_DONE);
    ck_assert_ptr_null(strstr(wire->request[1], key));
}
END_TEST

START_TEST(golden_refund)
{
    wire_replies(0, 200, "", REFUND);
    ck_assert_int_eq(pay_back(), HEARD_DONE);
    assert_request(0, "POST /v1/refunds", "refund:" ATTEMPT ":2",
                   "payment_intent=pi_3Abc&amount=500&metadata[refund_id]=" ATTEMPT);
    ck_assert_str_eq(refund.id, "re_1");
    ck_assert_int_eq(refund.status, REFUND_WORD_SUCCEEDED);
    ck_assert_str_eq(refund.intent, "pi_3Abc");
    ck_assert_str_eq(refund.currency, "KES");
    ck_assert_int_eq(refund.amount, 500);
    ck_assert_ptr_null(refund.failure);
    ck_assert(uuid_equal(refund.refund, id_of(ATTEMPT)));
    wire_replies(1, 200, "",
                 REFUND_OF("re_1", "failed", ",\"failure_reason\":\"expired_or_canceled_card\""));
    ck_assert_int_eq(get_back(), HEARD_DONE);
    assert_request(1, "GET /v1/refunds/re_1", NULL, NULL);
    ck_assert_int_eq(refund.status, REFUND_WORD_FAILED);
    ck_assert_str_eq(refund.failure, "expired_or_canceled_card");
}
END_TEST

/* What a form or a URL must not let through. */
START_TEST(forms_are_encoded)
{
    const struct stripe_intent_in in = {.attempt = id_of(ATTEMPT),
                                        .order = id_of(ORDER),
                                        .order_number = "a b&amount=1+%\r\n\xc3\xa9~-._[]",
                                        .amount = 1,
                                        .currency = "KES"};

    wire_replies(0, 200, "", INTENT);
    ck_assert_int_eq(stripe_create_intent(&ctx, &in, &intent, &why), HEARD_DONE);
    ck_assert_ptr_nonnull(strstr(
        wire->request[0], "&description=a%20b%26amount%3D1%2B%25%0D%0A%C3%A9~-._%5B%5D&metadata"));
}
END_TEST

static const char *const bad_ids[] = {
    "",      "pi_",    "ch_1",  "pi_1/cancel", "pi_1?a=b", "pi_../x", "pi_1\r\n",
    "pi_1 ", "pi_%31", " pi_1", "pi_\xc3\xa9", "PI_1",     "pi_1#"};

START_TEST(ids_are_looked_at)
{
    struct stripe_refund_in in = {
        .refund = id_of(ATTEMPT), .intent = bad_ids[_i], .amount = 500, .currency = "KES"};

    ck_assert_int_eq(stripe_get_intent(&ctx, bad_ids[_i], &intent, &why), HEARD_REFUSED);
    ck_assert_str_eq(why.code, "id_malformed");
    ck_assert_int_eq(stripe_cancel_intent(&ctx, bad_ids[_i], &intent, &why), HEARD_REFUSED);
    ck_assert_int_eq(stripe_refund(&ctx, &in, &refund, &why), HEARD_REFUSED);
    if (strspn(bad_ids[_i], "abcdefghijklmnopqrstuvwxyzPI_1") < strlen(bad_ids[_i]) ||
        bad_ids[_i][0] == '\0')
        ck_assert_int_eq(stripe_get_refund(&ctx, bad_ids[_i], &refund, &why), HEARD_REFUSED);
    ck_assert_int_eq(atomic_load(&wire->requests), 0);
}
END_TEST

/* ---- the table of errors ---- */

static const struct {
    const char *name;
    int status; /* 0: hangs up */
    const char *headers, *body;
    enum heard heard;
    const char *code;
    int tries;
} errors[] = {
    {"bad parameter", 400, "", ERROR_OF("invalid_request_error", ",\"code\":\"parameter_missing\""),
     HEARD_REFUSED, "parameter_missing", 1},
    {"too small", 400, "", ERROR_OF("invalid_request_error", ",\"code\":\"amount_too_small\""),
     HEARD_REFUSED, "amount_too_small", 1},
    {"no code", 400, "", ERROR_OF("invalid_request_error", ""), HEARD_REFUSED,
     "invalid_request_error", 1},
    {"key with other parameters", 400, "", ERROR_OF("idempotency_error", ""), HEARD_NOTHING,
     "idempotency_error", 1},
    {"bad key", 401, "", ERROR_OF("invalid_request_error", ""), HEARD_NOT_SENT,
     "invalid_request_error", 1},
    {"no permission", 403, "", ERROR_OF("invalid_request_error", ""), HEARD_NOT_SENT,
     "invalid_request_error", 1},
    {"declined", 402, "",
     ERROR_OF(
         "card_error",
         ",\"code\":\"card_declined\",\"decline_code\":\"insufficient_funds\",\"charge\":\"ch_1\""),
     HEARD_REFUSED, "card_declined", 1},
    {"unknown", 404, "", ERROR_OF("invalid_request_error", ",\"code\":\"resource_missing\""),
     HEARD_REFUSED, "resource_missing", 1},
    {"in flight", 409, "", ERROR_OF("idempotency_error_", ",\"code\":\"idempotency_key_in_use\""),
     HEARD_NOTHING, "idempotency_key_in_use", 2},
    {"dependency", 424, "", ERROR_OF("api_error", ""), HEARD_NOTHING, "api_error", 2},
    {"too many", 429, "", ERROR_OF("invalid_request_error", ",\"code\":\"rate_limit\""),
     HEARD_NOT_SENT, "rate_limit", 1},
    {"locked", 429, "", ERROR_OF("invalid_request_error", ",\"code\":\"lock_timeout\""),
     HEARD_NOT_SENT, "lock_timeout", 1},
    {"500", 500, "", ERROR_OF("api_error", ""), HEARD_NOTHING, "api_error", 2},
    {"502", 502, "", ERROR_OF("api_error", ""), HEARD_NOTHING, "api_error", 2},
    {"503", 503, "", ERROR_OF("api_error", ""), HEARD_NOTHING, "api_error", 2},
    {"504", 504, "", ERROR_OF("api_error", ""), HEARD_NOTHING, "api_error", 2},
    {"no answer", 0, "", "", HEARD_NOTHING, "", 2},
    /* The header beats the table. */
    {"500, do not", 500, "Stripe-Should-Retry: false\r\n", ERROR_OF("api_error", ""), HEARD_NOTHING,
     "api_error", 1},
    {"409, do not", 409, "Stripe-Should-Retry: false\r\n",
     ERROR_OF("invalid_request_error", ",\"code\":\"lock\""), HEARD_NOTHING, "lock", 1},
    {"429, do", 429, "stripe-should-retry: true\r\n",
     ERROR_OF("invalid_request_error", ",\"code\":\"rate_limit\""), HEARD_NOT_SENT, "rate_limit",
     2},
    {"402, do", 402, "Stripe-Should-Retry: true\r\n",
     ERROR_OF("card_error", ",\"code\":\"card_declined\""), HEARD_REFUSED, "card_declined", 2},
    {"500, whatever", 500, "Stripe-Should-Retry: maybe\r\n", ERROR_OF("api_error", ""),
     HEARD_NOTHING, "api_error", 2},
    /* What does not come from Stripe says nothing. */
    {"HTML 200", 200, "", "<html></html>", HEARD_NOTHING, "", 2},
    {"empty 200", 200, "", "", HEARD_NOTHING, "", 2},
    {"cut 200", 200, "", "{\"id\":\"pi_3Abc\",", HEARD_NOTHING, "", 2},
    {"a list", 200, "", "[]", HEARD_NOTHING, "", 2},
    {"another object", 200, "", "{\"id\":\"pi_3Abc\"}", HEARD_NOTHING, "", 1},
    {"HTML 400", 400, "", "<html></html>", HEARD_NOTHING, "", 1},
    {"HTML 403", 403, "", "<html>Incapsula</html>", HEARD_NOTHING, "", 1},
    {"HTML 404", 404, "", "Not Found", HEARD_NOTHING, "", 1},
    {"HTML 503", 503, "", "<html></html>", HEARD_NOTHING, "", 2},
    {"not his error", 400, "", "{\"error\":\"bad\"}", HEARD_NOTHING, "", 1},
    {"redirect", 302, "Location: /elsewhere\r\n", "", HEARD_NOTHING, "", 1},
};

static enum heard (*const calls[])(void) = {create, get, cancel, pay_back, get_back};
#define CALLS (sizeof calls / sizeof calls[0])

START_TEST(error_table)
{
    size_t row = (size_t)_i / CALLS;
    int fd = log_capture();

    for (int n = 0; n < 3; n++) {
        if (errors[row].status == 0)
            wire_says(n, WIRE_HANG_UP);
        else
            wire_replies(n, errors[row].status,
                         arena_printf(a, "Request-Id: req_42\r\n%s", errors[row].headers),
                         errors[row].body);
    }
    enum heard h = calls[(size_t)_i % CALLS]();
    const char *log = log_captured(fd);
    ck_assert_msg(h == errors[row].heard, "%s: heard %d", errors[row].name, (int)h);
    ck_assert_str_eq(why.code, errors[row].code);
    ck_assert_ptr_nonnull(why.message);
    ck_assert_int_eq(why.status, errors[row].status);
    /* A GET that finds a kept connection dead is repeated by libcurl itself; here none is kept. */
    ck_assert_int_eq(atomic_load(&wire->requests), errors[row].tries);
    ck_assert_ptr_null(strstr(log, "254712345678"));
    ck_assert_ptr_null(strstr(log, KEY));
    if (errors[row].status >= 400)
        ck_assert_ptr_nonnull(strstr(log, "\"soko.provider_request\":\"req_42\""));
    /* The second try is the first again, whole. */
    if (errors[row].tries == 2)
        ck_assert_str_eq(wire->request[0], wire->request[1]);
}
END_TEST

/* What two tries say together. */
static const struct {
    const char *name;
    int first, second;
    enum heard heard;
} pairs[] = {
    {"500, then done", 500, 200, HEARD_DONE},
    {"409, then done", 409, 200, HEARD_DONE},
    {"lost, then done", 0, 200, HEARD_DONE},
    {"500, then refused", 500, 402, HEARD_REFUSED}, /* the first one's answer, by its key */
    {"500, then too many", 500, 429, HEARD_NOTHING},
    {"500, then the key is bad", 500, 401, HEARD_NOTHING},
    {"lost, then too many", 0, 429, HEARD_NOTHING},
    {"lost, then lost", 0, 0, HEARD_NOTHING},
};

START_TEST(two_tries)
{
    for (int n = 0; n < 2; n++) {
        int status = n == 0 ? pairs[_i].first : pairs[_i].second;

        if (status == 0)
            wire_says(n, WIRE_HANG_UP);
        else
            wire_replies(n, status, "", status == 200 ? INTENT : ERROR_OF("some_error", ""));
    }
    ck_assert_msg(create() == pairs[_i].heard, "%s", pairs[_i].name);
    ck_assert_int_eq(atomic_load(&wire->requests), 2);
}
END_TEST

START_TEST(no_second_try_without_time)
{
    const struct stripe_intent_in in = {.attempt = id_of(ATTEMPT),
                                        .order = id_of(ORDER),
                                        .order_number = "A",
                                        .amount = 1,
                                        .currency = "KES"};

    wire_says(0, WIRE_HANG);
    wire_says(1, WIRE_HANG);
    ctx.now_ms = clock_ms() - 4000;
    ck_assert_int_eq(stripe_create_intent(&ctx, &in, &intent, &why), HEARD_NOTHING);
    ck_assert_int_eq(atomic_load(&wire->requests), 1);
    ck_assert_int_eq(stripe_create_intent(&ctx, &in, &intent, &why), HEARD_NOT_SENT);
    ck_assert_int_eq(atomic_load(&wire->requests), 1);
    ck_assert_str_eq(why.code, "");
    ck_assert_int_eq(why.status, 0);
}
END_TEST

START_TEST(nobody_listens)
{
    wire_stop();
    ck_assert_int_eq(create(), HEARD_NOT_SENT);
    wire_start();
}
END_TEST

/* ---- cancel ---- */

static const struct {
    const char *status;
    enum intent_status is;
} states[] = {
    {"succeeded", INTENT_SUCCEEDED},
    {"canceled", INTENT_CANCELED},
    {"processing", INTENT_PROCESSING},
    {"invented", INTENT_OTHER},
};

/* It could not be cancelled: how it stands is in the answer. */
START_TEST(cancel_comes_too_late)
{
    const char *body =
        arena_printf(a,
                     "{\"error\":{\"type\":\"invalid_request_error\","
                     "\"code\":\"payment_intent_unexpected_state\",\"message\":\"no\","
                     "\"payment_intent\":{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\","
                     "\"amount\":1099,\"amount_received\":1099,\"currency\":\"kes\","
                     "\"status\":\"%s\",\"latest_charge\":\"ch_1\"}}}",
                     states[_i].status);

    wire_replies(0, 400, "", body);
    ck_assert_int_eq(cancel(), HEARD_DONE);
    ck_assert_int_eq(intent.status, states[_i].is);
    ck_assert_int_eq(intent.amount_received, 1099);
    ck_assert_str_eq(intent.latest_charge, "ch_1");
    ck_assert_int_eq(atomic_load(&wire->requests), 1);
}
END_TEST

/* Or, if it is not, it is asked for. */
START_TEST(cancel_asks_how_it_stands)
{
    wire_replies(
        0, 400, "",
        ERROR_OF("invalid_request_error", ",\"code\":\"payment_intent_unexpected_state\""));
    wire_replies(1, 200, "", INTENT_GOT("pi_3Abc", "1099", "1099", "kes", "succeeded"));
    ck_assert_int_eq(cancel(), HEARD_DONE);
    ck_assert_int_eq(intent.status, INTENT_SUCCEEDED);
    assert_request(1, "GET /v1/payment_intents/pi_3Abc", NULL, NULL);
}
END_TEST

/* Another one's state is no answer. */
START_TEST(answers_about_another)
{
    wire_replies_from(0, 200, INTENT_GOT("pi_other", "1099", "1099", "kes", "succeeded"));
    ck_assert_int_eq(get(), HEARD_NOTHING);
    ck_assert_int_eq(cancel(), HEARD_NOTHING);
    wire_replies_from(2, 200, REFUND_OF("re_other", "succeeded", ""));
    ck_assert_int_eq(get_back(), HEARD_NOTHING);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("stripe");
    TCase *t = tcase_create("stripe");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, golden_create);
    tcase_add_test(t, golden_get);
    tcase_add_test(t, golden_cancel);
    tcase_add_test(t, golden_refund);
    tcase_add_test(t, forms_are_encoded);
    ADD_TABLE(ids_are_looked_at, bad_ids);
    tcase_add_loop_test(t, error_table, 0, (int)(CALLS * sizeof errors / sizeof *errors));
    ADD_TABLE(two_tries, pairs);
    tcase_add_test(t, no_second_try_without_time);
    tcase_add_test(t, nobody_listens);
    ADD_TABLE(cancel_comes_too_late, states);
    tcase_add_test(t, cancel_asks_how_it_stands);
    tcase_add_test(t, answers_about_another);
    suite_add_tcase(s, t);
    return run_suite(s);
}
