/* Every kind from both sources: what is read, what is refused, in which words and which order. */
#include "base/fields.h"
#include "base/json.h"

#include "unit.h"

#include <signal.h>
#include <stdio.h>

struct line_in {
    uint64_t sent;
    struct uuid product_id;
    int64_t quantity;
};

static const struct field line_in_fields[] = {
    FIELD(struct line_in, product_id, .required = true),
    FIELD(struct line_in, quantity, .required = true, .min = 1, .max = 999),
};
static const struct input line_in = INPUT(line_in, "LineInput", NULL);

struct all_in {
    uint64_t sent;
    const char *name, *email, *phone, *username, *currency, *password, *sort, *notes;
    int64_t count, delta, any;
    bool active;
    struct uuid id;
    struct decimal price;
    struct json_value address, small;
    struct list_value items;
};

static void
check_all(struct input_errors *errors, const void *body)
{
    const struct all_in *in = body;

    if (in->count == 13)
        input_reject(errors, "count", "must not be %d", 13);
    if (in->count == 13)
        input_reject(errors, "count", "is kept out");
    if (in->count == 14 && !input_refused(errors, "email") && in->email == NULL)
        input_reject(errors, "email", "is required with 14");
    if (in->count == 15)
        input_reject(errors, "items", "must not come with 15");
}

static const struct field all_in_fields[] = {
    FIELD(struct all_in, name, .required = true, .min = 2, .max = 5),
    FIELD(struct all_in, email, .format = FORMAT_EMAIL),
    FIELD(struct all_in, phone, .format = FORMAT_PHONE),
    FIELD(struct all_in, username, .format = FORMAT_USERNAME),
    FIELD(struct all_in, currency, .format = FORMAT_CURRENCY),
    FIELD(struct all_in, password, .format = FORMAT_SECRET, .min = 8),
    FIELD(struct all_in, sort, .one_of = "asc|desc"),
    FIELD(struct all_in, notes, .nullable = true),
    FIELD(struct all_in, count, .min = 1, .max = 999),
    FIELD(struct all_in, delta, .min = -5, .max = 5),
    FIELD(struct all_in, any),
    FIELD(struct all_in, active),
    FIELD(struct all_in, id),
    FIELD(struct all_in, price),
    FIELD(struct all_in, address, .min = 2),
    FIELD(struct all_in, small, .max = 10),
    FIELD(struct all_in, items, .items = &line_in, .min = 1, .max = 3),
};
static const struct input all_in = INPUT(all_in, "AllInput", check_all);

struct query_in {
    uint64_t sent;
    const char *search, *sort_order;
    int64_t page;
    bool in_stock;
    struct uuid store_id;
    struct decimal min_price;
};

static const struct field query_in_fields[] = {
    FIELD(struct query_in, search, .max = 10),
    FIELD(struct query_in, sort_order, .one_of = "asc|desc"),
    FIELD(struct query_in, page, .min = 1, .max = 1000),
    FIELD(struct query_in, in_stock),
    FIELD(struct query_in, store_id),
    FIELD(struct query_in, min_price),
};
static const struct input query_in = INPUT(query_in, "Query", NULL);

/* "field: message; field: message" */
static const char *
told(struct arena *a, const struct problems *list)
{
    const char *out = "";

    for (const struct problem *p = list->first; p != NULL; p = p->next) {
        ck_assert_int_eq((int)p->err, ERR_VALIDATION);
        out = arena_printf(a, "%s%s%s: %s", out, *out == '\0' ? "" : "; ",
                           p->field == NULL ? "-" : p->field, p->message);
    }
    return out;
}

