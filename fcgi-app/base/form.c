/*
 * base/form: application/x-www-form-urlencoded.
 *
 * A blank is sent as %20, never as '+': every reader of forms understands the first, and some take
 * the second for a plus sign. form_get() decodes names one by one until one fits; its forms have a
 * handful of fields, so that a table of them would be longer than the search.
 */
#include "base/form.h"

#include "base/json.h"

#include <string.h>

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
is_plain(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void
form_escape(struct text *t, const char *s)
{
    static const char digits[] = "0123456789ABCDEF";

    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;

        if (is_plain(*s)) {
            text_putc(t, *s);
        } else {
            char escaped[3] = {'%', digits[c >> 4], digits[c & 15]};
            text_add(t, escaped, sizeof escaped);
        }
    }
}

void
form_add(struct text *t, const char *name, const char *value)
{
    if (t->len > 0)
        text_putc(t, '&');
    form_escape(t, name);
    text_putc(t, '=');
    form_escape(t, value);
}

const char *
form_decode(struct arena *a, const char *s, size_t len, char **out, size_t *out_len)
{
    char *to = *out = arena_alloc(a, len + 1);

    for (size_t i = 0; i < len; i++) {
        char c = s[i] == '+' ? ' ' : s[i];

        if (c == '%') {
            int high = len - i > 2 ? hex_value(s[i + 1]) : -1;
            int low = len - i > 2 ? hex_value(s[i + 2]) : -1;

            if (high < 0 || low < 0)
                return "is not well-formed percent-encoding";
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0')
            return "contains a control character";
        *to++ = c;
    }
    *out_len = (size_t)(to - *out);
    return utf8_valid(*out, *out_len) ? NULL : "is not valid UTF-8";
}

const char *
form_get(struct arena *a, const char *form, size_t len, const char *name)
{
    for (const char *at = form, *end = form + len; at < end;) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        size_t pair = (size_t)((stop == NULL ? end : stop) - at);
        const char *equals = memchr(at, '=', pair);
        size_t name_len = equals == NULL ? pair : (size_t)(equals - at), n;
        char *decoded;

        if (form_decode(a, at, name_len, &decoded, &n) == NULL && strcmp(decoded, name) == 0) {
            if (equals == NULL)
                return "";
            return form_decode(a, equals + 1, pair - name_len - 1, &decoded, &n) == NULL ? decoded
                                                                                         : NULL;
        }
        at += pair + 1;
    }
    return NULL;
}
