#include "core/file/cache.h"

#include "base/fiber.h"
#include "base/hash.h"
#include "base/mem.h"

/* Shards by key hash; in each a table with linear probing and backward-shift deletion under a spin
 * lock. The budget is one for all shards, as pages differ much in size; who makes a page sweeps the
 * shards in turn until it fits.
 *
 * CLOCK: a sweep lowers the use count of each page it meets and evicts what is at 0 and not pinned.
 * Counts go up to 3, so four rounds see every page at 0.
 *
 * A page's state is its pin count and a bit that says it has left the table. It is pinned from 0
 * only under its shard's lock; whoever makes the state "left, no pins" frees it, and only one
 * can. */

enum {
    SHARDS_MAX = 64,
    SHARD_BYTES_MIN = 4 << 20,
    SLOTS_MIN = 64,
    USE_MAX = 3,
    PAGE_ALIGN = 64,
};

static const uint32_t left_table = (uint32_t)1 << 31;

struct cache_page {
    uint64_t key;   /* immutable */
    size_t bytes;   /* immutable */
    uint32_t state; /* atomic: pins | left_table */
    uint32_t use;   /* guarded by the shard's lock */
    char padding[PAGE_ALIGN - 24];
};
_Static_assert(sizeof(struct cache_page) == PAGE_ALIGN, "the data that follows is aligned");

/* The key is here, too: a page is looked at only when it is the one. */
struct slot {
    uint64_t key;
    struct cache_page *page; /* NULL: empty */
};

struct shard {
    struct spinlock lock; /* guards all below */
    uint32_t count, cap;  /* cap: a power of two; cache_forget reads it without the lock */
    uint32_t hand;
    struct slot *slots;
    uint64_t hits, misses; /* atomic, so that they may be read without the lock */
} __attribute__((aligned(64)));

struct cache {
    uint64_t bytes_max;   /* immutable */
    uint32_t shard_count; /* a power of two; immutable */
    uint64_t bytes;       /* atomic: all pages, those being loaded too */
    uint32_t next_shard;  /* atomic: where the next sweep begins */
    struct shard shards[];
};

struct cache *cache_new(uint64_t bytes)
{
    uint32_t count = 1;
    while (count < SHARDS_MAX && bytes / (count * 2) >= SHARD_BYTES_MIN) count *= 2;
    size_t size = sizeof(struct cache) + count * sizeof(struct shard);
    struct cache *c = mem_alloc_aligned(MEM_CACHE, 64, size);
    memset(c, 0, size);
    c->bytes_max = bytes;
    c->shard_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct shard *s = &c->shards[i];
        s->cap = SLOTS_MIN;
        s->slots = mem_alloc(MEM_CACHE, SLOTS_MIN * sizeof *s->slots);
    }
    return c;
}

void cache_free(struct cache *c)
{
    for (uint32_t i = 0; i < c->shard_count; i++) {
        struct shard *s = &c->shards[i];
        for (uint32_t k = 0; k < s->cap; k++) {
            if (!s->slots[k].page) continue;
            ASSERT(s->slots[k].page->state == 0);
            mem_free(MEM_CACHE, s->slots[k].page);
        }
        mem_free(MEM_CACHE, s->slots);
    }
    mem_free(MEM_CACHE, c);
}

/* --- tables ----------------------------------------------------------------------------------- */

/* The upper half of the hash picks the shard, the lower the slot. */
static struct shard *shard_of(struct cache *c, uint64_t key)
{
    return &c->shards[hash_u64(key) >> 32 & (c->shard_count - 1)];
}

static uint32_t home(const struct shard *s, uint64_t key)
{
    return (uint32_t)hash_u64(key) & (s->cap - 1);
}

/* Its slot, or the empty one where it would go. */
static uint32_t find(const struct shard *s, uint64_t key)
{
    uint32_t i = home(s, key);
    while (s->slots[i].page && s->slots[i].key != key) i = (i + 1) & (s->cap - 1);
    return i;
}

