/*
 * Deactivating an account ends its sessions, and so does taking a role away: an access token must
 * not outlive what it was issued for. Its API keys are looked at anew. Nobody takes the
 * administrator's role from himself, so that a shop cannot lose its last one by a slip. The account
 * is locked first, as a sign-in locks it: else a session that is being opened would be seen by
 * neither, and outlive what was taken.
 */
#include "shop/accounts/admin.h"
#include "io/pg.h"
#include "shop/accounts/accounts.h"
#include "shop/accounts/keys.h"
#include "shop/accounts/sessions.h"
#include "shop/audit.h"
#include "shop/req.h"

#define ROLE_WORDS "buyer|seller|admin"

struct user_query {
    uint64_t sent;
    int64_t page, per_page;
    const char *search, *role;
    bool is_active;
};
static const struct field user_query_fields[] = {
    PAGE_FIELDS(struct user_query),
    FIELD(struct user_query, search, .max = 254, .eg = "ann@example.com",
          .doc = "An e-mail address, phone or username, or a part of a name"),
    FIELD(struct user_query, role, .one_of = ROLE_WORDS, .eg = "seller",
          .doc = "Who hold this role"),
    FIELD(struct user_query, is_active, .eg = "true", .doc = "Only the active, or the deactivated"),
};
static const struct input user_query = INPUT(user_query, "UserQuery", NULL);

struct user_change {
    uint64_t sent;
    bool is_active;
    struct word_set roles;
};
static const struct field user_change_fields[] = {
    FIELD(struct user_change, is_active, .eg = "false",
          .doc = "Deactivated accounts cannot sign in"),
    FIELD(struct user_change, roles, .one_of = ROLE_WORDS, .eg = "[\"buyer\",\"admin\"]",
          .doc = "All that it shall hold; a seller is who has a store"),
};
static const struct input user_change = INPUT(user_change, "UserChange", NULL);

struct user_row {
    struct uuid id;
    bool is_active, is_buyer, is_seller, is_admin;
};
static const struct field user_row_fields[] = {
    FIELD(struct user_row, id),       FIELD(struct user_row, is_active),
    FIELD(struct user_row, is_buyer), FIELD(struct user_row, is_seller),
    FIELD(struct user_row, is_admin),
};
static const struct input user_row = INPUT(user_row, "UserRow", NULL);

static const struct out_field user_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000001", .doc = "The account"},
    {"name", OUT_TEXT, .eg = "Ann Wanjiru", .doc = "Its name"},
    {"email", OUT_TEXT, .nullable = true, .eg = "ann@example.com", .doc = "In lower case"},
    {"email_verified", OUT_BOOL, .eg = "true", .doc = "Whether a code that went there came back"},
    {"phone", OUT_TEXT, .nullable = true, .eg = "+254712345678", .doc = "In E.164"},
    {"phone_verified", OUT_BOOL, .eg = "false", .doc = "Whether a code that went there came back"},
    {"username", OUT_TEXT, .nullable = true, .eg = "ann", .doc = "In lower case"},
    {"is_active", OUT_BOOL, .eg = "true", .doc = "Whether it may sign in"},
    {"roles", OUT_LIST, .one_of = ROLE_WORDS, .eg = "buyer", .doc = "What it may act as"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was made"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was changed last"},
};
static const struct output user_out = OUTPUT(user_fields, "User");

static enum err
list(struct req *rq)
{
    const struct user_query *in = rq->in;

    return reply_page(
        rq, ACCOUNTS_ADMIN_LIST, ACCOUNTS_ADMIN_COUNT, ARG_TEXT(in->search), ARG_TEXT(in->role),
        input_sent(&user_query, in, "is_active") ? ARG_BOOL(in->is_active) : ARG_NULL);
}

static uint64_t
bit_of(enum role r)
{
    return UINT64_C(1) << (r - ROLE_BUYER);
}

static uint64_t
held_by(const struct user_row *u)
{
    return (u->is_buyer ? bit_of(ROLE_BUYER) : 0) | (u->is_seller ? bit_of(ROLE_SELLER) : 0) |
           (u->is_admin ? bit_of(ROLE_ADMIN) : 0);
}

