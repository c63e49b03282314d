/* Places of keys are 8 bytes in the order in which the keys came: a scan goes over them in a few nanoseconds each and
 * touches neither keys nor versions, but for those few that nobody has committed yet. When runs change, a place in a
 * run that stays is good still, unless a new run in front of it has the key: so a flush costs a look at the new
 * run's filter, and a merge a search for those that lay in what was merged, in the order of keys. */
#include "core/lsm/places.h"

#include <stdlib.h>

#include "base/mem.h"
#include "core/lsm/tree_priv.h"
#include "core/segment/run_columns.h"

enum { LEAVES = 256, AHEAD = 16, BRING_KEYS = 1 << 16 };

/* --- searches --------------------------------------------------------------------------------- */

void place_finder_init(struct place_finder *f, const struct shape *s)
{
    uint32_t all = 0;
    for (uint32_t l = 0; l < LEVELS_MAX; l++) all += s->levels[l].count;
    *f = (struct place_finder){.runs = mem_alloc(MEM_RUN, (all + 1) * sizeof *f->runs),
                               .finders = mem_alloc(MEM_RUN, (all + 1) * sizeof *f->finders)};
    for (uint32_t l = 0; l < LEVELS_MAX; l++)
        for (uint32_t i = 0; i < s->levels[l].count; i++) {
            f->finders[f->count].run = s->levels[l].runs[i]->run;
            f->runs[f->count++] = (struct shape_run){s->levels[l].runs[i], l};
        }
}

void place_finder_end(struct place_finder *f)
{
    for (uint32_t i = 0; i < f->count; i++) run_finder_end(&f->finders[i]);
    mem_free(MEM_RUN, f->runs);
    mem_free(MEM_RUN, f->finders);
}

/* The first run of those from `at` on, all of one level, whose last key is not below. */
static uint32_t run_of_level(const struct place_finder *f, uint32_t at, uint32_t end, struct slice key)
{
    while (at < end) {
        uint32_t mid = at + (end - at) / 2;
        if (slice_cmp(run_max_key(f->runs[mid].ref->run), key) < 0) at = mid + 1;
        else end = mid;
    }
    return at;
}

enum status place_find(struct place_finder *f, struct slice key, const uint64_t *skip, struct place *ret)
{
    uint64_t hash = run_key_hash(key), position;
    ret->run = PLACE_NONE;
    for (uint32_t i = 0, end; i < f->count; i = end) {
        uint32_t level = f->runs[i].level, at = i;
        for (end = i + 1; level && end < f->count && f->runs[end].level == level;) end++;
        if (level) at = run_of_level(f, i, end, key);
        if (at == end || (skip && skip[at / 64] >> at % 64 & 1)) continue;
        struct run *r = f->runs[at].ref->run;
        if (!run_has_columns(r) || !run_may_contain(r, key, hash)) continue;
        enum status st = run_find_position(&f->finders[at], key, &position);
        if (st == NOT_FOUND) continue;
        *ret = (struct place){at, (uint32_t)position};
        return st;
    }
    return OK;
}

/* --- notes ------------------------------------------------------------------------------------ */

/* A place as it is kept with a leaf: 20 bits of the version of the runs, 12 of the run, the position. */
enum { NOTE_VERSION_END = 1 << 20, NOTE_RUN_NONE = (1 << 12) - 1 };

static uint64_t note_version(const struct shape *s, const struct memory *m)
{
    uint64_t version = s->runs_version - m->runs_version + 1;
    return version < NOTE_VERSION_END ? version : 0;
}

void place_note(const struct shape *s, const struct memory *m, struct leaf *leaf, const struct place *p)
{
    uint64_t version = note_version(s, m), run = p->run == PLACE_NONE ? NOTE_RUN_NONE : p->run;
    if (version && (p->run == PLACE_NONE || p->run < NOTE_RUN_NONE))
        leaf_set_note(leaf, version << 44 | run << 32 | (p->run == PLACE_NONE ? 0 : p->position));
}

static bool read_note(const struct leaf *leaf, uint64_t version, struct place *ret)
{
    uint64_t note = leaf_note(leaf);
    uint32_t run = (uint32_t)(note >> 32) & NOTE_RUN_NONE;
    if (!version || note >> 44 != version) return false;
    *ret = (struct place){run == NOTE_RUN_NONE ? PLACE_NONE : run, (uint32_t)note};
    return true;
}

/* --- keeping them ----------------------------------------------------------------------------- */

struct places *places_new(void)
{
    struct places *p = mem_alloc(MEM_RUN, sizeof *p);
    p->refs = 1;
    return p;
}

struct places *places_ref(struct places *p)
{
    if (p) __atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
    return p;
}