/* Reads a body; what was told, and the struct unless it was refused. */
static const char *
read_body(struct arena *a, const char *body, struct all_in **in)
{
    struct problems list = {0};
    struct json_object *o = NULL;
    void *out = NULL;

    ck_assert_msg(json_read(a, &list, body, strlen(body), &o) == OK, "%s: %s", body,
                  list.first->message);
    enum err e = input_from_json(a, &list, &all_in, o, &out);
    ck_assert_int_eq((int)e, list.first == NULL ? OK : ERR_VALIDATION);
    ck_assert((out != NULL) == (e == OK));
    *in = out;
    return told(a, &list);
}

START_TEST(test_refused)
{
    /* The member that each row adds to {"name":"soko", ...}, and what is told. */
    static const struct {
        const char *member, *want;
    } rows[] = {
        {"\"email\":\"A@b.Co\"", ""},
        {"\"email\":5", "email: must be a string"},
        {"\"email\":null", "email: must not be null"},
        {"\"email\":\"\"", "email: is not a valid e-mail address"},
        {"\"email\":\"a@b\"", "email: is not a valid e-mail address"},
        {"\"email\":\"@b.co\"", "email: is not a valid e-mail address"},
        {"\"email\":\"a@@b.co\"", "email: is not a valid e-mail address"},
        {"\"email\":\"a@b.co@c.co\"", "email: is not a valid e-mail address"},
        {"\"email\":\"a b@c.co\"", "email: is not a valid e-mail address"},
        {"\"email\":\"a@b.co\\nBcc: x\"", "email: is not a valid e-mail address"},
        {"\"email\":\"a@b..co\"", "email: is not a valid e-mail address"},
        {"\"email\":\"a@.co\"", "email: is not a valid e-mail address"},
        {"\"email\":\"a@b.co.\"", "email: is not a valid e-mail address"},
        {"\"email\":\"<a@b.co>\"", "email: is not a valid e-mail address"},
        {"\"email\":\"\xc3\x84@b.co\"", "email: is not a valid e-mail address"},
        {"\"email\":\"a@b\x7f.co\"", "email: is not a valid e-mail address"},
        {"\"phone\":\"0712 345 678\"", ""},
        {"\"phone\":\"12\"", "phone: is not a valid phone number"},
        {"\"username\":\"Ann.B-1_x\"", ""},
        {"\"username\":\"an\"", "username: must be 3 to 32 of a-z, 0-9, '.', '_', '-', and begin "
                                "with a letter"},
        {"\"username\":\"1ann\"", "username: must be 3 to 32 of a-z, 0-9, '.', '_', '-', and "
                                  "begin with a letter"},
        {"\"currency\":\"KES\"", ""},
        {"\"currency\":\"UGX\"", "currency: is not a currency that is accepted here"},
        {"\"password\":\"        \"", ""},
        {"\"password\":\"1234567\"", "password: must have at least 8 characters"},
        {"\"password\":\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\"",
         "password: must have at least 8 characters"},
        {"\"sort\":\"desc\"", ""},
        {"\"sort\":\"des\"", "sort: must be one of asc, desc"},
        {"\"sort\":\"asc|desc\"", "sort: must be one of asc, desc"},
        {"\"sort\":\"\"", "sort: must be one of asc, desc"},
        {"\"notes\":null", ""},
        {"\"notes\":\"\"", ""},
        {"\"notes\":\"a\\n\\tb\\r\\n\"", ""},
        {"\"notes\":\"a\\u0001b\"", "notes: contains a control character"},
        {"\"notes\":\"\\u001b[31m\"", "notes: contains a control character"},
        {"\"notes\":[]", "notes: must be a string"},
        {"\"count\":1", ""},
        {"\"count\":999", ""},
        {"\"count\":-0", "count: must be at least 1"},
        {"\"count\":0", "count: must be at least 1"},
        {"\"count\":1000", "count: must be at most 999"},
        {"\"count\":1.0", "count: must be a whole number"},
        {"\"count\":1e2", "count: must be a whole number"},
        {"\"count\":1e400", "count: must be a whole number"},
        {"\"count\":\"1\"", "count: must be a whole number"},
        {"\"count\":true", "count: must be a whole number"},
        {"\"count\":13", "count: must not be 13"},
        {"\"count\":14", "email: is required with 14"},
        {"\"count\":14,\"email\":\"x\"", "email: is not a valid e-mail address"},
        {"\"delta\":-5", ""},
        {"\"delta\":-6", "delta: must be at least -5"},
        {"\"delta\":6", "delta: must be at most 5"},
        {"\"any\":999999999999999999", ""},
        {"\"any\":-1", "any: must be at least 0"},
        {"\"active\":true", ""},
        {"\"active\":\"true\"", "active: must be true or false"},
        {"\"active\":1", "active: must be true or false"},
        {"\"id\":\"0198f3c2-7b1a-7abc-8def-0123456789ab\"", ""},
        {"\"id\":\"0198f3c2\"", "id: must be a UUID"},
        {"\"id\":7", "id: must be a UUID"},
        {"\"price\":12.50", ""},
        {"\"price\":\"12.5\"", ""},
        {"\"price\":-1", "price: must be a decimal number such as 12.5, without sign or exponent"},
        {"\"price\":1e2", "price: must be a decimal number such as 12.5, without sign or exponent"},
        {"\"price\":\" 1\"",
         "price: must be a decimal number such as 12.5, without sign or exponent"},
        {"\"price\":true", "price: must be a decimal number"},
        {"\"address\":\"Moi Avenue 1\"", ""},
        {"\"address\":{\"street\":\"Moi Avenue 1\"}", ""},
        {"\"address\":\"x\"", "address: must have at least 2 characters"},
        {"\"address\":[]", "address: must be a string or an object"},
        {"\"address\":7", "address: must be a string or an object"},
        {"\"small\":\"12345678901\"", "small: must have at most 10 characters"},
        {"\"small\":{\"abc\":\"def\"}", "small: must have at most 10 bytes"},
        {"\"items\":{}", "items: must be a list"},
        {"\"items\":[]", "items: must have at least 1 item"},
        {"\"items\":[1,2,3,4]", "items: must have at most 3 items"},
        {"\"items\":[1,null]", "items[0]: must be an object; items[1]: must be an object"},
        {"\"items\":[{\"product_id\":\"0198f3c2-7b1a-7abc-8def-0123456789ab\",\"quantity\":2},"
         "{\"quantity\":0,\"colour\":1}],\"zz\":1",
         "items[1].product_id: is required; items[1].quantity: must be at least 1; "
         "items[1].colour: is not a known field; zz: is not a known field"},
        {"\"items\":[1],\"count\":15", "items[0]: must be an object"},
        {"\"count\":15", "items: must not come with 15"},
        {"\"sent\":1", "sent: is not a known field"},
        {"\"z\":1,\"y\":2,\"count\":0,\"Name\":3,\"email\":1",
         "email: must be a string; count: must be at least 1; z: is not a known field; y: is not "
         "a known field; Name: is not a known field"},
    };
    struct arena *a = arena_new();

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct all_in *in;

        ASSERT_TEXT(read_body(a, arena_printf(a, "{\"name\":\"soko\",%s}", rows[i].member), &in),
                    rows[i].want, rows[i].member);
    }
    arena_free(a);
}
END_TEST

