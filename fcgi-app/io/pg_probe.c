/*
 * The address is taken apart by libpq itself, which also knows which variable of the environment
 * stands for which part of it.
 *
 * Rejected: to hand the address to pg_dump as it is. Whoever may list processes would read the
 * password.
 */
#include "io/pg_probe.h"

#include "base/text.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

#define ADDRESS_MAX 65536

static bool
is_here(const char *host)
{
    return host[0] == '\0' || host[0] == '/' || host[0] == '@' || strcmp(host, "localhost") == 0 ||
           strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0;
}

/* One line, without the newline at its end. What libpq says of an address that it cannot use quotes
 * it, and may so quote the password. */
static const char *
reason(struct arena *a, const PGconn *conn)
{
    static const char of_server[] = "connection to server";
    const char *why = conn != NULL ? PQerrorMessage(conn) : "";

    if (strncmp(why, of_server, sizeof(of_server) - 1) != 0)
        return "no server can be looked for at this address";
    char *line = arena_strdup(a, why);
    size_t len = strlen(line);
    while (len > 0 && line[len - 1] == '\n')
        line[--len] = '\0';
    for (char *c = line; *c != '\0'; c++)
        *c = *c == '\n' || *c == '\t' ? ' ' : *c;
    return line;
}

bool
pg_probe(struct arena *a, const char *url, int64_t connect_ms, struct pg_probe *out)
{
    const char *const names[] = {"dbname", "application_name", "connect_timeout", NULL};
    const char *seconds = arena_printf(a, "%lld", (long long)(connect_ms + 999) / 1000);
    const char *const values[] = {url, "sokoctl", seconds, NULL};
    PGconn *conn = PQconnectdbParams(names, values, 1);
    bool good = conn != NULL && PQstatus(conn) == CONNECTION_OK;

    *out = (struct pg_probe){.why = "", .role = "", .host = "", .database = ""};
    if (good) {
        const char *host = PQhost(conn);
        out->role = arena_strdup(a, PQuser(conn));
        out->host = arena_strdup(a, host != NULL ? host : "");
        out->database = arena_strdup(a, PQdb(conn));
        out->version = PQserverVersion(conn);
        out->is_local = is_here(out->host);
        out->has_tls = PQsslInUse(conn) != 0;
    } else {
        out->why = reason(a, conn);
    }
    PQfinish(conn);
    return good;
}

const char *
pg_url_database(struct arena *a, const char *url)
{
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    const char *found = "";

    for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++) {
        if (strcmp(o->keyword, "dbname") == 0 && o->val != NULL)
            found = arena_strdup(a, o->val);
    }
    PQconninfoFree(options);
    return found;
}

/* A value in single quotes, as libpq reads it. */
static void
add_pair(struct text *t, const char *keyword, const char *value)
{
    text_printf(t, "%s='", keyword);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\'' || *c == '\\')
            text_putc(t, '\\');
        text_putc(t, *c);
    }
    text_puts(t, "' ");
}

const char *
pg_url_with(struct arena *a, const char *url, const char *database)
{
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    struct text t = text_new(a, ADDRESS_MAX);

    if (options == NULL)
        return NULL;
    for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
        if (o->val != NULL && o->val[0] != '\0' && strcmp(o->keyword, "dbname") != 0)
            add_pair(&t, o->keyword, o->val);
    }
    add_pair(&t, "dbname", database);
    PQconninfoFree(options);
    return t.overflow ? NULL : text_cstr(&t);
}

const char *const *
pg_url_environment(struct arena *a, const char *url)
{
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    size_t n = 0;

    if (options == NULL)
        return NULL;
    for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
        n++;
    const char **out = arena_array(a, n + 1, sizeof(*out));
    n = 0;
    for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
        if (o->val != NULL && o->val[0] != '\0' && o->envvar != NULL)
            out[n++] = arena_printf(a, "%s=%s", o->envvar, o->val);
    }
    PQconninfoFree(options);
    return out;
}
