/*
 * shop/payments: money in, and money back.
 *
 * Whatever a provider says, and however it reaches us, ends in payments_settle(), whose effect
 * happens once (design, section 7). An attempt is a row before anybody is called; no provider is
 * called inside a transaction.
 *
 * The fault points of money (base/fault.h) are passed on behalf of the order, everywhere, refunds
 * too: a test knows the order before anybody knows the payment.
 *
 *     rules.c       how a payment may move                  pure
 *     settle.c      a provider's word and what follows      payments_settle()
 *     excess.c      what must go back                       payments_refund_excess()
 *     attempts.c    opening an attempt; what is due         for stripe.c and mpesa.c
 *     stripe.c      POST /payments/stripe
 *     mpesa.c       POST /payments/mpesa
 *     token.c       Daraja's token, one for all workers
 *     view.c        GET /payments/:id, /payments/order/:order_id
 *     inbox.c       POST /webhooks/stripe, /webhooks/stk/:token; words that wait
 *     c2b.c         POST /webhooks/c2b/:token/...           money sent by hand
 *     asking.c      soko-jobs asks what became of payments; expiry
 *     refund_rules.c  how a refund may move                 pure
 *     refunds.c     soko-jobs sends money back, in three steps, and asks what became of it
 *     paid_back.c   a provider's word about a refund, and what follows
 *     results.c     POST /webhooks/result/:token, /webhooks/timeout/:token
 *     returns.c     POST, GET /orders/:id/refunds
 *     admin.c       GET /admin/payments, POST /admin/payments/:id/resolve, /admin/refunds/:id/retry
 *     simulated.c   the provider of demo shops
 */
#ifndef SOKO_SHOP_PAYMENTS_PAYMENTS_H
#define SOKO_SHOP_PAYMENTS_PAYMENTS_H

#include "io/ctx.h"
#include "shop/endpoint.h"
#include "shop/orders/orders.h"
#include "shop/outbox.h"
#include "shop/payments/rules.h"

#include <stdint.h>

extern const struct endpoint payments_stripe;           /* stripe.c */
extern const struct endpoint payments_mpesa;            /* mpesa.c */
extern const struct endpoint payments_show;             /* view.c */
extern const struct endpoint payments_of_order;         /* view.c */
extern const struct endpoint payments_stripe_event;     /* inbox.c */
extern const struct endpoint payments_stk_callback;     /* inbox.c */
extern const struct endpoint payments_c2b_validation;   /* c2b.c */
extern const struct endpoint payments_c2b_confirmation; /* c2b.c */
extern const struct endpoint payments_result;           /* results.c */
extern const struct endpoint payments_timeout;          /* results.c */
extern const struct endpoint refunds_create;            /* returns.c */
extern const struct endpoint refunds_list;              /* returns.c */
extern const struct endpoint payments_admin_list;       /* admin.c */
extern const struct endpoint payments_resolve;          /* admin.c */
extern const struct endpoint refunds_retry;             /* admin.c */

/* What a provider says of one attempt. */
struct verdict {
    struct uuid payment;
    const char *provider; /* PROVIDER_NAME_... (rules.h) */
    /* Unique for the provider: the same word heard twice has one effect. NULL: the inbox has stored
     * it in this transaction, so it is new. */
    const char *event_id;
    enum outcome outcome;
    /* What was paid, in minor units; compared with what was asked for before anything is marked. 0:
     * the provider did not say (STK query): what was asked for. */
    int64_t amount;
    const char *currency;
    const char *receipt; /* or NULL; a later word may only add it */
    const char *failure; /* OUTCOME_FAILED: the provider's code; else NULL */
};

/* Applies a verdict: payment, order, ledger, messages and what follows in one transaction, which
 * the caller owns. OK also when it was heard before or changes nothing. Money that does not match
 * is parked as needs_review, and booked as suspense. Money for an order that expired revives it if
 * stock allows; for an order that a person cancelled, or that is paid already, it goes back. A
 * second receipt for a payment that has succeeded is a second payment, and goes back. */
enum err payments_settle(struct ctx *ctx, const struct verdict *v);

/* Money has come for a locked order, and is booked: it pays the order, and what is too much goes
 * back. */
enum err payments_money_came(struct ctx *ctx, struct order *o);

/* Under the order's lock: asks for a refund of what was paid above what its live parts cost. State,
 * not difference: called twice, the second finds nothing left to ask for. `store`, `by` and `note`
 * say who wanted it; nil and NULL for the machine. */
