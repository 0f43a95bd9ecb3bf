/*
 * providers/mail: one e-mail, plain text, to one recipient, by SMTP (RFC 5321, RFC 5322).
 */
#ifndef SOKO_PROVIDERS_MAIL_H
#define SOKO_PROVIDERS_MAIL_H

#include "providers/outside.h"

struct mail {
    const char *to;      /* one address */
    const char *subject; /* UTF-8, one line */
    const char *text;    /* UTF-8, lines ended by \n */
    const char *id;      /* of our row: Message-ID, so that a repeated one is known as such */
};
/* HEARD_REFUSED: the server said 5xx to recipient or message. */
enum heard mail_send(struct ctx *ctx, const struct mail *m, struct refusal *why);

#endif
