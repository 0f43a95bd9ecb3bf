/*
 * shop/accounts/admin: accounts as an administrator sees them.
 */
#ifndef SOKO_SHOP_ACCOUNTS_ADMIN_H
#define SOKO_SHOP_ACCOUNTS_ADMIN_H

#include "io/ctx.h"
#include "shop/endpoint.h"

extern const struct endpoint admin_user_list;
extern const struct endpoint admin_user_update;

/* What is changed of an account. Roles are bits: 1 << (role - ROLE_BUYER). */
struct admin_change {
    bool sets_active, is_active;
    bool sets_roles;
    uint64_t roles;           /* all that it shall hold */
    uint64_t grants, revokes; /* or: beside those that it holds */
};

/* Changes an account; whoever loses something is signed out, and his keys are looked at anew. In a
 * transaction. ERR_NOT_FOUND; ERR_VALIDATION, with a problem on `roles` or `is_active`, for what
 * nobody may do. */
enum err admin_change_account(struct ctx *ctx, struct uuid account, const struct admin_change *c);

/* Ends all sessions of an account; its API keys stay. In a transaction. ERR_NOT_FOUND. */
enum err admin_sign_out(struct ctx *ctx, struct uuid account);

#endif
