/*
 * io/mail_out: SMTP by libcurl, a connection per message.
 *
 * As in io/http_out, the question is what a failure means. A server takes a message when it answers
 * the dot after the last line. Until the last byte was handed to libcurl it has certainly not been
 * taken; after that only a reply says so: 250 is taken, 4xx and 5xx are not, and none is not known.
 *
 * After a message was taken nobody needs the answer to QUIT, for which libcurl would wait two
 * minutes: the connection's reading side is shut before it is ended.
 *
 * STARTTLS is demanded, never merely tried: whoever can cut it out of the server's greeting would
 * read our password. Only loopback is spoken to in the clear. Rejected: keeping the connection,
 * because messages are rare and servers end idle ones.
 */
#include "io/mail_out.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* A URL, taken apart; all but `handle` belong to libcurl. */
struct parts {
    char *scheme, *host, *user, *password, *path, *query, *fragment;
};

/* The message while it leaves. */
struct source {
    const char *at;
    size_t left;
};

static void
forget(struct parts *p)
{
    curl_free(p->scheme);
    curl_free(p->host);
    curl_free(p->user);
    curl_free(p->password);
    curl_free(p->path);
    curl_free(p->query);
    curl_free(p->fragment);
}

static bool
take_apart(CURLU *u, const char *url, struct parts *p)
{
    *p = (struct parts){0};
    if (u == NULL || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK)
        return false;
    /* What is missing stays NULL. */
    curl_url_get(u, CURLUPART_SCHEME, &p->scheme, 0);
    curl_url_get(u, CURLUPART_HOST, &p->host, 0);
    curl_url_get(u, CURLUPART_USER, &p->user, CURLU_URLDECODE);
    curl_url_get(u, CURLUPART_PASSWORD, &p->password, 0);
    curl_url_get(u, CURLUPART_PATH, &p->path, 0);
    curl_url_get(u, CURLUPART_QUERY, &p->query, 0);
    curl_url_get(u, CURLUPART_FRAGMENT, &p->fragment, 0);
    return p->scheme != NULL && p->host != NULL;
}

static bool
is_loopback(const char *host)
{
    unsigned char v4[4];

    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, v4) == 1 && v4[0] == 127);
}

const char *
mail_url_fault(const char *url)
{
    CURLU *u = NULL;
    struct parts p = {0};
    const char *fault = NULL;

    if (url[0] == '\0')
        return NULL;
    if (strncmp(url, "smtp://", 7) != 0 && strncmp(url, "smtps://", 8) != 0)
        return "must begin with smtp:// or smtps://";
    u = curl_url();
    if (!take_apart(u, url, &p))
        fault = "is not well-formed";
    else if (p.password != NULL)
        fault = "must not hold a password: that is SMTP_PASSWORD";
    else if ((p.path != NULL && strcmp(p.path, "/") != 0) || p.query != NULL || p.fragment != NULL)
        fault = "must end after host and port";
    forget(&p);
    curl_url_cleanup(u);
    return fault;
}

static size_t
give(char *to, size_t size, size_t n, void *arg)
{
    struct source *s = arg;
    size_t len = size * n < s->left ? size * n : s->left;

    memcpy(to, s->at, len);
    s->at += len;
    s->left -= len;
    return len;
}

/* Whatever a server says in its replies, nobody needs it. */
static size_t
drop(char *data, size_t size, size_t n, void *arg)
{
    (void)data;
    (void)arg;
    return size * n;
}

static void
set_options(CURL *c, CURLU *u, const struct parts *p, const struct mail_call *call,
            struct curl_slist *to, const char *from, struct source *source)
{
    long seconds = (long)((call->total_ms + 999) / 1000);
    bool clear = strcmp(p->scheme, "smtp") == 0 && is_loopback(p->host);

    curl_url_set(u, CURLUPART_USER, NULL, 0);
    curl_easy_setopt(c, CURLOPT_CURLU, u);
    if (p->user != NULL) {
        curl_easy_setopt(c, CURLOPT_USERNAME, p->user);
        curl_easy_setopt(c, CURLOPT_PASSWORD, call->password);
    }
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_USE_SSL, (long)(clear ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)call->connect_ms);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)call->total_ms);
    curl_easy_setopt(c, CURLOPT_SERVER_RESPONSE_TIMEOUT, seconds);
    curl_easy_setopt(c, CURLOPT_MAIL_FROM, from);
    curl_easy_setopt(c, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->len);
    curl_easy_setopt(c, CURLOPT_READFUNCTION, give);
    curl_easy_setopt(c, CURLOPT_READDATA, source);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, drop);
}

/* QUIT is said, and its answer not waited for. */
static void
hang_up(CURL *c)
{
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (curl_easy_getinfo(c, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK && fd != CURL_SOCKET_BAD)
        shutdown(fd, SHUT_RD);
}

/* What a call that failed with `code` after the reply `status` means. */
static enum err
meaning(CURLcode code, int status, bool all_given)
{
    /* To MAIL, RCPT or DATA; or to the dot. */
    bool replied =
        (code == CURLE_SEND_ERROR && !all_given) || (code == CURLE_WEIRD_SERVER_REPLY && all_given);

    if (replied && status >= 500 && status < 600)
        return ERR_VALIDATION;
    if (!all_given || (replied && status >= 400 && status < 500))
        return ERR_PROVIDER_UNAVAILABLE;
    return ERR_REQUEST_TIMEOUT;
}

static enum err
perform(struct arena *a, CURL *c, CURLU *u, const struct parts *p, const struct mail_call *call,
        int *status)
{
    struct source source = {.at = call->message, .left = call->len};
    struct curl_slist *to = curl_slist_append(NULL, arena_printf(a, "<%s>", call->to));
    long reply = 0;

    if (to == NULL)
        return ERR_INTERNAL;
    set_options(c, u, p, call, to, arena_printf(a, "<%s>", call->from), &source);
    CURLcode code = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &reply);
    if (code == CURLE_OK)
        hang_up(c);
    else
        log_event(LOG_WARN, EVENT("mail_out.failed"), INT("smtp.reply", reply),
                  TEXT("error.message", curl_easy_strerror(code)));
    curl_slist_free_all(to);
    *status = (int)reply;
    return code == CURLE_OK ? OK : meaning(code, *status, source.left == 0);
}

enum err
mail_out_send(struct arena *a, const struct mail_call *call, int *status)
{
    struct parts p = {0};
    enum err e = ERR_INTERNAL;

    *status = 0;
    if (call->url[0] == '\0' || mail_url_fault(call->url) != NULL || call->connect_ms <= 0 ||
        call->total_ms <= 0 || call->len == 0 || strpbrk(call->to, "\r\n<>") != NULL ||
        strpbrk(call->from, "\r\n<>") != NULL) {
        log_event(LOG_ERROR, EVENT("mail_out.refused"),
                  TEXT("error.message", "no URL, no time-out, no message, or not an address"));
        return ERR_INTERNAL;
    }
    CURLU *u = curl_url();
    CURL *c = curl_easy_init();
    if (c != NULL && take_apart(u, call->url, &p))
        e = perform(a, c, u, &p, call, status);
    curl_easy_cleanup(c);
    forget(&p);
    curl_url_cleanup(u);
    return e;
}
