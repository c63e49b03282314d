/* Serializable snapshot isolation: arrows between transactions, and who fails for them.
 *
 * An arrow R -> W says that R read what W, beside it, overwrote. Harmful are two in a row, T1 -> T2 -> T3,
 * with T3 the first to commit, and, if T1 only reads, before T1's snapshot. T2 then is doomed; or, when T2
 * has prepared, the one who finds out fails. Arrows to and from who has committed are kept as two
 * numbers each, the ones that harm first: out_seq and out_ts, in_seq and in_ts. */
#include "core/mvcc/ssi_priv.h"

#include "base/mem.h"

/* --- lists ------------------------------------------------------------------------------------- */

void sx_list__push(struct sx_list *l, struct sx *x)
{
    x->next = NULL;
    x->prev = l->tail;
    if (l->tail) l->tail->next = x;
    else l->head = x;
    l->tail = x;
    l->count++;
}

void sx_list__remove(struct sx_list *l, struct sx *x)
{
    if (x->prev) x->prev->next = x->next;
    else l->head = x->next;
    if (x->next) x->next->prev = x->prev;
    else l->tail = x->prev;
    x->next = x->prev = NULL;
    l->count--;
}

static bool array_has(const struct sx_array *a, const struct sx *x)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->data[i] == x) return true;
    return false;
}

static bool array_drop(struct sx_array *a, const struct sx *x)
{
    for (size_t i = 0; i < a->count; i++) {
        if (a->data[i] != x) continue;
        a->data[i] = a->data[--a->count];
        return true;
    }
    return false;
}

static void lower(uint64_t *v, uint64_t to)
{
    if (to < *v) *v = to;
}

static void raise(uint64_t *v, uint64_t to)
{
    if (to > *v) *v = to;
}

/* --- what harms -------------------------------------------------------------------------------- */

static bool is_doomed(const struct sx *x)
{
    return __atomic_load_n(&x->doomed, __ATOMIC_RELAXED);
}

static void doom(struct sx *x)
{
    __atomic_store_n(&x->doomed, true, __ATOMIC_RELEASE);
}

/* When it committed; 0: it has not, or has written nothing. What is above all snapshots of now is not in
 * the log yet. */
static uint64_t last_ts(const struct sx *x)
{
    if (x->committed) return x->last_ts;
    if (!x->prepared) return 0;
    uint64_t ts = __atomic_load_n(&x->txn->commit_ts, __ATOMIC_ACQUIRE);
    return ts == TS_ABORTED ? 0 : ts;
}

static bool are_beside(const struct sx *r, const struct sx *w)
{
    uint64_t ts = last_ts(w);
    if (ts && ts <= r->snapshot) return false;
    ts = last_ts(r);
    if (r->committed) return ts > w->snapshot || r->reads_seq > w->begin_seq;
    return !ts || ts > w->snapshot;
}

/* The first of those in the way to commit that x has an arrow to. */
static void first_out(const struct sx *x, uint64_t *ret_seq, uint64_t *ret_ts)
{
    *ret_seq = x->out_seq;
    *ret_ts = x->out_ts;
    for (size_t i = 0; i < x->out.count; i++) {
        const struct sx *y = x->out.data[i];
        if (!y->prepared) continue;
        uint64_t ts = last_ts(y);
        lower(ret_seq, y->prepare_seq);
        if (ts) lower(ret_ts, ts);
    }
}

/* As T1, when T3 is (seq, ts). */
static bool harms_before(const struct sx *t1, uint64_t seq, uint64_t ts)
{
    if (is_doomed(t1)) return false;
    if (t1->read_only) return ts <= t1->snapshot;
    return t1->committed ? seq < t1->commit_seq : seq != SSI_NEVER;
}

static bool is_pivot(const struct sx *x)
{
    uint64_t seq, ts;
    first_out(x, &seq, &ts);
    if (seq == SSI_NEVER) return false;
    if (x->in_seq > seq || x->in_ts >= ts) return true;
    for (size_t i = 0; i < x->in.count; i++)
        if (harms_before(x->in.data[i], seq, ts)) return true;
    return false;
}

