/* ANALYZE of one table: reads it, samples it, and makes its new definition with statistics. */
#ifndef HELIOS_DB_ANALYZE_H
#define HELIOS_DB_ANALYZE_H

#include "db/session_priv.h"

/* `columns` names those that get new statistics; empty: all. The new definition, complete but for
 * rows and pages, lives in the arena. Runs inside a statement of the session's transaction. */
enum status analyze_table(struct session *s, const struct table_def *t,
                          const struct name_list *columns, double rows, struct arena *a,
                          struct table_def *ret) MUST;

/* Analysing what has changed, by a thread of its own (autoanalyze.c), unless autoanalyze.interval is 0. */
enum status autoanalyze_start(struct db *db) MUST;
/* Ends what it does; before the database is closed. */
void autoanalyze_stop(struct db *db);
/* The session's transaction has written so many rows of the table. */
void autoanalyze_count(struct session *s, oid_t table, uint64_t rows);
/* It has ended: only now can others see the rows. */
void autoanalyze_ended(struct session *s, bool committed);
/* The table was analysed. */
void autoanalyze_done(struct db *db, oid_t table);

#endif
