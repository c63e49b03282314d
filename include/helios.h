/* HeliosDB as a library: the engine of heliosd inside your process.
 *
 * A database is one directory, or memory alone. Any number of threads may use one database at a
 * time, each with connections of its own; a connection and its statements belong to one thread at a
 * time. Directories are the ones that heliosd uses: what the server wrote, the library reads, and
 * the other way round, though not at the same time.
 *
 * A connection keeps the last error. Functions that can fail return enum helios_status; after
 * anything but OK, ROW and DONE, helios_error tells what happened. Strings that come back
 * end in '\0', are UTF-8, and live until the next call on the same object unless said otherwise.
 *
 *     struct helios_db *db;
 *     struct helios *c;
 *     if (helios_open("shop-data", NULL, &db, &message) != HELIOS_OK) ...
 *     if (helios_connect(db, NULL, &c, &message) != HELIOS_OK) ...
 *     struct helios_stmt *s;
 *     if (helios_prepare(c, "select name from products where price < $1", &s) != HELIOS_OK) ...
 *     helios_bind_double(s, 1, 9.99);
 *     while (helios_step(s) == HELIOS_ROW) puts(helios_text(s, 0));
 *     helios_finish(s);
 *     helios_disconnect(c);
 *     helios_close(db);
 *
 * examples/library.c is a whole program; docs/library.md the guide. */
#ifndef HELIOS_H
#define HELIOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HELIOS_API __attribute__((visibility("default")))

enum helios_status {
    HELIOS_OK = 0,
    HELIOS_ROW,   /* helios_step: a row is there */
    HELIOS_DONE,  /* helios_step: no more rows */
    HELIOS_ERROR, /* see helios_error */
    HELIOS_MISUSE /* a null handle, an index out of range, a call out of order; nothing has changed */
};

struct helios_db;
struct helios;      /* a connection */
struct helios_stmt; /* a prepared statement and its current result */

struct helios_setting {
    const char *name, *value;
};

/* --- the database ------------------------------------------------------------------------------ */

/* Opens the directory `path`, making it if needed; NULL or ":memory:": a database in memory, gone at
 * helios_close. `settings`: the server's settings (docs/settings.md), ended by a null name; may be
 * NULL. On failure *ret_message is a text to be freed with helios_free; may be NULL. */
HELIOS_API enum helios_status helios_open(const char *path, const struct helios_setting *settings,
                                          struct helios_db **ret, char **ret_message);
/* All connections must be gone. Makes everything durable. HELIOS_ERROR: the last checkpoint
 * failed; nothing committed is lost, the next open recovers. The handle is gone either way. */
HELIOS_API enum helios_status helios_close(struct helios_db *db);
HELIOS_API const char *helios_version(void);

/* --- connections ------------------------------------------------------------------------------- */

/* A directory that heliosd made has no "helios": NULL stands for "postgres" there. */
struct helios_connect_options {
    const char *database; /* NULL: "helios" */
    const char *user;     /* NULL: "helios" */
};

HELIOS_API enum helios_status helios_connect(struct helios_db *db,
                                             const struct helios_connect_options *options,
                                             struct helios **ret, char **ret_message);
/* Rolls back what is open. Its statements must be finished: of one that is not, only helios_finish
 * may be called. */
HELIOS_API void helios_disconnect(struct helios *c);
/* From any thread: the running statement ends with 57014. */
HELIOS_API void helios_cancel(struct helios *c);
/* Runs one or more statements, separated by semicolons, as one simple query does: together in a
 * transaction unless they say otherwise. `row` is called for each row of each result, with texts
 * or NULL; returning false ends the query with 57014. `row` may be NULL. */
HELIOS_API enum helios_status helios_query(struct helios *c, const char *sql,
                                           bool (*row)(void *ctx, int columns,
                                                       const char *const *names,
                                                       const char *const *values),
                                           void *ctx);
