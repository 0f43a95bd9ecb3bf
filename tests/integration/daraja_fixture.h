/*
 * tests/integration/daraja_fixture: a configured client of Daraja, and a server that plays a
 * script.
 */
#ifndef SOKO_TESTS_INTEGRATION_DARAJA_FIXTURE_H
#define SOKO_TESTS_INTEGRATION_DARAJA_FIXTURE_H

#include "providers/daraja.h"

#include "base/config.h"
#include "providers/daraja_call.h"
#include "wire_server.h"

/* 2035-12-31 21:15:07 UTC, which in Nairobi is next year. Later than now, so that the budget of
 * time, which begins here, is whole. */
#define NOW INT64_C(2082748507000)
#define NAIROBI "20360101001507"
#define PASSKEY "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
/* "174379" PASSKEY NAIROBI */
#define PASSWORD                                                                                   \
    "MTc0Mzc5YmZiMjc5ZjlhYTliZGJjZjE1OGU5N2RkNzFhNDY3Y2QyZTBjODkzMDU5YjEwZjc4ZTZiNzJhZGExZWQyYzkx" \
    "OTIwMzYwMTAxMDAxNTA3"
#define CALLBACK "https://shop.example/webhooks/stk/0123abcd"
#define RESULT "https://shop.example/webhooks/result/0123abcd"
#define TIMEOUT "https://shop.example/webhooks/timeout/0123abcd"
#define PUSHED                                                                                     \
    "{\"MerchantRequestID\":\"2654-4b64\",\"CheckoutRequestID\":\"ws_CO_1007\","                   \
    "\"ResponseCode\":\"0\",\"ResponseDescription\":\"Success\",\"CustomerMessage\":\"Success\"}"
#define ERROR(code, message)                                                                       \
    "{\"requestId\":\"1c5b\",\"errorCode\":\"" code "\",\"errorMessage\":\"" message "\"}"
#define SENT                                                                                       \
    "{\"ConversationID\":\"AG_1\",\"OriginatorConversationID\":\"x\",\"ResponseCode\":\"0\"}"
#define COUNT(table) ((int)(sizeof(table) / sizeof(table)[0]))

static struct arena *a;
static struct ctx ctx;
static struct refusal why;

/* ---- tokens ---- */

static int asked;
static const char *last_refused;
static bool none_left;

static inline const char *
token(struct ctx *c, const char *refused)
{
    (void)c;
    last_refused = refused;
    asked++;
    if (none_left)
        return NULL;
    return refused == NULL ? "tok-1" : "tok-2";
}

static const struct daraja_auth auth = {token};

static inline void
configure(const char *name, const char *value)
{
    setenv(name, value, 1);
    ck_assert(config_load(NULL, stderr));
}

static inline void
setup(void)
{
    wire_start();
    a = arena_new();
    setenv("DATABASE_URL", "dbname=none", 1);
    setenv("TOKEN_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("DATA_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("PUBLIC_URL", "https://shop.example", 1);
    setenv("DARAJA_BASE_URL", arena_printf(a, "http://127.0.0.1:%d", wire_port), 1);
    setenv("DARAJA_CONSUMER_KEY", "our-key", 1);
    setenv("DARAJA_CONSUMER_SECRET", "our-secret", 1);
    setenv("DARAJA_SHORTCODE", "174379", 1);
    setenv("DARAJA_PASSKEY", PASSKEY, 1);
    setenv("DARAJA_INITIATOR", "testapi", 1);
    setenv("DARAJA_INITIATOR_PASSWORD", "Safaricom999!*!", 1);
    configure("PROVIDER_TIMEOUT", "2s");
    ctx = (struct ctx){.arena = a, .trace_id = "", .now_ms = NOW};
    ctx.http = http_out_new("soko-test/1");
    ck_assert_ptr_nonnull(ctx.http);
    log_set_level(LOG_ERROR); /* failed calls are what this is about */
}

static inline void
teardown(void)
{
    wire_stop();
    http_out_free(ctx.http);
    arena_free(a);
}

/* The n-th request, byte for byte. */
static inline void
posted(int n, const char *path, const char *bearer, const char *body)
{
    ck_assert_int_gt(atomic_load(&wire->requests), n);
    ck_assert_str_eq(wire->request[n],
                     arena_printf(a,
                                  "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                                  "User-Agent: soko-test/1\r\nAuthorization: Bearer %s\r\n"
                                  "Content-Type: application/json\r\nAccept: application/json\r\n"
                                  "Content-Length: %zu\r\n\r\n%s",
                                  path, wire_port, bearer, strlen(body), body));
}

/* An answer, and what it is taken for. */
struct outcome {
    int status;
    const char *body;
    enum heard heard;
    const char *code;
};

static struct daraja_push pushed;

/* A shilling for the order ORD000042. */
static inline enum heard
push(void)
{
    const struct daraja_push_in in = {
        .phone = "+254722000000", .amount = 100, .callback = CALLBACK, .reference = "ORD000042"};

    return daraja_push(&ctx, &auth, &in, &pushed, &why);
}

#endif
