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
#include "core/mvcc/mvcc_priv.h"

#include "base/mem.h"

enum { WALK_LEAVES = 128, PAGES_HELD_MAX = 64 };

enum source_kind { SOURCE_MEMORY, SOURCE_RUNS, SOURCE_HISTORY };

struct source {
    enum source_kind kind;
    const struct layer *layer;
    bool ended;
    struct slice key, row; /* the head; row.data stays until the source moves */
    bool tombstone;
    uint64_t ts;           /* of the head; for readers of the past */
    /* MEMORY */
    struct memory *memory;
    struct leaf **leaves;
    uint32_t count, at;
    bool walked;
    /* RUNS */
    struct run_ref *const *runs;
    uint32_t run_count, run_at;
    struct run_cursor *cursor;
    struct entry entry;    /* where the run's cursor stands */
    bool has_entry;
    struct strbuf last_key; /* given last */
    struct strbuf held_row; /* backward: the best version so far */
};

struct cursor {
    struct txn *txn;
    struct layer layers[BRANCH_STEPS_MAX];
    bool reverse, skip_keys, changes;
    uint64_t since;
    struct strbuf lower, upper;
    bool has_lower, has_upper;
    tree_id tree;
    struct strbuf tracked; /* SERIALIZABLE: from here on, in the scan's order, nothing is tracked yet */
    bool tracks;
    struct arena batch;
    struct page_pins pins; /* of the batch */
    struct source *sources;
    uint32_t source_count;
};

/* --- memtables --------------------------------------------------------------------------------- */

static void memory_advance(struct cursor *c, struct source *s)
{
    for (;;) {
        if (!s->walked || ++s->at >= s->count) {
            if (s->walked && s->count < WALK_LEAVES) {
                s->ended = true;
                return;
            }
            struct slice from = c->reverse ? (c->has_upper ? strbuf_slice(&c->upper)
                                                           : (struct slice){0})
                                           : strbuf_slice(&c->lower);
            bool after = s->walked;
            if (s->walked) from = leaf_key(s->leaves[s->count - 1]);
            s->count = memtable_walk(s->memory->table, from, after, c->reverse, s->leaves,
                                     WALK_LEAVES);
            s->walked = true;
            s->at = 0;
            if (s->count == 0) {
                s->ended = true;
                return;
            }
        }
        struct leaf *leaf = s->leaves[s->at];
        const struct version *v = mvcc__visible(&s->layer->view, leaf_head(leaf));
        if (!v) continue;
        struct txn *x;
        s->ts = mvcc__begin(v, &x);
        if (c->since && s->ts && s->ts <= c->since) continue; /* 0: its own */
        s->key = leaf_key(leaf);
        s->row = slice_make(v->row, v->len);
        s->tombstone = v->tombstone;
        return;
    }
}

/* --- runs -------------------------------------------------------------------------------------- */

static enum status open_run(struct cursor *c, struct source *s)
{
    TRY(run_cursor_open(s->runs[s->run_at]->run, &s->cursor));
    run_cursor_hold(s->cursor, &c->pins);
    return OK;
}

/* Moves to the next entry, over the ends of runs. has_entry false at the end of all. */
static enum status next_entry(struct cursor *c, struct source *s)
{
    enum status st = c->reverse ? run_cursor_prev(s->cursor, &s->entry)
                                : run_cursor_next(s->cursor, &s->entry);
    while (st == END_OF_DATA) {
        s->has_entry = false;
        if (c->reverse ? s->run_at == 0 : s->run_at + 1 >= s->run_count) return OK;
        s->run_at = c->reverse ? s->run_at - 1 : s->run_at + 1;
        run_cursor_close(s->cursor);
        s->cursor = NULL;
        TRY(open_run(c, s));
        st = run_cursor_seek(s->cursor, (struct slice){0}, c->reverse, &s->entry);
    }
    TRY(st);
    s->has_entry = true;
    return OK;
}

static enum status runs_start(struct cursor *c, struct source *s)
{
    struct slice lower = strbuf_slice(&c->lower);
    struct slice upper = c->has_upper ? strbuf_slice(&c->upper) : (struct slice){0};
    if (!c->reverse) {
        while (s->run_at + 1 < s->run_count &&
               slice_cmp(run_max_key(s->runs[s->run_at]->run), lower) < 0)
            s->run_at++;
    } else {
        s->run_at = s->run_count - 1;
        while (c->has_upper && s->run_at > 0 &&
               slice_cmp(run_min_key(s->runs[s->run_at]->run), upper) >= 0)
            s->run_at--;
    }
    TRY(open_run(c, s));
    struct slice from = c->reverse ? upper : lower;
    if (from.len == 0 && !c->reverse) from.data = NULL;
    enum status st = run_cursor_seek(s->cursor, from, c->reverse, &s->entry);
    s->has_entry = st == OK;
    if (st == END_OF_DATA) return next_entry(c, s);
    return st;
}

static bool is_last_key(const struct source *s)
{
    return s->last_key.data && slice_eq(s->entry.key, strbuf_slice(&s->last_key));
}

