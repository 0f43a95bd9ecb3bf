/*
 * An account has a name, a password and at least one of e-mail, phone and username, each unique.
 * Roles are rows: creating a store adds one, nothing takes the buyer's away (seed hole 35).
 */
#include "shop/accounts/accounts.h"
#include "base/config.h"
#include "base/json.h"
#include "io/pg.h"
#include "io/secret.h"
#include "shop/accounts/contacts.h"
#include "shop/accounts/passwords.h"
#include "shop/audit.h"
#include "shop/messages.h"
#include "shop/req.h"

#include <string.h>

static const struct field register_in_fields[] = {
    FIELD(struct register_in, email, .max = 254, .format = FORMAT_EMAIL, .eg = "ann@example.com",
          .doc = "Needed unless phone or username is given"),
    FIELD(struct register_in, password, .required = true, .max = 128, .format = FORMAT_SECRET,
          .eg = "correct horse battery", .doc = "At least PASSWORD_MIN_LENGTH characters (8)"),
    FIELD(struct register_in, name, .required = true, .max = 255, .eg = "Ann Wanjiru",
          .doc = "How the account is called"),
    FIELD(struct register_in, phone, .max = 32, .format = FORMAT_PHONE, .eg = "0712345678",
          .doc = "Any Kenyan form, or international with +"),
    FIELD(struct register_in, username, .max = 32, .format = FORMAT_USERNAME, .eg = "ann",
          .doc = "Letters, digits, dot, dash, underscore"),
};

static void
check_register(struct input_errors *errors, const void *body)
{
    const struct register_in *in = body;
    const struct password_owner owner = {in->name, in->email, in->phone, in->username};

    if (in->email == NULL && in->phone == NULL && in->username == NULL &&
        !input_refused(errors, "phone") && !input_refused(errors, "username"))
        input_reject(errors, "email", "is required");
    passwords_check(errors, "password", in->password, &owner);
}
static const struct input register_in = INPUT(register_in, "RegisterInput", check_register);

struct profile_in {
    uint64_t sent;
    const char *name, *email, *phone, *username;
};
static const struct field profile_in_fields[] = {
    FIELD(struct profile_in, name, .min = 1, .max = 255, .eg = "Ann W.", .doc = "A new name"),
    FIELD(struct profile_in, email, .nullable = true, .max = 254, .format = FORMAT_EMAIL,
          .eg = "ann@example.com", .doc = "A new address; null removes it"),
    FIELD(struct profile_in, phone, .nullable = true, .max = 32, .format = FORMAT_PHONE,
          .eg = "+254712345678", .doc = "A new number; null removes it"),
    FIELD(struct profile_in, username, .nullable = true, .max = 32, .format = FORMAT_USERNAME,
          .eg = "ann", .doc = "A new username; null removes it"),
};
static const struct input profile_in = INPUT(profile_in, "ProfileInput", NULL);

static const struct out_field account_fields[] = {
    {"id", OUT_ID, .eg = "01920000-0000-7000-8000-000000000001", .doc = "The account"},
    {"name", OUT_TEXT, .eg = "Ann Wanjiru", .doc = "Its name"},
    {"email", OUT_TEXT, .nullable = true, .eg = "ann@example.com", .doc = "In lower case"},
    {"email_verified", OUT_BOOL, .eg = "true", .doc = "Whether a code that went there came back"},
    {"phone", OUT_TEXT, .nullable = true, .eg = "+254712345678", .doc = "In E.164"},
    {"phone_verified", OUT_BOOL, .eg = "false", .doc = "Whether a code that went there came back"},
    {"username", OUT_TEXT, .nullable = true, .eg = "ann", .doc = "In lower case"},
    {"roles", OUT_LIST, .one_of = "buyer|seller|admin", .eg = "buyer", .doc = "What it may act as"},
    {"created_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was made"},
    {"updated_at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When it was changed last"},
};
const struct output account_out = OUTPUT(account_fields, "Account");