/* As helios_query, without rows. */
HELIOS_API enum helios_status helios_exec(struct helios *c, const char *sql);
/* Tag of the last statement that ended, such as "INSERT 0 3"; "" if none. */
HELIOS_API const char *helios_tag(const struct helios *c);
/* 'I' idle, 'T' in a transaction, 'E' in one that has failed. */
HELIOS_API char helios_transaction_state(const struct helios *c);
/* Notices and warnings, as they come; severity is "NOTICE", "WARNING" … NULL: they are dropped. */
HELIOS_API void helios_on_notice(struct helios *c,
                                 void (*fn)(void *ctx, const char *severity, const char *message),
                                 void *ctx);

/* --- the last error ---------------------------------------------------------------------------- */

struct helios_error {
    char sqlstate[6];
    const char *message; /* never NULL */
    const char *detail, *hint, *schema, *table, *column, *constraint; /* NULL where not known */
    int position; /* in characters, from 1; 0: not known */
};

/* Of the last call on `c` or on one of its statements that returned HELIOS_ERROR. NULL: none. */
HELIOS_API const struct helios_error *helios_error(const struct helios *c);

/* --- prepared statements ----------------------------------------------------------------------- */

/* One statement; parameters are $1, $2 … */
HELIOS_API enum helios_status helios_prepare(struct helios *c, const char *sql,
                                             struct helios_stmt **ret);
HELIOS_API void helios_finish(struct helios_stmt *s);
HELIOS_API int helios_parameter_count(const struct helios_stmt *s);

/* Indexes from 1. The value is copied. A bound value stays for the next run; at first all are NULL.
 * Not while rows are being stepped: helios_reset first. */
HELIOS_API enum helios_status helios_bind_null(struct helios_stmt *s, int index);
HELIOS_API enum helios_status helios_bind_bool(struct helios_stmt *s, int index, bool value);
HELIOS_API enum helios_status helios_bind_int64(struct helios_stmt *s, int index, int64_t value);
HELIOS_API enum helios_status helios_bind_double(struct helios_stmt *s, int index, double value);
/* The text form of a value of any type. */
HELIOS_API enum helios_status helios_bind_text(struct helios_stmt *s, int index, const char *value);
HELIOS_API enum helios_status helios_bind_bytes(struct helios_stmt *s, int index, const void *data,
                                                size_t bytes);

/* Runs the statement at the first call; then a row a call; after DONE or ERROR it runs anew. Rows
 * are made as they are asked for, so a result may be larger than memory. Until its end or
 * helios_reset the connection runs nothing else: that fails with 55000. */
HELIOS_API enum helios_status helios_step(struct helios_stmt *s);
/* Ends the result; the statement may run again. One that writes finishes its work first: helios_error
 * tells if that failed. */
HELIOS_API void helios_reset(struct helios_stmt *s);

/* --- results ----------------------------------------------------------------------------------- */

/* Known after helios_prepare. 0 for statements without a result. */
HELIOS_API int helios_column_count(const struct helios_stmt *s);
HELIOS_API const char *helios_column_name(const struct helios_stmt *s, int column); /* from 0 */
/* As in SQL: "integer", "numeric(10,2)". */
HELIOS_API const char *helios_column_type(const struct helios_stmt *s, int column);

/* Of the current row; columns from 0. What does not fit the asked form is 0, false or NULL, as is
 * NULL itself. Texts live until the next step. */
HELIOS_API bool helios_is_null(const struct helios_stmt *s, int column);
HELIOS_API bool helios_bool(const struct helios_stmt *s, int column);
HELIOS_API int64_t helios_int64(const struct helios_stmt *s, int column);
HELIOS_API double helios_double(const struct helios_stmt *s, int column);
HELIOS_API const char *helios_text(const struct helios_stmt *s, int column);
/* Bytes of a bytea; of any other type, its text. */
HELIOS_API const void *helios_bytes(const struct helios_stmt *s, int column, size_t *ret_bytes);

HELIOS_API void helios_free(void *p);

#ifdef __cplusplus
}
#endif
#endif
