#include "core/lsm/tree.h"

#include <stdlib.h>

#include "base/mem.h"
#include "core/lsm/branch.h"
#include "core/lsm/masks.h"
#include "core/lsm/places.h"
#include "core/lsm/tree_priv.h"

/* --- runs and memtables ------------------------------------------------------------------------ */

struct run_ref *run_ref__new(uint64_t id, struct run *run, struct slice meta)
{
    struct run_ref *r = mem_alloc(MEM_RUN, sizeof *r);
    r->id = id;
    r->run = run;
    char *copy = mem_alloc(MEM_RUN, meta.len + 1);
    memcpy(copy, meta.data, meta.len);
    r->meta = slice_make(copy, meta.len);
    r->refs = 1;
    return r;
}

void run_ref__unref(struct run_ref *r)
{
    if (__atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) != 0) return;
    if (r->run && __atomic_load_n(&r->doomed, __ATOMIC_ACQUIRE)) run_destroy(r->run);
    else if (r->run) run_close(r->run);
    run_masks_free(r);
    mem_free(MEM_RUN, (char *)r->meta.data);
    mem_free(MEM_RUN, r);
}

struct memory *memory__new(struct forest *f, uint64_t first_lsn)
{
    struct memory *m = mem_alloc(MEM_MEMTABLE, sizeof *m);
    m->table = memtable_new(f->o.epoch);
    m->first_lsn = first_lsn;
    return m;
}

void memory__free(struct forest *f, struct memory *m)
{
    __atomic_sub_fetch(m->flushed ? &f->flushed_bytes : &f->memtable_bytes, m->counted,
                       __ATOMIC_RELAXED);
    memtable_free(m->table);
    mem_free(MEM_MEMTABLE, m);
}

uint64_t memory_account(struct forest *f, struct memory *m)
{
    uint64_t bytes = memtable_bytes(m->table);
    if (bytes > m->counted) {
        __atomic_add_fetch(&f->memtable_bytes, bytes - m->counted, __ATOMIC_RELAXED);
        m->counted = bytes;
    }
    return bytes;
}

/* --- shapes ------------------------------------------------------------------------------------ */

struct shape *shape__copy(const struct shape *s)
{
    struct shape *c = mem_alloc(MEM_RUN, sizeof *c);
    c->memories = mem_alloc(MEM_RUN, (s->memory_count + 1) * sizeof *c->memories);
    c->places = mem_alloc(MEM_RUN, (s->memory_count + 1) * sizeof *c->places);
    c->memory_count = s->memory_count;
    for (uint32_t i = 0; i < s->memory_count; i++)
        c->places[i] = places_ref(__atomic_load_n(&s->places[i], __ATOMIC_ACQUIRE));
    c->runs_version = s->runs_version;
    if (s->memory_count)
        memcpy(c->memories, s->memories, s->memory_count * sizeof *c->memories);
    for (int l = 0; l < LISTS; l++) {
        const struct level *from = &s->levels[l];
        c->levels[l].runs = mem_alloc(MEM_RUN, (from->count + 1) * sizeof(struct run_ref *));
        c->levels[l].count = from->count;
        for (uint32_t i = 0; i < from->count; i++) {
            c->levels[l].runs[i] = from->runs[i];
            __atomic_add_fetch(&from->runs[i]->refs, 1, __ATOMIC_RELAXED);
        }
    }
    return c;
}

/* They are of other runs. */
static void forget_places(struct shape *s)
{
    for (uint32_t i = 0; i < s->memory_count; i++) {
        places_unref(s->places[i]);
        s->places[i] = NULL;
    }
}

void shape__free(struct shape *s)
{
    for (int l = 0; l < LISTS; l++) {
        for (uint32_t i = 0; i < s->levels[l].count; i++) run_ref__unref(s->levels[l].runs[i]);
        mem_free(MEM_RUN, s->levels[l].runs);
        mem_free(MEM_RUN, s->levels[l].times);
    }
    forget_places(s);
    mem_free(MEM_RUN, s->places);
    mem_free(MEM_RUN, s->memories);
    mem_free(MEM_RUN, s);
}

static void free_retired_shape(void *object)
{
    shape__free(object);
}

static void note_times(struct level *v)
{
    v->times = mem_realloc(MEM_RUN, v->times, (v->count + 1) * sizeof *v->times);
    for (uint32_t i = 0; i < v->count; i++) {
        uint64_t min = run_min_ts(v->runs[i]->run), max = run_max_ts(v->runs[i]->run);
        v->times[i] = (struct ts_range){min, max, time_middle(min, max)};
    }
}

