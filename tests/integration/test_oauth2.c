/*
 * providers/oauth2 against a server that plays a script: the requests byte for byte, and what each
 * answer is taken for. What is hostile or half an answer opens nothing.
 */
#include "providers/oauth2.h"

#include "base/config.h"
#include "wire_server.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof(table)[0]))
#define TOKEN "ory_at_abc.def-1~2+3/4=="
#define GIVEN(members) "{\"access_token\":\"" TOKEN "\"," members "}"
#define GOOD GIVEN("\"expires_in\":3599,\"scope\":\"api\",\"token_type\":\"bearer\"")
#define ACTIVE(members) "{\"active\":true,\"scope\":\"api\"" members "}"
#define LONG_AGO "1000000000"
#define FAR_OFF "4000000000"

static struct arena *a;
static struct ctx ctx;
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
    setenv("OAUTH2_TOKEN_URL", arena_printf(a, "http://127.0.0.1:%d/oauth2/token", wire_port), 1);
    setenv("OAUTH2_INTROSPECT_URL",
           arena_printf(a, "http://127.0.0.1:%d/admin/oauth2/introspect", wire_port), 1);
    setenv("OAUTH2_REVOKE_URL", arena_printf(a, "http://127.0.0.1:%d/o/revoke/?x=1", wire_port), 1);
    setenv("OAUTH2_CLIENT_ID", "soko & co", 1);
    setenv("OAUTH2_CLIENT_SECRET", "se:cr%et+/", 1);
    setenv("PROVIDER_FAILURES", "1000", 1);
    configure("OAUTH2_TIMEOUT", "2s");
    ctx = (struct ctx){.arena = a, .trace_id = "", .now_ms = clock_ms()};
    ctx.http = http_out_new("soko-test/1");
    ck_assert_ptr_nonnull(ctx.http);
    log_set_level(LOG_DEBUG);
    log_capture();
}

static void
teardown(void)
{
    wire_stop();
    http_out_free(ctx.http);
    arena_free(a);
}

/* Both parts of Basic are encoded as in a form: "soko%20%26%20co:se%3Acr%25et%2B%2F". */
static void
posted(const char *path, const char *form)
{
    ck_assert_int_eq(atomic_load(&wire->requests), 1);
    ck_assert_str_eq(wire->request[0],
                     arena_printf(a,
                                  "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                                  "User-Agent: soko-test/1\r\nAuthorization: Basic "
                                  "c29rbyUyMCUyNiUyMGNvOnNlJTNBY3IlMjVldCUyQiUyRg==\r\n"
                                  "Accept: application/json\r\n"
                                  "Content-Type: application/x-www-form-urlencoded\r\n"
                                  "Content-Length: %zu\r\n\r\n%s",
                                  path, wire_port, strlen(form), form));
}

/* ---- a token is given ---- */

START_TEST(what_is_asked_for)
{
    struct oauth2_token got;
    int64_t before = clock_ms();

    wire_replies(0, 200, "", GOOD);
    ck_assert_int_eq(oauth2_obtain(&ctx, &got, &why), HEARD_DONE);
    ck_assert_str_eq(got.token, TOKEN);
    ck_assert_int_ge(got.expires_ms, before + 3599000);
    ck_assert_int_le(got.expires_ms, clock_ms() + 3599000);
    posted("/oauth2/token", "grant_type=client_credentials&scope=api");
}
END_TEST

START_TEST(an_audience_is_asked_for_if_there_is_one)
{
    struct oauth2_token got;

    setenv("OAUTH2_SCOPE", "api shop:write", 1);
    configure("OAUTH2_AUDIENCE", "https://shop.example.com/");
    wire_replies(
        0, 200, "",
        GIVEN("\"expires_in\":1,\"scope\":\"shop:write x api\",\"token_type\":\"Bearer\""));
    ck_assert_int_eq(oauth2_obtain(&ctx, &got, &why), HEARD_DONE);
    posted("/oauth2/token", "grant_type=client_credentials&scope=api%20shop%3Awrite"
                            "&audience=https%3A%2F%2Fshop.example.com%2F");
}
END_TEST

