/*
 * Design: everything is rendered into memory first and compared with what lies there, so a bad
 * setting or a missing template leaves the old site whole, and a run that changes nothing writes
 * nothing. Then what changed is written beside its place and synced, and only when all of it is
 * there the names are changed. nginx reads at a reload alone, so the moment between two renames is
 * nobody's; whoever is killed there runs the command again.
 *
 * A placeholder of a template, @NAME@, is a value that follows from settings (the table `derived`),
 * or else the setting of that name. What a value may hold is checked where settings are read
 * (base/listed.h): nothing that nginx would read as more than a word.
 *
 * What may run twice. With several hosts a request whose connection was refused, or was not there
 * within CONNECT, goes to the next one. What has been sent to a worker may have been done, also if
 * no answer came: nginx does not repeat a POST then, and repeats a GET, which is harmless. PUT and
 * DELETE it would repeat too, as HTTP lets it; ours would have no second effect (their statements
 * are guarded), but the second run would say "was cancelled already", "somebody else has changed
 * it" or "the password is wrong" of what the first one did. So they go their own way: nginx.c.
 * Nothing is repeated after NEXT_MS: a worker that hangs has its deadline by then, and the next
 * host has not earned the same load.
 *
 * A request carries the time at which nginx got it, and a worker refuses what waited longer than
 * QUEUE_LIMIT. The time of a connect that fails is such waiting, so it is a quarter of that.
 *
 * Rejected: sed in a shell (the values would be checked nowhere), and includes for each value (the
 * sysadmin would read five files to see one server block).
 */
#include "site.h"

#include "base/arena.h"
#include "base/config.h"
#include "base/listed.h"
#include "nginx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK "# Written by sokoctl nginx write"
#define NAME_MAX_LEN ((size_t)40)
#define CONNECT_MOST INT64_C(2000)
#define CONNECT_LEAST INT64_C(50)
#define READ_MORE INT64_C(4000) /* of nginx's patience, beyond queue and deadline of a worker */
#define NEXT_MS INT64_C(5000)

/* One file on its way. */
struct file {
    const char *path, *beside; /* its place, and where it is made */
    char *text;
    size_t len;
    bool is_new, changed, made; /* made: lies at `beside` */
};

struct site {
    struct arena *arena;
    const char *dir;
    FILE *out, *err;
    struct file *files;
    bool write; /* else only say what would be written */
    int written;
    bool failed;
};

static void fault(struct site *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
fault(struct site *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fprintf(s->err, "%s\n", arena_vprintf(s->arena, fmt, ap));
    va_end(ap);
    s->failed = true;
}

/* ---- what follows from settings ---- */

/* PUBLIC_URL without the slash that may end it. */
static const char *
origin(struct arena *a)
{
    size_t len = strlen(conf->public_url);

    while (len > 0 && conf->public_url[len - 1] == '/')
        len--;
    return arena_strndup(a, conf->public_url, len);
}

static const char *
server_name(struct arena *a)
{
    const char *host = strstr(origin(a), "://") + 3;
    size_t len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");

    return arena_strndup(a, host, len);
}

/* A server without any would listen on port 80. */
static const char *
listens(struct site *s, const char *name, const char *list, const char *options)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        abort();
    if (nginx_print_listens(out, list, options, s->out) == 0 && list[0] != '\0')
        fault(s, "%s: %s: this machine has none of it", name, list);
    if (fclose(out) != 0)
        abort();
    char *copy = arena_strndup(s->arena, text, len);
    free(text);
    return copy;
}

static const char *
listen_tls(struct site *s)
{
    return listens(s, "NGINX_LISTEN", conf->nginx_listen, " ssl http2 backlog=4096");
}

static const char *
listen_http(struct site *s)
{
    return listens(s, "NGINX_LISTEN_HTTP", conf->nginx_listen_http, "");
}

static const char *
origin_of(struct site *s)
{
    return origin(s->arena);
}

static const char *
server_name_of(struct site *s)
{
    return server_name(s->arena);
}

/* A # before each line of the server of plain HTTP. */
static const char *
without_http(struct site *s)
{
    (void)s;
    return conf->nginx_listen_http[0] != '\0' ? "" : "#";
}

