/*
 * providers/daraja, what needs no network: every shape of what is posted to us, and hostile ones;
 * which codes are final; whole shillings; addresses. Bodies are those of Safaricom's pages where
 * there is one.
 */
#include "providers/daraja.h"

#include "unit.h"

#include <stdio.h>

static struct ctx ctx;

static void
setup(void)
{
    ctx = (struct ctx){.arena = arena_new(), .trace_id = "t"};
}

static void
teardown(void)
{
    arena_free(ctx.arena);
}

/* The body without its NUL, so that the sanitizers see a step too far. */
static char *
exact(const char *body, size_t *len)
{
    *len = strlen(body);
    char *out = malloc(*len == 0 ? 1 : *len);

    memcpy(out, body, *len);
    return out;
}

/* ---- STK callbacks ---- */

#define STK(members) "{\"Body\":{\"stkCallback\":{" members "}}}"
#define IDS "\"MerchantRequestID\":\"29115-34620561-1\",\"CheckoutRequestID\":\"ws_CO_1\","
#define DONE IDS "\"ResultCode\":0,\"ResultDesc\":\"The service request is processed\","
#define ITEMS(items) STK(DONE "\"CallbackMetadata\":{\"Item\":" items "}")
#define AMOUNT(value) ITEMS("[{\"Name\":\"Amount\",\"Value\":" value "}]")

