/*
 * providers/daraja_call: how Daraja is spoken to, and what its answers mean.
 *
 * The question that matters after each call is whether something may have happened. Daraja's HTTP
 * status alone does not say: rate limits come as 500, "still being processed" too, and its edge
 * answers with HTML when it feels like it. So an answer is judged in this order: a code or a
 * sentence that is known to come before anything is accepted (the table below), then 4xx with JSON
 * (refused), and all that is left may have been done.
 *
 * An invalid token has a shape per API; whichever it is, the request was turned away at the door,
 * so that repeating it once with another token is safe for money too.
 *
 * Rejected: to trust a code such as "400.002.02" that arrives with a 5xx. Who answers so is broken,
 * and then the careful reading is the right one.
 */
#include "providers/daraja_call.h"

#include "base/config.h"
#include "base/json_get.h"
#include "base/log.h"
#include "base/phone.h"
#include "io/secret.h"

#include <stdlib.h>
#include <string.h>

#define BODY_MOST 16384
#define CODE_MOST 64
#define TOKEN_MOST 4096
#define TOKEN_TTL_UNSAID 300 /* seconds, if Daraja does not say */
#define TOKEN_TTL_MOST 86400

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* What is certain although the status is 5xx, or says nothing. NULL: any. */
static const struct known {
    const char *code, *words;
    enum heard heard;
} known[] = {
    {"500.003.02", NULL, HEARD_NOT_SENT}, /* system is busy; spike arrest */
    {"500.003.03", NULL, HEARD_NOT_SENT}, /* quota */
    {"500.001.1001", "Unable to lock subscriber", HEARD_NOT_SENT},
    {"500.001.1001", "Merchant does not exist", HEARD_REFUSED},
    {"500.001.1001", "Wrong credentials", HEARD_REFUSED},
    {NULL, "Spike Arrest", HEARD_NOT_SENT},
    {NULL, "Quota Violation", HEARD_NOT_SENT},
};

static const char *const token_codes[] = {"404.001.03", "401.002.01", "400.003.01"};

/* A code as we keep and log it; "" for what does not look like one. */
static const char *
code_of(const char *s)
{
    size_t len = s == NULL ? 0 : strlen(s);

    return len > 0 && len <= CODE_MOST && strspn(s, LETTERS DIGITS "._-") == len ? s : "";
}

static bool
is_good(int status)
{
    return status >= 200 && status < 300;
}

/* Two shapes of error: Daraja's own, and that of the gateway in front of it. */
static void
read_answer(struct ctx *ctx, const struct http_answer *http, struct daraja_answer *answer)
{
    struct json_object *json = json_get_tree(ctx->arena, http->body, http->body_len);
    struct json_object *fault = json_get(json, "fault");
    const char *code = json_get_word(json, "errorCode");
    const char *message = json_get_text(json, "errorMessage");

    if (fault != NULL) {
        code = json_get_text(json_get(fault, "detail"), "errorcode");
        message = json_get_text(fault, "faultstring");
    }
    *answer = (struct daraja_answer){
        .status = http->status,
        .json = json_get_is_object(json) ? json : NULL,
        .code = code_of(code),
        .message = message == NULL ? "" : message,
    };
    /* The gateway says some things in text/plain. */
    if (json == NULL && !is_good(http->status) && strcasestr(http->body, "Invalid Access Token"))
        answer->message = "Invalid Access Token";
}

static bool
has_error(const struct daraja_answer *answer)
{
    return json_get(answer->json, "errorCode") != NULL || json_get(answer->json, "fault") != NULL;
}

static bool
is_token_refused(const struct daraja_answer *answer)
{
    if (answer->status == 401)
        return true;
    if (is_good(answer->status) && !has_error(answer))
        return false;
    for (size_t i = 0; i < sizeof token_codes / sizeof token_codes[0]; i++)
        if (strcmp(answer->code, token_codes[i]) == 0)
            return true;
    return strcasestr(answer->message, "Invalid Access Token") != NULL;
}

static enum heard
judge(const struct daraja_answer *answer)
{
    if (is_good(answer->status) && answer->json != NULL && !has_error(answer))
        return HEARD_DONE;
    if (is_token_refused(answer) || answer->status == 429)
        return HEARD_NOT_SENT;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if ((known[i].code == NULL || strcmp(known[i].code, answer->code) == 0) &&
            (known[i].words == NULL || strcasestr(answer->message, known[i].words) != NULL))
            return known[i].heard;
    if (answer->status >= 400 && answer->status < 500 && answer->status != 408 &&
        answer->json != NULL)
        return HEARD_REFUSED;
    return HEARD_NOTHING;
}

/* What a call without an answer means. */
static enum heard
unanswered(enum err e, struct refusal *why)
{
    why->message = "no answer";
    /* ERR_INTERNAL: our own call was not fit to be sent. */
    return e == ERR_PROVIDER_UNAVAILABLE || e == ERR_INTERNAL ? HEARD_NOT_SENT : HEARD_NOTHING;
}