START_TEST(test_required)
{
    static const struct {
        const char *body, *want;
    } rows[] = {
        {"{}", "name: is required"},
        {"{\"name\":\"\"}", "name: is required"},
        {"{\"name\":\" \\t\\n\"}", "name: is required"},
        {"{\"name\":null}", "name: must not be null"},
        {"{\"name\":\" x \"}", "name: must have at least 2 characters"},
        {"{\"name\":\" \xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9 \"}", ""},
        {"{\"name\":\"123456\"}", "name: must have at most 5 characters"},
        {"[]", "-: the body must be a JSON object"},
        {"null", "-: the body must be a JSON object"},
        {"\"name\"", "-: the body must be a JSON object"},
        {"{\"x\":1}", "name: is required; x: is not a known field"},
    };
    struct arena *a = arena_new();

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct all_in *in;

        ASSERT_TEXT(read_body(a, rows[i].body, &in), rows[i].want, rows[i].body);
    }
    arena_free(a);
}
END_TEST

START_TEST(test_values)
{
    struct arena *a = arena_new();
    struct all_in *in;
    const char *body =
        "{\"name\":\" Ann \",\"email\":\" A@B.Co \",\"phone\":\"0712 345 "
        "678\",\"username\":\"ANN\","
        "\"password\":\" secret  \",\"notes\":null,\"count\":7,\"delta\":-5,\"active\":true,"
        "\"id\":\"0198F3C2-7b1a-7abc-8def-0123456789ab\",\"price\":12.50,"
        "\"address\":{\"street\":\"A/B\",\"n\":1.50},\"small\":\" a\\\"\",\"items\":["
        "{\"product_id\":\"0198f3c2-7b1a-7abc-8def-0123456789ab\",\"quantity\":2},"
        "{\"product_id\":\"0198f3c2-7b1a-7abc-8def-0123456789ac\",\"quantity\":3}]}";

    ck_assert_str_eq(read_body(a, body, &in), "");
    ck_assert_str_eq(in->name, "Ann");
    ck_assert_str_eq(in->email, "a@b.co");
    ck_assert_str_eq(in->phone, "+254712345678");
    ck_assert_str_eq(in->username, "ann");
    ck_assert_str_eq(in->password, " secret  ");
    ck_assert(input_sent(&all_in, in, "notes") && in->notes == NULL);
    ck_assert(!input_sent(&all_in, in, "currency") && in->currency == NULL);
    ck_assert_int_eq(in->count, 7);
    ck_assert_int_eq(in->delta, -5);
    ck_assert(in->active);
    ck_assert_int_eq(in->id.b[15], 0xab);
    ck_assert(in->price.units == 125 && in->price.scale == 1);
    ck_assert_str_eq(in->address.text, "{\"street\":\"A/B\",\"n\":1.50}");
    ck_assert(!in->address.is_string && in->address.string == NULL);
    ck_assert_str_eq(in->small.text, "\" a\\\"\"");
    ck_assert(in->small.is_string);
    ck_assert_str_eq(in->small.string, " a\"");
    const struct line_in *lines = in->items.items;
    ck_assert_uint_eq(in->items.count, 2);
    ck_assert_int_eq(lines[1].quantity, 3);
    ck_assert_int_eq(lines[1].product_id.b[15], 0xac);
    ck_assert(input_sent(&line_in, &lines[0], "quantity"));
    arena_free(a);
}
END_TEST

