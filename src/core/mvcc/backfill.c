/* Filling an index while others write to it (core/backfill.h): entries are sorted by the buffers
 * of a bulk load, whose runs are merged once, so that they lie side by side in one level below
 * all others. */
#include "core/backfill.h"

#include "base/mem.h"
#include "core/mvcc/load_priv.h"
#include "core/segment/run_columns.h"

enum { LEAVES = 64, YIELD_EVERY = 512, FILTER_BITS = 10 };

/* Where others have written: a memtable, or a run. */
struct written_source {
    struct memtable *memory;
    struct run *run;
};

struct backfill {
    struct txn *txn;
    struct tree *tree; /* a reference */
    uint64_t created_ts;
    struct load *load;
    uint64_t given;            /* keys; each is named to the load by its number */
    ARRAY(struct slice) metas; /* on the heap */
    bool installed;
    struct strbuf conflict;

    struct run_ref **runs; /* once installed: disjoint, by rising keys */
    uint32_t run_count;
    ARRAY(struct written_source) sources;
    size_t source;
    struct leaf *leaves[LEAVES];
    uint32_t leaf_count, leaf;
    bool started;
    struct strbuf last;
    struct run_cursor *cursor;
    struct page_pins pins;
    struct arena found;
};

/* Long work on a thread that has others to serve. */
static enum status give_way(void)
{
    fiber_yield();
    if (!waiter_canceled(waiter_self())) return OK;
    return FAIL(QUERY_CANCELED, "canceling statement due to user request");
}

static void keep(void *ctx, struct slice meta)
{
    struct backfill *b = ctx;
    char *copy = mem_alloc(MEM_RUN, meta.len + 1);
    memcpy(copy, meta.data, meta.len);
    ARRAY_PUSH(&b->metas, slice_make(copy, meta.len));
}

enum status store_backfill_begin(struct txn *t, tree_id tree, uint64_t created_ts,
                                 struct backfill **ret)
{
    struct backfill *b = mem_alloc(MEM_RUN, sizeof *b);
    b->txn = t;
    b->created_ts = created_ts;
    strbuf_init(&b->conflict, NULL);
    strbuf_init(&b->last, NULL);
    arena_init(&b->found, MEM_RUN);
    enum status st = mvcc__own_tree(t, tree, &b->tree);
    if (st == OK) {
        tree_ref(b->tree);
        st = load__begin_kept(t, tree, keep, b, &b->load);
    }
    if (st != OK) store_backfill_free(b);
    else *ret = b;
    return st;
}

/* What the load says of a key that came twice lies in its buffer. */
static enum status judge(struct backfill *b, enum status st)
{
    if (st != UNIQUE_VIOLATION) return st;
    const struct load_conflict *c = store_load_conflict(b->load);
    strbuf_clear(&b->conflict);
    strbuf_add(&b->conflict, c->row.data, c->row.len);
    return st;
}

enum status store_backfill_add(struct backfill *b, struct slice key, struct slice row)
{
    return judge(b, store_load_add(b->load, 0, key, row, ++b->given));
}

struct slice store_backfill_conflict(const struct backfill *b)
{
    return strbuf_slice(&b->conflict);
}

/* --- one list of runs
 * -------------------------------------------------------------------------- */

struct merge_source {
    struct run *run;
    struct run_cursor *cursor;
    struct entry entry;
};

struct merging {
    struct backfill *b;
    struct merge_source *sources; /* a heap by key once all stand at their first entry */
    uint32_t count, opened;
    struct run_builder *out;
    struct strbuf last, meta;
    ARRAY(struct slice) metas;
    uint64_t entries;
};

static bool is_less(const struct merge_source *a, const struct merge_source *b)
{
    return slice_cmp(a->entry.key, b->entry.key) < 0;
}

static void sift_down(struct merge_source *s, uint32_t n, uint32_t i)
{
    for (;;) {
        uint32_t least = i, l = 2 * i + 1;
        if (l < n && is_less(&s[l], &s[least])) least = l;
        if (l + 1 < n && is_less(&s[l + 1], &s[least])) least = l + 1;
        if (least == i) return;
        struct merge_source x = s[i];
        s[i] = s[least];
        s[least] = x;
        i = least;
    }
}

static enum status end_run(struct merging *m)
{
    if (!m->out) return OK;
    struct run_builder *out = m->out;
    m->out = NULL;
    strbuf_clear(&m->meta);
    TRY(run_builder_finish(out, &m->meta));
    char *copy = mem_alloc(MEM_RUN, m->meta.len + 1);
    memcpy(copy, m->meta.data, m->meta.len);
    ARRAY_PUSH(&m->metas, slice_make(copy, m->meta.len));
    return OK;
}