static const struct {
    int status;
    const char *body;
    enum heard heard;
    bool is_token; /* to hand out, or to be revoked */
} given[] = {
    {200, GOOD, HEARD_DONE, true},
    {201, GOOD, HEARD_DONE, true},
    {200, GIVEN("\"expires_in\":\"3599\",\"token_type\":\"BeArEr\""), HEARD_DONE, true},
    {200, GIVEN("\"expires_in\":1,\"token_type\":\"bearer\",\"scope\":null,\"x\":[{}]"), HEARD_DONE,
     true},
    /* Not as ordered. */
    {200, GIVEN("\"expires_in\":3599,\"scope\":\"other\",\"token_type\":\"bearer\""), HEARD_NOTHING,
     true},
    {200, GIVEN("\"expires_in\":3599,\"scope\":\"apis ap\",\"token_type\":\"bearer\""),
     HEARD_NOTHING, true},
    {200, GIVEN("\"expires_in\":3599,\"scope\":\"\",\"token_type\":\"bearer\""), HEARD_NOTHING,
     true},
    {200, GIVEN("\"expires_in\":3599,\"scope\":[\"api\"],\"token_type\":\"bearer\""), HEARD_NOTHING,
     true},
    {200, GIVEN("\"expires_in\":3599,\"token_type\":\"mac\""), HEARD_NOTHING, true},
    {200, GIVEN("\"expires_in\":3599"), HEARD_NOTHING, true},
    {200, GIVEN("\"token_type\":\"bearer\""), HEARD_NOTHING, true},
    {200, GIVEN("\"expires_in\":0,\"token_type\":\"bearer\""), HEARD_NOTHING, true},
    {200, GIVEN("\"expires_in\":-5,\"token_type\":\"bearer\""), HEARD_NOTHING, true},
    {200, GIVEN("\"expires_in\":1.5,\"token_type\":\"bearer\""), HEARD_NOTHING, true},
    {200, GIVEN("\"expires_in\":1e3,\"token_type\":\"bearer\""), HEARD_NOTHING, true},
    {200, GIVEN("\"expires_in\":true,\"token_type\":\"bearer\""), HEARD_NOTHING, true},
    {200, GIVEN("\"expires_in\":\"soon\",\"token_type\":\"bearer\""), HEARD_NOTHING, true},
    {200, GIVEN("\"expires_in\":100000000001,\"token_type\":\"bearer\""), HEARD_NOTHING, true},
    {200, GIVEN("\"expires_in\":99999999999999999999,\"token_type\":\"bearer\""), HEARD_NOTHING,
     false},
    /* No token that fits into a header. */
    {200, "{\"expires_in\":1,\"token_type\":\"bearer\"}", HEARD_NOTHING, false},
    {200, "{\"access_token\":\"\",\"expires_in\":1,\"token_type\":\"bearer\"}", HEARD_NOTHING,
     false},
    {200, "{\"access_token\":7,\"expires_in\":1,\"token_type\":\"bearer\"}", HEARD_NOTHING, false},
    {200, "{\"access_token\":\"a b\",\"expires_in\":1,\"token_type\":\"bearer\"}", HEARD_NOTHING,
     false},
    {200, "{\"access_token\":\"a\\r\\nX: y\",\"expires_in\":1,\"token_type\":\"bearer\"}",
     HEARD_NOTHING, false},
    {200, "{\"access_token\":\"\\u00e4\",\"expires_in\":1,\"token_type\":\"bearer\"}",
     HEARD_NOTHING, false},
    {200, "{\"access_token\":\"=a\",\"expires_in\":1,\"token_type\":\"bearer\"}", HEARD_NOTHING,
     false},
    {200, "[" GOOD "]", HEARD_NOTHING, false},
    {200, "\"" TOKEN "\"", HEARD_NOTHING, false},
    {200, GOOD GOOD, HEARD_NOTHING, false},
    {200,
     "{\"access_token\":\"a\",\"access_token\":\"b\",\"expires_in\":1,\"token_type\":\"bearer\"}",
     HEARD_NOTHING, false},
    {200, "", HEARD_NOTHING, false},
    {200, "<html>", HEARD_NOTHING, false},
    {204, "", HEARD_NOTHING, false},
    /* Errors. A token in one is none. */
    {400, "{\"error\":\"invalid_scope\",\"status_code\":400}", HEARD_REFUSED, false},
    {401, "{\"error\":\"invalid_client\"}", HEARD_NOT_SENT, false},
    {403, "", HEARD_NOT_SENT, false},
    {404, "<html>", HEARD_NOT_SENT, false},
    {302, GOOD, HEARD_NOT_SENT, false},
    {500, GOOD, HEARD_NOTHING, false},
    {503, "", HEARD_NOTHING, false},
    {429, GOOD, HEARD_NOTHING, false},
};

