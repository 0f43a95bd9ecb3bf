/*
 * The parent's life is one loop: wait for a signal or for a tenth of a second, then look at
 * everything. Signals are blocked and taken by sigtimedwait(), so the parent has no handlers, and
 * what a signal means is ordinary code. Looking at everything each time costs microseconds for a
 * hundred children, and makes a lost or merged signal harmless.
 *
 * A place is a number from 0 to children() - 1: it has a child, and during a reload a successor
 * too. The successor is of the newer generation (the configuration's), and the old child is told to
 * leave only once the successor is ready: a configuration that is well-formed and yet does not work
 * (a wrong password) stops no service. Places are renewed a quarter at a time, so that a reload
 * does not double the connections to PostgreSQL.
 *
 * Who was told to leave, by a reload or by a stop, is in no place any more. It gets SIGTERM every
 * half second, since one that arrives between its test of *stop and accept() is lost, and SIGKILL
 * after conf->stop_timeout. A stop is: tell all, wait until nobody is left.
 *
 * Rejected: signalfd and pidfd (descriptors that children would inherit); handlers in the parent.
 */
#include "prefork.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "io/metrics.h"
#include "prefork_child.h"
#include "prefork_notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define TICK_NS (100 * NS_PER_MS)
#define PAUSE_MIN_NS (100 * NS_PER_MS)
#define PAUSE_MAX_NS (5000 * NS_PER_MS)
#define HEALTHY_NS (60000 * NS_PER_MS) /* who lived so long did not die of its start */
#define REPEAT_NS (500 * NS_PER_MS)    /* SIGTERM again */
#define AT_ONCE 4                      /* a reload renews a quarter of the places at a time */

struct place {
    struct child *now, *successor;
    int64_t pause, not_before; /* back-off */
    unsigned ready_generation; /* the newest that was ready here; 0: none yet */
};

struct crew {
    const struct prefork *p;
    struct prefork_notify notify;
    struct child *children; /* every process that is not yet buried */
    struct place *places;
    int count;
    unsigned generation; /* of the configuration in force; from 1 */
    bool anyone_was_ready;
    int64_t open_since; /* ms since the epoch; 0: not all places were filled yet */
    bool owes_ready;    /* systemd waits for READY=1 */
    bool stopping;
    int status;
    int told_ready, told_count; /* in the last STATUS */
    int64_t watchdog_due;
    int64_t looked; /* when the children were counted last */
};

/* ---- births ---- */

static void
pause_place(struct place *at, int64_t now)
{
    at->pause = at->pause == 0 ? PAUSE_MIN_NS : at->pause * 2;
    if (at->pause > PAUSE_MAX_NS)
        at->pause = PAUSE_MAX_NS;
    at->not_before = now + at->pause;
}

/* NULL after a pause was set. */
static struct child *
start_child(struct crew *crew, int place, int64_t now)
{
    struct child *c = prefork_child_start(crew->p, place, crew->generation, now);

    if (c == NULL) {
        log_event(LOG_ERROR, EVENT("prefork.fork_failed"), TEXT("soko.pool", crew->p->name),
                  INT("soko.slot", place), TEXT("error.message", strerror(errno)));
        pause_place(&crew->places[place], now);
        return NULL;
    }
    atomic_store(&c->slot->open_since, crew->open_since);
    metric_add(METRIC_WORKER_STARTS, 1, NO_LABELS);
    c->next = crew->children;
    crew->children = c;
    return c;
}

/* Fills empty places, and begins to renew old ones. */
static void
fill_places(struct crew *crew, int64_t now)
{
    int renewing = 0;
    int at_once = crew->count > AT_ONCE ? crew->count / AT_ONCE : 1;

    for (int i = 0; i < crew->count; i++)
        renewing += crew->places[i].successor != NULL;
    for (int i = 0; i < crew->count; i++) {
        struct place *at = &crew->places[i];

        if (now < at->not_before)
            continue;
        if (at->now == NULL) {
            at->now = start_child(crew, i, now);
        } else if (at->now->generation != crew->generation && at->successor == NULL &&
                   renewing < at_once) {
            at->successor = start_child(crew, i, now);
            renewing++;
        }
    }
}

/* ---- departures ---- */

