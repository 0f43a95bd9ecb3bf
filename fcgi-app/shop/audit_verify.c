/*
 * A link is held against the MAC that stands before it, whatever is wrong there: so a fault is told
 * of where it is, and the links behind it are good. Only who has the key could make all of them
 * good again.
 *
 * Links that are not as they should be are gathered, since what they are together says what was
 * done: alone, one was altered; two that fit each other's place have changed it; all to the end,
 * the key is another.
 *
 * All is read in one snapshot, in pages, and printed at the end: a lost connection makes it run
 * again.
 */
#include "shop/audit_verify.h"

#include "base/config.h"
#include "io/pg.h"
#include "io/tx.h"
#include "shop/audit_link.h"
#include "shop/stmt.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define PAGE 1000
#define PAGE_LOOSE 20000
#define SUSPECTS 64                  /* of which it is asked whether they have changed places */
#define RUNS 200                     /* of which it is told where they are */
#define LINES 500                    /* of faults; the rest is counted */
#define REPORT_MAX ((size_t)1 << 20) /* bytes of these lines */

/* A link whose MAC is not what it should be, and enough to compute others. */
struct suspect {
    struct audit_link link;
    const char *before;
    size_t run;
};

/* Links that are wrong, one after another. */
struct run {
    int64_t from, to, entry;
    int64_t told; /* how many of them were told of as reordered */
};

struct verdict {
    const struct audit_question *q;
    uint8_t key[SHA256_SIZE];
    int64_t count; /* links */
    int64_t number, settled;
    int64_t seen;    /* entries up to it were looked at before */
    const char *mac; /* of the link before; NULL: it is not there */
    char mac_room[2 * SHA256_SIZE + 1];
    bool met; /* q->head */
    struct run runs[RUNS];
    size_t run_count, more_runs;
    bool in_run; /* the link before was wrong too */
    struct suspect suspects[SUSPECTS];
    size_t suspect_count;
    struct text report;
    size_t faults, lines;
};

struct loose_row {
    int64_t last, entry;
    bool is_there, is_loose, is_late; /* last; entry */
};
static const struct field loose_row_fields[] = {
    FIELD(struct loose_row, last),     FIELD(struct loose_row, entry),
    FIELD(struct loose_row, is_there), FIELD(struct loose_row, is_loose),
    FIELD(struct loose_row, is_late),
};
static const struct input loose_row = INPUT(loose_row, "LooseEntry", NULL);

static void __attribute__((format(printf, 2, 3))) tell(struct verdict *v, const char *fmt, ...)
{
    va_list ap;

    v->faults++;
    if (v->lines == LINES)
        return;
    v->lines++;
    va_start(ap, fmt);
    text_puts(&v->report, "fault: ");
    text_puts(&v->report, arena_vprintf(v->report.arena, fmt, ap));
    text_putc(&v->report, '\n');
    va_end(ap);
}

static const char *
copy(struct arena *a, const char *s)
{
    return s != NULL ? arena_strdup(a, s) : NULL;
}

static void
suspect(struct verdict *v, const struct audit_link *l)
{
    struct arena *a = v->report.arena;

    if (v->suspect_count == SUSPECTS)
        return;
    struct suspect *s = &v->suspects[v->suspect_count++];
    *s = (struct suspect){.link = *l, .before = copy(a, v->mac), .run = v->run_count - 1};
    s->link.mac = copy(a, l->mac);
    s->link.event = copy(a, l->event);
    s->link.actor = copy(a, l->actor);
    s->link.actor_role = copy(a, l->actor_role);
    s->link.api_key = copy(a, l->api_key);
    s->link.operator= copy(a, l->operator);
    s->link.subject = copy(a, l->subject);
    s->link.address = copy(a, l->address);
    s->link.detail = copy(a, l->detail);
    s->link.trace_id = copy(a, l->trace_id);
}

/* --- the chain -------------------------------------------------------------------------------- */

