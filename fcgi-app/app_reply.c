/*
 * The envelope of API.md. What is inside `data` was written by the endpoint; all else is written
 * here, in one place, for good answers and bad.
 *
 * The ETag is weak and speaks of data and pagination, not of meta, which differs with each request.
 */
#include "base/clock.h"
#include "exchange.h"
#include "io/secret.h"

#include <string.h>

#define HEAD_MAX ((size_t)8192)
#define ENVELOPE_MAX ((size_t)64 << 10)
#define RETRY_AFTER_S 1
#define ETAG_BYTES 16
#define JSON "application/json"

static void
write_pagination(struct text *t, const struct paging *p)
{
    int64_t pages = (p->total + p->per_page - 1) / p->per_page;

    text_key(t, "pagination");
    text_putc(t, '{');
    if (p->cursor == NULL)
        text_member_int(t, "current_page", p->page);
    text_member_int(t, "per_page", p->per_page);
    text_member_int(t, "total_items", p->total);
    text_member_int(t, "total_pages", pages);
    if (p->capped)
        text_member_bool(t, "total_is_capped", true);
    if (p->next != NULL)
        text_member(t, "next_cursor", p->next);
    text_putc(t, '}');
}

static void
write_meta(struct text *t, const struct exchange *x, bool good)
{
    char now[CLOCK_RFC3339_SIZE];

    text_key(t, "meta");
    text_putc(t, '{');
    text_member(t, "request_id", x->rq.ctx.request_id);
    text_member(t, "timestamp", clock_rfc3339(clock_ms(), now));
    if (good && x->rq.paging.total >= 0)
        write_pagination(t, &x->rq.paging);
    if (good && x->rq.facets.len > 0)
        text_member_raw(t, "facets", text_cstr(&x->rq.facets));
    text_putc(t, '}');
}

static void
write_problem(struct text *t, const struct problem *p)
{
    text_comma(t);
    text_putc(t, '{');
    text_member(t, "code", err_code(p->err));
    if (p->field != NULL)
        text_member(t, "field", p->field);
    text_member(t, "message", p->message);
    if (p->details != NULL)
        text_member_raw(t, "details", p->details);
    text_putc(t, '}');
}

/* Our own faults are told in the log, not to the client; 503 says what is away, and no more. */
static bool
may_be_told(enum err e)
{
    return err_status(e) < 500 || e == ERR_SERVICE_UNAVAILABLE;
}

static void
write_errors(struct text *t, const struct exchange *x, enum err e)
{
    const struct problem plain = {.err = e, .message = err_message(e)};
    const struct problem *first = may_be_told(e) ? x->rq.ctx.problems.first : NULL;

    text_puts(t, "{\"errors\":[");
    if (first == NULL)
        write_problem(t, &plain);
    for (const struct problem *p = first; p != NULL; p = p->next)
        write_problem(t, p);
    text_putc(t, ']');
    write_meta(t, x, false);
    text_putc(t, '}');
}

static void
write_etag(struct text *head, const struct exchange *x, struct text *etag)
{
    uint8_t digest[SHA256_SIZE];
    struct text seen = text_new(x->rq.ctx.arena, REPLY_MAX + 256);

    text_add(&seen, x->rq.reply.data, x->rq.reply.len);
    text_add(&seen, x->rq.facets.data, x->rq.facets.len);
    text_printf(&seen, "|%lld|%lld|%lld", (long long)x->rq.paging.page,
                (long long)x->rq.paging.per_page, (long long)x->rq.paging.total);
    secret_sha256(seen.data, seen.len, digest);
    text_printf(etag, "W/\"%s\"", secret_hex(x->rq.ctx.arena, digest, ETAG_BYTES));
    text_printf(head, "ETag: %s\r\n", text_cstr(etag));
}

/* Whether If-None-Match (RFC 9110, section 13.1.2) names `etag`; weak comparison, as is its rule.
 */
static bool
none_match_names(const char *header, const char *etag)
{
    if (header == NULL)
        return false;
    return strcmp(header, "*") == 0 || strstr(header, strchr(etag, '"')) != NULL;
}

bool
exchange_is_public(const struct exchange *x)
{
    return x->route != NULL && x->route->cache == CACHE_PUBLIC && x->caller.kind == CREDENTIAL_NONE;
}

