/*
 * shop/imports/export: the catalogue as a file that an import reads back.
 *
 * Ordered by store name and sku, byte by byte, whatever the database's collation: two exports of
 * the same goods are the same file. Products without a sku have no key to be imported by; they are
 * left out, and counted.
 */
#ifndef SOKO_SHOP_IMPORTS_EXPORT_H
#define SOKO_SHOP_IMPORTS_EXPORT_H

#include "base/text.h"
#include "io/ctx.h"

enum import_format { IMPORT_CSV, IMPORT_JSONL };

struct export
{
    enum import_format format;
    const char *store; /* one store alone, by name or id; NULL: all */
    /* Called with some lines at a time; false ends the export. */
    bool (*write)(struct export * x, const char *data, size_t len);
    void *arg;               /* write's own */
    int64_t lines, left_out; /* results */
};

/* Reads page by page, so that memory is that of one page. Changes made meanwhile are seen or not,
 * each product once. ERR_NOT_FOUND if the named store does not exist; ERR_INTERNAL, without a
 * problem, if `write` gave up. */
enum err export_run(struct ctx *ctx, struct export *x);

#endif