/* From me to who has committed. */
static enum ssi_reason arrow_to_committed(struct sx *r, const struct sx *w)
{
    if (w->out_seq != SSI_NEVER && harms_before(r, w->out_seq, w->out_ts)) return SSI_OUT_TO_PIVOT;
    if (r->read_only) return SSI_FINE; /* it comes first, and nothing comes before it */
    lower(&r->out_seq, w->prepare_seq);
    lower(&r->out_ts, w->first_ts);
    return is_pivot(r) ? SSI_OUT_TO_PIVOT : SSI_FINE;
}

static enum ssi_reason arrow_from_committed(const struct sx *r, struct sx *w)
{
    if (r->read_only) raise(&w->in_ts, r->snapshot);
    else raise(&w->in_seq, r->commit_seq);
    return is_pivot(w) ? SSI_PIVOT_WRITE : SSI_FINE;
}

enum ssi_reason ssi__arrow(struct sx *me, struct sx *r, struct sx *w, uint64_t *ret_other)
{
    *ret_other = me == r ? w->id : r->id;
    if (r == w || is_doomed(r) || is_doomed(w) || r->safe || !are_beside(r, w)) return SSI_FINE;
    if (w->committed) return arrow_to_committed(r, w);
    if (r->committed) return arrow_from_committed(r, w);
    bool known = r->out.count < w->in.count ? array_has(&r->out, w) : array_has(&w->in, r);
    if (known) return SSI_FINE;
    ARRAY_PUSH(&r->out, w);
    ARRAY_PUSH(&w->in, r);
    if (is_pivot(w)) {
        if (w == me) return SSI_PIVOT_WRITE;
        if (w->prepared) return SSI_OUT_TO_PIVOT;
        doom(w);
        return SSI_FINE;
    }
    return w->prepared && is_pivot(r) ? SSI_OUT_TO_PIVOT : SSI_FINE;
}

enum status ssi__fail(struct sx *x, enum ssi_reason reason, uint64_t other)
{
    static const char *const words[] = {
        [SSI_DOOMED_READ] =
            "Canceled on identification as a pivot, during conflict out checking.",
        [SSI_DOOMED_WRITE] =
            "Canceled on identification as a pivot, during conflict in checking.",
        [SSI_DOOMED_COMMIT] = "Canceled on identification as a pivot, during commit attempt.",
        [SSI_PIVOT_WRITE] = "Canceled on identification as a pivot, during write.",
        [SSI_PREPARED_PIVOT] = "Canceled on commit attempt with conflict in from prepared pivot.",
    };
    doom(x); /* also when a savepoint outlives the statement */
    counter_add(x->ssi->failures, 1);
    FAIL(SERIALIZATION_FAILURE,
         "could not serialize access due to read/write dependencies among transactions");
    if (reason == SSI_OUT_TO_PIVOT)
        error_detail("Reason code: Canceled on conflict out to pivot %llu, during read.",
                     (unsigned long long)other);
    else
        error_detail("Reason code: %s", words[reason]);
    return error_hint("The transaction might succeed if retried.");
}

/* --- safe snapshots ---------------------------------------------------------------------------- */

static void settle_snapshot(struct sx *x)
{
    x->beside.count = 0;
    if (x->waiter) waiter_wake(x->waiter);
}

static void is_safe(struct sx *x)
{
    __atomic_store_n(&x->safe, true, __ATOMIC_RELEASE);
    for (size_t i = 0; i < x->out.count; i++) array_drop(&x->out.data[i]->in, x);
    x->out.count = 0;
    settle_snapshot(x);
}

/* Whether x, which has committed, makes the snapshot of a reader unsafe. */
static bool makes_unsafe(const struct sx *x, uint64_t snapshot)
{
    return x->committed && x->last_ts > snapshot && x->out_ts <= snapshot;
}

/* A writer has ended: those that wait for it, to be safe. */
static void writer_ended(struct ssi *g, const struct sx *x)
{
    for (struct sx *r = g->active.head; r; r = r->next) {
        if (!r->read_only || r->safe || r->unsafe || !array_drop(&r->beside, x)) continue;
        if (makes_unsafe(x, r->snapshot)) {
            r->unsafe = true;
            settle_snapshot(r);
        } else if (!r->beside.count) {
            is_safe(r);
        }
    }
}

