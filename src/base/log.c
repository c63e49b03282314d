#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fiber.h"
#include "base/os.h"
#include "base/str.h"

/* One write(2) a line, to a descriptor opened for appending: lines of threads and processes never
 * mix. Control characters are escaped, so that an event stays one line. */

static const char *const level_names[] = {"debug", "info", "notice", "warning", "error", "fatal"};

static struct {
    uint32_t level;        /* atomic */
    uint32_t format;       /* atomic */
    int fd;                /* guarded by lock; -1: stderr */
    struct spinlock lock;
} logger = {.level = LOG_INFO, .fd = -1};

enum status log_open(const struct log_options *opts)
{
    int fd = -1;
    if (opts->path && *opts->path) {
        fd = open(opts->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0)
            return FAIL(IO_ERROR, "could not open log file \"%s\": %s", opts->path, strerror(errno));
    }
    log_close();
    spin_lock(&logger.lock);
    logger.fd = fd;
    spin_unlock(&logger.lock);
    __atomic_store_n(&logger.level, opts->level, __ATOMIC_RELAXED);
    __atomic_store_n(&logger.format, opts->format, __ATOMIC_RELAXED);
    return OK;
}

void log_close(void)
{
    spin_lock(&logger.lock);
    int fd = logger.fd;
    logger.fd = -1;
    spin_unlock(&logger.lock);
    if (fd >= 0) close(fd);
}

bool log_enabled(enum log_level level)
{
    return level >= __atomic_load_n(&logger.level, __ATOMIC_RELAXED);
}

bool log_parse_level(const char *name, enum log_level *ret)
{
    for (enum log_level i = LOG_DEBUG; i <= LOG_FATAL; i++) {
        if (!str_eq_nocase(name, level_names[i])) continue;
        *ret = i;
        return true;
    }
    return false;
}

static void add_time(struct strbuf *b)
{
    int64_t us = os_wall_us(os_real());
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strbuf_addf(b, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(us % 1000000));
}

/* JSON's escapes, which do for text too. */
static void add_escaped(struct strbuf *b, const char *s, bool quotes)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '\n') strbuf_adds(b, "\\n");
        else if (c == '\t') strbuf_adds(b, "\\t");
        else if (c == '\r') strbuf_adds(b, "\\r");
        else if (c < 0x20 || c == 0x7f) strbuf_addf(b, "\\u%04x", c);
        else if (quotes && (c == '"' || c == '\\')) strbuf_addf(b, "\\%c", c);
        else strbuf_addc(b, (char)c);
    }
}

static void add_json(struct strbuf *b, enum log_level level, const char *part, const char *message)
{
    strbuf_adds(b, "{\"time\":\"");
    add_time(b);
    strbuf_addf(b, "\",\"level\":\"%s\",\"part\":\"", level_names[level]);
    add_escaped(b, part, true);
    strbuf_adds(b, "\",\"message\":\"");
    add_escaped(b, message, true);
    strbuf_adds(b, "\"}\n");
}

static void add_text(struct strbuf *b, enum log_level level, const char *part, const char *message)
{
    add_time(b);
    strbuf_addf(b, " %-7s ", level_names[level]);
    add_escaped(b, part, false);
    strbuf_adds(b, ": ");
    add_escaped(b, message, false);
    strbuf_addc(b, '\n');
}

static void put_line(struct slice line)
{
    spin_lock(&logger.lock);
    int fd = logger.fd >= 0 ? logger.fd : STDERR_FILENO;
    while (line.len) {
        ssize_t n = write(fd, line.data, line.len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break; /* nowhere to complain */
        line = slice_make(line.data + n, line.len - (size_t)n);
    }
    spin_unlock(&logger.lock);
}

void log_write(enum log_level level, const char *part, const char *fmt, ...)
{
    struct strbuf message, line;
    va_list ap;
    ASSERT(level <= LOG_FATAL);
    strbuf_init(&message, NULL);
    strbuf_init(&line, NULL);
    va_start(ap, fmt);
    strbuf_vaddf(&message, fmt, ap);
    va_end(ap);
    if (__atomic_load_n(&logger.format, __ATOMIC_RELAXED) == LOG_JSON)
        add_json(&line, level, part, message.data);
    else
        add_text(&line, level, part, message.data);
    put_line(strbuf_slice(&line));
    strbuf_release(&message);
    strbuf_release(&line);
}

void log_error(enum log_level level, const char *part)
{
    const struct error *e = error_current();
    if (!log_enabled(level)) return;
    log_write(level, part, "%s: %s%s%s%s%s (%s:%d)", error_sqlstate(e), e->message,
              e->detail[0] ? "; detail: " : "", e->detail, e->hint[0] ? "; hint: " : "", e->hint,
              e->file ? e->file : "?", e->line);
}