static enum heard
send_once(struct ctx *ctx, const char *token, const char *operation, const char *path,
          const struct text *body, struct daraja_answer *answer, struct refusal *why)
{
    const char *const headers[] = {
        arena_printf(ctx->arena, "Authorization: Bearer %s", token),
        "Content-Type: application/json",
        "Accept: application/json",
        NULL,
    };
    struct http_call call = {
        .method = "POST",
        .url = arena_printf(ctx->arena, "%s%s", conf->daraja_base_url, path),
        .headers = headers,
        .body = text_cstr(body),
        .body_len = body->len,
    };
    struct http_answer http;
    enum err e = outside_send(ctx, PROVIDER_DARAJA, operation, &call, &http);

    *why = (struct refusal){.code = "", .message = ""};
    *answer = (struct daraja_answer){.code = "", .message = ""};
    if (e != OK)
        return unanswered(e, why);
    read_answer(ctx, &http, answer);
    why->status = answer->status;
    why->code = answer->code;
    why->message =
        answer->json == NULL && answer->message[0] == '\0' ? "not JSON" : answer->message;
    return judge(answer);
}

struct text
daraja_body(struct ctx *ctx)
{
    return text_new(ctx->arena, BODY_MOST);
}

enum heard
daraja_call(struct ctx *ctx, const struct daraja_auth *auth, const char *operation,
            const char *path, const struct text *body, struct daraja_answer *answer,
            struct refusal *why)
{
    enum heard heard = HEARD_NOT_SENT;
    const char *refused = NULL;

    *answer = (struct daraja_answer){.code = "", .message = ""};
    *why = (struct refusal){.code = "", .message = ""};
    if (body->overflow)
        return daraja_unfit(why, "the request is too long");
    for (int turn = 0; turn < 2; turn++) {
        const char *token = auth->token(ctx, refused);

        if (token == NULL) {
            why->message = "no token";
            return HEARD_NOT_SENT;
        }
        heard = send_once(ctx, token, operation, path, body, answer, why);
        if (answer->status == 0 || !is_token_refused(answer))
            break;
        refused = token;
    }
    return heard;
}

enum heard
daraja_accepted(const struct daraja_answer *answer, const char *id, struct refusal *why)
{
    const char *code = json_get_word(answer->json, "ResponseCode");

    if (code == NULL)
        return id != NULL && id[0] != '\0' ? HEARD_DONE : HEARD_NOTHING;
    if (strcmp(code, "0") == 0)
        return HEARD_DONE;
    const char *text = json_get_text(answer->json, "ResponseDescription");
    why->code = code_of(code);
    why->message = text == NULL ? "" : text;
    return HEARD_REFUSED;
}

enum heard
daraja_unfit(struct refusal *why, const char *message)
{
    *why = (struct refusal){.code = "", .message = message};
    log_event(LOG_ERROR, EVENT("daraja.unfit"), TEXT("error.message", message));
    return HEARD_REFUSED;
}

const char *
daraja_msisdn(const char *phone)
{
    return phone != NULL && phone_is_kenyan_mobile(phone) ? phone + 1 : NULL;
}

const char *
daraja_shillings(struct ctx *ctx, int64_t amount, int64_t least, int64_t most)
{
    if (amount < least || amount > most || amount % 100 != 0)
        return NULL;
    return arena_printf(ctx->arena, "%lld", (long long)(amount / 100));
}

/* "3599" or 3599. */
static int64_t
ttl_of(struct json_object *json)
{
    const char *s = json_get_word(json, "expires_in");
    size_t digits = s == NULL ? 0 : strspn(s, DIGITS);

    if (digits == 0 || digits > 9 || s[digits] != '\0')
        return TOKEN_TTL_UNSAID;
    int64_t ttl = strtoll(s, NULL, 10);
    return ttl > TOKEN_TTL_MOST ? TOKEN_TTL_MOST : ttl;
}

/* RFC 6750's b64token and what else may stand in a header. */
static bool
is_token(const char *s)
{
    size_t len = s == NULL ? 0 : strlen(s);

    return len > 0 && len <= TOKEN_MOST && strspn(s, LETTERS DIGITS "-._~+/=|:") == len;
}

enum heard
daraja_fetch_token(struct ctx *ctx, const char **token, int64_t *expires_s, struct refusal *why)
{
    const char *pair =
        arena_printf(ctx->arena, "%s:%s", conf->daraja_consumer_key, conf->daraja_consumer_secret);
    const char *const headers[] = {
        arena_printf(ctx->arena, "Authorization: Basic %s",
                     secret_base64(ctx->arena, pair, strlen(pair))),
        "Accept: application/json",
        NULL,
    };
    struct http_call call = {
        .method = "GET",
        .url = arena_printf(ctx->arena, "%s/oauth/v1/generate?grant_type=client_credentials",
                            conf->daraja_base_url),
        .headers = headers,
    };
    struct http_answer http;
    struct daraja_answer answer;

    *why = (struct refusal){.code = "", .message = ""};
    enum err e = outside_send(ctx, PROVIDER_DARAJA, "token", &call, &http);
    if (e != OK) {
        unanswered(e, why);
        return HEARD_NOT_SENT;
    }
    read_answer(ctx, &http, &answer);
    why->status = answer.status;
    why->code = answer.code;
    why->message = answer.message;
    /* Keys of the other environment: 400 with an empty body. An edge that answers with HTML (403,
     * 503) says nothing of our keys. */
    if (answer.status >= 400 && answer.status < 500 && answer.status != 429 &&
        (answer.json != NULL || http.body_len == 0))
        return HEARD_REFUSED;
    const char *fetched = json_get_text(answer.json, "access_token");
    if (!is_good(answer.status) || !is_token(fetched))
        return HEARD_NOT_SENT;
    *token = fetched;
    *expires_s = ttl_of(answer.json);
    return HEARD_DONE;
}
