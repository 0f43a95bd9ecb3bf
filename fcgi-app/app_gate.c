/*
 * Who calls is found out by what he shows; whether he may is one table, `demands`, of which a test
 * walks every field (tests/e2e/test_gate.py). An API key is a credential like a session: it has an
 * account and one role, and from there on the two are treated alike, but for two things: a key may
 * be good for reading alone, and does not do what takes a person.
 *
 * A session's signature and expiry need no one; the session's state and the limit come from Redis
 * in one round trip; only if Redis does not know the session is PostgreSQL asked. When Redis is
 * away, limits do not count, and the shop stays open.
 *
 * A route for ANYONE looks at what is shown only to count by account: a stale token must not keep a
 * client from refreshing it. Where nothing is counted nobody is asked, so that /health stands
 * alone. A token whose session has ended counts by address: else who stole one could use up its
 * owner's limit after having been signed out. Limits count IPv6 by networks (base/address.h).
 */
#include "base/config.h"
#include "base/log.h"
#include "exchange.h"
#include "io/metrics.h"
#include "io/token.h"
#include "io/tx.h"
#include "shop/accounts/external.h"
#include "shop/accounts/keys.h"
#include "shop/accounts/sessions.h"

#include <string.h>
#include <strings.h>

#define BEARER "Bearer "

/* Who shows what. What cannot be looked at now (the OAuth2 server is away) is an error only where
 * somebody must be signed in. */
static enum err
read_caller(struct exchange *x)
{
    struct ctx *ctx = &x->rq.ctx;
    const char *header = fcgi_param(x->fcgi, ctx->arena, "HTTP_AUTHORIZATION");
    bool must = x->route->who != ANYONE;
    struct token_claims claims;
    const char *token;

    if (!must && x->route->limit != LIMIT_BY_CALLER)
        return OK;
    if (header == NULL || strncasecmp(header, BEARER, strlen(BEARER)) != 0)
        return OK;
    token = header + strlen(BEARER);
    if (strncmp(token, KEY_PREFIX, strlen(KEY_PREFIX)) == 0)
        return keys_resolve(ctx, token, &x->caller);
    if (external_is_on())
        return external_resolve(ctx, token, must, &x->caller);
    if (token_check(ctx->arena, conf->token_key, token, ctx->now_ms, &claims) == OK)
        x->caller = (struct caller){.kind = CREDENTIAL_SESSION,
                                    .account = claims.account,
                                    .session = claims.session,
                                    .role = claims.role,
                                    .may_write = true};
    return OK;
}

/* Whom a limit counts, and how many he may. */
static void
choose_limit(struct exchange *x, bool has_ended)
{
    struct arena *a = x->rq.ctx.arena;
    char id[UUID_TEXT_SIZE];

    x->limit = (struct cache_limit){0};
    switch (x->route->limit) {
    case LIMIT_FREE:
        return;
    case LIMIT_SIGN_IN:
        x->limit.key = arena_printf(a, "soko:limit:sign_in:%s", x->rq.network);
        x->limit.per_minute = conf->limit_login;
        break;
    case LIMIT_BY_CALLER:
        if (x->caller.kind != CREDENTIAL_NONE && !has_ended) {
            x->limit.key =
                arena_printf(a, "soko:limit:account:%s", uuid_text(x->caller.account, id));
            x->limit.per_minute = conf->limit_signed_in;
            x->limit.unless = SESSION_ENDED;
        } else {
            x->limit.key = arena_printf(a, "soko:limit:public:%s", x->rq.network);
            x->limit.per_minute = conf->limit_public;
        }
        break;
    }
    x->limit.burst = x->limit.per_minute;
}

/* Of which limit the metrics speak. */
static const char *
limit_name(const struct exchange *x)
{
    if (x->route->limit == LIMIT_SIGN_IN)
        return "sign_in";
    return x->limit.unless != NULL ? "account" : "public";
}

/* What each `who` asks for. A row that is missing admits no role. */
static const struct demand {
    bool person; /* a session; no API key will do */
    bool admits[ROLE__COUNT];
    const char *role; /* what to tell who acts in another */
} demands[] = {
    [SIGNED_IN] = {.admits = {[ROLE_BUYER] = true, [ROLE_SELLER] = true, [ROLE_ADMIN] = true}},
    [IN_PERSON] = {.person = true,
                   .admits = {[ROLE_BUYER] = true, [ROLE_SELLER] = true, [ROLE_ADMIN] = true}},
    [BUYER] = {.admits = {[ROLE_BUYER] = true}, .role = "buyer"},
    [SELLER] = {.admits = {[ROLE_SELLER] = true, [ROLE_ADMIN] = true}, .role = "seller"},
    [ADMIN] = {.admits = {[ROLE_ADMIN] = true}, .role = "admin"},
    [ADMIN_IN_PERSON] = {.person = true, .admits = {[ROLE_ADMIN] = true}, .role = "admin"},
};
#define DEMANDS (sizeof(demands) / sizeof(demands[0]))