static const struct callback {
    const char *body;
    bool good;
    const char *code, *receipt;
    int64_t amount;
} callbacks[] = {
    /* Paid, as on Safaricom's page: Balance has no Value, the date exceeds an int32. */
    {ITEMS("[{\"Name\":\"Amount\",\"Value\":1.00},"
           "{\"Name\":\"MpesaReceiptNumber\",\"Value\":\"NLJ7RT61SV\"},{\"Name\":\"Balance\"},"
           "{\"Name\":\"TransactionDate\",\"Value\":20191219102115},"
           "{\"Name\":\"PhoneNumber\",\"Value\":254708374149}]"),
     true, "0", "NLJ7RT61SV", 100},
    /* Any order, none of the others, amounts as text. */
    {ITEMS("[{\"Name\":\"MpesaReceiptNumber\",\"Value\":\"NLJ7RT61SV\"},"
           "{\"Name\":\"Amount\",\"Value\":\"450.5\"}]"),
     true, "0", "NLJ7RT61SV", 45050},
    {AMOUNT("250000"), true, "0", NULL, 25000000},
    {AMOUNT("12.34"), true, "0", NULL, 1234},
    {AMOUNT("12.3400"), true, "0", NULL, 1234},
    {AMOUNT("null"), true, "0", NULL, 0},
    {ITEMS("[{\"Name\":\"Amount\"}]"), true, "0", NULL, 0},
    /* A single one without brackets. */
    {ITEMS("{\"Name\":\"Amount\",\"Value\":7}"), true, "0", NULL, 700},
    {ITEMS("[]"), true, "0", NULL, 0},
    {ITEMS("null"), true, "0", NULL, 0},
    {ITEMS("\"nonsense\""), true, "0", NULL, 0},
    {ITEMS("[null,1,\"x\",[],{},{\"Name\":1,\"Value\":2},{\"Value\":3},"
           "{\"Name\":\"Amount\",\"Value\":5}]"),
     true, "0", NULL, 500},
    /* The first of two counts. */
    {ITEMS("[{\"Name\":\"Amount\",\"Value\":5},{\"Name\":\"Amount\",\"Value\":9}]"), true, "0",
     NULL, 500},
    {ITEMS("[{\"Name\":\"amount\",\"Value\":5}]"), true, "0", NULL, 0},
    /* A receipt that is no text, or none to keep. */
    {ITEMS("[{\"Name\":\"MpesaReceiptNumber\",\"Value\":123}]"), true, "0", "123", 0},
    {ITEMS("[{\"Name\":\"MpesaReceiptNumber\",\"Value\":\"\"}]"), true, "0", NULL, 0},
    {ITEMS("[{\"Name\":\"MpesaReceiptNumber\",\"Value\":\"a b\"}]"), true, "0", NULL, 0},
    {ITEMS("[{\"Name\":\"MpesaReceiptNumber\",\"Value\":{}}]"), true, "0", NULL, 0},
    {ITEMS("[{\"Name\":\"MpesaReceiptNumber\",\"Value\":\"\\u00e9\"}]"), true, "0", NULL, 0},
    /* Failed. */
    {STK(IDS "\"ResultCode\":1032,\"ResultDesc\":\"Request cancelled by user\""), true, "1032",
     NULL, 0},
    {STK(IDS "\"ResultCode\":\"1032\",\"ResultDesc\":\"Request cancelled by user\""), true, "1032",
     NULL, 0},
    {STK(IDS "\"ResultCode\":\"SFC_IC0003\""), true, "SFC_IC0003", NULL, 0},
    {STK(IDS "\"ResultCode\":1037,\"CallbackMetadata\":null"), true, "1037", NULL, 0},
    {STK("\"CheckoutRequestID\":\"ws_CO_1\",\"ResultCode\":1"), true, "1", NULL, 0},
    {STK(IDS "\"ResultCode\":0,\"CallbackMetadata\":[]"), true, "0", NULL, 0},
    {STK(IDS "\"ResultCode\":0,\"New\":{\"a\":[1]}"), true, "0", NULL, 0},
    /* Odd, and never taken for 0. */
    {STK(IDS "\"ResultCode\":-1"), true, "-1", NULL, 0},
    {STK(IDS "\"ResultCode\":0.0"), true, "0.0", NULL, 0},
    {STK(IDS "\"ResultCode\":\"00\""), true, "00", NULL, 0},
    /* Amounts that are none make it unreadable: 0 would mean "not said". */
    {AMOUNT("0"), false, NULL, NULL, 0},
    {AMOUNT("0.00"), false, NULL, NULL, 0},
    {AMOUNT("-1"), false, NULL, NULL, 0},
    {AMOUNT("1e3"), false, NULL, NULL, 0},
    {AMOUNT("1.005"), false, NULL, NULL, 0},
    {AMOUNT("\"\""), false, NULL, NULL, 0},
    {AMOUNT("\" 1\""), false, NULL, NULL, 0},
    {AMOUNT("\"1,000\""), false, NULL, NULL, 0},
    {AMOUNT("\"0x10\""), false, NULL, NULL, 0},
    {AMOUNT("true"), false, NULL, NULL, 0},
    {AMOUNT("[1]"), false, NULL, NULL, 0},
    {AMOUNT("{\"Value\":1}"), false, NULL, NULL, 0},
    {AMOUNT("\"99999999999999999999\""), false, NULL, NULL, 0},
    {AMOUNT("999999999999999999"), false, NULL, NULL, 0},
    {AMOUNT("99999999999999999999"), false, NULL, NULL, 0},
    {AMOUNT("NaN"), false, NULL, NULL, 0},
    /* Not of that shape. */
    {"", false, NULL, NULL, 0},
    {"null", false, NULL, NULL, 0},
    {"[]", false, NULL, NULL, 0},
    {"{}", false, NULL, NULL, 0},
    {"0", false, NULL, NULL, 0},
    {"\"Body\"", false, NULL, NULL, 0},
    {"<html>Request unsuccessful. Incapsula incident ID</html>", false, NULL, NULL, 0},
    {"{\"Body\":1}", false, NULL, NULL, 0},
    {"{\"Body\":{\"stkCallback\":[]}}", false, NULL, NULL, 0},
    {"{\"Body\":[{\"stkCallback\":{}}]}", false, NULL, NULL, 0},
    {"{\"stkCallback\":{" IDS "\"ResultCode\":0}}", false, NULL, NULL, 0},
    {STK("\"ResultCode\":0"), false, NULL, NULL, 0},
    {STK("\"CheckoutRequestID\":\"\",\"ResultCode\":0"), false, NULL, NULL, 0},
    {STK("\"CheckoutRequestID\":1,\"ResultCode\":0"), false, NULL, NULL, 0},
    {STK("\"CheckoutRequestID\":\"a\\nb\",\"ResultCode\":0"), false, NULL, NULL, 0},
    {STK(IDS "\"ResultDesc\":\"no code\""), false, NULL, NULL, 0},
    {STK(IDS "\"ResultCode\":null"), false, NULL, NULL, 0},
    {STK(IDS "\"ResultCode\":true"), false, NULL, NULL, 0},
    {STK(IDS "\"ResultCode\":{}"), false, NULL, NULL, 0},
    {STK(IDS "\"ResultCode\":\"\""), false, NULL, NULL, 0},
    {STK(IDS "\"ResultCode\":\"0 \""), false, NULL, NULL, 0},
    {STK(IDS "\"ResultCode\":0,\"ResultCode\":1"), false, NULL, NULL, 0},
    {STK(IDS "\"ResultCode\":0") "}", false, NULL, NULL, 0},
    {"{\"Body\":{\"stkCallback\":{" IDS "\"ResultCode\":0", false, NULL, NULL, 0},
    {STK(IDS "\"ResultCode\":0,\"ResultDesc\":\"\xff\""), false, NULL, NULL, 0},
    {STK(IDS "\"ResultCode\":0,\"ResultDesc\":\"\\u0000\""), false, NULL, NULL, 0},
};

