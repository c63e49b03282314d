/* Scans: a merge of sources in key order, one row a key.
 *
 * A source is a memtable, a run of level 0, or a whole deeper level (its runs one after another). Each
 * gives, key by key, the version that the view sees, tombstones included, since those hide what lies
 * below. Sources are few, so the next key is found by comparing their heads; of equal keys the source
 * that stands higher counts, for its versions are newer.
 *
 * Rows are pointed to where they lie: memtables stay while the statement runs, and the pages of runs are
 * pinned until the next batch. A reader of the past has history runs among its sources: they do not lie
 * above or below others, so of equal keys the newest version counts, and one that had ended gives none.
 * In a branch there are the sources of all its layers; of equal keys the upper layer counts.
 * What has changed since a moment is found by timestamps: runs that are older are not opened, and what was
 * there then and has ended without leaving a tombstone is in history.
 * Where one run's keys come before all others' for a while, as nearly
 * always, they are taken a page at a time. Only what a backward scan finds in runs is copied. */
#include "core/mvcc/cursor_priv.h"

#include <stdlib.h>

#include "base/mem.h"

enum { PAGES_HELD_MAX = 64 };

/* --- the merge ----------------------------------------------------------------------------------- */

/* By key; of equals that which counts is first: of the upper layer, of the past the newest, or what lies
 * higher. */
static int compare_heads(const struct cursor *c, const struct source *a, const struct source *b)
{
    int order = slice_cmp_short(a->key, b->key);
    if (order) return c->reverse ? -order : order;
    if (a->layer == b->layer && a->layer->past && a->ts != b->ts) return a->ts > b->ts ? -1 : 1;
    return a < b ? -1 : 1;
}

/* The source at that place has moved on: to where it belongs, which is further back if anywhere else. */
static void settle(struct cursor *c, uint32_t at)
{
    struct source *s = c->order[at];
    uint32_t lo = at + 1, hi = s->ended ? c->live : lo;
    if (!s->ended && lo < c->live && compare_heads(c, c->order[lo], s) < 0) {
        for (lo++, hi = c->live; lo < hi;) { /* the first one that comes after it */
            uint32_t mid = lo + (hi - lo) / 2;
            if (compare_heads(c, c->order[mid], s) < 0) lo = mid + 1;
            else hi = mid;
        }
    }
    memmove(&c->order[at], &c->order[at + 1], (hi - 1 - at) * sizeof *c->order);
    c->order[hi - 1] = s;
    c->live -= s->ended;
}

static int compare_order(const void *a, const void *b, void *c)
{
    return compare_heads(c, *(struct source *const *)a, *(struct source *const *)b);
}

static enum status start_merge(struct cursor *c)
{
    c->order = mem_alloc(MEM_TXN, (c->source_count + 1) * sizeof *c->order);
    for (uint32_t i = 0; i < c->source_count; i++) {
        struct source *s = &c->sources[i];
        TRY(source__first(c, s));
        if (!s->ended) c->order[c->live++] = s;
    }
    if (c->live > 1) qsort_r(c->order, c->live, sizeof *c->order, compare_order, c);
    return OK;
}

/* At the end. A run that is hidden whole need not be looked at again: of a table whose rows are all updated while a
 * memtable lasts, scans read that alone. Its keys may have gone to runs above meanwhile, but not away. */
static void learn_hidden(struct cursor *c)
{
    uint64_t snapshot = c->layers[0].view.snapshot;
    for (uint32_t i = 0; i < c->source_count; i++) {
        const struct source *s = &c->sources[i];
        for (uint32_t k = 0; s->kind == SOURCE_RUNS && !s->shown && k < s->run_count; k++) {
            struct run_ref *r = s->runs[k];
            if (__atomic_load_n(&r->begin, __ATOMIC_ACQUIRE) || run_max_ts(r->run) > snapshot) continue;
            if (slice_cmp(run_min_key(r->run), strbuf_slice(&c->lower)) < 0) continue;
            if (c->has_upper && slice_cmp(run_max_key(r->run), strbuf_slice(&c->upper)) >= 0) continue;
            __atomic_store_n(&r->hidden_ts, snapshot, __ATOMIC_RELEASE);
        }
    }
    c->learns = false;
}

