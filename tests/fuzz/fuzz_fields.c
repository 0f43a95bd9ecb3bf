/* Declared fields of each kind and format, from JSON and from a query: what was read keeps to what
 * the table promises, and what is refused is said. */
#include "base/fields.h"
#include "base/json.h"
#include "fuzz.h"

struct line_in {
    uint64_t sent;
    struct uuid product_id;
    int64_t quantity;
};
static const struct field line_in_fields[] = {
    FIELD(struct line_in, product_id, .required = true),
    FIELD(struct line_in, quantity, .min = 1, .max = 999),
};
static const struct input line_in = INPUT(line_in, "LineInput", NULL);

struct all_in {
    uint64_t sent;
    const char *name, *email, *phone, *username, *currency, *at, *password, *order;
    int64_t count;
    bool yes;
    struct uuid id;
    struct decimal price;
    struct json_value extra;
    struct word_set roles;
    struct list_value items;
};
static const struct field all_in_fields[] = {
    FIELD(struct all_in, name, .min = 1, .max = 20, .nullable = true),
    FIELD(struct all_in, email, .format = FORMAT_EMAIL),
    FIELD(struct all_in, phone, .format = FORMAT_PHONE),
    FIELD(struct all_in, username, .format = FORMAT_USERNAME),
    FIELD(struct all_in, currency, .format = FORMAT_CURRENCY),
    FIELD(struct all_in, at, .format = FORMAT_TIME),
    FIELD(struct all_in, password, .format = FORMAT_SECRET, .min = 8, .max = 128),
    FIELD(struct all_in, order, .one_of = "asc|desc"),
    FIELD(struct all_in, count, .min = -3, .max = 999),
    FIELD(struct all_in, yes),
    FIELD(struct all_in, id),
    FIELD(struct all_in, price),
    FIELD(struct all_in, extra),
    FIELD(struct all_in, roles, .one_of = "buyer|seller|admin"),
    FIELD(struct all_in, items, .items = &line_in, .max = 4),
};
static const struct input all_in = INPUT(all_in, "AllInput", NULL);

/* A query cannot say the last three. */
static const struct input query_in = {.name = "QueryInput",
                                      .size = sizeof(struct all_in),
                                      .fields = all_in_fields,
                                      .count =
                                          sizeof(all_in_fields) / sizeof(all_in_fields[0]) - 3};

static void
demand_promises(const struct input *table, const struct all_in *in)
{
    if (input_sent(table, in, "name") && in->name != NULL)
        DEMAND(utf8_valid(in->name, strlen(in->name)) && utf8_length(in->name) >= 1 &&
               utf8_length(in->name) <= 20);
    if (input_sent(table, in, "email") && in->email != NULL)
        DEMAND(strlen(in->email) <= 254 && strchr(in->email, '@') != NULL &&
               strpbrk(in->email, "<>()[],;:\\\" \r\n") == NULL);
    if (input_sent(table, in, "phone") && in->phone != NULL)
        DEMAND(in->phone[0] == '+' && strspn(in->phone + 1, "0123456789") == strlen(in->phone + 1));
    if (input_sent(table, in, "order") && in->order != NULL)
        DEMAND(strcmp(in->order, "asc") == 0 || strcmp(in->order, "desc") == 0);
    if (input_sent(table, in, "count") && in->count != INPUT_NULL)
        DEMAND(in->count >= -3 && in->count <= 999);
    if (input_sent(table, in, "price"))
        DEMAND(in->price.units >= 0 && in->price.scale >= 0 && in->price.scale <= 18);
}

static void
from_json(struct arena *a, const char *s, size_t len)
{
    struct problems problems = {0};
    struct json_object *tree;
    void *in = NULL;

    if (json_read(a, &problems, s, len, &tree) != OK)
        return;
    enum err e = input_from_json(a, &problems, &all_in, tree, &in);
    DEMAND((e == OK) == (problems.first == NULL));
    if (e != OK)
        return;
    const struct all_in *got = in;
    demand_promises(&all_in, got);
    DEMAND(got->items.count <= 4);
    DEMAND(got->roles.bits < 8);
    for (size_t i = 0; i < got->items.count; i++) {
        const struct line_in *line = (const struct line_in *)got->items.items + i;
        DEMAND(!input_sent(&line_in, line, "quantity") ||
               (line->quantity >= 1 && line->quantity <= 999));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = fuzz_arena();
    struct problems problems = {0};
    void *in = NULL;

    if (size > 0 && data[0] == '{') {
        from_json(a, (const char *)data, size);
        return 0;
    }
    enum err e = input_from_query(a, &problems, &query_in, fuzz_text(a, data, size), &in);
    DEMAND((e == OK) == (problems.first == NULL));
    if (e == OK)
        demand_promises(&query_in, in);
    return 0;
}
