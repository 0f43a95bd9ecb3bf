/*
 * Every way into the shop. Read this page first.
 *
 * To add an endpoint: write it in its domain (shop/), declare it in the domain's header, and add
 * its row here. Dispatch, 404 and 405, validation, nginx's locations, the OpenAPI document and the
 * tests follow from the row and the endpoint's tables.
 */
#include "routes.h"
#include "base/log.h"
#include "shop/accounts/accounts.h"
#include "shop/accounts/admin.h"
#include "shop/accounts/factor.h"
#include "shop/accounts/keys.h"
#include "shop/accounts/own.h"
#include "shop/accounts/reset.h"
#include "shop/accounts/verify.h"
#include "shop/addresses.h"
#include "shop/audit_list.h"
#include "shop/cart.h"
#include "shop/catalog/categories.h"
#include "shop/catalog/images.h"
#include "shop/catalog/products.h"
#include "shop/catalog/selling.h"
#include "shop/messages.h"
#include "shop/orders/orders.h"
#include "shop/payments/payments.h"
#include "shop/payouts.h"
#include "shop/reviews.h"
#include "shop/status.h"
#include "shop/stores.h"

#include <string.h>

#define KIB ((size_t)1024)
#define API "/api/v1"
#define NO_ID                                                                                      \
    {                                                                                              \
        ID_NONE                                                                                    \
    }

