/* The memtable: the tree of art.c, its latch and its memory. What is read of the present lies in the same
 * arena as the nodes, what is past in another one (homes.c), so that freeing a memtable is freeing lists of chunks.
 *
 * The latch is a spinlock that sleeps in the kernel when the wait is long: sections under it are a
 * fraction of a microsecond, and a fiber must not park while it holds it. */
#include "core/lsm/memtable.h"

#include "core/lsm/art_priv.h"
#include "core/lsm/homes_priv.h"

struct memtable {
    struct art art;
    struct homes homes;
    struct spinlock latch __attribute__((aligned(64))); /* apart from what readers load */
};

struct memtable *memtable_new(struct epoch *epoch)
{
    struct memtable *m = mem_alloc_aligned(MEM_MEMTABLE, 64, sizeof *m);
    memset(m, 0, sizeof *m);
    arena_init(&m->art.arena, MEM_MEMTABLE);
    arena_init(&m->homes.past, MEM_MEMTABLE);
    m->homes.epoch = epoch;
    return m;
}

void memtable_free(struct memtable *m)
{
    if (!m) return;
    arena_release(&m->art.arena);
    homes__release(&m->homes);
    mem_free(MEM_MEMTABLE, m);
}

uint64_t memtable_bytes(const struct memtable *m)
{
    return __atomic_load_n(&m->art.bytes, __ATOMIC_RELAXED);
}

uint64_t memtable_key_count(const struct memtable *m)
{
    return __atomic_load_n(&m->art.keys, __ATOMIC_RELAXED);
}

struct leaf *memtable_find(const struct memtable *m, struct slice key)
{
    return art__find(&m->art, key);
}

struct leaf *memtable_upsert(struct memtable *m, struct slice key)
{
    DEBUG_ASSERT(__atomic_load_n(&m->latch.held, __ATOMIC_RELAXED));
    return art__upsert(&m->art, key);
}

void memtable_latch(struct memtable *m)
{
    spin_lock(&m->latch);
}

void memtable_unlatch(struct memtable *m)
{
    spin_unlock(&m->latch);
}

struct slice leaf_key(const struct leaf *l)
{
    return slice_make(l->key, l->key_len);
}

struct version *leaf_head(const struct leaf *l)
{
    return __atomic_load_n(&l->head, __ATOMIC_ACQUIRE);
}

void leaf_set_head(struct leaf *l, struct version *v)
{
    __atomic_store_n(&l->head, v, __ATOMIC_RELEASE);
}

uint64_t leaf_note(const struct leaf *l)
{
    return __atomic_load_n(&l->note, __ATOMIC_RELAXED);
}

void leaf_set_note(struct leaf *l, uint64_t note)
{
    __atomic_store_n(&l->note, note, __ATOMIC_RELAXED);
}

struct version *memtable_version_new(struct memtable *m, struct leaf *l, struct slice row)
{
    DEBUG_ASSERT(__atomic_load_n(&m->latch.held, __ATOMIC_RELAXED));
    ASSERT(row.len < 1u << 29);
    struct version *v = homes__version_new(&m->homes, &m->art, l, row.len);
    memset(v, 0, sizeof *v);
    v->len = (uint32_t)row.len;
    if (row.len) memcpy(v->row, row.data, row.len);
    return v;
}

struct version *memtable_lock_new(struct memtable *m)
{
    DEBUG_ASSERT(__atomic_load_n(&m->latch.held, __ATOMIC_RELAXED));
    struct version *v = homes__past_new(&m->homes, &m->art, 0);
    memset(v, 0, sizeof *v);
    v->lock_only = 1;
    return v;
}

void memtable_placed(struct memtable *m, struct leaf *l, struct version *v)
{
    DEBUG_ASSERT(__atomic_load_n(&m->latch.held, __ATOMIC_RELAXED));
    homes__placed(&m->homes, &m->art, l, v);
}

void memtable_gone(struct memtable *m, struct leaf *l, const struct version *v)
{
    DEBUG_ASSERT(__atomic_load_n(&m->latch.held, __ATOMIC_RELAXED));
    homes__gone(&m->homes, l, v);
}

uint32_t memtable_walk(const struct memtable *m, struct slice from, bool after, bool reverse,
                       struct leaf **ret, uint32_t max)
{
    enum art_seek seek = after ? ART_AFTER : ART_FROM;
    if (reverse) seek = from.data ? ART_BEFORE : ART_LAST;
    return art__walk(&m->art, from, seek, ret, max);
}

void memtable_list(const struct memtable *m, struct leaf_list *ret)
{
    uint64_t n = __atomic_load_n(&m->art.listed, __ATOMIC_ACQUIRE);
    *ret = (struct leaf_list){__atomic_load_n(&m->art.first, __ATOMIC_RELAXED), 0, n};
}

uint32_t memtable_list_next(struct leaf_list *l, struct leaf **ret, uint32_t max)
{
    uint32_t n = 0;
    for (; n < max && l->left; n++, l->left--) {
        if (l->at == l->chunk->cap) {
            l->chunk = l->chunk->next;
            l->at = 0;
        }
        ret[n] = l->chunk->leaves[l->at++];
    }
    return n;
}

void memtable_list_skip(struct leaf_list *l, uint32_t n)
{
    ASSERT(n <= l->left);
    l->left -= n;
    for (uint32_t here; n > (here = l->chunk->cap - l->at); n -= here) {
        l->chunk = l->chunk->next;
        l->at = 0;
    }
    l->at += n;
}