START_TEST(callbacks_are_read)
{
    const struct callback *row = &callbacks[_i];
    struct daraja_callback got = {.amount = -1};
    size_t len;
    char *body = exact(row->body, &len);

    ck_assert_msg(daraja_callback_read(&ctx, body, len, &got) == row->good, "%s", row->body);
    free(body); /* what was read stays */
    if (!row->good) {
        ck_assert_int_eq(got.amount, -1);
        return;
    }
    ck_assert_str_eq(got.checkout_id, "ws_CO_1");
    ASSERT_TEXT(got.code, row->code, row->body);
    ASSERT_TEXT(got.receipt, row->receipt, row->body);
    ck_assert_msg(got.amount == row->amount, "%s: %lld", row->body, (long long)got.amount);
    ck_assert_ptr_nonnull(got.text);
    ck_assert_str_eq(got.merchant_id, strstr(row->body, "29115") ? "29115-34620561-1" : "");
}
END_TEST

START_TEST(what_is_too_long_is_not_kept)
{
    char x[102], body[2000];
    struct daraja_callback got;

    memset(x, 'x', 101);
    x[101] = '\0';
    snprintf(body, sizeof body, STK("\"CheckoutRequestID\":\"%s\",\"ResultCode\":0"), x);
    ck_assert(!daraja_callback_read(&ctx, body, strlen(body), &got));
    snprintf(body, sizeof body, STK("\"CheckoutRequestID\":\"%s\",\"ResultCode\":0"), x + 1);
    ck_assert(daraja_callback_read(&ctx, body, strlen(body), &got));
    snprintf(body, sizeof body, STK(IDS "\"ResultCode\":\"%s\""), x);
    ck_assert(!daraja_callback_read(&ctx, body, strlen(body), &got));
    snprintf(body, sizeof body, ITEMS("[{\"Name\":\"MpesaReceiptNumber\",\"Value\":\"%s\"}]"), x);
    ck_assert(daraja_callback_read(&ctx, body, strlen(body), &got));
    ck_assert_ptr_null(got.receipt);
}
END_TEST

