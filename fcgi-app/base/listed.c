/*
 * Design: most of these lists decide whom nginx believes, and all of them stand in its
 * configuration, so what passes here is the narrow form alone, and nothing is mended silently: an
 * entry that was meant otherwise than it reads (host bits in a network, a path behind an origin)
 * would stand there and do nothing, or too much.
 *
 * Rejected: getaddrinfo() for names of proxies or hosts, as nginx would take them: what a name
 * means may change behind our back.
 */
#include "base/listed.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t"
#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define HOST_MAX ((size_t)253) /* RFC 1035 */
#define PORT_MAX 65535L
#define PORT_DIGITS ((size_t)5)
#define BITS_DIGITS ((size_t)3)
#define V4_LEAST 8
#define V6_LEAST 7

const char *
listed_next(struct arena *a, const char **at)
{
    const char *from = *at;

    if (from == NULL || *from == '\0') {
        *at = NULL;
        return NULL;
    }
    size_t len = strcspn(from, ",");
    *at = from[len] == ',' ? from + len + 1 : NULL;
    while (len > 0 && strchr(BLANKS, *from) != NULL) {
        from++;
        len--;
    }
    while (len > 0 && strchr(BLANKS, from[len - 1]) != NULL)
        len--;
    return arena_strndup(a, from, len);
}

/* ---- networks ---- */

/* Whether a bit of `address` behind the first `bits` is set. */
static bool
has_more_bits(const unsigned char *address, size_t bytes, long bits)
{
    for (size_t i = (size_t)bits; i < bytes * 8; i++) {
        if ((address[i / 8] >> (7 - i % 8) & 1) != 0)
            return true;
    }
    return false;
}

static const char *
bits_fault(const unsigned char *address, size_t bytes, const char *text, long least)
{
    size_t digits = strspn(text, DIGITS);
    long bits = digits > 0 && digits <= BITS_DIGITS ? strtol(text, NULL, 10) : -1;

    if (bits < 0 || text[digits] != '\0' || (text[0] == '0' && digits > 1) ||
        bits > (long)bytes * 8)
        return "has no good number of bits behind its /";
    if (bits < least)
        return bytes == sizeof(struct in_addr) ? "is too wide: a network is /8 or narrower"
                                               : "is too wide: a network is /7 or narrower";
    if (has_more_bits(address, bytes, bits))
        return "is no network: its address has bits behind those that its / counts";
    return NULL;
}

const char *
listed_network_fault(const char *entry)
{
    size_t len = strcspn(entry, "/");
    struct in6_addr v6;
    struct in_addr v4;
    char text[INET6_ADDRSTRLEN];

    if (len < sizeof text) {
        memcpy(text, entry, len);
        text[len] = '\0';
        const char *bits = entry[len] == '/' ? entry + len + 1 : NULL;
        if (inet_pton(AF_INET, text, &v4) == 1)
            return bits == NULL ? NULL
                                : bits_fault((const unsigned char *)&v4, sizeof v4, bits, V4_LEAST);
        if (inet_pton(AF_INET6, text, &v6) == 1)
            return IN6_IS_ADDR_V4MAPPED(&v6) ? "is an IPv4 address: write it as one"
                   : bits == NULL            ? NULL
                                             : bits_fault(v6.s6_addr, sizeof v6, bits, V6_LEAST);
    }
    return "is no address and no network: 10.0.0.7, 10.0.0.0/8, fd00::/8";
}

/* ---- hosts, and where to listen ---- */

static bool
is_address(int family, const char *s, size_t len)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr room;

    if (len == 0 || len >= sizeof text)
        return false;
    memcpy(text, s, len);
    text[len] = '\0';
    return inet_pton(family, text, &room) == 1;
}

static bool
is_port(const char *s)
{
    size_t digits = strspn(s, DIGITS);

    return digits > 0 && digits <= PORT_DIGITS && s[digits] == '\0' && s[0] != '0' &&
           strtol(s, NULL, 10) <= PORT_MAX;
}

