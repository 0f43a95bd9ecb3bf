/*
 * doctor: the settings, where the secrets lie, and what the shop offers by them.
 *
 * All faults that would stop a start are told, by the same code that stops it. Secrets are looked
 * at as files: who can read them is everybody.
 */
#include "ctl_doctor.h"

#include "base/config.h"
#include "base/config_table.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHERS (S_IRWXG | S_IRWXO)

/* --- configuration ---------------------------------------------------------------------------- */

void
doctor_configuration(struct doctor *d)
{
    const char *file = d->options->config != NULL ? d->options->config : "the environment";
    char *rest = NULL, *said = arena_strdup(d->arena, d->config_said);

    for (char *line = strtok_r(said, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        doctor_say(d, FOUND_WRONG,
                   arena_printf(d->arena, "correct it in %s; `sokoctl config` explains each", file),
                   "%s", line);
    if (d->config_good)
        doctor_say(d, FOUND_GOOD, NULL, "each setting of %s is good", file);
    if (config_is_demo())
        doctor_say(d, FOUND_WARNING, "SOKO_ENV=production, before real money comes",
                   "SOKO_ENV is demo: whoever likes pays by a simulated provider");
    if (conf->public_url[0] == '\0')
        doctor_say(
            d, FOUND_WARNING, "set PUBLIC_URL to where buyers reach the shop",
            "PUBLIC_URL is empty: no provider can call back, the certificate is not compared");
}

/* --- secrets ---------------------------------------------------------------------------------- */

/* A file that holds a secret: nobody but its owner, who is root, we, or who runs the shop, may read
 * it. */
static void
look_at_secret(struct doctor *d, const char *path)
{
    struct stat st;
    uid_t shop = 0;

    doctor_shop_user(d, &shop);
    if (stat(path, &st) != 0) {
        doctor_say(d, FOUND_WRONG, arena_printf(d->arena, "restore it, or make it: %s", path),
                   "%s: %s", path, strerror(errno));
    } else if ((st.st_mode & OTHERS) != 0) {
        doctor_say(d, FOUND_WRONG, arena_printf(d->arena, "chmod 600 %s", path),
                   "%s holds secrets and is open to others (mode %04o)", path,
                   (unsigned)(st.st_mode & 07777));
    } else if (st.st_uid != 0 && st.st_uid != geteuid() && st.st_uid != shop) {
        doctor_say(d, FOUND_WRONG, arena_printf(d->arena, "chown root: %s", path),
                   "%s holds secrets and belongs to user %u", path, (unsigned)st.st_uid);
    }
}

/* Whether the file of the settings has a secret in it. */
static bool
holds_secret(const char *path)
{
    FILE *in = fopen(path, "re");
    char name[NAME_SIZE], *line = NULL;
    size_t cap = 0;
    bool found = false;

    while (in != NULL && getline(&line, &cap, in) >= 0) {
        for (size_t i = 0; i < SETTINGS; i++) {
            size_t len = strlen(config_env_name(&settings[i], name));
            const char *at = line + strspn(line, " \t");
            if (settings[i].secret && strncmp(at, name, len) == 0 &&
                at[len + strspn(at + len, " \t")] == '=')
                found = true;
        }
    }
    free(line);
    if (in != NULL)
        fclose(in);
    return found;
}

static int
is_conf(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

/* The file, and those of the folder beside it: FILE.d. */
static void
look_at_settings(struct doctor *d, const char *file)
{
    const char *dir = arena_printf(d->arena, "%s.d", file);
    struct dirent **entries;
    int n = scandir(dir, &entries, is_conf, alphasort);

    if (access(file, R_OK) == 0 && holds_secret(file))
        look_at_secret(d, file);
    for (int i = 0; i < n; i++) {
        const char *path = arena_printf(d->arena, "%s/%s", dir, entries[i]->d_name);
        if (holds_secret(path))
            look_at_secret(d, path);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

static void
look_at_credentials(struct doctor *d, const char *dir)
{
    char name[NAME_SIZE];

    for (size_t i = 0; i < SETTINGS; i++) {
        const char *path =
            arena_printf(d->arena, "%s/%s", dir, config_env_name(&settings[i], name));
        if (settings[i].secret && access(path, F_OK) == 0)
            look_at_secret(d, path);
    }
}

void
doctor_secrets(struct doctor *d)
{
    const char *file = d->options->config, *dir = getenv("CREDENTIALS_DIRECTORY");
    size_t before = d->counts[FOUND_WRONG];

    if ((dir == NULL || dir[0] == '\0') && file != NULL) /* as main() looks for them */
        dir = arena_printf(d->arena, "%s/credentials", dirname(arena_strdup(d->arena, file)));

    if (file != NULL)
        look_at_settings(d, file);
    if (dir != NULL) {
        look_at_credentials(d, dir);
        look_at_credentials(d, arena_printf(d->arena, "%s/owner", dir));
    }
    if (conf->token_key[0] != '\0' && strcmp(conf->token_key, conf->data_key) == 0)
        doctor_say(d, FOUND_WRONG,
                   "make another TOKEN_KEY: openssl rand -hex 32; everybody signs in anew",
                   "TOKEN_KEY and DATA_KEY are the same");
    if (d->counts[FOUND_WRONG] == before)
        doctor_say(d, FOUND_GOOD, NULL, "nobody else can read them");
}

/* --- what is offered -------------------------------------------------------------------------- */

static const char *
and_list(struct doctor *d, const char *list, const char *name, bool has)
{
    if (!has)
        return list;
    return list[0] == '\0' ? name : arena_printf(d->arena, "%s, %s", list, name);
}

void
doctor_methods(struct doctor *d)
{
    const char *pay = "cash on delivery", *speak = "";

    pay = and_list(d, pay, "Stripe", conf->stripe_secret_key[0] != '\0');
    pay = and_list(d, pay, "M-Pesa", conf->daraja_consumer_key[0] != '\0');
    pay = and_list(d, pay, "simulated", config_is_demo());
    speak = and_list(d, speak, "e-mail", conf->smtp_url[0] != '\0');
    speak = and_list(d, speak, "SMS", conf->at_api_key[0] != '\0');
    doctor_say(d, FOUND_GOOD, NULL, "buyers pay by %s; the shop speaks by %s", pay,
               speak[0] != '\0' ? speak : "nothing");
    if (speak[0] == '\0')
        doctor_say(d, FOUND_WARNING, "set SMTP_URL and MAIL_FROM, or AT_API_KEY and AT_USERNAME",
                   "nobody who forgot his password can be sent a code");
    if (conf->daraja_consumer_key[0] != '\0' && conf->daraja_initiator[0] == '\0')
        doctor_say(d, FOUND_WARNING,
                   "set DARAJA_INITIATOR, DARAJA_INITIATOR_PASSWORD and DARAJA_CERTIFICATE",
                   "M-Pesa takes money, and cannot give it back");
    if (!config_is_demo() && strncmp(conf->stripe_secret_key, "sk_test_", 8) == 0)
        doctor_say(d, FOUND_WARNING, "set STRIPE_SECRET_KEY to sk_live_...",
                   "Stripe's key is one for tests: no money comes");
}