static const char *
limit(struct site *s)
{
    (void)s;
    return conf->limit_signed_in > 0 ? "on" : "off";
}

/* Five times what an account may, and at least 1, as nginx wants it, also when it is off. */
static const char *
limit_rate(struct site *s)
{
    int64_t rate = conf->limit_signed_in > 0 ? 5 * conf->limit_signed_in : 1;

    return arena_printf(s->arena, "%lld", (long long)rate);
}

static const char *
next_upstream(struct site *s)
{
    (void)s;
    return nginx_has_others(conf->app_hosts) ? "error timeout" : "off";
}

static const char *
next_ms(struct site *s)
{
    return arena_printf(s->arena, "%lldms", (long long)NEXT_MS);
}

static const char *
connect_ms(struct site *s)
{
    int64_t ms = conf->queue_limit.ms / 4;

    ms = ms < CONNECT_LEAST ? CONNECT_LEAST : ms;
    if (ms > CONNECT_MOST || !nginx_has_others(conf->app_hosts))
        ms = CONNECT_MOST;
    return arena_printf(s->arena, "%lldms", (long long)ms);
}

/* Longer than a worker may take, so that its answer is the one that is sent. */
static const char *
read_ms(struct site *s)
{
    int64_t ms = conf->queue_limit.ms + conf->worker_deadline.ms + READ_MORE;

    return arena_printf(s->arena, "%lldms", (long long)ms);
}

static const struct {
    const char *name;
    const char *(*value)(struct site *s);
} derived[] = {
    {"LISTEN", listen_tls},
    {"HTTP", without_http},
    {"HTTP_LISTEN", listen_http},
    {"ORIGIN", origin_of},
    {"SERVER_NAME", server_name_of},
    {"LIMIT", limit},
    {"LIMIT_RATE", limit_rate},
    {"NEXT_UPSTREAM", next_upstream},
    {"NEXT", next_ms},
    {"CONNECT", connect_ms},
    {"READ", read_ms},
};
#define DERIVED (sizeof derived / sizeof derived[0])

/* NULL: there is no such placeholder. */
static const char *
value_of(struct site *s, const char *name)
{
    char buf[CONFIG_VALUE_SIZE];

    for (size_t i = 0; i < DERIVED; i++) {
        if (strcmp(derived[i].name, name) == 0)
            return derived[i].value(s);
    }
    return arena_strdup(s->arena, config_value(name, buf, sizeof buf));
}

/* ---- what stands in the files ---- */

static void
print_upstreams(FILE *out)
{
    nginx_print_upstreams(out, conf->app_hosts, conf->socket_dir);
}

static void
print_routes(FILE *out)
{
    nginx_print_errors(out);
    nginx_print_locations(out, routes, routes_count, nginx_has_others(conf->app_hosts));
}

static void
print_origins(FILE *out)
{
    nginx_print_origins(out, conf->cors_origins);
}

static void
print_proxies(FILE *out)
{
    nginx_print_proxies(out, conf->trusted_proxies);
}

static void
print_friends(FILE *out)
{
    nginx_print_friends(out, conf->maintenance_allow);
}

static void
print_scrapers(FILE *out)
{
    nginx_print_scrapers(out, conf->metrics_addresses);
}

/* In the order in which they are written: what others include comes first. */
static const struct part {
    const char *place;        /* below the folder */
    const char *from;         /* a template; NULL: printed */
    void (*print)(FILE *out); /* or NULL */
    bool once;                /* it is the sysadmin's as soon as it exists */
} parts[] = {
    {"soko/local.conf", "local.conf", NULL, true},
    {"soko/local-http.conf", "local-http.conf", NULL, true},
    {"soko/fastcgi.conf", "fastcgi.conf", NULL, false},
    {"soko/headers.conf", "headers.conf", NULL, false},
    {"soko/microcache.conf", "microcache.conf", NULL, false},
    {"soko/upstreams.conf", NULL, print_upstreams, false},
    {"soko/routes.conf", NULL, print_routes, false},
    {"soko/origins.conf", NULL, print_origins, false},
    {"soko/proxies.conf", NULL, print_proxies, false},
    {"soko/friends.conf", NULL, print_friends, false},
    {"soko/scrapers.conf", NULL, print_scrapers, false},
    {"sites-available/soko", "soko.conf.in", NULL, false},
};
#define PARTS (sizeof parts / sizeof parts[0])

