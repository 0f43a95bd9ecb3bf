/*
 * Both parts of Basic are encoded as in a form before they are joined (RFC 6749, section 2.3.1),
 * and Basic is sent to introspection too: Hydra's admin port ignores it, others demand it.
 *
 * What comes back is read strictly where it opens something and leniently where it does not matter:
 * `active` must be true itself; a time that is no integer is no time, and the token is refused; but
 * expires_in may be written as a text, and members that nobody knows are ignored. RFC 7662 makes
 * every member but `active` optional: what is missing is not held against the token, except what we
 * were told to demand (scope, audience, issuer).
 *
 * Our clocks differ. `nbf` of a token that was made just now may lie a little ahead of us.
 */
#include "providers/oauth2.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/form.h"
#include "base/json_get.h"
#include "base/log.h"
#include "base/text.h"
#include "io/secret.h"

#include <string.h>
#include <strings.h>

#define FORM_MOST ((size_t)16384)
#define BASIC_MOST ((size_t)2048)
#define CODE_MOST 64
#define LEEWAY_S 60
#define UNTOLD_S 86400                     /* a token whose life he does not tell may be as old */
#define SECONDS_MOST INT64_C(100000000000) /* the year 5138 */
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

bool
oauth2_is_token(const char *token)
{
    size_t n = strspn(token, LETTERS "0123456789-._~+/");
    size_t all = n + strspn(token + n, "=");

    return n > 0 && all <= OAUTH2_TOKEN_MOST && token[all] == '\0';
}

/* An error's name as we log it: "invalid_client". */
static const char *
code_of(struct json_object *json)
{
    const char *code = json_get_text(json, "error");
    size_t len = code == NULL ? 0 : strlen(code);

    return len > 0 && len <= CODE_MOST && strspn(code, "abcdefghijklmnopqrstuvwxyz_") == len ? code
                                                                                             : "";
}

static const char *
basic(struct arena *a)
{
    struct text both = text_new(a, BASIC_MOST);

    form_escape(&both, conf->oauth2_client_id);
    text_putc(&both, ':');
    form_escape(&both, conf->oauth2_client_secret);
    return arena_printf(a, "Authorization: Basic %s", secret_base64(a, both.data, both.len));
}

/* One form to one of his addresses. HEARD_DONE: success, *json is what he said, or NULL. */
static enum heard
post(struct ctx *ctx, const char *operation, const char *url, const struct text *form,
     struct json_object **json, struct refusal *why)
{
    const char *const headers[] = {
        basic(ctx->arena),
        "Accept: application/json",
        "Content-Type: application/x-www-form-urlencoded",
        NULL,
    };
    struct http_call call = {.method = "POST",
                             .url = url,
                             .headers = headers,
                             .body = text_cstr(form),
                             .body_len = form->len};
    struct http_answer answer;

    *json = NULL;
    *why = (struct refusal){.code = "", .message = ""};
    if (form->overflow) {
        why->message = "too long";
        return HEARD_REFUSED;
    }
    enum err e = outside_send(ctx, PROVIDER_OAUTH2, operation, &call, &answer);
    if (e != OK) {
        why->message = "no answer";
        return e == ERR_REQUEST_TIMEOUT ? HEARD_NOTHING : HEARD_NOT_SENT;
    }
    *json = json_get_tree(ctx->arena, answer.body, answer.body_len);
    why->status = answer.status;
    why->code = code_of(*json);
    if (answer.status / 100 == 2)
        return HEARD_DONE;
    if (answer.status >= 500 || answer.status == 408 || answer.status == 429)
        return HEARD_NOTHING;
    log_event(LOG_ERROR, EVENT("oauth2.refused"), TEXT("soko.operation", operation),
              INT("http.response.status_code", answer.status), TEXT("error.code", why->code));
    return answer.status == 400 ? HEARD_REFUSED : HEARD_NOT_SENT;
}

/* What he said is not of the documented shape: as good as nothing. */
static enum heard
strange(const char *operation, const char *what, struct refusal *why)
{
    log_event(LOG_ERROR, EVENT("oauth2.strange"), TEXT("soko.operation", operation),
              TEXT("error.message", what));
    why->message = what;
    return HEARD_NOTHING;
}

/* Whether `words` has the `len` characters at `one` as one of its words. */
static bool
has_word(const char *words, const char *one, size_t len)
{
    for (size_t n = 0; *words != '\0'; words += n + (words[n] == ' ' ? 1 : 0)) {
        n = strcspn(words, " ");
        if (n == len && memcmp(words, one, len) == 0)
            return true;
    }
    return false;
}

/* Whether a scope has all of those that we want. */
static bool
has_scope(const char *scope)
{
    const char *wanted = conf->oauth2_scope;

    for (size_t n = 0; *wanted != '\0'; wanted += n + (wanted[n] == ' ' ? 1 : 0)) {
        n = strcspn(wanted, " ");
        if (scope == NULL || !has_word(scope, wanted, n))
            return false;
    }
    return true;
}

/* Digits alone, at most eleven. */
static bool
read_seconds(const char *word, int64_t *out)
{
    int64_t n = 0;

    if (word == NULL || *word == '\0')
        return false;
    for (; *word != '\0'; word++) {
        if (*word < '0' || *word > '9' || n > SECONDS_MOST)
            return false;
        n = n * 10 + (*word - '0');
    }
    *out = n;
    return n <= SECONDS_MOST;
}

