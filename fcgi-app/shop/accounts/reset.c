/*
 * Asking for a code does the same for every name: a row and an event. Whether anybody is called so
 * is looked up later, by soko-jobs, where nobody can measure it; what it then refuses (deactivated,
 * too early, too many) it refuses in silence.
 *
 * Whoever holds a stolen session can change the address, but not the password without knowing it.
 * So that this is no way around, an address or a number is sent no code for conf->reset_hold after
 * it was set; its owner is told at the old one meanwhile (contacts.c).
 *
 * The code comes back with the new password in three steps, as a sign-in does: the try is counted
 * by name, known or not; the password is hashed, whether or not the code is right; and the code is
 * tried, by the same statements for a name that nobody has. A right code that comes with a password
 * which we refuse is not used up. The second factor stays as it is: a mailbox alone opens no
 * account that has one.
 */
#include "shop/accounts/reset.h"

#include "base/config.h"
#include "io/secret.h"
#include "shop/accounts/codes.h"
#include "shop/accounts/passwords.h"
#include "shop/accounts/sessions.h"
#include "shop/accounts/throttle.h"
#include "shop/audit.h"
#include "shop/messages.h"
#include "shop/req.h"

#include <string.h>

/* --- asking ----------------------------------------------------------------------------------- */

#define NAME_FIELDS(type)                                                                          \
    FIELD(type, email, .max = 254, .format = FORMAT_EMAIL, .eg = "ann@example.com",                \
          .doc = "Or phone, or username: exactly one")                                             \
    , FIELD(type, phone, .max = 32, .format = FORMAT_PHONE, .eg = "0712345678",                    \
            .doc = "Instead of email")                                                             \
    , FIELD(type, username, .max = 32, .format = FORMAT_USERNAME, .eg = "ann",                     \
            .doc = "Instead of email")

struct forgot_in {
    uint64_t sent;
    const char *email, *phone, *username;
};
static const struct field forgot_in_fields[] = {NAME_FIELDS(struct forgot_in)};

static void
check_name(struct input_errors *errors, const char *email, const char *phone, const char *username)
{
    int given = (email != NULL) + (phone != NULL) + (username != NULL);

    if (given > 1)
        input_reject(errors, "email", "send exactly one of email, phone and username");
    if (given == 0 && !input_refused(errors, "phone") && !input_refused(errors, "username"))
        input_reject(errors, "email", "is required");
}

static void
check_forgot(struct input_errors *errors, const void *body)
{
    const struct forgot_in *in = body;

    check_name(errors, in->email, in->phone, in->username);
}
static const struct input forgot_in = INPUT(forgot_in, "ForgotPasswordInput", check_forgot);

static enum err
forgot(struct req *rq)
{
    const struct forgot_in *in = rq->in;
    const char *kind = in->email != NULL ? "email" : in->phone != NULL ? "phone" : "username";
    const char *name = in->email != NULL ? in->email : in->phone != NULL ? in->phone : in->username;
    struct uuid id = uuid_v7(rq->ctx.now_ms);
    struct try try;

    enum err e = throttle_take(&rq->ctx, "forgot", name, NULL, conf->limit_codes, &try);
    if (e != OK)
        return e;
    pg_queue(&rq->ctx, CODES_FORGOTTEN_ADD, ARG_ID(id), ARG_TEXT(kind), ARG_TEXT(name));
    outbox_add(&rq->ctx, EVENT_PASSWORD_FORGOTTEN, id, (struct uuid){{0}});
    return reply_message(rq, "if there is such an account, a code is on its way to it");
}

/* --- sending ---------------------------------------------------------------------------------- */

struct forgotten_row {
    const char *kind, *name;
    bool is_fresh;
};
static const struct field forgotten_row_fields[] = {
    FIELD(struct forgotten_row, kind),
    FIELD(struct forgotten_row, name),
    FIELD(struct forgotten_row, is_fresh),
};
static const struct input forgotten_row = INPUT(forgotten_row, "ForgottenPassword", NULL);

