/*
 * A row a channel and an event a row. The statement that adds the rows decides by the account which
 * of them there are, while both events are always written: a statement writes its own domain's
 * tables alone, and asking first would cost a round trip of an order's. An event without its row is
 * done at once.
 *
 * `unsure` counts how often a message may have been sent without our knowing. It is raised before
 * the call and lowered when it is certain that nothing was sent; a process that dies in between
 * leaves it raised. Whoever finds UNSURE_MAX does not send again: a person would rather miss an SMS
 * than get it for an hour. What was certainly not sent is tried again by the outbox's backoff, and
 * parked in the end, like any other event.
 *
 * An event is delivered to one process at a time unless its lease runs out. MESSAGES_LOCK therefore
 * looks whether the lease is still ours; the moment between that and the call's end is what
 * `unsure` is for.
 *
 * What only the recipient may read, a one-time code, is sealed in its row, by a key that the
 * database does not hold and for that row alone, and is gone from it (MESSAGES_END) once nobody
 * will send it again.
 *
 * A report may come before the answer that names the message: then nobody knows the id yet, and the
 * message stays at "sent", which is true. Reports are not kept for that.
 */
#include "shop/messages.h"
#include "base/config.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/log.h"
#include "base/money.h"
#include "io/box.h"
#include "io/secret.h"
#include "providers/africastalking.h"
#include "providers/mail.h"
#include "shop/req.h"

#include <string.h>

#define JSON_MAX 4096 /* bytes of parameters */
#define PARAMS_MAX 16 /* of them */
#define UNSURE_MAX 2
#define BOX "message" /* the purpose under which secrets are sealed (io/box.h) */

struct message_row {
    const char *channel, *template, *recipient, *status, *name, *sealed;
    struct json_value params;
    int64_t unsure;
    bool ours, late;
};
static const struct field message_row_fields[] = {
    FIELD(struct message_row, channel),   FIELD(struct message_row, template),
    FIELD(struct message_row, recipient), FIELD(struct message_row, status),
    FIELD(struct message_row, name),      FIELD(struct message_row, params),
    FIELD(struct message_row, unsure),    FIELD(struct message_row, ours),
    FIELD(struct message_row, sealed),    FIELD(struct message_row, late),
};
static const struct input message_row = INPUT(message_row, "MessageRow", NULL);

struct report_row {
    const char *template;
    bool known;
};
static const struct field report_row_fields[] = {
    FIELD(struct report_row, template),
    FIELD(struct report_row, known),
};
static const struct input report_row = INPUT(report_row, "ReportRow", NULL);

/* From start to finish. */
struct sending {
    struct uuid id;
    enum channel channel;
    enum template template;
    const char *recipient;
    struct message_text text;
    int64_t unsure; /* this time counted */
    enum heard heard;
    const char *ref;
    struct refusal why;
};

static void
tell(enum log_level level, enum channel c, const char *template, const char *outcome)
{
    log_event(level, EVENT("message.outcome"),
              TEXT("soko.message.channel", messages_channel_name(c)),
              TEXT("soko.message.template", template), TEXT("soko.message.outcome", outcome));
}

bool
messages_can(enum channel c)
{
    if (c == CHANNEL_SMS)
        return conf->at_username[0] != '\0' && conf->at_api_key[0] != '\0';
    return conf->smtp_url[0] != '\0' && conf->mail_from[0] != '\0';
}

static enum err
end(struct ctx *ctx, const struct sending *s, const char *status, const char *ref,
    const char *failure)
{
    bool bad = strcmp(status, "failed") == 0;

    tell(bad ? LOG_WARN : LOG_INFO, s->channel, messages_template_name(s->template), status);
    return pg_run(ctx, MESSAGES_END, ARG_ID(s->id), ARG_TEXT(status), ARG_TEXT(ref),
                  ARG_TEXT(failure));
}

