/*
 * The pictures of a backup.
 *
 * Files first, or the dump? A file's name is the hash of its content, so a copy that is whole is
 * right for ever. A row is committed after its file is there, and a file goes only if no row names
 * it and it is MEDIA_GRACE old. Were the dump taken first, a picture that is old and loses its row
 * meanwhile would be swept before it is copied, and the restored shop would name a file that is
 * nowhere. So all files are taken first, also those that no row names, then the dump, and then what
 * the dump names and is not there yet. That came after the first walk had passed by: it is younger
 * than the backup, so MEDIA_GRACE keeps the sweep away from it.
 *
 * A shop has many pictures, and each night brings few: what the backup before has too is linked to
 * it. Each backup is complete nevertheless, and removing one takes nothing from the others.
 */
#include "ctl_backup.h"

#include "base/config.h"
#include "io/digest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDERS 256
#define PIECE 65536
#define PRIVATE_FOLDER 0700
#define PRIVATE_FILE 0600
#define PUBLIC_FOLDER 0755 /* nginx is another user */
#define PUBLIC_FILE 0644
#define SHA256_DIGITS 64

static bool
complain(const char *path)
{
    fprintf(stderr, "sokoctl: %s: %s\n", path, strerror(errno));
    return false;
}

static bool
make_folder(const char *path, mode_t mode)
{
    if (mkdir(path, mode) == 0)
        return chmod(path, mode) == 0 || complain(path); /* whatever the umask */
    return errno == EEXIST || complain(path);
}

enum copied { COPIED, COPY_DIFFERS, COPY_FAILED, SOURCE_FAILED };

/* Copies what is left of `in`; the digits of its SHA-256. */
static enum copied
copy_bytes(struct arena *a, int in, int out, const char **sum)
{
    struct digest *d = digest_new(a);
    char *piece = arena_alloc(a, PIECE);
    uint8_t digest[SHA256_SIZE];
    ssize_t n;

    while ((n = read(in, piece, PIECE)) > 0) {
        digest_add(d, piece, (size_t)n);
        for (ssize_t done = 0, w; done < n; done += w) {
            if ((w = write(out, piece + done, (size_t)(n - done))) <= 0)
                return COPY_FAILED;
        }
    }
    digest_end(d, digest);
    *sum = secret_hex(a, digest, sizeof(digest));
    return n == 0 ? COPIED : SOURCE_FAILED;
}

/* Copies `from` to a draft beside `to`, and renames it if it is what its name says. The sweep of
 * MEDIA_DIR knows the drafts of a crash by their names: a dot and 36 characters. */
static enum copied
copy_file(const char *from, const char *to, const char *name, mode_t mode)
{
    struct arena *a = arena_new();
    const char *draft = arena_printf(a, "%.*s.%.36s", (int)(strrchr(to, '/') + 1 - to), to, name);
    const char *sum = "";
    enum copied done = SOURCE_FAILED;
    int in = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int out = -1;

    /* Root restores into a folder of the shop's user: whatever lies at that name, a link to
     * elsewhere too, goes, and is not written through. */
    if (in >= 0 && (unlink(draft) == 0 || errno == ENOENT))
        out = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (in >= 0)
        done = out >= 0 ? copy_bytes(a, in, out, &sum) : COPY_FAILED;
    if (done == COPIED && strncmp(sum, name, SHA256_DIGITS) != 0)
        done = COPY_DIFFERS;
    if (done == COPIED && (fchmod(out, mode) != 0 || fsync(out) != 0 || rename(draft, to) != 0))
        done = COPY_FAILED;
    int why = errno;
    if (done != COPIED && out >= 0)
        unlink(draft);
    if (out >= 0)
        close(out);
    if (in >= 0)
        close(in);
    arena_free(a);
    errno = why;
    return done;
}

