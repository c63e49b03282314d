/* The rows that have been seen: what a recursive UNION holds new ones against. They lie in a row store,
 * which goes to disk when memory is pressed; where each is, is known by its hash.
 *
 * Places of the newest rows are in a hash table. When there is no room for it to grow, its places go,
 * in order of hash, to a row store of their own, as a run, and it begins anew. Of a run stay in memory
 * the hash at the beginning of each chunk, and a Bloom filter, so that a row that is new is mostly
 * looked up nowhere. */
#ifndef HELIOS_EXEC_OPS_SEEN_ROWS_H
#define HELIOS_EXEC_OPS_SEEN_ROWS_H

#include "exec/ops/row_store.h"

struct seen_run {
    uint64_t from, to;   /* of the places */
    uint64_t *firsts;    /* the hash at from, from + STORE_CHUNK_ROWS … */
    uint64_t *filter;
    uint32_t filter_shift;
};

struct seen_rows {
    struct execution *x;
    struct row_store rows;
    struct arena *arenas[2]; /* of the slots: the side in use */
    unsigned side;
    uint64_t *slots;         /* upper half of the hash, row number + 1; 0: none */
    uint32_t shift;          /* 64 - log2 of how many */
    uint64_t count;          /* in the slots */
    struct row_store places; /* slots of the runs: int8 */
    struct arena *run_arena;
    struct seen_run *runs;
    uint32_t run_count, run_cap;
};

void seen_rows_init(struct seen_rows *s, struct execution *x, uint16_t columns,
                    const type_id *types);
/* Forgets all. */
enum status seen_rows_begin(struct seen_rows *s) MUST;
/* *ret_new: no equal row has come before; NULLs are equal. `hash` is vec_hash's. */
enum status seen_rows_add(struct seen_rows *s, const struct batch *b, uint32_t row, uint64_t hash,
                          bool *ret_new) MUST;
/* Gives disk and most memory back. */
void seen_rows_end(struct seen_rows *s);

#endif