enum err payments_refund_excess(struct ctx *ctx, const struct order *o, const char *reason,
                                struct uuid store, struct uuid by, const char *note);

/* What is left to pay of a locked order: a seller may have cancelled his part before the buyer
 * paid. */
int64_t payments_due(const struct order *o);

/* What money that comes without having been asked for must cover, to pay a locked order: what is
 * left to pay, or what an expired one would cost. 0: the order waits for no money. */
int64_t payments_wanted(const struct order *o);

/* Daraja's token from provider_tokens, fetched anew by one process at a time (token.c). */
struct daraja_auth;
extern const struct daraja_auth payments_daraja;

/* "https://shop.example.com/webhooks/KIND/TOKEN", and the token's hash for the row. The token is 64
 * hexadecimal digits, so that no word that Daraja forbids in a URL can appear in it. */
const char *payments_callback_url(struct ctx *ctx, const char *kind, const char *token);

/* Consumers. order.created: opens an attempt for an order that is paid by the provider simulated.
 */
enum err payments_begin(struct ctx *ctx, const struct delivery *d);
/* payment.initiated: asks the provider simulated, who pays always. */
enum err payments_ask(struct ctx *ctx, const struct delivery *d);
/* order.cancelled and part.cancelled: gives back what was paid, and closes what is open. */
enum err payments_refund_order(struct ctx *ctx, const struct delivery *d);
enum err payments_refund_part(struct ctx *ctx, const struct delivery *d);
/* order.cancelled and part.cancelled: closes what is open, so that nobody pays it any more. */
enum err payments_close(struct ctx *ctx, const struct delivery *d);
/* provider.spoke: a word that waited (subject: its row in provider_events). */
enum err payments_hear(struct ctx *ctx, const struct delivery *d);
/* refund.requested: sends it back, in three steps (jobs.h). */
enum err refunds_start(struct ctx *ctx, const struct delivery *d, void **step);
enum err refunds_call(struct ctx *ctx, void *step);
enum err refunds_finish(struct ctx *ctx, void *step);

/* What Stripe says of a refund, by a webhook that is authentic and was not heard before, in the
 * caller's transaction. OK also if it is nobody's, or changes nothing. */
struct stripe_refund;
enum err refunds_hear_stripe(struct ctx *ctx, const struct stripe_refund *s);

/* c2b.heard: money that somebody not listed says was sent by hand. Daraja is asked, in three steps.
 */
enum err payments_c2b_start(struct ctx *ctx, const struct delivery *d, void **step);
enum err payments_c2b_call(struct ctx *ctx, void *step);
enum err payments_c2b_finish(struct ctx *ctx, void *step);

/* The clock of the payments lane. Claims what is due, so that no other process asks too, for
 * conf->jobs_lease; then, for each, asks the provider outside of a transaction and applies his word
 * in one of its own. Failures are logged and asked again later. */
enum err payments_claim_due(struct ctx *ctx, int64_t limit, struct due_id **ids, size_t *count);
void payments_ask_about(struct ctx *ctx, struct uuid payment);
enum err refunds_claim_due(struct ctx *ctx, int64_t limit, struct due_id **ids, size_t *count);
void refunds_ask_about(struct ctx *ctx, struct uuid refund);

/* The same for money sent by hand that was taken for a prompt's: was it? (c2b.c) */
enum err payments_claim_doubts(struct ctx *ctx, int64_t limit, struct due_id **ids, size_t *count);
void payments_recheck(struct ctx *ctx, struct uuid payment);

/* What a person decides (admin.c), each in a transaction, each in the audit log.
 *
 * Money in review: it is the order's (`accepts`; `order` nil: the one that the payment names), or
 * all of it goes back. `note` for the books, or NULL. ERR_NOT_FOUND, ERR_VALIDATION,
 * ERR_INVALID_STATUS. */
enum err payments_decide(struct ctx *ctx, struct uuid payment, bool accepts, struct uuid order,
                         const char *note);
/* A refund that failed is tried again. ERR_NOT_FOUND, ERR_INVALID_STATUS. */
enum err refunds_try_again(struct ctx *ctx, struct uuid refund);
/* soko-jobs asks the provider at its next turn what became of an open payment. ERR_NOT_FOUND,
 * ERR_INVALID_STATUS. */
enum err payments_ask_soon(struct ctx *ctx, struct uuid payment);

/* In a transaction: an order that was not paid in time. Closes an open attempt (the provider is
 * asked first), or, if none is open, lets it expire. */
enum err payments_expire(struct ctx *ctx, struct uuid order);

#endif
