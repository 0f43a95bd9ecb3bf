/*
 * Signing in tells nobody whether an account exists: the words are the same, and so is the work. A
 * password is hashed once by each scheme that any account's hash has (password_scheme), whoever is
 * asked for: once in earnest if the account has that scheme, else for nothing. So an unknown name,
 * a new account and one imported with bcrypt take the same time (seed hole 47), and the extra work
 * ends by itself when the last imported account has signed in. `./dev bench signin` measures it.
 *
 * Three steps. The first reads what there is to compare and counts the try, before any hash is made
 * (throttle.h); the second hashes, and holds no transaction meanwhile; the third looks at the
 * account again, under its lock. If its hash is another now, the password is checked once more,
 * there: who has changed his password has ended this sign-in, and who signs in twice at once, so
 * that the other one has hashed it anew, has not.
 *
 * A try is given back once the password was right, whatever comes of it then: codes of the second
 * factor have tries of their own (totp.c).
 *
 * What fails, and what is left:
 * - Killed before the first commit: nothing. PostgreSQL rolls back, the client has no answer.
 * - Killed while hashing or calling the OAuth2 server: the try is spent, though the password may
 *   have been right. No transaction is open, no lock held. A token that the server gave in that
 *   moment is known to nobody, and expires there.
 * - Killed between the second commit and the answer: the session is open, and nobody knows its
 *   tokens; it is in the owner's list, and ends like one that is not used.
 * - PostgreSQL away, or slower than STATEMENT_TIMEOUT, in either transaction: 503 or 504, and no
 *   session; after the first the try is spent.
 * - Redis away: the gate's limit does not count, the tries here do.
 */
#include "base/config.h"
#include "io/pg.h"
#include "io/secret.h"
#include "shop/accounts/accounts.h"
#include "shop/accounts/sessions.h"
#include "shop/accounts/throttle.h"
#include "shop/accounts/totp.h"
#include "shop/audit.h"
#include "shop/messages.h"
#include "shop/req.h"

#include <string.h>

struct login_in {
    uint64_t sent;
    const char *email, *password, *phone, *username, *role, *totp_code;
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
    FIELD(struct login_in, totp_code, .max = 32, .format = FORMAT_SECRET, .eg = "492039",
          .doc = "The second factor's code, or a recovery code, if the account has one"),
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
    const char *password_hash, *password_scheme;
    bool is_known; /* the address: it was signed in from lately */
};
static const struct field credentials_fields[] = {
    FIELD(struct credentials, id),
    FIELD(struct credentials, password_hash),
    FIELD(struct credentials, password_scheme),
    FIELD(struct credentials, is_known),
};
static const struct input credentials = INPUT(credentials, "Credentials", NULL);

struct locked {
    const char *password_hash;
};
static const struct field locked_fields[] = {FIELD(struct locked, password_hash)};
static const struct input locked = INPUT(locked, "LockedAccount", NULL);

struct holder {
    struct uuid id;
    bool is_active, is_buyer, is_seller, is_admin;
};
static const struct field holder_fields[] = {
    FIELD(struct holder, id),       FIELD(struct holder, is_active),
    FIELD(struct holder, is_buyer), FIELD(struct holder, is_seller),
    FIELD(struct holder, is_admin),
};
static const struct input holder = INPUT(holder, "Holder", NULL);

struct before {
    bool was_signed_in;
};
static const struct field before_fields[] = {FIELD(struct before, was_signed_in)};
static const struct input before_table = INPUT(before, "SignedInBefore", NULL);

struct scheme {
    const char *scheme;
};
static const struct field scheme_fields[] = {FIELD(struct scheme, scheme)};
static const struct input scheme = INPUT(scheme, "Scheme", NULL);

/* From step to step. */
struct signing_in {
    struct credentials known;
    bool exists, is_right;
    struct scheme *schemes;
    size_t scheme_count;
    const char *fresh_hash; /* to be kept instead of the old one; NULL: that is good */
    struct try try;
    struct external_token external;
    enum err unobtained; /* why there is no external token, and in which words */
    struct problems problems;
};

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

static enum err
reply_session(struct req *rq, const struct session_tokens *tokens)
{
    struct text *t = &rq->reply;

    text_clear(t);
    text_putc(t, '{');
    text_member(t, "access_token", tokens->access);
    text_member(t, "refresh_token", tokens->refresh);
    text_member(t, "token_type", "Bearer");
    text_member_int(t, "expires_in", tokens->access_ms / 1000);
    text_member(t, "role", role_name(tokens->role));
    text_key(t, "user");
    enum err e = pg_object(&rq->ctx, ACCOUNTS_SHOW, t, ARG_ID(tokens->account));
    text_putc(t, '}');
    return e;
}

