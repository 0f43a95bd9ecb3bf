/*
 * A token is looked for three times, each where the one before does not know it: in Redis, by its
 * hash; in our table, so that what we never gave out is refused without a question to the server;
 * at the server. Only his yes, or his no, to a token of ours is noted in Redis. His no is noted
 * too, since one who shows a revoked token again and again would else keep the server's few places
 * to himself.
 *
 * When a token ends, a tombstone takes the place of its answer in Redis, as with sessions: answers
 * are SET NX, so that whoever has read the living row and asked meanwhile cannot revive it. An
 * answer is good for conf->token_cache from before the question, however long it is under way, so
 * the tombstone need stay no longer. If Redis is away, the outbox puts it up again.
 *
 * A token that is obtained is introspected at once, before anybody gets it: an audience or scope
 * that the server does not grant shows at sign-in, and the first six requests of a page find the
 * answer in Redis. Whatever then keeps it from being used (a second factor is missing), it becomes
 * a row of no session and is revoked like others. If we die between obtaining and COMMIT it is
 * lost: no row has its hash, so it opens nothing, and it expires by itself.
 *
 * Rejected: the lineage of each refresh token with a token of its own (a lost answer would leave
 * one alive that nobody holds); his answer about a token that we do not know (seed hole 26).
 */
#include "shop/accounts/external.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "io/box.h"
#include "io/cache.h"
#include "io/pg.h"
#include "io/secret.h"
#include "io/tx.h"
#include "providers/oauth2.h"
#include "shop/stmt.h"

#include <string.h>

#define PURPOSE "external"
#define ENDED "ended"       /* for us */
#define INACTIVE "inactive" /* by his word */

struct found_row {
    struct uuid session_id, account_id;
    const char *role;
    bool is_alive;
    int64_t expires_ms;
};
static const struct field found_row_fields[] = {
    FIELD(struct found_row, session_id), FIELD(struct found_row, account_id),
    FIELD(struct found_row, role),       FIELD(struct found_row, is_alive),
    FIELD(struct found_row, expires_ms),
};
static const struct input found_row = INPUT(found_row, "ExternalToken", NULL);

struct ended_row {
    struct uuid id;
    const char *hash;
    bool is_alive; /* at the server, for all we know */
};
static const struct field ended_row_fields[] = {
    FIELD(struct ended_row, id),
    FIELD(struct ended_row, hash),
    FIELD(struct ended_row, is_alive),
};
static const struct input ended_row = INPUT(ended_row, "EndedToken", NULL);

struct again_row {
    struct uuid id;
    const char *sealed;
    int64_t expires_ms;
};
static const struct field again_row_fields[] = {
    FIELD(struct again_row, id),
    FIELD(struct again_row, sealed),
    FIELD(struct again_row, expires_ms),
};
static const struct input again_row = INPUT(again_row, "TokenAgain", NULL);

struct revoke_row {
    const char *sealed, *hash;
};
static const struct field revoke_row_fields[] = {
    FIELD(struct revoke_row, sealed),
    FIELD(struct revoke_row, hash),
};
static const struct input revoke_row = INPUT(revoke_row, "TokenToRevoke", NULL);

static enum err
expired(struct ctx *ctx)
{
    return fail(ctx, ERR_UNAUTHORIZED, NULL, "Session expired");
}

static enum err
unavailable(struct ctx *ctx)
{
    return fail(ctx, ERR_SERVICE_UNAVAILABLE, NULL,
                "the server that gives and checks tokens does not answer; try again");
}

/* --- Redis ------------------------------------------------------------------------------------ */

static const char *
cache_key(struct arena *a, const char *hash)
{
    return arena_printf(a, "soko:token:%s", hash);
}

static const char *
hash_of(struct arena *a, const char *token, uint8_t hash[SHA256_SIZE])
{
    secret_sha256(token, strlen(token), hash);
    return secret_hex(a, hash, SHA256_SIZE);
}

/* Something to be written to Redis. An answer has a time until which it is good, wherever it was
 * delayed; a tombstone a life, from when it is put up. */
struct note {
    const char *key, *value;
    int64_t until_ms, life_ms;
};

