/*
 * shop/audit_link: a link of the chain that seals the audit log, and what its MAC is of. All that
 * somebody else's tool needs to hold the chain against the log stands here.
 *
 * A row of audit_chain is a link: its number (from 1, without a gap), the id of its entry, settled,
 * sealed_at and mac. The MAC is HMAC-SHA-256 of a text; the text is these values, one after
 * another:
 *
 *     the mac of the link before, in hexadecimal digits of lower case; nothing for number 1
 *     number, settled, sealed_at                            of audit_chain
 *     id, at, event, actor, actor_role, api_key, operator,
 *     subject, address, detail, trace_id                    of audit_log
 *
 * A value is its length in bytes, ':', itself and ',' (a netstring: "5:hello,"), and null is "-,":
 * no two rows have the same text. Numbers are decimal; times are microseconds since 1970 (UTC),
 * decimal; UUIDs are as PostgreSQL prints them; all else is UTF-8 as it stands in the column.
 *
 * The key is HMAC-SHA-256 of the bytes "box", NUL, "audit" by DATA_KEY (io/box.h's derivation).
 *
 * `settled` is a promise of the sealer's: no entry of that id or a lower one was without a link
 * when this one was made, and none can have come since. One that is there was put there.
 */
#ifndef SOKO_SHOP_AUDIT_LINK_H
#define SOKO_SHOP_AUDIT_LINK_H

#include "base/fields.h"
#include "io/secret.h"

#include <stdbool.h>
#include <stdint.h>

struct audit_link {
    int64_t number, settled, entry, sealed_us;
    const char *mac;    /* hexadecimal */
    const char *before; /* the MAC before, where the statement says it */
    bool is_bare;       /* the entry is not there */
    int64_t at_us;
    const char *event, *actor, *actor_role, *api_key, *operator, * subject, *address, *detail;
    const char *trace_id;
};

extern const struct input audit_link_row;     /* of AUDIT_HEAD and AUDIT_LINKS */
extern const struct input audit_unsealed_row; /* of AUDIT_UNSEALED: the entry and sealed_us */

/* The chain's key, of DATA_KEY. */
void audit_link_key(const char *data_key, uint8_t key[SHA256_SIZE]);

/* The MAC that the link should have behind the one of MAC `before` ("": it is the first), in
 * hexadecimal digits in the arena. Looks at neither link->mac nor link->before. */
const char *audit_link_mac(struct arena *a, const uint8_t key[SHA256_SIZE], const char *before,
                           const struct audit_link *link);

#endif
