/*
 * shop/audit: what signed in, what changed who may do what, and what staff did with money.
 *
 * An entry is written in the transaction of what it tells of, so that neither is without the other.
 * soko-jobs seals entries into a chain of MACs; `sokoctl audit verify` holds the log against it.
 * No entry holds a password, a code, a token, a phone number or an e-mail address.
 */
#ifndef SOKO_SHOP_AUDIT_H
#define SOKO_SHOP_AUDIT_H

#include "io/ctx.h"

#include <stdbool.h>
#include <stddef.h>

enum audit {
    AUDIT_SIGNED_IN,        /* subject: the account */
    AUDIT_SIGN_IN_FAILED,   /* subject: the account, nil if there is none; reason */
    AUDIT_SESSION_ENDED,    /* subject: the session; reason */
    AUDIT_REFRESH_REUSED,   /* subject: the session */
    AUDIT_PASSWORD_CHANGED, /* subject: the account, here and in all that follow */
    AUDIT_PASSWORD_RESET,   /* by a one-time code */
    AUDIT_CONTACT_CHANGED,  /* what: email, phone or username */
    AUDIT_CONTACT_VERIFIED, /* what */
    AUDIT_TOTP_ENABLED,
    AUDIT_TOTP_DISABLED,
    AUDIT_RECOVERY_CODE_USED,
    AUDIT_RECOVERY_CODES_RENEWED,
    AUDIT_PROOF_FAILED,      /* what: password, totp_code, used_code */
    AUDIT_KEY_CREATED,       /* subject: the API key; role, scope */
    AUDIT_KEY_REVOKED,       /* subject: the API key */
    AUDIT_ACCOUNT_CREATED,   /* by the sysadmin: subject: the account; role */
    AUDIT_ACCOUNTS_IMPORTED, /* by the sysadmin: how many */
    AUDIT_ACCOUNT_ACTIVATED,
    AUDIT_ACCOUNT_DEACTIVATED,
    AUDIT_ROLE_GRANTED,     /* role */
    AUDIT_ROLE_REVOKED,     /* role */
    AUDIT_STORE_STATUS_SET, /* subject: the store; status */
    AUDIT_COMMISSION_SET,   /* subject: the store; basis points */
    AUDIT_REFUND_REQUESTED, /* by staff: subject: the refund; order, amount, currency */
    AUDIT_REFUND_RETRIED,   /* subject: the refund */
    AUDIT_PAYMENT_RESOLVED, /* subject: the payment; resolution */
    AUDIT_ORDER_MOVED,      /* by staff, where money follows: subject: the order; status */
    AUDIT_PAYMENT_ASKED,    /* by the sysadmin, here and in all that follow: subject: the payment */
    AUDIT_TRIES_FORGIVEN,   /* subject: the account, nil for everybody */
    AUDIT_HASHES_DROPPED,   /* how many */
    AUDIT_OUTBOX_RETRIED,   /* subject: what the event is about, nil for all; consumer; how many */
    AUDIT_OUTBOX_DROPPED,   /* subject: what the event was about; event, consumer */
    AUDIT_DATABASE_RESTORED, /* by the sysadmin, from a backup: when that was made */
    AUDIT__COUNT
};

/* "account.signed_in" and so on. */
const char *audit_name(enum audit event);

/* Whether one of them has this name. */
bool audit_is_event(const char *name);

/* What more there is to say: names and values of the entry's detail. */
struct audit_fact {
    const char *name, *value; /* a fact whose value is NULL is left out */
};

/* Queues an entry with the caller's transaction; who did it is ctx->actor. `subject` may be nil. At
 * most some 4,000 characters of facts are kept. */
void audit_add(struct ctx *ctx, enum audit event, struct uuid subject,
               const struct audit_fact *facts, size_t count);

/* The same with one fact, or none if `name` is NULL. */
void audit_note(struct ctx *ctx, enum audit event, struct uuid subject, const char *name,
                const char *value);

#endif
