/* Block files and extents (docs/format/blocks.md).
 *
 * The data directory holds data-0001.hbf …, preallocated, opened O_DIRECT, in blocks of 4 KiB. Space
 * is given out as extents of 8 to 262,144 blocks by a buddy allocator that coalesces on free. Block
 * 0 and 1 of file 1 are the superblocks, written alternately, each with a sequence number and a
 * checksum; the newer valid one names the current manifest. What is allocated is not stored: it is
 * what the manifest names, told by blocks_mark_used at open. Thread-safe. */
#ifndef HELIOS_CORE_FILE_BLOCKS_H
#define HELIOS_CORE_FILE_BLOCKS_H

#include "base/os.h"
#include "base/str.h"

enum { BLOCK_BYTES = 4096, EXTENT_BLOCKS_MIN = 8, EXTENT_BLOCKS_MAX = 262144 };

struct extent {
    uint32_t file;   /* 1, 2, … */
    uint32_t block;
    uint32_t blocks; /* as asked for; the allocator rounds up to a power of two by itself */
};

struct blocks;

struct blocks_options {
    struct os *os;
    const char *dir;
    uint64_t file_bytes; /* growth unit: size of a new file; 0: 256 MiB */
};

/* Creates the first file and superblock in an empty directory. */
enum status blocks_open(const struct blocks_options *o, struct blocks **ret) MUST;
void blocks_close(struct blocks *b);

enum status blocks_allocate(struct blocks *b, uint32_t count, struct extent *ret) MUST; /* 53100 */
void blocks_free(struct blocks *b, struct extent e);
/* At open, for every extent that the manifest names. DATA_CORRUPTED on overlap. */
enum status blocks_mark_used(struct blocks *b, struct extent e) MUST;

/* Byte offsets and lengths within the extent; multiples of 4096 on aligned memory. */
enum status blocks_read(struct blocks *b, struct extent e, uint64_t offset, void *data,
                        size_t len) MUST;
enum status blocks_write(struct blocks *b, struct extent e, uint64_t offset, const void *data,
                         size_t len) MUST;
/* All files written since the last sync. */
enum status blocks_sync(struct blocks *b) MUST;
uint64_t blocks_bytes_used(const struct blocks *b);
uint64_t blocks_bytes_total(const struct blocks *b);
const char *blocks_path(const struct blocks *b, uint32_t file, char *buf, size_t len);

/* The superblock's say: a small blob (≤ 3,000 bytes) that survives crashes whole: old or new. */
enum status blocks_super_read(struct blocks *b, struct strbuf *ret) MUST; /* empty when new */
enum status blocks_super_write(struct blocks *b, struct slice data) MUST; /* syncs */

/* Reads the superblocks again: the one in force must be on disk as it was written. */
enum status blocks_verify(struct blocks *b) MUST;
/* False for an extent that blocks_allocate would never give out. */
bool blocks_extent_valid(const struct blocks *b, struct extent e);
/* What the allocator takes for it. */
uint64_t blocks_extent_bytes(struct extent e);

#endif
