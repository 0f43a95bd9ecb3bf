/* Finding a row of a table, and what the check of a table refuses. */
#include "base/log.h"
#include "routes.h"

#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#define BIT(m) (1u << (m))
#define NO_ID                                                                                      \
    {                                                                                              \
        ID_NONE                                                                                    \
    }

static enum err
work(struct req *rq)
{
    (void)rq;
    return OK;
}

static const struct input some_in = {.name = "In"};

#define ENDPOINT(name_)                                                                            \
    {                                                                                              \
        .name = (name_), .tag = "T", .doc = "D.", .run = work, .out = &message_out                 \
    }
static const struct endpoint list = ENDPOINT("list"), add = ENDPOINT("add"),
                             show = ENDPOINT("show"), put = ENDPOINT("put"),
                             drop = ENDPOINT("drop"), fixed = ENDPOINT("fixed"),
                             inner = ENDPOINT("inner"), pair = ENDPOINT("pair"),
                             post = ENDPOINT("post");

/* clang-format off */
static const struct route table[] = {
    {GET,    "/things",                 ANYONE, NO_ID,                   STRANGER_NONE, LIMIT_FREE, POOL_FAST, CACHE_NEVER, 0, &list},
    {POST,   "/things",                 BUYER,  NO_ID,                   STRANGER_NONE, LIMIT_FREE, POOL_FAST, CACHE_NEVER, 9, &add},
    {GET,    "/things/fixed",           ANYONE, NO_ID,                   STRANGER_NONE, LIMIT_FREE, POOL_FAST, CACHE_NEVER, 0, &fixed},
    {GET,    "/things/:id",             ANYONE, {ID_PRODUCT},            STRANGER_NONE, LIMIT_FREE, POOL_FAST, CACHE_NEVER, 0, &show},
    {PUT,    "/things/:id",             BUYER,  {ID_PRODUCT},            STRANGER_403,  LIMIT_FREE, POOL_FAST, CACHE_NEVER, 9, &put},
    {DELETE, "/things/:id",             BUYER,  {ID_PRODUCT},            STRANGER_403,  LIMIT_FREE, POOL_FAST, CACHE_NEVER, 0, &drop},
    {GET,    "/things/:id/parts",       ANYONE, {ID_PRODUCT},            STRANGER_NONE, LIMIT_FREE, POOL_FAST, CACHE_NEVER, 0, &inner},
    {GET,    "/things/:id/parts/:part", ANYONE, {ID_PRODUCT, ID_REVIEW}, STRANGER_NONE, LIMIT_FREE, POOL_FAST, CACHE_NEVER, 0, &pair},
    {POST,   "/posts",                  BUYER,  NO_ID,                   STRANGER_NONE, LIMIT_FREE, POOL_FAST, CACHE_NEVER, 9, &post},
};
/* clang-format on */

