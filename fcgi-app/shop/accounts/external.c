/* STUB: the helper "external" writes this file. Until then TOKEN_ISSUER=oauth2 opens nothing. */
#include "shop/accounts/external.h"

#include "base/config.h"

#include <string.h>

bool
external_is_on(void)
{
    return strcmp(conf->token_issuer, "oauth2") == 0;
}

enum err
external_obtain(struct ctx *ctx, struct external_token *out)
{
    *out = (struct external_token){0};
    if (!external_is_on())
        return OK;
    return fail(ctx, ERR_SERVICE_UNAVAILABLE, NULL, "tokens cannot be obtained");
}

enum err
external_keep(struct ctx *ctx, struct uuid session, const struct external_token *t)
{
    (void)ctx;
    (void)session;
    (void)t;
    return OK;
}

enum err
external_end(struct ctx *ctx, struct uuid session)
{
    (void)ctx;
    (void)session;
    return OK;
}

enum err
external_resolve(struct ctx *ctx, const char *token, bool ask, struct caller *out)
{
    (void)ctx;
    (void)token;
    (void)ask;
    *out = (struct caller){0};
    return OK;
}
