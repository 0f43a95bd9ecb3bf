/*
 * Names are unique over the whole tree, whatever the case, so that a shopper who reads one knows
 * which it is.
 */
#include "shop/catalog/categories.h"
#include "io/pg.h"
#include "shop/req.h"

struct category_in {
    uint64_t sent;
    const char *name;
    struct uuid parent_id;
};
static const struct field category_in_fields[] = {
    FIELD(struct category_in, name, .required = true, .max = 255, .eg = "Books",
          .doc = "Unique, whatever the case"),
    FIELD(struct category_in, parent_id, .nullable = true,
          .eg = "01920000-0000-7000-8000-000000000003", .doc = "The category that it is below"),
};
static const struct input category_in = INPUT(category_in, "CategoryInput", NULL);

static const struct out_field category_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000003", .doc = "The category"},
    {"parent_id", OUT_ID, .nullable = true, .eg = "01920000-0000-7000-8000-000000000004",
     .doc = "The one above; null at the top"},
    {"name", OUT_TEXT, .eg = "Books", .doc = "Its name"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was made"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was changed last"},
};
static const struct output category_out = OUTPUT(category_fields, "Category");

static enum err
create(struct req *rq)
{
    const struct category_in *in = rq->in;
    struct uuid id = uuid_v7(rq->ctx.now_ms);

    pg_queue(&rq->ctx, CATALOG_CATEGORY_ADD, ARG_ID(id), ARG_ID_OR_NULL(in->parent_id),
             ARG_TEXT(in->name));
    return reply_rows(rq, CATALOG_CATEGORY_SHOW, ARG_ID(id));
}

static enum err
list(struct req *rq)
{
    return reply_list(rq, CATALOG_CATEGORIES, ARG_NONE);
}

const struct endpoint categories_create = {
    .name = "category_create",
    .tag = "Categories",
    .doc = "Adds a category.",
    .run = create,
    .in = &category_in,
    .out = &category_out,
    .status = 201,
    .replies = {CATALOG_CATEGORY_SHOW},
    .errors = {ERR_VALIDATION, ERR_CONFLICT},
};
const struct endpoint categories_list = {
    .name = "category_list",
    .tag = "Categories",
    .doc = "All categories, by name.",
    .run = list,
    .out = &category_out,
    .shape = SHAPE_LIST,
    .replies = {CATALOG_CATEGORIES},
};
