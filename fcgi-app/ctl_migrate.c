/*
 * Migrations are files NNNN_name.up.sql and .down.sql in SQL_DIR/schema, applied in order, each in
 * a transaction together with its row in schema_migrations. A file that was applied must not
 * change: its checksum is kept, and `status` tells. Functions and views (SQL_DIR/functions) are no
 * migrations: all of them are applied again after each `up`, unless a newer version has been here:
 * whoever went back to this one works with the newer ones, which workers of the newer version still
 * use while they are replaced, and could not take a column from a view.
 *
 * The statements of the shop cannot be prepared before its tables stand, so this file opens the
 * database with a table of its own few.
 */
#include "base/clock.h"
#include "base/config.h"
#include "ctl.h"
#include "io/secret.h"
#include "io/tx.h"
#include "shop/stmt.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UP ".up.sql"
#define DOWN ".down.sql"

/* Statements by our own numbers: control first, which pg finds by name. */
enum { M_LIST = 6, M_DONE, M_UNDONE, M_LOCK, M__COUNT };

static struct pg_stmt few[M__COUNT];

struct migration {
    int64_t version;
    const char *name;     /* "orders" */
    const char *checksum; /* of the .up.sql */
    const char *up, *down;
};

struct applied {
    int64_t version;
    const char *name, *checksum, *applied_at;
};
static const struct field applied_fields[] = {
    FIELD(struct applied, version),
    FIELD(struct applied, name),
    FIELD(struct applied, checksum),
    FIELD(struct applied, applied_at),
};
static const struct input applied = INPUT(applied, "Applied", NULL);

/* All that a run needs. */
struct run {
    struct ctx ctx;
    struct migration *files;
    size_t file_count;
    struct applied *rows;
    size_t row_count;
    const struct migration *now; /* in hand */
    const char *why;             /* the server's words, if it refused */
};

static int
is_sql(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 4 && strcmp(entry->d_name + len - 4, ".sql") == 0;
}

static bool
ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

/* "0007_orders.up.sql" as 7 and "orders"; false if it is named otherwise. */
static bool
read_name(struct arena *a, const char *file, struct migration *m)
{
    char *end;
    long version = strtol(file, &end, 10);

    if (end != file + 4 || *end != '_')
        return false;
    m->version = version;
    m->name = arena_strndup(a, end + 1, strlen(end + 1) - strlen(UP));
    return true;
}

static bool
read_migration(struct run *r, const char *dir, const char *file)
{
    struct arena *a = r->ctx.arena;
    struct migration *m = &r->files[r->file_count];
    uint8_t digest[SHA256_SIZE];
    size_t len;

    if (!read_name(a, file, m)) {
        fprintf(stderr, "sokoctl: %s/%s: a migration is named NNNN_name.up.sql\n", dir, file);
        return false;
    }
    m->up = ctl_read_file(a, arena_printf(a, "%s/%s", dir, file), &len);
    m->down = ctl_read_file(a, arena_printf(a, "%s/%.4s_%s%s", dir, file, m->name, DOWN), NULL);
    if (m->up == NULL || m->down == NULL)
        return false;
    secret_sha256(m->up, len, digest);
    m->checksum = secret_hex(a, digest, sizeof(digest));
    if (m->version != (int64_t)r->file_count) {
        fprintf(stderr, "sokoctl: %s: migration %04d is missing\n", dir, (int)r->file_count);
        return false;
    }
    r->file_count++;
    return true;
}

