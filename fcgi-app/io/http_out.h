/*
 * io/http_out: calls to outside parties, by libcurl.
 *
 * TLS certificates and host names are verified (for plain http only loopback addresses are
 * allowed), redirects are not followed, answers are capped while they stream, no cookies, no
 * proxies from the environment, HTTP and HTTPS only. One easy handle per worker keeps connections
 * alive.
 */
#ifndef SOKO_IO_HTTP_OUT_H
#define SOKO_IO_HTTP_OUT_H

#include "base/arena.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct http_out;

struct http_call {
    const char *method; /* "GET", "POST", ... */
    const char *url;
    const char *const *headers; /* NULL-terminated "Name: value" lines, or NULL */
    const char *body;           /* or NULL */
    size_t body_len;
    int64_t connect_ms, total_ms; /* time-outs; both are needed */
    size_t answer_max;            /* bytes of body; more is a failure */
    const char *const *wanted; /* NULL-terminated names of the answer's headers to keep, or NULL */
};

struct http_answer {
    int status;       /* 0 if no answer came */
    const char *body; /* NUL-terminated, in the arena; never NULL */
    size_t body_len;
    const char *const *headers; /* a value for each name of call->wanted, in its order; NULL: it was
                                   not there. The array is NULL if nothing was wanted or no answer
                                   came. Of a header that comes twice the last is kept. */
    const char *why;            /* if no answer came: libcurl's words, without the URL */
};

/* NULL if libcurl cannot start. Ends with http_out_free(). */
struct http_out *http_out_new(const char *user_agent);
void http_out_free(struct http_out *h);

/* NULL if `url` is a base to which paths can be appended, else what is wrong with it: https (http
 * for this host only), no user, query or fragment, no '/' at its end. */
const char *http_url_fault(const char *url);

/* The same for a whole address, which may have a query and end in '/'. */
const char *http_endpoint_fault(const char *url);

/* OK: an answer with any status has come whole. ERR_PROVIDER_UNAVAILABLE: it was never sent, for
 * certain (name, connect or TLS handshake failed). ERR_REQUEST_TIMEOUT: it may have been sent, and
 * nobody knows what became of it (time-out, broken connection, answer too large or cut). */
enum err http_send(struct http_out *h, struct arena *a, const struct http_call *call,
                   struct http_answer *answer);

#endif
