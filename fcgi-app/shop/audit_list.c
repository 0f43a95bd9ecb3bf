/*
 * Each filter has an index that ends with the time, so that the newest entries of an account, on a
 * thing or of a kind are found among millions. Whoever reads the log leaves no mark in it: what
 * matters is who could have changed it, which nobody can.
 */
#include "shop/audit_list.h"

#include "shop/audit.h"
#include "shop/req.h"

struct audit_query {
    uint64_t sent;
    int64_t page, per_page;
    struct uuid actor, subject;
    const char *event, *from, *until;
};
static const struct field audit_query_fields[] = {
    PAGE_FIELDS(struct audit_query),
    FIELD(struct audit_query, actor, .eg = "01920000-0000-7000-8000-000000000001",
          .doc = "Done by this account"),
    FIELD(struct audit_query, subject, .eg = "01920000-0000-7000-8000-000000000001",
          .doc = "About this account, session, store, order, payment, refund or API key"),
    FIELD(struct audit_query, event, .max = 64, .eg = "account.signed_in", .doc = "Of this kind"),
    FIELD(struct audit_query, from, .format = FORMAT_TIME, .eg = "2026-02-01",
          .doc = "Then or later"),
    FIELD(struct audit_query, until, .format = FORMAT_TIME, .eg = "2026-03-01", .doc = "Before"),
};
static const struct input audit_query = INPUT(audit_query, "AuditQuery", NULL);

static const struct out_field entry_fields[] = {
    {"entry", OUT_INT, .eg = "4711", .doc = "Its number in the log, not without gaps"},
    {"at", OUT_TIME, .eg = "2026-02-20T10:00:00Z", .doc = "When"},
    {"event", OUT_TEXT, .eg = "account.role_granted", .doc = "What"},
    {"actor", OUT_ID, .nullable = true, .eg = "01920000-0000-7000-8000-000000000001",
     .doc = "The account that did it; null: nobody who was signed in"},
    {"actor_role", OUT_TEXT, .nullable = true, .one_of = "buyer|seller|admin", .eg = "admin",
     .doc = "The role in which it acted"},
    {"api_key", OUT_ID, .nullable = true, .eg = "01920000-0000-7000-8000-000000000015",
     .doc = "The key with which, if it was none in person"},
    {"operator", OUT_TEXT, .nullable = true, .eg = "amina",
     .doc = "Who sat at sokoctl, by the machine's name for him"},
    {"subject", OUT_ID, .nullable = true, .eg = "01920000-0000-7000-8000-000000000002",
     .doc = "What it is about"},
    {"address", OUT_TEXT, .nullable = true, .eg = "203.0.113.7", .doc = "From where"},
    {"detail", OUT_JSON, .eg = "{\"role\":\"admin\"}", .doc = "More, by the kind of event"},
    {"trace_id", OUT_TEXT, .eg = "0af7651916cd43dd8448eb211c80319c",
     .doc = "Of the request: X-Request-ID, which logs call http.request.id; if there was none, "
            "trace.id"},
    {"is_sealed", OUT_BOOL, .eg = "true", .doc = "Whether it has its link in the chain"},
};
static const struct output entry_out = OUTPUT(entry_fields, "AuditEntry");

static enum err
list(struct req *rq)
{
    const struct audit_query *in = rq->in;

    if (in->event != NULL && !audit_is_event(in->event))
        return fail(&rq->ctx, ERR_VALIDATION, "event", "is none that is written down");
    return reply_page(rq, AUDIT_LIST, AUDIT_COUNT, ARG_ID_OR_NULL(in->actor),
                      ARG_ID_OR_NULL(in->subject), ARG_TEXT(in->event), req_time(in->from),
                      req_time(in->until));
}

const struct endpoint audit_list = {
    .name = "admin_audit_list",
    .tag = "Administration",
    .doc = "Sign-ins, changes of who may do what, and what staff did with money; newest first.",
    .run = list,
    .in = &audit_query,
    .out = &entry_out,
    .shape = SHAPE_PAGE,
    .replies = {AUDIT_LIST},
    .errors = {ERR_VALIDATION},
};
