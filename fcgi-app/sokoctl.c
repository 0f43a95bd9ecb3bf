/*
 * sokoctl: the sysadmin's hand. What it can do stands in ctl_table.c.
 */
#include "base/config.h"
#include "base/log.h"
#include "ctl_table.h"
#include "io/cache.h"
#include "io/replica.h"
#include "shop/accounts/passwords.h"

#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#ifndef SOKO_CONF
#define SOKO_CONF "/etc/soko/soko.conf"
#endif

/* What changes the schema, or takes or gives all of it, acts as its owner; all else as the workers.
 */
static const char *const owners[] = {"migrate", "backup", "restore", NULL};

/* What a machine needs that has nginx alone, and no secrets. */
static const char *const of_nginx[] = {"nginx", "maintenance", NULL};

static bool
is_one_of(const struct ctl_command *command, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        size_t len = strlen(words[i]);
        if (strncmp(command->words, words[i], len) == 0 &&
            (command->words[len] == ' ' || command->words[len] == '\0'))
            return true;
    }
    return false;
}

/* For root the machine's shop is meant, if no other is named. Its secrets, and those of any that is
 * named, lie in the folder credentials/ beside its file, the owner's in credentials/owner/, unless
 * systemd hands them out. */
static void
find_shop(struct arena *a, struct ctl_options *o, const struct ctl_command *command)
{
    if (o->config == NULL && command->needs_config && geteuid() == 0 &&
        access(SOKO_CONF, F_OK) == 0)
        o->config = SOKO_CONF;
    if (o->config == NULL)
        return;
    const char *dir = dirname(arena_strdup(a, o->config));
    config_credentials_in(arena_printf(a, "%s/credentials", dir),
                          is_one_of(command, owners) ? arena_printf(a, "%s/credentials/owner", dir)
                                                     : NULL);
}

int
main(int argc, char **argv)
{
    struct ctl_options o;
    int status;

    log_init("sokoctl", LOG_WARN);
    const struct ctl_command *command = ctl_parse(argc, argv, &o, &status);
    if (command == NULL)
        return status;
    config_check_by("DATABASE_URL", pg_url_fault);
    config_check_by("DATABASE_REPLICA_URL", replica_url_fault);
    config_check_by("REDIS_ADDRESS", cache_address_fault);
    config_check_by("PASSWORD_DENY_LIST", passwords_list_fault);
    struct arena *a = arena_new();
    find_shop(a, &o, command);
    if (is_one_of(command, of_nginx))
        config_without_secrets();
    bool load =
        command->needs_config != CTL_OWN_CONFIG && (command->needs_config || o.config != NULL);
    if (load && !config_load(o.config, stderr)) {
        arena_free(a);
        return EX_CONFIG;
    }
    status = command->run(&o);
    /* Whoever has written half of what was asked for must not say that all is well. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("sokoctl: standard output: not all of it could be written\n", stderr);
        status = status == 0 ? EX_IOERR : status;
    }
    ctl_close();
    arena_free(a);
    return status;
}
