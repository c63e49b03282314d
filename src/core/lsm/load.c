/* Loaded runs: built by a transaction, outside of memtables and log (docs/design/bulk-load.md).
 *
 * A loaded run is in the shape from the moment that it is written, tagged with its transaction. The manifest
 * learns of it in two steps around the log record that decides: pending, then installed. It keeps its
 * place in level 0 throughout, in memory and in the manifest, since runs that are flushed meanwhile
 * may hold newer versions of its keys and come to lie in front of it. */
#include "core/lsm/tree_priv.h"

#include "base/mem.h"
#include "base/point.h"

static void set_state(struct run_ref *r, enum run_state state)
{
    __atomic_store_n(&r->state, (uint8_t)state, __ATOMIC_RELEASE);
}

enum status tree_publish_run(struct tree *t, struct slice meta, uint64_t begin, uint32_t command,
                             struct run_ref **ret, const struct shape **ret_shape)
{
    struct forest *f = t->forest;
    struct run *run;
    TRY(run_open(f->blocks, f->cache, meta, &run));
    uint64_t id = __atomic_fetch_add(&f->next_run, 1, __ATOMIC_RELAXED);
    struct run_ref *r = run_ref__new(id, run, meta);
    r->begin = begin;
    r->command = command;
    r->state = RUN_LOADED;
    fmutex_lock(&t->mutex);
    struct shape *next = shape__copy(t->shape);
    shape__add_run(next, 0, r);
    struct memtable *active = next->memories[0]->table;
    /* Under the latch: a write is either in the memtable by now, or its writer sees the run. */
    memtable_latch(active);
    tree__set_shape(t, next);
    memtable_unlatch(active);
    fmutex_unlock(&t->mutex);
    *ret = r;
    *ret_shape = next;
    return OK;
}

void tree_unpublish_run(struct tree *t, struct run_ref *r)
{
    fmutex_lock(&t->mutex);
    /* What the manifest still names must not be written over. */
    bool named = __atomic_load_n(&r->state, __ATOMIC_ACQUIRE) != RUN_LOADED;
    __atomic_store_n(&r->doomed, !named, __ATOMIC_RELEASE);
    struct shape *next = shape__copy(t->shape);
    shape__remove_run(next, r->id);
    tree__set_shape(t, next);
    fmutex_unlock(&t->mutex);
}

enum status forest_prepare_runs(struct forest *f, const struct loaded_run *runs, size_t n, bool *ret_whole)
{
    TRY(blocks_sync(f->blocks));
    fmutex_lock(&f->manifest_mutex);
    POINT("load.before_prepare");
    enum status st = forest__log_loads(f, LOAD_PENDING, runs, n, 0);
    for (size_t i = 0; i < n && st == OK; i++) set_state(runs[i].ref, RUN_PREPARED);
    *ret_whole = f->whole_log > 0; /* who copies the manifest after this knows of the runs */
    fmutex_unlock(&f->manifest_mutex);
    return st;
}

enum status forest_forget_runs(struct forest *f, const struct loaded_run *runs, size_t n)
{
    fmutex_lock(&f->manifest_mutex);
    enum status st = forest__log_loads(f, LOAD_FORGOTTEN, runs, n, 0);
    for (size_t i = 0; i < n && st == OK; i++) set_state(runs[i].ref, RUN_LOADED);
    fmutex_unlock(&f->manifest_mutex);
    return st;
}

void forest__installed(struct run_ref *r, uint64_t ts)
{
    run_meta_stamp(r->meta, run_load_ts(ts));
    run_stamp(r->run, run_load_ts(ts));
    __atomic_store_n(&r->begin, ts, __ATOMIC_RELEASE);
    set_state(r, RUN_INSTALLED);
}

enum status forest_install_runs(struct forest *f, const struct loaded_run *runs, size_t n,
                                uint64_t ts)
{
    fmutex_lock(&f->manifest_mutex);
    POINT("load.before_install");
    enum status st = forest__log_loads(f, LOAD_INSTALLED, runs, n, ts);
    for (size_t i = 0; i < n && st == OK; i++) forest__installed(runs[i].ref, ts);
    fmutex_unlock(&f->manifest_mutex);
    return st;
}

/* --- recovery ---------------------------------------------------------------------------------- */

