/* Sources of a scan: a memtable, or runs one after another. Each gives, key by key, the version that the view sees,
 * tombstones included.
 *
 * What lies scattered in memory is asked for some keys before it is looked at: of a table that is updated
 * much, the newest versions lie all over the memtable. A run whose keys come between those of others gives its
 * heads from an array, which is filled a page at a time, so that the merge goes from one to the next without
 * looking at the page again. */
#include "core/mvcc/cursor_priv.h"

#include "base/mem.h"

enum { LEAVES_AHEAD = 16, VERSIONS_AHEAD = 8 };

/* --- memtables ----------------------------------------------------------------------------------- */

/* Two lines of a leaf, or of its newest version. */
static void fetch(const struct source *s, uint32_t at, bool version)
{
    if (at >= s->count) return;
    const char *p = version ? (const char *)leaf_head(s->leaves[at]) : (const char *)s->leaves[at];
    __builtin_prefetch(p);
    __builtin_prefetch(p + 63);
}

/* The next leaves. */
static void walk(const struct cursor *c, struct source *s)
{
    struct slice from = strbuf_slice(&c->lower);
    if (c->reverse) from = c->has_upper ? strbuf_slice(&c->upper) : (struct slice){0};
    bool after = s->walked;
    if (after) from = leaf_key(s->leaves[s->count - 1]);
    s->count = memtable_walk(s->memory->table, from, after, c->reverse, s->leaves, WALK_LEAVES);
    s->walked = true;
    s->at = 0;
    for (uint32_t i = 0; i < LEAVES_AHEAD; i++) fetch(s, i, false);
    for (uint32_t i = 0; i < VERSIONS_AHEAD; i++) fetch(s, i, true);
}

static void memory_advance(struct cursor *c, struct source *s)
{
    for (;;) {
        if (!s->walked || ++s->at >= s->count) {
            if (s->walked && s->count < WALK_LEAVES) s->count = 0;
            else walk(c, s);
            s->ended = s->count == 0;
            if (s->ended) return;
        }
        fetch(s, s->at + LEAVES_AHEAD, false);
        fetch(s, s->at + VERSIONS_AHEAD, true);
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
    bool today = s->kind == SOURCE_RUNS && !s->layer->past && !c->since && !c->reverse;
    if (today) run_cursor_pass_hidden(s->cursor, s->layer->view.snapshot);
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

static void remember(struct source *s, struct slice key)
{
    strbuf_clear(&s->last_key);
    strbuf_add(&s->last_key, key.data, key.len);
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

/* As next_entry, forward and not of changes, past whatever the snapshot does not see. */
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
    else if (!c->since) TRY(next_seen(c, s));
    else TRY(next_entry(c, s));
    while (s->has_entry) {
        if (c->since && s->kind == SOURCE_HISTORY) {
            if (is_since(c, s)) break;
        } else if (s->entry.ts <= s->layer->view.snapshot && !is_last_key(s)) {
            remember(s, s->entry.key);
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
        remember(s, s->entry.key);
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

/* --- many heads at once ---------------------------------------------------------------------------- */

static void show(struct source *s)
{
    const struct run_row *r = &s->ahead[s->ahead_at];
    s->key = r->key;
    s->row = r->row;
    s->ts = r->ts;
    s->tombstone = r->tombstone;
}

/* Standing at an entry that is to be given. */
static void fill_ahead(struct source *s)
{
    struct slice last;
    if (!s->ahead) s->ahead = mem_alloc(MEM_TXN, ROWS_AHEAD * sizeof *s->ahead);
    s->ahead_at = 0;
    s->ahead_count = run_cursor_rows(s->cursor, s->layer->view.snapshot, s->kind == SOURCE_HISTORY,
                                     s->ahead, ROWS_AHEAD, &last);
    remember(s, last);
    show(s);
}

static enum status advance_runs(struct cursor *c, struct source *s, bool first)
{
    if (c->reverse) return runs_backward(c, s, first);
    if (s->ahead_at + 1 < s->ahead_count) {
        s->ahead_at++;
        show(s);
        return OK;
    }
    s->ahead_at = s->ahead_count = 0;
    TRY(runs_forward(c, s, first));
    if (!s->ended && s->interleaves && !c->since) fill_ahead(s);
    return OK;
}

enum status source__take_page(struct cursor *c, struct source *s, struct slice limit, uint32_t max,
                              struct slice *keys, struct slice *rows, uint32_t *ret_count)
{
    struct run_take q = {limit, s->layer->view.snapshot, max, s->kind == SOURCE_HISTORY};
    struct slice last;
    *ret_count = run_cursor_take(s->cursor, &q, keys, rows, &last);
    remember(s, last);
    return source__next(c, s);
}

void source__keep_hidden(struct source *s, uint64_t ts)
{
    if (__atomic_load_n(&s->runs[s->run_at]->begin, __ATOMIC_ACQUIRE)) return;
    run_cursor_hide(s->cursor, s->ahead_count ? s->ahead[s->ahead_at].entry : run_cursor_entry(s->cursor), ts);
}

static void memory_next(struct cursor *c, struct source *s)
{
    memory_advance(c, s);
    if (!s->ended && c->has_upper && slice_cmp(s->key, strbuf_slice(&c->upper)) >= 0) s->ended = true;
}

/* Which of the two comes next cannot be foretold, so what is given is chosen without a branch. */
void source__zip(struct cursor *c, struct source *memory, struct source *run, struct gather *g)
{
    const struct run_row *ahead = run->ahead;
    uint32_t from = run->ahead_at, at = from, last = run->ahead_count - 1, n = g->count;
    bool between = false;
    while (c->has_upper && last > at && slice_cmp(ahead[last].key, strbuf_slice(&c->upper)) >= 0) last--;
    while (at < last && n < g->max && !memory->ended) {
        const struct run_row *r = &ahead[at];
        int order = slice_cmp_short(memory->key, r->key);
        bool above = order <= 0;
        g->rows[n] = above ? memory->row : r->row;
        if (g->keys) g->keys[n] = above ? memory->key : r->key;
        n += !(above ? memory->tombstone : r->tombstone);
        if (order == 0) {
            run->ahead_at = at;
            source__hide(c, memory, run);
        }
        at += order >= 0;
        between |= above;
        run->shown |= !above;
        if (above) memory_next(c, memory);
    }
    if (!from && at == last && last >= ROWS_AHEAD / 2 && !between) run->interleaves = false;
    g->count = n;
    run->ahead_at = at;
    show(run);
}

/* --- all ------------------------------------------------------------------------------------------- */

static enum status advance(struct cursor *c, struct source *s, bool first)
{
    if (s->kind == SOURCE_MEMORY) memory_advance(c, s);
    else TRY(advance_runs(c, s, first));
    if (s->ended) return OK;
    if (!c->reverse && c->has_upper && slice_cmp(s->key, strbuf_slice(&c->upper)) >= 0)
        s->ended = true;
    if (c->reverse && c->has_lower && slice_cmp(s->key, strbuf_slice(&c->lower)) < 0)
        s->ended = true;
    return OK;
}

enum status source__first(struct cursor *c, struct source *s)
{
    return advance(c, s, true);
}

enum status source__next(struct cursor *c, struct source *s)
{
    return advance(c, s, false);
}

void source__close(struct source *s)
{
    if (s->cursor) run_cursor_close(s->cursor);
    mem_free(MEM_TXN, s->leaves);
    mem_free(MEM_TXN, s->ahead);
    strbuf_release(&s->last_key);
    strbuf_release(&s->held_row);
}
