/*
 * doctor: the shop's own tables: what waits and for how long, money that a person must look at,
 * whether the ledger and the audit log stand as they must. Cheap questions all: the whole ledger is
 * for `sokoctl ledger check`, the whole chain for `sokoctl audit verify`.
 *
 * That soko-jobs lives is seen in PostgreSQL: each lane has its name there. Where names are hidden
 * from our role, what is due and nobody has taken says it as well.
 */
#include "ctl_doctor.h"

#include "base/config.h"
#include "base/json_get.h"
#include "io/pg.h"
#include "shop/outbox.h"
#include "shop/stmt.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define SECOND_MS INT64_C(1000)
#define LATE_LEAST_MS (60 * SECOND_MS)
#define OLD_PAYMENT_MS (2 * INT64_C(3600) * SECOND_MS)
#define PICTURES_TOLD 3

struct sessions_row {
    int64_t lanes, unseen;
};
static const struct field sessions_row_fields[] = {
    FIELD(struct sessions_row, lanes),
    FIELD(struct sessions_row, unseen),
};
static const struct input sessions_row = INPUT(sessions_row, "JobsSessions", NULL);

struct outbox_row {
    int64_t waiting, due, oldest_ms, parked;
};
static const struct field outbox_row_fields[] = {
    FIELD(struct outbox_row, waiting),
    FIELD(struct outbox_row, due),
    FIELD(struct outbox_row, oldest_ms),
    FIELD(struct outbox_row, parked),
};
static const struct input outbox_row = INPUT(outbox_row, "OutboxHealth", NULL);

struct payments_row {
    int64_t open, unknown, oldest_ms, unasked_ms, review;
};
static const struct field payments_row_fields[] = {
    FIELD(struct payments_row, open),      FIELD(struct payments_row, unknown),
    FIELD(struct payments_row, oldest_ms), FIELD(struct payments_row, unasked_ms),
    FIELD(struct payments_row, review),
};
static const struct input payments_row = INPUT(payments_row, "PaymentsHealth", NULL);

struct refunds_row {
    int64_t given_up, under_way, oldest_ms;
};
static const struct field refunds_row_fields[] = {
    FIELD(struct refunds_row, given_up),
    FIELD(struct refunds_row, under_way),
    FIELD(struct refunds_row, oldest_ms),
};
static const struct input refunds_row = INPUT(refunds_row, "RefundsHealth", NULL);

struct orders_row {
    int64_t overdue, oldest_ms;
};
static const struct field orders_row_fields[] = {
    FIELD(struct orders_row, overdue),
    FIELD(struct orders_row, oldest_ms),
};
static const struct input orders_row = INPUT(orders_row, "OrdersHealth", NULL);

struct ledger_row {
    const char *currency;
    int64_t rest, difference;
};
static const struct field ledger_row_fields[] = {
    FIELD(struct ledger_row, currency),
    FIELD(struct ledger_row, rest),
    FIELD(struct ledger_row, difference),
};
static const struct input ledger_row = INPUT(ledger_row, "LedgerHealth", NULL);

struct audit_row {
    int64_t links, loose, oldest_ms;
};
static const struct field audit_row_fields[] = {
    FIELD(struct audit_row, links),
    FIELD(struct audit_row, loose),
    FIELD(struct audit_row, oldest_ms),
};
static const struct input audit_row = INPUT(audit_row, "AuditHealth", NULL);

struct url_row {
    const char *url;
};
static const struct field url_row_fields[] = {FIELD(struct url_row, url)};
static const struct input url_row = INPUT(url_row, "ShownPicture", NULL);

/* How long something may wait that is done at once: a lease, or what comes before it. */
static int64_t
late_ms(void)
{
    return conf->jobs_lease.ms > LATE_LEAST_MS ? conf->jobs_lease.ms : LATE_LEAST_MS;
}

/* Whether the shop's tables can be asked. */
static bool
can_ask(struct doctor *d)
{
    if (d->shop == NULL)
        doctor_say(d, FOUND_SKIPPED, NULL,
                   d->pg.answers ? "the database is not migrated" : "PostgreSQL does not answer");
    return d->shop != NULL;
}