/* The members of a JSON object, from out[*count] on, where `room` are free. */
static enum err
add_params(struct ctx *ctx, const char *json, struct message_param *out, size_t room, size_t *count)
{
    struct json_object *object = NULL;

    if (json == NULL || json_read(ctx->arena, &ctx->problems, json, strlen(json), &object) != OK ||
        !json_object_is_type(object, json_type_object) ||
        (size_t)json_object_object_length(object) > room)
        return ERR_INTERNAL;
    json_object_object_foreach(object, key, value) out[(*count)++] =
        (struct message_param){key, json_object_get_string(value)};
    return OK;
}

/* What was sealed for this row. */
static const char *
unseal(struct ctx *ctx, struct uuid id, const char *hex)
{
    char owner[UUID_TEXT_SIZE];
    size_t len;
    const uint8_t *sealed = secret_unhex(ctx->arena, hex, &len);

    if (sealed == NULL)
        return NULL;
    return (const char *)box_open(ctx->arena, conf->data_key, BOX, uuid_text(id, owner), sealed,
                                  len)
        .data;
}

static enum err
render(struct ctx *ctx, const struct message_row *row, struct sending *s)
{
    struct message_param params[PARAMS_MAX] = {{"name", row->name}};
    size_t count = 1;

    enum err e = add_params(ctx, row->params.text, params, PARAMS_MAX - count, &count);
    if (e == OK && row->sealed != NULL)
        e = add_params(ctx, unseal(ctx, s->id, row->sealed), params, PARAMS_MAX - count, &count);
    if (e != OK)
        return e;
    return messages_text(ctx->arena, s->template, s->channel, params, count, &s->text)
               ? OK
               : ERR_INTERNAL;
}

static const char *
json_of(struct ctx *ctx, const struct message_param *params, size_t count)
{
    struct text json = text_new(ctx->arena, JSON_MAX);

    text_putc(&json, '{');
    for (size_t i = 0; i < count; i++)
        text_member(&json, params[i].name, params[i].value);
    text_putc(&json, '}');
    return json.overflow ? "{}" : text_cstr(&json);
}

void
messages_send(struct ctx *ctx, struct uuid account, enum template t,
              const struct message_param *params, size_t count)
{
    struct uuid ids[CHANNEL__COUNT];

    for (int c = 0; c < CHANNEL__COUNT; c++)
        ids[c] = uuid_v7(ctx->now_ms);
    pg_queue(ctx, MESSAGES_ADD, ARG_ID(ids[CHANNEL_SMS]), ARG_ID(ids[CHANNEL_EMAIL]),
             ARG_ID(account), ARG_TEXT(messages_template_name(t)),
             ARG_TEXT(json_of(ctx, params, count)));
    for (int c = 0; c < CHANNEL__COUNT; c++)
        outbox_add(ctx, EVENT_MESSAGE_QUEUED, ids[c], (struct uuid){{0}});
}

void
messages_send_order(struct ctx *ctx, struct uuid account, enum template t, const char *order_number,
                    int64_t amount, const char *currency)
{
    char text[MONEY_TEXT_SIZE] = "";

    if (currency != NULL)
        money_text(amount, currency, text);
    const struct message_param params[] = {
        {"order_number", order_number}, {"amount", text}, {"currency", currency}};
    messages_send(ctx, account, t, params, currency != NULL ? 3 : 1);
}

void
messages_send_to(struct ctx *ctx, struct uuid account, enum template t, enum channel c,
                 const char *recipient, const struct message_param *secrets, size_t count,
                 int64_t until_ms)
{
    struct uuid id = uuid_v7(ctx->now_ms);
    const char *json = json_of(ctx, secrets, count);
    char owner[UUID_TEXT_SIZE];
    struct box_bytes sealed =
        box_seal(ctx->arena, conf->data_key, BOX, uuid_text(id, owner), json, strlen(json));

    pg_queue(ctx, MESSAGES_ADD_ONE, ARG_ID(id), ARG_ID(account), ARG_TEXT(messages_channel_name(c)),
             ARG_TEXT(messages_template_name(t)), ARG_TEXT(recipient), ARG_TEXT("{}"),
             ARG_BYTES(sealed.data, sealed.len), until_ms != 0 ? ARG_TIME(until_ms) : ARG_NULL);
    outbox_add(ctx, EVENT_MESSAGE_QUEUED, id, (struct uuid){{0}});
}