START_TEST(test_find)
{
    static const struct {
        enum method method;
        const char *path;
        const char *want; /* the endpoint's name; NULL: none */
        unsigned allow;   /* if there is none */
        const char *ids[ROUTE_IDS_MAX];
    } rows[] = {
        {GET, "/things", "list", 0, {NULL}},
        {POST, "/things", "add", 0, {NULL}},
        {HEAD, "/things", "list", 0, {NULL}},
        {PUT, "/things", NULL, BIT(GET) | BIT(POST), {NULL}},
        {OPTIONS, "/things", NULL, BIT(GET) | BIT(POST), {NULL}},
        {METHOD_OTHER, "/things", NULL, BIT(GET) | BIT(POST), {NULL}},
        {GET, "/things/7", "show", 0, {"7"}},
        {HEAD, "/things/7", "show", 0, {"7"}},
        {PUT, "/things/7", "put", 0, {"7"}},
        {DELETE, "/things/not-a-uuid", "drop", 0, {"not-a-uuid"}},
        {POST, "/things/7", NULL, BIT(GET) | BIT(PUT) | BIT(DELETE), {NULL}},
        {GET, "/things/fixed", "fixed", 0, {NULL}},
        {GET, "/things/fixe", "show", 0, {"fixe"}},
        {GET, "/things/fixed2", "show", 0, {"fixed2"}},
        {GET, "/things/7/parts", "inner", 0, {"7"}},
        {DELETE, "/things/7/parts", NULL, BIT(GET), {NULL}},
        {GET, "/things/7/parts/8", "pair", 0, {"7", "8"}},
        {GET, "/things/%2e%2e", "show", 0, {"%2e%2e"}},
        {GET, "/things/a%2fb", "show", 0, {"a%2fb"}},
        {GET, "/things/:id", "show", 0, {":id"}},
        {HEAD, "/posts", NULL, BIT(POST), {NULL}}, /* there is no GET to answer it */
        {GET, "", NULL, 0, {NULL}},
        {GET, "/", NULL, 0, {NULL}},
        {GET, "things", NULL, 0, {NULL}},
        {GET, "/thing", NULL, 0, {NULL}},
        {GET, "/thingss", NULL, 0, {NULL}},
        {GET, "/THINGS", NULL, 0, {NULL}},
        {GET, "/things/", NULL, 0, {NULL}},
        {GET, "//things", NULL, 0, {NULL}},
        {GET, "/things//", NULL, 0, {NULL}},
        {GET, "/things/7/", NULL, 0, {NULL}},
        {GET, "/things//parts", NULL, 0, {NULL}},
        {GET, "/things/7/parts/", NULL, 0, {NULL}},
        {GET, "/things/7/parts/8/9", NULL, 0, {NULL}},
        {GET, "/things/7/part", NULL, 0, {NULL}},
        {GET, "*", NULL, 0, {NULL}},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *ids[ROUTE_IDS_MAX] = {NULL};
        unsigned allow = 0xffff;
        char *path = strdup(rows[i].path); /* on the heap, so that an overrun is seen */
        char *scratch = malloc(strlen(path) + 1);

        const struct route *r =
            route_find(table, COUNT_OF(table), rows[i].method, path, scratch, ids, &allow);
        ASSERT_TEXT(r == NULL ? NULL : r->endpoint->name, rows[i].want, rows[i].path);
        if (r == NULL)
            ck_assert_msg(allow == rows[i].allow, "%s: allow %x", rows[i].path, allow);
        for (size_t j = 0; r != NULL && j < ROUTE_IDS_MAX && r->ids[j] != ID_NONE; j++)
            ASSERT_TEXT(ids[j], rows[i].ids[j], rows[i].path);
        free(scratch);
        free(path);
    }
}
END_TEST

START_TEST(test_words)
{
    for (enum method m = GET; m <= OPTIONS; m++)
        ck_assert_int_eq((int)method_parse(method_name(m)), (int)m);
    ck_assert_int_eq((int)method_parse("PATCH"), METHOD_OTHER);
    ck_assert_int_eq((int)method_parse("get"), METHOD_OTHER);
    ck_assert_int_eq((int)method_parse(""), METHOD_OTHER);
    ck_assert_int_eq((int)method_parse("OTHER"), METHOD_OTHER);
    for (enum who w = WHO_NOBODY; w <= ADMIN_IN_PERSON; w++)
        ck_assert_uint_gt(strlen(who_name(w)), 0);
    for (enum id_kind k = ID_NONE; k <= ID_API_KEY; k++)
        ck_assert_uint_gt(strlen(id_kind_name(k)), 0);
    for (enum pool p = 0; p < POOL__COUNT; p++)
        ck_assert_uint_gt(strlen(pool_name(p)), 0);
}
END_TEST

START_TEST(test_what_takes_a_person)
{
    for (enum who w = WHO_NOBODY; w <= ADMIN_IN_PERSON; w++)
        ck_assert_int_eq(who_is_person(w), w == IN_PERSON || w == ADMIN_IN_PERSON);
    /* Whatever says who somebody is: an API key that could would outlive its revocation. */
    static const char *const paths[] = {"/api/v1/auth/", "/api/v1/api-keys",
                                        "/api/v1/admin/users/"};
    for (size_t i = 0; i < routes_count; i++) {
        const struct route *r = &routes[i];
        for (size_t k = 0; k < sizeof(paths) / sizeof(paths[0]); k++) {
            if (strncmp(r->path, paths[k], strlen(paths[k])) != 0 || r->who == ANYONE)
                continue;
            ck_assert_msg(who_is_person(r->who) || strcmp(r->endpoint->name, "profile") == 0,
                          "%s %s lets API keys in", method_name(r->method), r->path);
        }
    }
}
END_TEST

