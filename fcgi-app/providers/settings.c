/*
 * Design: two tables: which setting needs which other one, and what the text of one must look like.
 * A secret that is missing is never read as "no check" (seed hole 13): a webhook without a secret
 * is refused when it comes, and here the start is refused before it can come.
 *
 * That a certificate is good is known when it is used; that its file can be read is known now.
 */
#include "providers/settings.h"

#include "io/http_out.h"
#include "io/mail_out.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define DIGITS "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define TOKEN_LEN 64
#define WEBHOOK_SECRET_LEAST 16 /* characters after whsec_ */
#define ADDRESS_SIZE 64

/* The variable and the member of one setting. */
#define OF(name, member) (name), offsetof(struct config, member)

/* clang-format off */
/* If the first is set, so must be the second. */
static const struct need {
    const char *name;
    size_t at;
    const char *needed;
    size_t needed_at;
} needs[] = {
    {OF("STRIPE_SECRET_KEY", stripe_secret_key),                 OF("STRIPE_WEBHOOK_SECRETS", stripe_webhook_secrets)},
    {OF("STRIPE_WEBHOOK_SECRETS", stripe_webhook_secrets),       OF("STRIPE_SECRET_KEY", stripe_secret_key)},
    {OF("DARAJA_CONSUMER_KEY", daraja_consumer_key),             OF("DARAJA_CONSUMER_SECRET", daraja_consumer_secret)},
    {OF("DARAJA_CONSUMER_KEY", daraja_consumer_key),             OF("DARAJA_SHORTCODE", daraja_shortcode)},
    {OF("DARAJA_CONSUMER_KEY", daraja_consumer_key),             OF("DARAJA_PASSKEY", daraja_passkey)},
    {OF("DARAJA_CONSUMER_KEY", daraja_consumer_key),             OF("PUBLIC_URL", public_url)},
    {OF("DARAJA_CONSUMER_SECRET", daraja_consumer_secret),       OF("DARAJA_CONSUMER_KEY", daraja_consumer_key)},
    {OF("DARAJA_SHORTCODE", daraja_shortcode),                   OF("DARAJA_CONSUMER_KEY", daraja_consumer_key)},
    {OF("DARAJA_TILL", daraja_till),                             OF("DARAJA_CONSUMER_KEY", daraja_consumer_key)},
    {OF("DARAJA_PASSKEY", daraja_passkey),                       OF("DARAJA_CONSUMER_KEY", daraja_consumer_key)},
    {OF("DARAJA_INITIATOR", daraja_initiator),                   OF("DARAJA_CONSUMER_KEY", daraja_consumer_key)},
    {OF("DARAJA_INITIATOR", daraja_initiator),                   OF("DARAJA_INITIATOR_PASSWORD", daraja_initiator_password)},
    {OF("DARAJA_INITIATOR", daraja_initiator),                   OF("DARAJA_CERTIFICATE", daraja_certificate)},
    {OF("DARAJA_INITIATOR_PASSWORD", daraja_initiator_password), OF("DARAJA_INITIATOR", daraja_initiator)},
    {OF("DARAJA_CERTIFICATE", daraja_certificate),               OF("DARAJA_INITIATOR", daraja_initiator)},
    {OF("DARAJA_C2B_TOKEN", daraja_c2b_token),                   OF("DARAJA_CONSUMER_KEY", daraja_consumer_key)},
    {OF("AT_API_KEY", at_api_key),                               OF("AT_USERNAME", at_username)},
    {OF("AT_REPORT_TOKEN", at_report_token),                     OF("AT_API_KEY", at_api_key)},
    {OF("SMTP_URL", smtp_url),                                   OF("MAIL_FROM", mail_from)},
    {OF("SMTP_PASSWORD", smtp_password),                         OF("SMTP_URL", smtp_url)},
    {OF("MAIL_FROM", mail_from),                                 OF("SMTP_URL", smtp_url)},
};
/* clang-format on */

static const char *
text_at(const struct config *c, size_t at)
{
    const char *s;

    memcpy(&s, (const char *)c + at, sizeof s);
    return s;
}

/* Whether `s` is `least` or more characters, all of them of `set`. */
static bool
is_made_of(const char *s, const char *set, size_t least)
{
    size_t len = strlen(s);

    return len >= least && strspn(s, set) == len;
}

/* ---- what the text of a setting must look like: NULL, or what is wrong ---- */

static const char *
key_fault(const char *s)
{
    static const char *const kinds[] = {"sk_live_", "sk_test_", "rk_live_", "rk_test_"};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t len = strlen(kinds[i]);

        if (strncmp(s, kinds[i], len) == 0 && is_made_of(s + len, LETTERS DIGITS "_", 1))
            return NULL;
    }
    return "must be a secret key of Stripe: sk_live_..., sk_test_..., or restricted, rk_...";
}

static const char *
webhook_secrets_fault(const char *s)
{
    static const char prefix[] = "whsec_";

    for (;; s++) {
        size_t len = strcspn(s, ","), least = sizeof prefix - 1 + WEBHOOK_SECRET_LEAST;

        if (len < least || strncmp(s, prefix, sizeof prefix - 1) != 0 || strcspn(s, " \t") < len)
            return "must be whsec_..., or several of them with commas and nothing else between";
        s += len;
        if (*s == '\0')
            return NULL;
    }
}

static const char *
digits_fault(const char *s)
{
    return is_made_of(s, DIGITS, 5) ? NULL : "must be five digits or more";
}

static const char *
token_fault(const char *s)
{
    return strlen(s) == TOKEN_LEN && is_made_of(s, DIGITS "abcdef", TOKEN_LEN)
               ? NULL
               : "must be 64 hexadecimal digits in lower case, by openssl rand -hex 32";
}

