#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define NETWORK_BYTES 8
#define V4_AT 12

const char *
address_network(struct arena *a, const char *address)
{
    struct in6_addr v6;
    char text[INET6_ADDRSTRLEN];

    if (inet_pton(AF_INET6, address, &v6) != 1)
        return address;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        inet_ntop(AF_INET, &v6.s6_addr[V4_AT], text, sizeof(text));
        return arena_strdup(a, text);
    }
    memset(&v6.s6_addr[NETWORK_BYTES], 0, sizeof(v6.s6_addr) - NETWORK_BYTES);
    inet_ntop(AF_INET6, &v6, text, sizeof(text));
    return arena_printf(a, "%s/64", text);
}
