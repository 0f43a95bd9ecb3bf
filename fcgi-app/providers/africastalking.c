/*
 * providers/africastalking: SMS.
 *
 * What a client of theirs gets wrong, and the seed did (hole 25): the header is `apiKey`, every
 * field is percent-encoded (a raw "+254" is " 254", and a '&' in the text begins a field of its
 * own), and HTTP 201 does not mean sent: each recipient has a status of his own, and a refusal of
 * all has an empty list. A code that we do not know is not known to be refused, so that nobody
 * repeats it blindly.
 *
 * An authentication that is refused (401, text) is turned away at the door: a new key takes minutes
 * to be known to all their servers, so the message may be sent later.
 */
#include "providers/africastalking.h"

#include "base/config.h"
#include "base/form.h"
#include "base/json_get.h"
#include "base/text.h"

#include <string.h>

#define FORM_MOST 16384
#define ID_MOST 100
#define CODE_MOST 64
#define DIGITS_LEAST 8
#define DIGITS_MOST 15

/* What becomes of a message by the statusCode of its recipient. */
static const struct status {
    const char *code;
    enum heard heard;
} statuses[] = {
    {"100", HEARD_DONE},     /* Processed */
    {"101", HEARD_DONE},     /* Sent */
    {"102", HEARD_DONE},     /* Queued */
    {"401", HEARD_REFUSED},  /* RiskHold */
    {"402", HEARD_REFUSED},  /* InvalidSenderId */
    {"403", HEARD_REFUSED},  /* InvalidPhoneNumber */
    {"404", HEARD_REFUSED},  /* UnsupportedNumberType */
    {"405", HEARD_REFUSED},  /* InsufficientBalance */
    {"406", HEARD_REFUSED},  /* UserInBlacklist */
    {"407", HEARD_REFUSED},  /* CouldNotRoute */
    {"409", HEARD_REFUSED},  /* DoNotDisturbRejection */
    {"500", HEARD_NOT_SENT}, /* InternalServerError */
    {"501", HEARD_NOT_SENT}, /* GatewayError */
    {"502", HEARD_REFUSED},  /* RejectedByGateway */
};

/* One number in E.164: a comma would begin a second recipient. */
static bool
is_number(const char *s)
{
    size_t digits = s == NULL || s[0] != '+' ? 0 : strspn(s + 1, "0123456789");

    return digits >= DIGITS_LEAST && digits <= DIGITS_MOST && s[1 + digits] == '\0';
}

/* A word as we keep it; NULL for what is missing, empty, too long or not printable. */
static const char *
word_of(const char *s, size_t most)
{
    if (s == NULL || s[0] == '\0' || strlen(s) > most)
        return NULL;
    for (const char *c = s; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            return NULL;
    return s;
}

static const char *
or_empty(const char *s)
{
    return s == NULL ? "" : s;
}

static const char *
form_of(struct ctx *ctx, const char *to, const char *text, size_t *len)
{
    struct text form = text_new(ctx->arena, FORM_MOST);

    form_add(&form, "username", conf->at_username);
    form_add(&form, "to", to);
    form_add(&form, "message", text);
    if (conf->at_sender[0] != '\0')
        form_add(&form, "from", conf->at_sender);
    *len = form.len;
    return form.overflow ? NULL : text_cstr(&form);
}

/* The one recipient's verdict. */
static enum heard
judge_recipient(struct json_object *recipient, struct sms_sent *out, struct refusal *why)
{
    const char *code = json_get_word(recipient, "statusCode");
    const char *id = word_of(json_get_word(recipient, "messageId"), ID_MOST);

    why->code = or_empty(word_of(json_get_text(recipient, "status"), CODE_MOST));
    for (size_t i = 0; code != NULL && i < sizeof statuses / sizeof statuses[0]; i++) {
        if (strcmp(code, statuses[i].code) != 0)
            continue;
        if (statuses[i].heard == HEARD_DONE && id != NULL && strcmp(id, "None") != 0)
            out->id = id;
        return statuses[i].heard;
    }
    return HEARD_NOTHING;
}

static enum heard
judge(struct ctx *ctx, const struct http_answer *answer, struct sms_sent *out, struct refusal *why)
{
    struct json_object *json = json_get_tree(ctx->arena, answer->body, answer->body_len);
    struct json_object *data = json_get(json, "SMSMessageData");
    struct json_object *recipients = json_get(data, "Recipients");

    why->status = answer->status;
    why->message = data == NULL ? "" : or_empty(json_get_text(data, "Message"));
    if (answer->status == 401 || answer->status == 429)
        return HEARD_NOT_SENT;
    if (answer->status >= 400 && answer->status < 500 && answer->status != 408)
        return HEARD_REFUSED;
    if (answer->status < 200 || answer->status >= 300 || recipients == NULL)
        return HEARD_NOTHING;
    if (json_get_count(recipients) == 0) {
        why->code = or_empty(word_of(why->message, CODE_MOST));
        return HEARD_REFUSED;
    }
    return judge_recipient(json_get_item(recipients, 0), out, why);
}

enum heard
africastalking_send(struct ctx *ctx, const char *to, const char *text, struct sms_sent *out,
                    struct refusal *why)
{
    const char *const headers[] = {
        arena_printf(ctx->arena, "apiKey: %s", conf->at_api_key),
        "Accept: application/json",
        "Content-Type: application/x-www-form-urlencoded",
        NULL,
    };
    struct http_call call = {
        .method = "POST",
        .url = arena_printf(ctx->arena, "%s/version1/messaging", conf->at_base_url),
        .headers = headers,
    };
    struct http_answer answer;

    *out = (struct sms_sent){.id = ""};
    *why = (struct refusal){.code = "", .message = ""};
    call.body = form_of(ctx, to == NULL ? "" : to, text, &call.body_len);
    if (!is_number(to) || text[0] == '\0' || call.body == NULL) {
        why->message = "not one number, no text, or too much";
        return HEARD_REFUSED;
    }
    switch (outside_send(ctx, PROVIDER_AFRICASTALKING, "send", &call, &answer)) {
    case OK:
        return judge(ctx, &answer, out, why);
    case ERR_PROVIDER_UNAVAILABLE:
    case ERR_INTERNAL:
        why->message = "not sent";
        return HEARD_NOT_SENT;
    default:
        why->message = "no answer";
        return HEARD_NOTHING;
    }
}

/* Success, Failed and Rejected are final. AbsentSubscriber and Expired are words of the network on
 * the way; so is whatever it may say next year. */
bool
africastalking_report_read(struct ctx *ctx, const void *body, size_t len, struct sms_report *out)
{
    const char *id = word_of(form_get(ctx->arena, body, len, "id"), ID_MOST);
    const char *status = word_of(form_get(ctx->arena, body, len, "status"), CODE_MOST);
    const char *reason = word_of(form_get(ctx->arena, body, len, "failureReason"), CODE_MOST);

    if (id == NULL || status == NULL)
        return false;
    *out = (struct sms_report){.id = id, .word = SMS_UNDER_WAY};
    if (strcmp(status, "Success") == 0) {
        out->word = SMS_DELIVERED;
    } else if (strcmp(status, "Failed") == 0 || strcmp(status, "Rejected") == 0) {
        out->word = SMS_FAILED;
        out->failure = reason == NULL ? status : reason;
    }
    return true;
}
