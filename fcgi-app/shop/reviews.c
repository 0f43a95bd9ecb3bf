/*
 * A product's rating is kept by the catalogue as a count and a sum, written with the review, so
 * that lists need not read reviews.
 */
#include "shop/reviews.h"
#include "io/pg.h"
#include "shop/catalog/products.h"
#include "shop/req.h"

struct review_in {
    uint64_t sent;
    int64_t rating;
    const char *comment;
};
static const struct field review_in_fields[] = {
    FIELD(struct review_in, rating, .required = true, .min = 1, .max = 5, .eg = "5",
          .doc = "5 is best"),
    FIELD(struct review_in, comment, .max = 5000, .eg = "Came the next day", .doc = "In words"),
};
static const struct input review_in = INPUT(review_in, "ReviewInput", NULL);

struct review_change {
    uint64_t sent;
    int64_t rating;
    const char *comment;
};
static const struct field review_change_fields[] = {
    FIELD(struct review_change, rating, .min = 1, .max = 5, .eg = "4", .doc = "5 is best"),
    FIELD(struct review_change, comment, .nullable = true, .max = 5000,
          .eg = "Still good after a month", .doc = "In words; null takes them away"),
};
static const struct input review_change = INPUT(review_change, "ReviewChange", NULL);

struct claim_row {
    struct uuid product_id;
    int64_t rating;
};
static const struct field claim_row_fields[] = {
    FIELD(struct claim_row, product_id),
    FIELD(struct claim_row, rating),
};
static const struct input claim_row = INPUT(claim_row, "ReviewClaim", NULL);

struct list_query {
    uint64_t sent;
    int64_t page, per_page;
};
static const struct field list_query_fields[] = {PAGE_FIELDS(struct list_query)};
static const struct input list_query = INPUT(list_query, "ReviewQuery", NULL);

static const struct out_field review_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000008", .doc = "The review"},
    {"product_id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000005", .doc = "Of what"},
    {"user_name", OUT_TEXT, .eg = "Ann Wanjiru", .doc = "By whom"},
    {"rating", OUT_INT, .eg = "5", .doc = "1 to 5"},
    {"comment", OUT_TEXT, .nullable = true, .eg = "Came the next day", .doc = "In words"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was written"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was changed last"},
};
static const struct output review_out = OUTPUT(review_fields, "Review");

static enum err
create(struct req *rq)
{
    const struct review_in *in = rq->in;
    struct ctx *ctx = &rq->ctx;
    struct uuid id = uuid_v7(ctx->now_ms);

    enum err e = pg_run(ctx, REVIEWS_MAY_ADD, ARG_ID(rq->ids[0]), ARG_ID(ctx->actor.account));
    if (e != OK)
        return e;
    pg_queue(ctx, REVIEWS_ADD, ARG_ID(id), ARG_ID(rq->ids[0]), ARG_ID(ctx->actor.account),
             ARG_INT(in->rating), ARG_TEXT(in->comment));
    products_count_rating(ctx, rq->ids[0], 1, in->rating);
    return reply_rows(rq, REVIEWS_SHOW, ARG_ID(id));
}

static enum err
list(struct req *rq)
{
    enum err e = pg_run(&rq->ctx, REVIEWS_PRODUCT, ARG_ID(rq->ids[0]));

    return e != OK ? e : reply_page(rq, REVIEWS_LIST, REVIEWS_COUNT, ARG_ID(rq->ids[0]));
}

static enum err
show(struct req *rq)
{
    return reply_rows(rq, REVIEWS_SHOW, ARG_ID(rq->ids[0]));
}

/* An administrator may take a review away, but not put words into its author's mouth. */
static enum err
claim(struct req *rq, bool admin_may, struct claim_row *out)
{
    bool admin = admin_may && rq->ctx.actor.role == ROLE_ADMIN;

    return pg_one(&rq->ctx, REVIEWS_CLAIM, &claim_row, out, ARG_ID(rq->ids[0]),
                  ARG_ID(rq->ctx.actor.account), ARG_BOOL(admin));
}

static enum err
update(struct req *rq)
{
    const struct review_change *in = rq->in;
    struct claim_row row = {0};

    enum err e = claim(rq, false, &row);
    if (e != OK)
        return e;
    pg_queue(&rq->ctx, REVIEWS_UPDATE, ARG_ID(rq->ids[0]),
             input_sent(&review_change, in, "rating") ? ARG_INT(in->rating) : ARG_NULL,
             ARG_BOOL(input_sent(&review_change, in, "comment")), ARG_TEXT(in->comment));
    if (input_sent(&review_change, in, "rating"))
        products_count_rating(&rq->ctx, row.product_id, 0, in->rating - row.rating);
    return reply_rows(rq, REVIEWS_SHOW, ARG_ID(rq->ids[0]));
}

static enum err delete (struct req *rq) {
    struct claim_row row = {0};

    enum err e = claim(rq, true, &row);
    if (e != OK) return e;
    products_count_rating(&rq->ctx, row.product_id, -1, -row.rating);
    e = pg_run(&rq->ctx, REVIEWS_DELETE, ARG_ID(rq->ids[0]));
    return e != OK ? e : reply_message(rq, "review deleted");
}

const struct endpoint reviews_create = {
    .name = "review_create",
    .tag = "Reviews",
    .doc = "Reviews a product that was shipped to you, once.",
    .run = create,
    .in = &review_in,
    .out = &review_out,
    .status = 201,
    .replies = {REVIEWS_SHOW},
    .errors = {ERR_VALIDATION, ERR_FORBIDDEN, ERR_NOT_FOUND, ERR_CONFLICT},
};
const struct endpoint reviews_list = {
    .name = "review_list",
    .tag = "Reviews",
    .doc = "A product's reviews, newest first.",
    .run = list,
    .in = &list_query,
    .out = &review_out,
    .shape = SHAPE_PAGE,
    .replies = {REVIEWS_LIST},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};
const struct endpoint reviews_show = {
    .name = "review_show",
    .tag = "Reviews",
    .doc = "One review.",
    .run = show,
    .out = &review_out,
    .replies = {REVIEWS_SHOW},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};
const struct endpoint reviews_update = {
    .name = "review_update",
    .tag = "Reviews",
    .doc = "Changes what is sent of your review.",
    .run = update,
    .in = &review_change,
    .out = &review_out,
    .replies = {REVIEWS_SHOW},
    .errors = {ERR_VALIDATION, ERR_FORBIDDEN, ERR_NOT_FOUND},
};
const struct endpoint reviews_delete = {
    .name = "review_delete",
    .tag = "Reviews",
    .doc = "Takes back your review; administrators any.",
    .run = delete,
    .out = &message_out,
    .errors = {ERR_VALIDATION, ERR_FORBIDDEN, ERR_NOT_FOUND},
};
