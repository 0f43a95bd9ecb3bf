/*
 * nginx serves the certificate, and it alone reads it at a start; here it is only looked at, so
 * that what is wrong with it is told before a restart or a day in spring finds out.
 */
#include "io/cert.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SUBJECT_SIZE 256

static int64_t
time_ms(const ASN1_TIME *t)
{
    struct tm tm = {0};

    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) * 1000 : 0;
}

/* Whoever protects his key by a passphrase is not asked for it. */
static int
no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static void
look_at_key(X509 *x, const char *key_file, struct cert *out)
{
    FILE *in = fopen(key_file, "re");
    EVP_PKEY *key = in != NULL ? PEM_read_PrivateKey(in, NULL, no_passphrase, NULL) : NULL;

    out->key = CERT_KEY_UNREADABLE;
    if (key != NULL)
        out->key = X509_check_private_key(x, key) == 1 ? CERT_KEY_FITS : CERT_KEY_OTHER;
    EVP_PKEY_free(key);
    if (in != NULL)
        fclose(in);
}

const char *
cert_look(struct arena *a, const char *file, const char *key_file, const char *host,
          struct cert *out)
{
    FILE *in = fopen(file, "re");
    char subject[SUBJECT_SIZE] = "";

    *out = (struct cert){.subject = ""};
    if (in == NULL)
        return strerror(errno);
    X509 *x = PEM_read_X509(in, NULL, no_passphrase, NULL);
    fclose(in);
    if (x == NULL) {
        ERR_clear_error();
        return "holds no certificate in PEM";
    }
    X509_NAME_oneline(X509_get_subject_name(x), subject, sizeof(subject));
    out->subject = arena_strdup(a, subject);
    out->began_ms = time_ms(X509_get0_notBefore(x));
    out->ends_ms = time_ms(X509_get0_notAfter(x));
    out->is_for_host = host == NULL || host[0] == '\0' || X509_check_host(x, host, 0, 0, NULL) == 1;
    if (!out->is_for_host)
        out->is_for_host = X509_check_ip_asc(x, host, 0) == 1;
    out->is_self_signed = X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) == 0;
    look_at_key(x, key_file, out);
    X509_free(x);
    ERR_clear_error();
    return NULL;
}
