/*
 * An order keeps a copy of the address, so that editing one changes no order. Making one the
 * default takes it from the others first; the unique index stands behind it.
 */
#include "shop/addresses.h"
#include "io/pg.h"
#include "shop/req.h"

struct address_in {
    uint64_t sent;
    const char *line1, *line2, *city, *country, *postal_code, *phone;
    bool is_default;
};

/* What making one demands, and what changing one may do, differ in two columns. */
#define ADDRESS_FIELDS(needed)                                                                     \
    FIELD(struct address_in, line1, .required = (needed), .min = 1, .max = 255,                    \
          .eg = "Moi Avenue 12", .doc = "Street and number")                                       \
    , FIELD(struct address_in, line2, .nullable = true, .max = 255, .eg = "2nd floor",             \
            .doc = "More of it")                                                                   \
    , FIELD(struct address_in, city, .required = (needed), .min = 1, .max = 255, .eg = "Nairobi",  \
            .doc = "Town")                                                                         \
    , FIELD(struct address_in, country, .required = (needed), .min = 2, .max = 2, .eg = "KE",      \
            .doc = "ISO 3166-1, two letters")                                                      \
    , FIELD(struct address_in, postal_code, .nullable = true, .max = 32, .eg = "00100",            \
            .doc = "As the post writes it")                                                        \
    , FIELD(struct address_in, phone, .nullable = true, .max = 32, .format = FORMAT_PHONE,         \
            .eg = "0712345678", .doc = "Whom the courier calls")                                   \
    , FIELD(struct address_in, is_default, .eg = "true", .doc = "Whether it is the usual one")

static const struct field address_in_fields[] = {ADDRESS_FIELDS(true)};
static const struct field address_change_fields[] = {ADDRESS_FIELDS(false)};

static void
check_address(struct input_errors *errors, const void *body)
{
    const struct address_in *in = body;

    for (const char *c = in->country; c != NULL && *c != '\0'; c++) {
        if (*c < 'A' || *c > 'Z')
            input_reject(errors, "country", "must be two capital letters (ISO 3166-1)");
    }
}
static const struct input address_in = INPUT(address_in, "AddressInput", check_address);
static const struct input address_change = {
    .name = "AddressChange",
    .size = sizeof(struct address_in),
    .fields = address_change_fields,
    .count = sizeof(address_change_fields) / sizeof(address_change_fields[0]),
    .check = check_address,
};

struct copy_row {
    const char *address;
};
static const struct field copy_row_fields[] = {FIELD(struct copy_row, address)};
static const struct input copy_row = INPUT(copy_row, "AddressCopy", NULL);

static const struct out_field address_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000009", .doc = "The address"},
    {"line1", OUT_TEXT, .eg = "Moi Avenue 12", .doc = "Street and number"},
    {"line2", OUT_TEXT, .nullable = true, .eg = "2nd floor", .doc = "More of it"},
    {"city", OUT_TEXT, .eg = "Nairobi", .doc = "Town"},
    {"country", OUT_TEXT, .eg = "KE", .doc = "ISO 3166-1"},
    {"postal_code", OUT_TEXT, .nullable = true, .eg = "00100", .doc = "As the post writes it"},
    {"phone", OUT_TEXT, .nullable = true, .eg = "+254712345678", .doc = "In E.164"},
    {"is_default", OUT_BOOL, .eg = "true", .doc = "Whether it is the usual one"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was made"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was changed last"},
};
static const struct output address_out = OUTPUT(address_fields, "Address");

/* No queued write: there may be no other default, and a queued write must touch a row. */
static enum err
take_default(struct ctx *ctx, struct uuid but)
{
    return pg_touch(ctx, ADDRESSES_UNDEFAULT, NULL, ARG_ID(ctx->actor.account), ARG_ID(but));
}

