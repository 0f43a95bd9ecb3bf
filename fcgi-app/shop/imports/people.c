/*
 * A batch is two statements at most: one inserts all lines and passes over those that collide with
 * any of the unique keys, the other, only if there were some, asks why. So a file that is imported
 * again costs little more than reading it, and two imports, or an import and a registration, at
 * once get along by the database's own means.
 *
 * That a line was imported is known by the SHA-256 of its meaning (its values as they are stored),
 * so neither the order of columns nor the way a number is written matters, and an account that has
 * changed its e-mail address or its password since is known all the same. Rejected: recognising by
 * e-mail, phone and username, which would make a second account of whoever has changed them.
 *
 * Names are no must: some of the older systems had none. Who has none is called by his username.
 */
#include "shop/imports/people.h"
#include "base/clock.h"
#include "base/text.h"
#include "io/pg.h"
#include "io/tx.h"
#include "shop/audit.h"
#include "shop/stmt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINE_TEXT_MAX 8192 /* all values of a line that has passed the table */
#define SEPARATORS " ,;|"

static const struct field person_in_fields[] = {
    FIELD(struct person_in, name, .max = 255),
    FIELD(struct person_in, email, .max = 254, .format = FORMAT_EMAIL),
    FIELD(struct person_in, phone, .max = 32, .format = FORMAT_PHONE),
    FIELD(struct person_in, username, .max = 32, .format = FORMAT_USERNAME),
    FIELD(struct person_in, password_hash, .required = true, .max = 128),
    FIELD(struct person_in, roles, .max = 64),
    FIELD(struct person_in, is_active),
    FIELD(struct person_in, created_at, .max = 32, .format = FORMAT_TIME),
    FIELD(struct person_in, email_verified),
    FIELD(struct person_in, phone_verified),
};

static const char *
role_fault(const char *roles)
{
    for (const char *s = roles + strspn(roles, SEPARATORS); *s != '\0';
         s += strspn(s, SEPARATORS)) {
        size_t len = strcspn(s, SEPARATORS);
        if (len == strlen("admin") && strncmp(s, "admin", len) == 0)
            return "admin is not given by a file: use sokoctl user create --role admin";
        if (len == strlen("seller") && strncmp(s, "seller", len) == 0)
            return "seller is not given by a file: an account becomes one by opening a store";
        if (len != strlen("buyer") || strncmp(s, "buyer", len) != 0)
            return "may be buyer alone";
        s += len;
    }
    return NULL;
}

static void
check_person(struct input_errors *errors, const void *body)
{
    const struct person_in *in = body;
    const char *hash = in->password_hash != NULL ? password_hash_fault(in->password_hash) : NULL;
    const char *role = in->roles != NULL ? role_fault(in->roles) : NULL;
    int64_t created;

    if (in->name == NULL && in->username == NULL && !input_refused(errors, "username"))
        input_reject(errors, "name", "is required, unless there is a username");
    if (in->email == NULL && in->phone == NULL && in->username == NULL &&
        !input_refused(errors, "phone") && !input_refused(errors, "username"))
        input_reject(errors, "email", "is required, or phone, or username");
    if (hash != NULL)
        input_reject(errors, "password_hash", "%s", hash);
    if (role != NULL)
        input_reject(errors, "roles", "%s", role);
    if (in->created_at != NULL && clock_parse(in->created_at, &created) && created > clock_ms())
        input_reject(errors, "created_at", "lies in the future");
    if (in->email_verified && in->email == NULL)
        input_reject(errors, "email_verified", "is true, but there is no email");
    if (in->phone_verified && in->phone == NULL)
        input_reject(errors, "phone_verified", "is true, but there is no phone");
}
static const struct input person_in = INPUT(person_in, "PersonLine", check_person);

#define COLUMNS (sizeof(person_in_fields) / sizeof(person_in_fields[0]))

struct added_row {
    bool is_added;
};
static const struct field added_row_fields[] = {FIELD(struct added_row, is_added)};
static const struct input added_row = INPUT(added_row, "PersonAdded", NULL);

struct taken_row {
    bool is_here, email, phone, username;
};
static const struct field taken_row_fields[] = {
    FIELD(struct taken_row, is_here),
    FIELD(struct taken_row, email),
    FIELD(struct taken_row, phone),
    FIELD(struct taken_row, username),
};
static const struct input taken_row = INPUT(taken_row, "PersonTaken", NULL);

struct scheme_row {
    const char *scheme;
};
static const struct field scheme_row_fields[] = {FIELD(struct scheme_row, scheme)};
static const struct input scheme_row = INPUT(scheme_row, "SchemeInUse", NULL);

/* --- a line ----------------------------------------------------------------------------------- */

