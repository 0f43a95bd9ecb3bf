/*
 * Design: nginx learns from the route table what it must know before a worker sees the request: the
 * pool, the largest body, and whether the answer may be kept for a second. It does not learn the
 * methods: 405 with its Allow, OPTIONS and HEAD are app.c's, so that a location is a path, whatever
 * its methods. Rows of one path therefore share a location; `:id` and `:product_id` in the same
 * place are the same path.
 *
 * A path without ids is an exact location, which nginx finds by a hash; one with ids is a regular
 * expression, tried in the table's order, which is the order of route_find too. nginx looks at
 * the decoded path, the worker at the one that was sent (REQUEST_URI), of which nothing of ours is
 * ever escaped: what only decoding would make one of our paths is 404 there.
 *
 * Errors go to internal URIs. Named locations would be shorter, but nginx refuses them before it
 * has parsed a URI, which is exactly when 400 and 414 happen. Each answer of ours comes from one
 * row of `dresses`; nginx's further statuses share the row that is nearest to them.
 *
 * A request runs once, also if its worker dies; but what providers post is the same however often
 * it is told (shop/payments/inbox.c), and M-Pesa tells it once. So a second worker is tried for it.
 *
 * With several hosts nginx gives a request that it could not send to the next one, and what it has
 * sent stays where it is: for POST by nginx's own rule, for GET it may run again (site.c says why).
 * PUT and DELETE nginx would run again, for HTTP calls them idempotent. Theirs is a way of their
 * own: no next host, and an error leads to a location that looks at $upstream_bytes_sent. That the
 * host which failed is not asked again is the upstream's rule of one failure (nginx_hosts.c).
 *
 * The variables ($soko_...) and the included files are those of nginx/soko.conf.in and its
 * snippets. Output: directives of a server block.
 *
 * Rejected: one location per pool with a map from path to pool. fastcgi_pass takes a variable, but
 * client_max_body_size and fastcgi_cache_valid do not.
 */
#include "nginx.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/listed.h"
#include "route_facts.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define BODY_MIN ((size_t)1024)         /* some clients send {} where nothing is expected */
#define BODY_UNKNOWN ((size_t)64 << 10) /* to an unknown path: 404 says more than 413 */

/* What nginx answers instead of its own page. */
struct dress {
    const char *from; /* nginx's statuses */
    int status;       /* ours */
    enum err err;
    const char *message; /* NULL: the error's own */
    bool retry;          /* says Retry-After */
    bool closed;         /* may be maintenance: the site says for how long, and in which words */
    bool allow;          /* says Allow */
};

/* 403 is what nginx says to a stranger at /metrics, and of a folder without an index: neither is
 * there for the caller. 502 is a worker that died, or a socket that nobody hears: try again. */
static const struct dress dresses[] = {
    {.from = "400 411 421 494 495 496 497 501 505",
     .status = 400,
     .err = ERR_VALIDATION,
     .message = "malformed request"},
    {.from = "403 404", .status = 404, .err = ERR_NOT_FOUND},
    {.from = "405", .status = 405, .err = ERR_METHOD_NOT_ALLOWED, .allow = true},
    {.from = "408", .status = 408, .err = ERR_REQUEST_TIMEOUT},
    {.from = "412", .status = 412, .err = ERR_PRECONDITION_FAILED},
    {.from = "413", .status = 413, .err = ERR_PAYLOAD_TOO_LARGE},
    {.from = "414",
     .status = 414,
     .err = ERR_VALIDATION,
     .message = "the request line is too long"},
    {.from = "416", .status = 416, .err = ERR_VALIDATION, .message = "no such range"},
    {.from = "429", .status = 429, .err = ERR_RATE_LIMITED, .retry = true},
    {.from = "431",
     .status = 431,
     .err = ERR_VALIDATION,
     .message = "the request headers are too large"},
    {.from = "500", .status = 500, .err = ERR_INTERNAL},
    {.from = "502 503",
     .status = 503,
     .err = ERR_SERVICE_UNAVAILABLE,
     .retry = true,
     .closed = true},
    {.from = "504", .status = 504, .err = ERR_REQUEST_TIMEOUT},
};

#define DRESSES (sizeof(dresses) / sizeof(dresses[0]))

/* Whether the segments at `a` and `b` are the same, or both ids. Moves both behind them. */
static bool
same_segment(const char **a, const char **b)
{
    size_t la = strcspn(*a, "/"), lb = strcspn(*b, "/");
    bool ids = **a == ':' && **b == ':';
    bool same = ids || (la == lb && memcmp(*a, *b, la) == 0);

    *a += la;
    *b += lb;
    return same;
}

