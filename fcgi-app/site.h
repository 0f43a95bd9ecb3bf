/*
 * site: nginx's configuration as files, from the settings, our tables, and the templates of
 * NGINX_TEMPLATES (nginx/ of the source).
 *
 *   sites-available/soko       the site (soko.conf.in)
 *   soko/upstreams.conf        the workers (nginx_hosts.c)
 *   soko/routes.conf           locations and errors, from the route table (nginx.c)
 *   soko/origins.conf, proxies.conf, friends.conf, scrapers.conf      lists of the settings
 *   soko/fastcgi.conf, headers.conf, microcache.conf                  copies
 *   soko/local.conf, local-http.conf      the sysadmin's own, made once and never written again
 *   soko/maintenance           if it exists, the shop is closed (sokoctl maintenance)
 */
#ifndef SOKO_SITE_H
#define SOKO_SITE_H

#include <stdio.h>

/* Renders all files, and writes those that have changed into `dir`, which exists: each beside the
 * old one, then all are renamed. Files are for everybody to read, as nginx's workers do. What was
 * done is told to `out`, a line a file that changed; returned is their number. -1 after telling
 * `err` what is wrong, by the setting's or the file's name: then nothing has changed, unless a
 * rename failed. A file in a
 * place of ours that we have not written is not touched, and is a fault.
 *
 * `conf` must be loaded. Two at once wait for each other. */
int site_write(const char *dir, FILE *out, FILE *err);

/* The same, but nothing is written: told and counted is what would be. */
int site_compare(const char *dir, FILE *out, FILE *err);

#endif
