/*
 * doctor: this machine: Redis, the clock, folders, sockets, disks, the certificate, backups.
 *
 * Where a file's owner matters it is compared with who runs the shop: the owner of the pools'
 * sockets, or, before these are there, the user soko.
 */
#include "ctl_doctor.h"

#include "base/clock.h"
#include "base/config.h"
#include "ctl_manifest.h"
#include "io/cache.h"
#include "io/cache_look.h"
#include "io/cert.h"
#include "site.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <unistd.h>

#define SECOND_MS INT64_C(1000)
#define DAY_MS (INT64_C(86400) * SECOND_MS)
#define CLOCK_WRONG_MS (5 * SECOND_MS) /* tokens, codes and leases begin to disagree */
#define CLOCK_WARNING_MS SECOND_MS
#define DISK_WRONG_PERCENT 3
#define DISK_WARNING_PERCENT 10
#define BACKUP_WARNING_MS (2 * DAY_MS)
#define BACKUP_WRONG_MS (7 * DAY_MS)
#define CERT_WARNING_DAYS 21
#define CERT_WRONG_DAYS 7
#define ANSWER_MS 5000 /* far longer than a request may wait (QUEUE_LIMIT) */
#define PG_DIR "/var/lib/postgresql"

/* --- Redis ------------------------------------------------------------------------------------ */

/* The value of a line "name:value" of INFO, in the arena; "" if there is none. */
static const char *
info_of(struct doctor *d, const char *info, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = info; line != NULL && *line != '\0';) {
        if (strncmp(line, name, len) == 0 && line[len] == ':')
            return arena_strndup(d->arena, line + len + 1, strcspn(line + len + 1, "\r\n"));
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return "";
}

static void
look_at_redis(struct doctor *d, const char *name, const char *info)
{
    const char *policy = info_of(d, info, "maxmemory_policy");
    int64_t used = strtoll(info_of(d, info, "used_memory"), NULL, 10);
    int64_t limit = strtoll(info_of(d, info, "maxmemory"), NULL, 10);

    doctor_say(d, FOUND_GOOD, NULL, "%s: %s answers, with %" PRId64 " KiB of memory", name,
               info_of(d, info, "redis_version"), used / 1024);
    if (strcmp(info_of(d, info, "role"), "slave") == 0)
        doctor_say(d, FOUND_WRONG, "let REDIS_ADDRESS name servers that take writes",
                   "%s is a replica: nothing can be written", name);
    if (limit == 0)
        doctor_say(d, FOUND_WARNING, "redis-cli CONFIG SET maxmemory 256mb, and in redis.conf",
                   "%s: maxmemory is not set: a flood of sign-ins can take all memory", name);
    if (limit > 0 && strcmp(policy, "noeviction") == 0)
        doctor_say(
            d, FOUND_WRONG, "redis-cli CONFIG SET maxmemory-policy allkeys-lru, and in redis.conf",
            "%s: maxmemory-policy is noeviction: once full, Redis refuses each write, and no "
            "limit counts",
            name);
}

/* All servers of the list; the shop goes on while one of them answers, and without any. */
void
doctor_redis(struct doctor *d)
{
    struct cache_look *looks;

    if (cache_address_fault(conf->redis_address) != NULL) {
        doctor_say(d, FOUND_SKIPPED, NULL, "REDIS_ADDRESS is no address");
        return;
    }
    size_t n = cache_look(d->arena, conf->redis_address, conf->redis_timeout.ms, &looks);
    for (size_t i = 0; i < n; i++) {
        if (looks[i].why[0] == '\0')
            look_at_redis(d, looks[i].name, looks[i].info);
        else
            doctor_say(d, FOUND_WRONG,
                       "systemctl status redis-server; is REDIS_ADDRESS right, with its password?",
                       "%s does not answer (%s): without Redis the shop goes on, without limits",
                       looks[i].name, looks[i].why);
        d->redis = looks;
        d->redis_count = n;
    }
}

/* --- the clock -------------------------------------------------------------------------------- */

