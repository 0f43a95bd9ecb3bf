/*
 * shop/audit_seal: soko-jobs gives each entry of the audit log a link of the chain (audit_link.h).
 *
 * Any number of hosts may seal: one does at a time, the others leave it to him. After each batch
 * `audit.sealed` with the head's number and MAC is logged, so that the journal tells of a chain
 * that was cut off since.
 */
#ifndef SOKO_SHOP_AUDIT_SEAL_H
#define SOKO_SHOP_AUDIT_SEAL_H

#include "io/ctx.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

/* A place in the chain that somebody remembers: its number, and its MAC in hexadecimal digits. */
struct audit_anchor {
    int64_t number;
    const char *mac;
};

/* What a sealer remembers from turn to turn; zero at first. */
struct audit_sealer {
    int64_t settled; /* no entry up to this id needs to be looked at any more */
    int64_t after;   /* how far the turn before came, if it left off; else 0 */
};

/* Seals what has no link, in batches, each a transaction of its own; until *stop (may be NULL), or
 * some 20,000 entries, so that whoever else waits for a turn gets it.
 * Not in a transaction. It seals nothing, and logs `audit.unsound`, if the head's MAC is not by our
 * key of its entry: a host with another DATA_KEY must not spoil the chain, nor do we build on what
 * was changed. `audit_seal_all` with the head that a person has looked at goes on behind it all the
 * same. Failures are logged, and tried again at the next turn. */
void audit_seal_turn(struct ctx *ctx, struct audit_sealer *s, const volatile sig_atomic_t *stop);

/* The same once, for a person: waits for whoever seals. `accepted`: a head that need not be by our
 * key; NULL: none. *sealed: how many; *head: the end of the chain, number 0 if it is empty.
 * ERR_INVALID_STATUS with a problem if the head is not sound, or not the accepted one. */
enum err audit_seal_all(struct ctx *ctx, const struct audit_anchor *accepted, size_t *sealed,
                        struct audit_anchor *head);

#endif