static void
write_note(struct ctx *ctx, void *arg)
{
    const struct note *n = arg;
    bool is_answer = n->life_ms == 0;
    int64_t ms = is_answer ? n->until_ms - clock_ms() : n->life_ms;

    if (ms > 0)
        cache_set(ctx->cache, n->key, n->value, ms, is_answer);
}

static int64_t
least(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

/* His yes, to a question that was asked after ctx->now_ms. */
static struct note
good_answer(struct ctx *ctx, const char *hash, const struct caller *c, int64_t expires_ms)
{
    char account[UUID_TEXT_SIZE], session[UUID_TEXT_SIZE];

    return (struct note){
        .key = cache_key(ctx->arena, hash),
        .value = arena_printf(ctx->arena, "%s %s %s", uuid_text(c->account, account),
                              uuid_text(c->session, session), role_name(c->role)),
        .until_ms = least(ctx->now_ms + conf->token_cache.ms, expires_ms),
    };
}

static struct note
tombstone(struct ctx *ctx, const char *hash)
{
    return (struct note){
        .key = cache_key(ctx->arena, hash),
        .value = ENDED,
        .life_ms = conf->token_cache.ms,
    };
}

static void
write_after_commit(struct ctx *ctx, struct note note)
{
    struct note *copy = arena_alloc(ctx->arena, sizeof(*copy));

    *copy = note;
    after_commit(ctx, write_note, copy);
}

/* The caller that good_answer() wrote down. */
static bool
read_answer(const char *value, struct caller *out)
{
    const size_t id = UUID_TEXT_SIZE - 1;

    if (strlen(value) < 2 * (id + 1) || value[id] != ' ' || value[2 * id + 1] != ' ')
        return false;
    *out = (struct caller){
        .kind = CREDENTIAL_SESSION, .role = role_parse(value + 2 * (id + 1)), .may_write = true};
    return out->role != ROLE_NONE && uuid_parse(value, id, &out->account) &&
           uuid_parse(value + id + 1, id, &out->session);
}

/* --- giving and ending ------------------------------------------------------------------------ */

bool
external_is_on(void)
{
    return strcmp(conf->token_issuer, "oauth2") == 0;
}

/* A row of its own. *added is false if its hash is there already. In a transaction. */
static enum err
add(struct ctx *ctx, struct uuid id, struct uuid session, const struct external_token *t,
    bool *added)
{
    uint8_t hash[SHA256_SIZE];
    char owner[UUID_TEXT_SIZE];
    int64_t touched = 0;
    struct box_bytes sealed = box_seal(ctx->arena, conf->data_key, PURPOSE, uuid_text(id, owner),
                                       t->token, strlen(t->token));

    secret_sha256(t->token, strlen(t->token), hash);
    enum err e = pg_touch(ctx, EXTERNAL_ADD, &touched, ARG_ID(id), ARG_ID_OR_NULL(session),
                          ARG_BYTES(hash, sizeof(hash)), ARG_BYTES(sealed.data, sealed.len),
                          ARG_TIME(t->expires_ms), ARG_BOOL(uuid_is_nil(session)));
    *added = touched > 0;
    if (e == OK && !*added)
        log_event(LOG_ERROR, EVENT("external.token_given_twice"));
    return e;
}

enum err
external_throw_away(struct ctx *ctx, const struct external_token *t)
{
    struct uuid id = uuid_v7(ctx->now_ms), none = {{0}};
    bool added;

    if (t->token == NULL || t->is_kept)
        return OK;
    enum err e = add(ctx, id, none, t, &added);
    if (e == OK && added)
        outbox_add(ctx, EVENT_TOKEN_ENDED, id, none);
    return e;
}

static enum err
throw_away_work(struct ctx *ctx, void *arg)
{
    return external_throw_away(ctx, arg);
}

/* Asks the server for a token, and about it. False: *out is none, or one that is not needed. */
static bool
obtain(struct ctx *ctx, struct external_token *out)
{
    struct oauth2_token token;
    struct oauth2_view view;
    struct refusal why;

    enum heard heard = oauth2_obtain(ctx, &token, &why);
    *out = (struct external_token){.token = token.token, .expires_ms = token.expires_ms};
    if (heard != HEARD_DONE || oauth2_introspect(ctx, token.token, &view, &why) != HEARD_DONE)
        return false;
    if (view.is_active)
        out->expires_ms = least(out->expires_ms, view.expires_ms);
    else
        log_event(LOG_ERROR, EVENT("external.token_unfit"),
                  TEXT("error.message", view.refused != NULL ? view.refused : "it is not active"));
    return view.is_active;
}

enum err
external_obtain(struct ctx *ctx, struct external_token *out)
{
    struct external_token got;

    *out = (struct external_token){0};
    if (!external_is_on())
        return OK;
    if (obtain(ctx, &got)) {
        *out = got;
        return OK;
    }
    if (got.token != NULL)
        tx_run(ctx, throw_away_work, &got); /* if this fails too, it expires by itself */
    return unavailable(ctx);
}

/* What follows from tokens that have ended, in the transaction that ended them. */
static void
mourn(struct ctx *ctx, const struct ended_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        write_after_commit(ctx, tombstone(ctx, rows[i].hash));
        if (rows[i].is_alive)
            outbox_add(ctx, EVENT_TOKEN_ENDED, rows[i].id, (struct uuid){{0}});
    }
}

