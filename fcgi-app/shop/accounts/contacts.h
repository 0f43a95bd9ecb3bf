/*
 * shop/accounts/contacts: what an account is called, and what follows when that changes.
 */
#ifndef SOKO_SHOP_ACCOUNTS_CONTACTS_H
#define SOKO_SHOP_ACCOUNTS_CONTACTS_H

#include "io/ctx.h"
#include "shop/accounts/passwords.h"

#include <stdbool.h>

struct contacts {
    const char *name, *email, *phone, *username; /* NULL: it has none */
    bool email_verified, phone_verified;
};

/* Reads them under the account's lock: they stay so until the transaction ends. */
enum err contacts_lock(struct ctx *ctx, struct uuid account, struct contacts *out);

/* For passwords_check(). */
struct password_owner contacts_owner(const struct contacts *c);

/* In the transaction that changes them from `before` to `after`: writes it down, and tells whoever
 * was called so before (OWASP ASVS 4.0.3, V2.5.5 and V2.2.3). What stayed the same is no change.
 * ERR_RATE_LIMITED, with a problem and ctx->retry_after_ms, if there were too many lately. */
enum err contacts_changed(struct ctx *ctx, struct uuid account, const struct contacts *before,
                          const struct contacts *after);

#endif
