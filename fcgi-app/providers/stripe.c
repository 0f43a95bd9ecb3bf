/*
 * Design: every call goes through ask(), which knows what an answer means for what we know. The
 * worst that any try of it has left open stays: after a 500 a second try that is turned away at the
 * door still means that nobody knows.
 *
 * A call is tried twice at most, the second time with the same Idempotency-Key, by which Stripe
 * gives the first one's answer again if there was one. That key is made from our row, so that
 * another process, after a crash, repeats the same call. But cancel has a new key for each call: an
 * error is kept under its key for a day, and the refusal of this hour would be the answer to every
 * later question. To cancel twice does no harm.
 *
 * An idempotency_error says that this key was used with other parameters, so the first call may
 * well have been done: that is no refusal but something for a person to look at.
 *
 * Source: docs.stripe.com/api/errors, /idempotent_requests, /error-low-level; the official SDK's
 * retries.
 */
#include "providers/stripe.h"

#include "base/config.h"
#include "base/log.h"
#include "base/text.h"
#include "providers/stripe_private.h"

#include <string.h>
#include <time.h>

#define TRIES 2
#define FORM_MAX 4096
#define NS_IN_MS 1000000L

struct question {
    const char *operation; /* for the log */
    const char *path;
    const char *key;         /* Idempotency-Key; NULL: a GET */
    const struct text *form; /* with a key */
};

/* What one answer says. */
struct meaning {
    enum heard heard;
    bool again; /* worth a second try at once */
};

enum { SHOULD_RETRY, REQUEST_ID };
static const char *const wanted[] = {
    [SHOULD_RETRY] = "Stripe-Should-Retry", [REQUEST_ID] = "Request-Id", NULL};

static void
form_add(struct text *form, const char *name, const char *value)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-._~";

    if (form->len != 0)
        text_putc(form, '&');
    text_puts(form, name);
    text_putc(form, '=');
    for (const char *c = value; *c != '\0'; c++) {
        if (strchr(unreserved, *c) != NULL)
            text_putc(form, *c);
        else
            text_printf(form, "%%%02X", (unsigned char)*c);
    }
}

static struct text
form_new(struct ctx *ctx)
{
    return text_new(ctx->arena, FORM_MAX);
}

/* ---- calls ---- */

static const char *
text_or(const char *s, const char *otherwise)
{
    return s != NULL && s[0] != '\0' ? s : otherwise;
}

/* What Stripe would rather have, if it says so. */
static bool
should_retry(const struct http_answer *answer, bool otherwise)
{
    const char *said = answer->headers == NULL ? NULL : answer->headers[SHOULD_RETRY];

    if (said != NULL && strcmp(said, "true") == 0)
        return true;
    if (said != NULL && strcmp(said, "false") == 0)
        return false;
    return otherwise;
}

/* An answer that is no success, by the table of the wire notes (1.5). */
static struct meaning
judge_error(const struct question *q, const struct http_answer *answer, struct json_object *error,
            struct refusal *why)
{
    const char *type = text_or(json_get_text(error, "type"), "");
    bool was_reused = strcmp(type, "idempotency_error") == 0;
    struct meaning m = {HEARD_NOTHING, false};
    enum log_level level = LOG_WARN;

    why->code = text_or(json_get_text(error, "code"), type);
    why->message = text_or(json_get_text(error, "message"), "");
    if (!json_get_is_object(error)) {
        /* Not from Stripe but from something on the way: nobody knows. */
        m.again = answer->status == 409 || answer->status >= 500;
    } else if (was_reused) {
        level = LOG_ERROR;
    } else if (answer->status == 401 || answer->status == 403) {
        m.heard = HEARD_NOT_SENT;
        level = LOG_ERROR;
    } else if (answer->status == 429) {
        m.heard = HEARD_NOT_SENT;
    } else if (answer->status == 409 || answer->status == 424 || answer->status >= 500) {
        m.again = true;
    } else if (answer->status >= 400) {
        m.heard = HEARD_REFUSED;
        level = LOG_INFO;
    }
    m.again = should_retry(answer, m.again);
    log_event(level, EVENT("provider.refused"), TEXT("soko.provider", "stripe"),
              TEXT("soko.operation", q->operation),
              INT("http.response.status_code", answer->status), TEXT("error.type", type),
              TEXT("error.code", why->code),
              TEXT("soko.provider_request",
                   answer->headers == NULL ? NULL : answer->headers[REQUEST_ID]));
    return m;
}