void tree__set_shape(struct tree *t, struct shape *next)
{
    struct shape *old = t->shape;
    note_times(&next->levels[HISTORY]);
    __atomic_store_n(&t->shape, next, __ATOMIC_RELEASE);
    epoch_retire(t->forest->o.epoch, free_retired_shape, old);
}

void shape__drop_memory(struct shape *s)
{
    s->memory_count--;
    places_unref(s->places[s->memory_count]);
    s->places[s->memory_count] = NULL;
}

void shape__remove_run(struct shape *s, uint64_t id)
{
    s->runs_version++;
    forget_places(s);
    for (int l = 0; l < LISTS; l++) {
        struct level *v = &s->levels[l];
        for (uint32_t i = 0; i < v->count; i++) {
            if (v->runs[i]->id != id) continue;
            run_ref__unref(v->runs[i]);
            memmove(&v->runs[i], &v->runs[i + 1], (v->count - i - 1) * sizeof *v->runs);
            v->count--;
            return;
        }
    }
}

void shape__add_run(struct shape *s, uint32_t level, struct run_ref *r)
{
    struct level *v = &s->levels[level];
    s->runs_version++;
    forget_places(s);
    v->runs = mem_realloc(MEM_RUN, v->runs, (v->count + 2) * sizeof *v->runs);
    uint32_t at = 0;
    if (level == HISTORY && r->run)
        while (at < v->count && run_max_ts(v->runs[at]->run) > run_max_ts(r->run)) at++;
    else if (level > 0 && r->run)
        while (at < v->count &&
               slice_cmp(run_min_key(v->runs[at]->run), run_min_key(r->run)) < 0)
            at++;
    memmove(&v->runs[at + 1], &v->runs[at], (v->count - at) * sizeof *v->runs);
    v->runs[at] = r;
    v->count++;
}

/* --- trees ------------------------------------------------------------------------------------- */

static struct tree *tree_new(struct forest *f, tree_id id, uint64_t first_lsn)
{
    struct tree *t = mem_alloc(MEM_RUN, sizeof *t);
    t->forest = f;
    t->id = id;
    t->refs = 1;
    struct shape empty = {0};
    t->shape = shape__copy(&empty);
    t->shape->memories[0] = memory__new(f, first_lsn);
    t->shape->memory_count = 1;
    t->replay_lsn = first_lsn;
    t->retention_us = RETENTION_DEFAULT;
    return t;
}

static void tree_free(struct tree *t)
{
    struct shape *s = t->shape;
    for (uint32_t i = 0; i < s->memory_count; i++) memory__free(t->forest, s->memories[i]);
    shape__free(s);
    tree_rescue_free(t->rescue);
    run_layout_unref(t->columns);
    mem_free(MEM_RUN, t);
}

void tree_ref(struct tree *t)
{
    __atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
}

void tree_unref(struct tree *t)
{
    if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) == 0) tree_free(t);
}

static void free_retired_tree(void *object)
{
    tree_unref(object);
}

enum status forest_add(struct forest *f, tree_id id, uint64_t first_lsn, struct tree **ret)
{
    if (id == 0 || id >= FOREST_TREES)
        return FAIL(DATA_CORRUPTED, "tree number %llu is out of range", (unsigned long long)id);
    fmutex_lock(&f->grow_mutex);
    struct tree *t = forest_tree(f, id);
    if (!t) {
        struct tree **chunk = f->chunks[id / FOREST_CHUNK];
        if (!chunk) {
            chunk = mem_alloc(MEM_RUN, FOREST_CHUNK * sizeof *chunk);
            __atomic_store_n(&f->chunks[id / FOREST_CHUNK], chunk, __ATOMIC_RELEASE);
        }
        t = tree_new(f, id, first_lsn);
        __atomic_store_n(&chunk[id % FOREST_CHUNK], t, __ATOMIC_RELEASE);
        __atomic_add_fetch(&f->tree_count, 1, __ATOMIC_RELAXED);
    }
    if (id >= f->next_tree) __atomic_store_n(&f->next_tree, id + 1, __ATOMIC_RELAXED);
    fmutex_unlock(&f->grow_mutex);
    *ret = t;
    return OK;
}

