/*
 * providers/daraja, money in: each request byte for byte, and what each answer is taken for.
 * Answers are those of Safaricom's pages and of what integrators report.
 */
#include "daraja_fixture.h"

/* ---- token ---- */

START_TEST(a_token_is_fetched)
{
    const char *got = NULL;
    int64_t expires = 0;

    wire_replies(0, 200, "",
                 "{\"access_token\":\"c9SQxWWhmdVRlyh0zh8gZDTkubVF\",\"expires_in\":\"3599\"}");
    ck_assert_int_eq(daraja_fetch_token(&ctx, &got, &expires, &why), HEARD_DONE);
    ck_assert_str_eq(got, "c9SQxWWhmdVRlyh0zh8gZDTkubVF");
    ck_assert_int_eq(expires, 3599);
    ck_assert_str_eq(
        wire->request[0],
        arena_printf(a,
                     "GET /oauth/v1/generate?grant_type=client_credentials HTTP/1.1\r\n"
                     "Host: 127.0.0.1:%d\r\nUser-Agent: soko-test/1\r\n"
                     "Authorization: Basic b3VyLWtleTpvdXItc2VjcmV0\r\n"
                     "Accept: application/json\r\n\r\n",
                     wire_port));
}
END_TEST

static const struct {
    int status;
    const char *body;
    enum heard heard;
    int64_t expires;
    const char *code;
} tokens[] = {
    {200, "{\"access_token\":\"t\",\"expires_in\":3599}", HEARD_DONE, 3599, ""},
    {200, "{\"access_token\":\"t\",\"expires_in\":\"59\",\"more\":1}", HEARD_DONE, 59, ""},
    {200, "{\"access_token\":\"t\"}", HEARD_DONE, 300, ""},
    {200, "{\"access_token\":\"t\",\"expires_in\":\"soon\"}", HEARD_DONE, 300, ""},
    {200, "{\"access_token\":\"t\",\"expires_in\":-1}", HEARD_DONE, 300, ""},
    {200, "{\"access_token\":\"t\",\"expires_in\":999999999}", HEARD_DONE, 86400, ""},
    {200, "{\"access_token\":\"t\",\"expires_in\":99999999999999999}", HEARD_DONE, 300, ""},
    {200, "{\"access_token\":\"\",\"expires_in\":3599}", HEARD_NOT_SENT, 0, ""},
    {200, "{\"access_token\":\"a b\"}", HEARD_NOT_SENT, 0, ""},
    {200, "{\"access_token\":\"a\\r\\nX-Evil: 1\"}", HEARD_NOT_SENT, 0, ""},
    {200, "{\"access_token\":7}", HEARD_NOT_SENT, 0, ""},
    {200, "{}", HEARD_NOT_SENT, 0, ""},
    {200, "", HEARD_NOT_SENT, 0, ""},
    {200, "<html>busy</html>", HEARD_NOT_SENT, 0, ""},
    {400, "", HEARD_REFUSED, 0, ""},
    {400, ERROR("400.008.01", "Invalid Authentication passed"), HEARD_REFUSED, 0, "400.008.01"},
    {401, ERROR("400.008.02", "Invalid grant type passed"), HEARD_REFUSED, 0, "400.008.02"},
    {403, "<html>Incapsula incident ID</html>", HEARD_NOT_SENT, 0, ""},
    {429, "", HEARD_NOT_SENT, 0, ""},
    {500, ERROR("500.003.02", "Spike Arrest Violation"), HEARD_NOT_SENT, 0, "500.003.02"},
    {503, "<html>", HEARD_NOT_SENT, 0, ""},
};

START_TEST(a_token_is_or_is_none)
{
    const char *got = NULL;
    int64_t expires = 0;

    wire_replies(0, tokens[_i].status, "", tokens[_i].body);
    ck_assert_int_eq(daraja_fetch_token(&ctx, &got, &expires, &why), tokens[_i].heard);
    ck_assert_int_eq(expires, tokens[_i].expires);
    ck_assert_str_eq(why.code, tokens[_i].code);
    ck_assert_ptr_nonnull(why.message);
    ck_assert((got != NULL) == (tokens[_i].heard == HEARD_DONE));
}
END_TEST

