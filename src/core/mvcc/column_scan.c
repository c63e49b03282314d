/* Scans by columns: what there is to read, found when a scan is opened (docs/design/htap.md).
 *
 * Sources overlap: memtables, runs of level 0, deeper levels, newest first. A position of a run counts
 * when it is the newest of its key there, no tombstone, and no newer source has the key. What newer
 * runs have is told by masks (lsm/masks.c), which are kept; what memtables have is looked up here, as
 * their leaves are walked for the rows that the snapshot sees. Each run's newest version must be at or
 * below the snapshot: else the scan is not for columns. */
#include "core/columns.h"

#include "base/mem.h"
#include "core/mvcc/column_priv.h"

enum { WALK_LEAVES = 64, MEMORY_KEYS_MIN = 16384, MEMORY_PART = 64 };

void store_set_tree_columns(struct store *s, tree_id id, const struct tree_columns *columns)
{
    static const enum run_form forms[] = {[TREE_DUAL] = RUN_DUAL, [TREE_COLUMN] = RUN_COLUMN,
                                          [TREE_HYBRID] = RUN_HYBRID, [TREE_COMPRESSED] = RUN_COMPRESSED};
    struct run_layout *l =
        columns ? run_layout_new(forms[columns->form], columns->count, columns->types, columns->missing)
                : NULL;
    struct epoch_slot *slot = epoch_slot_new(s->epoch);
    epoch_enter(slot);
    struct tree *t = forest_tree(s->forest, id);
    if (t) tree_set_layout(t, l);
    else run_layout_unref(l);
    epoch_exit(slot);
    epoch_slot_free(slot);
    store__schedule(s);
}

/* --- memtables -------------------------------------------------------------------------------- */

bool column__in_memory(const struct column_scan *s, uint32_t n, struct slice key)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct memtable *m = s->shape->memories[i]->table;
        const struct leaf *leaf = memtable_key_count(m) ? memtable_find(m, key) : NULL;
        if (leaf && mvcc__visible(&s->view, leaf_head(leaf))) return true;
    }
    return false;
}

static uint64_t *hidden_of(struct scan_run *r)
{
    if (r->hidden) return r->hidden;
    size_t bytes = (run_entry_count(r->ref->run) + 63) / 64 * 8;
    r->hidden = mem_alloc(MEM_TXN, bytes);
    if (r->skip) memcpy(r->hidden, r->skip, bytes);
    r->skip = r->hidden;
    return r->hidden;
}

/* While memtables are looked through. */
struct hiding {
    struct column_scan *scan;
    struct place_finder finder;
    uint32_t *seen;   /* of each run of the shape: its number in the scan, PLACE_NONE */
    uint64_t *unseen; /* bits of those; NULL: there are none */
    uint64_t **bits;  /* of each run; NULL: nothing is hidden yet */
};

static void hide_at(struct hiding *h, const struct place *p)
{
    if (p->run == PLACE_NONE) return;
    if (!h->bits[p->run]) h->bits[p->run] = hidden_of(&h->scan->runs[h->seen[p->run]]);
    h->bits[p->run][p->position / 64] |= 1ull << p->position % 64;
}

/* The place may lie in a load that the scan does not see. */
static enum status hide_key(struct hiding *h, const struct leaf *leaf, const struct place *at)
{
    struct place p = *at;
    if (!mvcc__visible(&h->scan->view, leaf_head(leaf))) return OK;
    if (p.run != PLACE_NONE && h->seen[p.run] == PLACE_NONE)
        TRY(place_find(&h->finder, leaf_key(leaf), h->unseen, &p));
    hide_at(h, &p);
    return OK;
}

/* Some key may have no version that is seen: each is looked at. */
static enum status hide_each(struct hiding *h, uint32_t memory, const struct places *p)
{
    struct leaf *leaves[WALK_LEAVES];
    struct leaf_list list;
    uint32_t n, at = 0;
    memtable_list(h->scan->shape->memories[memory]->table, &list);
    list.left = p->list.count;
    while ((n = memtable_list_next(&list, leaves, WALK_LEAVES)) > 0) {
        if (waiter_canceled(waiter_self()))
            return FAIL(QUERY_CANCELED, "canceling statement due to user request");
        for (uint32_t i = 0; i < n; i++) __builtin_prefetch(leaf_head(leaves[i]));
        for (uint32_t i = 0; i < n; i++, at++) TRY(hide_key(h, leaves[i], &p->list.data[at]));
    }
    return OK;
}

