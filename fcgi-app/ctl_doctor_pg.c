/*
 * doctor: PostgreSQL, and what the shop's roles may there.
 *
 * It may be asked with the owner's address or with the workers': which of them it is, is told, and
 * the rights of the workers' role are looked at in either case, because it is that role that faces
 * the world.
 */
#include "ctl_doctor.h"

#include "base/clock.h"
#include "base/config.h"
#include "ctl_few.h"
#include "io/pg.h"
#include "io/pg_probe.h"
#include "io/secret.h"
#include "shop/stmt.h"

#include <dirent.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APP_ROLE "soko_app"
#define OLDEST_SERVER 150000
#define NEWEST_SERVER 150000 /* that this was tested with, as its major version */
#define MAJOR 10000
#define JOBS 5   /* connections of soko-jobs: its lanes, and its watch */
#define SPARE 10 /* connections for sysadmins, backups and monitoring */
#define LONG_TRANSACTION_MS INT64_C(600000)
#define NUMBER_DIGITS 4

struct facts_row {
    const char *database, *role, *version, *owner;
    bool is_standby;
    int64_t now_ms;
};
static const struct field facts_row_fields[] = {
    FIELD(struct facts_row, database),   FIELD(struct facts_row, role),
    FIELD(struct facts_row, version),    FIELD(struct facts_row, owner),
    FIELD(struct facts_row, is_standby), FIELD(struct facts_row, now_ms),
};
static const struct input facts_row = INPUT(facts_row, "ServerFacts", NULL);

struct rights_row {
    const char *role;
    bool is_superuser, may_create_databases, may_create_roles, is_mighty, may_create;
    bool may_create_schemas, is_owner;
    int64_t owns, may_rewrite, may_not_read;
};
static const struct field rights_row_fields[] = {
    FIELD(struct rights_row, role),
    FIELD(struct rights_row, is_superuser),
    FIELD(struct rights_row, may_create_databases),
    FIELD(struct rights_row, may_create_roles),
    FIELD(struct rights_row, is_mighty),
    FIELD(struct rights_row, may_create),
    FIELD(struct rights_row, may_create_schemas),
    FIELD(struct rights_row, is_owner),
    FIELD(struct rights_row, owns),
    FIELD(struct rights_row, may_rewrite),
    FIELD(struct rights_row, may_not_read),
};
static const struct input rights_row = INPUT(rights_row, "RoleRights", NULL);

struct setting_row {
    const char *name, *setting, *unit;
};
static const struct field setting_row_fields[] = {
    FIELD(struct setting_row, name),
    FIELD(struct setting_row, setting),
    FIELD(struct setting_row, unit),
};
static const struct input setting_row = INPUT(setting_row, "ServerSetting", NULL);

struct sessions_row {
    int64_t connections, api, lanes, unseen, oldest_ms;
};
static const struct field sessions_row_fields[] = {
    FIELD(struct sessions_row, connections), FIELD(struct sessions_row, api),
    FIELD(struct sessions_row, lanes),       FIELD(struct sessions_row, unseen),
    FIELD(struct sessions_row, oldest_ms),
};
static const struct input sessions_row = INPUT(sessions_row, "ServerSessions", NULL);

struct standbys_row {
    int64_t standbys, synchronous;
};
static const struct field standbys_row_fields[] = {
    FIELD(struct standbys_row, standbys),
    FIELD(struct standbys_row, synchronous),
};
static const struct input standbys_row = INPUT(standbys_row, "Standbys", NULL);

struct name_row {
    const char *name;
};
static const struct field name_row_fields[] = {FIELD(struct name_row, name)};
static const struct input name_row = INPUT(name_row, "DatabaseName", NULL);

struct applied_row {
    int64_t version;
    const char *name, *checksum;
};
static const struct field applied_row_fields[] = {
    FIELD(struct applied_row, version),
    FIELD(struct applied_row, name),
    FIELD(struct applied_row, checksum),
};
static const struct input applied_row = INPUT(applied_row, "AppliedMigration", NULL);

/* --- whether it answers ----------------------------------------------------------------------- */