enum err
people_header_read(struct arena *a, struct problems *list, const struct csv_record *r,
                   struct import_header *out)
{
    const char *columns[COLUMNS];

    for (size_t i = 0; i < COLUMNS; i++)
        columns[i] = person_in_fields[i].name;
    header_read(a, list, r, columns, COLUMNS, out);
    if (r->fault == NULL && !header_has(out, "password_hash"))
        header_miss(a, list, "password_hash");
    if (r->fault == NULL && !header_has(out, "email") && !header_has(out, "phone") &&
        !header_has(out, "username"))
        problems_add(a, list, ERR_VALIDATION, "email", NULL,
                     "the column is missing, and so are phone and username");
    return list->first != NULL ? ERR_VALIDATION : OK;
}

/* Each value with its length before it, so that no two lines look alike. */
static void
put(struct text *t, const char *value)
{
    text_printf(t, "%zu:%s", value != NULL ? strlen(value) : 0, value != NULL ? value : "");
}

static void
digest(struct arena *a, const struct person_in *in, uint8_t out[SHA256_SIZE])
{
    const char *values[] = {in->name,     in->email,         in->phone,
                            in->username, in->password_hash, in->created_at};
    const bool truths[] = {in->is_active, in->email_verified, in->phone_verified};
    struct text t = text_new(a, LINE_TEXT_MAX);

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        put(&t, values[i]);
    for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++)
        text_putc(&t, truths[i] ? '1' : '0');
    secret_sha256(t.data, t.len, out);
}

void
people_line_read(struct arena *a, const struct import_header *header, const struct csv_record *r,
                 struct person_line *line)
{
    struct input_text texts[CSV_FIELDS_MAX];
    void *out = NULL;

    *line = (struct person_line){.number = r->line};
    if (header_fits(a, &line->problems, header, r) != OK)
        return;
    for (size_t i = 0; i < r->count; i++)
        texts[i] = (struct input_text){header->names[i], header_truth(r->fields[i]), r->lens[i]};
    if (input_from_texts(a, &line->problems, &person_in, texts, r->count, &out) != OK)
        return;
    struct person_in *in = out;
    if (!input_sent(&person_in, in, "is_active"))
        in->is_active = true;
    if (in->name == NULL)
        in->name = in->username;
    digest(a, in, line->digest);
    line->in = in;
}

/* --- a batch ---------------------------------------------------------------------------------- */

/* Lines as the statements take them: a column is an array. */
struct columns {
    struct uuid *ids;
    const char **digests, **names, **emails, **phones, **usernames, **hashes, **created;
    int64_t *active, *email_verified, *phone_verified;
    size_t count;
};

struct adding {
    struct person_line **lines; /* those that are to become accounts */
    size_t n;
    struct columns all;
    /* One a line; what was added is neither here nor taken. Lines are told only after the commit,
     * since the work may run again. */
    bool *is_added;
    struct taken_row *taken;
};

static struct columns
new_columns(struct arena *a, size_t n)
{
    return (struct columns){
        .ids = arena_array(a, n, sizeof(struct uuid)),
        .digests = arena_array(a, n, sizeof(char *)),
        .names = arena_array(a, n, sizeof(char *)),
        .emails = arena_array(a, n, sizeof(char *)),
        .phones = arena_array(a, n, sizeof(char *)),
        .usernames = arena_array(a, n, sizeof(char *)),
        .hashes = arena_array(a, n, sizeof(char *)),
        .created = arena_array(a, n, sizeof(char *)),
        .active = arena_array(a, n, sizeof(int64_t)),
        .email_verified = arena_array(a, n, sizeof(int64_t)),
        .phone_verified = arena_array(a, n, sizeof(int64_t)),
    };
}

static void
take(struct ctx *ctx, struct columns *c, const struct person_line *line)
{
    const struct person_in *in = line->in;
    size_t i = c->count++;

    c->ids[i] = uuid_v7(ctx->now_ms);
    c->digests[i] = secret_hex(ctx->arena, line->digest, SHA256_SIZE);
    c->names[i] = in->name;
    c->emails[i] = in->email;
    c->phones[i] = in->phone;
    c->usernames[i] = in->username;
    c->hashes[i] = in->password_hash;
    c->created[i] = in->created_at;
    c->active[i] = in->is_active;
    c->email_verified[i] = in->email_verified;
    c->phone_verified[i] = in->phone_verified;
}