void places_unref(struct places *p)
{
    if (!p || __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL)) return;
    ARRAY_RELEASE(&p->list);
    ARRAY_RELEASE(&p->open);
    mem_free(MEM_RUN, p);
}

struct places *shape_places(const struct shape *s, uint32_t memory)
{
    struct places *p = __atomic_load_n(&s->places[memory], __ATOMIC_ACQUIRE);
    if (p) return p;
    struct places *fresh = places_new();
    if (__atomic_compare_exchange_n(&s->places[memory], &p, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return fresh;
    places_unref(fresh);
    return p;
}

/* When the oldest version was committed that stays; 0: none was. */
static uint64_t settled_at(const struct leaf *leaf)
{
    uint64_t ts = 0;
    for (const struct version *v = leaf_head(leaf); v; v = __atomic_load_n(&v->older, __ATOMIC_ACQUIRE)) {
        uint64_t begin = __atomic_load_n(&v->begin, __ATOMIC_ACQUIRE);
        if (!v->lock_only && begin && !(begin & 1) && begin < TS_ABORTED) ts = begin;
    }
    return ts;
}

static void push(struct places *p, const struct leaf *leaf, const struct place *place)
{
    uint64_t ts = settled_at(leaf);
    if (ts > p->settled_ts) p->settled_ts = ts;
    if (!ts) ARRAY_PUSH(&p->open, (struct open_place){(uint32_t)p->list.count, leaf, *place});
    ARRAY_PUSH(&p->list, ts ? *place : (struct place){PLACE_NONE, 0});
}

static void settle(struct places *p)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->open.count; i++) {
        struct open_place *o = &p->open.data[i];
        uint64_t ts = settled_at(o->leaf);
        if (!ts) {
            p->open.data[kept++] = *o;
            continue;
        }
        p->list.data[o->at] = o->place;
        if (ts > p->settled_ts) p->settled_ts = ts;
    }
    p->open.count = kept;
}

static void list_rest(struct places *p, const struct memtable *m)
{
    struct leaf_list all;
    memtable_list(m, &all);
    if (!p->rest.chunk) p->rest = all;
    else p->rest.left = all.left - p->list.count;
}

/* A key whose place is to be looked for. */
struct lost {
    struct leaf *leaf;
    uint32_t at;
    bool gone; /* where it was; else only new runs may have it */
};

static int by_key(const void *a, const void *b)
{
    return slice_cmp(leaf_key(((const struct lost *)a)->leaf), leaf_key(((const struct lost *)b)->leaf));
}

/* Of those without a note, in the order of keys. */
static enum status find_all(struct place_finder *f, struct lost *lost, uint32_t count, struct place *found)
{
    qsort(lost, count, sizeof *lost, by_key);
    for (uint32_t i = 0; i < count; i++) {
        if (i % LEAVES == 0 && waiter_canceled(waiter_self()))
            return FAIL(QUERY_CANCELED, "canceling statement due to user request");
        TRY(place_find(f, leaf_key(lost[i].leaf), NULL, &found[lost[i].at]));
    }
    return OK;
}

/* Some of the keys that are left; of an error nothing is taken. */
static enum status bring_some(struct places *p, const struct shape *s, uint32_t memory, struct place_finder *f,
                              struct leaf **leaves, struct lost *lost)
{
    const struct memory *m = s->memories[memory];
    uint64_t version = note_version(s, m);
    struct leaf_list at = p->rest;
    uint32_t n = memtable_list_next(&at, leaves, BRING_KEYS), count = 0;
    struct place *found = mem_alloc(MEM_RUN, (n + 1) * sizeof *found);
    for (uint32_t i = 0; i < n; i++) {
        if (i + AHEAD < n) __builtin_prefetch(leaves[i + AHEAD]);
        if (!read_note(leaves[i], version, &found[i])) lost[count++] = (struct lost){leaves[i], i, true};
    }
    enum status st = find_all(f, lost, count, found);
    for (uint32_t i = 0; i < count && st == OK; i++) place_note(s, m, lost[i].leaf, &found[lost[i].at]);
    for (uint32_t i = 0; i < n && st == OK; i++) push(p, leaves[i], &found[i]);
    if (st == OK) p->rest = at;
    mem_free(MEM_RUN, found);
    return st;
}

static enum status bring_up(struct places *p, const struct shape *s, uint32_t memory, struct place_finder *f)
{
    enum status st = OK;
    list_rest(p, s->memories[memory]->table);
    if (p->rest.left) {
        size_t n = p->rest.left < BRING_KEYS ? p->rest.left : BRING_KEYS;
        struct leaf **leaves = mem_alloc(MEM_RUN, n * sizeof *leaves);
        struct lost *lost = mem_alloc(MEM_RUN, n * sizeof *lost);
        while (p->rest.left && st == OK) st = bring_some(p, s, memory, f, leaves, lost);
        mem_free(MEM_RUN, leaves);
        mem_free(MEM_RUN, lost);
    }
    settle(p);
    return st;
}

