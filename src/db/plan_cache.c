/* 1,024 buckets of 4 entries; within a bucket the newest entry replaces the oldest. A bucket's
 * spinlock is held for a few comparisons only. */
#include "db/plan_cache.h"

#include "base/fiber.h"
#include "base/metrics.h"

enum { BUCKETS = 1024, WAYS = 4 };

struct bucket {
    struct spinlock lock;
    uint32_t hand;                     /* the way to replace next */
    struct cached_plan *entries[WAYS]; /* guarded by lock */
};

struct plan_cache {
    struct bucket buckets[BUCKETS];
    struct counter *hits, *misses;
};

struct plan_cache *plan_cache_new(void)
{
    struct plan_cache *c = mem_alloc(MEM_PLAN, sizeof *c);
    c->hits = counter_get("helios_plan_cache_hits_total", "Statements whose plan was in the cache.");
    c->misses = counter_get("helios_plan_cache_misses_total", "Statements planned anew.");
    return c;
}

void plan_cache_free(struct plan_cache *c)
{
    for (int i = 0; i < BUCKETS; i++)
        for (int w = 0; w < WAYS; w++)
            if (c->buckets[i].entries[w]) cached_plan_release(c->buckets[i].entries[w]);
    mem_free(MEM_PLAN, c);
}

struct cached_plan *cached_plan_new(struct catalog *catalog)
{
    struct cached_plan *p = mem_alloc(MEM_PLAN, sizeof *p);
    p->refs = 1;
    p->catalog = catalog_ref(catalog);
    arena_init(&p->arena, MEM_PLAN);
    arena_init(&p->trees, MEM_PLAN);
    return p;
}

void cached_plan_take_trees(struct cached_plan *p, struct arena *trees)
{
    arena_release(&p->trees);
    p->trees = *trees;
    arena_init(trees, MEM_PLAN);
}

void cached_plan_set_key(struct cached_plan *p, struct slice key, uint64_t hash)
{
    p->key = mem_alloc(MEM_PLAN, key.len + 1);
    memcpy(p->key, key.data, key.len);
    p->key_len = key.len;
    p->hash = hash;
}

void cached_plan_release(struct cached_plan *p)
{
    if (__atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL)) return;
    arena_release(&p->arena);
    arena_release(&p->trees);
    catalog_unref(p->catalog);
    for (size_t i = 0; i < p->past_catalogs.count; i++) catalog_unref(p->past_catalogs.data[i]);
    ARRAY_RELEASE(&p->past_catalogs);
    if (p->entry) statement_entry_unref(p->entry);
    mem_free(MEM_PLAN, p->key);
    mem_free(MEM_PLAN, p);
}

static bool matches(const struct cached_plan *p, struct slice key, uint64_t hash)
{
    return p && p->hash == hash && p->key_len == key.len && memcmp(p->key, key.data, key.len) == 0;
}

struct cached_plan *plan_cache_get(struct plan_cache *c, struct slice key, uint64_t hash)
{
    struct bucket *b = &c->buckets[hash % BUCKETS];
    struct cached_plan *found = NULL;
    spin_lock(&b->lock);
    for (int w = 0; w < WAYS && !found; w++)
        if (matches(b->entries[w], key, hash)) found = b->entries[w];
    if (found) __atomic_add_fetch(&found->refs, 1, __ATOMIC_RELAXED);
    spin_unlock(&b->lock);
    counter_add(found ? c->hits : c->misses, 1);
    return found;
}

void plan_cache_put(struct plan_cache *c, struct cached_plan *p)
{
    struct bucket *b = &c->buckets[p->hash % BUCKETS];
    __atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
    spin_lock(&b->lock);
    uint32_t way = b->hand % WAYS;
    for (uint32_t w = 0; w < WAYS; w++)
        if (matches(b->entries[w], slice_make(p->key, p->key_len), p->hash)) way = w;
    struct cached_plan *old = b->entries[way];
    b->entries[way] = p;
    b->hand = way + 1;
    spin_unlock(&b->lock);
    if (old) cached_plan_release(old);
}

static bool is_one_of(const struct catalog *c, const struct catalog *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == c) return true;
    return false;
}

void plan_cache_purge(struct plan_cache *c, const struct catalog *const *keep, size_t n)
{
    for (int i = 0; i < BUCKETS; i++) {
        struct bucket *b = &c->buckets[i];
        struct cached_plan *dropped[WAYS] = {0};
        spin_lock(&b->lock);
        for (int w = 0; w < WAYS; w++) {
            if (!b->entries[w] || is_one_of(b->entries[w]->catalog, keep, n)) continue;
            dropped[w] = b->entries[w];
            b->entries[w] = NULL;
        }
        spin_unlock(&b->lock);
        for (int w = 0; w < WAYS; w++)
            if (dropped[w]) cached_plan_release(dropped[w]);
    }
}

uint64_t plan_cache_hits(const struct plan_cache *c)
{
    return counter_value(c->hits);
}
