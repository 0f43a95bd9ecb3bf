/*
 * providers/settings: whether the settings of the outside parties are well-formed and complete. A
 * provider is offered if his key is set; half of his settings is a mistake, and stops the start.
 */
#ifndef SOKO_PROVIDERS_SETTINGS_H
#define SOKO_PROVIDERS_SETTINGS_H

#include "base/config.h"

/* For config_check_all_by(). Tells every fault, and never the value of a secret. */
void settings_check(const struct config *c, struct config_load *l);

#endif
