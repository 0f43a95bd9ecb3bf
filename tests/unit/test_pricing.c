/* What an order costs: sums by store, to the last unit that money may have. */
#include "base/money.h"
#include "shop/pricing.h"

#include "unit.h"

#include <inttypes.h>

#define LINES_MAX 5

/* Stores are letters: 'A' is the id whose last byte is 'A'. */
static struct uuid
id_of(char letter)
{
    return (struct uuid){.b = {[15] = (uint8_t)letter}};
}

struct line {
    char store;
    int64_t price, quantity;
};

struct part {
    char store;
    int64_t amount;
};

static const struct {
    const char *label;
    struct line lines[LINES_MAX];
    size_t count;
    int64_t total; /* -1: refused */
    struct part parts[LINES_MAX];
    size_t part_count;
} rows[] = {
    {"one line", {{'A', 850, 2}}, 1, 1700, {{'A', 1700}}, 1},
    {"one of one minor unit", {{'A', 1, 1}}, 1, 1, {{'A', 1}}, 1},
    {"two lines of one store", {{'A', 850, 2}, {'A', 99, 3}}, 2, 1997, {{'A', 1997}}, 1},
    {"two stores", {{'A', 100, 1}, {'B', 200, 2}}, 2, 500, {{'A', 100}, {'B', 400}}, 2},
    {"stores stand as they appear first",
     {{'C', 1, 1}, {'A', 2, 1}, {'B', 4, 1}, {'A', 8, 1}, {'C', 16, 1}},
     5,
     31,
     {{'C', 17}, {'A', 10}, {'B', 4}},
     3},
    {"the same product twice", {{'A', 7, 1}, {'A', 7, 1}}, 2, 14, {{'A', 14}}, 1},
    {"nothing for nothing", {{'A', 0, 5}}, 1, 0, {{'A', 0}}, 1},
    {"none of something", {{'A', 5, 0}, {'B', 3, 1}}, 2, 3, {{'A', 0}, {'B', 3}}, 2},
    {"999 of the dearest that fits",
     {{'A', MONEY_MAX / 999, 999}},
     1,
     MONEY_MAX / 999 * 999,
     {{'A', MONEY_MAX / 999 * 999}},
     1},
    {"all the money there is", {{'A', MONEY_MAX, 1}}, 1, MONEY_MAX, {{'A', MONEY_MAX}}, 1},
    {"in two halves",
     {{'A', MONEY_MAX - 1, 1}, {'B', 1, 1}},
     2,
     MONEY_MAX,
     {{'A', MONEY_MAX - 1}, {'B', 1}},
     2},
    {"one unit too much", {{'A', MONEY_MAX, 1}, {'A', 1, 1}}, 2, -1, {{0, 0}}, 0},
    {"one too much over two stores", {{'A', MONEY_MAX, 1}, {'B', 1, 1}}, 2, -1, {{0, 0}}, 0},
    {"a price beyond money", {{'A', MONEY_MAX + 1, 1}}, 1, -1, {{0, 0}}, 0},
    {"a line beyond money", {{'A', MONEY_MAX / 2 + 1, 2}}, 1, -1, {{0, 0}}, 0},
    {"a product that overflows", {{'A', INT64_MAX, INT64_MAX}}, 1, -1, {{0, 0}}, 0},
    {"that would wrap to something small", {{'A', INT64_C(1) << 62, 4}}, 1, -1, {{0, 0}}, 0},
    {"a negative price", {{'A', 100, 1}, {'A', -1, 1}}, 2, -1, {{0, 0}}, 0},
    {"a negative quantity", {{'A', 100, 1}, {'A', 1, -1}}, 2, -1, {{0, 0}}, 0},
    {"both negative", {{'A', -2, -2}}, 1, -1, {{0, 0}}, 0},
    {"the least number there is", {{'A', INT64_MIN, 1}}, 1, -1, {{0, 0}}, 0},
};

