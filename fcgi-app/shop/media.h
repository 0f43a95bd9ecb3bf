/*
 * shop/media: the images that were uploaded, as files that nginx serves.
 *
 * A file's name is the SHA-256 of its content, so it never changes, two that are alike are one, and
 * to write it again does no harm. Tables hold its URL; a file that none names is an orphan, and is
 * removed once it is conf->media_grace old.
 */
#ifndef SOKO_SHOP_MEDIA_H
#define SOKO_SHOP_MEDIA_H

#include "base/multipart.h"
#include "io/ctx.h"

#include <dirent.h>
#include <stdint.h>

/* An image that may be stored. */
struct media {
    const char *url;  /* "/media/ab/ab12....png" */
    const char *file; /* its name: "ab12....png" */
    const char *data;
    size_t len;
};

/* Names an upload by its content. ERR_VALIDATION on `field` if it is not one whole image that may
 * be served (base/image). Writes nothing. */
enum err media_read(struct ctx *ctx, const char *field, const struct upload *upload,
                    struct media *out);

/* Writes the file, whole or not at all, and makes it young if it is there. Call it before the
 * COMMIT that makes its URL known; without one it is an orphan. ERR_INTERNAL, logged, if the folder
 * cannot be written. */
enum err media_store(struct ctx *ctx, const struct media *media);

/* Where a walk through the folder stands. All zeroes is a walk that begins. */
struct media_sweep {
    unsigned folder; /* of the 256 */
    DIR *open;       /* it, or NULL */
    int64_t began_ms, removed;
};

/* Goes on with the walk, by at most some hundred files, and begins a new one conf->media_sweep
 * after the last began. Asks one statement at most, which needs no transaction. If it fails, what
 * this turn has looked at waits for the next walk. */
enum err media_sweep_turn(struct ctx *ctx, struct media_sweep *sweep);

/* Closes what a walk holds open. */
void media_sweep_end(struct media_sweep *sweep);

#endif
