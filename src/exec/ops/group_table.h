/* Groups by key: which group each row of a batch belongs to. Groups are numbered from 0 in order of
 * their first row; their keys are kept column by column, in chunks that are vectors as they stand.
 *
 * Two forms. While all key values fit in one word together (integers, dates, booleans, strings of up
 * to three bytes), rows are found by that word alone. The first that does not fit turns the table
 * into the general form, for good: hash of all columns, then one comparison loop a column over the
 * rows that found their hash. */
#ifndef HELIOS_EXEC_OPS_GROUP_TABLE_H
#define HELIOS_EXEC_OPS_GROUP_TABLE_H

#include "exec/execution.h"
#include "types/vec.h"

#define GROUP_NONE UINT32_MAX

enum { GROUP_SLOT_ARENAS = 2 };

struct key_column {
    type_id type;
    uint8_t width;
    uint8_t shift, bits, null_bit; /* in the word; null_bit 64: no place for NULL */
    char **data;                   /* by chunk */
    uint64_t **nulls;
};

struct group_table {
    struct execution *x;                     /* to be canceled while slots grow */
    struct arena *arena;                     /* of the keys */
    struct arena *slot_arenas[GROUP_SLOT_ARENAS]; /* used in turns: a grown table frees the old */
    uint32_t key_count;
    struct key_column *columns;
    uint32_t chunk_count, chunk_cap;
    uint32_t first_cap;    /* rows that the first chunk has room for */
    uint32_t count;        /* groups */
    bool packed;
    uint32_t cap, shift;   /* slots; 64 - log2 of them */
    struct packed_slot *words;
    uint64_t *slots;       /* general: upper half of the hash, group + 1 */
};

void group_table_init(struct group_table *t, struct execution *x, uint32_t key_count,
                      const type_id *types, struct arena *keys, struct arena *slots_a, struct arena *slots_b);
/* ids[i] := the group of selected row i, made if need be; with `frozen` none is made, and rows of
 * unknown groups get GROUP_NONE. `a` is for the call. */
enum status group_table_find(struct group_table *t, const struct batch *b, const struct vec *keys,
                             bool frozen, struct arena *a, uint32_t *ids) MUST;
/* Adds a group that is known to be new. */
enum status group_table_add(struct group_table *t, const struct datum *keys,
                            struct arena *a) MUST;
/* Key column c of groups [chunk * BATCH_ROWS, …): flat, by reference. */
void group_table_view(const struct group_table *t, uint32_t chunk, uint32_t c, struct vec *ret);
/* The hash that vec_hash gives for the rows' keys. */
void group_table_hash(const struct batch *b, const struct vec *keys, uint32_t key_count,
                      uint64_t *ret);

#endif
