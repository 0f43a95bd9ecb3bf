/*
 * io/http_out: calls to outside parties by one easy handle.
 *
 * What a failed call means is the point of this file: was it never sent, for certain, or may it
 * have been? libcurl's codes say so for name, connect and handshake; for a time-out the clock of
 * the transfer does (it starts only when the request may be written). Everything else counts as
 * sent.
 *
 * libcurl silently sends a request again, POST too, if a kept connection turns out to be closed
 * before the first byte of the answer. For GET and HEAD that is welcome; anything else could take
 * effect twice, so those go over a fresh connection, which is never retried. The price is a
 * handshake per payment. HTTP/1.1 only: one request at a time has nothing to gain from HTTP/2.
 *
 * Rejected: following redirects (a provider does not move in mid-payment; an attacker's may), and
 * proxies from the environment.
 */
#include "io/http_out.h"

#include "base/log.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LIST_MAX 64 /* header lines */

struct http_out {
    CURL *curl;
    char *agent;
};

/* The body of an answer while it arrives. */
struct sink {
    struct text text;
    size_t max;
    bool too_large;
};

static size_t
receive(char *data, size_t size, size_t n, void *arg)
{
    struct sink *sink = arg;
    size_t len = size * n;

    if (len > sink->max - sink->text.len) {
        sink->too_large = true;
        return 0;
    }
    text_add(&sink->text, data, len);
    return len;
}

/* Plain http is for simulators on this host. */
static bool
is_loopback(const char *host)
{
    unsigned char v4[4];
    struct in6_addr v6;
    char bare[64];
    size_t len = strlen(host);

    if (strcasecmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, v4) == 1)
        return v4[0] == 127;
    if (len < 3 || len >= sizeof bare || host[0] != '[' || host[len - 1] != ']')
        return false;
    memcpy(bare, host + 1, len - 2);
    bare[len - 2] = '\0';
    return inet_pton(AF_INET6, bare, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool
is_allowed(const char *url)
{
    CURLU *u = curl_url();
    char *scheme = NULL, *host = NULL;
    bool allowed = false;

    if (u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        allowed =
            strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && is_loopback(host));
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(u);
    return allowed;
}

const char *
http_url_fault(const char *url)
{
    size_t len = strlen(url);

    if (!is_allowed(url))
        return "must be https://host (plain http reaches this host only)";
    if (strpbrk(url, "@?# \\") != NULL || url[len - 1] == '/')
        return "must have no user, query or fragment, and no / at its end";
    return NULL;
}

const char *
http_endpoint_fault(const char *url)
{
    if (!is_allowed(url))
        return "must be https://host/path (plain http reaches this host only)";
    return strpbrk(url, "@# \\") != NULL ? "must have no user and no fragment" : NULL;
}

/* NULL if memory is short, or there are too many. "Expect:" keeps libcurl from waiting a second for
 * a 100 before it sends a long body. */
static struct curl_slist *
header_list(const char *const *headers)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");

    for (size_t i = 0; list != NULL && headers != NULL && headers[i] != NULL; i++) {
        struct curl_slist *longer = i < LIST_MAX && strpbrk(headers[i], "\r\n") == NULL
                                        ? curl_slist_append(list, headers[i])
                                        : NULL;
        if (longer == NULL)
            curl_slist_free_all(list);
        list = longer;
    }
    return list;
}

static void
set_method(CURL *c, const struct http_call *call)
{
    bool repeatable = strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0;

    if (strcmp(call->method, "HEAD") == 0) {
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    } else if (!repeatable || call->body != NULL) {
        /* The length first: without it libcurl would look for a NUL. */
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_len);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, call->body == NULL ? "" : call->body);
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, call->method);
    }
    curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, repeatable ? 0L : 1L);
}

static void
set_options(struct http_out *h, const struct http_call *call, struct curl_slist *headers,
            struct sink *sink)
{
    CURL *c = h->curl;

    curl_easy_reset(c); /* options, not connections */
    curl_easy_setopt(c, CURLOPT_URL, call->url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, h->agent);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)call->connect_ms);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)call->total_ms);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, sink);
    set_method(c, call);
}

