#include "base/epoch.h"

#include "base/fiber.h"
#include "base/mem.h"

/* What is retired gets the value that the global counter had, and the counter moves on. A section
 * publishes the counter it saw on entry. An object may go once every section that is on published
 * more than the object's stamp: such a section began after the object was unlinked.
 *
 * A reader may be delayed between reading the counter and publishing it, so that a scan misses it.
 * That is safe: its fence then comes after the scan's, so its loads see the unlinking. */

enum {
    BLOCK_ITEMS = 126,
    COLLECT_ITEMS_MIN = 64, /* pending objects before retire looks whether some may go */
};

struct epoch_slot {
    uint64_t seen; /* atomic: 0 = no section is on; written by the owner only */
    struct epoch *epoch;
    struct epoch_slot *prev, *next; /* guarded by epoch->lock */
} __attribute__((aligned(64)));

struct retired {
    void (*free_fn)(void *object);
    void *object;
    uint64_t stamp;
};

struct block {
    struct block *next;
    unsigned first, count; /* the items first .. count-1 are pending */
    struct retired items[BLOCK_ITEMS];
};

struct epoch {
    uint64_t now __attribute__((aligned(64))); /* atomic */
    struct spinlock lock __attribute__((aligned(64)));
    struct epoch_slot *slots;   /* guarded by lock */
    unsigned slot_count;        /* guarded by lock */
    struct block *head, *tail;  /* guarded by lock: oldest first, stamps ascend */
    uint64_t pending;           /* guarded by lock */
    uint64_t collect_at;        /* guarded by lock: pending objects at which retire collects */
};

/* ThreadSanitizer does not know fences; there the exchange alone has to do, and does. */
#if defined(__SANITIZE_THREAD__)
#define FULL_FENCE() ((void)0)
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FULL_FENCE() ((void)0)
#endif
#endif
#ifndef FULL_FENCE
#define FULL_FENCE() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

struct epoch *epoch_new(void)
{
    struct epoch *e = mem_alloc_aligned(MEM_BASE, 64, sizeof *e);
    *e = (struct epoch){.now = 1, .collect_at = COLLECT_ITEMS_MIN};
    return e;
}

struct epoch_slot *epoch_slot_new(struct epoch *e)
{
    struct epoch_slot *s = mem_alloc_aligned(MEM_BASE, 64, sizeof *s);
    *s = (struct epoch_slot){.epoch = e};
    spin_lock(&e->lock);
    s->next = e->slots;
    if (s->next) s->next->prev = s;
    e->slots = s;
    e->slot_count++;
    spin_unlock(&e->lock);
    return s;
}

void epoch_slot_free(struct epoch_slot *s)
{
    struct epoch *e = s->epoch;
    ASSERT(s->seen == 0);
    spin_lock(&e->lock);
    if (s->prev) s->prev->next = s->next;
    else e->slots = s->next;
    if (s->next) s->next->prev = s->prev;
    e->slot_count--;
    spin_unlock(&e->lock);
    mem_free(MEM_BASE, s);
}

void epoch_enter(struct epoch_slot *s)
{
    DEBUG_ASSERT(s->seen == 0);
    uint64_t now = __atomic_load_n(&s->epoch->now, __ATOMIC_ACQUIRE);
    __atomic_exchange_n(&s->seen, now, __ATOMIC_SEQ_CST);
    FULL_FENCE();
}

void epoch_exit(struct epoch_slot *s)
{
    DEBUG_ASSERT(s->seen != 0);
    __atomic_store_n(&s->seen, 0, __ATOMIC_RELEASE);
}

void epoch_retire(struct epoch *e, void (*free_fn)(void *object), void *object)
{
    spin_lock(&e->lock);
    struct block *b = e->tail;
    if (!b || b->count == BLOCK_ITEMS) {
        b = mem_alloc(MEM_BASE, sizeof *b);
        if (e->tail) e->tail->next = b;
        else e->head = b;
        e->tail = b;
    }
    uint64_t stamp = __atomic_fetch_add(&e->now, 1, __ATOMIC_SEQ_CST);
    b->items[b->count++] = (struct retired){free_fn, object, stamp};
    bool due = ++e->pending >= e->collect_at;
    spin_unlock(&e->lock);
    if (due) epoch_collect(e);
}

/* The oldest counter that a section published, or `none`. Under the lock. */
static uint64_t oldest_section(struct epoch *e, uint64_t none)
{
    uint64_t oldest = none;
    for (struct epoch_slot *s = e->slots; s; s = s->next) {
        uint64_t seen = __atomic_load_n(&s->seen, __ATOMIC_SEQ_CST);
        if (seen && seen < oldest) oldest = seen;
    }
    return oldest;
}

/* Whoever may hold what was taken out of sight had its fence before this one, and so read the counter before it is
 * read here: it published no more than the stamp. */
uint64_t epoch_stamp(struct epoch *e)
{
    FULL_FENCE();
    return __atomic_load_n(&e->now, __ATOMIC_SEQ_CST);
}

void epoch_advance(struct epoch *e, uint64_t *ret_oldest, uint32_t *ret_slots)
{
    spin_lock(&e->lock);
    uint64_t next = __atomic_add_fetch(&e->now, 1, __ATOMIC_SEQ_CST);
    FULL_FENCE();
    *ret_oldest = oldest_section(e, next);
    *ret_slots = e->slot_count;
    spin_unlock(&e->lock);
}

/* Moves up to `max` objects older than `oldest` into `out`. Under the lock. */
static unsigned take_ready(struct epoch *e, uint64_t oldest, struct retired *out, unsigned max)
{
    unsigned n = 0;
    while (n < max && e->head) {
        struct block *b = e->head;
        while (n < max && b->first < b->count && b->items[b->first].stamp < oldest)
            out[n++] = b->items[b->first++];
        if (b->first < b->count) break;
        e->head = b->next;
        if (!e->head) e->tail = NULL;
        mem_free(MEM_BASE, b);
    }
    e->pending -= n;
    return n;
}

/* free_fn runs without the lock, so that it may retire in turn. */
void epoch_collect(struct epoch *e)
{
    struct retired ready[BLOCK_ITEMS];
    unsigned n;
    spin_lock(&e->lock);
    FULL_FENCE();
    uint64_t oldest = e->pending ? oldest_section(e, __atomic_load_n(&e->now, __ATOMIC_SEQ_CST)) : 0;
    do {
        n = e->pending ? take_ready(e, oldest, ready, BLOCK_ITEMS) : 0;
        /* A scan costs a cache miss a slot: pay it once for a proportional number of objects. */
        e->collect_at = e->pending + COLLECT_ITEMS_MIN + e->slot_count;
        spin_unlock(&e->lock);
        for (unsigned i = 0; i < n; i++) ready[i].free_fn(ready[i].object);
        if (n == BLOCK_ITEMS) spin_lock(&e->lock);
    } while (n == BLOCK_ITEMS);
}

void epoch_free(struct epoch *e)
{
    for (struct epoch_slot *s = e->slots; s; s = s->next) ASSERT(s->seen == 0);
    while (e->pending) epoch_collect(e);
    mem_free(MEM_BASE, e);
}