/* Rows that came before the load may be replayed though they lie in runs, over the run: memtables are
 * written out, and the run put in front of all. Unless the log is needed only from a later place: then
 * nothing of that kind was replayed, but runs in front of it may be newer. */
static enum status claim_in_front(struct tree *t, struct loaded_run *l, uint64_t lsn, uint64_t ts)
{
    struct forest *f = t->forest;
    bool worked = true;
    TRY(tree_freeze(t, tree_shape(t)->memories[0]));
    tree_shape(t)->memories[0]->first_lsn = lsn;
    while (worked) TRY(tree_flush(t, &worked));
    fmutex_lock(&t->mutex);
    fmutex_lock(&f->manifest_mutex);
    run_meta_stamp(l->ref->meta, run_load_ts(ts));
    enum status st = forest__log_claim(f, l);
    if (st == OK) {
        struct shape *next = shape__copy(t->shape);
        __atomic_add_fetch(&l->ref->refs, 1, __ATOMIC_RELAXED);
        shape__remove_run(next, l->ref->id);
        shape__add_run(next, 0, l->ref);
        forest__installed(l->ref, ts);
        tree__set_shape(t, next);
    }
    fmutex_unlock(&f->manifest_mutex);
    fmutex_unlock(&t->mutex);
    return st;
}

enum status forest_claim_run(struct forest *f, struct tree *t, uint64_t run, uint64_t lsn,
                             uint64_t ts)
{
    const struct level *v = &tree_shape(t)->levels[0];
    for (uint32_t i = 0; i < v->count; i++) {
        struct loaded_run l = {t, v->runs[i]};
        if (l.ref->id != run || l.ref->state != RUN_PREPARED) continue;
        t->rows += (int64_t)run_entry_count(l.ref->run);
        t->newest_ts = ts;
        return lsn < t->needed_lsn ? forest_install_runs(f, &l, 1, ts)
                                   : claim_in_front(t, &l, lsn, ts);
    }
    return OK;
}

bool forest_find_pending(struct forest *f, tree_id tree, uint64_t run, struct loaded_run *ret)
{
    struct tree *t = forest_tree(f, tree);
    const struct level *v = t ? &tree_shape(t)->levels[0] : NULL;
    for (uint32_t i = 0; v && i < v->count; i++) {
        *ret = (struct loaded_run){t, v->runs[i]};
        if (ret->ref->id == run && ret->ref->state == RUN_PREPARED) return true;
    }
    return false;
}

void forest_keep_run(const struct loaded_run *l)
{
    l->ref->kept = true;
}

void forest_revive_run(const struct loaded_run *l, uint64_t begin)
{
    l->ref->kept = false;
    l->ref->command = 1;
    __atomic_store_n(&l->ref->begin, begin, __ATOMIC_RELEASE);
}

struct unclaimed {
    ARRAY(struct loaded_run) runs;
    ARRAY(struct tree *) trees;
};

static enum status find_unclaimed(void *ctx, struct tree *t)
{
    struct unclaimed *u = ctx;
    const struct level *v = &tree_shape(t)->levels[0];
    bool kept = false;
    for (uint32_t i = 0; i < v->count; i++) {
        kept |= v->runs[i]->kept;
        if (v->runs[i]->state != RUN_PREPARED || v->runs[i]->kept) continue;
        ARRAY_PUSH(&u->runs, (struct loaded_run){t, v->runs[i]});
    }
    if (!t->created && !kept) ARRAY_PUSH(&u->trees, t);
    return OK;
}

enum status forest_drop_unclaimed(struct forest *f)
{
    struct unclaimed u = {0};
    enum status st = forest_each(f, find_unclaimed, &u);
    if (st == OK && u.runs.count) st = forest_forget_runs(f, u.runs.data, u.runs.count);
    for (size_t i = 0; i < u.runs.count && st == OK; i++)
        tree_unpublish_run(u.runs.data[i].tree, u.runs.data[i].ref);
    for (size_t i = 0; i < u.trees.count && st == OK; i++)
        forest_remove(f, u.trees.data[i], true);
    ARRAY_RELEASE(&u.runs);
    ARRAY_RELEASE(&u.trees);
    epoch_collect(f->o.epoch);
    return st;
}
