/* Forms as clients send them, and as nobody should. */
#include "base/multipart.h"

#include "unit.h"

#include <stdio.h>

START_TEST(test_boundary)
{
    static const struct {
        const char *type, *want; /* NULL: refused */
    } rows[] = {
        {"multipart/form-data; boundary=abc", "abc"},
        {"Multipart/Form-Data;boundary=abc", "abc"},
        {"multipart/form-data; BOUNDARY=\"abc\"", "abc"},
        {"multipart/form-data; boundary=\"a b:c\"", "a b:c"},
        {"multipart/form-data; boundary=a/b=c", "a/b=c"},
        {"multipart/form-data; charset=utf-8; boundary=abc", "abc"},
        {"multipart/form-data; boundary=abc; charset=\"x;boundary=y\"", "abc"},
        {"multipart/form-data; boundary=abc ;", "abc"},
        {"multipart/form-data; boundary="
         "0123456789012345678901234567890123456789012345678901234567890123456789",
         "0123456789012345678901234567890123456789012345678901234567890123456789"},
        {"multipart/form-data; boundary="
         "01234567890123456789012345678901234567890123456789012345678901234567890",
         NULL},
        {"multipart/form-data", NULL},
        {"multipart/form-data; charset=utf-8", NULL},
        {"multipart/form-data; boundary", NULL},
        {"multipart/form-data; boundary=", NULL},
        {"multipart/form-data; boundary=\"\"", NULL},
        {"multipart/form-data; boundary=\"abc", NULL},
        {"multipart/form-data; boundary=\"abc \"", NULL},
        {"multipart/form-data; boundary=\"a\\\"c\"", NULL},
        {"multipart/form-data; boundary=\"a\tc\"", NULL},
        {"multipart/form-data; boundary=abc; boundary=abc", NULL},
        {"multipart/form-data; boundary=abc; boundary=xyz", NULL},
        {"multipart/form-data; boundary=abc def", NULL},
        {"multipart/form-data; boundary = abc", NULL},
        {"multipart/form-data boundary=abc", NULL},
        {"multipart/form-data; boundary=a\xc3\xa9", NULL},
        {"multipart/mixed; boundary=abc", NULL},
        {"multipart/form-datax; boundary=abc", NULL},
        {"application/json", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char out[MULTIPART_BOUNDARY_MAX + 1] = "left alone";
        bool ok = multipart_boundary(rows[i].type, out);

        ck_assert_msg(ok == (rows[i].want != NULL), "%s", rows[i].type);
        ASSERT_TEXT(out, ok ? rows[i].want : "left alone", rows[i].type);
    }
}
END_TEST

START_TEST(test_is_form)
{
    ck_assert(multipart_is_form("multipart/form-data"));
    ck_assert(multipart_is_form("MULTIPART/FORM-DATA ; boundary=x"));
    ck_assert(!multipart_is_form("multipart/form-dat"));
    ck_assert(!multipart_is_form("multipart/form-data-x"));
    ck_assert(!multipart_is_form("application/json; multipart/form-data"));
    ck_assert(!multipart_is_form(""));
}
END_TEST

#define B "--bb\r\n"
#define END "\r\n--bb--\r\n"
#define PART "Content-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\n"
#define OTHER "Content-Disposition: form-data; name=\"other\"\r\n\r\n"

/* The problems as "field message|field message". */
static void
tell(const struct problems *list, char *out, size_t size)
{
    size_t at = 0;

    out[0] = '\0';
    for (const struct problem *p = list->first; p != NULL && at < size; p = p->next) {
        int n = snprintf(out + at, size - at, "%s%s %s", p == list->first ? "" : "|",
                         p->field != NULL ? p->field : "-", p->message);
        at += n > 0 ? (size_t)n : 0;
    }
}

/* Reads a form of which nothing but its `len` bytes may be touched. */
static enum err
read_form(struct arena *a, const char *form, size_t len, char *data, size_t data_size, char *told,
          size_t told_size)
{
    struct problems list = {0};
    struct upload out;
    char *body = malloc(len > 0 ? len : 1);

    memcpy(body, form, len);
    enum err e = multipart_read(a, &list, "bb", body, len, "image", &out);
    ck_assert_uint_lt(out.len, data_size);
    memcpy(data, out.data, out.len);
    data[out.len] = '\0';
    tell(&list, told, told_size);
    ck_assert_msg((e == OK) == (list.first == NULL), "%s", form);
    free(body);
    return e;
}

START_TEST(test_forms)
{
    static const struct {
        const char *form;
        const char *data; /* NULL: refused */
        const char *why;
    } rows[] = {
        {B PART "PIXELS" END, "PIXELS", NULL},
        {B PART "PIXELS\r\n--bb--", "PIXELS", NULL},
        {"\r\n" B PART "PIXELS" END, "PIXELS", NULL},
        {"--bb \t\r\n" PART "PIXELS\r\n--bb-- \r\n", "PIXELS", NULL},
        {B "content-disposition:form-data;name=image\r\n\r\nPIXELS" END, "PIXELS", NULL},
        {B "Content-Type: image/png\r\nX-Any: thing\r\n" PART "PIXELS" END, "PIXELS", NULL},
        {B "Content-Transfer-Encoding: binary\r\n" PART "PIXELS" END, "PIXELS", NULL},
        {B "Content-Disposition: form-data; filename=\"a;name=b\\\".png\"; "
           "name=\"image\"\r\n\r\nP" END,
         "P", NULL},
        {B "Content-Disposition: form-data; name=\"image\"; filename*=UTF-8''a%20b\r\n\r\nP" END,
         "P", NULL},
        {B PART "\r\n" END, "\r\n", NULL},
        {B PART "\r\n--b\r\n-bb" END, "\r\n--b\r\n-bb", NULL},
        {B PART "P--bb" END, "P--bb", NULL}, /* not at the beginning of a line */

        {"", NULL, "- malformed form: the body does not begin with the boundary"},
        {"PIXELS", NULL, "- malformed form: the body does not begin with the boundary"},
        {"preamble\r\n" B PART "P" END, NULL,
         "- malformed form: the body does not begin with the boundary"},
        {"\r\n\r\n" B PART "P" END, NULL,
         "- malformed form: the body does not begin with the boundary"},
        {"--cc\r\n" PART "P\r\n--cc--\r\n", NULL,
         "- malformed form: the body does not begin with the boundary"},
        {"--bb--\r\n", NULL, "image is required"},
        {"--bb--", NULL, "image is required"},
        {"--bb", NULL, "- malformed form: a boundary has something behind it"},
        {"--bb\n" PART "P" END, NULL, "- malformed form: a boundary has something behind it"},
        {"--bbx\r\n" PART "P" END, NULL, "- malformed form: a boundary has something behind it"},
        {B PART "P\r\n--bbx\r\n" END, NULL, "- malformed form: a boundary has something behind it"},
        {B PART "--bb" END, NULL, "- malformed form: a part has no end of its headers"},
        {B PART "--bb--\r\n", NULL, "- malformed form: a part has no end of its headers"},
        {B PART "P\r\n--bb-\r\n", NULL, "- malformed form: a boundary has something behind it"},
        {B PART "P", NULL, "- malformed form: the last boundary is missing"},
        {B PART "P\r\n--b", NULL, "- malformed form: the last boundary is missing"},
        {B PART "P\n--bb--\n", NULL, "- malformed form: the last boundary is missing"},
        {B PART "P\r\n--bb\r\n", NULL, "- malformed form: a part has no end of its headers"},
        {B PART "P" END "epilogue", NULL,
         "- malformed form: there is something after the last boundary"},
        {B PART "P" END "\r\n", NULL,
         "- malformed form: there is something after the last boundary"},
        {B PART "P\r\n--bb--x", NULL,
         "- malformed form: there is something after the last boundary"},

        {B PART END, NULL, "image is empty"},
        {B OTHER "P" END, NULL, "other is not a known field|image is required"},
        {B OTHER "x\r\n" B PART "P" END, NULL, "other is not a known field"},
        {B PART "P\r\n" B OTHER "x" END, NULL, "other is not a known field"},
        {B PART "P\r\n" B PART "Q" END, NULL, "image was sent more than once"},
        {B "Content-Disposition: form-data; name=\"Image\"\r\n\r\nP" END, NULL,
         "Image is not a known field|image is required"},
        {B "Content-Disposition: form-data; name=\"im\\age\"\r\n\r\nP" END, NULL,
         "im\\age is not a known field|image is required"},
        {B "Content-Disposition: form-data; name=\"\"\r\n\r\nP" END, NULL,
         "- the form has a field that is not known|image is required"},
        {B "Content-Disposition: form-data; name=\"\xc3\xa9\"\r\n\r\nP" END, NULL,
         "- the form has a field that is not known|image is required"},

        {B "\r\nP" END, NULL, "- malformed form: a part has no end of its headers"},
        {B "\r\nP\r\n\r\n" END, NULL, "- malformed form: a part has a malformed header"},
        {B "Content-Type: image/png\r\n\r\nP" END, NULL,
         "- malformed form: a part has no Content-Disposition"},
        {B "Content-Disposition: form-data\r\n\r\nP" END, NULL,
         "- malformed form: a part has a malformed Content-Disposition"},
        {B "Content-Disposition: attachment; name=\"image\"\r\n\r\nP" END, NULL,
         "- malformed form: a part has a malformed Content-Disposition"},
        {B "Content-Disposition: form-data; name=\"image\"; name=\"image\"\r\n\r\nP" END, NULL,
         "- malformed form: a part has a malformed Content-Disposition"},
        {B "Content-Disposition: form-data; name=\"image\r\n\r\nP" END, NULL,
         "- malformed form: a part has a malformed Content-Disposition"},
        {B "Content-Disposition: form-data; name=\"image\" x\r\n\r\nP" END, NULL,
         "- malformed form: a part has a malformed Content-Disposition"},
        {B "Content-Disposition: form-data; name=\"other\"\r\n" PART "P" END, NULL,
         "- malformed form: a part has a malformed Content-Disposition"},
        {B "Content-Disposition: form-data;\r\n name=\"image\"\r\n\r\nP" END, NULL,
         "- malformed form: a part has a malformed Content-Disposition"},
        {B "X-Any: a\r\n b\r\n" PART "P" END, NULL,
         "- malformed form: a part has a malformed header"},
        {B "Content-Disposition : form-data; name=\"image\"\r\n\r\nP" END, NULL,
         "- malformed form: a part has a malformed header"},
        {B "X: a\nContent-Disposition: form-data; name=\"image\"\r\n\r\nP" END, NULL,
         "- malformed form: a part has a malformed header"},
        {B "Content-Transfer-Encoding: base64\r\n" PART "UA==" END, NULL,
         "- malformed form: send the file as it is, without a transfer encoding"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena *a = arena_new();
        char data[128], told[1024];

        enum err e = read_form(a, rows[i].form, strlen(rows[i].form), data, sizeof(data), told,
                               sizeof(told));
        ck_assert_msg((e == OK) == (rows[i].data != NULL), "%s: %s", rows[i].form, told);
        if (rows[i].data != NULL)
            ASSERT_TEXT(data, rows[i].data, rows[i].form);
        else
            ASSERT_TEXT(told, rows[i].why, rows[i].form);
        arena_free(a);
    }
}
END_TEST

/* Each beginning of a good form is none, but where only the last line's end is missing. */
START_TEST(test_beginnings)
{
    static const char form[] = B PART "PIX\r\nELS" END;
    size_t whole = strlen(form);

    for (size_t len = 0; len < whole - 2; len++) {
        struct arena *a = arena_new();
        char data[128], told[1024];

        ck_assert_msg(read_form(a, form, len, data, sizeof(data), told, sizeof(told)) != OK,
                      "%zu bytes of it", len);
        arena_free(a);
    }
}
END_TEST

START_TEST(test_limits)
{
    struct arena *a = arena_new();
    struct problems list = {0};
    struct upload out;
    char *form = arena_alloc(a, 65536), *at = form;

    /* Headers without end. */
    at += sprintf(at, B "X-Long: %0*d\r\n" PART "P" END, MULTIPART_HEADERS_MAX, 0);
    ck_assert_int_eq(multipart_read(a, &list, "bb", form, (size_t)(at - form), "image", &out),
                     ERR_VALIDATION);
    ck_assert_str_eq(list.first->message, "malformed form: a part's headers are too long");

    /* Parts without end: no more problems than parts that we look at. */
    list = (struct problems){0};
    at = form;
    for (int i = 0; i < 100; i++)
        at += sprintf(at, "%s" B OTHER "x", i == 0 ? "" : "\r\n");
    at += sprintf(at, END);
    ck_assert_int_eq(multipart_read(a, &list, "bb", form, (size_t)(at - form), "image", &out),
                     ERR_VALIDATION);
    size_t count = 0;
    for (const struct problem *p = list.first; p != NULL; p = p->next)
        count++;
    ck_assert_uint_eq(count, MULTIPART_PARTS_MAX + 1);
    ck_assert_str_eq(list.last->message, "malformed form: there are too many parts");
    arena_free(a);
}
END_TEST

/* A file may hold any byte, NUL and all that looks like a boundary but is none. */
START_TEST(test_bytes)
{
    static const char form[] = B PART "\0\r\n--\0bb\r\n\xff" END;
    struct arena *a = arena_new();
    struct problems list = {0};
    struct upload out;

    ck_assert_int_eq(multipart_read(a, &list, "bb", form, sizeof(form) - 1, "image", &out), OK);
    ck_assert_uint_eq(out.len, 11);
    ck_assert_int_eq(memcmp(out.data, "\0\r\n--\0bb\r\n\xff", 11), 0);
    arena_free(a);
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_boundary);
    tcase_add_test(tcase, test_is_form);
    tcase_add_test(tcase, test_forms);
    tcase_add_test(tcase, test_beginnings);
    tcase_add_test(tcase, test_limits);
    tcase_add_test(tcase, test_bytes);
}

int
main(void)
{
    return unit_run("multipart", fill);
}