static bool is_hidden(const struct cursor *c, const struct layer *layer, const struct run_ref *r)
{
    uint64_t ts = __atomic_load_n(&r->hidden_ts, __ATOMIC_ACQUIRE);
    return ts && ts <= layer->view.snapshot && !c->since && !layer->past;
}

/* The source whose head comes next; NULL at the end. Others at the same key are moved on: a newer version, or
 * one above, hides theirs. */
static enum status pick(struct cursor *c, struct source **ret)
{
    *ret = c->live ? c->order[0] : NULL;
    while (c->live > 1 && slice_eq(c->order[1]->key, c->order[0]->key)) {
        struct source *s = c->order[1];
        source__hide(c, c->order[0], s);
        s->interleaves = true;
        TRY(source__next(c, s));
        settle(c, 1);
    }
    return OK;
}

/* Where the other sources go on, or the scan ends; data NULL: nowhere. Forward. */
static struct slice limit_of(const struct cursor *c)
{
    if (c->live > 1) return c->order[1]->key; /* is below the upper bound */
    return c->has_upper ? strbuf_slice(&c->upper) : (struct slice){0};
}

/* --- cursors ----------------------------------------------------------------------------------- */

static struct source *add_source(struct cursor *c, enum source_kind kind, const struct layer *layer)
{
    struct source *s = &c->sources[c->source_count++];
    s->kind = kind;
    s->layer = layer;
    return s;
}

static void add_runs(struct cursor *c, enum source_kind kind, const struct layer *layer,
                     struct run_ref *const *runs, uint32_t count)
{
    struct source *s = add_source(c, kind, layer);
    s->runs = runs;
    s->run_count = count;
}

static uint32_t sources_of(const struct cursor *c, const struct shape *s)
{
    uint32_t n = s->memory_count + s->levels[0].count + LEVELS_MAX + s->levels[HISTORY].count;
    for (int l = 1; l < LEVELS_MAX && c->since; l++) n += s->levels[l].count / 2;
    return n;
}

/* Runs of which nothing is wanted: too old, or, of history, of no version that was there. */
static bool is_wanted(const struct cursor *c, const struct layer *layer, const struct run_ref *r,
                      bool history)
{
    if (c->since && run_max_ts(r->run) <= c->since) return false;
    if (!history && layer->past && run_min_ts(r->run) > layer->view.snapshot) return false;
    if (!history) return !is_hidden(c, layer, r) && mvcc__run_visible(&layer->view, r);
    return run_min_ts(r->run) <= c->since;
}

/* Neighbours are one source. */
static void add_level(struct cursor *c, const struct layer *layer, const struct level *v)
{
    uint32_t wanted = 0;
    while (wanted < v->count && !is_wanted(c, layer, v->runs[wanted], false)) wanted++;
    if (wanted == v->count) return;
    for (uint32_t i = 0, end; i < v->count; i = end + 1) {
        end = c->since ? i : v->count;
        while (end < v->count && is_wanted(c, layer, v->runs[end], false)) end++;
        if (end > i) add_runs(c, SOURCE_RUNS, layer, &v->runs[i], end - i);
    }
}

static void add_layer(struct cursor *c, const struct layer *layer, const struct shape *shape)
{
    const struct level *history = &shape->levels[HISTORY];
    for (uint32_t i = 0; i < shape->memory_count; i++) {
        if (memtable_key_count(shape->memories[i]->table) == 0) continue;
        if (layer->past && shape->memories[i]->since_ts >= layer->view.snapshot) continue;
        struct source *s = add_source(c, SOURCE_MEMORY, layer);
        s->memory = shape->memories[i];
        s->leaves = mem_alloc(MEM_TXN, WALK_LEAVES * sizeof *s->leaves);
    }
    for (uint32_t i = 0; i < shape->levels[0].count; i++)
        if (is_wanted(c, layer, shape->levels[0].runs[i], false))
            add_runs(c, SOURCE_RUNS, layer, &shape->levels[0].runs[i], 1);
    for (int l = 1; l < LEVELS_MAX; l++) add_level(c, layer, &shape->levels[l]);
    uint64_t ts = layer->view.snapshot;
    if (c->since) {
        for (uint32_t i = 0; i < history->count; i++)
            if (is_wanted(c, layer, history->runs[i], true))
                add_runs(c, SOURCE_HISTORY, layer, &history->runs[i], 1);
    } else if (layer->past) {
        for (uint32_t i = history_next(history, ts, 0); i < history->count; i = history_next(history, ts, i + 1))
            add_runs(c, SOURCE_HISTORY, layer, &history->runs[i], 1);
    }
}

