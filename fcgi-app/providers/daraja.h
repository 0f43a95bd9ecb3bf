/*
 * providers/daraja: M-Pesa (Safaricom Kenya) by its API, Daraja.
 *
 * Source: Safaricom's Daraja portal (Authorization, M-Pesa Express, Reversals, B2C, C2B,
 * Transaction Status, Pull Transactions), as gathered in the wire notes. Amounts here are KES in
 * Soko's minor units and must be whole shillings. Read tolerantly (number or string, object or
 * array, members missing), sent strictly. Nothing here knows a table: the token that all workers
 * share is the caller's.
 *
 * There is no idempotency key: after a call of which nobody knows, ask; do not repeat, unless it
 * says so below. All strings live in ctx->arena; phone numbers are E.164.
 */
#ifndef SOKO_PROVIDERS_DARAJA_H
#define SOKO_PROVIDERS_DARAJA_H

#include "providers/outside.h"

#include <stddef.h>
#include <stdint.h>

/* Where the token comes from. `refused` is NULL, or the token that Daraja has just refused: then
 * another is needed. Returns NULL if none is to be had. A refused token is asked for once more,
 * once a call. */
struct daraja_auth {
    const char *(*token)(struct ctx *ctx, const char *refused);
};

/* A new token, by our key and secret; fetching one may invalidate the one before. HEARD_REFUSED:
 * they were refused. Never HEARD_NOTHING: nothing of ours can have happened. */
enum heard daraja_fetch_token(struct ctx *ctx, const char **token, int64_t *expires_s,
                              struct refusal *why);

/* What M-Pesa takes and sends at a time: a shilling, or ten if it is sent, to 250,000. */
#define DARAJA_LEAST INT64_C(100)
#define DARAJA_SEND_LEAST INT64_C(1000)
#define DARAJA_MOST INT64_C(25000000)

/* Whole shillings of an amount, rounded half up, in minor units. */
int64_t daraja_whole(int64_t minor);

struct daraja_push_in {
    const char *phone;     /* "+254712345678" */
    int64_t amount;        /* DARAJA_LEAST to DARAJA_MOST */
    const char *callback;  /* URL, without the words that Daraja forbids */
    const char *reference; /* at most 12 of A-Z 0-9: the order number */
};
struct daraja_push {
    const char *checkout_id, *merchant_id;
};
enum heard daraja_push(struct ctx *ctx, const struct daraja_auth *auth,
                       const struct daraja_push_in *in, struct daraja_push *out,
                       struct refusal *why);

/* What a ResultCode says of money. */
enum daraja_word { DARAJA_PAID, DARAJA_FAILED, DARAJA_PENDING };

/* A ResultCode of STK callback or query. "0" is DARAJA_PAID. These are final, and DARAJA_FAILED: 1,
 * 2, 3, 4, 8, 17, 26, 1001, 1019, 1025, 1031, 1032, 1036, 1037, 2001, 2028, 8006, 9999, E3008,
 * SFC_IC0003. Whatever else comes, 4999 first of all, and NULL, is not known to be final:
 * DARAJA_PENDING. */
enum daraja_word daraja_stk_word(const char *result_code);

/* HEARD_DONE: *word says it, and *code is the ResultCode (or "500.001.1001"). All pending forms are
 * DARAJA_PENDING. With any other answer nothing was learned, also with HEARD_REFUSED: *word is
 * DARAJA_PENDING then too. */
enum heard daraja_query(struct ctx *ctx, const struct daraja_auth *auth, const char *checkout_id,
                        enum daraja_word *word, const char **code);

/* One transaction that came to our shortcode. */
struct daraja_receipt {
    const char *receipt; /* TransID */
    const char *bill;    /* BillRefNumber as typed */
    int64_t amount;
};
/* What came from one time to another (milliseconds, within the last 48 hours). HEARD_DONE: the list
 * is whole, but for rows that cannot be read, which are logged; otherwise *count is 0. */
enum heard daraja_pull(struct ctx *ctx, const struct daraja_auth *auth, int64_t from_ms,
                       int64_t until_ms, struct daraja_receipt **out, size_t *count);

/* Money back. Each result comes later, to `result` (URL; `timeout` is called if M-Pesa was too
 * slow, which is no failure). */
struct daraja_sent {
    const char *conversation; /* ConversationID */
};
struct daraja_reversal_in {
    const char *receipt; /* of the payment */
    int64_t amount;
    const char *result, *timeout;
};
/* May be repeated: what is reversed already says so (R000001) in its result. */
enum heard daraja_reverse(struct ctx *ctx, const struct daraja_auth *auth,
                          const struct daraja_reversal_in *in, struct daraja_sent *out,
                          struct refusal *why);
struct daraja_payout_in {
    const char *id; /* OriginatorConversationID: the same for the same refund and attempt */
    const char *phone;
    int64_t amount; /* DARAJA_SEND_LEAST to DARAJA_MOST */
    const char *result, *timeout;
};
/* May be repeated with the same id: a duplicate (500.002.1001) is HEARD_DONE, and *out empty. */
enum heard daraja_pay(struct ctx *ctx, const struct daraja_auth *auth,
                      const struct daraja_payout_in *in, struct daraja_sent *out,
                      struct refusal *why);
/* Asks what became of a reversal or payout: by receipt, or by our OriginatorConversationID or their
 * ConversationID (the others NULL). The answer comes to `result`. */
enum heard daraja_ask_status(struct ctx *ctx, const struct daraja_auth *auth, const char *receipt,
                             const char *conversation, const char *result, const char *timeout);

/* What Daraja posts to us. False: not of that shape, or with an amount that is no amount. Codes,
 * ids and receipts are printable ASCII of at most 100 characters. */
struct daraja_callback {
    const char *checkout_id, *merchant_id, *code, *text;
    const char *receipt; /* or NULL */
    int64_t amount;      /* minor units; 0: not said */
};
bool daraja_callback_read(struct ctx *ctx, const void *body, size_t len,
                          struct daraja_callback *out);

struct daraja_result {
    const char *code, *text;
    const char *originator, *conversation, *transaction; /* "" if missing */
    const char *status;  /* TransactionStatus of a status query, or NULL */
    const char *receipt; /* ReceiptNo or TransactionReceipt, or NULL */
    int64_t amount;      /* 0: not said */
};
bool daraja_result_read(struct ctx *ctx, const void *body, size_t len, struct daraja_result *out);

struct daraja_c2b {
    const char *receipt, *bill, *shortcode;
    int64_t amount;
};
bool daraja_c2b_read(struct ctx *ctx, const void *body, size_t len, struct daraja_c2b *out);

/* Whether an address is in a comma-separated list; "127.0.0.1" and CIDR-free, IPv4 or IPv6. */
bool daraja_address_listed(const char *list, const char *address);

#endif
