/*
 * Creating a store gives its owner the role of a seller, in the same transaction. The session that
 * did it stays a buyer's: a session acts in one role, chosen at sign-in or refresh.
 */
#include "shop/stores.h"
#include "base/config.h"
#include "io/pg.h"
#include "shop/accounts/accounts.h"
#include "shop/audit.h"
#include "shop/media.h"
#include "shop/outbox.h"
#include "shop/req.h"

#include <inttypes.h>

struct store_in {
    uint64_t sent;
    const char *name, *description;
};
static const struct field store_in_fields[] = {
    FIELD(struct store_in, name, .required = true, .min = 2, .max = 255, .eg = "Kibanda Books",
          .doc = "Unique, whatever the case"),
    FIELD(struct store_in, description, .max = 5000, .eg = "Used and new books, Nairobi",
          .doc = "What the store is about"),
};
static const struct input store_in = INPUT(store_in, "StoreInput", NULL);

struct store_change {
    uint64_t sent;
    const char *name, *description;
};
static const struct field store_change_fields[] = {
    FIELD(struct store_change, name, .min = 2, .max = 255, .eg = "Kibanda Books",
          .doc = "A new name"),
    FIELD(struct store_change, description, .max = 5000, .eg = "Books, maps, music",
          .doc = "A new description"),
};
static const struct input store_change = INPUT(store_change, "StoreChange", NULL);

struct status_in {
    uint64_t sent;
    const char *status;
};
static const struct field status_in_fields[] = {
    FIELD(struct status_in, status, .required = true, .one_of = "active|suspended",
          .eg = "suspended", .doc = "A suspended store's products are not sold"),
};
static const struct input status_in = INPUT(status_in, "StoreStatusInput", NULL);

struct commission_in {
    uint64_t sent;
    int64_t commission_bp;
};
static const struct field commission_in_fields[] = {
    FIELD(struct commission_in, commission_bp, .required = true, .nullable = true, .min = 0,
          .max = 10000, .eg = "850",
          .doc = "Hundredths of a percent of what it sells; null: the platform's usual rate"),
};
static const struct input commission_in = INPUT(commission_in, "StoreCommissionInput", NULL);

struct list_query {
    uint64_t sent;
    int64_t page, per_page;
};
static const struct field list_query_fields[] = {PAGE_FIELDS(struct list_query)};
static const struct input list_query = INPUT(list_query, "StoreQuery", NULL);

struct store_row {
    struct uuid id;
};
static const struct field store_row_fields[] = {FIELD(struct store_row, id)};
static const struct input store_row = INPUT(store_row, "StoreOfActor", NULL);

static const struct out_field store_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000002", .doc = "The store"},
    {"name", OUT_TEXT, .eg = "Kibanda Books", .doc = "Its name"},
    {"description", OUT_TEXT, .eg = "Used and new books, Nairobi", .doc = "May be empty"},
    {"logo_url", OUT_TEXT, .nullable = true, .eg = "/media/ab12.png", .doc = "Its logo"},
    {"status", OUT_TEXT, .one_of = "active|suspended", .eg = "active",
     .doc = "A suspended store's products are not sold"},
    {"version", OUT_INT, .eg = "1", .doc = "Counts changes; for If-Match"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was made"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was changed last"},
};
static const struct output store_out = OUTPUT(store_fields, "Store");

static const struct out_field commission_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000002", .doc = "The store"},
    {"name", OUT_TEXT, .eg = "Kibanda Books", .doc = "Its name"},
    {"commission_bp", OUT_INT, .nullable = true, .eg = "850",
     .doc = "Its own rate, in hundredths of a percent; null: the platform's"},
    {"commission_bp_in_force", OUT_INT, .eg = "850", .doc = "What its next sale will be charged"},
    {"version", OUT_INT, .eg = "1", .doc = "Counts changes; for If-Match"},
};
static const struct output commission_out = OUTPUT(commission_fields, "StoreCommission");