enum err
external_end(struct ctx *ctx, struct uuid session)
{
    struct ended_row *rows;
    size_t count;

    enum err e = pg_all(ctx, EXTERNAL_END, &ended_row, &rows, &count, ARG_ID(session));
    if (e == OK)
        mourn(ctx, rows, count);
    return e;
}

enum err
external_keep(struct ctx *ctx, struct uuid session, struct uuid account, enum role role,
              const struct external_token *t)
{
    const struct caller c = {.account = account, .session = session, .role = role};
    uint8_t hash[SHA256_SIZE];
    bool added;

    if (t->is_kept)
        return OK;
    enum err e = external_end(ctx, session);
    if (e != OK || !external_is_on())
        return e;
    if (t->token == NULL) /* another was to be given again, and has ended meanwhile */
        return unavailable(ctx);
    e = add(ctx, uuid_v7(ctx->now_ms), session, t, &added);
    if (e != OK || !added)
        return e != OK ? e : unavailable(ctx);
    const char *hex = hash_of(ctx->arena, t->token, hash);
    write_after_commit(ctx, good_answer(ctx, hex, &c, t->expires_ms));
    return OK;
}

/* What was sealed in the row `id`; NULL if another DATA_KEY did it. */
static const char *
unseal(struct ctx *ctx, struct uuid id, const char *hex)
{
    char owner[UUID_TEXT_SIZE];
    size_t len;
    const uint8_t *sealed = secret_unhex(ctx->arena, hex, &len);

    if (sealed == NULL)
        return NULL;
    return (const char *)box_open(ctx->arena, conf->data_key, PURPOSE, uuid_text(id, owner), sealed,
                                  len)
        .data;
}

enum err
external_again(struct ctx *ctx, const uint8_t *refresh_hash, struct external_token *out)
{
    struct again_row row = {0};

    *out = (struct external_token){0};
    if (!external_is_on())
        return OK;
    enum err e = pg_one(ctx, EXTERNAL_AGAIN, &again_row, &row, ARG_BYTES(refresh_hash, SHA256_SIZE),
                        ARG_INT(conf->refresh_grace.ms));
    if (e == ERR_NOT_FOUND) {
        problems_clear(&ctx->problems);
        return OK;
    }
    if (e != OK)
        return e;
    out->token = unseal(ctx, row.id, row.sealed);
    out->expires_ms = row.expires_ms;
    out->is_kept = out->token != NULL;
    return OK;
}

/* --- asking ----------------------------------------------------------------------------------- */

/* A token that Redis does not know. */
struct search {
    uint8_t hash[SHA256_SIZE];
    struct found_row row;
};

static enum err
find_work(struct ctx *ctx, void *arg)
{
    struct search *s = arg;

    return pg_one(ctx, EXTERNAL_FIND, &found_row, &s->row, ARG_BYTES(s->hash, sizeof(s->hash)));
}

/* Asks the server about a token of ours, and notes what he says. */
static enum err
ask_server(struct ctx *ctx, const char *token, const char *hash, const struct found_row *row,
           struct caller *out)
{
    struct caller c = {.kind = CREDENTIAL_SESSION,
                       .account = row->account_id,
                       .session = row->session_id,
                       .role = role_parse(row->role),
                       .may_write = true};
    struct oauth2_view view;
    struct refusal why;
    struct note note;

