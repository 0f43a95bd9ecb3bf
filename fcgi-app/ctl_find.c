/*
 * What people call things, as ids. Names pass the rules that sign-in has for them, so that 0712...
 * finds the account of +254712....
 */
#include "ctl_rows.h"

#include "base/fields.h"
#include "io/tx.h"
#include "shop/accounts/totp.h"
#include "shop/stmt.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct found {
    struct uuid id;
};
static const struct field found_fields[] = {FIELD(struct found, id)};
static const struct input found = INPUT(found, "Found", NULL);

struct named {
    uint64_t sent;
    const char *email, *phone, *username;
};
static const struct field named_fields[] = {
    FIELD(struct named, email, .max = 254, .format = FORMAT_EMAIL),
    FIELD(struct named, phone, .max = 32, .format = FORMAT_PHONE),
    FIELD(struct named, username, .max = 32, .format = FORMAT_USERNAME),
};

static void
check_named(struct input_errors *errors, const void *body)
{
    const struct named *in = body;

    if ((in->email != NULL) + (in->phone != NULL) + (in->username != NULL) > 1)
        input_reject(errors, "email", "give exactly one of --email, --phone and --username");
    if (in->sent == 0)
        input_reject(errors, "email", "give --email, --phone or --username");
}
static const struct input named = INPUT(named, "AccountName", check_named);

struct search {
    int stmt;
    const char *text;
    struct pg_arg id;
    const struct named *name;
    struct uuid out;
};

static enum err
find_work(struct ctx *ctx, void *arg)
{
    struct search *s = arg;
    struct found row = {0};

    if (s->name != NULL)
        return totp_find(ctx, s->name->email, s->name->phone, s->name->username, &s->out);
    enum err e = pg_one(ctx, s->stmt, &found, &row, ARG_TEXT(s->text), s->id);
    s->out = row.id;
    return e;
}

static bool
find(struct ctx *ctx, struct search *s, const char *what, struct uuid *out)
{
    enum err e = tx_read(ctx, find_work, s);

    *out = s->out;
    if (e == ERR_NOT_FOUND)
        fprintf(stderr, "sokoctl: %s: there is no such %s\n", s->text, what);
    else if (e != OK)
        ctl_complain(ctx, e);
    return e == OK;
}

static bool
read_named(struct ctx *ctx, const char *email, const char *phone, const char *username, void **out)
{
    struct input_text texts[] = {
        {.name = "email", .s = email != NULL ? email : ""}, /* empty: as if it were not there */
        {.name = "phone", .s = phone != NULL ? phone : ""},
        {.name = "username", .s = username != NULL ? username : ""},
    };
    size_t count = sizeof(texts) / sizeof(texts[0]);

    for (size_t i = 0; i < count; i++)
        texts[i].len = strlen(texts[i].s);
    enum err e = input_from_texts(ctx->arena, &ctx->problems, &named, texts, count, out);
    if (e != OK)
        ctl_complain(ctx, e);
    return e == OK;
}

bool
ctl_find_named(struct ctx *ctx, const struct ctl_options *o, struct uuid *out)
{
    struct search s = {.text = o->email != NULL   ? o->email
                               : o->phone != NULL ? o->phone
                                                  : o->username};
    void *name;

    if (!read_named(ctx, o->email, o->phone, o->username, &name))
        return false;
    s.name = name;
    return find(ctx, &s, "account", out);
}

bool
ctl_find_account(struct ctx *ctx, const char *text, struct uuid *out)
{
    struct search s = {.stmt = ACCOUNTS_FIND, .text = text};
    bool is_phone = *text == '+' || isdigit((unsigned char)*text),
         is_email = strchr(text, '@') != NULL;
    void *name;

    if (uuid_parse(text, strlen(text), out)) {
        s.id = ARG_ID(*out);
        return find(ctx, &s, "account", out);
    }
    if (!read_named(ctx, is_email ? text : NULL, !is_email && is_phone ? text : NULL,
                    is_email || is_phone ? NULL : text, &name))
        return false;
    s.name = name;
    return find(ctx, &s, "account", out);
}

static bool
find_by(struct ctx *ctx, int stmt, const char *what, const char *text, struct uuid *out)
{
    struct search s = {.stmt = stmt, .text = text, .id = ARG_NULL};

    if (uuid_parse(text, strlen(text), out))
        s.id = ARG_ID(*out);
    return find(ctx, &s, what, out);
}

bool
ctl_find_store(struct ctx *ctx, const char *text, struct uuid *out)
{
    return find_by(ctx, STORES_FIND, "store", text, out);
}

bool
ctl_find_order(struct ctx *ctx, const char *text, struct uuid *out)
{
    return find_by(ctx, ORDERS_FIND, "order", text, out);
}

bool
ctl_find_payment(struct ctx *ctx, const char *text, struct uuid *out)
{
    return find_by(ctx, PAYMENTS_ADMIN_FIND, "payment", text, out);
}

bool
ctl_id(const char *name, const char *text, struct pg_arg *out)
{
    struct uuid id;

    *out = ARG_NULL;
    if (text == NULL)
        return true;
    if (!uuid_parse(text, strlen(text), &id)) {
        fprintf(stderr, "sokoctl: %s: not an id\n", name);
        return false;
    }
    *out = ARG_ID(id);
    return true;
}
