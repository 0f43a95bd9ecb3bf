/* What the outside parties' settings must look like, and which belong together. */
#include "providers/settings.h"

#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define WHSEC "whsec_0123456789abcdef"

static char faults[8192], certificate[] = "/tmp/soko-certificate-XXXXXX";

static void
setup(void)
{
    static char *none[] = {NULL};

    environ = none;
    int fd = mkstemp(certificate);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "x", 1), 1);
    close(fd);
    setenv("DATABASE_URL", "dbname=soko", 1);
    setenv("TOKEN_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("DATA_KEY", "0123456789abcdef0123456789abcdef", 1);
    config_check_all_by(settings_check);
}

static void
teardown(void)
{
    unlink(certificate);
}

static bool
load(void)
{
    memset(faults, 0, sizeof faults);
    FILE *err = fmemopen(faults, sizeof faults - 1, "w");
    ck_assert_ptr_nonnull(err);
    bool ok = config_load(NULL, err);
    fclose(err);
    ck_assert_msg(ok == (faults[0] == '\0'), "%s", faults);
    return ok;
}

/* Everything that a shop may have. */
static void
set_all(void)
{
    setenv("PUBLIC_URL", "https://shop.example.com", 1);
    setenv("STRIPE_SECRET_KEY", "sk_test_abc", 1);
    setenv("STRIPE_WEBHOOK_SECRETS", WHSEC "," WHSEC "0", 1);
    setenv("DARAJA_CONSUMER_KEY", "key", 1);
    setenv("DARAJA_CONSUMER_SECRET", "secret", 1);
    setenv("DARAJA_SHORTCODE", "174379", 1);
    setenv("DARAJA_TILL", "5551234", 1);
    setenv("DARAJA_PASSKEY", "passkey", 1);
    setenv("DARAJA_INITIATOR", "testapi", 1);
    setenv("DARAJA_INITIATOR_PASSWORD", "password", 1);
    setenv("DARAJA_CERTIFICATE", certificate, 1);
    setenv("DARAJA_C2B_TOKEN", HEX64, 1);
    setenv("AT_USERNAME", "sandbox", 1);
    setenv("AT_API_KEY", "atsk", 1);
    setenv("AT_REPORT_TOKEN", HEX64, 1);
    setenv("SMTP_URL", "smtps://shop@mail.example.com:465", 1);
    setenv("SMTP_PASSWORD", "password", 1);
    setenv("MAIL_FROM", "shop@example.com", 1);
}

START_TEST(test_none_and_all)
{
    ck_assert_msg(load(), "%s", faults);
    set_all();
    ck_assert_msg(load(), "%s", faults);
}
END_TEST