static enum status add_merged(struct merging *m, const struct entry *e)
{
    struct forest *f = m->b->tree->forest;
    if (m->entries++ && slice_eq(strbuf_slice(&m->last), e->key)) {
        strbuf_clear(&m->b->conflict);
        strbuf_add(&m->b->conflict, e->row.data, e->row.len);
        return UNIQUE_VIOLATION;
    }
    if (m->entries % YIELD_EVERY == 0) TRY(give_way());
    strbuf_clear(&m->last);
    strbuf_add(&m->last, e->key.data, e->key.len);
    if (m->out && run_builder_bytes(m->out) >= f->o.run_bytes) TRY(end_run(m));
    struct run_options o = {.blocks = f->blocks, .cache = f->cache, .tree = m->b->tree->id,
                            .filter_bits = FILTER_BITS, .compress = true, .stamped = true,
                            .keep_rows = true /* what it is made of is read but once */};
    if (!m->out) {
        o.columns = tree_layout(m->b->tree);
        enum status st = run_builder_new(&o, &m->out);
        run_layout_unref(o.columns);
        TRY(st);
    }
    struct entry bare = {.key = e->key, .row = e->row};
    return run_builder_add(m->out, &bare);
}

static enum status merge_all(struct merging *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        struct merge_source *s = &m->sources[i];
        TRY(run_cursor_open(s->run, &s->cursor));
        TRY(run_cursor_seek(s->cursor, (struct slice){0}, false, &s->entry));
    }
    uint32_t n = m->count;
    for (uint32_t i = n / 2; i-- > 0;) sift_down(m->sources, n, i);
    while (n > 0) {
        struct merge_source *s = &m->sources[0];
        TRY(add_merged(m, &s->entry));
        enum status st = run_cursor_next(s->cursor, &s->entry);
        if (st != OK && st != END_OF_DATA) return st;
        if (st == END_OF_DATA) {
            struct merge_source done = *s;
            *s = m->sources[--n];
            m->sources[n] = done;
        }
        sift_down(m->sources, n, 0);
    }
    return end_run(m);
}

static enum status open_all(struct merging *m)
{
    struct forest *f = m->b->tree->forest;
    for (; m->opened < m->count; m->opened++)
        TRY(run_open(f->blocks, f->cache, m->b->metas.data[m->opened],
                     &m->sources[m->opened].run));
    return OK;
}

/* Input that comes in the order of the index is in order yet. */
static bool is_sorted(const struct merging *m)
{
    for (uint32_t i = 1; i < m->count; i++)
        if (slice_cmp(run_max_key(m->sources[i - 1].run), run_min_key(m->sources[i].run)) >= 0)
            return false;
    return true;
}

static void free_extents(struct backfill *b, struct slice meta)
{
    struct extent *e;
    uint32_t n;
    struct arena scratch;
    arena_init(&scratch, MEM_RUN);
    enum status st = run_meta_extents(meta, &scratch, &e, &n);
    ASSERT(st == OK);
    for (uint32_t i = 0; i < n; i++) blocks_free(b->tree->forest->blocks, e[i]);
    arena_release(&scratch);
}

/* The runs become those that were merged; of the others nothing is left. */
static void take_merged(struct merging *m)
{
    struct backfill *b = m->b;
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->sources[i].cursor) run_cursor_close(m->sources[i].cursor);
        run_destroy(m->sources[i].run);
    }
    for (size_t i = 0; i < b->metas.count; i++) mem_free(MEM_RUN, (char *)b->metas.data[i].data);
    b->metas.count = 0;
    for (size_t i = 0; i < m->metas.count; i++) ARRAY_PUSH(&b->metas, m->metas.data[i]);
}

static void give_up_merge(struct merging *m)
{
    struct error saved = *error_current();
    if (m->out) run_builder_abort(m->out);
    for (uint32_t i = 0; i < m->opened; i++) {
        if (m->sources[i].cursor) run_cursor_close(m->sources[i].cursor);
        run_close(m->sources[i].run);
    }
    for (size_t i = 0; i < m->metas.count; i++) {
        free_extents(m->b, m->metas.data[i]);
        mem_free(MEM_RUN, (char *)m->metas.data[i].data);
    }
    *error_current() = saved;
}

static enum status make_disjoint(struct backfill *b)
{
    struct merging m = {.b = b, .count = (uint32_t)b->metas.count};
    if (m.count < 2) return OK;
    m.sources = mem_alloc(MEM_RUN, m.count * sizeof *m.sources);
    strbuf_init(&m.last, NULL);
    strbuf_init(&m.meta, NULL);
    enum status st = open_all(&m);
    bool merges = st == OK && !is_sorted(&m);
    if (merges) st = merge_all(&m);
    if (merges && st == OK) take_merged(&m);
    else give_up_merge(&m);
    strbuf_release(&m.last);
    strbuf_release(&m.meta);
    ARRAY_RELEASE(&m.metas);
    mem_free(MEM_RUN, m.sources);
    return st;
}

