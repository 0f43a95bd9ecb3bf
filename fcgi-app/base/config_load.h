/*
 * base/config_load: one load of the settings, for config.c, which checks, and config_read.c, which
 * reads; everybody else includes base/config.h.
 */
#ifndef SOKO_BASE_CONFIG_LOAD_H
#define SOKO_BASE_CONFIG_LOAD_H

#include "base/config.h"

#include <stddef.h>

/* Where a value came from, and its text. */
struct slot {
    const char *value; /* NULL: nowhere */
    const char *source;
};

struct config_load {
    struct arena *arena;
    FILE *err;
    struct slot *slots;
    bool *bad; /* a setting */
    bool failed;
};

/* Fills the slots: defaults; the file (NULL for none) and what its folder adds; credentials; the
 * environment. The later wins. Tells what cannot be read. */
void config_read_sources(struct config_load *l, const char *file);

/* The row of a variable, or SETTINGS. */
size_t config_find(const char *name);

/* Prints one fault, which names its variable, file or line. */
void config_source_fault(struct config_load *l, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
