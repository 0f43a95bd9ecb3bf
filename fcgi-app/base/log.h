/*
 * base/log: one JSON object a line on stderr, in a single write of at most 4 KiB, with the field
 * names of the Elastic Common Schema 8 (@timestamp, log.level, event.action, trace.id, ...).
 *
 *     log_event(LOG_WARN, EVENT("pg.lost"), TEXT("error.message", why), INT("event.duration", ns));
 *
 * Never log a body, token, password, phone number or e-mail address. A value that does not fit is
 * cut, the line stays valid JSON.
 */
#ifndef SOKO_BASE_LOG_H
#define SOKO_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    enum { LOG_KIND_END = 0, LOG_KIND_TEXT, LOG_KIND_INT } kind;
    const char *name, *text;
    int64_t number;
};

#define EVENT(action)                                                                              \
    {                                                                                              \
        LOG_KIND_TEXT, "event.action", (action), 0                                                 \
    }
#define TEXT(name, value)                                                                          \
    {                                                                                              \
        LOG_KIND_TEXT, (name), (value), 0                                                          \
    } /* NULL leaves the field out */
#define INT(name, value)                                                                           \
    {                                                                                              \
        LOG_KIND_INT, (name), NULL, (value)                                                        \
    }

/* Writes one line if `level` is at least log_level(). The fields follow in the order given. */
#define log_event(level, ...) log_write((level), (const struct log_field[]){__VA_ARGS__, {0}})
void log_write(enum log_level level, const struct log_field *fields);

/* The program's name ("soko-api") for the field service.name, and the least level to write. */
void log_init(const char *service, enum log_level least);
void log_set_level(enum log_level least);

/* What is added to each line until the next call, as http.request.id and trace.id (base/trace.h);
 * NULL for none. Not copied: they must live until they are replaced. */
void log_set_trace(const char *request_id, const char *trace_id);

/* Where lines go instead of stderr, for tests; -1 for stderr again. */
void log_set_fd(int fd);

/* "debug" and so on; false if `name` is no level. */
bool log_level_parse(const char *name, enum log_level *out);

#endif