static bool
read_migrations(struct run *r)
{
    const char *dir = arena_printf(r->ctx.arena, "%s/schema", conf->sql_dir);
    struct dirent **entries;
    int n = scandir(dir, &entries, is_sql, alphasort);
    bool good = n > 0;

    if (n <= 0)
        fprintf(stderr, "sokoctl: SQL_DIR: %s holds no migrations\n", dir);
    r->files = arena_array(r->ctx.arena, (size_t)(n > 0 ? n : 0), sizeof(*r->files));
    for (int i = 0; i < n; i++) {
        if (good && ends_with(entries[i]->d_name, UP))
            good = read_migration(r, dir, entries[i]->d_name);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return good;
}

static struct pg *
open_with(int count)
{
    static struct pg_options options;

    few[1] = stmts[TX_BEGIN];
    few[2] = stmts[TX_COMMIT];
    few[3] = stmts[TX_ROLLBACK];
    few[4] = stmts[TX_PLAN_CUSTOM];
    few[5] = stmts[TX_PLAN_AUTO];
    few[M_LIST] = stmts[MIGRATE_LIST];
    few[M_DONE] = stmts[MIGRATE_DONE];
    few[M_UNDONE] = stmts[MIGRATE_UNDONE];
    few[M_LOCK] = stmts[MIGRATE_LOCK];
    options = (struct pg_options){
        .url = conf->database_url,
        .name = "sokoctl migrate",
        .connect_ms = conf->database_connect_timeout.ms,
        .statement_ms = 0, /* an index may take its time */
        .stmts = few,
        .count = count,
    };
    return pg_new(&options);
}

static enum err
first_work(struct ctx *ctx, void *arg)
{
    struct run *r = arg;

    return pg_script(ctx, r->files[0].up, &r->why);
}

static bool
tell(const struct run *r, const char *what, enum err e)
{
    if (e == OK)
        return true;
    fprintf(stderr, "sokoctl: %s: %s\n", what, r->why != NULL ? r->why : err_message(e));
    return false;
}

/* Reads files and database. The table that remembers is made first, if need be. */
static bool
open_run(struct run *r)
{
    *r = (struct run){.ctx = {.arena = arena_new(), .trace_id = "sokoctl", .now_ms = clock_ms()}};
    if (!read_migrations(r))
        return false;
    r->ctx.pg = open_with(M_LIST);
    enum err e = tx_run(&r->ctx, first_work, r);
    pg_free(r->ctx.pg);
    if (!tell(r, "0000_migrate", e))
        return false;
    r->ctx.pg = open_with(M__COUNT);
    e = pg_all(&r->ctx, M_LIST, &applied, &r->rows, &r->row_count, ARG_NONE);
    return tell(r, "schema_migrations", e);
}

static int
close_run(struct run *r, bool good)
{
    pg_free(r->ctx.pg);
    arena_free(r->ctx.arena);
    return good ? 0 : CTL_FAILED;
}

static const struct applied *
row_of(const struct run *r, int64_t version)
{
    for (size_t i = 0; i < r->row_count; i++) {
        if (r->rows[i].version == version)
            return &r->rows[i];
    }
    return NULL;
}

static enum err
up_work(struct ctx *ctx, void *arg)
{
    struct run *r = arg;

    enum err e = pg_run(ctx, M_LOCK, ARG_NONE);
    if (e == OK)
        e = pg_script(ctx, r->now->up, &r->why);
    if (e == OK)
        e = pg_run(ctx, M_DONE, ARG_INT(r->now->version), ARG_TEXT(r->now->name),
                   ARG_TEXT(r->now->checksum));
    return e;
}

static enum err
down_work(struct ctx *ctx, void *arg)
{
    struct run *r = arg;

    enum err e = pg_run(ctx, M_LOCK, ARG_NONE);
    if (e == OK)
        e = pg_script(ctx, r->now->down, &r->why);
    if (e == OK)
        e = pg_run(ctx, M_UNDONE, ARG_INT(r->now->version));
    return e;
}

/* All functions and views in one transaction, so that nobody sees half of them. */
static enum err
functions_work(struct ctx *ctx, void *arg)
{
    struct run *r = arg;
    const char *dir = arena_printf(ctx->arena, "%s/functions", conf->sql_dir);
    struct dirent **entries;
    int n = scandir(dir, &entries, is_sql, alphasort);
    enum err e = n > 0 ? pg_run(ctx, M_LOCK, ARG_NONE) : ERR_INTERNAL;

    r->why = n > 0 ? NULL : "SQL_DIR holds no functions";
    for (int i = 0; i < n; i++) {
        const char *sql = NULL;
        if (e == OK)
            sql = ctl_read_file(ctx->arena,
                                arena_printf(ctx->arena, "%s/%s", dir, entries[i]->d_name), NULL);
        if (e == OK)
            e = sql != NULL ? pg_script(ctx, sql, &r->why) : ERR_INTERNAL;
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return e;
}

/* What was applied must be what lies here. */
static bool
unchanged(const struct run *r)
{
    bool good = true;

    for (size_t i = 1; i < r->file_count; i++) {
        const struct applied *row = row_of(r, r->files[i].version);
        if (row != NULL && strcmp(row->checksum, r->files[i].checksum) != 0) {
            fprintf(stderr, "sokoctl: %04d_%s was changed after it was applied\n",
                    (int)r->files[i].version, r->files[i].name);
            good = false;
        }
    }
    return good;
}

/* Whether a newer version has migrated, and this one was installed after it. */
static bool
is_ahead(const struct run *r)
{
    for (size_t i = 0; i < r->row_count; i++) {
        if (r->rows[i].version >= (int64_t)r->file_count)
            return true;
    }
    return false;
}

int
ctl_migrate_up(const struct ctl_options *o)
{
    struct run r;
    size_t done = 0;

    (void)o;
    if (!open_run(&r) || !unchanged(&r))
        return CTL_FAILED;
    bool good = true;
    for (size_t i = 1; good && i < r.file_count; i++) {
        if (row_of(&r, r.files[i].version) != NULL)
            continue;
        r.now = &r.files[i];
        good = tell(&r, arena_printf(r.ctx.arena, "%04d_%s", (int)r.now->version, r.now->name),
                    tx_run(&r.ctx, up_work, &r));
        if (good)
            printf("applied %04d_%s\n", (int)r.now->version, r.now->name);
        done += good;
    }
    if (good && is_ahead(&r)) {
        puts("the database belongs to a newer version; its functions and views stay");
        return close_run(&r, true);
    }
    good = good && tell(&r, "functions", tx_run(&r.ctx, functions_work, &r));
    if (good && done == 0)
        puts("nothing to migrate; functions renewed");
    return close_run(&r, good);
}

int
ctl_migrate_down(const struct ctl_options *o)
{
    struct run r;
    long steps = 1;

    if (o->argc > 0) {
        char *end;
        steps = strtol(o->argv[0], &end, 10);
        if (*end != '\0' || steps < 1) {
            fprintf(stderr, "sokoctl: migrate down takes a number of steps, not '%s'\n",
                    o->argv[0]);
            return CTL_FAILED;
        }
    }
    if (!open_run(&r))
        return CTL_FAILED;
    bool good = true;
    for (size_t i = r.file_count - 1; good && i >= 1 && steps > 0; i--) {
        if (row_of(&r, r.files[i].version) == NULL)
            continue;
        r.now = &r.files[i];
        good = tell(&r, arena_printf(r.ctx.arena, "%04d_%s", (int)r.now->version, r.now->name),
                    tx_run(&r.ctx, down_work, &r));
        if (good)
            printf("undone %04d_%s\n", (int)r.now->version, r.now->name);
        steps--;
    }
    return close_run(&r, good);
}

int
ctl_migrate_status(const struct ctl_options *o)
{
    struct run r;

    (void)o;
    if (!open_run(&r))
        return CTL_FAILED;
    for (size_t i = 1; i < r.file_count; i++) {
        const struct migration *m = &r.files[i];
        const struct applied *row = row_of(&r, m->version);
        printf("%04d_%-14s %s\n", (int)m->version, m->name,
               row == NULL                               ? "pending"
               : strcmp(row->checksum, m->checksum) != 0 ? "CHANGED after it was applied"
                                                         : row->applied_at);
    }
    return close_run(&r, unchanged(&r));
}