/* The shapes stay as they are found here. */
static void add_sources(struct cursor *c, uint32_t count)
{
    const struct shape *shapes[BRANCH_STEPS_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        shapes[i] = tree_shape(c->layers[i].tree);
        n += sources_of(c, shapes[i]);
    }
    c->sources = mem_alloc(MEM_TXN, (n + 1) * sizeof *c->sources);
    for (uint32_t i = 0; i < count; i++) add_layer(c, &c->layers[i], shapes[i]);
}

enum status store_scan(struct txn *t, const struct scan_request *q, struct cursor **ret)
{
    struct layer layers[BRANCH_STEPS_MAX];
    uint32_t count;
    bool own;
    TRY(mvcc__layers(t, q->tree, layers, &count, &own));
    struct cursor *c = mem_alloc(MEM_TXN, sizeof *c);
    memcpy(c->layers, layers, count * sizeof *layers);
    c->txn = t;
    c->reverse = q->reverse;
    c->skip_keys = q->skip_keys;
    c->changes = q->changes;
    c->since = q->since;
    ASSERT(!q->since || (q->changes && !q->reverse));
    if (q->changes) count = own;
    arena_init(&c->batch, MEM_TXN);
    strbuf_init(&c->lower, NULL);
    strbuf_init(&c->upper, NULL);
    strbuf_add(&c->lower, q->lower.data, q->lower.len);
    strbuf_add(&c->upper, q->upper.data, q->upper.len);
    c->has_lower = q->lower.data != NULL;
    c->has_upper = q->upper.data != NULL;
    c->tree = q->tree;
    c->tracks = t->ssi != NULL;
    strbuf_init(&c->tracked, NULL);
    add_sources(c, count);
    c->learns = count == 1 && !layers[0].past && !c->since;
    enum status st = start_merge(c);
    if (st == OK) *ret = c;
    else cursor_close(c);
    return st;
}

static struct slice keep(struct cursor *c, struct slice s)
{
    if (s.len == 0) return slice_make("", 0);
    return slice_make(arena_memdup(&c->batch, s.data, s.len), s.len);
}

/* The head of the source. What a backward scan finds in runs is copied. */
static enum status take_one(struct cursor *c, struct source *s, struct gather *g)
{
    bool in_place = s->kind == SOURCE_MEMORY || s->ahead_count;
    s->shown = true;
    if (s->tombstone && c->changes) {
        if (g->keys) g->keys[g->count] = keep(c, s->key);
        g->rows[g->count++] = (struct slice){0};
    } else if (!s->tombstone) {
        if (g->keys) g->keys[g->count] = in_place ? s->key : keep(c, s->key);
        g->rows[g->count++] = in_place ? s->row : keep(c, s->row);
    }
    return source__next(c, s);
}

/* Sources whose heads the source, which is not the last in order, has of its own are moved on. *ret: its head comes
 * before all others' then. */
static enum status pass_hidden(struct cursor *c, const struct source *s, bool *ret)
{
    *ret = true;
    while (c->live > 1) {
        struct source *next = c->order[1];
        int order = slice_cmp_short(s->key, next->key);
        *ret = order <= 0 && (order < 0 || compare_heads(c, s, next) < 0);
        if (order || !*ret) return OK;
        source__hide(c, s, next);
        next->interleaves = true;
        TRY(source__next(c, next));
        settle(c, 1);
    }
    return OK;
}

/* Heads of the source, as long as they come before all others'. */
static enum status take_heads(struct cursor *c, struct source *s, struct gather *g)
{
    bool whole = s->ahead_count >= ROWS_AHEAD / 2 && !s->ahead_at, first = true;
    do {
        TRY(take_one(c, s, g));
        if (whole && !s->ahead_at) s->interleaves = false; /* all of its array, one after another */
        if (c->reverse || s->ended || g->count == g->max || (s->kind != SOURCE_MEMORY && !s->ahead_at)) break;
        TRY(pass_hidden(c, s, &first));
    } while (first);
    return OK;
}

