/*
 * Signature and expiry need no one; the session's state and the limit come from Redis in one round
 * trip; only if Redis does not know the session is PostgreSQL asked. When Redis is away, limits do
 * not count, and the shop stays open.
 *
 * A route for ANYONE looks at a token only to count by account: a stale one must not keep a client
 * from refreshing it.
 */
#include "base/config.h"
#include "exchange.h"
#include "shop/accounts/sessions.h"

#include <string.h>
#include <strings.h>

#define BEARER "Bearer "

static void
read_token(struct exchange *x)
{
    struct ctx *ctx = &x->rq.ctx;
    const char *header = fcgi_param(x->fcgi, ctx->arena, "HTTP_AUTHORIZATION");

    if (header == NULL || strncasecmp(header, BEARER, strlen(BEARER)) != 0)
        return;
    x->has_claims = token_check(ctx->arena, conf->token_key, header + strlen(BEARER), ctx->now_ms,
                                &x->claims) == OK;
}

/* Whom a limit counts, and how many he may. */
static void
choose_limit(struct exchange *x)
{
    struct arena *a = x->rq.ctx.arena;
    char id[UUID_TEXT_SIZE];

    switch (x->route->limit) {
    case LIMIT_FREE:
        return;
    case LIMIT_SIGN_IN:
        x->limit.key = arena_printf(a, "soko:limit:sign_in:%s", x->rq.address);
        x->limit.per_minute = conf->limit_login;
        break;
    case LIMIT_BY_CALLER:
        if (x->has_claims) {
            x->limit.key =
                arena_printf(a, "soko:limit:account:%s", uuid_text(x->claims.account, id));
            x->limit.per_minute = conf->limit_signed_in;
        } else {
            x->limit.key = arena_printf(a, "soko:limit:public:%s", x->rq.address);
            x->limit.per_minute = conf->limit_public;
        }
        break;
    }
    x->limit.burst = x->limit.per_minute;
}

static bool
role_suffices(enum who who, enum role role)
{
    switch (who) {
    case WHO_NOBODY:
        return false;
    case ANYONE:
    case SIGNED_IN:
        return true;
    case BUYER:
        return role == ROLE_BUYER;
    case SELLER:
        return role == ROLE_SELLER || role == ROLE_ADMIN;
    case ADMIN:
        return role == ROLE_ADMIN;
    }
    return false;
}

static enum err
admit(struct exchange *x, enum cache_answer answer, const char *session)
{
    struct ctx *ctx = &x->rq.ctx;

    if (x->route->who == ANYONE)
        return OK;
    if (!x->has_claims)
        return fail(ctx, ERR_UNAUTHORIZED, NULL, "sign in, and send a valid access token");
    enum err e = sessions_check(ctx, &x->claims, answer, session);
    if (e != OK)
        return e;
    if (!role_suffices(x->route->who, x->claims.role))
        return fail(ctx, ERR_FORBIDDEN, NULL, "this needs the role %s; your session acts as %s",
                    who_name(x->route->who), role_name(x->claims.role));
    ctx->actor = (struct actor){
        .account = x->claims.account, .session = x->claims.session, .role = x->claims.role};
    return OK;
}

enum err
gate(struct exchange *x)
{
    struct ctx *ctx = &x->rq.ctx;
    const char *session = NULL, *key = NULL;

    read_token(x);
    choose_limit(x);
    if (x->has_claims && x->route->who != ANYONE)
        key = sessions_key(ctx->arena, x->claims.session);
    enum cache_answer answer = CACHE_MISS;
    if (key != NULL || x->limit.key != NULL)
        answer = cache_gate(ctx->cache, ctx->arena, key, &session, &x->limit);
    if (x->limit.refused)
        return fail(ctx, ERR_RATE_LIMITED, NULL, "too many requests; wait %d seconds",
                    (int)((x->limit.retry_after_ms + 999) / 1000));
    return admit(x, answer, session);
}
