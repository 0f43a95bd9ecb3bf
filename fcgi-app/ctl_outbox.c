/*
 * What waits in the outbox, and what has failed so often that it waits for a person. Only what is
 * parked can be dropped: what is not, soko-jobs may have in hand.
 */
#include "ctl_rows.h"
#include "shop/audit.h"
#include "shop/outbox.h"
#include "shop/stmt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

struct row {
    int64_t id;
    const char *event, *consumer;
    struct uuid subject;
    bool is_parked;
};
static const struct field row_fields[] = {
    FIELD(struct row, id),      FIELD(struct row, event),     FIELD(struct row, consumer),
    FIELD(struct row, subject), FIELD(struct row, is_parked),
};
static const struct input row = INPUT(row, "OutboxRow", NULL);

/* One delivery, or all that are parked. */
struct deed {
    int64_t id;
    int64_t touched;
    bool is_sure;
    struct row row;
};

int
ctl_outbox_list(const struct ctl_options *o)
{
    if (!ctl_one_of("--lane", o->lane, "payments|clock|messages|tokens"))
        return EX_USAGE;
    return ctl_list(ctl_open(), o, OUTBOX_LIST,
                    "id lane consumer subject attempts last_error created_at due_at parked_at",
                    ARG_BOOL(o->parked), ARG_TEXT(o->lane));
}

static bool
read_number(const char *text, int64_t *out)
{
    char *end;

    *out = strtoll(text, &end, 10);
    if (*end == '\0' && *out > 0)
        return true;
    fprintf(stderr, "sokoctl: %s: not a number of `outbox list`\n", text);
    return false;
}

/* Finds a parked delivery, and holds it. */
static enum err
look(struct ctx *ctx, struct deed *d)
{
    enum err e = pg_one(ctx, OUTBOX_LOOK, &row, &d->row, ARG_INT(d->id));

    if (e == ERR_NOT_FOUND) {
        problems_clear(&ctx->problems);
        return fail(ctx, e, NULL, "%" PRId64 ": there is no such delivery; it may be done", d->id);
    }
    if (e == OK && !d->row.is_parked)
        return fail(ctx, ERR_INVALID_STATUS, NULL,
                    "%" PRId64 ": is not parked: soko-jobs tries it by itself", d->id);
    return e;
}

static enum err
retry_work(struct ctx *ctx, void *arg)
{
    struct deed *d = arg;

    enum err e = d->id != 0 ? look(ctx, d) : OK;
    if (e == OK)
        e = outbox_free(ctx, d->id, &d->touched);
    if (e != OK || d->touched == 0)
        return e;
    const struct audit_fact facts[] = {
        {"consumer", d->row.consumer},
        {"deliveries", arena_printf(ctx->arena, "%" PRId64, d->touched)},
    };
    audit_add(ctx, AUDIT_OUTBOX_RETRIED, d->row.subject, facts, sizeof(facts) / sizeof(facts[0]));
    return OK;
}

int
ctl_outbox_retry(const struct ctl_options *o)
{
    struct deed d = {.id = 0};

    if ((o->argc == 1) == o->all) {
        fprintf(stderr, "sokoctl: outbox retry takes the number of a delivery, or --all\n");
        return EX_USAGE;
    }
    if (o->argc == 1 && !read_number(o->argv[0], &d.id))
        return EX_USAGE;
    if (ctl_work(ctl_open(), retry_work, &d) != 0)
        return CTL_FAILED;
    printf("%" PRId64 " tried once more; what fails again is parked again\n", d.touched);
    return 0;
}

static enum err
drop_work(struct ctx *ctx, void *arg)
{
    struct deed *d = arg;

    enum err e = look(ctx, d);
    if (e != OK || !d->is_sure)
        return e;
    const struct audit_fact facts[] = {
        {"event", d->row.event},
        {"consumer", d->row.consumer},
    };
    audit_add(ctx, AUDIT_OUTBOX_DROPPED, d->row.subject, facts, sizeof(facts) / sizeof(facts[0]));
    return outbox_drop(ctx, d->id);
}

int
ctl_outbox_drop(const struct ctl_options *o)
{
    struct deed d = {.is_sure = o->yes};
    char id[UUID_TEXT_SIZE];

    if (!read_number(o->argv[0], &d.id))
        return EX_USAGE;
    if (ctl_work(ctl_open(), drop_work, &d) != 0)
        return CTL_FAILED;
    const char *loss = outbox_loss(d.row.consumer);
    printf("%s %s of %s: %s\n", d.is_sure ? "dropped" : "would drop", d.row.consumer,
           uuid_text(d.row.subject, id), loss != NULL ? loss : "nobody knows what for");
    return ctl_is_sure(o, "it is never tried again") ? 0 : EX_USAGE;
}
