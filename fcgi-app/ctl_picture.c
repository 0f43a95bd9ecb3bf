/*
 * A sign is a row of shapes on a grid of 64 x 64, painted one over the other, each in a tone; a
 * palette gives the tones their colours. The canvas has four dots a pixel, so that edges are
 * smooth.
 *
 * The PNG is written here too: with a palette, and compressed by deflate's fixed codes with two
 * kinds of repetition only, the byte before and the row above. That is all that a flat picture
 * needs (some 3 KiB instead of 100), and spares us a library.
 */
#include "ctl_picture.h"
#include "ctl_signs.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SIDE 320
#define DOTS (2 * SIDE)
#define GRID 64
#define ROW (SIDE + 1) /* a filter byte and the pixels */
#define OUT_MAX ((size_t)SIDE * ROW * 2)
#define COLOURS_MAX 256

struct rgb {
    uint8_t r, g, b;
};

/* In the order of enum tone: ground, soft, main, dark, light, accent, white. */
static const struct rgb palettes[][TONES] = {
    {{253, 240, 213},
     {250, 224, 170},
     {193, 68, 14},
     {120, 40, 8},
     {240, 150, 90},
     {34, 112, 98},
     {255, 252, 245}},
    {{226, 240, 232},
     {198, 226, 210},
     {27, 120, 86},
     {14, 74, 54},
     {110, 190, 150},
     {232, 150, 40},
     {252, 255, 252}},
    {{229, 237, 247},
     {200, 218, 240},
     {36, 84, 150},
     {20, 48, 96},
     {120, 165, 220},
     {235, 120, 60},
     {252, 254, 255}},
    {{250, 230, 232},
     {244, 204, 210},
     {168, 40, 74},
     {104, 20, 44},
     {226, 120, 146},
     {60, 120, 110},
     {255, 250, 251}},
    {{243, 236, 250},
     {226, 210, 242},
     {104, 60, 150},
     {64, 32, 100},
     {170, 130, 210},
     {240, 176, 50},
     {253, 251, 255}},
    {{240, 238, 228},
     {222, 217, 198},
     {110, 92, 60},
     {66, 54, 34},
     {182, 160, 118},
     {190, 64, 40},
     {255, 254, 249}},
    {{224, 243, 245},
     {190, 226, 231},
     {14, 116, 130},
     {6, 70, 80},
     {96, 186, 196},
     {244, 130, 60},
     {250, 255, 255}},
    {{252, 236, 222},
     {247, 212, 184},
     {206, 96, 30},
     {134, 56, 12},
     {244, 166, 110},
     {40, 90, 140},
     {255, 252, 248}},
};
#define PALETTES (sizeof(palettes) / sizeof(palettes[0]))

/* FNV-1a, mixed once more, so that neighbours look unlike. */
static uint32_t
hash(const char *s)
{
    uint32_t h = 2166136261U;

    for (; *s != '\0'; s++)
        h = (h ^ (unsigned char)*s) * 16777619U;
    h ^= h >> 15;
    h *= 2246822519U;
    return h ^ h >> 13;
}

/* --- drawing ---------------------------------------------------------------------------------- */

static int
to_dots(int grid)
{
    return grid * DOTS / GRID;
}

/* On which side of the line from a to b the dot lies. */
static int64_t
side(int ax, int ay, int bx, int by, int x, int y)
{
    return (int64_t)(bx - ax) * (y - ay) - (int64_t)(by - ay) * (x - ax);
}

static bool
inside(const struct shape *s, int x, int y)
{
    int x0 = to_dots(s->x0), y0 = to_dots(s->y0), x1 = to_dots(s->x1), y1 = to_dots(s->y1);

    switch (s->kind) {
    case SHAPE_RECT:
        return x >= x0 && x < x1 && y >= y0 && y < y1;
    case SHAPE_OVAL: {
        int64_t rx = (x1 - x0) / 2, ry = (y1 - y0) / 2;
        int64_t dx = x - (x0 + x1) / 2, dy = y - (y0 + y1) / 2;
        return dx * dx * ry * ry + dy * dy * rx * rx < rx * rx * ry * ry;
    }
    case SHAPE_TRIANGLE: {
        int x2 = to_dots(s->x2), y2 = to_dots(s->y2);
        int64_t a = side(x0, y0, x1, y1, x, y), b = side(x1, y1, x2, y2, x, y),
                c = side(x2, y2, x0, y0, x, y);
        return (a >= 0 && b >= 0 && c >= 0) || (a <= 0 && b <= 0 && c <= 0);
    }
    }
    return false;
}

static int
least(int a, int b)
{
    return a < b ? a : b;
}

