/*
 * routes: every way into the shop, one row each (routes.c).
 */
#ifndef SOKO_ROUTES_H
#define SOKO_ROUTES_H

#include "shop/endpoint.h"

#include <stddef.h>
#include <stdint.h>

enum method { METHOD_OTHER = 0, GET, HEAD, POST, PUT, DELETE, OPTIONS };

/* Who may call (API.md, "Who"). There is no default: a row that forgets the column refuses all.
 * SELLER lets administrators in too, who then name the store; BUYER lets buyers in alone.
 *
 * An API key is let in like a session that acts in the key's role, but with scope read to GET
 * alone, and never where the row asks for a person (IN_PERSON, ADMIN_IN_PERSON): that is whatever
 * says who somebody is and what he may do: passwords, second factors, sessions, keys, the profile,
 * other people's roles. Else a key that leaked could make itself more than it was given, or outlive
 * its revocation. What a key in the right role may do with scope write is all else, money included:
 * a store's own software ships and refunds, a back office's settles; the audit log names the key.
 * POST /stores is BUYER, though it gives the account a role: the key itself stays a buyer's. */
enum who { WHO_NOBODY = 0, ANYONE, SIGNED_IN, IN_PERSON, BUYER, SELLER, ADMIN, ADMIN_IN_PERSON };

/* What an id in the path is: a UUID, in req.ids; but ID_NUMBER is a count from 1, in req.numbers,
 * and ID_TOKEN a provider's token of hexadecimal digits, in req.words: any other is 404.
 * The tenancy test makes one of another account's for each kind. */
enum id_kind {
    ID_NONE = 0,
    ID_PRODUCT,
    ID_STORE,
    ID_CATEGORY,
    ID_ORDER,
    ID_REVIEW,
    ID_SESSION,
    ID_ADDRESS,
    ID_ACCOUNT,
    ID_NUMBER,
    ID_PAYMENT,
    ID_REFUND,
    ID_TOKEN,
    ID_API_KEY
};

/* How somebody is refused who has the role, but not the thing: 404 where its existence is private,
 * 403 where it is public. A promise, not a guard: the WHERE of the statement keeps it, and
 * tests/e2e/test_tenancy.py holds it to it. */
enum stranger { STRANGER_NONE = 0, STRANGER_403, STRANGER_404 };

/* Which limit counts the request (API.md, "Limits"): BY_CALLER is public for the anonymous, signed
 * in for the others. */
enum limit_class { LIMIT_FREE = 0, LIMIT_BY_CALLER, LIMIT_SIGN_IN };

/* Which workers serve it: PostgreSQL and Redis alone; password hashes; calls to providers. */
enum pool { POOL_FAST = 0, POOL_HASH, POOL_WIRE, POOL__COUNT };

/* Whether nginx may keep an anonymous GET for a second. */
enum cache_policy { CACHE_NEVER = 0, CACHE_PUBLIC };

#define ROUTE_IDS_MAX 2
#define BODY_UPLOAD SIZE_MAX

struct route {
    enum method method;
    const char *path; /* a segment that begins with ':' is an id */
    enum who who;
    enum id_kind ids[ROUTE_IDS_MAX]; /* in the order of the path */
    enum stranger stranger;
    enum limit_class limit;
    enum pool pool;
    enum cache_policy cache;
    size_t body_max; /* bytes; 0: takes no body; BODY_UPLOAD: conf->upload_max_size, in a form */
    const struct endpoint *endpoint;
};

extern const struct route routes[];
extern const size_t routes_count;

const char *method_name(enum method m);
enum method method_parse(const char *name);
const char *who_name(enum who w);

/* Whether it asks for a person: a session, and no API key. */
bool who_is_person(enum who w);
const char *id_kind_name(enum id_kind k);
const char *pool_name(enum pool p);

/* Finds the row for a method and a path (without its query). HEAD finds GET's row. NULL, and *allow
 * is the bit set (1u << enum method) of what the path does take; 0 if there is no such path. On a
 * match ids[] are the raw segments, not yet checked, NUL-terminated in `scratch` (at least as large
 * as the path and a NUL). */
const struct route *route_find(const struct route *table, size_t count, enum method method,
                               const char *path, char *scratch, const char *ids[ROUTE_IDS_MAX],
                               unsigned *allow);

/* Checks the table against itself: every row says who; all methods of a path share a pool; ids and
 * path agree; each endpoint has work, a name of its own, and a sentence. False after logging. */
bool routes_check(const struct route *table, size_t count);

#endif