/* clang-format off */
const struct route routes[] = {
    /* method, path                         who        ids              stranger       limit            pool       cache         body      endpoint */

    {GET,    "/health",                     ANYONE,    NO_ID,           STRANGER_NONE, LIMIT_FREE,      POOL_FAST, CACHE_NEVER,  0,        &status_health},
    {GET,    "/ready",                      ANYONE,    NO_ID,           STRANGER_NONE, LIMIT_FREE,      POOL_FAST, CACHE_NEVER,  0,        &status_ready},
    {GET,    "/metrics",                    ANYONE,    NO_ID,           STRANGER_NONE, LIMIT_FREE,      POOL_FAST, CACHE_NEVER,  0,        &status_metrics},
    {GET,    API "/status",                 ANYONE,    NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &status_show},

    {POST,   API "/auth/register",          ANYONE,    NO_ID,           STRANGER_NONE, LIMIT_SIGN_IN,   POOL_HASH, CACHE_NEVER,  8 * KIB,  &accounts_register},
    {POST,   API "/auth/login",             ANYONE,    NO_ID,           STRANGER_NONE, LIMIT_SIGN_IN,   POOL_HASH, CACHE_NEVER,  8 * KIB,  &accounts_login},
    {POST,   API "/auth/refresh",           ANYONE,    NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  8 * KIB,  &accounts_refresh},
    {POST,   API "/auth/logout",            IN_PERSON, NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &accounts_logout},
    {GET,    API "/auth/profile",           SIGNED_IN, NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &accounts_profile},
    {PUT,    API "/auth/profile",           IN_PERSON, NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  8 * KIB,  &accounts_update_profile},
    {GET,    API "/auth/sessions",        IN_PERSON, NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &own_sessions},
    {DELETE, API "/auth/sessions/:id",    IN_PERSON, {ID_SESSION},    STRANGER_404,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &own_session_end},
    {PUT,    API "/auth/password",        IN_PERSON, NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_HASH, CACHE_NEVER,  8 * KIB,  &own_password},

    {GET,    API "/auth/totp",            IN_PERSON, NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_HASH, CACHE_NEVER,  0,        &factor_show},
    {POST,   API "/auth/totp",            IN_PERSON, NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_HASH, CACHE_NEVER,  8 * KIB,  &factor_begin},
    {DELETE, API "/auth/totp",            IN_PERSON, NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_HASH, CACHE_NEVER,  8 * KIB,  &factor_remove},
    {POST,   API "/auth/totp/confirm",    IN_PERSON, NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  8 * KIB,  &factor_confirm},
    {POST,   API "/auth/totp/recovery-codes", IN_PERSON, NO_ID,       STRANGER_NONE, LIMIT_BY_CALLER, POOL_HASH, CACHE_NEVER,  8 * KIB,  &factor_new_codes},
    {POST,   API "/auth/verify-phone",    IN_PERSON, NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  8 * KIB,  &verify_phone},
    {POST,   API "/auth/verify-email",    IN_PERSON, NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  8 * KIB,  &verify_email},
    {POST,   API "/auth/forgot-password", ANYONE,    NO_ID,           STRANGER_NONE, LIMIT_SIGN_IN,   POOL_FAST, CACHE_NEVER,  8 * KIB,  &reset_forgot},
    {POST,   API "/auth/reset-password",  ANYONE,    NO_ID,           STRANGER_NONE, LIMIT_SIGN_IN,   POOL_HASH, CACHE_NEVER,  8 * KIB,  &reset_password},

    {POST,   API "/api-keys",               IN_PERSON, NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_HASH, CACHE_NEVER,  8 * KIB,  &keys_create},
    {GET,    API "/api-keys",               IN_PERSON, NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_HASH, CACHE_NEVER,  0,        &keys_list},
    {DELETE, API "/api-keys/:id",           IN_PERSON, {ID_API_KEY},    STRANGER_404,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &keys_revoke},

    {POST,   API "/addresses",            SIGNED_IN, NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  8 * KIB,  &addresses_create},
    {GET,    API "/addresses",            SIGNED_IN, NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &addresses_list},
    {PUT,    API "/addresses/:id",        SIGNED_IN, {ID_ADDRESS},    STRANGER_404,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  8 * KIB,  &addresses_update},
    {DELETE, API "/addresses/:id",        SIGNED_IN, {ID_ADDRESS},    STRANGER_404,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &addresses_delete},

    {POST,   API "/stores",                 BUYER,     NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  64 * KIB, &stores_create},
    {GET,    API "/stores",               ANYONE,    NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_PUBLIC, 0,        &stores_list},
    {GET,    API "/stores/:id",             ANYONE,    {ID_STORE},      STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_PUBLIC, 0,        &stores_show},
    {PUT,    API "/stores/:id",           SELLER,    {ID_STORE},      STRANGER_403,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  64 * KIB, &stores_update},
    {POST,   API "/stores/:id/logo",      SELLER,    {ID_STORE},      STRANGER_403,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  BODY_UPLOAD, &stores_set_logo},
    {PUT,    API "/admin/stores/:id/status", ADMIN,     {ID_STORE},      STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  8 * KIB,  &stores_set_status},
    {PUT,    API "/admin/stores/:id/commission", ADMIN,     {ID_STORE},      STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  8 * KIB,  &stores_set_commission},

    {GET,    API "/categories",             ANYONE,    NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_PUBLIC, 0,        &categories_list},
    {POST,   API "/categories",             ADMIN,     NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  8 * KIB,  &categories_create},
    {PUT,    API "/categories/:id",       ADMIN,     {ID_CATEGORY},   STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  8 * KIB,  &categories_update},
    {DELETE, API "/categories/:id",       ADMIN,     {ID_CATEGORY},   STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &categories_delete},

    {GET,    API "/products",               ANYONE,    NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_PUBLIC, 0,        &products_list},
    {POST,   API "/products",               SELLER,    NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  64 * KIB, &products_create},
    {GET,    API "/products/:id",           ANYONE,    {ID_PRODUCT},    STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_PUBLIC, 0,        &products_show},
    {PUT,    API "/products/:id",         SELLER,    {ID_PRODUCT},    STRANGER_403,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  64 * KIB, &selling_update},
    {DELETE, API "/products/:id",         SELLER,    {ID_PRODUCT},    STRANGER_403,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &selling_hide},
    {POST,   API "/products/:id/image",   SELLER,    {ID_PRODUCT},    STRANGER_403,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  BODY_UPLOAD, &images_add},
    {DELETE, API "/products/:id/images/:n", SELLER,  {ID_PRODUCT, ID_NUMBER}, STRANGER_403, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER, 0,   &images_remove},
    {GET,    API "/seller/products",      SELLER,    NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &selling_list},

    {GET,    API "/products/:id/reviews",   ANYONE,    {ID_PRODUCT},    STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_PUBLIC, 0,        &reviews_list},
    {POST,   API "/products/:id/reviews",   SIGNED_IN, {ID_PRODUCT},    STRANGER_403,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  32 * KIB, &reviews_create},
    {GET,    API "/reviews/:id",          ANYONE,    {ID_REVIEW},     STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &reviews_show},
    {PUT,    API "/reviews/:id",          SIGNED_IN, {ID_REVIEW},     STRANGER_403,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  32 * KIB, &reviews_update},
    {DELETE, API "/reviews/:id",          SIGNED_IN, {ID_REVIEW},     STRANGER_403,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &reviews_delete},

    {GET,    API "/cart",                   BUYER,     NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &cart_show},
    {DELETE, API "/cart",                   BUYER,     NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &cart_clear},
    {POST,   API "/cart/items",             BUYER,     NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  8 * KIB,  &cart_add_item},
    {PUT,    API "/cart/items/:product_id", BUYER,     {ID_PRODUCT},    STRANGER_404,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  8 * KIB,  &cart_set_item},
    {DELETE, API "/cart/items/:product_id", BUYER,     {ID_PRODUCT},    STRANGER_404,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &cart_remove_item},

    {POST,   API "/orders",                 BUYER,     NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  32 * KIB, &orders_place},
    {GET,    API "/orders",                 BUYER,     NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &orders_list},
    {GET,    API "/orders/:id",             BUYER,     {ID_ORDER},      STRANGER_404,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &orders_show},
    {PUT,    API "/orders/:id/cancel",      BUYER,     {ID_ORDER},      STRANGER_404,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &orders_cancel},
    {PUT,    API "/orders/:id/status",      SELLER,    {ID_ORDER},      STRANGER_404,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  8 * KIB,  &orders_set_status},
    {GET,    API "/seller/orders",          SELLER,    NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &orders_seller_list},
    {GET,    API "/admin/orders",         ADMIN,     NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &orders_admin_list},

    {GET,    API "/admin/users",          ADMIN,     NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &admin_user_list},
    {PUT,    API "/admin/users/:id",      ADMIN_IN_PERSON, {ID_ACCOUNT},    STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  8 * KIB,  &admin_user_update},
    {GET,    API "/admin/audit",          ADMIN,     NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &audit_list},

    {POST,   API "/payments/stripe",                 BUYER,     NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_WIRE, CACHE_NEVER,  8 * KIB,  &payments_stripe},
    {POST,   API "/payments/mpesa",                  BUYER,     NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_WIRE, CACHE_NEVER,  8 * KIB,  &payments_mpesa},
    {GET,    API "/payments/:id",                    BUYER,     {ID_PAYMENT},    STRANGER_404,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &payments_show},
    {GET,    API "/payments/order/:order_id",        BUYER,     {ID_ORDER},      STRANGER_404,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &payments_of_order},
    {POST,   API "/orders/:id/refunds",              SELLER,    {ID_ORDER},      STRANGER_404,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  32 * KIB, &refunds_create},
    {GET,    API "/orders/:id/refunds",              SELLER,    {ID_ORDER},      STRANGER_404,  LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &refunds_list},
    {GET,    API "/seller/balance",                  SELLER,    NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &payouts_balance},
    {GET,    API "/seller/statement",                SELLER,    NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &payouts_statement},
    {GET,    API "/admin/payments",                  ADMIN,     NO_ID,           STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  0,        &payments_admin_list},
    {POST,   API "/admin/payments/:id/resolve",      ADMIN,     {ID_PAYMENT},    STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  8 * KIB,  &payments_resolve},
    {POST,   API "/admin/refunds/:id/retry",         ADMIN,     {ID_REFUND},     STRANGER_NONE, LIMIT_BY_CALLER, POOL_FAST, CACHE_NEVER,  8 * KIB,  &refunds_retry},

    /* Providers. The token in the path is the provider's word that it is he. */
    {POST,   "/webhooks/stripe",                     ANYONE,    NO_ID,           STRANGER_NONE, LIMIT_FREE,      POOL_FAST, CACHE_NEVER,  256 * KIB,&payments_stripe_event},
    {POST,   "/webhooks/stk/:token",                 ANYONE,    {ID_TOKEN},      STRANGER_NONE, LIMIT_FREE,      POOL_FAST, CACHE_NEVER,  64 * KIB, &payments_stk_callback},
    {POST,   "/webhooks/c2b/:token/validation",      ANYONE,    {ID_TOKEN},      STRANGER_NONE, LIMIT_FREE,      POOL_FAST, CACHE_NEVER,  64 * KIB, &payments_c2b_validation},
    {POST,   "/webhooks/c2b/:token/confirmation",    ANYONE,    {ID_TOKEN},      STRANGER_NONE, LIMIT_FREE,      POOL_FAST, CACHE_NEVER,  64 * KIB, &payments_c2b_confirmation},
    {POST,   "/webhooks/result/:token",              ANYONE,    {ID_TOKEN},      STRANGER_NONE, LIMIT_FREE,      POOL_FAST, CACHE_NEVER,  64 * KIB, &payments_result},
    {POST,   "/webhooks/timeout/:token",             ANYONE,    {ID_TOKEN},      STRANGER_NONE, LIMIT_FREE,      POOL_FAST, CACHE_NEVER,  64 * KIB, &payments_timeout},
    {POST,   "/webhooks/sms/:token",                 ANYONE,    {ID_TOKEN},      STRANGER_NONE, LIMIT_FREE,      POOL_FAST, CACHE_NEVER,  64 * KIB, &messages_report},
};
/* clang-format on */
const size_t routes_count = sizeof(routes) / sizeof(routes[0]);

