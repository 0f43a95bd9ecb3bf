/*
 * The audit log for the sysadmin: what stands in it, and whether it is what was written. The rules
 * of the second are shop/audit_verify's.
 *
 * A list is read in pages, so that it costs no memory however long it is.
 */
#include "base/config.h"
#include "base/text.h"
#include "ctl_rows.h"
#include "io/tx.h"
#include "shop/audit.h"
#include "shop/audit_verify.h"
#include "shop/stmt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define PAGE 500
#define LINE_MAX_SIZE ((size_t)1 << 20)
#define MAC_DIGITS 64
#define MINUTE_MS 60000
#define HEAD_FILE_MODE 0600
#define TIME_SIZE 64 /* of a time in PostgreSQL's form */

struct entry_row {
    int64_t id;
    const char *key; /* `at` without loss */
    const char *at, *event, *actor, *actor_role, *api_key, *operator, * subject, *address, *detail;
    const char *trace_id;
};
static const struct field entry_row_fields[] = {
    FIELD(struct entry_row, key),     FIELD(struct entry_row, id),
    FIELD(struct entry_row, at),      FIELD(struct entry_row, event),
    FIELD(struct entry_row, actor),   FIELD(struct entry_row, actor_role),
    FIELD(struct entry_row, api_key), FIELD(struct entry_row, operator),
    FIELD(struct entry_row, subject), FIELD(struct entry_row, address),
    FIELD(struct entry_row, detail),  FIELD(struct entry_row, trace_id),
};
static const struct input entry_row = INPUT(entry_row, "AuditEntryLine", NULL);

/* --- list ------------------------------------------------------------------------------------- */

static bool
read_event(const char *text, struct pg_arg *out)
{
    *out = ARG_TEXT(text);
    if (text == NULL || audit_is_event(text))
        return true;
    fprintf(stderr, "sokoctl: --event: is none of");
    for (enum audit e = 0; e < AUDIT__COUNT; e++)
        fprintf(stderr, " %s", audit_name(e));
    fputc('\n', stderr);
    return false;
}

static void
put_named(const char *name, const char *value)
{
    if (value == NULL)
        return;
    printf("  %s ", name);
    ctl_put(value);
}

static void
print_line(const struct entry_row *r)
{
    printf("%s  ", r->at);
    ctl_put(r->event);
    put_named("subject", r->subject);
    put_named("actor", r->actor);
    put_named("as", r->actor_role);
    put_named("key", r->api_key);
    put_named("operator", r->operator);
    put_named("from", r->address);
    if (strcmp(r->detail, "{}") != 0)
        put_named("detail", r->detail);
    putchar('\n');
}

static void
print_json(struct arena *a, const struct entry_row *r)
{
    struct text t = text_new(a, LINE_MAX_SIZE);

    text_putc(&t, '{');
    text_member_int(&t, "id", r->id);
    text_member(&t, "at", r->at);
    text_member(&t, "event", r->event);
    text_member(&t, "actor", r->actor);
    text_member(&t, "actor_role", r->actor_role);
    text_member(&t, "api_key", r->api_key);
    text_member(&t, "operator", r->operator);
    text_member(&t, "subject", r->subject);
    text_member(&t, "address", r->address);
    text_member_raw(&t, "detail", r->detail);
    text_member(&t, "trace_id", r->trace_id);
    text_putc(&t, '}');
    puts(text_cstr(&t));
}

struct listing {
    struct pg_arg actor, subject, event, from, until;
    const char *after_time; /* NULL: from the beginning */
    int64_t after_id;
    struct entry_row *rows;
    size_t count;
};

static enum err
read_page(struct ctx *ctx, void *arg)
{
    struct listing *l = arg;

    return pg_all(ctx, AUDIT_READ, &entry_row, &l->rows, &l->count, ARG_TEXT(l->after_time),
                  ARG_INT(l->after_id), l->actor, l->subject, l->event, l->from, l->until,
                  ARG_INT(PAGE));
}