/* What is wrong with a token that we were given; NULL: nothing. */
static const char *
token_fault(struct json_object *json, int64_t *seconds)
{
    const char *token = json_get_text(json, "access_token");
    const char *type = json_get_text(json, "token_type");
    const char *scope = json_get_text(json, "scope");

    if (token == NULL || !oauth2_is_token(token))
        return "no access_token that fits into a header";
    if (type == NULL || strcasecmp(type, "bearer") != 0)
        return "token_type is not bearer";
    if (!read_seconds(json_get_word(json, "expires_in"), seconds) || *seconds == 0)
        return "expires_in is no number of seconds";
    if (json_get(json, "scope") != NULL && !has_scope(scope))
        return "another scope was granted than was asked for";
    return NULL;
}

enum heard
oauth2_obtain(struct ctx *ctx, struct oauth2_token *out, struct refusal *why)
{
    struct text form = text_new(ctx->arena, FORM_MOST);
    int64_t since_ms = clock_ms(), seconds = 0;
    struct json_object *json;

    *out = (struct oauth2_token){0};
    form_add(&form, "grant_type", "client_credentials");
    form_add(&form, "scope", conf->oauth2_scope);
    if (conf->oauth2_audience[0] != '\0')
        form_add(&form, "audience", conf->oauth2_audience);
    enum heard heard = post(ctx, "token", conf->oauth2_token_url, &form, &json, why);
    if (heard != HEARD_DONE)
        return heard;
    const char *fault = token_fault(json, &seconds), *token = json_get_text(json, "access_token");
    if (token != NULL && oauth2_is_token(token))
        *out = (struct oauth2_token){
            .token = token, .expires_ms = since_ms + (seconds > 0 ? seconds : UNTOLD_S) * 1000};
    return fault != NULL ? strange("token", fault, why) : HEARD_DONE;
}

/* A time of RFC 7662 in seconds. False: it is there, and is none. */
static bool
read_time(struct json_object *json, const char *name, int64_t missing, int64_t *out)
{
    *out = missing;
    if (json_get(json, name) == NULL)
        return true;
    return json_get_int(json, name, out) && *out >= 0 && *out <= SECONDS_MOST;
}

/* `aud` is a text, or a list of them. */
static bool
names_audience(struct json_object *aud)
{
    for (size_t i = 0; i < json_get_count(aud); i++) {
        const char *one = json_get_own_text(json_get_item(aud, i));
        if (one != NULL && strcmp(one, conf->oauth2_audience) == 0)
            return true;
    }
    return false;
}

static bool
is_text(struct json_object *json, const char *name, const char *wanted)
{
    const char *text = json_get_text(json, name);

    return text != NULL && strcmp(text, wanted) == 0;
}

static bool
is_refresh_token(struct json_object *json, const char *name)
{
    const char *use = json_get_text(json, name);

    return use != NULL && strcasecmp(use, "refresh_token") == 0;
}

/* Why a token that is active is not for us; NULL: it is. */
static const char *
unfit(struct json_object *json, int64_t now_ms, int64_t *expires_s)
{
    int64_t from_s, now_s = now_ms / 1000;

    if (!read_time(json, "exp", INT64_MAX / 1000, expires_s) || *expires_s <= now_s)
        return "it has expired";
    if (!read_time(json, "nbf", 0, &from_s) || from_s > now_s + LEEWAY_S)
        return "it is not good yet";
    if (is_refresh_token(json, "token_use") || is_refresh_token(json, "token_type"))
        return "it is a refresh token";
    if (json_get(json, "client_id") != NULL && !is_text(json, "client_id", conf->oauth2_client_id))
        return "it is another client's";
    if (!has_scope(json_get_text(json, "scope")))
        return "it lacks a scope";
    if (conf->oauth2_audience[0] != '\0' && !names_audience(json_get(json, "aud")))
        return "it is for another audience";
    if (conf->oauth2_issuer[0] != '\0' && !is_text(json, "iss", conf->oauth2_issuer))
        return "another issuer made it";
    return NULL;
}

static struct text
form_of_token(struct ctx *ctx, const char *token)
{
    struct text form = text_new(ctx->arena, FORM_MOST);

    form_add(&form, "token", token);
    form_add(&form, "token_type_hint", "access_token");
    return form;
}

enum heard
oauth2_introspect(struct ctx *ctx, const char *token, struct oauth2_view *out, struct refusal *why)
{
    struct text form = form_of_token(ctx, token);
    struct json_object *json;
    int64_t expires_s = 0;

    *out = (struct oauth2_view){0};
    enum heard heard = post(ctx, "introspect", conf->oauth2_introspect_url, &form, &json, why);
    /* No answer to a good question is 400; what is refused is our asking. */
    if (heard != HEARD_DONE)
        return heard == HEARD_REFUSED ? HEARD_NOT_SENT : heard;
    if (!json_get_is_object(json) || !json_get_bool(json, "active", &out->is_active))
        return strange("introspect", "no member active, true or false", why);
    if (!out->is_active)
        return HEARD_DONE;
    out->refused = unfit(json, clock_ms(), &expires_s);
    out->is_active = out->refused == NULL;
    out->expires_ms = expires_s * 1000;
    return HEARD_DONE;
}

/* RFC 7009, section 2.2.1: these two will not get better; what else he refuses will, once our
 * settings are mended. */
enum heard
oauth2_revoke(struct ctx *ctx, const char *token, struct refusal *why)
{
    struct text form = form_of_token(ctx, token);
    struct json_object *json;

    enum heard heard = post(ctx, "revoke", conf->oauth2_revoke_url, &form, &json, why);
    if (heard == HEARD_REFUSED && strcmp(why->code, "invalid_request") != 0 &&
        strcmp(why->code, "unsupported_token_type") != 0)
        return HEARD_NOT_SENT;
    return heard;
}
