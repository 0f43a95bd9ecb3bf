/*
 * A booking is one statement: the transaction and, only if its key is new, its entries. So a fact
 * that is told twice, or by two at once, is booked once without a lock of ours: PostgreSQL lets the
 * second wait for the first, and then do nothing. That the same fact means the same sums is not
 * checked here but by ledger_check(), which knows what the sums ought to be.
 *
 * Rejected: balances kept in rows of their own, which every sale of a store would queue up for. A
 * balance is the sum of its entries; an index per store keeps that cheap.
 */
#include "shop/ledger.h"
#include "base/log.h"
#include "io/pg.h"
#include "shop/stmt.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *const kinds[LEDGER__KINDS] = {
    [LEDGER_PAYMENT_SETTLED] = "payment_settled", [LEDGER_PAYMENT_PARKED] = "payment_parked",
    [LEDGER_REVIEW_ACCEPTED] = "review_accepted", [LEDGER_REFUND_REQUESTED] = "refund_requested",
    [LEDGER_REFUND_REVERSED] = "refund_reversed", [LEDGER_REFUND_PAID] = "refund_paid",
    [LEDGER_PART_COMPLETED] = "part_completed",   [LEDGER_CASH_COMPLETED] = "cash_part_completed",
    [LEDGER_PART_REFUNDED] = "part_refunded",
};

static const char *const accounts[LEDGER__ACCOUNTS] = {
    [LEDGER_PROVIDER_CASH] = "provider_cash",
    [LEDGER_BUYER_FUNDS] = "buyer_funds",
    [LEDGER_STORE_PAYABLE] = "store_payable",
    [LEDGER_COMMISSION] = "commission",
    [LEDGER_FEES] = "fees",
    [LEDGER_REFUNDS_PAYABLE] = "refunds_payable",
    [LEDGER_ROUNDING] = "rounding",
    [LEDGER_SUSPENSE] = "suspense",
};

/* A booking that does not balance is our own mistake: nothing that follows from it may be
 * committed, and running it again would not help. */
static void
demand_zero(const struct ledger_booking *b)
{
    int64_t sum = 0;

    for (size_t i = 0; i < b->count; i++) {
        if (__builtin_add_overflow(sum, b->entries[i].amount, &sum))
            sum = INT64_MAX;
        if (sum == INT64_MAX)
            break;
    }
    if (sum == 0)
        return;
    log_event(LOG_ERROR, EVENT("ledger.unbalanced"), TEXT("soko.ledger.kind", kinds[b->kind]),
              INT("soko.ledger.sum", sum));
    abort();
}

enum err
ledger_book(struct ctx *ctx, const struct ledger_booking *b)
{
    const char **names = arena_array(ctx->arena, b->count, sizeof(*names));
    int64_t *amounts = arena_array(ctx->arena, b->count, sizeof(*amounts));
    int64_t moved = 0, written;
    size_t n = 0;

    demand_zero(b);
    for (size_t i = 0; i < b->count; i++) {
        if (b->entries[i].amount == 0)
            continue;
        names[n] = accounts[b->entries[i].account];
        amounts[n++] = b->entries[i].amount;
        if (b->entries[i].amount > 0)
            moved += b->entries[i].amount;
    }
    if (n == 0)
        return OK; /* nothing has moved: cash on delivery without commission */
    enum err e = pg_touch(ctx, LEDGER_BOOK, &written, ARG_ID(uuid_v7(ctx->now_ms)),
                          ARG_TEXT(kinds[b->kind]), ARG_ID(b->subject), ARG_ID_OR_NULL(b->store),
                          ARG_ID_OR_NULL(b->order), ARG_TEXT(b->provider), ARG_TEXT(b->currency),
                          ARG_TEXTS(names, n), ARG_INTS(amounts, n));
    if (e == OK && written > 0)
        log_event(LOG_INFO, EVENT("ledger.booked"), TEXT("soko.ledger.kind", kinds[b->kind]),
                  INT("soko.ledger.amount", moved), TEXT("soko.ledger.currency", b->currency));
    return e;
}
