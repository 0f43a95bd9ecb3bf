/*
 * shop/accounts/passwords: which new passwords are refused (OWASP ASVS 4.0.3, V2.1.1 and V2.1.7;
 * NIST SP 800-63B, 5.1.1.2): the short, the common, and what their owner is called.
 */
#ifndef SOKO_SHOP_ACCOUNTS_PASSWORDS_H
#define SOKO_SHOP_ACCOUNTS_PASSWORDS_H

#include "base/fields.h"

#include <stdbool.h>

/* What its owner is called; each may be NULL. Phone in E.164. */
struct password_owner {
    const char *name, *email, *phone, *username;
};

/* For the `check` of an input table: refuses `field`, whose value is `password` (NULL: was not
 * sent), if it is shorter than conf->password_min_length, stands in the list that
 * conf->password_deny_list names, or is what `owner` is called. Upper and lower case are one (of
 * ASCII). The list is read once per process, and again when its file has changed. */
void passwords_check(struct input_errors *errors, const char *field, const char *password,
                     const struct password_owner *owner);

/* Whether it is what `owner` is called: for where that is known only later. */
bool passwords_is_own(const char *password, const struct password_owner *owner);

/* The words for that, behind the field's name. */
#define PASSWORD_IS_OWN "must not be your name, address or number"

/* Reads the list, and says what is wrong with it; NULL: nothing, or `path` is empty. For
 * config_check_by(): workers that are forked later have the list already. */
const char *passwords_list_fault(const char *path);

#endif