static int
most(int a, int b)
{
    return a > b ? a : b;
}

static void
paint(uint8_t *canvas, const struct shape *s)
{
    int left = least(s->x0, s->x1), right = most(s->x0, s->x1);
    int top = least(s->y0, s->y1), bottom = most(s->y0, s->y1);

    if (s->kind == SHAPE_TRIANGLE) {
        left = least(left, s->x2), right = most(right, s->x2);
        top = least(top, s->y2), bottom = most(bottom, s->y2);
    }
    for (int y = most(to_dots(top), 0); y < least(to_dots(bottom) + 1, DOTS); y++) {
        for (int x = most(to_dots(left), 0); x < least(to_dots(right) + 1, DOTS); x++) {
            if (inside(s, x, y))
                canvas[y * DOTS + x] = (uint8_t)s->tone;
        }
    }
}

/* What lies behind the sign: a disc, and three dots somewhere near the rim. */
static void
paint_ground(uint8_t *canvas, uint32_t h)
{
    int x = 4 + (int)(h % 12), y = 4 + (int)(h / 16 % 12), size = 44 + (int)(h / 256 % 8);
    struct shape disc = {SHAPE_OVAL, TONE_SOFT, x, y, x + size, y + size, 0, 0};

    paint(canvas, &disc);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t v = h >> (i * 5 + 7) ^ i * 41;
        int px = 2 + (int)(v % 58), py = v / 64 % 2 == 0 ? 3 : 58, r = 2 + (int)(v / 128 % 3);
        struct shape dot = {
            SHAPE_OVAL, v / 512 % 2 == 0 ? TONE_LIGHT : TONE_ACCENT, px, py, px + r, py + r, 0, 0};
        paint(canvas, &dot);
    }
}

/* --- a pixel is four dots --------------------------------------------------------------------- */

struct colours {
    struct rgb list[COLOURS_MAX];
    int count;
};

static uint8_t
colour_index(struct colours *c, struct rgb want)
{
    int i = 0;

    while (i < c->count && memcmp(&c->list[i], &want, sizeof(want)) != 0)
        i++;
    if (i == COLOURS_MAX)
        return 0;
    if (i == c->count)
        c->list[c->count++] = want;
    return (uint8_t)i;
}

static void
mix(const uint8_t *canvas, const struct rgb *palette, struct colours *c, uint8_t *rows)
{
    for (int y = 0; y < SIDE; y++) {
        rows[y * ROW] = 0; /* no filter */
        for (int x = 0; x < SIDE; x++) {
            const uint8_t *at = canvas + 2 * y * DOTS + 2 * x;
            const struct rgb *p[4] = {&palette[at[0]], &palette[at[1]], &palette[at[DOTS]],
                                      &palette[at[DOTS + 1]]};
            struct rgb m = {(uint8_t)((p[0]->r + p[1]->r + p[2]->r + p[3]->r) / 4),
                            (uint8_t)((p[0]->g + p[1]->g + p[2]->g + p[3]->g) / 4),
                            (uint8_t)((p[0]->b + p[1]->b + p[2]->b + p[3]->b) / 4)};
            rows[y * ROW + 1 + x] = colour_index(c, m);
        }
    }
}

/* --- deflate (RFC 1951), fixed codes ---------------------------------------------------------- */

struct bits {
    uint8_t *out;
    size_t len;
    uint32_t held;
    int count;
};

static void
put_bits(struct bits *b, uint32_t value, int n)
{
    b->held |= value << b->count;
    for (b->count += n; b->count >= 8; b->count -= 8) {
        b->out[b->len++] = (uint8_t)b->held;
        b->held >>= 8;
    }
}

/* Huffman codes begin with their highest bit. */
static void
put_code(struct bits *b, uint32_t code, int n)
{
    uint32_t turned = 0;

    for (int i = 0; i < n; i++)
        turned |= (code >> i & 1) << (n - 1 - i);
    put_bits(b, turned, n);
}

static void
put_symbol(struct bits *b, uint32_t symbol)
{
    if (symbol < 144)
        put_code(b, 0x30 + symbol, 8);
    else if (symbol < 256)
        put_code(b, 0x190 + symbol - 144, 9);
    else if (symbol < 280)
        put_code(b, symbol - 256, 7);
    else
        put_code(b, 0xc0 + symbol - 280, 8);
}