/* What keys have hidden, and what readers will go through: all keys that are there now. A version that the snapshot
 * sees was there before it. */
static enum status take_places(struct hiding *h, uint32_t memory, struct places *p)
{
    struct column_scan *s = h->scan;
    struct leaf_list list;
    memtable_list(s->shape->memories[memory]->table, &list);
    list.left = p->list.count;
    while (list.left) {
        struct memory_part part = {memory, list};
        if (part.leaves.left > BATCH_ROWS) part.leaves.left = BATCH_ROWS;
        ARRAY_PUSH(&s->memory, part);
        memtable_list_skip(&list, (uint32_t)part.leaves.left);
    }
    for (size_t i = 0; i < p->open.count; i++) TRY(hide_key(h, p->open.data[i].leaf, &p->open.data[i].place));
    if (h->unseen || s->view.snapshot < p->settled_ts) return hide_each(h, memory, p);
    for (size_t i = 0; i < p->list.count; i++) hide_at(h, &p->list.data[i]);
    return OK;
}

static enum status walk_memories(struct column_scan *s)
{
    struct hiding h = {.scan = s};
    enum status st = OK;
    uint32_t seen = 0;
    place_finder_init(&h.finder, s->shape);
    h.seen = ARENA_ARRAY(&s->arena, uint32_t, h.finder.count + 1);
    h.bits = ARENA_ARRAY(&s->arena, uint64_t *, h.finder.count + 1);
    for (uint32_t i = 0; i < h.finder.count; i++) {
        bool sees = seen < s->run_count && s->runs[seen].ref == h.finder.runs[i].ref;
        h.seen[i] = sees ? seen++ : PLACE_NONE;
        if (sees) continue;
        if (!h.unseen) h.unseen = ARENA_ARRAY(&s->arena, uint64_t, h.finder.count / 64 + 1);
        h.unseen[i / 64] |= 1ull << i % 64;
    }
    for (uint32_t i = 0; i < s->shape->memory_count && st == OK; i++) {
        if (!memtable_key_count(s->shape->memories[i]->table)) continue;
        struct places *p = shape_places(s->shape, i);
        st = places_lock(p, s->shape, i, &h.finder);
        if (st != OK) break;
        st = take_places(&h, i, p);
        places_unlock(p);
    }
    place_finder_end(&h.finder);
    return st;
}

/* --- runs ------------------------------------------------------------------------------------- */

/* False: one of them has versions that are newer than the snapshot, or none has columns. */
static bool take_runs(struct column_scan *s)
{
    uint32_t count = 0;
    bool any = false;
    for (int l = 0; l < LEVELS_MAX; l++) count += s->shape->levels[l].count;
    s->runs = ARENA_ARRAY(&s->arena, struct scan_run, count);
    for (uint32_t l = 0; l < LEVELS_MAX; l++)
        for (uint32_t i = 0; i < s->shape->levels[l].count; i++) {
            struct run_ref *r = s->shape->levels[l].runs[i];
            if (!mvcc__run_visible(&s->view, r)) continue;
            if (run_max_ts(r->run) > s->view.snapshot) return false;
            struct scan_run *to = &s->runs[s->run_count++];
            *to = (struct scan_run){.ref = r, .level = l, .columns = run_has_columns(r->run)};
            if (to->columns) to->skip = run_column_within(r->run);
            any |= to->columns;
        }
    return any;
}

/* What newer runs have. */
static enum status hide_by_runs(struct column_scan *s)
{
    for (uint32_t i = 1; i < s->run_count; i++) {
        struct scan_run *r = &s->runs[i];
        for (uint32_t k = 0; r->columns && k < i; k++) {
            const struct scan_run *newer = &s->runs[k];
            bool any;
            if (newer->level && newer->level == r->level) continue;
            if (!runs_overlap(newer->ref->run, r->ref->run)) continue;
            TRY(run_hidden_add(r->ref, newer->ref, s->shape, hidden_of(r), &any));
        }
    }
    return OK;
}

