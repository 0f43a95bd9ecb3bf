/*
 * sokoctl doctor: a table of checks, run in its order, whatever the ones before have found.
 *
 * It must say something of use when everything is wrong: without a good configuration it takes what
 * can be read of it, without PostgreSQL it still looks at Redis, folders and certificate. What
 * cannot be looked at is said to be skipped, and why, so that silence is never taken for health.
 *
 * A warning is what works today: the exit status is that of good health, and --json tells the
 * difference. Rejected: repairing. What to do is told; a sysadmin does it.
 */
#include "ctl_doctor.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "base/text.h"
#include "providers/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>

#define JSON_MAX ((size_t)1 << 20)
#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

struct finding_row {
    const char *check, *what, *remedy;
    enum finding found;
    struct finding_row *next;
};

static const struct check {
    const char *name;
    void (*run)(struct doctor *d);
} checks[] = {
    {"configuration", doctor_configuration},
    {"secrets", doctor_secrets},
    {"postgresql", doctor_postgresql},
    {"rights", doctor_rights},
    {"pg-settings", doctor_pg_settings},
    {"connections", doctor_connections},
    {"migrations", doctor_migrations},
    {"redis", doctor_redis},
    {"clock", doctor_clock},
    {"folders", doctor_folders},
    {"sockets", doctor_sockets},
    {"disk", doctor_disk},
    {"certificate", doctor_certificate},
    {"nginx", doctor_nginx},
    {"jobs", doctor_jobs},
    {"outbox", doctor_outbox},
    {"payments", doctor_payments},
    {"methods", doctor_methods},
    {"ledger", doctor_ledger},
    {"audit", doctor_audit},
    {"pictures", doctor_pictures},
    {"backups", doctor_backups},
};
#define CHECKS (sizeof(checks) / sizeof(checks[0]))

static const char *const words[] = {"ok", "skipped", "warning", "WRONG"};
static const char *const json_words[] = {"ok", "skipped", "warning", "wrong"};

void
doctor_say(struct doctor *d, enum finding f, const char *remedy, const char *fmt, ...)
{
    struct finding_row *row = arena_alloc(d->arena, sizeof(*row));
    va_list ap;

    va_start(ap, fmt);
    *row = (struct finding_row){d->check, arena_vprintf(d->arena, fmt, ap), remedy, f, NULL};
    va_end(ap);
    if (d->last != NULL)
        d->last->next = row;
    else
        d->first = row;
    d->last = row;
    d->counts[f]++;
}

const char *
doctor_age(struct doctor *d, int64_t ms)
{
    if (ms < 2 * MINUTE_MS)
        return arena_printf(d->arena, "%" PRId64 " s", ms / 1000);
    if (ms < 2 * HOUR_MS)
        return arena_printf(d->arena, "%" PRId64 " min", ms / MINUTE_MS);
    if (ms < 2 * DAY_MS)
        return arena_printf(d->arena, "%" PRId64 " h", ms / HOUR_MS);
    return arena_printf(d->arena, "%" PRId64 " days", ms / DAY_MS);
}

/* Reads what can be read of the configuration, and keeps what it says. */
static void
load_config(struct doctor *d)
{
    char *said = NULL;
    size_t len = 0;
    FILE *err = open_memstream(&said, &len);

    if (err == NULL)
        abort();
    config_check_all_by(settings_check);
    d->config_good = config_load_faulty(d->options->config, err);
    fclose(err);
    d->config_said = arena_strndup(d->arena, said, len);
    free(said);
}

static void
print_lines(const struct doctor *d)
{
    for (const struct finding_row *r = d->first; r != NULL; r = r->next) {
        printf("%-8s %-14s %s\n", words[r->found], r->check, r->what);
        if (r->remedy != NULL)
            printf("%-8s %-14s do: %s\n", "", "", r->remedy);
    }
    printf("%zu wrong, %zu warnings, %zu skipped, %zu good\n", d->counts[FOUND_WRONG],
           d->counts[FOUND_WARNING], d->counts[FOUND_SKIPPED], d->counts[FOUND_GOOD]);
}

static void
print_json(const struct doctor *d)
{
    struct text t = text_new(d->arena, JSON_MAX);
    char now[CLOCK_RFC3339_SIZE];

    text_putc(&t, '{');
    text_member(&t, "at", clock_rfc3339(clock_ms(), now));
    text_member(&t, "status",
                d->counts[FOUND_WRONG] > 0     ? "wrong"
                : d->counts[FOUND_WARNING] > 0 ? "warning"
                                               : "ok");
    text_member_int(&t, "wrong", (int64_t)d->counts[FOUND_WRONG]);
    text_member_int(&t, "warnings", (int64_t)d->counts[FOUND_WARNING]);
    text_key(&t, "findings");
    text_putc(&t, '[');
    for (const struct finding_row *r = d->first; r != NULL; r = r->next) {
        text_comma(&t);
        text_putc(&t, '{');
        text_member(&t, "check", r->check);
        text_member(&t, "state", json_words[r->found]);
        text_member(&t, "what", r->what);
        text_member(&t, "remedy", r->remedy);
        text_putc(&t, '}');
    }
    text_puts(&t, "]}");
    puts(text_cstr(&t));
}

int
ctl_doctor(const struct ctl_options *o)
{
    struct doctor d = {.arena = arena_new(), .options = o};
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    /* What the libraries log, the checks say in words. */
    log_set_fd(nowhere);
    load_config(&d);
    for (size_t i = 0; i < CHECKS; i++) {
        d.check = checks[i].name;
        checks[i].run(&d);
    }
    if (o->json)
        print_json(&d);
    else
        print_lines(&d);
    int status = d.counts[FOUND_WRONG] > 0 ? CTL_FAILED : 0;
    log_set_fd(-1);
    close(nowhere);
    ctl_close();
    arena_free(d.arena);
    return status;
}
