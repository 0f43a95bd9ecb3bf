/*
 * Drawn by hand, back to front.
 */
#include "ctl_signs.h"

#include <string.h>

#define R(tone, ...)                                                                               \
    {                                                                                              \
        SHAPE_RECT, TONE_##tone, __VA_ARGS__, 0, 0                                                 \
    }
#define O(tone, ...)                                                                               \
    {                                                                                              \
        SHAPE_OVAL, TONE_##tone, __VA_ARGS__, 0, 0                                                 \
    }
#define T(tone, ...)                                                                               \
    {                                                                                              \
        SHAPE_TRIANGLE, TONE_##tone, __VA_ARGS__                                                   \
    }

static const struct shape parcel[] = {
    R(MAIN, 16, 22, 48, 50),
    R(LIGHT, 16, 22, 48, 29),
    R(ACCENT, 29, 22, 35, 50),
};
static const struct shape book[] = {
    R(DARK, 17, 14, 49, 52),   R(WHITE, 19, 46, 49, 50), R(MAIN, 15, 12, 47, 46),
    R(DARK, 15, 12, 20, 50),   R(LIGHT, 25, 20, 42, 23), R(LIGHT, 25, 26, 37, 28),
    O(ACCENT, 33, 32, 43, 42),
};
static const struct shape pencil[] = {
    R(WHITE, 14, 14, 42, 52),         R(SOFT, 18, 20, 38, 22),   R(SOFT, 18, 26, 38, 28),
    R(SOFT, 18, 32, 32, 34),          R(ACCENT, 46, 14, 52, 42), R(DARK, 46, 12, 52, 16),
    T(LIGHT, 46, 42, 52, 42, 49, 52),
};
static const struct shape pot[] = {
    O(DARK, 8, 26, 16, 34),  O(DARK, 48, 26, 56, 34), O(MAIN, 13, 36, 51, 54),
    R(MAIN, 13, 26, 51, 45), R(DARK, 11, 22, 53, 27), O(LIGHT, 29, 12, 35, 19),
    R(DARK, 16, 18, 48, 22),
};
static const struct shape stove[] = {
    R(MAIN, 16, 28, 48, 50),          R(DARK, 13, 24, 51, 29), T(ACCENT, 24, 24, 40, 24, 32, 8),
    T(LIGHT, 28, 24, 36, 24, 32, 14), R(DARK, 24, 38, 40, 46), O(LIGHT, 27, 39, 37, 46),
};
static const struct shape bowl[] = {
    R(DARK, 24, 50, 40, 56),         O(MAIN, 18, 38, 46, 54),         R(MAIN, 18, 33, 46, 46),
    T(MAIN, 12, 33, 18, 33, 18, 46), T(MAIN, 46, 33, 52, 33, 46, 46), O(DARK, 12, 27, 52, 38),
    O(LIGHT, 15, 29, 49, 36),        O(ACCENT, 24, 14, 34, 31),       O(ACCENT, 32, 18, 42, 32),
};
static const struct shape cup[] = {
    O(DARK, 38, 26, 56, 44), O(SOFT, 42, 30, 52, 40), R(MAIN, 16, 22, 44, 46),
    O(MAIN, 16, 38, 44, 52), O(DARK, 16, 18, 44, 27), O(ACCENT, 19, 20, 41, 26),
    R(LIGHT, 24, 6, 27, 14), R(LIGHT, 33, 8, 36, 15), R(DARK, 12, 52, 48, 55),
};
static const struct shape leaf[] = {
    O(MAIN, 12, 16, 36, 50), O(ACCENT, 30, 12, 52, 44), R(DARK, 23, 20, 25, 56),
    R(DARK, 40, 16, 42, 48), O(LIGHT, 16, 22, 22, 34),
};
static const struct shape bag[] = {
    O(DARK, 22, 8, 42, 28),  O(GROUND, 25, 11, 39, 25), R(MAIN, 14, 20, 50, 54),
    R(DARK, 14, 20, 50, 30), R(LIGHT, 22, 36, 42, 48),  R(ACCENT, 30, 28, 34, 34),
};
static const struct shape tent[] = {
    T(MAIN, 32, 10, 58, 52, 6, 52),
    T(DARK, 32, 10, 42, 52, 22, 52),
    T(LIGHT, 32, 24, 36, 52, 28, 52),
    R(DARK, 4, 52, 60, 55),
};
static const struct shape torch[] = {
    T(WHITE, 32, 22, 58, 6, 58, 40), R(MAIN, 8, 24, 30, 32), T(DARK, 26, 28, 38, 14, 38, 42),
    R(ACCENT, 14, 22, 20, 25),       R(DARK, 6, 23, 10, 33),
};
static const struct shape mountain[] = {
    T(MAIN, 24, 14, 46, 52, 2, 52),
    T(WHITE, 24, 14, 31, 26, 17, 26),
    T(DARK, 44, 24, 62, 52, 26, 52),
    O(ACCENT, 46, 8, 58, 20),
};
static const struct shape glasses[] = {
    R(DARK, 14, 14, 26, 36),  R(DARK, 38, 14, 50, 36), R(MAIN, 26, 20, 38, 30),
    O(MAIN, 8, 28, 30, 50),   O(MAIN, 34, 28, 56, 50), O(LIGHT, 12, 32, 26, 46),
    O(LIGHT, 38, 32, 52, 46),
};
static const struct shape cloth[] = {
    R(MAIN, 12, 12, 52, 52),  R(LIGHT, 12, 18, 52, 22), R(ACCENT, 12, 26, 52, 38),
    R(LIGHT, 12, 42, 52, 46), O(WHITE, 26, 26, 38, 38), R(DARK, 14, 52, 16, 57),
    R(DARK, 24, 52, 26, 57),  R(DARK, 38, 52, 40, 57),  R(DARK, 48, 52, 50, 57),
};
static const struct shape dress[] = {
    R(DARK, 24, 8, 27, 18),          R(DARK, 37, 8, 40, 18),    R(MAIN, 22, 16, 42, 34),
    T(MAIN, 32, 16, 54, 56, 10, 56), R(ACCENT, 22, 31, 42, 35), T(LIGHT, 32, 40, 37, 56, 27, 56),
};
static const struct shape shirt[] = {
    T(DARK, 22, 14, 22, 30, 6, 28),   T(DARK, 42, 14, 42, 30, 58, 28), R(MAIN, 20, 14, 44, 54),
    T(WHITE, 25, 14, 39, 14, 32, 24), R(LIGHT, 31, 24, 33, 54),        R(ACCENT, 36, 28, 42, 34),
};
static const struct shape trousers[] = {
    R(MAIN, 18, 10, 46, 26), R(MAIN, 18, 24, 30, 56),   R(MAIN, 34, 24, 46, 56),
    R(DARK, 18, 10, 46, 14), R(ACCENT, 30, 10, 34, 14), R(LIGHT, 22, 18, 27, 24),
};
static const struct shape shoe[] = {
    O(MAIN, 22, 26, 58, 54),         R(SOFT, 6, 49, 58, 58),   R(MAIN, 8, 20, 28, 49),
    T(MAIN, 28, 20, 28, 40, 46, 34), R(DARK, 6, 46, 58, 51),   R(LIGHT, 26, 30, 34, 32),
    R(LIGHT, 30, 35, 39, 37),        R(ACCENT, 8, 20, 28, 24),
};
static const struct shape phone[] = {
    R(DARK, 20, 8, 44, 56),    R(LIGHT, 22, 12, 42, 48), R(MAIN, 22, 30, 42, 48),
    O(ACCENT, 27, 18, 37, 28), O(WHITE, 30, 50, 34, 54),
};
static const struct shape plug[] = {
    R(MAIN, 20, 24, 44, 46), R(DARK, 25, 12, 29, 24),           R(DARK, 35, 12, 39, 24),
    R(DARK, 30, 46, 34, 58), T(ACCENT, 34, 26, 26, 37, 33, 37), T(ACCENT, 31, 34, 38, 34, 30, 45),
};
static const struct shape speaker[] = {
    R(MAIN, 18, 8, 46, 56),  O(DARK, 25, 12, 39, 26),  O(LIGHT, 29, 16, 35, 22),
    O(DARK, 21, 29, 43, 51), O(LIGHT, 27, 35, 37, 45), O(ACCENT, 30, 38, 34, 42),
};
static const struct shape panel[] = {
    O(ACCENT, 40, 6, 56, 22), R(DARK, 10, 20, 50, 48), R(MAIN, 12, 22, 23, 33),
    R(MAIN, 25, 22, 36, 33),  R(MAIN, 38, 22, 48, 33), R(LIGHT, 12, 35, 23, 46),
    R(MAIN, 25, 35, 36, 46),  R(MAIN, 38, 35, 48, 46), T(DARK, 30, 46, 40, 58, 20, 58),
};
static const struct shape bulb[] = {
    O(ACCENT, 16, 8, 48, 40), O(WHITE, 22, 14, 32, 24), R(ACCENT, 26, 36, 38, 44),
    R(DARK, 25, 43, 39, 46),  R(MAIN, 26, 47, 38, 50),  R(DARK, 28, 51, 36, 55),
};
static const struct shape laptop[] = {
    R(DARK, 14, 14, 50, 42), R(LIGHT, 17, 17, 47, 39),  R(MAIN, 21, 21, 37, 24),
    R(MAIN, 21, 27, 43, 30), R(ACCENT, 21, 33, 31, 36), R(MAIN, 8, 43, 56, 49),
};
static const struct shape sack[] = {
    O(MAIN, 12, 24, 52, 58),         R(MAIN, 16, 22, 48, 48),         R(DARK, 18, 16, 46, 22),
    T(LIGHT, 18, 16, 26, 8, 32, 16), T(LIGHT, 32, 16, 40, 8, 46, 16), R(WHITE, 22, 32, 42, 46),
    O(ACCENT, 28, 35, 36, 43),
};
static const struct shape beans[] = {
    O(MAIN, 10, 20, 34, 36),  O(DARK, 28, 32, 52, 48), O(ACCENT, 32, 12, 54, 27),
    O(LIGHT, 12, 40, 32, 54), O(SOFT, 18, 25, 24, 28), O(SOFT, 38, 37, 44, 40),
};
static const struct shape jar[] = {
    R(DARK, 20, 10, 44, 18),  R(ACCENT, 17, 20, 47, 54), R(LIGHT, 17, 20, 47, 26),
    R(WHITE, 21, 31, 43, 46), O(MAIN, 27, 34, 37, 44),
};
static const struct shape fruit[] = {
    O(MAIN, 12, 20, 40, 52), O(ACCENT, 30, 26, 56, 54), R(DARK, 25, 12, 27, 24),
    O(DARK, 27, 10, 41, 18), O(LIGHT, 17, 26, 24, 34),  O(WHITE, 36, 32, 41, 38),
};
static const struct shape plant[] = {
    R(DARK, 31, 22, 33, 44), O(MAIN, 32, 10, 54, 28), O(ACCENT, 12, 16, 32, 32),
    O(DARK, 10, 42, 54, 56), R(SOFT, 8, 50, 56, 58),  R(LIGHT, 10, 48, 54, 51),
};
static const struct shape spade[] = {
    R(DARK, 30, 8, 34, 36),          R(DARK, 24, 6, 40, 10),   R(MAIN, 23, 34, 41, 46),
    T(MAIN, 23, 46, 41, 46, 32, 58), R(LIGHT, 31, 38, 33, 48),
};
static const struct shape soap[] = {
    O(MAIN, 12, 26, 52, 50),  R(MAIN, 16, 28, 48, 48),  O(LIGHT, 20, 30, 44, 42),
    O(WHITE, 14, 12, 24, 22), O(ACCENT, 28, 8, 36, 16), O(WHITE, 42, 14, 50, 22),
};
static const struct shape bottle[] = {
    R(DARK, 27, 8, 37, 18),    R(MAIN, 21, 18, 43, 56), R(WHITE, 24, 28, 40, 46),
    O(ACCENT, 28, 32, 36, 42), R(DARK, 21, 18, 43, 21),
};
static const struct shape comb[] = {
    R(MAIN, 12, 16, 52, 28),   R(MAIN, 14, 28, 18, 50), R(MAIN, 22, 28, 26, 50),
    R(MAIN, 30, 28, 34, 50),   R(MAIN, 38, 28, 42, 50), R(MAIN, 46, 28, 50, 50),
    R(ACCENT, 16, 19, 48, 22),
};
static const struct shape lipstick[] = {
    R(ACCENT, 26, 14, 38, 32), T(ACCENT, 26, 14, 38, 14, 38, 6), R(LIGHT, 24, 30, 40, 38),
    R(DARK, 21, 38, 43, 56),   R(MAIN, 21, 46, 43, 49),
};
static const struct shape bed[] = {
    R(DARK, 6, 16, 10, 54),   R(DARK, 54, 30, 58, 54),  R(MAIN, 10, 34, 54, 48),
    R(LIGHT, 10, 30, 30, 38), R(WHITE, 12, 26, 24, 34), R(ACCENT, 30, 34, 54, 40),
};
static const struct shape stool[] = {
    O(DARK, 12, 18, 52, 32),         O(MAIN, 12, 14, 52, 28), T(DARK, 18, 28, 24, 30, 14, 56),
    T(DARK, 40, 30, 46, 28, 50, 56), R(MAIN, 30, 30, 34, 58), O(LIGHT, 20, 17, 44, 24),
};
static const struct shape frame[] = {
    R(DARK, 10, 14, 54, 50),           R(WHITE, 14, 18, 50, 46), T(MAIN, 24, 26, 40, 46, 14, 46),
    T(ACCENT, 38, 30, 50, 46, 28, 46), O(LIGHT, 40, 20, 47, 27),
};
static const struct shape basket[] = {
    O(DARK, 16, 8, 48, 48),  O(GROUND, 19, 11, 45, 45), R(MAIN, 12, 28, 52, 46),
    O(MAIN, 12, 38, 52, 56), R(LIGHT, 12, 31, 52, 34),  R(ACCENT, 12, 38, 52, 41),
    R(DARK, 11, 26, 53, 29),
};
static const struct shape bucket[] = {
    O(DARK, 14, 8, 50, 42),          O(GROUND, 17, 11, 47, 39),       R(MAIN, 18, 24, 46, 54),
    T(MAIN, 18, 24, 18, 54, 12, 24), T(MAIN, 46, 24, 46, 54, 52, 24), R(LIGHT, 12, 24, 52, 28),
    R(ACCENT, 16, 38, 48, 42),
};