START_TEST(a_lost_token_is_not_sent)
{
    const char *got = NULL;
    int64_t expires = 0;

    wire_says(0, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"acc");
    ck_assert_int_eq(daraja_fetch_token(&ctx, &got, &expires, &why), HEARD_NOT_SENT);
    ck_assert_ptr_null(got);
}
END_TEST

/* ---- push ---- */

#define PUSH_BODY(type, amount, party_b, reference, description)                                   \
    "{\"BusinessShortCode\":\"174379\",\"Password\":\"" PASSWORD "\",\"Timestamp\":\"" NAIROBI     \
    "\",\"TransactionType\":\"" type "\",\"Amount\":\"" amount "\",\"PartyA\":\"254722000000\","   \
    "\"PartyB\":\"" party_b "\",\"PhoneNumber\":\"254722000000\",\"CallBackURL\":\"" CALLBACK      \
    "\",\"AccountReference\":\"" reference "\",\"TransactionDesc\":\"" description "\"}"
#define PUSH_PATH "/mpesa/stkpush/v1/processrequest"

START_TEST(a_push_is_sent_as_documented)
{
    wire_replies(0, 200, "", PUSHED);
    ck_assert_int_eq(push(), HEARD_DONE);
    ck_assert_str_eq(pushed.checkout_id, "ws_CO_1007");
    ck_assert_str_eq(pushed.merchant_id, "2654-4b64");
    posted(0, PUSH_PATH, "tok-1",
           PUSH_BODY("CustomerPayBillOnline", "1", "174379", "ORD000042", "Order D000042"));
    ck_assert_int_eq(asked, 1);
}
END_TEST

START_TEST(a_till_is_paid_as_one)
{
    configure("DARAJA_TILL", "600999");
    wire_replies(0, 200, "", PUSHED);
    ck_assert_int_eq(push(), HEARD_DONE);
    posted(0, PUSH_PATH, "tok-1",
           PUSH_BODY("CustomerBuyGoodsOnline", "1", "600999", "ORD000042", "Order D000042"));
}
END_TEST

/* The sample of Safaricom's page. */
START_TEST(the_password_is_that_of_the_page)
{
    char stamp[DARAJA_TIMESTAMP_SIZE];

    ck_assert_str_eq(daraja_password(&ctx, "20210628092408"),
                     "MTc0Mzc5YmZiMjc5ZjlhYTliZGJjZjE1OGU5N2RkNzFhNDY3Y2QyZTBjODkzMDU5YjEwZjc4ZTZiN"
                     "zJhZGExZWQyYzkxOTIwMjEwNjI4MDkyNDA4");
    /* 2021-06-28T06:24:08Z */
    ck_assert_str_eq(daraja_timestamp(INT64_C(1624861448000), stamp), "20210628092408");
    setenv("TZ", "America/New_York", 1);
    ck_assert_str_eq(daraja_timestamp(INT64_C(1624861448999), stamp), "20210628092408");
    ck_assert_str_eq(daraja_timestamp(INT64_C(1709153999999), stamp), "20240228235959");
    ck_assert_str_eq(daraja_timestamp(INT64_C(1709154000000), stamp), "20240229000000");
}
END_TEST

static const struct {
    const char *reference, *description; /* NULL: refused, and nothing is sent */
    int64_t amount;
} fits[] = {
    {"A", "Order A", 100},
    {"K7Q2M9X", "Order K7Q2M9X", 100},
    {"K7Q2M9XB", "Order 7Q2M9XB", 100},
    {"K7Q2M9XB4T1Z", "Order 9XB4T1Z", 25000000},
    {"K7Q2M9XB4T1ZA", NULL, 100},
    {"01890000-0000-7000-8000-000000000001", NULL, 100}, /* what the seeds sent */
    {"ord42", NULL, 100},
    {"ORD-42", NULL, 100},
    {"ORD 42", NULL, 100},
    {"ORD42\"", NULL, 100},
    {"ORD42\xc3\xa9", NULL, 100},
    {"", NULL, 100},
    {NULL, NULL, 100},
    {"ORD42", NULL, 0},
    {"ORD42", NULL, 99},
    {"ORD42", NULL, 101},
    {"ORD42", NULL, 45050}, /* the fraction that the seed sent */
    {"ORD42", NULL, 25000100},
    {"ORD42", NULL, -100},
    {"ORD42", NULL, INT64_MAX},
};