START_TEST(an_answer_is_judged)
{
    struct oauth2_token got;

    wire_replies(0, given[_i].status, "", given[_i].body);
    enum heard heard = oauth2_obtain(&ctx, &got, &why);
    ck_assert_msg(heard == given[_i].heard, "%d %s: %d", given[_i].status, given[_i].body, heard);
    ck_assert_msg((got.token != NULL) == given[_i].is_token, "%s", given[_i].body);
    ck_assert(got.token == NULL || got.expires_ms > clock_ms());
    ck_assert_int_eq(why.status, given[_i].status);
    ck_assert_int_eq(atomic_load(&wire->requests), 1);
}
END_TEST

/* What stands behind "Bearer " (RFC 6750, section 2.1). */
START_TEST(what_may_be_a_token)
{
    char longest[OAUTH2_TOKEN_MOST + 2];

    memset(longest, 'a', sizeof longest);
    longest[OAUTH2_TOKEN_MOST + 1] = '\0';
    ck_assert(!oauth2_is_token(longest));
    longest[OAUTH2_TOKEN_MOST] = '\0';
    ck_assert(oauth2_is_token(longest));
    ck_assert(oauth2_is_token(TOKEN) && oauth2_is_token("a"));
    ck_assert(!oauth2_is_token("") && !oauth2_is_token("=") && !oauth2_is_token("a=b"));
    ck_assert(!oauth2_is_token("a b") && !oauth2_is_token("a,b") && !oauth2_is_token("a\n"));
}
END_TEST

/* ---- a token is looked at ---- */

START_TEST(what_is_asked)
{
    struct oauth2_view view;

    wire_replies(0, 200, "", ACTIVE(",\"exp\":" FAR_OFF));
    ck_assert_int_eq(oauth2_introspect(&ctx, TOKEN, &view, &why), HEARD_DONE);
    ck_assert(view.is_active);
    ck_assert_int_eq(view.expires_ms, INT64_C(4000000000000));
    posted("/admin/oauth2/introspect",
           "token=ory_at_abc.def-1~2%2B3%2F4%3D%3D&token_type_hint=access_token");
}
END_TEST

