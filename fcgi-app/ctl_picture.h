/*
 * ctl_picture: pictures of demo goods, drawn and not downloaded: a flat tile with a simple sign of
 * what kind of thing it is. The same words give the same picture, byte for byte.
 */
#ifndef SOKO_CTL_PICTURE_H
#define SOKO_CTL_PICTURE_H

#include "base/arena.h"

/* A PNG of 320 x 320 pixels in the arena. `category` is a path ("Kitchen > Spices"), which chooses
 * sign and colours; `sku` varies them. */
const char *demo_picture(struct arena *a, const char *category, const char *sku, size_t *len);

#endif
