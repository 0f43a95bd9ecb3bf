/*
 * Daraja's token, one for all workers: each fetch may put an end to the token before it, so
 * fetching is for one process at a time (an advisory lock of the session, since no provider is
 * called within a transaction), and whoever waited takes what the other has fetched. The same holds
 * when Daraja refuses a token before its time: the first who comes fetches, the others find another
 * token than the one that they were refused.
 *
 * A token is kept until a minute before its end, or for half of a life that is shorter than two.
 *
 * A lock that is waited for in vain ends by statement_timeout, and a lost connection gives it back.
 * Waiting takes one of Daraja's places, so that, when his token hangs, most workers are free for
 * whoever pays otherwise.
 */
#include "base/log.h"
#include "io/pg.h"
#include "io/tx.h"
#include "providers/daraja.h"
#include "shop/payments/payments.h"
#include "shop/stmt.h"

#include <string.h>

#define KEEP "daraja"
#define MARGIN_S INT64_C(60)

struct token_row {
    const char *token;
};
static const struct field token_row_fields[] = {FIELD(struct token_row, token)};
static const struct input token_row = INPUT(token_row, "ProviderToken", NULL);

static enum err
find_work(struct ctx *ctx, void *arg)
{
    struct token_row *row = arg;

    *row = (struct token_row){0};
    enum err e = pg_one(ctx, PAYMENTS_TOKEN_FIND, &token_row, row, ARG_TEXT(KEEP));
    return e == ERR_NOT_FOUND ? OK : e;
}

/* The token that is kept, unless it is the one that was refused. */
static const char *
find(struct ctx *ctx, const char *refused)
{
    struct token_row row;

    if (tx_read(ctx, find_work, &row) != OK || row.token == NULL)
        return NULL;
    return refused != NULL && strcmp(row.token, refused) == 0 ? NULL : row.token;
}

struct fetched {
    const char *token;
    int64_t keep_ms;
};

static enum err
keep_work(struct ctx *ctx, void *arg)
{
    const struct fetched *f = arg;

    return pg_run(ctx, PAYMENTS_TOKEN_SET, ARG_TEXT(KEEP), ARG_TEXT(f->token), ARG_INT(f->keep_ms));
}

static const char *
fetch(struct ctx *ctx)
{
    struct refusal why = {0};
    struct fetched f = {0};
    int64_t lives_s = 0;

    if (daraja_fetch_token(ctx, &f.token, &lives_s, &why) != HEARD_DONE) {
        log_event(LOG_WARN, EVENT("daraja.no_token"), INT("http.response.status_code", why.status),
                  TEXT("error.code", why.code));
        return NULL;
    }
    f.keep_ms = 1000 * (lives_s > 2 * MARGIN_S ? lives_s - MARGIN_S : lives_s / 2);
    if (tx_run(ctx, keep_work, &f) != OK)
        log_event(LOG_WARN, EVENT("daraja.token_not_kept"), TEXT("error.code", NULL));
    return f.token;
}

static const char *
token(struct ctx *ctx, const char *refused)
{
    const char *found = find(ctx, refused);
    struct outside_wait wait;

    if (found != NULL)
        return found;
    if (!outside_wait(ctx, PROVIDER_DARAJA, "token_wait", &wait))
        return NULL;
    enum err e = pg_run(ctx, PAYMENTS_TOKEN_LOCK, ARG_TEXT(KEEP));
    outside_waited(&wait); /* fetching takes a place of its own */
    if (e != OK)
        return NULL; /* somebody fetches, and has not ended in time */
    found = find(ctx, refused);
    if (found == NULL)
        found = fetch(ctx);
    /* A lost connection has given it back already. */
    (void)pg_touch(ctx, PAYMENTS_TOKEN_UNLOCK, NULL, ARG_TEXT(KEEP));
    return found;
}

const struct daraja_auth payments_daraja = {token};