/* Each one alone, or missing where the others are: what is told, or NULL. */
static const struct {
    const char *name, *missing, *alone;
} pairs[] = {
    {"STRIPE_SECRET_KEY", "STRIPE_SECRET_KEY: is needed with STRIPE_WEBHOOK_SECRETS\n",
     "STRIPE_WEBHOOK_SECRETS: is needed with STRIPE_SECRET_KEY\n"},
    {"STRIPE_WEBHOOK_SECRETS", "STRIPE_WEBHOOK_SECRETS: is needed with STRIPE_SECRET_KEY\n",
     "STRIPE_SECRET_KEY: is needed with STRIPE_WEBHOOK_SECRETS\n"},
    {"DARAJA_CONSUMER_KEY",
     "DARAJA_CONSUMER_KEY: is needed with DARAJA_CONSUMER_SECRET\n"
     "DARAJA_CONSUMER_KEY: is needed with DARAJA_SHORTCODE\n"
     "DARAJA_CONSUMER_KEY: is needed with DARAJA_TILL\n"
     "DARAJA_CONSUMER_KEY: is needed with DARAJA_PASSKEY\n"
     "DARAJA_CONSUMER_KEY: is needed with DARAJA_INITIATOR\n"
     "DARAJA_CONSUMER_KEY: is needed with DARAJA_C2B_TOKEN\n",
     "DARAJA_CONSUMER_SECRET: is needed with DARAJA_CONSUMER_KEY\n"
     "DARAJA_SHORTCODE: is needed with DARAJA_CONSUMER_KEY\n"
     "DARAJA_PASSKEY: is needed with DARAJA_CONSUMER_KEY\n"
     "PUBLIC_URL: is needed with DARAJA_CONSUMER_KEY\n"},
    {"DARAJA_CONSUMER_SECRET", "DARAJA_CONSUMER_SECRET: is needed with DARAJA_CONSUMER_KEY\n",
     "DARAJA_CONSUMER_KEY: is needed with DARAJA_CONSUMER_SECRET\n"},
    {"DARAJA_SHORTCODE", "DARAJA_SHORTCODE: is needed with DARAJA_CONSUMER_KEY\n",
     "DARAJA_CONSUMER_KEY: is needed with DARAJA_SHORTCODE\n"},
    {"DARAJA_TILL", "", "DARAJA_CONSUMER_KEY: is needed with DARAJA_TILL\n"},
    {"DARAJA_PASSKEY", "DARAJA_PASSKEY: is needed with DARAJA_CONSUMER_KEY\n",
     "DARAJA_CONSUMER_KEY: is needed with DARAJA_PASSKEY\n"},
    {"PUBLIC_URL", "PUBLIC_URL: is needed with DARAJA_CONSUMER_KEY\n", ""},
    {"DARAJA_INITIATOR",
     "DARAJA_INITIATOR: is needed with DARAJA_INITIATOR_PASSWORD\n"
     "DARAJA_INITIATOR: is needed with DARAJA_CERTIFICATE\n",
     "DARAJA_CONSUMER_KEY: is needed with DARAJA_INITIATOR\n"
     "DARAJA_INITIATOR_PASSWORD: is needed with DARAJA_INITIATOR\n"
     "DARAJA_CERTIFICATE: is needed with DARAJA_INITIATOR\n"},
    {"DARAJA_INITIATOR_PASSWORD", "DARAJA_INITIATOR_PASSWORD: is needed with DARAJA_INITIATOR\n",
     "DARAJA_INITIATOR: is needed with DARAJA_INITIATOR_PASSWORD\n"},
    {"DARAJA_CERTIFICATE", "DARAJA_CERTIFICATE: is needed with DARAJA_INITIATOR\n",
     "DARAJA_INITIATOR: is needed with DARAJA_CERTIFICATE\n"},
    {"DARAJA_C2B_TOKEN", "", "DARAJA_CONSUMER_KEY: is needed with DARAJA_C2B_TOKEN\n"},
    {"AT_USERNAME", "AT_USERNAME: is needed with AT_API_KEY\n", ""},
    {"AT_API_KEY", "AT_API_KEY: is needed with AT_REPORT_TOKEN\n",
     "AT_USERNAME: is needed with AT_API_KEY\n"},
    {"AT_REPORT_TOKEN", "", "AT_API_KEY: is needed with AT_REPORT_TOKEN\n"},
    {"SMTP_URL", "SMTP_URL: is needed with SMTP_PASSWORD\nSMTP_URL: is needed with MAIL_FROM\n",
     "MAIL_FROM: is needed with SMTP_URL\n"},
    {"SMTP_PASSWORD", "", "SMTP_URL: is needed with SMTP_PASSWORD\n"},
    {"MAIL_FROM", "MAIL_FROM: is needed with SMTP_URL\n", "SMTP_URL: is needed with MAIL_FROM\n"},
};

START_TEST(test_missing)
{
    set_all();
    unsetenv(pairs[_i].name);
    load();
    ck_assert_str_eq(faults, pairs[_i].missing);
    /* An empty one is a missing one. */
    setenv(pairs[_i].name, "", 1);
    load();
    ck_assert_str_eq(faults, pairs[_i].missing);
}
END_TEST

START_TEST(test_alone)
{
    set_all();
    const char *now = getenv(pairs[_i].name);
    ck_assert_ptr_nonnull(now);
    char *value = strdup(now);
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        unsetenv(pairs[i].name);
    setenv(pairs[_i].name, value, 1);
    free(value);
    load();
    ck_assert_str_eq(faults, pairs[_i].alone);
}
END_TEST

#define URL_FAULT "must be https://host (plain http reaches this host only)"
#define END_FAULT "must have no user, query or fragment, and no / at its end"
#define ENDPOINT_FAULT "must be https://host/path (plain http reaches this host only)"
#define USER_FAULT "must have no user and no fragment"
#define SCOPE_FAULT "must be words with one blank between"
#define KEY_FAULT "must be a secret key of Stripe: sk_live_..., sk_test_..., or restricted, rk_..."
#define WHSEC_FAULT "must be whsec_..., or several of them with commas and nothing else between"
#define TOKEN_FAULT "must be 64 hexadecimal digits in lower case, by openssl rand -hex 32"
#define DIGITS_FAULT "must be five digits or more"
#define ADDRESSES_FAULT "must be addresses with commas and nothing else between"

