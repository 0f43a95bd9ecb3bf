/*
 * io/secret: digests, comparisons and encryption by OpenSSL, password hashes by libcrypt.
 *
 * yescrypt for new hashes: it is memory-hard, it is what Debian itself hashes with, and libcrypt
 * writes its parameters into the hash. Which parameters belong to a cost is not repeated here:
 * password_is_old() asks libcrypt for a setting of that cost and compares the beginnings. Rejected:
 * argon2 (another library) and bcrypt (4 KiB of memory, 72 bytes of password).
 *
 * libcrypt refuses passwords of CRYPT_MAX_PASSPHRASE_SIZE bytes or more. Since a client chooses the
 * length, that must not be a failure: what is too long is replaced by its SHA-256 in hexadecimal
 * digits, on both sides. The older systems' bcrypt looked at 72 bytes only, so the check of such a
 * hash looks at no more.
 */
#include "io/secret.h"

#include "base/id.h"
#include "base/log.h"

#include <crypt.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAC_SIZE 16
#define SEALED_MAX 1024
#define TOKEN_BYTES 32
#define BCRYPT_SIGNIFICANT 72
#define BCRYPT_COST_MIN 4
#define BCRYPT_COST_MAX 14 /* a second */
#define YESCRYPT "$y$"
#define YESCRYPT_COST_MAX 9 /* a second, and 256 MiB */
#define HASH64 "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static void
die(const char *what)
{
    log_event(LOG_ERROR, EVENT("secret.failed"), TEXT("error.message", what));
    abort();
}

static void
hex(const uint8_t *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * len] = '\0';
}

static bool
begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static bool
is_bcrypt(const char *hash)
{
    return begins(hash, "$2a$") || begins(hash, "$2b$") || begins(hash, "$2y$");
}

/* The phrase that libcrypt gets for `password`, in `out`. */
static void
phrase_of(const char *password, bool bcrypt, char out[CRYPT_MAX_PASSPHRASE_SIZE])
{
    size_t len = strlen(password);

    if (bcrypt && len > BCRYPT_SIGNIFICANT)
        len = BCRYPT_SIGNIFICANT;
    if (len < CRYPT_MAX_PASSPHRASE_SIZE) {
        memcpy(out, password, len);
        out[len] = '\0';
    } else {
        uint8_t digest[SHA256_SIZE];
        secret_sha256(password, len, digest);
        hex(digest, sizeof digest, out);
        OPENSSL_cleanse(digest, sizeof digest);
    }
}

/* Runs libcrypt; `out` gets the hash. False if the setting is not understood or memory is short. */
static bool
hash_with(const char *password, const char *setting, char out[CRYPT_OUTPUT_SIZE])
{
    char phrase[CRYPT_MAX_PASSPHRASE_SIZE];
    struct crypt_data *data = calloc(1, sizeof *data); /* 32 KiB: too much for a stack frame */

    if (data == NULL)
        die("out of memory");
    phrase_of(password, begins(setting, "$2"), phrase);
    const char *hash = crypt_rn(phrase, setting, data, (int)sizeof *data);
    bool good = hash != NULL && hash[0] != '*';
    if (good) {
        size_t len = strnlen(hash, CRYPT_OUTPUT_SIZE - 1);
        memcpy(out, hash, len);
        out[len] = '\0';
    }
    OPENSSL_cleanse(phrase, sizeof phrase);
    OPENSSL_cleanse(data, sizeof *data);
    free(data);
    return good;
}

void
secret_sha256(const void *data, size_t len, uint8_t out[SHA256_SIZE])
{
    unsigned size = 0;

    if (EVP_Digest(data, len, out, &size, EVP_sha256(), NULL) != 1 || size != SHA256_SIZE)
        die("SHA-256 is not available");
}

