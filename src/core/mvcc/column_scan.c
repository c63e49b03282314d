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

enum { WALK_LEAVES = 64 };

void store_set_tree_columns(struct store *s, tree_id id, const struct tree_columns *columns)
{
    struct run_layout *l =
        columns ? run_layout_new(columns->count, columns->types, columns->missing) : NULL;
    struct epoch_slot *slot = epoch_slot_new(s->epoch);
    epoch_enter(slot);
    struct tree *t = forest_tree(s->forest, id);
    if (t) tree_set_layout(t, l);
    else run_layout_unref(l);
    epoch_exit(slot);
    epoch_slot_free(slot);
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

/* A run of the shape, whether the scan sees it or not. */
struct shape_run {
    struct run *run;
    uint32_t level;
    uint32_t at; /* among the scan's; NOT_SEEN */
};
#define NOT_SEEN UINT32_MAX

/* While memtables are looked through. */
struct hiding {
    struct column_scan *scan;
    struct shape_run *runs;
    struct run_finder *finders; /* of each */
    uint32_t count;
    uint32_t version; /* of notes in the memtable at hand; 0: none are made */
};

static uint64_t *hidden_of(struct scan_run *r)
{
    if (r->hidden) return r->hidden;
    size_t bytes = (run_entry_count(r->ref->run) + 63) / 64 * 8;
    r->hidden = mem_alloc(MEM_TXN, bytes);
    if (r->skip) memcpy(r->hidden, r->skip, bytes);
    r->skip = r->hidden;
    return r->hidden;
}

/* The first run of those from `at` on, all of one level, whose last key is not below. */
static uint32_t run_of_level(const struct hiding *h, uint32_t at, uint32_t end, struct slice key)
{
    while (at < end) {
        uint32_t mid = at + (end - at) / 2;
        if (slice_cmp(run_max_key(h->runs[mid].run), key) < 0) at = mid + 1;
        else end = mid;
    }
    return at;
}

/* Where a key lies: in the newest run with columns that has it. */
struct key_place {
    uint32_t run; /* of the shape; NOT_SEEN: in none */
    uint64_t position;
};

/* `seen`: only runs that the scan sees. */
static enum status find_place(struct hiding *h, struct slice key, bool seen, struct key_place *ret)
{
    uint64_t hash = run_key_hash(key);
    ret->run = NOT_SEEN;
    for (uint32_t i = 0, end; i < h->count; i = end) {
        uint32_t level = h->runs[i].level, at = i;
        for (end = i + 1; level && end < h->count && h->runs[end].level == level;) end++;
        if (level) at = run_of_level(h, i, end, key);
        if (at == end || (seen && h->runs[at].at == NOT_SEEN)) continue;
        struct run *r = h->runs[at].run;
        if (!run_has_columns(r) || !run_may_contain(r, key, hash)) continue;
        enum status st = run_find_position(&h->finders[at], key, &ret->position);
        if (st == NOT_FOUND) continue;
        ret->run = at;
        return st;
    }
    return OK;
}

/* A place as it is kept with a leaf: 20 bits of the version of the runs, 12 of the run, the position. */
enum { NOTE_VERSION_END = 1 << 20, NOTE_RUN_NONE = (1 << 12) - 1 };

static bool read_note(const struct hiding *h, const struct leaf *leaf, struct key_place *ret)
{
    uint64_t note = leaf_note(leaf);
    uint32_t run = (uint32_t)(note >> 32) & NOTE_RUN_NONE;
    if (!h->version || note >> 44 != h->version) return false;
    *ret = (struct key_place){run == NOTE_RUN_NONE ? NOT_SEEN : run, (uint32_t)note};
    return true;
}

static void make_note(const struct hiding *h, struct leaf *leaf, const struct key_place *p)
{
    uint64_t run = p->run == NOT_SEEN ? NOTE_RUN_NONE : p->run;
    if (h->version && (p->run == NOT_SEEN || p->run < NOTE_RUN_NONE))
        leaf_set_note(leaf, (uint64_t)h->version << 44 | run << 32 | (p->run == NOT_SEEN ? 0 : p->position));
}

/* In the newest run with columns that has the key: masks of that one tell the older ones. */
static enum status hide(struct hiding *h, struct leaf *leaf)
{
    struct key_place p;
    if (!read_note(h, leaf, &p)) {
        TRY(find_place(h, leaf_key(leaf), false, &p));
        make_note(h, leaf, &p);
    }
    if (p.run != NOT_SEEN && h->runs[p.run].at == NOT_SEEN)
        TRY(find_place(h, leaf_key(leaf), true, &p)); /* a load that the scan does not see */
    if (p.run == NOT_SEEN) return OK;
    hidden_of(&h->scan->runs[h->runs[p.run].at])[p.position / 64] |= 1ull << p.position % 64;
    return OK;
}

static enum status take_leaf(struct hiding *h, uint32_t memory, struct leaf *leaf)
{
    struct column_scan *s = h->scan;
    const struct version *v = mvcc__visible(&s->view, leaf_head(leaf));
    if (!v || column__in_memory(s, memory, leaf_key(leaf))) return OK;
    if (!v->tombstone) ARRAY_PUSH(&s->memory, (struct scan_row){leaf, v});
    return hide(h, leaf);
}

static enum status walk_memory(struct hiding *h, uint32_t memory)
{
    const struct memory *from_memory = h->scan->shape->memories[memory];
    const struct memtable *m = from_memory->table;
    struct leaf *leaves[WALK_LEAVES];
    uint64_t version = h->scan->shape->runs_version - from_memory->runs_version + 1;
    h->version = version < NOTE_VERSION_END ? (uint32_t)version : 0;
    struct leaf_list list;
    uint32_t n;
    memtable_list(m, &list);
    while ((n = memtable_list_next(&list, leaves, WALK_LEAVES)) > 0) {
        if (waiter_canceled(waiter_self()))
            return FAIL(QUERY_CANCELED, "canceling statement due to user request");
        for (uint32_t i = 0; i < n; i++) __builtin_prefetch(leaves[i]);
        for (uint32_t i = 0; i < n; i++) __builtin_prefetch(leaf_head(leaves[i]));
        for (uint32_t i = 0; i < n; i++) TRY(take_leaf(h, memory, leaves[i]));
    }
    return OK;
}

static enum status walk_memories(struct column_scan *s)
{
    struct hiding h = {.scan = s};
    enum status st = OK;
    uint32_t seen = 0, all = 0;
    for (uint32_t l = 0; l < LEVELS_MAX; l++) all += s->shape->levels[l].count;
    h.runs = mem_alloc(MEM_TXN, (all + 1) * sizeof *h.runs);
    h.finders = mem_alloc(MEM_TXN, (all + 1) * sizeof *h.finders);
    for (uint32_t l = 0; l < LEVELS_MAX; l++)
        for (uint32_t i = 0; i < s->shape->levels[l].count; i++) {
            const struct run_ref *r = s->shape->levels[l].runs[i];
            bool sees = seen < s->run_count && s->runs[seen].ref == r;
            h.finders[h.count].run = r->run;
            h.runs[h.count++] = (struct shape_run){r->run, l, sees ? seen : NOT_SEEN};
            seen += sees;
        }
    for (uint32_t i = 0; i < s->shape->memory_count && st == OK; i++) st = walk_memory(&h, i);
    for (uint32_t i = 0; i < h.count; i++) run_finder_end(&h.finders[i]);
    mem_free(MEM_TXN, h.runs);
    mem_free(MEM_TXN, h.finders);
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
    uint32_t rows = (uint32_t)s->memory.count;
    for (uint32_t i = 0; i < rows; i += BATCH_ROWS)
        add_unit(s, UNIT_MEMORY, 0, i, rows - i < BATCH_ROWS ? rows - i : BATCH_ROWS);
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
