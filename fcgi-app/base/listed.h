/*
 * base/listed: settings that are lists with commas, and what their entries may look like.
 *
 * The checks are config_check's (base/config.h): NULL if all is well, else what is wrong, in words.
 * What passes them is safe inside nginx's configuration, quoted or not.
 */
#ifndef SOKO_BASE_LISTED_H
#define SOKO_BASE_LISTED_H

#include "base/arena.h"

/* The entry of a list that *at points to, without the blanks around it, in the arena; moves *at to
 * the next one, or to NULL behind the last. NULL, and no entry, if *at is NULL or the list is
 * empty. An entry between two commas is ""; a comma behind the last entry begins none. */
const char *listed_next(struct arena *a, const char **at);

/* One address, or a network as ADDRESS/BITS, IPv4 or IPv6, whose X-Forwarded-For is believed, or
 * that may read /metrics. Not wider than any network that somebody has for himself: /8, and /7 of
 * IPv6 (RFC 1918, RFC 4193); 0.0.0.0/0 would let everybody choose who he is (seed hole 27). */
const char *listed_network_fault(const char *entry);

/* One origin as browsers send it (RFC 6454, section 6.2): https://host or https://host:port, in
 * lower case, no path; http:// for this machine alone. No wildcard, and not "null", which is every
 * page that hides where it is from. */
const char *listed_origin_fault(const char *entry);

/* One host of soko-api: an address, IPv4 or IPv6 without brackets, or "local", this host by its
 * sockets. No name: nginx would ask for it once, at its start, and not start without an answer. */
const char *listed_host_fault(const char *entry);

/* Where nginx listens: a port, ADDRESS:PORT, or [ADDRESS]:PORT of IPv6. */
const char *listed_listen_fault(const char *entry);

/* No entry of a list: an absolute path of the characters that mean nothing to nginx or a shell. */
const char *listed_path_fault(const char *path);

/* Such a path, or what nginx's logs take besides: syslog:server=...,tag=... */
const char *listed_log_fault(const char *target);

#endif
