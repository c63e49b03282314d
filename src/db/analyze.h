/* ANALYZE of one table: reads it, samples it, and makes its new definition with statistics. */
#ifndef HELIOS_DB_ANALYZE_H
#define HELIOS_DB_ANALYZE_H

#include "db/session_priv.h"

/* `columns` names those that get new statistics; empty: all. The new definition, complete but for
 * rows and pages, lives in the arena. Runs inside a statement of the session's transaction. */
enum status analyze_table(struct session *s, const struct table_def *t,
                          const struct name_list *columns, double rows, struct arena *a,
                          struct table_def *ret) MUST;

#endif