static const char *
addresses_fault(const char *s)
{
    unsigned char parsed[sizeof(struct in6_addr)];
    char address[ADDRESS_SIZE];

    for (;; s++) {
        size_t len = strcspn(s, ",");

        if (len >= sizeof address)
            len = sizeof address - 1;
        memcpy(address, s, len);
        address[len] = '\0';
        if (inet_pton(AF_INET, address, parsed) != 1 && inet_pton(AF_INET6, address, parsed) != 1)
            return "must be addresses with commas and nothing else between";
        s += len;
        if (*s == '\0')
            return NULL;
    }
}

static const char *
file_fault(const char *s)
{
    FILE *in = fopen(s, "re");
    bool good = in != NULL && fgetc(in) != EOF;

    if (in != NULL)
        fclose(in);
    return good ? NULL : "cannot be read, or is empty";
}

static const char *
from_fault(const char *s)
{
    const char *at = strchr(s, '@');
    bool good = at != NULL && at != s && at[1] != '\0' && strpbrk(at + 1, "@") == NULL &&
                strpbrk(s, " <>,;:\"") == NULL;

    return good ? NULL : "must be one bare address: shop@example.com";
}

/* RFC 6749, section 3.3: words with one blank between. */
static const char *
scope_fault(const char *s)
{
    bool blank = true; /* the one before, or the beginning */

    for (; *s != '\0'; s++) {
        if (*s < ' ' || *s > '~' || *s == '"' || *s == '\\' || (*s == ' ' && blank))
            break;
        blank = *s == ' ';
    }
    return *s == '\0' && !blank ? NULL : "must be words with one blank between";
}

/* clang-format off */
static const struct form {
    const char *name;
    size_t at;
    config_check *fault; /* of a text that is not empty */
} forms[] = {
    {OF("PUBLIC_URL", public_url),                         http_url_fault},
    {OF("OAUTH2_TOKEN_URL", oauth2_token_url),             http_endpoint_fault},
    {OF("OAUTH2_INTROSPECT_URL", oauth2_introspect_url),   http_endpoint_fault},
    {OF("OAUTH2_REVOKE_URL", oauth2_revoke_url),           http_endpoint_fault},
    {OF("OAUTH2_SCOPE", oauth2_scope),                     scope_fault},
    {OF("STRIPE_API_BASE", stripe_api_base),               http_url_fault},
    {OF("STRIPE_SECRET_KEY", stripe_secret_key),           key_fault},
    {OF("STRIPE_WEBHOOK_SECRETS", stripe_webhook_secrets), webhook_secrets_fault},
    {OF("DARAJA_BASE_URL", daraja_base_url),               http_url_fault},
    {OF("DARAJA_SHORTCODE", daraja_shortcode),             digits_fault},
    {OF("DARAJA_TILL", daraja_till),                       digits_fault},
    {OF("DARAJA_CERTIFICATE", daraja_certificate),         file_fault},
    {OF("DARAJA_C2B_TOKEN", daraja_c2b_token),             token_fault},
    {OF("DARAJA_ADDRESSES", daraja_addresses),             addresses_fault},
    {OF("AT_BASE_URL", at_base_url),                       http_url_fault},
    {OF("AT_REPORT_TOKEN", at_report_token),               token_fault},
    {OF("SMTP_URL", smtp_url),                             mail_url_fault},
    {OF("MAIL_FROM", mail_from),                           from_fault},
};
/* clang-format on */

/* Daraja refuses a callback's URL with one of these words in it, in any case. */
static void
check_public_url(const struct config *c, struct config_load *l)
{
    static const char *const words[] = {"mpesa", "m-pesa", "safaricom", "exe",
                                        "cmd",   "sql",    "query"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (c->daraja_consumer_key[0] != '\0' && strcasestr(c->public_url, words[i]) != NULL)
            config_fault(l, "PUBLIC_URL", "must not contain \"%s\": M-Pesa refuses it", words[i]);
    }
}

/* Introspection carries our secret and our buyers' tokens, so its address is held to the same rule
 * as the others, private network or not (OWASP ASVS 4.0.3, V9.2.2): Hydra's admin port wants TLS,
 * or to be on this host. */
static void
check_issuer(const struct config *c, struct config_load *l)
{
    static const struct {
        const char *name;
        size_t at;
    } needed[] = {
        {OF("OAUTH2_TOKEN_URL", oauth2_token_url)},
        {OF("OAUTH2_INTROSPECT_URL", oauth2_introspect_url)},
        {OF("OAUTH2_REVOKE_URL", oauth2_revoke_url)},
        {OF("OAUTH2_CLIENT_ID", oauth2_client_id)},
        {OF("OAUTH2_CLIENT_SECRET", oauth2_client_secret)},
    };

    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (strcmp(c->token_issuer, "oauth2") == 0 && *text_at(c, needed[i].at) == '\0')
            config_fault(l, needed[i].name, "is needed with TOKEN_ISSUER=oauth2");
    }
}

void
settings_check(const struct config *c, struct config_load *l)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const char *s = text_at(c, forms[i].at), *why = *s == '\0' ? NULL : forms[i].fault(s);

        if (why != NULL)
            config_fault(l, forms[i].name, "%s", why);
    }
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        if (*text_at(c, needs[i].at) != '\0' && *text_at(c, needs[i].needed_at) == '\0')
            config_fault(l, needs[i].needed, "is needed with %s", needs[i].name);
    }
    check_public_url(c, l);
    check_issuer(c, l);
}