static bool
same_path(const char *a, const char *b)
{
    while (*a == '/' && *b == '/') {
        a++;
        b++;
        if (!same_segment(&a, &b))
            return false;
    }
    return *a == '\0' && *b == '\0';
}

static bool
has_id(const char *path)
{
    return strstr(path, "/:") != NULL;
}

/* What providers post to us. */
static bool
is_webhook(const char *path)
{
    return strncmp(path, "/webhooks/", strlen("/webhooks/")) == 0;
}

/* Whether an id in the path is a secret: the tokens of the providers' callbacks. */
static bool
has_token(const char *path)
{
    return is_webhook(path) && has_id(path);
}

/* The path as a regular expression: an id is any segment, what PCRE might read is put in brackets.
 */
static void
print_pattern(FILE *out, const char *path)
{
    fputs("\"^", out);
    for (const char *p = path; *p != '\0'; p++) {
        if (*p == ':' && p > path && p[-1] == '/') {
            fputs("[^/]+", out);
            p += strcspn(p, "/") - 1;
        } else if (isalnum((unsigned char)*p) || strchr("/-_", *p) != NULL) {
            fputc(*p, out);
        } else {
            fprintf(out, "[%c]", *p);
        }
    }
    fputs("$\"", out);
}

static void
print_error_page(FILE *out, const struct dress *d)
{
    fprintf(out, "error_page %s =%d /_error/%d;\n", d->from, d->status, d->status);
}

/* What one location needs to know of the rows of its path. */
struct place {
    const char *path;
    enum pool pool;
    size_t body_max;
    bool cached;
    bool once; /* has a PUT or a DELETE, and there is more than one host */
};

static void
print_location(FILE *out, const struct place *p)
{
    fputs("location ", out);
    if (has_id(p->path)) {
        fputs("~ ", out);
        print_pattern(out, p->path);
    } else {
        fprintf(out, "= %s", p->path);
    }
    fprintf(out, " {\n    client_max_body_size %zu;\n", p->body_max);
    if (strcmp(p->path, "/metrics") == 0)
        fputs("    include soko/scrapers.conf;\n", out);
    if (has_token(p->path))
        fputs("    error_log /dev/null emerg; # its lines would show the token\n", out);
    if (p->once)
        fprintf(out, "    if ($soko_once) {\n        rewrite ^ /_once/%s last;\n    }\n",
                pool_name(p->pool));
    fprintf(out, "    fastcgi_pass soko_%s;\n    include soko/fastcgi.conf;\n",
            is_webhook(p->path) ? "hooks" : pool_name(p->pool));
    if (is_webhook(p->path))
        fputs("    fastcgi_next_upstream error timeout invalid_header non_idempotent;\n"
              "    fastcgi_next_upstream_tries 3;\n"
              "    fastcgi_next_upstream_timeout 0;\n",
              out);
    if (p->cached)
        fputs("    include soko/microcache.conf;\n", out);
    fputs("}\n", out);
}

/* What all rows of the path of row `i` want together. False if an earlier row has said it. */
static bool
find_place(const struct route *table, size_t count, size_t i, bool several, struct place *p)
{
    *p = (struct place){.path = table[i].path, .pool = table[i].pool, .body_max = BODY_MIN};
    for (size_t j = 0; j < count; j++) {
        if (!same_path(table[i].path, table[j].path))
            continue;
        if (j < i)
            return false;
        size_t wants = route_body_max(&table[j]);
        p->body_max = wants > p->body_max ? wants : p->body_max;
        p->cached = p->cached || (table[j].method == GET && table[j].cache == CACHE_PUBLIC);
        p->once = p->once || (several && (table[j].method == PUT || table[j].method == DELETE));
    }
    return true;
}

/* The way of PUT and DELETE to a pool of several hosts. The first host that is there has the
 * request, and no other: only if not a byte of it was sent, a second one is asked. */