/* With OAUTH2_AUDIENCE and OAUTH2_ISSUER, and without. `why` "": active. NULL: no answer. */
static const struct {
    const char *body, *lax, *strict;
} views[] = {
    {ACTIVE(",\"aud\":[\"shop\"],\"iss\":\"https://as/\""), "", ""},
    {ACTIVE(",\"aud\":\"shop\",\"iss\":\"https://as/\""), "", ""},
    {ACTIVE(",\"aud\":[1,null,{},\"x\",\"shop\"],\"iss\":\"https://as/\""), "", ""},
    {ACTIVE(",\"aud\":[\"other\"],\"iss\":\"https://as/\""), "", "it is for another audience"},
    {ACTIVE(",\"aud\":\"shop x\",\"iss\":\"https://as/\""), "", "it is for another audience"},
    {ACTIVE(",\"aud\":[],\"iss\":\"https://as/\""), "", "it is for another audience"},
    {ACTIVE(",\"aud\":{\"shop\":1},\"iss\":\"https://as/\""), "", "it is for another audience"},
    {ACTIVE(",\"iss\":\"https://as/\""), "", "it is for another audience"},
    {ACTIVE(",\"aud\":\"shop\",\"iss\":\"https://as\""), "", "another issuer made it"},
    {ACTIVE(",\"aud\":\"shop\",\"iss\":[\"https://as/\"]"), "", "another issuer made it"},
    {ACTIVE(",\"aud\":\"shop\""), "", "another issuer made it"},
#define BOUND ",\"aud\":\"shop\",\"iss\":\"https://as/\""
    {ACTIVE(BOUND ",\"exp\":" FAR_OFF ",\"nbf\":" LONG_AGO), "", ""},
    {ACTIVE(BOUND ",\"exp\":null,\"nbf\":null,\"token_use\":null"), "", ""},
    {ACTIVE(BOUND ",\"token_use\":\"access_token\",\"token_type\":\"Bearer\""), "", ""},
    {ACTIVE(BOUND ",\"client_id\":\"soko & co\""), "", ""},
    {ACTIVE(BOUND ",\"client_id\":\"soko\""), "it is another client's", "it is another client's"},
    {ACTIVE(BOUND ",\"client_id\":7"), "it is another client's", "it is another client's"},
    {ACTIVE(BOUND ",\"exp\":" LONG_AGO), "it has expired", "it has expired"},
    {ACTIVE(BOUND ",\"exp\":0"), "it has expired", "it has expired"},
    {ACTIVE(BOUND ",\"exp\":-1"), "it has expired", "it has expired"},
    {ACTIVE(BOUND ",\"exp\":\"" FAR_OFF "\""), "it has expired", "it has expired"},
    {ACTIVE(BOUND ",\"exp\":4e9"), "it has expired", "it has expired"},
    {ACTIVE(BOUND ",\"exp\":" FAR_OFF ".5"), "it has expired", "it has expired"},
    {ACTIVE(BOUND ",\"exp\":100000000001"), "it has expired", "it has expired"},
    {ACTIVE(BOUND ",\"exp\":[" FAR_OFF "]"), "it has expired", "it has expired"},
    {ACTIVE(BOUND ",\"nbf\":" FAR_OFF), "it is not good yet", "it is not good yet"},
    {ACTIVE(BOUND ",\"nbf\":\"0\""), "it is not good yet", "it is not good yet"},
    {ACTIVE(BOUND ",\"token_use\":\"refresh_token\""), "it is a refresh token",
     "it is a refresh token"},
    {ACTIVE(BOUND ",\"token_type\":\"REFRESH_TOKEN\""), "it is a refresh token",
     "it is a refresh token"},
    {"{\"active\":true" BOUND "}", "it lacks a scope", "it lacks a scope"},
    {"{\"active\":true,\"scope\":\"\"" BOUND "}", "it lacks a scope", "it lacks a scope"},
    {"{\"active\":true,\"scope\":\"apis a pi API\"" BOUND "}", "it lacks a scope",
     "it lacks a scope"},
    {"{\"active\":true,\"scope\":[\"api\"]" BOUND "}", "it lacks a scope", "it lacks a scope"},
    {"{\"active\":true,\"scope\":\"x api y\"" BOUND "}", "", ""},
    /* Not active: nothing else is looked at. */
    {"{\"active\":false}", "inactive", "inactive"},
    {"{\"active\":false,\"exp\":[]}", "inactive", "inactive"},
    /* No answer. */
    {"{\"active\":\"true\",\"scope\":\"api\"}", NULL, NULL},
    {"{\"active\":1,\"scope\":\"api\"}", NULL, NULL},
    {"{\"active\":null,\"scope\":\"api\"}", NULL, NULL},
    {"{\"active\":[true],\"scope\":\"api\"}", NULL, NULL},
    {"{\"Active\":true,\"scope\":\"api\"}", NULL, NULL},
    {"{\"active\":false,\"active\":true,\"scope\":\"api\"}", NULL, NULL},
    {"[{\"active\":true,\"scope\":\"api\"}]", NULL, NULL},
    {"true", NULL, NULL},
    {"null", NULL, NULL},
    {"", NULL, NULL},
    {"{\"active\":true,\"scope\":\"api\"", NULL, NULL},
    {"<html>", NULL, NULL},
    {ACTIVE(BOUND ",\"exp\":99999999999999999999"), NULL,
     NULL}, /* no number that json_read takes */
};

