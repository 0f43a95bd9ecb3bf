/*
 * Design: everything that processes share is one word each, changed by compare-and-swap, so that a
 * process may be killed between any two instructions and leaves nothing locked.
 *
 * A place is the caller's pid and when his call ends at the latest, in one word: both appear and
 * vanish at once. It is free again when he puts 0 there, when he is dead, or when that time has
 * passed: the last also frees the place of a killed process whose pid somebody else was given.
 * Whoever gives a place back swaps his own word for 0, so that he cannot take it from a successor.
 *
 * The breaker is the time until which the provider is left alone; 0 is closed. When that time has
 * passed, whoever moves it into the future by a swap is the one who tries; the others find it in
 * the future again. If he dies while he tries, the next one tries when his time has passed. Any
 * answer closes it.
 *
 * The OAuth2 server has few places and quick answers, and a page that was idle asks six things at
 * once: his callers wait a moment for a place before they are refused, but not behind a call that
 * takes longer than that, so that one who hangs costs a worker next to nothing until the breaker
 * opens. Waiting is by looking again: whoever leaves a place tells nobody, since he may be killed.
 *
 * What counts against a provider is that he does not answer, or says that he cannot (5xx, 429); not
 * a time-out of a call that got only the rest of a budget. M-Pesa says 500 for "still in process"
 * and for "you sent this twice": his 500 is an answer like any other.
 *
 * Rejected: a semaphore (a killed process keeps its place for ever), a mutex that survives its
 * owner's death (PTHREAD_MUTEX_ROBUST: more to get right than two swaps), and Redis (a breaker that
 * depends on another server, which may be away too).
 */
#include "providers/outside.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "base/trace.h"
#include "io/metrics.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PLACES 64     /* PROVIDER_AT_ONCE is at most this */
#define PID_BITS 22   /* Linux: PID_MAX_LIMIT is 4 Mi */
#define GRACE_MS 1000 /* how much longer than its budget a call may really take */
#define ANSWER_MAX (256 * 1024)
#define NS_IN_MS 1000000
#define NAP_NS (2 * NS_IN_MS) /* between two looks for a place */

struct shared {
    _Atomic uint64_t places[PLACES];
    _Atomic int64_t failures;    /* one after another */
    _Atomic int64_t alone_until; /* milliseconds of the monotonic clock; 0: the breaker is closed */
};

/* Until outside_share(): this process's own. */
static struct shared own[PROVIDER__COUNT];
static struct shared *all = own;

static const struct {
    const char *name;
    bool says_500;       /* in the normal course of things */
    int64_t patience_ms; /* how long a call may wait for a place */
} providers[PROVIDER__COUNT] = {
    [PROVIDER_STRIPE] = {.name = "stripe"},
    [PROVIDER_DARAJA] = {.name = "mpesa", .says_500 = true},
    [PROVIDER_AFRICASTALKING] = {.name = "africastalking"},
    [PROVIDER_OAUTH2] = {.name = "oauth2", .patience_ms = 100},
    [PROVIDER_MAIL] = {.name = "mail"},
};

/* The OAuth2 server is asked on the way into the shop: he gets less of both. */
static int64_t
at_once(enum provider p)
{
    return p == PROVIDER_OAUTH2 ? conf->oauth2_at_once : conf->provider_at_once;
}

static int64_t
longest_ms(enum provider p)
{
    return p == PROVIDER_OAUTH2 ? conf->oauth2_timeout.ms : conf->provider_timeout.ms;
}

/* How long a call to him may take now. */
static int64_t
time_for(const struct ctx *ctx, enum provider p)
{
    int64_t left = outside_budget(ctx);

    return left < longest_ms(p) ? left : longest_ms(p);
}

/* What one call is and what came of it, for the log. */
struct outcome {
    const char *word, *why;
    int status;
};

static int64_t
mono_ms(void)
{
    return clock_mono_ns() / NS_IN_MS;
}

static uint64_t
place_of(pid_t pid, int64_t until_ms)
{
    return (uint64_t)until_ms << PID_BITS | (uint64_t)pid;
}

