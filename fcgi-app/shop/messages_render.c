/*
 * A template is a text with @name@ in it, rendered in one pass: what a value contains is never
 * looked at again, so that nobody's name can be a template. Every @ of a template must begin a
 * placeholder (@@ is an @): a misspelt one is a fault at the start of soko-jobs, not a surprise in
 * somebody's hand.
 *
 * Each parameter has a longest value, and values are cut to it; so the length of the longest SMS is
 * known when the template is read, and must fit one message of 160 characters of GSM 03.38's
 * alphabet. (A name in another script is sent as it is: the provider then takes UCS-2, and perhaps
 * two messages.)
 *
 * Rejected: a template engine. There are no conditions and no lists in five sentences.
 */
#include "base/config.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "shop/messages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX 8192
#define TEXT_MAX 65536
#define SMS_MAX 160
#define SUBJECT "Subject: "

/* clang-format off */
static const struct param {
    const char *name;
    size_t max[CHANNEL__COUNT]; /* characters */
} params_known[] = {
    {"name",         {30, 100}},
    {"order_number", {12, 12}},
    {"amount",       {17, 17}},
    {"currency",     {3, 3}},
    {"code",         {6, 6}},
    {"minutes",      {2, 2}},
    {"what",         {60, 60}},
};
#define PARAMS (sizeof(params_known) / sizeof(params_known[0]))

/* Which of them, as a set. */
enum { NAME = 1, NUMBER = 2, AMOUNT = 4, CURRENCY = 8, CODE = 16, MINUTES = 32, WHAT = 64 };

static const struct {
    const char *name;
    unsigned may, must;
} templates[TEMPLATE__COUNT] = {
    [TEMPLATE_WELCOME]       = {"welcome",       NAME,                              0},
    [TEMPLATE_ORDER_PLACED]  = {"order_placed",  NAME | NUMBER | AMOUNT | CURRENCY, NUMBER},
    [TEMPLATE_ORDER_PAID]    = {"order_paid",    NAME | NUMBER | AMOUNT | CURRENCY, NUMBER},
    [TEMPLATE_ORDER_SHIPPED] = {"order_shipped", NAME | NUMBER,                     NUMBER},
    [TEMPLATE_REFUNDED]      = {"refunded",      NAME | NUMBER | AMOUNT | CURRENCY, NUMBER | AMOUNT | CURRENCY},
    [TEMPLATE_VERIFY]        = {"verify",        NAME | CODE | MINUTES,             CODE},
    [TEMPLATE_RESET]         = {"reset",         NAME | CODE | MINUTES,             CODE},
    [TEMPLATE_NOTICE]        = {"notice",        NAME | WHAT,                       WHAT},
};

static const char *const notices[NOTICE__COUNT] = {
    [NOTICE_PASSWORD_CHANGED]   = "Your password was changed.",
    [NOTICE_PASSWORD_RESET]     = "Your password was reset by a one-time code.",
    [NOTICE_EMAIL_CHANGED]      = "Your e-mail address was changed.",
    [NOTICE_PHONE_CHANGED]      = "Your phone number was changed.",
    [NOTICE_USERNAME_CHANGED]   = "Your username was changed.",
    [NOTICE_SECOND_FACTOR_ON]   = "A second factor was switched on.",
    [NOTICE_SECOND_FACTOR_OFF]  = "Your second factor was switched off.",
    [NOTICE_RECOVERY_CODE_USED] = "A recovery code was used to sign in.",
    [NOTICE_CODE_USED_AGAIN]    = "A code of your second factor was tried a second time.",
    [NOTICE_NEW_ADDRESS]        = "Somebody signed in from a new address.",
    [NOTICE_KEY_CREATED]        = "An API key was created.",
};

static const char *const channels[CHANNEL__COUNT] = {
    [CHANNEL_SMS] = "sms",
    [CHANNEL_EMAIL] = "email",
};
/* clang-format on */

/* GSM 03.38 beyond ASCII. */
static const uint32_t gsm_more[] = {
    0xA1, 0xA3, 0xA4, 0xA5,  0xA7,  0xBF,  0xC4,  0xC5,  0xC6,  0xC7,  0xC9,  0xD1,  0xD6,
    0xD8, 0xDC, 0xDF, 0xE0,  0xE4,  0xE5,  0xE6,  0xE8,  0xE9,  0xEC,  0xF1,  0xF2,  0xF6,
    0xF8, 0xF9, 0xFC, 0x393, 0x394, 0x398, 0x39B, 0x39E, 0x3A0, 0x3A3, 0x3A6, 0x3A8, 0x3A9,
};

