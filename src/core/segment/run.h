/* Runs: immutable sorted files of versions (the SSTables of the literature), made of segments
 * (docs/format/segment.md, docs/format/run.md).
 *
 * A run holds entries (key, commit timestamp, tombstone flag, row) in order of key ascending, then
 * timestamp descending. It is a list of row segments of about 32 KiB before compression, fence keys,
 * a split-block Bloom filter over keys, min/max key and min/max timestamp. The whole run is described
 * by its meta: a blob for the manifest. Immutable and shared by threads once open. */
#ifndef HELIOS_CORE_SEGMENT_RUN_H
#define HELIOS_CORE_SEGMENT_RUN_H

#include "base/array.h"
#include "core/file/blocks.h"
#include "core/file/cache.h"

struct run;
struct run_builder;
struct run_cursor;
struct run_layout; /* segment/run_columns.h */

/* How a run keeps its rows. From RUN_COLUMN on they are in its column part alone, and made of it when they are
 * asked for: as column segments of these kinds (core/column/segment.h). */
enum run_form { RUN_ROWS, RUN_DUAL, RUN_COLUMN, RUN_HYBRID, RUN_COMPRESSED };

struct entry {
    struct slice key;
    uint64_t ts;
    bool tombstone;
    /* Versions of the key went to history from between this one and the next one below; of a history run: some may
     * have begun before this one's end. Where it is not known, it is said. */
    bool gap;
    uint64_t after; /* gap, but not of history: the oldest of them began then; 0: not known */
    struct slice row; /* empty for a tombstone, but for the end in a history run */
};

/* Entries of a history run are versions that were superseded: their rows begin with the timestamp of
 * the version that did it, 8 bytes. */
enum { HISTORY_END_BYTES = 8 };
static inline uint64_t history_end(const struct entry *e)
{
    uint64_t end = 0;
    if (e->row.len >= HISTORY_END_BYTES) memcpy(&end, e->row.data, HISTORY_END_BYTES);
    return end;
}
static inline struct slice history_row(const struct entry *e)
{
    if (e->row.len < HISTORY_END_BYTES) return (struct slice){0};
    return slice_make(e->row.data + HISTORY_END_BYTES, e->row.len - HISTORY_END_BYTES);
}

struct run_options {
    struct blocks *blocks;
    struct cache *cache;
    uint64_t tree;
    uint32_t segment_bytes; /* target before compression; 0: 32 KiB, within 8 KiB … 16 MiB */
    uint8_t filter_bits;    /* Bloom bits a key; 0: no filter */
    bool compress;          /* LZ4 where it saves an eighth */
    bool history;           /* entries are past versions (history_end); max_ts is that of their ends */
    bool stamped;           /* one timestamp for all entries, told by run_stamp; theirs must be 0 */
    struct run_layout *columns; /* of rows, to be kept by columns, too; NULL: by rows alone. Not of history */
    bool keep_rows;             /* beside columns, whatever form the layout tells */
};

enum status run_builder_new(const struct run_options *o, struct run_builder **ret) MUST;
/* In order. A row larger than a segment gets a segment of its own. COLUMNS_UNFIT (no message; of finish, too): a row
 * was to be kept by columns alone and cannot; begin again with keep_rows. */
enum status run_builder_add(struct run_builder *b, const struct entry *e) MUST;
/* Writes what is left (not synced: the caller syncs blocks before it names the run in the manifest)
 * and appends the meta blob. With no entries added: NOT_FOUND. Frees the builder, so does an error. */
enum status run_builder_finish(struct run_builder *b, struct strbuf *meta) MUST;
/* The entry that was added last has a gap behind it, and `after` is this. */
void run_builder_note_gap(struct run_builder *b, uint64_t after);
void run_builder_abort(struct run_builder *b); /* frees its extents too */
uint64_t run_builder_bytes(const struct run_builder *b);

/* Reads fences and filter. */
enum status run_open(struct blocks *b, struct cache *c, struct slice meta, struct run **ret) MUST;
void run_close(struct run *r);               /* the extents stay */
/* What a loaded run's entries are stamped with: just before the commit, so that of a key that the same
 * transaction wrote again the two versions differ in their timestamps. Commits and snapshots are even. */
static inline uint64_t run_load_ts(uint64_t commit_ts)
{
    return commit_ts - 1;
}
/* All entries of a run that was built `stamped` get this timestamp. Readers may be at work. */
void run_stamp(struct run *r, uint64_t ts);
/* The same in its meta blob, in place, if it is that of such a run. */
bool run_meta_stampable(struct slice meta);
void run_meta_stamp(struct slice meta, uint64_t ts);
/* The same run in other extents, as many and of the same sizes: in its meta blob, in place. */
void run_meta_place(struct slice meta, const struct extent *extents);
void run_destroy(struct run *r);             /* frees the extents, forgets cached pages, closes */
/* The extents that a meta blob names, for blocks_mark_used. */
enum status run_meta_extents(struct slice meta, struct arena *a, struct extent **ret,
                             uint32_t *ret_count) MUST;

