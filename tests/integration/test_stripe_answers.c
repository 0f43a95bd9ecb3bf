/* providers/stripe: what may stand in an answer, and amounts both ways. */
#include "base/money.h"
#include "stripe_fixture.h"

/* ---- what may stand in an answer ---- */

static const struct {
    const char *status;
    enum intent_status is;
} statuses[] = {
    {"requires_payment_method", INTENT_REQUIRES_PAYMENT_METHOD},
    {"requires_confirmation", INTENT_REQUIRES_CONFIRMATION},
    {"requires_action", INTENT_REQUIRES_ACTION},
    {"processing", INTENT_PROCESSING},
    {"requires_capture", INTENT_REQUIRES_CAPTURE},
    {"canceled", INTENT_CANCELED},
    {"succeeded", INTENT_SUCCEEDED},
    {"", INTENT_OTHER},
    {"SUCCEEDED", INTENT_OTHER},
};

START_TEST(intent_statuses)
{
    wire_replies(0, 200, "",
                 arena_printf(a,
                              "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\",\"amount\":1,"
                              "\"amount_received\":1,\"currency\":\"kes\",\"status\":\"%s\"}",
                              statuses[_i].status));
    ck_assert_int_eq(get(), HEARD_DONE);
    ck_assert_int_eq(intent.status, statuses[_i].is);
}
END_TEST

static const struct {
    const char *status;
    enum refund_word word;
} words[] = {
    {"pending", REFUND_WORD_PENDING},  {"requires_action", REFUND_WORD_PENDING},
    {"invented", REFUND_WORD_PENDING}, {"succeeded", REFUND_WORD_SUCCEEDED},
    {"failed", REFUND_WORD_FAILED},    {"canceled", REFUND_WORD_FAILED},
};

START_TEST(refund_statuses)
{
    wire_replies(0, 200, "",
                 arena_printf(a,
                              "{\"id\":\"re_1\",\"object\":\"refund\",\"amount\":1,"
                              "\"currency\":\"kes\",\"status\":\"%s\",\"payment_intent\":null}",
                              words[_i].status));
    ck_assert_int_eq(get_back(), HEARD_DONE);
    ck_assert_int_eq(refund.status, words[_i].word);
    ck_assert_ptr_null(refund.intent);
    ck_assert(uuid_is_nil(refund.refund));
}
END_TEST

static const struct {
    const char *error, *failure;
} failures[] = {
    {"{\"type\":\"card_error\",\"code\":\"card_declined\",\"decline_code\":\"insufficient_funds\"}",
     "insufficient_funds"},
    {"{\"type\":\"card_error\",\"code\":\"expired_card\",\"decline_code\":null}", "expired_card"},
    {"{\"type\":\"api_error\"}", "api_error"},
    {"{}", NULL},
    {"null", NULL},
    {"\"card_error\"", NULL},
};

START_TEST(why_it_failed)
{
    wire_replies(0, 200, "",
                 arena_printf(a,
                              "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\",\"amount\":1,"
                              "\"currency\":\"kes\",\"status\":\"requires_payment_method\","
                              "\"last_payment_error\":%s}",
                              failures[_i].error));
    ck_assert_int_eq(get(), HEARD_DONE);
    if (failures[_i].failure == NULL)
        ck_assert_ptr_null(intent.failure);
    else
        ck_assert_str_eq(intent.failure, failures[_i].failure);
}
END_TEST

/* What decides about money must be there, and of its type. */
static const char *const unreadable[] = {
    "{\"object\":\"payment_intent\",\"amount\":1,\"currency\":\"kes\",\"status\":\"succeeded\"}",
    "{\"id\":1,\"object\":\"payment_intent\",\"amount\":1,\"currency\":\"kes\",\"status\":\"x\"}",
    "{\"id\":\"pi_3Abc\",\"amount\":1,\"currency\":\"kes\",\"status\":\"x\"}",
    "{\"id\":\"pi_3Abc\",\"object\":\"refund\",\"amount\":1,\"currency\":\"kes\",\"status\":\"x\"}",
    "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\",\"currency\":\"kes\",\"status\":\"x\"}",
    "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\",\"amount\":\"1\",\"currency\":\"kes\","
    "\"status\":\"x\"}",
    "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\",\"amount\":1.0,\"currency\":\"kes\","
    "\"status\":\"x\"}",
    "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\",\"amount\":-1,\"currency\":\"kes\","
    "\"status\":\"x\"}",
    "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\",\"amount\":1,\"status\":\"x\"}",
    "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\",\"amount\":1,\"currency\":\"ke\",\"status\":"
    "\"x\"}",
    "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\",\"amount\":1,\"currency\":\"k3s\","
    "\"status\":\"x\"}",
    "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\",\"amount\":1,\"currency\":\"kes\"}",
    "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\",\"amount\":1,\"currency\":\"kes\","
    "\"status\":7}",
    "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\",\"amount\":1,\"amount_received\":\"1\","
    "\"currency\":\"kes\",\"status\":\"succeeded\"}",
    /* Paid with nothing. */
    "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\",\"amount\":1,\"amount_received\":0,"
    "\"currency\":\"kes\",\"status\":\"succeeded\"}",
    "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\",\"amount\":1,\"amount_received\":null,"
    "\"currency\":\"kes\",\"status\":\"succeeded\"}",
    "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\",\"amount\":1,\"currency\":\"kes\","
    "\"status\":\"succeeded\"}",
};

