/* Every state of the reader, fed whole and byte by byte; and that what is written is read back. */
#include "base/csv.h"

#include "unit.h"

#include <stdio.h>

#define MAX 20

/* Records as a line each: "line:field|field" or "line!fault". */
static void
show(struct text *t, const struct csv_record *r)
{
    if (r->fault != NULL) {
        text_printf(t, "%d!%s\n", (int)r->line, r->fault);
        return;
    }
    text_printf(t, "%d:", (int)r->line);
    for (size_t i = 0; i < r->count; i++) {
        if (i > 0)
            text_putc(t, '|');
        ck_assert_int_eq(r->fields[i][r->lens[i]], '\0');
        for (size_t k = 0; k < r->lens[i]; k++)
            text_putc(t, r->fields[i][k] == '\0' ? '0' : r->fields[i][k]);
    }
    text_putc(t, '\n');
}

/* Reads `s` in pieces of `piece` bytes. */
static const char *
read_all(struct arena *a, const char *s, size_t len, size_t piece)
{
    struct csv_reader *r = csv_reader_new(a, MAX, 1);
    struct text out = text_new(a, 10000);
    const struct csv_record *record;

    for (size_t at = 0; at < len;) {
        size_t n = len - at < piece ? len - at : piece;
        size_t eaten = csv_feed(r, s + at, n, &record);

        ck_assert(eaten > 0 && eaten <= n);
        ck_assert(record != NULL || eaten == n);
        if (record != NULL)
            show(&out, record);
        at += eaten;
    }
    record = csv_finish(r);
    if (record != NULL)
        show(&out, record);
    return text_cstr(&out);
}

#define CASE(s, want)                                                                              \
    {                                                                                              \
        s, sizeof(s) - 1, want                                                                     \
    }

START_TEST(test_read)
{
    static const struct {
        const char *s;
        size_t len;
        const char *want;
    } rows[] = {
        CASE("", ""),
        CASE("a", "1:a\n"),
        CASE("a\n", "1:a\n"),
        CASE("a\r\n", "1:a\n"),
        CASE("a,b\nc,d\n", "1:a|b\n2:c|d\n"),
        CASE("a,b\r\nc,d\r\n", "1:a|b\n2:c|d\n"),
        CASE("a,b\r\nc,d", "1:a|b\n2:c|d\n"),
        CASE("\n\na\n\r\n\nb\n\n", "3:a\n6:b\n"),
        CASE(",\n", "1:|\n"),
        CASE(",,", "1:||\n"),
        CASE("a,\n", "1:a|\n"),
        CASE("\"\"\n", "1:\n"),
        CASE("\"\"\r\n", "1:\n"),
        CASE("\"\",\"\"\n", "1:|\n"),
        CASE("\"a,b\",c\n", "1:a,b|c\n"),
        CASE("\"a\"\"b\"\n", "1:a\"b\n"),
        CASE("\"\"\"\"\n", "1:\"\n"),
        CASE("\"a\nb\",c\nd\n", "1:a\nb|c\n3:d\n"),
        CASE("\"a\r\nb\"\r\nd\r\n", "1:a\r\nb\n3:d\n"),
        CASE("\"a\"", "1:a\n"),
        CASE(" a , b \n", "1: a | b \n"),
        CASE("a\0b,c\n", "1:a0b|c\n"),
        CASE("\xff,\xc3\xa9\n", "1:\xff|\xc3\xa9\n"),
        /* The byte order mark, whole and broken. */
        CASE("\xef\xbb\xbf"
             "a\n",
             "1:a\n"),
        CASE("\xef\xbb\xbf\"a\"\n", "1:a\n"),
        CASE("\xef\xbb"
             "a\n",
             "1:\xef\xbb"
             "a\n"),
        CASE("a\n\xef\xbb\xbf"
             "b\n",
             "1:a\n2:\xef\xbb\xbf"
             "b\n"),
        CASE("\xef\xbb\xbf", ""),
        /* Faults, and what comes behind them. */
        CASE("a\"b,c\nd\n", "1!has a quote in an unquoted field\n2:d\n"),
        CASE("\"a\"b,c\nd\n", "1!has text behind a closing quote\n2:d\n"),
        CASE("\"a\" ,c\nd\n", "1!has text behind a closing quote\n2:d\n"),
        CASE("a\rb\nc\n", "1!has a carriage return outside of quotes\n2:c\n"),
        CASE("\rb\nc\n", "1!has a carriage return outside of quotes\n2:c\n"),
        CASE("a\r", "1!has a carriage return outside of quotes\n"),
        CASE("a\n\"b\nc\nd", "1:a\n2!has a quote that is never closed\n"),
        CASE("a\n\"b", "1:a\n2!has a quote that is never closed\n"),
        /* The limit counts what is kept. */
        CASE("12345678901234567890\nb\n", "1:12345678901234567890\n2:b\n"),
        CASE("1234567890,1234567890\nb\n", "1:1234567890|1234567890\n2:b\n"),
        CASE("123456789012345678901\nb\n", "1!is too long\n2:b\n"),
        CASE("1234567890,12345678901\nb\n", "1!is too long\n2:b\n"),
        CASE("\"12345678901234567890\n1\n\",x\nb\n", "1!is too long\n4:b\n"),
        CASE("\"12345678901234567890123", "1!has a quote that is never closed\n"),
    };
    static const size_t pieces[] = {1, 2, 3, 7, 1000};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t k = 0; k < COUNT_OF(pieces); k++) {
            struct arena *a = arena_new();

            ASSERT_TEXT(read_all(a, rows[i].s, rows[i].len, pieces[k]), rows[i].want, rows[i].s);
            arena_free(a);
        }
    }
}
END_TEST

