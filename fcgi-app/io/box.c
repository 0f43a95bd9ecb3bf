/*
 * A sealed value is a version, a random nonce of 96 bits (NIST SP 800-38D, 8.2.2), the ciphertext
 * and a tag of 128 bits. The key of a purpose is HMAC-SHA-256 of its name by the shop's: one key to
 * keep, and none that is used for two things.
 */
#include "io/box.h"

#include "base/log.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1
#define NONCE_SIZE 12
#define TAG_SIZE 16
#define HEAD_SIZE (1 + NONCE_SIZE)

static void
die(const char *what)
{
    log_event(LOG_ERROR, EVENT("box.failed"), TEXT("error.message", what));
    abort();
}

void
box_key(const char *key, const char *purpose, uint8_t out[SHA256_SIZE])
{
    const struct secret_piece pieces[] = {{"box", sizeof("box")}, {purpose, strlen(purpose)}};

    secret_hmac_sha256(key, strlen(key), pieces, 2, out);
}

struct box_bytes
box_seal(struct arena *a, const char *key, const char *purpose, const char *owner, const void *data,
         size_t len)
{
    uint8_t derived[SHA256_SIZE];
    uint8_t *out = arena_alloc(a, HEAD_SIZE + len + TAG_SIZE);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0, rest = 0;

    box_key(key, purpose, derived);
    out[0] = VERSION;
    if (c == NULL || RAND_bytes(out + 1, NONCE_SIZE) != 1 ||
        EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, derived, out + 1) != 1 ||
        EVP_EncryptUpdate(c, NULL, &n, (const uint8_t *)owner, (int)strlen(owner)) != 1 ||
        EVP_EncryptUpdate(c, out + HEAD_SIZE, &n, data, (int)len) != 1 ||
        EVP_EncryptFinal_ex(c, out + HEAD_SIZE + n, &rest) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, out + HEAD_SIZE + len) != 1)
        die("OpenSSL cannot encrypt");
    EVP_CIPHER_CTX_free(c);
    return (struct box_bytes){out, HEAD_SIZE + len + TAG_SIZE};
}

struct box_bytes
box_open(struct arena *a, const char *key, const char *purpose, const char *owner,
         const void *sealed, size_t len)
{
    const uint8_t *in = sealed;
    uint8_t derived[SHA256_SIZE], tag[TAG_SIZE];
    int n = 0, rest = 0;

    if (in == NULL || len < HEAD_SIZE + TAG_SIZE || in[0] != VERSION)
        return (struct box_bytes){0};
    size_t text = len - HEAD_SIZE - TAG_SIZE;
    uint8_t *out = arena_alloc(a, text + 1);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    if (c == NULL)
        die("out of memory");
    box_key(key, purpose, derived);
    memcpy(tag, in + HEAD_SIZE + text, TAG_SIZE);
    bool good = EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, derived, in + 1) == 1 &&
                EVP_DecryptUpdate(c, NULL, &n, (const uint8_t *)owner, (int)strlen(owner)) == 1 &&
                EVP_DecryptUpdate(c, out, &n, in + HEAD_SIZE, (int)text) == 1 &&
                EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) == 1 &&
                EVP_DecryptFinal_ex(c, out + n, &rest) == 1;
    EVP_CIPHER_CTX_free(c);
    out[text] = '\0';
    return good ? (struct box_bytes){out, text} : (struct box_bytes){0};
}