enum status places_lock(struct places *p, const struct shape *s, uint32_t memory, struct place_finder *f)
{
    fmutex_lock(&p->mutex);
    enum status st = bring_up(p, s, memory, f);
    if (st != OK) fmutex_unlock(&p->mutex);
    return st;
}

void places_unlock(struct places *p)
{
    fmutex_unlock(&p->mutex);
}

/* --- other runs ------------------------------------------------------------------------------- */

/* What becomes of runs' numbers: PLACE_NONE for those that are gone. */
static void map_runs(const struct shape *from, const struct place_finder *to, uint32_t *map, uint64_t *old)
{
    uint32_t n = 0;
    for (uint32_t l = 0; l < LEVELS_MAX; l++)
        for (uint32_t i = 0; i < from->levels[l].count; i++, n++) {
            map[n] = PLACE_NONE;
            for (uint32_t k = 0; k < to->count; k++) {
                if (to->runs[k].ref != from->levels[l].runs[i]) continue;
                map[n] = k;
                old[k / 64] |= 1ull << k % 64;
            }
        }
}

/* May a run that is new have it? */
static bool may_be_new(const struct place_finder *f, const uint64_t *old, struct slice key)
{
    uint64_t hash = run_key_hash(key);
    for (uint32_t i = 0; i < f->count; i++)
        if (!(old[i / 64] >> i % 64 & 1) && run_may_contain(f->runs[i].ref->run, key, hash)) return true;
    return false;
}

/* Under the lock of `from`. All keys get their places as far as they have them. */
static uint32_t carry(const struct places *from, struct places *to, const struct memtable *m, const uint32_t *map,
                      const struct place_finder *f, const uint64_t *old, struct lost *lost)
{
    struct leaf_list list;
    struct leaf *leaves[LEAVES];
    uint32_t n, at = 0, count = 0;
    size_t open = 0;
    memtable_list(m, &list);
    list.left = from->list.count;
    ARRAY_RESERVE(&to->list, from->list.count);
    while ((n = memtable_list_next(&list, leaves, LEAVES)) > 0)
        for (uint32_t i = 0; i < n; i++, at++) {
            struct place p = from->list.data[at];
            bool is_open = open < from->open.count && from->open.data[open].at == at;
            if (is_open) p = from->open.data[open++].place;
            bool gone = p.run != PLACE_NONE && map[p.run] == PLACE_NONE;
            p.run = p.run == PLACE_NONE ? PLACE_NONE : map[p.run];
            if (gone || may_be_new(f, old, leaf_key(leaves[i])))
                lost[count++] = (struct lost){leaves[i], at, gone};
            push(to, leaves[i], &p);
        }
    to->rest = list;
    return count;
}

static struct place *place_at(struct places *p, uint32_t at)
{
    for (size_t i = 0; i < p->open.count; i++)
        if (p->open.data[i].at == at) return &p->open.data[i].place;
    return &p->list.data[at];
}

static enum status find_lost(struct places *p, struct place_finder *f, const uint64_t *old, struct lost *lost,
                             uint32_t count)
{
    qsort(lost, count, sizeof *lost, by_key);
    for (uint32_t i = 0; i < count; i++) {
        struct place found, *at = place_at(p, lost[i].at);
        TRY(place_find(f, leaf_key(lost[i].leaf), lost[i].gone ? NULL : old, &found));
        if (lost[i].gone || (found.run != PLACE_NONE && (at->run == PLACE_NONE || found.run < at->run)))
            *at = found;
    }
    return OK;
}

enum status places_move(struct places *p, const struct shape *from, const struct shape *to, uint32_t memory,
                        struct place_finder *f, struct places **ret)
{
    uint32_t all = 0;
    for (uint32_t l = 0; l < LEVELS_MAX; l++) all += from->levels[l].count;
    uint32_t *map = mem_alloc(MEM_RUN, (all + 1) * sizeof *map);
    uint64_t *old = mem_alloc(MEM_RUN, (f->count / 64 + 1) * sizeof *old);
    map_runs(from, f, map, old);
    *ret = places_new();
    fmutex_lock(&p->mutex);
    struct lost *lost = mem_alloc(MEM_RUN, (p->list.count + 1) * sizeof *lost);
    uint32_t count = carry(p, *ret, to->memories[memory]->table, map, f, old, lost);
    fmutex_unlock(&p->mutex);
    enum status st = find_lost(*ret, f, old, lost, count);
    mem_free(MEM_RUN, map);
    mem_free(MEM_RUN, old);
    mem_free(MEM_RUN, lost);
    if (st == OK) return OK;
    places_unref(*ret);
    return st;
}