static void remember_key(struct source *s)
{
    strbuf_clear(&s->last_key);
    strbuf_add(&s->last_key, s->entry.key.data, s->entry.key.len);
}

/* False: the version had ended by then, and what came after it lies elsewhere, if anything did. */
static bool lasted(const struct source *s, const struct entry *e)
{
    return s->kind == SOURCE_RUNS || history_end(e) > s->layer->view.snapshot;
}

static struct slice row_of(const struct source *s, const struct entry *e)
{
    return s->kind == SOURCE_RUNS ? e->row : history_row(e);
}

/* Does the entry, the newest of its key here that the snapshot sees, tell of a change since the moment? */
static bool is_since(const struct cursor *c, const struct source *s)
{
    const struct entry *e = &s->entry;
    if (s->kind != SOURCE_HISTORY) return e->ts > c->since;
    return e->ts <= c->since && history_end(e) > c->since &&
           history_end(e) <= s->layer->view.snapshot;
}

/* As next_entry, forward, past whatever the snapshot does not see. */
static enum status next_seen(struct cursor *c, struct source *s)
{
    enum status st = run_cursor_next_seen(s->cursor, s->layer->view.snapshot, s->kind == SOURCE_HISTORY,
                                          &s->last_key, &s->entry);
    if (st == END_OF_DATA) return next_entry(c, s); /* goes on with the next run */
    s->has_entry = st == OK;
    return st;
}

/* Forward: the first version of the next key that the snapshot sees. */
static enum status runs_forward(struct cursor *c, struct source *s, bool first)
{
    if (first) TRY(runs_start(c, s));
    else if (s->layer->past) TRY(next_seen(c, s));
    else TRY(next_entry(c, s));
    while (s->has_entry) {
        if (c->since && s->kind == SOURCE_HISTORY) {
            if (is_since(c, s)) break;
        } else if (s->entry.ts <= s->layer->view.snapshot && !is_last_key(s)) {
            remember_key(s);
            if (c->since ? is_since(c, s) : lasted(s, &s->entry)) break;
        }
        TRY(next_entry(c, s));
    }
    s->ended = !s->has_entry;
    if (s->ended) return OK;
    s->key = s->entry.key;
    s->row = row_of(s, &s->entry);
    s->tombstone = s->entry.tombstone || (c->since && s->kind == SOURCE_HISTORY);
    s->ts = s->entry.ts;
    return OK;
}

/* Backward the versions of a key come oldest first: the last one seen by the snapshot counts. */
static enum status runs_backward(struct cursor *c, struct source *s, bool first)
{
    bool found = false;
    if (first) TRY(runs_start(c, s));
    while (!found) {
        while (s->has_entry && s->entry.ts > s->layer->view.snapshot) TRY(next_entry(c, s));
        s->ended = !s->has_entry;
        if (s->ended) return OK;
        remember_key(s);
        while (s->has_entry && is_last_key(s)) {
            if (s->entry.ts <= s->layer->view.snapshot) {
                struct slice row = row_of(s, &s->entry);
                found = lasted(s, &s->entry);
                strbuf_clear(&s->held_row);
                strbuf_add(&s->held_row, row.data, row.len);
                s->tombstone = s->entry.tombstone;
                s->ts = s->entry.ts;
            }
            TRY(next_entry(c, s));
        }
    }
    s->key = strbuf_slice(&s->last_key);
    s->row = strbuf_slice(&s->held_row);
    return OK;
}

static enum status advance(struct cursor *c, struct source *s, bool first)
{
    if (s->kind == SOURCE_MEMORY) memory_advance(c, s);
    else if (c->reverse) TRY(runs_backward(c, s, first));
    else TRY(runs_forward(c, s, first));
    if (s->ended) return OK;
    if (!c->reverse && c->has_upper && slice_cmp(s->key, strbuf_slice(&c->upper)) >= 0)
        s->ended = true;
    if (c->reverse && c->has_lower && slice_cmp(s->key, strbuf_slice(&c->lower)) < 0)
        s->ended = true;
    return OK;
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
    if (!history) return mvcc__run_visible(&layer->view, r);
    if (c->since) return run_min_ts(r->run) <= c->since;
    return layer->past && run_max_ts(r->run) > layer->view.snapshot &&
           run_min_ts(r->run) <= layer->view.snapshot;
}

/* Neighbours are one source. */
static void add_level(struct cursor *c, const struct layer *layer, const struct level *v)
{
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
        struct source *s = add_source(c, SOURCE_MEMORY, layer);
        s->memory = shape->memories[i];
        s->leaves = mem_alloc(MEM_TXN, WALK_LEAVES * sizeof *s->leaves);
    }
    for (uint32_t i = 0; i < shape->levels[0].count; i++)
        if (is_wanted(c, layer, shape->levels[0].runs[i], false))
            add_runs(c, SOURCE_RUNS, layer, &shape->levels[0].runs[i], 1);
    for (int l = 1; l < LEVELS_MAX; l++) add_level(c, layer, &shape->levels[l]);
    for (uint32_t i = 0; i < history->count; i++)
        if (is_wanted(c, layer, history->runs[i], true))
            add_runs(c, SOURCE_HISTORY, layer, &history->runs[i], 1);
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
    for (uint32_t i = 0; i < c->source_count; i++) {
        enum status st = advance(c, &c->sources[i], true);
        if (st != OK) {
            cursor_close(c);
            return st;
        }
    }
    *ret = c;
    return OK;
}

