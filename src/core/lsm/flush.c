/* Flush: the oldest frozen memtable becomes a run of level 0.
 *
 * A memtable may be flushed once no version in it belongs to a transaction in flight, and once the log
 * is durable up to here: else a crash could leave in a run what was never acknowledged. The manifest
 * names the run and the LSN from which the log is needed then; only after that does the shape change,
 * and the memtable goes when no reader can hold it. */
#include "core/lsm/advance_priv.h"

#include "base/mem.h"
#include "base/point.h"
#include "core/segment/run_columns.h"

enum { WALK_LEAVES = 256 };

/* A memtable as a source of entries: each key's versions, newest first. */
struct memory_source {
    struct entry_source base;
    struct memory *memory;
    struct leaf *leaves[WALK_LEAVES];
    uint32_t count, at;
    struct version *version; /* next to give of leaves[at] */
    uint64_t last_ts;        /* given last of this key; 0 none */
    bool started, ended;
    struct strbuf from;
};

static bool next_leaf(struct memory_source *s)
{
    if (s->started && ++s->at < s->count) return true;
    if (s->ended) return false;
    struct slice from = {0};
    if (s->started) from = leaf_key(s->leaves[s->count - 1]);
    s->count = memtable_walk(s->memory->table, from, s->started, false, s->leaves, WALK_LEAVES);
    s->started = true;
    s->at = 0;
    if (s->count == 0) s->ended = true;
    return s->count > 0;
}

static enum status memory_source_next(struct entry_source *base, struct entry *ret)
{
    struct memory_source *s = (struct memory_source *)base;
    for (;;) {
        while (s->version) {
            struct version *v = s->version;
            s->version = __atomic_load_n(&v->older, __ATOMIC_ACQUIRE);
            uint64_t ts = __atomic_load_n(&v->begin, __ATOMIC_ACQUIRE);
            /* A transaction that wrote a key twice left two versions of one timestamp: the newer
             * counts. */
            if (v->lock_only || ts == s->last_ts) continue;
            ASSERT(!(ts & 1));
            s->last_ts = ts;
            *ret = (struct entry){.key = leaf_key(s->leaves[s->at]), .ts = ts,
                                  .tombstone = v->tombstone, .row = slice_make(v->row, v->len)};
            return OK;
        }
        if (!next_leaf(s)) return END_OF_DATA;
        s->version = leaf_head(s->leaves[s->at]);
        s->last_ts = 0;
    }
}

struct collected {
    struct forest *forest;
    struct run_edit *edit;
};

static enum status collect_run(void *ctx, bool history, struct slice meta)
{
    struct collected *c = ctx;
    return run_edit__add(c->forest, c->edit, history ? HISTORY : 0, meta);
}

static void free_retired_memory(void *object)
{
    void **pair = object;
    memory__free(pair[0], pair[1]);
    mem_free(MEM_MEMTABLE, pair);
}

static enum status write_run(struct tree *t, struct memory *m, bool bottom, struct run_edit *e)
{
    struct forest *f = t->forest;
    struct memory_source source = {.base.next = memory_source_next, .memory = m};
    struct entry_source *sources[] = {&source.base};
    struct pins pins;
    struct merge_options o = {
        .drop_tombstones = bottom && !t->base,
        .past_bytes_max = HISTORY_RUN_BYTES,
        .run = {.blocks = f->blocks, .cache = f->cache, .tree = t->id, .filter_bits = 10,
                .compress = true},
    };
    struct collected c = {f, e};
    f->horizon(f->ctx, t, &o.horizon_ts, &o.floor_ts);
    forest_pins(f, t, &pins); /* after that: who forks from the past holds a snapshot until then */
    o.pins = pins.ts.data;
    o.pin_count = pins.ts.count;
    o.run.columns = tree_layout(t);
    uint64_t since = m->since_ts > o.floor_ts ? m->since_ts : o.floor_ts;
    o.spans = history__spans(f, memtable_bytes(m->table), since, o.horizon_ts,
                             o.horizon_ts > o.floor_ts ? o.horizon_ts - o.floor_ts : 0);
    enum status st = merge_runs(sources, 1, &o, collect_run, &c);
    if (st == COLUMNS_UNFIT) { /* a column was added meanwhile */
        run_edit__discard(e);
        source = (struct memory_source){.base.next = memory_source_next, .memory = m};
        o.run.keep_rows = true;
        st = merge_runs(sources, 1, &o, collect_run, &c);
    }
    run_layout_unref(o.run.columns);
    pins_release(&pins);
    return st == OK ? blocks_sync(f->blocks) : st;
}

