/* What transactions that have committed leave behind for those that ran beside them: kept in the order of
 * their commit timestamps, freed from the oldest on. When they are too many, the two oldest become one,
 * whose numbers are the worse of both, so that what is kept is bounded and nothing is missed. */
#include "core/mvcc/ssi_priv.h"

#include "base/mem.h"

enum { IDLE_MAX = 64, FREED_AT_ONCE = 64 };

/* --- making and unmaking ----------------------------------------------------------------------- */

static void reset(struct sx *x)
{
    struct sx_array in = x->in, out = x->out, beside = x->beside;
    *x = (struct sx){.ssi = x->ssi, .in = in, .out = out, .beside = beside,
                     .prepare_seq = SSI_NEVER, .first_ts = SSI_NEVER,
                     .out_seq = SSI_NEVER, .out_ts = SSI_NEVER};
    x->in.count = x->out.count = x->beside.count = 0;
}

struct sx *ssi__sx_new(struct ssi *g)
{
    spin_lock(&g->lock);
    struct sx *x = g->idle.head;
    if (x) sx_list__remove(&g->idle, x);
    spin_unlock(&g->lock);
    if (!x) x = mem_alloc(MEM_TXN, sizeof *x);
    x->ssi = g;
    reset(x);
    return x;
}

static void destroy(struct sx *x)
{
    ARRAY_RELEASE(&x->in);
    ARRAY_RELEASE(&x->out);
    ARRAY_RELEASE(&x->beside);
    mem_free(MEM_TXN, x);
}

void ssi__sx_free(struct sx *x)
{
    struct ssi *g = x->ssi;
    ssi__drop_ranges(x);
    spin_lock(&g->lock);
    if (x->reads_all) __atomic_sub_fetch(&g->reads_all, 1, __ATOMIC_ACQ_REL);
    x->reads_all = false;
    bool again = g->idle.count < IDLE_MAX && x->in.cap + x->out.cap + x->beside.cap < 1024;
    if (again) sx_list__push(&g->idle, x);
    spin_unlock(&g->lock);
    if (!again) destroy(x);
}

static void free_list(struct sx_list *l, bool ranges)
{
    while (l->head) {
        struct sx *x = l->head;
        sx_list__remove(l, x);
        if (ranges) ssi__drop_ranges(x);
        destroy(x);
    }
}

struct ssi *ssi__new(struct store *s)
{
    struct ssi *g = mem_alloc(MEM_TXN, sizeof *g);
    g->store = s;
    g->committed_max = SSI_COMMITTED_MAX;
    g->ranges_max = SSI_RANGES_OF_TREE_MAX;
    g->failures = counter_get("helios_serialization_failures_total",
                              "Transactions that failed, since no order of them could be sure.");
    return g;
}

void ssi__free(struct ssi *g)
{
    if (!g) return;
    free_list(&g->active, true); /* of a store that is abandoned */
    free_list(&g->committed, true);
    free_list(&g->idle, false);
    mem_free(MEM_TXN, g);
}

void ssi__get_status(struct ssi *g, uint32_t *ret_kept, uint64_t *ret_bytes)
{
    spin_lock(&g->lock);
    *ret_kept = g->committed.count;
    spin_unlock(&g->lock);
    *ret_bytes = __atomic_load_n(&g->bytes, __ATOMIC_RELAXED);
}

/* --- keeping and freeing ----------------------------------------------------------------------- */

void ssi__keep(struct sx *x)
{
    struct sx_list *l = &x->ssi->committed;
    struct sx *after = l->tail;
    while (after && after->order > x->order) after = after->prev;
    if (after == l->tail) {
        sx_list__push(l, x);
        return;
    }
    x->prev = after;
    x->next = after ? after->next : l->head;
    x->next->prev = x;
    if (after) after->next = x;
    else l->head = x;
    l->count++;
}

/* Whether nobody who lives, or begins later, runs beside it. */
static bool is_past(const struct ssi *g, const struct sx *x)
{
    const struct sx *oldest = g->active.head;
    while (oldest && oldest->safe) oldest = oldest->next;
    uint64_t floor = oldest ? oldest->floor
                            : __atomic_load_n(&g->store->visible_ts, __ATOMIC_ACQUIRE);
    uint64_t seq = oldest ? oldest->begin_seq : g->seq;
    return x->last_ts <= floor && x->reads_seq <= seq;
}

static bool free_past(struct ssi *g)
{
    struct sx *freed[FREED_AT_ONCE];
    uint32_t n = 0;
    spin_lock(&g->lock);
    while (!g->merging && n < FREED_AT_ONCE && g->committed.head &&
           is_past(g, g->committed.head)) {
        freed[n] = g->committed.head;
        sx_list__remove(&g->committed, freed[n++]);
    }
    spin_unlock(&g->lock);
    for (uint32_t i = 0; i < n; i++) ssi__sx_free(freed[i]);
    return n == FREED_AT_ONCE;
}

static void worse(uint64_t *v, uint64_t other, bool greater)
{
    if (greater ? other > *v : other < *v) *v = other;
}

/* Who is dropped counts as the one who stays from here on; its ranges follow. Under the lock. */
static void merge_numbers(struct sx *a, const struct sx *b)
{
    worse(&a->snapshot, b->snapshot, true);
    worse(&a->prepare_seq, b->prepare_seq, false);
    worse(&a->commit_seq, b->commit_seq, true);
    worse(&a->first_ts, b->first_ts, false);
    worse(&a->last_ts, b->last_ts, true);
    worse(&a->reads_seq, b->reads_seq, true);
    worse(&a->order, b->order, true);
    worse(&a->out_seq, b->out_seq, false);
    worse(&a->out_ts, b->out_ts, false);
    a->read_only &= b->read_only;
    if (b->reads_all && !a->reads_all) {
        a->reads_all = true;
        __atomic_add_fetch(&a->ssi->reads_all, 1, __ATOMIC_ACQ_REL);
    }
}

static bool too_much(const struct ssi *g)
{
    return g->committed.count > g->committed_max ||
           (__atomic_load_n(&g->bytes, __ATOMIC_RELAXED) > SSI_BYTES_MAX &&
            g->committed.count > 1);
}

static bool merge_oldest(struct ssi *g)
{
    struct sx *a = NULL, *b = NULL;
    spin_lock(&g->lock);
    if (!g->merging && too_much(g) && g->committed.count > 1) {
        g->merging = true;
        a = g->committed.head;
        b = a->next;
        sx_list__remove(&g->committed, b);
        merge_numbers(a, b);
    }
    spin_unlock(&g->lock);
    if (!a) return false;
    ssi__merge_ranges(a, b);
    ssi__sx_free(b);
    spin_lock(&g->lock);
    g->merging = false;
    spin_unlock(&g->lock);
    return true;
}

void ssi__collect(struct ssi *g)
{
    while (free_past(g)) {}
    while (merge_oldest(g)) {}
}
