/* Bulk loads (docs/design/bulk-load.md): rows go to a buffer; a full one is sorted and written as runs by
 * a worker while the next fills; then its runs are put into the shapes of their trees, and only after
 * that are their keys held against what is there. So of two who insert a key at least one sees the
 * other: writers look at the runs after they have put their version.
 *
 * What is published belongs to the transaction (txn.loads) and is undone as its writes are. */
#include "core/mvcc/load_priv.h"

#include "base/fiber.h"
#include "base/mem.h"
#include "core/segment/run_columns.h"

enum { POLL_EVERY = 4096, THRESHOLD_MAX = 4 << 20, THRESHOLD_PART = 32, ALL_PART = 2,
       BUFFERS_MIN = 256 << 10 };

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE };

/* One buffer to be written, by a worker or, if none has come to it when it is needed, by the loader
 * itself. */
struct load_job {
    uint32_t refs;  /* atomic: the loader's, and the pool's */
    uint32_t state; /* atomic */
    uint32_t stop;  /* atomic: it will not be needed */
    struct load_buffer *buffer;
    struct forest *forest;
    struct waiter *waiter; /* atomic: of who waits; NULL: nobody yet */
    enum status st;
    struct error error; /* of st */
};

struct load {
    struct txn *txn;
    struct load_tree *trees;
    uint32_t count;
    struct load_buffer buffers[2];
    uint32_t filling;      /* the other one is with the job, if there is one */
    struct load_job *job;
    uint64_t buffer_bytes; /* when one is full */
    uint64_t counted;      /* told to store.loading */
    void (*keep)(void *ctx, struct slice meta); /* NULL: runs are published */
    void *ctx;
    struct load_conflict conflict;
};

uint64_t store_load_threshold(const struct txn *t)
{
    uint64_t bytes = t->store->o.memtable_total_bytes / THRESHOLD_PART;
    return bytes < THRESHOLD_MAX ? bytes : THRESHOLD_MAX;
}

/* All loads together take as much as half of what memtables may, each at most half of what is left; but
 * none so little that its runs would be tiny. */
static uint64_t take_share(struct store *s)
{
    uint64_t all = s->o.memtable_total_bytes / ALL_PART, share = s->o.load_bytes;
    uint64_t taken = __atomic_load_n(&s->loading, __ATOMIC_RELAXED);
    uint64_t left = taken < all ? (all - taken) / 2 : 0;
    if (left < BUFFERS_MIN) left = BUFFERS_MIN;
    if (share > left) share = left;
    __atomic_add_fetch(&s->loading, share, __ATOMIC_RELAXED);
    return share;
}

/* In a branch the rows go to overlays. */
static enum status find_trees(struct load *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        struct tree *tree;
        TRY(mvcc__own_tree(l->txn, l->trees[i].tree, &tree));
        l->trees[i].tree = tree->id;
    }
    return OK;
}

static void set_layouts(struct load *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        struct tree *tree = forest_tree(l->txn->store->forest, l->trees[i].tree);
        for (int k = 0; k < 2; k++) l->buffers[k].parts[i].columns = tree_layout(tree);
    }
}

enum status store_load_begin(struct txn *t, const struct load_tree *trees, uint32_t n,
                             struct load **ret)
{
    if (t->options.read_only)
        return FAIL(READ_ONLY_SQL_TRANSACTION, "cannot write in a read-only transaction");
    TRY(store__admit(t));
    struct load *l = mem_alloc(MEM_RUN, sizeof *l);
    l->txn = t;
    l->count = n;
    l->trees = mem_alloc(MEM_RUN, n * sizeof *trees);
    memcpy(l->trees, trees, n * sizeof *trees);
    enum status st = find_trees(l);
    if (st != OK) {
        mem_free(MEM_RUN, l->trees);
        mem_free(MEM_RUN, l);
        return st;
    }
    for (int i = 0; i < 2; i++) load_buffer__init(&l->buffers[i], l->trees, n);
    set_layouts(l);
    l->counted = take_share(t->store);
    l->buffer_bytes = l->counted / 2;
    *ret = l;
    return OK;
}

enum status load__begin_kept(struct txn *t, tree_id tree,
                             void (*keep)(void *ctx, struct slice meta), void *ctx,
                             struct load **ret)
{
    struct load_tree only = {tree, true};
    TRY(store_load_begin(t, &only, 1, ret));
    for (int k = 0; k < 2; k++) { /* its runs are merged before anybody reads them */
        run_layout_unref((*ret)->buffers[k].parts[0].columns);
        (*ret)->buffers[k].parts[0].columns = NULL;
    }
    (*ret)->keep = keep;
    (*ret)->ctx = ctx;
    return OK;
}