/* The source whose head comes next; NULL at the end. Others at the same key are moved on. */
static enum status pick(struct cursor *c, struct source **ret)
{
    struct source *best = NULL;
    for (uint32_t i = 0; i < c->source_count; i++) {
        struct source *s = &c->sources[i];
        if (s->ended) continue;
        if (!best) {
            best = s;
            continue;
        }
        int order = slice_cmp(s->key, best->key);
        if (order == 0 && s->layer->past && s->layer == best->layer && s->ts > best->ts) {
            TRY(advance(c, best, false));
            best = s;
            continue;
        }
        if (order == 0) {
            TRY(advance(c, s, false)); /* hidden by a newer version */
            i--;                       /* its next key may be smaller than none, but equal again */
            continue;
        }
        if ((order < 0) != c->reverse) best = s;
    }
    *ret = best;
    return OK;
}

static struct slice keep(struct cursor *c, struct slice s)
{
    if (s.len == 0) return slice_make("", 0);
    return slice_make(arena_memdup(&c->batch, s.data, s.len), s.len);
}

/* The rows of a batch, as they are gathered. */
struct gather {
    struct slice *keys, *rows; /* keys NULL: not wanted */
    uint32_t max, count;
};

/* Where the heads of the other sources begin; data NULL: nowhere. */
static struct slice limit_of(const struct cursor *c, const struct source *taken)
{
    struct slice limit = c->has_upper && !c->reverse ? strbuf_slice(&c->upper) : (struct slice){0};
    for (uint32_t i = 0; i < c->source_count; i++) {
        const struct source *s = &c->sources[i];
        if (s->ended || s == taken) continue;
        if (!limit.data || slice_cmp(s->key, limit) < 0) limit = s->key;
    }
    return limit;
}

static enum status take_one(struct cursor *c, struct source *s, struct gather *g)
{
    bool in_place = s->kind == SOURCE_MEMORY;
    if (s->tombstone && c->changes) {
        if (g->keys) g->keys[g->count] = keep(c, s->key);
        g->rows[g->count++] = (struct slice){0};
    } else if (!s->tombstone) {
        if (g->keys) g->keys[g->count] = in_place ? s->key : keep(c, s->key);
        g->rows[g->count++] = in_place ? s->row : keep(c, s->row);
    }
    return advance(c, s, false);
}

/* Forward: what this page has before the other sources' keys. */
static enum status take_page(struct cursor *c, struct source *s, struct gather *g)
{
    struct run_take q = {limit_of(c, s), s->layer->view.snapshot, g->max - g->count,
                         s->kind == SOURCE_HISTORY};
    g->count += run_cursor_take(s->cursor, &q, g->keys ? g->keys + g->count : NULL,
                                g->rows + g->count, &s->entry.key);
    remember_key(s);
    return advance(c, s, false);
}

static enum status take_memory(struct cursor *c, struct source *s, struct gather *g)
{
    struct slice limit = limit_of(c, s);
    do {
        TRY(take_one(c, s, g));
    } while (!c->reverse && g->count < g->max && !s->ended &&
             (!limit.data || slice_cmp(s->key, limit) < 0));
    return OK;
}

/* --- what SERIALIZABLE watches ----------------------------------------------------------------- */

/* The key that comes next, in the order of the scan; data NULL: none. */
static struct slice next_key(const struct cursor *c)
{
    struct slice next = {0};
    for (uint32_t i = 0; i < c->source_count; i++) {
        const struct source *s = &c->sources[i];
        if (s->ended) continue;
        if (!next.data || (slice_cmp(s->key, next) < 0) != c->reverse) next = s->key;
    }
    return next;
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
        TRY(pick(c, &s));
        if (!s) break;
        if (s->kind == SOURCE_MEMORY) TRY(take_memory(c, s, &g));
        else if (c->reverse || c->changes) TRY(take_one(c, s, &g));
        else TRY(take_page(c, s, &g));
    }
    *ret_count = g.count;
    return c->tracks ? track(c) : OK;
}

void cursor_close(struct cursor *c)
{
    for (uint32_t i = 0; i < c->source_count; i++) {
        struct source *s = &c->sources[i];
        if (s->cursor) run_cursor_close(s->cursor);
        mem_free(MEM_TXN, s->leaves);
        strbuf_release(&s->last_key);
        strbuf_release(&s->held_row);
    }
    page_pins_free(&c->pins);
    mem_free(MEM_TXN, c->sources);
    strbuf_release(&c->lower);
    strbuf_release(&c->upper);
    strbuf_release(&c->tracked);
    arena_release(&c->batch);
    mem_free(MEM_TXN, c);
}
