/*
 * The command line, read by the tables. Not by getopt: it takes any option with any command, and
 * what is silently ignored is the wrong account deactivated. An option is written out in full, so
 * that a script means the same after another option was added; `--name=value` is `--name value`;
 * behind `--` everything is an operand.
 */
#include "base/config.h"
#include "ctl_table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define OPTIONS_MOST 64
#define BETWEEN " []|"

const struct ctl_option *
ctl_option_find(const char *name, size_t len)
{
    for (size_t i = 0; i < ctl_option_count; i++) {
        if (strlen(ctl_option_rows[i].name) == len &&
            memcmp(ctl_option_rows[i].name, name, len) == 0)
            return &ctl_option_rows[i];
    }
    return NULL;
}

/* --- what a command takes --------------------------------------------------------------------- */

/* How long the words are that an option takes: up to a space, a bracket, or a | before an option.
 */
static size_t
value_len(const char *s)
{
    size_t n = 0;

    while (s[n] != '\0' && s[n] != ' ' && s[n] != ']' && strncmp(s + n, "|--", 3) != 0)
        n++;
    return n;
}

static const char *
read_option(const char *s, struct ctl_word *w)
{
    size_t len = strcspn(s + 2, BETWEEN "=");

    w->option = ctl_option_find(s + 2, len);
    if (w->option == NULL)
        abort(); /* a row of ours is wrong */
    s += 2 + len;
    w->text = w->option->value;
    w->len = w->text != NULL ? (int)strlen(w->text) : 0;
    if (*s == '=') {
        w->text = s + 1;
        w->len = (int)value_len(s + 1);
        s += 1 + w->len;
    }
    return s;
}

static const char *
read_operand(const char *s, struct ctl_word *w)
{
    size_t len = strcspn(s, BETWEEN);

    w->text = s;
    w->many = len > 3 && strncmp(s + len - 3, "...", 3) == 0;
    w->len = (int)(w->many ? len - 3 : len);
    return s + len;
}

bool
ctl_next_word(const char **at, struct ctl_word *out)
{
    const char *s = *at + strspn(*at, BETWEEN);

    *out = (struct ctl_word){.before = *at, .before_len = (int)(s - *at)};
    if (*s == '\0')
        return false;
    for (const char *b = *at; b < s; b++)
        out->may_miss = out->may_miss || *b == '[' || *b == '|';
    s = strncmp(s, "--", 2) == 0 ? read_option(s, out) : read_operand(s, out);
    out->may_miss = out->may_miss || *s == '|';
    *at = s;
    return true;
}

void
ctl_print_takes(FILE *out, const char *takes)
{
    struct ctl_word w;

    while (ctl_next_word(&takes, &w)) {
        fprintf(out, "%.*s", w.before_len, w.before);
        if (w.option != NULL)
            fprintf(out, "--%s%s", w.option->name, w.text != NULL ? " " : "");
        fprintf(out, "%.*s%s", w.len, w.text != NULL ? w.text : "", w.many ? "..." : "");
    }
    fputs(takes, out); /* brackets that close */
}

static bool
takes_option(const char *takes, const struct ctl_option *option)
{
    struct ctl_word w;

    while (ctl_next_word(&takes, &w)) {
        if (w.option == option)
            return true;
    }
    return false;
}

/* --- help ------------------------------------------------------------------------------------- */

static void
print_synopsis(FILE *out, const struct ctl_command *c)
{
    fprintf(out, "%s%s", c->words, *c->takes != '\0' ? " " : "");
    ctl_print_takes(out, c->takes);
    fputc('\n', out);
}

/* Whether `c` begins with the first `count` words. */
static bool
begins_with(const struct ctl_command *c, int count, char **words)
{
    const char *s = c->words;

    for (int i = 0; i < count; i++) {
        size_t len = strcspn(s, " ");
        if (strlen(words[i]) != len || memcmp(words[i], s, len) != 0)
            return false;
        s += len + (s[len] == ' ');
        if (*s == '\0' && i + 1 < count)
            return false;
    }
    return true;
}

/* The commands that begin so; all without a word. */
static void
print_usage(FILE *out, int count, char **words)
{
    fputs("usage: sokoctl [--config FILE] COMMAND\n\n", out);
    for (size_t i = 0; i < ctl_command_count; i++) {
        if (!begins_with(&ctl_commands[i], count, words))
            continue;
        fputs("  ", out);
        print_synopsis(out, &ctl_commands[i]);
        fprintf(out, "        %s\n", ctl_commands[i].doc);
    }
    fputs("\n  COMMAND --help   what it takes, in more words\n"
          "  --help           this text and the settings\n"
          "  --version        the version\n",
          out);
}

static void
print_options(FILE *out, const char *takes)
{
    struct ctl_word w;

    while (ctl_next_word(&takes, &w)) {
        if (w.option != NULL)
            fprintf(out, "  --%s%s%.*s\n        %s\n", w.option->name, w.text != NULL ? " " : "",
                    w.len, w.text != NULL ? w.text : "", w.option->doc);
    }
}

static void
print_command(FILE *out, const struct ctl_command *c)
{
    fputs("usage: sokoctl ", out);
    print_synopsis(out, c);
    fprintf(out, "\n%s\n", c->doc);
    if (c->more != NULL)
        fprintf(out, "\n%s\n", c->more);
    fputc('\n', out);
    print_options(out, c->takes);
    print_options(out, CTL_EVERYWHERE);
}

/* --- the command line ------------------------------------------------------------------------- */

/* What was read; words and options of the line, in their order. */
struct line {
    char **words;
    int count;
    const struct ctl_option *options[OPTIONS_MOST];
    size_t option_count;
};