enum run_form run_form(const struct run *r);
uint64_t run_tree(const struct run *r);
uint64_t run_entry_count(const struct run *r);
uint64_t run_key_count(const struct run *r);
uint64_t run_tombstone_count(const struct run *r);
uint64_t run_bytes(const struct run *r); /* on disk */
struct slice run_min_key(const struct run *r);
struct slice run_max_key(const struct run *r);
uint64_t run_min_ts(const struct run *r);
uint64_t run_max_ts(const struct run *r);

/* False when the filter or the key range say that the key is not there. */
bool run_may_contain(const struct run *r, struct slice key, uint64_t key_hash);
/* The same of the filter alone, for who does not want to look at the key. */
bool run_filter_allows(const struct run *r, uint64_t key_hash);
uint64_t run_key_hash(struct slice key);
/* Asks for what that will look at. */
void run_filter_ahead(const struct run *r, uint64_t key_hash);
/* The newest version of the key with ts <= max_ts; NOT_FOUND (no message) when none. Its bytes stay
 * while `pins` holds. */
enum status run_get(struct run *r, struct slice key, uint64_t key_hash, uint64_t max_ts,
                    struct page_pins *pins, struct entry *ret) MUST;
/* And its position in the column part (run_columns.h), if there is one; ret_position may be NULL. */
#define POSITION_NONE UINT32_MAX
enum status run_get_placed(struct run *r, struct slice key, uint64_t key_hash, uint64_t max_ts,
                           struct page_pins *pins, struct entry *ret, uint32_t *ret_position) MUST;

/* Cursors. The entry stays until the next move. The run must stay open. */
enum status run_cursor_open(struct run *r, struct run_cursor **ret) MUST;
/* First entry with key >= `key` (data NULL: the first of all); reverse: last entry with key < `key`
 * (NULL: the last of all). END_OF_DATA (no message) when none. */
enum status run_cursor_seek(struct run_cursor *c, struct slice key, bool reverse,
                            struct entry *ret) MUST;
enum status run_cursor_next(struct run_cursor *c, struct entry *ret) MUST; /* END_OF_DATA */
/* Going backward entries come in exactly the reverse order (key descending, ts ascending). */
enum status run_cursor_prev(struct run_cursor *c, struct entry *ret) MUST;
void run_cursor_close(struct run_cursor *c);
/* Before it moves: rows are not asked for, and may not be there. */
void run_cursor_keys_only(struct run_cursor *c);
/* From now on pages that the cursor leaves stay pinned by `pins`, and entries with them. */
void run_cursor_hold(struct run_cursor *c, struct page_pins *pins);

/* From now on the calls below pass over entries that are known to be hidden for that snapshot. */
void run_cursor_pass_hidden(struct run_cursor *c, uint64_t snapshot);
/* The entry of that number in the page at hand, which the caller was given, has a newer version elsewhere, committed at
 * ts, that every later reader of this run meets, too. */
void run_cursor_hide(struct run_cursor *c, uint32_t entry, uint64_t ts);
uint32_t run_cursor_entry(const struct run_cursor *c); /* the number of the entry where it stands */

/* Forward: to the next entry that is the newest at or before the snapshot of a key other than *last, and,
 * of a history run, had not ended by then. *last becomes the last key before it that was looked at. */
enum status run_cursor_next_seen(struct run_cursor *c, uint64_t snapshot, bool history,
                                 struct strbuf *last, struct entry *ret) MUST;

struct run_take {
    struct slice limit; /* keys below it; data NULL: all */
    uint64_t snapshot;  /* of each key the newest version at or before it */
    uint32_t max;
    bool history;       /* versions that had not ended by then; their rows without the end */
};
/* Forward, standing at an entry whose key was not given before: the rows (keys may be NULL) of as
 * many keys as the page of this entry has, tombstones left out. The cursor then stands at the last
 * entry that it looked at. *ret_key: the last of the keys, rows or none. */
uint32_t run_cursor_take(struct run_cursor *c, const struct run_take *q, struct slice *keys,
                         struct slice *rows, struct slice *ret_key);

struct run_row {
    struct slice key, row; /* of history: without the end */
    uint64_t ts;
    bool tombstone;
    uint32_t entry; /* its number in the page */
};
/* The same, up to the page's end, tombstones too. At least one, for it stands at one that is seen. */
uint32_t run_cursor_rows(struct run_cursor *c, uint64_t snapshot, bool history, struct run_row *ret,
                         uint32_t max, struct slice *ret_key);

/* About `parts` - 1 keys that split the run evenly, from its fences; in the arena. */
void run_split_keys(const struct run *r, uint32_t parts, struct arena *a, struct slice *ret_keys,
                    uint32_t *ret_count);
/* Reads every segment and checksum. DATA_CORRUPTED names file and offset. */
enum status run_verify(struct run *r) MUST;
/* Explains the segment in these bytes (one extent read from a block file), for `helios inspect`. */
enum status segment_inspect(struct slice bytes, struct strbuf *out) MUST;

#endif