static const struct {
    const char *name, *value, *fault; /* NULL: it will do */
} values[] = {
    {"STRIPE_API_BASE", "https://api.stripe.com", NULL},
    {"STRIPE_API_BASE", "http://127.0.0.1:12111", NULL},
    {"STRIPE_API_BASE", "http://localhost:12111", NULL},
    {"STRIPE_API_BASE", "http://[::1]:12111", NULL},
    {"STRIPE_API_BASE", "https://proxy.example.com/stripe", NULL},
    {"STRIPE_API_BASE", "http://api.stripe.com", URL_FAULT},
    {"STRIPE_API_BASE", "http://127.0.0.1.evil.example", URL_FAULT},
    {"STRIPE_API_BASE", "ftp://api.stripe.com", URL_FAULT},
    {"STRIPE_API_BASE", "api.stripe.com", URL_FAULT},
    {"STRIPE_API_BASE", "https://", URL_FAULT},
    {"STRIPE_API_BASE", "https://api.stripe.com/", END_FAULT},
    {"STRIPE_API_BASE", "https://user@api.stripe.com", END_FAULT},
    {"STRIPE_API_BASE", "https://api.stripe.com?a=b", END_FAULT},
    {"STRIPE_API_BASE", "https://api.stripe.com#a", END_FAULT},
    {"DARAJA_BASE_URL", "http://sandbox.safaricom.co.ke", URL_FAULT},
    {"AT_BASE_URL", "http://api.africastalking.com", URL_FAULT},
    {"PUBLIC_URL", "http://shop.example.com", URL_FAULT},
    {"PUBLIC_URL", "https://shop.example.com/", END_FAULT},
    {"PUBLIC_URL", "shop.example.com", URL_FAULT},
    {"PUBLIC_URL", "https://mpesa.example.com", "must not contain \"mpesa\": M-Pesa refuses it"},
    {"PUBLIC_URL", "https://SafariCom.example.com",
     "must not contain \"safaricom\": M-Pesa refuses it"},
    {"STRIPE_SECRET_KEY", "sk_live_51Abc", NULL},
    {"STRIPE_SECRET_KEY", "rk_test_51Abc", NULL},
    {"STRIPE_SECRET_KEY", "sk_test_", KEY_FAULT},
    {"STRIPE_SECRET_KEY", "pk_live_51Abc", KEY_FAULT},
    {"STRIPE_SECRET_KEY", "sk_test_a b", KEY_FAULT},
    {"STRIPE_SECRET_KEY", " sk_test_ab", KEY_FAULT},
    {"STRIPE_WEBHOOK_SECRETS", WHSEC, NULL},
    {"STRIPE_WEBHOOK_SECRETS", WHSEC "," WHSEC "," WHSEC, NULL},
    {"STRIPE_WEBHOOK_SECRETS", "whsec_", WHSEC_FAULT},
    {"STRIPE_WEBHOOK_SECRETS", "whsec_tooshort", WHSEC_FAULT},
    {"STRIPE_WEBHOOK_SECRETS", "0123456789abcdef0123456789abcdef", WHSEC_FAULT},
    {"STRIPE_WEBHOOK_SECRETS", ",", WHSEC_FAULT},
    {"STRIPE_WEBHOOK_SECRETS", WHSEC ",", WHSEC_FAULT},
    {"STRIPE_WEBHOOK_SECRETS", "," WHSEC, WHSEC_FAULT},
    {"STRIPE_WEBHOOK_SECRETS", WHSEC ",," WHSEC, WHSEC_FAULT},
    {"STRIPE_WEBHOOK_SECRETS", WHSEC ", " WHSEC, WHSEC_FAULT},
    {"STRIPE_WEBHOOK_SECRETS", WHSEC " ", WHSEC_FAULT},
    {"DARAJA_SHORTCODE", "600000", NULL},
    {"DARAJA_SHORTCODE", "17437", NULL},
    {"DARAJA_SHORTCODE", "1743", DIGITS_FAULT},
    {"DARAJA_SHORTCODE", "17437x", DIGITS_FAULT},
    {"DARAJA_SHORTCODE", "-174379", DIGITS_FAULT},
    {"DARAJA_TILL", "till", DIGITS_FAULT},
    {"DARAJA_CERTIFICATE", "/nowhere/at/all", "cannot be read, or is empty"},
    {"DARAJA_CERTIFICATE", "/tmp", "cannot be read, or is empty"},
    {"DARAJA_CERTIFICATE", "/dev/null", "cannot be read, or is empty"},
    {"DARAJA_C2B_TOKEN", "short", TOKEN_FAULT},
    {"DARAJA_C2B_TOKEN", HEX64 "0", TOKEN_FAULT},
    {"DARAJA_C2B_TOKEN", "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF",
     TOKEN_FAULT},
    {"AT_REPORT_TOKEN", "0", TOKEN_FAULT},
    {"DARAJA_ADDRESSES", "", NULL},
    {"DARAJA_ADDRESSES", "127.0.0.1,::1", NULL},
    {"DARAJA_ADDRESSES", "196.201.214.200", NULL},
    {"DARAJA_ADDRESSES", "196.201.214.200,", ADDRESSES_FAULT},
    {"DARAJA_ADDRESSES", "196.201.214.200, 196.201.214.206", ADDRESSES_FAULT},
    {"DARAJA_ADDRESSES", "196.201.214.0/24", ADDRESSES_FAULT},
    {"DARAJA_ADDRESSES", "safaricom.co.ke", ADDRESSES_FAULT},
    {"DARAJA_ADDRESSES", "*", ADDRESSES_FAULT},
    /* Also for introspection, whose port is often one of a private network: our secret and all
     * tokens go there. */
    {"OAUTH2_TOKEN_URL", "https://as.example.com/oauth2/token", NULL},
    {"OAUTH2_INTROSPECT_URL", "http://127.0.0.1:4445/admin/oauth2/introspect", NULL},
    {"OAUTH2_INTROSPECT_URL", "https://as.example.com/o/introspect/?realm=a", NULL},
    {"OAUTH2_INTROSPECT_URL", "http://10.0.0.7:4445/admin/oauth2/introspect", ENDPOINT_FAULT},
    {"OAUTH2_INTROSPECT_URL", "http://hydra:4445/admin/oauth2/introspect", ENDPOINT_FAULT},
    {"OAUTH2_TOKEN_URL", "http://as.example.com/oauth2/token", ENDPOINT_FAULT},
    {"OAUTH2_REVOKE_URL", "as.example.com/oauth2/revoke", ENDPOINT_FAULT},
    {"OAUTH2_REVOKE_URL", "file:///etc/passwd", ENDPOINT_FAULT},
    {"OAUTH2_REVOKE_URL", "https://id:secret@as.example.com/", USER_FAULT},
    {"OAUTH2_REVOKE_URL", "https://as.example.com/#a", USER_FAULT},
    {"OAUTH2_SCOPE", "api shop:write", NULL},
    {"OAUTH2_SCOPE", " api", SCOPE_FAULT},
    {"OAUTH2_SCOPE", "api ", SCOPE_FAULT},
    {"OAUTH2_SCOPE", "a  b", SCOPE_FAULT},
    {"OAUTH2_SCOPE", "a\"b", SCOPE_FAULT},
    {"MAIL_FROM", "shop", "must be one bare address: shop@example.com"},
    {"MAIL_FROM", "@example.com", "must be one bare address: shop@example.com"},
    {"MAIL_FROM", "shop@", "must be one bare address: shop@example.com"},
    {"MAIL_FROM", "Shop <shop@example.com>", "must be one bare address: shop@example.com"},
    {"MAIL_FROM", "a@example.com,b@example.com", "must be one bare address: shop@example.com"},
};

