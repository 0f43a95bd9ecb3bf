/*
 * The ledger is held against what it tells of: payments, refunds and parts, by their own rows, both
 * ways, and never by the code that booked it. A statement says what ought to be booked, another
 * what is; where they differ, a line names the row (sql/queries/ledger.sql,
 * sql/functions/ledger.sql).
 *
 * All of it is read in one snapshot, so that a shop at work gives no false alarm, and printed once
 * the reading is over: a lost connection makes it run again.
 */
#include "base/money.h"
#include "io/pg.h"
#include "io/tx.h"
#include "shop/ledger.h"
#include "shop/stmt.h"

#include <inttypes.h>
#include <string.h>

struct fault_row {
    const char *fault;
};
static const struct field fault_row_fields[] = {FIELD(struct fault_row, fault)};
static const struct input fault_row = INPUT(fault_row, "LedgerFault", NULL);

static const struct field sum_fields[] = {
    FIELD(struct ledger_sum, currency),
    FIELD(struct ledger_sum, account),
    FIELD(struct ledger_sum, provider),
    FIELD(struct ledger_sum, amount),
};
static const struct input sum_table = {
    .name = "LedgerSum",
    .size = sizeof(struct ledger_sum),
    .fields = sum_fields,
    .count = sizeof(sum_fields) / sizeof(sum_fields[0]),
};

static const int checks[] = {
    LEDGER_CHECK_ZERO,  LEDGER_CHECK_MONEY,   LEDGER_CHECK_REFUNDED, LEDGER_CHECK_PARTS,
    LEDGER_CHECK_FUNDS, LEDGER_CHECK_WAITING, LEDGER_CHECK_LINKS,
};
#define CHECKS (sizeof(checks) / sizeof(checks[0]))

struct reading {
    struct fault_row *faults[CHECKS];
    size_t counts[CHECKS];
    struct ledger_sum *sums;
    size_t sum_count;
};

static enum err
read_work(struct ctx *ctx, void *arg)
{
    struct reading *r = arg;

    enum err e = pg_run(ctx, LEDGER_SNAPSHOT, ARG_NONE);
    if (e == OK)
        e = pg_run(ctx, LEDGER_PATIENCE, ARG_NONE);
    if (e == OK)
        e = ledger_sums(ctx, &r->sums, &r->sum_count);
    for (size_t i = 0; e == OK && i < CHECKS; i++)
        e = pg_all(ctx, checks[i], &fault_row, &r->faults[i], &r->counts[i], ARG_NONE);
    return e;
}

static void
print_sum(FILE *out, const struct ledger_sum *s)
{
    char text[MONEY_TEXT_SIZE];

    fprintf(out, "%s %-15s %-10s %20s\n", s->currency, s->account, s->provider,
            money_text(s->amount, s->currency, text));
}

/* The accounts of each currency, and that they sum to zero; the number of those that do not. */
static size_t
print_sums(FILE *out, const struct ledger_sum *sums, size_t count)
{
    char text[MONEY_TEXT_SIZE];
    size_t faults = 0;
    int64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        print_sum(out, &sums[i]);
        sum += sums[i].amount;
        if (i + 1 < count && strcmp(sums[i].currency, sums[i + 1].currency) == 0)
            continue;
        fprintf(out, "%s %s: %s\n", sums[i].currency, sum == 0 ? "zero sum" : "NOT a zero sum",
                money_text(sum, sums[i].currency, text));
        faults += sum != 0;
        sum = 0;
    }
    return faults;
}

enum err
ledger_sums(struct ctx *ctx, struct ledger_sum **sums, size_t *count)
{
    return pg_all(ctx, LEDGER_SUMS, &sum_table, sums, count, ARG_NONE);
}

enum err
ledger_check(struct ctx *ctx, FILE *out, size_t *faults)
{
    struct reading r = {0};

    *faults = 0;
    enum err e = tx_run(ctx, read_work, &r);
    if (e != OK)
        return e;
    for (size_t i = 0; i < CHECKS; i++) {
        for (size_t j = 0; j < r.counts[i]; j++)
            fprintf(out, "fault: %s\n", r.faults[i][j].fault);
        *faults += r.counts[i];
    }
    *faults += print_sums(out, r.sums, r.sum_count);
    return OK;
}