enum status forest_new_id(struct forest *f, tree_id *ret)
{
    uint64_t id = __atomic_load_n(&f->next_tree, __ATOMIC_RELAXED);
    do {
        if (id >= FOREST_TREES)
            return FAIL(PROGRAM_LIMIT_EXCEEDED, "no more than %d trees can be made in one store",
                        FOREST_TREES);
    } while (!__atomic_compare_exchange_n(&f->next_tree, &id, id + 1, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    *ret = id;
    return OK;
}

void forest_remove(struct forest *f, struct tree *t, bool destroy)
{
    fmutex_lock(&f->grow_mutex);
    __atomic_store_n(&f->chunks[t->id / FOREST_CHUNK][t->id % FOREST_CHUNK], NULL,
                     __ATOMIC_RELEASE);
    __atomic_sub_fetch(&f->tree_count, 1, __ATOMIC_RELAXED);
    fmutex_unlock(&f->grow_mutex);
    fmutex_lock(&t->mutex);
    __atomic_store_n(&t->dropped, true, __ATOMIC_RELEASE);
    if (destroy) {
        struct shape *s = t->shape;
        for (int l = 0; l < LISTS; l++)
            for (uint32_t i = 0; i < s->levels[l].count; i++)
                __atomic_store_n(&s->levels[l].runs[i]->doomed, true, __ATOMIC_RELEASE);
    }
    fmutex_unlock(&t->mutex);
    epoch_retire(f->o.epoch, free_retired_tree, t);
}

enum status forest_each(struct forest *f, enum status (*fn)(void *ctx, struct tree *t), void *ctx)
{
    uint64_t end = __atomic_load_n(&f->next_tree, __ATOMIC_RELAXED);
    enum status st = OK;
    struct epoch_slot *slot = epoch_slot_new(f->o.epoch);
    epoch_enter(slot);
    for (uint64_t id = 1; id < end && st == OK; id++) {
        struct tree *t = forest_tree(f, id);
        if (t && !__atomic_load_n(&t->dropped, __ATOMIC_ACQUIRE)) st = fn(ctx, t);
    }
    epoch_exit(slot);
    epoch_slot_free(slot);
    return st;
}

enum status forest_each_due(struct forest *f, bool (*due)(struct tree *t),
                            enum status (*fn)(void *ctx, struct tree *t), void *ctx)
{
    uint64_t end = __atomic_load_n(&f->next_tree, __ATOMIC_RELAXED);
    enum status st = OK;
    struct epoch_slot *slot = epoch_slot_new(f->o.epoch);
    for (uint64_t id = 1; id < end && st == OK; id++) {
        epoch_enter(slot);
        struct tree *t = forest_tree(f, id);
        bool wanted = t && !__atomic_load_n(&t->dropped, __ATOMIC_ACQUIRE) && due(t);
        if (wanted) tree_ref(t);
        epoch_exit(slot);
        if (!wanted) continue;
        st = fn(ctx, t);
        tree_unref(t);
    }
    epoch_slot_free(slot);
    return st;
}

enum status tree_freeze(struct tree *t, struct memory *m)
{
    fmutex_lock(&t->mutex);
    struct shape *s = t->shape;
    if (s->memories[0] == m && memtable_key_count(m->table) > 0 && !t->dropped) {
        struct shape *next = shape__copy(s);
        next->memories =
            mem_realloc(MEM_RUN, next->memories, (s->memory_count + 2) * sizeof *next->memories);
        memmove(next->memories + 1, next->memories, s->memory_count * sizeof *next->memories);
        next->places = mem_realloc(MEM_RUN, next->places, (s->memory_count + 2) * sizeof *next->places);
        memmove(next->places + 1, next->places, s->memory_count * sizeof *next->places);
        next->places[0] = NULL;
        memtable_latch(m->table);
        /* Taken under the latch: every write to the new memtable is logged after this. */
        next->memories[0] = memory__new(t->forest, t->forest->wal ? wal_appended_lsn(t->forest->wal).v : 0);
        if (t->forest->wal) next->memories[0]->since_ts = wal_appended_ts(t->forest->wal);
        next->memories[0]->runs_version = s->runs_version;
        next->memory_count = s->memory_count + 1;
        __atomic_store_n(&m->frozen, true, __ATOMIC_SEQ_CST);
        tree__set_shape(t, next);
        memtable_unlatch(m->table);
    }
    fmutex_unlock(&t->mutex);
    return OK;
}

void tree__note_work(const struct tree *t, struct work_time *to, int64_t began_us)
{
    __atomic_store_n(&to->took_us, monotonic_us() - began_us, __ATOMIC_RELAXED);
    __atomic_store_n(&to->at_us, os_wall_us(t->forest->o.os), __ATOMIC_RELAXED);
}

bool tree_flush_due(struct tree *t)
{
    const struct shape *s = tree_shape(t);
    return s->memory_count > 1 &&
           __atomic_load_n(&s->memories[s->memory_count - 1]->unresolved, __ATOMIC_ACQUIRE) == 0;
}

uint64_t tree_replay_lsn(struct tree *t)
{
    fmutex_lock(&t->mutex);
    struct shape *s = t->shape;
    struct memory *oldest = s->memories[s->memory_count - 1];
    uint64_t lsn = __atomic_load_n(&oldest->first_lsn, __ATOMIC_ACQUIRE);
    if (s->memory_count == 1 && memtable_key_count(oldest->table) == 0) lsn = UINT64_MAX;
    fmutex_unlock(&t->mutex);
    return lsn;
}

uint64_t tree_disk_bytes(const struct tree *t)
{
    const struct shape *s = tree_shape(t);
    uint64_t bytes = 0;
    for (int l = 0; l < LISTS; l++)
        for (uint32_t i = 0; i < s->levels[l].count; i++) bytes += run_bytes(s->levels[l].runs[i]->run);
    return bytes;
}

/* --- the forest -------------------------------------------------------------------------------- */

static int compare_ends(const void *a, const void *b)
{
    uint64_t x = run_max_ts((*(struct run_ref *const *)a)->run);
    uint64_t y = run_max_ts((*(struct run_ref *const *)b)->run);
    return (x < y) - (x > y);
}

static int compare_runs(const void *a, const void *b)
{
    const struct run_ref *x = *(struct run_ref *const *)a, *y = *(struct run_ref *const *)b;
    return slice_cmp(run_min_key(x->run), run_min_key(y->run));
}

static enum status open_run(struct forest *f, struct tree *t, struct run_ref *r, struct arena *a)
{
    struct extent *extents;
    uint32_t n;
    TRY(run_meta_extents(r->meta, a, &extents, &n));
    for (uint32_t i = 0; i < n; i++) TRY(blocks_mark_used(f->blocks, extents[i]));
    TRY(run_open(f->blocks, f->cache, r->meta, &r->run));
    if (run_tree(r->run) != t->id)
        return FAIL(DATA_CORRUPTED, "the manifest gives tree %llu a run of tree %llu",
                    (unsigned long long)t->id, (unsigned long long)run_tree(r->run));
    uint64_t ts = (run_max_ts(r->run) + 1) & ~1ull; /* commits are even, loads just before them */
    if (ts > f->max_ts) f->max_ts = ts;
    if (ts > t->newest_ts) t->newest_ts = ts;
    return OK;
}

static enum status open_runs(struct forest *f, struct tree *t, struct arena *a)
{
    for (int l = 0; l < LISTS; l++) {
        struct level *v = &t->shape->levels[l];
        for (uint32_t i = 0; i < v->count; i++) {
            TRY(open_run(f, t, v->runs[i], a));
            arena_clear(a);
        }
        if (l > 0 && v->count > 1)
            qsort(v->runs, v->count, sizeof *v->runs, l == HISTORY ? compare_ends : compare_runs);
    }
    note_times(&t->shape->levels[HISTORY]);
    return OK;
}

static enum status open_manifest(struct forest *f)
{
    TRY(manifest_open(f->o.os, f->o.dir, f->blocks, forest__replay, f, &f->manifest));
    struct arena scratch;
    arena_init(&scratch, MEM_RUN);
    enum status st = OK;
    for (uint64_t id = 1; id < f->next_tree && st == OK; id++) {
        struct tree *t = forest_tree(f, id);
        if (t) st = open_runs(f, t, &scratch);
    }
    arena_release(&scratch);
    return st;
}

enum status forest_open(const struct forest_options *o, struct forest **ret)
{
    struct forest *f = mem_alloc(MEM_RUN, sizeof *f);
    f->o = *o;
    f->next_tree = f->next_run = 1;
    /* Here, so that a report shows them before the first flush. */
    (void)counter_get("helios_flushes_total", "Memtables written to disk.");
    (void)counter_get("helios_flush_bytes_total", "Bytes that flushes wrote.");
    (void)counter_get("helios_compactions_total", "Merges of runs.");
    (void)counter_get("helios_compaction_bytes_total", "Bytes that merges wrote.");
    struct blocks_options bo = {.os = o->os, .dir = o->dir};
    enum status st = blocks_open(&bo, &f->blocks);
    if (st == OK) {
        f->cache = cache_new(o->cache_bytes);
        st = open_manifest(f);
    }
    if (st != OK) {
        forest_free(f);
        return st;
    }
    *ret = f;
    return OK;
}

void forest_free(struct forest *f)
{
    for (uint32_t c = 0; c < FOREST_CHUNKS; c++) {
        if (!f->chunks[c]) continue;
        for (uint32_t i = 0; i < FOREST_CHUNK; i++)
            if (f->chunks[c][i]) tree_free(f->chunks[c][i]);
        mem_free(MEM_RUN, f->chunks[c]);
    }
    forest_free_branches(f);
    if (f->manifest) manifest_close(f->manifest);
    if (f->cache) cache_free(f->cache);
    if (f->blocks) blocks_close(f->blocks);
    mem_free(MEM_RUN, f);
}
