/*
 * shop/audit_verify: whether the audit log is as it was written, and who reads it.
 */
#ifndef SOKO_SHOP_AUDIT_VERIFY_H
#define SOKO_SHOP_AUDIT_VERIFY_H

#include "shop/audit_seal.h"

#include <stdio.h>

struct audit_question {
    struct audit_anchor head;  /* a place that the chain must go through; number 0: none is known */
    struct audit_anchor after; /* where to begin: links up to it, and entries up to what it says is
                                  settled, were looked at before; number 0: at the first */
    int64_t late_ms;           /* after so long an entry must have a link */
};

/* Holds the whole chain against the log, in one snapshot, and prints a line for each fault:
 *
 *     altered    an entry, or its link, is not what was sealed
 *     reordered  two entries have changed places
 *     missing    a link's entry is gone, or links are
 *     truncated  the chain ends before the head that was asked for, or does not go through it
 *     foreign    from a link to the end nothing is by our key: DATA_KEY is another, or the chain
 *                was built anew
 *     inserted   an entry stands without a link where all have one
 *     unsealed   an entry has waited for its link for longer than late_ms
 *
 * then how many links there are, and the head, as NUMBER:MAC. README.md says what to do about each.
 * *faults is how many; *end (may be NULL) is where the chain ends, number 0 if it is empty. An
 * error only if the database does not answer. */
enum err audit_verify(struct ctx *ctx, FILE *out, const struct audit_question *q, size_t *faults,
                      struct audit_anchor *end);

#endif
