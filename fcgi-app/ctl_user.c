/*
 * Accounts by the sysadmin's hand. There is no account before the first `user create`: no seeded
 * administrator, no default password (seed hole 37). Options pass the same table as the API's body.
 */
#include "base/config.h"
#include "base/json.h"
#include "ctl.h"
#include "io/tx.h"
#include "shop/accounts/accounts.h"
#include "shop/audit.h"

#include <stdio.h>
#include <string.h>

#define PASSWORD_LINE_MAX 1024

static void
put(struct text *t, const char *name, const char *value)
{
    if (value != NULL)
        text_member(t, name, value);
}

/* One line of standard input, without its end. */
static const char *
read_password(struct arena *a)
{
    char line[PASSWORD_LINE_MAX];

    if (fgets(line, sizeof(line), stdin) == NULL)
        return NULL;
    return arena_strndup(a, line, strcspn(line, "\r\n"));
}

struct creation {
    const struct register_in *in;
    struct uuid id;
    enum role role;
};

static enum err
create_work(struct ctx *ctx, void *arg)
{
    const struct creation *c = arg;

    accounts_add(ctx, c->id, c->in->name, c->in->email, c->in->phone, c->in->username,
                 c->in->password, ROLE_BUYER);
    audit_note(ctx, AUDIT_ACCOUNT_CREATED, c->id, "role", role_name(c->role));
    return accounts_grant(ctx, c->id, c->role);
}

int
ctl_user_create(const struct ctl_options *o)
{
    struct ctx *ctx = ctl_open();
    struct creation c = {.role = role_parse(o->role != NULL ? o->role : "buyer")};
    struct text body = text_new(ctx->arena, 8192);
    struct json_object *json;

    if (c.role != ROLE_BUYER && c.role != ROLE_ADMIN) {
        fprintf(stderr, "sokoctl: --role is buyer or admin; a seller is who opens a store\n");
        return CTL_FAILED;
    }
    text_putc(&body, '{');
    put(&body, "email", o->email);
    put(&body, "phone", o->phone);
    put(&body, "username", o->username);
    put(&body, "name", o->name);
    put(&body, "password", o->password_stdin ? read_password(ctx->arena) : NULL);
    text_putc(&body, '}');
    enum err e = json_read(ctx->arena, &ctx->problems, body.data, body.len, &json);
    if (e == OK)
        e = input_from_json(ctx->arena, &ctx->problems, accounts_register.in, json, (void **)&c.in);
    if (e == OK) {
        c.id = uuid_v7(ctx->now_ms);
        e = tx_run(ctx, create_work, &c);
    }
    if (e != OK) {
        ctl_complain(ctx, e);
        return CTL_FAILED;
    }
    char id[UUID_TEXT_SIZE];
    printf("%s\n", uuid_text(c.id, id));
    return 0;
}
