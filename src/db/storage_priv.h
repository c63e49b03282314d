/* Tables kept by columns: their option, and what the store is told of it (storage.c). */
#ifndef HELIOS_DB_STORAGE_PRIV_H
#define HELIOS_DB_STORAGE_PRIV_H

#include "catalog/table_storage.h"
#include "db/session_priv.h"

/* Of which trees the store has been told. */
struct storage_told;
struct storage_told *storage_told_new(void);
void storage_told_free(struct storage_told *t); /* NULL is fine */

/* A value of the option: 22023 when there is no such storage. */
enum status storage_check_option(const char *text, enum table_storage *ret) MUST;
/* Tells the store which columns the tables of the published catalog have, and have no more. */
void storage_apply(struct db *db, const struct catalog *c);
/* As storage_apply, of a table whose tree is the transaction's own: before it is filled. */
void storage_tell_new(struct session *s, const struct table_def *t);
/* `options` with helios.default_storage in it, unless they say something of storage. */
const char *storage_with_default(struct session *s, const char *options, struct arena *a);
/* Does helios.auto_storage want the table to be kept in another way? (storage_advice.c) */
bool storage_change_due(struct db *db, const struct table_def *t);
/* The table's options with that in them, in the arena. */
const char *storage_chosen(struct db *db, const struct table_def *t, struct arena *a);

#endif