START_TEST(test_columns)
{
    struct arena *a = arena_new();
    struct text line = text_new(a, 1000);
    struct text want = text_new(a, 1000);

    text_puts(&want, "1:");
    for (size_t i = 0; i + 1 < CSV_FIELDS_MAX; i++) {
        text_putc(&line, ',');
        text_putc(&want, '|');
    }
    text_putc(&want, '\n');
    ck_assert_str_eq(read_all(a, line.data, line.len, 1000), text_cstr(&want));
    text_puts(&line, ",\nb\n");
    ck_assert_str_eq(read_all(a, line.data, line.len, 1000), "1!has too many columns\n2:b\n");
    arena_free(a);
}
END_TEST

START_TEST(test_line)
{
    struct arena *a = arena_new();
    struct csv_reader *r = csv_reader_new(a, MAX, 41);
    const struct csv_record *record;

    ck_assert_uint_eq(csv_feed(r, "\xef\xbb\xbf\nb\nc", 7, &record), 4);
    ck_assert_int_eq(record->line, 41);
    ck_assert_str_eq(record->fields[0], "\xef\xbb\xbf"); /* no mark in the middle of a file */
    ck_assert_uint_eq(csv_feed(r, "c", 1, &record), 1);
    ck_assert_ptr_null(record);
    record = csv_finish(r);
    ck_assert_int_eq(record->line, 42);
    ck_assert_ptr_null(csv_finish(r));
    arena_free(a);
}
END_TEST

START_TEST(test_write)
{
    static const struct {
        const char *fields[3];
        const char *want;
    } rows[] = {
        {{"a", "b", "c"}, "a,b,c\n"},
        {{"", "", ""}, ",,\n"},
        {{"a,b", "a\"b", "a\nb"}, "\"a,b\",\"a\"\"b\",\"a\nb\"\n"},
        {{"a\r", "\"", " a "}, "\"a\r\",\"\"\"\", a \n"},
        {{"\xef\xbb\xbf"
          "a",
          "\xef\xbb\xbf"
          "b",
          "c"},
         "\"\xef\xbb\xbf"
         "a\",\xef\xbb\xbf"
         "b,c\n"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena *a = arena_new();
        struct text t = text_new(a, 1000);
        struct csv_reader *r = csv_reader_new(a, MAX, 1);
        const struct csv_record *record;

        for (size_t k = 0; k < 3; k++)
            csv_put(&t, k, rows[i].fields[k], strlen(rows[i].fields[k]));
        csv_end(&t);
        ck_assert_str_eq(text_cstr(&t), rows[i].want);
        csv_feed(r, t.data, t.len, &record);
        ck_assert_ptr_nonnull(record);
        ck_assert_uint_eq(record->count, 3);
        for (size_t k = 0; k < 3; k++)
            ASSERT_TEXT(record->fields[k], rows[i].fields[k], rows[i].want);
        arena_free(a);
    }
}
END_TEST

static void
fill(TCase *t)
{
    tcase_add_test(t, test_read);
    tcase_add_test(t, test_columns);
    tcase_add_test(t, test_line);
    tcase_add_test(t, test_write);
}

int
main(void)
{
    return unit_run("csv", fill);
}