static enum err
login_start(struct req *rq)
{
    const struct login_in *in = rq->in;
    struct ctx *ctx = &rq->ctx;
    struct signing_in *s = arena_alloc(ctx->arena, sizeof(*s));
    const char *name = in->email != NULL ? in->email : in->phone != NULL ? in->phone : in->username;

    *s = (struct signing_in){0};
    rq->step = s;
    enum err e = pg_one(ctx, ACCOUNTS_FOR_SIGN_IN, &credentials, &s->known, ARG_TEXT(in->email),
                        ARG_TEXT(in->phone), ARG_TEXT(in->username), ARG_TEXT(rq->network),
                        ARG_INT(conf->login_address_ttl.ms));
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    s->exists = e == OK;
    problems_clear(&ctx->problems);
    e = pg_all(ctx, ACCOUNTS_SCHEMES, &scheme, &s->schemes, &s->scheme_count);
    if (e != OK)
        return e;
    return throttle_take(ctx, "sign_in", name, s->known.is_known ? rq->network : NULL,
                         conf->limit_login_account, &s->try);
}

/* The same work for everybody. */
static bool
check(const struct req *rq, const struct signing_in *s)
{
    const struct login_in *in = rq->in;
    const char *usual = password_scheme(rq->ctx.arena, conf->password_cost);
    bool is_right = false, did_own = !s->exists, did_usual = false;

    for (size_t i = 0; i < s->scheme_count; i++) {
        const char *one = s->schemes[i].scheme;
        bool is_own = s->exists && strcmp(one, s->known.password_scheme) == 0;
        if (is_own)
            is_right = password_check(in->password, s->known.password_hash);
        else
            password_burn(in->password, one);
        did_own = did_own || is_own;
        did_usual = did_usual || strcmp(one, usual) == 0;
    }
    if (!did_own) /* its scheme was the last of its kind, and went between two statements */
        is_right = password_check(in->password, s->known.password_hash);
    if (!did_usual)
        password_burn(in->password, usual);
    return is_right;
}

/* A server that gives no token is the finish's to tell: the try is to be given back. */
static enum err
login_call(struct req *rq)
{
    const struct login_in *in = rq->in;
    struct signing_in *s = rq->step;

    s->is_right = check(rq, s);
    if (!s->is_right)
        return OK;
    if (password_is_old(s->known.password_hash, conf->password_cost))
        s->fresh_hash = password_hash(rq->ctx.arena, in->password, conf->password_cost);
    s->unobtained = external_obtain(&rq->ctx, &s->external);
    s->problems = rq->ctx.problems;
    return OK;
}

/* The refusal is written down, and stays. */
static void
note_failure(struct ctx *ctx, const struct signing_in *s, const char *reason)
{
    audit_note(ctx, AUDIT_SIGN_IN_FAILED, s->known.id, "reason", reason);
    tx_keep(ctx);
}

static enum err
refuse(struct ctx *ctx, const struct signing_in *s)
{
    note_failure(ctx, s, s->exists ? "password" : "unknown");
    return fail(ctx, ERR_UNAUTHORIZED, NULL, "these credentials match no account");
}

/* The account as it is now, under its lock; its roles by a statement of their own, so that they are
 * of after the lock too. */
static enum err
look_again(struct req *rq, struct signing_in *s, struct holder *now)
{
    const struct login_in *in = rq->in;
    struct ctx *ctx = &rq->ctx;
    struct locked row = {0};

    enum err e = pg_one(ctx, ACCOUNTS_LOCK, &locked, &row, ARG_ID(s->known.id));
    if (e == OK && strcmp(row.password_hash, s->known.password_hash) != 0) {
        s->fresh_hash = NULL;
        if (!password_check(in->password, row.password_hash))
            e = ERR_NOT_FOUND;
    }
    if (e == ERR_NOT_FOUND) {
        problems_clear(&ctx->problems);
        return refuse(ctx, s);
    }
    return e != OK ? e : pg_one(ctx, ACCOUNTS_ROLES, &holder, now, ARG_ID(s->known.id));
}

/* What else than the password may stand in the way. */
static enum err
let_in(struct req *rq, const struct signing_in *s, const struct holder *now,
       struct session_start *start)
{
    const struct login_in *in = rq->in;
    struct held_roles held = {now->is_buyer, now->is_seller, now->is_admin};
    struct ctx *ctx = &rq->ctx;

    if (s->unobtained != OK) {
        ctx->problems = s->problems;
        return s->unobtained;
    }
    if (!now->is_active) {
        note_failure(ctx, s, "deactivated");
        return fail(ctx, ERR_FORBIDDEN, NULL, "this account is deactivated");
    }
    enum err e = totp_demand(ctx, s->known.id, in->totp_code,
                             s->known.is_known ? rq->network : NULL, &start->second_factor);
    if (e == ERR_UNAUTHORIZED)
        note_failure(ctx, s, in->totp_code == NULL ? "code_missing" : "code");
    if (e == OK)
        e = sessions_choose_role(ctx, &held, in->role, &start->role);
    /* Who holds no other role is let in: until he has set the factor up, that session opens what is
     * IN_PERSON alone (app_gate.c). */
    if (e == OK && (held.is_buyer || held.is_seller))
        e = sessions_demand_factor(ctx, start->role, start->second_factor);
    return e;
}

