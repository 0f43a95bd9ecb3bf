/*
 * providers/daraja, money back: each request byte for byte, what its SecurityCredential holds, and
 * what each answer is taken for.
 */
#include "daraja_fixture.h"

#include "certificate.h"

static EVP_PKEY *key; /* made once for all tests: it takes long */
static char certificate[32];

static void
setup_money(void)
{
    setup();
    certificate_write(key, certificate);
    configure("DARAJA_CERTIFICATE", certificate);
}

static void
teardown_money(void)
{
    unlink(certificate);
    teardown();
}

/* Cuts the SecurityCredential out of a request, and says what it holds. */
static const char *
credential_of(int n)
{
    static char plain[256];
    const char *begin = strstr(wire->request[n], "\"SecurityCredential\":\"");

    ck_assert_ptr_nonnull(begin);
    begin += strlen("\"SecurityCredential\":\"");
    char *base64 = arena_strndup(a, begin, strcspn(begin, "\""));
    ck_assert_int_ge(certificate_decrypt(key, base64, plain, sizeof plain), 0);
    return plain;
}

/* The body of a request, with @ in place of the credential, which differs each time. */
static const char *
body_without_credential(int n)
{
    const char *body = strstr(wire->request[n], "\r\n\r\n") + 4;
    const char *begin = strstr(body, "\"SecurityCredential\":\"") + 22;

    return arena_printf(a, "%.*s@%s", (int)(begin - body), body, begin + strcspn(begin, "\""));
}

/* ---- money back ---- */

static struct daraja_sent sent;

static enum heard
reverse(void)
{
    const struct daraja_reversal_in in = {
        .receipt = "NLJ7RT61SV", .amount = 20000, .result = RESULT, .timeout = TIMEOUT};

    return daraja_reverse(&ctx, &auth, &in, &sent, &why);
}

static enum heard
pay(int64_t amount, const char *phone)
{
    const struct daraja_payout_in in = {
        .id = "0189-1", .phone = phone, .amount = amount, .result = RESULT, .timeout = TIMEOUT};

    return daraja_pay(&ctx, &auth, &in, &sent, &why);
}

START_TEST(a_reversal_is_sent_as_documented)
{
    wire_replies(0, 200, "", SENT);
    ck_assert_int_eq(reverse(), HEARD_DONE);
    ck_assert_str_eq(sent.conversation, "AG_1");
    ck_assert(strncmp(wire->request[0], "POST /mpesa/reversal/v1/request HTTP/1.1\r\n", 41) == 0);
    ck_assert_str_eq(credential_of(0), "Safaricom999!*!");
    ck_assert_str_eq(body_without_credential(0),
                     "{\"Initiator\":\"testapi\",\"SecurityCredential\":\"@\","
                     "\"CommandID\":\"TransactionReversal\",\"TransactionID\":\"NLJ7RT61SV\","
                     "\"Amount\":\"200\",\"ReceiverParty\":\"174379\","
                     "\"RecieverIdentifierType\":\"11\",\"ResultURL\":\"" RESULT "\","
                     "\"QueueTimeOutURL\":\"" TIMEOUT "\",\"Remarks\":\"Refund\"}");
}
END_TEST

START_TEST(a_payout_is_sent_as_documented)
{
    wire_replies(0, 200, "", SENT);
    ck_assert_int_eq(pay(1000, "+254705912645"), HEARD_DONE);
    ck_assert_str_eq(sent.conversation, "AG_1");
    ck_assert(strncmp(wire->request[0], "POST /mpesa/b2c/v3/paymentrequest HTTP/1.1\r\n", 43) == 0);
    ck_assert_str_eq(credential_of(0), "Safaricom999!*!");
    ck_assert_str_eq(body_without_credential(0),
                     "{\"OriginatorConversationID\":\"0189-1\",\"InitiatorName\":\"testapi\","
                     "\"SecurityCredential\":\"@\",\"CommandID\":\"BusinessPayment\","
                     "\"Amount\":\"10\",\"PartyA\":\"174379\",\"PartyB\":\"254705912645\","
                     "\"Remarks\":\"Refund\",\"QueueTimeOutURL\":\"" TIMEOUT "\","
                     "\"ResultURL\":\"" RESULT "\",\"Occassion\":\"Refund\"}");
}
END_TEST

START_TEST(a_question_is_sent_as_documented)
{
    wire_replies_from(0, 200, SENT);
    ck_assert_int_eq(daraja_ask_status(&ctx, &auth, "NLJ7RT61SV", NULL, RESULT, TIMEOUT),
                     HEARD_DONE);
    ck_assert_int_eq(daraja_ask_status(&ctx, &auth, NULL, "AG_1", RESULT, TIMEOUT), HEARD_DONE);
    ck_assert(
        strncmp(wire->request[0], "POST /mpesa/transactionstatus/v1/query HTTP/1.1\r\n", 49) == 0);
    ck_assert_str_eq(credential_of(0), "Safaricom999!*!");
    ck_assert_str_eq(body_without_credential(0),
                     "{\"Initiator\":\"testapi\",\"SecurityCredential\":\"@\","
                     "\"CommandID\":\"TransactionStatusQuery\",\"TransactionID\":\"NLJ7RT61SV\","
                     "\"PartyA\":\"174379\",\"IdentifierType\":\"4\",\"ResultURL\":\"" RESULT "\","
                     "\"QueueTimeOutURL\":\"" TIMEOUT "\",\"Remarks\":\"Status\","
                     "\"Occasion\":\"Status\"}");
    ck_assert_ptr_nonnull(strstr(wire->request[1], "\"OriginalConversationID\":\"AG_1\","));
    ck_assert_ptr_null(strstr(wire->request[1], "TransactionID"));
}
END_TEST