/* Cut at each byte, and each byte replaced: never a crash, never something from nothing. */
START_TEST(a_cut_callback_is_none)
{
    const char *whole = callbacks[0].body;
    struct daraja_callback got;

    for (size_t len = 0; len < strlen(whole); len++) {
        char *cut = malloc(len == 0 ? 1 : len);

        memcpy(cut, whole, len);
        ck_assert(!daraja_callback_read(&ctx, cut, len, &got));
        free(cut);
    }
    for (size_t i = 0; i < strlen(whole); i++) {
        char *bent = strdup(whole);

        bent[i] = '"';
        if (daraja_callback_read(&ctx, bent, strlen(bent), &got))
            ck_assert_ptr_nonnull(got.checkout_id);
        free(bent);
    }
}
END_TEST

/* ---- results ---- */

#define RESULT(members) "{\"Result\":{" members "}}"
#define RESULT_IDS                                                                                 \
    "\"OriginatorConversationID\":\"ours\",\"ConversationID\":\"AG_1\",\"TransactionID\":\"SG6\","
#define PARAMETERS(list)                                                                           \
    RESULT(RESULT_IDS "\"ResultType\":0,\"ResultCode\":0,\"ResultDesc\":\"ok\","                   \
                      "\"ResultParameters\":{\"ResultParameter\":" list "},"                       \
                      "\"ReferenceData\":{\"ReferenceItem\":{\"Key\":\"QueueTimeoutURL\","         \
                      "\"Value\":\"https://x\"}}")

static const struct result {
    const char *body;
    bool good;
    const char *code, *transaction, *receipt, *status;
    int64_t amount;
} results[] = {
    /* B2C, as on Safaricom's page. */
    {PARAMETERS("[{\"Key\":\"TransactionAmount\",\"Value\":10},"
                "{\"Key\":\"TransactionReceipt\",\"Value\":\"SG632NMUAB\"},"
                "{\"Key\":\"ReceiverPartyPublicName\",\"Value\":\"254705912645 - NAME\"},"
                "{\"Key\":\"B2CUtilityAccountAvailableFunds\",\"Value\":8959269.60}]"),
     true, "0", "SG6", "SG632NMUAB", NULL, 1000},
    /* Reversal. */
    {PARAMETERS("[{\"Key\":\"Amount\",\"Value\":\"200.00\"},{\"Key\":\"Charge\",\"Value\":0}]"),
     true, "0", "SG6", NULL, NULL, 20000},
    /* Status: the same key may repeat. */
    {PARAMETERS("[{\"Key\":\"DebitPartyName\",\"Value\":\"a\"},{\"Key\":\"DebitPartyName\"},"
                "{\"Key\":\"TransactionStatus\",\"Value\":\"Completed\"},"
                "{\"Key\":\"Amount\",\"Value\":\"300\"},"
                "{\"Key\":\"ReceiptNo\",\"Value\":\"NEF61H8J60\"}]"),
     true, "0", "SG6", "NEF61H8J60", "Completed", 30000},
    /* One, without brackets; without a Value; null. */
    {PARAMETERS("{\"Key\":\"TransactionReceipt\",\"Value\":\"R1\"}"), true, "0", "SG6", "R1", NULL,
     0},
    {PARAMETERS("{\"Key\":\"TransactionReceipt\"}"), true, "0", "SG6", NULL, NULL, 0},
    {PARAMETERS("[{\"Key\":\"ReceiptNo\",\"Value\":null},{\"Key\":\"Amount\",\"Value\":\"x\"}]"),
     true, "0", "SG6", NULL, NULL, 0},
    {PARAMETERS("[]"), true, "0", "SG6", NULL, NULL, 0},
    {PARAMETERS("\"\""), true, "0", "SG6", NULL, NULL, 0},
    {PARAMETERS("[[{\"Key\":\"ReceiptNo\",\"Value\":\"R1\"}],7,null]"), true, "0", "SG6", NULL,
     NULL, 0},
    {PARAMETERS("[{\"Key\":\"TransactionStatus\",\"Value\":5}]"), true, "0", "SG6", NULL, NULL, 0},
    /* Failures. */
    {RESULT(RESULT_IDS
            "\"ResultCode\":2001,\"ResultDesc\":\"The initiator information is invalid\""),
     true, "2001", "SG6", NULL, NULL, 0},
    {RESULT(RESULT_IDS "\"ResultCode\":\"R000001\""), true, "R000001", "SG6", NULL, NULL, 0},
    {RESULT("\"ResultCode\":\"0\""), true, "0", "", NULL, NULL, 0},
    {RESULT("\"ResultCode\":1,\"TransactionID\":123"), true, "1", "123", NULL, NULL, 0},
    {RESULT("\"ResultCode\":1,\"TransactionID\":null"), true, "1", "", NULL, NULL, 0},
    {RESULT("\"ResultCode\":1,\"TransactionID\":\"a\\tb\""), true, "1", "", NULL, NULL, 0},
    /* Not of that shape. */
    {RESULT(RESULT_IDS "\"ResultDesc\":\"x\""), false, NULL, NULL, NULL, NULL, 0},
    {RESULT("\"ResultCode\":[]"), false, NULL, NULL, NULL, NULL, 0},
    {RESULT("\"ResultCode\":\"a b\""), false, NULL, NULL, NULL, NULL, 0},
    {"{\"Result\":[]}", false, NULL, NULL, NULL, NULL, 0},
    {"{\"ResultCode\":0}", false, NULL, NULL, NULL, NULL, 0},
    {"{}", false, NULL, NULL, NULL, NULL, 0},
    {"", false, NULL, NULL, NULL, NULL, 0},
    {"Result", false, NULL, NULL, NULL, NULL, 0},
};

