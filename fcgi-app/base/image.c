/*
 * Design: a picture that we store is served to everybody under our name, so a file may be one
 * picture and nothing beside it: bytes after the end are where a page, a script or an archive
 * hides. Each walk therefore ends at the format's own end mark, which must be the last byte, and
 * whatever it does not know on the way is refused, not skipped.
 *
 * Formats: JPEG, ITU-T T.81, baseline, extended and progressive (what browsers show); PNG, its
 * third edition, without the chunks of APNG; WebP, RFC 9649, without animation. All reading goes
 * through a cursor that knows its end.
 *
 * Rejected: decoding to prove the pixels good. A decoder is far more code, met by hostile bytes in
 * the process that holds the database; nobody but browsers, which have their sandboxes, decodes
 * what we store. Metadata is kept as it was sent (API.md does not promise to remove it).
 */
#include "base/image.h"

#include <stdbool.h>
#include <string.h>

#define TRUNCATED "ends early, or is damaged"
#define TRAILING "has data after the image's end"
#define DAMAGED "is damaged"
#define ANIMATED "must be a still image"
#define UNUSUAL "is of a kind that browsers do not show"

/* What is left to read. */
struct cursor {
    const uint8_t *at;
    size_t left;
};

static bool
skip(struct cursor *c, size_t n)
{
    if (n > c->left)
        return false;
    c->at += n;
    c->left -= n;
    return true;
}

static uint32_t
be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t
be32(const uint8_t *p)
{
    return be16(p) << 16 | be16(p + 2);
}