static void
add_bad(struct verdict *v, const struct audit_link *l)
{
    if (!v->in_run && v->run_count == RUNS) {
        v->more_runs++;
    } else if (!v->in_run) {
        v->runs[v->run_count++] = (struct run){.from = l->number, .entry = l->entry};
    }
    v->in_run = true;
    if (v->more_runs > 0)
        return;
    v->runs[v->run_count - 1].to = l->number;
    suspect(v, l);
}

static void
look_at(struct verdict *v, struct arena *a, const struct audit_link *l)
{
    bool bad = false;

    if (l->number != v->number + 1) {
        tell(v, "missing: links %" PRId64 " to %" PRId64, v->number + 1, l->number - 1);
        v->mac = NULL; /* there is nothing to hold this one against */
    }
    if (l->is_bare)
        tell(v, "missing: entry %" PRId64 ", of link %" PRId64, l->entry, l->number);
    else
        bad = v->mac != NULL && strcmp(audit_link_mac(a, v->key, v->mac, l), l->mac) != 0;
    if (bad)
        add_bad(v, l);
    v->in_run = bad;
    if (l->number == v->q->head.number)
        v->met = strcasecmp(l->mac, v->q->head.mac) == 0;
    v->count++;
    v->number = l->number;
    if (!bad && l->settled > v->settled)
        v->settled = l->settled;
    snprintf(v->mac_room, sizeof(v->mac_room), "%s", l->mac);
    v->mac = v->mac_room;
}

