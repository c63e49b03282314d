/* Scans by columns, as the files of this folder share them (docs/design/htap.md). */
#ifndef HELIOS_CORE_MVCC_COLUMN_PRIV_H
#define HELIOS_CORE_MVCC_COLUMN_PRIV_H

#include "core/columns.h"
#include "core/lsm/masks.h"
#include "core/lsm/places.h"
#include "core/mvcc/mvcc_priv.h"

/* A run of the scan; newer ones come before older ones. */
struct scan_run {
    struct run_ref *ref;
    uint32_t level;
    bool columns;
    /* Of one with columns: positions that are not seen, a bit each; NULL: all are. Immutable once the
     * scan is open. */
    const uint64_t *skip;
    uint64_t *hidden; /* `skip`, where it is not the run's own */
};

/* At most BATCH_ROWS keys of a memtable. */
struct memory_part {
    uint32_t memory;
    struct leaf_list leaves;
};

/* What one reader takes at a time. */
enum unit_kind { UNIT_MEMORY, UNIT_ROWS, UNIT_COLUMNS };
struct scan_unit {
    enum unit_kind kind;
    uint32_t run;   /* number among the scan's */
    uint32_t first; /* part of a memtable; row segment; column segment */
    uint32_t count; /* of these; UNIT_COLUMNS: the number of the part of the segment */
};
enum {
    UNIT_SEGMENTS = 32,             /* row segments of a run without columns */
    UNIT_BLOCK_ROWS = 8 * BATCH_ROWS, /* of a column segment: the blocks that begin in so many rows */
};

struct scan_condition {
    struct column_condition c;
    bool of_missing; /* what it says of rows that were written before the column was added */
};

struct column_scan {
    struct view view;
    struct run_layout *layout; /* of the tree */
    const struct shape *shape;
    struct arena arena;
    const uint32_t *numbers;
    const type_id *types;
    uint32_t count;
    struct scan_condition *conditions;
    uint32_t condition_count;
    struct scan_run *runs;
    uint32_t run_count;
    ARRAY(struct memory_part) memory;
    ARRAY(struct scan_unit) units;
    uint32_t next_unit;                            /* atomic */
    uint64_t blocks, blocks_skipped, rows_by_row; /* atomic */
};

/* Does a memtable have a version that the scan sees, of the first `n`? */
bool column__in_memory(const struct column_scan *s, uint32_t n, struct slice key);

#endif