static void
compare_clock(struct doctor *d, const char *whose, int64_t ahead)
{
    int64_t apart = ahead < 0 ? -ahead : ahead;
    enum finding f = apart > CLOCK_WRONG_MS     ? FOUND_WRONG
                     : apart > CLOCK_WARNING_MS ? FOUND_WARNING
                                                : FOUND_GOOD;

    doctor_say(d, f, f == FOUND_GOOD ? NULL : "timedatectl set-ntp true, on both machines",
               "%s and ours are %" PRId64 " ms apart", whose, apart);
}

void
doctor_clock(struct doctor *d)
{
    struct timex t = {.modes = 0};

    if (d->pg.answers)
        compare_clock(d, "PostgreSQL's clock", d->pg.ahead_ms);
    for (size_t i = 0; i < d->redis_count; i++) {
        if (d->redis[i].why[0] == '\0')
            compare_clock(d, "Redis's clock", d->redis[i].ahead_ms);
    }
    int state = adjtimex(&t);
    if (state < 0)
        doctor_say(d, FOUND_SKIPPED, NULL, "whether it is synchronised cannot be told here");
    else if (state == TIME_ERROR || (t.status & STA_UNSYNC) != 0)
        doctor_say(d, FOUND_WARNING, "apt install systemd-timesyncd; timedatectl set-ntp true",
                   "nobody synchronises it: one-time passwords and tokens go wrong as it drifts");
    else
        doctor_say(d, FOUND_GOOD, NULL, "it is synchronised");
}

/* --- folders ---------------------------------------------------------------------------------- */

bool
doctor_shop_user(struct doctor *d, uid_t *uid)
{
    struct stat st;
    const struct passwd *user;

    if (stat(arena_printf(d->arena, "%s/fast.sock", conf->socket_dir), &st) == 0) {
        *uid = st.st_uid;
        return true;
    }
    /* cppcheck-suppress getpwnamCalled ; there is one thread */
    user = getpwnam("soko");
    if (user != NULL)
        *uid = user->pw_uid;
    return user != NULL;
}

/* A folder that the shop writes, and that nginx, another user, reads or not. */
static void
look_at_folder(struct doctor *d, const char *name, const char *path, bool is_read_by_nginx)
{
    size_t before = d->counts[FOUND_WRONG];
    struct stat st;
    uid_t uid;

    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        doctor_say(
            d, FOUND_WRONG,
            arena_printf(d->arena,
                         "systemd-tmpfiles --create, or: install -d -o soko -g soko -m %s %s",
                         is_read_by_nginx ? "755" : "750", path),
            "%s: %s: %s", name, path,
            errno != 0 && !S_ISDIR(st.st_mode) ? strerror(errno) : "is no folder");
        return;
    }
    if (doctor_shop_user(d, &uid) && st.st_uid != uid)
        doctor_say(d, FOUND_WRONG, arena_printf(d->arena, "chown -R soko: %s", path),
                   "%s: %s belongs to user %u, and the shop runs as %u", name, path,
                   (unsigned)st.st_uid, (unsigned)uid);
    else if ((st.st_mode & S_IRWXU) != S_IRWXU)
        doctor_say(d, FOUND_WRONG, arena_printf(d->arena, "chmod u+rwx %s", path),
                   "%s: %s cannot be written by its owner (mode %04o)", name, path,
                   (unsigned)(st.st_mode & 07777));
    if ((st.st_mode & S_IWOTH) != 0)
        doctor_say(d, FOUND_WRONG, arena_printf(d->arena, "chmod o-w %s", path),
                   "%s: anybody may write into %s", name, path);
    if (d->counts[FOUND_WRONG] == before)
        doctor_say(d, FOUND_GOOD, NULL, "%s: %s", name, path);
}