START_TEST(test_long_text)
{
    struct arena *a = arena_new();
    struct all_in *in;
    char *s = arena_alloc(a, 5001);

    memset(s, 'x', 5000);
    for (int len = 254; len <= 256; len++)
        ASSERT_TEXT(
            read_body(a, arena_printf(a, "{\"name\":\"soko\",\"notes\":\"%.*s\"}", len, s), &in),
            len <= 255 ? "" : "notes: must have at most 255 characters", "notes");
    for (int len = 4088; len <= 4089; len++) /* {"a":"..."} adds 8 */
        ASSERT_TEXT(
            read_body(a,
                      arena_printf(a, "{\"name\":\"soko\",\"address\":{\"a\":\"%.*s\"}}", len, s),
                      &in),
            len == 4088 ? "" : "address: must have at most 4096 bytes", "address");
    arena_free(a);
}
END_TEST

START_TEST(test_flood)
{
    struct arena *a = arena_new();
    struct problems list = {0};
    struct json_object *o;
    char *s = arena_alloc(a, 40000), *at = s;
    void *out;
    int n = 0;

    *at++ = '{';
    for (int i = 0; i < 1000; i++)
        at += snprintf(at, 30, "%s\"unknown%d\":1", i == 0 ? "" : ",", i);
    *at++ = '}';
    ck_assert_int_eq((int)json_read(a, &list, s, (size_t)(at - s), &o), OK);
    ck_assert_int_eq((int)input_from_json(a, &list, &all_in, o, &out), ERR_VALIDATION);
    for (const struct problem *p = list.first; p != NULL; p = p->next)
        n++;
    ck_assert_int_eq(n, 100);
    ck_assert_str_eq(list.first->field, "name");
    arena_free(a);
}
END_TEST

