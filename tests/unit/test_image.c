/* What is one whole picture, and all the ways to be less, or more. The pictures are real: made by
 * cjpeg, cwebp and zlib, of 3 x 2 pixels, and read back by their decoders. */
#include "base/image.h"

#include "unit.h"

#include <stdbool.h>
#include <stdio.h>

#define FILE_MAX 4096

struct file {
    uint8_t *data;
    size_t len;
};

static const char jpeg_baseline[] =
    "ffd8ffe000104a46494600010100000100010000ffdb0083100028001c001e0023001e0019002800230021002300"
    "2d002b00280030003c00640041003c00370037003c007b0058005d004900640091008000990096008f0080008c00"
    "8a00a000b400e600c300a000aa00da00ad008a008c00c8011100cb00da00ee00f5010201040102009b00c1011b01"
    "2f011800fa012c00e600fd010200f8ffc1000b080002000301011100ffc400140001000000000000000000000000"
    "00000004ffc40014100100000000000000000000000000000000ffda0008010100003f003bffd9";
/* Progressive, of several scans. */
static const char jpeg_progressive[] =
    "ffd8ffe000104a46494600010100000100010000ffdb0083100028001c001e0023001e0019002800230021002300"
    "2d002b00280030003c00640041003c00370037003c007b0058005d004900640091008000990096008f0080008c00"
    "8a00a000b400e600c300a000aa00da00ad008a008c00c8011100cb00da00ee00f5010201040102009b00c1011b01"
    "2f011800fa012c00e600fd010200f8ffc2000b080002000301011100ffc400140001000000000000000000000000"
    "00000003ffda00080101000000013fffc40014100100000000000000000000000000000000ffda00080101000105"
    "027fffc40014100100000000000000000000000000000000ffda0008010100063f027fffc4001410010000000000"
    "0000000000000000000000ffda0008010100013f217fffda00080101000000107fffc40014100100000000000000"
    "000000000000000000ffda0008010100013f107fffd9";
static const char webp_lossy[] =
    "52494646300000005745425056503820240000007001009d012a0300020007409625"
    "a0027401750000fee2e048c35bafeaefcedfa9ed8000";
static const char webp_lossless[] =
    "524946461e000000574542505650384c110000002f0240000007508f2217a5ff81"
    "88e87f0000";
static const char webp_alpha[] =
    "524946465200000057454250565038580a00000010000000020000010000414c50480700000000646464646464"
    "0056503820240000007001009d012a0300020007409625a0027401750000fee2e048c35bafeaefcedfa9ed8000";
static const char webp_exif[] =
    "524946465e00000057454250565038580a0000000800000002000001000056503820240000007001009d012a0300"
    "020007409625a0027401750000fee2e048c35bafeaefcedfa9ed800045584946140000004578696600004d4d002a"
    "00000008000000000000";
static const char webp_animated[] =
    "524946468800000057454250565038580a00000012000000020000010000414e494d06000000ffffffff0000414e"
    "4d462a000000000000000000020000010000640000025650384c110000002f0240000007508f2217a5ff8188e87f"
    "0000414e4d462a000000000000000000020000010000640000025650384c110000002f0240001007508f2217a564"
    "8188e87f0000";

static int
digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* On the heap and exactly as long, so that an overrun is seen. */
static struct file
from_hex(const char *hex)
{
    struct file f = {malloc(strlen(hex) / 2 + 1), strlen(hex) / 2};

    for (size_t i = 0; i < f.len; i++)
        f.data[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    return f;
}

static uint32_t
crc_by_the_bit(const uint8_t *p, size_t len)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 1) != 0 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    return ~crc;
}

static void
put32(struct file *f, uint32_t n)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        f->data[f->len++] = (uint8_t)(n >> shift);
}

