/*
 * tests/integration/stripe_fixture: a Stripe that plays a script, the calls to it, and its objects
 * in the shapes of the wire notes (section 1).
 */
#ifndef SOKO_TESTS_INTEGRATION_STRIPE_FIXTURE_H
#define SOKO_TESTS_INTEGRATION_STRIPE_FIXTURE_H

#include "base/config.h"
#include "providers/stripe.h"
#include "wire_server.h"

#define ATTEMPT "0190a5f2-0000-7000-8000-000000000001"
#define ORDER "0190a5f2-0000-7000-8000-000000000002"
#define KEY "sk_test_abc"

#define INTENT_GOT(id, amount, received, currency, status)                                         \
    "{\"id\":\"" id "\",\"object\":\"payment_intent\",\"amount\":" amount                          \
    ",\"amount_capturable\":0,\"amount_received\":" received ",\"currency\":\"" currency           \
    "\",\"status\":\"" status "\",\"client_secret\":\"pi_3Abc_secret_xyz\","                       \
    "\"capture_method\":\"automatic\",\"confirmation_method\":\"automatic\","                      \
    "\"latest_charge\":null,\"last_payment_error\":null,\"next_action\":null,"                     \
    "\"payment_method\":null,\"payment_method_types\":[\"card\"],"                                 \
    "\"automatic_payment_methods\":{\"enabled\":true,\"allow_redirects\":\"always\"},"             \
    "\"canceled_at\":null,\"cancellation_reason\":null,\"customer\":null,\"description\":null,"    \
    "\"metadata\":{\"order_id\":\"" ORDER "\",\"attempt_id\":\"" ATTEMPT                           \
    "\"},\"processing\":null,"                                                                     \
    "\"created\":1700000000,\"livemode\":false}"
#define INTENT_OF(id, amount, currency, status) INTENT_GOT(id, amount, "0", currency, status)
#define INTENT INTENT_OF("pi_3Abc", "1099", "kes", "requires_payment_method")
#define REFUND_OF(id, status, more)                                                                \
    "{\"id\":\"" id "\",\"object\":\"refund\",\"amount\":500,\"currency\":\"kes\","                \
    "\"charge\":\"ch_1\",\"payment_intent\":\"pi_3Abc\",\"status\":\"" status                      \
    "\",\"reason\":\"requested_by_customer\",\"metadata\":{\"refund_id\":\"" ATTEMPT               \
    "\"},\"balance_transaction\":null,\"created\":1700000000" more "}"
#define REFUND REFUND_OF("re_1", "succeeded", "")
#define ERROR_OF(type, more)                                                                       \
    "{\"error\":{\"type\":\"" type "\",\"message\":\"+254712345678\"" more "}}"

static struct arena *a;
static struct ctx ctx;
static struct stripe_intent intent;
static struct stripe_refund refund;
static struct refusal why;

static inline struct uuid
id_of(const char *text)
{
    struct uuid id;

    ck_assert(uuid_parse(text, strlen(text), &id));
    return id;
}

static inline void
setup(void)
{
    a = arena_new();
    wire_start();
    setenv("DATABASE_URL", "dbname=none", 1);
    setenv("TOKEN_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("DATA_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("STRIPE_SECRET_KEY", KEY, 1);
    setenv("STRIPE_WEBHOOK_SECRETS", "whsec_test", 1);
    setenv("STRIPE_API_BASE", arena_printf(a, "http://127.0.0.1:%d", wire_port), 1);
    setenv("PROVIDER_TIMEOUT", "5s", 1);
    setenv("PROVIDER_RETRY_PAUSE", "1ms", 1);
    ck_assert(config_load(NULL, stderr));
    ctx = (struct ctx){.arena = a, .trace_id = "", .now_ms = clock_ms()};
    ctx.http = http_out_new("soko-test/1");
    ck_assert_ptr_nonnull(ctx.http);
    log_set_level(LOG_DEBUG);
    log_capture();
}

static inline void
teardown(void)
{
    wire_stop();
    http_out_free(ctx.http);
    arena_free(a);
}

/* ---- calls ---- */

static inline enum heard
create_of(int64_t amount, const char *currency)
{
    const struct stripe_intent_in in = {.attempt = id_of(ATTEMPT),
                                        .order = id_of(ORDER),
                                        .order_number = "AB12CD34",
                                        .amount = amount,
                                        .currency = currency};

    ctx.now_ms = clock_ms();
    return stripe_create_intent(&ctx, &in, &intent, &why);
}

static inline enum heard
create(void)
{
    return create_of(1099, "KES");
}

static inline enum heard
get(void)
{
    ctx.now_ms = clock_ms();
    return stripe_get_intent(&ctx, "pi_3Abc", &intent, &why);
}

static inline enum heard
cancel(void)
{
    ctx.now_ms = clock_ms();
    return stripe_cancel_intent(&ctx, "pi_3Abc", &intent, &why);
}

static inline enum heard
pay_back(void)
{
    const struct stripe_refund_in in = {.refund = id_of(ATTEMPT),
                                        .attempt = 2,
                                        .intent = "pi_3Abc",
                                        .amount = 500,
                                        .currency = "KES"};

    ctx.now_ms = clock_ms();
    return stripe_refund(&ctx, &in, &refund, &why);
}

static inline enum heard
get_back(void)
{
    ctx.now_ms = clock_ms();
    return stripe_get_refund(&ctx, "re_1", &refund, &why);
}

#define ADD_TABLE(test, table)                                                                     \
    tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

#endif