/* The shop's own table; what it says twice is found here, and not on the day of a release. */
START_TEST(test_our_table)
{
    ck_assert(routes_check(routes, routes_count));
    for (size_t i = 0; i < routes_count; i++) {
        const struct route *r = &routes[i];
        char scratch[256];
        const char *ids[ROUTE_IDS_MAX];
        unsigned allow;

        /* An administrator is no stranger anywhere. Its pattern is a path of its own kind; no row
         * before it takes what is meant for it. */
        ck_assert_uint_lt(strlen(r->path), sizeof(scratch));
        ck_assert_ptr_eq(route_find(routes, routes_count, r->method, r->path, scratch, ids, &allow),
                         r);
        bool for_admins = r->who == ADMIN || r->who == ADMIN_IN_PERSON;
        ck_assert_msg((r->ids[0] != ID_NONE && r->who != ANYONE && !for_admins) ==
                          (r->stranger != STRANGER_NONE),
                      "%s %s: how is a stranger refused?", method_name(r->method), r->path);
    }
}
END_TEST

/* Each of these breaks one rule; `other` stands before it in the table. */
#define GOOD .method = GET, .path = "/x", .who = ANYONE, .endpoint = &show
static const struct endpoint nameless = {.tag = "T", .doc = "D.", .run = work, .out = &message_out};
static const struct endpoint wordless = {.name = "w", .tag = "T", .run = work, .out = &message_out};
static const struct endpoint tagless = {.name = "t", .doc = "D.", .run = work, .out = &message_out};
static const struct endpoint shapeless = {.name = "s", .tag = "T", .doc = "D.", .run = work};
static const struct endpoint idle = {.name = "i", .tag = "T", .doc = "D.", .out = &message_out};
static const struct endpoint half = {
    .name = "h", .tag = "T", .doc = "D.", .start = work, .call = work, .out = &message_out};
static const struct endpoint eager = {
    .name = "e", .tag = "T", .doc = "D.", .run = work, .in = &some_in, .out = &message_out};

static const struct endpoint file = {
    .name = "f", .tag = "T", .doc = "D.", .run = work, .upload = "image", .out = &message_out};
static const struct endpoint both = {.name = "b",
                                     .tag = "T",
                                     .doc = "D.",
                                     .run = work,
                                     .in = &some_in,
                                     .upload = "image",
                                     .out = &message_out};

