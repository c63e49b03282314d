/* Verification of the forest: what the manifest names, as it is on disk now.
 *
 * Each tree is looked at through a copy of its shape, whose references keep its runs whatever is
 * compacted or dropped meanwhile; so no epoch section and no lock is held over the reading. Extents
 * are held against each other for all trees at one moment, under the mutex of the manifest. */
#include "core/lsm/tree_priv.h"
#include "core/lsm/verify_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* Tells a finding; a failed check is told with its error's words, and is no error any more. */
static enum status tell(const struct verify_sink *sink, const char *object, const char *kind,
                        uint64_t checked, enum status result)
{
    struct strbuf words;
    strbuf_init(&words, NULL);
    if (result != OK) {
        const struct error *e = error_current();
        strbuf_adds(&words, e->message);
        if (e->detail[0]) strbuf_addf(&words, " (%s)", e->detail);
        error_clear();
    }
    struct verify_finding f = {object, kind, checked, result == OK ? NULL : words.data};
    enum status st = sink->found(sink->ctx, &f);
    strbuf_release(&words);
    return st;
}

/* --- extents ----------------------------------------------------------------------------------- */

struct owned_extent {
    struct extent extent;
    uint64_t tree, run;
};

struct extents {
    ARRAY(struct owned_extent) list;
    struct arena arena;
    bool loading; /* there are runs that the manifest does not name yet */
};

static enum status collect_extents(void *ctx, struct tree *t)
{
    struct extents *x = ctx;
    const struct shape *s = tree_shape(t);
    for (int l = 0; l < LISTS; l++)
        for (uint32_t i = 0; i < s->levels[l].count; i++) {
            struct extent *e;
            uint32_t n;
            if (s->levels[l].runs[i]->state == RUN_LOADED) {
                x->loading = true;
                continue;
            }
            arena_clear(&x->arena);
            TRY(run_meta_extents(s->levels[l].runs[i]->meta, &x->arena, &e, &n));
            for (uint32_t k = 0; k < n; k++) {
                struct owned_extent o = {e[k], t->id, s->levels[l].runs[i]->id};
                ARRAY_PUSH(&x->list, o);
            }
        }
    return OK;
}

static int compare_extents(const void *a, const void *b)
{
    const struct owned_extent *x = a, *y = b;
    if (x->extent.file != y->extent.file) return x->extent.file < y->extent.file ? -1 : 1;
    return (x->extent.block > y->extent.block) - (x->extent.block < y->extent.block);
}

static enum status check_extent(const struct forest *f, const struct owned_extent *o,
                                const struct owned_extent *before)
{
    const struct extent e = o->extent;
    if (!blocks_extent_valid(f->blocks, e))
        FAIL(DATA_CORRUPTED, "extent of file %u, block %u, %u blocks is not in the file", e.file,
             e.block, e.blocks);
    else if (before && before->extent.file == e.file &&
             before->extent.block + blocks_extent_bytes(before->extent) / BLOCK_BYTES > e.block)
        FAIL(DATA_CORRUPTED, "extent of file %u, block %u overlaps that at block %u of tree %llu",
             e.file, e.block, before->extent.block, (unsigned long long)before->tree);
    else return OK;
    return error_detail("It belongs to tree %llu, run %llu.", (unsigned long long)o->tree,
                        (unsigned long long)o->run);
}

/* `idle`: nothing is being written, so that what is in use must be what the manifest names. */
static enum status verify_extents(struct forest *f, bool idle, const struct verify_sink *sink)
{
    struct extents x = {0};
    uint64_t named = (uint64_t)EXTENT_BLOCKS_MIN * BLOCK_BYTES; /* the superblocks */
    arena_init(&x.arena, MEM_RUN);
    fmutex_lock(&f->manifest_mutex);
    /* First: what is freed while we collect is named no more. */
    uint64_t used = blocks_bytes_used(f->blocks);
    enum status st = forest_each(f, collect_extents, &x);
    fmutex_unlock(&f->manifest_mutex);
    if (x.list.count) qsort(x.list.data, x.list.count, sizeof *x.list.data, compare_extents);
    for (size_t i = 0; i < x.list.count && st == OK; i++) {
        const struct owned_extent *o = &x.list.data[i];
        st = check_extent(f, o, i ? o - 1 : NULL);
        if (st == OK) named += blocks_extent_bytes(o->extent);
    }
    if (st == OK && (used < named || (idle && !x.loading && used > named)))
        st = FAIL(DATA_CORRUPTED, "%llu bytes are allocated, but the manifest names %llu",
                  (unsigned long long)used, (unsigned long long)named);
    st = tell(sink, "data files", "extent", x.list.count, st);
    arena_release(&x.arena);
    ARRAY_RELEASE(&x.list);
    return st;
}