/* A PNG of chunks, each written "TYPE hexdata", with lengths and CRCs that are right. */
static struct file
png_of(const char *const chunks[])
{
    struct file f = {malloc(FILE_MAX), 8};

    memcpy(f.data, "\x89PNG\r\n\x1a\n", 8);
    for (size_t i = 0; chunks[i] != NULL; i++) {
        struct file data = from_hex(chunks[i] + 5);
        put32(&f, (uint32_t)data.len);
        uint8_t *type = f.data + f.len;
        memcpy(type, chunks[i], 4);
        memcpy(type + 4, data.data, data.len);
        f.len += 4 + data.len;
        put32(&f, crc_by_the_bit(type, 4 + data.len));
        free(data.data);
    }
    f.data = realloc(f.data, f.len);
    return f;
}

#define IHDR "IHDR 00000003000000020802000000"
#define IDAT "IDAT 789c633821a7710219310000208104e9"
#define PLTE "PLTE c81e28000000"
#define IEND "IEND "

static struct file
good_png(void)
{
    return png_of((const char *const[]){IHDR, IDAT, IEND, NULL});
}

static void
check_read(const char *name, struct file f, const char *want, enum image_kind kind)
{
    struct image image = {.width = 77};
    const char *why = image_read(f.data, f.len, &image);

    if (want == NULL) {
        ck_assert_msg(why == NULL, "%s: refused: %s", name, why);
        ck_assert_msg(image.kind == kind && image.width == 3 && image.height == 2,
                      "%s: kind %d, %u x %u", name, (int)image.kind, image.width, image.height);
    } else {
        ck_assert_msg(why != NULL, "%s: was accepted", name);
        ck_assert_msg(strstr(why, want) != NULL, "%s: wanted \"%s\", got \"%s\"", name, want, why);
        ck_assert_msg(image.kind == IMAGE_NONE && image.width == 0, "%s: left something", name);
    }
    free(f.data);
}

static const struct {
    const char *name, *hex;
    enum image_kind kind;
} good[] = {
    {"jpeg, baseline", jpeg_baseline, IMAGE_JPEG},
    {"jpeg, progressive", jpeg_progressive, IMAGE_JPEG},
    {"webp, lossy", webp_lossy, IMAGE_WEBP},
    {"webp, lossless", webp_lossless, IMAGE_WEBP},
    {"webp, transparent", webp_alpha, IMAGE_WEBP},
    {"webp, with EXIF", webp_exif, IMAGE_WEBP},
};

START_TEST(test_good)
{
    for (size_t i = 0; i < COUNT_OF(good); i++)
        check_read(good[i].name, from_hex(good[i].hex), NULL, good[i].kind);
    check_read("png", good_png(), NULL, IMAGE_PNG);
}
END_TEST

/* The picture, and then a page, an archive, another picture, or a single byte. */
START_TEST(test_nothing_after_the_end)
{
    static const char *const more[] = {"00",           "0a",       "ff",      "ffd9",
                                       "3c68746d6c3e", "504b0304", "00000000"};

    for (size_t i = 0; i <= COUNT_OF(good); i++) {
        for (size_t j = 0; j < COUNT_OF(more); j++) {
            struct file f = i < COUNT_OF(good) ? from_hex(good[i].hex) : good_png();
            struct file tail = from_hex(more[j]);
            f.data = realloc(f.data, f.len + tail.len);
            memcpy(f.data + f.len, tail.data, tail.len);
            f.len += tail.len;
            free(tail.data);
            check_read(i < COUNT_OF(good) ? good[i].name : "png", f, "after the image's end",
                       IMAGE_NONE);
        }
    }
}
END_TEST

/* Each beginning of each picture is none. */
START_TEST(test_truncated)
{
    for (size_t i = 0; i <= COUNT_OF(good); i++) {
        struct file whole = i < COUNT_OF(good) ? from_hex(good[i].hex) : good_png();
        for (size_t len = 0; len < whole.len; len++) {
            struct file f = {malloc(len + 1), len};
            f.data = realloc(f.data, len > 0 ? len : 1);
            memcpy(f.data, whole.data, len);
            check_read(i < COUNT_OF(good) ? good[i].name : "png", f, len < 12 ? "" : "ends early",
                       IMAGE_NONE);
        }
        free(whole.data);
    }
}
END_TEST

