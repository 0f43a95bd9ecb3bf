/*
 * base/address: IP addresses as limits see them.
 */
#ifndef SOKO_BASE_ADDRESS_H
#define SOKO_BASE_ADDRESS_H

#include "base/arena.h"

/* Who is counted as one, in the arena: an IPv4 address itself, also if it is written as IPv6
 * (::ffff:192.0.2.1, 64:ff9b::192.0.2.1, 2002:c000:201::1); of any other IPv6 address the first 64
 * bits, "2001:db8:0:1::/64", since whoever has one has them all (RFC 6177). Any other text is
 * returned as it is. */
const char *address_network(struct arena *a, const char *address);

#endif