/* HMAC by the digest of that name, which gives `size` bytes. */
static void
hmac(const char *digest, const void *key, size_t key_len, const struct secret_piece *pieces,
     size_t count, uint8_t *out, size_t size)
{
    char name[8];
    snprintf(name, sizeof name, "%s", digest);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", name, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *c = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    size_t made = 0;

    /* OpenSSL takes a NULL key for "the one before". */
    bool good =
        c != NULL && EVP_MAC_init(c, key_len == 0 ? (const void *)"" : key, key_len, params) == 1;
    for (size_t i = 0; good && i < count; i++)
        good = EVP_MAC_update(c, pieces[i].data, pieces[i].len) == 1;
    if (!good || EVP_MAC_final(c, out, &made, size) != 1 || made != size)
        die("HMAC is not available");
    EVP_MAC_CTX_free(c);
    EVP_MAC_free(mac);
}

void
secret_hmac_sha256(const void *key, size_t key_len, const struct secret_piece *pieces, size_t count,
                   uint8_t out[SHA256_SIZE])
{
    hmac("SHA256", key, key_len, pieces, count, out, SHA256_SIZE);
}

void
secret_hmac_sha1(const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t out[SHA1_SIZE])
{
    hmac("SHA1", key, key_len, &(struct secret_piece){data, len}, 1, out, SHA1_SIZE);
}

char *
secret_hex(struct arena *a, const void *data, size_t len)
{
    char *out = arena_alloc(a, 2 * len + 1);

    hex(data, len, out);
    return out;
}

static int
nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

uint8_t *
secret_unhex(struct arena *a, const char *hex, size_t *len)
{
    size_t digits = hex != NULL ? strlen(hex) : 1;

    *len = 0;
    if (digits % 2 != 0)
        return NULL;
    uint8_t *out = arena_alloc(a, digits / 2 + 1);
    for (size_t i = 0; i < digits / 2; i++) {
        int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return NULL;
        out[i] = (uint8_t)(high << 4 | low);
    }
    *len = digits / 2;
    return out;
}

/* A remainder alone would favour small numbers: what lies above the last whole multiple is drawn
 * again. */
void
secret_digits(char *out, int count)
{
    uint32_t range = 1, drawn, most;

    for (int i = 0; i < count; i++)
        range *= 10;
    most = UINT32_MAX - UINT32_MAX % range;
    do {
        if (RAND_bytes((unsigned char *)&drawn, sizeof drawn) != 1)
            die("OpenSSL gives no random bytes");
    } while (drawn >= most);
    for (int i = count - 1; i >= 0; i--, drawn /= 10)
        out[i] = (char)('0' + drawn % 10);
    out[count] = '\0';
}

char *
secret_base64(struct arena *a, const void *data, size_t len)
{
    char *out = arena_alloc(a, 4 * ((len + 2) / 3) + 1);

    EVP_EncodeBlock((unsigned char *)out, data, (int)len);
    return out;
}

/* The public key of the certificate in a file; NULL after saying why. */
static EVP_PKEY *
key_of_certificate(const char *pem_file)
{
    FILE *f = fopen(pem_file, "re");
    X509 *certificate = f == NULL ? NULL : PEM_read_X509(f, NULL, NULL, NULL);
    EVP_PKEY *key = certificate == NULL ? NULL : X509_get_pubkey(certificate);

    if (key == NULL)
        log_event(LOG_ERROR, EVENT("secret.certificate"), TEXT("file.path", pem_file),
                  TEXT("error.message", f == NULL ? strerror(errno) : "holds no certificate, PEM"));
    X509_free(certificate);
    if (f != NULL)
        fclose(f);
    return key;
}

/* RSA alone has PKCS#1 padding: to set it is to ask for the kind of key. */
static char *
encrypt_by(EVP_PKEY_CTX *ctx, struct arena *a, const void *data, size_t len)
{
    size_t size = 0;

    if (ctx == NULL || EVP_PKEY_encrypt_init(ctx) <= 0 ||
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) <= 0 ||
        EVP_PKEY_encrypt(ctx, NULL, &size, data, len) <= 0)
        return NULL;
    unsigned char *out = arena_alloc(a, size);
    return EVP_PKEY_encrypt(ctx, out, &size, data, len) <= 0 ? NULL : secret_base64(a, out, size);
}

