/*
 * shop/messages: what is told to people, by SMS and by e-mail.
 *
 * A message is a row written with its cause, and an event of the outbox; soko-jobs renders and
 * sends it in a lane of its own. It can neither fail nor delay what it tells of: messages_send()
 * only queues, for whichever of phone and e-mail the account has, and nothing at all for an account
 * without either.
 *
 * Templates are files of conf->messages_dir, a file a channel: welcome.sms, welcome.email (its
 * first line is "Subject: ...", its second is empty). @name@ stands for a parameter, @@ for an @.
 *
 * No provider knows an idempotency key, so a message whose fate nobody knows (a time-out, a crash
 * in the middle of the call) is sent once more, and never a third time: at most twice, rather than
 * at least once.
 */
#ifndef SOKO_SHOP_MESSAGES_H
#define SOKO_SHOP_MESSAGES_H

#include "io/ctx.h"
#include "shop/endpoint.h"
#include "shop/outbox.h"

#include <stddef.h>

/* The parameters that a template may use, besides @name@: */
enum template {
    TEMPLATE_WELCOME,       /* none */
    TEMPLATE_ORDER_PLACED,  /* order_number, amount (money_text), currency */
    TEMPLATE_ORDER_PAID,    /* the same */
    TEMPLATE_ORDER_SHIPPED, /* order_number */
    TEMPLATE_REFUNDED,      /* order_number, amount, currency */
    TEMPLATE__COUNT
};

enum channel { CHANNEL_SMS, CHANNEL_EMAIL, CHANNEL__COUNT };

struct message_param {
    const char *name, *value;
};

/* Queues with the caller's transaction. The account's name is always there, as @name@. Nothing is
 * kept of `params` once it returns. */
void messages_send(struct ctx *ctx, struct uuid account, enum template t,
                   const struct message_param *params, size_t count);

/* The same about an order; `amount` in minor units of `currency` (NULL: neither is to be told). */
void messages_send_order(struct ctx *ctx, struct uuid account, enum template t,
                         const char *order_number, int64_t amount, const char *currency);

/* Consumer of message.queued, in three steps (jobs.h). */
enum err messages_start(struct ctx *ctx, const struct delivery *d, void **step);
enum err messages_call(struct ctx *ctx, void *step);
enum err messages_finish(struct ctx *ctx, void *step);

/* POST /webhooks/sms/:token */
extern const struct endpoint messages_report;

/* --- templates (messages_render.c) ------------------------------------------------------------ */

/* "welcome" and so on, a file's stem. Parsing: false if there is none of that name. */
const char *messages_template_name(enum template t);
bool messages_template_parse(const char *name, enum template *out);

/* "sms", "email": a row's channel, and a file's ending. */
const char *messages_channel_name(enum channel c);

/* Whether every template is there and without a fault: names each that is not in the log. At the
 * start of soko-jobs. */
bool messages_check(void);

struct message_text {
    const char *subject; /* one line; NULL for SMS */
    const char *body;    /* of an SMS without a newline at its end */
};

/* Reads and renders a template, anew for each message: an edited file needs no restart. False, and
 * logged by the file's name, if the template has a fault or a parameter is missing. */
bool messages_text(struct arena *a, enum template t, enum channel c,
                   const struct message_param *params, size_t count, struct message_text *out);

/* What is wrong with a template's text, in words; NULL if nothing is. */
const char *messages_fault(struct arena *a, enum template t, enum channel c, const char *text,
                           size_t len);

/* Renders a text without a fault. Values are cleaned (a control character, also one that turns the
 * writing's direction, is a blank) and cut to what the template was checked with; an @ in a value
 * is an @. False if a parameter that it uses is not given. */
bool messages_render(struct arena *a, enum channel c, const char *text,
                     const struct message_param *params, size_t count, struct message_text *out);

#endif
