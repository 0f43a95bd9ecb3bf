/*
 * sokoctl: the sysadmin's hand.
 *
 * One table of commands: what is not in it does not exist, and the help is printed from it.
 */
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "ctl.h"
#include "io/cache.h"
#include "io/pg.h"
#include "nginx.h"
#include "openapi.h"
#include "route_facts.h"
#include "shop/accounts/passwords.h"
#include "shop/constraints.h"
#include "shop/stmt.h"

#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define FILE_MAX ((size_t)16 << 20)
#define NAMES_SIZE 4096 /* of a system user's row */

static int
print_openapi(const struct ctl_options *o)
{
    (void)o;
    openapi_print(stdout, routes, routes_count);
    return 0;
}

static int
print_routes(const struct ctl_options *o)
{
    if (o->nginx) {
        nginx_print_locations(stdout, routes, routes_count);
        return 0;
    }
    if (o->json) {
        routes_print_json(stdout, routes, routes_count);
        return 0;
    }
    for (size_t i = 0; i < routes_count; i++)
        printf("%-7s %-36s %-10s %-5s %s\n", method_name(routes[i].method), routes[i].path,
               who_name(routes[i].who), pool_name(routes[i].pool), routes[i].endpoint->doc);
    return 0;
}

static int
print_errors(const struct ctl_options *o)
{
    if (o->nginx) {
        nginx_print_errors(stdout);
        return 0;
    }
    for (enum err e = ERR_VALIDATION; e < ERR_RERUN; e++)
        printf("%d %-24s %s\n", err_status(e), err_code(e), err_message(e));
    return 0;
}

static int
print_origins(const struct ctl_options *o)
{
    (void)o;
    nginx_print_origins(stdout, conf->cors_origins);
    return 0;
}

static int
print_proxies(const struct ctl_options *o)
{
    (void)o;
    nginx_print_proxies(stdout, conf->trusted_proxies);
    return 0;
}

static int
print_config(const struct ctl_options *o)
{
    char buf[CONFIG_VALUE_SIZE];

    if (o->argc == 0) {
        config_example(stdout);
        return 0;
    }
    const char *value = config_value(o->argv[0], buf, sizeof(buf));
    if (value == NULL) {
        fprintf(stderr, "sokoctl: %s: no such setting, or a secret\n", o->argv[0]);
        return CTL_FAILED;
    }
    puts(value);
    return 0;
}

