/*
 * Design: a line is built in 4 KiB of stack and leaves in one write(2). Up to PIPE_BUF bytes that
 * is atomic, so the lines of many workers do not mix, and no lock or buffer is lost with a process
 * that is killed.
 *
 * The end of the line (request id, trace id and brace) is made first and its room kept free, so
 * that whatever is cut before it, the line stays whole. A value is added one code point or escape
 * at a time, and may take no more than half of the line: a long message does not push out what
 * follows it.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/json.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define LINE_MOST 4096
#define VALUE_MOST 2048
#define ID_MOST 128
#define END_MOST (2 * (ID_MOST + 32))

/* A buffer of fixed size that drops what does not fit. */
struct line {
    char *data;
    size_t len, max;
};

static const char hex[] = "0123456789abcdef";

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};

static const char *service_name = "soko";
static const char *request, *trace;
static enum log_level least_level = LOG_INFO;
static int out_fd = -1;

static bool
put(struct line *l, const char *s, size_t len)
{
    if (len > l->max - l->len)
        return false;
    memcpy(l->data + l->len, s, len);
    l->len += len;
    return true;
}

/* Writes to `out` how the code point at `s` stands in JSON, its length to *out_len; returns how
 * many bytes of `s` it was. */
static size_t
encode(const char *s, size_t len, char out[6], size_t *out_len)
{
    unsigned char c = (unsigned char)s[0];
    size_t step = utf8_step(s, len);

    if (step == 0) {
        out[0] = '?';
        *out_len = 1;
        return 1;
    }
    if (c == '"' || c == '\\' || c == '\n' || c == '\t') {
        out[0] = '\\';
        out[1] = c == '\n' ? 'n' : c == '\t' ? 't' : (char)c;
        *out_len = 2;
    } else if (c < 0x20 || c == 0x7f) {
        memcpy(out, "\\u00", 4);
        out[4] = hex[c >> 4];
        out[5] = hex[c & 15];
        *out_len = 6;
    } else {
        memcpy(out, s, step);
        *out_len = step;
    }
    return step;
}

/* A JSON string of at most `most` bytes; what does not fit is cut. False, and nothing written, if
 * there is no room for the quotes. */
static bool
put_string(struct line *l, const char *s, size_t most)
{
    size_t left = strlen(s), room = l->max - l->len;
    char unit[6];
    size_t unit_len;

    if (room < 2)
        return false;
    if (most > room)
        most = room;
    size_t end = l->len + most - 1;
    put(l, "\"", 1);
    while (left > 0) {
        size_t step = encode(s, left, unit, &unit_len);

        if (unit_len > end - l->len)
            break;
        put(l, unit, unit_len);
        s += step;
        left -= step;
    }
    return put(l, "\"", 1);
}

static bool
put_int(struct line *l, int64_t n)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (n < 0)
        digits[--at] = '-';
    return put(l, digits + at, sizeof digits - at);
}

/* `,"name":value`, or nothing. */
static void
put_field(struct line *l, const struct log_field *f, size_t most)
{
    size_t before = l->len;
    bool whole = before <= 1 || put(l, ",", 1);

    whole = whole && put_string(l, f->name, VALUE_MOST) && put(l, ":", 1);
    if (whole && f->kind == LOG_KIND_INT)
        whole = put_int(l, f->number);
    else if (whole)
        whole = put_string(l, f->text, most);
    if (!whole)
        l->len = before;
}

static void
put_id(struct line *end, const char *key, const char *id)
{
    if (id == NULL)
        return;
    put(end, key, strlen(key));
    put_string(end, id, ID_MOST);
}

void
log_write(enum log_level level, const struct log_field *fields)
{
    char data[LINE_MOST], end_data[END_MOST], when[CLOCK_RFC3339_MS_SIZE];
    struct line line = {.data = data, .max = sizeof data};
    struct line end = {.data = end_data, .max = sizeof end_data - 2};
    int before = errno;

    if (level < least_level)
        return;
    put_id(&end, ",\"http.request.id\":", request);
    put_id(&end, ",\"trace.id\":", trace);
    end.max = sizeof end_data;
    put(&end, "}\n", 2);
    line.max -= end.len;

    const struct log_field first[] = {
        TEXT("@timestamp", clock_rfc3339_ms(clock_ms(), when)),
        TEXT("log.level", level_names[level]),
        TEXT("service.name", service_name),
        INT("process.pid", getpid()),
    };
    put(&line, "{", 1);
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
        put_field(&line, &first[i], VALUE_MOST);
    for (const struct log_field *f = fields; f->kind != LOG_KIND_END; f++) {
        if (f->kind == LOG_KIND_INT || f->text != NULL)
            put_field(&line, f, VALUE_MOST);
    }
    line.max += end.len;
    put(&line, end.data, end.len);

    while (write(out_fd < 0 ? STDERR_FILENO : out_fd, line.data, line.len) < 0 && errno == EINTR)
        continue;
    errno = before;
}

void
log_init(const char *service, enum log_level least)
{
    service_name = service;
    least_level = least;
}

void
log_set_level(enum log_level least)
{
    least_level = least;
}

void
log_set_trace(const char *request_id, const char *trace_id)
{
    request = request_id;
    trace = trace_id;
}

void
log_set_fd(int fd)
{
    out_fd = fd;
}

bool
log_level_parse(const char *name, enum log_level *out)
{
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        if (name != NULL && strcmp(name, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}