struct found_row {
    struct uuid id;
    const char *name, *email, *phone, *username, *target;
    bool email_is_new, phone_is_new;
};
static const struct field found_row_fields[] = {
    FIELD(struct found_row, id),           FIELD(struct found_row, name),
    FIELD(struct found_row, email),        FIELD(struct found_row, phone),
    FIELD(struct found_row, username),     FIELD(struct found_row, target),
    FIELD(struct found_row, email_is_new), FIELD(struct found_row, phone_is_new),
};
static const struct input found_row = INPUT(found_row, "ResetAccount", NULL);

/* ERR_NOT_FOUND, without a problem, if no active account is called so. */
static enum err
find(struct ctx *ctx, const char *email, const char *phone, const char *username,
     struct found_row *out)
{
    enum err e = pg_one(ctx, CODES_RESET_FIND, &found_row, out, ARG_TEXT(email), ARG_TEXT(phone),
                        ARG_TEXT(username), ARG_TEXT(codes_purpose_name(CODE_RESET_PASSWORD)),
                        ARG_INT(conf->reset_hold.ms));
    if (e == ERR_NOT_FOUND)
        problems_clear(&ctx->problems);
    return e;
}

enum err
reset_send(struct ctx *ctx, const struct delivery *d)
{
    struct forgotten_row row = {0};
    struct found_row who = {0};

    enum err e = pg_one(ctx, CODES_FORGOTTEN_TAKE, &forgotten_row, &row, ARG_ID(d->subject),
                        ARG_INT(conf->code_ttl.ms));
    if (e == ERR_NOT_FOUND || (e == OK && !row.is_fresh))
        return OK; /* swept, or asked so long ago that nobody waits */
    if (e != OK)
        return e;
    e = find(ctx, strcmp(row.kind, "email") == 0 ? row.name : NULL,
             strcmp(row.kind, "phone") == 0 ? row.name : NULL,
             strcmp(row.kind, "username") == 0 ? row.name : NULL, &who);
    if (e != OK)
        return e == ERR_NOT_FOUND ? OK : e;
    const char *email = strcmp(row.kind, "phone") != 0 && !who.email_is_new ? who.email : NULL;
    const char *phone = strcmp(row.kind, "email") != 0 && !who.phone_is_new ? who.phone : NULL;
    if (email == NULL && phone == NULL)
        return OK; /* whoever has neither must ask the sysadmin */
    e = email != NULL ? codes_send(ctx, who.id, CODE_RESET_PASSWORD, CHANNEL_EMAIL, email)
                      : codes_send(ctx, who.id, CODE_RESET_PASSWORD, CHANNEL_SMS, phone);
    return e == ERR_RATE_LIMITED ? OK : e;
}

/* --- the code, and a new password ------------------------------------------------------------- */

struct reset_in {
    uint64_t sent;
    const char *email, *phone, *username, *code, *password;
};
static const struct field reset_in_fields[] = {
    NAME_FIELDS(struct reset_in),
    FIELD(struct reset_in, code, .required = true, .max = 6, .format = FORMAT_SECRET,
          .eg = "492039", .doc = "Six digits, as they came"),
    FIELD(struct reset_in, password, .required = true, .max = 128, .format = FORMAT_SECRET,
          .eg = "staple of correct horses",
          .doc = "The new one: at least PASSWORD_MIN_LENGTH characters (8), and not a common one"),
};

static void
check_reset(struct input_errors *errors, const void *body)
{
    const struct reset_in *in = body;
    const struct password_owner owner = {NULL, in->email, in->phone, in->username};
    const char *fault = in->code != NULL ? codes_fault(in->code) : NULL;

    check_name(errors, in->email, in->phone, in->username);
    if (fault != NULL)
        input_reject(errors, "code", "%s", fault);
    passwords_check(errors, "password", in->password, &owner);
}
static const struct input reset_in = INPUT(reset_in, "ResetPasswordInput", check_reset);

