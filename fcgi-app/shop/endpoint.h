/*
 * shop/endpoint: an endpoint is data.
 *
 * From these tables come dispatch, validation, the OpenAPI document, the contract test and the
 * tenancy test. Nothing about an endpoint is said twice.
 */
#ifndef SOKO_SHOP_ENDPOINT_H
#define SOKO_SHOP_ENDPOINT_H

#include "base/err.h"
#include "base/fields.h"

#include <stdbool.h>
#include <stddef.h>

struct req;
struct output;

enum out_kind {
    OUT_TEXT,
    OUT_ID,
    OUT_INT,
    OUT_NUMBER, /* a JSON number that may have a fraction; never money */
    OUT_BOOL,
    OUT_TIME,
    OUT_MONEY, /* a decimal string */
    OUT_JSON,  /* a string or an object, given back as it was sent */
    OUT_OBJECT,
    OUT_LIST
};

/* One member of an answer. */
struct out_field {
    const char *name;
    enum out_kind kind;
    bool nullable;
    const struct output *of; /* OUT_OBJECT, OUT_LIST: of what */
    const char *one_of;      /* "pending|paid": the only words that appear */
    const char *eg;          /* an example, bare */
    const char *doc;
};

/* The schema of an answer, or of a part of one. */
struct output {
    const char *name; /* in the OpenAPI document: "Product" */
    const struct out_field *fields;
    size_t count;
};

#define OUTPUT(table, schema)                                                                      \
    {                                                                                              \
        .name = (schema), .fields = (table), .count = sizeof(table) / sizeof((table)[0])           \
    }

/* {"message": "..."}: what a deletion answers. */
extern const struct output message_out;

enum shape {
    SHAPE_OBJECT = 0, /* data is one object */
    SHAPE_LIST,       /* data is a list, whole */
    SHAPE_PAGE        /* data is a page of a list; meta.pagination says which */
};

struct endpoint {
    const char *name; /* the operation's id: "cart_add_item" */
    const char *tag;  /* its chapter in the documentation: "Cart" */
    const char *doc;  /* one sentence */

    /* The work. A GET runs without a transaction and must be a read of one statement, or of
     * several that need not agree; anything else runs inside one. */
    enum err (*run)(struct req *rq);

    /* For what calls a provider, instead of `run`: start() commits an attempt, call() holds no
     * transaction, finish() commits outcome and answer. They hand data on in rq->step. After a
     * crash, a retry under the same Idempotency-Key runs start() again, which must find its own
     * attempt. */
    enum err (*start)(struct req *rq);
    enum err (*call)(struct req *rq);
    enum err (*finish)(struct req *rq);

    const struct input *in; /* of the body, or of the query string for GET; NULL: takes nothing */
    bool raw;  /* takes any body as it is, in rq->raw: a webhook. With it, `in` is NULL */
    bool bare; /* answers without the envelope, what a provider wants to hear; errors keep it */
    const char *type;   /* Content-Type of such an answer that is no JSON but text/plain; `out`
                           is NULL then */
    const char *upload; /* takes a form (multipart/form-data) with one file, in the field of
                           this name; NULL: it does not. With it, `in` is NULL */
    const struct output *out; /* of one object in the answer */
    enum shape shape;
    const struct output *facets; /* of meta.facets; NULL: it answers none. One schema: "Facets" */
    int status;                  /* of success; 0 is 200 */
    int replies[12];    /* the statements whose rows are the answer, ending with 0; none if it is
                           written in C */
    enum err errors[8]; /* that it may answer beyond what any route may (app.c), ending with OK */
    bool unkeyed;       /* takes no Idempotency-Key, although it is a POST of the signed in */
    bool secret;        /* the answer holds a secret: it is never stored for a replay */
};

#endif
