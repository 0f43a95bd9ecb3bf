/* base/trace: what a traceparent is, character by character, and where ids come from. */
#include "base/trace.h"

#include "base/arena.h"
#include "base/id.h"
#include "unit.h"

#include <stdbool.h>
#include <stdio.h>

#define ID "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"
#define GOOD "00-" ID "-" SPAN "-01"
#define ZEROES "00000000000000000000000000000000"

static const struct {
    const char *text;
    int sampled; /* -1: malformed */
} rows[] = {
    {GOOD, 1},
    {"00-" ID "-" SPAN "-00", 0},
    {"00-" ID "-" SPAN "-02", 0},
    {"00-" ID "-" SPAN "-03", 1},
    {"00-" ID "-" SPAN "-0b", 1},
    {"00-" ID "-" SPAN "-ff", 1},
    {"00-" ID "-" SPAN "-fe", 0},
    {"00-" ID "-0000000000000001-01", 1},
    {"00-00000000000000000000000000000001-" SPAN "-01", 1},
    {"00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-01", 1},

    /* Later versions: what they add stands behind a dash. */
    {"01-" ID "-" SPAN "-01", 1},
    {"01-" ID "-" SPAN "-00-", 0},
    {"cc-" ID "-" SPAN "-01-what-the-future-will-be-like", 1},
    {"fe-" ID "-" SPAN "-01-\xff", 1},
    {"01-" ID "-" SPAN "-01.what-the-future-will-be-like", -1},
    {"01-" ID "-" SPAN "-010", -1},
    {"0f-" ID "-" SPAN "-0", -1},
    {"10-" ZEROES "-" SPAN "-01", -1},

    {"", -1},
    {"0", -1},
    {"00", -1},
    {"00-", -1},
    {"00-" ID, -1},
    {"00-" ID "-" SPAN, -1},
    {"00-" ID "-" SPAN "-", -1},
    {"00-" ID "-" SPAN "-0", -1},
    {"00-" ID "-" SPAN "-011", -1},
    {"00-" ID "-" SPAN "-01-", -1},
    {"00-" ID "-" SPAN "-01-more", -1},
    {"00-" ID "-" SPAN "-01 ", -1},
    {" 00-" ID "-" SPAN "-01", -1},
    {"00-" ID "-" SPAN "-01,00-" ID "-" SPAN "-01", -1},
    {"00-" ID "-" SPAN "-01\n", -1},
    {"00-" ID "-" SPAN "-01\xc3\xa9", -1},
    {"\"00-" ID "-" SPAN "-01\"", -1},
    {"00_" ID "_" SPAN "_01", -1},
    {"00-" ID "_" SPAN "-01", -1},
    {"00--" ID "-" SPAN "-01", -1},
    {"00" ID SPAN "01", -1},

    {"ff-" ID "-" SPAN "-01", -1},
    {"FF-" ID "-" SPAN "-01", -1},
    {"0-" ID "-" SPAN "-01", -1},
    {"000-" ID "-" SPAN "-01", -1},
    {".0-" ID "-" SPAN "-01", -1},
    {"0A-" ID "-" SPAN "-01", -1},
    {"-1-" ID "-" SPAN "-01", -1},

    {"00-" ZEROES "-" SPAN "-01", -1},
    {"00-" ID "-0000000000000000-01", -1},
    {"00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01", -1},
    {"00-" ID "-B7AD6B7169203331-01", -1},
    {"00-" ID "-" SPAN "-0B", -1},
    {"00-0af7651916cd43dd8448eb211c80319-" SPAN "-01", -1},
    {"00-0af7651916cd43dd8448eb211c80319c1-" SPAN "-01", -1},
    {"00-0af7651916cd43dd8448eb211c80319g-" SPAN "-01", -1},
    {"00-0af7651916cd43dd8448eb211c80319.-" SPAN "-01", -1},
    {"00-" ID "-b7ad6b716920333-01", -1},
    {"00-" ID "-b7ad6b71692033311-01", -1},
    {"00-" ID "-b7ad6b716920333x-01", -1},
    {"00-" ID "-" SPAN "-0x", -1},
    {"00-" ID "-" SPAN "-1", -1},
    {"00-" ID "-" SPAN "-.0", -1},
    {"00-" ID "-" SPAN "- 1", -1},
    {"b3=" ID "-" SPAN "-1", -1},
    {"Root=1-5759e988-bd862e3fe1be46a994272793", -1},
};

START_TEST(test_parse)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct trace t = {.id = "as it was"};
        bool good = trace_parse(rows[i].text, &t);

        ck_assert_msg(good == (rows[i].sampled >= 0), "%s", rows[i].text);
        ck_assert_msg(!good || t.sampled == (rows[i].sampled == 1), "%s", rows[i].text);
        if (good)
            ck_assert_msg(strncmp(rows[i].text + 3, t.id, 32) == 0 && strlen(t.id) == 32, "%s",
                          rows[i].text);
        else
            ASSERT_TEXT(t.id, "as it was", rows[i].text);
    }
    struct trace t;
    ck_assert(!trace_parse(NULL, &t));
}
END_TEST