/* Any bit may turn: PNG's checksums see it, the others must at least stay inside their bytes. */
START_TEST(test_any_bit)
{
    for (size_t i = 0; i <= COUNT_OF(good); i++) {
        struct file f = i < COUNT_OF(good) ? from_hex(good[i].hex) : good_png();
        for (size_t bit = 0; bit < f.len * 8; bit++) {
            struct image image;
            f.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            const char *why = image_read(f.data, f.len, &image);
            ck_assert_msg(i < COUNT_OF(good) || why != NULL, "bit %zu of the PNG", bit);
            ck_assert_int_eq(image.kind == IMAGE_NONE, why != NULL);
            f.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        free(f.data);
    }
}
END_TEST

START_TEST(test_png)
{
    static const struct {
        const char *name, *chunks[8];
        const char *why; /* NULL: good */
    } rows[] = {
        {"a palette", {"IHDR 00000003000000020103000000", PLTE, IDAT, IEND}, NULL},
        {"a palette that nobody needs", {IHDR, PLTE, IDAT, IEND}, NULL},
        {"sixteen bits, interlaced", {"IHDR 00000003000000021006000001", IDAT, IEND}, NULL},
        {"text, and data in parts",
         {IHDR, "tEXt 4100", "IDAT 789c", "IDAT 6338", "zzZz ", IEND},
         NULL},
        {"no header", {IDAT, IEND}, "damaged"},
        {"two headers", {IHDR, IHDR, IDAT, IEND}, "damaged"},
        {"header too long", {"IHDR 0000000300000002080200000000", IDAT, IEND}, "damaged"},
        {"no data", {IHDR, IEND}, "damaged"},
        {"data in two places", {IHDR, IDAT, "tEXt 4100", IDAT, IEND}, "damaged"},
        {"no palette", {"IHDR 00000003000000020803000000", IDAT, IEND}, "damaged"},
        {"palette too late", {"IHDR 00000003000000020803000000", IDAT, PLTE, IEND}, "damaged"},
        {"two palettes", {IHDR, PLTE, PLTE, IDAT, IEND}, "damaged"},
        {"palette not of threes", {IHDR, "PLTE c81e", IDAT, IEND}, "damaged"},
        {"palette empty", {IHDR, "PLTE ", IDAT, IEND}, "damaged"},
        {"unknown and critical", {IHDR, "EVIL 00", IDAT, IEND}, "damaged"},
        {"type of no letters", {IHDR, "1234 00", IDAT, IEND}, "damaged"},
        {"data in the end", {IHDR, IDAT, "IEND 00"}, "damaged"},
        {"no end", {IHDR, IDAT}, "ends early"},
        {"two ends", {IHDR, IDAT, IEND, IEND}, "after the image's end"},
        {"a chunk after the end", {IHDR, IDAT, IEND, "tEXt 4100"}, "after the image's end"},
        {"animated", {IHDR, "acTL 0000000200000000", IDAT, IEND}, "still image"},
        {"frames of an animation", {IHDR, IDAT, "fdAT 00000001", IEND}, "still image"},
        {"colour type 1", {"IHDR 00000003000000020801000000", IDAT, IEND}, "damaged"},
        {"colour type 7", {"IHDR 00000003000000020807000000", IDAT, IEND}, "damaged"},
        {"depth 4 of colours", {"IHDR 00000003000000020402000000", IDAT, IEND}, "damaged"},
        {"depth 64", {"IHDR 00000003000000024002000000", IDAT, IEND}, "damaged"},
        {"compression 1", {"IHDR 00000003000000020802010000", IDAT, IEND}, "damaged"},
        {"filter 1", {"IHDR 00000003000000020802000100", IDAT, IEND}, "damaged"},
        {"interlace 2", {"IHDR 00000003000000020802000002", IDAT, IEND}, "damaged"},
        {"no width", {"IHDR 00000000000000020802000000", IDAT, IEND}, "no width"},
        {"no height", {"IHDR 00000003000000000802000000", IDAT, IEND}, "no height"},
        {"too wide", {"IHDR 00002001000000020802000000", IDAT, IEND}, "wider or higher"},
        {"too high", {"IHDR 00000003000020010802000000", IDAT, IEND}, "wider or higher"},
        {"absurdly wide", {"IHDR ffffffffffffffff0802000000", IDAT, IEND}, "wider or higher"},
        /* 8192 x 4883 is the first that is too large. */
        {"too many pixels", {"IHDR 00002000000013130802000000", IDAT, IEND}, "40 million"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_read(rows[i].name, png_of(rows[i].chunks), rows[i].why, IMAGE_PNG);
}
END_TEST

START_TEST(test_png_lengths_and_checksums)
{
    static const struct {
        const char *name;
        size_t at;
        uint8_t value;
        const char *why;
    } rows[] = {
        {"CRC of the header", 8 + 8 + 13, 0x55, "damaged"},
        {"CRC of the data", 33 + 8 + 16 + 3, 0x55, "damaged"},
        {"CRC of the end", 33 + 28 + 8, 0x55, "damaged"},
        {"length beyond the file", 33 + 2, 0x01, "ends early"},
        {"length without bounds", 33, 0xff, "ends early"},
        {"length too short", 33 + 3, 0x0f, "damaged"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct file f = good_png();
        ck_assert_uint_lt(rows[i].at, f.len);
        f.data[rows[i].at] = rows[i].value;
        check_read(rows[i].name, f, rows[i].why, IMAGE_NONE);
    }
}
END_TEST

/* The largest that may pass. */
START_TEST(test_largest)
{
    struct file f =
        png_of((const char *const[]){"IHDR 00002000000013120802000000", IDAT, IEND, NULL});
    struct image image;

    ck_assert_ptr_null(image_read(f.data, f.len, &image));
    ck_assert_uint_eq(image.width, 8192);
    ck_assert_uint_eq(image.height, 4882);
    free(f.data);
}
END_TEST

#define FRAME "ffc0000b080002000301011100"
#define SCAN "ffda0008010100003f003b"

START_TEST(test_hex)
{
    static const struct {
        const char *name, *hex;
        const char *why;
        enum image_kind kind;
    } rows[] = {
        /* JPEG */
        {"least", "ffd8" FRAME SCAN "ffd9", NULL, IMAGE_JPEG},
        {"fill before markers",
         "ffd8ffffff"
         "c0000b080002000301011100" SCAN "ffffd9",
         NULL, IMAGE_JPEG},
        {"ff as data", "ffd8" FRAME SCAN "ff0011ffd9", NULL, IMAGE_JPEG},
        {"restarts in the scan", "ffd8" FRAME SCAN "ffd011ffd711ffd9", NULL, IMAGE_JPEG},
        {"comment that says EOI", "ffd8fffe0006ffd9ffd9" FRAME SCAN "ffd9", NULL, IMAGE_JPEG},
        {"nothing in it", "ffd8ffd9", "damaged", IMAGE_NONE},
        {"no scan", "ffd8" FRAME "ffd9", "damaged", IMAGE_NONE},
        {"no frame", "ffd8" SCAN "ffd9", "damaged", IMAGE_NONE},
        {"empty scan", "ffd8" FRAME "ffda0008010100003f00ffd9", "damaged", IMAGE_NONE},
        {"two frames", "ffd8" FRAME FRAME SCAN "ffd9", "damaged", IMAGE_NONE},
        {"no EOI", "ffd8" FRAME SCAN, "ends early", IMAGE_NONE},
        {"two EOI", "ffd8" FRAME SCAN "ffd9ffd9", "after the image's end", IMAGE_NONE},
        {"a thumbnail behind", "ffd8" FRAME SCAN "ffd9ffd8" FRAME SCAN "ffd9",
         "after the image's end", IMAGE_NONE},
        {"SOI inside", "ffd8ffd8" FRAME SCAN "ffd9", "damaged", IMAGE_NONE},
        {"restart outside", "ffd8ffd0" FRAME SCAN "ffd9", "damaged", IMAGE_NONE},
        {"garbage between", "ffd8fffe000200" FRAME SCAN "ffd9", "damaged", IMAGE_NONE},
        {"lines told later", "ffd8" FRAME SCAN "ffdc00040002ffd9", "damaged", IMAGE_NONE},
        {"lossless", "ffd8ffc3000b080002000301011100" SCAN "ffd9", "browsers", IMAGE_NONE},
        {"arithmetic", "ffd8ffc9000b080002000301011100" SCAN "ffd9", "browsers", IMAGE_NONE},
        {"twelve bits", "ffd8ffc1000b0c0002000301011100" SCAN "ffd9", "browsers", IMAGE_NONE},
        {"two components",
         "ffd8ffc0000e08000200030201110001110"
         "0" SCAN "ffd9",
         "browsers", IMAGE_NONE},
        {"no components",
         "ffd8ffc0000808000200030"
         "0" SCAN "ffd9",
         "damaged", IMAGE_NONE},
        {"frame too short", "ffd8ffc0000a0800020003010111" SCAN "ffd9", "damaged", IMAGE_NONE},
        {"scan header too short", "ffd8" FRAME "ffda0003013b00ffd9", "damaged", IMAGE_NONE},
        {"scan of five", "ffd8" FRAME "ffda0010050100010001000100010000003f003bffd9", "damaged",
         IMAGE_NONE},
        {"segment of length 1", "ffd8fffe0001" FRAME SCAN "ffd9", "damaged", IMAGE_NONE},
        {"segment beyond the file", "ffd8fffeffff" FRAME SCAN "ffd9", "ends early", IMAGE_NONE},
        {"no lines", "ffd8ffc0000b080000000301011100" SCAN "ffd9", "no width", IMAGE_NONE},
        {"no columns", "ffd8ffc0000b080002000001011100" SCAN "ffd9", "no width", IMAGE_NONE},
        {"too wide", "ffd8ffc0000b080002200101011100" SCAN "ffd9", "wider", IMAGE_NONE},
        {"too many pixels",
         "ffd8ffc0000b081f402000"
         "01011100" SCAN "ffd9",
         "40 million", IMAGE_NONE},
        /* WebP */
        {"animated", webp_animated, "still image", IMAGE_NONE},
        {"animated by its chunk",
         "524946462400000057454250565038580a00000000000000020000010000414e4d46060000000000000000"
         "00",
         "still image", IMAGE_NONE},
        {"RIFF of sound", "524946460400000057415645", "is not a JPEG", IMAGE_NONE},
        {"no chunk", "524946460400000057454250", "ends early", IMAGE_NONE},
        {"unknown first chunk", "524946460e000000574542504a554e4b020000000000", "damaged",
         IMAGE_NONE},
        {"chunk beyond the file", "524946460e000000574542505650384cffffff7f2f00", "ends early",
         IMAGE_NONE},
        {"no canvas flags known", "524946461600000057454250565038580a00000001000000020000010000",
         "damaged", IMAGE_NONE},
        {"canvas without a picture", "524946461600000057454250565038580a00000000000000020000010000",
         "damaged", IMAGE_NONE},
        {"canvas too short",
         "524946461400000057454250565038580800000000000000020000"
         "01",
         "damaged", IMAGE_NONE},
        {"canvas of another size",
         "524946463400000057454250565038580a000000000000000300000100005650384c110000002f0240000007"
         "508f2217a5ff8188e87f0000",
         "damaged", IMAGE_NONE},
        {"two pictures",
         "524946464e00000057454250565038580a000000000000000200000100005650384c110000002f0240000007"
         "508f2217a5ff8188e87f00005650384c110000002f0240000007508f2217a5ff8188e87f0000",
         "damaged", IMAGE_NONE},
        {"a chunk of an unknown kind",
         "524946464000000057454250565038580a000000000000000200000100005650384c110000002f0240000007"
         "508f2217a5ff8188e87f00004556494c0400000041414141",
         "damaged", IMAGE_NONE},
        {"a chunk behind the simple form",
         "524946462a000000574542505650384c110000002f0240000007508f2217a5ff8188e87f0000455849460400"
         "000041414141",
         "", IMAGE_NONE},
        {"padding that is not 0",
         "524946461e000000574542505650384c110000002f0240000007508f2217a5ff8188e87f0001", "damaged",
         IMAGE_NONE},
        {"lossless of another version",
         "524946461e000000574542505650384c110000002f0240002007508f2217a5ff8188e87f0000", "damaged",
         IMAGE_NONE},
        {"no lossless signature",
         "524946461e000000574542505650384c110000002e0240000007508f2217a5ff8188e87f0000", "damaged",
         IMAGE_NONE},
        {"lossy, no key frame",
         "52494646300000005745425056503820240000007101009d012a0300020007409625a0027401750000fee2e0"
         "48c35bafeaefcedfa9ed8000",
         "damaged", IMAGE_NONE},
        {"lossy, no start code",
         "52494646300000005745425056503820240000007001009e012a0300020007409625a0027401750000fee2e0"
         "48c35bafeaefcedfa9ed8000",
         "damaged", IMAGE_NONE},
        {"lossy, no width",
         "52494646300000005745425056503820240000007001009d012a0000020007409625a0027401750000fee2e0"
         "48c35bafeaefcedfa9ed8000",
         "no width", IMAGE_NONE},
        {"lossy, too wide",
         "52494646300000005745425056503820240000007001009d012a0120020007409625a0027401750000fee2e0"
         "48c35bafeaefcedfa9ed8000",
         "wider", IMAGE_NONE},
        /* Neither */
        {"nothing", "", "is not a JPEG", IMAGE_NONE},
        {"GIF", "474946383961030002008000005a5a5a0000002c00000000030002000002028451003b",
         "is not a JPEG", IMAGE_NONE},
        {"BMP", "424d3a0000000000000036000000280000000100000001000000010018000000", "is not a JPEG",
         IMAGE_NONE},
        {"HTML", "3c21646f63747970652068746d6c3e3c7363726970743e", "is not a JPEG", IMAGE_NONE},
        {"SVG", "3c73766720786d6c6e733d22687474703a2f2f", "is not a JPEG", IMAGE_NONE},
        {"half of a signature", "89504e470d0a1a", "is not a JPEG", IMAGE_NONE},
        {"SOI alone", "ffd8", "is not a JPEG", IMAGE_NONE},
        {"a page before the picture", "3c68746d6c3effd8" FRAME SCAN "ffd9", "is not a JPEG",
         IMAGE_NONE},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_read(rows[i].name, from_hex(rows[i].hex), rows[i].why, rows[i].kind);
}
END_TEST

START_TEST(test_extensions)
{
    ck_assert_str_eq(image_extension(IMAGE_JPEG), "jpg");
    ck_assert_str_eq(image_extension(IMAGE_PNG), "png");
    ck_assert_str_eq(image_extension(IMAGE_WEBP), "webp");
    ck_assert_str_eq(image_extension(IMAGE_NONE), "");
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_good);
    tcase_add_test(tcase, test_nothing_after_the_end);
    tcase_add_test(tcase, test_truncated);
    tcase_add_test(tcase, test_any_bit);
    tcase_add_test(tcase, test_png);
    tcase_add_test(tcase, test_png_lengths_and_checksums);
    tcase_add_test(tcase, test_largest);
    tcase_add_test(tcase, test_hex);
    tcase_add_test(tcase, test_extensions);
}

int
main(void)
{
    return unit_run("image", fill);
}
