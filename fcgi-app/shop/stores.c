/*
 * Creating a store gives its owner the role of a seller, in the same transaction. The session that
 * did it stays a buyer's: a session acts in one role, chosen at sign-in or refresh.
 */
#include "shop/stores.h"
#include "io/pg.h"
#include "shop/accounts/accounts.h"
#include "shop/req.h"

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

struct store_row {
    struct uuid id;
};
static const struct field store_row_fields[] = {FIELD(struct store_row, id)};
static const struct input store_row = INPUT(store_row, "StoreOfActor", NULL);

static const struct out_field store_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000002", .doc = "The store"},
    {"name", OUT_TEXT, .eg = "Kibanda Books", .doc = "Its name"},
    {"description", OUT_TEXT, .eg = "Used and new books, Nairobi", .doc = "May be empty"},
    {"status", OUT_TEXT, .one_of = "active|suspended", .eg = "active",
     .doc = "A suspended store's products are not sold"},
    {"version", OUT_INT, .eg = "1", .doc = "Counts changes; for If-Match"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was made"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was changed last"},
};
static const struct output store_out = OUTPUT(store_fields, "Store");

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
