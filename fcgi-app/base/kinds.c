/*
 * Design: a function a kind; each applies the field's rules in the order in which a person would
 * mend them (the type, then what it holds, then its range), and refuses once. Strings of a query
 * are read as numbers and booleans; strings of a JSON body are not, except a decimal, which API.md
 * lets clients write either way.
 *
 * Numbers are read from their text: neither a double nor json-c's clamping comes near them.
 */
#include "base/kinds.h"

#include "base/clock.h"

#include "base/json.h"
#include "base/phone.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MOST 255
#define OBJECT_TEXT_MOST 4096
#define EMAIL_MOST 254
#define USERNAME_LEAST 3
#define USERNAME_MOST 32

#define BLANKS " \t\r\n"
#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* Which of the words of "a|b|c" `s` is, from 0; -1 if it is none. */
static int
word_index(const char *words, const char *s)
{
    size_t len = strlen(s);
    int i = 0;

    for (const char *w = words;; w++, i++) {
        size_t n = strcspn(w, "|");

        if (n == len && memcmp(w, s, n) == 0)
            return i;
        w += n;
        if (*w == '\0')
            return -1;
    }
}

/* "a|b|c" as people write it: "a, b, c". */
static const char *
words_for_people(struct arena *a, const char *words)
{
    char *out = arena_alloc(a, strlen(words) * 2 + 1), *at = out;

    for (; *words != '\0'; words++) {
        *at++ = *words == '|' ? ',' : *words;
        if (*words == '|')
            *at++ = ' ';
    }
    return out;
}

static bool
has_control(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c < 0x20 && c != '\n' && c != '\r' && c != '\t')
            return true;
    }
    return false;
}

static void
lower(char *s)
{
    for (; *s != '\0'; s++) {
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s - 'A' + 'a');
    }
}

static bool
is_email(const char *s)
{
    const char *at = strchr(s, '@'), *dot;
    size_t len = strlen(s);

    if (at == NULL || at == s || strchr(at + 1, '@') != NULL || len > EMAIL_MOST)
        return false;
    /* Letters beyond ASCII have a case that is not ours to fold, and look like other letters. */
    for (const char *c = s; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~')
            return false;
    }
    /* What would begin a second address, or a comment, in a mail's To: line. */
    if (strpbrk(s, BLANKS "<>()[],;:\\\"") != NULL)
        return false;
    dot = strchr(at + 1, '.');
    return dot != NULL && dot != at + 1 && s[len - 1] != '.' && strstr(at, "..") == NULL;
}

static bool
is_username(const char *s)
{
    size_t len = strlen(s);

    return len >= USERNAME_LEAST && len <= USERNAME_MOST && strchr(LETTERS, s[0]) != NULL &&
           strspn(s, LETTERS DIGITS "._-") == len;
}

/* Applies a format to a copy of the text; the form to keep, or NULL after refusing. */
static const char *
apply_format(struct input_errors *errors, size_t i, char *s)
{
    char phone[PHONE_SIZE];

    switch (errors->table->fields[i].format) {
    case FORMAT_EMAIL:
        lower(s);
        if (is_email(s))
            return s;
        kinds_refuse(errors, i, "is not a valid e-mail address");
        return NULL;
    case FORMAT_PHONE:
        if (phone_normalise(s, phone))
            return arena_strdup(errors->arena, phone);
        kinds_refuse(errors, i, "is not a valid phone number");
        return NULL;
    case FORMAT_USERNAME:
        lower(s);
        if (is_username(s))
            return s;
        kinds_refuse(errors, i,
                     "must be 3 to 32 of a-z, 0-9, '.', '_', '-', and begin with a letter");
        return NULL;
    case FORMAT_CURRENCY:
        if (money_scale(s) >= 0)
            return s;
        kinds_refuse(errors, i, "is not a currency that is accepted here");
        return NULL;
    case FORMAT_TIME:
        if (clock_parse(s, &(int64_t){0}))
            return s;
        kinds_refuse(errors, i, "must be a time like 2026-02-20T10:00:00Z, or a day");
        return NULL;
    case FORMAT_PLAIN:
    case FORMAT_SECRET:
        break;
    }
    return s;
}