static enum err
change_roles(struct ctx *ctx, const struct user_row *user, uint64_t wanted, bool *lost)
{
    uint64_t held = held_by(user), changed = wanted ^ held;
    enum err e = OK;

    if ((changed & bit_of(ROLE_SELLER)) != 0)
        return fail(ctx, ERR_VALIDATION, "roles",
                    "seller is who has opened a store, and stays one");
    if ((held & changed & bit_of(ROLE_ADMIN)) != 0 && uuid_equal(user->id, ctx->actor.account))
        return fail(ctx, ERR_VALIDATION, "roles", "nobody takes the role admin from himself");
    if (wanted == 0)
        return fail(ctx, ERR_VALIDATION, "roles", "must name at least one role");
    for (enum role r = ROLE_BUYER; e == OK && r < ROLE__COUNT; r++) {
        if ((changed & wanted & bit_of(r)) != 0)
            e = accounts_grant(ctx, user->id, r);
        if ((changed & held & bit_of(r)) != 0) {
            e = pg_touch(ctx, ACCOUNTS_REVOKE, NULL, ARG_ID(user->id), ARG_TEXT(role_name(r)));
            if (e == OK)
                audit_note(ctx, AUDIT_ROLE_REVOKED, user->id, "role", role_name(r));
            *lost = true;
        }
    }
    return e;
}

static enum err
change_active(struct ctx *ctx, const struct user_row *user, bool active, bool *lost)
{
    if (!active && uuid_equal(user->id, ctx->actor.account))
        return fail(ctx, ERR_VALIDATION, "is_active", "nobody deactivates himself");
    enum err e = pg_run(ctx, ACCOUNTS_SET_ACTIVE, ARG_ID(user->id), ARG_BOOL(active));
    *lost = *lost || !active;
    if (e == OK && active != user->is_active)
        audit_note(ctx, active ? AUDIT_ACCOUNT_ACTIVATED : AUDIT_ACCOUNT_DEACTIVATED, user->id,
                   NULL, NULL);
    return e;
}

enum err
admin_change_account(struct ctx *ctx, struct uuid account, const struct admin_change *c)
{
    struct user_row user = {0};
    bool lost = false;

    enum err e = pg_run(ctx, ACCOUNTS_LOCK, ARG_ID(account));
    if (e == OK)
        e = pg_one(ctx, ACCOUNTS_ROLES, &user_row, &user, ARG_ID(account));
    if (e == OK && (c->sets_roles || c->grants != 0 || c->revokes != 0))
        e = change_roles(ctx, &user,
                         ((c->sets_roles ? c->roles : held_by(&user)) | c->grants) & ~c->revokes,
                         &lost);
    if (e == OK && c->sets_active)
        e = change_active(ctx, &user, c->is_active, &lost);
    if (e == OK && lost)
        e = sessions_end_others(ctx, user.id, (struct uuid){{0}}, "by_administrator");
    return e == OK && lost ? keys_recheck(ctx, user.id) : e;
}

enum err
admin_sign_out(struct ctx *ctx, struct uuid account)
{
    enum err e = pg_run(ctx, ACCOUNTS_LOCK, ARG_ID(account));

    return e != OK ? e : sessions_end_others(ctx, account, (struct uuid){{0}}, "by_administrator");
}

static enum err
update(struct req *rq)
{
    const struct user_change *in = rq->in;
    const struct admin_change change = {
        .sets_active = input_sent(&user_change, in, "is_active"),
        .is_active = in->is_active,
        .sets_roles = input_sent(&user_change, in, "roles"),
        .roles = in->roles.bits,
    };
    enum err e = admin_change_account(&rq->ctx, rq->ids[0], &change);

    return e != OK ? e : reply_rows(rq, ACCOUNTS_ADMIN_SHOW, ARG_ID(rq->ids[0]));
}

const struct endpoint admin_user_list = {
    .name = "admin_user_list",
    .tag = "Administration",
    .doc = "Accounts, newest first.",
    .run = list,
    .in = &user_query,
    .out = &user_out,
    .shape = SHAPE_PAGE,
    .replies = {ACCOUNTS_ADMIN_LIST},
    .errors = {ERR_VALIDATION},
};
const struct endpoint admin_user_update = {
    .name = "admin_user_update",
    .tag = "Administration",
    .doc =
        "Activates, deactivates, grants roles and takes them; who loses something is signed out.",
    .run = update,
    .in = &user_change,
    .out = &user_out,
    .replies = {ACCOUNTS_ADMIN_SHOW},
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};