enum status store_backfill_finish(struct backfill *b)
{
    const struct shape *before;
    TRY(judge(b, store_load_finish(b->load)));
    TRY(make_disjoint(b));
    if (!b->metas.count) return OK;
    for (size_t i = 0; i < b->metas.count; i++)
        run_meta_stamp(b->metas.data[i], run_load_ts(b->created_ts));
    TRY(tree_backfill(b->tree, b->metas.data, (uint32_t)b->metas.count, &before, &b->runs));
    b->installed = true;
    b->run_count = (uint32_t)b->metas.count;
    for (uint32_t i = 0; i < before->memory_count; i++)
        ARRAY_PUSH(&b->sources, (struct written_source){.memory = before->memories[i]->table});
    for (int l = 0; l < LEVELS_MAX; l++)
        for (uint32_t i = 0; i < before->levels[l].count; i++)
            ARRAY_PUSH(&b->sources, (struct written_source){.run = before->levels[l].runs[i]->run});
    return OK;
}

/* --- what others have written
 * ------------------------------------------------------------------ */

static bool next_in_memory(struct backfill *b, struct memtable *m, struct slice *ret)
{
    if (!b->started || ++b->leaf >= b->leaf_count) {
        struct slice from = {0};
        if (b->started && b->leaf_count < LEAVES) return false;
        if (b->started) from = leaf_key(b->leaves[b->leaf_count - 1]);
        b->leaf_count = memtable_walk(m, from, b->started, false, b->leaves, LEAVES);
        b->leaf = 0;
        b->started = true;
        if (!b->leaf_count) return false;
    }
    *ret = leaf_key(b->leaves[b->leaf]);
    return true;
}

static enum status next_in_run(struct backfill *b, struct run *r, struct slice *ret)
{
    struct entry e;
    enum status st;
    if (b->cursor) {
        st = run_cursor_next(b->cursor, &e);
    } else {
        TRY(run_cursor_open(r, &b->cursor));
        st = run_cursor_seek(b->cursor, (struct slice){0}, false, &e);
    }
    if (st == OK) *ret = e.key;
    return st;
}

/* END_OF_DATA after the last one of all sources. */
static enum status next_key(struct backfill *b, struct slice *ret)
{
    for (; b->source < b->sources.count; b->source++) {
        const struct written_source *s = &b->sources.data[b->source];
        if (s->memory && next_in_memory(b, s->memory, ret)) return OK;
        if (s->run) {
            enum status st = next_in_run(b, s->run, ret);
            if (st != END_OF_DATA) return st;
            run_cursor_close(b->cursor);
            b->cursor = NULL;
        }
        b->started = false;
        b->leaf_count = 0;
    }
    return END_OF_DATA;
}

/* The row that came with the key; NOT_FOUND. */
static enum status find_given(struct backfill *b, struct slice key, struct slice *ret)
{
    uint32_t lo = 0, hi = b->run_count;
    struct entry e;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (slice_cmp(run_max_key(b->runs[mid]->run), key) < 0) lo = mid + 1;
        else hi = mid;
    }
    uint64_t hash = run_key_hash(key);
    if (lo == b->run_count || !run_may_contain(b->runs[lo]->run, key, hash)) return NOT_FOUND;
    TRY(run_get(b->runs[lo]->run, key, hash, b->created_ts, &b->pins, &e));
    *ret = slice_dup(&b->found, e.row);
    return OK;
}

enum status store_backfill_written(struct backfill *b, struct slice *keys, struct slice *rows,
                                   uint32_t max, uint32_t *ret_count)
{
    uint32_t n = 0, looked = 0;
    arena_clear(&b->found);
    while (n < max) {
        struct slice key;
        enum status st = next_key(b, &key);
        if (st == END_OF_DATA) break;
        TRY(st);
        if (++looked % YIELD_EVERY == 0) TRY(give_way());
        st = find_given(b, key, &rows[n]);
        page_pins_release(&b->pins);
        if (st == NOT_FOUND) continue;
        TRY(st);
        keys[n++] = slice_dup(&b->found, key);
    }
    *ret_count = n;
    return OK;
}

void store_backfill_free(struct backfill *b)
{
    if (!b) return;
    if (b->load) store_load_free(b->load);
    if (b->cursor) run_cursor_close(b->cursor);
    for (size_t i = 0; i < b->metas.count; i++) {
        if (!b->installed) free_extents(b, b->metas.data[i]);
        mem_free(MEM_RUN, (char *)b->metas.data[i].data);
    }
    page_pins_free(&b->pins);
    mem_free(MEM_RUN, b->runs);
    ARRAY_RELEASE(&b->metas);
    ARRAY_RELEASE(&b->sources);
    strbuf_release(&b->conflict);
    strbuf_release(&b->last);
    arena_release(&b->found);
    if (b->tree) tree_unref(b->tree);
    mem_free(MEM_RUN, b);
}
