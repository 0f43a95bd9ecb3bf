/*
 * Accounts, one or all: seen, and changed by the rules that an administrator's endpoints have
 * (shop/accounts/admin.c). What nobody but the sysadmin can do is here too: let everybody try
 * again, and take away the hashes of the older systems.
 */
#include "ctl_rows.h"
#include "io/tx.h"
#include "shop/accounts/admin.h"
#include "shop/accounts/throttle.h"
#include "shop/audit.h"
#include "shop/stmt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define HASHES_AT_ONCE 1000

struct change {
    struct uuid account;
    struct admin_change what;
};

static enum err
change_work(struct ctx *ctx, void *arg)
{
    const struct change *c = arg;

    return admin_change_account(ctx, c->account, &c->what);
}

static int
change(const struct ctl_options *o, struct change *c, const char *done)
{
    struct ctx *ctx = ctl_open();

    if (!ctl_find_account(ctx, o->argv[0], &c->account) || ctl_work(ctx, change_work, c) != 0)
        return CTL_FAILED;
    puts(done);
    return 0;
}

int
ctl_user_list(const struct ctl_options *o)
{
    if (!ctl_one_of("--role", o->role, "buyer|seller|admin") ||
        !ctl_one_of("--status", o->status, "active|inactive"))
        return EX_USAGE;
    return ctl_list(ctl_open(), o, ACCOUNTS_ADMIN_LIST,
                    "id name email phone username is_active roles created_at", ARG_TEXT(o->search),
                    ARG_TEXT(o->role),
                    o->status == NULL ? ARG_NULL : ARG_BOOL(strcmp(o->status, "active") == 0));
}

int
ctl_user_show(const struct ctl_options *o)
{
    struct ctx *ctx = ctl_open();
    struct uuid account;

    if (!ctl_find_account(ctx, o->argv[0], &account))
        return CTL_FAILED;
    return ctl_show(ctx, o, ACCOUNTS_SHEET, ARG_ID(account));
}

int
ctl_user_activate(const struct ctl_options *o)
{
    struct change c = {.what = {.sets_active = true, .is_active = true}};

    return change(o, &c, "the account may sign in");
}

int
ctl_user_deactivate(const struct ctl_options *o)
{
    struct change c = {.what = {.sets_active = true}};

    return change(o, &c, "the account is deactivated; all its sessions have ended");
}

/* Which role, as a bit; 0 after complaining. */
static uint64_t
read_role(const char *text)
{
    if (!ctl_one_of("ROLE", text, "buyer|admin"))
        return 0;
    return UINT64_C(1) << (role_parse(text) - ROLE_BUYER);
}

int
ctl_user_grant(const struct ctl_options *o)
{
    struct change c = {.what = {.grants = read_role(o->argv[1])}};

    return c.what.grants == 0 ? EX_USAGE : change(o, &c, "the account holds the role");
}

int
ctl_user_revoke(const struct ctl_options *o)
{
    struct change c = {.what = {.revokes = read_role(o->argv[1])}};

    return c.what.revokes == 0
               ? EX_USAGE
               : change(o, &c, "the account does not hold the role; all its sessions have ended");
}

static enum err
sign_out_work(struct ctx *ctx, void *arg)
{
    const struct uuid *account = arg;

    return admin_sign_out(ctx, *account);
}

int
ctl_user_sign_out(const struct ctl_options *o)
{
    struct ctx *ctx = ctl_open();
    struct uuid account;

    if (!ctl_find_account(ctx, o->argv[0], &account) || ctl_work(ctx, sign_out_work, &account) != 0)
        return CTL_FAILED;
    puts("all sessions of the account have ended; its API keys stay");
    return 0;
}

/* --- tries ------------------------------------------------------------------------------------ */

struct forgiving {
    struct uuid account; /* nil: everybody */
    int64_t touched;
};

static enum err
forgive_work(struct ctx *ctx, void *arg)
{
    struct forgiving *f = arg;

    enum err e = uuid_is_nil(f->account) ? throttle_forgive_all(ctx, &f->touched)
                                         : throttle_forgive(ctx, f->account, &f->touched);
    if (e == OK)
        audit_note(ctx, AUDIT_TRIES_FORGIVEN, f->account, NULL, NULL);
    return e;
}

int
ctl_user_forgive(const struct ctl_options *o)
{
    struct forgiving f = {.touched = 0};

    if ((o->argc == 1) == o->all) {
        fprintf(stderr, "sokoctl: user forgive takes an account, or --all\n");
        return EX_USAGE;
    }
    struct ctx *ctx = ctl_open();
    if ((o->argc == 1 && !ctl_find_account(ctx, o->argv[0], &f.account)) ||
        ctl_work(ctx, forgive_work, &f) != 0)
        return CTL_FAILED;
    printf("%" PRId64 " counts of tries forgotten\n", f.touched);
    return 0;
}

/* --- hashes of the older systems -------------------------------------------------------------- */

static enum err
drop_work(struct ctx *ctx, void *arg)
{
    int64_t *touched = arg;

    enum err e = pg_touch(ctx, ACCOUNTS_DROP_HASHES, touched, ARG_INT(HASHES_AT_ONCE));
    if (e == OK && *touched > 0)
        audit_note(ctx, AUDIT_HASHES_DROPPED, (struct uuid){{0}}, "accounts",
                   arena_printf(ctx->arena, "%" PRId64, *touched));
    return e;
}

int
ctl_user_drop_hashes(const struct ctl_options *o)
{
    int64_t touched = HASHES_AT_ONCE, sum = 0;

    if (!ctl_is_sure(o, "whoever has not signed in since he was brought over needs a new password"))
        return EX_USAGE;
    struct ctx *ctx = ctl_open();
    while (touched == HASHES_AT_ONCE) {
        if (ctl_work(ctx, drop_work, &touched) != 0)
            return CTL_FAILED;
        sum += touched;
    }
    printf("%" PRId64 " accounts have no password; `forgot password` gives them one\n", sum);
    return 0;
}