static int64_t
max_or(const struct field *f, int64_t otherwise)
{
    return f->max != 0 ? f->max : otherwise;
}

/* The text of a string within its range, or NULL after refusing. `trim` takes blanks off. */
static char *
plain_text(struct input_errors *errors, size_t i, const struct raw *raw, bool trim)
{
    const struct field *f = &errors->table->fields[i];
    const char *s = raw->s;
    size_t len = raw->len, blanks = strspn(s, BLANKS);

    if (has_control(s, len)) {
        kinds_refuse(errors, i, "contains a control character");
        return NULL;
    }
    if (f->required && (f->format == FORMAT_SECRET ? len == 0 : blanks == len)) {
        kinds_refuse(errors, i, "is required");
        return NULL;
    }
    if (trim) {
        s += blanks;
        len -= blanks;
        while (len > 0 && strchr(BLANKS, s[len - 1]) != NULL)
            len--;
    }
    char *copy = arena_strndup(errors->arena, s, len);
    if (!kinds_in_range(errors, i, (int64_t)utf8_length(copy), max_or(f, TEXT_MOST), "character"))
        return NULL;
    return copy;
}

static bool
read_text(struct input_errors *errors, size_t i, const struct raw *raw, void *to)
{
    const struct field *f = &errors->table->fields[i];

    if (raw->type != RAW_STRING)
        return kinds_refuse(errors, i, "must be a string");
    char *copy = plain_text(errors, i, raw, f->format != FORMAT_SECRET);
    if (copy == NULL)
        return false;
    const char *s = apply_format(errors, i, copy);
    if (s == NULL)
        return false;
    if (f->one_of != NULL && word_index(f->one_of, s) < 0)
        return kinds_refuse(errors, i, "must be one of %s",
                            words_for_people(errors->arena, f->one_of));
    memcpy(to, &s, sizeof s);
    return true;
}

static bool
read_words(struct input_errors *errors, size_t i, const struct raw *raw, void *to)
{
    const struct field *f = &errors->table->fields[i];
    struct word_set set = {0};

    if (!json_object_is_type(raw->json, json_type_array))
        return kinds_refuse(errors, i, "must be a list");
    size_t count = json_object_array_length(raw->json);
    for (size_t k = 0; k < count; k++) {
        struct json_object *word = json_object_array_get_idx(raw->json, k);
        int at = json_object_is_type(word, json_type_string)
                     ? word_index(f->one_of, json_object_get_string(word))
                     : -1;
        if (at < 0)
            return kinds_refuse(errors, i, "must list only words of %s",
                                words_for_people(errors->arena, f->one_of));
        if ((set.bits & (UINT64_C(1) << at)) != 0)
            return kinds_refuse(errors, i, "must not name a word twice");
        set.bits |= UINT64_C(1) << at;
    }
    memcpy(to, &set, sizeof set);
    return true;
}

static bool
read_int(struct input_errors *errors, size_t i, const struct raw *raw, void *to)
{
    const struct field *f = &errors->table->fields[i];
    int64_t min = f->min, max = max_or(f, INT64_MAX);
    /* A query has no numbers, only text. */
    bool is_number = raw->type == RAW_NUMBER || (raw->type == RAW_STRING && raw->json == NULL);

    if (!is_number)
        return kinds_refuse(errors, i, "must be a whole number");
    bool negative = raw->s[0] == '-';
    const char *s = raw->s + negative;
    size_t len = raw->len - negative;
    if (len == 0 || strspn(s, DIGITS) != len || (len > 1 && s[0] == '0'))
        return kinds_refuse(errors, i, "must be a whole number");

    bool huge = len > JSON_DIGITS_MAX;
    int64_t n = 0;
    for (; !huge && *s != '\0'; s++)
        n = n * 10 + (*s - '0');
    if (negative)
        n = -n;
    if (huge ? negative : n < min)
        return kinds_refuse(errors, i, "must be at least %lld", (long long)min);
    if ((huge || n > max) && f->max == 0)
        return kinds_refuse(errors, i, "is too large");
    if (huge || n > max)
        return kinds_refuse(errors, i, "must be at most %lld", (long long)max);
    memcpy(to, &n, sizeof n);
    return true;
}

