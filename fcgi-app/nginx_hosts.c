/*
 * Design: where nginx finds the workers. On one host a pool is a socket of the file system, whose
 * listen queue is the load balancer. With several hosts a pool is a port of each:
 *
 * - Round robin, and not least_conn: a host that has lost its database answers 503 fast, and would
 *   be given all requests for having the fewest.
 * - One failure puts a host aside for one second. So it costs one request of a second the time of a
 *   connect, and a host that is back is used within a second. All workers of nginx share that
 *   knowledge (zone). If all hosts are aside, nginx says 503 with Retry-After: 1 without waiting.
 * - Whether a request may go to the next host is the site's word (site.c), except for what
 *   providers post, which may always (nginx.c).
 *
 * Rejected: names of hosts. nginx resolves them once, at its start, and does not start without.
 */
#include "nginx.h"

#include "base/arena.h"
#include "base/listed.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOCAL "local"

static const struct {
    const char *name; /* of the upstream, behind soko_ */
    enum pool pool;
    int port;
    bool
        twice; /* of one worker's socket: nginx tries another "server" only if one is named twice */
} upstreams[] = {
    {"fast", POOL_FAST, 9001, false},
    {"hooks", POOL_FAST, 9001, true},
    {"hash", POOL_HASH, 9002, false},
    {"wire", POOL_WIRE, 9003, false},
};
#define UPSTREAMS (sizeof upstreams / sizeof upstreams[0])

static size_t
count_of(const char *list)
{
    struct arena *a = arena_new();
    size_t n = 0;

    for (const char *at = list; listed_next(a, &at) != NULL;)
        n++;
    arena_free(a);
    return n;
}

bool
nginx_has_others(const char *hosts)
{
    return count_of(hosts) > 1;
}

/* One server of an upstream: a socket, or a port of a host. */
static void
print_server(FILE *out, size_t i, const char *host, const char *socket_dir, const char *options)
{
    bool v6 = strchr(host, ':') != NULL;

    if (strcmp(host, LOCAL) == 0)
        fprintf(out, "    server unix:%s/%s.sock%s;\n", socket_dir, pool_name(upstreams[i].pool),
                options);
    else
        fprintf(out, "    server %s%s%s:%d%s;\n", v6 ? "[" : "", host, v6 ? "]" : "",
                upstreams[i].port, options);
}

static void
print_upstream(FILE *out, size_t i, const char *hosts, const char *socket_dir)
{
    bool many = nginx_has_others(hosts);
    const char *options = many ? " max_fails=1 fail_timeout=1s" : " max_fails=0";
    struct arena *a = arena_new();

    fprintf(out, "upstream soko_%s {\n", upstreams[i].name);
    if (many)
        fprintf(out, "    zone soko_hosts_%s 64k;\n", upstreams[i].name);
    for (int turn = 0; turn < (!many && upstreams[i].twice ? 2 : 1); turn++) {
        const char *at = hosts[0] != '\0' ? hosts : LOCAL, *host;

        while ((host = listed_next(a, &at)) != NULL)
            print_server(out, i, host, socket_dir, options);
    }
    fputs("}\n", out);
    arena_free(a);
}

void
nginx_print_upstreams(FILE *out, const char *hosts, const char *socket_dir)
{
    for (size_t i = 0; i < UPSTREAMS; i++)
        print_upstream(out, i, hosts, socket_dir);
}

/* Whether this machine has the address. */
static bool
has_ipv6(const struct in6_addr *address)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = *address};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;

    if (fd >= 0)
        close(fd);
    return has;
}

size_t
nginx_print_listens(FILE *out, const char *list, const char *options, FILE *err)
{
    struct arena *a = arena_new();
    const char *at = list, *entry, *before = "";
    size_t n = 0;

    while ((entry = listed_next(a, &at)) != NULL) {
        if ((strncmp(entry, "[::]:", 5) == 0 && !has_ipv6(&in6addr_any)) ||
            (strncmp(entry, "[::1]:", 6) == 0 && !has_ipv6(&in6addr_loopback))) {
            fprintf(err, "%s is left out: this machine has no IPv6\n", entry);
            continue;
        }
        fprintf(out, "%slisten %s%s;", before, entry, options);
        before = "\n    ";
        n++;
    }
    arena_free(a);
    return n;
}