static void grow(struct shard *s)
{
    struct slot *old = s->slots;
    uint32_t old_cap = s->cap;
    __atomic_store_n(&s->cap, old_cap * 2, __ATOMIC_RELAXED);
    s->slots = mem_alloc(MEM_CACHE, s->cap * sizeof *s->slots);
    for (uint32_t i = 0; i < old_cap; i++)
        if (old[i].page) s->slots[find(s, old[i].key)] = old[i];
    s->hand &= s->cap - 1;
    mem_free(MEM_CACHE, old);
}

/* Closes the gap: moves up what could no longer be found past it. */
static void remove_slot(struct shard *s, uint32_t i)
{
    uint32_t mask = s->cap - 1;
    s->count--;
    for (uint32_t j = (i + 1) & mask; s->slots[j].page; j = (j + 1) & mask) {
        uint32_t h = home(s, s->slots[j].key);
        if (((j - h) & mask) < ((j - i) & mask)) continue; /* its home lies after the gap */
        s->slots[i] = s->slots[j];
        i = j;
    }
    s->slots[i].page = NULL;
}

/* --- pages ------------------------------------------------------------------------------------ */

static void free_page(struct cache *c, struct cache_page *p)
{
    __atomic_sub_fetch(&c->bytes, p->bytes, __ATOMIC_RELAXED);
    mem_free(MEM_CACHE, p);
}

static bool over_budget(const struct cache *c)
{
    return __atomic_load_n(&c->bytes, __ATOMIC_RELAXED) > c->bytes_max;
}

/* One round of the hand over one shard, or less when there is room before. */
static void sweep(struct cache *c, struct shard *s)
{
    spin_lock(&s->lock);
    for (uint32_t n = s->count ? s->cap : 0; n > 0 && over_budget(c); n--) {
        struct cache_page *p = s->slots[s->hand].page;
        if (p && __atomic_load_n(&p->state, __ATOMIC_ACQUIRE) == 0) {
            if (p->use == 0) {
                remove_slot(s, s->hand);
                free_page(c, p);
                continue; /* another may have moved here */
            }
            p->use--;
        }
        s->hand = (s->hand + 1) & (s->cap - 1);
    }
    spin_unlock(&s->lock);
}

static void make_room(struct cache *c)
{
    uint32_t shards = c->shard_count * (USE_MAX + 1);
    for (uint32_t i = 0; i < shards && over_budget(c); i++) {
        uint32_t next = __atomic_fetch_add(&c->next_shard, 1, __ATOMIC_RELAXED);
        sweep(c, &c->shards[next & (c->shard_count - 1)]);
    }
}

struct cache_page *cache_page_new(struct cache *c, uint64_t key, size_t bytes)
{
    __atomic_add_fetch(&c->bytes, bytes, __ATOMIC_RELAXED);
    make_room(c);
    struct cache_page *p = mem_alloc_aligned(MEM_CACHE, PAGE_ALIGN, sizeof *p + bytes);
    *p = (struct cache_page){.key = key, .bytes = bytes, .state = 1};
    return p;
}

void cache_page_drop(struct cache *c, struct cache_page *p)
{
    ASSERT(p->state == 1);
    free_page(c, p);
}

char *cache_page_data(struct cache_page *p)
{
    return (char *)(p + 1);
}

size_t cache_page_bytes(const struct cache_page *p)
{
    return p->bytes;
}

/* Under the shard's lock, or by who has it pinned. */
void cache_pin(struct cache_page *p)
{
    uint32_t before = __atomic_fetch_add(&p->state, 1, __ATOMIC_ACQ_REL);
    DEBUG_ASSERT((before & ~left_table) < left_table - 1);
    (void)before;
}

void cache_unpin(struct cache *c, struct cache_page *p)
{
    uint32_t before = __atomic_fetch_sub(&p->state, 1, __ATOMIC_ACQ_REL);
    ASSERT(before & ~left_table);
    if (before == (left_table | 1)) free_page(c, p);
}

