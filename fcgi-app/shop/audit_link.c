/*
 * Each column is in the MAC, of the link too: who could change when an entry was sealed could make
 * an old chain look new. Rejected: hashing JSON, for which every tool has its own spelling; and a
 * MAC that PostgreSQL computes, since then the key would be in the database that it guards.
 */
#include "shop/audit_link.h"

#include "io/box.h"

#include <inttypes.h>
#include <string.h>

#define VALUES 15

#define ENTRY_FIELDS                                                                               \
    FIELD(struct audit_link, entry)                                                                \
    , FIELD(struct audit_link, sealed_us)                                                          \
    , FIELD(struct audit_link, at_us)                                                              \
    , FIELD(struct audit_link, event)                                                              \
    , FIELD(struct audit_link, actor)                                                              \
    , FIELD(struct audit_link, actor_role)                                                         \
    , FIELD(struct audit_link, api_key)                                                            \
    , FIELD(struct audit_link, operator)                                                           \
    , FIELD(struct audit_link, subject)                                                            \
    , FIELD(struct audit_link, address)                                                            \
    , FIELD(struct audit_link, detail)                                                             \
    , FIELD(struct audit_link, trace_id)

static const struct field unsealed_fields[] = {ENTRY_FIELDS};
static const struct field link_fields[] = {
    ENTRY_FIELDS,
    FIELD(struct audit_link, number),
    FIELD(struct audit_link, settled),
    FIELD(struct audit_link, mac),
    FIELD(struct audit_link, before),
    FIELD(struct audit_link, is_bare),
};

const struct input audit_unsealed_row = {
    .name = "AuditEntry",
    .size = sizeof(struct audit_link),
    .fields = unsealed_fields,
    .count = sizeof(unsealed_fields) / sizeof(unsealed_fields[0]),
};
const struct input audit_link_row = {
    .name = "AuditLink",
    .size = sizeof(struct audit_link),
    .fields = link_fields,
    .count = sizeof(link_fields) / sizeof(link_fields[0]),
};

/* The text, in pieces: a value may be of any length. */
struct canon {
    struct arena *arena;
    struct secret_piece pieces[3 * VALUES];
    size_t count;
};

static void
put_piece(struct canon *c, const char *text)
{
    c->pieces[c->count++] = (struct secret_piece){text, strlen(text)};
}

static void
put(struct canon *c, const char *value)
{
    if (value == NULL) {
        put_piece(c, "-,");
        return;
    }
    put_piece(c, arena_printf(c->arena, "%zu:", strlen(value)));
    put_piece(c, value);
    put_piece(c, ",");
}

static void
put_number(struct canon *c, int64_t value)
{
    put(c, arena_printf(c->arena, "%" PRId64, value));
}

void
audit_link_key(const char *data_key, uint8_t key[SHA256_SIZE])
{
    box_key(data_key, "audit", key);
}

const char *
audit_link_mac(struct arena *a, const uint8_t key[SHA256_SIZE], const char *before,
               const struct audit_link *link)
{
    const char *const texts[] = {
        link->event,   link->actor,  link->actor_role, link->api_key, link->operator, link->subject,
        link->address, link->detail, link->trace_id};
    const int64_t numbers[] = {link->number, link->settled, link->sealed_us, link->entry,
                               link->at_us};
    struct canon c = {.arena = a};
    uint8_t mac[SHA256_SIZE];

    _Static_assert(1 + sizeof(numbers) / sizeof(numbers[0]) + sizeof(texts) / sizeof(texts[0]) ==
                       VALUES,
                   "all columns");
    put(&c, before);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        put_number(&c, numbers[i]);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        put(&c, texts[i]);
    secret_hmac_sha256(key, SHA256_SIZE, c.pieces, c.count, mac);
    return secret_hex(a, mac, sizeof(mac));
}
