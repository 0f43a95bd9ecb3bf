/*
 * sokoctl restore: a backup into a database that is empty, or is not there yet.
 *
 * The backup is held against its manifest first, each byte, so that nothing is touched for one that
 * is cut off or changed. Then the pictures, which harm nobody if the rest fails. Then the dump, in
 * one transaction: pg_restore writes SQL, we pass it on to psql between BEGIN and COMMIT, and
 * COMMIT is only said once pg_restore has ended well. Whoever is interrupted at any place leaves an
 * empty database, which can be restored into again.
 *
 * In the same transaction sql/restore/after.sql holds what may have been done since the backup: no
 * program of the shop ever sees a restored database that would send money twice.
 *
 * Rejected: pg_restore --single-transaction, straight into the database. It would commit before we
 * can hold anything. And pg_restore -j: faster, and a heap of tables if it is interrupted.
 */
#include "ctl_backup.h"

#include "base/clock.h"
#include "base/config.h"
#include "ctl.h"
#include "ctl_child.h"
#include "ctl_few.h"
#include "io/pg.h"
#include "io/pg_probe.h"
#include "io/tx.h"
#include "shop/audit.h"
#include "shop/audit_verify.h"
#include "shop/stmt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define PIECE 65536
#define MAJOR 10000
#define APP_ROLE "soko_app"
#define MAINTENANCE "postgres" /* a database that each server has */
#define LONG_AGO_MS INT64_C(3000000000000)

struct count_row {
    int64_t n, tables;
};
static const struct field n_fields[] = {FIELD(struct count_row, n)};
static const struct input n_row = {
    .name = "Count", .size = sizeof(struct count_row), .fields = n_fields, .count = 1};
static const struct field tables_fields[] = {FIELD(struct count_row, tables)};
static const struct input tables_row = {
    .name = "Tables", .size = sizeof(struct count_row), .fields = tables_fields, .count = 1};

static const char *const keeping[] = {"KEEPING_", "LEDGER_", "AUDIT_", NULL};
static const char *const catalogues[] = {"KEEPING_DATABASES", "KEEPING_ROLES", "KEEPING_TABLES",
                                         NULL};

/* --- the dump --------------------------------------------------------------------------------- */

static bool
put(int to, const char *data, size_t len)
{
    ssize_t n;

    for (size_t done = 0; done < len; done += (size_t)n) {
        if ((n = write(to, data + done, len - done)) <= 0)
            return false;
    }
    return true;
}

/* A file of SQL_DIR/restore. */
static bool
put_file(struct arena *a, int to, const char *name)
{
    size_t len;
    char *data = ctl_read_file(a, arena_printf(a, "%s/restore/%s", conf->sql_dir, name), &len);

    return data != NULL && put(to, data, len);
}

static bool
relay(struct arena *a, int from, int to)
{
    char *piece = arena_alloc(a, PIECE);
    ssize_t n;

    while ((n = read(from, piece, PIECE)) > 0) {
        if (!put(to, piece, (size_t)n))
            return false;
    }
    return n == 0;
}

/* What goes to psql, up to COMMIT. False if anything went wrong: psql then meets the end of its
 * input in an open transaction, and rolls back. */
static bool
say_all(struct arena *a, const char *pg_restore, const char *dump, int psql, bool hold)
{
    const char *const argv[] = {pg_restore, "--no-owner", "--exit-on-error",
                                "--file=-", dump,         NULL};
    int ends[2];

    if (!put_file(a, psql, "before.sql") || pipe2(ends, O_CLOEXEC) != 0)
        return false;
    pid_t pid = ctl_child_start(&(struct ctl_child){.argv = argv, .in = -1, .out = ends[1]});
    close(ends[1]);
    bool good = pid > 0 && relay(a, ends[0], psql);
    close(ends[0]);
    good = pid > 0 && ctl_child_wait(pid, pg_restore) && good;
    return good && (!hold || put_file(a, psql, "after.sql")) && put_file(a, psql, "commit.sql");
}

