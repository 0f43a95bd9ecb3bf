/*
 * A shop to try: accounts with random passwords, stores, goods (SQL_DIR/demo). Only where SOKO_ENV
 * is demo, and only once; a second call says so and changes nothing. The passwords go to a file
 * that its owner alone can read.
 */
#include "base/config.h"
#include "ctl.h"
#include "io/secret.h"
#include "io/tx.h"
#include "shop/accounts/accounts.h"
#include "shop/stmt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *email, *name;
    enum role role;
} people[] = {
    {"admin@soko.example", "Amina Admin", ROLE_ADMIN},
    {"vitabu@soko.example", "Wanjiku Kamau", ROLE_SELLER},
    {"jikoni@soko.example", "Otieno Odhiambo", ROLE_SELLER},
    {"safari@soko.example", "Zawadi Mwangi", ROLE_SELLER},
    {"buyer@soko.example", "Baraka Buyer", ROLE_BUYER},
};
#define PEOPLE (sizeof(people) / sizeof(people[0]))
#define PASSWORD_LENGTH 16

struct loaded_row {
    int64_t accounts;
};
static const struct field loaded_row_fields[] = {FIELD(struct loaded_row, accounts)};
static const struct input loaded_row = INPUT(loaded_row, "Loaded", NULL);

struct load {
    const char *sql, *why;
    const char *passwords[PEOPLE];
    const char *accounts; /* the file for them */
    bool loaded_before;
};

/* A line an account: role, e-mail, password. */
static bool
write_accounts(const struct load *l)
{
    int fd = open(l->accounts, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    bool good = out != NULL;

    for (size_t i = 0; good && i < PEOPLE; i++)
        good = fprintf(out, "%s %s %s\n", role_name(people[i].role), people[i].email,
                       l->passwords[i]) > 0;
    if (out != NULL)
        good = fclose(out) == 0 && good;
    if (!good)
        fprintf(stderr, "sokoctl: %s: %s\n", l->accounts, strerror(errno));
    return good;
}

static enum err
load_work(struct ctx *ctx, void *arg)
{
    struct load *l = arg;
    struct loaded_row before;

    enum err e = pg_one(ctx, DEMO_LOADED, &loaded_row, &before, ARG_TEXT(people[0].email));
    l->loaded_before = e == OK && before.accounts > 0;
    if (e != OK || l->loaded_before)
        return e;
    for (size_t i = 0; e == OK && i < PEOPLE; i++) {
        struct uuid id = uuid_v7(ctx->now_ms);
        accounts_add(ctx, id, people[i].name, people[i].email, NULL, NULL, l->passwords[i],
                     ROLE_BUYER);
        e = accounts_grant(ctx, id, people[i].role);
    }
    if (e == OK)
        e = pg_script(ctx, l->sql, &l->why);
    /* Before the commit: accounts whose passwords nobody knows would be worse than a stale file. */
    return e == OK && !write_accounts(l) ? ERR_INTERNAL : e;
}

int
ctl_demo_load(const struct ctl_options *o)
{
    struct ctx *ctx = ctl_open();
    struct load l = {.accounts = o->accounts};

    if (!config_is_demo()) {
        fprintf(stderr, "sokoctl: SOKO_ENV: demo goods are for a demo shop only\n");
        return CTL_FAILED;
    }
    if (o->accounts == NULL) {
        fprintf(stderr, "sokoctl: demo load needs --accounts FILE, where the passwords go\n");
        return CTL_FAILED;
    }
    l.sql = ctl_read_file(ctx->arena,
                          arena_printf(ctx->arena, "%s/demo/catalog.sql", conf->sql_dir), NULL);
    if (l.sql == NULL)
        return CTL_FAILED;
    for (size_t i = 0; i < PEOPLE; i++) {
        char *word = arena_alloc(ctx->arena, PASSWORD_LENGTH + 1);
        random_base32(word, PASSWORD_LENGTH);
        l.passwords[i] = word;
    }
    enum err e = tx_run(ctx, load_work, &l);
    if (e != OK) {
        if (l.why != NULL)
            fprintf(stderr, "sokoctl: demo/catalog.sql: %s\n", l.why);
        ctl_complain(ctx, e);
        return CTL_FAILED;
    }
    if (l.loaded_before) {
        puts("the demo goods are loaded already");
        return 0;
    }
    printf("loaded; the passwords are in %s\n", o->accounts);
    return 0;
}