START_TEST(a_view_is_judged)
{
    const char *wanted = _i < COUNT(views) ? views[_i].lax : views[_i - COUNT(views)].strict;
    const char *body = views[_i % COUNT(views)].body;
    struct oauth2_view view;

    if (_i >= COUNT(views)) {
        setenv("OAUTH2_AUDIENCE", "shop", 1);
        configure("OAUTH2_ISSUER", "https://as/");
    }
    wire_replies(0, 200, "", body);
    enum heard heard = oauth2_introspect(&ctx, TOKEN, &view, &why);
    ck_assert_msg((heard == HEARD_DONE) == (wanted != NULL), "%s: %d", body, heard);
    ck_assert_msg(view.is_active == (wanted != NULL && *wanted == '\0'), "%s", body);
    if (wanted != NULL && *wanted != '\0' && strcmp(wanted, "inactive") != 0)
        ck_assert_str_eq(view.refused, wanted);
    else
        ck_assert_ptr_null(view.refused);
}
END_TEST

/* Our clock may be a little behind his. */
START_TEST(a_fresh_token_may_be_of_the_near_future)
{
    struct oauth2_view view;

    for (int n = 0; n < 2; n++) {
        int64_t from = clock_ms() / 1000 + (n == 0 ? 30 : 600);

        wire_replies(n, 200, "", arena_printf(a, ACTIVE(",\"nbf\":%lld"), (long long)from));
    }
    ck_assert_int_eq(oauth2_introspect(&ctx, TOKEN, &view, &why), HEARD_DONE);
    ck_assert(view.is_active);
    ck_assert_int_eq(oauth2_introspect(&ctx, TOKEN, &view, &why), HEARD_DONE);
    ck_assert(!view.is_active);
}
END_TEST

static const int statuses[] = {301, 302, 400, 401, 403, 404, 405, 408, 429, 500, 502, 503};

/* Whatever he says by them is not about the token, and opens nothing. */
START_TEST(an_error_says_nothing_about_the_token)
{
    struct oauth2_view view = {.is_active = true};
    int status = statuses[_i], fd = log_capture();

    wire_replies(0, status, "Location: http://127.0.0.1:1/\r\n", ACTIVE(""));
    ck_assert_int_ne(oauth2_introspect(&ctx, TOKEN, &view, &why), HEARD_DONE);
    ck_assert(!view.is_active);
    ck_assert_int_eq(atomic_load(&wire->requests), 1);
    const char *said = log_captured(fd);
    bool is_ours = status < 500 && status != 408 && status != 429;
    ck_assert_int_eq(strstr(said, "\"oauth2.refused\"") != NULL, is_ours);
    ck_assert_int_eq(strstr(said, "\"log.level\":\"error\"") != NULL, is_ours);
}
END_TEST

