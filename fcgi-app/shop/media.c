/*
 * Design: MEDIA_DIR/ab/ab12...ef.png, 256 folders by the first two digits of the hash. A file is
 * written under another name, synced and renamed, so that nginx never serves half of one, and a
 * crash leaves at most a name that begins with a dot, which the sweep removes.
 *
 * It is written inside the transaction, before COMMIT, although handlers otherwise have no effect
 * but on the database: the name is the content, so a second run writes the same bytes to the same
 * place, and a rollback leaves an orphan for the sweep. After COMMIT would be worse: a full disk
 * would leave a row without its file. It is renamed anew even when it is there already: that makes
 * it young, and keeps the sweep away until the row is committed (media_sweep.c).
 *
 * The folders are 0755 and the files 0644 whatever the umask, because nginx is another user.
 *
 * Resized variants: looked at, and not built now. Debian 12 has libvips 8.14, well kept, which
 * brings some two dozen libraries and their decoders; libjpeg-turbo and libwebp alone would do with
 * a scaler of our own. Either decodes hostile bytes inside a process that holds the database and
 * the token key (libwebp's CVE-2023-4863 was of that kind), and a progressive JPEG of 40 megapixels
 * and 6 MB takes djpeg 2 s and 120 MB, on the side of the workers that serve everybody. It wants a
 * process of its own without rights. Whoever needs small pictures sooner puts an image proxy before
 * /media/, which never changes a file and so may be cached without end.
 */
#include "shop/media.h"
#include "base/config.h"
#include "base/image.h"
#include "base/log.h"
#include "io/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MODE 0755
#define FILE_MODE 0644

enum err
media_read(struct ctx *ctx, const char *field, const struct upload *upload, struct media *out)
{
    uint8_t digest[SHA256_SIZE];
    struct image image;

    const char *why = image_read(upload->data, upload->len, &image);
    if (why != NULL)
        return fail(ctx, ERR_VALIDATION, field, "%s", why);
    secret_sha256(upload->data, upload->len, digest);
    const char *hash = secret_hex(ctx->arena, digest, sizeof(digest));
    out->file = arena_printf(ctx->arena, "%s.%s", hash, image_extension(image.kind));
    out->url = arena_printf(ctx->arena, "/media/%.2s/%s", hash, out->file);
    out->data = upload->data;
    out->len = upload->len;
    return OK;
}

/* The folder of a file, made if it is missing; -1 and errno. */
static int
open_folder(struct ctx *ctx, const char *file)
{
    const char *path = arena_printf(ctx->arena, "%s/%.2s", conf->media_dir, file);
    bool made = mkdir(path, FOLDER_MODE) == 0;

    if (!made && errno != EEXIST)
        return -1;
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder >= 0 && made && fchmod(folder, FOLDER_MODE) != 0) {
        close(folder);
        return -1;
    }
    return folder;
}

static bool
write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* False leaves the cause in errno. */
static bool
write_file(int folder, const char *name, const struct media *media)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);

    if (fd < 0)
        return false;
    bool good =
        write_all(fd, media->data, media->len) && fchmod(fd, FILE_MODE) == 0 && fsync(fd) == 0;
    int why = errno;
    close(fd);
    errno = why;
    return good;
}

/* The lock keeps the sweep from removing, as an orphan, what takes its place in this moment. */
static bool
put_in_place(int folder, const char *from, const char *to)
{
    return flock(folder, LOCK_SH) == 0 && renameat(folder, from, folder, to) == 0 &&
           fsync(folder) == 0;
}

enum err
media_store(struct ctx *ctx, const struct media *media)
{
    char id[UUID_TEXT_SIZE];
    const char *draft = arena_printf(ctx->arena, ".%s", uuid_text(uuid_v7(ctx->now_ms), id));
    int folder = open_folder(ctx, media->file);

    bool good =
        folder >= 0 && write_file(folder, draft, media) && put_in_place(folder, draft, media->file);
    int why = errno;
    if (folder >= 0) {
        if (!good)
            unlinkat(folder, draft, 0);
        close(folder); /* gives the lock back */
    }
    if (good)
        return OK;
    log_event(LOG_ERROR, EVENT("media.not_stored"), TEXT("error.message", strerror(why)));
    return ERR_INTERNAL;
}