static void
write_limits(struct text *head, const struct exchange *x)
{
    if (x->limit.key == NULL || x->limit.per_minute == 0 || exchange_is_public(x))
        return;
    text_printf(head,
                "X-RateLimit-Limit: %lld\r\nX-RateLimit-Remaining: %lld\r\n"
                "X-RateLimit-Reset: %lld\r\n",
                (long long)x->limit.per_minute, (long long)x->limit.remaining,
                (long long)((clock_ms() + x->limit.reset_ms + 999) / 1000));
}

static void
write_allow(struct text *head, unsigned allow)
{
    bool first = true;

    text_puts(head, "Allow:");
    for (enum method m = GET; m <= OPTIONS; m++) {
        bool takes =
            (allow & (1u << m)) != 0 || m == OPTIONS || (m == HEAD && (allow & (1u << GET)) != 0);
        if (takes) {
            text_printf(head, "%s %s", first ? "" : ",", method_name(m));
            first = false;
        }
    }
    text_puts(head, "\r\n");
}

static void
write_error_headers(struct text *head, const struct exchange *x, enum err e)
{
    if (e == ERR_UNAUTHORIZED)
        text_puts(head, "WWW-Authenticate: Bearer realm=\"soko\"\r\n");
    if (e == ERR_METHOD_NOT_ALLOWED)
        write_allow(head, x->allow);
    if (e == ERR_RATE_LIMITED)
        text_printf(head, "Retry-After: %lld\r\n",
                    (long long)((x->rq.ctx.retry_after_ms + 999) / 1000));
    if (e == ERR_SERVICE_UNAVAILABLE)
        text_printf(head, "Retry-After: %d\r\n", RETRY_AFTER_S);
}

static const char *
type_of(const struct exchange *x)
{
    return x->rq.endpoint != NULL && x->rq.endpoint->type != NULL ? x->rq.endpoint->type : JSON;
}

static void
send_all(struct exchange *x, const char *type, struct text *head, const struct text *body)
{
    bool bodiless = x->status == 204 || x->status == 304;

    if (!bodiless)
        text_printf(head, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, body->len);
    text_puts(head, "\r\n");
    if (fcgi_send(x->fcgi, head->data, head->len) && !bodiless && x->method != HEAD)
        fcgi_send(x->fcgi, body->data, body->len);
}

/* A good answer: its tag, if it may be kept, and its envelope. */
static void
write_good(struct exchange *x, struct text *head, struct text *body)
{
    if (x->route != NULL && x->route->cache == CACHE_PUBLIC) {
        struct text etag = text_new(x->rq.ctx.arena, 64);
        write_etag(head, x, &etag);
        if (none_match_names(fcgi_param(x->fcgi, x->rq.ctx.arena, "HTTP_IF_NONE_MATCH"),
                             text_cstr(&etag)))
            x->status = 304;
    }
    if (x->replayed)
        text_puts(head, "Idempotent-Replayed: true\r\n");
    if (x->rq.endpoint != NULL && x->rq.endpoint->bare) {
        text_add(body, x->rq.reply.data, x->rq.reply.len);
        return;
    }
    text_puts(body, "{\"data\":");
    text_add(body, x->rq.reply.data, x->rq.reply.len);
    write_meta(body, x, true);
    text_putc(body, '}');
}

void
reply(struct exchange *x, enum err e)
{
    struct arena *a = x->rq.ctx.arena;
    struct text head = text_new(a, HEAD_MAX), more = text_new(a, HEAD_MAX);
    struct text body = text_new(a, REPLY_MAX + ENVELOPE_MAX);

    if (e == OK && x->rq.reply.overflow)
        e = ERR_INTERNAL;
    if (e != OK) {
        x->status = err_status(e);
        write_error_headers(&more, x, e);
        write_errors(&body, x, e);
    } else if (x->status == 204) {
        write_allow(&more, x->allow);
    } else {
        write_good(x, &more, &body);
    }
    write_limits(&more, x);
    text_printf(&head, "Status: %d\r\nX-Request-ID: %s\r\n", x->status, x->rq.ctx.request_id);
    text_printf(&head, "Cache-Control: %s\r\n",
                e == OK && exchange_is_public(x) ? "public, max-age=1" : "no-store");
    text_add(&head, more.data, more.len);
    send_all(x, e == OK ? type_of(x) : JSON, &head, &body);
}
