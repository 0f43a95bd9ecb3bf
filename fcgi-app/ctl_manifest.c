/*
 * The manifest is written last, so that a backup without one is none, and its own sum beside it, so
 * that no bit of it can change unseen. Against whoever can write into the folder these sums prove
 * nothing: he can make new ones. That is what the audit chain's MACs are for, and a copy elsewhere.
 */
#include "ctl_manifest.h"

#include "base/json_get.h"
#include "base/text.h"
#include "ctl.h"
#include "io/digest.h"
#include "io/pg.h"
#include "shop/audit_link.h"
#include "shop/stmt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANIFEST_MAX ((size_t)1 << 20)
#define FILE_MODE 0600
#define HEX_DIGITS "0123456789abcdef"
#define SHA256_DIGITS 64

struct facts_row {
    const char *database, *role, *owner;
    int64_t server;
    bool is_standby;
};
static const struct field facts_row_fields[] = {
    FIELD(struct facts_row, database),   FIELD(struct facts_row, role),
    FIELD(struct facts_row, owner),      FIELD(struct facts_row, server),
    FIELD(struct facts_row, is_standby),
};
static const struct input facts_row = INPUT(facts_row, "DatabaseFacts", NULL);

struct schema_row {
    int64_t schema;
};
static const struct field schema_row_fields[] = {FIELD(struct schema_row, schema)};
static const struct input schema_row = INPUT(schema_row, "SchemaOf", NULL);

static const struct field table_fields[] = {
    FIELD(struct manifest_table, name),
    FIELD(struct manifest_table, rows),
};
static const struct input table_row = {
    .name = "TableRows",
    .size = sizeof(struct manifest_table),
    .fields = table_fields,
    .count = sizeof(table_fields) / sizeof(table_fields[0]),
};

enum err
manifest_read_database(struct ctx *ctx, struct manifest *m)
{
    struct facts_row facts = {0};
    struct schema_row schema = {0};
    struct audit_link head = {0};

    enum err e = pg_one(ctx, KEEPING_FACTS, &facts_row, &facts, ARG_NONE);
    if (e == OK)
        e = pg_one(ctx, KEEPING_SCHEMA, &schema_row, &schema, ARG_NONE);
    if (e == OK)
        e = pg_all(ctx, KEEPING_COUNTS, &table_row, &m->tables, &m->table_count, ARG_NONE);
    if (e == OK)
        e = ledger_sums(ctx, &m->sums, &m->sum_count);
    if (e == OK)
        e = pg_one(ctx, AUDIT_HEAD, &audit_link_row, &head, ARG_NONE);
    if (e == OK)
        m->audit_head = arena_printf(ctx->arena, "%" PRId64 ":%s", head.number, head.mac);
    m->database = facts.database;
    m->owner = facts.owner;
    m->server = facts.server;
    m->schema = schema.schema;
    return e == ERR_NOT_FOUND ? OK : e;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void
add_tables(struct text *t, const struct manifest *m)
{
    text_key(t, "tables");
    text_putc(t, '{');
    for (size_t i = 0; i < m->table_count; i++)
        text_member_int(t, m->tables[i].name, m->tables[i].rows);
    text_putc(t, '}');
}

static void
add_sums(struct text *t, const struct manifest *m)
{
    text_key(t, "ledger");
    text_putc(t, '[');
    for (size_t i = 0; i < m->sum_count; i++) {
        text_comma(t);
        text_putc(t, '{');
        text_member(t, "currency", m->sums[i].currency);
        text_member(t, "account", m->sums[i].account);
        text_member(t, "provider", m->sums[i].provider);
        text_member_int(t, "amount", m->sums[i].amount);
        text_putc(t, '}');
    }
    text_putc(t, ']');
}

static const char *
as_json(struct arena *a, const struct manifest *m)
{
    struct text t = text_new(a, MANIFEST_MAX);

    text_putc(&t, '{');
    text_member_int(&t, "format", MANIFEST_FORMAT);
    text_member(&t, "made_at", m->made_at);
    text_member(&t, "soko", m->soko);
    text_member_int(&t, "schema", m->schema);
    text_member(&t, "database", m->database);
    text_member(&t, "owner", m->owner);
    text_member_int(&t, "server", m->server);
    text_member(&t, "pg_dump", m->pg_dump);
    add_tables(&t, m);
    add_sums(&t, m);
    text_member(&t, "audit_head", m->audit_head);
    text_member(&t, "dump_sha256", m->dump_sha256);
    text_member_int(&t, "dump_bytes", m->dump_bytes);
    text_member_bool(&t, "has_media", m->has_media);
    text_member_int(&t, "media_files", m->media_files);
    text_member_int(&t, "media_bytes", m->media_bytes);
    text_member_int(&t, "media_missing", m->media_missing);
    text_member(&t, "media_sha256", m->media_sha256);
    text_puts(&t, "}\n");
    return t.overflow ? NULL : text_cstr(&t);
}

static bool
write_file(int folder, const char *name, const char *data)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    size_t len = strlen(data), done = 0;
    ssize_t n = 0;

    while (fd >= 0 && done < len && (n = write(fd, data + done, len - done)) > 0)
        done += (size_t)n;
    bool good = fd >= 0 && done == len && fsync(fd) == 0;
    if (!good)
        fprintf(stderr, "sokoctl: %s: %s\n", name, strerror(errno));
    if (fd >= 0)
        close(fd);
    return good;
}

