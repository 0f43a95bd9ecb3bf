/*
 * Where settings come from: lines of files, credentials, the environment.
 *
 * A file FILE may have a folder FILE.d, whose *.conf are read after it, in the order of their
 * names: so that soko-setup, or a machine that sets up machines, has a file of its own, and the
 * file of the package, with all its sentences, stays as it was and is renewed at each upgrade
 * without a question. Rejected: an option --config that may be given often, which each unit would
 * have to be told of.
 */
#include "base/config_load.h"
#include "base/config_table.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define VALUE_MOST 8192

/* Folders of secrets where systemd gives none; see config_credentials_in(). */
static const char *credentials_dir, *credentials_over;

/* Undoes systemd's quoting in place, see systemd.exec(5), EnvironmentFile=. NULL if all is well,
 * else what is wrong. */
static const char *
unquote(char *s)
{
    char quote = *s == '"' || *s == '\'' ? *s : '\0', *to = s, *keep = s;
    const char *from = s + (quote != '\0');

    for (; *from != '\0' && (quote == '\0' || *from != quote); from++) {
        bool escape = *from == '\\' && quote != '\'' &&
                      (quote == '\0' || (from[1] != '\0' && strchr("\"\\`$", from[1]) != NULL));

        if (escape && *++from == '\0')
            return "has a continuation line, which is not supported";
        *to++ = *from;
        /* Blanks at the end go, unless they were escaped or quoted. */
        if (escape || quote != '\0' || (*from != ' ' && *from != '\t'))
            keep = to;
    }
    if (quote != '\0' && *from != quote)
        return "has no closing quote";
    if (quote != '\0' && from[1 + strspn(from + 1, " \t")] != '\0')
        return "has text after its closing quote";
    *keep = '\0';
    return NULL;
}

/* Whether it can be told as a name that we do not know. A line that a secret was broken over must
 * not be quoted: a key in base64 ends with '=', and what follows '?' in a URL has one. */
static bool
may_be_name(const char *s, size_t len)
{
    return len < NAME_SIZE && strspn(s, LETTERS "0123456789_ \t") >= len;
}

static void
read_line(struct config_load *l, char *line, const char *where)
{
    line += strspn(line, " \t");
    if (*line == '\0' || *line == '#' || *line == ';')
        return;
    char *equals = strchr(line, '=');
    if (equals == NULL || !may_be_name(line, (size_t)(equals - line))) {
        config_source_fault(l, where, "is not NAME=value");
        return;
    }
    char *end = equals;
    while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    size_t i = config_find(line);
    char *value = equals + 1 + strspn(equals + 1, " \t");
    const char *why = unquote(value);
    if (i == SETTINGS)
        config_source_fault(l, line, "is not a setting (%s)", where);
    else if (why != NULL)
        config_source_fault(l, line, "%s (%s)", why, where);
    else
        l->slots[i] = (struct slot){arena_strdup(l->arena, value), where};
}

static void
read_file(struct config_load *l, const char *file)
{
    FILE *in = fopen(file, "re");
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;

    if (in == NULL) {
        config_source_fault(l, file, "%s", strerror(errno));
        return;
    }
    for (int n = 1; (len = getline(&line, &cap, in)) >= 0; n++) {
        const char *where = arena_printf(l->arena, "%s:%d", file, n);

        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            line[--len] = '\0';
        if (strlen(line) != (size_t)len)
            config_source_fault(l, where, "contains a NUL byte");
        else if (len > VALUE_MOST)
            config_source_fault(l, where, "is too long");
        else
            read_line(l, line, where);
    }
    if (ferror(in))
        config_source_fault(l, file, "%s", strerror(errno));
    free(line);
    fclose(in);
}

static int
is_conf(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

/* The files of FILE.d, if there is such a folder. */
static void
read_folder(struct config_load *l, const char *file)
{
    const char *dir = arena_printf(l->arena, "%s.d", file);
    struct dirent **entries;
    int n = scandir(dir, &entries, is_conf, alphasort);

    if (n < 0 && errno != ENOENT)
        config_source_fault(l, dir, "%s", strerror(errno));
    for (int i = 0; i < n; i++) {
        read_file(l, arena_printf(l->arena, "%s/%s", dir, entries[i]->d_name));
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

/* A secret from the file of its name in systemd's folder, if there is one. An empty file says
 * nothing: it is what systemd puts there for a file that is missing (SetCredential= of the units).
 */
static void
read_credential(struct config_load *l, size_t i, const char *dir)
{
    char name[NAME_SIZE], data[VALUE_MOST + 1];
    const char *path = arena_printf(l->arena, "%s/%s", dir, config_env_name(&settings[i], name));
    FILE *in = fopen(path, "re");

    if (in == NULL) {
        if (errno != ENOENT)
            config_source_fault(l, name, "%s: %s", path, strerror(errno));
        return;
    }
    size_t len = fread(data, 1, sizeof data, in);
    bool broken = ferror(in) != 0;
    fclose(in);
    while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r'))
        len--;
    if (broken || len > VALUE_MOST || memchr(data, '\0', len) != NULL)
        config_source_fault(l, name, "%s cannot be read, is too long or contains a NUL byte", path);
    else if (len > 0)
        l->slots[i] = (struct slot){arena_strndup(l->arena, data, len), path};
}

void
config_credentials_in(const char *dir, const char *over)
{
    credentials_dir = dir;
    credentials_over = over;
}

void
config_read_sources(struct config_load *l, const char *file)
{
    const char *given = getenv("CREDENTIALS_DIRECTORY");
    bool is_given = given != NULL && given[0] != '\0';
    const char *dirs[] = {is_given ? given : credentials_dir, is_given ? NULL : credentials_over};
    char name[NAME_SIZE];

    for (size_t i = 0; i < SETTINGS; i++)
        l->slots[i] = (struct slot){settings[i].def, "default"};
    if (file != NULL) {
        read_file(l, file);
        read_folder(l, file);
    }
    for (size_t i = 0; i < SETTINGS; i++) {
        for (size_t d = 0; d < 2; d++) {
            if (settings[i].secret && dirs[d] != NULL)
                read_credential(l, i, dirs[d]);
        }
        const char *value = getenv(config_env_name(&settings[i], name));
        if (value != NULL)
            l->slots[i] = (struct slot){arena_strdup(l->arena, value), "environment"};
    }
}
