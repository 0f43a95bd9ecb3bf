/*
 * ctl_table: all that sokoctl knows, as data: a row an option, a row a command.
 *
 * The command line is read by these rows (ctl_parse.c), and --help, the manual and the shell's
 * completion are printed from them. To add a command: its row in ctl_table.c, its function in ctl.h
 * and a file of its own, named in Makefile.am; sokoctl.c names those that act as the database's
 * owner. To add an option: a member of struct ctl_options, its row, and its name in
 * the `takes` of each command that reads it; nobody else is given it.
 */
#ifndef SOKO_CTL_TABLE_H
#define SOKO_CTL_TABLE_H

#include "ctl.h"

#include <stdio.h>

struct ctl_option {
    const char *name;  /* without its dashes */
    const char *value; /* FILE, DATE, csv|jsonl: what follows it; NULL: nothing, it is a switch */
    const char *doc;
    size_t at; /* in struct ctl_options: a bool if a switch, else a const char * */
};
extern const struct ctl_option ctl_option_rows[];
extern const size_t ctl_option_count;

#define CTL_OWN_CONFIG 2

struct ctl_command {
    const char *words; /* "user create" */
    /*
     * What may follow, each word once: `--name --email|--phone [--role=buyer|admin] FILE [ID...]`.
     * What each option takes is its row's, or what stands here behind `=`. Operands are in
     * capitals; those in brackets, or beside a |, may be missing, and `...` is "one or more".
     */
    const char *takes;
    const char *doc;  /* half a sentence */
    int needs_config; /* a good configuration must be loaded first; CTL_OWN_CONFIG: it loads its own
                       */
    int (*run)(const struct ctl_options *o);
    const char *more; /* sentences for the manual and for its own --help; or NULL */
};
extern const struct ctl_command ctl_commands[];
extern const size_t ctl_command_count;

/* What each command takes before or behind its words. */
#define CTL_EVERYWHERE "[--config] [--help] [--version]"

/* The row of an option of that name, `len` characters; NULL if there is none. */
const struct ctl_option *ctl_option_find(const char *name, size_t len);

/* A word of a `takes`. */
struct ctl_word {
    const struct ctl_option *option; /* NULL: an operand */
    const char *text; /* the operand's name, or what the option takes; NULL: nothing */
    int len;          /* of text */
    bool may_miss, many;
    const char *before; /* the brackets and bars between the last word and this */
    int before_len;
};

/* Reads the next word at *at and moves there. False at the end; what is left is closing brackets.
 */
bool ctl_next_word(const char **at, struct ctl_word *out);

/* Prints `takes` for people: "--name NAME [--role buyer|admin] FILE". */
void ctl_print_takes(FILE *out, const char *takes);

/*
 * Reads the command line. A command to run: returns it, with `o` filled. Otherwise NULL, and
 * *status is what to leave with: --help and --version have been printed, or what is wrong was told.
 */
const struct ctl_command *ctl_parse(int argc, char **argv, struct ctl_options *o, int *status);

#endif
