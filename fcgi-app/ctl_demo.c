/*
 * A shop to try: accounts with random passwords, stores, goods. Only where SOKO_ENV is demo. The
 * goods come from a catalogue file (SQL_DIR/demo/goods.csv) through the importer that everybody
 * uses; their pictures are drawn (ctl_picture.h).
 *
 * What is there already stays as it is, so that a second call does nothing, and a call after an
 * upgrade adds what is new. The passwords go to a file that its owner alone can read, those of
 * later accounts behind the others.
 */
#include "base/config.h"
#include "ctl.h"
#include "ctl_picture.h"
#include "io/secret.h"
#include "io/tx.h"
#include "shop/accounts/accounts.h"
#include "shop/audit.h"
#include "shop/catalog/images.h"
#include "shop/media.h"
#include "shop/stmt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *email, *name;
    enum role role;
    const char *store, *about; /* of a seller */
} people[] = {
    {"admin@soko.example", "Amina Admin", ROLE_ADMIN, NULL, NULL},
    {"vitabu@soko.example", "Wanjiku Kamau", ROLE_SELLER, "Vitabu vya Wanjiku",
     "Books, old and new, from Tom Mboya Street"},
    {"jikoni@soko.example", "Otieno Odhiambo", ROLE_SELLER, "Jikoni",
     "All for the kitchen, and what goes into the pot"},
    {"safari@soko.example", "Zawadi Mwangi", ROLE_SELLER, "Safari Outfitters",
     "For those who go up-country"},
    {"mavazi@soko.example", "Fatuma Abdalla", ROLE_SELLER, "Mavazi House",
     "Clothes and shoes for the whole family, from Biashara Street"},
    {"umeme@soko.example", "Kiprono Cheruiyot", ROLE_SELLER, "Umeme Electronics",
     "Phones, sound and solar power, with a warranty that counts"},
    {"shamba@soko.example", "Njeri Gathogo", ROLE_SELLER, "Shamba Fresh",
     "From the farm to the table, and what the farm needs"},
    {"urembo@soko.example", "Akinyi Were", ROLE_SELLER, "Urembo Beauty",
     "Skin, hair and fragrance, made for us"},
    {"nyumbani@soko.example", "Mutua Musyoka", ROLE_SELLER, "Nyumbani Home",
     "Furniture, bedding and baskets by people we know"},
    {"buyer@soko.example", "Baraka Buyer", ROLE_BUYER, NULL, NULL},
};
#define PEOPLE (sizeof(people) / sizeof(people[0]))
#define PASSWORD_LENGTH 16
#define SKU "DEMO-" /* what the skus of our goods begin with */

struct account_row {
    struct uuid id;
};
static const struct field account_row_fields[] = {FIELD(struct account_row, id)};
static const struct input account_row = INPUT(account_row, "DemoAccount", NULL);

struct bare_row {
    struct uuid id;
    const char *sku, *category;
};
static const struct field bare_row_fields[] = {
    FIELD(struct bare_row, id),
    FIELD(struct bare_row, sku),
    FIELD(struct bare_row, category),
};
static const struct input bare_row = INPUT(bare_row, "DemoWithoutPicture", NULL);

struct load {
    const char *accounts; /* the file for passwords */
    const char *passwords[PEOPLE];
    bool made[PEOPLE];
    size_t count; /* of those made */
};

/* A line an account that was made: role, e-mail, password. */
static bool
write_accounts(const struct load *l)
{
    bool first = l->count == PEOPLE;
    int fd = open(l->accounts, O_WRONLY | O_CREAT | O_CLOEXEC | (first ? O_TRUNC : O_APPEND), 0600);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    bool good = out != NULL;

    for (size_t i = 0; good && i < PEOPLE; i++) {
        if (l->made[i])
            good = fprintf(out, "%s %s %s\n", role_name(people[i].role), people[i].email,
                           l->passwords[i]) > 0;
    }
    if (out != NULL)
        good = fclose(out) == 0 && good;
    if (!good)
        fprintf(stderr, "sokoctl: %s: %s\n", l->accounts, strerror(errno));
    return good;
}