static enum err
register_account(struct req *rq)
{
    const struct register_in *in = rq->in;
    struct uuid id = uuid_v7(rq->ctx.now_ms);

    accounts_add(&rq->ctx, id, in->name, in->email, in->phone, in->username, in->password,
                 ROLE_BUYER);
    messages_send(&rq->ctx, id, TEMPLATE_WELCOME, NULL, 0);
    return reply_rows(rq, ACCOUNTS_SHOW, ARG_ID(id));
}

static enum err
show_profile(struct req *rq)
{
    return reply_rows(rq, ACCOUNTS_SHOW, ARG_ID(rq->ctx.actor.account));
}

static enum err
update_profile(struct req *rq)
{
    const struct profile_in *in = rq->in;
    struct contacts before = {0};

    enum err e = contacts_lock(&rq->ctx, rq->ctx.actor.account, &before);
    if (e != OK)
        return e;
    struct contacts after = before;
    if (input_sent(&profile_in, in, "email"))
        after.email = in->email;
    if (input_sent(&profile_in, in, "phone"))
        after.phone = in->phone;
    if (input_sent(&profile_in, in, "username"))
        after.username = in->username;
    e = pg_run(&rq->ctx, ACCOUNTS_UPDATE, ARG_ID(rq->ctx.actor.account),
               ARG_BOOL(input_sent(&profile_in, in, "name")), ARG_TEXT(in->name),
               ARG_BOOL(input_sent(&profile_in, in, "email")), ARG_TEXT(in->email),
               ARG_BOOL(input_sent(&profile_in, in, "phone")), ARG_TEXT(in->phone),
               ARG_BOOL(input_sent(&profile_in, in, "username")), ARG_TEXT(in->username));
    if (e != OK)
        return e;
    e = contacts_changed(&rq->ctx, rq->ctx.actor.account, &before, &after);
    return e != OK ? e : reply_rows(rq, ACCOUNTS_SHOW, ARG_ID(rq->ctx.actor.account));
}

const struct endpoint accounts_register = {
    .name = "register",
    .tag = "Accounts",
    .doc = "Makes an account that may buy.",
    .run = register_account,
    .in = &register_in,
    .out = &account_out,
    .status = 201,
    .replies = {ACCOUNTS_SHOW},
    .errors = {ERR_VALIDATION, ERR_CONFLICT},
};
const struct endpoint accounts_profile = {
    .name = "profile",
    .tag = "Accounts",
    .doc = "Your own account.",
    .run = show_profile,
    .out = &account_out,
    .replies = {ACCOUNTS_SHOW},
};
const struct endpoint accounts_update_profile = {
    .name = "profile_update",
    .tag = "Accounts",
    .doc = "Changes what is sent of your own account.",
    .run = update_profile,
    .in = &profile_in,
    .out = &account_out,
    .replies = {ACCOUNTS_SHOW},
    .errors = {ERR_VALIDATION, ERR_CONFLICT},
};

void
accounts_add(struct ctx *ctx, struct uuid id, const char *name, const char *email,
             const char *phone, const char *username, const char *password, enum role role)
{
    const char *hash = password_hash(ctx->arena, password, conf->password_cost);

    pg_queue(ctx, ACCOUNTS_ADD, ARG_ID(id), ARG_TEXT(name), ARG_TEXT(email), ARG_TEXT(phone),
             ARG_TEXT(username), ARG_TEXT(hash));
    pg_queue(ctx, ACCOUNTS_GRANT, ARG_ID(id), ARG_TEXT(role_name(role)));
}

enum err
accounts_grant(struct ctx *ctx, struct uuid account, enum role role)
{
    int64_t granted;

    enum err e =
        pg_touch(ctx, ACCOUNTS_GRANT, &granted, ARG_ID(account), ARG_TEXT(role_name(role)));
    if (e == OK && granted > 0)
        audit_note(ctx, AUDIT_ROLE_GRANTED, account, "role", role_name(role));
    return e;
}
