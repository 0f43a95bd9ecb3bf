/*
 * shop/accounts/sessions: signed in, and for how long (design, section 6).
 *
 * A session is a row in PostgreSQL; Redis holds a copy for the fast path and may lose it. An access
 * token names the session and lives conf->access_token_ttl; a refresh token is opaque, is kept as
 * its SHA-256, and is replaced at each use.
 */
#ifndef SOKO_SHOP_ACCOUNTS_SESSIONS_H
#define SOKO_SHOP_ACCOUNTS_SESSIONS_H

#include "base/text.h"
#include "io/cache.h"
#include "io/ctx.h"
#include "shop/accounts/caller.h"
#include "shop/accounts/external.h"
#include "shop/outbox.h"

/* The roles that an account holds. */
struct held_roles {
    bool is_buyer, is_seller, is_admin;
};

/* The role in which to act: `wanted` (NULL: the highest held). ERR_FORBIDDEN, with a problem, if
 * the account does not hold it; ERR_VALIDATION if it is no role. */
enum err sessions_choose_role(struct ctx *ctx, const struct held_roles *held, const char *wanted,
                              enum role *out);

/* What a client gets. */
struct session_tokens {
    struct uuid account;
    enum role role;
    const char *access, *refresh;
    int64_t access_ms; /* life of the access token */
};

/* How a session is opened. */
struct session_start {
    struct uuid account;
    enum role role;
    const char *agent, *address;
    bool second_factor;                    /* it was asked for, and shown */
    const struct external_token *external; /* what external_obtain() gave */
};

/* Opens a session. In a transaction. */
enum err sessions_start(struct ctx *ctx, const struct session_start *s, struct session_tokens *out);

/* Whether the account may act in `role` with or without a second factor; ERR_FORBIDDEN, with a
 * problem that says how to get one and details {"totp_setup_required": true}, if not
 * (conf->totp_required). */
enum err sessions_demand_factor(struct ctx *ctx, enum role role, bool second_factor);

/* Whether a refresh token is good for something, before anybody outside is troubled for it, and
 * whether it takes a token from outside. In a transaction. ERR_UNAUTHORIZED if it is good for
 * nothing; one that was used again is left to sessions_refresh(). */
enum err sessions_refresh_look(struct ctx *ctx, const char *refresh, const char *wanted,
                               bool *wants_token);

/* Exchanges a refresh token for a fresh pair, in `wanted` role or the one the session had. In a
 * transaction. ERR_UNAUTHORIZED: unknown, ended, or used again; in the last case the session
 * is ended, and the transaction is kept. Used again within conf->refresh_grace (a lost answer, two
 * tabs) gets a fresh pair. Roles are read anew. */
enum err sessions_refresh(struct ctx *ctx, const char *refresh, const char *wanted,
                          const struct external_token *external, struct session_tokens *out);

/* Ends a session: the row now, Redis after the commit, and again through the outbox in case Redis
 * is away. In a transaction. Ending an ended one is OK. */
enum err sessions_end(struct ctx *ctx, struct uuid session, const char *reason);

/* Ends every session of an account but `spared` (nil: none is). In a transaction. */
enum err sessions_end_others(struct ctx *ctx, struct uuid account, struct uuid spared,
                             const char *reason);

/* The key under which Redis knows a session, in the arena, and its value there once it has ended.
 */
const char *sessions_key(struct arena *a, struct uuid session);
#define SESSION_ENDED "ended"

/* Whether the session of `c` lives: by what Redis answered, else by the row, whose word is
 * then told to Redis. ERR_UNAUTHORIZED with the problem "Session expired" if not. With `in_role`,
 * which all is but what a person does for himself, also whether it may act in its role without a
 * second factor, as sessions_demand_factor() has it: a session may be older than the demand. */
enum err sessions_check(struct ctx *ctx, const struct caller *c, enum cache_answer answer,
                        const char *cached, bool in_role);

/* The consumer of session.ended: puts up the tombstone in Redis; fails if Redis is away. */
enum err sessions_bury(struct ctx *ctx, const struct delivery *d);

/* Removes sessions that expired long ago. In a transaction. */
enum err sessions_sweep(struct ctx *ctx);

#endif
