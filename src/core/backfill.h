/* Filling an index while others write to it (docs/design/online-ddl.md).
 *
 * Others maintain the index already, but know only of rows that they touch; a row that they take
 * an entry of away leaves a tombstone (WRITE_REMOVE), though nothing is there. Here come the
 * entries of all rows of one snapshot. They go to sorted runs, past memtables and log, which are
 * put below everything in the tree: what was written since hides them where it differs. A crash
 * before that leaves nothing of them. */
#ifndef HELIOS_CORE_BACKFILL_H
#define HELIOS_CORE_BACKFILL_H

#include "core/txn.h"

struct backfill;
/* `t` keeps its snapshot, that of the rows, from here to the end. The tree was made by the
 * commit at created_ts. Within a statement. */
enum status store_backfill_begin(struct txn *t, tree_id tree, uint64_t created_ts,
                                 struct backfill **ret) MUST;
/* In any order, each key once. Memory is bounded. UNIQUE_VIOLATION as in store_backfill_finish. */
enum status store_backfill_add(struct backfill *b, struct slice key, struct slice row) MUST;
/* Durable on return, and seen by all; what was given to it is not before. UNIQUE_VIOLATION (no
 * message): a key was given twice. Within a statement. */
enum status store_backfill_finish(struct backfill *b) MUST;
/* Of UNIQUE_VIOLATION: the row that came with the key, one of them. */
struct slice store_backfill_conflict(const struct backfill *b);
/* After the end, in the same statement: keys that were given and that others wrote before it,
 * too, with the rows that they were given with; the same key may come more than once. They stay
 * until the next call. *ret_count 0: that was all. */
enum status store_backfill_written(struct backfill *b, struct slice *keys, struct slice *rows,
                                   uint32_t max, uint32_t *ret_count) MUST;
void store_backfill_free(struct backfill *b); /* may be NULL; unfinished: nothing is left of it */

#endif
