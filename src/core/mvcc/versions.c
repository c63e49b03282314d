/* All versions of the keys of a tree, over a span of time: what changed, and when.
 *
 * The sources are those of a scan (cursor.c) with history, but each gives every version. Key by key all of
 * them are gathered and put in order of time; the newest ends with the span's reader, others where the
 * next one begins. A version from history that had ended before the next began was deleted then. What
 * a transaction has loaded and then written again is there twice, a timestamp apart: the later counts. */
#include "core/mvcc/mvcc_priv.h"

#include <stdlib.h>

#include "base/mem.h"

enum { LEAVES = 64 };

struct found_version {
    uint64_t ts, end; /* end 0: not told */
    bool tombstone;
    struct slice row;
};

struct versions_source {
    /* a memtable */
    struct memory *memory;
    struct leaf *leaves[LEAVES];
    uint32_t count, at;
    bool walked;
    /* or runs one after another */
    struct run_ref *const *runs;
    uint32_t run_count, run_at;
    struct run_cursor *cursor;
    struct entry entry;
    bool history;

    bool ended;
    struct slice key; /* of the head */
};

struct versions {
    struct txn *txn;
    uint64_t from, to;
    struct versions_source *sources;
    uint32_t source_count;
    struct arena key_arena; /* of the key at hand: its versions' rows */
    struct strbuf key;
    ARRAY(struct found_version) found;  /* newest first */
    ARRAY(struct past_version) events;  /* of the key, to be given */
    size_t given;
};

/* --- sources ----------------------------------------------------------------------------------- */

static void memory_next(struct versions_source *s)
{
    if (s->walked && ++s->at < s->count) {
        s->key = leaf_key(s->leaves[s->at]);
        return;
    }
    struct slice from = s->walked && s->count ? leaf_key(s->leaves[s->count - 1]) : (struct slice){0};
    s->count = memtable_walk(s->memory->table, from, s->walked, false, s->leaves, LEAVES);
    s->walked = true;
    s->at = 0;
    s->ended = s->count == 0;
    if (!s->ended) s->key = leaf_key(s->leaves[0]);
}

static enum status run_next(struct versions_source *s)
{
    enum status st = s->cursor ? run_cursor_next(s->cursor, &s->entry) : END_OF_DATA;
    while (st == END_OF_DATA) {
        if (s->run_at == s->run_count) {
            s->ended = true;
            return OK;
        }
        if (s->cursor) run_cursor_close(s->cursor);
        s->cursor = NULL;
        TRY(run_cursor_open(s->runs[s->run_at++]->run, &s->cursor));
        st = run_cursor_next(s->cursor, &s->entry);
    }
    TRY(st);
    s->key = s->entry.key;
    return OK;
}

static enum status source_next(struct versions_source *s)
{
    if (!s->memory) return run_next(s);
    memory_next(s);
    return OK;
}

/* --- a key ------------------------------------------------------------------------------------- */

static void add_found(struct versions *v, uint64_t ts, uint64_t end, bool tombstone, struct slice row)
{
    if (ts > v->to) return;
    char *copy = row.len ? arena_memdup(&v->key_arena, row.data, row.len) : "";
    struct found_version f = {ts, end, tombstone, slice_make(copy, row.len)};
    ARRAY_PUSH(&v->found, f);
}

/* Everything that the source has of the key; it stands at the next then. */
static enum status take_key(struct versions *v, struct versions_source *s)
{
    if (s->memory) {
        const struct version *x = leaf_head(s->leaves[s->at]);
        for (; x; x = __atomic_load_n(&x->older, __ATOMIC_ACQUIRE)) {
            struct txn *owner;
            uint64_t ts = mvcc__begin(x, &owner);
            if (x->lock_only || !ts || ts == TS_ABORTED) continue;
            add_found(v, ts, 0, x->tombstone, slice_make(x->row, x->len));
        }
        return source_next(s);
    }
    while (!s->ended && slice_eq(s->entry.key, strbuf_slice(&v->key))) {
        const struct entry *e = &s->entry;
        add_found(v, e->ts, s->history ? history_end(e) : 0, e->tombstone,
                  s->history ? history_row(e) : e->row);
        TRY(source_next(s));
    }
    return OK;
}

/* Newest first; of equals the one whose end is known. */
static int compare_found(const void *a, const void *b)
{
    const struct found_version *x = a, *y = b;
    if (x->ts != y->ts) return x->ts < y->ts ? 1 : -1;
    return (x->end < y->end) - (x->end > y->end);
}

/* Each once, with its end. */
static void settle_found(struct versions *v)
{
    size_t n = 0;
    if (v->found.count > 1)
        qsort(v->found.data, v->found.count, sizeof *v->found.data, compare_found);
    for (size_t i = 0; i < v->found.count; i++) {
        struct found_version f = v->found.data[i];
        uint64_t commit = (f.ts + 1) & ~1ull; /* of a load */
        if (n && v->found.data[n - 1].ts == commit) continue;
        if (f.end && f.end <= commit) continue; /* never seen: the same transaction deleted it */
        f.ts = commit;
        uint64_t newer = n ? v->found.data[n - 1].ts : UINT64_MAX;
        if (!f.end || f.end > newer) f.end = newer;
        v->found.data[n++] = f;
    }
    v->found.count = n;
}