void
doctor_folders(struct doctor *d)
{
    look_at_folder(d, "MEDIA_DIR", conf->media_dir, true);
    look_at_folder(d, "METRICS_DIR", conf->metrics_dir, true);
    if (access(arena_printf(d->arena, "%s/notice.email", conf->messages_dir), R_OK) != 0)
        doctor_say(d, FOUND_WRONG, "set MESSAGES_DIR, or install the package anew",
                   "MESSAGES_DIR: %s holds no templates", conf->messages_dir);
}

/* --- sockets ---------------------------------------------------------------------------------- */

/* GET /health in FastCGI's words: a request begins, its variables, and their end and the body's,
 * whose last byte is the one that ends the string. */
static const unsigned char health[] =
    "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
    "\1\4\0\1\0\47\0\0\16\3REQUEST_METHODGET\13\7REQUEST_URI/health"
    "\1\4\0\1\0\0\0\0\1\5\0\1\0\0\0";

/* Whether a worker answers: 0, or errno. A socket takes connections for as long as its queue has
 * room, also if everybody behind it hangs; and once it is full, whoever waited for room would hang
 * too. So nothing here waits for long. */
static int
knock(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), why = 0;
    struct pollfd answer = {.fd = fd, .events = POLLIN};

    if (fd < 0 || strlen(path) >= sizeof(a.sun_path)) {
        why = ENAMETOOLONG;
    } else {
        memcpy(a.sun_path, path, strlen(path) + 1);
        if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) != 0 ||
            send(fd, health, sizeof(health), MSG_NOSIGNAL) < 0)
            why = errno;
        else if (poll(&answer, 1, ANSWER_MS) != 1)
            why = ETIMEDOUT;
    }
    if (fd >= 0)
        close(fd);
    return why;
}

static void
look_at_socket(struct doctor *d, const char *pool)
{
    const char *path = arena_printf(d->arena, "%s/%s.sock", conf->socket_dir, pool);
    const char *again =
        arena_printf(d->arena, "systemctl restart soko-api@%s.socket soko-api@%s", pool, pool);
    struct stat st;

    if (stat(path, &st) != 0) {
        doctor_say(d, FOUND_WRONG,
                   arena_printf(d->arena, "systemctl start soko-api@%s.socket", pool), "%s: %s",
                   path, strerror(errno));
        return;
    }
    if (!S_ISSOCK(st.st_mode)) {
        doctor_say(d, FOUND_WRONG, arena_printf(d->arena, "rm %s; %s", path, again),
                   "%s is no socket", path);
        return;
    }
    if ((st.st_mode & S_IRWXO) != 0 || (st.st_mode & (S_IRGRP | S_IWGRP)) != (S_IRGRP | S_IWGRP)) {
        doctor_say(d, FOUND_WRONG, again,
                   "%s has mode %04o, and must have 0660: nginx's group, and nobody else", path,
                   (unsigned)(st.st_mode & 07777));
        return;
    }
    /* cppcheck-suppress getgrnamCalled ; there is one thread */
    const struct group *nginx = getgrnam("www-data");
    bool is_machines =
        strncmp(path, "/run/", 5) == 0; /* a shop of a user has an nginx of his own */
    if (nginx != NULL && is_machines && st.st_gid != nginx->gr_gid) {
        doctor_say(d, FOUND_WRONG, again, "%s is of group %u, and nginx's is %u", path,
                   (unsigned)st.st_gid, (unsigned)nginx->gr_gid);
        return;
    }
    int why = knock(path);
    if (why == 0)
        doctor_say(d, FOUND_GOOD, NULL, "%s: somebody answers", path);
    else if (why == EACCES)
        doctor_say(d, FOUND_SKIPPED, "run doctor as root, or as nginx's group", "%s: %s", path,
                   strerror(why));
    else if (why == ETIMEDOUT || why == EAGAIN)
        doctor_say(d, FOUND_WRONG,
                   arena_printf(d->arena,
                                "journalctl -u soko-api@%s; if it only has more to do than it can, "
                                "raise its WORKERS_",
                                pool),
                   "%s: %s: its workers hang, or all of them are busy", path,
                   why == EAGAIN ? "the queue is full" : "nobody takes a request");
    else
        doctor_say(d, FOUND_WRONG, again, "%s: nobody listens (%s)", path, strerror(why));
}

