/* What transactions read and wrote, as ranges of trees: putting them, meeting those of others, and making
 * one of many.
 *
 * A range is put and held against the others' under one lock, the bucket's of its tree; so of two that
 * overlap the later one meets the earlier, and it does not matter when the rows are read or written. */
#include "core/mvcc/ssi_priv.h"

#include "base/mem.h"

/* --- trees and slots --------------------------------------------------------------------------- */

static struct ssi_bucket *bucket_of(struct ssi *g, tree_id tree)
{
    return &g->buckets[tree * 0x9e3779b97f4a7c15ull >> 56 & (SSI_BUCKETS - 1)];
}

static struct ssi_tree *find_tree(const struct ssi_bucket *b, tree_id id)
{
    struct ssi_tree *t = b->trees;
    while (t && t->id != id) t = t->next;
    return t;
}

static struct ssi_tree *make_tree(struct ssi_bucket *b, tree_id id)
{
    struct ssi_tree *t = find_tree(b, id);
    if (t) return t;
    t = mem_alloc(MEM_TXN, sizeof *t);
    t->id = id;
    t->next = b->trees;
    return b->trees = t;
}

static void drop_empty(struct ssi_bucket *b, struct ssi_tree *t)
{
    if (t->roots[SSI_READ] || t->roots[SSI_WRITE]) return;
    struct ssi_tree **p = &b->trees;
    while (*p != t) p = &(*p)->next;
    *p = t->next;
    mem_free(MEM_TXN, t);
}

static struct ssi_slot *slot_of(struct sx *x, tree_id tree)
{
    spin_lock(&x->slots_lock);
    struct ssi_slot *s = x->slots;
    while (s && s->tree != tree) s = s->next;
    if (!s) {
        s = mem_alloc(MEM_TXN, sizeof *s);
        s->tree = tree;
        s->next = x->slots;
        x->slots = s;
    }
    spin_unlock(&x->slots_lock);
    return s;
}

/* --- one range: all under the bucket's lock ---------------------------------------------------- */

static void link_range(struct ssi_tree *t, struct ssi_slot *s, enum ssi_kind kind,
                       struct ssi_range *n)
{
    struct sx *x = n->owner;
    n->prev = NULL;
    n->next = s->first[kind];
    if (n->next) n->next->prev = n;
    s->first[kind] = n;
    s->count[kind]++;
    ssi__insert(&t->roots[kind], n);
    uint64_t bytes = ssi__range_bytes(n);
    __atomic_add_fetch(&x->ranges, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&x->bytes, bytes, __ATOMIC_RELAXED);
    __atomic_add_fetch(&x->ssi->bytes, bytes, __ATOMIC_RELAXED);
}

static void unlink_range(struct ssi_tree *t, struct ssi_slot *s, enum ssi_kind kind,
                         struct ssi_range *n)
{
    struct sx *x = n->owner;
    if (n->prev) n->prev->next = n->next;
    else s->first[kind] = n->next;
    if (n->next) n->next->prev = n->prev;
    s->count[kind]--;
    ssi__remove(&t->roots[kind], n);
    uint64_t bytes = ssi__range_bytes(n);
    __atomic_sub_fetch(&x->ranges, 1, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&x->bytes, bytes, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&x->ssi->bytes, bytes, __ATOMIC_RELAXED);
    mem_free(MEM_TXN, n);
}

static void widen(struct key_range *r, const struct key_range *by)
{
    if (slice_cmp(by->from, r->from) < 0) r->from = by->from;
    if (ssi__ends_before(r, by)) {
        r->to = by->to;
        r->end = by->end;
    }
}

/* One range instead of all of the slot's, and r. */
static void put_whole(struct ssi_tree *t, struct ssi_slot *s, enum ssi_kind kind, struct sx *x,
                      const struct key_range *r)
{
    struct key_range all = *r;
    for (const struct ssi_range *n = s->first[kind]; n; n = n->next) widen(&all, &n->r);
    struct ssi_range *whole = ssi__range_new(x, &all);
    while (s->first[kind]) unlink_range(t, s, kind, s->first[kind]);
    link_range(t, s, kind, whole);
    s->whole[kind] = true;
}

static bool is_full(const struct sx *x, const struct ssi_slot *s, enum ssi_kind kind)
{
    return s->whole[kind] || s->count[kind] >= x->ssi->ranges_max ||
           __atomic_load_n(&x->ranges, __ATOMIC_RELAXED) >= SSI_RANGES_MAX ||
           __atomic_load_n(&x->bytes, __ATOMIC_RELAXED) >= SSI_RANGE_BYTES_MAX;
}