bool
manifest_write(struct arena *a, int folder, const struct manifest *m)
{
    const char *json = as_json(a, m);
    uint8_t digest[SHA256_SIZE];

    if (json == NULL) {
        fprintf(stderr, "sokoctl: %s would be too long\n", MANIFEST_FILE);
        return false;
    }
    secret_sha256(json, strlen(json), digest);
    const char *sum =
        arena_printf(a, "%s  %s\n", secret_hex(a, digest, sizeof(digest)), MANIFEST_FILE);
    return write_file(folder, MANIFEST_FILE, json) && write_file(folder, MANIFEST_SUM_FILE, sum);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* A small file whole; NULL after complaining. */
static char *
read_small(struct arena *a, const char *path, const char *name, size_t *len)
{
    const char *file = arena_printf(a, "%s/%s", path, name);

    if (access(file, R_OK) != 0 && errno == ENOENT) {
        fprintf(stderr, "sokoctl: %s is no whole backup: it has no %s\n", path, name);
        return NULL;
    }
    return ctl_read_file(a, file, len);
}

static bool
read_tables(struct arena *a, struct json_object *tree, struct manifest *out)
{
    struct json_object *tables = json_get(tree, "tables"), *rows;
    const char *name;
    size_t n = 0;

    while (json_get_member(tables, n, &name, &rows))
        n++;
    out->tables = arena_array(a, n, sizeof(*out->tables));
    for (size_t i = 0; json_get_member(tables, i, &name, &rows); i++) {
        out->tables[i].name = name;
        if (!json_get_int(tables, name, &out->tables[i].rows))
            return false;
    }
    out->table_count = n;
    return n > 0;
}

static bool
read_sums(struct arena *a, struct json_object *tree, struct manifest *out)
{
    struct json_object *list = json_get(tree, "ledger");

    if (list == NULL)
        return false;
    out->sum_count = json_get_count(list);
    out->sums = arena_array(a, out->sum_count, sizeof(*out->sums));
    for (size_t i = 0; i < out->sum_count; i++) {
        struct json_object *o = json_get_item(list, i);
        struct ledger_sum *s = &out->sums[i];
        s->currency = json_get_text(o, "currency");
        s->account = json_get_text(o, "account");
        s->provider = json_get_text(o, "provider");
        if (s->currency == NULL || s->account == NULL || s->provider == NULL ||
            !json_get_int(o, "amount", &s->amount))
            return false;
    }
    return true;
}

static bool
read_members(struct arena *a, struct json_object *tree, struct manifest *out)
{
    *out = (struct manifest){
        .made_at = json_get_text(tree, "made_at"),
        .soko = json_get_text(tree, "soko"),
        .database = json_get_text(tree, "database"),
        .owner = json_get_text(tree, "owner"),
        .pg_dump = json_get_text(tree, "pg_dump"),
        .audit_head = json_get_text(tree, "audit_head"),
        .dump_sha256 = json_get_text(tree, "dump_sha256"),
        .media_sha256 = json_get_text(tree, "media_sha256"),
    };
    return out->made_at != NULL && out->soko != NULL && out->owner != NULL &&
           out->dump_sha256 != NULL && json_get_int(tree, "schema", &out->schema) &&
           json_get_int(tree, "server", &out->server) &&
           json_get_int(tree, "dump_bytes", &out->dump_bytes) &&
           json_get_bool(tree, "has_media", &out->has_media) &&
           json_get_int(tree, "media_files", &out->media_files) &&
           json_get_int(tree, "media_bytes", &out->media_bytes) &&
           json_get_int(tree, "media_missing", &out->media_missing) &&
           (!out->has_media || out->media_sha256 != NULL) && read_tables(a, tree, out) &&
           read_sums(a, tree, out);
}

bool
manifest_read(struct arena *a, const char *path, struct manifest *out)
{
    uint8_t digest[SHA256_SIZE];
    size_t len;
    int64_t format = 0;
    char *sum = read_small(a, path, MANIFEST_SUM_FILE, NULL);
    char *json = sum != NULL ? read_small(a, path, MANIFEST_FILE, &len) : NULL;

    if (json == NULL)
        return false;
    secret_sha256(json, len, digest);
    if (strncmp(sum, secret_hex(a, digest, sizeof(digest)), SHA256_DIGITS) != 0) {
        fprintf(stderr, "sokoctl: %s/%s was changed: its SHA-256 is not the one in %s\n", path,
                MANIFEST_FILE, MANIFEST_SUM_FILE);
        return false;
    }
    struct json_object *tree = json_get_tree(a, json, len);
    if (!json_get_int(tree, "format", &format) || format != MANIFEST_FORMAT) {
        fprintf(stderr,
                "sokoctl: %s/%s is of a format that this program does not know: use the one that "
                "made it\n",
                path, MANIFEST_FILE);
        return false;
    }
    if (read_members(a, tree, out))
        return true;
    fprintf(stderr, "sokoctl: %s/%s lacks something\n", path, MANIFEST_FILE);
    return false;
}

/* --- the files -------------------------------------------------------------------------------- */

bool
manifest_is_picture(const char *name)
{
    return strspn(name, HEX_DIGITS) == SHA256_DIGITS && name[SHA256_DIGITS] == '.' &&
           name[SHA256_DIGITS + 1] != '\0' && strchr(name, '/') == NULL;
}

/* The SHA-256 of a file of the backup; NULL after complaining. */
static const char *
sum_of(struct arena *a, const char *file, int64_t *bytes)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const char *sum = fd >= 0 ? digest_of_file(a, fd, bytes) : NULL;

    if (sum == NULL)
        fprintf(stderr, "sokoctl: %s: %s\n", file, strerror(errno));
    if (fd >= 0)
        close(fd);
    return sum;
}

