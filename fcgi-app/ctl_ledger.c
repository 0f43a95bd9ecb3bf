/*
 * The ledger for the sysadmin: whether it is right, and what a store was booked. The rules of what
 * is right are shop/ledger's; here it is only held against what a provider's own books say is left
 * with us, which no row of ours can know.
 */
#include "base/config.h"
#include "base/money.h"
#include "base/text.h"
#include "ctl.h"
#include "ctl_few.h"
#include "ctl_rows.h"
#include "shop/ledger.h"
#include "shop/stmt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define WORD_SIZE 32

/* A line of a provider's books. */
struct book {
    char provider[WORD_SIZE], currency[WORD_SIZE];
    int64_t amount;
};

struct account_row {
    const char *at, *order_number, *kind, *currency;
    int64_t amount, commission, balance;
};
static const struct field account_row_fields[] = {
    FIELD(struct account_row, at),      FIELD(struct account_row, order_number),
    FIELD(struct account_row, kind),    FIELD(struct account_row, currency),
    FIELD(struct account_row, amount),  FIELD(struct account_row, commission),
    FIELD(struct account_row, balance),
};
static const struct input account_row = INPUT(account_row, "AccountLine", NULL);

struct store_row {
    struct uuid id;
    const char *name;
};
static const struct field store_row_fields[] = {
    FIELD(struct store_row, id),
    FIELD(struct store_row, name),
};
static const struct input store_row = INPUT(store_row, "StatementStore", NULL);

static bool
read_word(char **at, char out[WORD_SIZE])
{
    size_t len = strcspn(*at, " \t\r");

    if (len == 0 || len >= WORD_SIZE)
        return false;
    memcpy(out, *at, len);
    out[len] = '\0';
    *at += len + strspn(*at + len, " \t\r");
    return true;
}

static bool
read_book(char *line, struct book *out)
{
    char number[WORD_SIZE], *end;

    if (!read_word(&line, out->provider) || !read_word(&line, out->currency) ||
        !read_word(&line, number) || *line != '\0')
        return false;
    errno = 0;
    out->amount = strtoll(number, &end, 10);
    return errno == 0 && *end == '\0';
}

