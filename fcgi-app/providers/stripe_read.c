/*
 * Design: one table of decimals serves both directions, so that what goes out by a factor comes
 * back by the same one (a hundredfold is the error that integrators report most). Two decimals is
 * what it says of no row.
 *
 * What decides about money (id, status, amount, currency) must be there and of its type; the rest
 * may be missing, null, of another version, or expanded from an id to the object.
 *
 * Source: docs.stripe.com/currencies (zero-decimal, three-decimal and special cases), and the API
 * reference of PaymentIntents and Refunds.
 */
#include "providers/stripe_private.h"

#include "base/money.h"

#include <string.h>

#define DIGITS_MOST 8
#define MOST INT64_C(99999999)
#define ID_MOST 255
#define CURRENCY_SIZE 4

/* clang-format off */
static const struct decimals {
    char code[CURRENCY_SIZE];
    int digits; /* -1: not offered */
} decimals[] = {
    {"BHD", 3}, {"BIF", 0}, {"CLP", 0}, {"DJF", 0}, {"GNF", 0}, {"JOD", 3}, {"JPY", 0}, {"KMF", 0},
    {"KRW", 0}, {"KWD", 3}, {"MGA", 0}, {"OMR", 3}, {"PYG", 0}, {"RWF", 0}, {"TND", 3}, {"VND", 0},
    {"VUV", 0}, {"XAF", 0}, {"XOF", 0}, {"XPF", 0},
    {"ISK", 2},  /* has no decimals any more, and is sent as if it had two */
    {"UGX", -1}, /* his pages contradict each other */
};

static const struct {
    const char *word;
    enum intent_status status;
} statuses[] = {
    {"requires_payment_method", INTENT_REQUIRES_PAYMENT_METHOD},
    {"requires_confirmation",   INTENT_REQUIRES_CONFIRMATION},
    {"requires_action",         INTENT_REQUIRES_ACTION},
    {"processing",              INTENT_PROCESSING},
    {"requires_capture",        INTENT_REQUIRES_CAPTURE},
    {"canceled",                INTENT_CANCELED},
    {"succeeded",               INTENT_SUCCEEDED},
};
/* clang-format on */

static int
digits_of(const char *currency)
{
    for (size_t i = 0; i < sizeof decimals / sizeof decimals[0]; i++) {
        if (strcmp(decimals[i].code, currency) == 0)
            return decimals[i].digits;
    }
    return 2;
}

/* Moves the point of `n` by that many digits, to the right if positive; false if that is not exact
 * or too large. */
static bool
shift(int64_t n, int by, int64_t *out)
{
    for (; by > 0; by--) {
        if (n > MONEY_MAX)
            return false;
        n *= 10;
    }
    for (; by < 0; by++) {
        if (n % 10 != 0)
            return false;
        n /= 10;
    }
    *out = n;
    return true;
}

bool
stripe_amount_out(int64_t amount, const char *currency, int64_t *out)
{
    int ours = money_scale(currency), theirs = digits_of(currency);
    int64_t n;

    if (ours < 0 || theirs < 0 || amount <= 0 || !shift(amount, theirs - ours, &n) || n > MOST)
        return false;
    if (theirs == 3 && n % 10 != 0)
        return false;
    *out = n;
    return true;
}

bool
stripe_amount_in(int64_t amount, const char *currency, int64_t *out)
{
    int ours = money_scale(currency), theirs = digits_of(currency);

    if (amount < 0 || amount > MONEY_MAX)
        return false;
    return shift(amount, ours < 0 || theirs < 0 ? 0 : ours - theirs, out);
}

bool
stripe_takes(int64_t amount, const char *currency)
{
    int64_t ignored;

    return stripe_amount_out(amount, currency, &ignored);
}

