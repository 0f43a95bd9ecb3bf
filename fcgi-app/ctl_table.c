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
    SWITCH(all, "all", "all that there are"),
    TEXT(books, "books", "FILE", "a provider's books, as CSV, to compare with"),
    TEXT(buyer, "buyer", "WHO", "only of this account: its id, e-mail address, phone or username"),
    SWITCH(check, "check", "restore into a database that is dropped again, and compare"),
    TEXT(config, "config", "FILE", "settings, NAME=value lines; the environment overrides them"),
    TEXT(email, "email", "E", "by e-mail address"),
    TEXT(event, "event", "NAME", "only this kind of event"),
    TEXT(format, "format", "csv|jsonl", "the file's format, if its name does not say it"),
    TEXT(from, "from", "DATE", "from then on: 2026-02-20 or 2026-02-20T10:00:00Z"),
    TEXT(head, "head", "NUMBER:MAC", "a link that the chain must have"),
    TEXT(head_file, "head-file", "FILE",
         "where the last good head is remembered: read, then renewed"),
    SWITCH(help, "help", "what the command takes; alone, all commands and settings"),
    SWITCH(json, "json", "for programs: JSON"),
    TEXT(keep, "keep", "N", "then remove all but the newest N"),
    TEXT(lane, "lane", "payments|clock|messages|tokens", "only what this lane of soko-jobs does"),
    TEXT(limit, "limit", "N", "at most so many rows; 100 unless --json is given"),
    TEXT(name, "name", "NAME", "what to call it"),
    SWITCH(nginx, "nginx", "for nginx: a part of its configuration"),
    SWITCH(no_media, "no-media", "without the pictures of MEDIA_DIR"),
    TEXT(note, "note", "TEXT", "a few words for the books"),
    TEXT(order, "order", "NUMBER", "the order of this number"),
    TEXT(owner, "owner", "EMAIL", "who owns a store that is not there yet"),
    SWITCH(parked, "parked", "only what was given up, and waits for a person"),
    SWITCH(password_stdin, "password-stdin", "read the password from standard input, one line"),
    TEXT(payment_status, "payment-status", "unpaid|paid|partially_refunded|refunded",
         "only what is so far paid"),
    TEXT(phone, "phone", "P", "by telephone number"),
    TEXT(provider, "provider", "simulated|stripe|mpesa", "only by this provider"),
    TEXT(receipt, "receipt", "TEXT", "only with this receipt of a provider's"),
    TEXT(refused, "refused", "FILE", "where to write which lines were refused, and why"),
    TEXT(role, "role", "ROLE", "a role"),
    TEXT(search, "search", "WORDS",
         "only what is called so: a part of a name, or all of another name"),
    TEXT(status, "status", "STATUS", "only what stands so"),
    TEXT(store, "store", "STORE", "only this store"),
    TEXT(subject, "subject", "ID", "only what was done to this account, order or other thing"),
    TEXT(until, "until", "DATE", "until then, that moment not included"),
    TEXT(username, "username", "U", "by username"),
    SWITCH(verify, "verify", "restore it for a try before it counts as one"),
    SWITCH(version, "version", "the version"),
    SWITCH(yes, "yes", "do it, although it cannot be undone"),
};
const size_t ctl_option_count = sizeof(ctl_option_rows) / sizeof(ctl_option_rows[0]);

#define WHO_IS "WHO is an account's id, e-mail address, phone number or username."
#define STORE_IS "STORE is a store's id or name."
#define ORDER_IS "ORDER is an order's number or id."
#define PAYMENT_IS "PAYMENT is a payment's id, or its provider's receipt."