static const struct command {
    const char *first, *second; /* its words; second may be NULL */
    const char *takes, *doc;
    bool needs_config; /* a good configuration must be loaded first */
    int (*run)(const struct ctl_options *o);
} commands[] = {
    {"migrate", "up", "", "apply what is pending, renew functions and views", true, ctl_migrate_up},
    {"migrate", "down", "[STEPS]", "undo the newest migrations", true, ctl_migrate_down},
    {"migrate", "status", "", "what is applied, what is pending", true, ctl_migrate_status},
    {"user", "create",
     "--name NAME --email E|--phone P|--username U [--role buyer|admin] --password-stdin",
     "make an account; its id is printed", true, ctl_user_create},
    {"user", "totp-off", "--email E|--phone P|--username U",
     "switch an account's second factor off, for who lost it; ends the account's sessions", true,
     ctl_user_totp_off},
    {"user", "import", "FILE [--refused FILE]",
     "bring accounts over, from CSV, with the hashes of their passwords", true, ctl_user_import},
    {"product", "import", "FILE [--format csv|jsonl] [--owner EMAIL] [--refused FILE] [--again]",
     "put goods into stores, from CSV or JSON Lines; interrupted, it goes on where it was", true,
     ctl_product_import},
    {"product", "export", "[FILE] [--format csv|jsonl] [--store NAME|ID]",
     "write all goods, or a store's, as a file that import reads", true, ctl_product_export},
    {"ledger", "check", "[--books FILE]",
     "hold the ledger against payments, refunds and parts, and against a provider's books", true,
     ctl_ledger_check},
    {"statement", NULL, "--store ID [--from DATE] [--until DATE]",
     "what a store was booked, with the balance after each", true, ctl_statement},
    {"audit", "list",
     "[--from DATE] [--until DATE] [--actor ID] [--subject ID] [--event NAME] [--json]",
     "who signed in, changed who may do what, or moved money; newest last", true, ctl_audit_list},
    {"audit", "verify", "[--head NUMBER:MAC] [--after NUMBER:MAC]",
     "hold the audit log against its chain, which must go through --head", true, ctl_audit_verify},
    {"audit", "seal", "[--head NUMBER:MAC]",
     "seal what waits; with --head, behind a head that is not by DATA_KEY", true, ctl_audit_seal},
    {"demo", "load", "--accounts FILE", "fill a demo shop; passwords go to FILE", true,
     ctl_demo_load},
    {"openapi", NULL, "", "the OpenAPI document", false, print_openapi},
    {"routes", NULL, "[--nginx|--json]", "the route table: for people, nginx or programs", false,
     print_routes},
    {"errors", NULL, "[--nginx]", "the error table: for people or nginx", false, print_errors},
    {"nginx", "origins", "", "CORS_ORIGINS, as nginx reads them: soko/origins.conf", true,
     print_origins},
    {"nginx", "proxies", "", "TRUSTED_PROXIES, as nginx reads them: soko/proxies.conf", true,
     print_proxies},
    {"config", NULL, "[NAME]", "a setting in force, or an example file with all", true,
     print_config},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void
usage(FILE *out)
{
    fputs("usage: sokoctl [--config FILE] COMMAND\n\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %s%s%s %s\n        %s\n", commands[i].first,
                commands[i].second != NULL ? " " : "",
                commands[i].second != NULL ? commands[i].second : "", commands[i].takes,
                commands[i].doc);
    fputs("\n  --help     this text and the settings\n  --version  the version\n", out);
}

enum {
    OPT_CONFIG = 256,
    OPT_EMAIL,
    OPT_PHONE,
    OPT_USERNAME,
    OPT_NAME,
    OPT_ROLE,
    OPT_ACCOUNTS,
    OPT_FORMAT,
    OPT_STORE,
    OPT_OWNER,
    OPT_REFUSED,
    OPT_AGAIN,
    OPT_BOOKS,
    OPT_FROM,
    OPT_UNTIL,
    OPT_ACTOR,
    OPT_SUBJECT,
    OPT_EVENT,
    OPT_HEAD,
    OPT_AFTER,
    OPT_PASSWORD_STDIN,
    OPT_NGINX,
    OPT_JSON,
    OPT_HELP,
    OPT_VERSION
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, OPT_CONFIG},
    {"email", required_argument, NULL, OPT_EMAIL},
    {"phone", required_argument, NULL, OPT_PHONE},
    {"username", required_argument, NULL, OPT_USERNAME},
    {"name", required_argument, NULL, OPT_NAME},
    {"role", required_argument, NULL, OPT_ROLE},
    {"accounts", required_argument, NULL, OPT_ACCOUNTS},
    {"format", required_argument, NULL, OPT_FORMAT},
    {"store", required_argument, NULL, OPT_STORE},
    {"owner", required_argument, NULL, OPT_OWNER},
    {"refused", required_argument, NULL, OPT_REFUSED},
    {"again", no_argument, NULL, OPT_AGAIN},
    {"books", required_argument, NULL, OPT_BOOKS},
    {"from", required_argument, NULL, OPT_FROM},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"actor", required_argument, NULL, OPT_ACTOR},
    {"subject", required_argument, NULL, OPT_SUBJECT},
    {"event", required_argument, NULL, OPT_EVENT},
    {"head", required_argument, NULL, OPT_HEAD},
    {"after", required_argument, NULL, OPT_AFTER},
    {"password-stdin", no_argument, NULL, OPT_PASSWORD_STDIN},
    {"nginx", no_argument, NULL, OPT_NGINX},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static void
take_option(int c, struct ctl_options *o, const char **config)
{
    switch (c) {
    case OPT_CONFIG:
        *config = optarg;
        break;
    case OPT_EMAIL:
        o->email = optarg;
        break;
    case OPT_PHONE:
        o->phone = optarg;
        break;
    case OPT_USERNAME:
        o->username = optarg;
        break;
    case OPT_NAME:
        o->name = optarg;
        break;
    case OPT_ROLE:
        o->role = optarg;
        break;
    case OPT_ACCOUNTS:
        o->accounts = optarg;
        break;
    case OPT_FORMAT:
        o->format = optarg;
        break;
    case OPT_STORE:
        o->store = optarg;
        break;
    case OPT_OWNER:
        o->owner = optarg;
        break;
    case OPT_REFUSED:
        o->refused = optarg;
        break;
    case OPT_AGAIN:
        o->again = true;
        break;
    case OPT_BOOKS:
        o->books = optarg;
        break;
    case OPT_FROM:
        o->from = optarg;
        break;
    case OPT_UNTIL:
        o->until = optarg;
        break;
    case OPT_ACTOR:
        o->actor = optarg;
        break;
    case OPT_SUBJECT:
        o->subject = optarg;
        break;
    case OPT_EVENT:
        o->event = optarg;
        break;
    case OPT_HEAD:
        o->head = optarg;
        break;
    case OPT_AFTER:
        o->after = optarg;
        break;
    case OPT_PASSWORD_STDIN:
        o->password_stdin = true;
        break;
    case OPT_NGINX:
        o->nginx = true;
        break;
    case OPT_JSON:
        o->json = true;
        break;
    case OPT_HELP:
        usage(stdout);
        fputs("\nSettings:\n\n", stdout);
        config_help(stdout);
        exit(EXIT_SUCCESS);
    case OPT_VERSION:
        puts("sokoctl " SOKO_VERSION);
        exit(EXIT_SUCCESS);
    default:
        usage(stderr);
        exit(EX_USAGE);
    }
}