/* --- trees ------------------------------------------------------------------------------------- */

static enum status verify_level(const struct level *v, int level)
{
    for (uint32_t i = 1; level > 0 && i < v->count; i++)
        if (slice_cmp(run_max_key(v->runs[i - 1]->run), run_min_key(v->runs[i]->run)) >= 0)
            return FAIL(DATA_CORRUPTED, "runs %llu and %llu of level %d overlap",
                        (unsigned long long)v->runs[i - 1]->id,
                        (unsigned long long)v->runs[i]->id, level);
    return OK;
}

static enum status verify_shape(uint64_t id, const struct shape *s, const struct verify_sink *sink)
{
    char object[64];
    uint64_t runs = 0;
    enum status levels = OK;
    for (int l = 0; l < LISTS; l++) {
        const struct level *v = &s->levels[l];
        for (uint32_t i = 0; i < v->count; i++) {
            if (sink->poll) TRY(sink->poll(sink->ctx));
            snprintf(object, sizeof object, "tree %llu, run %llu", (unsigned long long)id,
                     (unsigned long long)v->runs[i]->id);
            enum status st = run_verify(v->runs[i]->run);
            TRY(tell(sink, object, "run", run_entry_count(v->runs[i]->run), st));
        }
        runs += v->count;
    }
    snprintf(object, sizeof object, "tree %llu", (unsigned long long)id);
    for (int l = 0; l < LEVELS_MAX && levels == OK; l++) levels = verify_level(&s->levels[l], l);
    return tell(sink, object, "levels", runs, levels);
}

static enum status verify_versions(struct forest *f, uint64_t id, const struct shape *s, uint64_t fork,
                                   uint64_t newest, const struct verify_sink *sink)
{
    char object[64], problem[VERSIONS_PROBLEM_BYTES];
    struct verify_finding x = {.object = object, .kind = "versions"};
    snprintf(object, sizeof object, "tree %llu", (unsigned long long)id);
    enum status st = verify__versions(f, id, s, fork, newest, sink, problem, &x.checked);
    if (st != OK && error_current()->code != DATA_CORRUPTED) return st;
    if (st != OK) error_clear(); /* it was told of the run */
    x.problem = problem[0] ? problem : NULL;
    return st == OK || x.problem ? sink->found(sink->ctx, &x) : OK;
}

/* A copy of the tree's shape, or NULL when there is no such tree. *ret_fork: of the branch whose overlay it is; 0. */
static struct shape *copy_shape(struct forest *f, tree_id id, uint64_t *ret_fork)
{
    *ret_fork = 0;
    struct epoch_slot *slot = epoch_slot_new(f->o.epoch);
    epoch_enter(slot);
    struct tree *t = forest_tree(f, id);
    struct shape *s = t && !__atomic_load_n(&t->dropped, __ATOMIC_ACQUIRE)
                          ? shape__copy(tree_shape(t)) : NULL;
    fmutex_lock(&f->branches_mutex);
    const struct branch *b = s && t->base ? forest_branch(f, t->branch) : NULL;
    if (b) *ret_fork = b->fork_ts;
    fmutex_unlock(&f->branches_mutex);
    epoch_exit(slot);
    epoch_slot_free(slot);
    return s;
}

enum status forest_verify(struct forest *f, bool idle, const uint64_t *newest, const struct verify_sink *sink)
{
    uint64_t batches = 0, fork, end = __atomic_load_n(&f->next_tree, __ATOMIC_RELAXED);
    TRY(tell(sink, "superblock", "checksum", 1, blocks_verify(f->blocks)));
    fmutex_lock(&f->manifest_mutex);
    enum status st = manifest_verify(f->manifest, &batches);
    fmutex_unlock(&f->manifest_mutex);
    TRY(tell(sink, "manifest", "checksum", batches, st));
    TRY(verify_extents(f, idle, sink));
    for (tree_id id = 1; id < end; id++) {
        struct shape *s = copy_shape(f, id, &fork);
        if (!s) continue;
        st = verify_shape(id, s, sink);
        if (st == OK) st = verify_versions(f, id, s, fork, __atomic_load_n(newest, __ATOMIC_SEQ_CST), sink);
        shape__free(s);
        TRY(st);
    }
    return verify__branches(f, __atomic_load_n(newest, __ATOMIC_SEQ_CST), sink);
}
