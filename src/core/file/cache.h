/* The block cache: decoded segments in memory of our own; the page cache is not used twice.
 *
 * Shards by key hash, open addressing, CLOCK with 2-bit use counts; pages read by scans enter with
 * count 0 and so leave first. A page stays while pinned. Thread-safe; a hit takes one short shard
 * spinlock or none. */
#ifndef HELIOS_CORE_FILE_CACHE_H
#define HELIOS_CORE_FILE_CACHE_H

#include "base/array.h"
#include "core/file/blocks.h"

struct cache;
struct cache_page;

struct cache *cache_new(uint64_t bytes);
void cache_free(struct cache *c); /* nothing may be pinned */

/* The key of a page: where it lies on disk. */
static inline uint64_t cache_key(uint32_t file, uint32_t block)
{
    return (uint64_t)file << 32 | block;
}

/* Pinned, or NULL. */
struct cache_page *cache_lookup(struct cache *c, uint64_t key, bool for_scan);
/* Memory for a page that is being loaded; not yet in the cache. Evicts to make room; when all is
 * pinned it goes over budget rather than fail. */
struct cache_page *cache_page_new(struct cache *c, uint64_t key, size_t bytes);
/* Puts the loaded page in and returns it pinned; when another thread was first, frees this one and
 * returns the other's. */
struct cache_page *cache_insert(struct cache *c, struct cache_page *p, bool for_scan);
void cache_page_drop(struct cache *c, struct cache_page *p); /* a page that failed to load */
char *cache_page_data(struct cache_page *p); /* 64-byte aligned */
size_t cache_page_bytes(const struct cache_page *p);
void cache_pin(struct cache_page *p);
void cache_unpin(struct cache *c, struct cache_page *p);
/* Forgets the pages of an extent that was freed. */
void cache_forget(struct cache *c, uint64_t first_key, uint64_t last_key);
uint64_t cache_bytes(const struct cache *c);
uint64_t cache_hits(const struct cache *c);
uint64_t cache_misses(const struct cache *c);

/* Pages that a reader keeps pinned until it is done with what it found in them. */
struct page_pins {
    struct cache *cache;
    ARRAY(struct cache_page *) pages;
};
void page_pins_release(struct page_pins *p); /* unpins all, keeps the memory */
void page_pins_free(struct page_pins *p);

#endif
