/* Rows by number that may be more than fit in memory: what a window looks back and ahead at, CTEs, the
 * inner side of a nested loop.
 *
 * Rows lie in chunks, the newest in memory. When the run's memory is pressed all whole chunks go to
 * a spill, whence they are read again one at a time; a few of them are kept. Reading that moves
 * forwards in a few places at once reads each chunk once a place. */
#ifndef HELIOS_EXEC_OPS_ROW_STORE_H
#define HELIOS_EXEC_OPS_ROW_STORE_H

#include "exec/execution.h"
#include "exec/spill.h"

enum { STORE_CHUNK_ROWS = 512, STORE_CACHED = 6 };

struct store_cached {
    struct arena *arena;
    struct batch batch;
    uint64_t chunk, used; /* used: when last; 0: nothing here */
};

struct row_store {
    struct execution *x;
    struct arena *arena, *index; /* of the chunks in memory; of what is kept to the end */
    const type_id *types;
    uint16_t columns;
    struct batch *chunks;        /* in memory: numbers spilled, spilled + 1 … */
    uint32_t chunk_count, chunk_cap, last_cap;
    uint64_t spilled;            /* chunks on disk */
    uint64_t *places;            /* in the spill, of each and of the end */
    uint64_t place_cap;
    struct spill *spill;
    struct store_cached cache[STORE_CACHED];
    uint64_t clock, count;
    bool seldom_small;           /* the last content was large: start with whole chunks */
};

/* Both arenas are the store's alone. */
void row_store_init(struct row_store *s, struct execution *x, uint16_t columns,
                    const type_id *types, struct arena *arena, struct arena *index);
/* Forgets all rows; numbers begin at 0 again. */
void row_store_clear(struct row_store *s);
/* Those at sel[0..n) of the batch's columns. */
enum status row_store_add(struct row_store *s, const struct batch *b, const uint16_t *sel,
                          uint32_t n) MUST;
/* The chunk that holds the row; it stays until STORE_CACHED - 1 others have been asked for, or rows
 * are added. */
enum status row_store_chunk(struct row_store *s, uint64_t row, const struct batch **ret) MUST;
/* The whole selection of a batch. */
enum status row_store_add_batch(struct row_store *s, const struct batch *b) MUST;
static inline uint64_t row_store_chunks(const struct row_store *s)
{
    return (s->count + STORE_CHUNK_ROWS - 1) / STORE_CHUNK_ROWS;
}
/* A chunk for a reader of its own: from disk into *ret and `a`, which the reader clears; it stays as
 * long as no rows are added. Several may read at once. */
enum status row_store_read(struct row_store *s, uint64_t chunk, struct arena *a,
                           struct batch *ret) MUST;
/* Gives disk and most memory back; empty then. */
void row_store_end(struct row_store *s);
static inline enum status row_store_get(struct row_store *s, uint64_t row, uint32_t column,
                                        struct datum *ret)
{
    const struct batch *b;
    TRY(row_store_chunk(s, row, &b));
    *ret = vec_get(&b->columns[column], (uint32_t)(row % STORE_CHUNK_ROWS));
    return OK;
}

#endif