/* A repetition of 3 to 258 bytes. */
static void
put_repeat(struct bits *b, uint32_t length, bool row_above)
{
    uint32_t symbol = 257, base = 3, extra = 0;

    /* Symbols 257-264 stand for one length each, then groups of four have 1 to 5 extra bits. */
    while (symbol < 285 && length >= base + (1U << extra)) {
        base += 1U << extra;
        symbol++;
        extra = symbol < 265 ? 0 : (symbol - 261) / 4;
    }
    if (length == 258) {
        put_symbol(b, 285);
    } else {
        put_symbol(b, symbol);
        put_bits(b, length - base, (int)extra);
    }
    if (row_above) {
        put_code(b, 16, 5); /* distances 257 to 384, by 7 more bits */
        put_bits(b, ROW - 257, 7);
    } else {
        put_code(b, 0, 5); /* distance 1 */
    }
}

static uint32_t
repeats(const uint8_t *data, size_t at, size_t len, size_t distance)
{
    uint32_t n = 0;

    while (at >= distance && n < 258 && at + n < len && data[at + n] == data[at + n - distance])
        n++;
    return n;
}

static void
deflate(struct bits *b, const uint8_t *data, size_t len)
{
    put_bits(b, 1, 1); /* the last block */
    put_bits(b, 1, 2); /* of fixed codes */
    for (size_t at = 0; at < len;) {
        uint32_t run = repeats(data, at, len, 1), above = repeats(data, at, len, ROW);
        if (run < 3 && above < 3) {
            put_symbol(b, data[at++]);
            continue;
        }
        put_repeat(b, above > run ? above : run, above > run);
        at += above > run ? above : run;
    }
    put_symbol(b, 256);
    if (b->count > 0)
        put_bits(b, 0, 8 - b->count);
}

/* --- PNG -------------------------------------------------------------------------------------- */

static uint32_t
crc32(const uint8_t *data, size_t len)
{
    uint32_t crc = 0xffffffffU;

    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320U : 0);
    }
    return ~crc;
}

static uint32_t
adler32(const uint8_t *data, size_t len)
{
    uint32_t a = 1, b = 0;

    for (size_t i = 0; i < len; i++) {
        a = (a + data[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

static void
put_u32(uint8_t *out, size_t *at, uint32_t n)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        out[(*at)++] = (uint8_t)(n >> shift);
}

static void
put_chunk(uint8_t *out, size_t *at, const char *type, const uint8_t *data, size_t len)
{
    put_u32(out, at, (uint32_t)len);
    size_t from = *at;
    memcpy(out + *at, type, 4);
    memcpy(out + *at + 4, data, len);
    *at += len + 4;
    put_u32(out, at, crc32(out + from, *at - from));
}

static const char *
encode(struct arena *a, const uint8_t *rows, const struct colours *c, size_t *len)
{
    static const uint8_t signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    uint8_t *out = arena_alloc(a, OUT_MAX), *packed = arena_alloc(a, OUT_MAX);
    uint8_t head[13], colours[3 * COLOURS_MAX];
    struct bits bits = {.out = packed};
    size_t at = 0, n = 0;

    put_u32(head, &n, SIDE);
    put_u32(head, &n, SIDE);
    memcpy(head + n, (const uint8_t[]){8, 3, 0, 0, 0}, 5); /* a byte a pixel, by palette */
    for (int i = 0; i < c->count; i++)
        memcpy(colours + 3 * i, &c->list[i], 3);
    packed[bits.len++] = 0x78; /* zlib: deflate, 32 KiB window */
    packed[bits.len++] = 0x01;
    deflate(&bits, rows, (size_t)SIDE * ROW);
    put_u32(packed, &bits.len, adler32(rows, (size_t)SIDE * ROW));

    memcpy(out, signature, sizeof(signature));
    at = sizeof(signature);
    put_chunk(out, &at, "IHDR", head, sizeof(head));
    put_chunk(out, &at, "PLTE", colours, 3 * (size_t)c->count);
    put_chunk(out, &at, "IDAT", packed, bits.len);
    put_chunk(out, &at, "IEND", head, 0);
    *len = at;
    return (const char *)out;
}

const char *
demo_picture(struct arena *a, const char *category, const char *sku, size_t *len)
{
    uint8_t *canvas = arena_alloc(a, (size_t)DOTS * DOTS);
    uint8_t *rows = arena_alloc(a, (size_t)SIDE * ROW);
    const struct sign *sign = sign_for(category);
    struct colours *c = arena_alloc(a, sizeof(*c));
    uint32_t h = hash(sku);

    paint_ground(canvas, h);
    for (size_t i = 0; i < sign->count; i++)
        paint(canvas, &sign->shapes[i]);
    mix(canvas, palettes[(hash(category) + h % 3) % PALETTES], c, rows);
    return encode(a, rows, c, len);
}
