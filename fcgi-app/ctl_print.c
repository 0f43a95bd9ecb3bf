/*
 * The tables of the house, printed: routes, errors, settings; for people, for nginx, for programs.
 */
#include "base/config.h"
#include "ctl.h"
#include "nginx.h"
#include "openapi.h"
#include "route_facts.h"

#include <stdio.h>

int
ctl_openapi(const struct ctl_options *o)
{
    (void)o;
    openapi_print(stdout, routes, routes_count);
    return 0;
}

int
ctl_routes(const struct ctl_options *o)
{
    if (o->nginx) {
        nginx_print_locations(stdout, routes, routes_count, false);
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

int
ctl_errors(const struct ctl_options *o)
{
    if (o->nginx) {
        nginx_print_errors(stdout);
        return 0;
    }
    for (enum err e = ERR_VALIDATION; e < ERR_RERUN; e++)
        printf("%d %-24s %s\n", err_status(e), err_code(e), err_message(e));
    return 0;
}

int
ctl_nginx_origins(const struct ctl_options *o)
{
    (void)o;
    nginx_print_origins(stdout, conf->cors_origins);
    return 0;
}

int
ctl_nginx_proxies(const struct ctl_options *o)
{
    (void)o;
    nginx_print_proxies(stdout, conf->trusted_proxies);
    return 0;
}

int
ctl_config(const struct ctl_options *o)
{
    char buf[CONFIG_VALUE_SIZE];

    const char *value = config_value(o->argv[0], buf, sizeof(buf));
    if (value == NULL) {
        fprintf(stderr, "sokoctl: %s: no such setting, or a secret\n", o->argv[0]);
        return CTL_FAILED;
    }
    puts(value);
    return 0;
}

int
ctl_config_example(const struct ctl_options *o)
{
    (void)o;
    config_example(stdout);
    return 0;
}

int
ctl_config_secrets(const struct ctl_options *o)
{
    (void)o;
    config_secrets(stdout);
    return 0;
}
