/*
 * shop/imports/header: the first line of a CSV file, which names its columns, and what every line
 * after it must keep to.
 */
#ifndef SOKO_SHOP_IMPORTS_HEADER_H
#define SOKO_SHOP_IMPORTS_HEADER_H

#include "base/csv.h"
#include "base/fields.h"

#include <stdbool.h>

/* Which column is which. */
struct import_header {
    const char *names[CSV_FIELDS_MAX];
    size_t count;
};

/* Reads the first line of a file that may have `columns`, in any order. Adds a problem for each
 * column that is not known, or stands twice; a line that is no CSV is ERR_VALIDATION at once. */
enum err header_read(struct arena *a, struct problems *list, const struct csv_record *r,
                     const char *const *columns, size_t count, struct import_header *out);

/* Whether the file has a column. */
bool header_has(const struct import_header *h, const char *name);

/* Adds the problem that a column is missing. */
void header_miss(struct arena *a, struct problems *list, const char *name);

/* Adds a problem if a line is no CSV, or has not as many fields as the first. */
enum err header_fits(struct arena *a, struct problems *list, const struct import_header *h,
                     const struct csv_record *r);

/* TRUE and FALSE as spreadsheets write them, in any case: "true" and "false"; anything else as it
 * is. */
const char *header_truth(const char *cell);

#endif