static bool
is_free(uint64_t place, int64_t now)
{
    pid_t pid = (pid_t)(place & ((UINT64_C(1) << PID_BITS) - 1));

    return place == 0 || (int64_t)(place >> PID_BITS) <= now ||
           (kill(pid, 0) != 0 && errno == ESRCH);
}

/* Our place, and what we wrote into it; NULL if all are taken. */
static _Atomic uint64_t *
take_place(enum provider p, int64_t now, int64_t total_ms, uint64_t *mine)
{
    struct shared *s = &all[p];

    *mine = place_of(getpid(), now + total_ms + GRACE_MS);
    for (int64_t i = 0; i < at_once(p) && i < PLACES; i++) {
        uint64_t old = atomic_load(&s->places[i]);

        if (is_free(old, now) && atomic_compare_exchange_strong(&s->places[i], &old, *mine))
            return &s->places[i];
    }
    return NULL;
}

/* Whether a call is under way for longer than his callers would wait. */
static bool
is_slow(enum provider p, int64_t now)
{
    for (int64_t i = 0; i < at_once(p) && i < PLACES; i++) {
        uint64_t place = atomic_load(&all[p].places[i]);
        int64_t since = (int64_t)(place >> PID_BITS) - GRACE_MS - longest_ms(p);

        if (place != 0 && now - since > providers[p].patience_ms)
            return true;
    }
    return false;
}

/* The same; waits for one as long as his callers may, unless he is slow or left alone. */
static _Atomic uint64_t *
wait_for_place(enum provider p, int64_t total_ms, uint64_t *mine)
{
    const struct timespec nap = {.tv_nsec = NAP_NS};
    int64_t until = mono_ms() + providers[p].patience_ms;

    for (;;) {
        int64_t now = mono_ms();
        _Atomic uint64_t *place = take_place(p, now, total_ms, mine);

        if (place != NULL || now >= until || is_slow(p, now) ||
            atomic_load(&all[p].alone_until) > now)
            return place;
        nanosleep(&nap, NULL);
    }
}

static void
give_back(_Atomic uint64_t *place, uint64_t mine)
{
    atomic_compare_exchange_strong(place, &mine, 0);
}

/* Whether a call may go out: the breaker is closed, or we are the one who tries. */
static bool
may_try(struct shared *s, int64_t now, int64_t total_ms)
{
    int64_t until = atomic_load(&s->alone_until);
    int64_t longest = total_ms + GRACE_MS;

    if (until == 0)
        return true;
    if (until > now)
        return false;
    return atomic_compare_exchange_strong(
        &s->alone_until, &until,
        now + (longest > conf->provider_pause.ms ? longest : conf->provider_pause.ms));
}

static void
has_answered(enum provider p)
{
    struct shared *s = &all[p];

    atomic_store(&s->failures, 0);
    if (atomic_load(&s->alone_until) != 0 && atomic_exchange(&s->alone_until, 0) != 0) {
        metric_set(METRIC_BREAKER, 0, LABELS(provider_name(p)));
        log_event(LOG_WARN, EVENT("provider.back"), TEXT("soko.provider", provider_name(p)));
    }
}

static void
has_failed(enum provider p)
{
    struct shared *s = &all[p];
    int64_t failures = atomic_fetch_add(&s->failures, 1) + 1;
    int64_t until = mono_ms() + conf->provider_pause.ms, closed = 0;

    if (failures < conf->provider_failures)
        return;
    metric_set(METRIC_BREAKER, 1, LABELS(provider_name(p)));
    if (atomic_compare_exchange_strong(&s->alone_until, &closed, until))
        log_event(LOG_ERROR, EVENT("provider.left_alone"), TEXT("soko.provider", provider_name(p)),
                  INT("soko.attempts", failures), INT("soko.pause_ms", conf->provider_pause.ms));
    else
        atomic_store(&s->alone_until, until);
}

static bool
is_overwhelmed(enum provider p, int status)
{
    return status == 429 || (status >= 500 && !(status == 500 && providers[p].says_500));
}

