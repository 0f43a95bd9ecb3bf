/*
 * providers/africastalking against a server that plays a script: the request byte for byte, what
 * each answer is taken for, and what a delivery report says.
 */
#include "providers/africastalking.h"

#include "base/config.h"
#include "wire_server.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof(table)[0]))
#define TO "+254711000000"
#define RECIPIENT(code, status, id)                                                                \
    "{\"statusCode\":" code ",\"number\":\"" TO "\",\"status\":\"" status                          \
    "\",\"cost\":\"KES 0.8000\",\"messageId\":\"" id "\"}"
#define ANSWER(message, recipients)                                                                \
    "{\"SMSMessageData\":{\"Message\":\"" message "\",\"Recipients\":" recipients "}}"
#define ONE(code, status, id) ANSWER("Sent to 1/1", "[" RECIPIENT(code, status, id) "]")

static struct arena *a;
static struct ctx ctx;
static struct sms_sent sent;
static struct refusal why;

static void
configure(const char *name, const char *value)
{
    setenv(name, value, 1);
    ck_assert(config_load(NULL, stderr));
}

static void
setup(void)
{
    wire_start();
    a = arena_new();
    setenv("DATABASE_URL", "dbname=none", 1);
    setenv("TOKEN_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("DATA_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("AT_BASE_URL", arena_printf(a, "http://127.0.0.1:%d", wire_port), 1);
    setenv("AT_API_KEY", "atsk-secret", 1);
    setenv("AT_USERNAME", "soko & co", 1);
    configure("PROVIDER_TIMEOUT", "2s");
    ctx = (struct ctx){.arena = a, .trace_id = "", .now_ms = clock_ms()};
    ctx.http = http_out_new("soko-test/1");
    ck_assert_ptr_nonnull(ctx.http);
    log_set_level(LOG_ERROR);
}

static void
teardown(void)
{
    wire_stop();
    http_out_free(ctx.http);
    arena_free(a);
}

static enum heard
send_text(const char *to, const char *text)
{
    return africastalking_send(&ctx, to, text, &sent, &why);
}

static void
posted(const char *form)
{
    ck_assert_int_eq(atomic_load(&wire->requests), 1);
    ck_assert_str_eq(wire->request[0],
                     arena_printf(a,
                                  "POST /version1/messaging HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                                  "User-Agent: soko-test/1\r\napiKey: atsk-secret\r\n"
                                  "Accept: application/json\r\n"
                                  "Content-Type: application/x-www-form-urlencoded\r\n"
                                  "Content-Length: %zu\r\n\r\n%s",
                                  wire_port, strlen(form), form));
}

/* The seed sent "Authorization: API Key ...", a raw '+', and whatever the text held. */
START_TEST(hole_25_header_and_form_are_theirs)
{
    wire_replies(0, 201, "", ONE("101", "Success", "ATXid_1"));
    ck_assert_int_eq(
        send_text(TO, "Order A & B = 100% +1?\nAsante \xf0\x9f\x98\x80&to=+254700000000"),
        HEARD_DONE);
    ck_assert_str_eq(sent.id, "ATXid_1");
    posted("username=soko%20%26%20co&to=%2B254711000000&message=Order%20A%20%26%20B%20%3D%20100%25%"
           "20%2B1%3F%0AAsante%20%F0%9F%98%80%26to%3D%2B254700000000");
}
END_TEST

START_TEST(a_sender_is_named_if_there_is_one)
{
    configure("AT_SENDER", "SOKO");
    wire_replies(0, 201, "", ONE("101", "Success", "ATXid_1"));
    ck_assert_int_eq(send_text(TO, "x"), HEARD_DONE);
    posted("username=soko%20%26%20co&to=%2B254711000000&message=x&from=SOKO");
}
END_TEST

static const struct {
    int status;
    const char *body;
    enum heard heard;
    const char *id, *code;
} answers[] = {
    {201, ONE("100", "Processed", "A1"), HEARD_DONE, "A1", "Processed"},
    {201, ONE("101", "Success", "A1"), HEARD_DONE, "A1", "Success"},
    {201, ONE("\"102\"", "Queued", "A1"), HEARD_DONE, "A1", "Queued"},
    {200, ONE("101", "Success", "A1"), HEARD_DONE, "A1", "Success"},
    {201, ANSWER("x", RECIPIENT("101", "Success", "A1")), HEARD_DONE, "A1", "Success"},
    {201, ONE("101", "Success", "None"), HEARD_DONE, "", "Success"},
    {201, ONE("101", "Success", "a b"), HEARD_DONE, "", "Success"},
    {201, ANSWER("x", "[{\"statusCode\":101}]"), HEARD_DONE, "", ""},
    /* Refused. */
    {201, ONE("401", "RiskHold", "None"), HEARD_REFUSED, "", "RiskHold"},
    {201, ONE("402", "InvalidSenderId", "None"), HEARD_REFUSED, "", "InvalidSenderId"},
    {201, ONE("403", "InvalidPhoneNumber", "None"), HEARD_REFUSED, "", "InvalidPhoneNumber"},
    {201, ONE("404", "UnsupportedNumberType", "None"), HEARD_REFUSED, "", "UnsupportedNumberType"},
    {201, ONE("405", "InsufficientBalance", "None"), HEARD_REFUSED, "", "InsufficientBalance"},
    {201, ONE("406", "UserInBlacklist", "None"), HEARD_REFUSED, "", "UserInBlacklist"},
    {201, ONE("407", "CouldNotRoute", "None"), HEARD_REFUSED, "", "CouldNotRoute"},
    {201, ONE("409", "DoNotDisturbRejection", "X"), HEARD_REFUSED, "", "DoNotDisturbRejection"},
    {201, ONE("502", "RejectedByGateway", "None"), HEARD_REFUSED, "", "RejectedByGateway"},
    {201, ANSWER("InvalidSenderId", "[]"), HEARD_REFUSED, "", "InvalidSenderId"},
    {201, ANSWER("Sent to 0/1 Total Cost: 0", "[]"), HEARD_REFUSED, "", ""},
    {400, "Must have a value", HEARD_REFUSED, "", ""},
    {404, "<html>", HEARD_REFUSED, "", ""},
    /* Later. */
    {201, ONE("500", "InternalServerError", "None"), HEARD_NOT_SENT, "", "InternalServerError"},
    {201, ONE("501", "GatewayError", "None"), HEARD_NOT_SENT, "", "GatewayError"},
    {401, "The supplied authentication is invalid", HEARD_NOT_SENT, "", ""},
    {429, "", HEARD_NOT_SENT, "", ""},
    /* Nobody knows. */
    {201, ONE("777", "News", "A1"), HEARD_NOTHING, "", "News"},
    {201, ONE("null", "Success", "A1"), HEARD_NOTHING, "", "Success"},
    {201, ANSWER("x", "[7]"), HEARD_NOTHING, "", ""},
    {201, ANSWER("x", "null"), HEARD_NOTHING, "", ""},
    {201, "{\"SMSMessageData\":{}}", HEARD_NOTHING, "", ""},
    {201, "{}", HEARD_NOTHING, "", ""},
    {201, "", HEARD_NOTHING, "", ""},
    {201, "OK", HEARD_NOTHING, "", ""},
    {201, "{\"SMSMessageData\":{\"Recip", HEARD_NOTHING, "", ""},
    {302, "", HEARD_NOTHING, "", ""},
    {408, "", HEARD_NOTHING, "", ""},
    {500, ONE("101", "Success", "A1"), HEARD_NOTHING, "", ""},
    {502, "<html>", HEARD_NOTHING, "", ""},
};

START_TEST(an_answer_is_judged_by_its_recipient)
{
    wire_replies(0, answers[_i].status, "", answers[_i].body);
    ck_assert_msg(send_text(TO, "x") == answers[_i].heard, "%d %s", answers[_i].status,
                  answers[_i].body);
    ck_assert_str_eq(sent.id, answers[_i].id);
    ck_assert_str_eq(why.code, answers[_i].code);
    ck_assert_int_eq(why.status, answers[_i].status);
    ck_assert_ptr_nonnull(why.message);
    ck_assert_int_eq(atomic_load(&wire->requests), 1);
}
END_TEST

START_TEST(no_answer_is_unknown)
{
    configure("PROVIDER_TIMEOUT", "300ms");
    ctx.now_ms = clock_ms();
    wire_says(0, _i == 0 ? WIRE_HANG : WIRE_HANG_UP);
    ck_assert_int_eq(send_text(TO, "x"), HEARD_NOTHING);
    configure("AT_BASE_URL", "http://127.0.0.1:1");
    configure("PROVIDER_TIMEOUT", "5s");
    ck_assert_int_eq(send_text(TO, "x"), HEARD_NOT_SENT);
}
END_TEST

/* Nothing leaves for what is not one number. */
static const char *const unfit[] = {"254711000000",
                                    "+254711000000,+254722000000",
                                    "+254711000000 ",
                                    "+1234567",
                                    "+1234567890123456",
                                    "",
                                    NULL,
                                    "+25471100000a"};

START_TEST(one_number_or_none)
{
    ck_assert_int_eq(send_text(unfit[_i], "x"), HEARD_REFUSED);
    ck_assert_int_eq(send_text(TO, ""), HEARD_REFUSED);
    ck_assert_int_eq(atomic_load(&wire->requests), 0);
}
END_TEST

static const struct {
    const char *form;
    bool good;
    enum sms_word word;
    const char *failure;
} reports[] = {
    {"id=ATXid_1&status=Success&phoneNumber=%2B254711000000&networkCode=63902&retryCount=0", true,
     SMS_DELIVERED, NULL},
    {"id=ATXid_1&status=Failed&failureReason=UserInBlackList", true, SMS_FAILED, "UserInBlackList"},
    {"id=ATXid_1&status=Rejected", true, SMS_FAILED, "Rejected"},
    {"id=ATXid_1&status=Failed&failureReason=", true, SMS_FAILED, "Failed"},
    {"id=ATXid_1&status=Failed&failureReason=a+b", true, SMS_FAILED, "Failed"},
    {"status=Sent&id=ATXid_1", true, SMS_UNDER_WAY, NULL},
    {"id=ATXid_1&status=Submitted", true, SMS_UNDER_WAY, NULL},
    {"id=ATXid_1&status=Buffered", true, SMS_UNDER_WAY, NULL},
    {"id=ATXid_1&status=AbsentSubscriber", true, SMS_UNDER_WAY, NULL},
    {"id=ATXid_1&status=Expired", true, SMS_UNDER_WAY, NULL},
    {"id=ATXid_1&status=News", true, SMS_UNDER_WAY, NULL},
    {"id=ATXid%5F1&status=Succes%73", true, SMS_DELIVERED, NULL},
    {"id=ATXid_1&status=success", true, SMS_UNDER_WAY, NULL},
    {"id=ATXid_1&status=", false, 0, NULL},
    {"id=ATXid_1", false, 0, NULL},
    {"id=&status=Success", false, 0, NULL},
    {"id=a%20b&status=Success", false, 0, NULL},
    {"id=%00&status=Success", false, 0, NULL},
    {"id=%ff&status=Success", false, 0, NULL},
    {"id=%&status=Success", false, 0, NULL},
    {"", false, 0, NULL},
    {"{\"id\":\"ATXid_1\",\"status\":\"Success\"}", false, 0, NULL},
};

START_TEST(reports_are_read)
{
    struct sms_report got = {0};
    size_t len = strlen(reports[_i].form);
    char *exact = malloc(len + (len == 0));

    memcpy(exact, reports[_i].form, len);
    ck_assert(africastalking_report_read(&ctx, exact, len, &got) == reports[_i].good);
    free(exact);
    if (!reports[_i].good)
        return;
    ck_assert_str_eq(got.id, "ATXid_1");
    ck_assert_int_eq(got.word, reports[_i].word);
    ck_assert_pstr_eq(got.failure, reports[_i].failure);
}
END_TEST

START_TEST(nothing_secret_is_logged)
{
    log_set_level(LOG_DEBUG);
    int fd = log_capture();
    wire_replies(0, 201, "", ONE("101", "Success", "A1"));
    wire_replies(1, 500, "", TO);
    ck_assert_int_eq(send_text(TO, "Your PIN is 1234"), HEARD_DONE);
    ck_assert_int_eq(send_text(TO, "Your PIN is 1234"), HEARD_NOTHING);
    const char *said = log_captured(fd);
    ck_assert_ptr_nonnull(strstr(said, "africastalking"));
    ck_assert_ptr_null(strstr(said, "711000000"));
    ck_assert_ptr_null(strstr(said, "atsk"));
    ck_assert_ptr_null(strstr(said, "PIN"));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("africastalking");
    TCase *t = tcase_create("africastalking");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, hole_25_header_and_form_are_theirs);
    tcase_add_test(t, a_sender_is_named_if_there_is_one);
    tcase_add_loop_test(t, an_answer_is_judged_by_its_recipient, 0, COUNT(answers));
    tcase_add_loop_test(t, no_answer_is_unknown, 0, 2);
    tcase_add_loop_test(t, one_number_or_none, 0, COUNT(unfit));
    tcase_add_loop_test(t, reports_are_read, 0, COUNT(reports));
    tcase_add_test(t, nothing_secret_is_logged);
    suite_add_tcase(s, t);
    return run_suite(s);
}
