/*
 * What app.c may answer for any route is declared here once, by the columns of the row: whoever may
 * be anonymous is never told 401, what takes no body is never too large, and so on.
 */
#include "route_facts.h"
#include "base/config.h"
#include "base/multipart.h"
#include "base/text.h"

#define LIST_MAX ((size_t)1 << 20)

static void
add_error(struct error_list *list, enum err e)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->e[i] == e)
            return;
    }
    list->e[list->count++] = e;
}

static void
write_row(struct text *t, const struct route *r)
{
    static const char *const strangers[] = {
        [STRANGER_NONE] = NULL, [STRANGER_403] = "403", [STRANGER_404] = "404"};
    static const char *const limits[] = {
        [LIMIT_FREE] = "free", [LIMIT_BY_CALLER] = "by_caller", [LIMIT_SIGN_IN] = "sign_in"};
    struct error_list errors = route_errors(r);

    text_comma(t);
    text_puts(t, "\n{");
    text_member(t, "method", method_name(r->method));
    text_member(t, "path", r->path);
    text_member(t, "name", r->endpoint->name);
    text_member(t, "who", who_name(r->who));
    text_key(t, "ids");
    text_putc(t, '[');
    for (size_t i = 0; i < ROUTE_IDS_MAX && r->ids[i] != ID_NONE; i++) {
        text_comma(t);
        text_json(t, id_kind_name(r->ids[i]));
    }
    text_putc(t, ']');
    text_member_raw(t, "stranger", strangers[r->stranger]);
    text_member(t, "limit", limits[r->limit]);
    text_member(t, "pool", pool_name(r->pool));
    text_member_bool(t, "cacheable", r->cache == CACHE_PUBLIC);
    text_member_int(t, "body_max", (int64_t)route_body_max(r));
    text_member(t, "upload", r->endpoint->upload);
    text_member_bool(t, "takes_key", route_takes_key(r));
    text_member_bool(t, "in_steps", r->endpoint->start != NULL);
    text_member_int(t, "status", route_status(r));
    text_member(t, "schema", r->endpoint->out != NULL ? r->endpoint->out->name : NULL);
    text_key(t, "errors");
    text_putc(t, '[');
    for (size_t i = 0; i < errors.count; i++) {
        text_comma(t);
        text_json(t, err_code(errors.e[i]));
    }
    text_putc(t, ']');
    text_key(t, "own_errors");
    text_putc(t, '[');
    for (size_t i = 0; i < sizeof(r->endpoint->errors) / sizeof(enum err); i++) {
        if (r->endpoint->errors[i] != OK) {
            text_comma(t);
            text_json(t, err_code(r->endpoint->errors[i]));
        }
    }
    text_puts(t, "]}");
}

bool
route_takes_key(const struct route *r)
{
    return r->method == POST && r->who != ANYONE && !r->endpoint->unkeyed;
}

size_t
route_body_max(const struct route *r)
{
    if (r->body_max != BODY_UPLOAD)
        return r->body_max;
    int64_t file = conf != NULL ? conf->upload_max_size.bytes : config_default("UPLOAD_MAX_SIZE");
    return (size_t)file + MULTIPART_ENVELOPE_MAX;
}

int
route_status(const struct route *r)
{
    return r->endpoint->status != 0 ? r->endpoint->status : 200;
}

/* The endpoint's own errors come first, then those of the row. */
struct error_list
route_errors(const struct route *r)
{
    struct error_list list = {.count = 0};
    bool takes_body = r->method != GET;

    for (size_t i = 0; i < sizeof(r->endpoint->errors) / sizeof(r->endpoint->errors[0]); i++) {
        if (r->endpoint->errors[i] != OK)
            add_error(&list, r->endpoint->errors[i]);
    }
    if (r->who != ANYONE)
        add_error(&list, ERR_UNAUTHORIZED);
    /* Of the signed in: a key may only read, and an administrator may lack a second factor. */
    if (r->who != ANYONE)
        add_error(&list, ERR_FORBIDDEN);
    if (takes_body)
        add_error(&list, ERR_PAYLOAD_TOO_LARGE);
    if (takes_body && (r->endpoint->in != NULL || r->endpoint->upload != NULL))
        add_error(&list, ERR_UNSUPPORTED_MEDIA_TYPE);
    if (route_takes_key(r)) {
        add_error(&list, ERR_VALIDATION);
        add_error(&list, ERR_CONFLICT);
        add_error(&list, ERR_IDEMPOTENCY_KEY_REUSED);
    }
    if (r->limit != LIMIT_FREE)
        add_error(&list, ERR_RATE_LIMITED);
    add_error(&list, ERR_INTERNAL);
    add_error(&list, ERR_SERVICE_UNAVAILABLE);
    add_error(&list, ERR_REQUEST_TIMEOUT);
    return list;
}

void
routes_print_json(FILE *out, const struct route *table, size_t count)
{
    struct arena *a = arena_new();
    struct text t = text_new(a, LIST_MAX);

    text_putc(&t, '[');
    for (size_t i = 0; i < count; i++)
        write_row(&t, &table[i]);
    text_puts(&t, "\n]\n");
    fwrite(t.data, 1, t.len, out);
    arena_free(a);
}