static enum err
create(struct req *rq)
{
    const struct store_in *in = rq->in;
    struct uuid id = uuid_v7(rq->ctx.now_ms);

    pg_queue(&rq->ctx, STORES_ADD, ARG_ID(id), ARG_ID(rq->ctx.actor.account), ARG_TEXT(in->name),
             ARG_TEXT(in->description != NULL ? in->description : ""));
    enum err e = accounts_grant(&rq->ctx, rq->ctx.actor.account, ROLE_SELLER);
    return e != OK ? e : reply_rows(rq, STORES_SHOW, ARG_ID(id));
}

static enum err
show(struct req *rq)
{
    return reply_rows(rq, STORES_SHOW, ARG_ID(rq->ids[0]));
}

static enum err
list(struct req *rq)
{
    return reply_page(rq, STORES_LIST, STORES_COUNT, ARG_NONE);
}

static enum err
update(struct req *rq)
{
    const struct store_change *in = rq->in;

    pg_queue(&rq->ctx, STORES_CLAIM, ARG_ID(rq->ids[0]), ARG_CLAIM(rq));
    pg_queue(&rq->ctx, STORES_UPDATE, ARG_ID(rq->ids[0]), ARG_TEXT(in->name),
             ARG_TEXT(in->description));
    if (in->name != NULL)
        outbox_add(&rq->ctx, EVENT_NAMES_CHANGED, rq->ids[0], (struct uuid){{0}});
    return reply_rows(rq, STORES_SHOW, ARG_ID(rq->ids[0]));
}

static enum err
set_logo(struct req *rq)
{
    struct media media;

    enum err e = pg_run(&rq->ctx, STORES_CLAIM, ARG_ID(rq->ids[0]), ARG_CLAIM(rq));
    if (e == OK)
        e = media_read(&rq->ctx, rq->endpoint->upload, &rq->upload, &media);
    if (e == OK)
        e = media_store(&rq->ctx, &media);
    if (e != OK)
        return e;
    pg_queue(&rq->ctx, STORES_SET_LOGO, ARG_ID(rq->ids[0]), ARG_TEXT(media.url));
    return reply_rows(rq, STORES_SHOW, ARG_ID(rq->ids[0]));
}

static void
queue_claim(struct ctx *ctx, struct uuid id, int64_t seen)
{
    pg_queue(ctx, STORES_CLAIM, ARG_ID(id), ARG_ID(ctx->actor.account), ARG_BOOL(true),
             seen < 0 ? ARG_NULL : ARG_INT(seen));
}

enum err
stores_change_status(struct ctx *ctx, struct uuid id, int64_t seen, const char *status)
{
    queue_claim(ctx, id, seen);
    audit_note(ctx, AUDIT_STORE_STATUS_SET, id, "status", status);
    return pg_run(ctx, STORES_SET_STATUS, ARG_ID(id), ARG_TEXT(status));
}

enum err
stores_change_commission(struct ctx *ctx, struct uuid id, int64_t seen, int64_t bp)
{
    queue_claim(ctx, id, seen);
    audit_note(ctx, AUDIT_COMMISSION_SET, id, "commission_bp",
               bp < 0 ? "usual" : arena_printf(ctx->arena, "%" PRId64, bp));
    return pg_run(ctx, STORES_SET_COMMISSION, ARG_ID(id), bp < 0 ? ARG_NULL : ARG_INT(bp));
}

static enum err
set_status(struct req *rq)
{
    const struct status_in *in = rq->in;
    enum err e = stores_change_status(&rq->ctx, rq->ids[0], rq->if_match, in->status);

    return e != OK ? e : reply_rows(rq, STORES_SHOW, ARG_ID(rq->ids[0]));
}