/* A tree that is being made is not in the manifest until its commit is, and then with the branch that it belongs to.
 * Of its memtables only those go before that in which all was taken back. */
static bool is_told(const struct tree *t)
{
    return __atomic_load_n(&t->created, __ATOMIC_ACQUIRE);
}

/* The manifest first, then the shape; both under manifest_mutex, so that a rewrite of the manifest
 * sees them agree. */
static enum status install(struct tree *t, struct memory *m, struct run_edit *e)
{
    struct forest *f = t->forest;
    struct advance a;
    tree__advance(t, e, m, &a);
    fmutex_lock(&t->mutex);
    fmutex_lock(&f->manifest_mutex);
    uint32_t last = t->shape->memory_count - 1;
    ASSERT(t->shape->memories[last] == m && last > 0);
    e->replay_lsn = __atomic_load_n(&t->shape->memories[last - 1]->first_lsn, __ATOMIC_ACQUIRE);
    enum status st = OK;
    if (!t->dropped && !t->drop_logged && is_told(t)) {
        POINT("flush.before_manifest");
        st = forest__log_edit(f, t, e);
        POINT("flush.after_manifest");
    }
    if (st == OK) {
        struct shape *next = shape__copy(t->shape);
        shape__drop_memory(next);
        for (size_t i = 0; i < e->added.count; i++) {
            e->added.data[i]->doomed = t->dropped;
            shape__add_run(next, e->added_level.data[i], e->added.data[i]);
        }
        t->replay_lsn = e->replay_lsn;
        tree__apply_advance(t, next, &a);
        tree__set_shape(t, next);
    }
    fmutex_unlock(&f->manifest_mutex);
    fmutex_unlock(&t->mutex);
    advance__release(&a);
    return st;
}

enum status tree_flush(struct tree *t, bool *ret_worked)
{
    *ret_worked = false;
    struct forest *f = t->forest;
    fmutex_lock(&f->work_mutex);
    bool mine = !t->flushing && !t->dropped;
    if (mine) t->flushing = true;
    fmutex_unlock(&f->work_mutex);
    if (!mine) return OK;
    fmutex_lock(&t->mutex); /* holds the shape */
    struct shape *s = t->shape;
    struct memory *m = tree_flush_due(t) ? s->memories[s->memory_count - 1] : NULL;
    bool bottom = true;
    for (int l = 0; l < LEVELS_MAX; l++) bottom = bottom && s->levels[l].count == 0;
    fmutex_unlock(&t->mutex);

    struct run_edit e = {.tree = t->id, .rows = __atomic_load_n(&t->rows, __ATOMIC_RELAXED)};
    int64_t began = monotonic_us();
    enum status st = m && f->wal ? wal_flush(f->wal) : OK;
    if (m && st == OK) st = write_run(t, m, bottom, &e);
    if (m && st == OK && e.added.count && !is_told(t)) m = NULL;
    uint64_t bytes = 0; /* counted now: once installed, a merge may take the runs away */
    for (size_t i = 0; m && st == OK && i < e.added.count; i++)
        bytes += run_bytes(e.added.data[i]->run);
    if (m && st == OK) st = install(t, m, &e);
    if (m && st == OK) {
        counter_add(counter_get("helios_flushes_total", "Memtables written to disk."), 1);
        counter_add(counter_get("helios_flush_bytes_total", "Bytes that flushes wrote."), bytes);
        run_edit_release(&e);
        tree__note_work(t, &t->flushed, began);
        m->flushed = true; /* no writer comes back to it, and its retirement orders this */
        __atomic_add_fetch(&f->flushed_bytes, m->counted, __ATOMIC_RELAXED);
        __atomic_sub_fetch(&f->memtable_bytes, m->counted, __ATOMIC_RELAXED);
        void **pair = mem_alloc(MEM_MEMTABLE, 2 * sizeof *pair);
        pair[0] = f;
        pair[1] = m;
        epoch_retire(f->o.epoch, free_retired_memory, pair);
        *ret_worked = true;
    } else {
        run_edit__discard(&e);
        run_edit_release(&e);
    }
    fmutex_lock(&f->work_mutex);
    t->flushing = false;
    fcond_broadcast(&f->work_done);
    fmutex_unlock(&f->work_mutex);
    epoch_collect(f->o.epoch);
    return st;
}
