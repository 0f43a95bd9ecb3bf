/*
 * io/token: access tokens, JWT (RFC 7519) signed by HS256, by libjwt.
 *
 * libjwt 1.10 accepts HS384 and HS512, checks no exp, and with a NULL key "verifies" anything; so
 * this file demands: alg HS256, typ claim "access", a key of at least 32 bytes, exp in the future,
 * iat not (but for a minute, by which hosts' clocks may differ), and sub and sid that are UUIDs.
 */
#ifndef SOKO_IO_TOKEN_H
#define SOKO_IO_TOKEN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "io/ctx.h"

#include <stdint.h>

#define TOKEN_KEY_MIN 32
#define TOKEN_MAX 1024 /* longest token that is looked at */

struct token_claims {
    struct uuid account; /* sub */
    struct uuid session; /* sid */
    enum role role;      /* role: in which the session acts */
    int64_t issued_ms, expires_ms;
};

/* A signed token in the arena. `key` has at least TOKEN_KEY_MIN characters (the configuration
 * guarantees it; aborts else). */
const char *token_issue(struct arena *a, const char *key, const struct token_claims *claims);

/* OK and *claims, or ERR_UNAUTHORIZED for anything else, without saying what. `text` need not be
 * trusted in any way. */
enum err token_check(struct arena *a, const char *key, const char *text, int64_t now_ms,
                     struct token_claims *claims);

#endif
