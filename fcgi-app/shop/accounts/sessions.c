/*
 * The order of ending matters. First the row, then the tombstone: from the commit on no fill can
 * come from a living row but one that was read before, and that fill is SET NX, which the
 * tombstone wins. The tombstone lives as long as the youngest access token. A fill lives for
 * conf->token_cache only: should a tombstone be late, because Redis was away while the session
 * ended and came back with what it knew, that is how long it can matter, even without soko-jobs.
 *
 * A refresh token that was rotated away and comes again was stolen, or its answer was lost. The
 * grace tells the two apart by time alone; past it the whole family ends, since nobody can say
 * which of the two holders is the thief (RFC 6819, section 5.2.2.3).
 */
#include "shop/accounts/sessions.h"
#include "base/config.h"
#include "base/log.h"
#include "io/pg.h"
#include "io/secret.h"
#include "io/token.h"
#include "io/tx.h"
#include "shop/accounts/totp.h"
#include "shop/audit.h"
#include "shop/stmt.h"

#include <string.h>

/* Behind the account, in what Redis knows of a living session: opened by a second factor too. */
#define PROVED " proved"

struct refresh_row {
    struct uuid session_id, account_id;
    const char *role;
    bool is_rotated, is_stale, is_alive, second_factor;
};
static const struct field refresh_row_fields[] = {
    FIELD(struct refresh_row, session_id),    FIELD(struct refresh_row, account_id),
    FIELD(struct refresh_row, role),          FIELD(struct refresh_row, is_rotated),
    FIELD(struct refresh_row, is_stale),      FIELD(struct refresh_row, is_alive),
    FIELD(struct refresh_row, second_factor),
};
static const struct input refresh_row = INPUT(refresh_row, "RefreshToken", NULL);

struct holder_row {
    struct uuid id;
    bool is_active, is_buyer, is_seller, is_admin;
};
static const struct field holder_row_fields[] = {
    FIELD(struct holder_row, id),       FIELD(struct holder_row, is_active),
    FIELD(struct holder_row, is_buyer), FIELD(struct holder_row, is_seller),
    FIELD(struct holder_row, is_admin),
};
static const struct input holder_row = INPUT(holder_row, "Holder", NULL);

struct session_row {
    struct uuid id;
};
static const struct field session_row_fields[] = {FIELD(struct session_row, id)};
static const struct input session_row = INPUT(session_row, "SessionToEnd", NULL);

struct live_row {
    bool second_factor;
};
static const struct field live_row_fields[] = {FIELD(struct live_row, second_factor)};
static const struct input live_row = INPUT(live_row, "LiveSession", NULL);

static enum err
expired(struct ctx *ctx)
{
    return fail(ctx, ERR_UNAUTHORIZED, NULL, "Session expired");
}

/* A fresh pair for a session whose row stands already. */
static enum err
issue(struct ctx *ctx, struct uuid session, struct uuid account, enum role role,
      const struct external_token *external, struct session_tokens *out)
{
    uint8_t hash[SHA256_SIZE];
    struct token_claims claims = {
        .account = account,
        .session = session,
        .role = role,
        .issued_ms = ctx->now_ms,
        .expires_ms = ctx->now_ms + conf->access_token_ttl.ms,
    };

    out->account = account;
    out->role = role;
    out->refresh = secret_token(ctx->arena);
    out->access = external->token;
    out->access_ms = external->expires_ms - ctx->now_ms;
    if (!external_is_on()) {
        out->access = token_issue(ctx->arena, conf->token_key, &claims);
        out->access_ms = conf->access_token_ttl.ms;
    }
    secret_sha256(out->refresh, strlen(out->refresh), hash);
    pg_queue(ctx, ACCOUNTS_REFRESH_TOKEN_ADD, ARG_BYTES(hash, sizeof(hash)), ARG_ID(session));
    return external_keep(ctx, session, account, role, external);
}

/* The tombstone outlives every access token of the session. */
static enum cache_answer
entomb(struct ctx *ctx, struct uuid session)
{
    return cache_set(ctx->cache, sessions_key(ctx->arena, session), SESSION_ENDED,
                     conf->access_token_ttl.ms, false);
}

static void
entomb_after_commit(struct ctx *ctx, void *arg)
{
    const struct uuid *session = arg;

    if (entomb(ctx, *session) == CACHE_DOWN)
        log_event(LOG_WARN, EVENT("session.tombstone_late"));
}

