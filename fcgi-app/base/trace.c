/*
 * The header is read by position: of all versions the first 55 characters have one form, and what a
 * later one adds stands behind them. Rejected: splitting at '-', which takes fields of other
 * lengths.
 *
 * `tracestate` is not read, and is not passed on, as the specification allows: it is other people's
 * text, up to half a kilobyte of it, and would have to be kept in the outbox and sent to providers,
 * who can make nothing of it. The random flag of later drafts is not passed on either.
 */
#include "base/trace.h"

#include "base/id.h"

#include <string.h>

#define DIGITS "0123456789abcdef"
#define SAMPLED 1

/* Where the parts of a traceparent begin. */
enum { AT_ID = 3, AT_SPAN = 36, AT_FLAGS = 53, AT_END = 55 };
enum { ID_DIGITS = TRACE_ID_SIZE - 1, SPAN_DIGITS = SPAN_ID_SIZE - 1 };

static bool
are_digits(const char *s, size_t n)
{
    return strspn(s, DIGITS) >= n;
}

/* `n` hexadecimal digits, not all 0. */
static bool
is_id(const char *s, size_t n)
{
    return are_digits(s, n) && strspn(s, "0") < n;
}

static void
by_chance(char *out, size_t digits)
{
    unsigned char bytes[ID_DIGITS / 2];

    do {
        random_bytes(bytes, digits / 2);
        for (size_t i = 0; i < digits / 2; i++) {
            out[2 * i] = DIGITS[bytes[i] >> 4];
            out[2 * i + 1] = DIGITS[bytes[i] & 15];
        }
        out[digits] = '\0';
    } while (!is_id(out, digits));
}

bool
trace_id_good(const char *id)
{
    return id != NULL && strlen(id) == ID_DIGITS && is_id(id, ID_DIGITS);
}

bool
trace_parse(const char *s, struct trace *out)
{
    if (s == NULL || strnlen(s, AT_END) < AT_END)
        return false;
    if (!are_digits(s, 2) || memcmp(s, "ff", 2) == 0 || s[AT_ID - 1] != '-' ||
        s[AT_SPAN - 1] != '-' || s[AT_FLAGS - 1] != '-')
        return false;
    if (!is_id(s + AT_ID, ID_DIGITS) || !is_id(s + AT_SPAN, SPAN_DIGITS) ||
        !are_digits(s + AT_FLAGS, 2))
        return false;
    if (s[AT_END] != '\0' && (s[AT_END] != '-' || memcmp(s, "00", 2) == 0))
        return false;
    memcpy(out->id, s + AT_ID, ID_DIGITS);
    out->id[ID_DIGITS] = '\0';
    out->sampled = ((strchr(DIGITS, s[AT_END - 1]) - DIGITS) & SAMPLED) != 0;
    return true;
}

/* The digits of a UUID in lower case. */
static bool
digits_of_uuid(const char *s, char out[TRACE_ID_SIZE])
{
    struct uuid id;
    size_t n = 0;

    if (!uuid_parse(s, strlen(s), &id))
        return false;
    for (; *s != '\0'; s++)
        if (*s != '-')
            out[n++] = *s;
    out[n] = '\0';
    return trace_id_good(out);
}

void
trace_begin(const char *request_id, struct trace *out)
{
    out->sampled = false;
    if (trace_id_good(request_id))
        memcpy(out->id, request_id, TRACE_ID_SIZE);
    else if (request_id == NULL || !digits_of_uuid(request_id, out->id))
        by_chance(out->id, ID_DIGITS);
}

const char *
trace_new(struct arena *a)
{
    char *id = arena_alloc(a, TRACE_ID_SIZE);

    by_chance(id, ID_DIGITS);
    return id;
}

void
trace_span(char out[SPAN_ID_SIZE])
{
    by_chance(out, SPAN_DIGITS);
}

const char *
trace_parent(const char *trace_id, const char *span_id, bool sampled, char out[TRACEPARENT_SIZE])
{
    memcpy(out, "00-", AT_ID);
    memcpy(out + AT_ID, trace_id, ID_DIGITS);
    out[AT_SPAN - 1] = '-';
    memcpy(out + AT_SPAN, span_id, SPAN_DIGITS);
    memcpy(out + AT_FLAGS - 1, sampled ? "-01" : "-00", 4);
    return out;
}