int
ctl_audit_list(const struct ctl_options *o)
{
    struct listing l = {.count = PAGE};
    char last[TIME_SIZE];
    enum err e = OK;

    if (!ctl_id("--actor", o->actor, &l.actor) || !ctl_id("--subject", o->subject, &l.subject) ||
        !read_event(o->event, &l.event) || !ctl_time("from", o->from, &l.from) ||
        !ctl_time("until", o->until, &l.until))
        return EX_USAGE;
    struct ctx *ctx = ctl_open();
    while (e == OK && l.count == PAGE) {
        struct arena *a = arena_new();
        struct ctx page = *ctx;

        page.arena = a;
        e = tx_run(&page, read_page, &l);
        for (size_t i = 0; e == OK && i < l.count; i++) {
            if (o->json)
                print_json(a, &l.rows[i]);
            else
                print_line(&l.rows[i]);
        }
        if (e == OK && l.count > 0) {
            snprintf(last, sizeof(last), "%s", l.rows[l.count - 1].key);
            l.after_time = last;
            l.after_id = l.rows[l.count - 1].id;
        }
        if (e != OK)
            ctl_complain(&page, e);
        arena_free(a);
    }
    return e == OK ? 0 : CTL_FAILED;
}

/* --- verify and seal -------------------------------------------------------------------------- */

/* "1204:9f86d0..."; number 0 if there is none. */
static bool
read_anchor(const char *name, const char *text, struct audit_anchor *out)
{
    char *end;

    *out = (struct audit_anchor){0};
    if (text == NULL)
        return true;
    errno = 0;
    out->number = strtoll(text, &end, 10);
    out->mac = end + 1;
    if (errno == 0 && out->number > 0 && *end == ':' && strlen(end + 1) == MAC_DIGITS &&
        strspn(end + 1, "0123456789abcdefABCDEF") == MAC_DIGITS)
        return true;
    fprintf(stderr, "sokoctl: --%s: not NUMBER:MAC, as `audit verify` prints it\n", name);
    return false;
}

/* What the last good verification left. A file that is not there is none yet; one that says
 * something else was tampered with, or is another file. */
static bool
read_head_file(struct arena *a, const char *path, struct audit_anchor *out)
{
    if (path == NULL)
        return true;
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        printf("%s: no head is remembered yet\n", path);
        return true;
    }
    char *text = ctl_read_file(a, path, NULL);
    if (text == NULL)
        return false;
    text[strcspn(text, "\n")] = '\0';
    if (read_anchor("head-file", text, out))
        return true;
    fprintf(stderr, "sokoctl: %s holds no head: compare with the journal's last audit.sealed\n",
            path);
    return false;
}

/* Whole or not at all: beside, synced and renamed. */
static bool
write_head_file(struct arena *a, const char *path, const struct audit_anchor *head)
{
    const char *draft = arena_printf(a, "%s.new", path);
    int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, HEAD_FILE_MODE);
    bool good = fd >= 0 && dprintf(fd, "%" PRId64 ":%s\n", head->number, head->mac) > 0 &&
                fsync(fd) == 0 && rename(draft, path) == 0;

    if (!good)
        fprintf(stderr, "sokoctl: %s: %s\n", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return good;
}

int
ctl_audit_verify(const struct ctl_options *o)
{
    struct audit_question q = {.late_ms = 10 * conf->audit_seal.ms};
    struct audit_anchor end;
    size_t faults;

    if (!read_anchor("head", o->head, &q.head) || !read_anchor("after", o->after, &q.after))
        return EX_USAGE;
    if (q.late_ms < MINUTE_MS)
        q.late_ms = MINUTE_MS;
    struct ctx *ctx = ctl_open();
    if (!read_head_file(ctx->arena, o->head_file, &q.head))
        return CTL_FAILED;
    enum err e = audit_verify(ctx, stdout, &q, &faults, &end);
    if (e != OK) {
        ctl_complain(ctx, e);
        return CTL_FAILED;
    }
    if (faults > 0) {
        printf("%zu faults\n", faults);
        return CTL_FAILED;
    }
    puts("the audit log is as it was sealed");
    return o->head_file == NULL || end.number == 0 ||
                   write_head_file(ctx->arena, o->head_file, &end)
               ? 0
               : CTL_FAILED;
}

int
ctl_audit_seal(const struct ctl_options *o)
{
    struct audit_anchor accepted, head;
    size_t sealed;

    if (!read_anchor("head", o->head, &accepted))
        return EX_USAGE;
    struct ctx *ctx = ctl_open();
    enum err e = audit_seal_all(ctx, accepted.number > 0 ? &accepted : NULL, &sealed, &head);
    if (e != OK) {
        ctl_complain(ctx, e);
        return CTL_FAILED;
    }
    printf("%zu sealed\n", sealed);
    if (head.number > 0)
        printf("head %" PRId64 ":%s\n", head.number, head.mac);
    return 0;
}