START_TEST(hole_15_reference_description_and_shillings_fit)
{
    const struct daraja_push_in in = {.phone = "+254722000000",
                                      .amount = fits[_i].amount,
                                      .callback = CALLBACK,
                                      .reference = fits[_i].reference};

    wire_replies(0, 200, "", PUSHED);
    log_capture();
    if (fits[_i].description == NULL) {
        ck_assert_int_eq(daraja_push(&ctx, &auth, &in, &pushed, &why), HEARD_REFUSED);
        ck_assert_int_eq(atomic_load(&wire->requests), 0);
        return;
    }
    ck_assert_int_eq(daraja_push(&ctx, &auth, &in, &pushed, &why), HEARD_DONE);
    const char *sent = wire->request[0];
    ck_assert_ptr_nonnull(
        strstr(sent, arena_printf(a, "\"Amount\":\"%lld\"", (long long)fits[_i].amount / 100)));
    ck_assert_ptr_nonnull(
        strstr(sent, arena_printf(a, "\"AccountReference\":\"%s\"", fits[_i].reference)));
    ck_assert_ptr_nonnull(
        strstr(sent, arena_printf(a, "\"TransactionDesc\":\"%s\"", fits[_i].description)));
    ck_assert_uint_le(strlen(fits[_i].reference), 12);
    ck_assert_uint_le(strlen(fits[_i].description), 13);
}
END_TEST

static const char *const strangers[] = {
    "+255712345678", "0712345678", "254712345678", "+254212345678", "", NULL, "+2547123456789"};

START_TEST(only_kenyan_mobiles_are_called)
{
    const struct daraja_push_in in = {
        .phone = strangers[_i], .amount = 100, .callback = CALLBACK, .reference = "ORD42"};

    log_capture();
    ck_assert_int_eq(daraja_push(&ctx, &auth, &in, &pushed, &why), HEARD_REFUSED);
    ck_assert_int_eq(atomic_load(&wire->requests), 0);
}
END_TEST

