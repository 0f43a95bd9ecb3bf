/*
 * No shell is between: arguments are arguments. A child dies with its parent (PR_SET_PDEATHSIG), so
 * that whoever kills sokoctl has ended the dump or the restore with it, and the server rolls back.
 *
 * Rejected: libpq's COPY and our own dump. pg_dump knows each kind of object that will ever be.
 */
#include "ctl_child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEBIAN_DIR "/usr/lib/postgresql"
#define MAJOR 10000

/* The least major version in DEBIAN_DIR that is `least` or newer and has the program; 0 if there is
 * none. */
static long
find_major(struct arena *a, const char *name, long least)
{
    DIR *dir = opendir(DEBIAN_DIR);
    const struct dirent *entry;
    long best = 0;

    if (dir == NULL)
        return 0;
    /* cppcheck-suppress readdirCalled ; readdir_r is the one that is obsolete */
    while ((entry = readdir(dir)) != NULL) {
        long major = strtol(entry->d_name, NULL, 10);
        const char *path = arena_printf(a, "%s/%s/bin/%s", DEBIAN_DIR, entry->d_name, name);
        if (major >= least && (best == 0 || major < best) && access(path, X_OK) == 0)
            best = major;
    }
    closedir(dir);
    return best;
}

static const char *
find_in_path(struct arena *a, const char *name)
{
    const char *path = getenv("PATH");

    for (const char *at = path != NULL ? path : "/usr/bin:/bin"; *at != '\0';) {
        size_t len = strcspn(at, ":");
        const char *file = arena_printf(a, "%.*s/%s", (int)len, at, name);
        if (len > 0 && access(file, X_OK) == 0)
            return file;
        at += len + (at[len] == ':');
    }
    return NULL;
}

/* The major version that a program says it is: "pg_dump (PostgreSQL) 15.14 (Debian ...)". */
static long
major_of(const char *path)
{
    const char *const argv[] = {path, "--version", NULL};
    char said[256];
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return 0;
    pid_t pid = ctl_child_start(&(struct ctl_child){.argv = argv, .in = -1, .out = ends[1]});
    close(ends[1]);
    ssize_t n = pid > 0 ? read(ends[0], said, sizeof(said) - 1) : 0;
    close(ends[0]);
    said[n > 0 ? n : 0] = '\0';
    const char *bracket = strchr(said, ')');
    return pid > 0 && ctl_child_wait(pid, path) && bracket != NULL ? strtol(bracket + 1, NULL, 10)
                                                                   : 0;
}

const char *
ctl_child_program(struct arena *a, const char *name, int server_version)
{
    long least = server_version / MAJOR, major = find_major(a, name, least);

    if (major > 0)
        return arena_printf(a, "%s/%ld/bin/%s", DEBIAN_DIR, major, name);
    const char *path = find_in_path(a, name);
    major = path != NULL ? major_of(path) : 0;
    if (major >= least)
        return path;
    if (path == NULL)
        fprintf(stderr, "sokoctl: %s is not here: apt install postgresql-client-%ld\n", name,
                least);
    else
        fprintf(stderr,
                "sokoctl: %s is of PostgreSQL %ld, and the server of %ld: apt install "
                "postgresql-client-%ld\n",
                path, major, least, least);
    return NULL;
}

static void
take_place(int fd, int as)
{
    if (fd < 0)
        fd = open("/dev/null", O_RDWR);
    if (fd != as)
        dup2(fd, as);
}

pid_t
ctl_child_start(const struct ctl_child *c)
{
    pid_t parent = getpid();

    fflush(stdout);
    fflush(stderr);
    pid_t pid = fork();
    if (pid < 0)
        fprintf(stderr, "sokoctl: fork: %s\n", strerror(errno));
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    signal(SIGPIPE, SIG_DFL);
    take_place(c->in, STDIN_FILENO);
    take_place(c->out, STDOUT_FILENO);
    for (size_t i = 0; c->env != NULL && c->env[i] != NULL; i++)
        putenv((char *)(uintptr_t)c->env[i]);
    execv(c->argv[0], (char *const *)(uintptr_t)c->argv);
    fprintf(stderr, "sokoctl: %s: %s\n", c->argv[0], strerror(errno));
    _exit(127);
}

bool
ctl_child_wait(pid_t pid, const char *name)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return false;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFSIGNALED(status))
        fprintf(stderr, "sokoctl: %s was ended by signal %d\n", name, WTERMSIG(status));
    else
        fprintf(stderr, "sokoctl: %s failed (%d)\n", name, WEXITSTATUS(status));
    return false;
}

bool
ctl_child_run(const struct ctl_child *c)
{
    pid_t pid = ctl_child_start(c);

    return pid > 0 && ctl_child_wait(pid, c->argv[0]);
}
