/*
 * providers/daraja: M-Pesa Express (STK push), its query, and the pull of what came to our
 * shortcode.
 *
 * A prompt has three ends: paid, failed, and not known yet. The table below says which ResultCodes
 * are final; what stands nowhere is not known yet. To read "still under processing" (HTTP 200 with
 * 4999, or HTTP 500 with 500.001.1001) as failed is the most reported bug of M-Pesa integrations:
 * the buyer pays, and his order is gone.
 *
 * Reference and description are made to what Daraja documents (12 and 13 characters of A-Z a-z 0-9,
 * blank, hyphen) and amounts are whole shillings; what does not fit is refused here, because cut or
 * rounded silently it would name another order or sum (seed hole 15).
 *
 * A password is made of a time stamp in East Africa Time, which is UTC+3 all year: computed, so
 * that no machine's TZ matters.
 */
#include "providers/daraja.h"

#include "base/config.h"
#include "base/json_get.h"
#include "base/log.h"
#include "base/money.h"
#include "io/secret.h"
#include "providers/daraja_call.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EAT_S (3 * 3600)
#define REFERENCE_MOST 12
#define DESCRIPTION_MOST 13
#define DESCRIPTION_BEGIN "Order "
#define PULL_PAGES_MOST 30
#define ID_MOST 100

/* The codes after which nothing more comes of a prompt. 1037 (no answer from the phone) and 1 are
 * failed too, though a late success may contradict them: settling knows that forward is the only
 * direction. */
static const char *const failed_codes[] = {
    "1",          /* balance insufficient */
    "2",          /* below the least amount */
    "3",          /* above the greatest */
    "4",          /* daily limit of the customer */
    "8",          /* our balance would be above its cap */
    "17",         /* same amount and customer within two minutes */
    "26",         /* system busy */
    "1001",       /* subscriber locked: another session is open */
    "1019",       /* expired */
    "1025",       /* the push could not be sent */
    "1031",       /* cancelled by the customer, formerly */
    "1032",       /* cancelled by the customer */
    "1036",       /* the message centre did not acknowledge */
    "1037",       /* the phone did not answer */
    "2001",       /* wrong PIN */
    "2028",       /* transaction type and PartyB do not fit: our configuration */
    "8006",       /* the customer's PIN is locked */
    "9999",       /* the push could not be sent */
    "E3008",      /* the sandbox does not serve real numbers */
    "SFC_IC0003", /* no such operator: our configuration */
};

static struct tm
east_africa_time(int64_t ms)
{
    time_t s = (time_t)(ms / 1000 + EAT_S);
    struct tm tm;

    gmtime_r(&s, &tm);
    return tm;
}

const char *
daraja_timestamp(int64_t ms, char out[DARAJA_TIMESTAMP_SIZE])
{
    struct tm tm = east_africa_time(ms);

    strftime(out, DARAJA_TIMESTAMP_SIZE, "%Y%m%d%H%M%S", &tm);
    return out;
}

const char *
daraja_password(struct ctx *ctx, const char *timestamp)
{
    const char *plain =
        arena_printf(ctx->arena, "%s%s%s", conf->daraja_shortcode, conf->daraja_passkey, timestamp);

    return secret_base64(ctx->arena, plain, strlen(plain));
}

/* BusinessShortCode, Password and Timestamp, of one moment. */
static void
add_password(struct ctx *ctx, struct text *body)
{
    char timestamp[DARAJA_TIMESTAMP_SIZE];

    daraja_timestamp(ctx->now_ms, timestamp);
    text_member(body, "BusinessShortCode", conf->daraja_shortcode);
    text_member(body, "Password", daraja_password(ctx, timestamp));
    text_member(body, "Timestamp", timestamp);
}

int64_t
daraja_whole(int64_t minor)
{
    int64_t whole = minor / 100, rest = minor % 100;

    if (rest < 0) {
        whole--;
        rest += 100;
    }
    return (rest >= 50 ? whole + 1 : whole) * 100;
}

enum daraja_word
daraja_stk_word(const char *result_code)
{
    if (result_code == NULL)
        return DARAJA_PENDING;
    if (strcmp(result_code, "0") == 0)
        return DARAJA_PAID;
    for (size_t i = 0; i < sizeof failed_codes / sizeof failed_codes[0]; i++)
        if (strcmp(result_code, failed_codes[i]) == 0)
            return DARAJA_FAILED;
    return DARAJA_PENDING;
}

static bool
is_reference(const char *s)
{
    size_t len = s == NULL ? 0 : strlen(s);

    return len > 0 && len <= REFERENCE_MOST &&
           strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == len;
}

