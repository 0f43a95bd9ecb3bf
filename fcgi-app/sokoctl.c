/*
 * sokoctl: the sysadmin's hand. What it can do stands in ctl_table.c.
 */
#include "base/config.h"
#include "base/log.h"
#include "ctl_table.h"
#include "io/cache.h"
#include "shop/accounts/passwords.h"

#include <sysexits.h>

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
    config_check_by("REDIS_ADDRESS", cache_address_fault);
    config_check_by("PASSWORD_DENY_LIST", passwords_list_fault);
    if ((command->needs_config || o.config != NULL) && !config_load(o.config, stderr))
        return EX_CONFIG;
    status = command->run(&o);
    ctl_close();
    return status;
}
