/*
 * sokoctl backup: a folder that is whole, or not there.
 *
 * All is written into a folder beside, whose name begins with a dot, synced, and renamed at the
 * end. Whoever is killed leaves such a folder, which the next backup removes: a lock on the folder
 * of the backups says that nobody is at it.
 *
 * The manifest's numbers and pg_dump's rows are of one snapshot, which our own transaction has
 * exported and keeps until the dump is done (pg_dump --snapshot), so that a shop at work is backed
 * up as it was in one moment, and a restored one can be held against the numbers.
 *
 * Rejected: one archive file. A folder needs no room for a second copy of the dump, pg_restore
 * reads it as it is, pictures are shared between backups by links (ctl_backup_media.c), and tar,
 * rsync and age do the rest. Also rejected: encryption here. Whoever takes backups off the machine
 * has a tool and a key for that.
 */
#include "ctl_backup.h"

#include "base/clock.h"
#include "base/config.h"
#include "ctl.h"
#include "ctl_child.h"
#include "ctl_few.h"
#include "io/digest.h"
#include "io/pg.h"
#include "io/pg_probe.h"
#include "io/tx.h"
#include "shop/stmt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define PRIVATE_FOLDER 0700
#define NAME_SIZE 32
#define PARTIAL ".partial-"
#define REMOVED ".removed-"
#define TOLD_MOST 10 /* missing pictures that are named */

struct text_row {
    const char *id, *url;
};
static const struct field id_fields[] = {FIELD(struct text_row, id)};
static const struct input id_row = {
    .name = "SnapshotId", .size = sizeof(struct text_row), .fields = id_fields, .count = 1};
static const struct field url_fields[] = {FIELD(struct text_row, url)};
static const struct input url_row = {
    .name = "MediaUrl", .size = sizeof(struct text_row), .fields = url_fields, .count = 1};

/* A backup that is being made. */
struct making {
    struct arena *arena;
    const char *folder; /* of the backups */
    const char *name;   /* what it will be called */
    const char *path;   /* where it grows */
    const char *before; /* the newest other, or NULL */
    const char *program;
    bool no_media;
    struct text_row *urls;
    size_t url_count;
    struct manifest manifest;
};

/* --- removing --------------------------------------------------------------------------------- */

static int
is_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Removes a folder of ours, `deep` levels of folders in it. What is no file of a backup's stays,
 * and so does the folder. Of a link to elsewhere the link goes, and nothing of what it leads to. */
static void
remove_tree(const char *path, int deep)
{
    struct arena *a = arena_new();
    struct dirent **entries;
    struct stat is;

    if (lstat(path, &is) != 0 || !S_ISDIR(is.st_mode)) {
        if (unlink(path) != 0 && errno != ENOENT)
            fprintf(stderr, "sokoctl: %s: %s\n", path, strerror(errno));
        arena_free(a);
        return;
    }
    int n = scandir(path, &entries, is_entry, alphasort);
    for (int i = 0; i < n; i++) {
        const char *entry = arena_printf(a, "%s/%s", path, entries[i]->d_name);
        struct stat st;
        if (lstat(entry, &st) == 0 && S_ISDIR(st.st_mode) && deep > 0)
            remove_tree(entry, deep - 1);
        else
            unlink(entry);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    if (rmdir(path) != 0 && errno != ENOENT)
        fprintf(stderr, "sokoctl: %s: %s\n", path, strerror(errno));
    arena_free(a);
}

/* What was begun and never became whole, or was being removed. */
static void
remove_leftovers(struct arena *a, const char *folder)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_entry, alphasort);

    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        if ((strncmp(name, PARTIAL, strlen(PARTIAL)) == 0 &&
             manifest_is_name(name + strlen(PARTIAL))) ||
            (strncmp(name, REMOVED, strlen(REMOVED)) == 0 &&
             manifest_is_name(name + strlen(REMOVED))))
            remove_tree(arena_printf(a, "%s/%s", folder, name), 2);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

static int
is_backup(const struct dirent *entry)
{
    return manifest_is_name(entry->d_name);
}

/* Removes all but the newest `keep`. A backup is known by its name and its manifest; it loses its
 * name first, so that none looks whole that is not. */
