/* Errors: what can fail returns `enum status`; the words that go with it lie in the error slot.
 *
 * An error is made once, where it is known, with FAIL; travels by TRY; and stops in three places
 * only: the session, the task, background work. The slot belongs to the running fiber (or to the
 * thread, where none runs) and holds the newest error until the next one overwrites it. */
#ifndef HELIOS_BASE_STATUS_H
#define HELIOS_BASE_STATUS_H

#include <stdarg.h>
#include <stdbool.h>

enum status {
#define X(code, sqlstate, mysql, text) code,
#include "base/status.def"
#undef X
    STATUS_COUNT
};

#define MUST __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum {
    ERROR_TEXT_MAX = 1024,
    ERROR_NAME_MAX = 64,
};

/* One error, whole. Empty strings and 0 stand for "not given". Sizes are in bytes. */
struct error {
    enum status code;
    char sqlstate[6];    /* instead of the code's own; "" */
    int position;        /* 1-based character in the statement text, 0 = none */
    int query_position;  /* the same in `query` */
    const char *file;    /* where FAIL stands */
    int line;
    const char *routine;
    char message[ERROR_TEXT_MAX];
    char detail[ERROR_TEXT_MAX];
    char hint[ERROR_TEXT_MAX];
    char where[ERROR_TEXT_MAX];
    char query[ERROR_TEXT_MAX]; /* that failed inside of a function */
    char schema[ERROR_NAME_MAX];
    char table[ERROR_NAME_MAX];
    char column[ERROR_NAME_MAX];
    char datatype[ERROR_NAME_MAX];
    char constraint[ERROR_NAME_MAX];
};

/* The slot of the running fiber or thread; never NULL. */
struct error *error_current(void);
/* The scheduler hands each fiber its own slot; NULL returns to the thread's. */
void error_set_slot(struct error *slot);
void error_clear(void);

/* Fills the slot and returns `code`. Overlong text is cut. Use FAIL. */
enum status error_make(enum status code, const char *file, int line, const char *routine,
                       const char *fmt, ...) PRINTF(5, 6);
/* These add to the error in the slot and return its code, so that they chain after FAIL. */
enum status error_detail(const char *fmt, ...) PRINTF(1, 2);
enum status error_hint(const char *fmt, ...) PRINTF(1, 2);
enum status error_where(const char *fmt, ...) PRINTF(1, 2);
enum status error_at(int position);
/* NULL leaves the field as it is. */
enum status error_object(const char *schema, const char *table, const char *column,
                         const char *constraint);

/* One more line below those that tell where. */
enum status error_where_more(const char *fmt, ...) PRINTF(1, 2);
/* The place is one in this text, so many characters before it begins; not in the statement's. */
enum status error_in_query(const char *query, int before);

enum status error_not_supported(enum status code);
const char *status_sqlstate(enum status code);  /* 5 characters */
const char *error_sqlstate(const struct error *e);
int status_mysql_errno(enum status code);
const char *status_text(enum status code);
const char *status_name(enum status code);

#define FAIL(code, ...) error_make((code), __FILE__, __LINE__, __func__, __VA_ARGS__)
/* What PostgreSQL has and we do not: says where it stands what there is. Error messages that are PostgreSQL's own are FAILs. */
#define UNSUPPORTED(...) error_not_supported(FAIL(FEATURE_NOT_SUPPORTED, __VA_ARGS__))
#define TRY(expr)                                                                                  \
    do {                                                                                           \
        enum status try_status_ = (expr);                                                          \
        if (__builtin_expect(try_status_ != OK, 0)) return try_status_;                            \
    } while (0)

/* ASSERT stays on in release builds: a broken invariant stops the process before it spreads. */
void assert_failed(const char *expr, const char *file, int line) __attribute__((noreturn, cold));
#define ASSERT(expr)                                                                               \
    do {                                                                                           \
        if (__builtin_expect(!(expr), 0)) assert_failed(#expr, __FILE__, __LINE__);                \
    } while (0)
#ifdef NDEBUG
#define DEBUG_ASSERT(expr) ((void)0)
#else
#define DEBUG_ASSERT(expr) ASSERT(expr)
#endif
#define UNREACHABLE() assert_failed("unreachable", __FILE__, __LINE__)

#endif