static const struct outcome outcomes[] = {
    {200, PUSHED, HEARD_DONE, ""},
    {200, "{\"CheckoutRequestID\":\"ws\",\"ResponseCode\":0}", HEARD_DONE, ""},
    {200, "{\"CheckoutRequestID\":\"ws\"}", HEARD_DONE, ""},
    /* Refused: nothing has happened. */
    {400, ERROR("400.002.02", "Bad Request - Invalid PhoneNumber"), HEARD_REFUSED, "400.002.02"},
    {404, ERROR("404.001.01", "Resource not found"), HEARD_REFUSED, "404.001.01"},
    {405, ERROR("405.001", "Method Not Allowed"), HEARD_REFUSED, "405.001"},
    {400, "{}", HEARD_REFUSED, ""},
    {400, "{\"errorCode\":\"a b\\n\"}", HEARD_REFUSED, ""},
    {500, ERROR("500.001.1001", "Merchant does not exist"), HEARD_REFUSED, "500.001.1001"},
    {500, ERROR("500.001.1001", "Wrong credentials"), HEARD_REFUSED, "500.001.1001"},
    {200, "{\"ResponseCode\":\"1\",\"ResponseDescription\":\"Rejected\"}", HEARD_REFUSED, "1"},
    {200, "{\"CheckoutRequestID\":\"ws\",\"ResponseCode\":\"2\"}", HEARD_REFUSED, "2"},
    /* Turned away at the door: later. */
    {500, ERROR("500.001.1001", "Unable to lock subscriber, a transaction is already in process"),
     HEARD_NOT_SENT, "500.001.1001"},
    {500, ERROR("500.003.02", "System is busy. Please try again in few minutes."), HEARD_NOT_SENT,
     "500.003.02"},
    {500, ERROR("500.003.02", "Error Occurred: Spike Arrest Violation"), HEARD_NOT_SENT,
     "500.003.02"},
    {500, ERROR("500.003.03", "Quota Violation"), HEARD_NOT_SENT, "500.003.03"},
    {429, ERROR("429.001", "Too many"), HEARD_NOT_SENT, "429.001"},
    {429, "<html>", HEARD_NOT_SENT, ""},
    {500,
     "{\"fault\":{\"faultstring\":\"Spike arrest violation. Allowed rate : 5ps\","
     "\"detail\":{\"errorcode\":\"policies.ratelimit.SpikeArrestViolation\"}}}",
     HEARD_NOT_SENT, "policies.ratelimit.SpikeArrestViolation"},
    /* Nobody knows. */
    {500, ERROR("500.001.1001", "Something else"), HEARD_NOTHING, "500.001.1001"},
    {500, ERROR("500.003.1001", "Internal Server Error"), HEARD_NOTHING, "500.003.1001"},
    {500, ERROR("400.002.02", "Bad Request"), HEARD_NOTHING, "400.002.02"},
    {500, "{}", HEARD_NOTHING, ""},
    {500, "", HEARD_NOTHING, ""},
    {502, "<html>Bad gateway</html>", HEARD_NOTHING, ""},
    {503, "<html>Request unsuccessful. Incapsula incident ID: 1</html>", HEARD_NOTHING, ""},
    {403, "<html>Request unsuccessful. Incapsula incident ID: 1</html>", HEARD_NOTHING, ""},
    {400, "", HEARD_NOTHING, ""},
    {408, "{}", HEARD_NOTHING, ""},
    {302, "", HEARD_NOTHING, ""},
    {200, "", HEARD_NOTHING, ""},
    {200, "{\"CheckoutRequestID\":\"ws", HEARD_NOTHING, ""},
    {200, "<html></html>", HEARD_NOTHING, ""},
    {200, "[]", HEARD_NOTHING, ""},
    {200, "null", HEARD_NOTHING, ""},
    {200, "{}", HEARD_NOTHING, ""},
    {200, "{\"ResponseCode\":\"0\"}", HEARD_NOTHING, ""},
    {200, "{\"ResponseCode\":\"0\",\"CheckoutRequestID\":\"\"}", HEARD_NOTHING, ""},
    {200, "{\"ResponseCode\":\"0\",\"CheckoutRequestID\":5}", HEARD_NOTHING, ""},
    {200, ERROR("500.003.1001", "Internal Server Error"), HEARD_NOTHING, "500.003.1001"},
};

START_TEST(an_answer_means_what_is_certain)
{
    const struct outcome *row = &outcomes[_i];

    wire_replies(0, row->status, "", row->body);
    ck_assert_msg(push() == row->heard, "%d %s", row->status, row->body);
    ck_assert_str_eq(why.code, row->code);
    ck_assert_ptr_nonnull(why.message);
    ck_assert_int_eq(why.status, row->status);
    ck_assert((pushed.checkout_id[0] != '\0') == (row->heard == HEARD_DONE));
    ck_assert_int_eq(atomic_load(&wire->requests), 1);
}
END_TEST