/* False: it was there already, and met the others then. What lies in a whole one was perhaps never looked
 * at before. */
static bool put_range(struct ssi_tree *t, struct ssi_slot *s, enum ssi_kind kind, struct sx *x,
                      const struct key_range *r)
{
    if (s->whole[kind] && ssi__covers(&s->first[kind]->r, r)) return true;
    struct ssi_range *same = ssi__find(t->roots[kind], r->from, x);
    if (same && ssi__covers(&same->r, r)) return false;
    if (is_full(x, s, kind)) {
        put_whole(t, s, kind, x, r);
        return true;
    }
    if (same) unlink_range(t, s, kind, same); /* it ends earlier */
    link_range(t, s, kind, ssi__range_new(x, r));
    return true;
}

/* --- meeting others ---------------------------------------------------------------------------- */

struct meeting {
    struct sx *me;
    enum ssi_kind kind;
    bool locked;
    enum ssi_reason reason;
    uint64_t other;
};

static void meet(void *ctx, struct sx *other)
{
    struct meeting *m = ctx;
    uint64_t id;
    if (other == m->me || m->reason) return;
    if (!m->locked) spin_lock(&m->me->ssi->lock);
    m->locked = true;
    m->reason = m->kind == SSI_READ ? ssi__arrow(m->me, m->me, other, &id)
                                    : ssi__arrow(m->me, other, m->me, &id);
    m->other = id;
}

static void end_meeting(struct meeting *m)
{
    if (m->locked) spin_unlock(&m->me->ssi->lock);
    m->locked = false;
}

/* Those that have read a tree that is no more. */
static void meet_readers_of_all(struct meeting *m)
{
    struct ssi *g = m->me->ssi;
    spin_lock(&g->lock);
    m->locked = true;
    for (struct sx *x = g->active.head; x; x = x->next)
        if (x->reads_all) meet(m, x);
    for (struct sx *x = g->committed.head; x; x = x->next)
        if (x->reads_all) meet(m, x);
    end_meeting(m);
}

static enum status put(struct txn *t, enum ssi_kind kind, tree_id tree, const struct key_range *r)
{
    struct sx *x = t->ssi;
    struct ssi *g = x->ssi;
    if (__atomic_load_n(&x->safe, __ATOMIC_ACQUIRE)) return OK;
    if (tree == __atomic_load_n(&g->untracked, __ATOMIC_RELAXED)) return OK;
    tree = branch_own(t->branch, tree);
    if (__atomic_load_n(&x->doomed, __ATOMIC_ACQUIRE))
        return ssi__fail(x, kind == SSI_READ ? SSI_DOOMED_READ : SSI_DOOMED_WRITE, 0);
    struct meeting m = {.me = x, .kind = kind};
    struct ssi_slot *s = slot_of(x, tree);
    struct ssi_bucket *b = bucket_of(g, tree);
    spin_lock(&b->lock);
    struct ssi_tree *of = make_tree(b, tree);
    if (put_range(of, s, kind, x, r)) ssi__each_overlap(of->roots[!kind], r, meet, &m);
    end_meeting(&m);
    spin_unlock(&b->lock);
    if (kind == SSI_WRITE && !m.reason && __atomic_load_n(&g->reads_all, __ATOMIC_ACQUIRE))
        meet_readers_of_all(&m);
    return m.reason ? ssi__fail(x, m.reason, m.other) : OK;
}

enum status ssi__read(struct txn *t, tree_id tree, struct slice key)
{
    struct key_range r = range_of_key(key);
    return key.len ? put(t, SSI_READ, tree, &r) : OK;
}

enum status ssi__write(struct txn *t, tree_id tree, struct slice key)
{
    struct key_range r = range_of_key(key);
    return key.len ? put(t, SSI_WRITE, tree, &r) : OK;
}

static struct key_range between(struct slice lower, struct slice upper)
{
    return (struct key_range){lower, upper, upper.data ? END_OPEN : END_NONE};
}

enum status ssi__read_range(struct txn *t, tree_id tree, struct slice lower, struct slice upper)
{
    struct key_range r = between(lower, upper);
    return put(t, SSI_READ, tree, &r);
}

enum status ssi__write_range(struct txn *t, tree_id tree, struct slice first, struct slice last)
{
    struct key_range r = {first, last, END_CLOSED};
    return put(t, SSI_WRITE, tree, &r);
}

/* --- of those that are prepared ----------------------------------------------------------------- */

