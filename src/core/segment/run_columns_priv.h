/* The column part of a run, for this folder (docs/format/run.md). */
#ifndef HELIOS_CORE_SEGMENT_RUN_COLUMNS_PRIV_H
#define HELIOS_CORE_SEGMENT_RUN_COLUMNS_PRIV_H

#include "core/segment/run_columns.h"
#include "core/segment/segment_priv.h"

/* The body of a segment of SEGMENT_COLUMNS: this, then a column_place for each column segment, the
 * position of the first entry of each row segment (4 bytes), to a multiple of 8, and the bits of
 * run_column_within if there are any. */
struct columns_index {
    uint32_t segments, has_within;
    uint64_t blocks; /* row blocks of all */
};
struct column_place {
    struct place place;
    uint32_t first; /* position */
};
_Static_assert(sizeof(struct columns_index) == 16, "docs/format/run.md");
_Static_assert(sizeof(struct column_place) == 16, "docs/format/run.md");

/* Positions are 4 bytes, and of fewer entries than this. */
#define COLUMN_ENTRIES_MAX ((uint64_t)UINT32_MAX)

/* --- building --- */

struct columns_builder;
struct columns_builder *columns__new(uint64_t tree, struct run_layout *l, enum run_form form);
void columns__free(struct columns_builder *c); /* NULL is fine */
/* A row segment begins with the entry that comes next. */
void columns__begin_rows(struct columns_builder *c);
/* `newest`: the first of its key. False: this run can have no columns, and the builder is of no use. */
bool columns__add(struct columns_builder *c, const struct entry *e, bool newest);
/* A column segment is due, or, at the end, any rows are left: appends it to `out`. The caller then tells
 * where it lies. *ret false: there is none. Not OK: no columns; the error is cleared. */
bool columns__seal(struct columns_builder *c, bool all, struct block_buf *out, bool *ret);
void columns__placed(struct columns_builder *c, struct place p);
void columns__seal_index(struct columns_builder *c, bool compress, struct block_buf *out);

/* --- an open one --- */

struct columns_part;
/* `page` is the unpacked index, which stays. NULL, or what is wrong. In the arena. */
const char *columns__open(const void *page, const struct run_meta *m, struct arena *a,
                          struct columns_part **ret);
void columns__close(struct columns_part *p); /* NULL is fine */

/* Of an entry of a row segment; POSITION_NONE: there is no column part. */
uint32_t run__position(const struct run *r, uint32_t row_segment, uint32_t entry);
/* A page of entries with their rows, made of a page of keys, whose number is `segment`. Not in the cache yet. */
enum status columns__fill(struct run *r, uint32_t segment, const void *keys, uint64_t key,
                          struct cache_page **ret) MUST;
/* The position of the first entry of a row segment; of number run__segment_count: the run's entries. */
uint64_t columns__row_first(const struct run *r, uint32_t segment);

/* Of run.c. */
struct columns_part *run__columns(const struct run *r);
const struct run_meta *run__meta(const struct run *r);
enum status run__open_columns(struct run *r, const struct column_place *p, struct cache *cache,
                              struct column_segment **ret) MUST;
enum status run__open_column_segment(struct run *r, uint32_t segment, struct cache *cache,
                                     struct column_segment **ret) MUST;
/* Does the segment begin with versions of a key that began before, and then its key? */
bool run__continues(const struct run *r, uint32_t segment, struct slice *ret_key);
/* Column part against rows: the same entries, values and all. Reads from disk. */
enum status columns__verify(struct run *r) MUST;

#endif
