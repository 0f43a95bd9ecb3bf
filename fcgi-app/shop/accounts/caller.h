/*
 * shop/accounts/caller: who calls, by what he showed.
 *
 * A bearer token is one of three things, told apart by its look and by conf->token_issuer: an API
 * key (sk_soko_...; keys.h), a token of ours (io/token.h), or one of the OAuth2 server's
 * (external.h). Each is turned into this; from there on the gate treats them alike.
 */
#ifndef SOKO_SHOP_ACCOUNTS_CALLER_H
#define SOKO_SHOP_ACCOUNTS_CALLER_H

#include "base/id.h"
#include "io/ctx.h"

#include <stdbool.h>

enum credential {
    CREDENTIAL_NONE = 0, /* nothing was shown, or nothing that we know */
    CREDENTIAL_SESSION,  /* whose session has still to be looked at: sessions_check() */
    CREDENTIAL_KEY       /* an API key that was looked at, and is good */
};

struct caller {
    enum credential kind;
    struct uuid account;
    struct uuid session; /* of CREDENTIAL_SESSION */
    struct uuid key;     /* of CREDENTIAL_KEY */
    enum role role;
    bool may_write; /* a key may be good for reading alone */
};

#endif