START_TEST(results_are_read)
{
    const struct result *row = &results[_i];
    struct daraja_result got = {0};
    size_t len;
    char *body = exact(row->body, &len);

    ck_assert_msg(daraja_result_read(&ctx, body, len, &got) == row->good, "%s", row->body);
    free(body);
    if (!row->good)
        return;
    ASSERT_TEXT(got.code, row->code, row->body);
    ASSERT_TEXT(got.transaction, row->transaction, row->body);
    ASSERT_TEXT(got.receipt, row->receipt, row->body);
    ASSERT_TEXT(got.status, row->status, row->body);
    ck_assert_msg(got.amount == row->amount, "%s: %lld", row->body, (long long)got.amount);
    ck_assert_str_eq(got.originator, strstr(row->body, "ours") ? "ours" : "");
    ck_assert_str_eq(got.conversation, strstr(row->body, "AG_1") ? "AG_1" : "");
    ck_assert_ptr_nonnull(got.text);
}
END_TEST

/* ---- C2B ---- */

#define C2B(members) "{\"TransactionType\":\"Pay Bill\"," members "}"
#define SENT "\"TransID\":\"RKL51ZDR4F\",\"BillRefNumber\":\"ord-42\","

static const struct {
    const char *body;
    bool good;
    const char *receipt, *bill, *shortcode;
    int64_t amount;
} c2bs[] = {
    {C2B("\"TransID\":\"RKL51ZDR4F\",\"TransTime\":\"20231121121325\",\"TransAmount\":\"5.00\","
         "\"BusinessShortCode\":\"600966\",\"BillRefNumber\":\"ORD-42\",\"InvoiceNumber\":\"\","
         "\"OrgAccountBalance\":\"25.00\",\"ThirdPartyTransID\":\"\",\"MSISDN\":\"2547 ***** 126\","
         "\"FirstName\":\"NICHOLAS\",\"MiddleName\":\"\",\"LastName\":\"\""),
     true, "RKL51ZDR4F", "ORD-42", "600966", 500},
    {C2B(SENT "\"TransAmount\":5,\"BusinessShortCode\":600966"), true, "RKL51ZDR4F", "ord-42",
     "600966", 500},
    {C2B(SENT "\"TransAmount\":5.5"), true, "RKL51ZDR4F", "ord-42", "", 550},
    {"[" C2B(SENT "\"TransAmount\":\"5\"") "]", true, "RKL51ZDR4F", "ord-42", "", 500},
    {C2B("\"TransID\":\"R1\",\"TransAmount\":\"1\""), true, "R1", "", "", 100},
    {C2B("\"TransID\":\"R1\",\"TransAmount\":\"1\",\"BillRefNumber\":null"), true, "R1", "", "",
     100},
    {C2B("\"TransID\":\"R1\",\"TransAmount\":\"1\",\"BillRefNumber\":42"), true, "R1", "42", "",
     100},
    {C2B("\"TransID\":\"R1\",\"TransAmount\":\"1\",\"BillRefNumber\":\" my shoes \""), true, "R1",
     " my shoes ", "", 100},
    {C2B("\"TransID\":\"R1\",\"TransAmount\":\"0\""), false, NULL, NULL, NULL, 0},
    {C2B("\"TransID\":\"R1\",\"TransAmount\":\"-5\""), false, NULL, NULL, NULL, 0},
    {C2B("\"TransID\":\"R1\",\"TransAmount\":\"\""), false, NULL, NULL, NULL, 0},
    {C2B("\"TransID\":\"R1\""), false, NULL, NULL, NULL, 0},
    {C2B("\"TransID\":\"\",\"TransAmount\":\"1\""), false, NULL, NULL, NULL, 0},
    {C2B("\"TransID\":\"a b\",\"TransAmount\":\"1\""), false, NULL, NULL, NULL, 0},
    {C2B("\"TransID\":{},\"TransAmount\":\"1\""), false, NULL, NULL, NULL, 0},
    {C2B("\"TransAmount\":\"1\""), false, NULL, NULL, NULL, 0},
    {"[" C2B(SENT "\"TransAmount\":1") "," C2B(SENT "\"TransAmount\":2") "]", false, NULL, NULL,
     NULL, 0},
    {"[]", false, NULL, NULL, NULL, 0},
    {"{}", false, NULL, NULL, NULL, 0},
    {"", false, NULL, NULL, NULL, 0},
    {"TransID=R1&TransAmount=1", false, NULL, NULL, NULL, 0},
};

