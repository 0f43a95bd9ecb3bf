/*
 * shop/messages: what is told to people, by SMS and by e-mail.
 *
 * A message is a row written with its cause, and an event of the outbox; soko-jobs renders and sends it
 * in a lane of its own. It can neither fail nor delay what it tells of: messages_send() only queues, for
 * whichever of phone and e-mail the account has, and nothing at all for an account without either.
 *
 * Templates are files of conf->messages_dir, a file a channel: welcome.sms, welcome.email (its first
 * line is "Subject: ..."). @name@ stands for a parameter.
 */
#ifndef SOKO_SHOP_MESSAGES_H
#define SOKO_SHOP_MESSAGES_H

#include "io/ctx.h"
#include "shop/endpoint.h"
#include "shop/outbox.h"

#include <stddef.h>

enum template {
    TEMPLATE_WELCOME,
    TEMPLATE_ORDER_PLACED,
    TEMPLATE_ORDER_PAID,
    TEMPLATE_ORDER_SHIPPED,
    TEMPLATE_REFUNDED,
    TEMPLATE__COUNT
};

struct message_param {
    const char *name, *value;
};

/* Queues with the caller's transaction. The account's name is always there, as @name@. */
void messages_send(struct ctx *ctx, struct uuid account, enum template t,
                   const struct message_param *params, size_t count);

/* Whether every template is there and can be read: names its fault in the log. At the start of soko-jobs. */
bool messages_check(void);

/* Consumer of message.queued, in three steps (jobs.h). */
enum err messages_start(struct ctx *ctx, const struct delivery *d, void **step);
enum err messages_call(struct ctx *ctx, void *step);
enum err messages_finish(struct ctx *ctx, void *step);

/* POST /webhooks/sms/:token */
extern const struct endpoint messages_report;

#endif
