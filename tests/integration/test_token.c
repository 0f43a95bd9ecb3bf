/*
 * io/token: what is accepted, and above all what is not. Bad tokens are built here by hand, from
 * text and an HMAC of OpenSSL, because libjwt would not make most of them.
 */
#include "io/token.h"

#include "harness.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define KEY "0123456789abcdef0123456789abcdef"
#define OTHER_KEY "0123456789abcdef0123456789abcdeF"
#define NOW INT64_C(1771581600000)
#define SUB "01890000-0000-7000-8000-000000000001"
#define SID "01890000-0000-7000-8000-000000000002"
#define HS256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define CLAIMS(sub, sid, role, typ, iat, exp)                                                      \
    "{\"sub\":" sub ",\"sid\":" sid ",\"role\":" role ",\"typ\":" typ ",\"iat\":" iat              \
    ",\"exp\":" exp "}"
#define Q(s) "\"" s "\""
#define GOOD CLAIMS(Q(SUB), Q(SID), Q("seller"), Q("access"), "1771581600", "1771582500")

static struct arena *a;

static void
setup(void)
{
    a = arena_new();
}

static void
teardown(void)
{
    arena_free(a);
}

static char *
base64url(const void *data, size_t len)
{
    char *out = arena_alloc(a, 4 * ((len + 2) / 3) + 1);

    EVP_EncodeBlock((unsigned char *)out, data, (int)len);
    for (char *p = out; *p != '\0'; p++)
        *p = *p == '+' ? '-' : *p == '/' ? '_' : *p == '=' ? '\0' : *p;
    return out;
}

static const char *
sign(const char *header, const char *claims, const char *key, const EVP_MD *md)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    const char *text = arena_printf(a, "%s.%s", base64url(header, strlen(header)),
                                    base64url(claims, strlen(claims)));

    HMAC(md, key, (int)strlen(key), (const unsigned char *)text, strlen(text), mac, &len);
    return arena_printf(a, "%s.%s", text, base64url(mac, len));
}

static enum err
check(const char *text)
{
    struct token_claims claims;

    return token_check(a, KEY, text, NOW, &claims);
}

static struct token_claims
some_claims(void)
{
    struct token_claims c = {.role = ROLE_ADMIN, .issued_ms = NOW, .expires_ms = NOW + 900000};

    uuid_parse(SUB, 36, &c.account);
    uuid_parse(SID, 36, &c.session);
    return c;
}

START_TEST(round_trip)
{
    struct token_claims in = some_claims(), out;

    in.role = (enum role)_i;
    const char *text = token_issue(a, KEY, &in);
    ck_assert_uint_lt(strlen(text), TOKEN_MAX);
    ck_assert_int_eq(token_check(a, KEY, text, NOW, &out), OK);
    ck_assert(uuid_equal(in.account, out.account));
    ck_assert(uuid_equal(in.session, out.session));
    ck_assert_int_eq(out.role, in.role);
    ck_assert_int_eq(out.issued_ms, in.issued_ms);
    ck_assert_int_eq(out.expires_ms, in.expires_ms);
}
END_TEST

START_TEST(expiry_is_exact)
{
    struct token_claims in = some_claims(), out;
    const char *text = token_issue(a, KEY, &in);

    ck_assert_int_eq(token_check(a, KEY, text, in.expires_ms - 1, &out), OK);
    ck_assert_int_eq(token_check(a, KEY, text, in.expires_ms, &out), ERR_UNAUTHORIZED);
    ck_assert_int_eq(token_check(a, KEY, text, in.expires_ms + 1, &out), ERR_UNAUTHORIZED);
}
END_TEST

START_TEST(another_key_refuses)
{
    struct token_claims in = some_claims(), out;

    ck_assert_int_eq(token_check(a, OTHER_KEY, token_issue(a, KEY, &in), NOW, &out),
                     ERR_UNAUTHORIZED);
}
END_TEST