static const char *const methods[] = {
    [METHOD_OTHER] = "OTHER", [GET] = "GET", [HEAD] = "HEAD",
    [POST] = "POST",          [PUT] = "PUT", [DELETE] = "DELETE",
    [OPTIONS] = "OPTIONS",
};
static const char *const whos[] = {
    [WHO_NOBODY] = "nobody",   [ANYONE] = "anyone",
    [SIGNED_IN] = "signed_in", [IN_PERSON] = "in_person",
    [BUYER] = "buyer",         [SELLER] = "seller",
    [ADMIN] = "admin",         [ADMIN_IN_PERSON] = "admin_in_person",
};
static const char *const id_kinds[] = {
    [ID_NONE] = "none",         [ID_PRODUCT] = "product", [ID_STORE] = "store",
    [ID_CATEGORY] = "category", [ID_ORDER] = "order",     [ID_REVIEW] = "review",
    [ID_SESSION] = "session",   [ID_ADDRESS] = "address", [ID_ACCOUNT] = "account",
    [ID_NUMBER] = "number",     [ID_PAYMENT] = "payment", [ID_REFUND] = "refund",
    [ID_TOKEN] = "token",       [ID_API_KEY] = "api_key",
};
static const char *const pools[POOL__COUNT] = {
    [POOL_FAST] = "fast",
    [POOL_HASH] = "hash",
    [POOL_WIRE] = "wire",
};