void
doctor_sockets(struct doctor *d)
{
    look_at_socket(d, "fast");
    look_at_socket(d, "hash");
    look_at_socket(d, "wire");
}

/* --- disks ------------------------------------------------------------------------------------ */

static void
look_at_disk(struct doctor *d, const char *what, const char *path)
{
    struct statvfs fs;

    if (statvfs(path, &fs) != 0 || fs.f_blocks == 0)
        return; /* that it is missing is another check's */
    int64_t percent = (int64_t)(fs.f_bavail * 100 / fs.f_blocks);
    int64_t inodes = fs.f_files > 0 ? (int64_t)(fs.f_favail * 100 / fs.f_files) : 100;
    int64_t least = inodes < percent ? inodes : percent;
    enum finding f = least < DISK_WRONG_PERCENT     ? FOUND_WRONG
                     : least < DISK_WARNING_PERCENT ? FOUND_WARNING
                                                    : FOUND_GOOD;

    doctor_say(d, f, f == FOUND_GOOD ? NULL : "make room, or give it a larger disk",
               "%s: %" PRId64 " %% of the %s of %s are free", what, least,
               inodes < percent ? "inodes" : "bytes", path);
}

void
doctor_disk(struct doctor *d)
{
    look_at_disk(d, "pictures", conf->media_dir);
    look_at_disk(d, "backups", conf->backup_dir);
    if (d->pg.is_local && access(PG_DIR, F_OK) == 0)
        look_at_disk(d, "PostgreSQL", PG_DIR);
    if (access("/var/log", F_OK) == 0)
        look_at_disk(d, "logs", "/var/log");
}

/* --- the certificate -------------------------------------------------------------------------- */

/* "shop.example.com" of "https://shop.example.com:8443/x"; "" of what is none. */
static const char *
host_of(struct doctor *d, const char *url)
{
    const char *at = strstr(url, "://");

    at = at != NULL ? at + 3 : "";
    if (*at == '[') {
        at++;
        return arena_strndup(d->arena, at, strcspn(at, "]"));
    }
    return arena_strndup(d->arena, at, strcspn(at, ":/?#"));
}

static void
look_at_dates(struct doctor *d, const struct cert *c)
{
    int64_t days = (c->ends_ms - clock_ms()) / DAY_MS;

    if (c->ends_ms <= clock_ms())
        doctor_say(d, FOUND_WRONG, "certbot renew, then systemctl reload nginx",
                   "it ended %s ago: nobody can reach the shop",
                   doctor_age(d, clock_ms() - c->ends_ms));
    else if (c->began_ms > clock_ms())
        doctor_say(d, FOUND_WRONG, "is the clock right? timedatectl", "it is not valid yet");
    else
        doctor_say(d,
                   days < CERT_WRONG_DAYS     ? FOUND_WRONG
                   : days < CERT_WARNING_DAYS ? FOUND_WARNING
                                              : FOUND_GOOD,
                   days < CERT_WARNING_DAYS ? "certbot renew, then systemctl reload nginx; why did "
                                              "its timer not?"
                                            : NULL,
                   "it ends in %" PRId64 " days", days);
}