START_TEST(test_sums)
{
    struct arena *a = arena_new();
    struct priced_line lines[LINES_MAX];
    struct priced_order order;

    for (size_t j = 0; j < rows[_i].count; j++) {
        const struct line *l = &rows[_i].lines[j];
        lines[j] = (struct priced_line){id_of((char)('0' + (int)j)), id_of(l->store), l->price,
                                        l->quantity};
    }
    bool good = pricing_sum(a, lines, rows[_i].count, &order);

    ck_assert_msg(good == (rows[_i].total >= 0), "%s", rows[_i].label);
    if (good) {
        int64_t sum = 0;

        ck_assert_msg(order.total == rows[_i].total, "%s: total %" PRId64, rows[_i].label,
                      order.total);
        ck_assert_msg(order.part_count == rows[_i].part_count, "%s: %zu parts", rows[_i].label,
                      order.part_count);
        for (size_t j = 0; j < order.part_count; j++) {
            ck_assert_msg(uuid_equal(order.parts[j].store, id_of(rows[_i].parts[j].store)),
                          "%s: store of part %zu", rows[_i].label, j);
            ck_assert_msg(order.parts[j].amount == rows[_i].parts[j].amount,
                          "%s: part %zu is %" PRId64, rows[_i].label, j, order.parts[j].amount);
            sum += order.parts[j].amount;
        }
        ck_assert_int_eq(sum, order.total);
    }
    arena_free(a);
}
END_TEST

static const struct {
    const char *label;
    int64_t amount, bp, fee;
} fees[] = {
    {"of nothing", 0, 850, 0},
    {"none", 100000, 0, 0},
    {"all", 100000, 10000, 100000},
    {"exact", 10000, 850, 850},
    {"just below a half", 5, 999, 0},
    {"a half goes up", 5, 1000, 1},
    {"just above a half", 5, 1001, 1},
    {"half of an odd one", 3, 5000, 2},
    {"a tenth of a percent of little", 499, 10, 0},
    {"a tenth of a percent of a little more", 500, 10, 1},
    {"one hundredth of a percent", 9999, 1, 1},
    {"of all the money there is", MONEY_MAX, 10000, MONEY_MAX},
    {"half of all the money", MONEY_MAX, 5000, 500000000000000},
    {"the least of all the money", MONEY_MAX, 1, 100000000000},
};

START_TEST(test_commission)
{
    int64_t fee = pricing_commission(fees[_i].amount, fees[_i].bp);

    ck_assert_msg(fee == fees[_i].fee, "%s: %" PRId64, fees[_i].label, fee);
}
END_TEST

/* However a part is given back, in whatever pieces: what was taken in all is the fee of what is
 * left, never negative on the way, and nothing once nothing is left. */
START_TEST(test_refunds_lose_nothing)
{
    static const int64_t rates[] = {0, 1, 49, 850, 3333, 5000, 9999, 10000};
    const int64_t bp = rates[_i];

    for (int64_t amount = 1; amount <= 400; amount++) {
        for (int64_t piece = 1; piece <= amount; piece += 1 + piece / 3) {
            int64_t kept = amount, taken = pricing_commission(amount, bp);
            bool good = true;

            while (kept > 0) {
                int64_t back = piece < kept ? piece : kept;
                int64_t fee = pricing_commission_back(kept, back, bp);

                kept -= back;
                taken -= fee;
                good = good && fee >= 0 && fee <= back && taken == pricing_commission(kept, bp);
            }
            ck_assert_msg(good && taken == 0, "%" PRId64 " at %" PRId64 " in pieces of %" PRId64,
                          amount, bp, piece);
        }
    }
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_loop_test(tcase, test_commission, 0, (int)COUNT_OF(fees));
    tcase_add_loop_test(tcase, test_refunds_lose_nothing, 0, 8);
    tcase_add_loop_test(tcase, test_sums, 0, (int)COUNT_OF(rows));
}

int
main(void)
{
    return unit_run("pricing", fill);
}
