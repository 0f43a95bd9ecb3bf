/*
 * Entries become visible out of the order of their ids, since an id is taken before its transaction
 * commits. So what has no link is found by looking, and the question is where to begin: an
 * anti-join over ten million entries takes seconds, every ten seconds.
 *
 * `settled` is where: no entry up to it is without a link, and none will come. It is found thus:
 *
 *     1. the newest id that can be seen is N;
 *     2. then, who is writing: each transaction that has taken an id holds a lock on audit_log
 *        (RowExclusiveLock, PostgreSQL's own) until it is over, and pg_locks shows it;
 *     3. what has no link is sealed;
 *     4. once none of those of 2 is left, every id up to N was committed or never will be;
 *     5. what is still without a link is sealed: N is settled.
 *
 * If one of them is slow, the next turn tries again with a newer N. No time is assumed, so that a
 * transaction that sleeps for an hour is not forgotten. Each link says what was settled when it was
 * made: the next process begins there, and a verifier knows what must have a link.
 *
 * Rejected: a queue table beside the log, whose rows could be deleted; a column for the entry's
 * transaction id, which means nothing after a restore; to wait a fixed time for stragglers.
 */
#include "shop/audit_seal.h"

#include "base/config.h"
#include "base/log.h"
#include "io/pg.h"
#include "io/tx.h"
#include "shop/audit_link.h"
#include "shop/stmt.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define BATCH 500
#define TURN 40 /* batches at most */

struct taken_row {
    bool taken;
};
static const struct field taken_row_fields[] = {FIELD(struct taken_row, taken)};
static const struct input taken_row = INPUT(taken_row, "AuditLock", NULL);

struct number_row {
    int64_t n;
};
static const struct field number_row_fields[] = {FIELD(struct number_row, n)};
static const struct input number_row = INPUT(number_row, "AuditNumber", NULL);

struct writers_row {
    const char *writers;
};
static const struct field writers_row_fields[] = {FIELD(struct writers_row, writers)};
static const struct input writers_row = INPUT(writers_row, "AuditWriters", NULL);

/* One batch. */
struct batch {
    int64_t after, settled;              /* where to look; what is known to be settled */
    bool waits;                          /* for whoever seals */
    const struct audit_anchor *accepted; /* or NULL */
    /* What came of it. */
    bool taken, sound;
    size_t count;
    int64_t last; /* entry */
    struct audit_link head;
};

/* What was seen at a turn's beginning. */
struct sight {
    int64_t newest;
    const char *writers;
    int64_t left; /* of these */
};

static bool
is_sound(struct arena *a, const uint8_t key[SHA256_SIZE], const struct batch *b)
{
    const struct audit_link *h = &b->head;
    const struct audit_anchor *ok = b->accepted;

    if (h->number == 0)
        return ok == NULL;
    if (ok != NULL)
        return ok->number == h->number && strcasecmp(ok->mac, h->mac) == 0;
    return !h->is_bare && (h->number == 1) == (h->before[0] == '\0') &&
           strcmp(audit_link_mac(a, key, h->before, h), h->mac) == 0;
}

static enum err
add_links(struct ctx *ctx, const uint8_t key[SHA256_SIZE], struct batch *b,
          struct audit_link *entries)
{
    int64_t *ids = arena_array(ctx->arena, b->count, sizeof(*ids));
    const char **macs = arena_array(ctx->arena, b->count, sizeof(*macs));
    int64_t first = b->head.number + 1;

    for (size_t i = 0; i < b->count; i++) {
        struct audit_link *l = &entries[i];

        l->number = b->head.number + 1;
        l->settled = b->settled;
        l->mac = audit_link_mac(ctx->arena, key, b->head.number == 0 ? "" : b->head.mac, l);
        ids[i] = l->entry;
        macs[i] = l->mac;
        b->head = *l;
    }
    b->last = b->head.entry;
    return pg_run(ctx, AUDIT_SEAL, ARG_INT(first), ARG_INTS(ids, b->count),
                  ARG_TEXTS(macs, b->count), ARG_INT(b->settled));
}

static enum err
seal_work(struct ctx *ctx, void *arg)
{
    struct batch *b = arg;
    struct taken_row lock = {0};
    struct audit_link *entries;
    uint8_t key[SHA256_SIZE];

    b->count = 0;
    b->sound = true;
    b->head = (struct audit_link){.mac = "", .before = ""};
    pg_queue(ctx, AUDIT_PATIENCE, ARG_NONE); /* a long way from `settled` must not end it */
    enum err e = pg_one(ctx, b->waits ? AUDIT_LOCK : AUDIT_TRY_LOCK, &taken_row, &lock, ARG_NONE);
    b->taken = b->waits || lock.taken;
    if (e != OK || !b->taken)
        return e;
    e = pg_one(ctx, AUDIT_HEAD, &audit_link_row, &b->head, ARG_NONE);
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    problems_clear(&ctx->problems);
    audit_link_key(conf->data_key, key);
    b->sound = is_sound(ctx->arena, key, b);
    if (!b->sound)
        return OK;
    if (b->accepted == NULL && b->head.settled > b->settled)
        b->settled = b->head.settled;
    if (b->after < b->settled)
        b->after = b->settled;
    e = pg_all(ctx, AUDIT_UNSEALED, &audit_unsealed_row, &entries, &b->count, ARG_INT(b->after),
               ARG_INT(BATCH));
    return e != OK || b->count == 0 ? e : add_links(ctx, key, b, entries);
}