/* The outcome of a call, for the metrics. */
static const char *
outcome_name(enum provider p, const struct outcome *o)
{
    if (o->why != NULL)
        return o->status == 0 && strcmp(o->word, "unknown") != 0 ? "not_sent" : o->word;
    return is_overwhelmed(p, o->status) ? "failure" : o->status >= 400 ? "refused" : "success";
}

static void
tell(enum provider p, const char *operation, const char *span, const struct outcome *o,
     int64_t since_ns)
{
    bool good = o->why == NULL;
    int64_t took = clock_mono_ns() - since_ns;
    const struct log_field fields[] = {
        EVENT("provider.call"),
        TEXT("soko.provider", provider_name(p)),
        TEXT("soko.operation", operation),
        TEXT("event.outcome", o->word),
        INT("event.duration", took),
        TEXT("error.message", o->why),
        TEXT("span.id", span),
        o->status != 0 ? (struct log_field)INT("http.response.status_code", o->status)
                       : (struct log_field){0},
        {0},
    };

    metric_add(METRIC_PROVIDER_CALLS, 1, LABELS(provider_name(p), operation, outcome_name(p, o)));
    metric_observe(METRIC_PROVIDER_SECONDS, took, LABELS(provider_name(p), operation));
    log_write(good ? LOG_INFO : LOG_WARN, fields);
}

/* One call between its guards. */
struct guarded {
    enum provider p;
    const char *operation;
    enum err (*call)(struct ctx *ctx, int64_t total_ms, void *arg);
    void *arg;
    const struct http_answer *answer; /* or NULL: no HTTP */
    const char *span;                 /* the call's id in its trace */
};

/* Calls, and draws the conclusions for the breaker. */
static enum err
call_once(struct ctx *ctx, const struct guarded *g, int64_t total_ms, struct outcome *o)
{
    int64_t since = mono_ms();
    enum err e = g->call(ctx, total_ms, g->arg);
    /* Not so if what was left of the budget was too little to judge him by. */
    bool counts = total_ms * 2 >= longest_ms(g->p) || mono_ms() - since < total_ms;

    if (g->answer != NULL) {
        o->status = g->answer->status;
        o->why = g->answer->why;
    }
    switch (e) {
    case OK:
        o->word = "success";
        if (is_overwhelmed(g->p, o->status))
            has_failed(g->p);
        else
            has_answered(g->p);
        break;
    case ERR_PROVIDER_UNAVAILABLE:
        o->word = "failure";
        o->why = o->why != NULL ? o->why : "no connection";
        if (counts)
            has_failed(g->p);
        break;
    case ERR_REQUEST_TIMEOUT:
        o->word = "unknown";
        o->why = o->why != NULL ? o->why : "no answer";
        if (counts)
            has_failed(g->p);
        break;
    default: /* our fault, and no word about the provider */
        o->word = "failure";
        o->why = o->why != NULL ? o->why : err_code(e);
    }
    return e;
}

static enum err
refuse(struct outcome *o, const char *why)
{
    *o = (struct outcome){.word = "failure", .why = why};
    return ERR_PROVIDER_UNAVAILABLE;
}

static enum err
guard(struct ctx *ctx, const struct guarded *g)
{
    struct shared *s = &all[g->p];
    int64_t since_ns = clock_mono_ns(), left = time_for(ctx, g->p);
    struct outcome o = {.word = "failure"};
    uint64_t mine;
    enum err e;

    _Atomic uint64_t *place = left == 0 ? NULL : wait_for_place(g->p, left, &mine);
    if (left == 0) {
        e = refuse(&o, "the budget of time is spent");
    } else if (place == NULL) {
        e = refuse(&o, "too many calls at once");
    } else {
        e = may_try(s, mono_ms(), left) ? call_once(ctx, g, left, &o) : refuse(&o, "is left alone");
        give_back(place, mine);
    }
    tell(g->p, g->operation, g->span, &o, since_ns);
    return e;
}

bool
outside_wait(struct ctx *ctx, enum provider p, const char *operation, struct outside_wait *out)
{
    struct shared *s = &all[p];
    int64_t since_ns = clock_mono_ns(), now = since_ns / NS_IN_MS, left = time_for(ctx, p);
    struct outcome o;

    *out = (struct outside_wait){0};
    if (atomic_load(&s->alone_until) > now)
        refuse(&o, "is left alone");
    else if (left > 0 && (out->place = take_place(p, now, left, &out->mine)) != NULL)
        return true;
    else
        refuse(&o, left == 0 ? "the budget of time is spent" : "too many calls at once");
    tell(p, operation, NULL, &o, since_ns);
    return false;
}

