/*
 * The try is counted before the hash is made, and given back if the password was right. A wrong one
 * is 400, not 401: the session is a good one, and no client shall throw it away.
 *
 * Each session has tries of its own, and without the password nobody gets another session. One
 * bucket for the account would let the thief of one keep its owner from a new password, and so from
 * throwing him out.
 *
 * Right ones are counted too, by a bucket of their own that is wide: each makes a hash, and few
 * workers make them for everybody's sign-in.
 */
#include "shop/accounts/proof.h"

#include "base/config.h"
#include "io/pg.h"
#include "io/secret.h"
#include "io/tx.h"
#include "shop/audit.h"
#include "shop/stmt.h"

#define PROOFS_PER_HOUR 60

struct hash_row {
    const char *password_hash;
};
static const struct field hash_row_fields[] = {FIELD(struct hash_row, password_hash)};
static const struct input hash_row = INPUT(hash_row, "PasswordHash", NULL);

enum err
proof_start(struct ctx *ctx, struct proof *p)
{
    struct hash_row row = {0};
    char id[UUID_TEXT_SIZE], session[UUID_TEXT_SIZE];
    struct try any;

    *p = (struct proof){0};
    enum err e = pg_one(ctx, PROOF_READ, &hash_row, &row, ARG_ID(ctx->actor.account));
    if (e != OK)
        return e;
    p->password_hash = row.password_hash;
    uuid_text(ctx->actor.account, id);
    e = throttle_take(ctx, "password", id, uuid_text(ctx->actor.session, session),
                      conf->limit_login_account, &p->try);
    if (e == OK && conf->limit_login_account > 0)
        e = throttle_take(ctx, "proof", id, NULL, PROOFS_PER_HOUR, &any);
    return e;
}

bool
proof_check(struct proof *p, const char *password)
{
    p->is_right = password_check(password, p->password_hash);
    return p->is_right;
}

enum err
proof_demand(struct ctx *ctx, const struct proof *p, const char *field)
{
    struct hash_row row = {0};
    enum err e = ERR_NOT_FOUND;

    if (p->is_right)
        e = pg_one(ctx, PROOF_LOCK, &hash_row, &row, ARG_ID(ctx->actor.account),
                   ARG_TEXT(p->password_hash));
    if (e == OK)
        throttle_give_back(ctx, &p->try);
    if (e != ERR_NOT_FOUND)
        return e;
    problems_clear(&ctx->problems);
    audit_note(ctx, AUDIT_PROOF_FAILED, ctx->actor.account, "what", "password");
    tx_keep(ctx);
    return fail(ctx, ERR_VALIDATION, field, "is not your password");
}

enum err
proof_settle(struct ctx *ctx, enum err e)
{
    if (e == ERR_VALIDATION || e == ERR_NOT_FOUND || e == ERR_CONFLICT || e == ERR_RATE_LIMITED)
        tx_keep(ctx);
    return e;
}
