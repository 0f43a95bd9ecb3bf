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
    TEMPLATE_VERIFY,        /* code, minutes: for the recipient's eyes alone */
    TEMPLATE_RESET,         /* the same */
    TEMPLATE_NOTICE,        /* what: a sentence */
    TEMPLATE__COUNT
};

enum channel { CHANNEL_SMS, CHANNEL_EMAIL, CHANNEL__COUNT };

/* Whether this shop sends by it at all; what is queued all the same becomes "off". */
bool messages_can(enum channel c);

struct message_param {
    const char *name, *value;
};

/* What somebody must hear of who did not do it himself (OWASP ASVS 4.0.3, V2.2.3 and V2.5.5). */
enum notice {
    NOTICE_PASSWORD_CHANGED,
    NOTICE_PASSWORD_RESET,
    NOTICE_EMAIL_CHANGED,
    NOTICE_PHONE_CHANGED,
    NOTICE_USERNAME_CHANGED,
    NOTICE_SECOND_FACTOR_ON,
    NOTICE_SECOND_FACTOR_OFF,
    NOTICE_RECOVERY_CODE_USED,
    NOTICE_CODE_USED_AGAIN,
    NOTICE_NEW_ADDRESS, /* a sign-in from one that was not known */
    NOTICE_KEY_CREATED, /* an API key */
    NOTICE__COUNT
};

/* Queues with the caller's transaction. The account's name is always there, as @name@. Nothing is
 * kept of `params` once it returns. */
void messages_send(struct ctx *ctx, struct uuid account, enum template t,
                   const struct message_param *params, size_t count);

/* The same about an order; `amount` in minor units of `currency` (NULL: neither is to be told). */
void messages_send_order(struct ctx *ctx, struct uuid account, enum template t,
                         const char *order_number, int64_t amount, const char *currency);

/* The same to one recipient, as he was called when it happened, by one channel. `secrets` may be
 * read by nobody else: they are sealed in the row, and forgotten once the message is sent or has
 * failed for good. After `until_ms` (0: never) it is of no use, and is not sent. */
void messages_send_to(struct ctx *ctx, struct uuid account, enum template t, enum channel c,
                      const char *recipient, const struct message_param *secrets, size_t count,
                      int64_t until_ms);

/* Tells the account of something that touches its safety, with the caller's transaction: by e-mail
 * if it has an address when the transaction comes here, else by SMS; nothing if it has neither. */
void messages_notice(struct ctx *ctx, struct uuid account, enum notice what);

/* The same to one recipient: to the address that was just taken away. */
void messages_notice_to(struct ctx *ctx, struct uuid account, enum notice what, enum channel c,
                        const char *recipient);

/* Consumer of message.queued, in three steps (jobs.h). */
enum err messages_start(struct ctx *ctx, const struct delivery *d, void **step);
enum err messages_call(struct ctx *ctx, void *step);
enum err messages_finish(struct ctx *ctx, void *step);

/* Forgets what was sealed for messages that are of no use any more, and were never sent: their
 * deliveries are parked. In a transaction. */
enum err messages_sweep(struct ctx *ctx);

/* POST /webhooks/sms/:token */
extern const struct endpoint messages_report;

/* --- templates (messages_render.c) ------------------------------------------------------------ */

/* "welcome" and so on, a file's stem. Parsing: false if there is none of that name. */
const char *messages_template_name(enum template t);
bool messages_template_parse(const char *name, enum template *out);

/* "sms", "email": a row's channel, and a file's ending. */
const char *messages_channel_name(enum channel c);

/* The sentence of TEMPLATE_NOTICE's @what@. */
const char *messages_notice_text(enum notice what);

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
