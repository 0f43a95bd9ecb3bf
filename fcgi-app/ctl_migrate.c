/*
 * Migrations are files NNNN_name.up.sql and .down.sql in SQL_DIR/schema, applied in order, each in
 * a transaction together with its row in schema_migrations. A file that was applied must not
 * change: its checksum is kept, and `status` tells. Functions and views (SQL_DIR/functions) are no
 * migrations: all of them are applied again after each `up`, unless a newer version has been here:
 * whoever went back to this one works with the newer ones, which workers of the newer version still
 * use while they are replaced, and could not take a column from a view.
 *
 * sql/schema/README says what a migration may do, since the old version works on while it runs.
 *
 * A statement that waits for a lock stops everybody who comes behind it and wants the same table.
 * So none waits longer than MIGRATE_LOCK_TIMEOUT: the transaction is rolled back, the shop goes on
 * for as long, and then it is tried again, until MIGRATE_PATIENCE is over. The same if another
 * migration runs.
 *
 * What cannot be done in a transaction, CREATE INDEX CONCURRENTLY above all, stands in a file whose
 * first line is "-- no transaction". Its statements are run one by one, each ending with a
 * semicolon at the end of a line, and must be such that all of them can be run again: what was done
 * when one of them fails stays. None of them makes others wait, so they may take their time.
 *
 * The statements of the shop cannot be prepared before its tables stand, so this file opens the
 * database with a table of its own few.
 */
#include "ctl_migrate.h"

#include "base/clock.h"
#include "base/config.h"
#include "io/secret.h"
#include "io/tx.h"
#include "shop/stmt.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UP ".up.sql"
#define DOWN ".down.sql"
#define BARE "-- no transaction"

static struct pg_stmt few[M__COUNT];

static const struct field applied_fields[] = {
    FIELD(struct applied, version),
    FIELD(struct applied, name),
    FIELD(struct applied, checksum),
    FIELD(struct applied, applied_at),
};
static const struct input applied = INPUT(applied, "Applied", NULL);

struct taken_row {
    bool taken;
};
static const struct field taken_row_fields[] = {FIELD(struct taken_row, taken)};
static const struct input taken_row = INPUT(taken_row, "MigrationLock", NULL);

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
read_migration(struct migrate_run *r, const char *dir, const char *file)
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
read_migrations(struct migrate_run *r)
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
    few[M_HOLD] = stmts[MIGRATE_HOLD];
    few[M_IMPATIENT] = stmts[MIGRATE_IMPATIENT];
    few[M_ROLE_FAULTS] = stmts[MIGRATE_ROLE_FAULTS];
    few[M_MISSING] = stmts[MIGRATE_MISSING];
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
    struct migrate_run *r = arg;

    return pg_script(ctx, r->files[0].up, &r->why);
}

static bool
tell(const struct migrate_run *r, const char *what, enum err e)
{
    if (e == OK)
        return true;
    fprintf(stderr, "sokoctl: %s: %s\n", what, r->why != NULL ? r->why : err_message(e));
    return false;
}