static const char *
notice_params(struct ctx *ctx, enum notice what)
{
    const struct message_param param = {"what", messages_notice_text(what)};

    return json_of(ctx, &param, 1);
}

void
messages_notice(struct ctx *ctx, struct uuid account, enum notice what)
{
    struct uuid id = uuid_v7(ctx->now_ms);

    pg_queue(ctx, MESSAGES_ADD_NOTICE, ARG_ID(id), ARG_ID(account),
             ARG_TEXT(messages_template_name(TEMPLATE_NOTICE)), ARG_TEXT(notice_params(ctx, what)));
    outbox_add(ctx, EVENT_MESSAGE_QUEUED, id, (struct uuid){{0}});
}

void
messages_notice_to(struct ctx *ctx, struct uuid account, enum notice what, enum channel c,
                   const char *recipient)
{
    struct uuid id = uuid_v7(ctx->now_ms);

    pg_queue(ctx, MESSAGES_ADD_ONE, ARG_ID(id), ARG_ID(account), ARG_TEXT(messages_channel_name(c)),
             ARG_TEXT(messages_template_name(TEMPLATE_NOTICE)), ARG_TEXT(recipient),
             ARG_TEXT(notice_params(ctx, what)), ARG_NULL, ARG_NULL);
    outbox_add(ctx, EVENT_MESSAGE_QUEUED, id, (struct uuid){{0}});
}

enum err
messages_start(struct ctx *ctx, const struct delivery *d, void **step)
{
    struct message_row row = {0};

    enum err e = pg_one(ctx, MESSAGES_LOCK, &message_row, &row, ARG_ID(d->subject), ARG_INT(d->id),
                        ARG_INT(d->attempts));
    if (e == ERR_NOT_FOUND)
        return OK; /* the account does not have this channel */
    if (e != OK)
        return e;
    if (!row.ours || (strcmp(row.status, "queued") != 0 && strcmp(row.status, "sending") != 0))
        return OK;

    struct sending *s = arena_alloc(ctx->arena, sizeof(*s));
    *s = (struct sending){.id = d->subject,
                          .channel = strcmp(row.channel, "sms") == 0 ? CHANNEL_SMS : CHANNEL_EMAIL,
                          .recipient = row.recipient,
                          .unsure = row.unsure + 1};
    if (!messages_template_parse(row.template, &s->template))
        return ERR_INTERNAL; /* a newer release has written it: it is tried again, then parked */
    if (!messages_can(s->channel))
        return end(ctx, s, "off", NULL, NULL);
    if (row.unsure >= UNSURE_MAX)
        return end(ctx, s, "failed", NULL, "unknown");
    if (row.late)
        return end(ctx, s, "failed", NULL, "late");
    e = render(ctx, &row, s);
    if (e == OK)
        e = pg_run(ctx, MESSAGES_BEGIN, ARG_ID(s->id));
    if (e == OK)
        *step = s;
    return e;
}

enum err
messages_call(struct ctx *ctx, void *step)
{
    struct sending *s = step;
    char id[UUID_TEXT_SIZE];

    if (s->channel == CHANNEL_SMS) {
        struct sms_sent sent = {0};
        s->heard = africastalking_send(ctx, s->recipient, s->text.body, &sent, &s->why);
        s->ref = sent.id != NULL && sent.id[0] != '\0' ? sent.id : NULL;
    } else {
        struct mail mail = {.to = s->recipient,
                            .subject = s->text.subject,
                            .text = s->text.body,
                            .id = uuid_text(s->id, id)};
        s->heard = mail_send(ctx, &mail, &s->why);
    }
    fault_point(FAULT_MESSAGE_CALLED);
    return OK;
}