static void add_unit(struct column_scan *s, enum unit_kind kind, uint32_t run, uint32_t first,
                     uint32_t count)
{
    ARRAY_PUSH(&s->units, (struct scan_unit){kind, run, first, count});
}

static void make_units(struct column_scan *s)
{
    for (uint32_t i = 0; i < s->memory.count; i++) add_unit(s, UNIT_MEMORY, 0, i, 1);
    for (uint32_t r = 0; r < s->run_count; r++) {
        uint32_t n = run_row_segments(s->runs[r].ref->run);
        for (uint32_t i = 0; i < n && !s->runs[r].columns; i += UNIT_SEGMENTS)
            add_unit(s, UNIT_ROWS, r, i, n - i < UNIT_SEGMENTS ? n - i : UNIT_SEGMENTS);
    }
    for (uint32_t r = 0; r < s->run_count; r++) {
        const struct run *run = s->runs[r].ref->run;
        uint32_t n = s->runs[r].columns ? run_column_segments(run) : 0;
        for (uint32_t i = 0; i < n; i++) {
            uint64_t all = run_column_first(run, i + 1) - run_column_first(run, i);
            for (uint32_t part = 0; (uint64_t)part * UNIT_BLOCK_ROWS < all; part++)
                add_unit(s, UNIT_COLUMNS, r, i, part);
        }
    }
}

/* --- the scan --------------------------------------------------------------------------------- */

/* Is the test true of the value that rows from before the column's time have? */
static enum status test_missing(const struct column_scan *s, const struct column_condition *c, bool *ret)
{
    uint32_t number = s->numbers[c->column];
    type_id type = s->types[c->column];
    struct datum d = s->layout->missing ? s->layout->missing[number] : (struct datum){.null = true};
    struct column_hint hint = {{0}};
    struct column_block *b;
    struct strbuf bytes;
    struct arena a;
    struct vec v;
    uint64_t mask[COLUMN_MASK_WORDS];
    arena_init(&a, MEM_TXN);
    strbuf_init(&bytes, NULL);
    vec_init_const(&v, type, d, &a);
    column_encode(type, &v, 1, NULL, &column_options_default, &hint, &bytes);
    void *at = arena_alloc_aligned(&a, bytes.len, 8);
    enum status st = column_open(type, slice_make(memcpy(at, bytes.data, bytes.len), bytes.len), NULL,
                                 &a, &b);
    if (st == OK) st = column_test(b, &c->test, mask);
    *ret = st == OK && mask[0] & 1;
    strbuf_release(&bytes);
    arena_release(&a);
    return st;
}

static enum status copy_conditions(struct column_scan *s, const struct column_scan_request *q)
{
    s->conditions = ARENA_ARRAY(&s->arena, struct scan_condition, q->condition_count + 1);
    s->condition_count = q->condition_count;
    for (uint32_t i = 0; i < q->condition_count; i++) {
        struct column_condition *c = &s->conditions[i].c;
        *c = q->conditions[i];
        ASSERT(c->column < q->count && column_can_test(q->types[c->column], c->test.op));
        struct datum *values = ARENA_ARRAY(&s->arena, struct datum, c->test.count + 1);
        for (uint32_t k = 0; k < c->test.count; k++)
            values[k] = datum_copy(&s->arena, q->types[c->column], c->test.values[k]);
        c->test.values = values;
        TRY(test_missing(s, c, &s->conditions[i].of_missing));
    }
    return OK;
}

/* All columns are known to the tree, by these types. */
static bool knows_columns(const struct run_layout *l, const struct column_scan_request *q)
{
    for (uint32_t i = 0; l && i < q->count; i++)
        if (q->numbers[i] >= l->count || l->types[q->numbers[i]] != q->types[i]) return false;
    return l;
}

