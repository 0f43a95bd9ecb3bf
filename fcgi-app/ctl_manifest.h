/*
 * ctl_manifest: a backup, and what it says of itself.
 *
 * A backup is a folder, soko-20261121T104700Z, of files that other tools can read too:
 *
 *     database.dump    pg_dump's custom format
 *     media/ab/ab...   the pictures, named by their SHA-256; not with --no-media
 *     manifest.json    when, of what, and what is in it: rows of each table, sums of the ledger,
 *                      head of the audit chain, SHA-256 of the dump
 *     manifest.sha256  of manifest.json, as sha256sum -c reads it
 *
 * It has this name only once it is whole and on the disk. It never holds DATA_KEY or TOKEN_KEY.
 */
#ifndef SOKO_CTL_MANIFEST_H
#define SOKO_CTL_MANIFEST_H

#include "base/arena.h"
#include "io/ctx.h"
#include "shop/ledger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANIFEST_FORMAT 1
#define MANIFEST_FILE "manifest.json"
#define MANIFEST_SUM_FILE "manifest.sha256"
#define MANIFEST_DUMP "database.dump"
#define MANIFEST_MEDIA "media"

struct manifest_table {
    const char *name;
    int64_t rows;
};

struct manifest {
    const char *made_at, *soko, *database, *owner, *pg_dump;
    int64_t schema, server; /* newest migration; 150014 */
    struct manifest_table *tables;
    size_t table_count;
    struct ledger_sum *sums;
    size_t sum_count;
    const char *audit_head; /* NUMBER:MAC; NULL: nothing is sealed */
    const char *dump_sha256;
    int64_t dump_bytes;
    bool has_media;
    int64_t media_files, media_bytes; /* of those that rows name, in the backup */
    int64_t media_missing;            /* rows name them, and MEDIA_DIR does not hold them */
    const char *media_sha256;         /* of their names, sorted, a newline after each */
};

/* Reads what the manifest says of a database: facts, rows, sums, head. In the caller's transaction,
 * on a context with KEEPING_, LEDGER_SUMS and AUDIT_HEAD. */
enum err manifest_read_database(struct ctx *ctx, struct manifest *m);

/* Writes both files into the folder, and syncs them. False after complaining. */
bool manifest_write(struct arena *a, int folder, const struct manifest *m);

/* Reads the manifest of a backup. False after complaining, by `path`, of what is missing, changed,
 * or of another kind. */
bool manifest_read(struct arena *a, const char *path, struct manifest *out);

/* Holds the files of a backup against its manifest, each byte of them. False after complaining of
 * each that is missing, cut off or changed. */
bool manifest_verify_files(struct arena *a, const char *path, const struct manifest *m);

/* Holds a database, read by manifest_read_database(), against a manifest: a line for each
 * difference to stderr. How many. */
size_t manifest_compare(const struct manifest *was, const struct manifest *is);

/* "soko-20261121T104700Z", and nothing else. */
bool manifest_is_name(const char *name);

/* The newest backup in a folder, by its name; NULL if there is none, or no folder: errno is then 0
 * or says why. */
const char *manifest_newest(struct arena *a, const char *folder);

/* Whether a name is one of MEDIA_DIR's: 64 hexadecimal digits and an ending. */
bool manifest_is_picture(const char *name);

#endif
