/*
 * providers/mail: one message, written and handed to the server.
 *
 * The message is built by hand: seven headers and quoted-printable text are less than a library,
 * and a person who looks at a message in transit can read it. A name, subject or address never
 * comes near a line break: what holds one is refused, not repaired, because whoever put it there
 * meant a header of his own. A subject that is not plain ASCII becomes encoded words (RFC 2047) of
 * at most 75 characters, cut between characters of UTF-8.
 *
 * Dots at the beginning of a line are doubled by libcurl.
 */
#include "providers/mail.h"

#include "base/config.h"
#include "base/json.h"
#include "base/text.h"
#include "io/mail_out.h"
#include "io/secret.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MESSAGE_MOST (256 * 1024)
#define ADDRESS_MOST 254
#define SUBJECT_MOST 998
#define PLAIN_SUBJECT_MOST 60 /* characters, so that the line needs no folding */
#define WORD_BYTES 45         /* in base64 60 characters, and 12 around them */
#define LINE_MOST 76          /* quoted-printable, RFC 2045 section 6.7 */
#define ID_MOST 100

/* What passes through outside_guard(). */
struct handed {
    struct mail_call call;
    enum err said;
    int status;
};

/* One bare address: printable ASCII, an @ inside, nothing that ends or begins another thing. */
static bool
is_address(const char *s)
{
    size_t len = s == NULL ? 0 : strlen(s);
    const char *at = s == NULL ? NULL : strchr(s, '@');

    if (len > ADDRESS_MOST || at == NULL || at == s || at[1] == '\0' || strchr(at + 1, '@') != NULL)
        return false;
    for (const char *c = s; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~' || strchr("<>()[],;:\\\"", *c) != NULL)
            return false;
    return true;
}

static bool
is_id(const char *s)
{
    size_t len = s == NULL ? 0 : strlen(s);

    return len > 0 && len <= ID_MOST && strspn(s, SECRET_BASE64URL) == len;
}

/* UTF-8 without control characters. */
static bool
is_one_line(const char *s)
{
    size_t len = strlen(s);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
            return false;
    return len <= SUBJECT_MOST && utf8_valid(s, len);
}

static bool
is_plain(const char *s)
{
    for (const char *c = s; *c != '\0'; c++)
        if ((unsigned char)*c > '~')
            return false;
    /* "=?" would be read as the beginning of an encoded word; blanks at an end get lost. */
    return strlen(s) <= PLAIN_SUBJECT_MOST && strstr(s, "=?") == NULL && s[0] != ' ';
}

static void
add_subject(struct ctx *ctx, struct text *t, const char *subject)
{
    size_t left = strlen(subject);

    text_puts(t, "Subject: ");
    if (is_plain(subject)) {
        text_puts(t, subject);
        left = 0;
    }
    for (const char *at = subject; left > 0;) {
        size_t n = 0, step;

        while (n < left && (step = utf8_step(at + n, left - n)) != 0 && n + step <= WORD_BYTES)
            n += step;
        text_printf(t, "%s=?UTF-8?B?%s?=", at == subject ? "" : "\r\n ",
                    secret_base64(ctx->arena, at, n));
        at += n;
        left -= n;
    }
    text_puts(t, "\r\n");
}

/* RFC 5322 section 3.3, without strftime's names, which follow the locale. */
static void
add_date(struct text *t, int64_t now_ms)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t s = (time_t)(now_ms / 1000);
    struct tm tm;

    gmtime_r(&s, &tm);
    text_printf(t, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday], tm.tm_mday,
                months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* One line of text, without its end, as quoted-printable. */
static void
add_quoted_line(struct text *t, const char *s, size_t len)
{
    size_t column = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        bool last = i + 1 == len;
        bool blank = c == ' ' || c == '\t';
        bool plain = (c > ' ' && c <= '~' && c != '=') || (blank && !last);
        size_t width = plain ? 1 : 3;

        /* The last character of the line needs no room for a '=' after it. */
        if (column + width > LINE_MOST - (last ? 0 : 1)) {
            text_puts(t, "=\r\n");
            column = 0;
        }
        if (plain)
            text_putc(t, (char)c);
        else
            text_printf(t, "=%02X", c);
        column += width;
    }
    text_puts(t, "\r\n");
}

static void
add_text(struct text *t, const char *s)
{
    while (*s != '\0') {
        size_t len = strcspn(s, "\n");

        add_quoted_line(t, s, len);
        s += s[len] == '\n' ? len + 1 : len;
    }
}

static struct text
message_of(struct ctx *ctx, const struct mail *m)
{
    struct text t = text_new(ctx->arena, MESSAGE_MOST);

    text_printf(&t, "From: <%s>\r\nTo: <%s>\r\n", conf->mail_from, m->to);
    add_subject(ctx, &t, m->subject);
    add_date(&t, ctx->now_ms);
    text_printf(&t, "Message-ID: <%s@%s>\r\n", m->id, strchr(conf->mail_from, '@') + 1);
    text_puts(&t, "MIME-Version: 1.0\r\n"
                  "Content-Type: text/plain; charset=utf-8\r\n"
                  "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    add_text(&t, m->text);
    return t;
}

/* A refusal is an answer too: the guard is told that the server is there. */
static enum err
hand(struct ctx *ctx, int64_t total_ms, void *arg)
{
    struct handed *h = arg;
    int64_t connect = conf->provider_connect_timeout.ms;

    h->call.total_ms = total_ms;
    h->call.connect_ms = connect < total_ms ? connect : total_ms;
    h->said = mail_out_send(ctx->arena, &h->call, &h->status);
    return h->said == ERR_VALIDATION ? OK : h->said;
}

static enum heard
refuse(struct refusal *why, const char *message)
{
    why->message = message;
    return HEARD_REFUSED;
}

enum heard
mail_send(struct ctx *ctx, const struct mail *m, struct refusal *why)
{
    struct handed h = {.said = OK};

    *why = (struct refusal){.code = "", .message = ""};
    if (conf->smtp_url[0] == '\0' || !is_address(conf->mail_from)) {
        why->message = "no mail server, or no sender";
        return HEARD_NOT_SENT;
    }
    if (!is_address(m->to))
        return refuse(why, "not one address");
    if (!is_id(m->id) || !is_one_line(m->subject) || !utf8_valid(m->text, strlen(m->text)))
        return refuse(why, "an id or subject that is not one line, or no UTF-8");
    struct text message = message_of(ctx, m);
    if (message.overflow)
        return refuse(why, "too long");
    h.call = (struct mail_call){.url = conf->smtp_url,
                                .password = conf->smtp_password,
                                .from = conf->mail_from,
                                .to = m->to,
                                .message = text_cstr(&message),
                                .len = message.len};

    enum err e = outside_guard(ctx, PROVIDER_MAIL, "send", hand, &h);
    why->status = h.status;
    if (e == OK && h.said == ERR_VALIDATION) {
        why->code = arena_printf(ctx->arena, "%d", h.status);
        return refuse(why, "refused by the mail server");
    }
    switch (e) {
    case OK:
        return HEARD_DONE;
    case ERR_PROVIDER_UNAVAILABLE:
    case ERR_INTERNAL:
        why->message = "not taken";
        return HEARD_NOT_SENT;
    default:
        why->message = "no answer";
        return HEARD_NOTHING;
    }
}
