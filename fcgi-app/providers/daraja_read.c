/*
 * providers/daraja: what Daraja posts to us.
 *
 * Tolerant of what its pages themselves contradict: a code is a number or a string, a list of one
 * is an object, a Value may be missing. Strict where money hangs on it: an amount that is there and
 * cannot be read, or is nothing, makes the whole callback unreadable, because 0 means "not said",
 * and what was not said is taken for what was asked. Ids and codes are bounded and printable,
 * because they go into rows and logs. Members are found by name, never by place; of two with one
 * name the first counts.
 *
 * Nothing here says whether a callback is genuine.
 */
#include "providers/daraja.h"

#include "base/json_get.h"
#include "base/money.h"

#include <string.h>

#define ID_MOST 100
#define CODE_MOST 64
#define BILL_MOST 255

/* A word that may be kept: printable ASCII without blanks, at most `most`; NULL for what is not. */
static const char *
bounded(const char *s, size_t most)
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

/* Whole or decimal shillings, above nothing. */
static bool
read_amount(const char *s, int64_t *out)
{
    struct decimal d;
    int64_t amount;

    if (s == NULL || !decimal_parse(s, strlen(s), &d) || !money_from_decimal(d, "KES", &amount) ||
        amount <= 0)
        return false;
    *out = amount;
    return true;
}

/* The Value of the first {"Name": name, "Value": ...} (or "Key") of a list or a single one; NULL if
 * it has none. */
static struct json_object *
named(struct json_object *list, const char *label, const char *name)
{
    for (size_t i = 0; i < json_get_count(list); i++) {
        struct json_object *item = json_get_item(list, i);
        const char *is = json_get_text(item, label);

        if (is != NULL && strcmp(is, name) == 0)
            return json_get(item, "Value");
    }
    return NULL;
}

bool
daraja_callback_read(struct ctx *ctx, const void *body, size_t len, struct daraja_callback *out)
{
    struct json_object *root = json_get_tree(ctx->arena, body, len);
    struct json_object *stk = json_get(json_get(root, "Body"), "stkCallback");
    struct json_object *items = json_get(json_get(stk, "CallbackMetadata"), "Item");
    struct json_object *amount = named(items, "Name", "Amount");
    struct json_object *receipt = named(items, "Name", "MpesaReceiptNumber");
    struct daraja_callback c = {
        .checkout_id = bounded(json_get_text(stk, "CheckoutRequestID"), ID_MOST),
        .merchant_id = or_empty(bounded(json_get_text(stk, "MerchantRequestID"), ID_MOST)),
        .code = bounded(json_get_word(stk, "ResultCode"), CODE_MOST),
        .text = or_empty(json_get_text(stk, "ResultDesc")),
        .receipt = bounded(json_get_own_word(receipt), ID_MOST),
    };

    if (c.checkout_id == NULL || c.code == NULL)
        return false;
    if (amount != NULL && !read_amount(json_get_own_word(amount), &c.amount))
        return false;
    *out = c;
    return true;
}

bool
daraja_result_read(struct ctx *ctx, const void *body, size_t len, struct daraja_result *out)
{
    struct json_object *root = json_get_tree(ctx->arena, body, len);
    struct json_object *result = json_get(root, "Result");
    struct json_object *list = json_get(json_get(result, "ResultParameters"), "ResultParameter");
    const char *receipt = json_get_own_word(named(list, "Key", "TransactionReceipt"));
    const char *amount = json_get_own_word(named(list, "Key", "TransactionAmount"));

    if (receipt == NULL)
        receipt = json_get_own_word(named(list, "Key", "ReceiptNo"));
    if (amount == NULL)
        amount = json_get_own_word(named(list, "Key", "Amount"));
    struct daraja_result r = {
        .code = bounded(json_get_word(result, "ResultCode"), CODE_MOST),
        .text = or_empty(json_get_text(result, "ResultDesc")),
        .originator = or_empty(bounded(json_get_word(result, "OriginatorConversationID"), ID_MOST)),
        .conversation = or_empty(bounded(json_get_word(result, "ConversationID"), ID_MOST)),
        .transaction = or_empty(bounded(json_get_word(result, "TransactionID"), ID_MOST)),
        .status = json_get_own_text(named(list, "Key", "TransactionStatus")),
        .receipt = bounded(receipt, ID_MOST),
    };
    if (r.code == NULL)
        return false;
    /* What we asked for is known; here it is a note. */
    if (!read_amount(amount, &r.amount))
        r.amount = 0;
    *out = r;
    return true;
}

bool
daraja_c2b_read(struct ctx *ctx, const void *body, size_t len, struct daraja_c2b *out)
{
    struct json_object *root = json_get_tree(ctx->arena, body, len);
    struct json_object *o = json_get_count(root) == 1 ? json_get_item(root, 0) : NULL;
    const char *bill = json_get_word(o, "BillRefNumber");
    struct daraja_c2b c = {
        .receipt = bounded(json_get_word(o, "TransID"), ID_MOST),
        .bill = bill == NULL || strlen(bill) > BILL_MOST ? "" : bill,
        .shortcode = or_empty(bounded(json_get_word(o, "BusinessShortCode"), ID_MOST)),
    };

    if (c.receipt == NULL || !read_amount(json_get_word(o, "TransAmount"), &c.amount))
        return false;
    *out = c;
    return true;
}
