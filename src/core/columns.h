/* Trees that are kept by columns, too, and reads of them.
 *
 * A run of such a tree has, beside its rows, a *column part*: the same entries in the same order, cut into blocks by
 * column (core/column/segment.h), written with the run. So there is one truth and no lag: what is in memory, and runs
 * that were made before the tree was told of its columns, are read by rows, everything else by columns
 * (docs/design/htap.md).
 *
 * A scan is made once a statement and shared by its threads, each with a reader of its own. It gives what
 * store_scan would of the whole tree, in no order, in pieces: rows as they are, or a block of columns of which the reader
 * decodes what it is asked for. */
#ifndef HELIOS_CORE_COLUMNS_H
#define HELIOS_CORE_COLUMNS_H

#include "core/column/column.h"
#include "core/column/zone.h"
#include "core/store.h"

/* What the rows of a tree consist of (types/row.h). Column i of a row is number i; a row that was written before a
 * column was added has `missing[i]`. */
enum tree_form {
    TREE_DUAL,       /* rows, and columns beside them */
    TREE_COLUMN,     /* on disk columns alone: rows are made of them when they are asked for */
    TREE_HYBRID,     /* the same, in segments so small that a row is made of few bytes */
    TREE_COMPRESSED, /* the same, packed as tightly as can be */
};
struct tree_columns {
    uint32_t count;
    const type_id *types;
    const struct datum *missing; /* NULL: NULLs */
    enum tree_form form;
};
/* From now on flushes, merges and loads write column parts; NULL: no more. Copied. Not stored: to be told again at each
 * open and whenever columns were added. Runs that are there in another form are rewritten in the background;
 * store_compact_tree does it at once. */
void store_set_tree_columns(struct store *s, tree_id tree, const struct tree_columns *columns);

/* --- scans ------------------------------------------------------------------------------------ */

struct column_condition {
    uint32_t column;         /* position among the request's columns */
    struct column_test test; /* column_can_test */
};
struct column_scan_request {
    tree_id tree;
    const uint32_t *numbers; /* of the columns that may be asked for */
    const type_id *types;
    uint32_t count;
    const struct column_condition *conditions; /* all must hold; copied, values too */
    uint32_t condition_count;
};
struct column_scan;
struct column_reader;

/* *ret NULL: columns would give nothing here, or not this snapshot's answer (no run has columns; reads of the past; a
 * branch; own changes that are not committed): read rows. */
enum status store_column_scan(struct txn *t, const struct column_scan_request *q,
                              struct column_scan **ret) MUST;
void column_scan_free(struct column_scan *s); /* after its readers; NULL is fine */

struct column_scan_cost {
    uint64_t rows_by_column, rows_by_row; /* entries */
    uint64_t blocks;
};
/* Of a whole scan of the tree, before any: for who has to choose. */
enum status store_column_cost(struct txn *t, tree_id tree, struct column_scan_cost *ret) MUST;

struct column_piece {
    uint32_t count;            /* rows that it has: at most BATCH_ROWS, at least 1 */
    const struct slice *rows;  /* as store_scan gives them: the conditions were NOT looked at; NULL: a block */
    const struct slice *keys;  /* of rows; of a block NULL: column_reader_keys */
    const uint64_t *mask;      /* of a block (COLUMN_MASK_WORDS): rows that are seen and pass all conditions; at least
                                * one does */
    bool whole;                /* of a block: all `count` are in the mask, and zones speak for it */
};
/* By the thread that reads: `t` is the transaction or a helper of it (txn_begin_helper). Reader and transaction end
 * before the scan is freed. */
enum status column_reader_open(struct column_scan *s, struct txn *t, struct column_reader **ret) MUST;
void column_reader_close(struct column_reader *r); /* NULL is fine */
/* The next piece that no other reader has taken; END_OF_DATA (no message). Stays, with all that was read of it, until
 * the next call. */
enum status column_reader_next(struct column_reader *r, struct column_piece *ret) MUST;
/* A column of the block at hand: rows of `sel` (NULL: all; others are anything), as column_read gives them. */
enum status column_reader_column(struct column_reader *r, uint32_t column, const uint16_t *sel,
                                 uint32_t count, bool flat, struct vec *ret) MUST;
/* The keys of the rows of `sel`, at their places. */
enum status column_reader_keys(struct column_reader *r, const uint16_t *sel, uint32_t count,
                               struct slice *ret) MUST;
/* What is known of the whole block; NULL: nothing (a column that its segment lacks). */
const struct column_zone *column_reader_zone(const struct column_reader *r, uint32_t column);

/* Of the readers so far. */
struct column_scan_counts {
    uint64_t blocks, blocks_skipped; /* skipped: by zones or filters, or as nothing of them is seen */
    uint64_t rows_by_row;
};
void column_scan_get_counts(const struct column_scan *s, struct column_scan_counts *ret);

/* --- what is told of a tree ------------------------------------------------------------------- */

/* A run's rows, or one of the column segments beside them. */
struct segment_line {
    uint64_t run; /* its number */
    uint32_t level;
    enum { SEGMENT_OF_ROWS, SEGMENT_OF_COLUMNS, SEGMENT_OF_HISTORY } kind;
    uint32_t number;              /* of a column segment in its run */
    uint64_t rows, bytes;         /* versions; on disk */
    double ratio;                 /* of columns: what as many rows take by rows, in their own bytes */
    const char *const *encodings; /* of columns: of the first block of each; NULL: it lacks the column */
};
/* Of all its runs, newer ones first; reads a block of each of so many columns. In the arena. */
enum status store_segments(struct store *s, tree_id tree, uint32_t columns, struct arena *a,
                           const struct segment_line **ret, uint32_t *ret_count) MUST;

struct column_status {
    uint64_t memory_rows, memory_bytes; /* keys in memtables; what those take */
    uint64_t bare_rows, column_rows;    /* versions on disk without columns and with them */
    uint64_t row_bytes, column_bytes;   /* on disk, without history */
    int64_t flushed_us, flush_took_us, merged_us, merge_took_us; /* the last one that this process made; 0: none */
};
enum status store_column_status(struct store *s, tree_id tree, struct column_status *ret) MUST;

#endif
