/*
 * Design: a row says everything about one setting; its variable is the member's name in upper case,
 * and its kind follows from the member's C type, so that no two places can disagree. All sources
 * write texts into one slot a row, later ones over earlier ones; then each slot is read once. So a
 * bad value that a later source replaces does no harm, and each fault is told once, all of them in
 * one go.
 *
 * Each load lives in an arena of its own. The one before is kept for strings that somebody still
 * holds (a worker that finishes its request while SIGHUP is handled).
 *
 * Rejected: units that default to seconds (somebody always means milliseconds), and a nested
 * format such as TOML (systemd, Docker and shells all speak NAME=value).
 */
#include "base/config.h"
#include "base/config_load.h"
#include "base/config_table.h"

#include "base/json.h"
#include "base/listed.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define KEY_LEAST 32    /* a secret of at least so many characters is a key */
#define KEY_DIFFERENT 8 /* of which so many differ */

struct unit {
    const char *name;
    int64_t worth;
};

static const struct unit span_units[] = {{"d", DAY},    {"h", HOUR}, {"min", MINUTE},
                                         {"s", SECOND}, {"ms", 1},   {NULL, 0}};
static const struct unit size_units[] = {{"M", 1024 * 1024}, {"K", 1024}, {"", 1}, {NULL, 0}};
static const struct unit plain_units[] = {{"", 1}, {NULL, 0}};

const struct config *conf;

static struct arena *arena_now, *arena_before;

static config_check *checks[SETTINGS]; /* a setting; NULL: its row says it all */
static config_check_all *check_all;    /* or NULL */
static bool without_secrets;