bool
restore_dump(struct arena *a, const char *url, const char *path, const struct manifest *m,
             bool hold)
{
    struct pg_probe probe;
    int ends[2];

    if (!pg_probe(a, url, conf->database_connect_timeout.ms, &probe)) {
        fprintf(stderr, "sokoctl: DATABASE_URL: %s\n", probe.why);
        return false;
    }
    int version = m->server > probe.version ? (int)m->server : probe.version;
    const char *pg_restore = ctl_child_program(a, "pg_restore", version);
    const char *psql = ctl_child_program(a, "psql", version);
    if (pg_restore == NULL || psql == NULL || pipe2(ends, O_CLOEXEC) != 0)
        return false;
    const char *const argv[] = {
        psql, "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--file=-", NULL};
    const char *const *env = pg_url_environment(a, url);
    signal(SIGPIPE, SIG_IGN); /* psql that gives up is an answer */
    pid_t pid =
        ctl_child_start(&(struct ctl_child){.argv = argv, .env = env, .in = ends[0], .out = -1});
    close(ends[0]);
    const char *dump = arena_printf(a, "%s/%s", path, MANIFEST_DUMP);
    bool good = pid > 0 && say_all(a, pg_restore, dump, ends[1], hold);
    close(ends[1]);
    return pid > 0 && ctl_child_wait(pid, psql) && good;
}

/* --- whether it is right ---------------------------------------------------------------------- */

/* "1204:9f86d0..." */
static struct audit_anchor
anchor_of(const char *head)
{
    struct audit_anchor anchor = {0};
    char *end;

    if (head != NULL) {
        anchor.number = strtoll(head, &end, 10);
        anchor.mac = *end == ':' ? end + 1 : "";
    }
    return anchor;
}

static enum err
compare_work(struct ctx *ctx, void *arg)
{
    enum err e = pg_run(ctx, KEEPING_SNAPSHOT, ARG_NONE);

    if (e == OK)
        e = pg_run(ctx, KEEPING_NO_LIMIT, ARG_NONE);
    return e == OK ? manifest_read_database(ctx, arg) : e;
}

bool
restore_is_right(struct arena *a, const char *url, const struct manifest *m, bool held)
{
    struct ctx *ctx = ctl_few(a, url, keeping);
    const struct audit_question q = {.head = anchor_of(m->audit_head), .late_ms = LONG_AGO_MS};
    struct manifest is = {0};
    size_t ledger = 0, audit = 0;
    FILE *said = tmpfile();

    (void)held;
    enum err e = said != NULL ? tx_run(ctx, compare_work, &is) : ERR_INTERNAL;
    size_t differ = e == OK ? manifest_compare(m, &is) : 0;
    if (e == OK)
        e = ledger_check(ctx, said, &ledger);
    if (e == OK)
        e = audit_verify(ctx, said, &q, &audit, NULL);
    if (e != OK)
        ctl_complain(ctx, e);
    if (ledger + audit > 0) {
        char line[1024];
        rewind(said);
        while (fgets(line, sizeof(line), said) != NULL)
            fputs(line, stderr);
    }
    if (said != NULL)
        fclose(said);
    if (ledger > 0)
        fprintf(stderr, "sokoctl: the restored ledger has %zu faults\n", ledger);
    if (audit > 0)
        fprintf(stderr, "sokoctl: the restored audit log has %zu faults; is DATA_KEY the shop's?\n",
                audit);
    return e == OK && differ + ledger + audit == 0;
}

/* --- a rehearsal ------------------------------------------------------------------------------ */

static bool
run_client(struct arena *a, const char *name, int version, const char *const *words)
{
    const char *argv[8] = {ctl_child_program(a, name, version), "--no-password",
                           "--maintenance-db=" MAINTENANCE};
    size_t n = 3;

    if (argv[0] == NULL)
        return false;
    while (*words != NULL)
        argv[n++] = *words++;
    return ctl_child_run(&(struct ctl_child){
        .argv = argv, .env = pg_url_environment(a, conf->database_url), .in = -1, .out = -1});
}

