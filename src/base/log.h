/* The structured log: one line an event, text or JSON, to stderr or a file. Thread-safe. */
#ifndef HELIOS_BASE_LOG_H
#define HELIOS_BASE_LOG_H

#include "base/status.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING, LOG_ERROR, LOG_FATAL };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_options {
    enum log_level level;
    enum log_format format;
    const char *path; /* NULL: stderr */
};

enum status log_open(const struct log_options *opts);
void log_close(void);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *part, const char *fmt, ...) PRINTF(3, 4);
bool log_parse_level(const char *name, enum log_level *ret);

#define LOG(level, part, ...)                                                                      \
    do {                                                                                           \
        if (log_enabled(level)) log_write((level), (part), __VA_ARGS__);                           \
    } while (0)
/* Logs the error in the slot. */
void log_error(enum log_level level, const char *part);

#endif
