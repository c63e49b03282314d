/* Segments, as the files of this folder share them (docs/format/segment.md). */
#ifndef HELIOS_CORE_SEGMENT_SEGMENT_PRIV_H
#define HELIOS_CORE_SEGMENT_SEGMENT_PRIV_H

#include "core/filter/bloom.h"
#include "core/segment/run.h"

enum segment_kind { SEGMENT_ROWS = 1, SEGMENT_FENCES = 2, SEGMENT_FILTER = 3, SEGMENT_COLUMNS = 4 };
enum segment_codec { CODEC_NONE = 0, CODEC_LZ4 = 1 };

/* TELLS_GAPS: entries without a mark have no gap. DATED_GAPS: behind the row of one that has, there is `after`. Older
 * segments tell of none of these. ROWS_APART: entries have no rows here, they are in the run's column part. */
enum { SEGMENT_TELLS_GAPS = 1, SEGMENT_EACH_KEY_ONCE = 2, SEGMENT_DATED_GAPS = 4, SEGMENT_ROWS_APART = 8,
       GAP_BYTES = 8 };

enum {
    SEGMENT_MAGIC = 0x31475348, /* "HSG1" */
    SEGMENT_VERSION = 1,
    SEGMENT_BODY_MAX = 1 << 30,
    SEGMENT_KEY_MAX = UINT16_MAX,
};

/* The first 128 bytes, little-endian, on disk and before the decoded body in memory. */
struct segment_header {
    uint32_t magic;
    uint16_t version;
    uint8_t kind, codec;
    uint64_t tree;
    uint32_t count;        /* entries; fences: segments; filter: blocks of 32 bytes; columns: segments */
    uint32_t tombstones;
    uint32_t body_bytes;   /* decoded */
    uint32_t stored_bytes; /* on disk, after this header */
    uint64_t min_ts, max_ts;
    uint32_t prefix_len;   /* bytes that all keys have in common */
    uint8_t ts_bytes;      /* 0, 1, 2, 4 or 8 for a timestamp less min_ts */
    uint8_t flags;         /* SEGMENT_TELLS_GAPS … */
    uint8_t reserved[70];
    uint32_t crc;          /* CRC-32C of the header before it, then of the stored body */
};
_Static_assert(sizeof(struct segment_header) == 128, "docs/format/segment.md");
_Static_assert(offsetof(struct segment_header, min_ts) == 32, "docs/format/segment.md");
_Static_assert(offsetof(struct segment_header, crc) == 124, "docs/format/segment.md");

/* Block-aligned memory that grows. Zeroed is empty. */
struct block_buf {
    char *data;
    size_t len, cap;
};
void block_buf__reserve(struct block_buf *b, size_t more);
void block_buf__release(struct block_buf *b);

/* Where a segment lies: in which extent of its run, at which block of it. */
struct place {
    uint32_t extent, block, blocks;
};

/* --- sealing and opening, any kind ------------------------------------------------------------ */

static inline size_t segment__disk_bytes(const struct segment_header *h)
{
    size_t n = sizeof *h + h->stored_bytes;
    return (n + BLOCK_BYTES - 1) & ~(size_t)(BLOCK_BYTES - 1);
}
/* Appends header and body, compressed where that saves an eighth, and zeros up to a block. Sets the
 * header's sizes, codec and checksum. */
void segment__seal(struct segment_header *h, struct slice body, bool compress,
                   struct block_buf *out);
/* What is wrong with these bytes, or NULL when header and checksum hold. */
const char *segment__check(struct slice raw, enum segment_kind kind);
static inline size_t segment__page_bytes(const struct segment_header *h)
{
    return sizeof *h + h->body_bytes;
}
/* Decodes a checked segment into `page` (segment__page_bytes of the raw header, 8-byte aligned) and
 * checks that no offset leads out of it. NULL or what is wrong. */
const char *segment__unpack(struct slice raw, void *page);

/* --- row segments in memory ------------------------------------------------------------------- */

/* Pointers into a page. */
struct segment {
    const struct segment_header *h;
    const uint32_t *heads;   /* count: 4 key bytes after the common prefix, as a number */
    const uint32_t *offsets; /* count + 1: twice the offset in `records`, plus 1 for a tombstone and
                                SEGMENT_GAP for a gap */
    const uint8_t *ts;
    const char *records;     /* key length (2 bytes), key, row */
};

