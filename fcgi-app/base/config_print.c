/*
 * The table of settings for people: as help, and as a file to begin with.
 */
#include "base/config_table.h"
#include "base/roff.h"

#include <string.h>

#define HELP_DEFAULT_MOST 70

/* "30s to 1h", or "one of a, b", or "" for text: what a value may be. */
static void
print_range(const struct setting *s, FILE *out)
{
    char low[CONFIG_VALUE_SIZE], high[CONFIG_VALUE_SIZE];

    if (s->one_of != NULL) {
        fputs(" (", out);
        for (const char *c = s->one_of; *c != '\0'; c++)
            fputs(*c == '|' ? ", " : (const char[]){*c, '\0'}, out);
        fputc(')', out);
    } else if (s->kind != SETTING_TEXT) {
        fprintf(out, " (%s to %s)", config_number_text(s->kind, s->min, low, sizeof low),
                config_number_text(s->kind, s->max, high, sizeof high));
    } else if (s->min > 1) {
        fprintf(out, " (at least %lld characters)", (long long)s->min);
    }
}

/* A long list is broken behind commas. */
static void
print_default(const char *s, FILE *out)
{
    size_t column = 0;

    fputs("default ", out);
    if (*s == '\0')
        fputs("none", out);
    while (*s != '\0') {
        size_t len = strcspn(s, ","), part = len + (s[len] == ',');

        if (column != 0 && column + part > HELP_DEFAULT_MOST) {
            fputs("\n      ", out);
            column = 0;
        }
        fprintf(out, "%.*s", (int)part, s);
        column += part;
        s += part;
    }
}

void
config_help(FILE *out)
{
    char name[NAME_SIZE];

    fputs(
        "Settings, from the file given by --config (lines NAME=value), for secrets (*) also from\n"
        "files of that name in $CREDENTIALS_DIRECTORY, then from the environment. Spans need a\n"
        "unit: 250ms, 30s, 15min, 24h, 7d.\n\n",
        out);
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];

        fprintf(out, "  %s%s, ", config_env_name(s, name), s->secret ? " *" : "");
        if (s->def == NULL)
            fputs("required", out);
        else
            print_default(s->def, out);
        print_range(s, out);
        fprintf(out, "\n      %s\n", s->doc);
    }
}

void
config_example(FILE *out)
{
    char name[NAME_SIZE];

    fputs("# Settings of Soko, NAME=value lines. What stands here behind a '#' is the default; "
          "take the\n"
          "# '#' away to change it. Spans need a unit: 250ms, 30s, 15min, 7d. Files beside this "
          "one in\n"
          "# soko.conf.d/, named *.conf, are read after it, and win. A bad or missing value stops "
          "the\n"
          "# start and is named.\n"
          "#\n"
          "# Secrets do not belong here: each has a file of its name in the folder credentials/ "
          "beside\n"
          "# this file, readable by root alone.\n",
          out);
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];

        fprintf(out, "\n# %s", s->doc);
        print_range(s, out);
        config_env_name(s, name);
        if (s->secret)
            fprintf(out, "\n# A secret%s: credentials/%s\n", s->def == NULL ? ", required" : "",
                    name);
        else
            fprintf(out, "\n%s%s=%s\n", s->def == NULL ? "# required: " : "#", name,
                    s->def == NULL ? "" : s->def);
    }
}

void
config_secrets(FILE *out)
{
    char name[NAME_SIZE];

    for (size_t i = 0; i < SETTINGS; i++) {
        if (settings[i].secret)
            fprintf(out, "%s\n", config_env_name(&settings[i], name));
    }
}

void
config_names(FILE *out, char end)
{
    char name[NAME_SIZE];

    for (size_t i = 0; i < SETTINGS; i++)
        fprintf(out, "%s%c", config_env_name(&settings[i], name), end);
}

/* As print_range(): none of its words needs an escape. */
static void
man_default(const struct setting *s, FILE *out)
{
    if (s->def == NULL) {
        fputs("Required.", out);
    } else if (*s->def == '\0') {
        fputs("Default: none.", out);
    } else {
        fputs("Default: ", out);
        for (const char *c = s->def; *c != '\0'; c++) {
            roff_text(out, (const char[]){*c, '\0'});
            if (*c == ',')
                fputs("\\:", out); /* a line may break here */
        }
        fputc('.', out);
    }
    fputs("\n", out);
}

void
config_man(FILE *out)
{
    char name[NAME_SIZE];

    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];

        fputs(".TP\n", out);
        config_env_name(s, name);
        roff_font(out, 'B', name, (int)strlen(name));
        if (s->secret)
            fputs(" (secret)", out);
        print_range(s, out);
        fputc('\n', out);
        roff_text(out, s->doc);
        fputs(".\n", out);
        man_default(s, out);
    }
}