/* "stripe KES 12345" lines; blank ones and those that begin with # say nothing. */
static bool
read_books(struct arena *a, const char *path, struct book **books, size_t *count)
{
    char *data = ctl_read_file(a, path, NULL);
    char *rest = NULL;
    size_t n = 0, lines = 1;

    *count = 0;
    if (data == NULL)
        return false;
    for (const char *c = data; *c != '\0'; c++)
        lines += *c == '\n';
    *books = arena_array(a, lines, sizeof(**books));
    for (char *line = strtok_r(data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        struct book *b = &(*books)[n];

        if (line[strspn(line, " \t\r")] == '\0' || line[0] == '#')
            continue;
        if (!read_book(line, b)) {
            fprintf(stderr, "sokoctl: %s: not \"PROVIDER CURRENCY MINOR_UNITS\": %s\n", path, line);
            return false;
        }
        n++;
    }
    *count = n;
    return true;
}

static bool
is_of(const struct ledger_sum *s, const struct book *b)
{
    return strcmp(s->account, "provider_cash") == 0 && strcmp(s->provider, b->provider) == 0 &&
           strcmp(s->currency, b->currency) == 0;
}

static size_t
compare_one(const char *provider, const char *currency, int64_t ours, int64_t theirs)
{
    char a[MONEY_TEXT_SIZE], b[MONEY_TEXT_SIZE];

    printf("%s%s %s: provider_cash is %s, the provider's books say %s\n",
           ours == theirs ? "" : "fault: ", provider, currency, money_text(ours, currency, a),
           money_text(theirs, currency, b));
    return ours != theirs;
}

/* Each line of the books against the ledger, and each currency that we say a provider of the books
 * holds against the books. */
static size_t
compare_books(const struct book *books, size_t count, const struct ledger_sum *sums, size_t n)
{
    size_t faults = 0;

    for (size_t i = 0; i < count; i++) {
        int64_t ours = 0;
        for (size_t j = 0; j < n; j++)
            ours += is_of(&sums[j], &books[i]) ? sums[j].amount : 0;
        faults += compare_one(books[i].provider, books[i].currency, ours, books[i].amount);
    }
    for (size_t j = 0; j < n; j++) {
        bool keeps = false, written = false;
        for (size_t i = 0; i < count; i++) {
            keeps = keeps || (sums[j].provider[0] != '\0' &&
                              strcmp(sums[j].provider, books[i].provider) == 0);
            written = written || is_of(&sums[j], &books[i]);
        }
        if (keeps && !written)
            faults += compare_one(sums[j].provider, sums[j].currency, sums[j].amount, 0);
    }
    return faults;
}

static int
check(struct ctx *ctx, const struct ctl_options *o)
{
    struct book *books = NULL;
    struct ledger_sum *sums;
    size_t count = 0, n, faults;

    if (o->books != NULL && !read_books(ctx->arena, o->books, &books, &count))
        return EX_DATAERR;
    enum err e = ledger_check(ctx, stdout, &faults);
    if (e == OK && o->books != NULL) {
        e = ledger_sums(ctx, &sums, &n);
        if (e == OK)
            faults += compare_books(books, count, sums, n);
    }
    if (e != OK) {
        ctl_complain(ctx, e);
        return CTL_FAILED;
    }
    if (faults == 0)
        puts("the ledger is right");
    else
        printf("%zu faults\n", faults);
    return faults == 0 ? 0 : CTL_FAILED;
}

int
ctl_ledger_check(const struct ctl_options *o)
{
    static const char *const needed[] = {"LEDGER_", NULL};
    struct arena *a = arena_new();

    /* As long as it takes: a server that reads a large ledger does not hang. */
    int status = check(ctl_few(a, conf->database_url, needed), o);
    arena_free(a);
    return status;
}

static void
print_account(const struct account_row *rows, size_t count)
{
    char amount[MONEY_TEXT_SIZE], fee[MONEY_TEXT_SIZE], balance[MONEY_TEXT_SIZE];

    printf("%-20s  %-12s  %-19s  %-3s  %15s  %15s  %15s\n", "booked at", "order", "kind", "",
           "amount", "commission", "balance");
    for (size_t i = 0; i < count; i++) {
        const struct account_row *r = &rows[i];
        printf("%-20s  %-12s  %-19s  %-3s  %15s  %15s  %15s\n", r->at,
               r->order_number != NULL ? r->order_number : "-", r->kind, r->currency,
               money_text(r->amount, r->currency, amount),
               money_text(r->commission, r->currency, fee),
               money_text(r->balance, r->currency, balance));
    }
}

int
ctl_statement(const struct ctl_options *o)
{
    struct store_row store = {0};
    struct account_row *rows;
    struct pg_arg from, until;
    struct uuid id;
    size_t count;

    if (o->store == NULL || !uuid_parse(o->store, strlen(o->store), &id)) {
        fprintf(stderr, "sokoctl: statement needs --store ID\n");
        return EX_USAGE;
    }
    if (!ctl_time("from", o->from, &from) || !ctl_time("until", o->until, &until))
        return EX_USAGE;
    struct ctx *ctx = ctl_open();
    enum err e = pg_one(ctx, STORES_SHOW, &store_row, &store, ARG_ID(id));
    if (e == ERR_NOT_FOUND) {
        fprintf(stderr, "sokoctl: --store: no store has this id\n");
        return CTL_FAILED;
    }
    if (e == OK)
        e = pg_all(ctx, PAYOUTS_ACCOUNT, &account_row, &rows, &count, ARG_ID(id), from, until);
    if (e != OK) {
        ctl_complain(ctx, e);
        return CTL_FAILED;
    }
    ctl_put(store.name);
    putchar('\n');
    print_account(rows, count);
    return 0;
}
