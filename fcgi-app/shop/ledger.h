/*
 * shop/ledger: double entry, append-only (DESIGN, section 4).
 *
 * A fact is booked once: a transaction is unique by its kind and subject (and store), so whoever
 * books it twice books it once. Entries sum to zero; the database refuses, at COMMIT, what does
 * not, and refuses every change of what is booked.
 *
 * A positive amount is a debit, a negative one a credit. Balances read so: provider_cash is what
 * the provider holds for us, -buyer_funds what buyers paid and nobody has earned yet,
 * -store_payable what we owe a store (positive: it owes us commission on cash sales), -commission
 * what we earned, -refunds_payable what is on its way back, -suspense what came and fits nothing,
 * rounding what whole shillings made or lost. Providers' own fees, and what they pay out to our
 * bank, are not booked: `fees` is for the first of them.
 *
 *     payment_settled      provider_cash +received    buyer_funds -amount         rounding rest
 *     payment_parked       provider_cash +received    suspense -received
 *     review_accepted      suspense +received         buyer_funds -amount         rounding rest
 *     refund_requested     buyer_funds +amount        refunds_payable -amount
 *     refund_paid          refunds_payable +amount    provider_cash -sent         rounding rest
 *     refund_reversed      provider_cash +sent        buyer_funds -amount         rounding rest
 *     part_completed       buyer_funds +kept          store_payable -(kept-fee)   commission -fee
 *     cash_part_completed  store_payable +fee         commission -fee
 *     part_refunded        store_payable +(back-fee)  commission +fee             buyer_funds -back
 *
 * The rest is what whole shillings differ by. A refund of money in review moves suspense instead of
 * buyer_funds. One that was reversed went, and came back after all: another takes its place.
 */
#ifndef SOKO_SHOP_LEDGER_H
#define SOKO_SHOP_LEDGER_H

#include "io/ctx.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum ledger_kind {
    LEDGER_PAYMENT_SETTLED,  /* subject: the payment */
    LEDGER_PAYMENT_PARKED,   /* subject: the payment */
    LEDGER_REVIEW_ACCEPTED,  /* subject: the payment */
    LEDGER_REFUND_REQUESTED, /* subject: the refund */
    LEDGER_REFUND_REVERSED,  /* subject: the refund */
    LEDGER_REFUND_PAID,      /* subject: the refund */
    LEDGER_PART_COMPLETED,   /* subject: the order, and the store */
    LEDGER_CASH_COMPLETED,   /* subject: the order, and the store */
    LEDGER_PART_REFUNDED,    /* subject: made for each, and the store */
    LEDGER__KINDS
};

enum ledger_account {
    LEDGER_PROVIDER_CASH, /* of `provider` */
    LEDGER_BUYER_FUNDS,
    LEDGER_STORE_PAYABLE, /* of the transaction's store */
    LEDGER_COMMISSION,
    LEDGER_FEES,
    LEDGER_REFUNDS_PAYABLE,
    LEDGER_ROUNDING,
    LEDGER_SUSPENSE,
    LEDGER__ACCOUNTS
};

struct ledger_entry {
    enum ledger_account account;
    int64_t amount; /* zero is left out */
};

struct ledger_booking {
    enum ledger_kind kind;
    struct uuid subject;
    struct uuid order;    /* or nil */
    struct uuid store;    /* of a part; else nil */
    const char *provider; /* of LEDGER_PROVIDER_CASH; else NULL */
    const char *currency;
    const struct ledger_entry *entries;
    size_t count;
};

/* Books it, in the caller's transaction. Nothing, if no entry moves anything. OK also if it was
 * booked before: then nothing changes. Aborts if the entries do not sum to zero, which is our own
 * mistake. */
enum err ledger_book(struct ctx *ctx, const struct ledger_booking *b);

/* For sokoctl, outside of a transaction: it reads one snapshot of its own. Holds the whole ledger
 * against itself and against payments, refunds and parts, and prints what is wrong to `out`, a line
 * each, then sums by account and currency. *faults counts. */
enum err ledger_check(struct ctx *ctx, FILE *out, size_t *faults);

/* The sum of an account, over all stores. */
struct ledger_sum {
    const char *currency, *account;
    const char *provider; /* of provider_cash; else "" */
    int64_t amount;
};
enum err ledger_sums(struct ctx *ctx, struct ledger_sum **sums, size_t *count);

#endif