void ssi__tell(struct txn *t, void (*fn)(void *ctx, const struct ssi_told *r), void *ctx)
{
    struct sx *x = t->ssi;
    for (struct ssi_slot *s = x->slots; s; s = s->next) {
        struct ssi_bucket *b = bucket_of(x->ssi, s->tree);
        spin_lock(&b->lock);
        for (uint8_t k = 0; k < SSI_KINDS; k++)
            for (const struct ssi_range *n = s->first[k]; n; n = n->next) {
                struct ssi_told told = {s->tree, n->r.from, n->r.to, (uint8_t)n->r.end, k};
                fn(ctx, &told);
            }
        spin_unlock(&b->lock);
    }
}

enum status ssi__revive_range(struct txn *t, const struct ssi_told *r)
{
    struct sx *x = t->ssi;
    struct key_range range = {r->from, r->to, (enum range_end)r->end};
    if (!x || r->kind >= SSI_KINDS || r->end > END_NONE)
        return FAIL(DATA_CORRUPTED, "a prepared transaction's record holds a range that is not one");
    struct ssi_slot *s = slot_of(x, r->tree);
    struct ssi_bucket *b = bucket_of(x->ssi, r->tree);
    spin_lock(&b->lock);
    (void)put_range(make_tree(b, r->tree), s, (enum ssi_kind)r->kind, x, &range);
    spin_unlock(&b->lock);
    return OK;
}

/* --- trees that go ----------------------------------------------------------------------------- */

static void read_all(void *ctx, struct sx *x)
{
    struct ssi *g = ctx;
    if (x->reads_all) return;
    x->reads_all = true;
    __atomic_add_fetch(&g->reads_all, 1, __ATOMIC_ACQ_REL);
}

enum status ssi__drop_tree(struct txn *t, tree_id tree)
{
    struct ssi *g = t->store->ssi;
    struct ssi_bucket *b = bucket_of(g, branch_own(t->branch, tree));
    struct key_range all = between((struct slice){0}, (struct slice){0});
    if (t->ssi) TRY(put(t, SSI_WRITE, tree, &all));
    tree = branch_own(t->branch, tree);
    spin_lock(&b->lock);
    struct ssi_tree *of = find_tree(b, tree);
    if (of && of->roots[SSI_READ]) {
        spin_lock(&g->lock);
        ssi__each_overlap(of->roots[SSI_READ], &all, read_all, g);
        spin_unlock(&g->lock);
    }
    spin_unlock(&b->lock);
    return OK;
}

void store_untrack_tree(struct store *s, tree_id tree)
{
    __atomic_store_n(&s->ssi->untracked, tree, __ATOMIC_RELAXED);
}

/* --- of those that have ended ------------------------------------------------------------------ */

static void free_slots(struct sx *x)
{
    while (x->slots) {
        struct ssi_slot *s = x->slots;
        x->slots = s->next;
        mem_free(MEM_TXN, s);
    }
}

void ssi__drop_ranges(struct sx *x)
{
    for (struct ssi_slot *s = x->slots; s; s = s->next) {
        if (!s->count[SSI_READ] && !s->count[SSI_WRITE]) continue;
        struct ssi_bucket *b = bucket_of(x->ssi, s->tree);
        spin_lock(&b->lock);
        struct ssi_tree *t = find_tree(b, s->tree);
        for (int k = 0; k < SSI_KINDS; k++)
            while (s->first[k]) unlink_range(t, s, (enum ssi_kind)k, s->first[k]);
        drop_empty(b, t);
        spin_unlock(&b->lock);
    }
    free_slots(x);
}

static void merge_slot(struct sx *a, struct ssi_slot *from)
{
    struct ssi_slot *to = slot_of(a, from->tree);
    struct ssi_bucket *b = bucket_of(a->ssi, from->tree);
    spin_lock(&b->lock);
    struct ssi_tree *t = find_tree(b, from->tree);
    for (int i = 0; i < SSI_KINDS; i++) {
        enum ssi_kind k = (enum ssi_kind)i;
        if (!from->first[k]) continue;
        struct key_range all = from->first[k]->r;
        for (const struct ssi_range *n = from->first[k]; n; n = n->next) widen(&all, &n->r);
        if (!to->whole[k] || !ssi__covers(&to->first[k]->r, &all)) put_whole(t, to, k, a, &all);
        while (from->first[k]) unlink_range(t, from, k, from->first[k]);
    }
    spin_unlock(&b->lock);
}

void ssi__merge_ranges(struct sx *a, struct sx *b)
{
    for (struct ssi_slot *s = b->slots; s; s = s->next)
        if (s->count[SSI_READ] || s->count[SSI_WRITE]) merge_slot(a, s);
}
