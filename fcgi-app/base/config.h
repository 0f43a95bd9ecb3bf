/*
 * base/config: one table of settings (config_table.c) and the struct that it fills.
 *
 * A value comes from the file FILE given by --config (lines NAME=value, '#' comments; systemd's
 * EnvironmentFile syntax without continuation lines) and from what is named *.conf in the folder
 * FILE.d, by name, then, for a secret, from the file of that name in $CREDENTIALS_DIRECTORY unless
 * that is empty, then from the environment; the last wins. A bad or missing value is an error that
 * names the variable. No secret has a default (seed hole 36).
 *
 * Spans are written with a unit: 250ms, 30s, 15min, 7d; sizes in bytes or with K, M.
 */
#ifndef SOKO_BASE_CONFIG_H
#define SOKO_BASE_CONFIG_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct span {
    int64_t ms;
};

struct size {
    int64_t bytes;
};

/* The members are in the order of config_table.c, which says each one's meaning. */
struct config {
    const char *soko_env;
    const char *log_level;
    const char *database_url;
    struct span database_connect_timeout;
    struct span statement_timeout;
    const char *database_replica_url;
    struct span replica_lag;
    struct span migrate_lock_timeout;
    struct span migrate_patience;
    const char *redis_address;
    struct span redis_timeout;
    const char *token_key;
    const char *data_key;
    const char *token_issuer;
    struct span token_cache;
    struct span access_token_ttl;
    struct span refresh_token_ttl;
    struct span refresh_grace;
    int64_t password_min_length;
    int64_t password_cost;
    const char *password_deny_list;
    const char *totp_required;
    const char *totp_issuer;
    struct span code_ttl;
    int64_t code_tries;
    struct span code_pause;
    int64_t limit_codes;
    struct span reset_hold;
    int64_t limit_public;
    int64_t limit_signed_in;
    int64_t limit_login;
    int64_t limit_login_account;
    struct span login_address_ttl;
    struct span api_key_kept;
    const char *trusted_proxies;
    const char *cors_origins;
    struct span idempotency_ttl;
    struct span order_payment_ttl;
    int64_t commission_bp;
    const char *public_url;
    struct span provider_connect_timeout;
    struct span provider_timeout;
    int64_t provider_at_once;
    int64_t provider_failures;
    struct span provider_pause;
    struct span provider_retry_pause;
    const char *oauth2_token_url;
    const char *oauth2_introspect_url;
    const char *oauth2_revoke_url;
    const char *oauth2_client_id;
    const char *oauth2_client_secret;
    const char *oauth2_scope;
    const char *oauth2_audience;
    const char *oauth2_issuer;
    struct span oauth2_timeout;
    int64_t oauth2_at_once;
    const char *stripe_api_base;
    const char *stripe_api_version;
    const char *stripe_secret_key;
    const char *stripe_webhook_secrets;
    struct span stripe_tolerance;
    const char *daraja_base_url;
    const char *daraja_consumer_key;
    const char *daraja_consumer_secret;
    const char *daraja_shortcode;
    const char *daraja_till;
    const char *daraja_passkey;
    const char *daraja_initiator;
    const char *daraja_initiator_password;
    const char *daraja_certificate;
    const char *daraja_c2b_token;
    const char *daraja_addresses;
    const char *at_base_url;
    const char *at_username;
    const char *at_api_key;
    const char *at_sender;
    const char *at_report_token;
    const char *smtp_url;
    const char *smtp_password;
    const char *mail_from;
    const char *messages_dir;
    struct span payment_ask_after;
    struct span payment_ask_max;
    struct span payment_give_up;
    struct span mpesa_prompt_ttl;
    struct span refund_ask_after;
    int64_t refund_attempts;
    int64_t workers_fast;
    int64_t workers_hash;
    int64_t workers_wire;
    int64_t worker_max_requests;
    struct span worker_deadline;
    struct span queue_limit;
    struct span stop_timeout;
    struct span jobs_poll;
    struct span jobs_lease;
    struct span jobs_backoff;
    struct span jobs_backoff_max;
    int64_t jobs_max_attempts;
    int64_t jobs_batch;
    struct span jobs_sweep;
    struct span audit_seal;
    const char *metrics_dir;
    const char *metrics_addresses;
    struct span metrics_every;
    struct span metrics_full_every;
    const char *media_dir;
    struct size upload_max_size;
    struct span media_sweep;
    struct span media_grace;
    const char *backup_dir;
    const char *app_hosts;
    const char *maintenance_allow;
    const char *nginx_listen;
    const char *nginx_listen_http;
    const char *tls_certificate;
    const char *tls_certificate_key;
    const char *acme_dir;
    const char *nginx_dir;
    const char *nginx_templates;
    const char *nginx_cache;
    const char *nginx_access_log;
    const char *nginx_error_log;
    const char *socket_dir;
    const char *docs_dir;
    const char *sql_dir;
    const char *fault_dir;
};