static enum err
set_commission(struct req *rq)
{
    const struct commission_in *in = rq->in;
    int64_t bp = in->commission_bp == INPUT_NULL ? -1 : in->commission_bp;
    enum err e = stores_change_commission(&rq->ctx, rq->ids[0], rq->if_match, bp);

    return e != OK ? e
                   : reply_rows(rq, STORES_COMMISSION, ARG_ID(rq->ids[0]),
                                ARG_INT(conf->commission_bp));
}

const struct endpoint stores_create = {
    .name = "store_create",
    .tag = "Stores",
    .doc = "Opens your store. Sign in or refresh with role seller to act for it.",
    .run = create,
    .in = &store_in,
    .out = &store_out,
    .status = 201,
    .replies = {STORES_SHOW},
    .errors = {ERR_VALIDATION, ERR_CONFLICT},
};
const struct endpoint stores_show = {
    .name = "store_show",
    .tag = "Stores",
    .doc = "One store.",
    .run = show,
    .out = &store_out,
    .replies = {STORES_SHOW},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};

const struct endpoint stores_list = {
    .name = "store_list",
    .tag = "Stores",
    .doc = "The stores that sell, by name.",
    .run = list,
    .in = &list_query,
    .out = &store_out,
    .shape = SHAPE_PAGE,
    .replies = {STORES_LIST},
    .errors = {ERR_VALIDATION},
};
const struct endpoint stores_update = {
    .name = "store_update",
    .tag = "Stores",
    .doc = "Changes what is sent of your store.",
    .run = update,
    .in = &store_change,
    .out = &store_out,
    .replies = {STORES_SHOW},
    .errors = {ERR_VALIDATION, ERR_FORBIDDEN, ERR_NOT_FOUND, ERR_CONFLICT, ERR_PRECONDITION_FAILED},
};
const struct endpoint stores_set_logo = {
    .name = "store_set_logo",
    .tag = "Stores",
    .doc = "Gives your store a logo, JPEG, PNG or WebP, in the place of the one it has.",
    .run = set_logo,
    .upload = "logo",
    .out = &store_out,
    .replies = {STORES_SHOW},
    .errors = {ERR_VALIDATION, ERR_FORBIDDEN, ERR_NOT_FOUND, ERR_PRECONDITION_FAILED},
};
const struct endpoint stores_set_status = {
    .name = "store_set_status",
    .tag = "Administration",
    .doc = "Suspends a store, or opens it again.",
    .run = set_status,
    .in = &status_in,
    .out = &store_out,
    .replies = {STORES_SHOW},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND, ERR_PRECONDITION_FAILED},
};

enum err
stores_of_actor(struct ctx *ctx, struct uuid named, struct uuid *out)
{
    bool admin = ctx->actor.role == ROLE_ADMIN;
    struct store_row row = {0};

    if (admin && uuid_is_nil(named))
        return fail(ctx, ERR_VALIDATION, "store_id", "is required of an administrator");
    enum err e = pg_one(ctx, STORES_OF_ACTOR, &store_row, &row, ARG_ID(ctx->actor.account),
                        ARG_BOOL(admin), ARG_ID_OR_NULL(named));
    if (e == ERR_NOT_FOUND) {
        problems_clear(&ctx->problems);
        return admin ? fail(ctx, ERR_VALIDATION, "store_id", "is not a known store")
                     : fail(ctx, ERR_FORBIDDEN, NULL, "this account has no store");
    }
    if (e != OK)
        return e;
    if (!uuid_is_nil(named) && !uuid_equal(named, row.id))
        return fail(ctx, ERR_FORBIDDEN, "store_id", "is not your store");
    *out = row.id;
    return OK;
}
const struct endpoint stores_set_commission = {
    .name = "store_set_commission",
    .tag = "Administration",
    .doc = "What the platform takes of what a store sells from now on; orders that are placed keep "
           "their rate.",
    .run = set_commission,
    .in = &commission_in,
    .out = &commission_out,
    .replies = {STORES_COMMISSION},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND, ERR_PRECONDITION_FAILED},
};