/* "Order ", and as much of the reference's end as fits: that is where order numbers differ. */
static const char *
description_of(struct ctx *ctx, const char *reference)
{
    size_t room = DESCRIPTION_MOST - strlen(DESCRIPTION_BEGIN), len = strlen(reference);

    return arena_printf(ctx->arena, DESCRIPTION_BEGIN "%s",
                        len > room ? reference + len - room : reference);
}

enum heard
daraja_push(struct ctx *ctx, const struct daraja_auth *auth, const struct daraja_push_in *in,
            struct daraja_push *out, struct refusal *why)
{
    const char *msisdn = daraja_msisdn(in->phone);
    const char *amount = daraja_shillings(ctx, in->amount, DARAJA_LEAST, DARAJA_MOST);
    bool till = conf->daraja_till[0] != '\0';
    struct text body = daraja_body(ctx);
    struct daraja_answer answer;

    *out = (struct daraja_push){.checkout_id = "", .merchant_id = ""};
    if (msisdn == NULL)
        return daraja_unfit(why, "not a Kenyan mobile number");
    if (amount == NULL)
        return daraja_unfit(why, "not whole shillings from 1 to 250,000");
    if (!is_reference(in->reference))
        return daraja_unfit(why, "the reference is not 1 to 12 of A-Z 0-9");

    text_putc(&body, '{');
    add_password(ctx, &body);
    text_member(&body, "TransactionType",
                till ? "CustomerBuyGoodsOnline" : "CustomerPayBillOnline");
    text_member(&body, "Amount", amount);
    text_member(&body, "PartyA", msisdn);
    text_member(&body, "PartyB", till ? conf->daraja_till : conf->daraja_shortcode);
    text_member(&body, "PhoneNumber", msisdn);
    text_member(&body, "CallBackURL", in->callback);
    text_member(&body, "AccountReference", in->reference);
    text_member(&body, "TransactionDesc", description_of(ctx, in->reference));
    text_putc(&body, '}');

    enum heard heard =
        daraja_call(ctx, auth, "push", "/mpesa/stkpush/v1/processrequest", &body, &answer, why);
    if (heard != HEARD_DONE)
        return heard;
    const char *checkout = json_get_text(answer.json, "CheckoutRequestID");
    const char *merchant = json_get_text(answer.json, "MerchantRequestID");
    heard = daraja_accepted(&answer, checkout, why);
    if (heard != HEARD_DONE)
        return heard;
    /* Without its id the prompt cannot be asked about; its callback still can come. */
    if (checkout == NULL || checkout[0] == '\0' || strlen(checkout) > ID_MOST)
        return HEARD_NOTHING;
    out->checkout_id = checkout;
    out->merchant_id = merchant == NULL || strlen(merchant) > ID_MOST ? "" : merchant;
    return HEARD_DONE;
}

enum heard
daraja_query(struct ctx *ctx, const struct daraja_auth *auth, const char *checkout_id,
             enum daraja_word *word, const char **code)
{
    struct text body = daraja_body(ctx);
    struct daraja_answer answer;
    struct refusal why;

    *word = DARAJA_PENDING;
    *code = "";
    text_putc(&body, '{');
    add_password(ctx, &body);
    text_member(&body, "CheckoutRequestID", checkout_id);
    text_putc(&body, '}');

    enum heard heard =
        daraja_call(ctx, auth, "query", "/mpesa/stkpushquery/v1/query", &body, &answer, &why);
    if (strcmp(answer.code, "500.001.1001") == 0 &&
        (strcasestr(answer.message, "being processed") != NULL ||
         strcasestr(answer.message, "under processing") != NULL)) {
        *code = answer.code;
        return HEARD_DONE;
    }
    if (heard != HEARD_DONE)
        return heard;
    const char *about = json_get_text(answer.json, "CheckoutRequestID");
    const char *result = json_get_word(answer.json, "ResultCode");
    if (result == NULL || (about != NULL && strcmp(about, checkout_id) != 0))
        return HEARD_NOTHING;
    *word = daraja_stk_word(result);
    *code = result;
    return HEARD_DONE;
}

/* ---- pull ---- */

/* What the pages of one pull have so far. */
struct pulled {
    struct daraja_receipt *rows;
    size_t count, room;
    size_t seen;   /* rows of all pages, the unreadable ones too: where the next page begins */
    bool anything; /* whether the last page had a row that was not there before */
};

static bool
is_known(const struct pulled *p, const char *receipt)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->rows[i].receipt, receipt) == 0)
            return true;
    return false;
}

static void
keep(struct ctx *ctx, struct pulled *p, const struct daraja_receipt *row)
{
    if (p->count == p->room) {
        size_t room = p->room == 0 ? 16 : 2 * p->room;
        struct daraja_receipt *rows = arena_array(ctx->arena, room, sizeof *rows);

        if (p->count > 0)
            memcpy(rows, p->rows, p->count * sizeof *rows);
        p->rows = rows;
        p->room = room;
    }
    p->rows[p->count++] = *row;
}

