/*
 * OpenSSL's context lives as long as the arena, so that nobody has to free one on each way out.
 */
#include "io/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE 65536

struct digest {
    EVP_MD_CTX *ctx;
};

static void
release(void *arg)
{
    struct digest *d = arg;

    EVP_MD_CTX_free(d->ctx);
}

struct digest *
digest_new(struct arena *a)
{
    struct digest *d = arena_alloc(a, sizeof(*d));

    d->ctx = EVP_MD_CTX_new();
    if (d->ctx == NULL || EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) != 1)
        abort();
    arena_defer(a, release, d);
    return d;
}

void
digest_add(struct digest *d, const void *data, size_t len)
{
    if (EVP_DigestUpdate(d->ctx, data, len) != 1)
        abort();
}

void
digest_end(struct digest *d, uint8_t out[SHA256_SIZE])
{
    if (EVP_DigestFinal_ex(d->ctx, out, NULL) != 1)
        abort();
}

const char *
digest_of_file(struct arena *a, int fd, int64_t *bytes)
{
    struct arena *own = arena_new();
    struct digest *d = digest_new(own);
    char *piece = arena_alloc(own, PIECE);
    uint8_t out[SHA256_SIZE];
    int64_t total = 0;
    ssize_t n;

    do {
        n = read(fd, piece, PIECE);
        if (n > 0) {
            digest_add(d, piece, (size_t)n);
            total += n;
        }
    } while (n > 0 || (n < 0 && errno == EINTR));
    int why = errno;
    digest_end(d, out);
    arena_free(own);
    errno = why;
    if (bytes != NULL)
        *bytes = total;
    return n == 0 ? secret_hex(a, out, sizeof(out)) : NULL;
}