/* The longest command whose words these begin with. */
static const struct ctl_command *
find_command(const struct line *l, int *length)
{
    const struct ctl_command *found = NULL;

    *length = 0;
    for (size_t i = 0; i < ctl_command_count; i++) {
        int n = 1;
        for (const char *s = ctl_commands[i].words; *s != '\0'; s++)
            n += *s == ' ';
        if (n > *length && n <= l->count && begins_with(&ctl_commands[i], n, l->words)) {
            found = &ctl_commands[i];
            *length = n;
        }
    }
    return found;
}

static int
refuse(const struct ctl_command *c)
{
    fputs("usage: sokoctl ", stderr);
    print_synopsis(stderr, c);
    return EX_USAGE;
}

/* As "--name" or "--name=value"; *i moves past a value that is a word of its own. */
static bool
read_given(int argc, char **argv, int *i, struct line *l, struct ctl_options *o)
{
    const char *name = argv[*i] + 2, *value = strchr(name, '=');
    size_t len = value != NULL ? (size_t)(value - name) : strlen(name);
    const struct ctl_option *option =
        strncmp(argv[*i], "--", 2) == 0 ? ctl_option_find(name, len) : NULL;

    if (option == NULL) {
        fprintf(stderr, "sokoctl: %s: no such option\n", argv[*i]);
        return false;
    }
    char *place = (char *)o + option->at;
    if (option->value == NULL && value != NULL) {
        fprintf(stderr, "sokoctl: --%s takes no value\n", option->name);
        return false;
    }
    if (option->value != NULL && value == NULL && *i + 1 == argc) {
        fprintf(stderr, "sokoctl: --%s needs a value\n", option->name);
        return false;
    }
    if (option->value == NULL)
        *(bool *)(void *)place = true;
    else
        *(const char **)(void *)place = value != NULL ? value + 1 : argv[++*i];
    if (l->option_count == OPTIONS_MOST) {
        fprintf(stderr, "sokoctl: more than %d options\n", OPTIONS_MOST);
        return false;
    }
    l->options[l->option_count++] = option;
    return true;
}

/* The words are moved to the front of argv. */
static bool
read_line(int argc, char **argv, struct line *l, struct ctl_options *o)
{
    bool only_words = false;

    l->words = argv + 1;
    for (int i = 1; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0)
            only_words = true;
        else if (only_words || argv[i][0] != '-' || argv[i][1] == '\0')
            l->words[l->count++] = argv[i];
        else if (!read_given(argc, argv, &i, l, o))
            return false;
    }
    return true;
}

static bool
check_options(const struct ctl_command *c, const struct line *l)
{
    for (size_t i = 0; i < l->option_count; i++) {
        if (!takes_option(c->takes, l->options[i]) &&
            !takes_option(CTL_EVERYWHERE, l->options[i])) {
            fprintf(stderr, "sokoctl: %s takes no --%s\n", c->words, l->options[i]->name);
            return false;
        }
    }
    return true;
}

static bool
check_operands(const struct ctl_command *c, const struct ctl_options *o)
{
    const char *takes = c->takes;
    struct ctl_word w;
    int most = 0;

    while (ctl_next_word(&takes, &w)) {
        if (w.option != NULL)
            continue;
        if (!w.may_miss && o->argc <= most) {
            fprintf(stderr, "sokoctl: %s needs %.*s\n", c->words, w.len, w.text);
            return false;
        }
        most = w.many ? o->argc : most + 1;
    }
    if (o->argc > most)
        fprintf(stderr, "sokoctl: %s takes no '%s'\n", c->words, o->argv[most]);
    return o->argc <= most;
}

static int
help(const struct ctl_command *c, const struct line *l)
{
    if (c != NULL) {
        print_command(stdout, c);
        return EXIT_SUCCESS;
    }
    print_usage(stdout, l->count, l->words);
    if (l->count == 0) {
        fputs("\nSettings:\n\n", stdout);
        config_help(stdout);
    }
    return EXIT_SUCCESS;
}

/* No such command: those that begin alike are shown, else all. */
static int
no_command(const struct line *l)
{
    bool alike = false;

    for (size_t i = 0; l->count > 0 && i < ctl_command_count; i++)
        alike = alike || begins_with(&ctl_commands[i], 1, l->words);
    if (l->count > 0)
        fprintf(stderr, "sokoctl: %s%s%s: no such command\n", l->words[0],
                alike && l->count > 1 ? " " : "", alike && l->count > 1 ? l->words[1] : "");
    print_usage(stderr, alike ? 1 : 0, l->words);
    return EX_USAGE;
}

const struct ctl_command *
ctl_parse(int argc, char **argv, struct ctl_options *o, int *status)
{
    struct line l = {0};
    int length;

    *o = (struct ctl_options){0};
    bool good = read_line(argc, argv, &l, o);
    const struct ctl_command *c = find_command(&l, &length);
    o->argc = l.count - length;
    o->argv = l.words + length;
    *status = EX_USAGE;
    if (!good) {
        if (c != NULL)
            refuse(c);
        else
            fputs("sokoctl: `sokoctl --help` shows what there is\n", stderr);
        return NULL;
    }
    if (o->version) {
        puts("sokoctl " SOKO_VERSION);
        *status = EXIT_SUCCESS;
        return NULL;
    }
    if (o->help) {
        *status = help(c, &l);
        return NULL;
    }
    if (c == NULL) {
        *status = no_command(&l);
        return NULL;
    }
    if (!check_options(c, &l) || !check_operands(c, o)) {
        *status = refuse(c);
        return NULL;
    }
    return c;
}