char *
secret_rsa_encrypt(struct arena *a, const char *pem_file, const void *data, size_t len)
{
    EVP_PKEY *key = key_of_certificate(pem_file);

    if (key == NULL)
        return NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    char *out = encrypt_by(ctx, a, data, len);
    if (out == NULL)
        log_event(LOG_ERROR, EVENT("secret.certificate"), TEXT("file.path", pem_file),
                  TEXT("error.message", "its key cannot encrypt this: no RSA, or too short"));
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return out;
}

char *
secret_token(struct arena *a)
{
    uint8_t bytes[TOKEN_BYTES];
    char *out = arena_alloc(a, 4 * ((TOKEN_BYTES + 2) / 3) + 1);

    random_bytes(bytes, sizeof bytes);
    EVP_EncodeBlock((unsigned char *)out, bytes, sizeof bytes);
    OPENSSL_cleanse(bytes, sizeof bytes);
    for (char *p = out; *p != '\0'; p++) {
        if (*p == '+')
            *p = '-';
        else if (*p == '/')
            *p = '_';
        else if (*p == '=')
            *p = '\0';
    }
    return out;
}

bool
secret_equal(const void *x, const void *y, size_t len)
{
    return CRYPTO_memcmp(x, y, len) == 0;
}

char *
password_hash(struct arena *a, const char *password, int64_t cost)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE], hash[CRYPT_OUTPUT_SIZE];

    /* No random bytes given: libcrypt takes its own from the kernel. */
    if (cost < 1 || cost > 11 ||
        crypt_gensalt_rn(YESCRYPT, (unsigned long)cost, NULL, 0, setting, sizeof setting) == NULL ||
        !hash_with(password, setting, hash))
        die("libcrypt cannot hash a password");
    return arena_strdup(a, hash);
}

bool
password_check(const char *password, const char *hash)
{
    char made[CRYPT_OUTPUT_SIZE];

    if (!begins(hash, YESCRYPT) && !is_bcrypt(hash))
        return false;
    if (!hash_with(password, hash, made))
        return false;
    size_t len = strlen(made);
    return strlen(hash) == len && secret_equal(made, hash, len);
}

/* "$y$", parameters, "$": the parameters are what the cost decides. */
static void
scheme_of_cost(int64_t cost, char out[CRYPT_GENSALT_OUTPUT_SIZE])
{
    static const char salt[16] = {0};

    if (crypt_gensalt_rn(YESCRYPT, (unsigned long)cost, salt, sizeof salt, out,
                         CRYPT_GENSALT_OUTPUT_SIZE) == NULL)
        die("libcrypt makes no setting");
    char *end = strchr(out + strlen(YESCRYPT), '$');
    if (end == NULL)
        die("libcrypt makes another setting");
    end[1] = '\0';
}

bool
password_is_old(const char *hash, int64_t cost)
{
    char scheme[CRYPT_GENSALT_OUTPUT_SIZE];

    scheme_of_cost(cost, scheme);
    return !begins(hash, scheme);
}

/* Two digits of cost, 22 characters of salt and 31 of hash. The last of the salt has two bits that
 * count; libcrypt clears the others, and then finds another hash than the one that it was given. */
static const char *
bcrypt_fault(const char *hash)
{
    const char *cost = hash + strlen("$2b$"), *rest = cost + strlen("10$");

    if (strspn(cost, "0123456789") != 2 || cost[2] != '$' || strlen(rest) != 53 ||
        strspn(rest, HASH64) != 53)
        return "is cut or garbled: a bcrypt hash has 60 characters";
    int n = (cost[0] - '0') * 10 + (cost[1] - '0');
    if (n < BCRYPT_COST_MIN || n > BCRYPT_COST_MAX)
        return "has a cost beyond 4 to 14";
    if (strchr(".Oeu", rest[21]) == NULL)
        return "has a salt that no bcrypt makes";
    return NULL;
}