START_TEST(hand_made_is_accepted)
{
    ck_assert_int_eq(check(sign(HS256, GOOD, KEY, EVP_sha256())), OK);
}
END_TEST

START_TEST(each_changed_character_refuses)
{
    struct token_claims in = some_claims();
    char *text = arena_strdup(a, token_issue(a, KEY, &in));

    for (size_t i = 0; text[i] != '\0'; i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        ck_assert_msg(check(text) == ERR_UNAUTHORIZED, "character %zu", i);
        text[i] = was;
    }
    ck_assert_int_eq(check(text), OK);
}
END_TEST

START_TEST(each_cut_refuses)
{
    struct token_claims in = some_claims();
    const char *text = token_issue(a, KEY, &in);

    for (size_t i = 0; i < strlen(text); i++)
        ck_assert_msg(check(arena_strndup(a, text, i)) == ERR_UNAUTHORIZED, "length %zu", i);
    ck_assert_int_eq(check(arena_printf(a, "%sA", text)), ERR_UNAUTHORIZED);
    ck_assert_int_eq(check(arena_printf(a, "%s.", text)), ERR_UNAUTHORIZED);
    ck_assert_int_eq(check(arena_printf(a, "%s=", text)), ERR_UNAUTHORIZED);
    ck_assert_int_eq(check(arena_printf(a, " %s", text)), ERR_UNAUTHORIZED);
}
END_TEST

START_TEST(other_algorithms_refuse)
{
    ck_assert_int_eq(check(sign("{\"alg\":\"HS384\",\"typ\":\"JWT\"}", GOOD, KEY, EVP_sha384())),
                     ERR_UNAUTHORIZED);
    ck_assert_int_eq(check(sign("{\"alg\":\"HS512\",\"typ\":\"JWT\"}", GOOD, KEY, EVP_sha512())),
                     ERR_UNAUTHORIZED);
    ck_assert_int_eq(check(sign("{\"alg\":\"none\"}", GOOD, KEY, EVP_sha256())), ERR_UNAUTHORIZED);
    ck_assert_int_eq(check(sign("{\"alg\":\"RS256\"}", GOOD, KEY, EVP_sha256())), ERR_UNAUTHORIZED);
    ck_assert_int_eq(check(sign("{}", GOOD, KEY, EVP_sha256())), ERR_UNAUTHORIZED);
    const char *unsigned_text = arena_printf(a, "%s.%s.", base64url("{\"alg\":\"none\"}", 14),
                                             base64url(GOOD, strlen(GOOD)));
    ck_assert_int_eq(check(unsigned_text), ERR_UNAUTHORIZED);
}
END_TEST

