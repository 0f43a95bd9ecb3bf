/*
 * providers/daraja: money back (reversal, payment to a customer), and the question what became of
 * it.
 *
 * Each is a request that is accepted now and answered later, at an URL. SecurityCredential is the
 * initiator's password, encrypted for Safaricom's certificate; it is made for each request, which
 * costs less than a millisecond, so that a renewed certificate or password needs no restart of
 * anything but the configuration.
 *
 * A payment to a customer is told apart by our own id: M-Pesa refuses to take the same twice, and
 * that refusal is the proof that the first was taken. A reversal has no id; its proof is the result
 * R000001.
 */
#include "providers/daraja.h"

#include "base/config.h"
#include "base/json_get.h"
#include "io/secret.h"
#include "providers/daraja_call.h"

#include <string.h>

#define SHORTCODE_KIND "4"
#define REVERSED_KIND "11"
#define REMARKS "Refund"

/* The initiator and the proof that it is us, each under the name that this API has for it. False if
 * no proof can be made: nothing may be sent. */
static bool
add_initiator(struct ctx *ctx, struct text *body, const char *name, struct refusal *why)
{
    const char *password = conf->daraja_initiator_password, *proof = NULL;

    *why = (struct refusal){.code = "", .message = "no initiator, or no certificate"};
    if (conf->daraja_initiator[0] != '\0' && password[0] != '\0' &&
        conf->daraja_certificate[0] != '\0')
        proof =
            secret_rsa_encrypt(ctx->arena, conf->daraja_certificate, password, strlen(password));
    if (proof == NULL)
        return false;
    text_member(body, name, conf->daraja_initiator);
    text_member(body, "SecurityCredential", proof);
    return true;
}

static enum heard
send(struct ctx *ctx, const struct daraja_auth *auth, const char *operation, const char *path,
     const struct text *body, struct daraja_sent *out, struct refusal *why)
{
    struct daraja_answer answer;
    enum heard heard = daraja_call(ctx, auth, operation, path, body, &answer, why);
    const char *conversation = json_get_text(answer.json, "ConversationID");

    if (heard == HEARD_DONE)
        heard = daraja_accepted(&answer, conversation, why);
    if (heard == HEARD_DONE && conversation != NULL)
        out->conversation = conversation;
    return heard;
}

enum heard
daraja_reverse(struct ctx *ctx, const struct daraja_auth *auth, const struct daraja_reversal_in *in,
               struct daraja_sent *out, struct refusal *why)
{
    const char *amount = daraja_shillings(ctx, in->amount, DARAJA_LEAST, DARAJA_MOST);
    struct text body = daraja_body(ctx);

    *out = (struct daraja_sent){.conversation = ""};
    if (amount == NULL)
        return daraja_unfit(why, "not whole shillings from 1 to 250,000");
    text_putc(&body, '{');
    if (!add_initiator(ctx, &body, "Initiator", why))
        return HEARD_NOT_SENT;
    text_member(&body, "CommandID", "TransactionReversal");
    text_member(&body, "TransactionID", in->receipt);
    text_member(&body, "Amount", amount);
    text_member(&body, "ReceiverParty", conf->daraja_shortcode);
    text_member(&body, "RecieverIdentifierType", REVERSED_KIND); /* sic */
    text_member(&body, "ResultURL", in->result);
    text_member(&body, "QueueTimeOutURL", in->timeout);
    text_member(&body, "Remarks", REMARKS);
    text_putc(&body, '}');
    return send(ctx, auth, "reverse", "/mpesa/reversal/v1/request", &body, out, why);
}

enum heard
daraja_pay(struct ctx *ctx, const struct daraja_auth *auth, const struct daraja_payout_in *in,
           struct daraja_sent *out, struct refusal *why)
{
    const char *amount = daraja_shillings(ctx, in->amount, DARAJA_SEND_LEAST, DARAJA_MOST);
    const char *msisdn = daraja_msisdn(in->phone);
    struct text body = daraja_body(ctx);

    *out = (struct daraja_sent){.conversation = ""};
    if (amount == NULL)
        return daraja_unfit(why, "not whole shillings from 10 to 250,000");
    if (msisdn == NULL)
        return daraja_unfit(why, "not a Kenyan mobile number");
    text_putc(&body, '{');
    text_member(&body, "OriginatorConversationID", in->id);
    if (!add_initiator(ctx, &body, "InitiatorName", why))
        return HEARD_NOT_SENT;
    text_member(&body, "CommandID", "BusinessPayment");
    text_member(&body, "Amount", amount);
    text_member(&body, "PartyA", conf->daraja_shortcode);
    text_member(&body, "PartyB", msisdn);
    text_member(&body, "Remarks", REMARKS);
    text_member(&body, "QueueTimeOutURL", in->timeout);
    text_member(&body, "ResultURL", in->result);
    text_member(&body, "Occassion", REMARKS); /* sic */
    text_putc(&body, '}');

    enum heard heard = send(ctx, auth, "pay", "/mpesa/b2c/v3/paymentrequest", &body, out, why);
    /* The first one was taken. */
    if (strcmp(why->code, "500.002.1001") == 0 &&
        strcasestr(why->message, "Duplicate OriginatorConversationID") != NULL)
        return HEARD_DONE;
    return heard;
}

enum heard
daraja_ask_status(struct ctx *ctx, const struct daraja_auth *auth, const char *receipt,
                  const char *conversation, const char *result, const char *timeout)
{
    struct text body = daraja_body(ctx);
    struct daraja_sent ignored = {0};
    struct refusal why;

    text_putc(&body, '{');
    if (!add_initiator(ctx, &body, "Initiator", &why))
        return HEARD_NOT_SENT;
    text_member(&body, "CommandID", "TransactionStatusQuery");
    if (receipt != NULL)
        text_member(&body, "TransactionID", receipt);
    if (conversation != NULL)
        text_member(&body, "OriginalConversationID", conversation);
    text_member(&body, "PartyA", conf->daraja_shortcode);
    text_member(&body, "IdentifierType", SHORTCODE_KIND);
    text_member(&body, "ResultURL", result);
    text_member(&body, "QueueTimeOutURL", timeout);
    text_member(&body, "Remarks", "Status");
    text_member(&body, "Occasion", "Status");
    text_putc(&body, '}');
    return send(ctx, auth, "ask_status", "/mpesa/transactionstatus/v1/query", &body, &ignored,
                &why);
}