static struct column_scan *scan_new(struct txn *t, struct tree *tree, const struct column_scan_request *q)
{
    struct column_scan *s = mem_alloc(MEM_TXN, sizeof *s);
    arena_init(&s->arena, MEM_TXN);
    s->view = txn__view(t);
    s->shape = tree_shape(tree);
    s->layout = tree_layout(tree);
    s->count = q->count;
    s->numbers = arena_memdup(&s->arena, q->numbers, q->count * sizeof *q->numbers);
    s->types = arena_memdup(&s->arena, q->types, q->count * sizeof *q->types);
    return s;
}

/* The tree, or NULL where columns cannot give what t reads. */
static enum status readable_tree(struct txn *t, tree_id id, struct tree **ret)
{
    struct layer layers[BRANCH_STEPS_MAX];
    uint32_t n;
    *ret = NULL;
    TRY(mvcc__layers(t, id, layers, &n, NULL));
    if (n == 1 && !layers[0].past && t->snapshot < TS_ABORTED - 1) *ret = layers[0].tree;
    return OK;
}

/* Small memtables are read in no time: from now on they are flushed earlier. */
static void note_scan(struct tree *tree, const struct column_scan *s)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < s->run_count; i++) rows += run_entry_count(s->runs[i].ref->run);
    uint64_t keys = rows / MEMORY_PART > MEMORY_KEYS_MIN ? rows / MEMORY_PART : MEMORY_KEYS_MIN;
    __atomic_store_n(&tree->keys_max, keys, __ATOMIC_RELAXED);
    __atomic_store_n(&tree->scanned_us, monotonic_us(), __ATOMIC_RELAXED);
}

enum status store_column_scan(struct txn *t, const struct column_scan_request *q, struct column_scan **ret)
{
    struct tree *tree;
    *ret = NULL;
    TRY(readable_tree(t, q->tree, &tree));
    if (!tree) return OK;
    struct column_scan *s = scan_new(t, tree, q);
    bool able = knows_columns(s->layout, q) && take_runs(s);
    enum status st = able ? copy_conditions(s, q) : OK;
    if (able && st == OK && t->ssi)
        st = ssi__read_range(t, q->tree, (struct slice){0}, (struct slice){0});
    if (able && st == OK) note_scan(tree, s);
    if (able && st == OK) st = hide_by_runs(s);
    if (able && st == OK) st = walk_memories(s);
    if (!able || st != OK) {
        column_scan_free(s);
        return st;
    }
    make_units(s);
    *ret = s;
    return OK;
}

void column_scan_free(struct column_scan *s)
{
    if (!s) return;
    for (uint32_t i = 0; i < s->run_count; i++) mem_free(MEM_TXN, s->runs[i].hidden);
    ARRAY_RELEASE(&s->memory);
    ARRAY_RELEASE(&s->units);
    run_layout_unref(s->layout);
    arena_release(&s->arena);
    mem_free(MEM_TXN, s);
}

enum status store_column_cost(struct txn *t, tree_id id, struct column_scan_cost *ret)
{
    struct tree *tree;
    *ret = (struct column_scan_cost){0};
    TRY(readable_tree(t, id, &tree));
    if (!tree) return OK;
    const struct shape *s = tree_shape(tree);
    for (uint32_t i = 0; i < s->memory_count; i++)
        ret->rows_by_row += memtable_key_count(s->memories[i]->table);
    for (int l = 0; l < LEVELS_MAX; l++)
        for (uint32_t i = 0; i < s->levels[l].count; i++) {
            const struct run *r = s->levels[l].runs[i]->run;
            uint64_t *rows = run_has_columns(r) ? &ret->rows_by_column : &ret->rows_by_row;
            *rows += run_entry_count(r);
            ret->blocks += run_column_blocks(r);
        }
    return OK;
}

void column_scan_get_counts(const struct column_scan *s, struct column_scan_counts *ret)
{
    *ret = (struct column_scan_counts){
        .blocks = __atomic_load_n(&s->blocks, __ATOMIC_RELAXED),
        .blocks_skipped = __atomic_load_n(&s->blocks_skipped, __ATOMIC_RELAXED),
        .rows_by_row = __atomic_load_n(&s->rows_by_row, __ATOMIC_RELAXED),
    };
}
