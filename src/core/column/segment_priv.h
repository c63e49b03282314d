/* The bytes of column segments (docs/format/column-segment.md). */
#ifndef HELIOS_CORE_COLUMN_SEGMENT_PRIV_H
#define HELIOS_CORE_COLUMN_SEGMENT_PRIV_H

#include "core/column/column_priv.h"
#include "core/column/segment.h"

enum {
    COLUMN_SEGMENT_MAGIC = 0x31435348, /* "HSC1" */
    COLUMN_SEGMENT_VERSION = 1,
    OUR_COLUMNS = 4,
    VERSION_COLUMNS = 3, /* of these, the last ones */
    CHUNK_BYTES_AIM = 64 << 10, /* smaller columns share a chunk */
    FOOTER_BYTES_MAX = 256 << 20,
};

struct column_segment_header {
    uint32_t magic;
    uint16_t version;
    uint8_t kind, zero;
    uint64_t tree;
    uint32_t rows, blocks, columns, chunks;
    uint64_t min_ts, max_ts;
    uint32_t schema_version, tombstones;
    uint32_t footer_at, footer_bytes; /* in blocks of 4,096 bytes; in bytes */
    uint32_t disk_blocks;
    uint8_t reserved[52];
    uint32_t footer_crc, crc;
};
_Static_assert(sizeof(struct column_segment_header) == 128, "docs/format/column-segment.md");
_Static_assert(offsetof(struct column_segment_header, crc) == 124, "docs/format/column-segment.md");

struct segment_chunk {
    uint32_t at, blocks, bytes, crc;
};
struct segment_column {
    uint32_t number, type, chunk;
    uint32_t shared_at, shared_bytes;
    uint32_t bloom_at, bloom_blocks;
    uint32_t zero;
};
_Static_assert(sizeof(struct segment_column) == 32, "docs/format/column-segment.md");

/* Where the parts of a footer begin; `fences` is where the fences' bytes do. */
struct footer_layout {
    size_t chunks, columns, rows, fence_ends, blocks, zones, fences;
};
static inline struct footer_layout footer_layout_of(const struct column_segment_header *h)
{
    struct footer_layout l = {0};
    size_t c = h->columns, k = h->blocks;
    l.columns = l.chunks + h->chunks * sizeof(struct segment_chunk);
    l.rows = l.columns + c * sizeof(struct segment_column);
    l.fence_ends = l.rows + 4 * (k + 1);
    l.blocks = (l.fence_ends + 4 * (k + 2) + 7) & ~(size_t)7;
    l.zones = l.blocks + ((4 * c * k + 7) & ~(size_t)7);
    l.fences = l.zones + sizeof(struct column_zone) * c * (k + 1);
    return l;
}

#endif
