/*
 * Stores, as an administrator sees and moves them (shop/stores.c).
 */
#include "base/config.h"
#include "ctl_rows.h"
#include "shop/stmt.h"
#include "shop/stores.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define BP_MOST 10000
#define NOT_SEEN (-1)
#define USUAL (-1)

struct change {
    struct uuid store;
    const char *status;
    int64_t bp;
};

int
ctl_store_list(const struct ctl_options *o)
{
    if (!ctl_one_of("--status", o->status, "active|suspended"))
        return EX_USAGE;
    return ctl_list(ctl_open(), o, STORES_ADMIN_LIST,
                    "id name status owner_id commission_bp created_at", ARG_TEXT(o->status),
                    ARG_TEXT(o->search));
}

int
ctl_store_show(const struct ctl_options *o)
{
    struct ctx *ctx = ctl_open();
    struct uuid store;

    if (!ctl_find_store(ctx, o->argv[0], &store))
        return CTL_FAILED;
    return ctl_show(ctx, o, STORES_SHEET, ARG_ID(store), ARG_INT(conf->commission_bp));
}

int
ctl_store_balance(const struct ctl_options *o)
{
    struct ctx *ctx = ctl_open();
    struct uuid store;

    if (!ctl_find_store(ctx, o->argv[0], &store))
        return CTL_FAILED;
    return ctl_show(ctx, o, PAYOUTS_BALANCE, ARG_ID(store), ARG_INT(conf->commission_bp));
}

static enum err
status_work(struct ctx *ctx, void *arg)
{
    const struct change *c = arg;

    return stores_change_status(ctx, c->store, NOT_SEEN, c->status);
}

static enum err
commission_work(struct ctx *ctx, void *arg)
{
    const struct change *c = arg;

    return stores_change_commission(ctx, c->store, NOT_SEEN, c->bp);
}

static int
change(const struct ctl_options *o, struct change *c, enum err (*work)(struct ctx *, void *),
       const char *done)
{
    struct ctx *ctx = ctl_open();

    if (!ctl_find_store(ctx, o->argv[0], &c->store) || ctl_work(ctx, work, c) != 0)
        return CTL_FAILED;
    puts(done);
    return 0;
}

int
ctl_store_suspend(const struct ctl_options *o)
{
    struct change c = {.status = "suspended"};

    return change(o, &c, status_work, "the store is suspended; its goods are not sold");
}

int
ctl_store_open(const struct ctl_options *o)
{
    struct change c = {.status = "active"};

    return change(o, &c, status_work, "the store is open");
}

int
ctl_store_commission(const struct ctl_options *o)
{
    const char *text = o->argv[1];
    struct change c = {.bp = USUAL};
    char *end;

    if (strcmp(text, "usual") != 0) {
        c.bp = strtoll(text, &end, 10);
        if (*text == '\0' || *end != '\0' || c.bp < 0 || c.bp > BP_MOST) {
            fprintf(stderr, "sokoctl: %s: not hundredths of a percent, 0 to %d, or `usual`\n", text,
                    BP_MOST);
            return EX_USAGE;
        }
    }
    return change(o, &c, commission_work, "this is what its next sales will be charged");
}