#define SIGN(name, shapes)                                                                         \
    {                                                                                              \
        name, shapes, sizeof(shapes) / sizeof((shapes)[0])                                         \
    }
static const struct sign signs[] = {
    SIGN("", parcel),
    SIGN("Books", book),
    SIGN("Stationery", pencil),
    SIGN("Kitchen", bowl),
    SIGN("Cookware", pot),
    SIGN("Stoves", stove),
    SIGN("Tea and coffee", cup),
    SIGN("Spices", leaf),
    SIGN("Outdoors", mountain),
    SIGN("Bags", bag),
    SIGN("Camping", tent),
    SIGN("Torches", torch),
    SIGN("Wildlife watching", glasses),
    SIGN("Clothing", shirt),
    SIGN("Kikoi and kanga", cloth),
    SIGN("Women", dress),
    SIGN("Tops", shirt),
    SIGN("Trousers", trousers),
    SIGN("Shoes", shoe),
    SIGN("Electronics", plug),
    SIGN("Phones", phone),
    SIGN("Chargers and cables", plug),
    SIGN("Audio", speaker),
    SIGN("Solar", panel),
    SIGN("Lamps", bulb),
    SIGN("Computers", laptop),
    SIGN("Groceries", jar),
    SIGN("Grains and flour", sack),
    SIGN("Pulses", beans),
    SIGN("Fruit and vegetables", fruit),
    SIGN("Oils and sauces", bottle),
    SIGN("Farm", plant),
    SIGN("Tools", spade),
    SIGN("Beauty", bottle),
    SIGN("Soaps", soap),
    SIGN("Hair", comb),
    SIGN("Make-up", lipstick),
    SIGN("Home", basket),
    SIGN("Bedding", bed),
    SIGN("Furniture", stool),
    SIGN("Decoration", frame),
    SIGN("Cleaning", bucket),
};
#define SIGNS (sizeof(signs) / sizeof(signs[0]))

const struct sign *
sign_for(const char *path)
{
    const struct sign *found = &signs[0];

    for (const char *s = path;; s += strspn(s, " >")) {
        size_t len = strcspn(s, ">");
        const char *next = s + len;
        while (len > 0 && s[len - 1] == ' ')
            len--;
        for (size_t i = 1; i < SIGNS; i++) {
            if (strlen(signs[i].category) == len && memcmp(signs[i].category, s, len) == 0)
                found = &signs[i];
        }
        if (*next == '\0')
            return found;
        s = next;
    }
}