struct cache_page *cache_lookup(struct cache *c, uint64_t key, bool for_scan)
{
    struct shard *s = shard_of(c, key);
    spin_lock(&s->lock);
    struct cache_page *p = s->slots[find(s, key)].page;
    if (p) {
        cache_pin(p);
        if (!for_scan && p->use < USE_MAX) p->use++;
    }
    struct work_counts *work = work_counts();
    if (p) work->blocks_hit++;
    else work->blocks_read++;
    uint64_t *counter = p ? &s->hits : &s->misses;
    __atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
    spin_unlock(&s->lock);
    return p;
}

struct cache_page *cache_insert(struct cache *c, struct cache_page *p, bool for_scan)
{
    struct shard *s = shard_of(c, p->key);
    DEBUG_ASSERT(p->state == 1);
    spin_lock(&s->lock);
    uint32_t i = find(s, p->key);
    struct cache_page *first = s->slots[i].page;
    if (first) {
        cache_pin(first);
    } else {
        p->use = for_scan ? 0 : 1;
        s->slots[i] = (struct slot){p->key, p};
        if (++s->count > s->cap / 4 * 3) grow(s);
    }
    spin_unlock(&s->lock);
    if (!first) return p;
    free_page(c, p);
    return first;
}

/* --- forgetting ------------------------------------------------------------------------------- */

/* Under the lock. */
static void forget_slot(struct cache *c, struct shard *s, uint32_t i)
{
    struct cache_page *p = s->slots[i].page;
    remove_slot(s, i);
    uint32_t before = __atomic_fetch_or(&p->state, left_table, __ATOMIC_ACQ_REL);
    if (before == 0) free_page(c, p);
}

static void forget_by_scan(struct cache *c, uint64_t first_key, uint64_t last_key)
{
    for (uint32_t k = 0; k < c->shard_count; k++) {
        struct shard *s = &c->shards[k];
        spin_lock(&s->lock);
        /* A removal moves others to this slot or later ones: it is looked at again. */
        for (uint32_t i = 0; i < s->cap;) {
            const struct cache_page *p = s->slots[i].page;
            if (p && p->key >= first_key && p->key <= last_key) forget_slot(c, s, i);
            else i++;
        }
        spin_unlock(&s->lock);
    }
}

void cache_forget(struct cache *c, uint64_t first_key, uint64_t last_key)
{
    uint64_t slots = 0;
    ASSERT(first_key <= last_key);
    for (uint32_t k = 0; k < c->shard_count; k++)
        slots += __atomic_load_n(&c->shards[k].cap, __ATOMIC_RELAXED);
    if (last_key - first_key >= slots) {
        forget_by_scan(c, first_key, last_key);
        return;
    }
    for (uint64_t n = 0; n <= last_key - first_key; n++) {
        struct shard *s = shard_of(c, first_key + n);
        spin_lock(&s->lock);
        uint32_t i = find(s, first_key + n);
        if (s->slots[i].page) forget_slot(c, s, i);
        spin_unlock(&s->lock);
    }
}

/* --- figures ---------------------------------------------------------------------------------- */

uint64_t cache_bytes(const struct cache *c)
{
    return __atomic_load_n(&c->bytes, __ATOMIC_RELAXED);
}

uint64_t cache_hits(const struct cache *c)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < c->shard_count; i++)
        n += __atomic_load_n(&c->shards[i].hits, __ATOMIC_RELAXED);
    return n;
}

uint64_t cache_misses(const struct cache *c)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < c->shard_count; i++)
        n += __atomic_load_n(&c->shards[i].misses, __ATOMIC_RELAXED);
    return n;
}

void page_pins_release(struct page_pins *p)
{
    for (size_t i = 0; i < p->pages.count; i++) cache_unpin(p->cache, p->pages.data[i]);
    p->pages.count = 0;
}

void page_pins_free(struct page_pins *p)
{
    page_pins_release(p);
    ARRAY_RELEASE(&p->pages);
}
