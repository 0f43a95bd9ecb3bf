/*
 * Redis holds a copy of what a good key opens, under the key's hash, for conf->token_cache. The
 * copy's life begins when PostgreSQL is asked, not when Redis is told: whoever was slow in between
 * has the less left, or nothing. So no copy is good for longer than conf->token_cache after the row
 * said otherwise, whatever dies or is slow.
 *
 * What ends a copy at once does not say "dead" but "ask": PostgreSQL is asked for as long as a slow
 * reader's copy could come, which is SET NX and finds the place taken. It is right in either
 * direction, so a role that is given back works again at once too.
 *
 * Rejected: keys that carry a MAC, so that junk costs no look into PostgreSQL. All keys would die
 * with the MAC's key; the look is one into a unique index, and nginx counts by address.
 *
 * A key is made in a role that the session acts in, or in a lesser one, and only with the second
 * factor that this role takes: whoever got hold of a buyer's access token for a quarter of an hour
 * shall not make himself an administrator's key. Nor any key: making one takes the password again,
 * since a key outlives the session that made it, and a change of the password too.
 */
#include "shop/accounts/keys.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "io/cache.h"
#include "io/pg.h"
#include "io/secret.h"
#include "io/tx.h"
#include "shop/accounts/proof.h"
#include "shop/accounts/sessions.h"
#include "shop/accounts/throttle.h"
#include "shop/accounts/totp.h"
#include "shop/audit.h"
#include "shop/messages.h"
#include "shop/req.h"

#include <string.h>

#define KEY_RANDOM 43 /* characters of secret_token() */
#define KEYS_MAX 20
#define KEYS_PER_HOUR 60 /* each is told of by a message */
#define HINT 4
#define ASK "ask"
#define NS_IN_MS 1000000
#define ROLE_WORDS "buyer|seller|admin"
#define SCOPE_WORDS "read|write"

struct key_row {
    struct uuid id, account_id;
    const char *role, *scope;
    int64_t good_for_ms;
};
static const struct field key_row_fields[] = {
    FIELD(struct key_row, id),    FIELD(struct key_row, account_id),  FIELD(struct key_row, role),
    FIELD(struct key_row, scope), FIELD(struct key_row, good_for_ms),
};
static const struct input key_row = INPUT(key_row, "ApiKeyRow", NULL);

struct hash_row {
    const char *hash;
};
static const struct field hash_row_fields[] = {FIELD(struct hash_row, hash)};
static const struct input hash_row = INPUT(hash_row, "ApiKeyHash", NULL);

struct maker_row {
    bool is_buyer, is_seller, is_admin, second_factor;
};
static const struct field maker_row_fields[] = {
    FIELD(struct maker_row, is_buyer),
    FIELD(struct maker_row, is_seller),
    FIELD(struct maker_row, is_admin),
    FIELD(struct maker_row, second_factor),
};
static const struct input maker_row = INPUT(maker_row, "ApiKeyMaker", NULL);

struct key_in {
    uint64_t sent;
    const char *name, *role, *scope, *password, *expires_at;
};
static const struct field key_in_fields[] = {
    FIELD(struct key_in, name, .required = true, .min = 1, .max = 100, .eg = "Stock of the shop",
          .doc = "What it is for, so that you know it again"),
    FIELD(struct key_in, role, .required = true, .one_of = ROLE_WORDS, .eg = "buyer",
          .doc = "The one role that it acts in: yours in this session, or a lesser one"),
    FIELD(struct key_in, scope, .required = true, .one_of = SCOPE_WORDS, .eg = "read",
          .doc = "read: GET alone; write: all that the role may, but not what takes a person"),
    FIELD(struct key_in, password, .required = true, .max = 256, .format = FORMAT_SECRET,
          .eg = "correct horse battery", .doc = "The account's password, once more"),
    FIELD(struct key_in, expires_at, .nullable = true, .max = 64, .format = FORMAT_TIME,
          .eg = "2036-02-20T10:00:00Z", .doc = "When it ends by itself; default: never"),
};
static const struct input key_in = INPUT(key_in, "ApiKeyInput", NULL);

