/* Point reads: memtables newest first, then runs. A key's versions are newer the higher they lie, so
 * the first visible one ends the search. Nothing is locked, nothing copied: rows stay in the memtable
 * (kept by the epoch) or in a cached page (kept by a pin) until the statement ends. */
#include "core/mvcc/mvcc_priv.h"

const struct version *mvcc__visible(const struct view *view, const struct version *head)
{
    for (const struct version *v = head; v; v = __atomic_load_n(&v->older, __ATOMIC_ACQUIRE)) {
        if (v->lock_only) continue;
        struct txn *x;
        uint64_t ts = mvcc__begin(v, &x);
        if (x == view->txn) {
            if (v->command < view->command) return v;
        } else if (ts && ts <= view->snapshot) {
            return v;
        }
    }
    return NULL;
}

enum status mvcc__tree(struct txn *t, tree_id id, struct tree **ret)
{
    ASSERT(t->depth > 0);
    *ret = forest_tree(t->store->forest, id);
    if (*ret) return t->past && !t->pinned ? mvcc__check_past(t, *ret) : OK;
    return FAIL(UNDEFINED_OBJECT, "tree %llu does not exist", (unsigned long long)id);
}

/* The run of a sorted level that may hold the key: its number; v->count: none. */
static uint32_t run_of_level(const struct level *v, struct slice key)
{
    uint32_t lo = 0, hi = v->count;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (slice_cmp(run_max_key(v->runs[mid]->run), key) < 0) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

/* The newest entry with ts <= max_ts in level 1 and deeper, and, if asked for, its place; NOT_FOUND. */
static enum status get_in_levels(const struct shape *s, struct slice key, uint64_t hash, uint64_t max_ts,
                                 struct page_pins *pins, struct entry *ret, struct place *ret_place)
{
    uint32_t before = s->levels[0].count;
    for (uint32_t l = 1; l < LEVELS_MAX; before += s->levels[l++].count) {
        uint32_t at = s->levels[l].count ? run_of_level(&s->levels[l], key) : 0;
        if (at == s->levels[l].count) continue;
        if (ret_place) ret_place->run = before + at;
        enum status st = run_get_placed(s->levels[l].runs[at]->run, key, hash, max_ts, pins, ret,
                                        ret_place ? &ret_place->position : NULL);
        if (st != NOT_FOUND) return st;
    }
    return NOT_FOUND;
}

/* The version that the view sees in the runs; NOT_FOUND. */
static enum status get_in_runs(struct txn *t, const struct view *view, const struct shape *s,
                               struct slice key, uint64_t hash, struct entry *ret)
{
    for (uint32_t i = 0; i < s->levels[0].count; i++) {
        struct run_ref *r = s->levels[0].runs[i];
        if (!mvcc__run_visible(view, r)) continue;
        enum status st = run_get(r->run, key, hash, view->snapshot, &t->pins, ret);
        if (st != NOT_FOUND) return st;
    }
    return get_in_levels(s, key, hash, view->snapshot, &t->pins, ret, NULL);
}

/* Whose the loaded run is; sets ret->ts, or ret->holder. False: it was taken out. */
static bool judge_loaded(const struct txn *t, const struct run_ref *r, struct newest *ret)
{
    bool own;
    struct txn *x;
    ret->holder = mvcc__in_flight(t, &r->begin, false, &own, &ret->holder_id);
    if (ret->holder) return true;
    ret->ts = own ? 0 : mvcc__begin_of(&r->begin, &x);
    return ret->ts != TS_ABORTED;
}

enum status mvcc__newest_in_runs(struct txn *t, const struct shape *s, const struct run_ref *except,
                                 struct slice key, bool settled, struct page_pins *pins,
                                 struct newest *ret)
{
    struct entry e;
    uint64_t hash = run_key_hash(key);
    struct place p = {0};
    bool all = true; /* what was passed over may have the key still */
    *ret = (struct newest){0};
    for (; p.run < s->levels[0].count; p.run++) {
        const struct run_ref *r = s->levels[0].runs[p.run];
        all &= r != except;
        if (r == except) continue;
        enum status st = run_get_placed(r->run, key, hash, UINT64_MAX, pins, &e, &p.position);
        if (st == NOT_FOUND) continue;
        TRY(st);
        struct newest n = {.found = true, .tombstone = e.tombstone, .ts = e.ts, .row = e.row,
                           .placed = all && p.position != POSITION_NONE, .place = p};
        if (__atomic_load_n(&r->begin, __ATOMIC_ACQUIRE) &&
            (!judge_loaded(t, r, &n) || (settled && n.holder))) {
            all = false;
            continue;
        }
        *ret = n;
        return OK;
    }
    enum status st = get_in_levels(s, key, hash, UINT64_MAX, pins, &e, &p);
    *ret = (struct newest){.placed = all, .place.run = PLACE_NONE};
    if (st == NOT_FOUND) return OK;
    TRY(st);
    *ret = (struct newest){.found = true, .tombstone = e.tombstone, .ts = e.ts, .row = e.row,
                           .placed = all && p.position != POSITION_NONE, .place = p};
    return OK;
}

/* A history run to be asked, and how far from the snapshot that lies which most of its versions lasted beyond. */
struct near_run {
    uint64_t distance;
    uint32_t at;
};
enum { NEAR_RUNS_MAX = 48 };

/* Those that may hold a version of then, the likeliest first. *ret_next: from there on others may, for whom there was
 * no room. */
static uint32_t near_runs(const struct level *v, uint64_t snapshot, struct near_run ret[NEAR_RUNS_MAX],
                          uint32_t *ret_next)
{
    uint32_t n = 0, at = history_next(v, snapshot, 0);
    for (; at < v->count && n < NEAR_RUNS_MAX; at = history_next(v, snapshot, at + 1)) {
        uint64_t middle = v->times[at].middle;
        uint64_t distance = middle > snapshot ? middle - snapshot : snapshot - middle;
        uint32_t i = n++;
        for (; i > 0 && ret[i - 1].distance > distance; i--) ret[i] = ret[i - 1];
        ret[i] = (struct near_run){distance, at};
    }
    *ret_next = at;
    return n;
}

/* Takes what the run has of the key, if it is the newest yet. *ret_sure: no other version was there then. */
static enum status ask_history(struct txn *t, struct run *r, uint64_t snapshot, struct slice key, uint64_t hash,
                               struct entry *best, bool *ret_any, bool *ret_sure)
{
    struct entry e;
    enum status st = run_get(r, key, hash, snapshot, &t->pins, &e);
    if (st == NOT_FOUND) return OK;
    TRY(st);
    if (*ret_any && e.ts <= best->ts) return OK;
    *best = e;
    *ret_any = true;
    *ret_sure = !e.gap && history_end(&e) > snapshot;
    return OK;
}

/* The newest version at or before the snapshot that history knows of. */
static enum status get_in_history(struct txn *t, uint64_t snapshot, const struct level *v, struct slice key,
                                  uint64_t hash, struct entry *ret, bool *ret_any, bool *ret_sure)
{
    struct near_run near[NEAR_RUNS_MAX];
    uint32_t next, n = near_runs(v, snapshot, near, &next);
    *ret_any = *ret_sure = false;
    for (uint32_t i = 0; i < n; i++) run_filter_ahead(v->runs[near[i].at]->run, hash);
    for (uint32_t i = 0; i < n && !*ret_sure; i++)
        TRY(ask_history(t, v->runs[near[i].at]->run, snapshot, key, hash, ret, ret_any, ret_sure));
    for (; next < v->count && !*ret_sure; next = history_next(v, snapshot, next + 1))
        TRY(ask_history(t, v->runs[next]->run, snapshot, key, hash, ret, ret_any, ret_sure));
    return OK;
}

/* What memtables, the levels and loads have; NOT_FOUND. */
static enum status get_of_today(struct txn *t, const struct layer *l, const struct shape *s, struct slice key,
                                uint64_t hash, struct entry *ret)
{
    for (uint32_t i = 0; i < s->memory_count; i++) {
        if (!memtable_key_count(s->memories[i]->table)) continue; /* as in most overlays */
        if (l->past && s->memories[i]->since_ts >= l->view.snapshot) continue;
        struct leaf *leaf = memtable_find(s->memories[i]->table, key);
        const struct version *v = leaf ? mvcc__visible(&l->view, leaf_head(leaf)) : NULL;
        struct txn *x;
        if (!v) continue;
        *ret = (struct entry){.ts = mvcc__begin(v, &x), .tombstone = v->tombstone,
                              .row = slice_make(v->row, v->len)};
        return OK;
    }
    return get_in_runs(t, &l->view, s, key, hash, ret);
}

/* In the past the newest version at or before the snapshot counts, be it among today's or in history, where it
 * counts only while it lasted. */
enum status mvcc__layer_get(struct txn *t, const struct layer *l, struct slice key, uint64_t hash,
                            struct entry *ret, bool *ret_gone)
{
    const struct shape *s = tree_shape(l->tree);
    struct entry past;
    bool any = false, sure = false;
    *ret_gone = false;
    if (l->past && s->levels[HISTORY].count)
        TRY(get_in_history(t, l->view.snapshot, &s->levels[HISTORY], key, hash, &past, &any, &sure));
    /* What was there until an even time was superseded by a commit that no load is: when it became history, so had all
     * that is newer and had ended by then. */
    bool whole = sure || (any && history_end(&past) > l->view.snapshot && !(history_end(&past) & 1));
    enum status st = whole ? NOT_FOUND : get_of_today(t, l, s, key, hash, ret);
    if (st != OK && st != NOT_FOUND) return st;
    if (any && (st != OK || past.ts > ret->ts)) {
        *ret = past;
        *ret_gone = history_end(&past) <= l->view.snapshot;
        if (*ret_gone) return NOT_FOUND;
        ret->row = history_row(&past);
        st = OK;
    }
    TRY(st);
    *ret_gone = ret->tombstone;
    return *ret_gone ? NOT_FOUND : OK;
}

/* In a branch, or in the past: layer by layer. */
static enum status get_in_layers(struct txn *t, const struct point_get_request *q,
                                 struct slice *ret_row)
{
    struct layer layers[BRANCH_STEPS_MAX];
    struct entry e = {0};
    uint32_t n;
    bool gone = false;
    uint64_t hash = run_key_hash(q->key);
    TRY(mvcc__layers(t, q->tree, layers, &n, NULL));
    for (uint32_t i = 0; i < n && !gone; i++) {
        enum status st = mvcc__layer_get(t, &layers[i], q->key, hash, &e, &gone);
        if (st == NOT_FOUND) continue;
        *ret_row = e.row;
        return st;
    }
    return NOT_FOUND;
}

enum status store_point_get(struct txn *t, const struct point_get_request *q, struct slice *ret_row)
{
    struct tree *tree;
    if (t->ssi) TRY(ssi__read(t, q->tree, q->key));
    if (t->layered) return get_in_layers(t, q, ret_row);
    TRY(mvcc__tree(t, q->tree, &tree));
    const struct shape *s = tree_shape(tree);
    struct view view = txn__view(t);
    for (uint32_t i = 0; i < s->memory_count; i++) {
        struct leaf *leaf = memtable_find(s->memories[i]->table, q->key);
        const struct version *v = leaf ? mvcc__visible(&view, leaf_head(leaf)) : NULL;
        if (!v) continue;
        if (v->tombstone) return NOT_FOUND;
        *ret_row = slice_make(v->row, v->len);
        return OK;
    }
    struct entry e;
    enum status st = get_in_runs(t, &view, s, q->key, run_key_hash(q->key), &e);
    if (st != OK) return st;
    if (e.tombstone) return NOT_FOUND;
    *ret_row = e.row;
    return OK;
}

enum status store_multi_get(struct txn *t, const struct multi_get_request *q, struct slice *ret_rows)
{
    for (uint32_t i = 0; i < q->count; i++) {
        struct point_get_request one = {q->tree, q->keys[i]};
        enum status st = store_point_get(t, &one, &ret_rows[i]);
        if (st == NOT_FOUND) ret_rows[i] = (struct slice){0};
        else TRY(st);
    }
    return OK;
}