/* One try; *root is what came, if it was JSON. */
static struct meaning
try_once(struct ctx *ctx, const struct question *q, struct json_object **root, struct refusal *why)
{
    const char *const headers[] = {
        arena_printf(ctx->arena, "Authorization: Bearer %s", conf->stripe_secret_key),
        arena_printf(ctx->arena, "Stripe-Version: %s", conf->stripe_api_version),
        /* A GET has neither of the rest. */
        q->key == NULL ? NULL : arena_printf(ctx->arena, "Idempotency-Key: %s", q->key),
        "Content-Type: application/x-www-form-urlencoded",
        NULL,
    };
    struct http_call call = {
        .method = q->key == NULL ? "GET" : "POST",
        .url = arena_printf(ctx->arena, "%s%s", conf->stripe_api_base, q->path),
        .headers = headers,
        .body = q->key == NULL ? NULL : text_cstr(q->form),
        .body_len = q->key == NULL ? 0 : q->form->len,
        .wanted = wanted,
    };
    struct http_answer answer;

    *root = NULL;
    *why = (struct refusal){.code = "", .message = ""};
    switch (outside_send(ctx, PROVIDER_STRIPE, q->operation, &call, &answer)) {
    case OK:
        break;
    case ERR_REQUEST_TIMEOUT:
        return (struct meaning){HEARD_NOTHING, true};
    default:
        return (struct meaning){HEARD_NOT_SENT, false};
    }
    why->status = answer.status;
    *root = json_get_tree(ctx->arena, answer.body, answer.body_len);
    if (answer.status < 200 || answer.status > 299)
        return judge_error(q, &answer, json_get(*root, "error"), why);
    if (json_get_is_object(*root))
        return (struct meaning){HEARD_DONE, false};
    return (struct meaning){HEARD_NOTHING, true};
}

/* Waits before the second try; false if the budget has no room for it. */
static bool
pause_briefly(struct ctx *ctx)
{
    int64_t ms = conf->provider_retry_pause.ms;
    uint8_t chance;

    random_bytes(&chance, sizeof chance);
    ms += ms * chance / 256;
    if (outside_budget(ctx) <= 2 * ms)
        return false;
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_IN_MS}, NULL);
    return true;
}

static enum heard
ask(struct ctx *ctx, const struct question *q, struct json_object **root, struct refusal *why)
{
    bool open = false; /* a try may have been done */

    for (int n = 1;; n++) {
        struct meaning m = try_once(ctx, q, root, why);

        if (m.heard == HEARD_NOT_SENT && open)
            m.heard = HEARD_NOTHING;
        open = open || m.heard == HEARD_NOTHING;
        if (!m.again || n == TRIES || !pause_briefly(ctx))
            return m.heard;
    }
}

/* Says why a call was not made at all. */
static enum heard
never(struct refusal *why, const char *code)
{
    *why = (struct refusal){.code = code, .message = ""};
    return HEARD_REFUSED;
}

/* What cannot be read is no answer. */
static enum heard
unreadable(const char *operation)
{
    log_event(LOG_ERROR, EVENT("provider.unreadable"), TEXT("soko.provider", "stripe"),
              TEXT("soko.operation", operation));
    return HEARD_NOTHING;
}

static enum heard
ask_intent(struct ctx *ctx, const struct question *q, struct stripe_intent *out,
           struct refusal *why)
{
    struct json_object *root;
    enum heard h = ask(ctx, q, &root, why);

    if (h == HEARD_DONE && !stripe_read_intent(ctx->arena, root, out))
        return unreadable(q->operation);
    return h;
}

static enum heard
ask_refund(struct ctx *ctx, const struct question *q, struct stripe_refund *out,
           struct refusal *why)
{
    struct json_object *root;
    enum heard h = ask(ctx, q, &root, why);

    if (h == HEARD_DONE && !stripe_read_refund(ctx->arena, root, out))
        return unreadable(q->operation);
    return h;
}

static void
form_add_amount(struct ctx *ctx, struct text *form, int64_t amount)
{
    form_add(form, "amount", arena_printf(ctx->arena, "%lld", (long long)amount));
}

static void
form_add_uuid(struct text *form, const char *name, struct uuid id)
{
    char text[UUID_TEXT_SIZE];

    form_add(form, name, uuid_text(id, text));
}

bool
stripe_is_live(void)
{
    /* Secret and restricted keys. */
    return strncmp(conf->stripe_secret_key, "sk_live_", 8) == 0 ||
           strncmp(conf->stripe_secret_key, "rk_live_", 8) == 0;
}

enum heard
stripe_create_intent(struct ctx *ctx, const struct stripe_intent_in *in, struct stripe_intent *out,
                     struct refusal *why)
{
    struct text form = form_new(ctx);
    char id[UUID_TEXT_SIZE];
    int64_t amount;

