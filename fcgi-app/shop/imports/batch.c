/*
 * Four round trips a batch, whatever its size: stores by name, categories by path, products, the
 * mark. Each is one statement over arrays.
 *
 * Categories have names of their own in the whole tree, so that each step of a path is found by its
 * name, and a path is wrong if a step hangs elsewhere.
 *
 * A line counts as sent what the file says, as PUT does: `stock` sets the stock, it does not add to
 * it.
 *
 * Rejected: COPY into a temporary table (a second connection state to resume, and no faster at 500
 * lines a batch: the search index takes the time), and one long transaction (nothing could be
 * resumed, and locks on products would be held for minutes).
 */
#include "shop/imports/batch.h"
#include "io/pg.h"
#include "io/tx.h"
#include "shop/accounts/accounts.h"
#include "shop/stmt.h"

#include <string.h>

static const struct field import_mark_fields[] = {
    FIELD(struct import_mark, byte_offset),  FIELD(struct import_mark, line_number),
    FIELD(struct import_mark, added),        FIELD(struct import_mark, changed),
    FIELD(struct import_mark, same),         FIELD(struct import_mark, refused),
    FIELD(struct import_mark, report_bytes), FIELD(struct import_mark, finished),
    FIELD(struct import_mark, finished_at),
};
static const struct input import_mark = INPUT(import_mark, "ImportMark", NULL);

struct place_row {
    struct uuid id; /* nil: there is none */
    const char *parent;
    bool fits;
};
static const struct field place_row_fields[] = {
    FIELD(struct place_row, id),
    FIELD(struct place_row, parent),
    FIELD(struct place_row, fits),
};
static const struct input place_row = INPUT(place_row, "ImportPlace", NULL);

struct store_row {
    struct uuid id;
};
static const struct field store_row_fields[] = {FIELD(struct store_row, id)};
static const struct input store_row = INPUT(store_row, "ImportStore", NULL);

struct count_row {
    int64_t added, held, changed;
};
static const struct field count_row_fields[] = {
    FIELD(struct count_row, added),
    FIELD(struct count_row, held),
    FIELD(struct count_row, changed),
};
static const struct input count_row = INPUT(count_row, "ImportCounts", NULL);

/* The texts that a batch names, each once. */
struct names {
    const char **s;
    size_t count;
};

/* One step of a path. */
struct step {
    const char *name, *parent; /* parent NULL: at the top */
};

struct path {
    size_t steps[IMPORT_DEPTH_MAX]; /* in work.steps */
    size_t count;
};

struct work {
    struct import_batch *b;
    struct arena *a;
    bool *good; /* a line: to be imported, as far as is known */
    size_t *store_of, *path_of;
    struct names stores, categories;
    struct store_row *store_rows;
    struct path *paths;
    struct step *steps;
    size_t step_count;
    struct place_row *places; /* one a step */
};

static size_t
name_index(struct names *n, const char *s)
{
    /* Neighbours are mostly alike, so the last ones are looked at first. */
    for (size_t i = n->count; i-- > 0;) {
        if (strcmp(n->s[i], s) == 0)
            return i;
    }
    n->s[n->count] = s;
    return n->count++;
}

static void
refuse(struct work *w, size_t i, const char *field, const char *message)
{
    problems_add(w->a, &w->b->lines[i].problems, ERR_VALIDATION, field, NULL, "%s", message);
    w->good[i] = false;
}

/* Makes the one store that the owner may have, if the batch names one that is missing. */
static enum err
open_store(struct ctx *ctx, struct work *w, size_t missing)
{
    int64_t made;
    struct uuid id = uuid_v7(ctx->now_ms);

    enum err e = pg_touch(ctx, STORES_ADD_FIRST, &made, ARG_ID(id), ARG_ID(w->b->owner),
                          ARG_TEXT(w->stores.s[missing]));
    if (e != OK || made == 0)
        return e;
    w->store_rows[missing].id = id;
    return accounts_grant(ctx, w->b->owner, ROLE_SELLER);
}