const char *
listed_host_fault(const char *entry)
{
    size_t len = strlen(entry);

    if (strcmp(entry, "local") == 0 || is_address(AF_INET, entry, len) ||
        is_address(AF_INET6, entry, len))
        return NULL;
    return "is no address of a host: 10.0.0.5, or fd00::5, or local";
}

const char *
listed_listen_fault(const char *entry)
{
    const char *colon = strrchr(entry, ':');
    size_t len = colon != NULL ? (size_t)(colon - entry) : 0;
    bool v6 = len > 2 && entry[0] == '[' && entry[len - 1] == ']';

    if (!is_port(colon != NULL ? colon + 1 : entry))
        return "has no good port: 443, or 192.0.2.7:443, or [::]:443";
    if (colon == NULL ||
        (v6 ? is_address(AF_INET6, entry + 1, len - 2) : is_address(AF_INET, entry, len)))
        return NULL;
    return "has no good address: 443, or 192.0.2.7:443, or [::]:443";
}

/* ---- paths ---- */

const char *
listed_path_fault(const char *path)
{
    if (path[0] != '/')
        return "must be an absolute path";
    if (path[strspn(path, LOWER UPPER DIGITS "/._+@:~=-")] != '\0')
        return "must be of letters, digits and /._+@:~=- alone, as nginx reads it";
    return NULL;
}

const char *
listed_log_fault(const char *target)
{
    static const char syslog[] = "syslog:server=";

    if (strncmp(target, syslog, sizeof syslog - 1) != 0)
        return listed_path_fault(target);
    if (target[strspn(target, LOWER UPPER DIGITS "/._+@:~=-,[]")] != '\0')
        return "must be of letters, digits and /._+@:~=-,[] alone, as nginx reads it";
    return NULL;
}

/* ---- origins ---- */

/* Labels of letters, digits and inner hyphens; an IPv4 address is that too. */
static bool
is_host(const char *s, size_t len)
{
    char before = '.';

    if (len == 0 || len > HOST_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool dot = s[i] == '.', hyphen = s[i] == '-';

        if (!dot && !hyphen && strchr(LOWER DIGITS, s[i]) == NULL)
            return false;
        if ((dot && (before == '.' || before == '-')) || (hyphen && before == '.'))
            return false;
        before = s[i];
    }
    return before != '.' && before != '-';
}

static bool
is_this_machine(const char *s, size_t len)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == len && memcmp(names[i], s, len) == 0)
            return true;
    }
    return false;
}

/* What is wrong behind the host: nothing may be there, or a port that is not the scheme's own. */
static const char *
port_fault(const char *s, bool https)
{
    if (*s == '\0')
        return NULL;
    if (*s == '/')
        return "has a path: an origin ends behind its host or port, without a /";
    if (*s != ':' || !is_port(s + 1))
        return "has no good port";
    return strcmp(s + 1, https ? "443" : "80") == 0
               ? "names the usual port, which browsers leave out"
               : NULL;
}

const char *
listed_origin_fault(const char *entry)
{
    bool https = strncmp(entry, "https://", 8) == 0, http = strncmp(entry, "http://", 7) == 0;
    const char *host = entry + (https ? 8 : 7);

    if (strchr(entry, '*') != NULL)
        return "has a wildcard: name each origin";
    if (strcmp(entry, "null") == 0)
        return "is no origin: every page that hides where it is from says so";
    if (strpbrk(entry, UPPER) != NULL)
        return "must be in lower case, as browsers send it";
    if (!https && !http)
        return "is no origin: https://shop.example.com, or http://localhost:3000";
    size_t len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
    bool here = is_this_machine(host, len);
    if (!here && !is_host(host, len))
        return "has no good host name";
    if (http && !here)
        return "must begin with https://; http:// is for localhost alone";
    return port_fault(host + len, https);
}
