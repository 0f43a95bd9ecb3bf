/*
 * For a lost telephone, and no recovery code left: the sysadmin, who has made sure whom he speaks
 * with, switches an account's second factor off. Every session ends: the telephone may be with
 * somebody else. Redis is told too; if it is away, soko-jobs tells it later (sessions.h).
 */
#include "ctl.h"
#include "io/tx.h"
#include "shop/accounts/totp.h"

#include <stdio.h>
#include <string.h>

/* Options pass the rules that sign-in has for names. */
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

static enum err
off_work(struct ctx *ctx, void *arg)
{
    const struct named *in = arg;
    struct totp_holder holder;
    struct uuid account;

    enum err e = totp_find(ctx, in->email, in->phone, in->username, &account);
    if (e == OK)
        e = totp_hold(ctx, account, &holder);
    return e != OK ? e : totp_off(ctx, account, (struct uuid){{0}});
}

int
ctl_user_totp_off(const struct ctl_options *o)
{
    struct ctx *ctx = ctl_open();
    struct input_text options[] = {
        {.name = "email", .s = o->email},
        {.name = "phone", .s = o->phone},
        {.name = "username", .s = o->username},
    };
    size_t count = sizeof(options) / sizeof(options[0]);
    void *in;

    for (size_t i = 0; i < count; i++) {
        if (options[i].s == NULL)
            options[i].s = ""; /* as if it were not there */
        options[i].len = strlen(options[i].s);
    }
    enum err e = input_from_texts(ctx->arena, &ctx->problems, &named, options, count, &in);
    if (e == OK)
        e = tx_run(ctx, off_work, in);
    if (e != OK) {
        ctl_complain(ctx, e);
        return CTL_FAILED;
    }
    puts("the second factor is off; all sessions of the account have ended");
    return 0;
}