/* The last is shown once. */
static const struct out_field key_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000011", .doc = "The key's id"},
    {"name", OUT_TEXT, .eg = "Stock of the shop", .doc = "What it is for"},
    {"role", OUT_TEXT, .one_of = ROLE_WORDS, .eg = "seller", .doc = "In which it acts"},
    {"scope", OUT_TEXT, .one_of = SCOPE_WORDS, .eg = "read", .doc = "What it may do"},
    {"hint", OUT_TEXT, .eg = "z5A8", .doc = "The key's last four characters"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was made"},
    {"last_used_at", OUT_TIME, .nullable = true, .eg = "2026-02-20T10:00:00Z",
     .doc = "When it was used last, to the minute; null: never"},
    {"expires_at", OUT_TIME, .nullable = true, .eg = "2036-02-20T10:00:00Z",
     .doc = "When it ends; null: when it is revoked"},
    {"key", OUT_TEXT, .eg = KEY_PREFIX "wA2u0Bq8mJm0k1m2n3o4p5q6r7s8t9u0v1w2x3yz5A8",
     .doc = "Send it as Authorization: Bearer. It is shown here, and never again"},
};
static const struct output fresh_out = OUTPUT(key_fields, "NewApiKey");
static const struct output key_out = {
    .name = "ApiKey",
    .fields = key_fields,
    .count = sizeof(key_fields) / sizeof(key_fields[0]) - 1,
};

/* --- whose key it is -------------------------------------------------------------------------- */

static bool
looks_like_one(const char *key)
{
    if (strncmp(key, KEY_PREFIX, strlen(KEY_PREFIX)) != 0)
        return false;
    key += strlen(KEY_PREFIX);
    return strspn(key, SECRET_BASE64URL) == KEY_RANDOM && key[KEY_RANDOM] == '\0';
}

static const char *
place_of(struct arena *a, const char *hash)
{
    return arena_printf(a, "soko:key:%s", hash);
}

static const char *
copy_of(struct arena *a, const struct key_row *row)
{
    char account[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE];

    return arena_printf(a, "%s %s %s %s", uuid_text(row->account_id, account),
                        uuid_text(row->id, id), row->role, row->scope);
}

static void
describe(const struct key_row *row, struct caller *out)
{
    *out = (struct caller){.kind = CREDENTIAL_KEY,
                           .account = row->account_id,
                           .key = row->id,
                           .role = role_parse(row->role),
                           .may_write = strcmp(row->scope, "write") == 0};
}

/* Reads what copy_of() has written; false for anything else, "ask" among it. */
static bool
read_copy(struct arena *a, const char *copy, struct key_row *row)
{
    const size_t id = UUID_TEXT_SIZE - 1;

    if (strlen(copy) <= 2 * (id + 1) || copy[id] != ' ' || copy[2 * id + 1] != ' ' ||
        !uuid_parse(copy, id, &row->account_id) || !uuid_parse(copy + id + 1, id, &row->id))
        return false;
    char *role = arena_strdup(a, copy + 2 * (id + 1)), *scope = strchr(role, ' ');
    if (scope == NULL)
        return false;
    *scope = '\0';
    row->role = role;
    row->scope = scope + 1;
    return role_parse(role) != ROLE_NONE;
}

struct look {
    const uint8_t *hash;
    struct key_row row;
};

static enum err
look_work(struct ctx *ctx, void *arg)
{
    struct look *look = arg;
    const char *guarded[ROLE__COUNT];
    size_t count = 0;

    for (enum role r = ROLE_BUYER; r < ROLE__COUNT; r++) {
        if (totp_is_required(r))
            guarded[count++] = role_name(r);
    }
    return pg_one(ctx, KEYS_RESOLVE, &key_row, &look->row, ARG_BYTES(look->hash, SHA256_SIZE),
                  ARG_TEXTS(guarded, count), ARG_INT(conf->token_cache.ms));
}