/* Whether the file is there, whole. */
static bool
is_there(struct arena *a, const char *file, const char *name)
{
    int fd = open(file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    const char *sum = fd >= 0 ? digest_of_file(a, fd, NULL) : NULL;

    if (fd >= 0)
        close(fd);
    return sum != NULL && strncmp(sum, name, SHA256_DIGITS) == 0;
}

/* Brings one file; the folders are there. What the backup before has is looked at first: a picture
 * that was damaged there would else be in each backup from then on. */
static enum copied
bring(struct arena *a, const char *from, const char *to, const char *before, const char *name)
{
    const char *old = before != NULL ? arena_printf(a, "%s/%.2s/%s", before, name, name) : NULL;

    if (access(to, F_OK) == 0)
        return COPIED;
    if (old != NULL && is_there(a, old, name) && link(old, to) == 0)
        return COPIED;
    return copy_file(from, to, name, PRIVATE_FILE);
}

static bool
bring_folder(const char *folder, const char *from, const char *to, const char *before)
{
    struct arena *a = arena_new();
    DIR *dir = opendir(from);
    const struct dirent *entry;
    bool good = dir != NULL ? make_folder(to, PRIVATE_FOLDER) : errno == ENOENT || complain(from);

    /* cppcheck-suppress readdirCalled ; readdir_r is the one that is obsolete */
    while (good && dir != NULL && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        const char *source = arena_printf(a, "%s/%s", from, name);
        const char *target = arena_printf(a, "%s/%s", to, name);
        if (!manifest_is_picture(name) || strncmp(name, folder, 2) != 0)
            continue;
        switch (bring(a, source, target, before, name)) {
        case COPIED:
            break;
        case COPY_DIFFERS:
            fprintf(stderr, "sokoctl: %s is not what its name says: it is left out\n", source);
            break;
        case SOURCE_FAILED:
            good = errno == ENOENT || complain(source); /* swept */
            break;
        case COPY_FAILED:
            good = complain(target);
            break;
        }
    }
    if (dir != NULL)
        closedir(dir);
    arena_free(a);
    return good;
}

bool
backup_media_all(struct arena *a, const char *to, const char *before)
{
    bool good = make_folder(to, PRIVATE_FOLDER);

    if (good && access(conf->media_dir, R_OK | X_OK) != 0)
        good = complain(conf->media_dir);
    for (unsigned i = 0; good && i < FOLDERS; i++) {
        const char *folder = arena_printf(a, "%02x", i);
        good = bring_folder(folder, arena_printf(a, "%s/%s", conf->media_dir, folder),
                            arena_printf(a, "%s/%s", to, folder), before);
    }
    return good;
}

bool
backup_media_one(struct arena *a, const char *url, const char *to, bool *broken)
{
    const char *name = strrchr(url, '/') + 1;
    const char *folder = arena_printf(a, "%s/%.2s", to, name);
    const char *target = arena_printf(a, "%s/%s", folder, name);

    if (!manifest_is_picture(name))
        return false;
    if (access(target, F_OK) == 0)
        return true;
    if (!make_folder(folder, PRIVATE_FOLDER)) {
        *broken = true;
        return false;
    }
    enum copied done = copy_file(arena_printf(a, "%s/%.2s/%s", conf->media_dir, name, name), target,
                                 name, PRIVATE_FILE);
    if (done == COPY_FAILED)
        *broken = !complain(target);
    return done == COPIED;
}

/* --- what there is ---------------------------------------------------------------------------- */

static int
is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Does `work` for each entry of a folder, by name, until it fails. */
static bool
for_each(const char *folder, bool (*work)(void *arg, const char *name, const char *path), void *arg)
{
    struct arena *a = arena_new();
    struct dirent **entries;
    int n = scandir(folder, &entries, is_visible, alphasort);
    bool good = n >= 0 || complain(folder);

    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;

        good = good && work(arg, name, arena_printf(a, "%s/%s", folder, name));
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    arena_free(a);
    return good;
}

struct counting {
    struct manifest *m;
    struct digest *names;
};

static bool
count_file(void *arg, const char *name, const char *path)
{
    struct counting *c = arg;
    struct stat st;

    if (stat(path, &st) != 0)
        return complain(path);
    digest_add(c->names, name, strlen(name));
    digest_add(c->names, "\n", 1);
    c->m->media_files++;
    c->m->media_bytes += st.st_size;
    return true;
}

static bool
count_folder(void *arg, const char *name, const char *path)
{
    (void)name;
    return for_each(path, count_file, arg);
}

bool
backup_media_count(struct arena *a, const char *to, struct manifest *m)
{
    struct counting c = {.m = m, .names = digest_new(a)};
    uint8_t digest[SHA256_SIZE];
    bool good = for_each(to, count_folder, &c);

    digest_end(c.names, digest);
    m->media_sha256 = secret_hex(a, digest, sizeof(digest));
    return good;
}

/* --- and back --------------------------------------------------------------------------------- */

/* Root restores for the user whose folder it is. */
static bool
give_to(const char *path, const struct stat *owner)
{
    return geteuid() != 0 || lchown(path, owner->st_uid, owner->st_gid) == 0 || complain(path);
}

struct restoring {
    const char *to; /* the folder */
    const struct stat *owner;
    int64_t *count;
};

static bool
restore_file(void *arg, const char *name, const char *path)
{
    const struct restoring *r = arg;
    struct arena *a = arena_new();
    const char *target = arena_printf(a, "%s/%s", r->to, name);
    bool good = true;

    if (!is_there(a, target, name)) {
        good = copy_file(path, target, name, PUBLIC_FILE) == COPIED || complain(target);
        good = good && give_to(target, r->owner);
        *r->count += good;
    }
    arena_free(a);
    return good;
}

static bool
restore_folder(void *arg, const char *name, const char *path)
{
    struct restoring r = *(const struct restoring *)arg;
    struct arena *a = arena_new();

    r.to = arena_printf(a, "%s/%s", r.to, name);
    bool good = make_folder(r.to, PUBLIC_FOLDER) && give_to(r.to, r.owner) &&
                for_each(path, restore_file, &r);
    arena_free(a);
    return good;
}

bool
backup_media_restore(const char *from, int64_t *count)
{
    struct stat owner;
    struct restoring r = {.to = conf->media_dir, .owner = &owner, .count = count};

    *count = 0;
    if (!make_folder(conf->media_dir, PUBLIC_FOLDER) || stat(conf->media_dir, &owner) != 0)
        return complain(conf->media_dir);
    return for_each(from, restore_folder, &r);
}