START_TEST(test_query)
{
    static const struct {
        const char *query, *want;
    } rows[] = {
        {NULL, ""},
        {"", ""},
        {"&&", ""},
        {"search=caf%C3%A9+x&page=2&in_stock=true&min_price=1.50", ""},
        {"search=&page=&in_stock", ""},
        {"search=a=b", ""},
        {"search=%zz", "search: is not well-formed percent-encoding"},
        {"search=%4", "search: is not well-formed percent-encoding"},
        {"search=%", "search: is not well-formed percent-encoding"},
        {"search=%4&page=1", "search: is not well-formed percent-encoding"},
        {"search=%\x11\x11", "search: is not well-formed percent-encoding"},
        {"search=a%00", "search: contains a control character"},
        {"search=%1b", "search: contains a control character"},
        {"search=%ff", "search: is not valid UTF-8"},
        {"search=\xff", "search: is not valid UTF-8"},
        {"search=%c0%af", "search: is not valid UTF-8"},
        {"search=12345678901", "search: must have at most 10 characters"},
        {"search=1&search=1", "search: must be sent once"},
        {"search=&search=", "search: must be sent once"},
        {"search=1&%73earch=1", "search: must be sent once"},
        {"sort_order=up", "sort_order: must be one of asc, desc"},
        {"page=0", "page: must be at least 1"},
        {"page=-1", "page: must be at least 1"},
        {"page=1001", "page: must be at most 1000"},
        {"page=9223372036854775808", "page: must be at most 1000"},
        {"page=-9223372036854775809", "page: must be at least 1"},
        {"page=99999999999999999999999999", "page: must be at most 1000"},
        {"page=1.0", "page: must be a whole number"},
        {"page=01", "page: must be a whole number"},
        {"page=%2B1", "page: must be a whole number"},
        {"page=+1", "page: must be a whole number"},
        {"page=-", "page: must be a whole number"},
        {"page=0x1", "page: must be a whole number"},
        {"in_stock=yes", "in_stock: must be true or false"},
        {"store_id=x", "store_id: must be a UUID"},
        {"store_id=0198f3c2-7b1a-7abc-8def-0123456789ab", ""},
        {"min_price=-1",
         "min_price: must be a decimal number such as 12.5, without sign or exponent"},
        {"y=1&page=x&z&search=%zz",
         "search: is not well-formed percent-encoding; page: must be a whole number; y: is not a "
         "known field; z: is not a known field"},
        {"%zz=1&%00=2", "-: the query string has a malformed name"},
        {"sent=1", "sent: is not a known field"},
        {"=", ": is not a known field"},
    };
    struct arena *a = arena_new();

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct problems list = {0};
        void *out = NULL;
        enum err e = input_from_query(a, &list, &query_in, rows[i].query, &out);

        ASSERT_TEXT(told(a, &list), rows[i].want, rows[i].query);
        ck_assert_int_eq((int)e, rows[i].want[0] == '\0' ? OK : ERR_VALIDATION);
        ck_assert((out != NULL) == (e == OK));
    }

    struct problems list = {0};
    void *out = NULL;
    ck_assert_int_eq((int)input_from_query(a, &list, &query_in, rows[3].query, &out), OK);
    const struct query_in *in = out;
    ck_assert_str_eq(in->search, "caf\xc3\xa9 x");
    ck_assert_int_eq(in->page, 2);
    ck_assert(in->in_stock && input_sent(&query_in, in, "in_stock"));
    ck_assert(in->min_price.units == 15 && in->min_price.scale == 1);
    ck_assert(!input_sent(&query_in, in, "store_id"));
    ck_assert_int_eq((int)input_from_query(a, &list, &query_in, "search=&page", &out), OK);
    in = out;
    ck_assert_uint_eq(in->sent, 0);
    arena_free(a);
}
END_TEST