static void
look_at_facts(struct doctor *d, const struct pg_probe *probe)
{
    static const char *const needed[] = {"DOCTOR_", NULL};
    struct ctx *ctx = ctl_few(d->arena, conf->database_url, needed);
    struct facts_row f = {0};

    enum err e = pg_one(ctx, DOCTOR_FACTS, &facts_row, &f, ARG_NONE);
    int64_t before = clock_ms();
    if (e == OK) /* once more, now that it is connected: how long the way is matters */
        e = pg_one(ctx, DOCTOR_FACTS, &facts_row, &f, ARG_NONE);
    if (e != OK) {
        doctor_say(d, FOUND_WRONG, "look into its log", "it lets us in, and answers nothing: %s",
                   err_message(e));
        return;
    }
    d->server = ctx;
    d->pg.answers = true;
    d->pg.is_local = probe->is_local;
    d->pg.is_standby = f.is_standby;
    d->pg.role = f.role;
    d->pg.owner = f.owner;
    d->pg.ahead_ms = f.now_ms - (before + (clock_ms() - before) / 2);
    doctor_say(d, FOUND_GOOD, NULL, "%s answers as %s in %s, %s's", f.version, f.role, f.database,
               f.owner);
    if (f.is_standby)
        doctor_say(d, FOUND_WRONG,
                   "let DATABASE_URL name all servers, with target_session_attrs=read-write",
                   "the server that answers is a standby: nothing can be written");
    if (!probe->is_local && !probe->has_tls)
        doctor_say(d, FOUND_WARNING, "add sslmode=verify-full to DATABASE_URL",
                   "the connection to %s is not encrypted", probe->host);
}

void
doctor_postgresql(struct doctor *d)
{
    struct pg_probe probe;

    if (conf->database_url[0] == '\0' || pg_url_fault(conf->database_url) != NULL) {
        doctor_say(d, FOUND_SKIPPED, NULL, "DATABASE_URL is no address");
        return;
    }
    if (!pg_probe(d->arena, conf->database_url, conf->database_connect_timeout.ms, &probe)) {
        doctor_say(d, FOUND_WRONG,
                   "systemctl status postgresql; is DATABASE_URL's host, role and password right?",
                   "%s", probe.why);
        return;
    }
    if (probe.version < OLDEST_SERVER)
        doctor_say(d, FOUND_WRONG, "upgrade to PostgreSQL 15",
                   "the server is %d, and Soko needs 15", probe.version / MAJOR);
    look_at_facts(d, &probe);
}

/* --- rights ----------------------------------------------------------------------------------- */

static void
say_if(struct doctor *d, bool wrong, const char *remedy, const char *role, const char *what)
{
    if (wrong)
        doctor_say(d, FOUND_WRONG, remedy, "%s %s", role, what);
}

static void
look_at_rights(struct doctor *d, const struct rights_row *r)
{
    size_t before = d->counts[FOUND_WRONG];
    const char *alter = arena_printf(d->arena,
                                     "as postgres: ALTER ROLE %s NOSUPERUSER NOCREATEDB "
                                     "NOCREATEROLE NOREPLICATION NOBYPASSRLS",
                                     r->role);

    say_if(d, r->is_superuser, alter, r->role, "is a superuser: it may do anything");
    if (!r->is_superuser) {
        say_if(d, r->may_create_databases || r->may_create_roles || r->is_mighty, alter, r->role,
               "may make databases or roles, replicate, or pass row security");
        say_if(d, r->is_owner, arena_printf(d->arena, "REVOKE %s FROM %s", d->pg.owner, r->role),
               r->role, "acts as the owner of the database");
        say_if(
            d, r->owns > 0 && !r->is_owner,
            arena_printf(d->arena, "as postgres: REASSIGN OWNED BY %s TO %s", r->role, d->pg.owner),
            r->role, "owns tables");
        say_if(d, r->may_create,
               arena_printf(d->arena, "REVOKE CREATE ON SCHEMA public FROM PUBLIC, %s", r->role),
               r->role, "may make tables");
        say_if(d, r->may_create_schemas && !r->is_owner,
               arena_printf(d->arena, "REVOKE CREATE ON DATABASE soko FROM PUBLIC, %s", r->role),
               r->role, "may make schemas");
        say_if(d, r->may_rewrite > 0,
               arena_printf(d->arena,
                            "REVOKE UPDATE, DELETE, TRUNCATE ON ledger_transactions, "
                            "ledger_entries, audit_log, audit_chain, order_events FROM %s",
                            r->role),
               r->role, "may rewrite the ledger, the audit log or the history of orders");
        say_if(d, r->may_not_read > 0,
               arena_printf(d->arena,
                            "as the owner: GRANT SELECT, INSERT, UPDATE, DELETE on what is new, "
                            "as sql/schema/0001 says: did another role than %s migrate?",
                            d->pg.owner),
               r->role, "may not read all tables");
    }
    if (d->counts[FOUND_WRONG] == before)
        doctor_say(d, FOUND_GOOD, NULL,
                   "%s, the workers' role, owns nothing and may change rows only", r->role);
}

