/*
 * shop/imports/line: one line of a catalogue file, from CSV or from JSON, held against one table.
 *
 * The columns are `store` and `category` by name and path, and a product's fields, which are those
 * of the API's body: the same rows of the same table (shop/catalog/products.h).
 */
#ifndef SOKO_SHOP_IMPORTS_LINE_H
#define SOKO_SHOP_IMPORTS_LINE_H

#include "shop/imports/header.h"

/* The columns, in the order in which an export has them. */
extern const char *const import_columns[];
extern const size_t import_columns_count;

struct import_in {
    uint64_t sent;
    const char *store, *category; /* category: "Kitchen > Spices" */
    const char *name;
    struct decimal price;
    const char *description, *currency, *sku;
    int64_t stock, weight_g;
    bool is_active;
};

struct import_line {
    int64_t number;  /* in the file, from 1 */
    const char *sku; /* as the file has it, to find the line again; NULL if it cannot be said */
    /* What the table has made of it; NULL if the line is refused, for `problems`. */
    const struct import_in *in;
    bool no_weight; /* the weight is to be taken away */
    int64_t price;  /* in minor units of `currency` */
    const char *currency;
    struct problems problems;
};

/* Whether a field was sent: what was not leaves an existing product's alone. */
bool import_sent(const struct import_line *line, const char *field);

/* Reads the first line. ERR_VALIDATION after adding a problem for each column that is not known,
 * stands twice, or is missing although it is required. */
enum err import_header_read(struct arena *a, struct problems *list, const struct csv_record *r,
                            struct import_header *out);

/* Reads a line: `*line` is always filled, with `in` or with problems. Everything is copied into the
 * arena. In CSV an empty cell takes description and weight away, and counts as not sent in all
 * other columns; TRUE and FALSE are read as true and false, since spreadsheets write them so. In
 * JSON, null takes the weight away. */
void import_line_csv(struct arena *a, const struct import_header *header,
                     const struct csv_record *r, struct import_line *line);
void import_line_json(struct arena *a, const char *s, size_t len, int64_t number,
                      struct import_line *line);

/* The names on a category's path, in the arena: "a > b\> c" is "a" and "b> c". Names are trimmed of
 * blanks. NULL if all is well, else what is wrong ("has an empty name"). */
#define IMPORT_DEPTH_MAX 16
const char *import_path(struct arena *a, const char *path, const char **names, size_t *count);

#endif