/* Who may make its snapshot unsafe: those that have not ended, and those that have, but so lately that the
 * snapshot does not have them. */
static void look_beside(struct ssi *g, struct sx *x)
{
    for (struct sx *w = g->active.head; w; w = w->next)
        if (!w->read_only && !is_doomed(w)) ARRAY_PUSH(&x->beside, w);
    for (struct sx *w = g->committed.tail; w && w->order > x->snapshot; w = w->prev)
        if (makes_unsafe(w, x->snapshot)) x->unsafe = true;
    if (x->unsafe) x->beside.count = 0;
    else if (!x->beside.count) x->safe = true;
}

/* --- the life of one --------------------------------------------------------------------------- */

void ssi__begin(struct txn *t)
{
    struct ssi *g = t->store->ssi;
    struct sx *x = ssi__sx_new(g);
    x->txn = t;
    x->id = t->id;
    x->read_only = t->options.read_only;
    spin_lock(&g->lock);
    x->floor = __atomic_load_n(&t->store->visible_ts, __ATOMIC_SEQ_CST);
    txn__take_snapshot(t);
    x->snapshot = t->snapshot;
    x->begin_seq = g->seq;
    if (x->read_only) look_beside(g, x);
    bool safe = x->safe;
    if (!safe) sx_list__push(&g->active, x);
    spin_unlock(&g->lock);
    if (safe) ssi__sx_free(x);
    else t->ssi = x;
}

/* It is taken for a pivot: with an arrow to who committed first of all, and one from who committed after that. */
void ssi__revive(struct txn *t)
{
    struct ssi *g = t->store->ssi;
    struct sx *x = ssi__sx_new(g);
    x->txn = t;
    x->id = t->id;
    spin_lock(&g->lock);
    x->floor = x->snapshot = __atomic_load_n(&t->store->visible_ts, __ATOMIC_SEQ_CST);
    x->begin_seq = g->seq;
    x->prepare_seq = ++g->seq;
    x->prepared = true;
    x->out_seq = 0;
    x->out_ts = x->in_seq = 1;
    sx_list__push(&g->active, x);
    spin_unlock(&g->lock);
    t->ssi = x;
}

/* Under the lock: it is in none of the lists of those that live. */
static void unlink_arrows(struct sx *x)
{
    for (size_t i = 0; i < x->in.count; i++) array_drop(&x->in.data[i]->out, x);
    for (size_t i = 0; i < x->out.count; i++) array_drop(&x->out.data[i]->in, x);
    x->in.count = x->out.count = x->beside.count = 0;
}

void ssi__forget(struct sx *x)
{
    struct ssi *g = x->ssi;
    unlink_arrows(x);
    sx_list__remove(&g->active, x);
    if (!x->read_only) writer_ended(g, x);
}

void ssi__abort(struct txn *t)
{
    struct sx *x = t->ssi;
    struct ssi *g = x->ssi;
    t->ssi = NULL;
    spin_lock(&g->lock);
    ssi__forget(x);
    spin_unlock(&g->lock);
    ssi__sx_free(x);
    ssi__collect(g);
}

void txn_give_up(struct txn *t)
{
    struct sx *x = t->ssi;
    if (!x) return;
    spin_lock(&x->ssi->lock);
    doom(x);
    if (!x->read_only) writer_ended(x->ssi, x);
    spin_unlock(&x->ssi->lock);
}

/* Would the commit of `me`, as T3, leave somebody in the middle? */
static bool leaves_pivot(const struct sx *me, const struct sx *n)
{
    for (size_t i = 0; i < n->in.count; i++) {
        const struct sx *f = n->in.data[i];
        if (f == me || (!f->read_only && !is_doomed(f))) return true;
    }
    return false;
}

static enum ssi_reason prepare(struct sx *me)
{
    if (me->prepared) return SSI_FINE;
    if (is_doomed(me)) return SSI_DOOMED_COMMIT;
    for (size_t i = 0; i < me->in.count; i++) {
        struct sx *n = me->in.data[i];
        if (is_doomed(n) || !leaves_pivot(me, n)) continue;
        if (n->prepared) return SSI_PREPARED_PIVOT;
        doom(n);
    }
    me->prepare_seq = ++me->ssi->seq;
    me->prepared = true;
    return SSI_FINE;
}