START_TEST(test_query_flood)
{
    struct arena *a = arena_new();
    struct problems list = {0};
    char *s = arena_alloc(a, 20000), *at = s;
    void *out;
    int n = 0;

    for (int i = 0; i < 1000; i++)
        at += snprintf(at, 20, "x%d&", i);
    snprintf(at, 20, "page=0");
    ck_assert_int_eq((int)input_from_query(a, &list, &query_in, s, &out), ERR_VALIDATION);
    for (const struct problem *p = list.first; p != NULL; p = p->next)
        n++;
    ck_assert_int_le(n, 100);
    ck_assert_str_eq(list.first->field, "page");
    arena_free(a);
}
END_TEST

START_TEST(test_texts)
{
    static const struct {
        const char *name, *s;
        size_t len;
        const char *want; /* what is refused, or NULL */
    } rows[] = {
        {"page", "7", 1, NULL},
        {"page", "", 0, NULL},
        {"page", "x", 1, "must be a whole number"},
        {"in_stock", "false", 5, NULL},
        {"search", "a\xff", 2, "is not valid UTF-8"},
        {"search", "a\0b", 3, "contains a control character"},
        {"search", "12345678901", 11, "must have at most 10 characters"},
        {"min_price", "1e3", 3, "must be a decimal number such as 12.5, without sign or exponent"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena *a = arena_new();
        struct problems list = {0};
        struct input_text texts[] = {{rows[i].name, rows[i].s, rows[i].len},
                                     {"sort_order", "asc", 3}};
        void *out = NULL;
        enum err e = input_from_texts(a, &list, &query_in, texts, COUNT_OF(texts), &out);

        ck_assert_int_eq((int)e, rows[i].want == NULL ? OK : ERR_VALIDATION);
        ASSERT_TEXT(list.first == NULL ? NULL : list.first->message, rows[i].want, rows[i].s);
        if (e == OK) {
            ck_assert(input_sent(&query_in, out, rows[i].name) == (rows[i].len > 0));
            ck_assert_str_eq(((struct query_in *)out)->sort_order, "asc");
        }
        arena_free(a);
    }
}
END_TEST

START_TEST(test_abort_texts)
{
    static const struct input_text text = {"nobody", "", 0};
    struct problems list = {0};
    void *out;

    input_from_texts(arena_new(), &list, &query_in, &text, 1, &out);
}
END_TEST

START_TEST(test_abort_query)
{
    struct problems list = {0};
    void *out;

    input_from_query(arena_new(), &list, &all_in, "", &out);
}
END_TEST

START_TEST(test_abort_name)
{
    struct all_in in = {0};

    input_sent(&all_in, &in, "nmae");
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_refused);
    tcase_add_test(tcase, test_required);
    tcase_add_test(tcase, test_values);
    tcase_add_test(tcase, test_long_text);
    tcase_add_test(tcase, test_flood);
    tcase_add_test(tcase, test_query);
    tcase_add_test(tcase, test_query_flood);
    tcase_add_test(tcase, test_texts);
    tcase_add_test_raise_signal(tcase, test_abort_texts, SIGABRT);
    tcase_add_test_raise_signal(tcase, test_abort_query, SIGABRT);
    tcase_add_test_raise_signal(tcase, test_abort_name, SIGABRT);
}

int
main(void)
{
    return unit_run("fields", fill);
}