enum err
sessions_choose_role(struct ctx *ctx, const struct held_roles *held, const char *wanted,
                     enum role *out)
{
    const bool holds[ROLE__COUNT] = {
        [ROLE_BUYER] = held->is_buyer,
        [ROLE_SELLER] = held->is_seller,
        [ROLE_ADMIN] = held->is_admin,
    };
    enum role role = role_parse(wanted);

    if (wanted == NULL) {
        for (role = ROLE_ADMIN; role > ROLE_NONE && !holds[role]; role--)
            ;
    }
    if (!holds[role])
        return fail(ctx, ERR_FORBIDDEN, "role", "the account does not hold this role");
    *out = role;
    return OK;
}

enum err
sessions_demand_factor(struct ctx *ctx, enum role role, bool second_factor)
{
    if (second_factor || !totp_is_required(role))
        return OK;
    return problems_add(
        ctx->arena, &ctx->problems, ERR_FORBIDDEN, "role", "{\"totp_setup_required\":true}",
        "acting as %s takes a second factor: sign in in another role, set one up by "
        "POST /api/v1/auth/totp, and sign in again",
        role_name(role));
}

enum err
sessions_start(struct ctx *ctx, const struct session_start *s, struct session_tokens *out)
{
    struct uuid session = uuid_v7(ctx->now_ms);

    pg_queue(ctx, ACCOUNTS_SESSION_ADD, ARG_ID(session), ARG_ID(s->account),
             ARG_TEXT(role_name(s->role)), ARG_TEXT(s->agent), ARG_TEXT(s->address),
             ARG_TIME(ctx->now_ms + conf->refresh_token_ttl.ms), ARG_BOOL(s->second_factor));
    return issue(ctx, session, s->account, s->role, s->external, out);
}

static enum err
find(struct ctx *ctx, const uint8_t hash[SHA256_SIZE], struct refresh_row *row)
{
    enum err e =
        pg_one(ctx, ACCOUNTS_REFRESH_TOKEN_FIND, &refresh_row, row, ARG_BYTES(hash, SHA256_SIZE),
               ARG_INT(conf->refresh_grace.ms), ARG_INT(conf->refresh_token_ttl.ms));
    if (e == ERR_NOT_FOUND) {
        problems_clear(&ctx->problems);
        return expired(ctx);
    }
    return e == OK && !row->is_alive ? expired(ctx) : e;
}

enum err
sessions_refresh_look(struct ctx *ctx, const char *refresh, const char *wanted, bool *wants_token)
{
    struct external_token again = {0};
    uint8_t hash[SHA256_SIZE];
    struct refresh_row row = {0};

    *wants_token = false;
    secret_sha256(refresh, strlen(refresh), hash);
    enum err e = find(ctx, hash, &row);
    if (e == OK)
        e = external_again(ctx, hash, &again);
    if (e == OK && !(row.is_rotated && row.is_stale))
        *wants_token = external_is_on() &&
                       (again.token == NULL || (wanted != NULL && strcmp(wanted, row.role) != 0));
    return e;
}

enum err
sessions_refresh(struct ctx *ctx, const char *refresh, const char *wanted,
                 const struct external_token *external, struct session_tokens *out)
{
    struct external_token again;
    uint8_t hash[SHA256_SIZE];
    struct refresh_row row = {0};
    struct holder_row holder = {0};
    enum role role = ROLE_NONE;

    secret_sha256(refresh, strlen(refresh), hash);
    enum err e = find(ctx, hash, &row);
    if (e != OK)
        return e;
    if (row.is_rotated && row.is_stale) {
        log_event(LOG_WARN, EVENT("session.refresh_reused"));
        char account[UUID_TEXT_SIZE];
        audit_note(ctx, AUDIT_REFRESH_REUSED, row.session_id, "account",
                   uuid_text(row.account_id, account));
        e = sessions_end(ctx, row.session_id, "refresh_reused");
        tx_keep(ctx);
        return e != OK ? e : expired(ctx);
    }

    e = pg_one(ctx, ACCOUNTS_ROLES, &holder_row, &holder, ARG_ID(row.account_id));
    if (e != OK)
        return e;
    if (!holder.is_active)
        return fail(ctx, ERR_FORBIDDEN, NULL, "this account is deactivated");
    struct held_roles held = {holder.is_buyer, holder.is_seller, holder.is_admin};
    e = sessions_choose_role(ctx, &held, wanted != NULL ? wanted : row.role, &role);
    if (e == OK)
        e = sessions_demand_factor(ctx, role, row.second_factor);
    if (e == OK)
        e = external_again(ctx, hash, &again);
    /* A token acts in the role that its session had when it was given. */
    if (e == OK && again.token != NULL && role == role_parse(row.role)) {
        e = external_throw_away(ctx, external);
        external = &again;
    }
    if (e != OK)
        return e;
    pg_queue(ctx, ACCOUNTS_REFRESH_TOKEN_ROTATE, ARG_BYTES(hash, sizeof(hash)));
    pg_queue(ctx, ACCOUNTS_SESSION_USE, ARG_ID(row.session_id), ARG_TEXT(role_name(role)),
             ARG_TIME(ctx->now_ms + conf->refresh_token_ttl.ms));
    return issue(ctx, row.session_id, row.account_id, role, external, out);
}

