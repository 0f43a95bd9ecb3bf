/*
 * The rows. Options first, by name; then the commands, as they stand in the help.
 */
#include "ctl_table.h"

/* The member's type says whether something follows. */
#define TEXT(member_, name_, value_, doc_)                                                           \
    {                                                                                                \
        (name_), _Generic(((struct ctl_options *)0)->member_, const char *: (value_)), (doc_),     \
            offsetof(struct ctl_options, member_) \
    }
#define SWITCH(member_, name_, doc_)                                                               \
    {                                                                                              \
        (name_),                                                                                   \
            _Generic(((struct ctl_options *)0)->member_, bool                                      \
                     : NULL),                                                                      \
            (doc_), offsetof(struct ctl_options, member_)                                          \
    }

const struct ctl_option ctl_option_rows[] = {
    TEXT(accounts, "accounts", "FILE", "where to write the accounts that were made"),
    TEXT(actor, "actor", "ID", "only what this account did"),
    TEXT(after, "after", "NUMBER:MAC", "begin behind this link of the chain"),
    SWITCH(again, "again", "from the first line, even if it was finished"),
    TEXT(books, "books", "FILE", "a provider's books, as CSV, to compare with"),
    TEXT(config, "config", "FILE", "settings, NAME=value lines; the environment overrides them"),
    TEXT(email, "email", "E", "by e-mail address"),
    TEXT(event, "event", "NAME", "only this kind of event"),
    TEXT(format, "format", "csv|jsonl", "the file's format, if its name does not say it"),
    TEXT(from, "from", "DATE", "from then on: 2026-02-20 or 2026-02-20T10:00:00Z"),
    TEXT(head, "head", "NUMBER:MAC", "a link that the chain must have"),
    SWITCH(help, "help", "what the command takes; alone, all commands and settings"),
    SWITCH(json, "json", "for programs: JSON"),
    TEXT(name, "name", "NAME", "what to call it"),
    SWITCH(nginx, "nginx", "for nginx: a part of its configuration"),
    TEXT(owner, "owner", "EMAIL", "who owns a store that is not there yet"),
    SWITCH(password_stdin, "password-stdin", "read the password from standard input, one line"),
    TEXT(phone, "phone", "P", "by telephone number"),
    TEXT(refused, "refused", "FILE", "where to write which lines were refused, and why"),
    TEXT(role, "role", "ROLE", "a role"),
    TEXT(store, "store", "STORE", "only this store"),
    TEXT(subject, "subject", "ID", "only what was done to this account, order or other thing"),
    TEXT(until, "until", "DATE", "until then, that moment not included"),
    TEXT(username, "username", "U", "by username"),
    SWITCH(version, "version", "the version"),
};
const size_t ctl_option_count = sizeof(ctl_option_rows) / sizeof(ctl_option_rows[0]);

const struct ctl_command ctl_commands[] = {
    {"migrate up", "", "apply what is pending, renew functions and views", true, ctl_migrate_up,
     NULL},
    {"migrate down", "[STEPS]", "undo the newest migrations", true, ctl_migrate_down, NULL},
    {"migrate status", "", "what is applied, what is pending", true, ctl_migrate_status, NULL},

    {"user create", "--name --email|--phone|--username [--role=buyer|admin] --password-stdin",
     "make an account; its id is printed", true, ctl_user_create, NULL},
    {"user totp-off", "--email|--phone|--username",
     "switch an account's second factor off, for who lost it; ends the account's sessions", true,
     ctl_user_totp_off, NULL},
    {"user import", "FILE [--refused]",
     "bring accounts over, from CSV, with the hashes of their passwords", true, ctl_user_import,
     NULL},

    {"product import", "FILE [--format] [--owner] [--refused] [--again]",
     "put goods into stores, from CSV or JSON Lines; interrupted, it goes on where it was", true,
     ctl_product_import, NULL},
    {"product export", "[FILE] [--format] [--store=NAME|ID]",
     "write all goods, or a store's, as a file that import reads", true, ctl_product_export, NULL},

    {"ledger check", "[--books]",
     "hold the ledger against payments, refunds and parts, and against a provider's books", true,
     ctl_ledger_check, NULL},
    {"statement", "--store=ID [--from] [--until]",
     "what a store was booked, with the balance after each", true, ctl_statement, NULL},

    {"audit list", "[--from] [--until] [--actor] [--subject] [--event] [--json]",
     "who signed in, changed who may do what, or moved money; newest last", true, ctl_audit_list,
     NULL},
    {"audit verify", "[--head] [--after]",
     "hold the audit log against its chain, which must go through --head", true, ctl_audit_verify,
     NULL},
    {"audit seal", "[--head]",
     "seal what waits; with --head, behind a head that is not by DATA_KEY", true, ctl_audit_seal,
     NULL},

    {"demo load", "--accounts", "fill a demo shop; passwords go to FILE", true, ctl_demo_load,
     NULL},

    {"openapi", "", "the OpenAPI document", false, ctl_openapi, NULL},
    {"routes", "[--nginx|--json]", "the route table: for people, nginx or programs", false,
     ctl_routes, NULL},
    {"errors", "[--nginx]", "the error table: for people or nginx", false, ctl_errors, NULL},
    {"nginx write", "[DIR]",
     "write nginx's site from the settings into NGINX_DIR, or DIR; says what changed", true,
     ctl_nginx_write, NULL},
    {"maintenance on", "", "close the shop: nginx tells clients 503, at once, also after a reboot",
     true, ctl_maintenance_on, NULL},
    {"maintenance off", "", "open it again", true, ctl_maintenance_off, NULL},
    {"maintenance status", "", "whether it is closed, and since when", true, ctl_maintenance_status,
     NULL},
    {"nginx origins", "", "CORS_ORIGINS, as nginx reads them: soko/origins.conf", true,
     ctl_nginx_origins, NULL},
    {"nginx proxies", "", "TRUSTED_PROXIES, as nginx reads them: soko/proxies.conf", true,
     ctl_nginx_proxies, NULL},
    {"config example", "", "all settings with their sentences, as a file to begin with", false,
     ctl_config_example, NULL},
    {"config secrets", "", "the names of the secrets, which are files in credentials/", false,
     ctl_config_secrets, NULL},
    {"config", "NAME", "a setting in force", true, ctl_config, NULL},
};
const size_t ctl_command_count = sizeof(ctl_commands) / sizeof(ctl_commands[0]);
