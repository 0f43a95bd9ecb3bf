/*
 * Design: one walk from boundary to boundary. A delimiter is CRLF, two hyphens and the boundary, at
 * the beginning of a line, and must be followed by its line's end or by two more hyphens; where
 * RFC 2046 would let other text follow, we refuse, because readers differ on whether that is a
 * delimiter. Nothing but one empty line may stand before the first, nor after the last.
 *
 * Of a part's headers Content-Disposition is read, for the part's name. Content-Transfer-Encoding,
 * which RFC 7578 abolished, may only say what changes nothing. All others, the type and the name
 * of the file among them, are of no interest, but must look like headers.
 *
 * Rejected: a reader that is fed piece by piece. nginx caps and gathers the body before a worker
 * sees it, and the worker has its length before its first byte.
 */
#include "base/multipart.h"

#include <string.h>
#include <strings.h>

#define FORM "multipart/form-data"
#define NAME_SHOWN 64 /* bytes of an unknown name that we repeat */

/* Bytes inside something else; not NUL-terminated. */
struct bytes {
    const char *at;
    size_t len;
};

static void
drop(struct bytes *b, size_t n)
{
    b->at += n;
    b->len -= n;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void
drop_blanks(struct bytes *b)
{
    while (b->len > 0 && is_blank(*b->at))
        drop(b, 1);
}

static bool
begins(const struct bytes *b, const char *with)
{
    size_t n = strlen(with);

    return b->len >= n && memcmp(b->at, with, n) == 0;
}

static bool
is_word(const struct bytes *b, const char *word)
{
    return b->len == strlen(word) && strncasecmp(b->at, word, b->len) == 0;
}

static bool
is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool
is_token_char(char c)
{
    return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* RFC 2046, section 5.1.1: a blank is one too, but for the last. */
static bool
is_boundary_char(char c)
{
    return is_alnum(c) || (c != '\0' && strchr("'()+_,-./:=? ", c) != NULL);
}

static struct bytes
take_while(struct bytes *b, bool (*fits)(char))
{
    struct bytes taken = {b->at, 0};

    while (b->len > 0 && fits(*b->at)) {
        drop(b, 1);
        taken.len++;
    }
    return taken;
}

/* What is in quotes, its escapes as they are. False without the closing quote. */
static bool
take_quoted(struct bytes *b, struct bytes *out)
{
    drop(b, 1);
    *out = (struct bytes){b->at, 0};
    while (b->len > 0 && *b->at != '"') {
        size_t n = *b->at == '\\' && b->len > 1 ? 2 : 1;
        drop(b, n);
        out->len += n;
    }
    if (b->len == 0)
        return false;
    drop(b, 1);
    return true;
}

/* An unquoted value ends where the next parameter may begin. Boundaries of careless clients hold
 * characters that should have been quoted. */
static bool
is_value_char(char c)
{
    return is_token_char(c) || (is_boundary_char(c) && c != ' ');
}

enum step { STEP_PARAM, STEP_END, STEP_BAD };

/* The next "; key=value" of a header. */
static enum step
next_param(struct bytes *b, struct bytes *key, struct bytes *value)
{
    drop_blanks(b);
    if (b->len == 0)
        return STEP_END;
    if (*b->at != ';')
        return STEP_BAD;
    drop(b, 1);
    drop_blanks(b);
    if (b->len == 0)
        return STEP_END;
    *key = take_while(b, is_token_char);
    if (key->len == 0 || b->len < 2 || *b->at != '=')
        return STEP_BAD;
    drop(b, 1);
    if (*b->at == '"')
        return take_quoted(b, value) ? STEP_PARAM : STEP_BAD;
    *value = take_while(b, is_value_char);
    return value->len > 0 ? STEP_PARAM : STEP_BAD;
}

/* The parameter `wanted`, of which there must be exactly one. */
static bool
find_param(struct bytes params, const char *wanted, struct bytes *out)
{
    struct bytes key, value;
    bool found = false;
    enum step step;

    while ((step = next_param(&params, &key, &value)) == STEP_PARAM) {
        if (!is_word(&key, wanted))
            continue;
        if (found)
            return false;
        found = true;
        *out = value;
    }
    return found && step == STEP_END;
}

bool
multipart_is_form(const char *type)
{
    size_t n = strlen(FORM);

    return strncasecmp(type, FORM, n) == 0 &&
           (type[n] == '\0' || type[n] == ';' || is_blank(type[n]));
}

bool
multipart_boundary(const char *type, char out[MULTIPART_BOUNDARY_MAX + 1])
{
    struct bytes params = {type, strlen(type)}, boundary;

    if (!multipart_is_form(type))
        return false;
    drop(&params, strlen(FORM));
    if (!find_param(params, "boundary", &boundary) || boundary.len == 0 ||
        boundary.len > MULTIPART_BOUNDARY_MAX || boundary.at[boundary.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < boundary.len; i++) {
        if (!is_boundary_char(boundary.at[i]))
            return false;
    }
    memcpy(out, boundary.at, boundary.len);
    out[boundary.len] = '\0';
    return true;
}

/* --- the form --------------------------------------------------------------------------------- */

struct reading {
    struct arena *arena;
    struct problems *list;
    const char *delimiter; /* with the CRLF before it */
    const char *name;
    struct bytes left;
    struct upload *out;
    bool found;
    enum err result;
};

static void
complain(struct reading *r, const char *field, const char *why)
{
    r->result = problems_add(r->arena, r->list, ERR_VALIDATION, field, NULL, "%s", why);
}

/* Its line, if it looks like a header: "key: value". */
static bool
take_header(struct bytes *block, struct bytes *key, struct bytes *value)
{
    const char *end = memmem(block->at, block->len, "\r\n", 2);
    struct bytes line = {block->at, end == NULL ? block->len : (size_t)(end - block->at)};

    drop(block, end == NULL ? line.len : line.len + 2);
    *key = take_while(&line, is_token_char);
    if (key->len == 0 || line.len == 0 || *line.at != ':')
        return false;
    drop(&line, 1);
    drop_blanks(&line);
    *value = line;
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.at[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool
changes_nothing(const struct bytes *encoding)
{
    return is_word(encoding, "binary") || is_word(encoding, "8bit") || is_word(encoding, "7bit");
}

/* The part's name from its headers; NULL if all is well, else what is wrong. */
static const char *
read_headers(struct bytes block, struct bytes *name)
{
    struct bytes key, value;
    bool named = false;

    while (block.len > 0) {
        if (!take_header(&block, &key, &value))
            return "a part has a malformed header";
        if (is_word(&key, "Content-Transfer-Encoding") && !changes_nothing(&value))
            return "send the file as it is, without a transfer encoding";
        if (!is_word(&key, "Content-Disposition"))
            continue;
        struct bytes type = take_while(&value, is_token_char);
        if (named || !is_word(&type, "form-data") || !find_param(value, "name", name))
            return "a part has a malformed Content-Disposition";
        named = true;
    }
    return named ? NULL : "a part has no Content-Disposition";
}

/* What a part of this name means to us. */
static void
take_part(struct reading *r, const struct bytes *name, struct bytes data)
{
    bool printable = name->len > 0 && name->len <= NAME_SHOWN;

    if (name->len == strlen(r->name) && memcmp(name->at, r->name, name->len) == 0) {
        if (r->found)
            complain(r, r->name, "was sent more than once");
        r->found = true;
        *r->out = (struct upload){data.at, data.len};
        return;
    }
    for (size_t i = 0; printable && i < name->len; i++)
        printable = name->at[i] >= ' ' && name->at[i] <= '~';
    complain(r, printable ? arena_strndup(r->arena, name->at, name->len) : NULL,
             printable ? "is not a known field" : "the form has a field that is not known");
}

/* One part, from its first header to the delimiter behind it. NULL, or what is wrong. */
static const char *
read_part(struct reading *r)
{
    size_t window = r->left.len < MULTIPART_HEADERS_MAX ? r->left.len : MULTIPART_HEADERS_MAX;
    const char *blank = memmem(r->left.at, window, "\r\n\r\n", 4);
    struct bytes name;

    if (blank == NULL)
        return window == MULTIPART_HEADERS_MAX ? "a part's headers are too long"
                                               : "a part has no end of its headers";
    const char *why = read_headers((struct bytes){r->left.at, (size_t)(blank - r->left.at)}, &name);
    if (why != NULL)
        return why;
    drop(&r->left, (size_t)(blank - r->left.at) + 4);
    /* The empty line may be meant as the beginning of a delimiter. */
    if (begins(&r->left, r->delimiter + 2))
        return "a part has no end of its headers";
    const char *end = memmem(r->left.at, r->left.len, r->delimiter, strlen(r->delimiter));
    if (end == NULL)
        return "the last boundary is missing";
    take_part(r, &name, (struct bytes){r->left.at, (size_t)(end - r->left.at)});
    drop(&r->left, (size_t)(end - r->left.at) + strlen(r->delimiter));
    return NULL;
}

/* What follows a delimiter: the next part, or the end of the form. */
static const char *
after_delimiter(struct reading *r, bool *last)
{
    *last = begins(&r->left, "--");
    if (*last)
        drop(&r->left, 2);
    drop_blanks(&r->left);
    bool line_ends = begins(&r->left, "\r\n");
    if (line_ends)
        drop(&r->left, 2);
    if (*last)
        return r->left.len == 0 ? NULL : "there is something after the last boundary";
    return line_ends ? NULL : "a boundary has something behind it";
}

static const char *
read_form(struct reading *r)
{
    const char *first = r->delimiter + 2; /* it may begin the body, without CRLF */
    bool last = false;

    if (begins(&r->left, "\r\n"))
        drop(&r->left, 2);
    if (!begins(&r->left, first))
        return "the body does not begin with the boundary";
    drop(&r->left, strlen(first));
    for (size_t parts = 0;; parts++) {
        const char *why = after_delimiter(r, &last);
        if (why != NULL || last)
            return why;
        if (parts == MULTIPART_PARTS_MAX)
            return "there are too many parts";
        why = read_part(r);
        if (why != NULL)
            return why;
    }
}

enum err
multipart_read(struct arena *a, struct problems *list, const char *boundary, const char *body,
               size_t len, const char *name, struct upload *out)
{
    struct reading r = {
        .arena = a,
        .list = list,
        .delimiter = arena_printf(a, "\r\n--%s", boundary),
        .name = name,
        .left = {body, len},
        .out = out,
        .result = OK,
    };

    *out = (struct upload){"", 0};
    const char *why = read_form(&r);
    if (why != NULL) {
        *out = (struct upload){"", 0};
        return problems_add(a, list, ERR_VALIDATION, NULL, NULL, "malformed form: %s", why);
    }
    if (!r.found)
        complain(&r, name, "is required");
    else if (out->len == 0)
        complain(&r, name, "is empty");
    return r.result;
}
