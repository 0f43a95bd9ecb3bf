/*
 * Design: the site is written by one command, and the sysadmin asks nginx himself whether it likes
 * it: a tool that reloads a server for him would do so in the wrong moment once.
 *
 * The switch of maintenance is a file in nginx's own folder, which nginx looks for at each request:
 * it works at once and without a reload, also when nothing of ours runs, and it survives a reboot,
 * as a shop that was closed for work on the machine should. Not in /etc/soko, which nginx's workers
 * may not be able to enter: what they cannot see is not there, and the shop would stay open.
 *
 * Rejected: a setting with a reload (two steps, and a third to look whether it came).
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/config.h"
#include "ctl.h"
#include "site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_SIZE 128

int
ctl_nginx_write(const struct ctl_options *o)
{
    const char *dir = o->argc > 0 ? o->argv[0] : conf->nginx_dir;
    struct arena *a = arena_new();
    int written = site_write(dir, stdout, stderr);
    struct stat st;

    if (written < 0)
        fputs("sokoctl: the site was not written\n", stderr);
    if (written >= 0 && lstat(arena_printf(a, "%s/sites-enabled", dir), &st) == 0 &&
        lstat(arena_printf(a, "%s/sites-enabled/soko", dir), &st) != 0)
        printf("not enabled yet: ln -s ../sites-available/soko %s/sites-enabled/soko\n", dir);
    if (written > 0)
        puts("then: nginx -t && systemctl reload nginx");
    if (written == 0)
        puts("nothing has changed");
    arena_free(a);
    return written >= 0 ? 0 : CTL_FAILED;
}

int
ctl_nginx_check(const struct ctl_options *o)
{
    int changes = site_compare(o->argc > 0 ? o->argv[0] : conf->nginx_dir, stdout, stderr);

    if (changes > 0)
        puts("then: sokoctl nginx write && nginx -t && systemctl reload nginx");
    if (changes == 0)
        puts("nothing would change");
    return changes == 0 ? 0 : CTL_FAILED;
}

static const char *
switch_path(struct arena *a)
{
    return arena_printf(a, "%s/soko/maintenance", conf->nginx_dir);
}

static int
complain(struct arena *a, const char *path)
{
    fprintf(stderr, "sokoctl: %s: %s%s\n", path, strerror(errno),
            errno == ENOENT ? ": sokoctl nginx write makes the folder" : "");
    arena_free(a);
    return CTL_FAILED;
}

int
ctl_maintenance_on(const struct ctl_options *o)
{
    struct arena *a = arena_new();
    const char *path = switch_path(a);
    char line[LINE_SIZE], now[CLOCK_RFC3339_SIZE];

    (void)o;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EEXIST) {
        puts("closed already");
    } else if (fd < 0) {
        return complain(a, path);
    } else {
        int len = snprintf(line, sizeof line, "Closed by sokoctl maintenance on, %s\n",
                           clock_rfc3339(clock_ms(), now));
        /* Its name does the work. What it says is for people. */
        if (write(fd, line, (size_t)len) != len)
            fprintf(stderr, "sokoctl: %s: %s\n", path, strerror(errno));
        close(fd);
        puts("closed: clients are told 503 until sokoctl maintenance off");
    }
    arena_free(a);
    return 0;
}

int
ctl_maintenance_off(const struct ctl_options *o)
{
    struct arena *a = arena_new();
    const char *path = switch_path(a);

    (void)o;
    if (unlink(path) == 0)
        puts("open");
    else if (errno == ENOENT)
        puts("open already");
    else
        return complain(a, path);
    arena_free(a);
    return 0;
}

int
ctl_maintenance_status(const struct ctl_options *o)
{
    struct arena *a = arena_new();
    const char *path = switch_path(a);
    char since[CLOCK_RFC3339_SIZE];
    struct stat st;

    (void)o;
    if (stat(path, &st) == 0)
        printf("closed since %s\n", clock_rfc3339((int64_t)st.st_mtime * 1000, since));
    else if (errno == ENOENT)
        puts("open");
    else
        return complain(a, path);
    arena_free(a);
    return 0;
}
