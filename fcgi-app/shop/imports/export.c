/*
 * By keyset: the last store's name and the last sku say where the next page begins, which an index
 * finds (products_export). A page has an arena of its own.
 *
 * Rejected: a cursor in a transaction (it holds back vacuum for as long as the reader of a pipe
 * likes).
 */
#include "shop/imports/export.h"
#include "base/csv.h"
#include "base/money.h"
#include "io/pg.h"
#include "io/tx.h"
#include "shop/imports/line.h"
#include "shop/stmt.h"

#include <string.h>

#define STORES_A_PAGE 200
#define PRODUCTS_A_PAGE 1000
#define PAGE_BYTES_MAX ((size_t)256 << 20)

struct store_row {
    struct uuid id;
    const char *name;
};
static const struct field store_row_fields[] = {
    FIELD(struct store_row, id),
    FIELD(struct store_row, name),
};
static const struct input store_row = INPUT(store_row, "ExportStore", NULL);

struct goods_row {
    const char *category, *sku, *name, *description, *currency;
    int64_t price, stock;
    const char *weight_g; /* NULL: none */
    bool is_active;
};
static const struct field goods_row_fields[] = {
    FIELD(struct goods_row, category),  FIELD(struct goods_row, sku),
    FIELD(struct goods_row, name),      FIELD(struct goods_row, description),
    FIELD(struct goods_row, currency),  FIELD(struct goods_row, price),
    FIELD(struct goods_row, stock),     FIELD(struct goods_row, weight_g),
    FIELD(struct goods_row, is_active),
};
static const struct input goods_row = INPUT(goods_row, "ExportGoods", NULL);

struct left_out_row {
    int64_t products;
};
static const struct field left_out_row_fields[] = {FIELD(struct left_out_row, products)};
static const struct input left_out_row = INPUT(left_out_row, "ExportLeftOut", NULL);

/* Where an export stands. */
struct place {
    const char *named;        /* the store asked for, or NULL */
    struct store_row *stores; /* a page of them */
    size_t store_count, store;
    const char *last_store, *last_sku;
    struct goods_row *goods;
    size_t goods_count;
    struct left_out_row left_out;
};

static enum err
stores_work(struct ctx *ctx, void *arg)
{
    struct place *p = arg;

    return pg_all(ctx, STORES_EXPORT, &store_row, &p->stores, &p->store_count,
                  ARG_TEXT(p->last_store), ARG_TEXT(p->named), ARG_INT(STORES_A_PAGE));
}

static enum err
goods_work(struct ctx *ctx, void *arg)
{
    struct place *p = arg;

    return pg_all(ctx, CATALOG_EXPORT, &goods_row, &p->goods, &p->goods_count,
                  ARG_ID(p->stores[p->store].id), ARG_TEXT(p->last_sku), ARG_INT(PRODUCTS_A_PAGE));
}

static enum err
left_out_work(struct ctx *ctx, void *arg)
{
    struct place *p = arg;

    return pg_one(ctx, CATALOG_EXPORT_LEFT_OUT, &left_out_row, &p->left_out,
                  ARG_ID(p->stores[p->store].id));
}

/* The values of a line, in the order of import_columns; numbers and booleans as text. */
static void
write_csv(struct text *t, const char *const *values)
{
    for (size_t i = 0; i < import_columns_count; i++)
        csv_put(t, i, values[i] != NULL ? values[i] : "",
                values[i] != NULL ? strlen(values[i]) : 0);
    csv_end(t);
}

static void
write_json(struct text *t, const char *const *values)
{
    static const char bare[] = " stock weight_g is_active ";

    text_putc(t, '{');
    for (size_t i = 0; i < import_columns_count; i++) {
        const char *name = import_columns[i], *at = strstr(bare, name);
        if (at != NULL && at[-1] == ' ' && at[strlen(name)] == ' ')
            text_member_raw(t, name, values[i]);
        else
            text_member(t, name, values[i]);
    }
    text_puts(t, "}\n");
}

static void
write_line(struct arena *a, struct text *t, enum import_format format, const char *store,
           const struct goods_row *g)
{
    char price[MONEY_TEXT_SIZE];
    const char *values[] = {
        store,          g->category,
        g->sku,         g->name,
        g->description, money_text(g->price, g->currency, price),
        g->currency,    arena_printf(a, "%lld", (long long)g->stock),
        g->weight_g,    g->is_active ? "true" : "false",
    };

    if (format == IMPORT_CSV)
        write_csv(t, values);
    else
        write_json(t, values);
}

static enum err
export_store(struct ctx *ctx, struct export *x, struct place *p)
{
    struct arena *keep = ctx->arena, *pages[2] = {arena_new(), arena_new()};
    const char *name = p->stores[p->store].name;

    ctx->arena = pages[1];
    enum err e = tx_read(ctx, left_out_work, p);
    x->left_out += p->left_out.products;
    p->last_sku = NULL;
    p->goods_count = PRODUCTS_A_PAGE;
    /* Two arenas in turn: the last sku of a page is asked for by the next. */
    for (size_t n = 0; e == OK && p->goods_count == PRODUCTS_A_PAGE; n++) {
        struct arena *a = ctx->arena = pages[n % 2];
        arena_reset(a);
        e = tx_read(ctx, goods_work, p);
        if (e != OK || p->goods_count == 0)
            break;
        struct text t = text_new(a, PAGE_BYTES_MAX);
        for (size_t i = 0; i < p->goods_count; i++)
            write_line(a, &t, x->format, name, &p->goods[i]);
        p->last_sku = p->goods[p->goods_count - 1].sku;
        x->lines += (int64_t)p->goods_count;
        if (t.overflow || !x->write(x, t.data, t.len))
            e = ERR_INTERNAL;
    }
    problems_clear(&ctx->problems); /* they live in a page */
    ctx->arena = keep;
    arena_free(pages[0]);
    arena_free(pages[1]);
    return e;
}

static bool
write_header(struct ctx *ctx, struct export *x)
{
    struct text t = text_new(ctx->arena, 1024);

    if (x->format != IMPORT_CSV)
        return true;
    write_csv(&t, import_columns);
    return x->write(x, t.data, t.len);
}

enum err
export_run(struct ctx *ctx, struct export *x)
{
    struct place p = {.named = x->store, .store_count = STORES_A_PAGE};
    bool header = false;
    enum err e = OK;

    x->lines = x->left_out = 0;
    while (e == OK && p.store_count == STORES_A_PAGE) {
        e = tx_read(ctx, stores_work, &p);
        if (e == OK && p.store_count == 0 && x->store != NULL && p.last_store == NULL)
            e = fail(ctx, ERR_NOT_FOUND, NULL, "%s: no such store, by name or id", x->store);
        if (e == OK && !header)
            e = write_header(ctx, x) ? OK : ERR_INTERNAL;
        header = true;
        for (p.store = 0; e == OK && p.store < p.store_count; p.store++)
            e = export_store(ctx, x, &p);
        if (e == OK && p.store_count > 0)
            p.last_store = p.stores[p.store_count - 1].name;
    }
    return e;
}
