/* A small database on the simulated machine, for the targets that need sessions. */
#ifndef HELIOS_TESTS_FUZZ_DATABASE_H
#define HELIOS_TESTS_FUZZ_DATABASE_H

#include "db/session.h"

/* Opened at the first call; a new one after many runs, so that what inputs create does not pile up.
 * No session may be open. On a fiber or thread. */
struct db *fuzz_database(void);
void fuzz_database_discard(void);
const struct config *fuzz_config(void);

/* The setup that every new database gets; run by fuzz_database. */
extern const char *const fuzz_schema;

/* One session, fresh: with a short statement_timeout. */
struct session *fuzz_session(struct db *db);
/* A sink that prints each row's values and drops them; it gives `data` to COPY FROM STDIN, in
 * pieces. */
struct fuzz_sink {
    struct result_sink sink;
    struct slice data;   /* of COPY, what is left */
    uint32_t piece;      /* bytes at once; 0: all */
    const struct session *session;
    const struct result_column *columns;
    uint32_t column_count;
};
void fuzz_sink_init(struct fuzz_sink *k, struct session *s, struct slice copy_data);
/* Runs the text by the simple protocol. An internal error fails the run. */
enum status fuzz_query(struct session *s, struct fuzz_sink *k, struct slice text);
/* Fails the run when this status is an error that no input may bring about. */
void fuzz_check_status(enum status st);

#endif
