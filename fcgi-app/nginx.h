/*
 * nginx: the parts of nginx's configuration that follow from our tables.
 */
#ifndef SOKO_NGINX_H
#define SOKO_NGINX_H

#include "routes.h"

#include <stdbool.h>
#include <stdio.h>

/* One location for each path of the route table, with its pool's upstream, its body cap and, if
 * it is public, the microcache; then the location that gives every other path under /api/ to the
 * fast pool, which answers 404 in JSON. `several`: there is more than one application host. */
void nginx_print_locations(FILE *out, const struct route *table, size_t count, bool several);

/* error_page lines and internal locations that dress nginx's own errors (400 404 405 408 413 414
 * 429 431 494 495 496 497 500 502 503 504) in the JSON envelope of API.md. */
void nginx_print_errors(FILE *out);

/* What soko.conf includes besides: the lines of the map of origins (CORS), and set_real_ip_from
 * lines, from CORS_ORIGINS and TRUSTED_PROXIES as config_load() has let them pass. A list that is
 * empty prints no line. */
void nginx_print_origins(FILE *out, const char *list);
void nginx_print_proxies(FILE *out, const char *list);

/* MAINTENANCE_ALLOW as lines of a geo block, and METRICS_ADDRESSES as lines of a location. */
void nginx_print_friends(FILE *out, const char *list);
void nginx_print_scrapers(FILE *out, const char *list);

/* ---- nginx_hosts.c ---- */

/* Whether APP_HOSTS names more than one host. */
bool nginx_has_others(const char *hosts);

/* The upstreams soko_fast, soko_hooks, soko_hash and soko_wire: the sockets of `socket_dir` if
 * `hosts` is empty, else ports 9001, 9002 and 9003 of each host. */
void nginx_print_upstreams(FILE *out, const char *hosts, const char *socket_dir);

/* listen directives, with `options` behind each; returns their number. [::] and [::1] are left out
 * on a machine that does not have them, and named to `err`: nginx would not start. */
size_t nginx_print_listens(FILE *out, const char *list, const char *options, FILE *err);

#endif