/* The link to begin behind, which must be as it is remembered. */
static enum err
find_beginning(struct ctx *ctx, struct verdict *v)
{
    const struct audit_anchor *after = &v->q->after;
    struct audit_link l = {.mac = ""};

    v->mac = "";
    v->seen = INT64_MIN;
    if (after->number == 0)
        return OK;
    enum err e =
        pg_one(ctx, AUDIT_LINKS, &audit_link_row, &l, ARG_INT(after->number - 1), ARG_INT(1));
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    problems_clear(&ctx->problems);
    if (l.number != after->number || strcasecmp(l.mac, after->mac) != 0)
        tell(v, "truncated: the chain does not go through %" PRId64 ":%s", after->number,
             after->mac);
    v->number = after->number;
    v->settled = v->seen = l.settled;
    snprintf(v->mac_room, sizeof(v->mac_room), "%s", after->mac);
    for (char *c = v->mac_room; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    v->mac = v->mac_room;
    v->met = v->q->head.number == after->number && strcasecmp(v->q->head.mac, after->mac) == 0;
    return OK;
}

static enum err
walk_chain(const struct ctx *ctx, struct verdict *v)
{
    size_t count = PAGE;
    enum err e = OK;

    while (e == OK && count == PAGE) {
        struct arena *a = arena_new();
        struct ctx page = *ctx;
        struct audit_link *links;

        page.arena = a;
        e = pg_all(&page, AUDIT_LINKS, &audit_link_row, &links, &count, ARG_INT(v->number),
                   ARG_INT(PAGE));
        for (size_t i = 0; e == OK && i < count; i++)
            look_at(v, a, &links[i]);
        arena_free(a);
    }
    return e;
}

/* --- what the wrong ones have in common ------------------------------------------------------- */

/* Whether `l`'s MAC is of the other's entry, at its own place: the rows were exchanged, or only
 * what is in them, and each has kept its id. */
static bool
is_of(struct arena *a, const struct verdict *v, const struct suspect *s,
      const struct audit_link *other)
{
    struct audit_link l = *other;

    l.number = s->link.number;
    l.settled = s->link.settled;
    l.sealed_us = s->link.sealed_us;
    if (strcmp(audit_link_mac(a, v->key, s->before, &l), s->link.mac) == 0)
        return true;
    l.entry = s->link.entry;
    return strcmp(audit_link_mac(a, v->key, s->before, &l), s->link.mac) == 0;
}

static void
find_reordered(struct verdict *v)
{
    for (size_t i = 0; i < v->suspect_count; i++) {
        struct arena *a = arena_new();
        const struct suspect *s = &v->suspects[i];
        size_t j = 0;

        while (j < v->suspect_count && (j == i || !is_of(a, v, s, &v->suspects[j].link)))
            j++;
        arena_free(a);
        if (j == v->suspect_count)
            continue;
        v->runs[s->run].told++;
        tell(v,
             "reordered: what link %" PRId64 " has sealed stands in entry %" PRId64
             ", not in %" PRId64,
             s->link.number, v->suspects[j].link.entry, s->link.entry);
    }
}

static void
tell_run(struct verdict *v, const struct run *r)
{
    int64_t n = r->to - r->from + 1;

    if (r->told == n)
        return;
    if (n == 1)
        tell(v, "altered: entry %" PRId64 " or its link, %" PRId64, r->entry, r->from);
    else if (r->to == v->number)
        tell(v,
             "foreign: links %" PRId64 " to %" PRId64
             ", the head: by another DATA_KEY, or the chain was built anew",
             r->from, r->to);
    else
        tell(v, "altered: links %" PRId64 " to %" PRId64 ", or their entries", r->from, r->to);
}

/* --- entries without a link ------------------------------------------------------------------- */

static void
look_at_loose(struct verdict *v, const struct loose_row *r)
{
    if (!r->is_loose)
        return;
    if (r->entry <= v->settled)
        tell(v, "inserted: entry %" PRId64 " has no link, where all have one", r->entry);
    else if (r->is_late)
        tell(v, "unsealed: entry %" PRId64 " has waited too long for its link", r->entry);
}

static enum err
walk_log(const struct ctx *ctx, struct verdict *v)
{
    int64_t after = v->seen;
    bool more = true;
    enum err e = OK;

    while (e == OK && more) {
        struct arena *a = arena_new();
        struct ctx page = *ctx;
        struct loose_row *rows;
        size_t count;

        page.arena = a;
        e = pg_all(&page, AUDIT_LOOSE, &loose_row, &rows, &count, ARG_INT(after),
                   ARG_INT(PAGE_LOOSE), ARG_INT(v->q->late_ms));
        for (size_t i = 0; e == OK && i < count; i++)
            look_at_loose(v, &rows[i]);
        more = e == OK && rows[0].is_there;
        after = more ? rows[0].last : 0;
        arena_free(a);
    }
    return e;
}

static enum err
verify_work(struct ctx *ctx, void *arg)
{
    struct verdict *v = arg;
    const struct audit_question *q = v->q;

    *v = (struct verdict){.q = q, .report = text_new(ctx->arena, REPORT_MAX)};
    audit_link_key(conf->data_key, v->key);
    enum err e = pg_run(ctx, AUDIT_SNAPSHOT, ARG_NONE);
    if (e == OK)
        e = pg_run(ctx, AUDIT_PATIENCE, ARG_NONE);
    if (e == OK)
        e = find_beginning(ctx, v);
    if (e == OK)
        e = walk_chain(ctx, v);
    return e != OK ? e : walk_log(ctx, v);
}

enum err
audit_verify(struct ctx *ctx, FILE *out, const struct audit_question *q, size_t *faults,
             struct audit_anchor *end)
{
    struct verdict *v = arena_alloc(ctx->arena, sizeof(*v));

    v->q = q;
    enum err e = tx_run(ctx, verify_work, v);
    if (e != OK)
        return e;
    if (q->head.number > 0 && !v->met)
        tell(v,
             v->number < q->head.number ? "truncated: the chain ends before %" PRId64 ":%s"
                                        : "truncated: the chain does not go through %" PRId64 ":%s",
             q->head.number, q->head.mac);
    find_reordered(v);
    for (size_t i = 0; i < v->run_count; i++)
        tell_run(v, &v->runs[i]);
    v->faults += v->more_runs;
    fputs(text_cstr(&v->report), out);
    if (v->faults > v->lines)
        fprintf(out, "and %zu more\n", v->faults - v->lines);
    fprintf(out, "%" PRId64 " links\n", v->count);
    if (v->number > 0)
        fprintf(out, "head %" PRId64 ":%s\n", v->number, v->mac);
    *faults = v->faults;
    if (end != NULL)
        *end = (struct audit_anchor){v->number, arena_strdup(ctx->arena, v->mac)};
    return OK;
}