START_TEST(test_values)
{
    char want[256] = "";

    set_all();
    setenv(values[_i].name, values[_i].value, 1);
    load();
    if (values[_i].fault != NULL)
        snprintf(want, sizeof want, "%s: %s\n", values[_i].name, values[_i].fault);
    ck_assert_msg(strcmp(faults, want) == 0, "%s=%s: got %s, want %s", values[_i].name,
                  values[_i].value, faults, want);
}
END_TEST

START_TEST(test_mail_url)
{
    set_all();
    setenv("SMTP_URL", "http://mail.example.com", 1);
    ck_assert(!load());
    ck_assert(strncmp(faults, "SMTP_URL: ", 10) == 0);
}
END_TEST

/* Whoever is empty is not there: his partner alone is refused, and never read as "no check". */
START_TEST(test_hole_13_an_empty_secret_is_none)
{
    static const char *const needed[] = {
        "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS",    "DARAJA_CONSUMER_SECRET",
        "DARAJA_PASSKEY",    "DARAJA_INITIATOR_PASSWORD", "TOKEN_KEY",
        "DATA_KEY"};
    static const char *const lists[] = {",", WHSEC ",", "," WHSEC, WHSEC ",," WHSEC, "whsec_", " "};

    for (size_t i = 0; i < COUNT_OF(needed); i++) {
        set_all();
        setenv(needed[i], "", 1);
        ck_assert_msg(!load(), "%s", needed[i]);
        ck_assert_msg(strncmp(faults, needed[i], strlen(needed[i])) == 0, "%s: %s", needed[i],
                      faults);
        setenv("TOKEN_KEY", "0123456789abcdef0123456789abcdef", 1);
        setenv("DATA_KEY", "0123456789abcdef0123456789abcdef", 1);
    }
    /* An empty one among several would be a key that everybody knows. */
    set_all();
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        setenv("STRIPE_WEBHOOK_SECRETS", lists[i], 1);
        ck_assert_msg(!load(), "\"%s\" was taken", lists[i]);
    }
}
END_TEST