static uint32_t
le24(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static uint32_t
le32(const uint8_t *p)
{
    return le24(p) | (uint32_t)p[3] << 24;
}

static const char *
check_size(const struct image *image)
{
    if (image->width == 0 || image->height == 0)
        return "has no width or no height";
    if (image->width > IMAGE_SIDE_MAX || image->height > IMAGE_SIDE_MAX)
        return "is wider or higher than 8192 pixels";
    if ((uint64_t)image->width * image->height > IMAGE_AREA_MAX)
        return "has more than 40 million pixels";
    return NULL;
}

/* --- PNG -------------------------------------------------------------------------------------- */

static const uint8_t png_start[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

#define PNG_AROUND 12 /* length, type and CRC of a chunk */

/* The CRC of ISO 3309, four bits at a time: a table that fits two cache lines. */
static uint32_t
crc32_of(const uint8_t *p, size_t len)
{
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                       0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                       0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        crc = table[(crc ^ p[i]) & 15] ^ crc >> 4;
        crc = table[(crc ^ (uint32_t)(p[i] >> 4)) & 15] ^ crc >> 4;
    }
    return ~crc;
}

struct png_chunk {
    const uint8_t *type, *data;
    uint32_t len;
};

static bool
is_chunk(const uint8_t *type, const char *name)
{
    return memcmp(type, name, 4) == 0;
}

static const char *
read_chunk(struct cursor *c, struct png_chunk *out)
{
    if (c->left < PNG_AROUND)
        return TRUNCATED;
    out->len = be32(c->at);
    out->type = c->at + 4;
    out->data = c->at + 8;
    if (out->len > c->left - PNG_AROUND)
        return TRUNCATED;
    for (size_t i = 0; i < 4; i++) {
        uint8_t letter = out->type[i] | 0x20;
        if (letter < 'a' || letter > 'z')
            return DAMAGED;
    }
    if (crc32_of(out->type, (size_t)out->len + 4) != be32(out->data + out->len))
        return DAMAGED;
    skip(c, (size_t)out->len + PNG_AROUND);
    return NULL;
}

/* The pairs of colour type and bit depth that there are: bit d is set for a depth of d. */
static bool
png_has_colour(uint8_t type, uint8_t depth)
{
    static const uint32_t depths[] = {[0] = 1u << 1 | 1u << 2 | 1u << 4 | 1u << 8 | 1u << 16,
                                      [2] = 1u << 8 | 1u << 16,
                                      [3] = 1u << 1 | 1u << 2 | 1u << 4 | 1u << 8,
                                      [4] = 1u << 8 | 1u << 16,
                                      [6] = 1u << 8 | 1u << 16};

    return type < sizeof(depths) / sizeof(depths[0]) && depth <= 16 && (depths[type] >> depth & 1);
}

static const char *
png_header(const struct png_chunk *h, struct image *out)
{
    if (!is_chunk(h->type, "IHDR") || h->len != 13)
        return DAMAGED;
    out->width = be32(h->data);
    out->height = be32(h->data + 4);
    bool known = png_has_colour(h->data[9], h->data[8]) && h->data[10] == 0 && h->data[11] == 0 &&
                 h->data[12] <= 1;
    return known ? NULL : DAMAGED;
}

/* How far a walk has come: IDAT chunks stand together, PLTE before them. */
struct png_walk {
    bool has_palette, has_data, past_data;
};

static const char *
png_chunk(struct png_walk *w, const struct png_chunk *c)
{
    bool data = is_chunk(c->type, "IDAT");

    if (data && w->past_data)
        return DAMAGED;
    w->past_data = w->past_data || (w->has_data && !data);
    w->has_data = w->has_data || data;
    if (data)
        return NULL;
    if (is_chunk(c->type, "acTL") || is_chunk(c->type, "fcTL") || is_chunk(c->type, "fdAT"))
        return ANIMATED;
    if (is_chunk(c->type, "PLTE")) {
        bool good =
            !w->has_palette && !w->has_data && c->len > 0 && c->len <= 768 && c->len % 3 == 0;
        w->has_palette = true;
        return good ? NULL : DAMAGED;
    }
    /* A capital first letter: whoever does not know it cannot show the picture. */
    return (c->type[0] & 0x20) == 0 ? DAMAGED : NULL;
}

static const char *
read_png(struct cursor c, struct image *out)
{
    struct png_walk walk = {0};
    struct png_chunk chunk;

    skip(&c, sizeof(png_start));
    const char *why = read_chunk(&c, &chunk);
    if (why == NULL)
        why = png_header(&chunk, out);
    if (why != NULL)
        return why;
    bool needs_palette = chunk.data[9] == 3;
    for (;;) {
        why = read_chunk(&c, &chunk);
        if (why != NULL)
            return why;
        if (is_chunk(chunk.type, "IEND"))
            break;
        why = png_chunk(&walk, &chunk);
        if (why != NULL)
            return why;
    }
    if (chunk.len != 0 || !walk.has_data || (needs_palette && !walk.has_palette))
        return DAMAGED;
    return c.left > 0 ? TRAILING : NULL;
}

/* --- JPEG ------------------------------------------------------------------------------------- */

enum jpeg_marker {
    SOF0 = 0xc0, /* baseline */
    SOF2 = 0xc2, /* progressive; SOF1 between them is extended */
    DHT = 0xc4,
    RST0 = 0xd0,
    RST7 = 0xd7,
    SOI = 0xd8,
    EOI = 0xd9,
    SOS = 0xda,
    DQT = 0xdb,
    DRI = 0xdd,
    APP0 = 0xe0,
    APP15 = 0xef,
    COM = 0xfe
};

/* The next marker, which any number of 0xff may precede. */
static const char *
next_marker(struct cursor *c, uint8_t *marker)
{
    if (c->left > 0 && *c->at != 0xff)
        return DAMAGED;
    while (c->left > 0 && *c->at == 0xff)
        skip(c, 1);
    if (c->left == 0)
        return TRUNCATED;
    *marker = *c->at;
    skip(c, 1);
    return NULL;
}

/* Moves past the coded data of a scan, to the marker that ends it: 0xff that is followed by 0 is
 * data, restart markers stand in it. */
static const char *
skip_scan(struct cursor *c)
{
    const uint8_t *began = c->at;

    for (;;) {
        const uint8_t *ff = memchr(c->at, 0xff, c->left);
        if (ff == NULL)
            return TRUNCATED;
        skip(c, (size_t)(ff - c->at));
        size_t fill = 0;
        while (fill < c->left && c->at[fill] == 0xff)
            fill++;
        if (fill == c->left)
            return TRUNCATED;
        uint8_t next = c->at[fill];
        if (next != 0 && (next < RST0 || next > RST7))
            return c->at == began ? DAMAGED : NULL;
        skip(c, fill + 1);
    }
}

/* Frame header: precision, lines, samples a line, and three bytes for each component. */
static const char *
jpeg_frame(const uint8_t *p, size_t len, struct image *out)
{
    if (out->kind != IMAGE_NONE)
        return DAMAGED; /* a second one */
    if (len < 6 || p[5] == 0 || len != 6 + 3 * (size_t)p[5])
        return DAMAGED;
    if (p[0] != 8 || p[5] > 4 || p[5] == 2)
        return UNUSUAL;
    out->kind = IMAGE_JPEG;
    out->height = be16(p + 1);
    out->width = be16(p + 3);
    return NULL;
}

/* Scan header: the number of components, two bytes for each, three more. */
static const char *
jpeg_scan(struct cursor *c, const uint8_t *p, size_t len, const struct image *frame)
{
    if (frame->kind == IMAGE_NONE || len < 1 || p[0] == 0 || p[0] > 4 ||
        len != 4 + 2 * (size_t)p[0])
        return DAMAGED;
    return skip_scan(c);
}

static const char *
read_jpeg(struct cursor c, struct image *out)
{
    struct image frame = {0};
    bool scanned = false;
    uint8_t marker;

    skip(&c, 2);
    for (;;) {
        const char *why = next_marker(&c, &marker);
        if (why != NULL)
            return why;
        if (marker == EOI)
            break;
        bool tables = marker == DHT || marker == DQT || marker == DRI || marker == COM ||
                      (marker >= APP0 && marker <= APP15);
        bool is_frame = marker >= SOF0 && marker <= SOF2;
        if (!tables && !is_frame && marker != SOS)
            return marker > SOF2 && marker < RST0 ? UNUSUAL : DAMAGED;
        if (c.left < 2 || be16(c.at) > c.left)
            return TRUNCATED;
        if (be16(c.at) < 2)
            return DAMAGED;
        const uint8_t *p = c.at + 2;
        size_t len = be16(c.at) - 2;
        skip(&c, len + 2);
        if (is_frame)
            why = jpeg_frame(p, len, &frame);
        else if (marker == SOS)
            why = jpeg_scan(&c, p, len, &frame);
        if (why != NULL)
            return why;
        scanned = scanned || marker == SOS;
    }
    if (!scanned)
        return DAMAGED;
    *out = frame;
    return c.left > 0 ? TRAILING : NULL;
}

/* --- WebP ------------------------------------------------------------------------------------- */

#define RIFF_HEAD 12 /* "RIFF", size, "WEBP" */

enum webp_flag { WEBP_ANIMATION = 0x02, WEBP_KNOWN = 0x3e };

struct riff_chunk {
    const uint8_t *type, *data;
    uint32_t len;
};

static const char *
read_riff_chunk(struct cursor *c, struct riff_chunk *out)
{
    if (c->left < 8)
        return TRUNCATED;
    out->type = c->at;
    out->len = le32(c->at + 4);
    out->data = c->at + 8;
    skip(c, 8);
    if (out->len > c->left)
        return TRUNCATED;
    skip(c, out->len);
    if (out->len % 2 == 0)
        return NULL;
    /* The byte that makes it even is 0. */
    if (c->left == 0)
        return TRUNCATED;
    if (*c->at != 0)
        return DAMAGED;
    skip(c, 1);
    return NULL;
}

/* The head of a lossy picture, RFC 6386, section 9.1: a key frame. */
static const char *
webp_lossy(const struct riff_chunk *c, struct image *out)
{
    static const uint8_t start[] = {0x9d, 0x01, 0x2a};

    if (c->len <= 10 || (c->data[0] & 1) != 0 || memcmp(c->data + 3, start, sizeof(start)) != 0)
        return DAMAGED;
    if (le24(c->data) >> 5 > c->len - 10)
        return TRUNCATED; /* its first partition is longer than all of it */
    out->width = le24(c->data + 6) & 0x3fff;
    out->height = le24(c->data + 7) >> 8 & 0x3fff;
    return NULL;
}

/* RFC 9649, section 3.4: a byte, 14 bits of width and of height, less one each, a bit, a version.
 */
static const char *
webp_lossless(const struct riff_chunk *c, struct image *out)
{
    if (c->len <= 5 || c->data[0] != 0x2f)
        return DAMAGED;
    uint32_t bits = le32(c->data + 1);
    if (bits >> 29 != 0)
        return DAMAGED;
    out->width = (bits & 0x3fff) + 1;
    out->height = (bits >> 14 & 0x3fff) + 1;
    return NULL;
}

/* The picture itself, or OK with out->width 0 if the chunk is something else. */
static const char *
webp_picture(const struct riff_chunk *c, struct image *out)
{
    const char *why = NULL;

    if (is_chunk(c->type, "VP8 "))
        why = webp_lossy(c, out);
    else if (is_chunk(c->type, "VP8L"))
        why = webp_lossless(c, out);
    else
        return NULL;
    return why != NULL ? why : check_size(out);
}

/* Behind VP8X: the chunks that the format names, in any order, and one picture, as large as the
 * canvas. */
static const char *
webp_extended(struct cursor *c, const struct riff_chunk *head, struct image *out)
{
    static const char *const known[] = {"ICCP", "ALPH", "EXIF", "XMP "};
    struct image picture = {0};

    if (head->len != 10 || (head->data[0] & ~WEBP_KNOWN) != 0 || le24(head->data + 1) != 0)
        return DAMAGED;
    if ((head->data[0] & WEBP_ANIMATION) != 0)
        return ANIMATED;
    out->width = le24(head->data + 4) + 1;
    out->height = le24(head->data + 7) + 1;
    while (c->left > 0) {
        struct riff_chunk chunk;
        struct image found = {0};
        bool named = false;

        const char *why = read_riff_chunk(c, &chunk);
        if (why == NULL)
            why = webp_picture(&chunk, &found);
        if (why != NULL)
            return why;
        if (is_chunk(chunk.type, "ANIM") || is_chunk(chunk.type, "ANMF"))
            return ANIMATED;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            named = named || is_chunk(chunk.type, known[i]);
        if (found.width == 0 ? !named : picture.width != 0)
            return DAMAGED; /* unknown, or a second picture */
        if (found.width != 0)
            picture = found;
    }
    return picture.width == out->width && picture.height == out->height ? NULL : DAMAGED;
}

static const char *
read_webp(struct cursor c, struct image *out)
{
    struct riff_chunk first;
    uint64_t told = (uint64_t)le32(c.at + 4) + 8;

    if (told > c.left)
        return TRUNCATED;
    if (told < c.left)
        return TRAILING;
    skip(&c, RIFF_HEAD);
    const char *why = read_riff_chunk(&c, &first);
    if (why != NULL)
        return why;
    if (is_chunk(first.type, "VP8X"))
        return webp_extended(&c, &first, out);
    why = webp_picture(&first, out);
    if (why != NULL)
        return why;
    /* The simple form is one chunk. */
    return out->width == 0 || c.left > 0 ? DAMAGED : NULL;
}

/* --- all -------------------------------------------------------------------------------------- */

const char *
image_read(const void *data, size_t len, struct image *out)
{
    const uint8_t *p = data;
    struct cursor c = {p, len};
    struct image image = {0};
    const char *why;

    *out = image;
    if (len >= sizeof(png_start) && memcmp(p, png_start, sizeof(png_start)) == 0) {
        why = read_png(c, &image);
        image.kind = IMAGE_PNG;
    } else if (len >= 3 && p[0] == 0xff && p[1] == SOI && p[2] == 0xff) {
        why = read_jpeg(c, &image);
    } else if (len >= RIFF_HEAD && memcmp(p, "RIFF", 4) == 0 && memcmp(p + 8, "WEBP", 4) == 0) {
        why = read_webp(c, &image);
        image.kind = IMAGE_WEBP;
    } else {
        return "is not a JPEG, PNG or WebP image";
    }
    if (why == NULL)
        why = check_size(&image);
    if (why == NULL)
        *out = image;
    return why;
}

const char *
image_extension(enum image_kind kind)
{
    static const char *const extensions[] = {
        [IMAGE_NONE] = "", [IMAGE_JPEG] = "jpg", [IMAGE_PNG] = "png", [IMAGE_WEBP] = "webp"};

    return extensions[kind];
}
