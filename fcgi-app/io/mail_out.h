/*
 * io/mail_out: SMTP by libcurl.
 *
 * smtps:// speaks TLS from the start; smtp:// must offer STARTTLS, unless the host is loopback. The
 * certificate is verified.
 */
#ifndef SOKO_IO_MAIL_OUT_H
#define SOKO_IO_MAIL_OUT_H

#include "base/arena.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct mail_call {
    const char *url;       /* smtps://user@host:465 */
    const char *password;  /* of the user in url; or "" */
    const char *from, *to; /* bare addresses */
    const char *message;   /* RFC 5322, lines ended by \r\n */
    size_t len;
    int64_t connect_ms, total_ms;
};

/* OK: the server has taken the message; *status is its last reply code. ERR_VALIDATION: it refused
 * for good (5xx). ERR_PROVIDER_UNAVAILABLE: it was not taken, for certain. ERR_REQUEST_TIMEOUT:
 * nobody knows. */
enum err mail_out_send(struct arena *a, const struct mail_call *call, int *status);

/* NULL if a URL will do, else what is wrong with it; quotes nothing of it. "" will do. */
const char *mail_url_fault(const char *url);

#endif
