/* Rows on disk, for operators whose rows do not fit in the query's memory: written one after another,
 * then read from the beginning, as often as wanted.
 *
 *     u32 length | row (types/row.h)        repeated; nothing is aligned
 *
 * A spill is one temporary file in the session's `temp_dir`, removed as the run ends, or by db_open
 * after a crash. Its bytes are not checksummed and never synced: nothing of it
 * outlives the query. A query's spills together hold at most `temp_limit_bytes` (53400 beyond). */
#ifndef HELIOS_EXEC_SPILL_H
#define HELIOS_EXEC_SPILL_H

#include "exec/execution.h"
#include "types/vec.h"

struct spill;

/* Memory of the run so far; what it may have (UINT64_MAX: no limit). */
uint64_t exec_memory_used(struct execution *x);
uint64_t exec_memory_limit(const struct execution *x);
/* Has the run used so much that an operator which can spill should do so now? */
bool exec_memory_pressed(struct execution *x);
/* Has it more than so much of the limit? */
bool exec_memory_above(struct execution *x, uint32_t percent);

/* Becomes another execution's, while neither of them runs. */
void spill_give(struct execution *to, struct spill *s);
/* Released by exec_end, whatever happens; or earlier by spill_free. `types` are copied. */
enum status spill_new(struct execution *x, uint16_t columns, const type_id *types,
                      struct spill **ret) MUST;
void spill_free(struct spill *s);
enum status spill_add_row(struct spill *s, const struct datum *row) MUST;
enum status spill_add_batch(struct spill *s, const struct batch *b) MUST; /* the selected rows */
/* Bytes in a row's place, of any form: what is written so is read by spill_next_bytes. */
enum status spill_add_bytes(struct spill *s, struct slice bytes) MUST;
uint64_t spill_row_count(const struct spill *s);
uint64_t spill_bytes(const struct spill *s);

/* Memory that each spill of the run has while it is written or read. */
uint64_t spill_buffer_bytes(const struct execution *x);
/* Gives it back: what is in it is written. The next thing to be asked is spill_rewind. */
enum status spill_rest(struct spill *s) MUST;
/* Ends writing, and the next read is of the first row. */
enum status spill_rewind(struct spill *s) MUST;
/* The next rows, at most BATCH_ROWS, as flat vectors in `a`; their bytes stay until the next call.
 * END_OF_DATA (no message) when there are no more. */
enum status spill_next(struct spill *s, struct arena *a, struct batch *ret) MUST;
/* Rows by place, while others are still written: those that lie in [from, from + bytes), at most
 * BATCH_ROWS, as flat vectors; everything in `a`. Places are values of spill_bytes. */
enum status spill_fetch(struct spill *s, uint64_t from, uint64_t bytes, struct arena *a,
                        struct batch *ret) MUST;
/* One row at a time, for merges; ret[0..columns). Bytes stay until the next call. */
enum status spill_next_row(struct spill *s, struct datum *ret) MUST;
enum status spill_next_bytes(struct spill *s, struct slice *ret) MUST;

#endif