/* A whole file; NULL and errno if it cannot be read. */
static char *
read_whole(struct arena *a, const char *path, size_t *len)
{
    FILE *in = fopen(path, "re"), *out;
    char buf[8192], *text = NULL, *copy = NULL;
    size_t n;

    if (in == NULL)
        return NULL;
    out = open_memstream(&text, len);
    if (out == NULL)
        abort();
    while ((n = fread(buf, 1, sizeof buf, in)) > 0)
        fwrite(buf, 1, n, out);
    int failed = ferror(in) != 0 ? errno : 0;
    if (fclose(out) != 0)
        abort();
    fclose(in);
    if (failed == 0)
        copy = arena_strndup(a, text, *len);
    free(text);
    errno = failed;
    return copy;
}

/* The length of the placeholder that `at` begins with, its two @ included; 0 if there is none. */
static size_t
placeholder(const char *at)
{
    size_t len = at[0] == '@' ? strspn(at + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") : 0;

    return len > 0 && len <= NAME_MAX_LEN && at[len + 1] == '@' ? len + 2 : 0;
}

static void
print_template(struct site *s, FILE *out, const char *path)
{
    size_t size;
    const char *text = read_whole(s->arena, path, &size), *value;

    if (text == NULL) {
        fault(s, "NGINX_TEMPLATES: %s: %s", path, strerror(errno));
        return;
    }
    for (const char *at = text; *at != '\0';) {
        size_t len = placeholder(at);

        if (len == 0) {
            fputc(*at++, out);
            continue;
        }
        const char *name = arena_strndup(s->arena, at + 1, len - 2);
        value = value_of(s, name);
        if (value == NULL)
            fault(s, "%s: @%s@ is no setting, and nothing that follows from one", path, name);
        else
            fputs(value, out);
        at += len;
    }
}

static void
render(struct site *s, const struct part *part, struct file *f)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        abort();
    if (!part->once)
        fprintf(out, MARK ": changes here are lost; yours go into soko/local.conf.\n");
    if (part->from != NULL)
        print_template(s, out, arena_printf(s->arena, "%s/%s", conf->nginx_templates, part->from));
    else
        part->print(out);
    if (fclose(out) != 0)
        abort();
    f->text = arena_strndup(s->arena, text, len);
    f->len = len;
    free(text);
}

/* Holds what was rendered against what lies there. */
static void
compare(struct site *s, const struct part *part, struct file *f)
{
    size_t len = 0;
    const char *old = read_whole(s->arena, f->path, &len);

    if (old == NULL && errno != ENOENT)
        fault(s, "%s: %s", f->path, strerror(errno));
    f->is_new = old == NULL;
    f->changed = old == NULL || len != f->len || memcmp(old, f->text, len) != 0;
    if (old == NULL)
        return;
    if (part->once)
        f->changed = false;
    else if (strncmp(old, MARK, sizeof MARK - 1) != 0)
        fault(s,
              "%s: was not written by sokoctl: move it away, what you need of it into %s/soko/"
              "local.conf",
              f->path, s->dir);
}

/* ---- writing ---- */

static void
make_folder(struct site *s, const char *name)
{
    const char *path = arena_printf(s->arena, "%s/%s", s->dir, name);

    if (mkdir(path, 0755) == 0) {
        if (chmod(path, 0755) != 0) /* whatever the umask is */
            fault(s, "%s: %s", path, strerror(errno));
    } else if (errno != EEXIST) {
        fault(s, "%s: %s", path, strerror(errno));
    }
}

