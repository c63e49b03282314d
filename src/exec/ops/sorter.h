/* The sorter: rows come in any order and go out by key; equal ones as they came. ORDER BY, windows,
 * aggregates with DISTINCT or ORDER BY, and whatever removes duplicates beyond its memory use it.
 *
 * A row is kept as one record: its key as bytes whose order is the order wanted (types/key.h), and
 * the row (types/row.h). What is sorted is an array of (8 bytes of the key, record). When the run's
 * memory is pressed the records go to disk as a sorted run; runs are merged as they are read. With a
 * limit only that many rows are kept, and rows that come too late in the order are left out at once. */
#ifndef HELIOS_EXEC_OPS_SORTER_H
#define HELIOS_EXEC_OPS_SORTER_H

#include "exec/execution.h"
#include "exec/spill.h"
#include "types/key.h"

struct sorter;

/* Lives as long as the run; empty, with no limit. Types and parts are copied. */
struct sorter *sorter_new(struct execution *x, uint16_t columns, const type_id *types,
                          const struct key_part *parts, uint32_t part_count);
/* Forgets all rows and begins anew: `limit` rows are wanted (UINT64_MAX: all). */
void sorter_begin(struct sorter *s, uint64_t limit);
/* The batch's selected rows; `keys` are vectors over the batch, one a part. */
enum status sorter_add(struct sorter *s, const struct batch *b, const struct vec *keys) MUST;
/* To disk with what is at hand, if memory gets short and there is much of it. */
enum status sorter_rest(struct sorter *s) MUST;
/* No more come. */
enum status sorter_finish(struct sorter *s) MUST;
/* The next rows as flat vectors in `a`; END_OF_DATA (no message) after the last. Bytes stay until the
 * next call. With ret_same: is the key of row i that of the row before it, of the last batch too? */
enum status sorter_next(struct sorter *s, struct arena *a, struct batch *ret,
                        bool *ret_same) MUST;
/* Gives memory and disk back; sorter_begin is next. */
void sorter_end(struct sorter *s);

uint64_t sorter_row_count(const struct sorter *s);    /* kept so far */
uint64_t sorter_memory(const struct sorter *s);       /* bytes, now */
uint64_t sorter_memory_most(const struct sorter *s);  /* bytes, since it was made */
uint64_t sorter_disk_bytes(const struct sorter *s);   /* written to disk, since it was made */

#endif