static void
print_once(FILE *out, enum pool pool, size_t body_max)
{
    const char *name = pool_name(pool);

    fprintf(out,
            "location = /_once/%s {\n    internal;\n    recursive_error_pages on;\n    "
            "client_max_body_size %zu;\n"
            "    fastcgi_next_upstream off;\n    error_page 502 504 = @once_%s;\n",
            name, body_max, name);
    for (size_t i = 0; i < DRESSES; i++) {
        if (dresses[i].status != 503 && dresses[i].status != 504)
            print_error_page(out, &dresses[i]);
    }
    fprintf(out, "    fastcgi_pass soko_%s;\n    include soko/fastcgi.conf;\n}\n", name);
    fprintf(out,
            "location @once_%s {\n"
            "    if ($soko_sent = 504) {\n        return 504;\n    }\n"
            "    if ($soko_sent) {\n        return 503;\n    }\n"
            "    client_max_body_size %zu;\n    fastcgi_next_upstream off;\n"
            "    fastcgi_pass soko_%s;\n    include soko/fastcgi.conf;\n}\n",
            name, body_max, name);
}

void
nginx_print_locations(FILE *out, const struct route *table, size_t count, bool several)
{
    size_t once_max[POOL__COUNT] = {0};
    struct place p;

    for (size_t i = 0; i < count; i++) {
        if (!find_place(table, count, i, several, &p))
            continue;
        print_location(out, &p);
        if (p.once && p.body_max > once_max[p.pool])
            once_max[p.pool] = p.body_max;
    }
    for (enum pool pool = 0; pool < POOL__COUNT; pool++) {
        if (once_max[pool] > 0)
            print_once(out, pool, once_max[pool]);
    }
    /* Without the first, nginx would lead /api to /api/. */
    fprintf(out,
            "location = /api {\n    return 404;\n}\n"
            "location /api/ {\n    client_max_body_size %zu;\n"
            "    fastcgi_pass soko_%s;\n    include soko/fastcgi.conf;\n}\n",
            BODY_UNKNOWN, pool_name(POOL_FAST));
}

/* A message, inside a JSON string inside nginx's single quotes: what either of them might read is
 * left out. */
static void
print_plain(FILE *out, const char *s)
{
    for (; *s != '\0'; s++) {
        if (isalnum((unsigned char)*s) || strchr(" ,.:;()-_", *s) != NULL)
            fputc(*s, out);
    }
}

static void
print_dress(FILE *out, const struct dress *d)
{
    print_error_page(out, d);
    fprintf(out, "location = /_error/%d {\n    internal;\n", d->status);
    /* The body is still that of the request: without the 0, 413 would meet itself. */
    fputs("    client_max_body_size 0;\n", out);
    fputs("    default_type application/json;\n    include soko/headers.conf;\n"
          "    add_header Cache-Control no-store always;\n",
          out);
    if (d->retry)
        fprintf(out, "    add_header Retry-After %s always;\n",
                d->closed ? "$soko_retry_after" : "1");
    if (d->allow)
        fputs("    add_header Allow $soko_allow always;\n", out);
    fprintf(out, "    return %d '{\"errors\":[{\"code\":\"%s\",\"message\":\"", d->status,
            err_code(d->err));
    if (d->closed)
        fputs("$soko_unavailable", out);
    else
        print_plain(out, d->message != NULL ? d->message : err_message(d->err));
    fputs(
        "\"}],\"meta\":{\"request_id\":\"$soko_request_id\",\"timestamp\":\"$soko_time\"}}';\n}\n",
        out);
}

void
nginx_print_errors(FILE *out)
{
    for (size_t i = 0; i < DRESSES; i++)
        print_dress(out, &dresses[i]);
}

/* Whether the list has the entry before `end`, which points behind it. A map refuses a name that it
 * has. */
static bool
is_again(struct arena *a, const char *list, const char *end, const char *entry)
{
    const char *at = list, *one;

    while ((one = listed_next(a, &at)) != NULL && at != end) {
        if (strcmp(one, entry) == 0)
            return true;
    }
    return false;
}

static void
print_list(FILE *out, const char *list, const char *before, const char *after)
{
    struct arena *a = arena_new();
    const char *at = list, *entry;

    while ((entry = listed_next(a, &at)) != NULL) {
        if (!is_again(a, list, at, entry))
            fprintf(out, "%s%s%s\n", before, entry, after);
    }
    arena_free(a);
}

void
nginx_print_origins(FILE *out, const char *list)
{
    print_list(out, list, "\"", "\" 1;");
}

void
nginx_print_proxies(FILE *out, const char *list)
{
    print_list(out, list, "set_real_ip_from ", ";");
}

void
nginx_print_friends(FILE *out, const char *list)
{
    print_list(out, list, "", " 1;");
}

void
nginx_print_scrapers(FILE *out, const char *list)
{
    print_list(out, list, "allow ", ";");
    fputs("deny all;\n", out);
}
