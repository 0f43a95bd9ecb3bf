/* Stripe's webhooks: the signature over every byte, and what an event says. */
#include "providers/stripe.h"

#include "base/config.h"
#include "base/log.h"
#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

#define T INT64_C(1700000000)
#define TOLERANCE 300
#define SECRET "whsec_test"
#define BODY "{\"id\":\"evt_1\"}"
/* Made by the official SDK, and by openssl dgst -sha256 -hmac. */
#define GOOD "c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925"
/* The same by the secret whsec_other; of an empty secret; of the time 1700000001. */
#define BY_OTHER "d8d091c76b586cff4dbd317fc47ebddff4b86de3ce18d3c03753c3c1901d475a"
#define BY_NOTHING "0544cee61c7f21c4f8ddaa03818d769214fe1cee99d6a47c009139d400184359"
#define LATER "a6b8e4670849f25456dbcceec15faae9edf44ea78d5607a06ebcb96ce7583658"
#define WRONG "0000000000000000000000000000000000000000000000000000000000000000"

static struct arena *a;
static struct ctx ctx;

static void
setup(void)
{
    a = arena_new();
    ctx = (struct ctx){.arena = a, .trace_id = ""};
    setenv("DATABASE_URL", "dbname=none", 1);
    setenv("TOKEN_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("DATA_KEY", "0123456789abcdef0123456789abcdef", 1);
    ck_assert(config_load(NULL, stderr));
}

static void
teardown(void)
{
    arena_free(a);
}

static const char *
fault_of(const char *header, const char *body, const char *secrets, int64_t now)
{
    return stripe_signature_fault(header, body, strlen(body), secrets, now, TOLERANCE);
}

static const struct {
    const char *header, *secrets, *fault; /* NULL: all is well */
} headers[] = {
    {"t=1700000000,v1=" GOOD, SECRET, NULL},
    {"v1=" GOOD ",t=1700000000", SECRET, NULL},
    {"t=1700000000,v1=" GOOD ",v0=" WRONG, SECRET, NULL},
    /* While a secret is rolled over there are two signatures, or we have two secrets. */
    {"t=1700000000,v1=" WRONG ",v1=" GOOD, SECRET, NULL},
    {"t=1700000000,v1=" GOOD ",v1=" WRONG, SECRET, NULL},
    {"t=1700000000,v1=" BY_OTHER ",v1=" GOOD, SECRET, NULL},
    {"t=1700000000,v1=" GOOD, "whsec_other," SECRET, NULL},
    {"t=1700000000,v1=" GOOD, SECRET ",whsec_other", NULL},
    {"t=1700000000,v1=" BY_OTHER, SECRET ",whsec_other", NULL},
    {"t=1700000000,v1=short,v1=" GOOD, SECRET, NULL},
    {"t=1700000000,,v2=x,future=1,v1=" GOOD ",", SECRET, NULL},
    /* The last time counts. */
    {"t=1,v1=" GOOD ",t=1700000000", SECRET, NULL},
    {"t=1700000000,v1=" GOOD ",t=1700000001", SECRET, "no signature that matches"},
    {"t=1700000000,v1=" LATER ",t=1700000001", SECRET, NULL},

    {NULL, SECRET, "no signature"},
    {"", SECRET, "no signature"},
    {"v1=" GOOD, SECRET, "a signature without a time"},
    {"t,v1=" GOOD, SECRET, "a signature without a time"},
    {"T=1700000000,v1=" GOOD, SECRET, "a signature without a time"},
    {"tt=1700000000,v1=" GOOD, SECRET, "a signature without a time"},
    {"t=,v1=" GOOD, SECRET, "a signature with a malformed time"},
    {"t=1700000000x,v1=" GOOD, SECRET, "a signature with a malformed time"},
    {"t= 1700000000,v1=" GOOD, SECRET, "a signature with a malformed time"},
    {"t=-1700000000,v1=" GOOD, SECRET, "a signature with a malformed time"},
    {"t=0x6553f100,v1=" GOOD, SECRET, "a signature with a malformed time"},
    {"t=1700000000000000000000,v1=" GOOD, SECRET, "a signature with a malformed time"},
    {"t=1700000000", SECRET, "a signature without v1"},
    {"t=1700000000,v0=" GOOD, SECRET, "a signature without v1"},
    {"t=1700000000,v11=" GOOD, SECRET, "a signature without v1"},
    {"t=1700000000,v1", SECRET, "a signature without v1"},
    {"t=1700000000,v1=", SECRET, "no signature that matches"},
    {"t=1700000000,v1=" WRONG, SECRET, "no signature that matches"},
    {"t=1700000000,v1=" GOOD "0", SECRET, "no signature that matches"},
    {"t=1700000000,v1= " GOOD, SECRET, "no signature that matches"},
    {"t=1700000000, v1=" GOOD, SECRET, "a signature without v1"},
    {"t=01700000000,v1=" GOOD, SECRET, "no signature that matches"},
    {"t=1700000000,v1=" GOOD, "whsec_other", "no signature that matches"},
    {"t=1700000000,v1=" GOOD, "whsec_tes", "no signature that matches"},
    {"t=1700000000,v1=" GOOD, "whsec_test ", "no signature that matches"},
    {"t=1700000000,v1=" GOOD, "test", "no signature that matches"},
    /* No secret is not an open door, and an empty one is none. */
    {"t=1700000000,v1=" BY_NOTHING, NULL, "no secret is configured"},
    {"t=1700000000,v1=" BY_NOTHING, "", "no secret is configured"},
    {"t=1700000000,v1=" BY_NOTHING, ",", "no secret is configured"},
    {"t=1700000000,v1=" BY_NOTHING, ",,whsec_other,", "no signature that matches"},
};

START_TEST(signatures)
{
    ASSERT_TEXT(fault_of(headers[_i].header, BODY, headers[_i].secrets, T), headers[_i].fault,
                headers[_i].header == NULL ? "NULL" : headers[_i].header);
}
END_TEST

static const struct {
    int64_t now;
    const char *fault;
} times[] = {
    {T - TOLERANCE - 1, "a signature from the future"},
    {T - TOLERANCE, NULL},
    {T, NULL},
    {T + TOLERANCE, NULL},
    {T + TOLERANCE + 1, "a signature that is too old"},
    {T + 86400, "a signature that is too old"},
    {0, "a signature from the future"},
};

START_TEST(tolerance)
{
    ASSERT_TEXT(fault_of("t=1700000000,v1=" GOOD, BODY, SECRET, times[_i].now), times[_i].fault,
                "time");
}
END_TEST

/* Each bit of the body, of the time and of the signature. */
START_TEST(every_altered_bit)
{
    char header[] = "t=1700000000,v1=" GOOD, body[] = BODY;

    for (size_t i = 0; i < 8 * (sizeof body - 1); i++) {
        body[i / 8] = (char)(body[i / 8] ^ 1 << i % 8);
        ck_assert_ptr_nonnull(
            stripe_signature_fault(header, body, sizeof body - 1, SECRET, T, TOLERANCE));
        body[i / 8] = (char)(body[i / 8] ^ 1 << i % 8);
    }
    for (size_t i = 0; i < 8 * (sizeof header - 1); i++) {
        header[i / 8] = (char)(header[i / 8] ^ 1 << i % 8);
        ck_assert_msg(stripe_signature_fault(header, body, sizeof body - 1, SECRET, T, TOLERANCE) !=
                          NULL,
                      "%s", header);
        header[i / 8] = (char)(header[i / 8] ^ 1 << i % 8);
    }
    ck_assert_ptr_null(stripe_signature_fault(header, body, sizeof body - 1, SECRET, T, TOLERANCE));
}
END_TEST

/* Cut, longer, empty; and a body is bytes, not a string. */
START_TEST(every_length)
{
    static const char body[] = BODY "\0";
    const char *header = "t=1700000000,v1=" GOOD;

    for (size_t len = 0; len < sizeof body; len++) {
        const char *fault = stripe_signature_fault(header, body, len, SECRET, T, TOLERANCE);

        ASSERT_TEXT(fault,
                    len == 0                 ? "an empty body"
                    : len == sizeof body - 2 ? NULL
                                             : "no signature that matches",
                    "length");
    }
}
END_TEST

/* ---- events ---- */

#define ATTEMPT "0190a5f2-0000-7000-8000-000000000001"
#define INTENT_AND(more)                                                                           \
    "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\",\"amount\":1099,\"amount_received\":1099,"  \
    "\"currency\":\"kes\",\"status\":\"succeeded\",\"client_secret\":\"pi_3Abc_secret_xyz\","      \
    "\"latest_charge\":\"ch_1\",\"last_payment_error\":null,"                                      \
    "\"metadata\":{\"order_id\":\"42\",\"attempt_id\":\"" ATTEMPT "\"},\"livemode\":false" more    \
    "}"
#define REFUND                                                                                     \
    "{\"id\":\"re_1\",\"object\":\"refund\",\"amount\":500,\"currency\":\"jpy\",\"charge\":\"ch_"  \
    "1\","                                                                                         \
    "\"payment_intent\":\"pi_1\",\"status\":\"failed\",\"failure_reason\":\"lost_or_stolen_"       \
    "card\","                                                                                      \
    "\"metadata\":{\"refund_id\":\"" ATTEMPT "\"}}"
#define EVENT_OF(type, object)                                                                     \
    "{\"id\":\"evt_1Ab\",\"object\":\"event\",\"api_version\":\"2026-10-28.endive\","              \
    "\"created\":1700000001,\"type\":\"" type "\",\"livemode\":false,\"pending_webhooks\":1,"      \
    "\"request\":{\"id\":null,\"idempotency_key\":null},\"data\":{\"object\":" object "}}"

static enum err
read_event(const char *json, struct stripe_event *e)
{
    return stripe_event_read(&ctx, json, strlen(json), e);
}

START_TEST(intent_events)
{
    struct stripe_event e;
    char id[UUID_TEXT_SIZE];

    ck_assert_int_eq(read_event(EVENT_OF("payment_intent.succeeded", INTENT_AND("")), &e), OK);
    ck_assert_str_eq(e.id, "evt_1Ab");
    ck_assert_str_eq(e.type, "payment_intent.succeeded");
    ck_assert_str_eq(e.api_version, "2026-10-28.endive");
    ck_assert(!e.livemode);
    ck_assert_int_eq(e.kind, STRIPE_INTENT);
    ck_assert_str_eq(e.intent.id, "pi_3Abc");
    ck_assert_str_eq(e.intent.client_secret, "pi_3Abc_secret_xyz");
    ck_assert_int_eq(e.intent.status, INTENT_SUCCEEDED);
    ck_assert_str_eq(e.intent.currency, "KES");
    ck_assert_int_eq(e.intent.amount, 1099);
    ck_assert_int_eq(e.intent.amount_received, 1099);
    ck_assert_str_eq(e.intent.latest_charge, "ch_1");
    ck_assert_ptr_null(e.intent.failure);
    ck_assert_str_eq(uuid_text(e.intent.attempt, id), ATTEMPT);
    ck_assert(!e.intent.livemode);
}
END_TEST

START_TEST(refund_events)
{
    struct stripe_event e;
    char id[UUID_TEXT_SIZE];

    ck_assert_int_eq(read_event(EVENT_OF("refund.failed", REFUND), &e), OK);
    ck_assert_int_eq(e.kind, STRIPE_REFUND);
    ck_assert_str_eq(e.refund.id, "re_1");
    ck_assert_int_eq(e.refund.status, REFUND_WORD_FAILED);
    ck_assert_str_eq(e.refund.failure, "lost_or_stolen_card");
    ck_assert_str_eq(e.refund.intent, "pi_1");
    ck_assert_str_eq(e.refund.currency, "JPY");
    ck_assert_int_eq(e.refund.amount, 500);
    ck_assert_str_eq(uuid_text(e.refund.refund, id), ATTEMPT);
}
END_TEST

static const struct {
    const char *object;
    enum stripe_object kind;
    const char *intent;
} others[] = {
    {"{\"object\":\"charge\",\"id\":\"ch_1\",\"payment_intent\":\"pi_9\"}", STRIPE_CHARGE, "pi_9"},
    {"{\"object\":\"charge\",\"payment_intent\":{\"id\":\"pi_9\"}}", STRIPE_CHARGE, "pi_9"},
    {"{\"object\":\"charge\",\"payment_intent\":null}", STRIPE_CHARGE, NULL},
    {"{\"object\":\"charge\",\"payment_intent\":7}", STRIPE_CHARGE, NULL},
    {"{\"object\":\"charge\",\"payment_intent\":\"../x\"}", STRIPE_CHARGE, NULL},
    {"{\"object\":\"dispute\",\"payment_intent\":\"pi_9\"}", STRIPE_DISPUTE, "pi_9"},
    {"{\"object\":\"customer\",\"payment_intent\":\"pi_9\"}", STRIPE_OTHER, NULL},
    {"{\"object\":7}", STRIPE_OTHER, NULL},
    {"{}", STRIPE_OTHER, NULL},
};

START_TEST(other_events)
{
    struct stripe_event e;
    const char *json =
        arena_printf(a,
                     "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"x\",\"livemode\":true,"
                     "\"api_version\":\"2026-10-28.endive\",\"data\":{\"object\":%s}}",
                     others[_i].object);

    ck_assert_int_eq(read_event(json, &e), OK);
    ck_assert(e.livemode);
    ck_assert_int_eq(e.kind, others[_i].kind);
    ASSERT_TEXT(e.intent_id, others[_i].intent, others[_i].object);
}
END_TEST

static const char *const no_events[] = {
    "",
    "x",
    "null",
    "[]",
    "\"evt_1\"",
    "{}",
    "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"x\",\"livemode\":false}",
    "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"x\",\"livemode\":false,\"data\":{}}",
    "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"x\",\"livemode\":false,\"data\":{\"object\":"
    "[]}}",
    "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"x\",\"livemode\":0,\"data\":{\"object\":{}}"
    "}",
    "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"\",\"livemode\":false,\"data\":{\"object\":{"
    "}}}",
    "{\"id\":\"evt_1\",\"object\":\"event\",\"livemode\":false,\"data\":{\"object\":{}}}",
    "{\"id\":\"evt_1\",\"object\":\"refund\",\"type\":\"x\",\"livemode\":false,\"data\":{"
    "\"object\":{}}}",
    "{\"id\":\"evt "
    "1\",\"object\":\"event\",\"type\":\"x\",\"livemode\":false,\"data\":{\"object\":{}}}",
    "{\"id\":1,\"object\":\"event\",\"type\":\"x\",\"livemode\":false,\"data\":{\"object\":{}}}",
    EVENT_OF("payment_intent.succeeded", "{\"object\":\"payment_intent\"}"),
    EVENT_OF("payment_intent.succeeded", "{\"id\":\"pi_3Abc\",\"object\":\"payment_intent\","
                                         "\"amount\":1099,\"amount_received\":0,"
                                         "\"currency\":\"kes\",\"status\":\"succeeded\"}"),
    EVENT_OF("refund.failed", "{\"object\":\"refund\"}"),
    EVENT_OF("x", "{}") "x",
};

START_TEST(not_events)
{
    struct stripe_event e;

    ck_assert_msg(read_event(no_events[_i], &e) == ERR_VALIDATION, "%s", no_events[_i]);
}
END_TEST

/* Another version is read all the same, and told. */
START_TEST(another_version)
{
    static const char *const versions[] = {"\"2027-01-01.fig\"", "null"};
    char path[] = "/tmp/soko-test-XXXXXX", log[1000] = "";
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    unlink(path);
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        struct stripe_event e;
        const char *json =
            arena_printf(a,
                         "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"x\",\"livemode\":false,"
                         "\"api_version\":%s,\"data\":{\"object\":{}}}",
                         versions[i]);

        log_set_fd(fd);
        ck_assert_int_eq(read_event(json, &e), OK);
        log_set_fd(-1);
        ck_assert_str_eq(e.api_version, i == 0 ? "2027-01-01.fig" : "");
    }
    ck_assert_int_gt(pread(fd, log, sizeof log - 1, 0), 0);
    ck_assert_ptr_nonnull(strstr(log, "\"event.action\":\"stripe.version\""));
    close(fd);
}
END_TEST

static void
fill(TCase *t)
{
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, signatures, 0, COUNT_OF(headers));
    tcase_add_loop_test(t, tolerance, 0, COUNT_OF(times));
    tcase_add_test(t, every_altered_bit);
    tcase_add_test(t, every_length);
    tcase_add_test(t, intent_events);
    tcase_add_test(t, refund_events);
    tcase_add_loop_test(t, other_events, 0, COUNT_OF(others));
    tcase_add_loop_test(t, not_events, 0, COUNT_OF(no_events));
    tcase_add_test(t, another_version);
}

int
main(void)
{
    return unit_run("stripe_event", fill);
}