/* Whether a statement was answered; why not, if not. */
static bool
is_answered(struct doctor *d, enum err e)
{
    if (e != OK)
        doctor_say(d, FOUND_SKIPPED, NULL, "it could not be asked: %s", err_message(e));
    return e == OK;
}

/* --- soko-jobs -------------------------------------------------------------------------------- */

void
doctor_jobs(struct doctor *d)
{
    struct sessions_row s = {0};

    if (!can_ask(d) ||
        !is_answered(d, pg_one(d->server, DOCTOR_SESSIONS, &sessions_row, &s, ARG_NONE)))
        return;
    if (s.lanes == LANE__COUNT)
        doctor_say(d, FOUND_GOOD, NULL, "soko-jobs is at work in all %d lanes", LANE__COUNT);
    else if (s.lanes == 0 && s.unseen > 0)
        doctor_say(d, FOUND_SKIPPED, "GRANT pg_read_all_stats to the role that doctor has",
                   "whose connections these are is hidden from %s", d->pg.role);
    else
        doctor_say(d, FOUND_WRONG, "systemctl restart soko-jobs; journalctl -u soko-jobs",
                   "soko-jobs has %" PRId64 " of its %d lanes connected: what it does is not done",
                   s.lanes, LANE__COUNT);
}

/* --- what waits ------------------------------------------------------------------------------- */

void
doctor_outbox(struct doctor *d)
{
    int64_t parked = 0, waiting = 0;
    size_t before = d->counts[FOUND_WRONG];
    struct orders_row orders = {0};

    if (!can_ask(d))
        return;
    for (enum lane l = 0; l < LANE__COUNT; l++) {
        struct outbox_row o = {0};
        if (!is_answered(d,
                         pg_one(d->shop, HEALTH_OUTBOX, &outbox_row, &o, ARG_TEXT(lane_name(l)))))
            return;
        if (o.oldest_ms > late_ms())
            doctor_say(d, FOUND_WRONG,
                       "systemctl status soko-jobs; journalctl -u soko-jobs; sokoctl outbox list",
                       "lane %s: %" PRId64 " are due and nobody takes them, the oldest for %s",
                       lane_name(l), o.due, doctor_age(d, o.oldest_ms));
        parked += o.parked;
        waiting += o.waiting;
    }
    if (parked > 0)
        doctor_say(d, FOUND_WARNING, "sokoctl outbox list; then retry or drop each",
                   "%" PRId64 " were given up or held, and wait for a person", parked);
    if (!is_answered(d, pg_one(d->shop, HEALTH_ORDERS, &orders_row, &orders, ARG_NONE)))
        return;
    if (orders.overdue > 0 && orders.oldest_ms > late_ms())
        doctor_say(d, FOUND_WRONG, "systemctl status soko-jobs; journalctl -u soko-jobs",
                   "%" PRId64
                   " unpaid orders should have expired, the oldest %s ago: they hold stock",
                   orders.overdue, doctor_age(d, orders.oldest_ms));
    if (d->counts[FOUND_WRONG] == before)
        doctor_say(d, FOUND_GOOD, NULL, "%" PRId64 " wait, none for too long", waiting);
}

