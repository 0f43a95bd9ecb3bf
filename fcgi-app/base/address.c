/*
 * An IPv4 client reaches an IPv6 server in three disguises: mapped (::ffff:0:0/96, RFC 4291),
 * through NAT64 (64:ff9b::/96, RFC 6052) and by 6to4 (2002::/16, RFC 3056). Each is undone: the
 * first 64 bits of the second are the same for the whole of IPv4, so that one address would lock
 * out all; of the third everybody has 65,536.
 */
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define NETWORK_BYTES 8

static const struct {
    size_t len, at; /* bytes of the prefix; where the IPv4 address lies */
    uint8_t prefix[12];
} disguises[] = {
    {12, 12, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}},
    {12, 12, {0x00, 0x64, 0xff, 0x9b}},
    {2, 2, {0x20, 0x02}},
};

const char *
address_network(struct arena *a, const char *address)
{
    struct in6_addr v6;
    char text[INET6_ADDRSTRLEN];

    if (inet_pton(AF_INET6, address, &v6) != 1)
        return address;
    for (size_t i = 0; i < sizeof(disguises) / sizeof(disguises[0]); i++) {
        if (memcmp(&v6, disguises[i].prefix, disguises[i].len) == 0) {
            inet_ntop(AF_INET, &v6.s6_addr[disguises[i].at], text, sizeof(text));
            return arena_strdup(a, text);
        }
    }
    memset(&v6.s6_addr[NETWORK_BYTES], 0, sizeof(v6.s6_addr) - NETWORK_BYTES);
    inet_ntop(AF_INET6, &v6, text, sizeof(text));
    return arena_printf(a, "%s/64", text);
}
