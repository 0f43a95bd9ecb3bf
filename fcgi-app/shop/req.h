/*
 * shop/req: what an endpoint sees of a request, and how it answers.
 *
 * A handler gets a request that is matched, limited, authorised and validated; unless it is a GET,
 * inside a transaction that io/tx owns. It returns an error or OK, by fail() with words for the
 * caller; it frees nothing, writes no header, and may run again whole.
 */
#ifndef SOKO_SHOP_REQ_H
#define SOKO_SHOP_REQ_H

#include "base/multipart.h"
#include "base/text.h"
#include "io/ctx.h"
#include "io/pg.h"
#include "io/tx.h"
#include "shop/endpoint.h"
#include "shop/stmt.h"

#include <stdbool.h>
#include <stdint.h>

#define REPLY_MAX ((size_t)16 << 20) /* bytes of data in an answer */

/* Of a page of a list. `page` and `per_page` come from the query; app.c fills them. */
struct paging {
    int64_t page, per_page;
    const char *cursor; /* as the client sent it: goes on behind it, whatever `page` says */
    int64_t total;      /* -1: the answer is no page */
    bool capped;        /* total is the cap, the truth is more */
    const char *next;   /* the cursor behind this page; NULL: there is none */
};

struct req {
    struct ctx ctx;
    const struct endpoint *endpoint;
    struct uuid ids[2];   /* from the path */
    const char *words[2]; /* from the path too: where its row says ID_TOKEN */
    int64_t numbers[2];   /* from the path too: where its row says ID_NUMBER */
    const void *in;       /* the struct that endpoint->in describes; NULL if it takes nothing */
    const void *raw;      /* the body's bytes, if the endpoint takes it raw */
    size_t raw_len;
    const char *signature; /* Stripe-Signature, or "" */
    struct upload upload;  /* the file, if endpoint->upload names its field */
    const char *address;   /* the client's, as nginx saw it */
    const char *network;   /* the same for IPv4; of IPv6 its first half: what limits count */
    const char *agent;     /* User-Agent, or "" */
    int64_t if_match;      /* the version that If-Match names; -1: none; 0: one that cannot be */
    struct paging paging;  /* for SHAPE_PAGE */
    void *step;            /* handed from start to call to finish */
    const char *note;  /* what start leaves for a retry of its key that never came to an answer, and
                        * finds there; NULL: nothing */
    struct text reply; /* the JSON of `data` */
    struct text facets; /* the JSON of `meta.facets`; empty: none */
};

/* The actor and what he has seen, as the CLAIM statements take them after the id. */
#define ARG_CLAIM(rq)                                                                              \
    ARG_ID((rq)->ctx.actor.account), ARG_BOOL((rq)->ctx.actor.role == ROLE_ADMIN),                 \
        (rq)->if_match < 0 ? ARG_NULL : ARG_INT((rq)->if_match)

/* A time that a client sent (FORMAT_TIME); null if he did not. */
struct pg_arg req_time(const char *text);

/* Answers with the first row of `stmt`, as an object; ERR_NOT_FOUND if there is none. */
#define reply_rows(rq, stmt, ...) reply_rows_args((rq), (stmt), PG_ARGS(__VA_ARGS__))
enum err reply_rows_args(struct req *rq, int stmt, const struct pg_arg *args, size_t n);

/* Answers with all rows, as a list. */
#define reply_list(rq, stmt, ...) reply_list_args((rq), (stmt), PG_ARGS(__VA_ARGS__))
enum err reply_list_args(struct req *rq, int stmt, const struct pg_arg *args, size_t n);

/* Answers with a page: `list` takes the arguments, limit and offset; `count` the arguments. The
 * total is exact to PAGE_TOTAL_MAX. */
#define PAGE_TOTAL_MAX 10000
#define reply_page(rq, list, count, ...)                                                           \
    reply_page_args((rq), (list), (count), PG_ARGS(__VA_ARGS__))
enum err reply_page_args(struct req *rq, int list, int count, const struct pg_arg *args, size_t n);

/* The same for a list that also takes a cursor (its statement: sql/queries/catalog.sql). A cursor
 * is sealed, and belongs to the statement that made it; ERR_VALIDATION on `cursor` for any other.
 */
#define reply_keyed_page(rq, list, count, ...)                                                     \
    reply_keyed_page_args((rq), (list), (count), PG_ARGS(__VA_ARGS__))
enum err reply_keyed_page_args(struct req *rq, int list, int count, const struct pg_arg *args,
                               size_t n);

/* Answers {"message": message}. */
enum err reply_message(struct req *rq, const char *message);

/* The two fields of every paged query; put them first in the input table, and `int64_t page,
 * per_page;` after `sent` in the struct. */
#define PAGE_FIELDS(type)                                                                          \
    FIELD(type, page, .min = 1, .max = PAGE_TOTAL_MAX, .eg = "1", .doc = "Which page, from 1")     \
    , FIELD(type, per_page, .min = 1, .max = 100, .eg = "10", .doc = "Entries a page")

#endif