void
doctor_rights(struct doctor *d)
{
    struct rights_row r = {0};
    /* The workers' role; whoever calls his otherwise connects as it. */
    const char *role = APP_ROLE;

    if (d->server == NULL) {
        doctor_say(d, FOUND_SKIPPED, NULL, "PostgreSQL does not answer");
        return;
    }
    enum err e = pg_one(d->server, DOCTOR_RIGHTS, &rights_row, &r, ARG_TEXT(role));
    if (e == ERR_NOT_FOUND) {
        doctor_say(d, FOUND_WRONG, "soko-setup, or as postgres: CREATE ROLE " APP_ROLE " LOGIN",
                   "there is no role " APP_ROLE ", which the migrations grant rights to");
        return;
    }
    if (e == OK)
        look_at_rights(d, &r);
    if (e == OK && strcmp(d->pg.role, role) != 0 && strcmp(d->pg.role, d->pg.owner) != 0) {
        e = pg_one(d->server, DOCTOR_RIGHTS, &rights_row, &r, ARG_TEXT(d->pg.role));
        if (e == OK)
            look_at_rights(d, &r);
    }
    if (e != OK)
        doctor_say(d, FOUND_SKIPPED, NULL, "it could not be asked: %s", err_message(e));
    else if (strcmp(d->pg.role, d->pg.owner) == 0)
        doctor_say(
            d, FOUND_GOOD, NULL,
            "this DATABASE_URL is the owner's: for sokoctl; soko-api and soko-jobs have that "
            "of " APP_ROLE);
}

/* --- settings --------------------------------------------------------------------------------- */

/* What a setting must be, or must not. */
static const struct rule {
    const char *name, *bad, *good; /* `bad`: wrong if it is so; `good`: wrong if it is not */
    enum finding found;
    const char *why, *remedy;
} rules[] = {
    {"fsync", "off", NULL, FOUND_WRONG, "a crash of the machine destroys the database",
     "ALTER SYSTEM SET fsync = on, then reload"},
    {"full_page_writes", "off", NULL, FOUND_WRONG, "a crash of the machine may destroy pages",
     "ALTER SYSTEM SET full_page_writes = on, then reload"},
    {"synchronous_commit", "off", NULL, FOUND_WRONG,
     "a crash loses orders and payments that were acknowledged",
     "ALTER SYSTEM SET synchronous_commit = on, then reload"},
    {"autovacuum", "off", NULL, FOUND_WRONG, "tables grow without end",
     "ALTER SYSTEM SET autovacuum = on, then reload"},
    {"log_error_verbosity", NULL, "terse", FOUND_WARNING,
     "a refused row is written into PostgreSQL's log, with what stood in it",
     "ALTER SYSTEM SET log_error_verbosity = terse, then reload"},
    {"log_min_error_statement", NULL, "panic", FOUND_WARNING,
     "statements that fail are written into PostgreSQL's log",
     "ALTER SYSTEM SET log_min_error_statement = panic, then reload"},
    {"log_statement", "all", NULL, FOUND_WARNING,
     "all statements are written into PostgreSQL's log, with their values",
     "ALTER SYSTEM SET log_statement = ddl, then reload"},
    {"log_timezone", NULL, "UTC", FOUND_WARNING,
     "times in PostgreSQL's log are not those of the shop's logs",
     "ALTER SYSTEM SET log_timezone = 'UTC', then reload"},
    {"password_encryption", "md5", NULL, FOUND_WARNING, "new passwords are hashed by MD5",
     "ALTER SYSTEM SET password_encryption = 'scram-sha-256', reload, set the passwords anew"},
};

static const char *
setting_of(const struct setting_row *rows, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].setting;
    }
    return "";
}