const char *
config_env_name(const struct setting *s, char out[NAME_SIZE])
{
    size_t i = 0;

    for (; s->member[i] != '\0' && i + 1 < NAME_SIZE; i++) {
        char c = s->member[i];

        out[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    out[i] = '\0';
    return out;
}

size_t
config_find(const char *name)
{
    char own[NAME_SIZE];
    size_t i = 0;

    while (i < SETTINGS && strcmp(config_env_name(&settings[i], own), name) != 0)
        i++;
    return i;
}

static void print_fault(struct config_load *l, const char *name, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void
print_fault(struct config_load *l, const char *name, const char *fmt, va_list ap)
{
    fprintf(l->err, "%s: %s\n", name, arena_vprintf(l->arena, fmt, ap));
    l->failed = true;
}

void
config_source_fault(struct config_load *l, const char *name, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    print_fault(l, name, fmt, ap);
    va_end(ap);
}

static const struct unit *
units_of(enum setting_kind kind)
{
    return kind == SETTING_SPAN ? span_units : kind == SETTING_SIZE ? size_units : plain_units;
}

const char *
config_number_text(enum setting_kind kind, int64_t n, char *buf, size_t size)
{
    const struct unit *u = units_of(kind);

    while (u->worth > 1 && (n == 0 || n % u->worth != 0))
        u++;
    snprintf(buf, size, "%lld%s", (long long)(n / u->worth), u->name);
    return buf;
}

/* Reads "15min". NULL if all is well, else what is wrong. */
static const char *
number(enum setting_kind kind, const char *s, int64_t *out)
{
    const struct unit *u = units_of(kind);
    size_t digits = strspn(s, "0123456789");
    int64_t n = 0;

    if (digits == 0)
        return kind == SETTING_SPAN ? "must be a number with a unit, such as 250ms, 30s, 15min, 7d"
                                    : "must be a whole number";
    if (kind == SETTING_SPAN && s[digits] == '\0')
        return "needs a unit: ms, s, min, h or d";
    while (u->name != NULL && strcmp(u->name, s + digits) != 0)
        u++;
    if (u->name == NULL)
        return kind == SETTING_SPAN   ? "has an unknown unit: use ms, s, min, h or d"
               : kind == SETTING_SIZE ? "has an unknown unit: use K or M"
                                      : "must be a whole number";
    for (size_t i = 0; i < digits; i++) {
        if (n > (INT64_MAX / u->worth - 9) / 10)
            return "is too large";
        n = n * 10 + (s[i] - '0');
    }
    *out = n * u->worth;
    return NULL;
}

static bool
is_word(const char *words, const char *s)
{
    size_t len = strlen(s);

    for (const char *w = words; w != NULL; w = strchr(w, '|')) {
        w += *w == '|';
        if (strcspn(w, "|") == len && memcmp(w, s, len) == 0)
            return true;
    }
    return false;
}

/* Whether a key can have been made by chance: a word that stands in a manual, or one letter all
 * along, has few different characters; of 32 hexadecimal digits at least eight differ, but for one
 * key in twenty million (seed hole 36). */
static bool
is_by_chance(const char *key)
{
    bool seen[UCHAR_MAX + 1] = {false};
    int different = 0;

    for (const unsigned char *c = (const unsigned char *)key; *c != '\0'; c++) {
        different += seen[*c] ? 0 : 1;
        seen[*c] = true;
    }
    return different >= KEY_DIFFERENT;
}

static const char *
check_text(struct arena *a, const struct setting *s, const char *value)
{
    int64_t n = (int64_t)utf8_length(value);

    if (!utf8_valid(value, strlen(value)))
        return "is not valid UTF-8";
    for (const char *c = value; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return "contains a control character";
    }
    if (s->one_of != NULL && !is_word(s->one_of, value))
        return arena_printf(a, "must be one of %s", s->one_of);
    if (n == 0 && s->min > 0)
        return "must not be empty";
    if (n < s->min)
        return arena_printf(a, "must have at least %lld characters", (long long)s->min);
    if (n > s->max)
        return arena_printf(a, "must have at most %lld characters", (long long)s->max);
    if (s->secret && s->min >= KEY_LEAST && !is_by_chance(value))
        return "is no key that was made by chance: openssl rand -hex 32 makes one";
    return NULL;
}

static const char *
check_number(struct arena *a, const struct setting *s, const char *value, int64_t *out)
{
    char low[CONFIG_VALUE_SIZE], high[CONFIG_VALUE_SIZE];
    const char *why = number(s->kind, value, out);

    if (why != NULL || (*out >= s->min && *out <= s->max))
        return why;
    return arena_printf(a, "must be from %s to %s",
                        config_number_text(s->kind, s->min, low, sizeof low),
                        config_number_text(s->kind, s->max, high, sizeof high));
}

/* What stands in for a bad value while the others are looked at. */
static void
put_instead(const struct setting *s, const struct slot *slot, void *to)
{
    const char *text = slot->value == NULL ? "" : slot->value;
    int64_t n = 0;

    if (s->kind != SETTING_TEXT && s->def != NULL)
        number(s->kind, s->def, &n);
    if (s->kind == SETTING_TEXT)
        memcpy(to, &text, sizeof text);
    else
        memcpy(to, &n, sizeof n);
}

/* Reads one slot into its member. */
static void
read_slot(struct config_load *l, size_t i, struct config *c)
{
    const struct setting *s = &settings[i];
    const struct slot *slot = &l->slots[i];
    char name[NAME_SIZE];
    void *to = (char *)c + s->at;
    const char *why = NULL;
    int64_t n = 0;

    config_env_name(s, name);
    if (slot->value == NULL && s->secret && without_secrets) {
        put_instead(s, slot, to);
        return;
    }
    if (slot->value == NULL) {
        config_source_fault(l, name,
                            "is missing: set it in the environment, in the file of --config%s",
                            s->secret ? ", or as a credential" : "");
        l->bad[i] = true;
        put_instead(s, slot, to);
        return;
    }
    why = s->kind == SETTING_TEXT ? check_text(l->arena, s, slot->value)
                                  : check_number(l->arena, s, slot->value, &n);
    if (why == NULL && checks[i] != NULL)
        why = checks[i](slot->value);
    if (why != NULL) {
        if (s->secret)
            config_source_fault(l, name, "%s (%s)", why, slot->source);
        else
            config_source_fault(l, name, "%s, not \"%.100s\" (%s)", why, slot->value, slot->source);
        l->bad[i] = true;
        put_instead(s, slot, to);
    } else if (s->kind == SETTING_TEXT) {
        memcpy(to, &slot->value, sizeof slot->value);
    } else { /* struct span and struct size hold one int64_t each */
        memcpy(to, &n, sizeof n);
    }
}

static bool
is_bad(const struct config_load *l, const char *name)
{
    size_t i = config_find(name);

    return i < SETTINGS && l->bad[i];
}

/* A span that must end before a worker is killed. */
static void
check_ends_in_time(struct config_load *l, const struct config *c, const char *name,
                   struct span span)
{
    char a[CONFIG_VALUE_SIZE], b[CONFIG_VALUE_SIZE];

    if (span.ms >= c->worker_deadline.ms && !is_bad(l, "WORKER_DEADLINE"))
        config_fault(l, name, "%s must be less than WORKER_DEADLINE, which is %s",
                     config_number_text(SETTING_SPAN, span.ms, a, sizeof a),
                     config_number_text(SETTING_SPAN, c->worker_deadline.ms, b, sizeof b));
}

/* A list with commas, entry by entry. */
static void
check_list(struct config_load *l, const char *name, const char *list, config_check *check)
{
    for (const char *at = list, *entry; (entry = listed_next(l->arena, &at)) != NULL;) {
        const char *why = check(entry);

        if (why != NULL)
            config_fault(l, name, "\"%.100s\" %s", entry, why);
    }
}

/* What stands in nginx's configuration. */
static void
check_paths(struct config_load *l, const struct config *c)
{
    const struct {
        const char *name, *value;
        config_check *fault;
    } paths[] = {
        {"MEDIA_DIR", c->media_dir, listed_path_fault},
        {"METRICS_DIR", c->metrics_dir, listed_path_fault},
        {"TLS_CERTIFICATE", c->tls_certificate, listed_path_fault},
        {"TLS_CERTIFICATE_KEY", c->tls_certificate_key, listed_path_fault},
        {"ACME_DIR", c->acme_dir, listed_path_fault},
        {"NGINX_DIR", c->nginx_dir, listed_path_fault},
        {"NGINX_TEMPLATES", c->nginx_templates, listed_path_fault},
        {"NGINX_CACHE", c->nginx_cache, listed_path_fault},
        {"NGINX_ACCESS_LOG", c->nginx_access_log, listed_log_fault},
        {"NGINX_ERROR_LOG", c->nginx_error_log, listed_log_fault},
        {"SOCKET_DIR", c->socket_dir, listed_path_fault},
        {"DOCS_DIR", c->docs_dir, listed_path_fault},
    };

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const char *why = paths[i].fault(paths[i].value);

        if (why != NULL)
            config_fault(l, paths[i].name, "%s, not \"%.100s\"", why, paths[i].value);
    }
}

/* What no row can say alone. */
static void
check_together(struct config_load *l, const struct config *c)
{
    check_list(l, "TRUSTED_PROXIES", c->trusted_proxies, listed_network_fault);
    check_list(l, "CORS_ORIGINS", c->cors_origins, listed_origin_fault);
    check_list(l, "APP_HOSTS", c->app_hosts, listed_host_fault);
    check_list(l, "MAINTENANCE_ALLOW", c->maintenance_allow, listed_network_fault);
    check_list(l, "NGINX_LISTEN", c->nginx_listen, listed_listen_fault);
    check_list(l, "NGINX_LISTEN_HTTP", c->nginx_listen_http, listed_listen_fault);
    check_list(l, "METRICS_ADDRESSES", c->metrics_addresses, listed_network_fault);
    check_ends_in_time(l, c, "STATEMENT_TIMEOUT", c->statement_timeout);
    check_ends_in_time(l, c, "PROVIDER_TIMEOUT", c->provider_timeout);
    check_paths(l, c);
}

void
config_fault(struct config_load *l, const char *name, const char *fmt, ...)
{
    va_list ap;

    if (is_bad(l, name))
        return;
    va_start(ap, fmt);
    print_fault(l, name, fmt, ap);
    va_end(ap);
}

void
config_check_all_by(config_check_all *check)
{
    check_all = check;
}

void
config_without_secrets(void)
{
    without_secrets = true;
}

void
config_check_by(const char *name, config_check *check)
{
    size_t i = config_find(name);

    if (i == SETTINGS)
        abort();
    checks[i] = check;
}

static bool
load(const char *file, FILE *err, bool faulty)
{
    struct config_load l = {.arena = arena_new(), .err = err};
    struct config *c = arena_alloc(l.arena, sizeof *c);

    l.slots = arena_array(l.arena, SETTINGS, sizeof *l.slots);
    l.bad = arena_array(l.arena, SETTINGS, sizeof *l.bad);
    config_read_sources(&l, file);
    for (size_t i = 0; i < SETTINGS; i++)
        read_slot(&l, i, c);
    check_together(&l, c);
    if (check_all != NULL)
        check_all(c, &l);
    if (l.failed && !faulty) {
        arena_free(l.arena);
        return false;
    }
    arena_free(arena_before);
    arena_before = arena_now;
    arena_now = l.arena;
    conf = c;
    return !l.failed;
}

bool
config_load(const char *file, FILE *err)
{
    return load(file, err, false);
}

bool
config_load_faulty(const char *file, FILE *err)
{
    return load(file, err, true);
}

bool
config_is_demo(void)
{
    return conf != NULL && strcmp(conf->soko_env, "demo") == 0;
}

const char *
config_value(const char *name, char *buf, size_t size)
{
    size_t i = config_find(name);
    const char *text;
    int64_t n;

    if (conf == NULL || i == SETTINGS || settings[i].secret)
        return NULL;
    const char *from = (const char *)conf + settings[i].at;
    if (settings[i].kind == SETTING_TEXT) {
        memcpy(&text, from, sizeof text);
        return text;
    }
    memcpy(&n, from, sizeof n);
    return config_number_text(settings[i].kind, n, buf, size);
}

int64_t
config_default(const char *name)
{
    size_t i = config_find(name);
    int64_t n = 0;

    if (i == SETTINGS || settings[i].def == NULL || settings[i].kind == SETTING_TEXT ||
        number(settings[i].kind, settings[i].def, &n) != NULL)
        abort();
    return n;
}