static bool
put(const struct file *f)
{
    int fd = open(f->beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    bool good = fd >= 0 && fchmod(fd, 0644) == 0;

    for (size_t done = 0; good && done < f->len;) {
        ssize_t n = write(fd, f->text + done, f->len - done);

        good = n > 0 || (n < 0 && errno == EINTR);
        done += n > 0 ? (size_t)n : 0;
    }
    good = good && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    return good;
}

/* Makes each file that has changed beside its place. */
static void
make_files(struct site *s)
{
    for (size_t i = 0; i < PARTS && !s->failed; i++) {
        struct file *f = &s->files[i];

        if (!f->changed)
            continue;
        f->made = true;
        if (!put(f))
            fault(s, "%s: %s", f->beside, strerror(errno));
    }
}

static void
place_files(struct site *s)
{
    for (size_t i = 0; i < PARTS && !s->failed; i++) {
        struct file *f = &s->files[i];

        if (!f->made)
            continue;
        if (rename(f->beside, f->path) != 0) {
            fault(s, "%s: %s", f->path, strerror(errno));
            return;
        }
        f->made = false;
        s->written++;
        fprintf(s->out, "%s %s\n", f->is_new ? "new    " : "changed", f->path);
    }
}

static void
tell_files(struct site *s)
{
    for (size_t i = 0; i < PARTS; i++) {
        if (!s->files[i].changed)
            continue;
        s->written++;
        fprintf(s->out, "would %s %s\n", s->files[i].is_new ? "make  " : "change",
                s->files[i].path);
    }
}

/* Nothing of a run that failed stays. */
static void
clean_up(struct site *s)
{
    for (size_t i = 0; i < PARTS; i++) {
        if (s->files[i].made)
            unlink(s->files[i].beside);
    }
}

/* ---- settings that are good only here ---- */

static void
check_file(struct site *s, const char *name, const char *path, const char *advice)
{
    if (access(path, R_OK) != 0)
        fault(s, "%s: %s: %s: %s", name, path, strerror(errno), advice);
}

static void
check_settings(struct site *s)
{
    const char *why = conf->public_url[0] == '\0'
                          ? "is empty, and the server's name follows from it"
                          : listed_origin_fault(origin(s->arena));

    if (why != NULL)
        fault(s,
              "PUBLIC_URL: %s: set it to the shop's own address, such as https://shop.example.com",
              why);
    check_file(s, "TLS_CERTIFICATE", conf->tls_certificate,
               "name the certificate with its chain, or install ssl-cert for a self-signed one");
    check_file(s, "TLS_CERTIFICATE_KEY", conf->tls_certificate_key,
               "name the certificate's key, or install ssl-cert for a self-signed one");
}

/* Holds the lock on the folder for as long as the descriptor is open. */
static int
lock(struct site *s)
{
    int fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || flock(fd, LOCK_EX) != 0)
        fault(s, "NGINX_DIR: %s: %s", s->dir, strerror(errno));
    return fd;
}

static void
work(struct site *s)
{
    check_settings(s);
    if (s->failed)
        return;
    for (size_t i = 0; i < PARTS; i++) {
        struct file *f = &s->files[i];

        f->path = arena_printf(s->arena, "%s/%s", s->dir, parts[i].place);
        f->beside = arena_printf(s->arena, "%s.new", f->path);
        render(s, &parts[i], f);
        compare(s, &parts[i], f);
    }
    if (s->failed)
        return;
    if (!s->write) {
        tell_files(s);
        return;
    }
    make_folder(s, "soko");
    make_folder(s, "sites-available");
    make_files(s);
    place_files(s);
    clean_up(s);
}

static int
run(const char *dir, bool write, FILE *out, FILE *err)
{
    struct site s = {.arena = arena_new(), .dir = dir, .write = write, .out = out, .err = err};

    s.files = arena_array(s.arena, PARTS, sizeof *s.files);
    int fd = lock(&s);
    if (!s.failed)
        work(&s);
    if (fd >= 0)
        close(fd);
    arena_free(s.arena);
    return s.failed ? -1 : s.written;
}

int
site_write(const char *dir, FILE *out, FILE *err)
{
    return run(dir, true, out, err);
}

int
site_compare(const char *dir, FILE *out, FILE *err)
{
    return run(dir, false, out, err);
}