void
doctor_certificate(struct doctor *d)
{
    const char *file = conf->tls_certificate, *host = host_of(d, conf->public_url);
    struct cert c;

    const char *why = cert_look(d->arena, file, conf->tls_certificate_key, host, &c);
    if (why != NULL) {
        doctor_say(d, FOUND_WRONG, "certbot certonly, or set TLS_CERTIFICATE; then nginx -t",
                   "%s: %s", file, why);
        return;
    }
    look_at_dates(d, &c);
    if (!c.is_for_host)
        doctor_say(d, FOUND_WRONG,
                   arena_printf(d->arena, "certbot certonly -d %s, or correct PUBLIC_URL", host),
                   "it is not for %s, the host of PUBLIC_URL, but for %s", host, c.subject);
    if (c.key == CERT_KEY_OTHER)
        doctor_say(
            d, FOUND_WRONG, "let TLS_CERTIFICATE and TLS_CERTIFICATE_KEY name files of one pair",
            "the key %s is not the certificate's: nginx will not start", conf->tls_certificate_key);
    else if (c.key == CERT_KEY_UNREADABLE)
        doctor_say(d, geteuid() == 0 ? FOUND_WRONG : FOUND_SKIPPED,
                   geteuid() == 0 ? "set TLS_CERTIFICATE_KEY" : "run doctor as root",
                   "the key %s cannot be read", conf->tls_certificate_key);
    if (c.is_self_signed && !config_is_demo())
        doctor_say(d, FOUND_WARNING, "certbot certonly", "it is self-signed: no browser trusts it");
}

/* --- nginx ------------------------------------------------------------------------------------ */

/* Whether its site is what `sokoctl nginx write` would write. */
void
doctor_nginx(struct doctor *d)
{
    char *said = NULL, *wrong = NULL;
    size_t len = 0;

    if (!d->config_good || access(arena_printf(d->arena, "%s/soko", conf->nginx_dir), F_OK) != 0) {
        doctor_say(d, FOUND_SKIPPED, NULL,
                   d->config_good ? "its site was never written on this machine"
                                  : "the configuration is not good");
        return;
    }
    FILE *out = open_memstream(&said, &len), *err = open_memstream(&wrong, &len);
    int changes = out != NULL && err != NULL ? site_compare(conf->nginx_dir, out, err) : 0;
    if (out != NULL)
        fclose(out);
    if (err != NULL)
        fclose(err);
    if (changes > 0)
        doctor_say(d, FOUND_WRONG, "sokoctl nginx write && nginx -t && systemctl reload nginx",
                   "%d of its files are not what the settings say: %s", changes,
                   arena_strndup(d->arena, said, strcspn(said, "\n")));
    else if (changes < 0)
        doctor_say(d, FOUND_SKIPPED, "sokoctl nginx check", "%s",
                   arena_strndup(d->arena, wrong, strcspn(wrong, "\n")));
    else
        doctor_say(d, FOUND_GOOD, NULL, "its site follows from the settings");
    free(said);
    free(wrong);
}

/* --- backups ---------------------------------------------------------------------------------- */

/* "soko-20261121T104700Z" in milliseconds. */
static bool
time_of_name(struct doctor *d, const char *name, int64_t *ms)
{
    const char *iso = arena_printf(d->arena, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", name + 5, name + 9,
                                   name + 11, name + 14, name + 16, name + 18);

    return clock_parse(iso, ms);
}

void
doctor_backups(struct doctor *d)
{
    const char *newest = manifest_newest(d->arena, conf->backup_dir);
    const char *timer = "systemctl status soko-backup.timer; sokoctl backup";
    int64_t made = 0;

    if (newest == NULL && errno != 0) {
        doctor_say(d, FOUND_WARNING,
                   arena_printf(d->arena, "install -d -m 700 %s; sokoctl backup", conf->backup_dir),
                   "%s: %s: there is no backup", conf->backup_dir, strerror(errno));
        return;
    }
    if (newest == NULL || !time_of_name(d, newest, &made)) {
        doctor_say(d, FOUND_WARNING, timer, "%s holds no backup", conf->backup_dir);
        return;
    }
    int64_t age = clock_ms() - made;
    if (age < -DAY_MS) {
        doctor_say(d, FOUND_WARNING, timer, "the newest is of days to come, and tells nothing: %s",
                   newest);
        return;
    }
    doctor_say(d,
               age > BACKUP_WRONG_MS     ? FOUND_WRONG
               : age > BACKUP_WARNING_MS ? FOUND_WARNING
                                         : FOUND_GOOD,
               age > BACKUP_WARNING_MS ? timer : NULL, "the newest is %s old: %s",
               doctor_age(d, age), newest);
}
