/* Rows kept in memory, column by column: build sides of joins, input of sorts, CTEs. Bytes are copied
 * into the set's arena. Rows are numbered from 0 in order of arrival. */
#ifndef HELIOS_EXEC_OPS_ROWSET_H
#define HELIOS_EXEC_OPS_ROWSET_H

#include "exec/execution.h"
#include "types/vec.h"

struct rowset {
    struct arena *arena;
    struct arena *bytes; /* what values point to; `arena` unless set after rowset_init */
    uint16_t column_count;
    const type_id *types;
    struct batch *chunks; /* each of BATCH_ROWS rows, the last perhaps fewer */
    uint32_t chunk_count, chunk_cap;
    uint32_t last_cap;    /* rows that the last chunk has room for */
    uint64_t count;
};

void rowset_init(struct rowset *s, uint16_t columns, const type_id *types, struct arena *a);
/* The selected rows of the batch. */
void rowset_add_batch(struct rowset *s, const struct batch *b);
void rowset_add_row(struct rowset *s, const struct datum *row);
static inline struct datum rowset_get(const struct rowset *s, uint64_t row, uint32_t column)
{
    return vec_get(&s->chunks[row / BATCH_ROWS].columns[column], (uint32_t)(row % BATCH_ROWS));
}
/* Each column as one flat vector of all rows, in `a` (or shared, when there is one chunk); their bytes
 * stay in the set's. */
enum status rowset_columns(const struct rowset *s, struct execution *x, struct arena *a,
                           const struct vec **ret) MUST;
/* Fills positions 0… of a flat batch with the rows of these numbers; bytes are referenced. */
void rowset_gather(const struct rowset *s, const uint32_t *rows, uint32_t count, uint32_t from_column,
                   uint32_t columns, struct vec *out);

/* A hash table over row numbers of a set, by 64-bit hash; duplicates are chained in order. */
struct row_index {
    struct execution *x;  /* to be canceled while it grows */
    struct arena *arena;
    uint32_t *heads;      /* row number + 1; 0 empty */
    uint32_t *tails;
    uint64_t mask;
    uint32_t *next;       /* by row: row number + 1 of the next with the same slot */
    uint64_t *hashes;     /* by row */
    uint64_t count, cap;
};
void row_index_init(struct row_index *x, struct execution *run, struct arena *a);
/* Row numbers must come in order 0, 1, 2 … */
enum status row_index_add(struct row_index *x, uint64_t hash) MUST;
/* First candidate (row number + 1) with this very hash after `after` (0: from the start); 0: none. */
uint32_t row_index_find(const struct row_index *x, uint64_t hash, uint32_t after);

#endif
