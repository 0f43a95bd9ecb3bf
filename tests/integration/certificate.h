/*
 * tests/integration/certificate: a key and its certificate, made here, that nobody vouches for.
 */
#ifndef SOKO_TESTS_INTEGRATION_CERTIFICATE_H
#define SOKO_TESTS_INTEGRATION_CERTIFICATE_H

#include "harness.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>

/* Signed by the key itself. */
static inline X509 *
certificate_of(EVP_PKEY *pair)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);

    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, pair);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
                               0);
    X509_set_issuer_name(x, name);
    ck_assert_int_gt(X509_sign(x, pair, EVP_sha256()), 0);
    return x;
}

/* A certificate for `pair` in a file whose name is written to `path`. */
static inline void
certificate_write(EVP_PKEY *pair, char path[32])
{
    X509 *x = certificate_of(pair);

    snprintf(path, 32, "/tmp/soko-test-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    FILE *f = fdopen(fd, "w");
    ck_assert_int_eq(PEM_write_X509(f, x), 1);
    ck_assert_int_eq(fclose(f), 0);
    X509_free(x);
}

/* What was encrypted for `pair`, from base64; its length, or -1. `out` is NUL-terminated. */
static inline long
certificate_decrypt(EVP_PKEY *pair, const char *base64, char *out, size_t size)
{
    unsigned char raw[1024], plain[1024];
    size_t chars = strlen(base64), len = sizeof plain;
    EVP_PKEY_CTX *pkey = EVP_PKEY_CTX_new(pair, NULL);

    ck_assert_uint_lt(chars / 4 * 3, sizeof raw);
    int n = EVP_DecodeBlock(raw, (const unsigned char *)base64, (int)chars);
    for (size_t i = chars; n > 0 && i > 0 && base64[i - 1] == '='; i--)
        n--;
    ck_assert_int_gt(EVP_PKEY_decrypt_init(pkey), 0);
    ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PADDING), 0);
    bool good = n > 0 && EVP_PKEY_decrypt(pkey, plain, &len, raw, (size_t)n) > 0 && len < size;
    EVP_PKEY_CTX_free(pkey);
    if (!good)
        return -1;
    memcpy(out, plain, len);
    out[len] = '\0';
    return (long)len;
}

/* A TLS server's side with a certificate of its own. */
static inline SSL_CTX *
certificate_server(void)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *x = certificate_of(pair);
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

    ck_assert_int_eq(SSL_CTX_use_certificate(tls, x), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(tls, pair), 1);
    X509_free(x);
    EVP_PKEY_free(pair);
    return tls;
}

#endif
