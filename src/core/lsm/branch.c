/* The registry of branches, their overlays, and what they pin of the past. */
#include "core/lsm/branch.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/point.h"
#include "core/lsm/redo.h"
#include "core/lsm/tree_priv.h"

/* --- overlays ---------------------------------------------------------------------------------- */

enum { MAP_SLOTS_MIN = 8 };

static struct overlay_map *overlays_new(uint32_t slots)
{
    struct overlay_map *m =
        mem_alloc(MEM_RUN, sizeof *m + (size_t)slots * sizeof(struct overlay_slot));
    m->mask = slots - 1;
    return m;
}

static void slot_put(struct overlay_map *m, tree_id base, tree_id overlay)
{
    uint32_t i = (uint32_t)(base * 0x9E3779B97F4A7C15ull >> 32);
    while (m->slots[i & m->mask].base && m->slots[i & m->mask].base != base) i++;
    m->count += !m->slots[i & m->mask].base;
    m->slots[i & m->mask] = (struct overlay_slot){base, overlay};
}

static void free_map(void *object)
{
    mem_free(MEM_RUN, object);
}

void branch__note_overlay(struct branch *b, tree_id base, tree_id overlay)
{
    struct overlay_map *old = b->overlays;
    uint32_t slots = MAP_SLOTS_MIN, count = old ? old->count : 0;
    while (slots < 2 * (count + 1)) slots *= 2;
    struct overlay_map *next = overlays_new(slots);
    for (uint32_t i = 0; old && i <= old->mask; i++)
        if (old->slots[i].base) slot_put(next, old->slots[i].base, old->slots[i].overlay);
    slot_put(next, base, overlay);
    __atomic_store_n(&b->overlays, next, __ATOMIC_RELEASE);
    if (old) epoch_retire(b->forest->o.epoch, free_map, old);
}

/* It is told to the log and the manifest before anyone can write to it: no row is of what is not there. */
static enum status make_overlay(struct branch *b, const struct tree *base, struct tree **ret)
{
    struct forest *f = b->forest;
    struct tree *t;
    tree_id id;
    TRY(forest_new_id(f, &id));
    TRY(forest_add(f, id, f->wal ? wal_appended_lsn(f->wal).v : 0, &t));
    t->branch = b->id;
    t->base = base->id;
    t->retention_us = __atomic_load_n(&base->retention_us, __ATOMIC_RELAXED);
    POINT("branch.before_overlay");
    lsn_t end;
    enum status st = forest_redo_overlay(f, t, &end);
    if (st == OK) st = forest_log_create(f, t);
    if (st == OK && f->wal) st = wal_wait(f->wal, end, false);
    if (st != OK) {
        forest_remove(f, t, true);
        return st;
    }
    branch__note_overlay(b, base->id, id);
    *ret = t;
    return OK;
}

enum status branch_make_overlay(struct branch *b, struct tree *base, struct tree **ret)
{
    enum status st = OK;
    fmutex_lock(&b->mutex);
    tree_id id = branch_overlay(b, base->id);
    *ret = id ? forest_tree(b->forest, id) : NULL;
    if (!*ret) st = make_overlay(b, base, ret);
    fmutex_unlock(&b->mutex);
    return st;
}

/* --- pins -------------------------------------------------------------------------------------- */