struct known_row {
    bool is_known;
};
static const struct field known_row_fields[] = {FIELD(struct known_row, is_known)};
static const struct input known_row = INPUT(known_row, "KnownAddress", NULL);

/* From step to step. */
struct resetting {
    struct try try;
    const char *hash;
};

static enum err
reset_start(struct req *rq)
{
    const struct reset_in *in = rq->in;
    struct ctx *ctx = &rq->ctx;
    const char *name = in->email != NULL ? in->email : in->phone != NULL ? in->phone : in->username;
    struct resetting *s = arena_alloc(ctx->arena, sizeof(*s));
    struct known_row known = {0};

    *s = (struct resetting){0};
    rq->step = s;
    enum err e = pg_one(ctx, ACCOUNTS_FOR_SIGN_IN, &known_row, &known, ARG_TEXT(in->email),
                        ARG_TEXT(in->phone), ARG_TEXT(in->username), ARG_TEXT(rq->network),
                        ARG_INT(conf->login_address_ttl.ms));
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    problems_clear(&ctx->problems);
    return throttle_take(ctx, "reset", name, known.is_known ? rq->network : NULL,
                         conf->limit_login_account, &s->try);
}

static enum err
reset_call(struct req *rq)
{
    const struct reset_in *in = rq->in;
    struct resetting *s = rq->step;

    s->hash = password_hash(rq->ctx.arena, in->password, conf->password_cost);
    return OK;
}

static enum err
reset_finish(struct req *rq)
{
    const struct reset_in *in = rq->in;
    const struct resetting *s = rq->step;
    struct ctx *ctx = &rq->ctx;
    struct found_row who = {0};

    enum err e = find(ctx, in->email, in->phone, in->username, &who);
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    e = codes_check(ctx, who.id, CODE_RESET_PASSWORD, who.target != NULL ? who.target : "",
                    in->code);
    if (e == ERR_VALIDATION) {
        audit_note(ctx, AUDIT_SIGN_IN_FAILED, who.id, "reason", "reset_code");
        return fail(ctx, e, "code", CODE_IS_NOT_GOOD);
    }
    const struct password_owner owner = {who.name, who.email, who.phone, who.username};
    if (e == OK && passwords_is_own(in->password, &owner))
        return fail(ctx, ERR_VALIDATION, "password", PASSWORD_IS_OWN);
    if (e == OK)
        e = pg_run(ctx, ACCOUNTS_SET_PASSWORD, ARG_ID(who.id), ARG_TEXT(s->hash));
    if (e == OK)
        e = sessions_end_others(ctx, who.id, (struct uuid){{0}}, "password_reset");
    if (e != OK)
        return e;
    throttle_give_back(ctx, &s->try);
    audit_note(ctx, AUDIT_PASSWORD_RESET, who.id, NULL, NULL);
    messages_notice(ctx, who.id, NOTICE_PASSWORD_RESET);
    return reply_message(rq, "the password is new, and all sessions have ended: sign in");
}

const struct endpoint reset_forgot = {
    .name = "password_forgot",
    .tag = "Accounts",
    .doc =
        "Sends a one-time code to whoever is called so. The answer does not tell whether anybody "
        "is.",
    .run = forgot,
    .in = &forgot_in,
    .out = &message_out,
    .errors = {ERR_VALIDATION},
};
const struct endpoint reset_password = {
    .name = "password_reset",
    .tag = "Accounts",
    .doc = "Sets a new password by the code that was sent, and ends all sessions. A code that is "
           "wrong, used or too old, and a name that nobody has, are answered in the same words and "
           "time.",
    .start = reset_start,
    .call = reset_call,
    .finish = reset_finish,
    .in = &reset_in,
    .out = &message_out,
    .errors = {ERR_VALIDATION},
};
