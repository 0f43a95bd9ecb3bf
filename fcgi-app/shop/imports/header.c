/*
 * Shared by goods (line.c) and accounts (people.c): what a file may be called wrong for before any
 * of its lines is read.
 */
#include "shop/imports/header.h"
#include "base/json.h"

#include <string.h>
#include <strings.h>

static size_t
column_index(const char *const *names, size_t count, const char *name)
{
    size_t i = 0;

    while (i < count && strcmp(names[i], name) != 0)
        i++;
    return i;
}

enum err
header_read(struct arena *a, struct problems *list, const struct csv_record *r,
            const char *const *columns, size_t count, struct import_header *out)
{
    *out = (struct import_header){0};
    if (r->fault != NULL)
        return problems_add(a, list, ERR_VALIDATION, NULL, NULL, "the first line %s", r->fault);
    for (size_t i = 0; i < r->count; i++) {
        const char *name = r->fields[i];
        size_t known = column_index(columns, count, name);
        if (known == count)
            problems_add(a, list, ERR_VALIDATION, utf8_valid(name, r->lens[i]) ? name : NULL, NULL,
                         "column %d is not a known one", (int)i + 1);
        else if (header_has(out, name))
            problems_add(a, list, ERR_VALIDATION, name, NULL, "the column stands twice");
        out->names[out->count++] = known < count ? columns[known] : "";
    }
    return list->first != NULL ? ERR_VALIDATION : OK;
}

bool
header_has(const struct import_header *h, const char *name)
{
    return column_index(h->names, h->count, name) < h->count;
}

void
header_miss(struct arena *a, struct problems *list, const char *name)
{
    problems_add(a, list, ERR_VALIDATION, name, NULL, "the column is missing");
}

enum err
header_fits(struct arena *a, struct problems *list, const struct import_header *h,
            const struct csv_record *r)
{
    if (r->fault != NULL)
        return problems_add(a, list, ERR_VALIDATION, NULL, NULL, "%s", r->fault);
    if (r->count != h->count)
        return problems_add(a, list, ERR_VALIDATION, NULL, NULL,
                            "has %d columns, where the first line has %d", (int)r->count,
                            (int)h->count);
    return OK;
}

const char *
header_truth(const char *cell)
{
    if (strcasecmp(cell, "true") == 0)
        return "true";
    return strcasecmp(cell, "false") == 0 ? "false" : cell;
}
