/*
 * base/image: what a file says it is, and whether that is all it is.
 *
 * The container alone is walked: JPEG's segments and scans, PNG's chunks, WebP's RIFF. No pixel is
 * decoded, so nothing here can be made to allocate, and a picture that passes may still be broken
 * inside. What a file is called, and what its sender calls it, does not matter.
 */
#ifndef SOKO_BASE_IMAGE_H
#define SOKO_BASE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#define IMAGE_SIDE_MAX 8192     /* pixels of width or height */
#define IMAGE_AREA_MAX 40000000 /* pixels */

enum image_kind { IMAGE_NONE = 0, IMAGE_JPEG, IMAGE_PNG, IMAGE_WEBP };

struct image {
    enum image_kind kind;
    uint32_t width, height; /* pixels; JPEG: as stored, whatever its EXIF says of turning it */
};

/* Reads `len` bytes. NULL if they are one whole still image and nothing else, and *out says which;
 * else why not, in words that follow the name of a field ("is not a JPEG, PNG or WebP image"). */
const char *image_read(const void *data, size_t len, struct image *out);

/* "jpg", "png", "webp"; "" for IMAGE_NONE. */
const char *image_extension(enum image_kind kind);

#endif
