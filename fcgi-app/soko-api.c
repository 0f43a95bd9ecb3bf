/*
 * soko-api: the FastCGI workers of one pool, on the socket that is descriptor 0.
 *
 * main() and nothing clever: whatever can be wrong is looked for before the first fork, and told in
 * words. Exit status: 0 after a stop by signal, 1 if no worker can start, 64 for a wrong command
 * line or descriptor 0, 70 for a wrong table, 78 for a wrong configuration (sysexits.h); a restart
 * cures none of the last three.
 */
#include "app.h"
#include "base/config.h"
#include "base/log.h"
#include "io/cache.h"
#include "io/metrics.h"
#include "io/pg.h"
#include "io/replica.h"
#include "prefork.h"
#include "providers/outside.h"
#include "providers/settings.h"
#include "routes.h"
#include "shop/accounts/passwords.h"

#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#define LISTENER 0 /* FastCGI's convention */
#define FAST_PER_CORE 4
#define HASH_PER_CORE 1

struct options {
    const char *config;
    enum pool pool;
    bool pool_given, check;
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'}, {"pool", required_argument, NULL, 'p'},
    {"check", no_argument, NULL, 'k'},        {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0}};

/* Of this process; set once by main(), because prefork's callbacks take no argument for it. */
static enum pool our_pool;

static void
usage(FILE *out)
{
    fputs("usage: soko-api --pool fast|hash|wire [--config FILE]\n"
          "       soko-api --check [--config FILE]\n"
          "\n"
          "Serves FastCGI requests of one pool from the listening socket on descriptor 0.\n"
          "\n"
          "  --config FILE  settings, NAME=value lines; the environment overrides them\n"
          "  --pool POOL    fast: PostgreSQL and Redis only; hash: passwords; wire: providers\n"
          "  --check        read the configuration, check the tables, print ok, leave\n"
          "  --help         this text and the settings\n"
          "  --version      the version\n"
          "\n"
          "SIGTERM: finish and leave. SIGHUP: read the configuration again, renew the workers.\n",
          out);
}

static bool
parse_pool(const char *name, struct options *o)
{
    for (int p = 0; p < POOL__COUNT; p++) {
        if (strcmp(name, pool_name((enum pool)p)) == 0) {
            o->pool = (enum pool)p;
            o->pool_given = true;
            return true;
        }
    }
    fprintf(stderr, "soko-api: --pool is fast, hash or wire, not '%s'\n", name);
    return false;
}

/* Leaves after --help and --version, and with EX_USAGE after telling what is wrong. */
static struct options
parse_options(int argc, char **argv)
{
    struct options o = {0};
    int c;

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (c) {
        case 'c':
            o.config = optarg;
            break;
        case 'p':
            if (!parse_pool(optarg, &o))
                exit(EX_USAGE);
            break;
        case 'k':
            o.check = true;
            break;
        case 'h':
            usage(stdout);
            putchar('\n');
            config_help(stdout);
            exit(EXIT_SUCCESS);
        case 'v':
            puts("soko-api " SOKO_VERSION);
            exit(EXIT_SUCCESS);
        default:
            usage(stderr);
            exit(EX_USAGE);
        }
    }
    if (optind < argc || (!o.pool_given && !o.check)) {
        usage(stderr);
        exit(EX_USAGE);
    }
    return o;
}

static bool
is_listener(int fd)
{
    int yes = 0;
    socklen_t len = sizeof yes;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 && yes != 0;
}

static int
cores(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

static int
count_children(void)
{
    switch (our_pool) {
    case POOL_HASH:
        return conf->workers_hash > 0 ? (int)conf->workers_hash : HASH_PER_CORE * cores();
    case POOL_WIRE:
        return (int)conf->workers_wire;
    case POOL_FAST:
    case POOL__COUNT:
        break;
    }
    return conf->workers_fast > 0 ? (int)conf->workers_fast : FAST_PER_CORE * cores();
}

static int
serve(struct slot *slot, int index, const volatile sig_atomic_t *stop)
{
    (void)index;
    return app_serve(LISTENER, routes, routes_count, our_pool, slot, stop);
}

int
main(int argc, char **argv)
{
    struct options o = parse_options(argc, argv);
    enum log_level level = LOG_INFO;

    config_check_by("DATABASE_URL", pg_url_fault);
    config_check_by("DATABASE_REPLICA_URL", replica_url_fault);
    config_check_by("REDIS_ADDRESS", cache_address_fault);
    config_check_by("PASSWORD_DENY_LIST", passwords_list_fault);
    config_check_all_by(settings_check);
    if (!config_load(o.config, stderr))
        return EX_CONFIG;
    log_level_parse(conf->log_level, &level);
    log_init("soko-api", level);
    if (!routes_check(routes, routes_count))
        return EX_SOFTWARE;
    if (o.check) {
        puts("ok");
        return EXIT_SUCCESS;
    }
    if (!is_listener(LISTENER)) {
        fputs("soko-api: descriptor 0 is not a listening socket. Start it by systemd with\n"
              "StandardInput=socket (soko-api@.service), or by hand with\n"
              "spawn-fcgi -n -s /run/soko/fast.sock -- soko-api --pool fast\n",
              stderr);
        return EX_USAGE;
    }
    our_pool = o.pool;
    metrics_open(conf->metrics_dir, pool_name(o.pool));
    outside_share();
    return prefork_run(&(struct prefork){.name = pool_name(o.pool),
                                         .config_file = o.config,
                                         .children = count_children,
                                         .child = serve});
}
