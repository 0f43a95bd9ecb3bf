/*
 * Design: a doubling buffer in the arena. Old buffers are left behind for the reset: together they
 * are smaller than the last one. The flag `overflow` is sticky, and what comes after it is dropped
 * too: half an answer is of no use, and nobody should mistake it for a whole one.
 *
 * Commas depend on the last byte written and on no state, so that rows, members and nested parts
 * may be written by functions that know nothing of each other.
 */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CAP_FIRST 256

static const char hex[] = "0123456789abcdef";

/* What follows a backslash for these bytes; 'u' is the long form, 0 is none. */
static const char escapes[256] = {
    /* clang-format off */
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b', 't', 'n', 'u', 'f', 'r', 'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    ['"'] = '"', ['\\'] = '\\',
    /* clang-format on */
};

/* Makes room for `len` more bytes and a NUL; answers how many of them fit under the maximum. */
static size_t
reserve(struct text *t, size_t len)
{
    if (t->overflow)
        return 0;
    if (len > t->max - t->len) {
        t->overflow = true;
        len = t->max - t->len;
    }
    if (t->data != NULL && len < t->cap - t->len)
        return len;

    size_t cap = t->cap == 0 ? CAP_FIRST : t->cap;
    while (cap - t->len <= len)
        cap *= 2;
    if (cap > t->max + 1)
        cap = t->max + 1;
    char *data = arena_alloc(t->arena, cap);
    if (t->len != 0)
        memcpy(data, t->data, t->len);
    t->data = data;
    t->cap = cap;
    return len;
}

struct text
text_new(struct arena *a, size_t max)
{
    /* A quarter of the address space, so that sizes can double without overflow. */
    return (struct text){.arena = a, .max = max > SIZE_MAX / 4 ? SIZE_MAX / 4 : max};
}

const char *
text_cstr(const struct text *t)
{
    return t->data == NULL ? "" : t->data;
}

void
text_clear(struct text *t)
{
    t->len = 0;
    t->overflow = false;
    if (t->data != NULL)
        t->data[0] = '\0';
}

void
text_add(struct text *t, const char *data, size_t len)
{
    len = reserve(t, len);
    if (len == 0)
        return;
    memcpy(t->data + t->len, data, len);
    t->len += len;
    t->data[t->len] = '\0';
}

void
text_puts(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

void
text_putc(struct text *t, char c)
{
    text_add(t, &c, 1);
}

void
text_int(struct text *t, int64_t n)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (n < 0)
        text_putc(t, '-');
    text_add(t, digits + at, sizeof digits - at);
}

void
text_printf(struct text *t, const char *fmt, ...)
{
    char small[256];
    va_list ap, again;

    va_start(ap, fmt);
    va_copy(again, ap);
    int len = vsnprintf(small, sizeof small, fmt, ap);
    if (len >= 0 && (size_t)len < sizeof small)
        text_add(t, small, (size_t)len);
    else
        text_puts(t, arena_vprintf(t->arena, fmt, again));
    va_end(again);
    va_end(ap);
}

void
text_json_n(struct text *t, const char *s, size_t len)
{
    size_t from = 0;

    if (s == NULL) {
        text_puts(t, "null");
        return;
    }
    text_putc(t, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        char e = escapes[c];

        if (e == 0)
            continue;
        char out[6] = {'\\', e, '0', '0', hex[c >> 4], hex[c & 15]};
        text_add(t, s + from, i - from);
        text_add(t, out, e == 'u' ? 6 : 2);
        from = i + 1;
    }
    text_add(t, s + from, len - from);
    text_putc(t, '"');
}

void
text_json(struct text *t, const char *s)
{
    text_json_n(t, s, s == NULL ? 0 : strlen(s));
}

void
text_comma(struct text *t)
{
    if (t->len == 0)
        return;
    char last = t->data[t->len - 1];
    if (last != '[' && last != '{' && last != ':')
        text_putc(t, ',');
}

void
text_key(struct text *t, const char *key)
{
    text_comma(t);
    text_json(t, key);
    text_putc(t, ':');
}

void
text_member(struct text *t, const char *key, const char *value)
{
    text_key(t, key);
    text_json(t, value);
}

void
text_member_int(struct text *t, const char *key, int64_t value)
{
    text_key(t, key);
    text_int(t, value);
}

void
text_member_bool(struct text *t, const char *key, bool value)
{
    text_key(t, key);
    text_puts(t, value ? "true" : "false");
}

void
text_member_raw(struct text *t, const char *key, const char *json)
{
    text_key(t, key);
    text_puts(t, json == NULL ? "null" : json);
}
