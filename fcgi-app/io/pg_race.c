/*
 * io/pg_race: one connection to whichever of several hosts it is.
 *
 * libpq goes through the hosts of an address one after the other and waits for each as long as it
 * may. A machine that is gone says nothing, so that after a failover every worker would wait for
 * the dead primary before it asked the living one, at each new connection, for as long as the
 * machine is away. Here each host is an attempt of its own: the next one starts as soon as the one
 * before is refused, or has been silent for STAGGER_MS, and the first that is what was asked for
 * (libpq judges that: target_session_attrs) wins. In good times only the first host hears of us.
 *
 * Where no host is good, as between the death of a primary and the promotion of a standby, the
 * standbys say so at once, and who is silent then is not waited for beyond SILENCE_MS: a network
 * that carries one answer would have carried the other.
 *
 * A name is looked up by libpq before an attempt starts, which blocks: a list is better made of
 * addresses. Rejected: asking all hosts at once (each worker's start would cost a connection on
 * every standby); remembering who was the primary (one more thing that can be wrong).
 */
#include "io/pg_private.h"

#include "base/clock.h"

#include <poll.h>
#include <string.h>

#define HOSTS_MAX 8
#define PARAMS_MAX 24
#define STAGGER_MS 200
#define SILENCE_MS 1000
#define LIBPQ_LEAST_MS 2000 /* it counts seconds, from two on */
#define MS_PER_NS INT64_C(1000000)

struct race {
    PGconn *runner[HOSTS_MAX]; /* NULL: not started, or it was refused */
    PostgresPollingStatusType wants[HOSTS_MAX];
    int count, started;
    PGconn *refused; /* the last: it has the server's words */
    int64_t began, next_start;
};

/* What the address says of these; each NULL if it says nothing. */
struct hosts {
    const char *host[HOSTS_MAX], *port[HOSTS_MAX];
    int count;
    const char *attributes;
};

static int64_t
now_ms(void)
{
    return clock_mono_ns() / MS_PER_NS;
}

/* The parts of a list, or -1 if there are too many. */
static int
split(struct arena *a, const char *list, const char *parts[HOSTS_MAX])
{
    int n = 0;

    for (const char *at = list;; at += strcspn(at, ",") + 1) {
        if (n == HOSTS_MAX)
            return -1;
        parts[n++] = arena_strndup(a, at, strcspn(at, ","));
        if (at[strcspn(at, ",")] == '\0')
            return n;
    }
}

static const char *
value_of(const char *const *names, const char *const *values, const char *name)
{
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(names[i], name) == 0)
            return values[i];
    return NULL;
}

/* False if it is no list of ours: one host, addresses beside names, or a list that is wrong, of
 * which libpq shall speak. */
static bool
read_hosts(struct arena *a, const char *url, struct hosts *h)
{
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    const char *host = NULL, *port = NULL;
    bool plain = true;

    if (options == NULL)
        return false;
    for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
        if (o->val == NULL)
            continue;
        if (strcmp(o->keyword, "host") == 0)
            host = arena_strdup(a, o->val);
        else if (strcmp(o->keyword, "port") == 0)
            port = arena_strdup(a, o->val);
        else if (strcmp(o->keyword, "target_session_attrs") == 0)
            h->attributes = arena_strdup(a, o->val);
        else if (strcmp(o->keyword, "hostaddr") == 0 || strcmp(o->keyword, "service") == 0)
            plain = false;
    }
    PQconninfoFree(options);
    if (!plain || host == NULL || strchr(host, ',') == NULL)
        return false;
    h->count = split(a, host, h->host);
    int ports = split(a, port == NULL ? "" : port, h->port);
    for (int i = 0; i < h->count; i++) {
        if (ports == 1)
            h->port[i] = h->port[0];
        if (h->port[i] != NULL && h->port[i][0] == '\0') /* a URL's list is of empty parts */
            h->port[i] = "5432";
    }
    return h->count > 1 && (ports == 1 || ports == h->count);
}

static void
start_one(struct race *race, const struct hosts *h, const char *attributes,
          const char *const *names, const char *const *values)
{
    const char *our_names[PARAMS_MAX], *our_values[PARAMS_MAX];
    int n = 0, i = race->started;

    for (; n < PARAMS_MAX - 4 && names[n] != NULL; n++) {
        our_names[n] = names[n];
        our_values[n] = values[n];
    }
    our_names[n] = "host";
    our_values[n++] = h->host[i];
    our_names[n] = "port";
    our_values[n++] = h->port[i];
    our_names[n] = "target_session_attrs";
    our_values[n++] = attributes;
    our_names[n] = NULL;
    our_values[n] = NULL;

    race->runner[i] = PQconnectStartParams(our_names, our_values, 1);
    race->wants[i] = PGRES_POLLING_WRITING;
    race->started++;
    race->next_start = now_ms() + STAGGER_MS;
}

