/*
 * base/config_table: the rows of the settings, for config.c and config_print.c alone; everybody
 * else includes base/config.h.
 */
#ifndef SOKO_BASE_CONFIG_TABLE_H
#define SOKO_BASE_CONFIG_TABLE_H

#include "base/config.h"

#include <stddef.h>

enum setting_kind { SETTING_TEXT, SETTING_INT, SETTING_SPAN, SETTING_SIZE };

struct setting {
    const char *member;
    enum setting_kind kind;
    size_t at;
    const char *def;  /* NULL: must be given */
    int64_t min, max; /* characters, the number, milliseconds or bytes */
    const char *one_of;
    bool secret;
    const char *doc;
};

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* Every member of struct config has the size of a pointer. */
#define SETTINGS (sizeof(struct config) / sizeof(int64_t))

/* In the order of struct config's members. */
extern const struct setting settings[SETTINGS];

/* The variable of a row; returns `out`. */
#define NAME_SIZE 40
const char *config_env_name(const struct setting *s, char out[NAME_SIZE]);

/* Prints a number with the largest unit that divides it; returns `buf`. */
const char *config_number_text(enum setting_kind kind, int64_t n, char *buf, size_t size);

#endif
