/* Making new snapshots: DDL's side of the catalog.
 *
 * Every change goes to the system tree within the transaction and gives a new snapshot with it. DDL is
 * serialised: catalog_lock first, which other DDL waits for until this transaction ends. */
#ifndef HELIOS_CATALOG_EDIT_H
#define HELIOS_CATALOG_EDIT_H

#include "catalog/catalog.h"
#include "core/txn.h"

enum { CATALOG_TREE = 1 }; /* the system tree: the first that a new store makes */

/* In an empty store: makes the system tree and what every database begins with. The caller commits. */
enum status catalog_bootstrap(struct txn *t, const char *database) MUST;
/* Reads the whole catalog as the transaction's snapshot sees it. */
enum status catalog_load(struct txn *t, struct catalog **ret) MUST;

/* The tree of that table alone, as the snapshot sees it, if its rows are numbered; 0: they have a primary key, or there is
 * no such table. */
enum status catalog_read_numbered(struct txn *t, oid_t table, uint64_t *ret) MUST;

/* Waits for other DDL to end. */
enum status catalog_lock(struct txn *t) MUST;
/* `n` new oids, the first of them in *ret. Under the lock. */
enum status catalog_new_oids(struct txn *t, uint32_t n, oid_t *ret) MUST;

/* Up to where (a snapshot of it) a branch was merged into the one that the transaction is in, and by which
 * commit; 0: never. Get locks it: of two merges at once the later fails under REPEATABLE READ. */
enum status catalog_put_merged(struct txn *t, uint32_t branch, uint64_t ts) MUST;
enum status catalog_get_merged(struct txn *t, uint32_t branch, uint64_t *ret_ts,
                               uint64_t *ret_commit) MUST;

/* Of a table whose columns a merge has numbered anew: when; 0: never. Where two states of a table have the same, a
 * column is known by its number. */
enum status catalog_put_renumbered(struct txn *t, oid_t table, uint64_t ts) MUST;
enum status catalog_get_renumbered(struct txn *t, oid_t table, uint64_t *ret_ts) MUST;

/* The same definition but for the numbers of the trees that hold it. */
bool catalog_same_but_trees(const struct table_def *a, const struct table_def *b);
bool catalog_same_schema(const struct schema_def *a, const struct schema_def *b);
bool catalog_same_function(const struct function_def *a, const struct function_def *b);
/* Whose row of the system tree has this key; false: that of no object. */
bool catalog_changed_object(struct slice key, oid_t *ret_oid);

/* Inserts or replaces the object of that oid; the definition is copied deeply. A table goes with its
 * indexes and constraints: table_def.indexes and .constraints are what it is to have; `primary`,
 * `layout` and the order are worked out here. The new snapshot is *ret, `base` stays as it was. */
enum status catalog_put_table(struct catalog *base, struct txn *t, const struct table_def *def,
                              struct catalog **ret) MUST;
enum status catalog_put_schema(struct catalog *base, struct txn *t, const struct schema_def *def,
                               struct catalog **ret) MUST;
enum status catalog_put_database(struct catalog *base, struct txn *t,
                                 const struct database_def *def, struct catalog **ret) MUST;
enum status catalog_put_role(struct catalog *base, struct txn *t, const struct role_def *def,
                             struct catalog **ret) MUST;
enum status catalog_put_function(struct catalog *base, struct txn *t,
                                 const struct function_def *def, struct catalog **ret) MUST;
/* A snapshot of memory alone, in which the table is so. */
enum status catalog_with_table(struct catalog *base, const struct table_def *def,
                               struct catalog **ret) MUST;
enum status catalog_remove(struct catalog *base, struct txn *t, oid_t oid,
                           struct catalog **ret) MUST;

#endif