static void add_event(struct versions *v, char operation, uint64_t from, uint64_t to,
                      struct slice row)
{
    struct past_version p = {.row = row, .from = from, .to = to > v->to ? 0 : to,
                             .operation = operation};
    ARRAY_PUSH(&v->events, p);
}

/* In order of time. What began before the span has no operation: what was before it may be gone. */
static void make_events(struct versions *v)
{
    const struct found_version *older = NULL;
    for (size_t i = v->found.count; i-- > 0;) {
        const struct found_version *f = &v->found.data[i];
        bool follows = older && !older->tombstone && older->end == f->ts;
        if (!f->tombstone && f->end > v->from)
            add_event(v, f->ts <= v->from ? 0 : follows ? 'U' : 'I', f->ts, f->end, f->row);
        bool lasted = i && !v->found.data[i - 1].tombstone && v->found.data[i - 1].ts == f->end;
        bool deleted = !f->tombstone && !lasted && f->end != UINT64_MAX && f->end <= v->to;
        if (deleted && f->end > v->from) add_event(v, 'D', f->end, 0, f->row);
        older = f;
    }
}

static enum status next_key(struct versions *v, bool *ret_any)
{
    const struct versions_source *least = NULL;
    for (uint32_t i = 0; i < v->source_count; i++) {
        const struct versions_source *s = &v->sources[i];
        if (!s->ended && (!least || slice_cmp(s->key, least->key) < 0)) least = s;
    }
    *ret_any = least != NULL;
    if (!least) return OK;
    arena_clear(&v->key_arena);
    strbuf_clear(&v->key);
    strbuf_add(&v->key, least->key.data, least->key.len);
    v->found.count = v->events.count = v->given = 0;
    for (uint32_t i = 0; i < v->source_count; i++) {
        struct versions_source *s = &v->sources[i];
        if (!s->ended && slice_eq(s->key, strbuf_slice(&v->key))) TRY(take_key(v, s));
    }
    settle_found(v);
    make_events(v);
    return OK;
}

/* --- from outside ------------------------------------------------------------------------------ */

static void add_source(struct versions *v, struct memory *m, struct run_ref *const *runs,
                       uint32_t count, bool history)
{
    struct versions_source *s = &v->sources[v->source_count++];
    s->memory = m;
    s->runs = runs;
    s->run_count = count;
    s->history = history;
}

static void add_sources(struct versions *v, const struct shape *shape)
{
    const struct level *history = &shape->levels[HISTORY];
    const struct view view = {v->txn, v->to, 0};
    uint32_t n = shape->memory_count + shape->levels[0].count + LEVELS_MAX + history->count;
    v->sources = mem_alloc(MEM_TXN, n * sizeof *v->sources);
    for (uint32_t i = 0; i < shape->memory_count; i++)
        add_source(v, shape->memories[i], NULL, 0, false);
    for (uint32_t i = 0; i < shape->levels[0].count; i++)
        if (mvcc__run_visible(&view, shape->levels[0].runs[i]))
            add_source(v, NULL, &shape->levels[0].runs[i], 1, false);
    for (int l = 1; l < LEVELS_MAX; l++)
        if (shape->levels[l].count)
            add_source(v, NULL, shape->levels[l].runs, shape->levels[l].count, false);
    for (uint32_t i = 0; i < history->count; i++)
        if (run_max_ts(history->runs[i]->run) > v->from)
            add_source(v, NULL, &history->runs[i], 1, true);
}

enum status store_versions(struct txn *past, tree_id id, uint64_t to, struct versions **ret)
{
    struct tree *tree;
    ASSERT(past->past);
    if (past->branch)
        return FAIL(FEATURE_NOT_SUPPORTED, "VERSIONS is not supported in branches");
    TRY(mvcc__tree(past, id, &tree));
    struct versions *v = mem_alloc(MEM_TXN, sizeof *v);
    v->txn = past;
    v->from = past->snapshot;
    v->to = to & ~1ull;
    arena_init(&v->key_arena, MEM_TXN);
    strbuf_init(&v->key, NULL);
    add_sources(v, tree_shape(tree));
    for (uint32_t i = 0; i < v->source_count; i++) {
        enum status st = source_next(&v->sources[i]);
        if (st == OK) continue;
        versions_close(v);
        return st;
    }
    *ret = v;
    return OK;
}

enum status versions_next(struct versions *v, struct past_version *ret, uint32_t max,
                          uint32_t *ret_count)
{
    bool any = true;
    *ret_count = 0;
    while (v->given == v->events.count && any) TRY(next_key(v, &any));
    while (v->given < v->events.count && *ret_count < max)
        ret[(*ret_count)++] = v->events.data[v->given++];
    return OK;
}

void versions_close(struct versions *v)
{
    for (uint32_t i = 0; i < v->source_count; i++)
        if (v->sources[i].cursor) run_cursor_close(v->sources[i].cursor);
    mem_free(MEM_TXN, v->sources);
    arena_release(&v->key_arena);
    strbuf_release(&v->key);
    ARRAY_RELEASE(&v->found);
    ARRAY_RELEASE(&v->events);
    mem_free(MEM_TXN, v);
}
