/* Lines of development (db_line.c): what a session is in. */
#ifndef HELIOS_DB_DB_LINE_PRIV_H
#define HELIOS_DB_DB_LINE_PRIV_H

#include "db/session_priv.h"

#define MAIN_BRANCH "main"

/* The line of that name, main or a branch; to be closed. 3D000. */
enum status db_line__open(struct db *db, struct slice name, struct db_line **ret) MUST;
void db_line__close(struct db_line *l); /* may be NULL */
/* How many are in the branch. */
uint32_t db_line__sessions(struct db *db, uint32_t branch);

/* Of db_open and db_close. */
void db_line__init(struct db_line *l, struct db *db, struct branch *branch);
void db_line__release(struct db_line *l);

/* A reference to the newest published snapshot. */
struct catalog *db_line__catalog(struct db_line *l);
bool db_line__catalog_is_newest(const struct db_line *l, const struct catalog *c);
/* Around a commit of DDL, from before its log record may free any lock. */
void db_line__begin_publishing(struct db_line *l);
void db_line__end_publishing(struct db_line *l);
/* As that commit ends: `c` (a reference taken over) becomes the published snapshot. */
void db_line__publish(struct db_line *l, struct catalog *c, uint64_t ts);
/* Tables whose rows a commit of DDL has moved; before it is published. */
void db_line__note_rewritten(struct db_line *l, const oid_t *tables, size_t n, uint64_t ts);
/* Was the table rewritten after that snapshot? */
bool db_line__rewritten(struct db_line *l, oid_t table, uint64_t snapshot);
/* Waits until no commit of DDL is between its log record and its publication. */
void db_line__wait_published(struct db_line *l);

#endif
