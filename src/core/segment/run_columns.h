/* The column part of a run: its entries once more, in the same order, as column segments
 * (docs/format/run.md, docs/design/htap.md). Entry i of the run, counted over all its row segments, is
 * at *position* i in the column part. Immutable once open, and shared by threads. */
#ifndef HELIOS_CORE_SEGMENT_RUN_COLUMNS_H
#define HELIOS_CORE_SEGMENT_RUN_COLUMNS_H

#include "core/column/segment.h"
#include "core/segment/run.h"
#include "types/row.h"

/* What the rows of a tree consist of, for who writes runs. Counted. */
struct run_layout {
    uint32_t refs; /* atomic */
    struct arena arena;
    enum run_form form; /* of runs: RUN_DUAL or above */
    uint32_t count;
    const type_id *types;
    const struct datum *missing; /* of each column; NULL: NULLs */
    const struct row_layout *rows;
    struct column_spec *specs;
    uint16_t *numbers;           /* 0, 1, … */
    uint64_t missing_bytes;      /* of all that are missing, about */
};
/* NULL for no columns, or too many. Copies all. */
struct run_layout *run_layout_new(enum run_form form, uint32_t count,
                                  const type_id *types, const struct datum *missing);
struct run_layout *run_layout_ref(struct run_layout *l); /* NULL is fine */
void run_layout_unref(struct run_layout *l);             /* NULL is fine */

/* For tests and experiments, before any run is written: what encoders may use, and the size of column
 * segments. NULL, 0: as usual. */
extern const struct column_options *run_columns_encoding;
extern uint32_t run_columns_bytes;
/* One encoding alone, where it can hold the values: 0 to 3 those of integers, 4 and 5 of floats, 6 to 9 of strings, none of
 * these with a dictionary; 10 all but a dictionary, 11 those of archives. Others: as usual. */
enum { RUN_COLUMNS_FORCED = 12 };
void run_columns_force(unsigned encoding);

/* --- reading ---------------------------------------------------------------------------------- */

bool run_has_columns(const struct run *r);
uint64_t run_column_bytes(const struct run *r);   /* on disk */
uint64_t run_column_blocks(const struct run *r);  /* row blocks, of all segments */
uint32_t run_column_segments(const struct run *r);
/* The position of the segment's first row; of number run_column_segments: the run's entries. */
uint64_t run_column_first(const struct run *r, uint32_t segment);
/* Opened when it is first asked for; stays as long as the run. */
enum status run_column_segment(struct run *r, uint32_t segment, struct column_segment **ret) MUST;
/* Positions that are not the newest version of their key in the run, or are tombstones: a bit each; NULL: none. */
const uint64_t *run_column_within(const struct run *r);

/* Finds positions by keys; cheap when keys ascend. Zeroed and given a run that has columns. */
struct run_finder {
    struct run *run;
    struct cache_page *page; /* pinned; NULL: none */
    uint32_t segment;
};
/* The position of the newest version of the key; NOT_FOUND (no message). */
enum status run_find_position(struct run_finder *f, struct slice key, uint64_t *ret) MUST;
/* The same of any run. */
enum status run_has_key(struct run_finder *f, struct slice key, bool *ret) MUST;
/* The entry at a position, but for its row, which may not be there; stays until the finder moves. */
enum status run_entry_at(struct run_finder *f, uint64_t position, struct entry *ret) MUST;
/* The finder's page goes to `pins`, so that what was found stays. */
void run_finder_keep(struct run_finder *f, struct page_pins *pins);
void run_finder_end(struct run_finder *f);

/* One row segment, for who reads runs without columns piece by piece. */
uint32_t run_row_segments(const struct run *r);
/* Of each key whose versions begin in this segment the newest one, tombstones too; at most as many as
 * the segment has. Keys and rows stay while `pins` holds. */
struct run_rows {
    uint32_t count;
    struct entry *entries; /* in the arena */
};
enum status run_read_segment(struct run *r, uint32_t segment, struct page_pins *pins, struct arena *a,
                             struct run_rows *ret) MUST;

#endif
