/*
 * Signing in tells nobody whether an account exists: the words are the same, and so is the work,
 * since an unknown name is checked against a hash that no password matches (seed hole 47).
 *
 * The hash is checked inside the transaction, but before anything is locked.
 */
#include "base/config.h"
#include "io/pg.h"
#include "io/secret.h"
#include "shop/accounts/accounts.h"
#include "shop/accounts/sessions.h"
#include "shop/req.h"

struct login_in {
    uint64_t sent;
    const char *email, *password, *phone, *username, *role;
};
static const struct field login_in_fields[] = {
    FIELD(struct login_in, email, .max = 254, .format = FORMAT_EMAIL, .eg = "ann@example.com",
          .doc = "Or phone, or username: exactly one"),
    FIELD(struct login_in, password, .required = true, .max = 256, .format = FORMAT_SECRET,
          .eg = "correct horse battery", .doc = "The account's password"),
    FIELD(struct login_in, phone, .max = 32, .format = FORMAT_PHONE, .eg = "0712345678",
          .doc = "Instead of email"),
    FIELD(struct login_in, username, .max = 32, .format = FORMAT_USERNAME, .eg = "ann",
          .doc = "Instead of email"),
    FIELD(struct login_in, role, .one_of = "buyer|seller|admin", .eg = "buyer",
          .doc = "The role to act in; default: the highest that the account holds"),
};

static void
check_login(struct input_errors *errors, const void *body)
{
    const struct login_in *in = body;
    int given = (in->email != NULL) + (in->phone != NULL) + (in->username != NULL);

    if (given > 1)
        input_reject(errors, "email", "send exactly one of email, phone and username");
    if (given == 0 && !input_refused(errors, "phone") && !input_refused(errors, "username"))
        input_reject(errors, "email", "is required");
}
static const struct input login_in = INPUT(login_in, "LoginInput", check_login);

struct refresh_in {
    uint64_t sent;
    const char *refresh_token, *role;
};
static const struct field refresh_in_fields[] = {
    FIELD(struct refresh_in, refresh_token, .required = true, .max = 128,
          .eg = "wA2u0Bq8mJm0k1m2n3o4p5q6r7s8t9u0v1w2x3y4z5A", .doc = "As the last answer gave it"),
    FIELD(struct refresh_in, role, .one_of = "buyer|seller|admin", .eg = "seller",
          .doc = "The role to act in from now on; default: as before"),
};
static const struct input refresh_in = INPUT(refresh_in, "RefreshInput", NULL);

struct credentials {
    struct uuid id;
    const char *password_hash;
    bool is_active, is_buyer, is_seller, is_admin;
};
static const struct field credentials_fields[] = {
    FIELD(struct credentials, id),        FIELD(struct credentials, password_hash),
    FIELD(struct credentials, is_active), FIELD(struct credentials, is_buyer),
    FIELD(struct credentials, is_seller), FIELD(struct credentials, is_admin),
};
static const struct input credentials = INPUT(credentials, "Credentials", NULL);

static const struct out_field session_fields[] = {
    {"access_token", OUT_TEXT, .eg = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
     .doc = "Send it as Authorization: Bearer"},
    {"refresh_token", OUT_TEXT, .eg = "wA2u0Bq8mJm0k1m2n3o4p5q6r7s8t9u0v1w2x3y4z5A",
     .doc = "Good for one refresh"},
    {"token_type", OUT_TEXT, .one_of = "Bearer", .eg = "Bearer", .doc = "Always Bearer"},
    {"expires_in", OUT_INT, .eg = "900", .doc = "Seconds that the access token lives"},
    {"role", OUT_TEXT, .one_of = "buyer|seller|admin", .eg = "buyer",
     .doc = "The role in which the session acts"},
    {"user", OUT_OBJECT, .of = &account_out, .doc = "Whose session it is"},
};
static const struct output session_out = OUTPUT(session_fields, "Session");

/* A hash of this process's own, of the usual cost, that stands in for an account that is not there.
 */
