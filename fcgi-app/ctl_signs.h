/*
 * ctl_signs: the signs of the demo pictures, as shapes on a grid of 64 x 64.
 */
#ifndef SOKO_CTL_SIGNS_H
#define SOKO_CTL_SIGNS_H

#include <stddef.h>

enum shape_kind { SHAPE_RECT, SHAPE_OVAL, SHAPE_TRIANGLE };

enum tone {
    TONE_GROUND,
    TONE_SOFT,
    TONE_MAIN,
    TONE_DARK,
    TONE_LIGHT,
    TONE_ACCENT,
    TONE_WHITE,
    TONES
};

/* A rectangle or an oval between two corners, or a triangle of three. */
struct shape {
    enum shape_kind kind;
    enum tone tone;
    int x0, y0, x1, y1, x2, y2;
};

struct sign {
    const char *category; /* the name on a path that it is for */
    const struct shape *shapes;
    size_t count;
};

/* The sign of the last name on the path that has one; a parcel if none has. */
const struct sign *sign_for(const char *path);

#endif
