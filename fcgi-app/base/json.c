/*
 * Design: one recursive descent over the bytes (at most JSON_DEPTH_MAX deep, checked before each
 * descent), which builds nothing but the keys of the objects that are open, on one stack that all
 * of them share. A key is kept unescaped, so that "a" and "\u0061" are the same. Looking for a
 * duplicate compares hashes one by one; with at most 1,000 members an object that is cheaper than
 * any table, and no input makes it expensive.
 *
 * json-c then parses what has passed, with its own strict flags on: two readers must agree before
 * anybody believes. Rejected: json-c alone (see json.h), and our own tree (every caller would have
 * to learn it; the checker is a third of a parser and that third is easy to test).
 */
#include "base/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MEMBERS_MOST 1000
#define EXPONENT_DIGITS_MOST 3
#define KEYS_FIRST 64
#define FIELD_SHOWN 64 /* bytes of a hostile name that we repeat */

struct key {
    const char *s;
    size_t len;
    uint32_t hash;
};

struct reader {
    struct arena *arena;
    struct problems *list;
    const char *start, *at, *end;
    int depth;
    const struct key *member; /* of the outermost object, while its value is read */
    struct key *keys;         /* of all objects that are open, the innermost last */
    size_t count, cap;
};

static bool value(struct reader *r);

/* Reports a fault at `at`; always false, for the callers to return. */
static bool
refuse(struct reader *r, const char *at, const char *what)
{
    const char *field = NULL;

    if (r->member != NULL) {
        size_t len = 0, step;

        while (len < r->member->len &&
               (step = utf8_step(r->member->s + len, r->member->len - len)) != 0 &&
               len + step <= FIELD_SHOWN)
            len += step;
        field = arena_strndup(r->arena, r->member->s, len);
    }
    problems_add(r->arena, r->list, ERR_VALIDATION, field, NULL, "%s at byte %zu", what,
                 (size_t)(at - r->start));
    return false;
}

static bool
refuse_here(struct reader *r)
{
    return refuse(r, r->at, r->at == r->end ? "unexpected end of input" : "unexpected character");
}

