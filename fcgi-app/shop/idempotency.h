/*
 * shop/idempotency: the same POST twice has one effect and one answer (API.md, Idempotency-Key).
 *
 * A key belongs to an account, and to one fingerprint of method, path and body. The first 2xx
 * answer is stored in the transaction of its effect and lives conf->idempotency_ttl.
 */
#ifndef SOKO_SHOP_IDEMPOTENCY_H
#define SOKO_SHOP_IDEMPOTENCY_H

#include "io/ctx.h"

#include <stddef.h>

#define IDEMPOTENCY_KEY_MAX 255

/* A key as a request uses it. Strings live in the arena. */
struct idempotency {
    const char *key;
    const char *fingerprint; /* SHA-256, in hexadecimal digits */
};

/* What was answered before. */
struct replay {
    int status;       /* 0: nothing yet, go on */
    const char *body; /* the JSON of `data`; NULL: it held a secret, and was not kept. With status
                       * 0: what was left when the work was started, or NULL */
};

struct idempotency idempotency_of(struct arena *a, const char *key, const char *method,
                                  const char *path, const char *body, size_t len);

/* First in the transaction of the effect: takes the key's lock until it ends. ERR_CONFLICT: a twin
 * is at work. ERR_IDEMPOTENCY_KEY_REUSED: the key came with another request. Problems are added. */
enum err idempotency_begin(struct ctx *ctx, const struct idempotency *idem, struct replay *out);

/* For what calls a provider: the same, outside of any transaction; the lock is held until
 * idempotency_end_long(), or until the connection ends. */
enum err idempotency_begin_long(struct ctx *ctx, const struct idempotency *idem,
                                struct replay *out);
void idempotency_end_long(struct ctx *ctx, const struct idempotency *idem);

/* In a transaction of such work: what a twin has answered meanwhile. The lock is lost with the
 * connection that took it, and the work goes on with another. */
enum err idempotency_look(struct ctx *ctx, const struct idempotency *idem, struct replay *out);

/* Last in the transaction: stores the answer. `body` NULL keeps the status alone; status 0 says
 * that the work is started, and `body` is a note for whoever goes on with it. ERR_RERUN if a twin
 * has answered meanwhile: start again, and see. */
enum err idempotency_store(struct ctx *ctx, const struct idempotency *idem, int status,
                           const char *body);

/* For who repeats an answer that was found: what was committed before is confirmed by the
 * synchronous standby, if there is one, once this transaction is (of its own, outside of one). */
enum err idempotency_confirm(struct ctx *ctx);

/* Forgets what is older than its life. In a transaction. */
enum err idempotency_sweep(struct ctx *ctx);

#endif