static enum err
find_stores(struct ctx *ctx, struct work *w)
{
    size_t count, missing = 0;
    bool owned = !uuid_is_nil(w->b->owner);

    for (size_t i = 0; i < w->b->count; i++) {
        if (w->good[i])
            w->store_of[i] = name_index(&w->stores, w->b->lines[i].in->store);
    }
    enum err e = pg_all(ctx, STORES_NAMED, &store_row, &w->store_rows, &count,
                        ARG_TEXTS(w->stores.s, w->stores.count));
    if (e != OK)
        return e;
    if (count != w->stores.count)
        return ERR_INTERNAL;
    while (missing < count && !uuid_is_nil(w->store_rows[missing].id))
        missing++;
    if (missing < count && owned)
        e = open_store(ctx, w, missing);
    /* Of two ways to write the new store's name, the other is found by looking again. */
    if (e == OK && missing < count && owned)
        e = pg_all(ctx, STORES_NAMED, &store_row, &w->store_rows, &count,
                   ARG_TEXTS(w->stores.s, w->stores.count));
    for (size_t i = 0; e == OK && i < w->b->count; i++) {
        if (w->good[i] && uuid_is_nil(w->store_rows[w->store_of[i]].id))
            refuse(w, i, "store",
                   owned ? "is not a known store, and its owner has another already"
                         : "is not a known store");
    }
    return e;
}

static size_t
step_index(struct work *w, const char *name, const char *parent)
{
    for (size_t i = w->step_count; i-- > 0;) {
        const struct step *s = &w->steps[i];
        if (strcmp(s->name, name) == 0 && (s->parent == NULL) == (parent == NULL) &&
            (parent == NULL || strcmp(s->parent, parent) == 0))
            return i;
    }
    w->steps[w->step_count] = (struct step){name, parent};
    return w->step_count++;
}

static void
collect_steps(struct work *w)
{
    const char *names[IMPORT_DEPTH_MAX];

    for (size_t i = 0; i < w->b->count; i++) {
        if (w->good[i])
            w->path_of[i] = name_index(&w->categories, w->b->lines[i].in->category);
    }
    w->paths = arena_array(w->a, w->categories.count, sizeof(w->paths[0]));
    w->steps = arena_array(w->a, w->categories.count * IMPORT_DEPTH_MAX, sizeof(w->steps[0]));
    for (size_t k = 0; k < w->categories.count; k++) {
        struct path *p = &w->paths[k];
        import_path(w->a, w->categories.s[k], names, &p->count); /* it has passed the table */
        for (size_t n = 0; n < p->count; n++)
            p->steps[n] = step_index(w, names[n], n > 0 ? names[n - 1] : NULL);
    }
}

static enum err
look_up_steps(struct ctx *ctx, struct work *w)
{
    const char **names = arena_array(w->a, w->step_count, sizeof(names[0]));
    const char **parents = arena_array(w->a, w->step_count, sizeof(parents[0]));
    size_t count;

    for (size_t i = 0; i < w->step_count; i++) {
        names[i] = w->steps[i].name;
        parents[i] = w->steps[i].parent;
    }
    enum err e = pg_all(ctx, CATALOG_IMPORT_CATEGORIES, &place_row, &w->places, &count,
                        ARG_TEXTS(names, w->step_count), ARG_TEXTS(parents, w->step_count));
    return e == OK && count != w->step_count ? ERR_INTERNAL : e;
}

/* The first step of a path that hangs elsewhere, or its length. */
static size_t
misfit(const struct work *w, const struct path *p)
{
    size_t n = 0;

    while (n < p->count && (uuid_is_nil(w->places[p->steps[n]].id) || w->places[p->steps[n]].fits))
        n++;
    return n;
}

/* Refuses the lines whose category hangs elsewhere. */
static void
refuse_misfits(struct work *w)
{
    for (size_t i = 0; i < w->b->count; i++) {
        if (!w->good[i])
            continue;
        const struct path *p = &w->paths[w->path_of[i]];
        size_t n = misfit(w, p);
        if (n == p->count)
            continue;
        const struct step *s = &w->steps[p->steps[n]];
        const char *parent = w->places[p->steps[n]].parent;
        refuse(w, i, "category",
               parent == NULL
                   ? arena_printf(w->a, "\"%s\" is at the top already", s->name)
                   : arena_printf(w->a, "\"%s\" is below \"%s\" already", s->name, parent));
    }
}

