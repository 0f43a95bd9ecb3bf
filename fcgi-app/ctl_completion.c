/*
 * Completion for bash, from the tables: a script that knows which words are commands, what each
 * takes, and what may follow an option. zsh reads it too, by bashcompinit.
 *
 * It is data and one function that never changes, so that it costs nothing to load and asks nobody:
 * completing must not read a configuration, or a database.
 */
#include "ctl_table.h"

#include "base/config.h"

#include <ctype.h>
#include <string.h>

/* What is to be offered for a value: words, files, or (nothing is printed) nothing. */
static void
print_values(const char *text, int len)
{
    bool words = memchr(text, '|', (size_t)len) != NULL;

    for (int i = 0; words && i < len; i++)
        words = islower((unsigned char)text[i]) || text[i] == '|' || text[i] == '_';
    if (words) {
        for (int i = 0; i < len; i++)
            putchar(text[i] == '|' ? ' ' : text[i]);
    } else if (len == 4 && memcmp(text, "FILE", 4) == 0) {
        fputs("@files", stdout);
    } else if (len == 3 && memcmp(text, "DIR", 3) == 0) {
        fputs("@folders", stdout);
    } else if (len == 4 && memcmp(text, "ROLE", 4) == 0) {
        fputs("buyer admin", stdout);
    } else if (len == 4 && memcmp(text, "PAGE", 4) == 0) {
        fputs("sokoctl soko-api soko-jobs soko.conf", stdout);
    } else if (len == 7 && memcmp(text, "SETTING", 7) == 0) {
        config_names(stdout, ' ');
    }
}

/* A line for each option that the command takes, and one for its operands. */
static void
print_takes(const char *words, const char *takes)
{
    const char *at = takes;
    struct ctl_word w;

    while (ctl_next_word(&at, &w)) {
        if (w.option == NULL || w.text == NULL)
            continue;
        printf("        ['%s --%s']='", words, w.option->name);
        print_values(w.text, w.len);
        puts("'");
    }
    printf("        ['%s operands']='", words);
    while (ctl_next_word(&takes, &w)) {
        if (w.option == NULL) {
            print_values(w.text, w.len);
            putchar(' ');
        }
    }
    puts("'");
}

static void
print_options_of(const char *words, const char *takes)
{
    struct ctl_word w;

    printf("        ['%s']='", words);
    while (ctl_next_word(&takes, &w)) {
        if (w.option != NULL)
            printf(" --%s", w.option->name);
    }
    fputs("'\n", stdout);
}

static const char function[] =
    "    local cur=${COMP_WORDS[COMP_CWORD]} command='' known word previous='' rest='' i\n"
    "    COMPREPLY=()\n"
    "    [[ $cur != = ]] || cur=''\n"
    "    # The command's words so far; the value of an option is none of them.\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [[ $word == = ]]; then\n"
    "            continue\n"
    "        elif [[ -n $previous ]]; then\n"
    "            previous=''\n"
    "        elif [[ $word == --* ]]; then\n"
    "            [[ ${of[\"any $word\"]-@switch} == @switch ]] || previous=$word\n"
    "        else\n"
    "            for known in \"${!options[@]}\"; do\n"
    "                [[ \"$known \" == \"${command:+$command }$word \"* ]] || continue\n"
    "                command=${command:+$command }$word\n"
    "                break\n"
    "            done\n"
    "        fi\n"
    "    done\n"
    "    if [[ -n $previous ]]; then\n"
    "        rest=${of[\"$command $previous\"]-${of[\"any $previous\"]}}\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        [[ -z $command ]] || rest=${options[\"$command\"]-}\n"
    "        rest+=\" ${options[any]}\"\n"
    "    else\n"
    "        [[ -z $command ]] || rest=${of[\"$command operands\"]-}\n"
    "        for known in \"${!options[@]}\"; do\n"
    "            [[ $known != any && $known == \"${command:+$command }\"* ]] || continue\n"
    "            known=${known#\"${command:+$command }\"}\n"
    "            rest+=\" ${known%% *}\"\n"
    "        done\n"
    "    fi\n"
    "    case $rest in\n"
    "    *@files*)\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        ;;\n"
    "    *@folders*)\n"
    "        mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        ;;\n"
    "    *) mapfile -t COMPREPLY < <(compgen -W \"$rest\" -- \"$cur\" | sort -u) ;;\n"
    "    esac\n"
    "    return 0\n"
    "}\n"
    "complete -F _sokoctl sokoctl\n";

int
ctl_completion_bash(const struct ctl_options *o)
{
    (void)o;
    puts("# Completion of sokoctl for bash. Made by sokoctl completion bash; do not edit.\n"
         "# shellcheck shell=bash\n"
         "_sokoctl() {\n"
         "    # What each command takes, and what may follow an option of it.\n"
         "    local -A options=(");
    for (size_t i = 0; i < ctl_command_count; i++)
        print_options_of(ctl_commands[i].words, ctl_commands[i].takes);
    print_options_of("any", CTL_EVERYWHERE);
    puts("    ) of=(");
    for (size_t i = 0; i < ctl_command_count; i++)
        print_takes(ctl_commands[i].words, ctl_commands[i].takes);
    for (size_t i = 0; i < ctl_option_count; i++) {
        const struct ctl_option *row = &ctl_option_rows[i];
        printf("        ['any --%s']='", row->name);
        if (row->value != NULL)
            print_values(row->value, (int)strlen(row->value));
        puts(row->value != NULL ? "'" : "@switch'");
    }
    puts("    )");
    fputs(function, stdout);
    return 0;
}