static void
blanks(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

static bool
next_is(const struct reader *r, char c)
{
    return r->at < r->end && *r->at == c;
}

static bool
digit(const struct reader *r)
{
    return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

static bool
word(struct reader *r, const char *text)
{
    for (; *text != '\0'; text++, r->at++) {
        if (!next_is(r, *text))
            return refuse_here(r);
    }
    return true;
}

/* Digits in a row, at least one; adds those that are significant to *count. */
static bool
digits(struct reader *r, size_t *count)
{
    if (!digit(r))
        return refuse_here(r);
    for (; digit(r); r->at++) {
        if (*count != 0 || *r->at != '0')
            ++*count;
    }
    return true;
}

static bool
number(struct reader *r)
{
    const char *from = r->at;
    size_t significant = 0, exponent = 0;

    if (next_is(r, '-'))
        r->at++;
    if (next_is(r, '0'))
        r->at++;
    else if (!digits(r, &significant))
        return false;
    if (next_is(r, '.')) {
        r->at++;
        if (!digits(r, &significant))
            return false;
    }
    if (next_is(r, 'e') || next_is(r, 'E')) {
        r->at++;
        if (next_is(r, '+') || next_is(r, '-'))
            r->at++;
        const char *first = r->at;
        if (!digits(r, &exponent))
            return false;
        exponent = (size_t)(r->at - first);
    }
    if (significant > JSON_DIGITS_MAX || exponent > EXPONENT_DIGITS_MOST)
        return refuse(r, from, "number is too large");
    return true;
}

/* The four digits behind a \u; -1 if they are not there. */
static int
hex4(const struct reader *r, const char *s)
{
    int n = 0;

    if (r->end - s < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = s[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0)
            return -1;
        n = n << 4 | d;
    }
    return n;
}

/* A \u escape or a pair of them: moves behind it, puts the code point in *code. */
static bool
unicode_escape(struct reader *r, uint32_t *code)
{
    const char *from = r->at;
    int high = hex4(r, from + 2);

    if (high < 0)
        return refuse(r, from, "malformed \\u escape");
    if (high == 0)
        return refuse(r, from, "\\u0000 is not allowed");
    r->at += 6;
    *code = (uint32_t)high;
    if (high < 0xd800 || high > 0xdfff)
        return true;
    int low = r->end - r->at >= 2 && r->at[0] == '\\' && r->at[1] == 'u' ? hex4(r, r->at + 2) : -1;
    if (high > 0xdbff || low < 0xdc00 || low > 0xdfff)
        return refuse(r, from, "lone surrogate");
    r->at += 6;
    *code = 0x10000 + (((uint32_t)high & 0x3ff) << 10 | ((uint32_t)low & 0x3ff));
    return true;
}

static size_t
utf8_put(uint32_t code, char out[4])
{
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(first[n] | code);
    return n;
}

/* A string, with r->at on its first quote. With `key` its unescaped content is kept there. */
static bool
string(struct reader *r, struct key *key)
{
    static const char letters[] = "\"\\/bfnrt", plain[] = "\"\\/\b\f\n\r\t";
    const char *from = ++r->at, *found;
    char *copy = NULL; /* made at the first escape only: no key outgrows its source */
    size_t len = 0;

    while (r->at < r->end && *r->at != '"') {
        const char *unit = r->at;
        char bytes[4];
        size_t n;

        if ((unsigned char)*unit < 0x20)
            return refuse(r, unit, "control character in a string");
        if (*unit != '\\') {
            n = utf8_step(unit, (size_t)(r->end - unit));
            if (n == 0)
                return refuse(r, unit, "is not valid UTF-8");
            memcpy(bytes, unit, n);
            r->at += n;
        } else if (r->end - unit >= 2 && unit[1] == 'u') {
            uint32_t code = 0;

            if (!unicode_escape(r, &code))
                return false;
            n = utf8_put(code, bytes);
        } else if (r->end - unit >= 2 && unit[1] != '\0' &&
                   (found = strchr(letters, unit[1])) != NULL) {
            bytes[0] = plain[found - letters];
            n = 1;
            r->at += 2;
        } else {
            return r->end - unit < 2 ? refuse(r, r->end, "unexpected end of input")
                                     : refuse(r, unit, "unknown escape");
        }
        if (key == NULL)
            continue;
        if (copy == NULL && *unit == '\\') {
            const char *close = unit;

            while (close < r->end && *close != '"')
                close += *close == '\\' && r->end - close >= 2 ? 2 : 1;
            copy = arena_alloc(r->arena, (size_t)(close - from) + 1);
            memcpy(copy, from, len);
        }
        if (copy != NULL)
            memcpy(copy + len, bytes, n);
        len += n;
    }
    if (r->at == r->end)
        return refuse_here(r);
    r->at++;
    if (key != NULL) {
        key->s = copy != NULL ? copy : from;
        key->len = len;
    }
    return true;
}

/* Pushes a member's name; refuses one that the object, whose keys begin at `base`, has already. */
static bool
push_key(struct reader *r, size_t base, struct key k, const char *from)
{
    k.hash = UINT32_C(2166136261);
    for (size_t i = 0; i < k.len; i++)
        k.hash = (k.hash ^ (unsigned char)k.s[i]) * UINT32_C(16777619);
    for (size_t i = base; i < r->count; i++) {
        const struct key *old = &r->keys[i];

        if (old->hash != k.hash || old->len != k.len || memcmp(old->s, k.s, k.len) != 0)
            continue;
        if (r->depth == 1)
            r->member = old;
        return refuse(r, from, "duplicate member");
    }
    if (r->count - base == MEMBERS_MOST)
        return refuse(r, from, "too many members in one object");
    if (r->count == r->cap) {
        size_t cap = r->cap == 0 ? KEYS_FIRST : r->cap * 2;
        struct key *keys = arena_array(r->arena, cap, sizeof *keys);

        if (r->count != 0)
            memcpy(keys, r->keys, r->count * sizeof *keys);
        r->keys = keys;
        r->cap = cap;
    }
    r->keys[r->count++] = k;
    return true;
}

static bool
object(struct reader *r)
{
    size_t base = r->count;

    r->at++;
    blanks(r);
    if (next_is(r, '}')) {
        r->at++;
        return true;
    }
    for (;;) {
        struct key k = {.s = ""};
        const char *from = r->at;

        if (!next_is(r, '"'))
            return refuse_here(r);
        if (!string(r, &k) || !push_key(r, base, k, from))
            return false;
        if (r->depth == 1)
            r->member = &k;
        blanks(r);
        if (!next_is(r, ':'))
            return refuse_here(r);
        r->at++;
        if (!value(r))
            return false;
        if (r->depth == 1)
            r->member = NULL;
        blanks(r);
        if (next_is(r, '}'))
            break;
        if (!next_is(r, ','))
            return refuse_here(r);
        r->at++;
        blanks(r);
    }
    r->at++;
    r->count = base;
    return true;
}

static bool
list(struct reader *r)
{
    r->at++;
    blanks(r);
    if (next_is(r, ']')) {
        r->at++;
        return true;
    }
    for (;;) {
        if (!value(r))
            return false;
        blanks(r);
        if (next_is(r, ']'))
            break;
        if (!next_is(r, ','))
            return refuse_here(r);
        r->at++;
    }
    r->at++;
    return true;
}

static bool
value(struct reader *r)
{
    blanks(r);
    if (r->at == r->end)
        return refuse_here(r);
    switch (*r->at) {
    case '{':
    case '[': {
        if (r->depth == JSON_DEPTH_MAX)
            return refuse(r, r->at, "is nested too deeply");
        r->depth++;
        bool fine = *r->at == '{' ? object(r) : list(r);
        r->depth--;
        return fine;
    }
    case '"':
        return string(r, NULL);
    case 't':
        return word(r, "true");
    case 'f':
        return word(r, "false");
    case 'n':
        return word(r, "null");
    default:
        return *r->at == '-' || digit(r) ? number(r) : refuse_here(r);
    }
}

static void
put_object(void *o)
{
    json_object_put(o);
}

enum err
json_read(struct arena *a, struct problems *list, const char *s, size_t len,
          struct json_object **out)
{
    struct reader r = {.arena = a, .list = list, .start = s, .at = s, .end = s + len};

    blanks(&r);
    if (r.at == r.end)
        return problems_add(a, list, ERR_VALIDATION, NULL, NULL, "the body is empty");
    if (!value(&r))
        return ERR_VALIDATION;
    blanks(&r);
    if (r.at != r.end) {
        refuse(&r, r.at, "unexpected text after the value");
        return ERR_VALIDATION;
    }
    if (len >= INT32_MAX)
        return problems_add(a, list, ERR_PAYLOAD_TOO_LARGE, NULL, NULL, NULL);

    struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH_MAX + 2);
    if (t == NULL)
        abort();
    json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    /* The NUL tells json-c that a number at the very end is complete. */
    struct json_object *o = json_tokener_parse_ex(t, arena_strndup(a, s, len), (int)len + 1);
    enum json_tokener_error e = json_tokener_get_error(t);
    json_tokener_free(t);
    if (e != json_tokener_success) {
        json_object_put(o);
        return problems_add(a, list, ERR_VALIDATION, NULL, NULL, "is not valid JSON: %s",
                            json_tokener_error_desc(e));
    }
    if (o != NULL)
        arena_defer(a, put_object, o);
    *out = o;
    return OK;
}

const char *
json_number_text(struct json_object *o)
{
    switch (json_object_get_type(o)) {
    case json_type_int:
    case json_type_double:
        return json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
    default:
        return NULL;
    }
}

size_t
utf8_step(const char *s, size_t len)
{
    const unsigned char *u = (const unsigned char *)s;

    if (len == 0)
        return 0;
    if (u[0] < 0x80)
        return 1;
    size_t n = u[0] >= 0xc2 && u[0] <= 0xdf ? 2 : (u[0] & 0xf0) == 0xe0 ? 3 : 4;
    if (u[0] < 0xc2 || u[0] > 0xf4 || len < n)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    }
    /* RFC 3629: the second byte alone shows overlong forms, surrogates and what is too high. */
    bool bad = (u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
               (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f);
    return bad ? 0 : n;
}

bool
utf8_valid(const char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t step = utf8_step(s + i, len - i);

        if (step == 0 || s[i] == '\0')
            return false;
        i += step;
    }
    return true;
}

size_t
utf8_length(const char *s)
{
    size_t n = 0;

    for (; *s != '\0'; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}
