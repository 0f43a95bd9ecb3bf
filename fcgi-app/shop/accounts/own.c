/*
 * A new password ends all other sessions: whoever held one of them must know it. The old one is
 * asked for, since an unlocked telephone on a table is signed in too (proof.h).
 */
#include "shop/accounts/own.h"
#include "base/config.h"
#include "io/pg.h"
#include "io/secret.h"
#include "shop/accounts/codes.h"
#include "shop/accounts/contacts.h"
#include "shop/accounts/passwords.h"
#include "shop/accounts/proof.h"
#include "shop/accounts/sessions.h"
#include "shop/audit.h"
#include "shop/messages.h"
#include "shop/req.h"

#define CHANGES_PER_HOUR 10 /* each is told of by a message */

struct password_in {
    uint64_t sent;
    const char *old_password, *new_password;
};
static const struct field password_in_fields[] = {
    FIELD(struct password_in, old_password, .required = true, .max = 256, .format = FORMAT_SECRET,
          .eg = "correct horse battery", .doc = "As it is now"),
    FIELD(struct password_in, new_password, .required = true, .max = 128, .format = FORMAT_SECRET,
          .eg = "staple of correct horses", .doc = "At least PASSWORD_MIN_LENGTH characters (8)"),
};

static void
check_password(struct input_errors *errors, const void *body)
{
    const struct password_in *in = body;

    passwords_check(errors, "new_password", in->new_password, &(struct password_owner){0});
}
static const struct input password_in = INPUT(password_in, "PasswordInput", check_password);

/* From step to step. */
struct changing {
    struct proof proof;
    const char *fresh_hash;
};

struct session_row {
    struct uuid id;
};
static const struct field session_row_fields[] = {FIELD(struct session_row, id)};
static const struct input session_row = INPUT(session_row, "SessionRow", NULL);

static const struct out_field session_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000010", .doc = "The session"},
    {"role", OUT_TEXT, .one_of = "buyer|seller|admin", .eg = "buyer", .doc = "In which it acts"},
    {"user_agent", OUT_TEXT, .eg = "curl/7.88.1", .doc = "Of whoever signed in"},
    {"address", OUT_TEXT, .eg = "203.0.113.7", .doc = "From where"},
    {"is_current", OUT_BOOL, .eg = "true", .doc = "Whether it is the one that asks"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was opened"},
    {"last_used_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was refreshed last"},
    {"expires_at", OUT_TIME, .eg = "2026-02-27T10:00:00Z", .doc = "When it ends unless refreshed"},
};
static const struct output session_out = OUTPUT(session_fields, "SessionInfo");

static enum err
list(struct req *rq)
{
    return reply_list(rq, ACCOUNTS_SESSIONS, ARG_ID(rq->ctx.actor.account),
                      ARG_ID(rq->ctx.actor.session));
}

static enum err
end(struct req *rq)
{
    struct session_row row;

    enum err e = pg_one(&rq->ctx, ACCOUNTS_SESSION_OWN, &session_row, &row, ARG_ID(rq->ids[0]),
                        ARG_ID(rq->ctx.actor.account));
    if (e == OK)
        e = sessions_end(&rq->ctx, row.id, "ended_by_owner");
    return e != OK ? e : reply_message(rq, "session ended");
}

static enum err
password_start(struct req *rq)
{
    struct changing *c = arena_alloc(rq->ctx.arena, sizeof(*c));

    *c = (struct changing){0};
    rq->step = c;
    return proof_start(&rq->ctx, &c->proof);
}

static enum err
password_call(struct req *rq)
{
    const struct password_in *in = rq->in;
    struct changing *c = rq->step;

    if (proof_check(&c->proof, in->old_password))
        c->fresh_hash = password_hash(rq->ctx.arena, in->new_password, conf->password_cost);
    return OK;
}

static enum err
password_finish(struct req *rq)
{
    const struct password_in *in = rq->in;
    const struct changing *c = rq->step;
    struct ctx *ctx = &rq->ctx;
    struct contacts called = {0};
    char id[UUID_TEXT_SIZE];
    struct try made;

    enum err e = proof_demand(ctx, &c->proof, "old_password");
    if (e == OK)
        e = contacts_lock(ctx, ctx->actor.account, &called);
    if (e != OK)
        return e;
    const struct password_owner owner = contacts_owner(&called);
    if (passwords_is_own(in->new_password, &owner))
        return proof_settle(ctx, fail(ctx, ERR_VALIDATION, "new_password", PASSWORD_IS_OWN));
    e = throttle_take(ctx, "password_changed", uuid_text(ctx->actor.account, id), NULL,
                      CHANGES_PER_HOUR, &made);
    if (e != OK)
        return proof_settle(ctx, e);
    e = pg_run(ctx, ACCOUNTS_SET_PASSWORD, ARG_ID(ctx->actor.account), ARG_TEXT(c->fresh_hash));
    if (e != OK)
        return e;
    audit_note(ctx, AUDIT_PASSWORD_CHANGED, ctx->actor.account, NULL, NULL);
    messages_notice(ctx, ctx->actor.account, NOTICE_PASSWORD_CHANGED);
    e = codes_end(ctx, ctx->actor.account, CODE_RESET_PASSWORD);
    if (e == OK)
        e = sessions_end_others(ctx, ctx->actor.account, ctx->actor.session, "password_changed");
    return e != OK ? e : reply_message(rq, "password changed; other sessions have ended");
}

const struct endpoint own_sessions = {
    .name = "session_list",
    .tag = "Accounts",
    .doc = "Where you are signed in.",
    .run = list,
    .out = &session_out,
    .shape = SHAPE_LIST,
    .replies = {ACCOUNTS_SESSIONS},
};
const struct endpoint own_session_end = {
    .name = "session_end",
    .tag = "Accounts",
    .doc = "Ends one of your sessions at once.",
    .run = end,
    .out = &message_out,
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};
const struct endpoint own_password = {
    .name = "password_change",
    .tag = "Accounts",
    .doc = "Changes your password and ends your other sessions.",
    .start = password_start,
    .call = password_call,
    .finish = password_finish,
    .in = &password_in,
    .out = &message_out,
    .errors = {ERR_VALIDATION},
};
