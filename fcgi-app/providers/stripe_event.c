/*
 * Design: the signature is checked over the bytes as they came, before anything reads them. The
 * header is read as the official SDK reads it: parts between commas, a name up to the first '=',
 * the last t, any v1. Stricter than it in two points: t must be digits, and one that lies in the
 * future is refused like an old one, since our clocks agree or something is wrong.
 *
 * Each secret costs one HMAC, each signature one comparison in constant time with each of them, to
 * the end even after one has matched.
 *
 * Source: docs.stripe.com/webhooks (signatures), stripe-node's Webhooks.ts.
 */
#include "base/config.h"
#include "base/log.h"
#include "io/secret.h"
#include "providers/stripe_private.h"

#include <stdlib.h>
#include <string.h>

#define SIGNATURE_LEN (2 * SHA256_SIZE)
#define T_DIGITS_MOST 12

struct signed_header {
    const char *t; /* not ended */
    size_t t_len;
    bool has_v1;
};

/* The next part of a comma-separated list; false at its end. *at moves behind it. */
static bool
next_part(const char **at, const char **part, size_t *len)
{
    if (*at == NULL)
        return false;
    *part = *at;
    *len = strcspn(*at, ",");
    *at = (*part)[*len] == ',' ? *part + *len + 1 : NULL;
    return true;
}

/* Whether a part is "name=", and its value. */
static bool
part_is(const char *part, size_t len, const char *name, const char **value, size_t *value_len)
{
    size_t n = strlen(name);

    if (len < n + 1 || memcmp(part, name, n) != 0 || part[n] != '=')
        return false;
    *value = part + n + 1;
    *value_len = len - n - 1;
    return true;
}

static struct signed_header
read_header(const char *header)
{
    struct signed_header h = {0};
    const char *at = header, *part, *value;
    size_t len, value_len;

    while (next_part(&at, &part, &len)) {
        if (part_is(part, len, "t", &value, &value_len)) {
            h.t = value;
            h.t_len = value_len;
        }
        h.has_v1 = h.has_v1 || part_is(part, len, "v1", &value, &value_len);
    }
    return h;
}

static void
hex(const uint8_t *data, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < SHA256_SIZE; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
}

/* Whether any v1 of the header is what `secret` makes of t and body. */
static bool
any_matches(const char *header, const struct signed_header *h, const void *body, size_t len,
            const char *secret, size_t secret_len)
{
    const struct secret_piece pieces[] = {{h->t, h->t_len}, {".", 1}, {body, len}};
    const char *at = header, *part, *value;
    uint8_t mac[SHA256_SIZE];
    char want[SIGNATURE_LEN];
    size_t part_len, value_len;
    bool found = false;

    secret_hmac_sha256(secret, secret_len, pieces, 3, mac);
    hex(mac, want);
    while (next_part(&at, &part, &part_len)) {
        if (part_is(part, part_len, "v1", &value, &value_len) && value_len == SIGNATURE_LEN &&
            secret_equal(value, want, SIGNATURE_LEN))
            found = true;
    }
    return found;
}

static bool
is_signed(const char *header, const struct signed_header *h, const void *body, size_t len,
          const char *secrets)
{
    const char *at = secrets, *secret;
    size_t secret_len;
    bool found = false;

    while (next_part(&at, &secret, &secret_len)) {
        /* An empty secret is no secret: everybody knows it. */
        if (secret_len != 0 && any_matches(header, h, body, len, secret, secret_len))
            found = true;
    }
    return found;
}

const char *
stripe_signature_fault(const char *header, const void *body, size_t len, const char *secrets,
                       int64_t now_s, int64_t tolerance_s)
{
    if (header == NULL || header[0] == '\0')
        return "no signature";
    if (len == 0)
        return "an empty body";
    if (secrets == NULL || secrets[strspn(secrets, ",")] == '\0')
        return "no secret is configured";
    struct signed_header h = read_header(header);
    if (h.t == NULL)
        return "a signature without a time";
    if (h.t_len == 0 || h.t_len > T_DIGITS_MOST || strspn(h.t, "0123456789") < h.t_len)
        return "a signature with a malformed time";
    if (!h.has_v1)
        return "a signature without v1";
    if (!is_signed(header, &h, body, len, secrets))
        return "no signature that matches";
    int64_t t = strtoll(h.t, NULL, 10); /* ends at a comma or NUL */
    if (t < now_s - tolerance_s)
        return "a signature that is too old";
    if (t > now_s + tolerance_s)
        return "a signature from the future";
    return NULL;
}

/* Warns if an endpoint at Stripe speaks another version than we ask for. */
static void
look_at_version(const struct stripe_event *e)
{
    if (strcmp(e->api_version, conf->stripe_api_version) != 0)
        log_event(LOG_WARN, EVENT("stripe.version"), TEXT("error.message", e->api_version));
}

static enum err
refuse(struct ctx *ctx)
{
    return fail(ctx, ERR_VALIDATION, NULL, "not an event");
}

enum err
stripe_event_read(struct ctx *ctx, const void *body, size_t len, struct stripe_event *out)
{
    struct json_object *root = json_get_tree(ctx->arena, body, len);
    struct json_object *o = json_get(json_get(root, "data"), "object");
    const char *object = json_get_text(root, "object"), *kind = json_get_text(o, "object");
    struct stripe_event e = {.id = json_get_text(root, "id"), .type = json_get_text(root, "type")};

    if (object == NULL || strcmp(object, "event") != 0 || !stripe_id_valid(e.id, "evt_") ||
        e.type == NULL || e.type[0] == '\0' || !json_get_bool(root, "livemode", &e.livemode) ||
        !json_get_is_object(o))
        return refuse(ctx);
    e.api_version = json_get_text(root, "api_version");
    if (e.api_version == NULL)
        e.api_version = "";
    if (kind == NULL) {
        e.kind = STRIPE_OTHER;
    } else if (strcmp(kind, "payment_intent") == 0) {
        e.kind = STRIPE_INTENT;
        if (!stripe_read_intent(ctx->arena, o, &e.intent))
            return refuse(ctx);
    } else if (strcmp(kind, "refund") == 0) {
        e.kind = STRIPE_REFUND;
        if (!stripe_read_refund(ctx->arena, o, &e.refund))
            return refuse(ctx);
    } else if (strcmp(kind, "charge") == 0 || strcmp(kind, "dispute") == 0) {
        e.kind = kind[0] == 'c' ? STRIPE_CHARGE : STRIPE_DISPUTE;
        e.intent_id = stripe_read_id(o, "payment_intent", "pi_");
    }
    look_at_version(&e);
    *out = e;
    return OK;
}