static void
press_leavers(struct crew *crew, int64_t now)
{
    for (struct child *c = crew->children; c != NULL; c = c->next) {
        if (c->told == 0 || c->killed)
            continue;
        if (now - c->told >= conf->stop_timeout.ms * NS_PER_MS) {
            log_event(LOG_WARN, EVENT("prefork.stop_timeout"), TEXT("soko.pool", crew->p->name),
                      INT("soko.child_pid", c->pid), INT("soko.slot", c->place));
            prefork_child_kill(c);
        } else if (now - c->told_last >= REPEAT_NS) {
            c->told_last = now;
            kill(c->pid, SIGTERM);
        }
    }
}

static void
enforce_deadline(struct crew *crew, int64_t now)
{
    for (struct child *c = crew->children; c != NULL; c = c->next) {
        int64_t since = atomic_load(&c->slot->busy_since);

        if (c->killed || since == 0 || now - since <= conf->worker_deadline.ms * NS_PER_MS)
            continue;
        log_event(LOG_ERROR, EVENT("prefork.deadline"), TEXT("soko.pool", crew->p->name),
                  INT("soko.child_pid", c->pid), INT("soko.slot", c->place),
                  INT("event.duration", now - since));
        c->overdue = true;
        prefork_child_kill(c);
    }
}

static void
begin_stop(struct crew *crew, int status, int64_t now)
{
    if (crew->stopping)
        return;
    crew->stopping = true;
    crew->status = status;
    log_event(LOG_INFO, EVENT("prefork.stop"), TEXT("soko.pool", crew->p->name),
              INT("process.exit_code", status));
    prefork_notify_send(&crew->notify, "STOPPING=1\nSTATUS=waiting for workers to finish");
    for (struct child *c = crew->children; c != NULL; c = c->next)
        prefork_child_tell(c, now);
    for (int i = 0; i < crew->count; i++)
        crew->places[i].now = crew->places[i].successor = NULL;
}

/* ---- readiness ---- */

static void
note_ready(struct crew *crew, const struct child *c)
{
    if (!prefork_child_is_ready(c))
        return;
    crew->anyone_was_ready = true;
    if (c->told == 0 && crew->places[c->place].ready_generation < c->generation)
        crew->places[c->place].ready_generation = c->generation;
}

static void
install_successors(struct crew *crew, int64_t now)
{
    for (struct child *c = crew->children; c != NULL; c = c->next)
        note_ready(crew, c);
    for (int i = 0; i < crew->count; i++) {
        struct place *at = &crew->places[i];

        if (at->successor == NULL || !prefork_child_is_ready(at->successor))
            continue;
        prefork_child_tell(at->now, now);
        at->now = at->successor;
        at->successor = NULL;
    }
}

/* ---- deaths ---- */

static void
log_death(const struct crew *crew, const struct child *c, int status, bool expected)
{
    const char *action = expected ? "prefork.child_left" : "prefork.child_died";
    enum log_level level = expected ? LOG_DEBUG : LOG_WARN;

    if (WIFSIGNALED(status))
        log_event(level, EVENT(action), TEXT("soko.pool", crew->p->name),
                  INT("soko.child_pid", c->pid), INT("soko.slot", c->place),
                  INT("soko.signal", WTERMSIG(status)));
    else
        log_event(level, EVENT(action), TEXT("soko.pool", crew->p->name),
                  INT("soko.child_pid", c->pid), INT("soko.slot", c->place),
                  INT("process.exit_code", WEXITSTATUS(status)));
}

/* The place of a child that nobody told to leave: its successor, if there is one, is in charge from
 * now on, ready or not. The pause grows only while children die of their start. */
static void
vacate(struct crew *crew, const struct child *c, bool retired, int64_t now)
{
    struct place *at = &crew->places[c->place];

    if (at->now == c)
        at->now = at->successor;
    at->successor = NULL;
    if (retired || prefork_child_worked(c) || now - c->started >= HEALTHY_NS)
        at->pause = 0;
    if (retired)
        at->not_before = now;
    else
        pause_place(at, now);
}

static void
count_death(const struct child *c, int status, bool retired)
{
    bool finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    const char *why = c->overdue            ? "deadline"
                      : c->killed           ? "stop_timeout"
                      : WIFSIGNALED(status) ? "signal"
                      : retired             ? "retired"
                      : finished && c->told ? "told"
                                            : "failed";

    metric_add(METRIC_WORKER_EXITS, 1, LABELS(why));
}