static bool
read_bool(struct input_errors *errors, size_t i, const struct raw *raw, void *to)
{
    bool truth = raw->truth;

    if (raw->type == RAW_STRING && raw->json == NULL) {
        truth = strcmp(raw->s, "true") == 0;
        if (!truth && strcmp(raw->s, "false") != 0)
            return kinds_refuse(errors, i, "must be true or false");
    } else if (raw->type != RAW_BOOL) {
        return kinds_refuse(errors, i, "must be true or false");
    }
    memcpy(to, &truth, sizeof truth);
    return true;
}

static bool
read_id(struct input_errors *errors, size_t i, const struct raw *raw, void *to)
{
    struct uuid id;

    if (raw->type != RAW_STRING || !uuid_parse(raw->s, raw->len, &id))
        return kinds_refuse(errors, i, "must be a UUID");
    memcpy(to, &id, sizeof id);
    return true;
}

static bool
read_decimal(struct input_errors *errors, size_t i, const struct raw *raw, void *to)
{
    struct decimal d;

    if (raw->type != RAW_STRING && raw->type != RAW_NUMBER)
        return kinds_refuse(errors, i, "must be a decimal number");
    if (!decimal_parse(raw->s, raw->len, &d))
        return kinds_refuse(errors, i,
                            "must be a decimal number such as 12.5, without sign or exponent");
    memcpy(to, &d, sizeof d);
    return true;
}

static bool
read_json(struct input_errors *errors, size_t i, const struct raw *raw, void *to)
{
    const struct field *f = &errors->table->fields[i];
    struct json_value v = {.is_string = raw->type == RAW_STRING};

    if (!v.is_string && !json_object_is_type(raw->json, json_type_object))
        return kinds_refuse(errors, i, "must be a string or an object");
    if (v.is_string) {
        v.string = plain_text(errors, i, raw, false);
        if (v.string == NULL)
            return false;
    }
    v.text = arena_strdup(errors->arena,
                          json_object_to_json_string_ext(
                              raw->json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    int64_t most = max_or(f, OBJECT_TEXT_MOST);
    if (!v.is_string && (int64_t)strlen(v.text) > most)
        return kinds_refuse(errors, i, "must have at most %lld bytes", (long long)most);
    memcpy(to, &v, sizeof v);
    return true;
}

bool
kinds_refuse(struct input_errors *errors, size_t i, const char *fmt, ...)
{
    va_list ap;

    if (errors->message[i] != NULL)
        return false;
    va_start(ap, fmt);
    errors->message[i] = arena_vprintf(errors->arena, fmt, ap);
    va_end(ap);
    return false;
}

bool
kinds_in_range(struct input_errors *errors, size_t i, int64_t n, int64_t max, const char *thing)
{
    int64_t min = errors->table->fields[i].min;

    if (n < min)
        return kinds_refuse(errors, i, "must have at least %lld %s%s", (long long)min, thing,
                            min == 1 ? "" : "s");
    if (n > max)
        return kinds_refuse(errors, i, "must have at most %lld %s%s", (long long)max, thing,
                            max == 1 ? "" : "s");
    return true;
}

void
kinds_read(struct input_errors *errors, size_t i, const struct raw *raw, void *to)
{
    switch (errors->table->fields[i].kind) {
    case KIND_TEXT:
        read_text(errors, i, raw, to);
        return;
    case KIND_INT:
        read_int(errors, i, raw, to);
        return;
    case KIND_BOOL:
        read_bool(errors, i, raw, to);
        return;
    case KIND_ID:
        read_id(errors, i, raw, to);
        return;
    case KIND_DECIMAL:
        read_decimal(errors, i, raw, to);
        return;
    case KIND_JSON:
        read_json(errors, i, raw, to);
        return;
    case KIND_WORDS:
        read_words(errors, i, raw, to);
        return;
    case KIND_LIST:
    case KIND_NONE:
        break;
    }
    abort();
}
