/*
 * io/ctx: what a piece of work needs, whoever started it: an endpoint, soko-jobs or sokoctl.
 *
 * Rules and statements take a `struct ctx *`; only endpoints see the request around it.
 */
#ifndef SOKO_IO_CTX_H
#define SOKO_IO_CTX_H

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"

#include <stdbool.h>
#include <stdint.h>

/* The role in which a session acts (API.md, "Who"). The order is that of power. */
enum role { ROLE_NONE = 0, ROLE_BUYER, ROLE_SELLER, ROLE_ADMIN, ROLE__COUNT };

/* "buyer", "seller", "admin"; "none" for ROLE_NONE. */
const char *role_name(enum role role);

/* ROLE_NONE if `name` is NULL or no role. */
enum role role_parse(const char *name);

/* On whose behalf. All zeroes is nobody: an anonymous client, or the machine itself. */
struct actor {
    struct uuid account;
    struct uuid session; /* nil if it came with an API key */
    struct uuid key;     /* that key */
    enum role role;
    const char *address;  /* the client's, or NULL */
    const char *operator; /* the system user at the other end of sokoctl, or NULL */
};

struct pg;
struct cache;
struct replica;
struct http_out;
struct effect;

struct ctx {
    struct arena *arena; /* lives as long as this piece of work */
    struct pg *pg;
    struct replica *replica; /* for reads that may be a little old; NULL: there is none */
    struct cache *cache;
    struct http_out *http; /* for calls to providers; NULL where none are made */
    int64_t now_ms;        /* when the work began, UTC; SQL's now() is the transaction's */
    struct actor actor;
    const char *request_id;   /* of the request that caused this; NULL: none did */
    const char *trace_id;     /* of all that belongs to it (base/trace.h), never NULL */
    bool sampled;             /* whether whoever began the trace wants it recorded */
    struct problems problems; /* what to tell the caller if this fails */
    int64_t retry_after_ms;   /* with ERR_RATE_LIMITED: when to come again */
    /* Owned by io/tx. */
    struct effect *first_effect, *last_effect;
    bool keep;
};

/* Adds a problem and returns `e`: `return fail(ctx, ERR_FORBIDDEN, NULL, "not your store");`.
 * `field` may be NULL. */
enum err fail(struct ctx *ctx, enum err e, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