static int compare_ts(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void forest_pins(struct forest *f, const struct tree *t, struct pins *ret)
{
    *ret = (struct pins){0};
    if (!__atomic_load_n(&f->branch_count, __ATOMIC_ACQUIRE)) return;
    fmutex_lock(&f->branches_mutex);
    for (size_t i = 0; i < f->branches.count; i++) {
        const struct branch *b = f->branches.data[i];
        for (int k = 0; k < 2 && b->id == t->branch; k++)
            if (b->marks[k]) ARRAY_PUSH(&ret->ts, b->marks[k]);
        for (uint32_t k = 1; k < b->steps; k++) {
            const struct branch *at = b->path[k].branch;
            if ((at ? at->id : 0) == t->branch) ARRAY_PUSH(&ret->ts, b->path[k].ts);
        }
    }
    fmutex_unlock(&f->branches_mutex);
    if (ret->ts.count > 1) qsort(ret->ts.data, ret->ts.count, sizeof(uint64_t), compare_ts);
    size_t n = 0;
    for (size_t i = 0; i < ret->ts.count; i++)
        if (!n || ret->ts.data[n - 1] != ret->ts.data[i]) ret->ts.data[n++] = ret->ts.data[i];
    ret->ts.count = n;
}

void pins_release(struct pins *p)
{
    ARRAY_RELEASE(&p->ts);
}

bool pins_between(const struct pins *p, uint64_t from, uint64_t to)
{
    return ts_between(p->ts.data, p->ts.count, from, to);
}

/* --- the registry ------------------------------------------------------------------------------ */

struct branch *forest_branch_named(const struct forest *f, struct slice name)
{
    for (size_t i = 0; i < f->branches.count; i++)
        if (slice_eq(slice_of(f->branches.data[i]->name), name)) return f->branches.data[i];
    return NULL;
}

struct branch *forest_branch(const struct forest *f, uint32_t id)
{
    for (size_t i = 0; i < f->branches.count; i++)
        if (f->branches.data[i]->id == id) return f->branches.data[i];
    return NULL;
}

static void make_path(struct branch *b, struct branch *parent)
{
    uint64_t ts = b->fork_ts;
    b->path[0] = (struct branch_step){b, UINT64_MAX};
    b->path[1] = (struct branch_step){parent, ts};
    b->steps = 2;
    for (uint32_t i = 1; parent && i < parent->steps; i++) {
        if (parent->path[i].ts < ts) ts = parent->path[i].ts;
        b->path[b->steps++] = (struct branch_step){parent->path[i].branch, ts};
    }
}

struct branch *branch__new(struct forest *f, uint32_t id, struct branch *parent, struct slice name,
                           uint64_t fork_ts, int64_t created_us)
{
    struct branch *b = mem_alloc(MEM_RUN, sizeof *b);
    b->forest = f;
    b->id = id;
    b->fork_ts = fork_ts;
    b->created_us = created_us;
    memcpy(b->name, name.data, name.len);
    make_path(b, parent);
    return b;
}

void branch__list(struct forest *f, struct branch *b)
{
    ARRAY_PUSH(&f->branches, b);
    if (b->id >= f->next_branch) f->next_branch = b->id + 1;
    __atomic_store_n(&f->branch_count, (uint32_t)f->branches.count, __ATOMIC_RELEASE);
}

enum status forest_add_branch(struct forest *f, struct branch *parent, struct slice name,
                              uint64_t fork_ts, int64_t created_us, struct branch **ret)
{
    if (parent && parent->steps >= BRANCH_STEPS_MAX) {
        FAIL(PROGRAM_LIMIT_EXCEEDED, "branches can be nested %d deep at most",
             STORE_BRANCH_DEPTH_MAX);
        return error_hint("Merge branch \"%s\" into its parent, or fork from one of its ancestors.",
                          parent->name);
    }
    if (f->branches.count >= STORE_BRANCHES_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "no more than %d branches can exist",
                    STORE_BRANCHES_MAX);
    if (!f->next_branch) f->next_branch = 1;
    *ret = branch__new(f, f->next_branch, parent, name, fork_ts, created_us);
    branch__list(f, *ret);
    return OK;
}

static void branch_free(struct branch *b)
{
    mem_free(MEM_RUN, b->overlays);
    mem_free(MEM_RUN, b);
}

void forest_forget_branch(struct forest *f, struct branch *b)
{
    size_t n = 0;
    for (size_t i = 0; i < f->branches.count; i++)
        if (f->branches.data[i] != b) f->branches.data[n++] = f->branches.data[i];
    f->branches.count = n;
    __atomic_store_n(&f->branch_count, (uint32_t)n, __ATOMIC_RELEASE);
    branch_free(b);
}

struct owned_trees {
    uint32_t branch;
    ARRAY(struct tree *) trees;
};

static enum status find_owned(void *ctx, struct tree *t)
{
    struct owned_trees *o = ctx;
    if (t->branch == o->branch) ARRAY_PUSH(&o->trees, t);
    return OK;
}

enum status forest_drop_branch(struct forest *f, struct branch *b)
{
    struct owned_trees o = {b->id, {0}};
    uint32_t id = b->id;
    lsn_t end;
    enum status st = forest_each(f, find_owned, &o);
    fmutex_lock(&f->manifest_mutex);
    POINT("branch.before_drop");
    if (st == OK) st = forest__log_unbranch(f, b->id, o.trees.data, o.trees.count);
    fmutex_unlock(&f->manifest_mutex);
    for (size_t i = 0; i < o.trees.count && st == OK; i++) forest_remove(f, o.trees.data[i], true);
    if (st == OK) {
        fmutex_lock(&f->branches_mutex);
        forest_forget_branch(f, b);
        fmutex_unlock(&f->branches_mutex);
    }
    ARRAY_RELEASE(&o.trees);
    epoch_collect(f->o.epoch);
    TRY(st);
    if (forest_redo_unbranch(f, id, &end) == OK && (!f->wal || wal_wait(f->wal, end, false) == OK)) return OK;
    log_error(LOG_ERROR, "store"); /* it is gone all the same; the next open tells the log */
    error_clear();
    return OK;
}

void forest_free_branches(struct forest *f)
{
    for (size_t i = 0; i < f->branches.count; i++) branch_free(f->branches.data[i]);
    ARRAY_RELEASE(&f->branches);
}