void
doctor_payments(struct doctor *d)
{
    struct payments_row p = {0};
    struct refunds_row r = {0};
    size_t before = d->counts[FOUND_WRONG] + d->counts[FOUND_WARNING];

    if (!can_ask(d) ||
        !is_answered(d, pg_one(d->shop, HEALTH_PAYMENTS, &payments_row, &p, ARG_NONE)) ||
        !is_answered(d, pg_one(d->shop, HEALTH_REFUNDS, &refunds_row, &r, ARG_NONE)))
        return;
    if (p.unasked_ms > late_ms())
        doctor_say(d, FOUND_WRONG, "systemctl status soko-jobs; journalctl -u soko-jobs",
                   "payments of which nobody knows are not asked about, one since %s",
                   doctor_age(d, p.unasked_ms));
    if (p.oldest_ms > OLD_PAYMENT_MS)
        doctor_say(d, FOUND_WARNING, "look at the provider's status page, and at its dashboard",
                   "%" PRId64 " payments are open, %" PRId64 " of them unknown, the oldest for %s",
                   p.open, p.unknown, doctor_age(d, p.oldest_ms));
    if (p.review > 0)
        doctor_say(
            d, FOUND_WARNING, "sokoctl payment list --status needs_review; accept or return each",
            "%" PRId64 " payments wait for a person: money came that fits no order", p.review);
    if (r.given_up > 0)
        doctor_say(d, FOUND_WARNING,
                   "sokoctl refund list --status failed; look why at the provider, then retry each",
                   "%" PRId64 " refunds have failed and are not tried again: buyers wait for money",
                   r.given_up);
    if (r.under_way > 0 && r.oldest_ms > 2 * OLD_PAYMENT_MS)
        doctor_say(d, FOUND_WARNING, "look at the provider's dashboard, and into the journal",
                   "%" PRId64 " refunds are under way, the oldest for %s", r.under_way,
                   doctor_age(d, r.oldest_ms));
    if (d->counts[FOUND_WRONG] + d->counts[FOUND_WARNING] == before)
        doctor_say(d, FOUND_GOOD, NULL, "%" PRId64 " payments are open, none waits for a person",
                   p.open);
}

/* --- books ------------------------------------------------------------------------------------ */

void
doctor_ledger(struct doctor *d)
{
    struct ledger_row *rows;
    size_t count, before = d->counts[FOUND_WRONG];

    if (!can_ask(d) ||
        !is_answered(d, pg_all(d->shop, HEALTH_LEDGER, &ledger_row, &rows, &count, ARG_NONE)))
        return;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].rest != 0)
            doctor_say(d, FOUND_WRONG, "sokoctl ledger check, which names the rows",
                       "%s: the ledger sums to %" PRId64 ", and not to zero", rows[i].currency,
                       rows[i].rest);
        if (rows[i].difference != 0)
            doctor_say(d, FOUND_WRONG, "sokoctl ledger check, which names the rows",
                       "%s: the ledger says of what providers hold %" PRId64
                       " minor units more than payments and refunds do",
                       rows[i].currency, rows[i].difference);
    }
    if (d->counts[FOUND_WRONG] == before)
        doctor_say(d, FOUND_GOOD, NULL, "it agrees with payments and refunds, in %zu currencies",
                   count);
}

void
doctor_audit(struct doctor *d)
{
    int64_t late = 10 * conf->audit_seal.ms;
    struct audit_row a = {0};

    if (!can_ask(d) || !is_answered(d, pg_one(d->shop, HEALTH_AUDIT, &audit_row, &a, ARG_NONE)))
        return;
    if (late < LATE_LEAST_MS)
        late = LATE_LEAST_MS;
    if (a.loose > 0 && a.oldest_ms > late)
        doctor_say(d, FOUND_WRONG,
                   "journalctl -u soko-jobs | grep audit; is DATA_KEY the same on all hosts? "
                   "sokoctl audit verify",
                   "%" PRId64 " entries have no seal, one for %s", a.loose,
                   doctor_age(d, a.oldest_ms));
    else
        doctor_say(d, FOUND_GOOD, NULL, "%" PRId64 " entries are sealed, %" PRId64 " wait", a.links,
                   a.loose);
}

void
doctor_pictures(struct doctor *d)
{
    struct url_row *rows;
    size_t count, missing = 0;

    if (!can_ask(d) ||
        !is_answered(d, pg_all(d->shop, KEEPING_MEDIA, &url_row, &rows, &count, ARG_NONE)))
        return;
    for (size_t i = 0; i < count; i++) {
        const char *path =
            arena_printf(d->arena, "%s%s", conf->media_dir, rows[i].url + strlen("/media"));
        if (access(path, F_OK) != 0 && missing++ < PICTURES_TOLD)
            doctor_say(d, FOUND_WRONG,
                       "bring it back from a backup; is MEDIA_DIR the right folder?",
                       "%s is shown by the shop, and is not there", path);
    }
    if (missing > 0)
        doctor_say(d, FOUND_WRONG, "bring them back from a backup: BACKUP/media/",
                   "%zu of %zu pictures are missing", missing, count);
    else
        doctor_say(d, FOUND_GOOD, NULL, "all %zu that the shop shows are there", count);
}