static const char *const of_oauth2[] = {"OAUTH2_TOKEN_URL", "OAUTH2_INTROSPECT_URL",
                                        "OAUTH2_REVOKE_URL", "OAUTH2_CLIENT_ID",
                                        "OAUTH2_CLIENT_SECRET"};

static void
set_oauth2(void)
{
    setenv("TOKEN_ISSUER", "oauth2", 1);
    for (size_t i = 0; i < COUNT_OF(of_oauth2); i++)
        setenv(of_oauth2[i], i < 3 ? "https://as.example.com/x" : "soko", 1);
}

START_TEST(test_issuer)
{
    char want[256];

    set_oauth2();
    ck_assert_msg(load(), "%s", faults);
    snprintf(want, sizeof want, "%s: is needed with TOKEN_ISSUER=oauth2\n", of_oauth2[_i]);
    unsetenv(of_oauth2[_i]);
    ck_assert(!load());
    ck_assert_str_eq(faults, want);
    /* Whoever makes his own tokens needs none of it, and may have some. */
    setenv("TOKEN_ISSUER", "soko", 1);
    ck_assert_msg(load(), "%s", faults);
}
END_TEST

START_TEST(test_issuer_alone)
{
    setenv("TOKEN_ISSUER", "oauth2", 1);
    ck_assert(!load());
    for (size_t i = 0; i < COUNT_OF(of_oauth2); i++)
        ck_assert_ptr_nonnull(strstr(faults, of_oauth2[i]));
    setenv("TOKEN_ISSUER", "hydra", 1);
    ck_assert(!load());
    ck_assert(strncmp(faults, "TOKEN_ISSUER: ", 14) == 0);
}
END_TEST

/* All at once, each once, and none of a secret's text. */
START_TEST(test_all_at_once)
{
    set_all();
    setenv("STRIPE_SECRET_KEY", "canary", 1);
    setenv("STRIPE_WEBHOOK_SECRETS", "canary", 1);
    setenv("DARAJA_C2B_TOKEN", "canary", 1);
    setenv("DARAJA_PASSKEY", "", 1);
    setenv("PROVIDER_TIMEOUT", "10s", 1);
    setenv("PROVIDER_PAUSE", "10", 1);
    setenv("DARAJA_SHORTCODE", "12345678901", 1);
    ck_assert(!load());
    ck_assert_str_eq(faults,
                     "PROVIDER_PAUSE: needs a unit: ms, s, min, h or d, not \"10\" (environment)\n"
                     "DARAJA_SHORTCODE: must have at most 10 characters, not \"12345678901\" "
                     "(environment)\n"
                     "PROVIDER_TIMEOUT: 10s must be less than WORKER_DEADLINE, which is 10s\n"
                     "STRIPE_SECRET_KEY: " KEY_FAULT "\n"
                     "STRIPE_WEBHOOK_SECRETS: " WHSEC_FAULT "\n"
                     "DARAJA_C2B_TOKEN: " TOKEN_FAULT "\n"
                     "DARAJA_PASSKEY: is needed with DARAJA_CONSUMER_KEY\n");
    ck_assert_ptr_null(conf);
}
END_TEST

static void
fill(TCase *t)
{
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_none_and_all);
    tcase_add_loop_test(t, test_missing, 0, COUNT_OF(pairs));
    tcase_add_loop_test(t, test_alone, 0, COUNT_OF(pairs));
    tcase_add_loop_test(t, test_values, 0, COUNT_OF(values));
    tcase_add_test(t, test_mail_url);
    tcase_add_test(t, test_hole_13_an_empty_secret_is_none);
    tcase_add_loop_test(t, test_issuer, 0, COUNT_OF(of_oauth2));
    tcase_add_test(t, test_issuer_alone);
    tcase_add_test(t, test_all_at_once);
}

int
main(void)
{
    return unit_run("settings", fill);
}