/* Each character of a good one exchanged for each byte: what is taken is still one by the rule. */
START_TEST(test_each_byte)
{
    static const char good[] = GOOD;
    int taken = 0;

    for (size_t at = 0; at < sizeof good - 1; at++) {
        bool dash = good[at] == '-';

        for (int byte = 1; byte < 256; byte++) {
            char *text = strdup(good); /* the sanitizer sees where it ends */
            struct trace t;

            text[at] = (char)byte;
            bool digit = strchr("0123456789abcdef", byte) != NULL;
            ck_assert_msg(trace_parse(text, &t) == (dash ? byte == '-' : digit), "%zu: %02x", at,
                          byte);
            taken += trace_parse(text, &t);
            free(text);
        }
    }
    ck_assert_int_eq(taken, 52 * 16 + 3);
    for (size_t len = 0; len < sizeof good - 1; len++) {
        char *text = strndup(good, len);
        struct trace t;

        ck_assert(!trace_parse(text, &t));
        free(text);
    }
}
END_TEST

START_TEST(test_chance)
{
    static const char alphabet[] = "00000000123456789abcdef--fFg,; ";
    unsigned char dice[64];

    for (int round = 0; round < 100000; round++) {
        char text[sizeof dice + 1];
        struct trace t;

        random_bytes(dice, sizeof dice);
        size_t len = dice[0] % sizeof dice;
        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[dice[i + 1 < sizeof dice ? i + 1 : 0] % (sizeof alphabet - 1)];
        text[len] = '\0';
        if (!trace_parse(text, &t))
            continue;
        ck_assert_msg(trace_id_good(t.id), "%s", text);
        ck_assert_uint_ge(len, 55);
    }
}
END_TEST

START_TEST(test_id)
{
    ck_assert(trace_id_good(ID));
    ck_assert(trace_id_good("00000000000000000000000000000001"));
    ck_assert(!trace_id_good(ZEROES));
    ck_assert(!trace_id_good(NULL));
    ck_assert(!trace_id_good(""));
    ck_assert(!trace_id_good(ID "0"));
    ck_assert(!trace_id_good("0AF7651916CD43DD8448EB211C80319C"));
    ck_assert(!trace_id_good("0af7651916cd43dd8448eb211c80319"));
}
END_TEST

START_TEST(test_begin)
{
    static const struct {
        const char *request, *trace; /* NULL: by chance */
    } begins[] = {
        {ID, ID},
        {"0af76519-16cd-43dd-8448-eb211c80319c", ID},
        {"0AF76519-16cd-43dd-8448-eb211c80319c", NULL},
        {"00000000-0000-0000-0000-000000000000", NULL},
        {"0AF7651916CD43DD8448EB211C80319C", NULL},
        {ZEROES, NULL},
        {"my-own-request", NULL},
        {"", NULL},
        {NULL, NULL},
    };

    for (size_t i = 0; i < COUNT_OF(begins); i++) {
        struct trace t = {.sampled = true}, again;

        trace_begin(begins[i].request, &t);
        trace_begin(begins[i].request, &again);
        ck_assert(trace_id_good(t.id) && trace_id_good(again.id));
        ck_assert(!t.sampled);
        ck_assert_int_eq(strcmp(t.id, again.id) == 0, begins[i].trace != NULL);
        if (begins[i].trace != NULL)
            ASSERT_TEXT(t.id, begins[i].trace, begins[i].request);
    }
}
END_TEST

START_TEST(test_parent)
{
    struct arena *a = arena_new();
    char span[SPAN_ID_SIZE], other[SPAN_ID_SIZE], text[TRACEPARENT_SIZE];
    const char *id = trace_new(a);
    struct trace t;

    trace_span(span);
    trace_span(other);
    ck_assert_str_ne(span, other);
    ck_assert_str_ne(id, trace_new(a));
    for (int sampled = 0; sampled < 2; sampled++) {
        ck_assert(trace_parse(trace_parent(id, span, sampled == 1, text), &t));
        ASSERT_TEXT(t.id, id, text);
        ck_assert_int_eq(t.sampled, sampled);
        ck_assert(strstr(text, span) != NULL);
    }
    ASSERT_TEXT(trace_parent(ID, SPAN, true, text), GOOD, "as it is sent");
    arena_free(a);
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_parse);
    tcase_add_test(tcase, test_each_byte);
    tcase_add_test(tcase, test_chance);
    tcase_add_test(tcase, test_id);
    tcase_add_test(tcase, test_begin);
    tcase_add_test(tcase, test_parent);
}

int
main(void)
{
    return unit_run("trace", fill);
}
