/*
 * providers/daraja_call: one call to Daraja, for daraja.c and daraja_money.c alone; everybody else
 * includes providers/daraja.h.
 */
#ifndef SOKO_PROVIDERS_DARAJA_CALL_H
#define SOKO_PROVIDERS_DARAJA_CALL_H

#include "base/text.h"
#include "providers/daraja.h"

struct json_object;

/* An answer, read once. */
struct daraja_answer {
    int status;                 /* HTTP; 0: none came */
    struct json_object *json;   /* an object, or NULL */
    const char *code, *message; /* errorCode and errorMessage, or "" */
};

/* A body with room for the longest request; the caller adds '{', members and '}'. */
struct text daraja_body(struct ctx *ctx);

/* Posts `body` to `path` with a token, and once more with another if the first is refused.
 * HEARD_DONE: 2xx, and *answer has an object without an error. Otherwise daraja.h's words; *why and
 * *answer say what came. `why` is set always. */
enum heard daraja_call(struct ctx *ctx, const struct daraja_auth *auth, const char *operation,
                       const char *path, const struct text *body, struct daraja_answer *answer,
                       struct refusal *why);

/* What ResponseCode says of a request that has an answer: HEARD_DONE for "0", or if it is missing
 * and `id`, which only an accepted request gets, is not; HEARD_NOTHING if both are missing; else
 * HEARD_REFUSED. */
enum heard daraja_accepted(const struct daraja_answer *answer, const char *id, struct refusal *why);

/* HEARD_REFUSED for what Daraja would not take, found here: nothing was sent. */
enum heard daraja_unfit(struct refusal *why, const char *message);

/* "254712345678" for "+254712345678"; NULL if M-Pesa cannot serve it. */
const char *daraja_msisdn(const char *phone);

/* Whole shillings in decimal, for an amount between two others, all in minor units; NULL if it is
 * outside, or has cents. */
const char *daraja_shillings(struct ctx *ctx, int64_t amount, int64_t least, int64_t most);

/* "20210628092408", in East Africa Time, of milliseconds UTC; returns `out`. */
#define DARAJA_TIMESTAMP_SIZE 15
const char *daraja_timestamp(int64_t ms, char out[DARAJA_TIMESTAMP_SIZE]);

/* The password of M-Pesa Express for that time stamp. */
const char *daraja_password(struct ctx *ctx, const char *timestamp);

#endif
