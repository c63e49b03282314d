/* Column segments: up to 131,072 versions of rows as columns, in one piece on disk
 * (docs/format/column-segment.md). Written once, in the order of runs; then read a column at a
 * time.
 *
 * An open segment is shared by threads. Pages that a reader looks at stay pinned by its `pins`. */
#ifndef HELIOS_CORE_COLUMN_SEGMENT_H
#define HELIOS_CORE_COLUMN_SEGMENT_H

#include "core/column/zone.h"
#include "core/file/cache.h"

enum {
    COLUMN_SEGMENT_ROWS_MAX = 1 << 17,
    COLUMN_SEGMENT_COLUMNS_MAX = 4096,
};
/* Columns of ours, by number. */
enum {
    COLUMN_KEY = 0xfffffffcu,  /* bytea */
    COLUMN_BEGIN = 0xfffffffdu, /* int8: the version's timestamp */
    COLUMN_END = 0xfffffffeu,  /* int8: of the version that superseded it; INT64_MAX: none here */
    COLUMN_DEAD = 0xffffffffu, /* bool: a tombstone */
};
enum column_segment_kind { SEGMENT_COLUMN = 1, SEGMENT_HYBRID = 2, SEGMENT_COMPRESSED = 3 };

struct column_spec {
    uint32_t number;
    type_id type;
    uint8_t bloom_bits; /* a distinct value of a filter for = and IN; 0: no filter */
    uint8_t *passes;    /* column_learn; may be NULL */
};
struct column_segment_options {
    uint64_t tree;
    uint32_t schema_version;
    enum column_segment_kind kind;
    uint32_t bytes; /* target before encoding; 0: of the kind. Held within what the kind allows. */
    const struct column_spec *columns; /* stay as long as the writer */
    uint32_t column_count;
    bool no_keys;   /* whoever reads it finds keys elsewhere; but fences are there */
    const struct column_options *encoding; /* NULL: of the kind */
};

/* --- writing ---------------------------------------------------------------------------------- */

struct column_segment_writer;

struct column_rows {
    uint32_t count;             /* at most BATCH_ROWS */
    const struct slice *keys;
    const uint64_t *ts;
    const bool *tombstones;     /* NULL: none is */
    const struct vec *columns;  /* as in the options; of a tombstone any value */
};

enum status column_segment_writer_new(const struct column_segment_options *o,
                                      struct column_segment_writer **ret) MUST;
/* Takes copies of the first rows, as many as the segment has room for: fewer than given, perhaps
 * none, when it is full. */
void column_segment_add(struct column_segment_writer *w, const struct column_rows *rows,
                        uint32_t *ret_taken);
uint32_t column_segment_writer_rows(const struct column_segment_writer *w);
uint32_t column_segment_writer_blocks(const struct column_segment_writer *w); /* row blocks */
/* Appends the segment to `out` (whole blocks of 4,096 bytes, at a multiple of 8) and starts
 * anew. At least one row was added. */
enum status column_segment_finish(struct column_segment_writer *w, struct strbuf *out) MUST;
void column_segment_writer_free(struct column_segment_writer *w);

/* --- reading ---------------------------------------------------------------------------------- */

struct column_segment;

/* It lies in that extent from block `first` on. Reads header and footer. */
enum status column_segment_open(struct blocks *b, struct cache *c, struct extent e, uint32_t first,
                                struct column_segment **ret) MUST;
void column_segment_close(struct column_segment *s);
uint64_t column_segment_tree(const struct column_segment *s);
uint32_t column_segment_rows(const struct column_segment *s);
uint32_t column_segment_disk_blocks(const struct column_segment *s); /* of 4,096 bytes */
uint32_t column_segment_block_count(const struct column_segment *s);
/* First row of a row block. */
uint32_t column_segment_first_row(const struct column_segment *s, uint32_t block);
uint64_t column_segment_min_ts(const struct column_segment *s);
uint64_t column_segment_max_ts(const struct column_segment *s);
struct slice column_segment_min_key(const struct column_segment *s);
struct slice column_segment_max_key(const struct column_segment *s);
/* The row block in which the key would be, or the last before it. */
uint32_t column_segment_find(const struct column_segment *s, struct slice key);

/* The place of a column by its number. False: the segment has none, it was added later. */
bool column_segment_column(const struct column_segment *s, uint32_t number, uint32_t *ret);
type_id column_segment_type(const struct column_segment *s, uint32_t column);
/* A zone a row block. */
const struct column_zone *column_segment_zones(const struct column_segment *s, uint32_t column);
/* That of all rows. */
const struct column_zone *column_segment_zone(const struct column_segment *s, uint32_t column);

/* Takes the bits of row blocks in which the test is true of no row out of `blocks`, a bit each.
 * Reads nothing but zones. */
void column_segment_prune(const struct column_segment *s, uint32_t column,
                          const struct column_test *t, uint64_t *blocks);
/* *ret false: the column's filter says that = or IN is true of no row. */
enum status column_segment_may_contain(struct column_segment *s, uint32_t column,
                                       const struct column_test *t, struct page_pins *pins,
                                       bool *ret) MUST;
/* One block of a column, in the arena; its bytes stay while `pins` holds. */
enum status column_segment_block(struct column_segment *s, uint32_t column, uint32_t block,
                                 struct page_pins *pins, struct arena *a,
                                 struct column_block **ret) MUST;
/* The rows of a block that are seen at a snapshot. */
enum status column_segment_visible(struct column_segment *s, uint32_t block, uint64_t snapshot,
                                   struct page_pins *pins, struct arena *a, uint64_t *mask) MUST;
/* Reads everything, holds zones against values. DATA_CORRUPTED names file and offset. */
enum status column_segment_verify(struct column_segment *s) MUST;
/* Explains the header of the segment that begins in these bytes, for `helios inspect`. */
enum status column_segment_inspect(struct slice bytes, struct strbuf *out) MUST;

#endif