static bool
make_database(struct arena *a, const char *name, int version)
{
    const char *const words[] = {"--encoding=UTF8", "--template=template0", name, NULL};

    if (run_client(a, "createdb", version, words))
        return true;
    fprintf(stderr,
            "sokoctl: the database %s could not be made: ALTER ROLE ... CREATEDB, or, to restore "
            "into it, make it yourself: createdb -T template0 -O OWNER %s\n",
            name, name);
    return false;
}

/* Where to ask about databases: one that is there for sure. */
static bool
probe_server(struct arena *a, struct pg_probe *probe)
{
    const char *url = pg_url_with(a, conf->database_url, MAINTENANCE);

    if (url != NULL && pg_probe(a, url, conf->database_connect_timeout.ms, probe))
        return true;
    fprintf(stderr, "sokoctl: DATABASE_URL: %s\n", url != NULL ? probe->why : "is no address");
    return false;
}

bool
restore_rehearse(struct arena *a, const char *path)
{
    struct manifest m;
    struct pg_probe probe;
    const char *name = arena_printf(a, "soko_check_%ld", (long)getpid());
    const char *const drop[] = {"--if-exists", "--force", name, NULL};

    if (!manifest_read(a, path, &m) || !manifest_verify_files(a, path, &m) ||
        !probe_server(a, &probe) || !make_database(a, name, probe.version))
        return false;
    /* A signal ends the children; we drop what we have made. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    struct arena *own = arena_new();
    const char *url = pg_url_with(own, conf->database_url, name);
    bool good = url != NULL && restore_dump(own, url, path, &m, false) &&
                restore_is_right(own, url, &m, false);
    arena_free(own); /* closes the connection to it */
    good = run_client(a, "dropdb", probe.version, drop) && good;
    if (good)
        printf("%s: restored and dropped again; rows, ledger and audit log are as the manifest "
               "says\n",
               path);
    return good;
}

/* --- in earnest ------------------------------------------------------------------------------- */

static enum err
ask(struct arena *a, const char *url, int stmt, const struct input *row, struct count_row *out,
    const char *word)
{
    struct ctx *ctx = ctl_few(a, url, catalogues);
    enum err e = word != NULL ? pg_one(ctx, stmt, row, out, ARG_TEXT(word))
                              : pg_one(ctx, stmt, row, out, ARG_NONE);

    if (e != OK)
        ctl_complain(ctx, e);
    return e;
}

/* The database of DATABASE_URL is there and empty, made if need be; the role is the right one. */
static bool
prepare_target(struct arena *a, const struct manifest *m)
{
    const char *server = pg_url_with(a, conf->database_url, MAINTENANCE);
    const char *name = pg_url_database(a, conf->database_url);
    struct pg_probe probe;
    struct count_row found = {0};

    if (!probe_server(a, &probe))
        return false;
    if (name[0] == '\0')
        name = probe.role;
    if (m->server / MAJOR > probe.version / MAJOR) {
        fprintf(stderr,
                "sokoctl: the backup is of PostgreSQL %" PRId64 ", and this server is %d: restore "
                "into one that is as new\n",
                m->server / MAJOR, probe.version / MAJOR);
        return false;
    }
    if (strcmp(probe.role, m->owner) != 0) {
        fprintf(stderr,
                "sokoctl: the backup is of the owner %s, and DATABASE_URL is %s's: restore as the "
                "same role\n",
                m->owner, probe.role);
        return false;
    }
    if (ask(a, server, KEEPING_ROLES, &n_row, &found, APP_ROLE) != OK)
        return false;
    if (found.n == 0) {
        fprintf(stderr, "sokoctl: the role " APP_ROLE " is not there: soko-setup makes it, or "
                        "CREATE ROLE " APP_ROLE " LOGIN\n");
        return false;
    }
    if (ask(a, server, KEEPING_DATABASES, &n_row, &found, name) != OK)
        return false;
    if (found.n == 0)
        return make_database(a, name, probe.version);
    if (ask(a, conf->database_url, KEEPING_TABLES, &tables_row, &found, NULL) != OK)
        return false;
    if (found.tables > 0)
        fprintf(stderr,
                "sokoctl: the database %s is not empty (%" PRId64 " tables and the like): restore "
                "goes into an empty one, or one that is not there. Rename or drop this one, or let "
                "DATABASE_URL name another\n",
                name, found.tables);
    return found.tables == 0;
}