/* The settings in force. Read-only for everybody; config_load() alone writes it. */
extern const struct config *conf;

/* Reads file (NULL for none), credentials and environment, checks everything, and only then puts
 * the result in force. False if anything is wrong: each fault has then been printed to `err`, one
 * line each, naming its variable, and the old settings stay. Unknown names in the file are faults.
 * Strings of the settings before these stay valid too, until the next load that succeeds. */
bool config_load(const char *file, FILE *err);

/* The same, but puts the result in force with its faults: for who looks what else is wrong. A bad
 * or missing text is then as it was given, or "", and a bad number its default. */
bool config_load_faulty(const char *file, FILE *err);

/* Where secrets are looked for, from the next load on, if $CREDENTIALS_DIRECTORY does not say it:
 * in `dir`, and then in `over`, whose files win. Either may be NULL, and neither need exist. Both
 * strings must stay. */
void config_credentials_in(const char *dir, const char *over);

/* From the next load on a required secret that is missing is no fault, and empty: for work that
 * needs none, as on a machine of nginx's alone, which has none. */
void config_without_secrets(void);

/* What is wrong with a value, in words that do not quote it, since it may be a secret; NULL if all
 * is well. */
typedef const char *config_check(const char *value);

/* Lets `check` look at the setting of that name too, at each load from now on: what an address may
 * look like is known to the library that will take it. Aborts if there is no such setting. */
void config_check_by(const char *name, config_check *check);

/* Lets `check` look at all settings together, at each load from now on, after each was looked at
 * for itself; also when something was wrong, so that all faults are told at once: a bad text is
 * then seen as it was given, a bad number as its default. It tells faults by config_fault(). */
struct config_load;
typedef void config_check_all(const struct config *c, struct config_load *l);
void config_check_all_by(config_check_all *check);

/* Tells one fault of the setting `name`, in words that quote no secret; not if that setting has one
 * of its own, which was told before. */
void config_fault(struct config_load *l, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether SOKO_ENV is demo. */
bool config_is_demo(void);

/* The value in force of a variable, named as in the environment ("STATEMENT_TIMEOUT"), as it would
 * be written in the file: spans with their largest exact unit. NULL if no such variable exists, if
 * it is a secret, or before the first config_load(). Text is returned as it is and lives as long as
 * the settings; numbers are printed into `buf`, for which CONFIG_VALUE_SIZE suffices. */
#define CONFIG_VALUE_SIZE 24
const char *config_value(const char *name, char *buf, size_t size);

/* The default of a variable that is a number, a span or a size, in milliseconds or bytes: for what
 * is printed before any configuration is loaded. Aborts if there is no such variable. */
int64_t config_default(const char *name);

/* Prints the table for people: name, default, sentence. `soko-api --help` is this. */
void config_help(FILE *out);

/* Prints the table as a soko.conf to begin with: each setting with its sentence and, behind a '#',
 * its default; of a secret only which file it belongs into. */
void config_example(FILE *out);

/* Prints the table as items of a manual page (base/roff.h). */
void config_man(FILE *out);

/* Prints the names of all settings, each followed by `end`. */
void config_names(FILE *out, char end);

/* Prints the names of all secrets, a line each: what systemd's units load as credentials. */
void config_secrets(FILE *out);

#endif