/* Adds what is missing on one path, unless it has come to be misfit by those before it. */
static enum err
add_path(struct ctx *ctx, struct work *w, const struct path *p)
{
    const char *names[IMPORT_DEPTH_MAX], *parents[IMPORT_DEPTH_MAX];
    struct place_row *places;
    size_t count;

    for (size_t n = 0; n < p->count; n++) {
        names[n] = w->steps[p->steps[n]].name;
        parents[n] = w->steps[p->steps[n]].parent;
    }
    enum err e = pg_all(ctx, CATALOG_IMPORT_CATEGORIES, &place_row, &places, &count,
                        ARG_TEXTS(names, p->count), ARG_TEXTS(parents, p->count));
    for (size_t n = 0; e == OK && n < p->count; n++) {
        if (!uuid_is_nil(places[n].id) && !places[n].fits)
            return OK;
    }
    for (size_t n = 0; e == OK && n < p->count; n++) {
        if (uuid_is_nil(places[n].id))
            e = pg_touch(ctx, CATALOG_IMPORT_CATEGORY_ADD, NULL, ARG_ID(uuid_v7(ctx->now_ms)),
                         ARG_TEXT(names[n]), ARG_TEXT(parents[n]));
    }
    return e;
}

/* Adds what is missing, path by path in the order of the lines: who comes first says where a
 * category hangs. That takes round trips, but few files have many categories that are new. */
static enum err
add_categories(struct ctx *ctx, struct work *w, bool *added)
{
    enum err e = OK;

    *added = false;
    for (size_t k = 0; e == OK && k < w->categories.count; k++) {
        const struct path *p = &w->paths[k];
        bool missing = false;
        for (size_t n = 0; n < p->count; n++)
            missing = missing || uuid_is_nil(w->places[p->steps[n]].id);
        if (!missing || misfit(w, p) < p->count)
            continue;
        e = add_path(ctx, w, p);
        *added = true;
    }
    return e;
}

static enum err
find_categories(struct ctx *ctx, struct work *w)
{
    bool added;

    collect_steps(w);
    if (w->step_count == 0)
        return OK;
    enum err e = look_up_steps(ctx, w);
    if (e != OK)
        return e;
    refuse_misfits(w);
    e = add_categories(ctx, w, &added);
    if (e != OK || !added)
        return e;
    e = look_up_steps(ctx, w); /* a name may have come twice, below two others */
    if (e == OK)
        refuse_misfits(w);
    return e;
}

static const char *
flag(bool sent, bool value)
{
    return !sent ? NULL : value ? "t" : "f";
}

/* Products, all in one statement. */
static enum err
put_products(struct ctx *ctx, struct work *w, struct count_row *counts, size_t *good)
{
    struct arena *a = w->a;
    size_t most = w->b->count, n = 0;
    struct uuid *ids = arena_array(a, most, sizeof(ids[0]));
    struct uuid *stores = arena_array(a, most, sizeof(stores[0]));
    struct uuid *categories = arena_array(a, most, sizeof(categories[0]));
    int64_t *prices = arena_array(a, most, sizeof(prices[0]));
    const char **texts[8]; /* sku, name, description, currency, weight, weighed, stock, on sale */

    for (size_t k = 0; k < 8; k++)
        texts[k] = arena_array(a, most, sizeof(texts[k][0]));
    for (size_t i = 0; i < most; i++) {
        const struct import_line *line = &w->b->lines[i];
        const struct import_in *in = line->in;
        if (!w->good[i])
            continue;
        const struct path *p = &w->paths[w->path_of[i]];
        bool weighs = import_sent(line, "weight_g");
        ids[n] = uuid_v7(ctx->now_ms);
        stores[n] = w->store_rows[w->store_of[i]].id;
        categories[n] = w->places[p->steps[p->count - 1]].id;
        prices[n] = line->price;
        texts[0][n] = in->sku;
        texts[1][n] = in->name;
        texts[2][n] = in->description;
        texts[3][n] = line->currency;
        texts[4][n] = weighs ? arena_printf(a, "%lld", (long long)in->weight_g) : NULL;
        texts[5][n] = flag(true, weighs || line->no_weight);
        texts[6][n] =
            import_sent(line, "stock") ? arena_printf(a, "%lld", (long long)in->stock) : NULL;
        texts[7][n] = flag(import_sent(line, "is_active"), in->is_active);
        n++;
    }
    *good = n;
    if (n == 0)
        return OK;
    enum err e = pg_one(ctx, CATALOG_IMPORT, &count_row, counts, ARG_IDS(ids, n),
                        ARG_IDS(stores, n), ARG_IDS(categories, n), ARG_TEXTS(texts[0], n),
                        ARG_TEXTS(texts[1], n), ARG_TEXTS(texts[2], n), ARG_INTS(prices, n),
                        ARG_TEXTS(texts[3], n), ARG_TEXTS(texts[4], n), ARG_TEXTS(texts[5], n),
                        ARG_TEXTS(texts[6], n), ARG_TEXTS(texts[7], n));
    /* Somebody added one of these skus while we looked: the next run finds it. */
    if (e == OK && counts->added + counts->held != (int64_t)n)
        e = ERR_RERUN;
    return e;
}

