/*
 * ctl_migrate: what the commands of `migrate` share. Nobody else includes it.
 */
#ifndef SOKO_CTL_MIGRATE_H
#define SOKO_CTL_MIGRATE_H

#include "ctl.h"

/* Statements by our own numbers: control first, which pg finds by name. */
enum {
    M_LIST = 6,
    M_DONE,
    M_UNDONE,
    M_LOCK,
    M_HOLD,
    M_IMPATIENT,
    M_ROLE_FAULTS,
    M_MISSING,
    M__COUNT
};

struct migration {
    int64_t version;
    const char *name;     /* "orders" */
    const char *checksum; /* of the .up.sql */
    const char *up, *down;
};

struct applied {
    int64_t version;
    const char *name, *checksum, *applied_at;
};

/* All that a run needs. */
struct migrate_run {
    struct ctx ctx;
    struct migration *files; /* from version 0 on, without a gap */
    size_t file_count;
    struct applied *rows; /* by version */
    size_t row_count;
    const struct migration *now; /* in hand */
    const char *why;             /* the server's words, if it refused */
};

/* Reads files and database. The table that remembers is made first, if need be. False after
 * complaining. */
bool migrate_open(struct migrate_run *r);

/* Ends it; returns the exit status. */
int migrate_close(struct migrate_run *r, bool good);

/* The row of a version, or NULL. */
const struct applied *migrate_row(const struct migrate_run *r, int64_t version);

/* Files of functions and views: *out are their texts, in the order of their names. False after
 * complaining. */
bool migrate_functions(struct migrate_run *r, const char ***out, size_t *count);

#endif