static uint32_t
code_point(const char *s, size_t len)
{
    static const uint8_t first[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t c = (uint8_t)s[0] & first[len];

    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((uint8_t)s[i] & 0x3F);
    return c;
}

/* How much of an SMS a character takes: 1, or 2 by the escape to the extension table; 0: it is not
 * of this alphabet. */
static size_t
gsm_size(uint32_t c)
{
    if (c == 0x20AC || (c < 0x80 && c > 0 && strchr("^{}\\[~]|\f", (int)c) != NULL))
        return 2;
    if (c == '\n' || (c >= ' ' && c < 0x7F && c != '`'))
        return 1;
    for (size_t i = 0; i < sizeof(gsm_more) / sizeof(gsm_more[0]); i++) {
        if (gsm_more[i] == c)
            return 1;
    }
    return 0;
}

/* What no line of a message may contain: controls, line and paragraph separators, and marks that
 * are invisible or turn the writing around (RFC 9839 and Unicode TR36 have the reasons). */
static bool
is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x200B || c == 0x200E || c == 0x200F ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

static size_t
param_of(const char *name, size_t len)
{
    for (size_t i = 0; i < PARAMS; i++) {
        if (strlen(params_known[i].name) == len && memcmp(params_known[i].name, name, len) == 0)
            return i;
    }
    return PARAMS;
}

/* At an '@': the name that follows, up to the next '@'. False if there is no such name. */
static bool
placeholder(const char *at, const char **name, size_t *len)
{
    *name = at + 1;
    *len = strspn(*name, "abcdefghijklmnopqrstuvwxyz_");
    return (*name)[*len] == '@';
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The whole file, or NULL and why. */
static const char *
read_file(struct arena *a, const char *path, size_t *len, const char **why)
{
    char *data = arena_alloc(a, FILE_MAX + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = 0;

    *len = 0;
    while (fd >= 0 && *len < FILE_MAX && (n = read(fd, data + *len, FILE_MAX - *len)) > 0)
        *len += (size_t)n;
    if (fd < 0 || n < 0)
        *why = arena_strdup(a, strerror(errno));
    else if (*len == FILE_MAX)
        *why = "is too long";
    if (fd >= 0)
        close(fd);
    return *why == NULL ? data : NULL;
}

static const char *
load(struct arena *a, enum template t, enum channel c)
{
    const char *path =
        arena_printf(a, "%s/%s.%s", conf->messages_dir, templates[t].name, channels[c]);
    const char *why = NULL;
    size_t len;

    const char *text = read_file(a, path, &len, &why);
    if (text != NULL)
        why = messages_fault(a, t, c, text, len);
    if (why == NULL)
        return text;
    log_event(LOG_ERROR, EVENT("message.template"), TEXT("file.path", path),
              TEXT("error.message", why));
    return NULL;
}

/* --- faults ----------------------------------------------------------------------------------- */

static const char *
placeholders_fault(struct arena *a, enum template t, const char *text)
{
    bool seen[PARAMS] = {false};

    for (const char *s = strchr(text, '@'); s != NULL; s = strchr(s, '@')) {
        const char *name;
        size_t len;

        if (!placeholder(s, &name, &len))
            return arena_printf(a, "has an @ that begins no placeholder (@@ is an @): %.20s", s);
        s = name + len + 1;
        if (len == 0)
            continue;
        size_t i = param_of(name, len);
        if (i == PARAMS || (templates[t].may & 1U << i) == 0)
            return arena_printf(a, "has an unknown placeholder: @%.*s@", (int)len, name);
        seen[i] = true;
    }
    for (size_t i = 0; i < PARAMS; i++) {
        if ((templates[t].must & 1U << i) != 0 && !seen[i])
            return arena_printf(a, "lacks @%s@", params_known[i].name);
    }
    return NULL;
}

/* The length of the longest message that can come of it. */
static const char *
sms_fault(struct arena *a, const char *text)
{
    size_t total = 0, end = strlen(text);

    while (end > 0 && text[end - 1] == '\n')
        end--;
    for (size_t i = 0; i < end;) {
        size_t step = utf8_step(text + i, end - i), size = gsm_size(code_point(text + i, step));
        const char *name;
        size_t len;

        if (text[i] == '@' && placeholder(text + i, &name, &len)) {
            total += len == 0 ? 1 : params_known[param_of(name, len)].max[CHANNEL_SMS];
            i += len + 2;
            continue;
        }
        if (size == 0)
            return arena_printf(a, "has a character that is not of the GSM alphabet: %.*s",
                                (int)step, text + i);
        total += size;
        i += step;
    }
    if (total == 0)
        return "is empty";
    return total <= SMS_MAX
               ? NULL
               : arena_printf(a, "may become %zu characters long, more than %d", total, SMS_MAX);
}

static const char *
email_fault(const char *text)
{
    const char *line = strchr(text, '\n');

    if (strncmp(text, SUBJECT, strlen(SUBJECT)) != 0 || line == NULL ||
        line == text + strlen(SUBJECT))
        return "must begin with a line \"" SUBJECT "...\"";
    if (line[1] != '\n')
        return "must have an empty line after its subject";
    return line[2 + strspn(line + 2, "\n ")] != '\0' ? NULL : "is empty";
}

/* --- values ----------------------------------------------------------------------------------- */

/* The value in one clean line of at most `max` characters; in an SMS some count as two. */
static void
add_value(struct text *out, enum channel c, const char *value, size_t max)
{
    size_t len = strlen(value), used = 0;
    bool blank = false; /* one is due before the next character */

    for (size_t i = 0, step; i < len; i += step) {
        step = utf8_step(value + i, len - i);
        uint32_t point = step == 0 ? 0 : code_point(value + i, step);
        if (step == 0)
            step = 1; /* the database keeps no such text */
        if (is_control(point) || point == ' ') {
            blank = used > 0;
            continue;
        }
        size_t size = c == CHANNEL_SMS && gsm_size(point) == 2 ? 2 : 1;
        if (used + size + (blank ? 1 : 0) > max)
            return;
        if (blank)
            text_putc(out, ' ');
        used += size + (blank ? 1 : 0);
        blank = false;
        text_add(out, value + i, step);
    }
}

static const char *
value_of(const char *name, size_t len, const struct message_param *params, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(params[i].name) == len && memcmp(params[i].name, name, len) == 0)
            return params[i].value;
    }
    return NULL;
}

static bool
fill(struct text *out, enum channel c, const char *text, const struct message_param *params,
     size_t count)
{
    while (*text != '\0') {
        size_t plain = strcspn(text, "@"), len;
        const char *name;

        text_add(out, text, plain);
        text += plain;
        if (*text == '\0')
            break;
        if (!placeholder(text, &name, &len))
            return false;
        text = name + len + 1;
        if (len == 0) {
            text_putc(out, '@');
            continue;
        }
        const char *value = value_of(name, len, params, count);
        size_t i = param_of(name, len);
        if (value == NULL || i == PARAMS)
            return false;
        add_value(out, c, value, params_known[i].max[c]);
    }
    return true;
}

/* --- public ----------------------------------------------------------------------------------- */

const char *messages_template_name(enum template t)
{
    return templates[t].name;
}

bool
messages_template_parse(const char *name, enum template *out)
{
    for (int t = 0; t < TEMPLATE__COUNT; t++) {
        if (strcmp(templates[t].name, name) == 0) {
            *out = (enum template)t;
            return true;
        }
    }
    return false;
}

const char *
messages_channel_name(enum channel c)
{
    return channels[c];
}

const char *
messages_notice_text(enum notice what)
{
    return notices[what];
}

const char *
messages_fault(struct arena *a, enum template t, enum channel c, const char *text, size_t len)
{
    if (!utf8_valid(text, len))
        return "is not UTF-8";
    const char *s = arena_strndup(a, text, len);
    for (size_t i = 0; i < len; i += utf8_step(s + i, len - i)) {
        if (s[i] != '\n' && is_control(code_point(s + i, utf8_step(s + i, len - i))))
            return "has a control character";
    }
    const char *fault = placeholders_fault(a, t, s);
    if (fault != NULL)
        return fault;
    return c == CHANNEL_SMS ? sms_fault(a, s) : email_fault(s);
}

bool
messages_render(struct arena *a, enum channel c, const char *text,
                const struct message_param *params, size_t count, struct message_text *out)
{
    struct text filled = text_new(a, TEXT_MAX);

    if (!fill(&filled, c, text, params, count) || filled.overflow)
        return false;
    const char *s = text_cstr(&filled);
    if (c == CHANNEL_EMAIL) {
        size_t line = strcspn(s, "\n");
        out->subject = arena_strndup(a, s + strlen(SUBJECT), line - strlen(SUBJECT));
        out->body = arena_strdup(a, s + line + 2);
        return true;
    }
    size_t end = strlen(s);
    while (end > 0 && s[end - 1] == '\n')
        end--;
    out->subject = NULL;
    out->body = arena_strndup(a, s, end);
    return true;
}

bool
messages_text(struct arena *a, enum template t, enum channel c, const struct message_param *params,
              size_t count, struct message_text *out)
{
    const char *text = load(a, t, c);

    if (text == NULL)
        return false;
    if (messages_render(a, c, text, params, count, out))
        return true;
    log_event(LOG_ERROR, EVENT("message.render"), TEXT("soko.message.channel", channels[c]),
              TEXT("soko.message.template", templates[t].name));
    return false;
}

bool
messages_check(void)
{
    struct arena *a = arena_new();
    bool good = true;

    for (int t = 0; t < TEMPLATE__COUNT; t++) {
        for (int c = 0; c < CHANNEL__COUNT; c++)
            good = load(a, (enum template)t, (enum channel)c) != NULL && good;
    }
    arena_free(a);
    return good;
}