static bool
verify_dump(struct arena *a, const char *path, const struct manifest *m)
{
    const char *file = arena_printf(a, "%s/%s", path, MANIFEST_DUMP);
    int64_t bytes = 0;
    const char *sum = sum_of(a, file, &bytes);

    if (sum == NULL)
        return false;
    if (bytes != m->dump_bytes)
        fprintf(stderr, "sokoctl: %s has %" PRId64 " bytes, and had %" PRId64 "\n", file, bytes,
                m->dump_bytes);
    else if (strcmp(sum, m->dump_sha256) != 0)
        fprintf(stderr, "sokoctl: %s was changed: its SHA-256 is not the manifest's\n", file);
    return bytes == m->dump_bytes && strcmp(sum, m->dump_sha256) == 0;
}

struct walk {
    struct arena *arena;
    struct digest *names;
    int64_t files, bytes;
    bool good;
};

static int
is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void
verify_picture(struct walk *w, const char *folder, const char *name)
{
    struct arena *a = arena_new();
    const char *file = arena_printf(a, "%s/%s", folder, name);
    int64_t bytes = 0;
    const char *sum = sum_of(a, file, &bytes);

    if (sum == NULL) {
        w->good = false;
    } else if (!manifest_is_picture(name) || strncmp(name, sum, SHA256_DIGITS) != 0) {
        fprintf(stderr, "sokoctl: %s was changed: it is not what its name says\n", file);
        w->good = false;
    }
    digest_add(w->names, name, strlen(name));
    digest_add(w->names, "\n", 1);
    w->files++;
    w->bytes += bytes;
    arena_free(a);
}