bool
stripe_id_valid(const char *id, const char *prefix)
{
    size_t len = strlen(prefix);

    if (id == NULL || strncmp(id, prefix, len) != 0)
        return false;
    size_t rest =
        strspn(id + len, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    return rest > 0 && id[len + rest] == '\0' && len + rest <= ID_MOST;
}

const char *
stripe_read_id(struct json_object *o, const char *name, const char *prefix)
{
    struct json_object *v = json_get(o, name);
    const char *id = json_get_is_object(v) ? json_get_text(v, "id") : json_get_own_text(v);

    return stripe_id_valid(id, prefix) ? id : NULL;
}

/* Three letters, in upper case; NULL if it is something else. */
static const char *
read_currency(struct arena *a, struct json_object *o)
{
    const char *s = json_get_text(o, "currency");

    if (s == NULL || strlen(s) != 3)
        return NULL;
    char *upper = arena_strdup(a, s);
    for (char *c = upper; *c != '\0'; c++) {
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
        if (*c < 'A' || *c > 'Z')
            return NULL;
    }
    return upper;
}

/* A required amount. */
static bool
read_amount(struct json_object *o, const char *name, const char *currency, int64_t *out)
{
    int64_t n;

    return json_get_int(o, name, &n) && stripe_amount_in(n, currency, out);
}

static struct uuid
read_uuid(struct json_object *o, const char *name)
{
    const char *s = json_get_text(json_get(o, "metadata"), name);
    struct uuid id = {0};

    if (s != NULL)
        uuid_parse(s, strlen(s), &id);
    return id;
}

static bool
is_named(struct json_object *o, const char *name)
{
    const char *s = json_get_text(o, "object");

    return s != NULL && strcmp(s, name) == 0;
}

static const char *
first_text(struct json_object *o, const char *const *names)
{
    for (; *names != NULL; names++) {
        const char *s = json_get_text(o, *names);

        if (s != NULL && s[0] != '\0')
            return s;
    }
    return NULL;
}

bool
stripe_read_intent(struct arena *a, struct json_object *o, struct stripe_intent *out)
{
    static const char *const failures[] = {"decline_code", "code", "type", NULL};
    const char *status = json_get_text(o, "status");
    struct stripe_intent i = {.id = json_get_text(o, "id"), .currency = read_currency(a, o)};

    if (!is_named(o, "payment_intent") || !stripe_id_valid(i.id, "pi_") || status == NULL ||
        i.currency == NULL || !read_amount(o, "amount", i.currency, &i.amount))
        return false;
    if (json_get(o, "amount_received") != NULL &&
        !read_amount(o, "amount_received", i.currency, &i.amount_received))
        return false;
    for (size_t n = 0; n < sizeof statuses / sizeof statuses[0]; n++) {
        if (strcmp(status, statuses[n].word) == 0)
            i.status = statuses[n].status;
    }
    /* 0 would mean "not said", and what was not said is taken for what was asked. */
    if (i.status == INTENT_SUCCEEDED && i.amount_received == 0)
        return false;
    i.client_secret = json_get_text(o, "client_secret");
    i.latest_charge = stripe_read_id(o, "latest_charge", "");
    i.failure = first_text(json_get(o, "last_payment_error"), failures);
    i.attempt = read_uuid(o, "attempt_id");
    json_get_bool(o, "livemode", &i.livemode);
    *out = i;
    return true;
}

bool
stripe_read_refund(struct arena *a, struct json_object *o, struct stripe_refund *out)
{
    const char *status = json_get_text(o, "status");
    struct stripe_refund r = {.id = json_get_text(o, "id"), .currency = read_currency(a, o)};

    if (!is_named(o, "refund") || !stripe_id_valid(r.id, "") || status == NULL ||
        r.currency == NULL || !read_amount(o, "amount", r.currency, &r.amount))
        return false;
    r.status = strcmp(status, "succeeded") == 0 ? REFUND_WORD_SUCCEEDED
               : strcmp(status, "failed") == 0 || strcmp(status, "canceled") == 0
                   ? REFUND_WORD_FAILED
                   : REFUND_WORD_PENDING;
    r.failure = json_get_text(o, "failure_reason");
    r.intent = stripe_read_id(o, "payment_intent", "pi_");
    r.refund = read_uuid(o, "refund_id");
    *out = r;
    return true;
}