static const char *const bad_claims[] = {
    "{}",
    "[]",
    "null",
    "not json",
    CLAIMS(Q(SUB), Q(SID), Q("seller"), Q("refresh"), "1771581600", "1771582500"),
    CLAIMS(Q(SUB), Q(SID), Q("seller"), "null", "1771581600", "1771582500"),
    CLAIMS(Q(SUB), Q(SID), Q("seller"), "1", "1771581600", "1771582500"),
    CLAIMS(Q(SUB), Q(SID), Q("root"), Q("access"), "1771581600", "1771582500"),
    CLAIMS(Q(SUB), Q(SID), Q("none"), Q("access"), "1771581600", "1771582500"),
    CLAIMS(Q(SUB), Q(SID), "null", Q("access"), "1771581600", "1771582500"),
    CLAIMS(Q("me"), Q(SID), Q("seller"), Q("access"), "1771581600", "1771582500"),
    CLAIMS(Q("00000000-0000-0000-0000-000000000000"), Q(SID), Q("seller"), Q("access"),
           "1771581600", "1771582500"),
    CLAIMS("7", Q(SID), Q("seller"), Q("access"), "1771581600", "1771582500"),
    CLAIMS(Q(SUB), Q(""), Q("seller"), Q("access"), "1771581600", "1771582500"),
    CLAIMS(Q(SUB), "null", Q("seller"), Q("access"), "1771581600", "1771582500"),
    CLAIMS(Q(SUB), Q(SID), Q("seller"), Q("access"), "1771581600", Q("1771582500")),
    CLAIMS(Q(SUB), Q(SID), Q("seller"), Q("access"), "1771581600", "null"),
    CLAIMS(Q(SUB), Q(SID), Q("seller"), Q("access"), "1771581600", "true"),
    CLAIMS(Q(SUB), Q(SID), Q("seller"), Q("access"), "1771581600", "1771582500.5"),
    CLAIMS(Q(SUB), Q(SID), Q("seller"), Q("access"), "1771581600", "9223372036854775807"),
    CLAIMS(Q(SUB), Q(SID), Q("seller"), Q("access"), "1771581600", "99999999999999999999"),
    CLAIMS(Q(SUB), Q(SID), Q("seller"), Q("access"), "1771581600", "-1"),
    CLAIMS(Q(SUB), Q(SID), Q("seller"), Q("access"), "1771581600", "1771581600"),
    CLAIMS(Q(SUB), Q(SID), Q("seller"), Q("access"), "null", "1771582500"),
    "{\"sub\":" Q(SUB) ",\"sid\":" Q(SID) ",\"role\":\"seller\",\"typ\":\"access\","
                                          "\"iat\":1771581600}",
};

START_TEST(signed_but_bad_claims_refuse)
{
    ck_assert_int_eq(check(sign(HS256, bad_claims[_i], KEY, EVP_sha256())), ERR_UNAUTHORIZED);
}
END_TEST

static const char *const garbage[] = {
    "",
    ".",
    "..",
    "...",
    "a.b",
    "a.b.c",
    "a.b.c.d",
    "a..c",
    ".b.c",
    "a.b.",
    "\xff.\xff.\xff",
    "a b.c.d",
    "e30.e30.e30",
    "e30=.e30.e30",
    "%00.a.b",
    "Bearer a.b.c",
};

START_TEST(garbage_refuses)
{
    ck_assert_int_eq(check(garbage[_i]), ERR_UNAUTHORIZED);
}
END_TEST

START_TEST(long_or_null_refuses)
{
    char *text = arena_alloc(a, 100001);

    memset(text, 'a', 100000);
    ck_assert_int_eq(check(text), ERR_UNAUTHORIZED);
    text[10] = text[20] = '.';
    ck_assert_int_eq(check(text), ERR_UNAUTHORIZED);
    ck_assert_int_eq(check(NULL), ERR_UNAUTHORIZED);
}
END_TEST

START_TEST(short_key_aborts)
{
    struct token_claims in = some_claims();

    log_capture();
    token_issue(a, "short", &in);
}
END_TEST

START_TEST(null_key_aborts)
{
    struct token_claims out;

    log_capture();
    token_check(a, NULL, "a.b.c", NOW, &out);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("token");
    TCase *t = tcase_create("token");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, round_trip, ROLE_BUYER, ROLE__COUNT);
    tcase_add_test(t, expiry_is_exact);
    tcase_add_test(t, another_key_refuses);
    tcase_add_test(t, hand_made_is_accepted);
    tcase_add_test(t, each_changed_character_refuses);
    tcase_add_test(t, each_cut_refuses);
    tcase_add_test(t, other_algorithms_refuse);
    tcase_add_loop_test(t, signed_but_bad_claims_refuse, 0,
                        (int)(sizeof bad_claims / sizeof bad_claims[0]));
    tcase_add_loop_test(t, garbage_refuses, 0, (int)(sizeof garbage / sizeof garbage[0]));
    tcase_add_test(t, long_or_null_refuses);
    tcase_add_test_raise_signal(t, short_key_aborts, SIGABRT);
    tcase_add_test_raise_signal(t, null_key_aborts, SIGABRT);
    suite_add_tcase(s, t);
    return run_suite(s);
}
