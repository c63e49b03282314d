/* A hash table of rows, NULLs being equal: what DISTINCT, INTERSECT and EXCEPT look rows up in; and what
 * they do with rows for which the table has no room. */
#ifndef HELIOS_EXEC_OPS_ROW_TABLE_H
#define HELIOS_EXEC_OPS_ROW_TABLE_H

#include "exec/ops/ops_priv.h"
#include "exec/ops/sorter.h"

struct row_table {
    struct execution *x;
    struct arena *arena;
    struct rowset rows;
    struct row_index index;
    uint64_t *counts; /* by row: SET_OP's multiplicity on the right side */
    uint64_t counts_cap;
};

/* The arena is the table's alone, and is cleared. */
void row_table_init(struct row_table *t, struct execution *x, uint16_t columns,
                    const type_id *types, struct arena *a);
/* Row number + 1 of an equal row; 0: none. */
uint32_t row_table_find(const struct row_table *t, const struct datum *row, uint64_t hash);
enum status row_table_add(struct row_table *t, const struct datum *row, uint64_t hash) MUST;
/* Of row number + 1: how often it has come. */
enum status row_table_count(struct row_table *t, uint32_t row) MUST;
/* Has it the memory that it may have? */
bool row_table_is_full(const struct row_table *t);
/* Hashes of the batch's selected rows by these columns; NULL: all `count`. */
void row_hashes(const struct batch *b, const uint32_t *slots, uint32_t count, uint64_t *hashes);

/* Rows that came when the table was full: sorted by key at the end, the first of each key sorted by
 * arrival. Any number of batches may be added; then they are pushed, once. */
struct late_rows {
    struct execution *x;
    struct sorter *by_key, *by_arrival; /* rows, and their place (int8) */
    uint16_t columns;
    const uint32_t *slots; /* of the key */
    uint32_t slot_count;
    int64_t count;
};
/* Made once a node; begin is for each run. */
void late_rows_init(struct late_rows *l, struct execution *x, const struct plan_node *n,
                    const uint32_t *slots, uint32_t slot_count);
void late_rows_begin(struct late_rows *l);
enum status late_rows_add(struct late_rows *l, const struct batch *b, struct arena *a) MUST;
enum status late_rows_push(struct late_rows *l, const struct exec_sink *out, struct arena *a) MUST;

#endif
