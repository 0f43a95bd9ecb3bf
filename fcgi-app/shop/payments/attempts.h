/*
 * shop/payments/attempts: one attempt to pay an order, for the files of this folder.
 *
 * Locks are taken in one sequence: the order, then its payment. An order has at most one attempt
 * that is open (a unique index says so too); whoever wants another has the open one closed first,
 * and its provider asked.
 */
#ifndef SOKO_SHOP_PAYMENTS_ATTEMPTS_H
#define SOKO_SHOP_PAYMENTS_ATTEMPTS_H

#include "base/fault.h"
#include "io/secret.h"
#include "providers/outside.h"
#include "shop/payments/payments.h"

#define CALLBACK_TOKEN_BYTES 32

struct attempt {
    struct uuid id, order_id; /* order_id nil: nobody knows what the money was for */
    const char *provider, *status, *currency;
    const char *order_number; /* NULL without an order */
    const char *provider_ref,
        *merchant_ref; /* the PaymentIntent; CheckoutRequestID and MerchantRequestID */
    const char *client_secret, *receipt, *phone;
    int64_t amount, asked, received; /* received 0: nothing yet */
    int64_t times_asked, age_ms, created_ms;
    bool closing;
};

/* As it stands, without a lock; ERR_NOT_FOUND. */
enum err attempts_find(struct ctx *ctx, struct uuid payment, struct attempt *out);

/* Under the order's lock, locking it too. */
enum err attempts_lock(struct ctx *ctx, struct uuid payment, struct attempt *out);

/* Under the order's lock: its open attempt; *found false if there is none. */
enum err attempts_lock_open(struct ctx *ctx, struct uuid order, struct attempt *out, bool *found);

bool attempts_is_open(const struct attempt *a);
bool attempts_is(const struct attempt *a, const char *provider);

/* What a buyer wants to begin. */
struct opening {
    struct uuid order;
    const char *provider;
    const struct decimal *amount; /* NULL: not sent, as is currency */
    const char *currency;
    const char *phone;         /* M-Pesa */
    const uint8_t *token_hash; /* M-Pesa */
    /* What came of it. */
    struct attempt attempt; /* to go on with, unless something is in the way */
    struct uuid
        in_the_way; /* another attempt that must be closed first: ask, then open again; or nil */
};

/* In a transaction: an attempt for an order of the actor's, or the one that is open already.
 * Refuses, with problems: ERR_NOT_FOUND, ERR_INVALID_STATUS (cancelled, late, cash), ERR_CONFLICT
 * (paid, or in the hands of another provider), ERR_VALIDATION (not what is due, or more than the
 * provider takes). */
enum err attempts_open(struct ctx *ctx, struct opening *w);

/* The same for a second time, outside of a transaction: has w->in_the_way closed, then opens again.
 * ERR_CONFLICT if it cannot be closed yet, or turns out to be paid. */
enum err attempts_open_after(struct ctx *ctx, struct opening *w);

/* First in the last step: locks the buyer's order and the attempt, as it has become meanwhile. */
enum err attempts_lock_again(struct ctx *ctx, const struct opening *w, struct attempt *now);

/* A new token of a callback, and the hash by which its attempt is found. */
const char *attempts_token(struct ctx *ctx, uint8_t hash[SHA256_SIZE]);
void attempts_token_hash(const char *token, uint8_t hash[SHA256_SIZE]);

/* What M-Pesa wants to hear once its word is kept; `text` is "Accepted", or "Success" (inbox.c). */
extern const struct output payments_ack_out;
enum err payments_acknowledge(struct req *rq, const char *text);

/* Ends a step of money: refuses the caller, and yet commits what is known. */
enum err attempts_refuse(struct ctx *ctx, const struct attempt *a, enum heard heard,
                         const struct refusal *why);

/* A fault point on behalf of an order, or of nobody, once the transaction is committed. */
void attempts_fault_after_commit(struct ctx *ctx, enum fault f, struct uuid order);

/* One line of the log about an attempt. */
void attempts_log(const char *event, const struct attempt *a, const char *outcome,
                  const char *failure);

#endif
