/*
 * base/csv: comma-separated values (RFC 4180), read and written as a stream.
 *
 * The reader is a state machine that is fed with bytes, in pieces of any size; it does no I/O, and
 * its memory is what it was given at the start, however large the file. Lines end with CR LF or LF;
 * quoted fields may hold commas, quotes (doubled) and line ends; a byte order mark at the very
 * beginning and blank lines are passed over. Fields are bytes: whether they are text is for others
 * to say.
 *
 * A record that is not well-formed is a record too: it says what is wrong with it, and the reader
 * goes on behind it.
 */
#ifndef SOKO_BASE_CSV_H
#define SOKO_BASE_CSV_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSV_FIELDS_MAX 64

struct csv_reader;

/* Lives until the reader is fed again. Each field is followed by a NUL. If `fault` is not NULL, it
 * says what is wrong ("a quote in an unquoted field"), and there are no fields. */
struct csv_record {
    int64_t line; /* of its first byte, from 1 */
    const char *fields[CSV_FIELDS_MAX];
    size_t lens[CSV_FIELDS_MAX];
    size_t count;
    const char *fault;
};

/* A reader of records of at most `max` bytes (quotes and commas not counted), whose first byte lies
 * in line `line` of the file: 1 but for one that goes on in the middle. */
struct csv_reader *csv_reader_new(struct arena *a, size_t max, int64_t line);

/* Eats bytes up to the end of the next record, line end included, or all of them. Returns how many
 * were eaten; *record is that record, or NULL if more bytes are needed. */
size_t csv_feed(struct csv_reader *r, const char *s, size_t len, const struct csv_record **record);

/* The file has ended: the last record if its line had no end, else NULL. */
const struct csv_record *csv_finish(struct csv_reader *r);

/* Writes field `i` (from 0) of a record: a comma before it unless it is the first, quotes if it
 * needs them. csv_end ends the record with LF. The reader gives the same fields back, but for a
 * record of one empty field, which is a blank line. */
void csv_put(struct text *t, size_t i, const char *s, size_t len);
void csv_end(struct text *t);

#endif
