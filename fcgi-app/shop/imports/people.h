/*
 * shop/imports/people: accounts that another system has, from a CSV file, with the hashes of their
 * passwords.
 *
 * A line makes one account, however often the file is imported: an account remembers its line, by
 * its SHA-256. What is in use already, by an account or by a line before, refuses the line, and
 * changes nothing. A file never makes administrators.
 */
#ifndef SOKO_SHOP_IMPORTS_PEOPLE_H
#define SOKO_SHOP_IMPORTS_PEOPLE_H

#include "io/ctx.h"
#include "io/secret.h"
#include "shop/imports/header.h"

#include <stdbool.h>
#include <stdint.h>

struct person_in {
    uint64_t sent;
    const char *name, *email, *phone, *username, *password_hash, *roles, *created_at;
    bool is_active, email_verified, phone_verified;
};

struct person_line {
    int64_t number; /* in the file, from 1 */
    /* What the table has made of it; NULL if the line is refused, for `problems`. */
    const struct person_in *in;
    uint8_t digest[SHA256_SIZE];
    struct problems problems;
};

/* Reads the first line. ERR_VALIDATION after adding a problem for each column that is not known,
 * stands twice, or is missing although it is required. */
enum err people_header_read(struct arena *a, struct problems *list, const struct csv_record *r,
                            struct import_header *out);

/* Reads a line: `*line` is always filled, with `in` or with problems. Everything is copied into the
 * arena. An empty cell counts as not sent. No problem quotes a value. */
void people_line_read(struct arena *a, const struct import_header *header,
                      const struct csv_record *r, struct person_line *line);

/* How many lines became accounts, were here already, were refused. */
struct people_count {
    int64_t added, same, refused;
};

/* Makes accounts of those lines that have `in`, in one transaction, with an entry in the audit log;
 * adds a problem to, and takes `in` from, those that collide. *count is of this batch, lines
 * without `in` included. Some hundred lines: each is a row of one statement. */
enum err people_add(struct ctx *ctx, struct person_line *lines, size_t n,
                    struct people_count *count);

/* What every sign-in hashes from now on: the schemes in use, with blanks between, in the arena. */
enum err people_schemes(struct ctx *ctx, const char **out);

#endif