static const char *
yescrypt_fault(const char *hash)
{
    char scheme[CRYPT_GENSALT_OUTPUT_SIZE];

    for (int64_t cost = 1; cost <= YESCRYPT_COST_MAX; cost++) {
        scheme_of_cost(cost, scheme);
        if (!begins(hash, scheme))
            continue;
        const char *salt = hash + strlen(scheme);
        size_t len = strspn(salt, HASH64);
        bool whole = len > 0 && salt[len] == '$' && strlen(salt + len + 1) == 43 &&
                     strspn(salt + len + 1, HASH64) == 43 && crypt_checksalt(hash) == CRYPT_SALT_OK;
        return whole ? NULL : "is cut or garbled";
    }
    return "has parameters beyond those of libcrypt's costs 1 to 9";
}

const char *
password_hash_fault(const char *hash)
{
    if (is_bcrypt(hash))
        return bcrypt_fault(hash);
    if (begins(hash, YESCRYPT))
        return yescrypt_fault(hash);
    return "is no bcrypt ($2a$, $2b$, $2y$) and no yescrypt ($y$) hash";
}

void
password_burn(const char *password, const char *scheme)
{
    /* 22 characters for 128 bits: of the last one both schemes want no more than two, bcrypt the
     * high ones, yescrypt the low ones; another salt is refused, and burns nothing. */
    static const char salt[] = "abcdefghijklmnopqrstu.";
    char setting[CRYPT_GENSALT_OUTPUT_SIZE], made[CRYPT_OUTPUT_SIZE];

    snprintf(setting, sizeof setting, "%s%s", scheme, salt);
    if (!hash_with(password, setting, made))
        log_event(LOG_WARN, EVENT("password.scheme_unknown"));
    OPENSSL_cleanse(made, sizeof made);
}

char *
password_scheme(struct arena *a, int64_t cost)
{
    char scheme[CRYPT_GENSALT_OUTPUT_SIZE];

    scheme_of_cost(cost, scheme);
    return arena_strdup(a, scheme);
}

/* The MAC that is put before a sealed text. */
static void
mac_of(const char *key, const char *text, uint8_t out[MAC_SIZE])
{
    uint8_t full[SHA256_SIZE];

    secret_hmac_sha256(key, strlen(key), &(struct secret_piece){.data = text, .len = strlen(text)},
                       1, full);
    memcpy(out, full, MAC_SIZE);
}

char *
secret_seal(struct arena *a, const char *key, const char *text)
{
    size_t len = strlen(text), all = MAC_SIZE + len;
    uint8_t *raw = arena_alloc(a, all);
    char *out = arena_alloc(a, all / 3 * 4 + 5);

    mac_of(key, text, raw);
    memcpy(raw + MAC_SIZE, text, len);
    EVP_EncodeBlock((unsigned char *)out, raw, (int)all);
    out[strcspn(out, "=")] = '\0';
    for (char *c = out; *c != '\0'; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    return out;
}

/* EVP_DecodeBlock is no judge: it takes blanks around a text, and '=' anywhere for zero bits, so
 * that it finds more bytes in five characters than they can hold. */
char *
secret_unseal(struct arena *a, const char *key, const char *token)
{
    size_t len = strlen(token), padded = (len + 3) / 4 * 4, bytes = len * 6 / 8;
    uint8_t mac[MAC_SIZE];

    if (len > SEALED_MAX || bytes < MAC_SIZE || len % 4 == 1 ||
        strspn(token, SECRET_BASE64URL) != len)
        return NULL;
    char *text = arena_alloc(a, padded + 1);
    uint8_t *raw = arena_alloc(a, padded);
    for (size_t i = 0; i < padded; i++)
        text[i] = i >= len ? '=' : token[i] == '-' ? '+' : token[i] == '_' ? '/' : token[i];
    if (EVP_DecodeBlock(raw, (const unsigned char *)text, (int)padded) != (int)(padded / 4 * 3))
        return NULL;
    char *sealed = arena_strndup(a, (const char *)raw + MAC_SIZE, bytes - MAC_SIZE);
    mac_of(key, sealed, mac);
    return secret_equal(mac, raw, MAC_SIZE) ? sealed : NULL;
}
