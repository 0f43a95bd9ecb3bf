/*
 * The ways to answer. Each writes the JSON of `data`; app.c puts the envelope around it.
 *
 * An endpoint names the statements that it answers with (endpoint.replies), so that a test can hold
 * their columns against the output schema; answering with another would escape the test, and
 * aborts.
 */
#include "shop/req.h"
#include "base/clock.h"
#include "base/config.h"
#include "io/secret.h"

#include <stdlib.h>
#include <string.h>

static const struct out_field message_fields[] = {
    {"message", OUT_TEXT, .eg = "done", .doc = "What was done, in words"},
};
const struct output message_out = OUTPUT(message_fields, "Message");

struct pg_arg
req_time(const char *text)
{
    int64_t ms;

    return text != NULL && clock_parse(text, &ms) ? ARG_TIME(ms) : ARG_NULL;
}

static void
demand_declared(const struct endpoint *ep, int stmt)
{
    for (size_t i = 0; i < sizeof(ep->replies) / sizeof(ep->replies[0]); i++) {
        if (ep->replies[i] == stmt)
            return;
    }
    abort();
}

enum err
reply_rows_args(struct req *rq, int stmt, const struct pg_arg *args, size_t n)
{
    demand_declared(rq->endpoint, stmt);
    text_clear(&rq->reply);
    return pg_object_args(&rq->ctx, stmt, &rq->reply, args, n);
}

enum err
reply_list_args(struct req *rq, int stmt, const struct pg_arg *args, size_t n)
{
    demand_declared(rq->endpoint, stmt);
    text_clear(&rq->reply);
    return pg_array_args(&rq->ctx, stmt, &rq->reply, args, n);
}

/* "STATEMENT key id", sealed: a key is taken back only by the sort order that it came from. */
static const char *
seal_cursor(struct req *rq, int list, const char *key_and_id)
{
    return secret_seal(rq->ctx.arena, conf->token_key,
                       arena_printf(rq->ctx.arena, "%s %s", stmts[list].name, key_and_id));
}

static bool
open_cursor(struct req *rq, int list, struct pg_page *page)
{
    char *text = secret_unseal(rq->ctx.arena, conf->token_key, rq->paging.cursor);
    size_t name = strlen(stmts[list].name);

    if (text == NULL || strncmp(text, stmts[list].name, name) != 0 || text[name] != ' ')
        return false;
    char *id = strrchr(text + name + 1, ' ');
    if (id == NULL || !uuid_parse(id + 1, strlen(id + 1), &page->after_id))
        return false;
    *id = '\0';
    page->after_key = text + name + 1;
    return true;
}

static enum err
page_of(struct req *rq, int list, int count, struct pg_page *page, const struct pg_arg *args,
        size_t n)
{
    struct paging *p = &rq->paging;

    demand_declared(rq->endpoint, list);
    text_clear(&rq->reply);
    enum err e = pg_page_args(&rq->ctx, list, count, page, &rq->reply, args, n);
    p->total = page->total;
    p->capped = p->total > PAGE_TOTAL_MAX;
    if (p->capped)
        p->total = PAGE_TOTAL_MAX;
    if (e == OK && page->cursor != NULL && page->rows == p->per_page)
        p->next = seal_cursor(rq, list, page->cursor);
    return e;
}

static enum err
demand_depth(struct req *rq)
{
    if (rq->paging.page * rq->paging.per_page <= PAGE_TOTAL_MAX)
        return OK;
    return fail(&rq->ctx, ERR_VALIDATION, "page", "page times per_page must be at most %d",
                PAGE_TOTAL_MAX);
}

enum err
reply_page_args(struct req *rq, int list, int count, const struct pg_arg *args, size_t n)
{
    struct pg_page page = {.limit = rq->paging.per_page,
                           .offset = (rq->paging.page - 1) * rq->paging.per_page};
    enum err e = demand_depth(rq);

    return e != OK ? e : page_of(rq, list, count, &page, args, n);
}

enum err
reply_keyed_page_args(struct req *rq, int list, int count, const struct pg_arg *args, size_t n)
{
    struct pg_page page = {.limit = rq->paging.per_page, .keyed = true};

    if (rq->paging.cursor != NULL) {
        if (!open_cursor(rq, list, &page))
            return fail(&rq->ctx, ERR_VALIDATION, "cursor",
                        "is not one that this list, so sorted, has given");
    } else {
        enum err e = demand_depth(rq);
        if (e != OK)
            return e;
        page.offset = (rq->paging.page - 1) * rq->paging.per_page;
    }
    return page_of(rq, list, count, &page, args, n);
}

enum err
reply_message(struct req *rq, const char *message)
{
    text_clear(&rq->reply);
    text_putc(&rq->reply, '{');
    text_member(&rq->reply, "message", message);
    text_putc(&rq->reply, '}');
    return OK;
}