static void
bury(struct crew *crew, struct child *c, int status, int64_t now)
{
    bool finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool retired = finished && slot_done(c->slot);
    bool unfit = WIFEXITED(status) && WEXITSTATUS(status) == PREFORK_UNFIT;

    note_ready(crew, c); /* it may have been so for less than a tick */
    log_death(crew, c, status, (finished && c->told != 0) || retired);
    count_death(c, status, retired);
    if (c->told == 0)
        vacate(crew, c, retired, now);
    prefork_child_free(c);
    if (unfit && !crew->anyone_was_ready && !crew->stopping) {
        log_event(LOG_ERROR, EVENT("prefork.unfit"), TEXT("soko.pool", crew->p->name),
                  TEXT("error.message", "no worker can start, giving up"));
        begin_stop(crew, EXIT_FAILURE, now);
    }
}

static void
reap(struct crew *crew, int64_t now)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct child **link = &crew->children;

        while (*link != NULL && (*link)->pid != pid)
            link = &(*link)->next;
        if (*link == NULL)
            continue; /* somebody's whose parent became us by exec */
        struct child *c = *link;
        *link = c->next;
        bury(crew, c, status, now);
    }
}

/* ---- systemd ---- */

/* READY is due when each place has had a child of this generation that was ready, even if it has
 * been replaced since. */
static bool
is_complete(const struct crew *crew)
{
    for (int i = 0; i < crew->count; i++)
        if (crew->places[i].ready_generation != crew->generation)
            return false;
    return true;
}

/* Once: from here on the children refuse what has waited too long (app.c). */
static void
open_pool(struct crew *crew)
{
    if (crew->open_since != 0 || !is_complete(crew))
        return;
    crew->open_since = clock_ms();
    for (struct child *c = crew->children; c != NULL; c = c->next)
        atomic_store(&c->slot->open_since, crew->open_since);
}

static void
tell_systemd(struct crew *crew, int64_t now)
{
    int ready = 0;

    if (crew->notify.watchdog_ns != 0 && now >= crew->watchdog_due &&
        prefork_notify_send(&crew->notify, "WATCHDOG=1"))
        crew->watchdog_due = now + crew->notify.watchdog_ns;
    if (crew->stopping)
        return;
    if (crew->owes_ready && is_complete(crew) && prefork_notify_send(&crew->notify, "READY=1")) {
        crew->owes_ready = false;
        log_event(LOG_INFO, EVENT("prefork.ready"), TEXT("soko.pool", crew->p->name),
                  INT("soko.children", crew->count));
    }
    for (int i = 0; i < crew->count; i++) {
        const struct child *c = crew->places[i].now;
        ready += c != NULL && prefork_child_is_ready(c);
    }
    if ((ready != crew->told_ready || crew->count != crew->told_count) &&
        prefork_notify_send(&crew->notify, "STATUS=%d of %d workers ready", ready, crew->count)) {
        crew->told_ready = ready;
        crew->told_count = crew->count;
    }
}

/* ---- the metrics ---- */

/* What is counted from the start on, so that the first of a kind is seen as an increase. */
static void
begin_counting(void)
{
    static const char *const reasons[] = {"told",         "retired", "deadline",
                                          "stop_timeout", "signal",  "failed"};

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        metric_add(METRIC_WORKER_EXITS, 0, LABELS(reasons[i]));
    metric_add(METRIC_WORKER_STARTS, 0, NO_LABELS);
    metric_add(METRIC_EXHAUSTED, 0, NO_LABELS);
}