static enum err
note_work(struct ctx *ctx, void *arg)
{
    const struct manifest *m = arg;

    audit_note(ctx, AUDIT_DATABASE_RESTORED, (struct uuid){0}, "made_at", m->made_at);
    return OK;
}

/* What happened since the backup, somebody must find out. */
static void
tell_what_to_do(const struct manifest *m)
{
    printf(
        "restored as of %s. Before the shop opens again:\n"
        "  1. redis-cli FLUSHDB: Redis knows sessions that this database does not\n"
        "  2. sokoctl migrate up: functions, and what a newer program needs\n"
        "  3. sokoctl doctor: whether roles, rights, folders and keys are as they must be\n"
        "  4. sokoctl ledger check --books FILE, by what the providers say is with them now: the\n"
        "     difference is the money that moved since\n"
        "  5. sokoctl outbox list: refunds and messages are held; look at the provider whether\n"
        "     each was done since, then retry or drop it\n"
        "  6. sokoctl audit verify%s%s: then let the nightly check begin anew from here\n"
        "Orders and payments since are not in it: docs/backup.html says how to find them.\n",
        m->made_at, m->audit_head != NULL ? " --head " : "",
        m->audit_head != NULL ? m->audit_head : "");
}

static bool
restore(struct arena *a, const char *path, const struct manifest *m)
{
    int64_t pictures = 0;

    if (!prepare_target(a, m))
        return false;
    if (m->has_media &&
        !backup_media_restore(arena_printf(a, "%s/%s", path, MANIFEST_MEDIA), &pictures))
        return false;
    if (!restore_dump(a, conf->database_url, path, m, true)) {
        fprintf(stderr, "sokoctl: nothing was restored; the database is empty\n");
        return false;
    }
    if (m->has_media)
        printf("%" PRId64 " pictures are in MEDIA_DIR, %" PRId64 " of them new\n", m->media_files,
               pictures);
    else
        puts("the backup holds no pictures: bring MEDIA_DIR back from where you keep it");
    bool right = restore_is_right(a, conf->database_url, m, true);
    struct ctx *ctx = ctl_few(a, conf->database_url, keeping);
    ctx->actor = ctl_open()->actor;
    enum err e = tx_run(ctx, note_work, (void *)(uintptr_t)m);
    if (e != OK)
        ctl_complain(ctx, e);
    tell_what_to_do(m);
    return right && e == OK;
}

int
ctl_restore(const struct ctl_options *o)
{
    struct arena *a = arena_new();
    struct manifest m;
    bool good;

    if (o->argc != 1) {
        fprintf(stderr, "sokoctl: restore takes one backup, such as "
                        "/var/backups/soko/soko-20260220T100000Z\n");
        return EX_USAGE;
    }
    if (o->check) {
        good = restore_rehearse(a, o->argv[0]);
    } else {
        good = manifest_read(a, o->argv[0], &m) && manifest_verify_files(a, o->argv[0], &m);
        if (good && m.schema > SCHEMA_VERSION) {
            fprintf(stderr,
                    "sokoctl: the backup has schema %" PRId64
                    ", and this program knows %d: install "
                    "Soko %s or newer\n",
                    m.schema, SCHEMA_VERSION, m.soko);
            good = false;
        }
        good = good && restore(a, o->argv[0], &m);
    }
    arena_free(a);
    return good ? 0 : CTL_FAILED;
}
