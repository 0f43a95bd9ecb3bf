/*
 * io/cert: a certificate as a sysadmin sees it, by OpenSSL.
 */
#ifndef SOKO_IO_CERT_H
#define SOKO_IO_CERT_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct cert {
    const char *subject;       /* in one line, in the arena */
    int64_t ends_ms, began_ms; /* UTC */
    bool is_for_host;          /* it names `host`; true if none was asked for */
    bool is_self_signed;
    enum { CERT_KEY_FITS, CERT_KEY_UNREADABLE, CERT_KEY_OTHER } key;
};

/* Reads the first certificate of a PEM file, and the key of another. `host` may be NULL or "".
 * NULL, or, in a few words, why the certificate itself cannot be read. */
const char *cert_look(struct arena *a, const char *file, const char *key_file, const char *host,
                      struct cert *out);

#endif