static void
count_children(struct crew *crew, int64_t now)
{
    static const char *const names[] = {"starting", "idle", "busy", "leaving"};
    int64_t counts[] = {0, 0, 0, 0};

    for (const struct child *c = crew->children; c != NULL; c = c->next) {
        bool busy = atomic_load(&c->slot->busy_since) != 0;

        counts[c->told != 0 ? 3 : !prefork_child_is_ready(c) ? 0 : busy ? 2 : 1]++;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        metric_set(METRIC_WORKERS, counts[i], LABELS(names[i]));
    metric_set(METRIC_WORKERS_WANTED, crew->count, NO_LABELS);
    metric_set(METRIC_SEEN, clock_ms() * NS_PER_MS, NO_LABELS);
    if (counts[1] == 0 && crew->looked != 0)
        metric_add(METRIC_EXHAUSTED, (uint64_t)(now - crew->looked), NO_LABELS);
    crew->looked = now;
}

/* ---- the configuration ---- */

static int
wanted(const struct prefork *p)
{
    int n = p->children();

    return n > 0 ? n : 1;
}

/* False if there is no memory: then all stays. */
static bool
resize(struct crew *crew, int count, int64_t now)
{
    for (int i = count; i < crew->count; i++) {
        prefork_child_tell(crew->places[i].now, now);
        prefork_child_tell(crew->places[i].successor, now);
    }
    if (count > crew->count) {
        struct place *more = realloc(crew->places, (size_t)count * sizeof *more);

        if (more == NULL)
            return false;
        memset(more + crew->count, 0, (size_t)(count - crew->count) * sizeof *more);
        crew->places = more;
    }
    crew->count = count;
    return true;
}

/* config_load(), its faults in *faults (the caller frees it; NULL if there is no memory). */
static bool
load(const char *file, char **faults)
{
    size_t len = 0;
    FILE *err = open_memstream(faults, &len);

    if (err == NULL)
        return config_load(file, stderr);
    bool ok = config_load(file, err);
    fclose(err);
    return ok;
}

/* systemd hears RELOADING now and READY when is_complete(): at once if the configuration was
 * refused. */
static void
reload(struct crew *crew, int64_t now)
{
    char *faults = NULL;
    enum log_level level;

    if (!crew->owes_ready)
        prefork_notify_send(&crew->notify, "RELOADING=1\nMONOTONIC_USEC=%lld",
                            (long long)(now / 1000));
    crew->owes_ready = true;
    if (!load(crew->p->config_file, &faults)) {
        log_event(LOG_ERROR, EVENT("prefork.reload"), TEXT("event.outcome", "failure"),
                  TEXT("soko.pool", crew->p->name), TEXT("error.message", faults));
        prefork_notify_send(&crew->notify, "STATUS=configuration refused, the old one stays");
        free(faults);
        return;
    }
    free(faults);
    if (log_level_parse(conf->log_level, &level))
        log_set_level(level);

    crew->generation++;
    crew->told_count = 0; /* the STATUS is new */
    if (!resize(crew, wanted(crew->p), now))
        log_event(LOG_ERROR, EVENT("prefork.reload"), TEXT("error.message", "out of memory"));
    for (int i = 0; i < crew->count; i++) {
        prefork_child_tell(crew->places[i].successor, now); /* of the configuration before */
        crew->places[i].successor = NULL;
        crew->places[i].pause = crew->places[i].not_before = 0;
    }
    log_event(LOG_INFO, EVENT("prefork.reload"), TEXT("event.outcome", "success"),
              TEXT("soko.pool", crew->p->name), INT("soko.children", crew->count));
}

/* ---- the loop ---- */

/* SIG_DFL too: a SIGCHLD that our own parent ignores would bury children unseen. */
static void
block_signals(sigset_t *set)
{
    static const int ours[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};

    sigemptyset(set);
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        sigaddset(set, ours[i]);
    sigprocmask(SIG_BLOCK, set, NULL);
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        signal(ours[i], SIG_DFL);
}

static void
look_at_everything(struct crew *crew)
{
    int64_t now = clock_mono_ns();

    reap(crew, now);
    install_successors(crew, now);
    enforce_deadline(crew, now);
    press_leavers(crew, now);
    if (!crew->stopping)
        fill_places(crew, now);
    open_pool(crew);
    tell_systemd(crew, now);
    count_children(crew, now);
}

static void
wait_for_signal(struct crew *crew, const sigset_t *set)
{
    int sig = sigtimedwait(set, NULL, &(struct timespec){.tv_nsec = TICK_NS});

    if (sig == SIGTERM || sig == SIGINT)
        begin_stop(crew, EXIT_SUCCESS, clock_mono_ns());
    else if (sig == SIGHUP && !crew->stopping)
        reload(crew, clock_mono_ns());
}

int
prefork_run(const struct prefork *p)
{
    struct crew crew = {.p = p, .generation = 1, .owes_ready = true};
    sigset_t set, before;

    if (!resize(&crew, wanted(p), 0)) {
        log_event(LOG_ERROR, EVENT("prefork.start"), TEXT("error.message", "out of memory"));
        return EXIT_FAILURE;
    }
    sigprocmask(SIG_BLOCK, NULL, &before);
    block_signals(&set);
    prefork_notify_init(&crew.notify);
    begin_counting();
    log_event(LOG_INFO, EVENT("prefork.start"), TEXT("soko.pool", p->name),
              INT("soko.children", crew.count));

    do {
        look_at_everything(&crew);
        wait_for_signal(&crew, &set);
    } while (!crew.stopping || crew.children != NULL);

    free(crew.places);
    sigprocmask(SIG_SETMASK, &before, NULL);
    log_event(LOG_INFO, EVENT("prefork.stopped"), TEXT("soko.pool", p->name),
              INT("process.exit_code", crew.status));
    return crew.status;
}