/* Whether a call that failed with `code` has left this host in no part. */
static bool
was_never_sent(CURL *c, CURLcode code)
{
    curl_off_t ready_us = 0;
    long sent = 0;

    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_PEER_FAILED_VERIFICATION:
        return true;
    case CURLE_OPERATION_TIMEDOUT:
        return curl_easy_getinfo(c, CURLINFO_PRETRANSFER_TIME_T, &ready_us) == CURLE_OK &&
               ready_us == 0 && curl_easy_getinfo(c, CURLINFO_REQUEST_SIZE, &sent) == CURLE_OK &&
               sent == 0;
    default:
        return false;
    }
}

/* The values of the headers that the caller wants; before the handle is reset. */
static const char *const *
find_headers(CURL *c, struct arena *a, const char *const *wanted)
{
    size_t n = 0;

    if (wanted == NULL)
        return NULL;
    while (wanted[n] != NULL)
        n++;
    const char **found = arena_array(a, n, sizeof *found);
    for (size_t i = 0; i < n; i++) {
        struct curl_header *last, *first;

        if (curl_easy_header(c, wanted[i], 0, CURLH_HEADER, -1, &first) == CURLHE_OK &&
            curl_easy_header(c, wanted[i], first->amount - 1, CURLH_HEADER, -1, &last) == CURLHE_OK)
            /* libcurl 7.88 leaves the line's end in a value that is empty. */
            found[i] = arena_strndup(a, last->value, strcspn(last->value, "\r\n"));
    }
    return found;
}

struct http_out *
http_out_new(const char *user_agent)
{
    struct http_out *h = calloc(1, sizeof *h);

    if (h == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(h);
        return NULL;
    }
    h->curl = curl_easy_init();
    h->agent = strdup(user_agent);
    if (h->curl == NULL || h->agent == NULL) {
        http_out_free(h);
        return NULL;
    }
    return h;
}

void
http_out_free(struct http_out *h)
{
    if (h == NULL)
        return;
    curl_easy_cleanup(h->curl);
    free(h->agent);
    free(h);
    curl_global_cleanup();
}

enum err
http_send(struct http_out *h, struct arena *a, const struct http_call *call,
          struct http_answer *answer)
{
    /* One byte more than may arrive, so that the buffer itself never overflows. */
    struct sink sink = {.text = text_new(a, call->answer_max + 1), .max = call->answer_max};
    long status = 0;

    *answer = (struct http_answer){.body = ""};
    if (call->connect_ms <= 0 || call->total_ms <= 0 || !is_allowed(call->url)) {
        log_event(LOG_ERROR, EVENT("http_out.refused"),
                  TEXT("error.message", "plain http beyond loopback, no URL, or no time-out"));
        answer->why = "not allowed";
        return ERR_INTERNAL;
    }
    struct curl_slist *headers = header_list(call->headers);
    if (headers == NULL) {
        log_event(LOG_ERROR, EVENT("http_out.refused"),
                  TEXT("error.message", "a header line with a line break, or too many"));
        answer->why = "bad headers";
        return ERR_INTERNAL;
    }
    set_options(h, call, headers, &sink);
    CURLcode code = curl_easy_perform(h->curl);
    bool unsent = code != CURLE_OK && was_never_sent(h->curl, code);
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK && status > 0)
        answer->headers = find_headers(h->curl, a, call->wanted);
    curl_easy_reset(h->curl); /* forgets pointers into `call` */
    curl_slist_free_all(headers);

    /* Never CURLE_URL_MALFORMAT, which is_allowed() has found; CURLE_UNSUPPORTED_PROTOCOL is an
     * answer that is no HTTP/1. */
    if (code == CURLE_OK && status > 0) {
        answer->status = (int)status;
        answer->body = text_cstr(&sink.text);
        answer->body_len = sink.text.len;
        return OK;
    }
    answer->why = sink.too_large ? "the answer is too large" : curl_easy_strerror(code);
    return unsent ? ERR_PROVIDER_UNAVAILABLE : ERR_REQUEST_TIMEOUT;
}
