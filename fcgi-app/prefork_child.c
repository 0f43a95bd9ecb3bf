/*
 * A slot is a page of shared memory, mapped just before the fork. Rejected: one array of slots for
 * all, since generations overlap during a reload and the number of children may change.
 *
 * An orphan gets SIGKILL: with a single SIGTERM, lost between its test of *stop and accept(), it
 * could serve for ever. Its transaction rolls back by itself.
 */
#include "prefork_child.h"

#include "base/clock.h"
#include "base/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define COMM_SIZE 16 /* what PR_SET_NAME takes, with its NUL */

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a lock cannot be shared between processes");

static volatile sig_atomic_t stop_flag; /* of this process, if it is a child */

static void
on_sigterm(int sig)
{
    (void)sig;
    stop_flag = 1;
}

static void
set_disposition(int sig, void (*handler)(int))
{
    struct sigaction sa = {.sa_handler = handler}; /* no SA_RESTART: accept() must return */

    sigemptyset(&sa.sa_mask);
    sigaction(sig, &sa, NULL);
}

/* exit(), not _exit(): the leak sanitizer and gcov speak there. */
static _Noreturn void
live(const struct prefork *p, const struct child *c, pid_t parent)
{
    char name[COMM_SIZE];
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_SUCCESS); /* it died before the prctl */
    snprintf(name, sizeof name, "soko-%s/%d", p->name, c->place);
    prctl(PR_SET_NAME, name);

    stop_flag = 0;
    set_disposition(SIGTERM, on_sigterm);
    set_disposition(SIGINT, SIG_IGN); /* ^C reaches the whole group; the parent passes it on */
    set_disposition(SIGHUP, SIG_IGN);
    set_disposition(SIGPIPE, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    exit(p->child(c->slot, c->place, &stop_flag));
}

struct child *
prefork_child_start(const struct prefork *p, int place, unsigned generation, int64_t now)
{
    pid_t parent = getpid();
    struct child *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->place = place;
    c->generation = generation;
    c->started = now;
    void *page =
        mmap(NULL, sizeof *c->slot, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        free(c);
        return NULL;
    }
    c->slot = page;

    fflush(NULL); /* or the child's exit() would print what is buffered once more */
    c->pid = fork();
    if (c->pid == 0)
        live(p, c, parent);
    if (c->pid < 0) {
        int why = errno;
        prefork_child_free(c);
        errno = why;
        return NULL;
    }
    return c;
}

void
prefork_child_free(struct child *c)
{
    munmap(c->slot, sizeof *c->slot);
    free(c);
}

void
prefork_child_tell(struct child *c, int64_t now)
{
    if (c == NULL || c->told != 0)
        return;
    c->told = c->told_last = now;
    kill(c->pid, SIGTERM);
}

void
prefork_child_kill(struct child *c)
{
    c->killed = true;
    kill(c->pid, SIGKILL);
}

bool
prefork_child_is_ready(const struct child *c)
{
    return atomic_load(&c->slot->ready);
}

bool
prefork_child_worked(const struct child *c)
{
    return atomic_load(&c->slot->served) > 0 || atomic_load(&c->slot->busy_since) != 0;
}

void
slot_ready(struct slot *s)
{
    atomic_store(&s->ready, true);
}

int64_t
slot_open_since(const struct slot *s)
{
    return atomic_load(&s->open_since);
}

void
slot_busy(struct slot *s)
{
    atomic_store(&s->busy_since, clock_mono_ns());
}

void
slot_idle(struct slot *s)
{
    atomic_fetch_add(&s->served, 1);
    atomic_store(&s->busy_since, 0);
}

bool
slot_done(const struct slot *s)
{
    int64_t most = conf->worker_max_requests;

    return most > 0 && atomic_load(&s->served) >= most;
}
