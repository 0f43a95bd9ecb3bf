/*
 * The ways to answer. Each writes the JSON of `data`; app.c puts the envelope around it.
 *
 * An endpoint names the statements that it answers with (endpoint.replies), so that a test can hold
 * their columns against the output schema; answering with another would escape the test, and
 * aborts.
 */
#include "shop/req.h"

#include <stdlib.h>

static const struct out_field message_fields[] = {
    {"message", OUT_TEXT, .eg = "done", .doc = "What was done, in words"},
};
const struct output message_out = OUTPUT(message_fields, "Message");

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

enum err
reply_page_args(struct req *rq, int list, int count, const struct pg_arg *args, size_t n)
{
    struct paging *p = &rq->paging;

    demand_declared(rq->endpoint, list);
    if (p->page * p->per_page > PAGE_TOTAL_MAX)
        return fail(&rq->ctx, ERR_VALIDATION, "page", "page times per_page must be at most %d",
                    PAGE_TOTAL_MAX);
    text_clear(&rq->reply);
    enum err e = pg_page_args(&rq->ctx, list, count, p->per_page, (p->page - 1) * p->per_page,
                              &rq->reply, &p->total, args, n);
    p->capped = p->total > PAGE_TOTAL_MAX;
    if (p->capped)
        p->total = PAGE_TOTAL_MAX;
    return e;
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
