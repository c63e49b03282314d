/* Results of a correlated subplan, kept by the values that it depends on.
 *
 * Values are alike here only when nothing can tell them apart: 1.0 and 1.00 are not. The memory is
 * bounded: a full memo begins anew, and one that seldom helps is given up. */
#include "exec/subquery_priv.h"

#include "base/hash.h"

enum {
    MEMO_ENTRIES = 1 << 16,
    MEMO_BYTES = 16 << 20,
    MEMO_SLOTS_FIRST = 64,
    MEMO_TRIAL = 4096,      /* lookups, after which one in MEMO_USEFUL must have hit */
    MEMO_USEFUL = 16,
};

struct memo_entry {
    uint64_t hash;
    struct datum *key; /* NULL: empty */
    struct datum value;
};

struct subquery_memo {
    struct arena *arena;
    type_id *types;
    uint32_t width;
    struct memo_entry *entries;
    uint32_t count, mask;
    uint64_t lookups, hits;
    bool off;
};

static void clear(struct subquery_memo *m)
{
    arena_clear(m->arena);
    m->mask = MEMO_SLOTS_FIRST - 1;
    m->count = 0;
    m->entries = ARENA_ARRAY(m->arena, struct memo_entry, MEMO_SLOTS_FIRST);
}

static struct subquery_memo *memo_new(struct execution *x, const struct subplan *sp)
{
    struct subquery_memo *m = ARENA_NEW(x->arena, struct subquery_memo);
    m->arena = exec_arena(x);
    m->width = sp->outer_count + sp->test_count;
    m->types = ARENA_ARRAY(x->arena, type_id, m->width);
    for (uint32_t i = 0; i < sp->outer_count; i++) m->types[i] = sp->outer[i]->type;
    for (uint32_t i = 0; i < sp->test_count; i++)
        m->types[sp->outer_count + i] = sp->test[i]->type;
    for (uint32_t i = 0; i < m->width; i++) m->off |= m->types[i] == TYPE_RECORD;
    clear(m);
    return m;
}

static uint64_t hash_of(const struct subquery_memo *m, const struct datum *key)
{
    uint64_t h = 0;
    for (uint32_t i = 0; i < m->width; i++)
        h = hash_combine(h, key[i].null ? 0 : value_hash(m->types[i], &key[i].v));
    return h;
}

static struct memo_entry *find(const struct subquery_memo *m, uint64_t hash,
                               const struct datum *key)
{
    for (uint64_t at = hash & m->mask;; at = (at + 1) & m->mask) {
        struct memo_entry *e = &m->entries[at];
        bool same = e->key && e->hash == hash;
        for (uint32_t i = 0; i < m->width && same; i++)
            same = value_identical(m->types[i], &key[i], &e->key[i]);
        if (!e->key || same) return e;
    }
}

static void grow(struct subquery_memo *m)
{
    struct memo_entry *old = m->entries;
    uint32_t slots = m->mask + 1;
    m->mask = slots * 2 - 1;
    m->entries = ARENA_ARRAY(m->arena, struct memo_entry, slots * 2);
    for (uint32_t i = 0; i < slots; i++) {
        if (!old[i].key) continue;
        uint64_t at = old[i].hash & m->mask;
        while (m->entries[at].key) at = (at + 1) & m->mask;
        m->entries[at] = old[i];
    }
}

bool subquery__memo_find(struct execution *x, const struct subplan *sp, struct subplan_state *st,
                         const struct datum *tests, type_id type, struct arena *a,
                         struct memo_key *ret_key, struct datum *ret)
{
    *ret_key = (struct memo_key){0};
    if (!sp->memo) return false;
    if (!st->memo) st->memo = memo_new(x, sp);
    struct subquery_memo *m = st->memo;
    if (m->off) return false;
    ret_key->values = ARENA_ARRAY(a, struct datum, m->width);
    for (uint32_t i = 0; i < sp->outer_count; i++)
        ret_key->values[i] = x->outer[sp->outer_index[i]];
    for (uint32_t i = 0; i < sp->test_count; i++)
        ret_key->values[sp->outer_count + i] = tests[i];
    ret_key->hash = hash_of(m, ret_key->values);
    m->lookups++;
    const struct memo_entry *e = find(m, ret_key->hash, ret_key->values);
    if (!e->key) {
        m->off = m->lookups >= MEMO_TRIAL && m->hits < m->lookups / MEMO_USEFUL;
        if (!m->off) return false;
        arena_clear(m->arena);
        ret_key->values = NULL;
        return false;
    }
    m->hits++;
    *ret = datum_copy(a, type, e->value);
    return true;
}

void subquery__memo_keep(struct subplan_state *st, const struct memo_key *key, type_id type,
                         struct datum value)
{
    struct subquery_memo *m = st->memo;
    if (!key->values || m->off) return;
    if (m->count >= MEMO_ENTRIES || arena_bytes(m->arena) > MEMO_BYTES) clear(m);
    if (m->count * 2 > m->mask) grow(m);
    struct memo_entry *e = find(m, key->hash, key->values);
    if (e->key) return;
    e->hash = key->hash;
    e->key = ARENA_ARRAY(m->arena, struct datum, m->width);
    for (uint32_t i = 0; i < m->width; i++)
        e->key[i] = datum_copy(m->arena, m->types[i], key->values[i]);
    e->value = datum_copy(m->arena, type, value);
    m->count++;
}
