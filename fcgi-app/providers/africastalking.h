/*
 * providers/africastalking: SMS by Africa's Talking.
 *
 * Source: their SMS API (developers.africastalking.com/docs/sms), as gathered in the wire notes.
 * The header is `apiKey`, the form is percent-encoded whole (seed hole 25: '+' became a blank, '&'
 * injected), success is HTTP 201 and is judged per recipient. There is no idempotency key: a
 * message of which nobody knows may be sent twice if it is repeated.
 */
#ifndef SOKO_PROVIDERS_AFRICASTALKING_H
#define SOKO_PROVIDERS_AFRICASTALKING_H

#include "providers/outside.h"

struct sms_sent {
    const char *id; /* messageId */
};
/* Sends `text` to one E.164 number. HEARD_REFUSED carries the recipient's status
 * ("InvalidPhoneNumber") as code; transient statuses (500, 501) are HEARD_NOT_SENT. */
enum heard africastalking_send(struct ctx *ctx, const char *to, const char *text,
                               struct sms_sent *out, struct refusal *why);

enum sms_word { SMS_UNDER_WAY, SMS_DELIVERED, SMS_FAILED };

struct sms_report {
    const char *id;
    enum sms_word word;
    const char *failure; /* or NULL */
};
/* A delivery report, a form. False: not of that shape. */
bool africastalking_report_read(struct ctx *ctx, const void *body, size_t len,
                                struct sms_report *out);

#endif