static void
remove_old(struct arena *a, const char *folder, long keep)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_backup, alphasort), left = n;

    for (int i = 0; i < n; i++) {
        const char *path = arena_printf(a, "%s/%s", folder, entries[i]->d_name);
        const char *gone = arena_printf(a, "%s/%s%s", folder, REMOVED, entries[i]->d_name);
        const char *sum = arena_printf(a, "%s/%s", path, MANIFEST_SUM_FILE);
        if (access(sum, F_OK) != 0) {
            left--; /* somebody else's, or damaged: not ours to remove */
        } else if (left > keep && rename(path, gone) == 0) {
            remove_tree(gone, 2);
            printf("removed %s\n", path);
            left--;
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

/* --- making ----------------------------------------------------------------------------------- */

static bool
dump(struct making *b, const char *snapshot)
{
    struct arena *a = b->arena;
    const char *const argv[] = {
        b->program,
        "--format=custom",
        "--no-password",
        "--lock-wait-timeout=60s",
        "--no-publications",
        "--no-subscriptions",
        arena_printf(a, "--snapshot=%s", snapshot),
        arena_printf(a, "--file=%s/%s", b->path, MANIFEST_DUMP),
        NULL,
    };
    const char *const *env = pg_url_environment(a, conf->database_url);

    return ctl_child_run(&(struct ctl_child){.argv = argv, .env = env, .in = -1, .out = -1});
}

/* Numbers, names and rows of one snapshot. */
static enum err
read_all(struct ctx *ctx, void *arg)
{
    struct making *b = arg;
    struct text_row snapshot = {0};

    enum err e = pg_run(ctx, KEEPING_SNAPSHOT, ARG_NONE);
    if (e == OK)
        e = pg_run(ctx, KEEPING_NO_LIMIT, ARG_NONE);
    if (e == OK)
        e = pg_run(ctx, KEEPING_NO_IDLE_LIMIT, ARG_NONE);
    if (e == OK)
        e = pg_one(ctx, KEEPING_EXPORT, &id_row, &snapshot, ARG_NONE);
    if (e == OK && !dump(b, snapshot.id))
        return fail(ctx, ERR_INVALID_STATUS, NULL,
                    "the database was not dumped: see above; `backup` acts as its owner, so "
                    "DATABASE_URL must be the owner's");
    if (e == OK)
        e = manifest_read_database(ctx, &b->manifest);
    if (e == OK)
        e = pg_all(ctx, KEEPING_MEDIA, &url_row, &b->urls, &b->url_count, ARG_NONE);
    return e;
}

static bool
read_database(struct making *b)
{
    static const char *const needed[] = {"KEEPING_", "LEDGER_SUMS", "AUDIT_HEAD", NULL};
    struct ctx *ctx = ctl_few(b->arena, conf->database_url, needed);
    enum err e = tx_run(ctx, read_all, b);

    if (e != OK)
        ctl_complain(ctx, e);
    return e == OK;
}

/* What the dump names and the first walk has not brought. */
static bool
add_media(struct making *b)
{
    const char *to = arena_printf(b->arena, "%s/%s", b->path, MANIFEST_MEDIA);
    bool broken = false;

    for (size_t i = 0; i < b->url_count && !broken; i++) {
        if (backup_media_one(b->arena, b->urls[i].url, to, &broken) || broken)
            continue;
        if (b->manifest.media_missing++ < TOLD_MOST)
            fprintf(stderr, "sokoctl: %s is shown by the shop, and MEDIA_DIR does not hold it\n",
                    b->urls[i].url);
    }
    return !broken && backup_media_count(b->arena, to, &b->manifest);
}

static bool
describe(struct making *b)
{
    struct manifest *m = &b->manifest;
    char now[CLOCK_RFC3339_SIZE];
    const char *file = arena_printf(b->arena, "%s/%s", b->path, MANIFEST_DUMP);
    int fd = open(file, O_RDONLY | O_CLOEXEC);

    m->made_at = arena_strdup(b->arena, clock_rfc3339(clock_ms(), now));
    m->soko = SOKO_VERSION;
    m->pg_dump = b->program;
    m->has_media = !b->no_media;
    m->dump_sha256 = fd >= 0 ? digest_of_file(b->arena, fd, &m->dump_bytes) : NULL;
    bool good = m->dump_sha256 != NULL;
    if (!good)
        fprintf(stderr, "sokoctl: %s: %s\n", file, strerror(errno));
    if (fd >= 0)
        close(fd);
    int folder = good ? open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    good = folder >= 0 && manifest_write(b->arena, folder, m);
    if (good && syncfs(folder) != 0) {
        fprintf(stderr, "sokoctl: %s: %s\n", b->path, strerror(errno));
        good = false;
    }
    if (folder >= 0)
        close(folder);
    return good;
}

/* All but the last step. */
static bool
make(struct making *b)
{
    struct pg_probe probe;

    if (!pg_probe(b->arena, conf->database_url, conf->database_connect_timeout.ms, &probe)) {
        fprintf(stderr, "sokoctl: DATABASE_URL: %s\n", probe.why);
        return false;
    }
    b->program = ctl_child_program(b->arena, "pg_dump", probe.version);
    if (b->program == NULL)
        return false;
    if (mkdir(b->path, PRIVATE_FOLDER) != 0) {
        fprintf(stderr, "sokoctl: %s: %s\n", b->path, strerror(errno));
        return false;
    }
    const char *before =
        b->before != NULL ? arena_printf(b->arena, "%s/%s/%s", b->folder, b->before, MANIFEST_MEDIA)
                          : NULL;
    return (b->no_media ||
            backup_media_all(b->arena, arena_printf(b->arena, "%s/%s", b->path, MANIFEST_MEDIA),
                             before)) &&
           read_database(b) && (b->no_media || add_media(b)) && describe(b);
}

static bool
finish(const struct making *b)
{
    const char *path = arena_printf(b->arena, "%s/%s", b->folder, b->name);
    int folder = open(b->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = folder >= 0 && rename(b->path, path) == 0 && fsync(folder) == 0;

    if (!good)
        fprintf(stderr, "sokoctl: %s: %s\n", path, strerror(errno));
    if (folder >= 0)
        close(folder);
    return good;
}

static void
tell(const struct making *b)
{
    const struct manifest *m = &b->manifest;

    printf("%s/%s: schema %" PRId64 ", %" PRId64 " bytes of dump, ", b->folder, b->name, m->schema,
           m->dump_bytes);
    if (m->has_media)
        printf("%" PRId64 " pictures of %" PRId64 " bytes\n", m->media_files, m->media_bytes);
    else
        puts("no pictures: MEDIA_DIR is yours to copy");
    if (m->audit_head != NULL)
        printf("audit head %s\n", m->audit_head);
    puts("DATA_KEY and TOKEN_KEY are NOT in it: keep them apart from it, and safe. Without "
         "DATA_KEY\n"
         "second factors and the proof of the audit log are lost for ever.");
}

/* The folder of the backups, locked, or -1 after complaining. */
static int
lock_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        fprintf(stderr, "sokoctl: %s: %s: make it: install -d -m 700 %s\n", folder, strerror(errno),
                folder);
    } else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        fprintf(stderr, "sokoctl: %s: another backup is at work here\n", folder);
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Root backs up as the user whose folder it is, as each night's unit does: what that user could not
 * remove would stay for ever. */
static bool
become_owner(int folder, const char *path)
{
    struct stat st;

    if (geteuid() != 0)
        return true;
    if (fstat(folder, &st) == 0 &&
        (st.st_uid == 0 ||
         (setgroups(0, NULL) == 0 && setresgid(st.st_gid, st.st_gid, st.st_gid) == 0 &&
          setresuid(st.st_uid, st.st_uid, st.st_uid) == 0)))
        return true;
    fprintf(stderr, "sokoctl: %s: its owner's rights cannot be taken: %s\n", path, strerror(errno));
    return false;
}

static bool
read_keep(const char *text, long *keep)
{
    char *end = NULL;

    *keep = 0;
    if (text == NULL)
        return true;
    errno = 0;
    *keep = strtol(text, &end, 10);
    if (errno == 0 && *end == '\0' && *keep >= 1)
        return true;
    fprintf(stderr, "sokoctl: --keep takes a number of backups, at least 1\n");
    return false;
}

int
ctl_backup(const struct ctl_options *o)
{
    struct making b = {.arena = arena_new(), .no_media = o->no_media};
    char name[NAME_SIZE];
    time_t now = time(NULL);
    struct tm tm;
    long keep;

    if (o->argc > 1 || !read_keep(o->keep, &keep)) {
        fprintf(stderr, "sokoctl: backup takes one folder\n");
        return EX_USAGE;
    }
    b.folder = o->argc > 0 ? o->argv[0] : conf->backup_dir;
    int lock = lock_folder(b.folder);
    if (lock < 0 || !become_owner(lock, b.folder))
        return EX_CANTCREAT;
    umask(0077);
    remove_leftovers(b.arena, b.folder);
    strftime(name, sizeof(name), "soko-%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
    b.name = name;
    b.path = arena_printf(b.arena, "%s/%s%s", b.folder, PARTIAL, name);
    b.before = manifest_newest(b.arena, b.folder);
    bool good = make(&b) && (!o->verify || restore_rehearse(b.arena, b.path)) && finish(&b);
    if (good)
        tell(&b);
    else
        remove_leftovers(b.arena, b.folder);
    bool complete = good && b.manifest.media_missing == 0;
    if (good && !complete)
        fprintf(stderr,
                "sokoctl: the backup lacks %" PRId64
                " pictures that MEDIA_DIR does not hold: is it "
                "the right folder? No older backup was removed\n",
                b.manifest.media_missing);
    if (complete && keep > 0)
        remove_old(b.arena, b.folder, keep);
    close(lock);
    arena_free(b.arena);
    return complete ? 0 : CTL_FAILED;
}