static const struct outcome money[] = {
    {200, SENT, HEARD_DONE, ""},
    {200, "{\"ResponseCode\":\"0\"}", HEARD_DONE, ""},
    {200, "{\"ConversationID\":\"AG_1\"}", HEARD_DONE, ""},
    {200, "{\"ResponseCode\":\"1\",\"ConversationID\":\"AG_1\"}", HEARD_REFUSED, "1"},
    {200, "{}", HEARD_NOTHING, ""},
    {400, ERROR("400.002.02", "Invalid Remarks"), HEARD_REFUSED, "400.002.02"},
    {500, ERROR("500.003.02", "System is busy"), HEARD_NOT_SENT, "500.003.02"},
    {500, ERROR("500.003.1001", "Internal Server Error"), HEARD_NOTHING, "500.003.1001"},
    {500, ERROR("500.002.1001", "Service is currently unreachable"), HEARD_NOTHING, "500.002.1001"},
    {503, "<html>", HEARD_NOTHING, ""},
};

START_TEST(money_back_means_what_is_certain)
{
    for (int i = 0; i < 2; i++)
        wire_replies(i, money[_i].status, "", money[_i].body);
    ck_assert_int_eq(reverse(), money[_i].heard);
    ck_assert_str_eq(why.code, money[_i].code);
    ck_assert_int_eq(pay(1000, "+254705912645"), money[_i].heard);
    ck_assert_str_eq(why.code, money[_i].code);
    ck_assert_str_eq(sent.conversation,
                     money[_i].heard == HEARD_DONE && strstr(money[_i].body, "AG_1") ? "AG_1" : "");
}
END_TEST

START_TEST(a_payout_that_was_taken_before_is_done)
{
    wire_replies_from(0, 500, ERROR("500.002.1001", "Duplicate OriginatorConversationID."));
    ck_assert_int_eq(pay(1000, "+254705912645"), HEARD_DONE);
    ck_assert_str_eq(sent.conversation, "");
    /* A reversal has no such id. */
    ck_assert_int_eq(reverse(), HEARD_NOTHING);
}
END_TEST

START_TEST(money_that_does_not_fit_is_refused_here)
{
    log_capture();
    ck_assert_int_eq(pay(999, "+254705912645"), HEARD_REFUSED);
    ck_assert_int_eq(pay(900, "+254705912645"), HEARD_REFUSED);
    ck_assert_int_eq(pay(1050, "+254705912645"), HEARD_REFUSED);
    ck_assert_int_eq(pay(25000100, "+254705912645"), HEARD_REFUSED);
    ck_assert_int_eq(pay(1000, "+44705912645"), HEARD_REFUSED);
    ck_assert_int_eq(atomic_load(&wire->requests), 0);
}
END_TEST

START_TEST(without_a_proof_nothing_is_sent)
{
    log_capture();
    configure("DARAJA_CERTIFICATE", "/nonexistent/cert.pem");
    ck_assert_int_eq(reverse(), HEARD_NOT_SENT);
    configure("DARAJA_CERTIFICATE", "");
    ck_assert_int_eq(pay(1000, "+254705912645"), HEARD_NOT_SENT);
    configure("DARAJA_CERTIFICATE", certificate);
    configure("DARAJA_INITIATOR", "");
    ck_assert_int_eq(daraja_ask_status(&ctx, &auth, "R", NULL, RESULT, TIMEOUT), HEARD_NOT_SENT);
    ck_assert_int_eq(atomic_load(&wire->requests), 0);
}
END_TEST

/* No log line of any call holds a secret, a phone number, or an id that embeds one. */
START_TEST(nothing_secret_is_logged)
{
    static const char *const secrets[] = {"722000000", "705912645",    "tok-1",      "our-secret",
                                          PASSKEY,     "Safaricom999", "ws_CO_1007", "0123abcd"};
    const char *t;
    int64_t s;

    log_set_level(LOG_DEBUG);
    int fd = log_capture();
    wire_replies(0, 200, "", PUSHED);
    wire_replies(1, 400, "", ERROR("400.002.02", "Invalid PhoneNumber 254722000000"));
    wire_replies_from(2, 503, "254722000000");
    ck_assert_int_eq(push(), HEARD_DONE);
    push();
    push();
    pay(1000, "+254705912645");
    reverse();
    daraja_fetch_token(&ctx, &t, &s, &why);
    const char *said = log_captured(fd);
    ck_assert_ptr_nonnull(strstr(said, "mpesa"));
    for (int i = 0; i < COUNT(secrets); i++)
        ck_assert_msg(strstr(said, secrets[i]) == NULL, "%s in %s", secrets[i], said);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("daraja_money");
    TCase *t = tcase_create("daraja_money");
    tcase_add_checked_fixture(t, setup_money, teardown_money);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, a_reversal_is_sent_as_documented);
    tcase_add_test(t, a_payout_is_sent_as_documented);
    tcase_add_test(t, a_question_is_sent_as_documented);
    tcase_add_loop_test(t, money_back_means_what_is_certain, 0, COUNT(money));
    tcase_add_test(t, a_payout_that_was_taken_before_is_done);
    tcase_add_test(t, money_that_does_not_fit_is_refused_here);
    tcase_add_test(t, without_a_proof_nothing_is_sent);
    tcase_add_test(t, nothing_secret_is_logged);
    suite_add_tcase(s, t);
    key = EVP_RSA_gen(2048);
    int rc = run_suite(s);
    EVP_PKEY_free(key);
    return rc;
}