enum err
keys_resolve(struct ctx *ctx, const char *key, struct caller *out)
{
    uint8_t hash[SHA256_SIZE];
    struct look look = {.hash = hash};
    const char *copy = NULL;

    *out = (struct caller){0};
    if (!looks_like_one(key))
        return OK;
    secret_sha256(key, strlen(key), hash);
    const char *place = place_of(ctx->arena, secret_hex(ctx->arena, hash, sizeof(hash)));
    enum cache_answer answer = cache_get(ctx->cache, ctx->arena, place, &copy);
    if (answer == CACHE_HIT && read_copy(ctx->arena, copy, &look.row)) {
        describe(&look.row, out);
        return OK;
    }
    int64_t asked_ns = clock_mono_ns();
    enum err e = tx_read(ctx, look_work, &look);
    if (e == ERR_NOT_FOUND) {
        problems_clear(&ctx->problems);
        return OK;
    }
    if (e != OK)
        return e;
    describe(&look.row, out);
    int64_t left_ms = look.row.good_for_ms - (clock_mono_ns() - asked_ns) / NS_IN_MS;
    if (answer == CACHE_MISS && left_ms > 0)
        cache_set(ctx->cache, place, copy_of(ctx->arena, &look.row), left_ms, true);
    return OK;
}

/* --- what ends a copy ------------------------------------------------------------------------- */

static void
forget_after_commit(struct ctx *ctx, void *arg)
{
    if (cache_set(ctx->cache, place_of(ctx->arena, arg), ASK, conf->token_cache.ms, false) ==
        CACHE_DOWN)
        log_event(LOG_WARN, EVENT("api_key.copy_remains"));
}

static void
forget(struct ctx *ctx, const char *hash)
{
    after_commit(ctx, forget_after_commit, arena_strdup(ctx->arena, hash));
}

enum err
keys_recheck(struct ctx *ctx, struct uuid account)
{
    struct hash_row *rows;
    size_t count;

    enum err e = pg_all(ctx, KEYS_OF_ACCOUNT, &hash_row, &rows, &count, ARG_ID(account));
    for (size_t i = 0; e == OK && i < count; i++)
        forget(ctx, rows[i].hash);
    return e;
}

enum err
keys_sweep(struct ctx *ctx)
{
    return pg_touch(ctx, KEYS_SWEEP, NULL, ARG_INT(conf->api_key_kept.ms));
}

/* --- endpoints -------------------------------------------------------------------------------- */

/* Whether a key in the role that was asked for may be made; under the account's lock. */
static enum err
demand_role(struct ctx *ctx, const struct key_in *in, enum role *out)
{
    struct maker_row maker = {0};

    enum err e = pg_one(ctx, KEYS_MAKER, &maker_row, &maker, ARG_ID(ctx->actor.account),
                        ARG_ID(ctx->actor.session));
    if (e != OK)
        return e;
    struct held_roles held = {maker.is_buyer, maker.is_seller, maker.is_admin};
    e = sessions_choose_role(ctx, &held, in->role, out);
    if (e == OK && *out > ctx->actor.role)
        return fail(ctx, ERR_FORBIDDEN, "role", "you act as %s: sign in as %s to make such a key",
                    role_name(ctx->actor.role), role_name(*out));
    return e != OK ? e : sessions_demand_factor(ctx, *out, maker.second_factor);
}

static enum err
add(struct ctx *ctx, struct uuid id, const struct key_in *in, enum role role, const char *key)
{
    const struct audit_fact facts[] = {{"role", role_name(role)}, {"scope", in->scope}};
    uint8_t hash[SHA256_SIZE];
    char account[UUID_TEXT_SIZE];
    struct try made;
    int64_t added = 0;

    secret_sha256(key, strlen(key), hash);
    enum err e =
        pg_touch(ctx, KEYS_ADD, &added, ARG_ID(id), ARG_ID(ctx->actor.account), ARG_TEXT(in->name),
                 ARG_TEXT(role_name(role)), ARG_TEXT(in->scope), ARG_BYTES(hash, sizeof(hash)),
                 ARG_TEXT(key + strlen(key) - HINT), req_time(in->expires_at), ARG_INT(KEYS_MAX));
    if (e != OK)
        return e;
    if (added == 0)
        return fail(ctx, ERR_CONFLICT, NULL, "an account has at most %d API keys: revoke one first",
                    KEYS_MAX);
    audit_add(ctx, AUDIT_KEY_CREATED, id, facts, sizeof(facts) / sizeof(facts[0]));
    messages_notice(ctx, ctx->actor.account, NOTICE_KEY_CREATED);
    return throttle_take(ctx, "api_key", uuid_text(ctx->actor.account, account), NULL,
                         KEYS_PER_HOUR, &made);
}

