/* Flushes and merges make new runs, and scans by columns want to know what those hide of older ones, and where the keys
 * of the memtables lie in them. It costs a search a key, of which many read a page: the first scan would pay for all.
 * So who makes the runs finds it out before it shows them, in the background, for trees that are read by columns.
 *
 * What a flushed memtable hides is known already: its keys' places. They name the newest run that has the key; that
 * is enough where each scan that may see the new run sees all the others, and else every pair of runs is
 * searched. */
#include "core/lsm/advance_priv.h"

#include <stdlib.h>

#include "base/mem.h"
#include "core/lsm/masks.h"

enum { READ_LATELY_US = 300 * 1000000 };

bool tree_is_scanned(const struct tree *t)
{
    int64_t at = __atomic_load_n(&t->scanned_us, __ATOMIC_RELAXED);
    return at && monotonic_us() - at < READ_LATELY_US;
}

void advance__release(struct advance *a)
{
    for (uint32_t i = 0; i < a->count; i++) places_unref(a->places[i]);
    mem_free(MEM_RUN, a->memories);
    mem_free(MEM_RUN, a->places);
    *a = (struct advance){0};
}

/* The shape that the edit makes. */
static struct shape *shape_to_be(const struct shape *s, const struct run_edit *e, const struct memory *flushed)
{
    struct shape *next = shape__copy(s);
    if (flushed) shape__drop_memory(next);
    for (size_t i = 0; i < e->removed.count; i++) shape__remove_run(next, e->removed.data[i]);
    for (size_t i = 0; i < e->added.count; i++) {
        __atomic_add_fetch(&e->added.data[i]->refs, 1, __ATOMIC_RELAXED);
        shape__add_run(next, e->added_level.data[i], e->added.data[i]);
    }
    return next;
}

/* --- masks ------------------------------------------------------------------------------------ */

static bool is_added(const struct run_edit *e, const struct run_ref *r)
{
    for (size_t i = 0; i < e->added.count; i++)
        if (e->added.data[i] == r) return true;
    return false;
}

/* Of each pair of which one is new. */
static enum status make_masks(const struct place_finder *f, const struct run_edit *e)
{
    for (uint32_t i = 1; i < f->count; i++) {
        const struct shape_run *older = &f->runs[i];
        for (uint32_t k = 0; run_has_columns(older->ref->run) && k < i; k++) {
            const struct shape_run *newer = &f->runs[k];
            if (newer->level && newer->level == older->level) continue;
            if (!is_added(e, newer->ref) && !is_added(e, older->ref)) continue;
            if (!runs_overlap(newer->ref->run, older->ref->run)) continue;
            TRY(run_mask_make((struct run_ref *)older->ref, newer->ref));
        }
    }
    return OK;
}

/* Whoever sees a run with versions up to ts sees all these. */
static bool all_are_seen(const struct place_finder *f, uint64_t ts)
{
    for (uint32_t i = 0; i < f->count; i++) {
        const struct run_ref *r = f->runs[i].ref;
        if (__atomic_load_n(&r->state, __ATOMIC_ACQUIRE) != RUN_INSTALLED) return false;
        if (__atomic_load_n(&r->begin, __ATOMIC_ACQUIRE) > ts) return false;
    }
    return true;
}

static int by_position(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The memtable became `run`. Under the lock of its places. */
static void mask_by_places(const struct place_finder *f, const struct places *p, const struct run_ref *run)
{
    uint32_t *positions = mem_alloc(MEM_RUN, (p->list.count + 1) * sizeof *positions);
    for (uint32_t i = 0; i < f->count; i++) {
        uint32_t n = 0;
        if (!run_has_columns(f->runs[i].ref->run) || !runs_overlap(run->run, f->runs[i].ref->run)) continue;
        for (size_t k = 0; k < p->list.count; k++)
            if (p->list.data[k].run == i) positions[n++] = p->list.data[k].position;
        qsort(positions, n, sizeof *positions, by_position);
        run_mask_put((struct run_ref *)f->runs[i].ref, run->id, positions, n);
    }
    mem_free(MEM_RUN, positions);
}

static enum status mask_flushed(const struct shape *s, const struct run_edit *e)
{
    struct place_finder f;
    enum status st = OK;
    uint32_t last = s->memory_count - 1;
    place_finder_init(&f, s);
    struct run_ref *run = e->added.count == 1 && !e->added_level.data[0] ? e->added.data[0] : NULL;
    if (run && all_are_seen(&f, run_max_ts(run->run))) {
        struct places *p = shape_places(s, last);
        st = places_lock(p, s, last, &f);
        if (st == OK) {
            mask_by_places(&f, p, run);
            places_unlock(p);
        }
    }
    place_finder_end(&f);
    return st;
}

/* --- places ----------------------------------------------------------------------------------- */

static enum status move_places(const struct shape *s, const struct shape *next, struct place_finder *now,
                               struct place_finder *then, struct advance *ret)
{
    for (uint32_t i = 0; i < next->memory_count; i++) {
        uint32_t at = 0;
        while (s->memories[at] != next->memories[i]) at++;
        struct places *p = shape_places(s, at);
        TRY(places_lock(p, s, at, now));
        places_unlock(p);
        TRY(places_move(p, s, next, i, then, &ret->places[i]));
    }
    return OK;
}

/* --- all of it -------------------------------------------------------------------------------- */

static enum status find_out(const struct shape *s, const struct shape *next, const struct run_edit *e,
                            const struct memory *flushed, struct advance *ret)
{
    struct place_finder now, then;
    enum status st = flushed ? mask_flushed(s, e) : OK;
    place_finder_init(&now, s);
    place_finder_init(&then, next);
    if (st == OK) st = move_places(s, next, &now, &then, ret);
    if (st == OK) st = make_masks(&then, e);
    place_finder_end(&now);
    place_finder_end(&then);
    return st;
}

void tree__advance(struct tree *t, const struct run_edit *e, const struct memory *flushed, struct advance *ret)
{
    *ret = (struct advance){0};
    if (!tree_is_scanned(t)) return;
    struct epoch_slot *slot = epoch_slot_new(t->forest->o.epoch);
    epoch_enter(slot);
    fmutex_lock(&t->mutex);
    const struct shape *s = t->shape;
    struct shape *next = shape_to_be(s, e, flushed);
    fmutex_unlock(&t->mutex);
    ret->runs_version = s->runs_version;
    ret->count = next->memory_count;
    ret->memories = mem_alloc(MEM_RUN, (ret->count + 1) * sizeof *ret->memories);
    ret->places = mem_alloc(MEM_RUN, (ret->count + 1) * sizeof *ret->places);
    memcpy(ret->memories, next->memories, ret->count * sizeof *ret->memories);
    ret->there = find_out(s, next, e, flushed, ret) == OK;
    if (!ret->there) {
        error_clear(); /* scans find it out, or meet the same error */
        advance__release(ret);
    }
    shape__free(next);
    epoch_exit(slot);
    epoch_slot_free(slot);
}

void tree__apply_advance(const struct tree *t, struct shape *next, struct advance *a)
{
    if (!a->there || t->shape->runs_version != a->runs_version) return;
    for (uint32_t i = 0; i < next->memory_count; i++)
        for (uint32_t k = 0; k < a->count; k++) {
            if (a->memories[k] != next->memories[i] || next->places[i]) continue;
            next->places[i] = a->places[k];
            a->places[k] = NULL;
        }
}