/* The folders and their files in the order of their names, which begin with the folder's. */
static void
verify_folder(struct walk *w, const char *folder, bool deep)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_visible, alphasort);

    if (n < 0) {
        fprintf(stderr, "sokoctl: %s: %s\n", folder, strerror(errno));
        w->good = false;
        return;
    }
    for (int i = 0; i < n; i++) {
        if (deep)
            verify_folder(w, arena_printf(w->arena, "%s/%s", folder, entries[i]->d_name), false);
        else
            verify_picture(w, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

static bool
verify_media(struct arena *a, const char *path, const struct manifest *m)
{
    struct walk w = {.arena = a, .names = digest_new(a), .good = true};
    uint8_t digest[SHA256_SIZE];
    const char *folder = arena_printf(a, "%s/%s", path, MANIFEST_MEDIA);

    verify_folder(&w, folder, true);
    digest_end(w.names, digest);
    if (w.files != m->media_files || w.bytes != m->media_bytes)
        fprintf(stderr,
                "sokoctl: %s holds %" PRId64 " files of %" PRId64 " bytes, and held %" PRId64
                " of %" PRId64 "\n",
                folder, w.files, w.bytes, m->media_files, m->media_bytes);
    else if (w.good && strcmp(secret_hex(a, digest, sizeof(digest)), m->media_sha256) != 0)
        fprintf(stderr, "sokoctl: %s holds other files than the manifest names\n", folder);
    else
        return w.good;
    return false;
}

bool
manifest_verify_files(struct arena *a, const char *path, const struct manifest *m)
{
    bool good = verify_dump(a, path, m);

    return (!m->has_media || verify_media(a, path, m)) && good;
}

/* --- comparing -------------------------------------------------------------------------------- */

static size_t
compare_tables(const struct manifest *was, const struct manifest *is)
{
    size_t differ = 0;

    for (size_t i = 0; i < was->table_count; i++) {
        const struct manifest_table *t = &was->tables[i];
        size_t k = 0;
        while (k < is->table_count && strcmp(is->tables[k].name, t->name) != 0)
            k++;
        if (k < is->table_count && is->tables[k].rows == t->rows)
            continue;
        if (k == is->table_count)
            fprintf(stderr, "sokoctl: table %s is missing\n", t->name);
        else
            fprintf(stderr,
                    "sokoctl: table %s has %" PRId64 " rows, and the manifest says %" PRId64 "\n",
                    t->name, is->tables[k].rows, t->rows);
        differ++;
    }
    return differ;
}

static bool
is_same_account(const struct ledger_sum *x, const struct ledger_sum *y)
{
    return strcmp(x->currency, y->currency) == 0 && strcmp(x->account, y->account) == 0 &&
           strcmp(x->provider, y->provider) == 0;
}

static size_t
compare_sums(const struct manifest *was, const struct manifest *is)
{
    size_t differ = was->sum_count != is->sum_count;

    if (differ > 0)
        fprintf(stderr, "sokoctl: the ledger has %zu sums, and the manifest %zu\n", is->sum_count,
                was->sum_count);
    for (size_t i = 0; i < was->sum_count; i++) {
        const struct ledger_sum *s = &was->sums[i];
        bool found = false;
        for (size_t k = 0; k < is->sum_count && !found; k++)
            found = is_same_account(s, &is->sums[k]) && s->amount == is->sums[k].amount;
        if (!found)
            fprintf(stderr, "sokoctl: the ledger's %s %s %s is not %" PRId64 "\n", s->currency,
                    s->account, s->provider, s->amount);
        differ += !found;
    }
    return differ;
}

size_t
manifest_compare(const struct manifest *was, const struct manifest *is)
{
    size_t differ = compare_tables(was, is) + compare_sums(was, is);

    if (was->schema != is->schema) {
        fprintf(stderr, "sokoctl: the schema is %" PRId64 ", and the manifest says %" PRId64 "\n",
                is->schema, was->schema);
        differ++;
    }
    if ((was->audit_head == NULL) != (is->audit_head == NULL) ||
        (was->audit_head != NULL && strcmp(was->audit_head, is->audit_head) != 0)) {
        fprintf(stderr, "sokoctl: the audit chain ends at %s, and the manifest says %s\n",
                is->audit_head != NULL ? is->audit_head : "nothing",
                was->audit_head != NULL ? was->audit_head : "nothing");
        differ++;
    }
    return differ;
}

/* --- names ------------------------------------------------------------------------------------ */

bool
manifest_is_name(const char *name)
{
    static const char real[] = "soko-nnnnnnnnTnnnnnnZ"; /* n: a digit */
    size_t i = 0;

    for (; real[i] != '\0' && name[i] != '\0'; i++) {
        bool digit = name[i] >= '0' && name[i] <= '9';
        if (real[i] == 'n' ? !digit : name[i] != real[i])
            return false;
    }
    return real[i] == '\0' && name[i] == '\0';
}

const char *
manifest_newest(struct arena *a, const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    const char *newest = NULL;

    if (dir == NULL)
        return NULL;
    /* cppcheck-suppress readdirCalled ; readdir_r is the one that is obsolete */
    while ((entry = readdir(dir)) != NULL) {
        const char *sum = arena_printf(a, "%s/%s/%s", folder, entry->d_name, MANIFEST_SUM_FILE);
        if (manifest_is_name(entry->d_name) && access(sum, F_OK) == 0 &&
            (newest == NULL || strcmp(entry->d_name, newest) > 0))
            newest = arena_strdup(a, entry->d_name);
    }
    closedir(dir);
    errno = 0;
    return newest;
}