static enum err
create_start(struct req *rq)
{
    const struct key_in *in = rq->in;
    struct ctx *ctx = &rq->ctx;
    int64_t ends_ms;

    if (in->expires_at != NULL && clock_parse(in->expires_at, &ends_ms) && ends_ms <= ctx->now_ms)
        return fail(ctx, ERR_VALIDATION, "expires_at", "must be in the future");
    rq->step = arena_alloc(ctx->arena, sizeof(struct proof));
    return proof_start(ctx, rq->step);
}

static enum err
create_call(struct req *rq)
{
    const struct key_in *in = rq->in;

    proof_check(rq->step, in->password);
    return OK;
}

static enum err
create_finish(struct req *rq)
{
    const struct key_in *in = rq->in;
    struct ctx *ctx = &rq->ctx;
    struct uuid id = uuid_v7(ctx->now_ms);
    const char *key = arena_printf(ctx->arena, KEY_PREFIX "%s", secret_token(ctx->arena));
    enum role role = ROLE_NONE;

    enum err e = proof_demand(ctx, rq->step, "password");
    if (e == OK)
        e = proof_settle(ctx, demand_role(ctx, in, &role));
    if (e == OK)
        e = add(ctx, id, in, role, key);
    if (e == ERR_CONFLICT) /* one too many: nothing was written */
        return proof_settle(ctx, e);
    if (e != OK)
        return e;
    text_clear(&rq->reply);
    e = pg_object(ctx, KEYS_SHOW, &rq->reply, ARG_ID(id), ARG_ID(ctx->actor.account));
    if (e != OK)
        return e;
    rq->reply.len--; /* the key goes inside the bracket */
    text_member(&rq->reply, "key", key);
    text_putc(&rq->reply, '}');
    return OK;
}

static enum err
list(struct req *rq)
{
    return reply_list(rq, KEYS_LIST, ARG_ID(rq->ctx.actor.account));
}

static enum err
revoke(struct req *rq)
{
    struct ctx *ctx = &rq->ctx;
    struct hash_row row = {0};

    enum err e =
        pg_one(ctx, KEYS_REVOKE, &hash_row, &row, ARG_ID(rq->ids[0]), ARG_ID(ctx->actor.account));
    if (e != OK)
        return e;
    forget(ctx, row.hash);
    audit_note(ctx, AUDIT_KEY_REVOKED, rq->ids[0], NULL, NULL);
    return reply_message(rq, "API key revoked");
}

const struct endpoint keys_create = {
    .name = "api_key_create",
    .tag = "API keys",
    .doc = "Makes a key for a machine client, by the password. The key itself is shown here, and "
           "never again.",
    .start = create_start,
    .call = create_call,
    .finish = create_finish,
    .in = &key_in,
    .out = &fresh_out,
    .status = 201,
    .secret = true,
    .errors = {ERR_VALIDATION, ERR_FORBIDDEN, ERR_CONFLICT},
};
const struct endpoint keys_list = {
    .name = "api_key_list",
    .tag = "API keys",
    .doc = "Your keys, the newest first, those that have expired too.",
    .run = list,
    .out = &key_out,
    .shape = SHAPE_LIST,
    .replies = {KEYS_LIST},
};
const struct endpoint keys_revoke = {
    .name = "api_key_revoke",
    .tag = "API keys",
    .doc = "Ends a key at once.",
    .run = revoke,
    .out = &message_out,
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};
