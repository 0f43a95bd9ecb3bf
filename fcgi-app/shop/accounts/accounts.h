/*
 * shop/accounts: who there is, and how one signs in.
 */
#ifndef SOKO_SHOP_ACCOUNTS_ACCOUNTS_H
#define SOKO_SHOP_ACCOUNTS_ACCOUNTS_H

#include "io/ctx.h"
#include "shop/endpoint.h"

#include <stdint.h>

extern const struct endpoint accounts_register;
extern const struct endpoint accounts_profile;
extern const struct endpoint accounts_update_profile;
extern const struct endpoint accounts_login;
extern const struct endpoint accounts_refresh;
extern const struct endpoint accounts_logout;

extern const struct output account_out;

/* What accounts_register.in reads; sokoctl reads its options by the same table. */
struct register_in {
    uint64_t sent;
    const char *email, *password, *name, *phone, *username;
};

/* Makes an account that holds `role`. At least one of email, phone (E.164) and username is given.
 * In a transaction. ERR_CONFLICT, with the field, if one of them is taken (told at the next
 * statement that needs an answer). */
void accounts_add(struct ctx *ctx, struct uuid id, const char *name, const char *email,
                  const char *phone, const char *username, const char *password, enum role role);

/* Gives an account a further role. In a transaction. */
enum err accounts_grant(struct ctx *ctx, struct uuid account, enum role role);

#endif