void
outside_waited(const struct outside_wait *w)
{
    if (w->place != NULL)
        give_back(w->place, w->mine);
}

struct http {
    struct http_call *call;
    struct http_answer *answer;
    const char *span;
};

/* The call's headers, and the trace that it belongs to. A provider learns no more by it than which
 * of his calls belong together: the id is made by chance, by us or by whoever called us, it opens
 * nothing, and it says nothing of a person; of the caller's own headers nothing else is passed on.
 */
static const char *const *
with_trace(struct ctx *ctx, const struct http *h)
{
    const char *const *headers = h->call->headers;
    char parent[TRACEPARENT_SIZE];
    size_t n = 0;

    if (!trace_id_good(ctx->trace_id))
        return headers;
    while (headers != NULL && headers[n] != NULL)
        n++;
    const char **all_of_them = arena_array(ctx->arena, n + 2, sizeof *all_of_them);
    for (size_t i = 0; i < n; i++)
        all_of_them[i] = headers[i];
    all_of_them[n] = arena_printf(ctx->arena, "traceparent: %s",
                                  trace_parent(ctx->trace_id, h->span, ctx->sampled, parent));
    return all_of_them;
}

static enum err
send_http(struct ctx *ctx, int64_t total_ms, void *arg)
{
    struct http *h = arg;

    h->call->total_ms = total_ms;
    h->call->connect_ms =
        total_ms < conf->provider_connect_timeout.ms ? total_ms : conf->provider_connect_timeout.ms;
    h->call->answer_max = ANSWER_MAX;
    if (ctx->http == NULL)
        return ERR_INTERNAL;
    struct http_call call = *h->call;
    call.headers = with_trace(ctx, h);
    return http_send(ctx->http, ctx->arena, &call, h->answer);
}

void
outside_share(void)
{
    void *memory =
        mmap(NULL, sizeof own, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        log_event(LOG_ERROR, EVENT("outside.share"), INT("error.code", errno));
        abort();
    }
    all = memory; /* all zeroes, as `own` is */
    for (int p = 0; p < PROVIDER__COUNT; p++)
        metric_set(METRIC_BREAKER, 0, LABELS(providers[p].name));
}

enum err
outside_send(struct ctx *ctx, enum provider p, const char *operation, struct http_call *call,
             struct http_answer *answer)
{
    char span[SPAN_ID_SIZE];
    struct http h = {.call = call, .answer = answer, .span = span};

    trace_span(span);
    *answer = (struct http_answer){.body = ""};
    return guard(ctx, &(struct guarded){.p = p,
                                        .operation = operation,
                                        .call = send_http,
                                        .arg = &h,
                                        .answer = answer,
                                        .span = span});
}

enum err
outside_guard(struct ctx *ctx, enum provider p, const char *operation,
              enum err (*call)(struct ctx *ctx, int64_t total_ms, void *arg), void *arg)
{
    char span[SPAN_ID_SIZE];

    trace_span(span);
    return guard(ctx, &(struct guarded){
                          .p = p, .operation = operation, .call = call, .arg = arg, .span = span});
}

int64_t
outside_budget(const struct ctx *ctx)
{
    int64_t whole = conf->provider_timeout.ms, left = ctx->now_ms + whole - clock_ms();

    /* The clock may have been set meanwhile. */
    return left < 0 ? 0 : left > whole ? whole : left;
}

void
outside_forget(void)
{
    for (int p = 0; p < PROVIDER__COUNT; p++) {
        atomic_store(&all[p].failures, 0);
        atomic_store(&all[p].alone_until, 0);
        for (int i = 0; i < PLACES; i++)
            atomic_store(&all[p].places[i], 0);
    }
}

const char *
provider_name(enum provider p)
{
    return (unsigned)p < PROVIDER__COUNT ? providers[p].name : "unknown";
}