/* --- writing ----------------------------------------------------------------------------------- */

static void unref_job(struct load_job *j)
{
    if (__atomic_sub_fetch(&j->refs, 1, __ATOMIC_ACQ_REL) == 0) mem_free(MEM_RUN, j);
}

static bool claim_job(struct load_job *j)
{
    uint32_t queued = JOB_QUEUED;
    return __atomic_compare_exchange_n(&j->state, &queued, JOB_RUNNING, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static void run_job(struct load_job *j)
{
    j->st = load_buffer__write(j->buffer, j->forest, &j->stop);
    if (j->st != OK) j->error = *error_current();
    __atomic_store_n(&j->state, JOB_DONE, __ATOMIC_SEQ_CST);
}

static void worker_job(void *arg)
{
    struct load_job *j = arg;
    if (claim_job(j)) {
        run_job(j);
        struct waiter *w = __atomic_load_n(&j->waiter, __ATOMIC_SEQ_CST);
        if (w) waiter_wake(w);
    }
    unref_job(j);
}

static void start_job(struct load *l, struct load_buffer *b)
{
    struct store *s = l->txn->store;
    struct load_job *j = mem_alloc(MEM_RUN, sizeof *j);
    j->refs = 2;
    j->buffer = b;
    j->forest = s->forest;
    l->job = j;
    if (!s->o.background || !pool_submit(s->o.background, worker_job, j)) unref_job(j);
}

/* Waits for it, or does it. The caller may be another thread than began it: of a coroutine. */
static enum status end_job(struct load *l)
{
    struct load_job *j = l->job;
    struct waiter *self = waiter_self();
    if (claim_job(j)) run_job(j);
    __atomic_store_n(&j->waiter, self, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&j->state, __ATOMIC_SEQ_CST) != JOB_DONE) {
        bool stopped = __atomic_load_n(&j->stop, __ATOMIC_RELAXED);
        if (stopped) (void)waiter_park_uncancelable(self, 0);
        else if (waiter_park(self, 0) == PARK_CANCELED)
            __atomic_store_n(&j->stop, 1, __ATOMIC_RELAXED);
    }
    enum status st = j->st;
    if (st != OK) *error_current() = j->error;
    l->job = NULL;
    unref_job(j);
    return st;
}

/* --- publishing -------------------------------------------------------------------------------- */

/* Of what its caller has published just now. */
struct check {
    struct load *load;
    uint32_t part;
    struct tree *tree;
    const struct run_ref *ref;
    const struct shape *shape; /* the first that has the run */
    const struct load_item *found; /* of those that are there already, the first in the input */
};

static void found(struct check *c, const struct load_item *i)
{
    if (!c->found || i->tag < c->found->tag) c->found = i;
}

static enum status poll(size_t i)
{
    if (i % POLL_EVERY != POLL_EVERY - 1) return OK;
    fiber_yield(); /* who cancels may wait for this thread */
    if (waiter_canceled(waiter_self()))
        return FAIL(QUERY_CANCELED, "canceling statement due to user request");
    return OK;
}

/* The first entry whose key is at or above this one. */
static size_t lower_bound(const struct load_part *p, struct slice key)
{
    size_t lo = 0, hi = p->entries.count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (slice_cmp(load_key(p->entries.data[mid].item), key) < 0) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

/* Where the key lies among the entries; NULL: it does not. */
static struct load_item *find_item(const struct load_part *p, struct slice key)
{
    size_t at = lower_bound(p, key);
    if (at == p->entries.count) return NULL;
    struct load_item *i = p->entries.data[at].item;
    return slice_eq(load_key(i), key) ? i : NULL;
}

static enum status check_key(struct check *c, const struct load_part *p, struct leaf *leaf)
{
    struct slice key = leaf_key(leaf);
    if (!leaf_head(leaf) || !run_may_contain(c->ref->run, key, run_key_hash(key))) return OK;
    struct load_item *i = find_item(p, key);
    if (!i || i->written) return OK;
    i->written = true;
    enum status st = txn__write_over(c->load->txn, c->tree, c->ref, c->load->trees[c->part].unique,
                                     key, load_row(i));
    if (st != UNIQUE_VIOLATION) return st;
    found(c, i);
    return OK;
}

/* The run lies below the memtables. A key that one of them has is written over it. */
static enum status check_memory(struct check *c, const struct load_part *p, const struct memory *m)
{
    enum { LEAVES = 128 };
    struct leaf *leaves[LEAVES];
    struct slice from = run_min_key(c->ref->run), max = run_max_key(c->ref->run);
    bool after = false;
    for (;;) {
        uint32_t n = memtable_walk(m->table, from, after, false, leaves, LEAVES);
        for (uint32_t i = 0; i < n; i++) {
            if (slice_cmp(leaf_key(leaves[i]), max) > 0) return OK;
            TRY(check_key(c, p, leaves[i]));
        }
        if (n < LEAVES) return OK;
        from = leaf_key(leaves[n - 1]);
        after = true;
        TRY(poll(POLL_EVERY - 1));
    }
}

static bool range_overlaps(const struct run *a, const struct run *b)
{
    return slice_cmp(run_max_key(a), run_min_key(b)) >= 0 &&
           slice_cmp(run_min_key(a), run_max_key(b)) <= 0;
}

/* Whether a live version of the key is there, once all who may commit one have ended. */
static enum status live_in_runs(struct check *c, struct slice key, bool *ret_live)
{
    struct txn *t = c->load->txn;
    struct page_pins pins = {0};
    struct newest n;
    enum status st;
    for (;;) {
        st = mvcc__newest_in_runs(t, c->shape, c->ref, key, false, &pins, &n);
        page_pins_release(&pins);
        if (st == OK && n.holder) st = txn__wait_for(t, n.holder, n.holder_id);
        else break;
        if (st != OK) break;
    }
    page_pins_free(&pins);
    *ret_live = st == OK && n.found && !n.tombstone;
    return st;
}

/* All keys against one run: its filter stays in the processor's cache. */
static enum status check_run(struct check *c, const struct load_part *p, const uint64_t *hashes,
                             const struct run *r)
{
    size_t end = p->entries.count;
    for (size_t i = lower_bound(p, run_min_key(r)); i < end; i++) {
        bool live;
        TRY(poll(i));
        if (!run_filter_allows(r, hashes[i])) continue; /* before the item is looked at: a cache miss */
        const struct load_item *item = p->entries.data[i].item;
        if (item->written) continue; /* judged by what is newer than any run */
        TRY(live_in_runs(c, load_key(item), &live));
        if (live) found(c, item);
    }
    return OK;
}

/* What an overlay has is new unless it lies below; what is live in it was found before. */
static enum status check_below(struct check *c, const struct load_part *p)
{
    struct txn *t = c->load->txn, *helper;
    enum status st = OK;
    txn_begin_helper(t, &helper); /* whose pins can be let go */
    for (size_t i = 0; i < p->entries.count && st == OK; i++) {
        const struct load_item *item = p->entries.data[i].item;
        struct newest n = {0};
        st = poll(i);
        if (item->written) continue;
        if (st == OK)
            st = mvcc__newest_in_runs(t, c->shape, c->ref, load_key(item), true, &helper->pins, &n);
        if (st == OK && !n.found) st = mvcc__newest_below(helper, c->tree, load_key(item), &n);
        page_pins_release(&helper->pins);
        if (n.found && !n.tombstone) found(c, item);
    }
    txn_end_helper(helper);
    return st;
}

static enum status check_runs(struct check *c, const struct load_part *p)
{
    if (!c->load->trees[c->part].unique) return OK;
    uint64_t *hashes = NULL;
    enum status st = OK;
    for (int l = 0; l < LEVELS_MAX && st == OK; l++)
        for (uint32_t i = 0; i < c->shape->levels[l].count && st == OK; i++) {
            const struct run_ref *r = c->shape->levels[l].runs[i];
            if (r == c->ref || !range_overlaps(r->run, c->ref->run)) continue;
            if (!hashes) {
                hashes = mem_alloc(MEM_RUN, p->entries.count * sizeof *hashes);
                for (size_t k = 0; k < p->entries.count; k++)
                    hashes[k] = run_key_hash(load_key(p->entries.data[k].item));
            }
            st = check_run(c, p, hashes, r->run);
        }
    mem_free(MEM_RUN, hashes);
    return st == OK && c->tree->base ? check_below(c, p) : st;
}

static enum status conflict(struct load *l, const struct load_buffer *b, uint32_t part,
                            const struct load_item *item)
{
    const struct load_part *table = &b->parts[0];
    l->conflict = (struct load_conflict){.tree = part, .tag = item->tag, .key = load_key(item)};
    for (size_t i = 0; i < table->entries.count; i++)
        if (table->entries.data[i].item->tag == item->tag)
            l->conflict.row = load_row(table->entries.data[i].item);
    return UNIQUE_VIOLATION;
}

static enum status publish_part(struct load *l, const struct load_buffer *b, uint32_t part)
{
    struct txn *t = l->txn;
    const struct load_part *p = &b->parts[part];
    struct check c = {.load = l, .part = part};
    struct run_ref *ref;
    if (p->twice) return conflict(l, b, part, p->twice);
    if (!p->meta.len) return OK;
    c.tree = forest_tree(t->store->forest, p->tree);
    __atomic_store_n(&t->shown, true, __ATOMIC_RELAXED);
    TRY(tree_publish_run(c.tree, strbuf_slice(&p->meta), (uint64_t)(uintptr_t)t | 1, t->command, &ref,
                         &c.shape));
    ARRAY_PUSH(&t->loads, (struct loaded_run){c.tree, ref});
    ARRAY_PUSH(&t->writes, (struct write_entry){.tree = c.tree, .load = true});
    if (t->ssi)
        TRY(ssi__write_range(t, c.tree->base ? c.tree->base : p->tree, run_min_key(ref->run),
                             run_max_key(ref->run)));
    c.ref = ref;
    for (uint32_t i = 0; i < c.shape->memory_count; i++)
        TRY(check_memory(&c, p, c.shape->memories[i]));
    TRY(check_runs(&c, p));
    return c.found ? conflict(l, b, part, c.found) : OK;
}

/* Gives back the space of runs that were written and not published. */
static void discard(struct load *l, const struct load_buffer *b, uint32_t from)
{
    struct forest *f = l->txn->store->forest;
    struct arena scratch;
    arena_init(&scratch, MEM_RUN);
    for (uint32_t i = from; i < b->count; i++) {
        struct extent *e;
        uint32_t n;
        if (!b->parts[i].meta.len) continue;
        enum status st = run_meta_extents(strbuf_slice(&b->parts[i].meta), &scratch, &e, &n);
        ASSERT(st == OK);
        for (uint32_t k = 0; k < n; k++) blocks_free(f->blocks, e[k]);
    }
    arena_release(&scratch);
}

/* The table first: what a row of its is waited for, its index entries need not be. */
static enum status publish(struct load *l, const struct load_buffer *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        size_t before = l->txn->loads.count;
        enum status st = publish_part(l, b, i);
        if (st == OK) continue;
        discard(l, b, l->txn->loads.count > before ? i + 1 : i);
        return st;
    }
    return OK;
}

static enum status hand_over(struct load *l, const struct load_buffer *b)
{
    const struct load_part *p = &b->parts[0];
    if (p->twice) return conflict(l, b, 0, p->twice);
    if (p->meta.len) l->keep(l->ctx, strbuf_slice(&p->meta));
    return OK;
}

/* Writes the buffer that is with the job and publishes it. */
static enum status settle_job(struct load *l)
{
    struct load_buffer *b = &l->buffers[l->filling ^ 1];
    if (!l->job) return OK;
    enum status st = end_job(l);
    if (st == OK) return l->keep ? hand_over(l, b) : publish(l, b);
    discard(l, b, 0);
    return st;
}

/* --- rows -------------------------------------------------------------------------------------- */

static enum status turn(struct load *l)
{
    TRY(settle_job(l));
    struct load_buffer *full = &l->buffers[l->filling];
    l->filling ^= 1;
    load_buffer__clear(&l->buffers[l->filling]);
    start_job(l, full);
    return OK;
}

enum status store_load_add(struct load *l, uint32_t tree, struct slice key, struct slice row,
                           uint64_t tag)
{
    if (key.len > STORE_KEY_BYTES_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "key of %zu bytes exceeds the maximum of %d", key.len,
                    STORE_KEY_BYTES_MAX);
    if (row.len > STORE_ROW_BYTES_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "row of %zu bytes exceeds the maximum of %d", row.len,
                    STORE_ROW_BYTES_MAX);
    /* A row and its index entries stay together. */
    if (tree == 0 && l->buffers[l->filling].bytes >= l->buffer_bytes) TRY(turn(l));
    load_buffer__add(&l->buffers[l->filling], tree, key, row, tag);
    return OK;
}

enum status store_load_finish(struct load *l)
{
    TRY(turn(l));
    return settle_job(l);
}

const struct load_conflict *store_load_conflict(const struct load *l)
{
    return &l->conflict;
}

void store_load_free(struct load *l)
{
    if (!l) return;
    if (l->job) {
        struct error saved = *error_current();
        __atomic_store_n(&l->job->stop, 1, __ATOMIC_RELAXED);
        enum status st = end_job(l);
        discard(l, &l->buffers[l->filling ^ 1], 0);
        if (st != OK) *error_current() = saved;
    }
    struct store *s = l->txn->store;
    __atomic_sub_fetch(&s->loading, l->counted, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++) load_buffer__release(&l->buffers[i]);
    mem_free(MEM_RUN, l->trees);
    mem_free(MEM_RUN, l);
}
