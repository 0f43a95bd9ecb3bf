/*
 * Whether the database is what the files of this program make it: what was applied, in which order,
 * by which words; whether functions and views stand; what the shop's role may. Read-only.
 *
 * That a function does what its file says is not looked at: `migrate up` writes all of them anew,
 * so nothing is ever older than the last deploy.
 */
#include "ctl_migrate.h"

#include "base/config.h"
#include "io/tx.h"
#include "shop/stmt.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAMES_MOST 256

struct text_row {
    const char *fault;
};
static const struct field text_row_fields[] = {FIELD(struct text_row, fault)};
static const struct input text_row = INPUT(text_row, "RoleFault", NULL);

struct name_row {
    const char *name;
};
static const struct field name_row_fields[] = {FIELD(struct name_row, name)};
static const struct input name_row = INPUT(name_row, "MissingName", NULL);

/* --- migrations ------------------------------------------------------------------------------- */

static size_t
fault(const char *what)
{
    printf("fault: %s\n", what);
    return 1;
}

/* One that lies here. */
static size_t
check_file(struct migrate_run *r, const struct migration *m, int64_t newest)
{
    struct arena *a = r->ctx.arena;
    const struct applied *row = migrate_row(r, m->version);
    const char *title = arena_printf(a, "%04d_%s", (int)m->version, m->name);

    if (row == NULL && m->version < newest)
        return fault(arena_printf(a, "%s: was left out: later ones are applied", title));
    if (row == NULL)
        return fault(arena_printf(a, "%s: is pending: `migrate up` applies it", title));
    if (strcmp(row->name, m->name) != 0)
        return fault(arena_printf(a, "%s: was applied as %s", title, row->name));
    if (strcmp(row->checksum, m->checksum) != 0)
        return fault(arena_printf(a, "%s: was changed after it was applied", title));
    return 0;
}

static size_t
check_migrations(struct migrate_run *r)
{
    struct arena *a = r->ctx.arena;
    int64_t newest = r->row_count > 0 ? r->rows[r->row_count - 1].version : 0;
    size_t faults = 0;

    for (size_t i = 1; i < r->file_count; i++)
        faults += check_file(r, &r->files[i], newest);
    for (size_t i = 0; i < r->row_count; i++) {
        if (r->rows[i].version >= (int64_t)r->file_count)
            faults +=
                fault(arena_printf(a, "%04d_%s: was applied by a newer version than this program",
                                   (int)r->rows[i].version, r->rows[i].name));
        /* Both are PostgreSQL's, in one time zone: they compare as text. */
        if (i > 0 && strcmp(r->rows[i].applied_at, r->rows[i - 1].applied_at) < 0)
            faults += fault(arena_printf(a, "%04d_%s: was applied before the one that precedes it",
                                         (int)r->rows[i].version, r->rows[i].name));
    }
    if (r->file_count != SCHEMA_VERSION + 1)
        faults += fault(arena_printf(a, "SQL_DIR: %s ends with %04d, and this program needs %04d",
                                     conf->sql_dir, (int)r->file_count - 1, SCHEMA_VERSION));
    return faults;
}

/* --- functions and views ---------------------------------------------------------------------- */

/* What a line makes: "CREATE OR REPLACE FUNCTION name(" and the like; NULL if nothing. */
static const char *
made_by(struct arena *a, const char *line)
{
    static const char *const makers[] = {"CREATE OR REPLACE FUNCTION ", "CREATE FUNCTION ",
                                         "CREATE OR REPLACE VIEW ", "CREATE VIEW "};

    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
        size_t len = strlen(makers[i]), n = 0;
        if (strncmp(line, makers[i], len) != 0)
            continue;
        while (isalnum((unsigned char)line[len + n]) || line[len + n] == '_')
            n++;
        return arena_strndup(a, line + len, n);
    }
    return NULL;
}

struct names {
    const char *list[NAMES_MOST];
    size_t count;
    struct name_row *missing;
    size_t missing_count;
    struct text_row *faults;
    size_t fault_count;
};

static void
read_names(struct arena *a, const char *sql, struct names *n)
{
    while (sql != NULL && n->count < NAMES_MOST) {
        const char *name = made_by(a, sql);
        if (name != NULL)
            n->list[n->count++] = name;
        sql = strchr(sql, '\n');
        sql = sql != NULL ? sql + 1 : NULL;
    }
}

static enum err
look_work(struct ctx *ctx, void *arg)
{
    struct names *n = arg;

    enum err e = pg_all(ctx, M_MISSING, &name_row, &n->missing, &n->missing_count,
                        ARG_TEXTS(n->list, n->count));
    return e != OK ? e
                   : pg_all(ctx, M_ROLE_FAULTS, &text_row, &n->faults, &n->fault_count, ARG_NONE);
}

static bool
check_rest(struct migrate_run *r, size_t *faults)
{
    struct names n = {.count = 0};
    const char **scripts;
    size_t count;

    if (!migrate_functions(r, &scripts, &count))
        return false;
    for (size_t i = 0; i < count; i++)
        read_names(r->ctx.arena, scripts[i], &n);
    enum err e = tx_read(&r->ctx, look_work, &n);
    if (e != OK) {
        ctl_complain(&r->ctx, e);
        return false;
    }
    for (size_t i = 0; i < n.missing_count; i++)
        *faults += fault(
            arena_printf(r->ctx.arena, "%s: is missing: `migrate up` makes it", n.missing[i].name));
    for (size_t i = 0; i < n.fault_count; i++)
        *faults += fault(n.faults[i].fault);
    return true;
}

int
ctl_migrate_verify(const struct ctl_options *o)
{
    struct migrate_run r;
    size_t faults;

    (void)o;
    if (!migrate_open(&r))
        return CTL_FAILED;
    faults = check_migrations(&r);
    bool good = check_rest(&r, &faults);
    if (good && faults == 0)
        printf("the schema is that of %04d, as it was written\n", SCHEMA_VERSION);
    else if (good)
        printf("%zu faults\n", faults);
    return migrate_close(&r, good && faults == 0);
}