struct run {
    struct import_batch *b;
    struct import_mark next; /* where the file stands once this is committed */
};

static enum err
batch_work(struct ctx *ctx, void *arg)
{
    struct run *r = arg;
    struct import_batch *b = r->b;
    struct work w = {.b = b, .a = ctx->arena};
    struct count_row counts = {0};
    const struct import_mark *m = b->mark;
    struct import_mark next = *m;
    size_t good;

    w.good = arena_array(w.a, b->count, sizeof(w.good[0]));
    w.store_of = arena_array(w.a, b->count, sizeof(w.store_of[0]));
    w.path_of = arena_array(w.a, b->count, sizeof(w.path_of[0]));
    w.stores.s = arena_array(w.a, b->count, sizeof(w.stores.s[0]));
    w.categories.s = arena_array(w.a, b->count, sizeof(w.categories.s[0]));
    for (size_t i = 0; i < b->count; i++) {
        w.good[i] = b->lines[i].in != NULL;
        if (w.good[i]) /* an earlier run of this transaction may have found some */
            problems_clear(&b->lines[i].problems);
    }
    enum err e = find_stores(ctx, &w);
    if (e == OK)
        e = find_categories(ctx, &w);
    if (e == OK)
        e = put_products(ctx, &w, &counts, &good);
    if (e != OK)
        return e;
    if (!b->report(b, &next.report_bytes))
        return fail(ctx, ERR_INTERNAL, NULL, "nothing more is imported");
    int64_t same = counts.held - counts.changed, refused = (int64_t)(b->count - good);
    e = pg_run(ctx, IMPORTS_ADVANCE, ARG_BYTES(b->file->head, SHA256_SIZE), ARG_INT(b->file->size),
               ARG_INT(m->byte_offset), ARG_INT(b->byte_offset), ARG_INT(b->line_number),
               ARG_INT(counts.added), ARG_INT(counts.changed), ARG_INT(same), ARG_INT(refused),
               ARG_INT(next.report_bytes), ARG_BOOL(b->last));
    if (e != OK)
        return e;
    next.byte_offset = b->byte_offset;
    next.line_number = b->line_number;
    next.added += counts.added;
    next.changed += counts.changed;
    next.same += same;
    next.refused += refused;
    next.finished = b->last;
    r->next = next;
    return OK;
}

enum err
import_batch_run(struct ctx *ctx, struct import_batch *b)
{
    struct run r = {.b = b};
    enum err e = tx_run(ctx, batch_work, &r);

    if (e == OK)
        *b->mark = r.next;
    return e;
}

struct search {
    const struct import_file *file;
    struct import_mark *mark;
    int64_t byte_offset, line_number;
};

static enum err
find_work(struct ctx *ctx, void *arg)
{
    const struct search *s = arg;

    return pg_one(ctx, IMPORTS_SHOW, &import_mark, s->mark, ARG_BYTES(s->file->head, SHA256_SIZE),
                  ARG_INT(s->file->size));
}

static enum err
begin_work(struct ctx *ctx, void *arg)
{
    const struct search *s = arg;

    return pg_run(ctx, IMPORTS_BEGIN, ARG_BYTES(s->file->head, SHA256_SIZE), ARG_INT(s->file->size),
                  ARG_INT(s->byte_offset), ARG_INT(s->line_number));
}

enum err
import_find(struct ctx *ctx, const struct import_file *file, struct import_mark *mark)
{
    struct search s = {.file = file, .mark = mark};

    return tx_read(ctx, find_work, &s);
}

enum err
import_begin(struct ctx *ctx, const struct import_file *file, int64_t byte_offset,
             int64_t line_number)
{
    struct search s = {.file = file, .byte_offset = byte_offset, .line_number = line_number};

    return tx_run(ctx, begin_work, &s);
}