static const struct {
    const char *why; /* of the log */
    struct route other, row;
} bad[] = {
    {"does not say who may call it", {GOOD}, {.method = GET, .path = "/y", .endpoint = &list}},
    {"has no method of its own", {GOOD}, {.path = "/y", .who = ANYONE, .endpoint = &list}},
    {"has no method of its own",
     {GOOD},
     {.method = HEAD, .path = "/y", .who = ANYONE, .endpoint = &list}},
    {"has no method of its own",
     {GOOD},
     {.method = OPTIONS, .path = "/y", .who = ANYONE, .endpoint = &list}},
    {"declares other ids than its path has",
     {GOOD},
     {.method = GET, .path = "/y/:id", .who = ANYONE, .endpoint = &list}},
    {"declares other ids than its path has",
     {GOOD},
     {.method = GET, .path = "/y", .who = ANYONE, .ids = {ID_ORDER}, .endpoint = &list}},
    {"declares other ids than its path has",
     {GOOD},
     {.method = GET,
      .path = "/y/:a/:b/:c",
      .who = ANYONE,
      .ids = {ID_ORDER, ID_STORE},
      .endpoint = &list}},
    {"has an endpoint that says too little", {GOOD}, {.method = GET, .path = "/y", .who = ANYONE}},
    {"has an endpoint that says too little",
     {GOOD},
     {.method = GET, .path = "/y", .who = ANYONE, .endpoint = &nameless}},
    {"has an endpoint that says too little",
     {GOOD},
     {.method = GET, .path = "/y", .who = ANYONE, .endpoint = &wordless}},
    {"has an endpoint that says too little",
     {GOOD},
     {.method = GET, .path = "/y", .who = ANYONE, .endpoint = &tagless}},
    {"has an endpoint that says too little",
     {GOOD},
     {.method = GET, .path = "/y", .who = ANYONE, .endpoint = &shapeless}},
    {"has an endpoint without work",
     {GOOD},
     {.method = GET, .path = "/y", .who = ANYONE, .endpoint = &idle}},
    {"has an endpoint without work",
     {GOOD},
     {.method = POST, .path = "/y", .who = BUYER, .endpoint = &half}},
    {"may be cached, and is not public",
     {GOOD},
     {.method = GET, .path = "/y", .who = BUYER, .cache = CACHE_PUBLIC, .endpoint = &list}},
    {"may be cached, and is not public",
     {GOOD},
     {.method = POST, .path = "/y", .who = ANYONE, .cache = CACHE_PUBLIC, .endpoint = &list}},
    {"takes input, and no body",
     {GOOD},
     {.method = POST, .path = "/y", .who = BUYER, .endpoint = &eager}},
    {"takes input, and no body",
     {GOOD},
     {.method = PUT, .path = "/y", .who = BUYER, .endpoint = &eager}},
    {"takes a form and JSON",
     {GOOD},
     {.method = POST, .path = "/y", .who = BUYER, .body_max = BODY_UPLOAD, .endpoint = &both}},
    {"takes a file in a body of another kind",
     {GOOD},
     {.method = POST, .path = "/y", .who = BUYER, .body_max = 1024, .endpoint = &file}},
    {"takes a file in a body of another kind",
     {GOOD},
     {.method = POST, .path = "/y", .who = BUYER, .body_max = BODY_UPLOAD, .endpoint = &list}},
    {"takes a file in a body of another kind",
     {GOOD},
     {.method = GET, .path = "/y", .who = BUYER, .body_max = BODY_UPLOAD, .endpoint = &file}},
    {"stands twice", {GOOD}, {.method = GET, .path = "/x", .who = ANYONE, .endpoint = &list}},
    {"shares its path with another pool, and nginx cannot part them",
     {GOOD},
     {.method = POST, .path = "/x", .who = BUYER, .pool = POOL_HASH, .endpoint = &list}},
    {"shares its endpoint's name",
     {GOOD},
     {.method = GET, .path = "/y", .who = ANYONE, .endpoint = &show}},
    /* A bad row must not keep the check from those after it. */
    {"has an endpoint that says too little", {.method = GET, .path = "/y", .who = ANYONE}, {GOOD}},
    {"has an endpoint that says too little",
     {.method = GET, .path = "/y", .who = ANYONE, .endpoint = &nameless},
     {GOOD}},
};

START_TEST(test_refusals)
{
    struct route two[] = {bad[_i].other, bad[_i].row};
    char said[4096] = "";
    FILE *log = tmpfile();

    ck_assert_ptr_nonnull(log);
    log_init("test", LOG_WARN);
    log_set_fd(fileno(log));
    bool good = routes_check(two, COUNT_OF(two));
    log_set_fd(-1);
    ck_assert_int_ge(pread(fileno(log), said, sizeof(said) - 1, 0), 0);
    fclose(log);
    ck_assert_msg(!good, "was accepted: %s", bad[_i].why);
    ck_assert_msg(strstr(said, bad[_i].why) != NULL, "wanted \"%s\", logged: %s", bad[_i].why,
                  said);
}
END_TEST

START_TEST(test_good_tables)
{
    static const struct endpoint steps = {.name = "s",
                                          .tag = "T",
                                          .doc = "D.",
                                          .start = work,
                                          .call = work,
                                          .finish = work,
                                          .out = &message_out};
    static const struct route row = {
        .method = POST, .path = "/y", .who = BUYER, .endpoint = &steps};

    ck_assert(routes_check(table, COUNT_OF(table)));
    static const struct route upload = {
        .method = POST, .path = "/z", .who = BUYER, .body_max = BODY_UPLOAD, .endpoint = &file};

    ck_assert(routes_check(&row, 1));
    ck_assert(routes_check(&upload, 1));
    ck_assert(routes_check(table, 0));
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_find);
    tcase_add_test(tcase, test_what_takes_a_person);
    tcase_add_test(tcase, test_words);
    tcase_add_test(tcase, test_our_table);
    tcase_add_loop_test(tcase, test_refusals, 0, (int)COUNT_OF(bad));
    tcase_add_test(tcase, test_good_tables);
}

int
main(void)
{
    return unit_run("routes", fill);
}
