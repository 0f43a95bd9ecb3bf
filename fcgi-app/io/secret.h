/*
 * io/secret: digests, comparisons and encryption by OpenSSL, password hashes by libcrypt.
 */
#ifndef SOKO_IO_SECRET_H
#define SOKO_IO_SECRET_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32
#define SHA1_SIZE 20

/* SHA-256 of `len` bytes. */
void secret_sha256(const void *data, size_t len, uint8_t out[SHA256_SIZE]);

/* HMAC-SHA-256 (RFC 2104) over `count` pieces, one after another. */
struct secret_piece {
    const void *data;
    size_t len;
};
void secret_hmac_sha256(const void *key, size_t key_len, const struct secret_piece *pieces,
                        size_t count, uint8_t out[SHA256_SIZE]);

/* HMAC-SHA-1, for one-time passwords (RFC 4226), whose apps know no other. */
void secret_hmac_sha1(const void *key, size_t key_len, const void *data, size_t len,
                      uint8_t out[SHA1_SIZE]);

/* Lower-case hexadecimal digits in the arena. */
char *secret_hex(struct arena *a, const void *data, size_t len);

/* The bytes that such digits stand for, in the arena, and how many; NULL if `hex` is NULL or no
 * whole number of bytes. */
uint8_t *secret_unhex(struct arena *a, const char *hex, size_t *len);

/* Base64 with padding (RFC 4648 section 4), in the arena. */
char *secret_base64(struct arena *a, const void *data, size_t len);

/* `len` bytes encrypted by RSA, PKCS#1 v1.5 (RFC 8017 section 7.2), for whoever holds the key of
 * the certificate in `pem_file`, in base64: another text each time. NULL if the file cannot be
 * read, holds no RSA certificate, or its key is too short for `len` bytes: the log has said which.
 */
char *secret_rsa_encrypt(struct arena *a, const char *pem_file, const void *data, size_t len);

/* The letters of base64url. */
#define SECRET_BASE64URL "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/* A new random token: 256 bits in base64url without padding (RFC 4648 section 5), 43 characters. */
char *secret_token(struct arena *a);

/* `count` random decimal digits (at most 9) and a NUL: each number as likely as any other. */
void secret_digits(char *out, int count);

/* Seals a short text so that it can be handed out and known again: base64url of a MAC
 * (HMAC-SHA-256, 128 bits) and the text. Sealed is not secret: whoever looks can read it, nobody
 * can make one. */
char *secret_seal(struct arena *a, const char *key, const char *text);

/* The text of a sealed token, or NULL if it was not made with this key. */
char *secret_unseal(struct arena *a, const char *key, const char *token);

/* Compares in a time that depends on `len` alone. */
bool secret_equal(const void *x, const void *y, size_t len);

/* Hashes a password with yescrypt (prefix "$y$") of the given cost (1 to 11; 5 takes some 50 ms).
 * The result is in the arena. Aborts if libcrypt fails, which it does only without memory. */
char *password_hash(struct arena *a, const char *password, int64_t cost);

/* Whether `password` matches `hash`: yescrypt, or bcrypt of the older systems ($2a$, $2b$, PHP's
 * $2y$). A hash that cannot be read never matches. Takes as long as the hash demands. */
bool password_check(const char *password, const char *hash);

/* What is wrong with a hash that another system made, so that nobody could sign in by it, or all
 * would wait for it; NULL if nothing is: a sentence's end such as "is no bcrypt or yescrypt hash".
 * bcrypt may have a cost of 4 to 14, yescrypt one of 1 to 9. */
const char *password_hash_fault(const char *hash);

/* Does the work of checking `password` against a hash of `scheme` ("$y$j9T$", "$2b$10$": all of a
 * hash before its salt), and throws the result away. A scheme that libcrypt does not know costs
 * nothing, and is logged. */
void password_burn(const char *password, const char *scheme);

/* The scheme of a new hash of that cost, in the arena. */
char *password_scheme(struct arena *a, int64_t cost);

/* Whether `hash` should be made anew at the next sign-in: not yescrypt, or of another cost. */
bool password_is_old(const char *hash, int64_t cost);

#endif
