/*
 * An entry is one insert and no lock: what is hard about a chain, that its links have an order, is
 * left to the one process that seals (audit_seal.c). The number of an entry is taken before its
 * transaction commits, so entries appear out of order; the chain has numbers of its own.
 */
#include "shop/audit.h"

#include "base/text.h"
#include "io/pg.h"
#include "shop/stmt.h"

#include <string.h>

#define DETAIL_MAX 4096

static const char *const names[AUDIT__COUNT] = {
    [AUDIT_SIGNED_IN] = "account.signed_in",
    [AUDIT_SIGN_IN_FAILED] = "account.sign_in_failed",
    [AUDIT_SESSION_ENDED] = "session.ended",
    [AUDIT_REFRESH_REUSED] = "session.refresh_reused",
    [AUDIT_PASSWORD_CHANGED] = "account.password_changed",
    [AUDIT_PASSWORD_RESET] = "account.password_reset",
    [AUDIT_CONTACT_CHANGED] = "account.contact_changed",
    [AUDIT_CONTACT_VERIFIED] = "account.contact_verified",
    [AUDIT_TOTP_ENABLED] = "account.totp_enabled",
    [AUDIT_TOTP_DISABLED] = "account.totp_disabled",
    [AUDIT_RECOVERY_CODE_USED] = "account.recovery_code_used",
    [AUDIT_RECOVERY_CODES_RENEWED] = "account.recovery_codes_renewed",
    [AUDIT_PROOF_FAILED] = "account.proof_failed",
    [AUDIT_KEY_CREATED] = "api_key.created",
    [AUDIT_KEY_REVOKED] = "api_key.revoked",
    [AUDIT_ACCOUNT_CREATED] = "account.created",
    [AUDIT_ACCOUNTS_IMPORTED] = "accounts.imported",
    [AUDIT_ACCOUNT_ACTIVATED] = "account.activated",
    [AUDIT_ACCOUNT_DEACTIVATED] = "account.deactivated",
    [AUDIT_ROLE_GRANTED] = "account.role_granted",
    [AUDIT_ROLE_REVOKED] = "account.role_revoked",
    [AUDIT_STORE_STATUS_SET] = "store.status_set",
    [AUDIT_COMMISSION_SET] = "store.commission_set",
    [AUDIT_REFUND_REQUESTED] = "refund.requested",
    [AUDIT_REFUND_RETRIED] = "refund.retried",
    [AUDIT_PAYMENT_RESOLVED] = "payment.resolved",
    [AUDIT_ORDER_MOVED] = "order.moved",
    [AUDIT_PAYMENT_ASKED] = "payment.asked",
    [AUDIT_TRIES_FORGIVEN] = "account.tries_forgiven",
    [AUDIT_HASHES_DROPPED] = "accounts.hashes_dropped",
    [AUDIT_OUTBOX_RETRIED] = "outbox.retried",
    [AUDIT_OUTBOX_DROPPED] = "outbox.dropped",
    [AUDIT_DATABASE_RESTORED] = "database.restored",
};

const char *
audit_name(enum audit event)
{
    return names[event];
}

bool
audit_is_event(const char *name)
{
    for (enum audit e = 0; e < AUDIT__COUNT; e++) {
        if (strcmp(names[e], name) == 0)
            return true;
    }
    return false;
}

void
audit_add(struct ctx *ctx, enum audit event, struct uuid subject, const struct audit_fact *facts,
          size_t count)
{
    const struct actor *a = &ctx->actor;
    struct text detail = text_new(ctx->arena, DETAIL_MAX);

    text_putc(&detail, '{');
    for (size_t i = 0; i < count; i++) {
        if (facts[i].value != NULL)
            text_member(&detail, facts[i].name, facts[i].value);
    }
    text_putc(&detail, '}');
    pg_queue(ctx, AUDIT_ADD, ARG_TEXT(audit_name(event)), ARG_ID_OR_NULL(a->account),
             a->role != ROLE_NONE ? ARG_TEXT(role_name(a->role)) : ARG_NULL, ARG_ID_OR_NULL(a->key),
             ARG_TEXT(a->operator), ARG_ID_OR_NULL(subject), ARG_TEXT(a->address),
             ARG_TEXT(detail.overflow ? "{\"cut\":\"true\"}" : text_cstr(&detail)),
             ARG_TEXT(ctx->request_id != NULL ? ctx->request_id : ctx->trace_id));
}

void
audit_note(struct ctx *ctx, enum audit event, struct uuid subject, const char *name,
           const char *value)
{
    const struct audit_fact fact = {name, value};

    audit_add(ctx, event, subject, &fact, name != NULL ? 1 : 0);
}