/* Holds a path against a pattern; what stands at ':' becomes an id, copied to scratch. */
static bool
fits(const char *pattern, const char *path, char *scratch, const char *ids[ROUTE_IDS_MAX])
{
    size_t n = 0;

    while (*pattern != '\0') {
        if (*pattern == ':') {
            size_t len = strcspn(path, "/");
            if (len == 0 || n == ROUTE_IDS_MAX)
                return false;
            memcpy(scratch, path, len);
            scratch[len] = '\0';
            ids[n++] = scratch;
            scratch += len + 1;
            path += len;
            pattern += strcspn(pattern, "/");
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

static size_t
ids_in_path(const char *path)
{
    size_t n = 0;

    for (; *path != '\0'; path++)
        n += *path == ':';
    return n;
}

static size_t
ids_declared(const struct route *r)
{
    size_t n = 0;

    while (n < ROUTE_IDS_MAX && r->ids[n] != ID_NONE)
        n++;
    return n;
}

static const char *
fault_in(const struct route *r)
{
    const struct endpoint *ep = r->endpoint;

    if (r->method == METHOD_OTHER || r->method == HEAD || r->method == OPTIONS)
        return "has no method of its own";
    if (r->who == WHO_NOBODY)
        return "does not say who may call it";
    if (ids_in_path(r->path) != ids_declared(r))
        return "declares other ids than its path has";
    if (ep == NULL || ep->name == NULL || ep->doc == NULL || ep->tag == NULL ||
        (ep->out == NULL) != (ep->type != NULL) || (ep->type != NULL && !ep->bare))
        return "has an endpoint that says too little";
    if (ep->run == NULL && (ep->start == NULL || ep->call == NULL || ep->finish == NULL))
        return "has an endpoint without work";
    if (r->cache == CACHE_PUBLIC && (r->method != GET || r->who != ANYONE))
        return "may be cached, and is not public";
    if ((r->method == POST || r->method == PUT) && ep->in != NULL && r->body_max == 0)
        return "takes input, and no body";
    if (ep->raw && (ep->in != NULL || ep->upload != NULL))
        return "takes its body raw, and not";
    if (ep->in != NULL && ep->upload != NULL)
        return "takes a form and JSON";
    if ((ep->upload != NULL) != (r->body_max == BODY_UPLOAD) ||
        (ep->upload != NULL && r->method == GET))
        return "takes a file in a body of another kind";
    return NULL;
}

/* What two rows may not have, or must have, in common. */
static const char *
fault_between(const struct route *a, const struct route *b)
{
    bool same_path = strcmp(a->path, b->path) == 0;

    if (same_path && a->method == b->method)
        return "stands twice";
    if (same_path && a->pool != b->pool)
        return "shares its path with another pool, and nginx cannot part them";
    /* The other row may be at fault itself, and lack what this one has. */
    if (b->endpoint != NULL && b->endpoint->name != NULL &&
        strcmp(a->endpoint->name, b->endpoint->name) == 0)
        return "shares its endpoint's name";
    return NULL;
}

const char *
method_name(enum method m)
{
    return methods[m];
}

enum method
method_parse(const char *name)
{
    for (enum method m = GET; m <= OPTIONS; m++) {
        if (strcmp(name, methods[m]) == 0)
            return m;
    }
    return METHOD_OTHER;
}

const char *
who_name(enum who w)
{
    return whos[w];
}

bool
who_is_person(enum who w)
{
    return w == IN_PERSON || w == ADMIN_IN_PERSON;
}

const char *
id_kind_name(enum id_kind k)
{
    return id_kinds[k];
}

const char *
pool_name(enum pool p)
{
    return pools[p];
}

const struct route *
route_find(const struct route *table, size_t count, enum method method, const char *path,
           char *scratch, const char *ids[ROUTE_IDS_MAX], unsigned *allow)
{
    enum method wanted = method == HEAD ? GET : method;

    *allow = 0;
    for (size_t i = 0; i < count; i++) {
        if (!fits(table[i].path, path, scratch, ids))
            continue;
        if (table[i].method == wanted)
            return &table[i];
        *allow |= 1u << table[i].method;
    }
    return NULL;
}

bool
routes_check(const struct route *table, size_t count)
{
    bool good = true;

    for (size_t i = 0; i < count; i++) {
        const char *why = fault_in(&table[i]);
        for (size_t j = 0; why == NULL && j < i; j++)
            why = fault_between(&table[i], &table[j]);
        if (why != NULL) {
            log_event(LOG_ERROR, EVENT("routes.fault"), TEXT("url.path", table[i].path),
                      TEXT("http.request.method", method_name(table[i].method)),
                      TEXT("message", why));
            good = false;
        }
    }
    return good;
}
