/*
 * soko-jobs: a process for each lane of what happens later, and one that watches.
 *
 * main() and nothing clever; exit statuses are those of soko-api.
 */
#include "base/config.h"
#include "base/log.h"
#include "io/cache.h"
#include "io/metrics.h"
#include "io/pg.h"
#include "io/replica.h"
#include "jobs.h"
#include "prefork.h"
#include "providers/outside.h"
#include "providers/settings.h"
#include "shop/messages.h"
#include "watch.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"check", no_argument, NULL, 'k'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

static void
usage(FILE *out)
{
    fputs("usage: soko-jobs [--config FILE] [--check]\n"
          "\n"
          "Does what the shop does later or on a clock: payments, refunds, expiry.\n"
          "\n"
          "  --config FILE  settings, NAME=value lines; the environment overrides them\n"
          "  --check        read the configuration, check the tables, print ok, leave\n"
          "  --help         this text and the settings\n"
          "  --version      the version\n",
          out);
}

static int
count_lanes(void)
{
    return LANE__COUNT + 1;
}

static int
serve_lane(struct slot *slot, int index, const volatile sig_atomic_t *stop)
{
    return index < LANE__COUNT ? jobs_serve((enum lane)index, slot, stop) : watch_serve(slot, stop);
}

int
main(int argc, char **argv)
{
    const char *config = NULL;
    bool check = false;
    int c;

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (c) {
        case 'c':
            config = optarg;
            break;
        case 'k':
            check = true;
            break;
        case 'h':
            usage(stdout);
            fputs("\nSettings:\n\n", stdout);
            config_help(stdout);
            return EXIT_SUCCESS;
        case 'v':
            puts("soko-jobs " SOKO_VERSION);
            return EXIT_SUCCESS;
        default:
            usage(stderr);
            return EX_USAGE;
        }
    }
    if (optind < argc) {
        usage(stderr);
        return EX_USAGE;
    }
    config_check_by("DATABASE_URL", pg_url_fault);
    config_check_by("DATABASE_REPLICA_URL", replica_url_fault);
    config_check_by("REDIS_ADDRESS", cache_address_fault);
    config_check_all_by(settings_check);
    if (!config_load(config, stderr))
        return EX_CONFIG;
    enum log_level level = LOG_INFO;
    log_level_parse(conf->log_level, &level);
    log_init("soko-jobs", level);
    if (!jobs_check())
        return EX_SOFTWARE;
    if (!messages_check())
        return EX_CONFIG;
    if (check) {
        puts("ok");
        return EXIT_SUCCESS;
    }
    metrics_open(conf->metrics_dir, "jobs");
    outside_share();
    const struct prefork p = {
        .name = "jobs", .config_file = config, .children = count_lanes, .child = serve_lane};
    return prefork_run(&p);
}
