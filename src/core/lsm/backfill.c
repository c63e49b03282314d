/* Runs that come to lie below all that a tree has: the entries of an index that was built while
 * others wrote to it (docs/design/online-ddl.md).
 *
 * They are stamped older than the tree's first version, so that versions stay newer the higher
 * they lie. Compactions and flushes decide by the shape that they began with whether anything
 * lies below them, and drop tombstones by that: none of the one kind is under way while the runs
 * are put there, and those of the other are waited for while the caller's snapshot still keeps
 * every tombstone that hides something. */
#include "core/lsm/tree_priv.h"

#include "base/mem.h"
#include "base/point.h"

/* The level that has room for so many bytes, none of whose runs nor of those below are there
 * yet. */
static enum status choose_level(const struct tree *t, uint64_t bytes, uint32_t *ret)
{
    const struct shape *s = t->shape;
    uint32_t level = 1;
    while (level + 1 < LEVELS_MAX && bytes > tree__level_target(t->forest, level)) level++;
    for (uint32_t l = 1; l < LEVELS_MAX; l++)
        if (s->levels[l].count && l >= level) level = l + 1;
    *ret = level;
    if (level < LEVELS_MAX) return OK;
    return FAIL(INTERNAL_ERROR, "tree %llu has no level left for older runs",
                (unsigned long long)t->id);
}

static void discard(struct run_edit *e)
{
    for (size_t i = 0; i < e->added.count; i++) {
        struct run_ref *r = e->added.data[i];
        run_close(r->run); /* its space is the caller's to give back */
        mem_free(MEM_RUN, (char *)r->meta.data);
        mem_free(MEM_RUN, r);
    }
    run_edit_release(e);
}

/* Under both mutexes. */
static enum status install(struct tree *t, struct run_edit *e, uint64_t bytes,
                           const struct shape **ret_before)
{
    struct forest *f = t->forest;
    uint32_t level;
    int64_t rows = 0;
    TRY(choose_level(t, bytes, &level));
    for (size_t i = 0; i < e->added.count; i++) {
        ARRAY_PUSH(&e->added_level, level);
        rows += (int64_t)run_entry_count(e->added.data[i]->run);
    }
    e->replay_lsn = t->replay_lsn;
    e->rows = __atomic_add_fetch(&t->rows, rows, __ATOMIC_RELAXED);
    if (t->dropped || t->drop_logged)
        return FAIL(UNDEFINED_OBJECT, "tree %llu does not exist", (unsigned long long)t->id);
    POINT("backfill.before_manifest");
    TRY(forest__log_edit(f, t, e));
    POINT("backfill.after_manifest");
    struct shape *next = shape__copy(t->shape);
    for (size_t i = 0; i < e->added.count; i++) shape__add_run(next, level, e->added.data[i]);
    *ret_before = t->shape;
    struct memtable *active = next->memories[0]->table;
    /* Under the latch: a write is either in the memtable by now, or its writer sees the runs. */
    memtable_latch(active);
    tree__set_shape(t, next);
    memtable_unlatch(active);
    return OK;
}

static enum status put(struct tree *t, struct run_edit *e, uint64_t bytes,
                       const struct shape **ret_before)
{
    struct forest *f = t->forest;
    bool mine;
    TRY(blocks_sync(f->blocks));
    TRY(tree__begin_work(t, &mine));
    if (!mine) return FAIL(UNDEFINED_OBJECT, "tree %llu does not exist", (unsigned long long)t->id);
    fmutex_lock(&t->mutex);
    fmutex_lock(&f->manifest_mutex);
    enum status st = install(t, e, bytes, ret_before);
    fmutex_unlock(&f->manifest_mutex);
    fmutex_unlock(&t->mutex);
    tree__end_work(t);
    return st;
}

/* One that is under way may have begun when nothing lay below. */
static void await_flush(struct tree *t)
{
    struct forest *f = t->forest;
    fmutex_lock(&f->work_mutex);
    while (t->flushing) (void)fcond_wait(&f->work_done, &f->work_mutex, 0);
    fmutex_unlock(&f->work_mutex);
}

enum status tree_backfill(struct tree *t, const struct slice *metas, uint32_t n,
                          const struct shape **ret_before, struct run_ref ***ret_runs)
{
    struct run_edit e = {.tree = t->id};
    uint64_t bytes = 0;
    enum status st = OK;
    for (uint32_t i = 0; i < n && st == OK; i++) {
        struct run *run;
        st = run_open(t->forest->blocks, t->forest->cache, metas[i], &run);
        if (st != OK) break;
        uint64_t id = __atomic_fetch_add(&t->forest->next_run, 1, __ATOMIC_RELAXED);
        ARRAY_PUSH(&e.added, run_ref__new(id, run, metas[i]));
        bytes += run_bytes(run);
    }
    if (st == OK) st = put(t, &e, bytes, ret_before);
    if (st != OK) {
        discard(&e);
        return st;
    }
    *ret_runs = mem_alloc(MEM_RUN, (n + 1) * sizeof **ret_runs);
    memcpy(*ret_runs, e.added.data, n * sizeof **ret_runs);
    run_edit_release(&e);
    await_flush(t);
    return OK;
}
