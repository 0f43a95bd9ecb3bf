/*
 * For a lost telephone, and no recovery code left: the sysadmin, who has made sure whom he speaks
 * with, switches an account's second factor off. Every session ends: the telephone may be with
 * somebody else. Redis is told too; if it is away, soko-jobs tells it later (sessions.h).
 */
#include "ctl_rows.h"
#include "shop/accounts/totp.h"

#include <stdio.h>

static enum err
off_work(struct ctx *ctx, void *arg)
{
    const struct uuid *account = arg;
    struct totp_holder holder;

    enum err e = totp_hold(ctx, *account, &holder);
    return e != OK ? e : totp_off(ctx, *account, (struct uuid){{0}});
}

int
ctl_user_totp_off(const struct ctl_options *o)
{
    struct ctx *ctx = ctl_open();
    struct uuid account;

    if (!ctl_find_named(ctx, o, &account) || ctl_work(ctx, off_work, &account) != 0)
        return CTL_FAILED;
    puts("the second factor is off; all sessions of the account have ended");
    return 0;
}