static bool
is_utc(const char *zone)
{
    return strcmp(zone, "UTC") == 0 || strcmp(zone, "Etc/UTC") == 0 || strcmp(zone, "GMT") == 0;
}

static void
hold_against_rules(struct doctor *d, const struct setting_row *rows, size_t count)
{
    size_t before = d->counts[FOUND_WRONG] + d->counts[FOUND_WARNING];

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const struct rule *r = &rules[i];
        const char *is = setting_of(rows, count, r->name);
        bool bad = r->bad != NULL ? strcmp(is, r->bad) == 0 : strcmp(is, r->good) != 0;
        if (strcmp(r->name, "log_timezone") == 0)
            bad = !is_utc(is);
        if (bad && is[0] != '\0')
            doctor_say(d, r->found, r->remedy, "%s = %s: %s", r->name, is, r->why);
    }
    if (strcmp(setting_of(rows, count, "log_min_duration_statement"), "-1") != 0 &&
        strcmp(setting_of(rows, count, "log_parameter_max_length"), "0") != 0)
        doctor_say(d, FOUND_WARNING, "ALTER SYSTEM SET log_parameter_max_length = 0, then reload",
                   "slow statements are written into PostgreSQL's log with their values: tokens, "
                   "addresses, telephone numbers");
    if (d->counts[FOUND_WRONG] + d->counts[FOUND_WARNING] == before)
        doctor_say(d, FOUND_GOOD, NULL, "durable, and its log keeps what people say to itself");
}

static void
look_at_standbys(struct doctor *d, const struct setting_row *rows, size_t count)
{
    const char *names = setting_of(rows, count, "synchronous_standby_names");
    struct standbys_row s = {0};

    if (names[0] == '\0' || pg_one(d->server, DOCTOR_STANDBYS, &standbys_row, &s, ARG_NONE) != OK ||
        s.standbys == 0)
        return;
    doctor_say(d, s.synchronous > 0 ? FOUND_GOOD : FOUND_WRONG,
               s.synchronous > 0 ? NULL : "bring the standby back: each COMMIT waits for it",
               "%" PRId64 " standbys, %" PRId64 " of them synchronous", s.standbys, s.synchronous);
}

void
doctor_pg_settings(struct doctor *d)
{
    struct setting_row *rows;
    size_t count;

    if (d->server == NULL) {
        doctor_say(d, FOUND_SKIPPED, NULL, "PostgreSQL does not answer");
        return;
    }
    enum err e = pg_all(d->server, DOCTOR_SETTINGS, &setting_row, &rows, &count, ARG_NONE);
    if (e != OK) {
        doctor_say(d, FOUND_SKIPPED, NULL, "it could not be asked: %s", err_message(e));
        return;
    }
    d->pg.max_connections =
        strtoll(setting_of(rows, count, "max_connections"), NULL, 10) -
        strtoll(setting_of(rows, count, "superuser_reserved_connections"), NULL, 10);
    hold_against_rules(d, rows, count);
    look_at_standbys(d, rows, count);
}

/* --- connections ------------------------------------------------------------------------------ */

