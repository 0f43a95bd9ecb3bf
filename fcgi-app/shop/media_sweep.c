/*
 * Design: the folders are walked one after the other, a few files a turn, so that the lane of the
 * clock never stays away from its other work. PostgreSQL is asked once a turn, which of the old
 * files of this turn no row names.
 *
 * The danger is a picture that is uploaded again while it is being removed as an orphan. Its writer
 * renames a young file into the old one's place before its row is committed; so a file's age is
 * looked at once more in the moment of its removal, under a lock of the folder that the writer's
 * rename takes too. Whoever comes before finds the file young, whoever comes after makes a new one.
 *
 * Any number of processes may sweep: what another has removed is gone, and that is all. The lock is
 * flock's, on a folder: MEDIA_DIR wants a file system of this machine. Where there is no such lock
 * nothing is removed.
 *
 * Rejected: to remember orphans in a table as they arise. It would miss what a crash leaves behind,
 * and a walk finds everything.
 */
#include "base/config.h"
#include "base/image.h"
#include "base/log.h"
#include "io/pg.h"
#include "shop/media.h"
#include "shop/stmt.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDERS 256
#define TURN_FILES 256 /* looked at in a turn, at most */
#define HASH_DIGITS 64

struct orphan_row {
    const char *url;
};
static const struct field orphan_row_fields[] = {FIELD(struct orphan_row, url)};
static const struct input orphan_row = INPUT(orphan_row, "Orphan", NULL);

/* "ab12...ef.png" in the folder ab: a name that media_store gives. */
static bool
is_ours(const char *name, unsigned folder)
{
    static const char digits[] = "0123456789abcdef";

    if (strspn(name, digits) != HASH_DIGITS || name[HASH_DIGITS] != '.' ||
        name[0] != digits[folder >> 4] || name[1] != digits[folder & 15])
        return false;
    for (enum image_kind k = IMAGE_JPEG; k <= IMAGE_WEBP; k++) {
        if (strcmp(name + HASH_DIGITS + 1, image_extension(k)) == 0)
            return true;
    }
    return false;
}

static bool
is_old(struct ctx *ctx, int folder, const char *name)
{
    struct stat st;

    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return false;
    int64_t ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    return ctx->now_ms - ms >= conf->media_grace.ms;
}

/* Removes a file if it is still old. */
static bool
remove_old(struct ctx *ctx, int folder, const char *name)
{
    if (flock(folder, LOCK_EX) != 0)
        return false;
    bool removed = is_old(ctx, folder, name) && unlinkat(folder, name, 0) == 0;
    flock(folder, LOCK_UN);
    return removed;
}

/* What a turn has found. */
struct found {
    const char *urls[TURN_FILES]; /* of old files */
    size_t count, looked;
};

static const char *
folder_path(struct ctx *ctx, unsigned folder)
{
    return arena_printf(ctx->arena, "%s/%02x", conf->media_dir, folder);
}

/* Notes the old files of the folder that is next, until it ends or the turn is full. Drafts of a
 * crash need no question. Other names are somebody's, and stay. False if the folder has ended. */
static bool
look(struct ctx *ctx, struct media_sweep *s, struct found *f)
{
    const struct dirent *entry;

    if (s->open == NULL)
        s->open = opendir(folder_path(ctx, s->folder));
    if (s->open == NULL)
        return false;
    /* cppcheck-suppress readdirCalled ; readdir_r is the one that is obsolete */
    while (f->looked < TURN_FILES && (entry = readdir(s->open)) != NULL) {
        const char *name = entry->d_name;
        f->looked++;
        if (name[0] == '.' && strlen(name) == UUID_TEXT_SIZE)
            s->removed += remove_old(ctx, dirfd(s->open), name);
        else if (is_ours(name, s->folder) && is_old(ctx, dirfd(s->open), name))
            f->urls[f->count++] = arena_printf(ctx->arena, "/media/%02x/%s", s->folder, name);
    }
    return f->looked == TURN_FILES;
}

static void
remove_orphan(struct ctx *ctx, struct media_sweep *s, const char *url)
{
    const char *name = strrchr(url, '/') + 1;
    int folder = open(arena_printf(ctx->arena, "%s/%.2s", conf->media_dir, name),
                      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (folder < 0)
        return;
    s->removed += remove_old(ctx, folder, name);
    close(folder);
}

static enum err
remove_orphans(struct ctx *ctx, struct media_sweep *s, const struct found *f)
{
    struct orphan_row *rows;
    size_t count;

    if (f->count == 0)
        return OK;
    enum err e =
        pg_all(ctx, MEDIA_ORPHANS, &orphan_row, &rows, &count, ARG_TEXTS(f->urls, f->count));
    for (size_t i = 0; e == OK && i < count; i++)
        remove_orphan(ctx, s, rows[i].url);
    return e;
}

enum err
media_sweep_turn(struct ctx *ctx, struct media_sweep *s)
{
    struct found found = {.count = 0};

    if (s->folder == FOLDERS && ctx->now_ms - s->began_ms < conf->media_sweep.ms)
        return OK;
    if (s->folder == FOLDERS)
        *s = (struct media_sweep){0};
    if (s->began_ms == 0)
        s->began_ms = ctx->now_ms;
    while (s->folder < FOLDERS && !look(ctx, s, &found)) {
        if (s->open != NULL)
            closedir(s->open);
        s->open = NULL;
        s->folder++;
    }
    enum err e = remove_orphans(ctx, s, &found);
    if (s->folder == FOLDERS && s->removed > 0)
        log_event(LOG_INFO, EVENT("media.swept"), INT("soko.media.removed", s->removed));
    return e;
}

void
media_sweep_end(struct media_sweep *s)
{
    if (s->open != NULL)
        closedir(s->open);
    s->open = NULL;
}