/* The row is as it was, and the delivery is tried again. */
static enum err
not_sent(struct ctx *ctx, const struct sending *s)
{
    tell(LOG_WARN, s->channel, messages_template_name(s->template), "not_sent");
    enum err e = pg_run(ctx, MESSAGES_TAKE_BACK, ARG_ID(s->id));
    if (e != OK)
        return e;
    tx_keep(ctx);
    return ERR_PROVIDER_UNAVAILABLE;
}

enum err
messages_finish(struct ctx *ctx, void *step)
{
    const struct sending *s = step;

    switch (s->heard) {
    case HEARD_DONE:
        return end(ctx, s, "sent", s->ref, NULL);
    case HEARD_REFUSED:
        return end(ctx, s, "failed", NULL, s->why.code[0] != '\0' ? s->why.code : "refused");
    case HEARD_NOT_SENT:
        return not_sent(ctx, s);
    case HEARD_NOTHING:
        break;
    }
    if (s->unsure >= UNSURE_MAX)
        return end(ctx, s, "failed", NULL, "unknown");
    tell(LOG_WARN, s->channel, messages_template_name(s->template), "unknown");
    return ERR_REQUEST_TIMEOUT; /* the row says "sending", and start() will count that */
}

enum err
messages_sweep(struct ctx *ctx)
{
    return pg_touch(ctx, MESSAGES_SWEEP, NULL, ARG_NONE);
}

/* --- delivery reports ------------------------------------------------------------------------- */

/* By digests, so that neither the token's content nor its length shows in the time that it takes.
 */
static bool
is_our_token(const char *token)
{
    uint8_t theirs[SHA256_SIZE], ours[SHA256_SIZE];

    secret_sha256(token, strlen(token), theirs);
    secret_sha256(conf->at_report_token, strlen(conf->at_report_token), ours);
    return secret_equal(theirs, ours, SHA256_SIZE) && conf->at_report_token[0] != '\0';
}

static enum err
note_report(struct ctx *ctx, const struct sms_report *r)
{
    struct report_row row = {0};
    const char *word = r->word == SMS_DELIVERED ? "delivered" : "failed";

    enum err e = pg_one(ctx, MESSAGES_REPORT, &report_row, &row, ARG_TEXT(r->id), ARG_TEXT(word),
                        ARG_TEXT(r->word == SMS_FAILED ? r->failure : NULL));
    if (e == OK && !row.known)
        tell(LOG_INFO, CHANNEL_SMS, NULL, "report_of_unknown");
    else if (e == OK && row.template != NULL)
        tell(LOG_INFO, CHANNEL_SMS, row.template, word);
    return e;
}

static enum err
hear_report(struct req *rq)
{
    struct sms_report report = {0};

    if (!is_our_token(rq->words[0]))
        return fail(&rq->ctx, ERR_NOT_FOUND, NULL, "there is nothing at this path");
    if (!africastalking_report_read(&rq->ctx, rq->raw, rq->raw_len, &report))
        return fail(&rq->ctx, ERR_VALIDATION, NULL, "this is no delivery report");
    enum err e = report.word == SMS_UNDER_WAY ? OK : note_report(&rq->ctx, &report);
    return e != OK ? e : reply_message(rq, "heard");
}

const struct endpoint messages_report = {
    .name = "messages_report",
    .tag = "Webhooks",
    .doc = "Africa's Talking says what became of an SMS, as a form. Reports may repeat and come in "
           "any order; those of messages that we do not know are ignored.",
    .run = hear_report,
    .raw = true,
    .out = &message_out,
    .errors = {ERR_VALIDATION, ERR_NOT_FOUND},
};