/* Finds the command of the words that are left, and moves past them. */
static const struct command *
find_command(int argc, char **argv, struct ctl_options *o)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        int words = commands[i].second != NULL ? 2 : 1;
        if (argc < words || strcmp(argv[0], commands[i].first) != 0)
            continue;
        if (words == 2 && strcmp(argv[1], commands[i].second) != 0)
            continue;
        o->argc = argc - words;
        o->argv = argv + words;
        return &commands[i];
    }
    return NULL;
}

/* Who sits at this end: root by sudo is the one who called sudo. */
static const char *
operator_name(struct arena *a)
{
    const char *sudo = getenv("SUDO_USER");
    struct passwd room, *user = NULL;
    char names[NAMES_SIZE];

    if (getuid() == 0 && sudo != NULL && sudo[0] != '\0')
        return arena_strdup(a, sudo);
    if (getpwuid_r(getuid(), &room, names, sizeof(names), &user) == 0 && user != NULL)
        return arena_strdup(a, user->pw_name);
    return arena_printf(a, "uid %ld", (long)getuid());
}

static struct ctx *opened; /* what main closes */

struct ctx *
ctl_open(void)
{
    static struct pg_options options;
    struct arena *a = arena_new();
    struct ctx *ctx = arena_alloc(a, sizeof(*ctx));

    options = (struct pg_options){
        .url = conf->database_url,
        .name = "sokoctl",
        .connect_ms = conf->database_connect_timeout.ms,
        .statement_ms = conf->statement_timeout.ms,
        .stmts = stmts,
        .count = STMT__COUNT,
        .constraints = constraints,
    };
    ctx->arena = a;
    ctx->pg = pg_new(&options);
    /* For what ends sessions and keys; it connects only then. */
    ctx->cache = cache_new(conf->redis_address, conf->redis_timeout.ms);
    ctx->now_ms = clock_ms();
    ctx->trace_id = "sokoctl";
    ctx->actor.operator= operator_name(a);
    opened = ctx;
    return ctx;
}

static void
ctl_close(void)
{
    struct arena *a = opened != NULL ? opened->arena : NULL;

    if (opened != NULL) {
        pg_free(opened->pg);
        cache_free(opened->cache);
    }
    opened = NULL;
    arena_free(a); /* the context lies in it */
}

void
ctl_complain(const struct ctx *ctx, enum err e)
{
    if (ctx->problems.first == NULL)
        fprintf(stderr, "sokoctl: %s\n", err_message(e));
    for (const struct problem *p = ctx->problems.first; p != NULL; p = p->next)
        fprintf(stderr, "sokoctl: %s%s%s\n", p->field != NULL ? p->field : "",
                p->field != NULL ? ": " : "", p->message);
}

bool
ctl_time(const char *name, const char *text, struct pg_arg *out)
{
    int64_t ms;

    *out = ARG_NULL;
    if (text == NULL)
        return true;
    if (!clock_parse(text, &ms)) {
        fprintf(stderr, "sokoctl: --%s: not a date, such as 2026-02-20 or 2026-02-20T10:00:00Z\n",
                name);
        return false;
    }
    *out = ARG_TIME(ms);
    return true;
}

char *
ctl_read_file(struct arena *a, const char *path, size_t *len)
{
    FILE *in = fopen(path, "rb");
    char *data = in != NULL ? arena_alloc(a, FILE_MAX) : NULL;
    size_t n = in != NULL ? fread(data, 1, FILE_MAX - 1, in) : 0;

    if (in == NULL || ferror(in) || !feof(in)) {
        fprintf(stderr, "sokoctl: %s: %s\n", path,
                in != NULL && !ferror(in) ? "is too large" : strerror(errno));
        data = NULL;
    }
    if (in != NULL)
        fclose(in);
    if (len != NULL)
        *len = n;
    return data;
}

int
main(int argc, char **argv)
{
    struct ctl_options o = {0};
    const char *config = NULL;
    int c;

    log_init("sokoctl", LOG_WARN);
    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        take_option(c, &o, &config);
    const struct command *command = find_command(argc - optind, argv + optind, &o);
    if (command == NULL) {
        usage(stderr);
        return EX_USAGE;
    }
    config_check_by("DATABASE_URL", pg_url_fault);
    config_check_by("REDIS_ADDRESS", cache_address_fault);
    config_check_by("PASSWORD_DENY_LIST", passwords_list_fault);
    if ((command->needs_config || config != NULL) && !config_load(config, stderr))
        return EX_CONFIG;
    int status = command->run(&o);
    ctl_close();
    return status;
}
