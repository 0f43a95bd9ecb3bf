/*
 * Manual pages, printed by `make` from the tables that the programs themselves read: a command, an
 * option or a setting that exists is in its page.
 */
#include "ctl_table.h"

#include "base/config.h"
#include "base/roff.h"

#include <ctype.h>
#include <string.h>
#include <sysexits.h>

/* A page's own date would make each build another. */
#define WRITTEN "2026-11-21"

static void
title(const char *name, const char *section, const char *what)
{
    fputs(".TH ", stdout);
    for (const char *c = name; *c != '\0'; c++)
        putchar(toupper((unsigned char)*c));
    printf(" %s " WRITTEN " \"Soko " SOKO_VERSION "\" Soko\n.nh\n.ad l\n.SH NAME\n", section);
    roff_text(stdout, name);
    printf(" \\- ");
    roff_text(stdout, what);
    putchar('\n');
}

static void
heading(const char *name)
{
    printf(".SH %s\n", name);
}

/* The first paragraph below a heading. */
static void
lead(const char *text)
{
    roff_text(stdout, text);
    putchar('\n');
}

static void
paragraph(const char *text)
{
    puts(".PP");
    lead(text);
}

/* A word or more, bold, and what is to be said of it. */
static void
item(const char *bold, const char *italic, const char *text)
{
    puts(".TP");
    roff_font(stdout, 'B', bold, (int)strlen(bold));
    if (italic != NULL) {
        putchar(' ');
        roff_font(stdout, 'I', italic, (int)strlen(italic));
    }
    putchar('\n');
    roff_text(stdout, text);
    putchar('\n');
}

/* --- sokoctl(8) ------------------------------------------------------------------------------- */

static void
print_takes(const char *takes)
{
    struct ctl_word w;

    while (ctl_next_word(&takes, &w)) {
        printf("%.*s", w.before_len, w.before);
        if (w.option != NULL) {
            fputs("\\fB\\-\\-", stdout);
            roff_font(stdout, 'B', w.option->name, (int)strlen(w.option->name));
            fputs(w.text != NULL ? " " : "", stdout);
        }
        if (w.text != NULL)
            roff_font(stdout, 'I', w.text, w.len);
        fputs(w.many ? "..." : "", stdout);
    }
    fputs(takes, stdout);
}

static void
print_command(const struct ctl_command *c)
{
    puts(".TP");
    roff_font(stdout, 'B', c->words, (int)strlen(c->words));
    putchar(*c->takes != '\0' ? ' ' : '\n');
    if (*c->takes != '\0') {
        print_takes(c->takes);
        putchar('\n');
    }
    putchar(toupper((unsigned char)c->doc[0]));
    roff_text(stdout, c->doc + 1);
    puts(".");
    if (c->more != NULL) {
        roff_text(stdout, c->more);
        putchar('\n');
    }
}

static void
print_options(void)
{
    char name[64];

    for (size_t i = 0; i < ctl_option_count; i++) {
        snprintf(name, sizeof(name), "--%s", ctl_option_rows[i].name);
        item(name, ctl_option_rows[i].value, ctl_option_rows[i].doc);
    }
}

static void
sokoctl_page(void)
{
    title("sokoctl", "8", "the sysadmin's hand in a Soko shop");
    heading("SYNOPSIS");
    puts(".B sokoctl\n[\\fB\\-\\-config\\fR \\fIFILE\\fR]\n.I COMMAND\n.RI [ OPTION ...]");
    heading("DESCRIPTION");
    lead("Looks at a shop and changes what only its sysadmin may. What changes it follows the "
         "rules that the API's endpoints have, and stands in the audit log under your system "
         "user's name.");
    paragraph(
        "Root means the shop of this machine: /etc/soko/soko.conf, with its secrets in "
        "/etc/soko/credentials. Another is named by --config; the environment overrides both. "
        "`migrate`, `backup` and `restore` act as the owner of the database, all else as the "
        "shop does.");
    paragraph("A listing is a table for people; with --json it is an object a line, for programs. "
              "An option is written out in full, before or behind the command; --name=value is "
              "--name value, and behind -- everything is an operand. What a command does not take "
              "is refused.");
    heading("COMMANDS");
    for (size_t i = 0; i < ctl_command_count; i++)
        print_command(&ctl_commands[i]);
    heading("OPTIONS");
    print_options();
    heading("\"EXIT STATUS\"");
    item("0", NULL, "All is well: what was asked for is done, what was checked is right.");
    item("1", NULL, "It failed, or a check found faults; the reason is on standard error.");
    item("64", NULL,
         "The command line is wrong, or what cannot be undone was not confirmed by "
         "--yes.");
    item("65", NULL, "Lines of a file were refused.");
    item("78", NULL, "The configuration is bad or missing; each fault names its variable.");
    heading("FILES");
    item("/etc/soko/soko.conf", NULL, "settings, soko.conf(5)");
    item("/etc/soko/credentials/", NULL, "a file a secret, for root alone");
    heading("\"SEE ALSO\"");
    puts(".BR soko\\-api (8),\n.BR soko\\-jobs (8),\n.BR soko.conf (5)");
}

