/* Indexes that are being built, remade or dropped beside others' work
 * (docs/design/online-ddl.md). Their statements consist of several transactions, between which
 * they hold neither the lock of DDL nor one on the table; what keeps other DDL off the table is
 * an entry here, made and asked for under the lock of DDL. */
#ifndef HELIOS_DB_BUILDS_H
#define HELIOS_DB_BUILDS_H

#include "db/session_priv.h"

struct builds;
struct builds *builds_new(void);
void builds_free(struct builds *b); /* none may be left */

/* The session begins on the table; under the lock of DDL. False: somebody else is at work there. */
bool builds_enter(struct session *s, oid_t table) MUST;
void builds_leave(struct session *s, oid_t table);
/* Is somebody else at work on the table? */
bool builds_running(struct session *s, oid_t table);
/* Waits until nobody is. QUERY_CANCELED, LOCK_NOT_AVAILABLE after lock_timeout. Not under the
 * lock of DDL. */
enum status builds_wait(struct session *s, oid_t table) MUST;

#endif
