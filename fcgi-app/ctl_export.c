/*
 * The catalogue into a file, or to standard output. A file is written under another name beside it,
 * and renamed when it is whole: whoever reads it sees the old one or the new one.
 */
#include "ctl.h"
#include "shop/imports/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

struct target {
    const char *path; /* NULL: standard output */
    char *temporary;
    int fd;
};

static bool
complain(const struct target *t)
{
    fprintf(stderr, "sokoctl: %s: %s\n", t->path != NULL ? t->path : "standard output",
            strerror(errno));
    return false;
}

static bool
write_target(struct export *x, const char *data, size_t len)
{
    const struct target *t = x->arg;

    while (len > 0) {
        ssize_t n = write(t->fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return complain(t);
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool
open_target(struct arena *a, struct target *t)
{
    t->fd = STDOUT_FILENO;
    if (t->path == NULL)
        return true;
    t->temporary = arena_printf(a, "%s.XXXXXX", t->path);
    t->fd = mkstemp(t->temporary);
    if (t->fd < 0)
        return complain(t);
    mode_t mask = umask(0);
    umask(mask);
    return fchmod(t->fd, 0666 & ~mask) == 0 || complain(t);
}

static bool
close_target(struct target *t, bool good)
{
    if (t->path == NULL || t->fd < 0)
        return good;
    if (good && fsync(t->fd) != 0)
        good = complain(t);
    if (close(t->fd) != 0 && good)
        good = complain(t);
    if (good && rename(t->temporary, t->path) != 0)
        good = complain(t);
    if (!good)
        unlink(t->temporary);
    return good;
}

int
ctl_product_export(const struct ctl_options *o)
{
    struct target t = {.path = o->argc > 0 ? o->argv[0] : NULL};
    struct export x = {.store = o->store, .write = write_target, .arg = &t};

    if (!ctl_format(o->format, t.path, &x.format))
        return EX_USAGE;
    struct ctx *ctx = ctl_open();
    bool good = open_target(ctx->arena, &t);
    enum err e = good ? export_run(ctx, &x) : ERR_INTERNAL;
    /* What `write` had to say, it has said. */
    if (good && (ctx->problems.first != NULL || (e != OK && e != ERR_INTERNAL)))
        ctl_complain(ctx, e);
    if (!close_target(&t, e == OK))
        return CTL_FAILED;
    fprintf(stderr, "sokoctl: %" PRId64 " products exported", x.lines);
    if (x.left_out > 0)
        fprintf(stderr, "; %" PRId64 " have no sku and were left out", x.left_out);
    fputc('\n', stderr);
    return 0;
}