START_TEST(c2b_is_read)
{
    struct daraja_c2b got = {0};
    size_t len;
    char *body = exact(c2bs[_i].body, &len);

    ck_assert_msg(daraja_c2b_read(&ctx, body, len, &got) == c2bs[_i].good, "%s", c2bs[_i].body);
    free(body);
    ASSERT_TEXT(got.receipt, c2bs[_i].receipt, c2bs[_i].body);
    ASSERT_TEXT(got.bill, c2bs[_i].bill, c2bs[_i].body);
    ASSERT_TEXT(got.shortcode, c2bs[_i].shortcode, c2bs[_i].body);
    ck_assert_int_eq(got.amount, c2bs[_i].amount);
}
END_TEST

/* ---- codes, amounts, addresses ---- */

static const struct {
    const char *code;
    enum daraja_word word;
} words[] = {
    {"0", DARAJA_PAID},
    {"1", DARAJA_FAILED},
    {"2", DARAJA_FAILED},
    {"3", DARAJA_FAILED},
    {"4", DARAJA_FAILED},
    {"8", DARAJA_FAILED},
    {"17", DARAJA_FAILED},
    {"26", DARAJA_FAILED},
    {"1001", DARAJA_FAILED},
    {"1019", DARAJA_FAILED},
    {"1025", DARAJA_FAILED},
    {"1031", DARAJA_FAILED},
    {"1032", DARAJA_FAILED},
    {"1036", DARAJA_FAILED},
    {"1037", DARAJA_FAILED},
    {"2001", DARAJA_FAILED},
    {"2028", DARAJA_FAILED},
    {"8006", DARAJA_FAILED},
    {"9999", DARAJA_FAILED},
    {"E3008", DARAJA_FAILED},
    {"SFC_IC0003", DARAJA_FAILED},
    {"4999", DARAJA_PENDING},
    {"", DARAJA_PENDING},
    {NULL, DARAJA_PENDING},
    {"5", DARAJA_PENDING},
    {"00", DARAJA_PENDING},
    {"0.0", DARAJA_PENDING},
    {" 0", DARAJA_PENDING},
    {"-0", DARAJA_PENDING},
    {"10320", DARAJA_PENDING},
    {"sfc_ic0003", DARAJA_PENDING},
    {"500.001.1001", DARAJA_PENDING},
};