/* One batch in its transaction. The head's MAC is in ctx's arena. */
static enum err
seal_batch(struct ctx *ctx, struct batch *b)
{
    enum err e = tx_run(ctx, seal_work, b);

    if (e != OK) {
        log_event(LOG_WARN, EVENT("audit.seal_failed"), TEXT("error.code", err_code(e)));
        return e;
    }
    if (!b->sound)
        log_event(
            LOG_ERROR, EVENT("audit.unsound"), INT("soko.audit.number", b->head.number),
            TEXT("error.message",
                 "the chain's head is not by DATA_KEY of its entry: nothing is sealed until a "
                 "person has looked (sokoctl audit verify)"));
    if (b->count > 0)
        log_event(LOG_INFO, EVENT("audit.sealed"), INT("soko.audit.number", b->head.number),
                  TEXT("soko.audit.mac", b->head.mac), INT("soko.audit.count", (int64_t)b->count));
    return OK;
}

/* Batch by batch, `limit` at most. True if nothing is left; *sealed grows. */
static bool
seal_rest(struct ctx *ctx, struct batch *b, const volatile sig_atomic_t *stop, size_t limit,
          size_t *sealed)
{
    bool more = true;

    while (more && limit-- > 0 && (stop == NULL || !*stop)) {
        struct arena *a = arena_new();
        struct ctx one = *ctx;

        one.arena = a;
        bool good = seal_batch(&one, b) == OK && b->taken && b->sound;
        b->head.mac = arena_strdup(ctx->arena, b->head.mac);
        arena_free(a);
        if (!good)
            return false;
        *sealed += b->count;
        more = b->count == BATCH;
        if (b->count > 0)
            b->after = b->last;
        b->accepted = NULL; /* what comes behind it is ours */
    }
    return !more;
}

/* Steps 1 and 2. */
static enum err
look_work(struct ctx *ctx, void *arg)
{
    struct sight *s = arg;
    struct number_row newest = {0};
    struct writers_row w = {0};

    enum err e = pg_one(ctx, AUDIT_NEWEST, &number_row, &newest, ARG_NONE);
    if (e == OK)
        e = pg_one(ctx, AUDIT_WRITERS, &writers_row, &w, ARG_NONE);
    s->newest = newest.n;
    s->writers = w.writers;
    return e;
}

static enum err
left_work(struct ctx *ctx, void *arg)
{
    struct sight *s = arg;
    struct number_row left = {0};

    enum err e = pg_one(ctx, AUDIT_WRITERS_LEFT, &number_row, &left, ARG_TEXT(s->writers));
    s->left = left.n;
    return e;
}

void
audit_seal_turn(struct ctx *ctx, struct audit_sealer *s, const volatile sig_atomic_t *stop)
{
    struct sight sight = {0};
    struct batch b = {0};
    size_t sealed = 0;

    if (tx_read(ctx, look_work, &sight) != OK || sight.newest == s->settled)
        return;
    if (sight.newest < s->settled) /* an older database was brought back under us */
        *s = (struct audit_sealer){0};
    b.settled = s->settled;
    b.after = s->after > s->settled ? s->after : s->settled;
    bool done = seal_rest(ctx, &b, stop, TURN, &sealed);
    s->settled = b.settled;
    s->after = done ? 0 : b.after;
    if (!done)
        return;
    if (tx_read(ctx, left_work, &sight) != OK || sight.left > 0)
        return;
    b.after = b.settled;
    if (seal_rest(ctx, &b, stop, TURN, &sealed))
        s->settled = sight.newest;
}

enum err
audit_seal_all(struct ctx *ctx, const struct audit_anchor *accepted, size_t *sealed,
               struct audit_anchor *head)
{
    struct batch b = {.waits = true, .accepted = accepted};

    *sealed = 0;
    bool done = seal_rest(ctx, &b, NULL, SIZE_MAX, sealed);
    *head = (struct audit_anchor){b.head.number, b.head.mac};
    if (done)
        return OK;
    if (b.sound)
        return ERR_SERVICE_UNAVAILABLE;
    return fail(ctx, ERR_INVALID_STATUS, NULL,
                accepted != NULL ? "the head is another: %" PRId64 ":%s"
                                 : "the head %" PRId64 ":%s is not sealed by DATA_KEY",
                b.head.number, b.head.mac);
}
