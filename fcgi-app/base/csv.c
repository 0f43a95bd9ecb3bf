/*
 * Design: one state a kind of place in a record, one byte at a time. What is kept goes through
 * keep(), which alone knows the limits: beyond them the record has a fault and its bytes are
 * counted no more, but the states go on, so that the record's end is found where it is.
 *
 * After a misplaced quote nobody can say which commas and line ends are meant. The rest of that
 * line is passed over, and the next line is taken to begin a record: one fault seldom costs two
 * records.
 *
 * Rejected: splitting at line ends first (a quoted field may hold them), and mapping the file into
 * memory (the reader could not be fed by a test, byte by byte).
 */
#include "base/csv.h"

#include <string.h>

enum state {
    BEGINNING,    /* of a record */
    FIELD_BEGINS, /* behind a comma */
    UNQUOTED,
    QUOTED,
    QUOTE_SEEN, /* in a quoted field: its end, or the first of two */
    CR_SEEN,    /* LF must follow */
    BLANK_CR,   /* the same in a line that has nothing else */
    PASSED_OVER /* behind a fault, up to the line's end */
};

struct csv_reader {
    struct csv_record record;
    enum state state;
    int64_t line;
    bool at_start; /* of the file, where a byte order mark may stand */
    size_t mark;   /* bytes of it that were seen */
    char *data;
    size_t len, max;
    size_t ends[CSV_FIELDS_MAX]; /* of each field, in data */
    size_t count;
};

static const char byte_order_mark[] = "\xef\xbb\xbf";

struct csv_reader *
csv_reader_new(struct arena *a, size_t max, int64_t line)
{
    struct csv_reader *r = arena_alloc(a, sizeof(*r));

    r->data = arena_alloc(a, max + CSV_FIELDS_MAX);
    r->max = max;
    r->line = line;
    r->at_start = line == 1;
    return r;
}

static void
fault(struct csv_reader *r, const char *what)
{
    if (r->record.fault == NULL)
        r->record.fault = what;
}

static void
keep(struct csv_reader *r, char c)
{
    if (r->record.fault != NULL)
        return;
    if (r->len - r->count >= r->max)
        fault(r, "is too long");
    else
        r->data[r->len++] = c;
}

static void
end_field(struct csv_reader *r)
{
    if (r->record.fault != NULL)
        return;
    if (r->count == CSV_FIELDS_MAX) {
        fault(r, "has too many columns");
        return;
    }
    r->ends[r->count++] = r->len;
    r->data[r->len++] = '\0';
}

static void
misplaced(struct csv_reader *r, const char *what)
{
    fault(r, what);
    r->state = PASSED_OVER;
}

/* Makes the record ready to be looked at, and the reader ready for the next. */
static const struct csv_record *
complete(struct csv_reader *r)
{
    struct csv_record *out = &r->record;
    size_t from = 0;

    out->count = out->fault == NULL ? r->count : 0;
    for (size_t i = 0; i < out->count; i++) {
        out->fields[i] = r->data + from;
        out->lens[i] = r->ends[i] - from;
        from = r->ends[i] + 1;
    }
    r->state = BEGINNING;
    return out;
}

static void
begin(struct csv_reader *r)
{
    r->record.fault = NULL;
    r->record.line = r->line;
    r->len = r->count = 0;
}

/* A byte where a field begins. */
static void
first_of_field(struct csv_reader *r, char c)
{
    if (c == '"') {
        r->state = QUOTED;
    } else if (c == ',') {
        end_field(r);
        r->state = FIELD_BEGINS;
    } else if (c == '\r') {
        r->state = CR_SEEN;
    } else {
        keep(r, c);
        r->state = UNQUOTED;
    }
}

static void
in_unquoted(struct csv_reader *r, char c)
{
    if (c == ',') {
        end_field(r);
        r->state = FIELD_BEGINS;
    } else if (c == '"') {
        misplaced(r, "has a quote in an unquoted field");
    } else if (c == '\r') {
        r->state = CR_SEEN;
    } else {
        keep(r, c);
    }
}

static void
after_quote(struct csv_reader *r, char c)
{
    if (c == '"') {
        keep(r, c);
        r->state = QUOTED;
    } else if (c == ',') {
        end_field(r);
        r->state = FIELD_BEGINS;
    } else if (c == '\r') {
        r->state = CR_SEEN;
    } else {
        misplaced(r, "has text behind a closing quote");
    }
}

/* Takes a byte that is not the LF at a record's end. */
static void
take(struct csv_reader *r, char c)
{
    switch (r->state) {
    case BEGINNING:
        begin(r);
        if (c == '\r')
            r->state = BLANK_CR;
        else
            first_of_field(r, c);
        return;
    case FIELD_BEGINS:
        first_of_field(r, c);
        return;
    case UNQUOTED:
        in_unquoted(r, c);
        return;
    case QUOTED:
        if (c == '"')
            r->state = QUOTE_SEEN;
        else
            keep(r, c);
        return;
    case QUOTE_SEEN:
        after_quote(r, c);
        return;
    case CR_SEEN:
    case BLANK_CR:
        misplaced(r, "has a carriage return outside of quotes");
        return;
    case PASSED_OVER:
        return;
    }
}

/* Whether the record so far is nothing at all: a blank line. */
static bool
is_blank(const struct csv_reader *r)
{
    return r->state == BEGINNING || r->state == BLANK_CR;
}

/* Whether the byte belongs to the mark at the file's beginning. A mark that is cut short is text.
 */
static bool
is_mark(struct csv_reader *r, char c)
{
    if (!r->at_start)
        return false;
    if (c == byte_order_mark[r->mark]) {
        r->at_start = ++r->mark < sizeof(byte_order_mark) - 1;
        return true;
    }
    r->at_start = false;
    for (size_t i = 0; i < r->mark; i++)
        take(r, byte_order_mark[i]);
    return false;
}

size_t
csv_feed(struct csv_reader *r, const char *s, size_t len, const struct csv_record **record)
{
    *record = NULL;
    for (size_t i = 0; i < len; i++) {
        if (is_mark(r, s[i]))
            continue;
        if (s[i] != '\n' || r->state == QUOTED) {
            take(r, s[i]);
            r->line += s[i] == '\n';
            continue;
        }
        bool blank = is_blank(r);
        r->line++;
        if (blank) {
            r->state = BEGINNING;
            continue;
        }
        end_field(r);
        *record = complete(r);
        return i + 1;
    }
    return len;
}

const struct csv_record *
csv_finish(struct csv_reader *r)
{
    if (is_blank(r))
        return NULL;
    if (r->state == QUOTED)
        r->record.fault = "has a quote that is never closed";
    else if (r->state == CR_SEEN)
        fault(r, "has a carriage return outside of quotes");
    end_field(r);
    return complete(r);
}

void
csv_put(struct text *t, size_t i, const char *s, size_t len)
{
    bool quotes = false;

    for (size_t k = 0; k < len && !quotes; k++)
        quotes = s[k] == '"' || s[k] == ',' || s[k] == '\n' || s[k] == '\r';
    if (i == 0 && len >= 3 && memcmp(s, byte_order_mark, 3) == 0)
        quotes = true;
    if (i > 0)
        text_putc(t, ',');
    if (!quotes) {
        text_add(t, s, len);
        return;
    }
    text_putc(t, '"');
    for (size_t k = 0; k < len; k++) {
        if (s[k] == '"')
            text_putc(t, '"');
        text_putc(t, s[k]);
    }
    text_putc(t, '"');
}

void
csv_end(struct text *t)
{
    text_putc(t, '\n');
}