static void
lose(struct race *race, int i)
{
    PQfinish(race->refused);
    race->refused = race->runner[i];
    race->runner[i] = NULL;
    race->next_start = 0;
}

/* Waits until something happens, or until `until`. The winner, or -1. */
static int
wait_for_one(struct race *race, int64_t until)
{
    struct pollfd fds[HOSTS_MAX];
    int who[HOSTS_MAX], n = 0;
    int64_t now = now_ms();

    for (int i = 0; i < race->started; i++) {
        if (race->runner[i] == NULL)
            continue;
        if (PQstatus(race->runner[i]) == CONNECTION_BAD) { /* it could not even start */
            lose(race, i);
            return -1;
        }
        fds[n].fd = PQsocket(race->runner[i]);
        fds[n].events = race->wants[i] == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        who[n++] = i;
    }
    if (poll(fds, (nfds_t)n, until > now ? (int)(until - now) : 0) <= 0)
        return -1;
    for (int k = 0; k < n; k++) {
        if (fds[k].revents == 0)
            continue;
        int i = who[k];
        race->wants[i] = PQconnectPoll(race->runner[i]);
        if (race->wants[i] == PGRES_POLLING_OK)
            return i;
        if (race->wants[i] == PGRES_POLLING_FAILED)
            lose(race, i);
    }
    return -1;
}

/* When the race is over without a winner. */
static int64_t
end_of(const struct race *race, int64_t limit_ms)
{
    bool all_started = race->started == race->count;
    bool short_one = all_started && race->refused != NULL && limit_ms > SILENCE_MS;

    return race->began + (short_one ? SILENCE_MS : limit_ms);
}

static bool
anyone_runs(const struct race *race)
{
    for (int i = 0; i < race->started; i++)
        if (race->runner[i] != NULL)
            return true;
    return false;
}

static PGconn *
run_race(struct race *race, const struct hosts *h, const char *attributes, const char *const *names,
         const char *const *values, int64_t limit_ms)
{
    for (;;) {
        bool more = race->started < race->count;
        int64_t now = now_ms(), end = end_of(race, limit_ms);

        if (more && (now >= race->next_start || !anyone_runs(race))) {
            start_one(race, h, attributes, names, values);
            continue;
        }
        if (now >= end || !anyone_runs(race))
            return NULL;
        int winner = wait_for_one(race, more && race->next_start < end ? race->next_start : end);
        if (winner >= 0) {
            PGconn *conn = race->runner[winner];
            race->runner[winner] = NULL;
            return conn;
        }
    }
}

/* The winner; else a connection that has failed, or has not come about. */
static PGconn *
one_race(const struct hosts *h, const char *attributes, const char *const *names,
         const char *const *values, int64_t limit_ms)
{
    struct race race = {.began = now_ms(), .count = h->count};
    PGconn *conn = run_race(&race, h, attributes, names, values, limit_ms);

    if (conn == NULL) { /* what was said, or the silence */
        conn = race.refused;
        race.refused = NULL;
        for (int i = 0; i < race.started && conn == NULL; i++) {
            conn = race.runner[i];
            race.runner[i] = NULL;
        }
    }
    PQfinish(race.refused);
    for (int i = 0; i < race.started; i++)
        PQfinish(race.runner[i]);
    return conn;
}

static PGconn *
connect_within(const char *const *names, const char *const *values, int64_t limit_ms)
{
    PGconn *conn = PQconnectStartParams(names, values, 1);
    PostgresPollingStatusType wants = PGRES_POLLING_WRITING;
    int64_t end = now_ms() + limit_ms;

    while (conn != NULL && PQstatus(conn) != CONNECTION_BAD && wants != PGRES_POLLING_OK &&
           wants != PGRES_POLLING_FAILED) {
        struct pollfd fd = {.fd = PQsocket(conn),
                            .events = wants == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        int64_t left = end - now_ms();

        if (left <= 0)
            break; /* a connection that has not come about */
        if (poll(&fd, 1, (int)left) > 0)
            wants = PQconnectPoll(conn);
    }
    return conn;
}

PGconn *
pg_race(struct arena *a, const char *const *names, const char *const *values, int64_t limit_ms)
{
    struct hosts h = {0};

    if (!read_hosts(a, value_of(names, values, "dbname"), &h))
        return limit_ms < LIBPQ_LEAST_MS ? connect_within(names, values, limit_ms)
                                         : PQconnectdbParams(names, values, 1);
    const char *attributes = h.attributes;
    if (attributes == NULL)
        attributes = value_of(names, values, "target_session_attrs");
    if (attributes == NULL)
        attributes = "read-write";
    if (strcmp(attributes, "prefer-standby") != 0)
        return one_race(&h, attributes, names, values, limit_ms);
    PGconn *conn = one_race(&h, "standby", names, values, limit_ms);
    if (PQstatus(conn) == CONNECTION_OK)
        return conn;
    PQfinish(conn);
    return one_race(&h, "any", names, values, limit_ms);
}