    if (!stripe_amount_out(in->amount, in->currency, &amount))
        return never(why, "amount_not_taken");
    char *currency = arena_strdup(ctx->arena, in->currency);
    for (char *c = currency; *c != '\0'; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    form_add_amount(ctx, &form, amount);
    form_add(&form, "currency", currency);
    form_add(&form, "automatic_payment_methods[enabled]", "true");
    form_add(&form, "description", in->order_number);
    form_add_uuid(&form, "metadata[attempt_id]", in->attempt);
    form_add_uuid(&form, "metadata[order_id]", in->order);
    const struct question q = {
        .operation = "create_intent",
        .path = "/v1/payment_intents",
        .key = arena_printf(ctx->arena, "pi-create:%s", uuid_text(in->attempt, id)),
        .form = &form,
    };
    return ask_intent(ctx, &q, out, why);
}

enum heard
stripe_get_intent(struct ctx *ctx, const char *id, struct stripe_intent *out, struct refusal *why)
{
    if (!stripe_id_valid(id, "pi_"))
        return never(why, "id_malformed");
    const struct question q = {
        .operation = "get_intent",
        .path = arena_printf(ctx->arena, "/v1/payment_intents/%s", id),
    };
    enum heard h = ask_intent(ctx, &q, out, why);
    return h == HEARD_DONE && strcmp(out->id, id) != 0 ? unreadable(q.operation) : h;
}

enum heard
stripe_cancel_intent(struct ctx *ctx, const char *id, struct stripe_intent *out,
                     struct refusal *why)
{
    struct text form = form_new(ctx);
    char once[UUID_TEXT_SIZE];
    struct json_object *root;

    if (!stripe_id_valid(id, "pi_"))
        return never(why, "id_malformed");
    form_add(&form, "cancellation_reason", "abandoned");
    const struct question q = {
        .operation = "cancel_intent",
        .path = arena_printf(ctx->arena, "/v1/payment_intents/%s/cancel", id),
        .key = arena_printf(ctx->arena, "pi-cancel:%s", uuid_text(uuid_v7(ctx->now_ms), once)),
        .form = &form,
    };
    enum heard h = ask(ctx, &q, &root, why);
    struct json_object *o = root;
    if (h == HEARD_REFUSED && strcmp(why->code, "payment_intent_unexpected_state") == 0) {
        o = json_get(json_get(root, "error"), "payment_intent");
        if (o == NULL)
            return stripe_get_intent(ctx, id, out, why);
        h = HEARD_DONE;
    }
    if (h != HEARD_DONE)
        return h;
    return stripe_read_intent(ctx->arena, o, out) && strcmp(out->id, id) == 0
               ? HEARD_DONE
               : unreadable(q.operation);
}

enum heard
stripe_refund(struct ctx *ctx, const struct stripe_refund_in *in, struct stripe_refund *out,
              struct refusal *why)
{
    struct text form = form_new(ctx);
    char id[UUID_TEXT_SIZE];
    int64_t amount;

    if (!stripe_id_valid(in->intent, "pi_"))
        return never(why, "id_malformed");
    if (!stripe_amount_out(in->amount, in->currency, &amount))
        return never(why, "amount_not_taken");
    form_add(&form, "payment_intent", in->intent);
    form_add_amount(ctx, &form, amount);
    form_add_uuid(&form, "metadata[refund_id]", in->refund);
    const struct question q = {
        .operation = "create_refund",
        .path = "/v1/refunds",
        .key = arena_printf(ctx->arena, "refund:%s:%lld", uuid_text(in->refund, id),
                            (long long)in->attempt),
        .form = &form,
    };
    return ask_refund(ctx, &q, out, why);
}

enum heard
stripe_get_refund(struct ctx *ctx, const char *id, struct stripe_refund *out, struct refusal *why)
{
    if (!stripe_id_valid(id, ""))
        return never(why, "id_malformed");
    const struct question q = {
        .operation = "get_refund",
        .path = arena_printf(ctx->arena, "/v1/refunds/%s", id),
    };
    enum heard h = ask_refund(ctx, &q, out, why);
    return h == HEARD_DONE && strcmp(out->id, id) != 0 ? unreadable(q.operation) : h;
}

/* An intent has a handful of refunds; a list that goes on is not read as "there is none". */
enum heard
stripe_find_refund(struct ctx *ctx, const char *intent, struct uuid refund,
                   struct stripe_refund *out, struct refusal *why)
{
    struct json_object *root;

    *out = (struct stripe_refund){0};
    if (!stripe_id_valid(intent, "pi_"))
        return never(why, "id_malformed");
    const struct question q = {
        .operation = "list_refunds",
        .path = arena_printf(ctx->arena, "/v1/refunds?payment_intent=%s&limit=100", intent),
    };
    enum heard h = ask(ctx, &q, &root, why);
    if (h != HEARD_DONE)
        return h;
    struct json_object *data = json_get(root, "data");
    for (size_t i = 0; i < json_get_count(data); i++) {
        struct stripe_refund one;

        if (!stripe_read_refund(ctx->arena, json_get_item(data, i), &one))
            return unreadable(q.operation);
        if (uuid_equal(one.refund, refund) &&
            (out->id == NULL || out->status == REFUND_WORD_FAILED))
            *out = one;
    }
    return out->id == NULL && (data == NULL || json_get_count(data) >= 100)
               ? unreadable(q.operation)
               : HEARD_DONE;
}