/* A row that cannot be read is no receipt. Who relies on its absence finds a line in the log. */
static void
read_row(struct ctx *ctx, struct json_object *o, struct pulled *p)
{
    const char *receipt = json_get_word(o, "transactionId");
    const char *bill = json_get_word(o, "billreference");
    const char *amount = json_get_word(o, "amount");
    struct daraja_receipt one = {.receipt = receipt, .bill = bill == NULL ? "" : bill};
    struct decimal d;

    p->seen++;
    if (receipt != NULL && is_known(p, receipt))
        return;
    p->anything = true;
    if (receipt != NULL && receipt[0] != '\0' && strlen(receipt) <= ID_MOST && amount != NULL &&
        decimal_parse(amount, strlen(amount), &d) && money_from_decimal(d, "KES", &one.amount) &&
        one.amount > 0)
        keep(ctx, p, &one);
    else
        log_event(LOG_WARN, EVENT("daraja.pull"), TEXT("error.message", "a row cannot be read"));
}

/* A list of transactions, or a list of such lists. False: neither. */
static bool
read_rows(struct ctx *ctx, struct json_object *list, struct pulled *p)
{
    if (list == NULL || json_get_own_word(list) != NULL)
        return false;
    for (size_t i = 0; i < json_get_count(list); i++) {
        struct json_object *row = json_get_item(list, i);

        for (size_t j = 0; j < json_get_count(row); j++)
            read_row(ctx, json_get_item(row, j), p);
    }
    return true;
}

static enum heard
pull_page(struct ctx *ctx, const struct daraja_auth *auth, int64_t from_ms, int64_t until_ms,
          struct pulled *p)
{
    struct tm from = east_africa_time(from_ms), until = east_africa_time(until_ms);
    struct text body = daraja_body(ctx);
    struct daraja_answer answer;
    struct refusal why;
    char day[20];

    text_putc(&body, '{');
    text_member(&body, "ShortCode", conf->daraja_shortcode);
    strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &from);
    text_member(&body, "StartDate", day);
    strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &until);
    text_member(&body, "EndDate", day);
    text_member(&body, "OffSetValue", arena_printf(ctx->arena, "%zu", p->seen));
    text_putc(&body, '}');

    enum heard heard =
        daraja_call(ctx, auth, "pull", "/pulltransactions/v1/query", &body, &answer, &why);
    if (heard != HEARD_DONE)
        return heard;
    const char *code = json_get_word(answer.json, "ResponseCode");
    if (code == NULL)
        return HEARD_NOTHING;
    if (strcmp(code, "1000") == 0)
        return read_rows(ctx, json_get(answer.json, "Response"), p) ? HEARD_DONE : HEARD_NOTHING;
    return strcmp(code, "1001") == 0 ? HEARD_DONE : HEARD_REFUSED;
}

/* How long a page is stands nowhere: the next one begins where we are, until one brings nothing
 * new. A list that has no end is not whole, and what is missing in it proves nothing. */
enum heard
daraja_pull(struct ctx *ctx, const struct daraja_auth *auth, int64_t from_ms, int64_t until_ms,
            struct daraja_receipt **out, size_t *count)
{
    struct pulled p = {0};

    *out = NULL;
    *count = 0;
    for (int page = 0; page < PULL_PAGES_MOST; page++) {
        p.anything = false;
        enum heard heard = pull_page(ctx, auth, from_ms, until_ms, &p);
        if (heard != HEARD_DONE)
            return heard;
        if (!p.anything) {
            *out = p.rows;
            *count = p.count;
            return HEARD_DONE;
        }
    }
    return HEARD_NOTHING;
}

/* ---- addresses ---- */

/* IPv4 as IPv6 (::ffff:...), so that both forms of one address are the same. */
static bool
parse_address(const char *s, struct in6_addr *out)
{
    struct in_addr v4;

    if (inet_pton(AF_INET6, s, out) == 1)
        return true;
    if (inet_pton(AF_INET, s, &v4) != 1)
        return false;
    memset(out, 0, sizeof *out);
    out->s6_addr[10] = out->s6_addr[11] = 0xff;
    memcpy(out->s6_addr + 12, &v4, sizeof v4);
    return true;
}

bool
daraja_address_listed(const char *list, const char *address)
{
    struct in6_addr want, one;
    char item[INET6_ADDRSTRLEN];

    if (list == NULL || address == NULL || !parse_address(address, &want))
        return false;
    for (const char *at = list; *at != '\0';) {
        at += strspn(at, ", \t");
        size_t len = strcspn(at, ", \t");
        if (len > 0 && len < sizeof item) {
            memcpy(item, at, len);
            item[len] = '\0';
            if (parse_address(item, &one) && memcmp(&one, &want, sizeof one) == 0)
                return true;
        }
        at += len;
    }
    return false;
}