static const char *
nobodys_hash(void)
{
    static struct arena *forever;
    static const char *hash;

    if (hash == NULL) {
        forever = arena_new();
        hash = password_hash(forever, secret_token(forever), conf->password_cost);
    }
    return hash;
}

static enum err
reply_session(struct req *rq, const struct session_tokens *tokens)
{
    struct text *t = &rq->reply;

    text_clear(t);
    text_putc(t, '{');
    text_member(t, "access_token", tokens->access);
    text_member(t, "refresh_token", tokens->refresh);
    text_member(t, "token_type", "Bearer");
    text_member_int(t, "expires_in", conf->access_token_ttl.ms / 1000);
    text_member(t, "role", role_name(tokens->role));
    text_key(t, "user");
    enum err e = pg_object(&rq->ctx, ACCOUNTS_SHOW, t, ARG_ID(tokens->account));
    text_putc(t, '}');
    return e;
}

static enum err
login(struct req *rq)
{
    const struct login_in *in = rq->in;
    struct ctx *ctx = &rq->ctx;
    struct credentials known = {0};
    struct session_tokens tokens;
    enum role role;

    enum err e = pg_one(ctx, ACCOUNTS_FOR_SIGN_IN, &credentials, &known, ARG_TEXT(in->email),
                        ARG_TEXT(in->phone), ARG_TEXT(in->username));
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    problems_clear(&ctx->problems);
    if (e == ERR_NOT_FOUND)
        known.password_hash = nobodys_hash();
    if (!password_check(in->password, known.password_hash) || e == ERR_NOT_FOUND)
        return fail(ctx, ERR_UNAUTHORIZED, NULL, "these credentials match no account");
    if (!known.is_active)
        return fail(ctx, ERR_FORBIDDEN, NULL, "this account is deactivated");

    struct held_roles held = {known.is_buyer, known.is_seller, known.is_admin};
    e = sessions_choose_role(ctx, &held, in->role, &role);
    if (e != OK)
        return e;
    if (password_is_old(known.password_hash, conf->password_cost)) {
        const char *fresh = password_hash(ctx->arena, in->password, conf->password_cost);
        e = pg_touch(ctx, ACCOUNTS_REHASH, NULL, ARG_ID(known.id), ARG_TEXT(known.password_hash),
                     ARG_TEXT(fresh));
        if (e != OK)
            return e;
    }
    e = sessions_start(ctx, known.id, role, rq->agent, rq->address, &tokens);
    return e != OK ? e : reply_session(rq, &tokens);
}

static enum err
refresh(struct req *rq)
{
    const struct refresh_in *in = rq->in;
    struct session_tokens tokens;

    enum err e = sessions_refresh(&rq->ctx, in->refresh_token, in->role, &tokens);
    return e != OK ? e : reply_session(rq, &tokens);
}

static enum err
logout(struct req *rq)
{
    enum err e = sessions_end(&rq->ctx, rq->ctx.actor.session, "signed_out");

    return e != OK ? e : reply_message(rq, "signed out");
}

const struct endpoint accounts_login = {
    .name = "login",
    .tag = "Accounts",
    .doc = "Opens a session. Any bad credential is answered in the same words and time.",
    .run = login,
    .in = &login_in,
    .out = &session_out,
    .secret = true,
    .errors = {ERR_VALIDATION, ERR_UNAUTHORIZED, ERR_FORBIDDEN},
};
const struct endpoint accounts_refresh = {
    .name = "refresh",
    .tag = "Accounts",
    .doc = "Exchanges a refresh token for a fresh pair; a token used again ends the session.",
    .run = refresh,
    .in = &refresh_in,
    .out = &session_out,
    .secret = true,
    .errors = {ERR_VALIDATION, ERR_UNAUTHORIZED, ERR_FORBIDDEN},
};
const struct endpoint accounts_logout = {
    .name = "logout",
    .tag = "Accounts",
    .doc = "Ends the session at once.",
    .run = logout,
    .out = &message_out,
    .unkeyed = true,
};