START_TEST(no_answer_is_unknown)
{
    static const char *const silences[] = {
        WIRE_HANG_UP, WIRE_HANG, "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"Merch"};

    configure("PROVIDER_TIMEOUT", "300ms");
    wire_says(0, silences[_i]);
    ck_assert_int_eq(push(), HEARD_NOTHING);
    ck_assert_int_eq(why.status, 0);
    ck_assert_int_eq(atomic_load(&wire->requests), 1);
}
END_TEST

START_TEST(no_connection_is_not_sent)
{
    configure("DARAJA_BASE_URL", "http://127.0.0.1:1");
    ck_assert_int_eq(push(), HEARD_NOT_SENT);
    none_left = true;
    ck_assert_int_eq(push(), HEARD_NOT_SENT);
    ck_assert_int_eq(atomic_load(&wire->requests), 0);
}
END_TEST

/* ---- refused tokens ---- */

static const struct {
    int status;
    const char *body;
} stale[] = {
    {404, ERROR("404.001.03", "Invalid Access Token")},
    {401, ERROR("401.002.01", "Error Occurred - Invalid Access Token - abc")},
    {400, ERROR("400.003.01", "Invalid Access Token")},
    {401, ""},
    {401, "<html>Unauthorized</html>"},
    {403, "Invalid Access Token"},
    {500, "Invalid access token"},
    {401, "{\"fault\":{\"faultstring\":\"Invalid Access Token\"}}"},
};

START_TEST(a_refused_token_is_replaced_once)
{
    wire_replies(0, stale[_i].status, "", stale[_i].body);
    wire_replies(1, 200, "", PUSHED);
    ck_assert_int_eq(push(), HEARD_DONE);
    ck_assert_str_eq(pushed.checkout_id, "ws_CO_1007");
    ck_assert_int_eq(asked, 2);
    ck_assert_str_eq(last_refused, "tok-1");
    posted(0, PUSH_PATH, "tok-1",
           PUSH_BODY("CustomerPayBillOnline", "1", "174379", "ORD000042", "Order D000042"));
    posted(1, PUSH_PATH, "tok-2",
           PUSH_BODY("CustomerPayBillOnline", "1", "174379", "ORD000042", "Order D000042"));
}
END_TEST

START_TEST(a_token_that_is_refused_again_is_not_sent)
{
    wire_replies(0, stale[_i].status, "", stale[_i].body);
    wire_replies(1, stale[_i].status, "", stale[_i].body);
    wire_replies(2, 200, "", PUSHED);
    ck_assert_int_eq(push(), HEARD_NOT_SENT);
    ck_assert_int_eq(atomic_load(&wire->requests), 2);
    ck_assert_int_eq(asked, 2);
}
END_TEST

/* ---- query ---- */

#define ANSWERED(result)                                                                           \
    "{\"ResponseCode\":\"0\",\"ResponseDescription\":\"ok\",\"MerchantRequestID\":\"m\","          \
    "\"CheckoutRequestID\":\"ws_CO_1\"," result "}"

static const struct {
    int status;
    const char *body;
    enum heard heard;
    enum daraja_word word;
    const char *code;
} queries[] = {
    {200, ANSWERED("\"ResultCode\":\"0\""), HEARD_DONE, DARAJA_PAID, "0"},
    {200, ANSWERED("\"ResultCode\":0"), HEARD_DONE, DARAJA_PAID, "0"},
    {200, ANSWERED("\"ResultCode\":\"1032\""), HEARD_DONE, DARAJA_FAILED, "1032"},
    {200, ANSWERED("\"ResultCode\":1032"), HEARD_DONE, DARAJA_FAILED, "1032"},
    {200, "{\"ResultCode\":\"1037\"}", HEARD_DONE, DARAJA_FAILED, "1037"},
    /* Pending, in all its forms. */
    {200, ANSWERED("\"ResultCode\":\"4999\""), HEARD_DONE, DARAJA_PENDING, "4999"},
    {200, ANSWERED("\"ResultCode\":4999"), HEARD_DONE, DARAJA_PENDING, "4999"},
    {500, ERROR("500.001.1001", "The transaction is being processed"), HEARD_DONE, DARAJA_PENDING,
     "500.001.1001"},
    {500, ERROR("500.001.1001", "The transaction is still under processing"), HEARD_DONE,
     DARAJA_PENDING, "500.001.1001"},
    {200, ANSWERED("\"ResultCode\":\"77777\""), HEARD_DONE, DARAJA_PENDING, "77777"},
    /* Nothing was learned. */
    {200, ANSWERED("\"ResultCode\":null"), HEARD_NOTHING, DARAJA_PENDING, ""},
    {200, ANSWERED("\"ResultCode\":{}"), HEARD_NOTHING, DARAJA_PENDING, ""},
    {200, "{\"CheckoutRequestID\":\"another\",\"ResultCode\":\"0\"}", HEARD_NOTHING, DARAJA_PENDING,
     ""},
    {200, "{\"ResponseCode\":\"0\"}", HEARD_NOTHING, DARAJA_PENDING, ""},
    {200, "<html>", HEARD_NOTHING, DARAJA_PENDING, ""},
    {500, ERROR("500.001.1001", "Oops"), HEARD_NOTHING, DARAJA_PENDING, ""},
    {503, "", HEARD_NOTHING, DARAJA_PENDING, ""},
    {500, ERROR("500.003.02", "Spike Arrest Violation"), HEARD_NOT_SENT, DARAJA_PENDING, ""},
    {400, ERROR("400.002.02", "Invalid CheckoutRequestID"), HEARD_REFUSED, DARAJA_PENDING, ""},
};

START_TEST(a_query_says_three_things)
{
    enum daraja_word word = DARAJA_PAID;
    const char *code = NULL;

    wire_replies(0, queries[_i].status, "", queries[_i].body);
    ck_assert_int_eq(daraja_query(&ctx, &auth, "ws_CO_1", &word, &code), queries[_i].heard);
    ck_assert_msg(word == queries[_i].word, "%s", queries[_i].body);
    ck_assert_str_eq(code, queries[_i].code);
    posted(0, "/mpesa/stkpushquery/v1/query", "tok-1",
           "{\"BusinessShortCode\":\"174379\",\"Password\":\"" PASSWORD
           "\",\"Timestamp\":\"" NAIROBI "\",\"CheckoutRequestID\":\"ws_CO_1\"}");
}
END_TEST

/* ---- pull ---- */

#define ROW(id, bill, amount)                                                                      \
    "{\"transactionId\":\"" id "\",\"trxDate\":\"2020-08-05T10:13:00Z\",\"msisdn\":722000000,"     \
    "\"billreference\":\"" bill "\",\"amount\":" amount "}"
#define PAGE(rows)                                                                                 \
    "{\"ResponseCode\":\"1000\",\"ResponseMessage\":\"Success\",\"Response\":" rows "}"
#define NO_MORE "{\"ResponseCode\":\"1001\",\"ResponseMessage\":\"No transactions\"}"

static struct daraja_receipt *rows;
static size_t count;

static enum heard
pull(void)
{
    return daraja_pull(&ctx, &auth, NOW - 3600000, NOW, &rows, &count);
}

START_TEST(what_came_is_pulled_page_by_page)
{
    wire_replies(0, 200, "",
                 PAGE("[[" ROW("R1", "ORD1", "\"168.00\"") "," ROW("R2", "my shoes", "5") "]]"));
    wire_replies(1, 200, "", PAGE("[" ROW("R3", "", "1.5") "]"));
    wire_replies(2, 200, "", NO_MORE);
    ck_assert_int_eq(pull(), HEARD_DONE);
    ck_assert_uint_eq(count, 3);
    ck_assert_str_eq(rows[0].receipt, "R1");
    ck_assert_str_eq(rows[0].bill, "ORD1");
    ck_assert_int_eq(rows[0].amount, 16800);
    ck_assert_str_eq(rows[1].bill, "my shoes");
    ck_assert_int_eq(rows[1].amount, 500);
    ck_assert_str_eq(rows[2].receipt, "R3");
    ck_assert_int_eq(rows[2].amount, 150);
    posted(0, "/pulltransactions/v1/query", "tok-1",
           "{\"ShortCode\":\"174379\",\"StartDate\":\"2035-12-31 23:15:07\","
           "\"EndDate\":\"2036-01-01 00:15:07\",\"OffSetValue\":\"0\"}");
    ck_assert_ptr_nonnull(strstr(wire->request[1], "\"OffSetValue\":\"2\"}"));
    ck_assert_ptr_nonnull(strstr(wire->request[2], "\"OffSetValue\":\"3\"}"));
}
END_TEST

START_TEST(a_pull_that_ignores_its_offset_ends)
{
    wire_replies_from(0, 200, PAGE("[" ROW("R1", "ORD1", "1") "]"));
    ck_assert_int_eq(pull(), HEARD_DONE);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(atomic_load(&wire->requests), 2);
}
END_TEST

/* A list of such length proves nothing by what is not in it. */
START_TEST(a_pull_without_an_end_is_none)
{
    for (int i = 0; i < WIRE_REQUESTS; i++)
        wire_replies(i, 200, "",
                     arena_printf(a,
                                  "{\"ResponseCode\":\"1000\",\"Response\":[{\"transactionId\":"
                                  "\"R%d\",\"amount\":1}]}",
                                  i));
    ck_assert_int_eq(pull(), HEARD_NOTHING);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_lt(atomic_load(&wire->requests), WIRE_REQUESTS);
}
END_TEST

static const char *const no_rows[] = {
    "null",
    "1",
    "\"x\"",
    "{}",
    ROW("", "b", "1"),
    ROW("R1", "b", "0"),
    ROW("R2", "b", "-1"),
    ROW("R3", "b", "\"x\""),
    ROW("R4", "b", "null"),
};

START_TEST(rows_that_are_none_are_left_out)
{
    const char *good = ROW("R5", "b", "7");

    wire_replies(
        0, 200, "",
        arena_printf(a, "{\"ResponseCode\":\"1000\",\"Response\":[%s,%s]}", no_rows[_i], good));
    wire_replies_from(1, 200, NO_MORE);
    ck_assert_int_eq(pull(), HEARD_DONE);
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(rows[0].receipt, "R5");
}
END_TEST

static const struct {
    const char *body;
    enum heard heard;
} pulls[] = {
    {NO_MORE, HEARD_DONE},
    {"{\"ResponseCode\":1001}", HEARD_DONE},
    {PAGE("[]"), HEARD_DONE},
    {PAGE("[[]]"), HEARD_DONE},
    {PAGE("null"), HEARD_NOTHING},
    {PAGE("\"none\""), HEARD_NOTHING},
    {"{\"ResponseCode\":\"1000\"}", HEARD_NOTHING},
    {"{\"ResponseCode\":\"1002\"}", HEARD_REFUSED},
    {"{}", HEARD_NOTHING},
    {"<html>", HEARD_NOTHING},
};

START_TEST(nothing_came)
{
    wire_replies_from(0, 200, pulls[_i].body);
    ck_assert_int_eq(pull(), pulls[_i].heard);
    ck_assert_uint_eq(count, 0);
}
END_TEST

START_TEST(half_a_pull_is_none)
{
    wire_replies(0, 200, "", PAGE("[" ROW("R1", "ORD1", "1") "]"));
    wire_replies(1, 503, "", "");
    ck_assert_int_eq(pull(), HEARD_NOTHING);
    ck_assert_uint_eq(count, 0);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("daraja");
    TCase *t = tcase_create("daraja");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, a_token_is_fetched);
    tcase_add_loop_test(t, a_token_is_or_is_none, 0, COUNT(tokens));
    tcase_add_test(t, a_lost_token_is_not_sent);
    tcase_add_test(t, a_push_is_sent_as_documented);
    tcase_add_test(t, a_till_is_paid_as_one);
    tcase_add_test(t, the_password_is_that_of_the_page);
    tcase_add_loop_test(t, hole_15_reference_description_and_shillings_fit, 0, COUNT(fits));
    tcase_add_loop_test(t, only_kenyan_mobiles_are_called, 0, COUNT(strangers));
    tcase_add_loop_test(t, an_answer_means_what_is_certain, 0, COUNT(outcomes));
    tcase_add_loop_test(t, no_answer_is_unknown, 0, 3);
    tcase_add_test(t, no_connection_is_not_sent);
    tcase_add_loop_test(t, a_refused_token_is_replaced_once, 0, COUNT(stale));
    tcase_add_loop_test(t, a_token_that_is_refused_again_is_not_sent, 0, COUNT(stale));
    tcase_add_loop_test(t, a_query_says_three_things, 0, COUNT(queries));
    tcase_add_test(t, what_came_is_pulled_page_by_page);
    tcase_add_test(t, a_pull_that_ignores_its_offset_ends);
    tcase_add_test(t, a_pull_without_an_end_is_none);
    tcase_add_loop_test(t, rows_that_are_none_are_left_out, 0, COUNT(no_rows));
    tcase_add_loop_test(t, nothing_came, 0, COUNT(pulls));
    tcase_add_test(t, half_a_pull_is_none);
    suite_add_tcase(s, t);
    return run_suite(s);
}