    if (oauth2_introspect(ctx, token, &view, &why) != HEARD_DONE)
        return unavailable(ctx);
    if (view.is_active) {
        *out = c;
        note = good_answer(ctx, hash, &c, least(row->expires_ms, view.expires_ms));
    } else {
        if (view.refused != NULL)
            log_event(LOG_WARN, EVENT("external.token_refused"),
                      TEXT("error.message", view.refused));
        note = (struct note){.key = cache_key(ctx->arena, hash),
                             .value = INACTIVE,
                             .until_ms = ctx->now_ms + conf->token_cache.ms};
    }
    write_note(ctx, &note);
    return view.is_active ? OK : expired(ctx);
}

enum err
external_resolve(struct ctx *ctx, const char *token, bool ask, struct caller *out)
{
    struct search s = {0};
    const char *known;

    *out = (struct caller){0};
    if (!oauth2_is_token(token))
        return OK;
    const char *hash = hash_of(ctx->arena, token, s.hash);
    if (cache_get(ctx->cache, ctx->arena, cache_key(ctx->arena, hash), &known) == CACHE_HIT) {
        if (read_answer(known, out))
            return OK;
        *out = (struct caller){0};
        return ask ? expired(ctx) : OK;
    }
    if (!ask)
        return OK;
    enum err e = tx_read(ctx, find_work, &s);
    if (e == ERR_NOT_FOUND) {
        problems_clear(&ctx->problems);
        return OK;
    }
    if (e != OK)
        return e;
    return s.row.is_alive ? ask_server(ctx, token, hash, &s.row, out) : expired(ctx);
}

/* --- revoking --------------------------------------------------------------------------------- */

struct revoking {
    struct uuid id;
    const char *token;
    bool is_revoked;
};

enum err
external_revoke_start(struct ctx *ctx, const struct delivery *d, void **step)
{
    struct revoke_row row = {0};
    struct revoking *r;

    *step = NULL;
    enum err e = pg_one(ctx, EXTERNAL_TO_REVOKE, &revoke_row, &row, ARG_ID(d->subject));
    if (e == ERR_NOT_FOUND) { /* it was, or has expired */
        problems_clear(&ctx->problems);
        return OK;
    }
    if (e != OK)
        return e;
    struct note grave = tombstone(ctx, row.hash);
    write_note(ctx, &grave);
    const char *token = unseal(ctx, d->subject, row.sealed);
    if (token == NULL || conf->oauth2_revoke_url[0] == '\0') {
        log_event(LOG_ERROR, EVENT("external.cannot_revoke"),
                  TEXT("error.message", token == NULL ? "DATA_KEY is not the one that sealed it"
                                                      : "OAUTH2_REVOKE_URL is not set"));
        return OK;
    }
    r = arena_alloc(ctx->arena, sizeof(*r));
    *r = (struct revoking){.id = d->subject, .token = token};
    *step = r;
    return OK;
}

enum err
external_revoke_call(struct ctx *ctx, void *step)
{
    struct revoking *r = step;
    struct refusal why;

    switch (oauth2_revoke(ctx, r->token, &why)) {
    case HEARD_DONE:
        r->is_revoked = true;
        return OK;
    case HEARD_REFUSED:
        return OK;
    case HEARD_NOT_SENT:
    case HEARD_NOTHING:
        break;
    }
    return ERR_PROVIDER_UNAVAILABLE;
}

enum err
external_revoke_finish(struct ctx *ctx, void *step)
{
    const struct revoking *r = step;

    return r->is_revoked ? pg_touch(ctx, EXTERNAL_REVOKED, NULL, ARG_ID(r->id)) : OK;
}

enum err
external_sweep(struct ctx *ctx)
{
    struct ended_row *rows;
    size_t count;

    enum err e = pg_all(ctx, EXTERNAL_END_STALE, &ended_row, &rows, &count, ARG_NONE);
    if (e != OK)
        return e;
    mourn(ctx, rows, count);
    return pg_touch(ctx, EXTERNAL_SWEEP, NULL, ARG_NONE);
}
