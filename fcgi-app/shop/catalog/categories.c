/*
 * Names are unique over the whole tree, whatever the case, so that a shopper who reads one knows
 * which it is.
 */
#include "shop/catalog/categories.h"
#include "io/pg.h"
#include "shop/outbox.h"
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

struct category_change {
    uint64_t sent;
    const char *name;
    struct uuid parent_id;
};
static const struct field category_change_fields[] = {
    FIELD(struct category_change, name, .min = 1, .max = 255, .eg = "Books and maps",
          .doc = "A new name"),
    FIELD(struct category_change, parent_id, .nullable = true,
          .eg = "01920000-0000-7000-8000-000000000003",
          .doc = "Hangs it, and all below it, elsewhere; null: at the top"),
};
static const struct input category_change = INPUT(category_change, "CategoryChange", NULL);

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

static enum err
update(struct req *rq)
{
    const struct category_change *in = rq->in;

    if (!uuid_is_nil(in->parent_id)) {
        enum err e =
            pg_run(&rq->ctx, CATALOG_CATEGORY_MAY_HANG, ARG_ID(rq->ids[0]), ARG_ID(in->parent_id));
        if (e != OK)
            return e;
    }
    pg_queue(&rq->ctx, CATALOG_CATEGORY_UPDATE, ARG_ID(rq->ids[0]), ARG_TEXT(in->name),
             ARG_BOOL(input_sent(&category_change, in, "parent_id")),
             ARG_ID_OR_NULL(in->parent_id));
    if (in->name != NULL)
        outbox_add(&rq->ctx, EVENT_NAMES_CHANGED, rq->ids[0], (struct uuid){{0}});
    return reply_rows(rq, CATALOG_CATEGORY_SHOW, ARG_ID(rq->ids[0]));
}

static enum err delete (struct req *rq) {
    enum err e = pg_run(&rq->ctx, CATALOG_CATEGORY_DELETE, ARG_ID(rq->ids[0]));

    return e != OK ? e : reply_message(rq, "category deleted");
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
const struct endpoint categories_update = {
    .name = "category_update",
    .tag = "Categories",
    .doc = "Renames a category, or hangs it elsewhere.",
    .run = update,
    .in = &category_change,
    .out = &category_out,
    .replies = {CATALOG_CATEGORY_SHOW},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND, ERR_CONFLICT},
};
const struct endpoint categories_delete = {
    .name = "category_delete",
    .tag = "Categories",
    .doc = "Deletes a category without products, and without others below it.",
    .run = delete,
    .out = &message_out,
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND, ERR_CONFLICT},
};