static enum err
create(struct req *rq)
{
    const struct address_in *in = rq->in;
    struct uuid me = rq->ctx.actor.account, id = uuid_v7(rq->ctx.now_ms);
    enum err e = in->is_default ? take_default(&rq->ctx, id) : OK;

    if (e != OK)
        return e;
    pg_queue(&rq->ctx, ADDRESSES_ADD, ARG_ID(id), ARG_ID(me), ARG_TEXT(in->line1),
             ARG_TEXT(in->line2), ARG_TEXT(in->city), ARG_TEXT(in->country),
             ARG_TEXT(in->postal_code), ARG_TEXT(in->phone), ARG_BOOL(in->is_default));
    return reply_rows(rq, ADDRESSES_SHOW, ARG_ID(id), ARG_ID(me));
}

static enum err
list(struct req *rq)
{
    return reply_list(rq, ADDRESSES_LIST, ARG_ID(rq->ctx.actor.account));
}

static struct pg_arg
was_sent(const struct address_in *in, const char *name)
{
    return ARG_BOOL(input_sent(&address_change, in, name));
}

static enum err
update(struct req *rq)
{
    const struct address_in *in = rq->in;
    struct uuid me = rq->ctx.actor.account, id = rq->ids[0];
    enum err e = in->is_default ? take_default(&rq->ctx, id) : OK;

    if (e == OK)
        e = pg_run(&rq->ctx, ADDRESSES_UPDATE, ARG_ID(id), ARG_ID(me), was_sent(in, "line1"),
                   ARG_TEXT(in->line1), was_sent(in, "line2"), ARG_TEXT(in->line2),
                   was_sent(in, "city"), ARG_TEXT(in->city), was_sent(in, "country"),
                   ARG_TEXT(in->country), was_sent(in, "postal_code"), ARG_TEXT(in->postal_code),
                   was_sent(in, "phone"), ARG_TEXT(in->phone), was_sent(in, "is_default"),
                   ARG_BOOL(in->is_default));
    return e != OK ? e : reply_rows(rq, ADDRESSES_SHOW, ARG_ID(id), ARG_ID(me));
}

static enum err delete (struct req *rq) {
    enum err e = pg_run(&rq->ctx, ADDRESSES_DELETE, ARG_ID(rq->ids[0]),
                        ARG_ID(rq->ctx.actor.account));
    return e != OK ? e : reply_message(rq, "address deleted");
}

const struct endpoint addresses_create = {
    .name = "address_create",
    .tag = "Addresses",
    .doc = "Keeps an address.",
    .run = create,
    .in = &address_in,
    .out = &address_out,
    .status = 201,
    .replies = {ADDRESSES_SHOW},
    .errors = {ERR_VALIDATION},
};
const struct endpoint addresses_list = {
    .name = "address_list",
    .tag = "Addresses",
    .doc = "Your addresses, the usual one first.",
    .run = list,
    .out = &address_out,
    .shape = SHAPE_LIST,
    .replies = {ADDRESSES_LIST},
};
const struct endpoint addresses_update = {
    .name = "address_update",
    .tag = "Addresses",
    .doc = "Changes what is sent of an address.",
    .run = update,
    .in = &address_change,
    .out = &address_out,
    .replies = {ADDRESSES_SHOW},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};
const struct endpoint addresses_delete = {
    .name = "address_delete",
    .tag = "Addresses",
    .doc = "Forgets an address; orders keep their copy.",
    .run = delete,
    .out = &message_out,
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};

enum err
addresses_for_order(struct ctx *ctx, struct uuid id, const char **json)
{
    struct copy_row row = {0};

    enum err e =
        pg_one(ctx, ADDRESSES_FOR_ORDER, &copy_row, &row, ARG_ID(id), ARG_ID(ctx->actor.account));
    if (e == ERR_NOT_FOUND) {
        problems_clear(&ctx->problems);
        return fail(ctx, ERR_VALIDATION, "address_id", "is not one of your addresses");
    }
    *json = row.address;
    return e;
}
