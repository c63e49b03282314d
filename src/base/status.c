#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *sqlstate, *text;
    int mysql;
} statuses[STATUS_COUNT] = {
#define X(code, sqlstate, mysql, text) {#code, sqlstate, text, mysql},
#include "base/status.def"
#undef X
};

static __thread struct error thread_error;
static __thread struct error *slot;

/* Not inlined: a fiber may only be entered on its own worker, but the compiler must not keep the
 * thread's address over a switch. */
__attribute__((noinline)) struct error *error_current(void)
{
    return slot ? slot : &thread_error;
}

__attribute__((noinline)) void error_set_slot(struct error *new_slot)
{
    slot = new_slot;
}

void error_clear(void)
{
    struct error *e = error_current();
    e->code = OK;
    e->position = e->query_position = 0;
    e->sqlstate[0] = e->query[0] = '\0';
    e->file = e->routine = NULL;
    e->line = 0;
    e->message[0] = e->detail[0] = e->hint[0] = e->where[0] = '\0';
    e->schema[0] = e->table[0] = e->column[0] = e->datatype[0] = e->constraint[0] = '\0';
}

#define FORMAT_INTO(field)                                                                         \
    do {                                                                                           \
        va_list ap;                                                                                \
        va_start(ap, fmt);                                                                         \
        vsnprintf(error_current()->field, sizeof error_current()->field, fmt, ap);                 \
        va_end(ap);                                                                                \
    } while (0)

enum status error_make(enum status code, const char *file, int line, const char *routine,
                       const char *fmt, ...)
{
    error_clear();
    struct error *e = error_current();
    e->code = code;
    e->file = file;
    e->line = line;
    e->routine = routine;
    FORMAT_INTO(message);
    return code;
}

enum status error_detail(const char *fmt, ...)
{
    FORMAT_INTO(detail);
    return error_current()->code;
}

enum status error_hint(const char *fmt, ...)
{
    FORMAT_INTO(hint);
    return error_current()->code;
}

enum status error_not_supported(enum status code)
{
    (void)error_hint("docs/compatibility.md tells what works.");
    return code;
}

enum status error_where(const char *fmt, ...)
{
    FORMAT_INTO(where);
    return error_current()->code;
}

enum status error_where_more(const char *fmt, ...)
{
    struct error *e = error_current();
    size_t len = strlen(e->where);
    va_list ap;
    if (len && len + 1 < sizeof e->where) e->where[len++] = '\n';
    va_start(ap, fmt);
    vsnprintf(e->where + len, sizeof e->where - len, fmt, ap);
    va_end(ap);
    return e->code;
}

enum status error_in_query(const char *query, int before)
{
    struct error *e = error_current();
    if (e->query[0]) return e->code; /* of a function further inside */
    if (e->position > before) e->query_position = e->position - before;
    if (e->position) snprintf(e->query, sizeof e->query, "%s", query);
    e->position = 0;
    return e->code;
}

enum status error_at(int position)
{
    error_current()->position = position;
    return error_current()->code;
}

static void set_name(char dst[ERROR_NAME_MAX], const char *name)
{
    if (name) snprintf(dst, ERROR_NAME_MAX, "%s", name);
}

enum status error_object(const char *schema, const char *table, const char *column,
                         const char *constraint)
{
    struct error *e = error_current();
    set_name(e->schema, schema);
    set_name(e->table, table);
    set_name(e->column, column);
    set_name(e->constraint, constraint);
    return e->code;
}

const char *status_sqlstate(enum status code)
{
    ASSERT(code < STATUS_COUNT);
    return statuses[code].sqlstate;
}

const char *error_sqlstate(const struct error *e)
{
    return e->sqlstate[0] ? e->sqlstate : status_sqlstate(e->code);
}

int status_mysql_errno(enum status code)
{
    ASSERT(code < STATUS_COUNT);
    return statuses[code].mysql;
}

const char *status_text(enum status code)
{
    ASSERT(code < STATUS_COUNT);
    return statuses[code].text;
}

const char *status_name(enum status code)
{
    ASSERT(code < STATUS_COUNT);
    return statuses[code].name;
}

void assert_failed(const char *expr, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
    abort();
}