enum status ssi__prepare(struct txn *t)
{
    struct sx *x = t->ssi;
    spin_lock(&x->ssi->lock);
    enum ssi_reason reason = prepare(x);
    spin_unlock(&x->ssi->lock);
    return reason ? ssi__fail(x, reason, 0) : OK;
}

/* The arrows become numbers. */
static void fold_arrows(struct sx *x)
{
    for (size_t i = 0; i < x->out.count; i++) {
        struct sx *w = x->out.data[i];
        array_drop(&w->in, x);
        if (x->read_only) raise(&w->in_ts, x->snapshot);
        else raise(&w->in_seq, x->commit_seq);
        if (!w->prepared) continue; /* it commits later than x */
        uint64_t ts = last_ts(w);
        lower(&x->out_seq, w->prepare_seq);
        lower(&x->out_ts, ts ? ts : 1); /* not known: the worst */
    }
    for (size_t i = 0; i < x->in.count; i++) {
        struct sx *r = x->in.data[i];
        array_drop(&r->out, x);
        if (r->read_only) continue;
        lower(&r->out_seq, x->prepare_seq);
        lower(&r->out_ts, x->first_ts);
    }
    x->in.count = x->out.count = x->beside.count = 0;
}

void ssi__committed(struct txn *t, uint64_t ts)
{
    struct sx *x = t->ssi;
    struct ssi *g = x->ssi;
    t->ssi = NULL;
    spin_lock(&g->lock);
    bool writer = !x->read_only;
    x->commit_seq = ++g->seq;
    x->committed = true;
    x->txn = NULL;
    x->first_ts = ts ? ts : SSI_NEVER;
    x->last_ts = ts;
    x->reads_seq = ts ? 0 : x->commit_seq;
    x->read_only |= !ts;
    x->order = ts ? ts : __atomic_load_n(&g->store->visible_ts, __ATOMIC_ACQUIRE);
    fold_arrows(x);
    sx_list__remove(&g->active, x);
    if (writer) writer_ended(g, x);
    bool kept = !x->safe && x->slots; /* though it may be alone: the next snapshot may not have it yet */
    if (kept) ssi__keep(x);
    spin_unlock(&g->lock);
    if (!kept) ssi__sx_free(x);
    ssi__collect(g);
}

/* --- waiting for a safe snapshot --------------------------------------------------------------- */

enum { RETRY_US = 1000 };

static enum status wait_settled(struct sx *x, struct waiter *w)
{
    struct ssi *g = x->ssi;
    enum park_result r = PARK_WOKEN;
    bool settled = false;
    waiter_set_reason(w, "IPC:SafeSnapshot");
    while (!settled && r != PARK_CANCELED) {
        spin_lock(&g->lock);
        settled = x->safe || x->unsafe;
        spin_unlock(&g->lock);
        if (!settled) r = waiter_park(w, 0);
    }
    waiter_set_reason(w, NULL);
    spin_lock(&g->lock);
    x->waiter = NULL;
    spin_unlock(&g->lock);
    if (r == PARK_CANCELED) return FAIL(QUERY_CANCELED, "canceling statement due to user request");
    return OK;
}

enum status txn_wait_safe(struct txn *t)
{
    if (t->options.isolation != SERIALIZABLE || !t->options.read_only || t->snapshot) return OK;
    for (;;) {
        ssi__begin(t);
        struct sx *x = t->ssi;
        if (!x) return OK;
        struct waiter *w = waiter_self();
        spin_lock(&x->ssi->lock);
        x->waiter = w;
        spin_unlock(&x->ssi->lock);
        enum status st = wait_settled(x, w);
        bool safe = x->safe;
        ssi__abort(t);
        if (st == OK && safe) return OK;
        __atomic_store_n(&t->snapshot, 0, __ATOMIC_RELEASE);
        TRY(st);
        if (fiber_sleep_us(RETRY_US) == PARK_CANCELED)
            return FAIL(QUERY_CANCELED, "canceling statement due to user request");
    }
}