START_TEST(unreadable_intents)
{
    wire_replies(0, 200, "", unreadable[_i]);
    ck_assert_int_eq(get(), HEARD_NOTHING);
}
END_TEST

/* ---- amounts ---- */

static const struct {
    const char *currency, *theirs;
    int64_t amount, sent; /* sent 0: not taken */
} amounts[] = {
    {"KES", "kes", 1, 1},
    {"KES", "kes", 99999999, 99999999},
    {"KES", "kes", 100000000, 0},
    {"KES", "kes", 0, 0},
    {"KES", "kes", -1, 0},
    {"USD", "usd", 1099, 1099},
    {"JPY", "jpy", 500, 500}, /* no decimals, here and there */
    {"XAF", "xaf", 99999999, 99999999},
    {"RWF", "rwf", 1, 1},
    {"BHD", "bhd", 5120, 5120}, /* three decimals, the last one 0 */
    {"KWD", "kwd", 10, 10},
    {"TND", "tnd", 5125, 0},
    {"KWD", "kwd", 1, 0},
    {"ISK", "isk", 5, 500}, /* no decimals, but sent as if there were two */
    {"ISK", "isk", 999999, 99999900},
    {"ISK", "isk", 1000000, 0},
    {"UGX", "ugx", 500, 0}, /* his pages contradict each other */
    {"XXX", "xxx", 500, 0},
    {"kes", "kes", 500, 0},
    {"", "", 500, 0},
};

START_TEST(amounts_both_ways)
{
    bool taken = amounts[_i].sent != 0;

    ck_assert_int_eq(stripe_takes(amounts[_i].amount, amounts[_i].currency), taken);
    wire_replies(0, 200, "",
                 arena_printf(a,
                              "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":%lld,"
                              "\"amount_received\":%lld,\"currency\":\"%s\",\"status\":\"x\"}",
                              (long long)amounts[_i].sent, (long long)amounts[_i].sent,
                              amounts[_i].theirs));
    ck_assert_int_eq(create_of(amounts[_i].amount, amounts[_i].currency),
                     taken ? HEARD_DONE : HEARD_REFUSED);
    ck_assert_int_eq(atomic_load(&wire->requests), taken);
    if (!taken) {
        ck_assert_str_eq(why.code, "amount_not_taken");
        return;
    }
    const char *form = arena_printf(a, "\r\n\r\namount=%lld&currency=%s&",
                                    (long long)amounts[_i].sent, amounts[_i].theirs);
    ck_assert_ptr_nonnull(strstr(wire->request[0], form));
    ck_assert_int_eq(intent.amount, amounts[_i].amount);
    ck_assert_int_eq(intent.amount_received, amounts[_i].amount);
    ck_assert_str_eq(intent.currency, amounts[_i].currency);
}
END_TEST

/* A refund of what is not to be had is not asked for. */
START_TEST(refunds_of_no_amount)
{
    const struct stripe_refund_in in = {
        .refund = id_of(ATTEMPT), .intent = "pi_1", .amount = 0, .currency = "KES"};

    ck_assert_int_eq(stripe_refund(&ctx, &in, &refund, &why), HEARD_REFUSED);
    ck_assert_str_eq(why.code, "amount_not_taken");
    ck_assert_int_eq(atomic_load(&wire->requests), 0);
}
END_TEST

/* Half a krona is not a number of kronur. */
START_TEST(amounts_that_we_cannot_count)
{
    wire_replies(0, 200, "", INTENT_GOT("pi_3Abc", "550", "550", "isk", "succeeded"));
    ck_assert_int_eq(get(), HEARD_NOTHING);
    wire_replies(
        1, 200, "",
        INTENT_GOT("pi_3Abc", "99999999999999999", "99999999999999999", "kes", "succeeded"));
    ck_assert_int_eq(get(), HEARD_NOTHING);
    /* A currency that we do not take is nobody's order: told as it is. */
    wire_replies(2, 200, "", INTENT_GOT("pi_3Abc", "550", "550", "brl", "succeeded"));
    ck_assert_int_eq(get(), HEARD_DONE);
    ck_assert_str_eq(intent.currency, "BRL");
    ck_assert_int_eq(intent.amount, 550);
}
END_TEST

/* Whatever we take ourselves he takes too. */
START_TEST(currencies_are_known)
{
    for (const char *const *c = money_currencies(); *c != NULL; c++)
        ck_assert_msg(stripe_takes(1000, *c), "%s", *c);
}
END_TEST

static const struct {
    const char *key;
    bool live;
} keys[] = {
    {"sk_live_1", true},  {"rk_live_1", true}, {"sk_test_1", false},
    {"rk_test_1", false}, {"", false},
};

START_TEST(live_keys)
{
    setenv("STRIPE_SECRET_KEY", keys[_i].key, 1);
    ck_assert(config_load(NULL, stderr));
    ck_assert_int_eq(stripe_is_live(), keys[_i].live);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("stripe_answers");
    TCase *t = tcase_create("stripe_answers");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    ADD_TABLE(intent_statuses, statuses);
    ADD_TABLE(refund_statuses, words);
    ADD_TABLE(why_it_failed, failures);
    ADD_TABLE(unreadable_intents, unreadable);
    ADD_TABLE(amounts_both_ways, amounts);
    tcase_add_test(t, refunds_of_no_amount);
    tcase_add_test(t, amounts_that_we_cannot_count);
    tcase_add_test(t, currencies_are_known);
    ADD_TABLE(live_keys, keys);
    suite_add_tcase(s, t);
    return run_suite(s);
}
