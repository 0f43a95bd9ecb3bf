/*
 * shop/accounts/codes: one-time codes, sent by SMS or e-mail (OWASP ASVS 4.0.3, V2.5.6, V2.7).
 *
 * Six digits, good once and for conf->code_ttl; conf->code_tries wrong ones end it. An account has
 * one of each purpose: a new one takes the place of the old, not before conf->code_pause, and not
 * more than conf->limit_codes an hour. It is bound to where it was sent: whoever changes his
 * address or number in between must ask for another.
 *
 * To add a purpose: a name in the enum here, a row of purposes[] in codes.c (the compiler does not
 * see that one is missing), and a migration that widens the CHECK of one_time_codes.purpose. If it
 * has words of its own, a template: messages.h, messages_render.c, a file a channel in
 * fcgi-app/messages/, and their tables in tests/unit/test_messages.c. Then an endpoint that asks
 * and takes, as in verify.c, which may stand in any domain behind accounts (shop/ORDER), and its
 * row in routes.c. New files are named in Makefile.am. tests/e2e/codes_common.py reads what was
 * sent.
 */
#ifndef SOKO_SHOP_ACCOUNTS_CODES_H
#define SOKO_SHOP_ACCOUNTS_CODES_H

#include "io/ctx.h"
#include "shop/messages.h"

#define CODE_DIGITS 6

enum code_purpose { CODE_VERIFY_PHONE, CODE_VERIFY_EMAIL, CODE_RESET_PASSWORD, CODE__COUNT };

/* The word for it in rows. */
const char *codes_purpose_name(enum code_purpose p);

/* What is wrong with a code before anybody looks whether it is right; NULL: nothing. */
const char *codes_fault(const char *code);

/* The words for ERR_VALIDATION of codes_check(), behind the field's name. */
#define CODE_IS_NOT_GOOD "is wrong, or no longer good: try again, or ask for a new one"

/* Makes a code and queues its message to `target` (E.164, or an address) by channel `c`. In a
 * transaction. ERR_RATE_LIMITED, with ctx->retry_after_ms and no problem, if it is too early. */
enum err codes_send(struct ctx *ctx, struct uuid account, enum code_purpose p, enum channel c,
                    const char *target);

/* Whether `code` is the one that was sent to `target`; it is used up then. In a transaction, which
 * is kept (tx_keep) if not, since the try counts. ERR_VALIDATION, without a problem: wrong, used,
 * too old, tried too often, replaced, sent elsewhere, or there is none; nobody is told which. */
enum err codes_check(struct ctx *ctx, struct uuid account, enum code_purpose p, const char *target,
                     const char *code);

/* Ends the account's code of that purpose, if there is one. In a transaction. */
enum err codes_end(struct ctx *ctx, struct uuid account, enum code_purpose p);

/* Removes codes that no longer count for anything, and names that nobody will ask for. In a
 * transaction. */
enum err codes_sweep(struct ctx *ctx);

#endif
