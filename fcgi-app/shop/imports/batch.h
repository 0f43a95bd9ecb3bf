/*
 * shop/imports/batch: some hundred lines of a catalogue file, imported in one transaction together
 * with the mark that says how far the file has come.
 *
 * So a killed import goes on where its last batch ended: no line is lost, none is done twice.
 */
#ifndef SOKO_SHOP_IMPORTS_BATCH_H
#define SOKO_SHOP_IMPORTS_BATCH_H

#include "io/ctx.h"
#include "io/secret.h"
#include "shop/imports/line.h"

/* A file, whatever it is called. */
struct import_file {
    uint8_t head[SHA256_SIZE]; /* SHA-256 of its first IMPORT_HEAD bytes */
    int64_t size;
};
#define IMPORT_HEAD (1 << 20)

/* How far it has come. */
struct import_mark {
    int64_t byte_offset, line_number; /* of the first line that is not done */
    int64_t added, changed, same, refused;
    int64_t report_bytes; /* of the report on lines that are done */
    bool finished;
    const char *finished_at;
};

struct import_batch {
    const struct import_file *file;
    struct uuid owner; /* of a store that is made if the file names one; nil: none is made */
    struct import_line *lines; /* refused ones too; no store and sku twice among the others */
    size_t count;
    struct import_mark *mark; /* moved on when the batch is committed */
    /* Where the file stands behind this batch. */
    int64_t byte_offset, line_number;
    bool last;
    /* Called when it is known which lines are refused, before the commit, and again if the
     * transaction runs again: writes them to the report from mark->report_bytes on, and says where
     * it ends now. False after complaining: nothing is imported. */
    bool (*report)(struct import_batch *b, int64_t *end);
    void *arg; /* report's own */
};

/* Looks the file up. ERR_NOT_FOUND, without a problem, if it was never begun. */
enum err import_find(struct ctx *ctx, const struct import_file *file, struct import_mark *mark);

/* Begins, or begins again, at the first line behind the header. */
enum err import_begin(struct ctx *ctx, const struct import_file *file, int64_t byte_offset,
                      int64_t line_number);

/* Runs the batch in a transaction of its own. Lines that name an unknown store, or a category that
 * hangs elsewhere, get their problem; all others are imported. ERR_CONFLICT if another process
 * imports the same file. */
enum err import_batch_run(struct ctx *ctx, struct import_batch *b);

#endif