static enum err
make_person(struct ctx *ctx, size_t i, const char *password)
{
    struct uuid id = uuid_v7(ctx->now_ms);

    accounts_add(ctx, id, people[i].name, people[i].email, NULL, NULL, password, ROLE_BUYER);
    audit_note(ctx, AUDIT_ACCOUNT_CREATED, id, "role", role_name(people[i].role));
    enum err e = accounts_grant(ctx, id, people[i].role);
    if (e == OK && people[i].store != NULL)
        e = pg_run(ctx, STORES_ADD, ARG_ID(uuid_v7(ctx->now_ms)), ARG_ID(id),
                   ARG_TEXT(people[i].store), ARG_TEXT(people[i].about));
    return e;
}

static enum err
people_work(struct ctx *ctx, void *arg)
{
    struct load *l = arg;
    struct account_row row;
    enum err e = OK;

    l->count = 0;
    for (size_t i = 0; e == OK && i < PEOPLE; i++) {
        e = pg_one(ctx, ACCOUNTS_OF_EMAIL, &account_row, &row, ARG_TEXT(people[i].email));
        l->made[i] = e == ERR_NOT_FOUND;
        if (!l->made[i])
            continue;
        problems_clear(&ctx->problems);
        e = make_person(ctx, i, l->passwords[i]);
        l->count++;
    }
    /* Before the commit: accounts whose passwords nobody knows would be worse than a stale file. */
    return e == OK && l->count > 0 && !write_accounts(l) ? ERR_INTERNAL : e;
}

/* Draws one product's picture and stores it, as an upload would be. */
static enum err
add_picture(struct ctx *ctx, const struct bare_row *product)
{
    struct arena *a = arena_new();
    struct upload upload = {0};
    struct media media;

    upload.data = demo_picture(a, product->category, product->sku, &upload.len);
    enum err e = media_read(ctx, "image", &upload, &media);
    if (e == OK)
        e = pg_run(ctx, CATALOG_IMAGE_ADD, ARG_ID(product->id), ARG_TEXT(media.url),
                   ARG_INT(IMAGES_MAX));
    if (e == OK)
        e = media_store(ctx, &media);
    arena_free(a);
    return e;
}

static enum err
pictures_work(struct ctx *ctx, void *arg)
{
    struct bare_row *products;
    size_t count;

    (void)arg;
    enum err e = pg_all(ctx, DEMO_WITHOUT_PICTURE, &bare_row, &products, &count, ARG_TEXT(SKU));
    for (size_t i = 0; e == OK && i < count; i++)
        e = add_picture(ctx, &products[i]);
    return e;
}

int
ctl_demo_load(const struct ctl_options *o)
{
    struct ctx *ctx = ctl_open();
    struct load l = {.accounts = o->accounts};
    struct ctl_import goods = {.format = IMPORT_CSV, .quiet = true};

    if (!config_is_demo()) {
        fprintf(stderr, "sokoctl: SOKO_ENV: demo goods are for a demo shop only\n");
        return CTL_FAILED;
    }
    if (o->accounts == NULL) {
        fprintf(stderr, "sokoctl: demo load needs --accounts FILE, where the passwords go\n");
        return CTL_FAILED;
    }
    for (size_t i = 0; i < PEOPLE; i++) {
        char *word = arena_alloc(ctx->arena, PASSWORD_LENGTH + 1);
        random_base32(word, PASSWORD_LENGTH);
        l.passwords[i] = word;
    }
    enum err e = tx_run(ctx, people_work, &l);
    if (e != OK) {
        ctl_complain(ctx, e);
        return CTL_FAILED;
    }
    goods.path = arena_printf(ctx->arena, "%s/demo/goods.csv", conf->sql_dir);
    if (ctl_import(ctx, &goods) != 0)
        return CTL_FAILED;
    e = tx_run(ctx, pictures_work, NULL);
    if (e != OK) {
        ctl_complain(ctx, e);
        return CTL_FAILED;
    }
    if (l.count == 0)
        puts("the demo accounts are there already");
    else
        printf("loaded; the passwords are in %s\n", o->accounts);
    return 0;
}