static int64_t
cores(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

void
doctor_connections(struct doctor *d)
{
    struct sessions_row s = {0};
    struct name_row *left;
    size_t count;
    int64_t fast = conf->workers_fast > 0 ? conf->workers_fast : 4 * cores();
    int64_t hash = conf->workers_hash > 0 ? conf->workers_hash : cores();
    int64_t ours = fast + hash + conf->workers_wire + JOBS;

    if (d->server == NULL ||
        pg_one(d->server, DOCTOR_SESSIONS, &sessions_row, &s, ARG_NONE) != OK) {
        doctor_say(d, FOUND_SKIPPED, NULL, "PostgreSQL does not answer");
        return;
    }
    if (d->pg.max_connections > 0 && ours + SPARE > d->pg.max_connections)
        doctor_say(d, FOUND_WRONG,
                   arena_printf(d->arena,
                                "ALTER SYSTEM SET max_connections = %" PRId64
                                " and restart PostgreSQL, or lower WORKERS_FAST",
                                2 * (ours + SPARE)),
                   "this host's workers take %" PRId64 " connections, and all may have %" PRId64,
                   ours, d->pg.max_connections);
    else
        doctor_say(d, FOUND_GOOD, NULL,
                   "%" PRId64 " of %" PRId64 " are taken; this host's workers need %" PRId64,
                   s.connections, d->pg.max_connections, ours);
    if (s.oldest_ms > LONG_TRANSACTION_MS)
        doctor_say(d, FOUND_WARNING, "look into pg_stat_activity, by xact_start",
                   "a transaction is open for %s: it keeps dead rows from being removed",
                   doctor_age(d, s.oldest_ms));
    if (pg_all(d->server, DOCTOR_LEFTOVERS, &name_row, &left, &count, ARG_NONE) != OK)
        count = 0;
    for (size_t i = 0; i < count; i++)
        doctor_say(d, FOUND_WARNING,
                   arena_printf(d->arena, "dropdb %s, if nobody is at it", left[i].name),
                   "the database %s was left by a rehearsal that was killed", left[i].name);
}

/* --- migrations ------------------------------------------------------------------------------- */

static int
is_up(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 7 && strcmp(entry->d_name + len - 7, ".up.sql") == 0;
}

/* What is applied of the file `name`, or NULL. */
static const struct applied_row *
row_of(const struct applied_row *rows, size_t count, const char *name)
{
    long version = strtol(name, NULL, 10);

    for (size_t i = 0; i < count; i++) {
        if (rows[i].version == version)
            return &rows[i];
    }
    return NULL;
}

/* False if the shop's statements cannot be expected to fit. */
static bool
compare_files(struct doctor *d, const struct applied_row *rows, size_t count)
{
    const char *dir = arena_printf(d->arena, "%s/schema", conf->sql_dir);
    struct dirent **entries;
    int n = scandir(dir, &entries, is_up, alphasort);
    size_t pending = 0, before = d->counts[FOUND_WRONG];
    int64_t newest = 0;

    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        const struct applied_row *row = row_of(rows, count, name);
        uint8_t digest[SHA256_SIZE];
        size_t len;
        char *sql = ctl_read_file(d->arena, arena_printf(d->arena, "%s/%s", dir, name), &len);
        newest = strtol(name, NULL, 10);
        pending += row == NULL && newest > 0;
        if (sql != NULL && row != NULL) {
            secret_sha256(sql, len, digest);
            if (strcmp(row->checksum, secret_hex(d->arena, digest, sizeof(digest))) != 0)
                doctor_say(d, FOUND_WRONG, "install the package anew: nobody may edit these files",
                           "%.*s was changed after it was applied", (int)(strlen(name) - 7), name);
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    if (n <= 0)
        doctor_say(d, FOUND_WRONG, "set SQL_DIR, or install the package anew",
                   "SQL_DIR: %s holds no migrations", dir);
    if (pending > 0)
        doctor_say(d, FOUND_WRONG, "sokoctl backup, then sokoctl migrate up",
                   "%zu are pending: the database is behind this program", pending);
    if (count > 0 && rows[count - 1].version > SCHEMA_VERSION)
        doctor_say(d, FOUND_WARNING, "install the newer Soko here too",
                   "the database has %" PRId64 ", this program knows %d", rows[count - 1].version,
                   SCHEMA_VERSION);
    if (d->counts[FOUND_WRONG] == before)
        doctor_say(d, FOUND_GOOD, NULL, "all %zu are applied, none was changed", count);
    return pending == 0;
}

void
doctor_migrations(struct doctor *d)
{
    static const char *const needed[] = {"MIGRATE_LIST", NULL};
    struct applied_row *rows;
    size_t count;

    if (!d->pg.answers) {
        doctor_say(d, FOUND_SKIPPED, NULL, "PostgreSQL does not answer");
        return;
    }
    struct ctx *ctx = ctl_few(d->arena, conf->database_url, needed);
    enum err e = pg_all(ctx, MIGRATE_LIST, &applied_row, &rows, &count, ARG_NONE);
    if (e != OK) {
        doctor_say(d, FOUND_WRONG, "sokoctl migrate up",
                   "the database is empty, or not the shop's");
        return;
    }
    if (!compare_files(d, rows, count))
        return;
    struct ctx *shop = ctl_open();
    if (pg_open(shop->pg) == OK) {
        d->shop = shop;
        d->pg.has_schema = true;
    } else {
        doctor_say(d, FOUND_WRONG, "sokoctl migrate up; if that helps not, the journal says which",
                   "statements of this program cannot be prepared on this database");
    }
}
