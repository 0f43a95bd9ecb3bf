/*
 * ctl_doctor: what the checks of `sokoctl doctor` share.
 *
 * A check is a function and a row of ctl_doctor.c. It looks at one thing, changes nothing, and says
 * what it found, once or several times; what is wrong comes with what to do about it: a command, or
 * a file to edit. It never says a secret.
 */
#ifndef SOKO_CTL_DOCTOR_H
#define SOKO_CTL_DOCTOR_H

#include "ctl.h"
#include "io/cache_look.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum finding {
    FOUND_GOOD,
    FOUND_SKIPPED, /* could not be looked at, for a reason that is told */
    FOUND_WARNING, /* the shop works, and somebody should look */
    FOUND_WRONG
};

/* What is known of PostgreSQL by the time that the shop's own checks run. */
struct doctor_pg {
    bool answers;
    bool is_local;
    bool is_standby;
    bool has_schema;   /* all statements of this program can be prepared */
    const char *role;  /* ours */
    const char *owner; /* of the database */
    int64_t ahead_ms;  /* of our clock, corrected for the way there */
    int64_t max_connections;
};

struct doctor {
    struct arena *arena;
    const struct ctl_options *options;
    bool config_good;
    const char *config_said; /* the faults, a line each */
    struct doctor_pg pg;
    struct ctx *server;       /* statements on PostgreSQL itself; NULL: it does not answer */
    struct ctx *shop;         /* all statements; NULL: it does not answer, or is not migrated */
    struct cache_look *redis; /* each server, once it was looked at */
    size_t redis_count;
    const char *check; /* whose turn it is */
    size_t counts[FOUND_WRONG + 1];
    struct finding_row *first, *last;
};

/* Adds a finding of the check whose turn it is. */
void doctor_say(struct doctor *d, enum finding f, const char *remedy, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* "3 min", "5 h", "12 d": an age for people, in the arena. */
const char *doctor_age(struct doctor *d, int64_t ms);

/* The user who runs the shop: the owner of its sockets, or, before these are there, the user soko.
 * False if nobody can be told to. */
bool doctor_shop_user(struct doctor *d, uid_t *uid);

/* The checks: ctl_doctor_config.c */
void doctor_configuration(struct doctor *d);
void doctor_secrets(struct doctor *d);
void doctor_methods(struct doctor *d);
/* ctl_doctor_pg.c */
void doctor_postgresql(struct doctor *d);
void doctor_rights(struct doctor *d);
void doctor_pg_settings(struct doctor *d);
void doctor_connections(struct doctor *d);
void doctor_migrations(struct doctor *d);
/* ctl_doctor_host.c */
void doctor_redis(struct doctor *d);
void doctor_clock(struct doctor *d);
void doctor_folders(struct doctor *d);
void doctor_sockets(struct doctor *d);
void doctor_disk(struct doctor *d);
void doctor_certificate(struct doctor *d);
void doctor_nginx(struct doctor *d);
void doctor_backups(struct doctor *d);
/* ctl_doctor_shop.c */
void doctor_jobs(struct doctor *d);
void doctor_outbox(struct doctor *d);
void doctor_payments(struct doctor *d);
void doctor_ledger(struct doctor *d);
void doctor_audit(struct doctor *d);
void doctor_pictures(struct doctor *d);

#endif