static inline size_t segment__ts_offset(uint32_t count) { return 8 * (size_t)count + 8; }
static inline size_t segment__records_offset(uint32_t count, unsigned ts_bytes)
{
    return segment__ts_offset(count) + (size_t)count * ts_bytes;
}
static inline struct segment segment__view(const void *page)
{
    const struct segment_header *h = page;
    const char *body = (const char *)(h + 1);
    return (struct segment){
        .h = h,
        .heads = (const uint32_t *)body,
        .offsets = (const uint32_t *)(body + 4 * (size_t)h->count),
        .ts = (const uint8_t *)body + segment__ts_offset(h->count),
        .records = body + segment__records_offset(h->count, h->ts_bytes),
    };
}
#define SEGMENT_GAP (1u << 31)
static inline uint32_t segment__record(uint32_t offset)
{
    return (offset & ~SEGMENT_GAP) >> 1;
}
static inline struct slice segment__key(const struct segment *s, uint32_t i)
{
    const char *p = s->records + segment__record(s->offsets[i]);
    uint16_t len;
    memcpy(&len, p, sizeof len);
    return slice_make(p + sizeof len, len);
}
/* Where the row of entry i ends. */
static inline const char *segment__row_end(const struct segment *s, uint32_t i)
{
    const char *end = s->records + segment__record(s->offsets[i + 1]);
    bool dated = s->offsets[i] & SEGMENT_GAP && s->h->flags & SEGMENT_DATED_GAPS;
    return dated ? end - GAP_BYTES : end;
}
uint64_t segment__ts(const struct segment *s, uint32_t i);
void segment__entry(const struct segment *s, uint32_t i, struct entry *ret);
/* The first entry at or after (key, ts) in the order of runs; count when none. */
uint32_t segment__lower_bound(const struct segment *s, struct slice key, uint64_t ts);
/* The same for keys with the common prefix, which it does not look at (two cache misses less). For
 * other keys any place comes back, but never one whose entry has the key. */
uint32_t segment__find(const struct segment *s, struct slice key, uint64_t ts);

/* --- building row segments -------------------------------------------------------------------- */

/* Zeroed is empty. */
struct segment_rows {
    ARRAY(uint32_t) offsets;
    ARRAY(uint64_t) ts;
    struct strbuf records;
    struct strbuf body;
    uint32_t tombstones;
    uint64_t min_ts, max_ts;
    bool dates_gaps; /* the caller sets it: SEGMENT_DATED_GAPS */
    bool dated;      /* … one has a gap */
    bool apart;      /* the caller sets it: SEGMENT_ROWS_APART; rows are not given */
};
void segment_rows__add(struct segment_rows *r, const struct entry *e);
void segment_rows__note_gap(struct segment_rows *r, uint64_t after); /* of the last one */
/* Seals what was added and starts anew. */
void segment_rows__seal(struct segment_rows *r, uint64_t tree, bool compress,
                        struct block_buf *out);
struct slice segment_rows__last_key(const struct segment_rows *r);
static inline size_t segment_rows__bytes(const struct segment_rows *r)
{
    return r->records.len + 16 * r->offsets.count;
}
void segment_rows__release(struct segment_rows *r);

/* --- the meta blob ---------------------------------------------------------------------------- */

struct run_meta {
    uint64_t tree, entries, tombstones, keys, min_ts, max_ts;
    uint32_t segments;
    struct place fences, filter; /* filter.blocks 0: none */
    struct place columns;        /* the index of the column part; blocks 0: none */
    uint64_t column_bytes;       /* of its segments on disk */
    struct slice min_key, max_key;
    struct extent *extents;
    uint32_t extent_count;
    bool stamped;
    enum run_form form;
};
void run_meta__encode(const struct run_meta *m, struct strbuf *out);
bool run_meta__has(const struct run_meta *m, struct place p); /* does it lie in an extent of the run? */
/* Keys point into the blob, extents into the arena. */
enum status run_meta__decode(struct slice blob, struct arena *a, struct run_meta *ret) MUST;

/* --- an open run, for cursors ----------------------------------------------------------------- */

uint32_t run__segment_count(const struct run *r);
struct cache *run__cache(const struct run *r);
/* Gives the entry the timestamp that all of a stamped run have. */
void run__date(const struct run *r, struct entry *e);
/* The page of that segment, pinned. Of keys: entries may be without their rows. */
enum status run__load(struct run *r, uint32_t segment, bool for_scan, struct cache_page **ret) MUST;
enum status run__load_keys(struct run *r, uint32_t segment, bool for_scan, struct cache_page **ret) MUST;
/* The segment in which the first entry at or after the key's versions may be, or just before. */
uint32_t run__find_segment(const struct run *r, struct slice key);

#endif