START_TEST(only_what_is_certain_is_final)
{
    ck_assert_msg(daraja_stk_word(words[_i].code) == words[_i].word, "%s",
                  words[_i].code == NULL ? "(null)" : words[_i].code);
}
END_TEST

static const int64_t wholes[][2] = {
    {0, 0},
    {1, 0},
    {49, 0},
    {50, 100},
    {99, 100},
    {100, 100},
    {149, 100},
    {150, 200},
    {45050, 45100},
    {45049, 45000},
    {-49, 0},
    {-50, 0},
    {-51, -100},
    {-150, -100},
    {24999950, 25000000},
    {INT64_C(999999999999949), INT64_C(999999999999900)},
};

START_TEST(hole_15_shillings_are_whole_half_up)
{
    ck_assert_int_eq(daraja_whole(wholes[_i][0]), wholes[_i][1]);
    ck_assert_int_eq(daraja_whole(daraja_whole(wholes[_i][0])), wholes[_i][1]);
}
END_TEST

#define LIST "196.201.214.200, 196.201.213.44,127.0.0.1,2001:db8::1"

static const struct {
    const char *list, *address;
    bool listed;
} addresses[] = {
    {LIST, "196.201.214.200", true},
    {LIST, "196.201.213.44", true},
    {LIST, "127.0.0.1", true},
    {LIST, "2001:db8::1", true},
    {LIST, "2001:0DB8:0:0::1", true},
    {LIST, "::ffff:127.0.0.1", true},
    {LIST, "196.201.214.20", false},
    {LIST, "196.201.214.2000", false},
    {LIST, "96.201.214.200", false},
    {LIST, "1", false},
    {LIST, "127.1", false},
    {LIST, "::1", false},
    {LIST, "", false},
    {LIST, ",", false},
    {LIST, NULL, false},
    {LIST, "127.0.0.1,", false},
    {LIST, " 127.0.0.1", false},
    {"", "127.0.0.1", false},
    {"", "", false},
    {NULL, "127.0.0.1", false},
    {",, ,", "127.0.0.1", false},
    {",,127.0.0.1,", "127.0.0.1", true},
    {"127.0.0.0/8", "127.0.0.1", false},
    {"nonsense,a-name-that-is-longer-than-any-address-could-ever-be-written,10.0.0.1", "10.0.0.1",
     true},
};

START_TEST(addresses_are_compared_as_addresses)
{
    ck_assert(daraja_address_listed(addresses[_i].list, addresses[_i].address) ==
              addresses[_i].listed);
}
END_TEST

static void
fill(TCase *t)
{
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, callbacks_are_read, 0, COUNT_OF(callbacks));
    tcase_add_test(t, what_is_too_long_is_not_kept);
    tcase_add_test(t, a_cut_callback_is_none);
    tcase_add_loop_test(t, results_are_read, 0, COUNT_OF(results));
    tcase_add_loop_test(t, c2b_is_read, 0, COUNT_OF(c2bs));
    tcase_add_loop_test(t, only_what_is_certain_is_final, 0, COUNT_OF(words));
    tcase_add_loop_test(t, hole_15_shillings_are_whole_half_up, 0, COUNT_OF(wholes));
    tcase_add_loop_test(t, addresses_are_compared_as_addresses, 0, COUNT_OF(addresses));
}

int
main(void)
{
    return unit_run("daraja_read", fill);
}