static void
refuse(struct arena *a, struct person_line *line, const struct taken_row *t)
{
    const struct {
        const char *field;
        bool taken;
    } each[] = {{"email", t->email}, {"phone", t->phone}, {"username", t->username}};

    for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
        if (each[i].taken)
            problems_add(a, &line->problems, ERR_CONFLICT, each[i].field, NULL,
                         "is taken, by an account or by a line before");
    }
    if (line->problems.first == NULL) /* he who had it has let it go since */
        problems_add(a, &line->problems, ERR_CONFLICT, NULL, NULL,
                     "was in the way of another change; import the file again");
    line->in = NULL;
}

/* Why lines were passed over. */
static enum err
explain(struct ctx *ctx, struct adding *w)
{
    const struct columns *c = &w->all;
    size_t count;

    enum err e = pg_all(ctx, PEOPLE_TAKEN, &taken_row, &w->taken, &count,
                        ARG_TEXTS(c->digests, c->count), ARG_TEXTS(c->emails, c->count),
                        ARG_TEXTS(c->phones, c->count), ARG_TEXTS(c->usernames, c->count));
    return e == OK && count != c->count ? ERR_INTERNAL : e;
}

/* How many, and from which lines: neither names nor the file's. */
static void
note(struct ctx *ctx, const struct adding *w, size_t count)
{
    char added[24], from[24], until[24];
    const struct audit_fact facts[] = {{"added", added}, {"from_line", from}, {"to_line", until}};

    snprintf(added, sizeof(added), "%zu", count);
    snprintf(from, sizeof(from), "%" PRId64, w->lines[0]->number);
    snprintf(until, sizeof(until), "%" PRId64, w->lines[w->n - 1]->number);
    audit_add(ctx, AUDIT_ACCOUNTS_IMPORTED, (struct uuid){{0}}, facts,
              sizeof(facts) / sizeof(facts[0]));
}

static enum err
add_work(struct ctx *ctx, void *arg)
{
    struct adding *w = arg;
    const struct columns *c = &w->all;
    struct added_row *rows;
    size_t count, added = 0;

    enum err e =
        pg_all(ctx, PEOPLE_ADD, &added_row, &rows, &count, ARG_IDS(c->ids, c->count),
               ARG_TEXTS(c->digests, c->count), ARG_TEXTS(c->names, c->count),
               ARG_TEXTS(c->emails, c->count), ARG_TEXTS(c->phones, c->count),
               ARG_TEXTS(c->usernames, c->count), ARG_TEXTS(c->hashes, c->count),
               ARG_INTS(c->active, c->count), ARG_TEXTS(c->created, c->count),
               ARG_INTS(c->email_verified, c->count), ARG_INTS(c->phone_verified, c->count));
    if (e != OK)
        return e;
    if (count != c->count)
        return ERR_INTERNAL;
    for (size_t i = 0; i < count; i++) {
        w->is_added[i] = rows[i].is_added;
        added += rows[i].is_added;
    }
    if (added > 0)
        note(ctx, w, added);
    return added < count ? explain(ctx, w) : OK;
}

enum err
people_add(struct ctx *ctx, struct person_line *lines, size_t n, struct people_count *count)
{
    struct adding w = {.lines = arena_array(ctx->arena, n, sizeof(struct person_line *)),
                       .all = new_columns(ctx->arena, n),
                       .is_added = arena_array(ctx->arena, n, sizeof(bool))};

    *count = (struct people_count){0};
    for (size_t i = 0; i < n; i++) {
        if (lines[i].in == NULL) {
            count->refused++;
            continue;
        }
        take(ctx, &w.all, &lines[i]);
        w.lines[w.n++] = &lines[i];
    }
    enum err e = w.n > 0 ? tx_run(ctx, add_work, &w) : OK;
    for (size_t i = 0; e == OK && i < w.n; i++) {
        if (w.is_added[i]) {
            count->added++;
        } else if (w.taken[i].is_here) {
            count->same++;
        } else {
            refuse(ctx->arena, w.lines[i], &w.taken[i]);
            count->refused++;
        }
    }
    return e;
}

/* --- what it costs ---------------------------------------------------------------------------- */

struct schemes {
    const char *s;
};

static enum err
schemes_work(struct ctx *ctx, void *arg)
{
    struct schemes *out = arg;
    struct scheme_row *rows;
    size_t count;

    enum err e = pg_all(ctx, ACCOUNTS_SCHEMES, &scheme_row, &rows, &count, ARG_NONE);
    out->s = "";
    for (size_t i = 0; e == OK && i < count; i++)
        out->s = arena_printf(ctx->arena, "%s%s%s", out->s, i > 0 ? " " : "", rows[i].scheme);
    return e;
}

enum err
people_schemes(struct ctx *ctx, const char **out)
{
    struct schemes s;

    enum err e = tx_read(ctx, schemes_work, &s);
    *out = e == OK ? s.s : "";
    return e;
}
