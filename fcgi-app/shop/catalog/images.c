/*
 * A picture is a row that names a file of shop/media. The row is asked for first: who may not, and
 * who has no room left, leaves no file behind.
 *
 * Pictures count from 1 without a gap. To take one away each later one moves into the place before
 * it, and the last place goes, so that no two ever want the same.
 */
#include "shop/catalog/images.h"
#include "io/pg.h"
#include "shop/catalog/products.h"
#include "shop/media.h"
#include "shop/req.h"

struct owner_row {
    struct uuid store_id;
};
static const struct field owner_row_fields[] = {FIELD(struct owner_row, store_id)};
static const struct input owner_row = INPUT(owner_row, "ProductOwner", NULL);

static enum err
add(struct req *rq)
{
    struct ctx *ctx = &rq->ctx;
    struct owner_row owner = {0};
    struct media media;

    enum err e =
        pg_one(ctx, CATALOG_PRODUCT_CLAIM, &owner_row, &owner, ARG_ID(rq->ids[0]), ARG_CLAIM(rq));
    if (e == OK)
        e = media_read(ctx, rq->endpoint->upload, &rq->upload, &media);
    if (e == OK)
        e = pg_run(ctx, CATALOG_IMAGE_ADD, ARG_ID(rq->ids[0]), ARG_TEXT(media.url),
                   ARG_INT(IMAGES_MAX));
    if (e == OK)
        e = media_store(ctx, &media);
    if (e != OK)
        return e;
    return reply_rows(rq, CATALOG_PRODUCT_OWN, ARG_ID(rq->ids[0]), ARG_ID(owner.store_id));
}

/* The file stays for the sweep (shop/media_sweep.c): another product may show it too. */
static enum err
remove_one(struct req *rq)
{
    pg_queue(&rq->ctx, CATALOG_PRODUCT_CLAIM, ARG_ID(rq->ids[0]), ARG_CLAIM(rq));
    enum err e =
        pg_run(&rq->ctx, CATALOG_IMAGE_REMOVE, ARG_ID(rq->ids[0]), ARG_INT(rq->numbers[1]));
    return e != OK ? e : reply_message(rq, "image deleted");
}

const struct endpoint images_add = {
    .name = "product_image_add",
    .tag = "Selling",
    .doc = "Adds a picture to a product of yours: JPEG, PNG or WebP, behind those that it has.",
    .run = add,
    .upload = "image",
    .out = &product_out,
    .status = 201,
    .replies = {CATALOG_PRODUCT_OWN},
    .errors = {ERR_VALIDATION, ERR_FORBIDDEN, ERR_NOT_FOUND, ERR_CONFLICT, ERR_PRECONDITION_FAILED},
};
const struct endpoint images_remove = {
    .name = "product_image_delete",
    .tag = "Selling",
    .doc = "Takes the n-th picture from a product of yours; those behind it move up.",
    .run = remove_one,
    .out = &message_out,
    .errors = {ERR_VALIDATION, ERR_FORBIDDEN, ERR_NOT_FOUND, ERR_PRECONDITION_FAILED},
};