bool
migrate_open(struct migrate_run *r)
{
    *r = (struct migrate_run){
        .ctx = {.arena = arena_new(), .trace_id = "sokoctl", .now_ms = clock_ms()}};
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

int
migrate_close(struct migrate_run *r, bool good)
{
    pg_free(r->ctx.pg);
    arena_free(r->ctx.arena);
    return good ? 0 : CTL_FAILED;
}

const struct applied *
migrate_row(const struct migrate_run *r, int64_t version)
{
    for (size_t i = 0; i < r->row_count; i++) {
        if (r->rows[i].version == version)
            return &r->rows[i];
    }
    return NULL;
}

/* --- applying --------------------------------------------------------------------------------- */

/* Takes the place of the one who migrates; `stmt` says for how long. */
static enum err
take_place(struct ctx *ctx, struct migrate_run *r, int stmt)
{
    struct taken_row row = {0};

    enum err e = pg_one(ctx, stmt, &taken_row, &row, ARG_NONE);
    if (e != OK || row.taken)
        return e;
    r->why = "another migration is running";
    return ERR_REQUEST_TIMEOUT;
}

/* What each transaction begins with. */
static enum err
begin(struct ctx *ctx, struct migrate_run *r)
{
    enum err e = take_place(ctx, r, M_LOCK);

    return e != OK ? e : pg_run(ctx, M_IMPATIENT, ARG_INT(conf->migrate_lock_timeout.ms));
}

static enum err
note_up(struct ctx *ctx, const struct migration *m)
{
    return pg_run(ctx, M_DONE, ARG_INT(m->version), ARG_TEXT(m->name), ARG_TEXT(m->checksum));
}

static enum err
up_work(struct ctx *ctx, void *arg)
{
    struct migrate_run *r = arg;

    enum err e = begin(ctx, r);
    if (e == OK)
        e = pg_script(ctx, r->now->up, &r->why);
    return e != OK ? e : note_up(ctx, r->now);
}

static enum err
down_work(struct ctx *ctx, void *arg)
{
    struct migrate_run *r = arg;

    enum err e = begin(ctx, r);
    if (e == OK)
        e = pg_script(ctx, r->now->down, &r->why);
    return e != OK ? e : pg_run(ctx, M_UNDONE, ARG_INT(r->now->version));
}

static enum err
note_up_work(struct ctx *ctx, void *arg)
{
    const struct migrate_run *r = arg;

    return note_up(ctx, r->now);
}

static enum err
note_down_work(struct ctx *ctx, void *arg)
{
    const struct migrate_run *r = arg;

    return pg_run(ctx, M_UNDONE, ARG_INT(r->now->version));
}

/* The statements of a bare file, one by one. */
static enum err
run_bare(struct migrate_run *r, const char *sql)
{
    enum err e = OK;

    while (e == OK && sql[strspn(sql, " \n")] != '\0') {
        const char *end = strstr(sql, ";\n");
        size_t len = end != NULL ? (size_t)(end - sql) + 1 : strlen(sql);
        e = pg_script(&r->ctx, arena_strndup(r->ctx.arena, sql, len), &r->why);
        sql += len;
    }
    return e;
}

static bool
is_bare(const char *sql)
{
    return strncmp(sql, BARE "\n", sizeof(BARE)) == 0;
}

static enum err
move_bare(struct migrate_run *r, bool up)
{
    enum err e = take_place(&r->ctx, r, M_HOLD);

    if (e == OK)
        e = run_bare(r, up ? r->now->up : r->now->down);
    return e != OK ? e : tx_run(&r->ctx, up ? note_up_work : note_down_work, r);
}

/* The session's hold on the place goes with its connection: whoever follows needs it too. */
static enum err
move_bare_and_reopen(struct migrate_run *r, bool up)
{
    enum err e = move_bare(r, up);

    pg_free(r->ctx.pg);
    r->ctx.pg = open_with(M__COUNT);
    return e;
}

bool
migrate_functions(struct migrate_run *r, const char ***out, size_t *count)
{
    struct arena *a = r->ctx.arena;
    const char *dir = arena_printf(a, "%s/functions", conf->sql_dir);
    struct dirent **entries;
    int n = scandir(dir, &entries, is_sql, alphasort);
    bool good = n > 0;

    if (n <= 0)
        fprintf(stderr, "sokoctl: SQL_DIR: %s holds no functions\n", dir);
    *out = arena_array(a, (size_t)(n > 0 ? n : 0), sizeof(**out));
    *count = 0;
    for (int i = 0; i < n; i++) {
        const char *sql =
            good ? ctl_read_file(a, arena_printf(a, "%s/%s", dir, entries[i]->d_name), NULL) : NULL;
        good = sql != NULL;
        (*out)[(*count)++] = sql;
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return good;
}

struct renewal {
    struct migrate_run *r;
    const char **scripts;
    size_t count;
};

/* All functions and views in one transaction, so that nobody sees half of them. */
static enum err
functions_work(struct ctx *ctx, void *arg)
{
    const struct renewal *f = arg;

    enum err e = begin(ctx, f->r);
    for (size_t i = 0; e == OK && i < f->count; i++)
        e = pg_script(ctx, f->scripts[i], &f->r->why);
    return e;
}

/* --- patience --------------------------------------------------------------------------------- */

/* Lets the shop go on for a while. False if there is no time left. */
static bool
wait_for_locks(const struct migrate_run *r, const char *what, int64_t until_ns)
{
    if (clock_mono_ns() >= until_ns)
        return false;
    fprintf(stderr, "sokoctl: %s: %s; the shop goes on, and this is tried again\n", what,
            r->why != NULL && strncmp(r->why, "another", 7) == 0
                ? r->why
                : "others hold a lock that it needs");
    poll(NULL, 0, (int)conf->migrate_lock_timeout.ms);
    return true;
}

enum deed { DEED_UP, DEED_DOWN, DEED_FUNCTIONS };

static enum err
try_once(struct migrate_run *r, enum deed deed, struct renewal *f)
{
    r->why = NULL;
    switch (deed) {
    case DEED_UP:
        return is_bare(r->now->up) ? move_bare_and_reopen(r, true) : tx_run(&r->ctx, up_work, r);
    case DEED_DOWN:
        return is_bare(r->now->down) ? move_bare_and_reopen(r, false)
                                     : tx_run(&r->ctx, down_work, r);
    case DEED_FUNCTIONS:
        return tx_run(&r->ctx, functions_work, f);
    }
    return ERR_INTERNAL;
}

/* Tries for as long as MIGRATE_PATIENCE says. */
static bool
act(struct migrate_run *r, const char *what, enum deed deed)
{
    int64_t until_ns = clock_mono_ns() + conf->migrate_patience.ms * 1000000;
    struct renewal f = {.r = r};
    enum err e;

    if (deed == DEED_FUNCTIONS && !migrate_functions(r, &f.scripts, &f.count))
        return false;
    do
        e = try_once(r, deed, &f);
    while (e == ERR_REQUEST_TIMEOUT && wait_for_locks(r, what, until_ns));
    if (e == ERR_REQUEST_TIMEOUT)
        fprintf(stderr,
                "sokoctl: %s: gave up after MIGRATE_PATIENCE: pg_stat_activity shows who has been "
                "in a transaction for long\n",
                what);
    return tell(r, what, e);
}

static const char *
title(const struct migrate_run *r)
{
    return arena_printf(r->ctx.arena, "%04d_%s", (int)r->now->version, r->now->name);
}

/* --- the commands ----------------------------------------------------------------------------- */

/* What was applied must be what lies here. */
static bool
unchanged(const struct migrate_run *r)
{
    bool good = true;

    for (size_t i = 1; i < r->file_count; i++) {
        const struct applied *row = migrate_row(r, r->files[i].version);
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
is_ahead(const struct migrate_run *r)
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
    struct migrate_run r;
    size_t done = 0;

    (void)o;
    if (!migrate_open(&r) || !unchanged(&r))
        return CTL_FAILED;
    bool good = true;
    for (size_t i = 1; good && i < r.file_count; i++) {
        if (migrate_row(&r, r.files[i].version) != NULL)
            continue;
        r.now = &r.files[i];
        good = act(&r, title(&r), DEED_UP);
        if (good)
            printf("applied %04d_%s\n", (int)r.now->version, r.now->name);
        done += good;
    }
    if (good && is_ahead(&r)) {
        puts("the database belongs to a newer version; its functions and views stay");
        return migrate_close(&r, true);
    }
    good = good && act(&r, "functions", DEED_FUNCTIONS);
    if (good && done == 0)
        puts("nothing to migrate; functions renewed");
    return migrate_close(&r, good);
}

int
ctl_migrate_down(const struct ctl_options *o)
{
    struct migrate_run r;
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
    if (!migrate_open(&r))
        return CTL_FAILED;
    bool good = true;
    for (size_t i = r.file_count - 1; good && i >= 1 && steps > 0; i--) {
        if (migrate_row(&r, r.files[i].version) == NULL)
            continue;
        r.now = &r.files[i];
        good = act(&r, title(&r), DEED_DOWN);
        if (good)
            printf("undone %04d_%s\n", (int)r.now->version, r.now->name);
        steps--;
    }
    return migrate_close(&r, good);
}

int
ctl_migrate_status(const struct ctl_options *o)
{
    struct migrate_run r;

    (void)o;
    if (!migrate_open(&r))
        return CTL_FAILED;
    for (size_t i = 1; i < r.file_count; i++) {
        const struct migration *m = &r.files[i];
        const struct applied *row = migrate_row(&r, m->version);
        printf("%04d_%-14s %s\n", (int)m->version, m->name,
               row == NULL                               ? "pending"
               : strcmp(row->checksum, m->checksum) != 0 ? "CHANGED after it was applied"
                                                         : row->applied_at);
    }
    return migrate_close(&r, unchanged(&r));
}