const struct ctl_command ctl_commands[] = {
    {"migrate up", "", "apply what is pending, renew functions and views", true, ctl_migrate_up,
     NULL},
    {"migrate down", "[STEPS]", "undo the newest migrations", true, ctl_migrate_down, NULL},
    {"migrate status", "", "what is applied, what is pending", true, ctl_migrate_status, NULL},
    {"migrate verify", "", "whether the database is what this program's files make it", true,
     ctl_migrate_verify,
     "It names migrations that are pending, changed, left out, out of order or newer than this "
     "program; functions and views that are missing; and what the role soko_app may and must not, "
     "or must and may not. It exits with 0 only if there is nothing to name."},

    {"user create", "--name --email|--phone|--username [--role=buyer|admin] --password-stdin",
     "make an account; its id is printed", true, ctl_user_create, NULL},
    {"user totp-off", "--email|--phone|--username",
     "switch an account's second factor off, for who lost it; ends the account's sessions", true,
     ctl_user_totp_off, NULL},
    {"user import", "FILE [--refused]",
     "bring accounts over, from CSV, with the hashes of their passwords", true, ctl_user_import,
     NULL},
    {"user list",
     "[--search] [--role=buyer|seller|admin] [--status=active|inactive] [--limit] [--json]",
     "accounts, newest first", true, ctl_user_list, NULL},
    {"user show", "WHO [--json]", "one account", true, ctl_user_show, WHO_IS},
    {"user deactivate", "WHO", "let an account sign in no more; ends its sessions", true,
     ctl_user_deactivate, WHO_IS " Its API keys are refused from then on."},
    {"user activate", "WHO", "let an account sign in again", true, ctl_user_activate, WHO_IS},
    {"user grant", "WHO ROLE", "give an account the role buyer or admin", true, ctl_user_grant,
     WHO_IS " A seller is who opens a store."},
    {"user revoke", "WHO ROLE", "take the role buyer or admin from an account; ends its sessions",
     true, ctl_user_revoke, WHO_IS " The role seller stays with who has a store."},
    {"user sign-out", "WHO", "end all sessions of an account", true, ctl_user_sign_out,
     WHO_IS " Its API keys stay."},
    {"user forgive", "WHO|--all", "forget how often somebody has tried and failed to sign in", true,
     ctl_user_forgive,
     WHO_IS " He may try again at once, to sign in and to show a second factor; with --all "
            "everybody may."},
    {"user drop-hashes", "--yes", "take away the passwords that are still hashed by bcrypt", true,
     ctl_user_drop_hashes,
     "Accounts that were brought over, and have not signed in since, keep the older system's hash, "
     "whose work every sign-in must do. They set a new password by a code then."},

    {"store list", "[--search] [--status=active|suspended] [--limit] [--json]", "stores, by name",
     true, ctl_store_list, NULL},
    {"store show", "STORE [--json]", "one store", true, ctl_store_show, STORE_IS},
    {"store balance", "STORE [--json]", "what it has earned, and what is still to come", true,
     ctl_store_balance, STORE_IS},
    {"store suspend", "STORE", "sell none of a store's goods", true, ctl_store_suspend,
     STORE_IS " Orders that are placed go on."},
    {"store open", "STORE", "sell a suspended store's goods again", true, ctl_store_open, STORE_IS},
    {"store commission", "STORE RATE", "what the platform takes of a store's sales from now on",
     true, ctl_store_commission,
     STORE_IS " RATE is in hundredths of a percent, 850 for 8.5 %, or `usual`: COMMISSION_BP. "
              "Orders that are placed keep theirs."},

    {"order list", "[--status] [--payment-status] [--buyer] [--from] [--until] [--limit] [--json]",
     "orders, newest first", true, ctl_order_list, NULL},
    {"order show", "ORDER [--json]", "one order, with its goods, parts, payment and history", true,
     ctl_order_show, ORDER_IS},
    {"order cancel", "ORDER --yes", "cancel all of an order, for its sellers", true,
     ctl_order_cancel,
     ORDER_IS " Nothing of it may be on its way yet. Stock goes back, and what was paid is "
              "refunded; buyer and sellers are told."},

    {"payment list",
     "[--status] [--provider] [--receipt] [--order] [--from] [--until] [--limit] [--json]",
     "payments, newest first", true, ctl_payment_list, NULL},
    {"payment show", "PAYMENT [--json]", "one payment", true, ctl_payment_show, PAYMENT_IS},
    {"payment heard", "PAYMENT [--limit] [--json]",
     "all that its provider has said of a payment, word for word, oldest first", true,
     ctl_payment_heard, PAYMENT_IS " The words hold what he knows of the buyer: phone, name."},
    {"payment ask", "PAYMENT", "ask the provider again what became of a payment", true,
     ctl_payment_ask,
     PAYMENT_IS " It must be open. soko-jobs asks, at its next turn; `payment show` says what came "
                "of it."},
    {"payment accept", "PAYMENT [--order]", "money that needs review is the order's", true,
     ctl_payment_accept,
     PAYMENT_IS " --order names the order if the payment does not know it. What is too much goes "
                "back."},
    {"payment return", "PAYMENT [--note]", "money that needs review goes back, all of it", true,
     ctl_payment_return, PAYMENT_IS},

    {"refund list",
     "[--status=pending|sending|sent|succeeded|failed] [--order] [--from] [--until] "
     "[--limit] [--json]",
     "money that goes back, newest first", true, ctl_refund_list, NULL},
    {"refund retry", "ID", "send a refund that failed again", true, ctl_refund_retry, NULL},

    {"outbox list", "[--parked] [--lane] [--limit] [--json]",
     "what soko-jobs has still to do, oldest first", true, ctl_outbox_list,
     "What has failed JOBS_MAX_ATTEMPTS times is parked until a person looks."},
    {"outbox retry", "NUMBER|--all", "try what is parked once more", true, ctl_outbox_retry,
     "NUMBER is the first column of `outbox list`. What fails again is parked again."},
    {"outbox drop", "NUMBER [--yes]", "give up what is parked, for good", true, ctl_outbox_drop,
     "NUMBER is the first column of `outbox list`. Without --yes it only says what would be lost."},

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
    {"audit verify", "[--head|--head-file] [--after]",
     "hold the audit log against its chain, which must go through --head", true, ctl_audit_verify,
     NULL},
    {"audit seal", "[--head]",
     "seal what waits; with --head, behind a head that is not by DATA_KEY", true, ctl_audit_seal,
     NULL},

    {"doctor", "[--json]", "look at all that can be wrong, and say what to do", CTL_OWN_CONFIG,
     ctl_doctor,
     "A line for each finding: ok, warning or WRONG, and what to do. It changes nothing. Ends with "
     "1 if something is wrong, with 0 if there is nothing but warnings."},
    {"backup", "[FOLDER] [--keep] [--no-media] [--verify]",
     "write database and pictures into FOLDER, as a folder named by the time", true, ctl_backup,
     "Acts as the database's owner. Without FOLDER it writes into BACKUP_DIR. DATA_KEY and "
     "TOKEN_KEY are not in it: keep them apart."},
    {"restore", "BACKUP [--check]",
     "bring a backup back, into a database that is empty or not there", true, ctl_restore,
     "DATABASE_URL says which, and is its owner's. With --check the database is made for it and "
     "dropped again: a rehearsal, which needs a role that may make databases."},

    {"demo load", "--accounts", "fill a demo shop; passwords go to FILE", true, ctl_demo_load,
     NULL},

    {"openapi", "", "the OpenAPI document", false, ctl_openapi, NULL},
    {"routes", "[--nginx|--json]", "the route table: for people, nginx or programs", false,
     ctl_routes, NULL},
    {"errors", "[--nginx]", "the error table: for people or nginx", false, ctl_errors, NULL},
    {"nginx check", "[DIR]",
     "say what nginx write would change; 0 if nothing, 1 if something, or if a setting is bad",
     true, ctl_nginx_check, NULL},
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
    {"metrics", "", "what the services of this machine have counted, as Prometheus reads it", true,
     ctl_metrics, "The same as GET /metrics, without nginx and workers."},
    {"config", "SETTING", "a setting in force", true, ctl_config, NULL},

    {"man", "PAGE", "a manual page, as roff: sokoctl, soko-api, soko-jobs or soko.conf", false,
     ctl_man, NULL},
    {"completion bash", "", "completion for bash, to be sourced", false, ctl_completion_bash,
     "zsh reads it too: autoload bashcompinit && bashcompinit before it."},
};
const size_t ctl_command_count = sizeof(ctl_commands) / sizeof(ctl_commands[0]);