enum { FEW_ROWS = 4 };

/* Forward: what this page has before the other sources' keys. */
static enum status take_page(struct cursor *c, struct source *s, struct gather *g)
{
    uint32_t n, max = g->max - g->count;
    struct slice limit = limit_of(c);
    TRY(source__take_page(c, s, limit, max, g->keys ? g->keys + g->count : NULL, g->rows + g->count, &n));
    g->count += n;
    s->shown = true;
    if (n < FEW_ROWS && n < max && c->live > 1) s->interleaves = true;
    return OK;
}

/* A memtable above one run, whose heads come between each other's, and nothing else: a table that is updated much. */
static bool can_zip(const struct cursor *c)
{
    if (c->reverse || c->changes || c->order[0]->layer->past) return false;
    const struct source *a = c->order[0], *b = c->order[1];
    const struct source *m = a < b ? a : b, *r = a < b ? b : a;
    return m->kind == SOURCE_MEMORY && r->ahead_at + 1 < r->ahead_count;
}

static void zip(struct cursor *c, struct gather *g)
{
    struct source *a = c->order[0], *b = c->order[1], *m = a < b ? a : b, *r = a < b ? b : a;
    source__zip(c, m, r, g);
    c->order[0] = m;
    c->order[1] = r;
    settle(c, 0);
}

/* --- what SERIALIZABLE watches ----------------------------------------------------------------- */

/* The key that comes next, in the order of the scan; data NULL: none. */
static struct slice next_key(const struct cursor *c)
{
    return c->live ? c->order[0]->key : (struct slice){0};
}

/* What has been handed out since the last time, and the gap behind it; at the end, all that is left. */
static enum status track(struct cursor *c)
{
    struct slice next = next_key(c), from = strbuf_slice(&c->lower), to = strbuf_slice(&c->upper);
    if (!c->has_upper) to.data = NULL;
    struct strbuf to_here;
    strbuf_init(&to_here, NULL);
    if (next.data) strbuf_add(&to_here, next.data, next.len);
    if (next.data && c->reverse) strbuf_addc(&to_here, '\0'); /* the least key above it */
    if (c->tracked.len) *(c->reverse ? &to : &from) = strbuf_slice(&c->tracked);
    if (next.data) *(c->reverse ? &from : &to) = strbuf_slice(&to_here);
    enum status st = ssi__read_range(c->txn, c->tree, from, to);
    strbuf_release(&c->tracked);
    c->tracked = to_here;
    c->tracks = next.data != NULL;
    return st;
}

enum status cursor_next(struct cursor *c, struct slice *keys, struct slice *rows, uint32_t max,
                        uint32_t *ret_count)
{
    struct gather g = {c->skip_keys ? NULL : keys, rows, max, 0};
    arena_clear(&c->batch);
    page_pins_release(&c->pins);
    while (g.count < max && (!g.count || c->pins.pages.count < PAGES_HELD_MAX)) {
        struct source *s;
        if (!g.count) page_pins_release(&c->pins);
        if (c->live == 2 && can_zip(c)) {
            zip(c, &g);
            if (g.count == max) break;
        }
        TRY(pick(c, &s));
        if (!s) break;
        if (s->kind == SOURCE_MEMORY || s->ahead_count) TRY(take_heads(c, s, &g));
        else if (c->reverse || c->changes) TRY(take_one(c, s, &g));
        else TRY(take_page(c, s, &g));
        settle(c, 0);
    }
    *ret_count = g.count;
    if (!c->live && c->learns) learn_hidden(c);
    return c->tracks ? track(c) : OK;
}

void cursor_close(struct cursor *c)
{
    for (uint32_t i = 0; i < c->source_count; i++) source__close(&c->sources[i]);
    page_pins_free(&c->pins);
    mem_free(MEM_TXN, c->order);
    mem_free(MEM_TXN, c->sources);
    strbuf_release(&c->lower);
    strbuf_release(&c->upper);
    strbuf_release(&c->tracked);
    arena_release(&c->batch);
    mem_free(MEM_TXN, c);
}
