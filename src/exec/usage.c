#include "exec/usage.h"

#include "base/hash.h"
#include "base/mem.h"

enum { SLOTS = 4096, TRIES = 16 };

struct slot {
    uint32_t table; /* atomic; set once; 0: free */
    struct usage_counts counts; /* atomic, each */
};

struct usage {
    struct slot slots[SLOTS];
};

struct usage *usage_new(void)
{
    return mem_alloc(MEM_SESSION, sizeof(struct usage));
}

void usage_free(struct usage *u)
{
    mem_free(MEM_SESSION, u);
}

/* NULL: it has none, and gets none. */
static struct slot *find(struct usage *u, oid_t table, bool make)
{
    uint64_t at = hash_u64(table);
    for (uint32_t i = 0; u && table && i < TRIES; i++) {
        struct slot *s = &u->slots[(at + i) % SLOTS];
        uint32_t have = __atomic_load_n(&s->table, __ATOMIC_ACQUIRE);
        if (!have && !make) return NULL;
        if (!have && __atomic_compare_exchange_n(&s->table, &have, table, false, __ATOMIC_ACQ_REL,
                                                 __ATOMIC_ACQUIRE))
            return s;
        if (have == table) return s;
    }
    return NULL;
}

static void add(uint64_t *count, uint64_t n)
{
    __atomic_add_fetch(count, n, __ATOMIC_RELAXED);
}

void usage_count_scan(struct usage *u, oid_t table, uint64_t rows, uint32_t columns)
{
    struct slot *s = find(u, table, true);
    if (!s) return;
    if (rows <= USAGE_LOOKUP_ROWS) {
        add(&s->counts.lookups, 1);
        return;
    }
    add(&s->counts.scans, 1);
    add(&s->counts.rows, rows);
    add(&s->counts.values, rows * columns);
}

void usage_count_changes(struct usage *u, oid_t table, uint64_t rows)
{
    struct slot *s = find(u, table, true);
    if (s) add(&s->counts.changes, rows);
}

void usage_get(struct usage *u, oid_t table, struct usage_counts *ret)
{
    const struct slot *s = find(u, table, false);
    *ret = (struct usage_counts){0};
    if (!s) return;
    ret->lookups = __atomic_load_n(&s->counts.lookups, __ATOMIC_RELAXED);
    ret->scans = __atomic_load_n(&s->counts.scans, __ATOMIC_RELAXED);
    ret->rows = __atomic_load_n(&s->counts.rows, __ATOMIC_RELAXED);
    ret->values = __atomic_load_n(&s->counts.values, __ATOMIC_RELAXED);
    ret->changes = __atomic_load_n(&s->counts.changes, __ATOMIC_RELAXED);
}

void usage_forget(struct usage *u, oid_t table)
{
    struct slot *s = find(u, table, false);
    if (!s) return;
    __atomic_store_n(&s->counts.lookups, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&s->counts.scans, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&s->counts.rows, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&s->counts.values, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&s->counts.changes, 0, __ATOMIC_RELAXED);
}
