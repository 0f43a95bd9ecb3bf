/*
 * io/ctx: role names and fail().
 *
 * The names stand in one array indexed by the enum, so that printing and reading cannot disagree.
 * ROLE_NONE has a name for logs, but is not read back: "none" in a token or a row is no role.
 */
#include "io/ctx.h"

#include <stdarg.h>
#include <string.h>

static const char *const role_names[ROLE__COUNT] = {
    [ROLE_NONE] = "none",
    [ROLE_BUYER] = "buyer",
    [ROLE_SELLER] = "seller",
    [ROLE_ADMIN] = "admin",
};

const char *
role_name(enum role role)
{
    return (unsigned)role < ROLE__COUNT ? role_names[role] : role_names[ROLE_NONE];
}

enum role
role_parse(const char *name)
{
    if (name == NULL)
        return ROLE_NONE;
    for (int r = ROLE_BUYER; r < ROLE__COUNT; r++)
        if (strcmp(name, role_names[r]) == 0)
            return (enum role)r;
    return ROLE_NONE;
}

enum err
fail(struct ctx *ctx, enum err e, const char *field, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    const char *message = fmt == NULL ? err_message(e) : arena_vprintf(ctx->arena, fmt, ap);
    va_end(ap);
    return problems_add(ctx->arena, &ctx->problems, e, field, NULL, "%s", message);
}
