/*
 * shop/accounts/reset: a forgotten password (OWASP ASVS 4.0.3, V2.5; NIST SP 800-63B, 6.1.2.3).
 *
 * Nothing that is answered, and no time that it takes, tells whether there is such an account.
 */
#ifndef SOKO_SHOP_ACCOUNTS_RESET_H
#define SOKO_SHOP_ACCOUNTS_RESET_H

#include "io/ctx.h"
#include "shop/endpoint.h"
#include "shop/outbox.h"

extern const struct endpoint reset_forgot;
extern const struct endpoint reset_password;

/* Consumer of password.forgotten: sends a code, if there is such an account and it may have one. */
enum err reset_send(struct ctx *ctx, const struct delivery *d);

#endif