START_TEST(no_answer_is_none)
{
    struct oauth2_view view = {.is_active = true};
    struct oauth2_token token;
    static char large[WIRE_BYTES];

    configure("OAUTH2_TIMEOUT", "300ms");
    if (_i == 0)
        wire_says(0, WIRE_HANG);
    else if (_i == 1)
        wire_says(0, WIRE_HANG_UP);
    else if (_i == 2) { /* more than he sends */
        wire_says(0, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" ACTIVE(""));
    } else { /* more than we take */
        memset(large, ' ', sizeof large - 100);
        wire_says(0,
                  arena_printf(a, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n%s", large));
    }
    ck_assert_int_eq(oauth2_introspect(&ctx, TOKEN, &view, &why), HEARD_NOTHING);
    ck_assert(!view.is_active);
    configure("OAUTH2_TOKEN_URL", "http://127.0.0.1:1/");
    ctx.now_ms = clock_ms();
    ck_assert_int_eq(oauth2_obtain(&ctx, &token, &why), HEARD_NOT_SENT);
    ck_assert_ptr_null(token.token);
}
END_TEST

/* ---- a token is revoked ---- */

START_TEST(what_is_revoked)
{
    wire_replies(0, 200, "", "");
    ck_assert_int_eq(oauth2_revoke(&ctx, TOKEN, &why), HEARD_DONE);
    posted("/o/revoke/?x=1", "token=ory_at_abc.def-1~2%2B3%2F4%3D%3D&token_type_hint=access_token");
}
END_TEST

static const struct {
    int status;
    const char *body;
    enum heard heard;
} revocations[] = {
    {200, "<html>", HEARD_DONE},
    {204, "", HEARD_DONE},
    {400, "{\"error\":\"invalid_request\"}", HEARD_REFUSED},
    {400, "{\"error\":\"unsupported_token_type\"}", HEARD_REFUSED},
    {400, "{\"error\":\"invalid_client\"}", HEARD_NOT_SENT},
    {400, "", HEARD_NOT_SENT},
    {400, "{\"error\":7}", HEARD_NOT_SENT},
    {401, "{\"error\":\"invalid_client\"}", HEARD_NOT_SENT},
    {403, "", HEARD_NOT_SENT},
    {404, "", HEARD_NOT_SENT},
    {302, "", HEARD_NOT_SENT},
    {429, "", HEARD_NOTHING},
    {500, "", HEARD_NOTHING},
    {503, "{\"error\":\"invalid_request\"}", HEARD_NOTHING},
};

START_TEST(a_revocation_is_judged)
{
    wire_replies(0, revocations[_i].status, "", revocations[_i].body);
    enum heard heard = oauth2_revoke(&ctx, TOKEN, &why);
    ck_assert_msg(heard == revocations[_i].heard, "%d %s: %d", revocations[_i].status,
                  revocations[_i].body, heard);
}
END_TEST

START_TEST(nothing_secret_is_logged)
{
    static const char error[] =
        "{\"error\":\"Bearer " TOKEN "\",\"error_description\":\"of " TOKEN "\"}";
    struct oauth2_token token;
    struct oauth2_view view;
    int fd = log_capture();

    wire_replies(0, 200, "", GOOD);
    wire_replies(1, 200, "", "{\"active\":\"" TOKEN "\"}");
    wire_replies_from(2, 401, error);
    ck_assert_int_eq(oauth2_obtain(&ctx, &token, &why), HEARD_DONE);
    ck_assert_int_eq(oauth2_introspect(&ctx, TOKEN, &view, &why), HEARD_NOTHING);
    ck_assert_int_eq(oauth2_obtain(&ctx, &token, &why), HEARD_NOT_SENT);
    ck_assert_int_eq(oauth2_introspect(&ctx, TOKEN, &view, &why), HEARD_NOT_SENT);
    ck_assert_int_eq(oauth2_revoke(&ctx, TOKEN, &why), HEARD_NOT_SENT);
    const char *said = log_captured(fd);
    ck_assert_ptr_nonnull(strstr(said, "\"soko.provider\":\"oauth2\""));
    ck_assert_ptr_nonnull(strstr(said, "\"oauth2.refused\""));
    ck_assert_ptr_null(strstr(said, "ory_at"));
    ck_assert_ptr_null(strstr(said, "se:cr"));
    ck_assert_ptr_null(strstr(said, "se%3Acr"));
    ck_assert_ptr_null(strstr(said, "c29rby"));
    ck_assert_ptr_null(strstr(said, "127.0.0.1"));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("oauth2");
    TCase *t = tcase_create("oauth2");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, what_is_asked_for);
    tcase_add_test(t, an_audience_is_asked_for_if_there_is_one);
    tcase_add_loop_test(t, an_answer_is_judged, 0, COUNT(given));
    tcase_add_test(t, what_may_be_a_token);
    tcase_add_test(t, what_is_asked);
    tcase_add_loop_test(t, a_view_is_judged, 0, 2 * COUNT(views));
    tcase_add_test(t, a_fresh_token_may_be_of_the_near_future);
    tcase_add_loop_test(t, an_error_says_nothing_about_the_token, 0, COUNT(statuses));
    tcase_add_loop_test(t, no_answer_is_none, 0, 4);
    tcase_add_test(t, what_is_revoked);
    tcase_add_loop_test(t, a_revocation_is_judged, 0, COUNT(revocations));
    tcase_add_test(t, nothing_secret_is_logged);
    suite_add_tcase(s, t);
    return run_suite(s);
}