enum err
sessions_end(struct ctx *ctx, struct uuid session, const char *reason)
{
    struct uuid *copy = arena_alloc(ctx->arena, sizeof(*copy));
    int64_t ended;

    *copy = session;
    enum err e = pg_touch(ctx, ACCOUNTS_SESSION_END, &ended, ARG_ID(session), ARG_TEXT(reason));
    if (e != OK)
        return e;
    outbox_add(ctx, EVENT_SESSION_ENDED, session, (struct uuid){{0}});
    after_commit(ctx, entomb_after_commit, copy);
    if (ended > 0)
        audit_note(ctx, AUDIT_SESSION_ENDED, session, "reason", reason);
    return external_end(ctx, session);
}

enum err
sessions_end_others(struct ctx *ctx, struct uuid account, struct uuid spared, const char *reason)
{
    struct session_row *rows;
    size_t count;

    enum err e = pg_all(ctx, ACCOUNTS_SESSIONS_OTHER, &session_row, &rows, &count, ARG_ID(account),
                        ARG_ID_OR_NULL(spared));
    for (size_t i = 0; e == OK && i < count; i++)
        e = sessions_end(ctx, rows[i].id, reason);
    return e;
}

const char *
sessions_key(struct arena *a, struct uuid session)
{
    char id[UUID_TEXT_SIZE];

    return arena_printf(a, "soko:session:%s", uuid_text(session, id));
}

enum err
sessions_check(struct ctx *ctx, const struct caller *c, enum cache_answer answer,
               const char *cached, bool in_role)
{
    struct live_row row = {0};
    enum role role = in_role ? c->role : ROLE_NONE;
    char id[UUID_TEXT_SIZE];
    const char *account = uuid_text(c->account, id);
    size_t len = strlen(account);

    if (answer == CACHE_HIT && strncmp(cached, account, len) != 0)
        return expired(ctx);
    /* The mark may have come since: then the row knows. */
    if (answer == CACHE_HIT && (strcmp(cached + len, PROVED) == 0 || !totp_is_required(role)))
        return OK;
    enum err e = pg_one(ctx, ACCOUNTS_SESSION_LIVES, &live_row, &row, ARG_ID(c->session),
                        ARG_ID(c->account));
    if (e == ERR_NOT_FOUND) {
        problems_clear(&ctx->problems);
        if (answer == CACHE_MISS)
            entomb(ctx, c->session);
        return expired(ctx);
    }
    if (e != OK)
        return e;
    if (answer == CACHE_MISS)
        cache_set(ctx->cache, sessions_key(ctx->arena, c->session),
                  row.second_factor ? arena_printf(ctx->arena, "%s" PROVED, account) : account,
                  conf->token_cache.ms, true);
    return sessions_demand_factor(ctx, role, row.second_factor);
}

enum err
sessions_bury(struct ctx *ctx, const struct delivery *d)
{
    return entomb(ctx, d->subject) == CACHE_DOWN ? ERR_SERVICE_UNAVAILABLE : OK;
}

enum err
sessions_sweep(struct ctx *ctx)
{
    enum err e =
        pg_touch(ctx, ACCOUNTS_SWEEP_REFRESH_TOKENS, NULL, ARG_INT(conf->refresh_token_ttl.ms));

    return e != OK
               ? e
               : pg_touch(ctx, ACCOUNTS_SWEEP_SESSIONS, NULL, ARG_INT(conf->refresh_token_ttl.ms));
}