/* What Redis has said of a session, and PostgreSQL will be asked if it has not. */
struct look {
    const struct caller *caller;
    enum cache_answer answer;
    const char *cached;
    bool demand_factor;
};

static enum err
look_work(struct ctx *ctx, void *arg)
{
    const struct look *look = arg;

    return sessions_check(ctx, look->caller, look->answer, look->cached, look->demand_factor);
}

static enum err
admit(struct exchange *x, enum cache_answer answer, const char *session)
{
    struct ctx *ctx = &x->rq.ctx;
    const struct caller *c = &x->caller;
    enum who who = x->route->who;

    if (who == ANYONE)
        return OK;
    if (c->kind == CREDENTIAL_NONE)
        return fail(ctx, ERR_UNAUTHORIZED, NULL, "sign in, and send a valid access token");
    if (c->kind == CREDENTIAL_SESSION) {
        struct look look = {c, answer, session, who != IN_PERSON};
        enum err e = tx_read(ctx, look_work, &look);
        if (e != OK)
            return e;
    }
    const struct demand *d = (size_t)who < DEMANDS ? &demands[who] : &demands[WHO_NOBODY];
    if (d->person && c->kind != CREDENTIAL_SESSION)
        return fail(ctx, ERR_FORBIDDEN, NULL, "an API key cannot do this: sign in");
    if (!c->may_write && x->route->method != GET)
        return fail(ctx, ERR_FORBIDDEN, NULL, "this API key may only read");
    if (!d->admits[c->role])
        return fail(ctx, ERR_FORBIDDEN, NULL, "this needs the role %s; you act as %s",
                    d->role != NULL ? d->role : "of nobody", role_name(c->role));
    ctx->actor.account = c->account;
    ctx->actor.session = c->session;
    ctx->actor.key = c->key;
    ctx->actor.role = c->role;
    return OK;
}

static enum err
decide(struct exchange *x)
{
    struct ctx *ctx = &x->rq.ctx;
    const char *session = NULL, *key = NULL;

    enum err e = read_caller(x);
    if (e != OK && e != ERR_UNAUTHORIZED && x->route->who != ANYONE)
        return e;
    struct problems shown = ctx->problems;
    problems_clear(&ctx->problems); /* of who need not have been asked */
    choose_limit(x, false);
    if (x->caller.kind == CREDENTIAL_SESSION &&
        (x->route->who != ANYONE || x->limit.unless != NULL))
        key = sessions_key(ctx->arena, x->caller.session);
    enum cache_answer answer = CACHE_MISS;
    if (key != NULL || x->limit.key != NULL)
        answer = cache_gate(ctx->cache, ctx->arena, key, &session, &x->limit);
    if (answer == CACHE_HIT && x->limit.unless != NULL && strcmp(session, SESSION_ENDED) == 0) {
        choose_limit(x, true);
        cache_gate(ctx->cache, ctx->arena, NULL, NULL, &x->limit);
    }
    if (x->limit.refused) {
        metric_add(METRIC_RATE_LIMITED, 1, LABELS(limit_name(x)));
        ctx->retry_after_ms = x->limit.retry_after_ms;
        return fail(ctx, ERR_RATE_LIMITED, NULL, "too many requests; wait %d seconds",
                    (int)((x->limit.retry_after_ms + 999) / 1000));
    }
    if (e == ERR_UNAUTHORIZED && x->route->who != ANYONE) { /* a bad token counts by address */
        ctx->problems = shown;
        return e;
    }
    return admit(x, answer, session);
}

enum err
gate(struct exchange *x)
{
    static const char *const credentials[] = {
        [CREDENTIAL_NONE] = "none",
        [CREDENTIAL_SESSION] = "session",
        [CREDENTIAL_KEY] = "key",
    };
    enum err e = decide(x);

    log_event(LOG_DEBUG, EVENT("gate.decided"), TEXT("soko.who", who_name(x->route->who)),
              TEXT("soko.credential", credentials[x->caller.kind]),
              TEXT("user.roles", role_name(x->caller.role)),
              TEXT("event.outcome", e == OK ? "success" : "failure"),
              TEXT("error.code", e != OK ? err_code(e) : NULL));
    return e;
}