/* --- the others ------------------------------------------------------------------------------- */

static void
common_options(void)
{
    item("--config", "FILE", "settings, NAME=value lines; the environment overrides them");
    item("--check", NULL, "read the configuration, check the tables, print ok, leave");
    item("--help", NULL, "how it is called, and the settings");
    item("--version", NULL, "the version");
}

static void
common_end(const char *others)
{
    heading("SIGNALS");
    item("SIGTERM", NULL, "finish what is under way, and leave");
    item("SIGHUP", NULL,
         "read the configuration again and renew the workers; a bad one is logged, "
         "and the old one stays in force");
    heading("\"EXIT STATUS\"");
    item("0", NULL, "It was told to stop.");
    item("1", NULL, "No worker can start; the log says why.");
    item("64", NULL, "The command line is wrong.");
    item("70", NULL, "A table of the program is wrong.");
    item("78", NULL,
         "The configuration is bad or missing; each fault names its variable. Starting "
         "it again cures none of the last three.");
    heading("FILES");
    item("/etc/soko/soko.conf", NULL, "settings, soko.conf(5)");
    item("/etc/soko/credentials/", NULL, "a file a secret, handed over by systemd");
    heading("\"SEE ALSO\"");
    puts(others);
}

static void
api_page(void)
{
    title("soko-api", "8", "serves the API of a Soko shop");
    heading("SYNOPSIS");
    puts(".B soko\\-api\n\\fB\\-\\-pool\\fR \\fIfast\\fR|\\fIhash\\fR|\\fIwire\\fR\n"
         "[\\fB\\-\\-config\\fR \\fIFILE\\fR]\n.br\n.B soko\\-api\n\\fB\\-\\-check\\fR "
         "[\\fB\\-\\-config\\fR \\fIFILE\\fR]");
    heading("DESCRIPTION");
    lead("Serves FastCGI requests of one pool from the listening socket that is its "
         "descriptor 0. A parent keeps workers, each of which serves one request at a time and "
         "holds one connection to PostgreSQL and one to Redis; it replaces those that die, "
         "that have served long enough, and that take longer than WORKER_DEADLINE.");
    paragraph("systemd starts it by soko-api@fast.socket and its like, behind nginx. Logs go to "
              "standard error, a JSON object a line.");
    heading("OPTIONS");
    item("--pool", "POOL",
         "fast: what needs PostgreSQL and Redis only; hash: what hashes passwords; "
         "wire: what calls a provider");
    common_options();
    common_end(".BR soko\\-jobs (8),\n.BR sokoctl (8),\n.BR soko.conf (5)");
}

static void
jobs_page(void)
{
    title("soko-jobs", "8", "does what a Soko shop does later or on a clock");
    heading("SYNOPSIS");
    puts(".B soko\\-jobs\n[\\fB\\-\\-config\\fR \\fIFILE\\fR]\n[\\fB\\-\\-check\\fR]");
    heading("DESCRIPTION");
    lead("Payments, refunds, messages, expiry, the audit log's seal: a process for each lane, "
         "so that a party that hangs delays only its own. What is to be done is a row of the "
         "outbox, written in the transaction of its cause; any number of hosts may run this.");
    paragraph("What has failed JOBS_MAX_ATTEMPTS times is parked until a person looks: `sokoctl "
              "outbox list --parked`.");
    heading("OPTIONS");
    common_options();
    common_end(".BR soko\\-api (8),\n.BR sokoctl (8),\n.BR soko.conf (5)");
}

static void
conf_page(void)
{
    title("soko.conf", "5", "settings of a Soko shop");
    heading("DESCRIPTION");
    lead("Lines of NAME=value, read by soko-api(8), soko-jobs(8) and sokoctl(8). Lines that "
         "begin with # are comments. Files *.conf in the folder soko.conf.d beside it are read "
         "after it, by name; then, for secrets, files of that name in "
         "$CREDENTIALS_DIRECTORY; then the environment. The last wins.");
    paragraph("A span needs a unit: 250ms, 30s, 15min, 24h, 7d. A bad or missing value, and a name "
              "that is none of these, stops the start and is named. No secret has a default.");
    heading("SETTINGS");
    config_man(stdout);
    heading("FILES");
    item("/etc/soko/soko.conf", NULL, "the shop of this machine");
    item("/etc/soko/credentials/", NULL, "a file a secret, for root alone");
    heading("\"SEE ALSO\"");
    puts(".BR soko\\-api (8),\n.BR soko\\-jobs (8),\n.BR sokoctl (8)");
}

int
ctl_man(const struct ctl_options *o)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } pages[] = {
        {"sokoctl", sokoctl_page},
        {"soko-api", api_page},
        {"soko-jobs", jobs_page},
        {"soko.conf", conf_page},
    };

    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (strcmp(o->argv[0], pages[i].name) == 0) {
            puts(".\\\" Made by sokoctl man; do not edit.");
            pages[i].print();
            return 0;
        }
    }
    fprintf(stderr, "sokoctl: %s: is none of sokoctl, soko-api, soko-jobs, soko.conf\n",
            o->argv[0]);
    return EX_USAGE;
}
