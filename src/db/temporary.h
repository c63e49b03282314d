/* Temporary objects of sessions. */
#ifndef HELIOS_DB_TEMPORARY_H
#define HELIOS_DB_TEMPORARY_H

#include "db/ddl_priv.h"

/* Of temporary objects of this or another session, by its name. */
bool temporary_is_schema(const char *name);
/* The session's own, in the catalog that it sees; 0: none. */
oid_t temporary_schema(const struct session *s);
/* The same, made when there is none. */
enum status temporary_make_schema(struct ddl *d, const struct schema_def **ret) MUST;
/* 'd': DELETE ROWS; 'D': DROP. */
void temporary_on_commit(struct session *s, oid_t table, char action);
/* What ON COMMIT asks for, within the transaction. */
enum status temporary_before_commit(struct session *s) MUST;
void temporary_ended(struct session *s); /* the transaction */
enum status temporary_discard(struct session *s) MUST; /* DISCARD TEMP */
/* Drops them, outside of any transaction. */
void temporary_end_session(struct session *s);
/* Those that sessions of before left behind, when the database is opened. */
enum status temporary_clear(struct db *db) MUST;

#endif