/* The password was right, and the try none: also if the answer is a refusal. */
static void
settle_try(struct ctx *ctx, const struct signing_in *s, enum err e)
{
    bool refused = e == ERR_UNAUTHORIZED || e == ERR_FORBIDDEN || e == ERR_RATE_LIMITED;

    if (e != OK && !refused && e != s->unobtained)
        return; /* nothing of this transaction stays */
    throttle_give_back(ctx, &s->try);
    if (e != OK)
        tx_keep(ctx);
}

/* Who signs in from a new address is told of it, but for the first time that anybody does. */
static enum err
note_address(struct ctx *ctx, const struct signing_in *s)
{
    struct before before = {0};

    if (s->known.is_known)
        return OK;
    enum err e = pg_one(ctx, ACCOUNTS_WAS_SIGNED_IN, &before_table, &before, ARG_ID(s->known.id),
                        ARG_TEXT(audit_name(AUDIT_SIGNED_IN)));
    if (e == OK && before.was_signed_in)
        messages_notice(ctx, s->known.id, NOTICE_NEW_ADDRESS);
    return e;
}

/* What was refused needs no token; the refusal is kept with what revokes it. */
static enum err
give_up_token(struct ctx *ctx, enum err e, const struct external_token *t)
{
    if (t->token == NULL || (e != ERR_UNAUTHORIZED && e != ERR_FORBIDDEN && e != ERR_RATE_LIMITED))
        return e;
    enum err thrown = external_throw_away(ctx, t);
    if (thrown == OK)
        tx_keep(ctx);
    return thrown == OK ? e : thrown;
}

static enum err
open_session(struct req *rq)
{
    struct signing_in *s = rq->step;
    struct ctx *ctx = &rq->ctx;
    struct holder now = {0};
    struct session_start start = {.account = s->known.id,
                                  .agent = rq->agent,
                                  .address = rq->address,
                                  .external = &s->external};
    struct session_tokens tokens;

    if (!s->is_right)
        return refuse(ctx, s);
    enum err e = look_again(rq, s, &now);
    if (e != OK)
        return e;
    e = let_in(rq, s, &now, &start);
    settle_try(ctx, s, e);
    if (e != OK)
        return e;
    if (s->fresh_hash != NULL)
        pg_queue(ctx, ACCOUNTS_REHASH, ARG_ID(s->known.id), ARG_TEXT(s->known.password_hash),
                 ARG_TEXT(s->fresh_hash));
    e = note_address(ctx, s);
    if (e != OK)
        return e;
    pg_queue(ctx, ACCOUNTS_KNOW_ADDRESS, ARG_ID(s->known.id), ARG_TEXT(rq->network));
    audit_note(ctx, AUDIT_SIGNED_IN, s->known.id, "role", role_name(start.role));
    e = sessions_start(ctx, &start, &tokens);
    return e != OK ? e : reply_session(rq, &tokens);
}

static enum err
login_finish(struct req *rq)
{
    struct signing_in *s = rq->step;

    return give_up_token(&rq->ctx, open_session(rq), &s->external);
}

/* From step to step of a refresh. */
struct refreshing {
    bool wants_token;
    struct external_token external;
};

static enum err
refresh_start(struct req *rq)
{
    const struct refresh_in *in = rq->in;
    struct refreshing *r = arena_alloc(rq->ctx.arena, sizeof(*r));

    *r = (struct refreshing){0};
    rq->step = r;
    if (!external_is_on())
        return OK;
    return sessions_refresh_look(&rq->ctx, in->refresh_token, in->role, &r->wants_token);
}

static enum err
refresh_call(struct req *rq)
{
    struct refreshing *r = rq->step;

    return r->wants_token ? external_obtain(&rq->ctx, &r->external) : OK;
}

static enum err
refresh_finish(struct req *rq)
{
    const struct refresh_in *in = rq->in;
    struct refreshing *r = rq->step;
    struct session_tokens tokens;

    enum err e = sessions_refresh(&rq->ctx, in->refresh_token, in->role, &r->external, &tokens);
    if (e == OK)
        e = reply_session(rq, &tokens);
    return give_up_token(&rq->ctx, e, &r->external);
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
    .start = login_start,
    .call = login_call,
    .finish = login_finish,
    .in = &login_in,
    .out = &session_out,
    .secret = true,
    .errors = {ERR_VALIDATION, ERR_UNAUTHORIZED, ERR_FORBIDDEN},
};
const struct endpoint accounts_refresh = {
    .name = "refresh",
    .tag = "Accounts",
    .doc = "Exchanges a refresh token for a fresh pair; a token used again ends the session.",
    .start = refresh_start,
    .call = refresh_call,
    .finish = refresh_finish,
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
