/* Readers of a scan by columns: each takes a unit of work after the other, and gives it piece by piece.
 *
 * Of a block of columns zones are asked first, then what is seen of it, then the conditions, on encoded
 * bytes: the one that has left the fewest rows so far goes first. */
#include "core/columns.h"

#include "base/mem.h"
#include "core/mvcc/column_priv.h"

enum { PAGES_HELD_MAX = 64, FORGET_ROWS = 1 << 20, WALK_LEAVES = 64 };

/* What a condition has let pass of the rows that it was asked of. */
struct passed {
    uint64_t asked, left;
};

struct column_reader {
    struct column_scan *scan;
    struct txn *txn;
    struct page_pins pins; /* of the piece, as is the arena */
    struct arena arena;
    bool has_unit;
    struct scan_unit unit;
    uint32_t at; /* in the unit: row, segment; block */
    struct slice *keys, *rows;
    uint64_t taken_rows;
    /* UNIT_ROWS */
    struct run_rows pending;
    uint32_t pending_at;
    struct run_finder *finders; /* of all runs; NULL: none was needed */
    /* UNIT_COLUMNS */
    struct column_segment *segment;
    uint32_t block_end, block; /* block: at hand */
    uint64_t position;         /* of its first row */
    uint32_t *places;          /* of each column in the segment; COLUMN_ABSENT */
    struct column_block **open; /* of the block; NULL: not yet */
    uint64_t mask[COLUMN_MASK_WORDS];
    uint32_t *order; /* of the conditions */
    struct passed *passed;
    struct run_finder key_finder;
    uint64_t blocks, blocks_skipped;
};

#define COLUMN_ABSENT UINT32_MAX

enum status column_reader_open(struct column_scan *s, struct txn *t, struct column_reader **ret)
{
    struct column_reader *r = mem_alloc(MEM_TXN, sizeof *r);
    r->scan = s;
    r->txn = t;
    arena_init(&r->arena, MEM_TXN);
    r->keys = mem_alloc(MEM_TXN, BATCH_ROWS * sizeof *r->keys);
    r->rows = mem_alloc(MEM_TXN, BATCH_ROWS * sizeof *r->rows);
    r->places = mem_alloc(MEM_TXN, (s->count + 1) * sizeof *r->places);
    r->open = mem_alloc(MEM_TXN, (s->count + 1) * sizeof *r->open);
    r->order = mem_alloc(MEM_TXN, (s->condition_count + 1) * sizeof *r->order);
    r->passed = mem_alloc(MEM_TXN, (s->condition_count + 1) * sizeof *r->passed);
    for (uint32_t i = 0; i < s->condition_count; i++) r->order[i] = i;
    *ret = r;
    return OK;
}

static void tell_counts(struct column_reader *r)
{
    struct column_scan *s = r->scan;
    __atomic_add_fetch(&s->blocks, r->blocks, __ATOMIC_RELAXED);
    __atomic_add_fetch(&s->blocks_skipped, r->blocks_skipped, __ATOMIC_RELAXED);
    __atomic_add_fetch(&s->rows_by_row, r->taken_rows, __ATOMIC_RELAXED);
    r->blocks = r->blocks_skipped = r->taken_rows = 0;
}

void column_reader_close(struct column_reader *r)
{
    if (!r) return;
    tell_counts(r);
    for (uint32_t i = 0; r->finders && i < r->scan->run_count; i++) run_finder_end(&r->finders[i]);
    mem_free(MEM_TXN, r->finders);
    run_finder_end(&r->key_finder);
    page_pins_free(&r->pins);
    arena_release(&r->arena);
    mem_free(MEM_TXN, r->keys);
    mem_free(MEM_TXN, r->rows);
    mem_free(MEM_TXN, r->places);
    mem_free(MEM_TXN, r->open);
    mem_free(MEM_TXN, r->order);
    mem_free(MEM_TXN, r->passed);
    mem_free(MEM_TXN, r);
}

/* --- rows ------------------------------------------------------------------------------------- */

static void rows_piece(struct column_reader *r, uint32_t n, struct column_piece *ret)
{
    *ret = (struct column_piece){.count = n, .rows = r->rows, .keys = r->keys};
    r->taken_rows += n;
}

static enum status memory_piece(struct column_reader *r, struct column_piece *ret)
{
    const struct column_scan *s = r->scan;
    struct memory_part part = s->memory.data[r->unit.first];
    struct leaf *leaves[WALK_LEAVES];
    uint32_t n, rows = 0;
    if (r->at++) return END_OF_DATA;
    while ((n = memtable_list_next(&part.leaves, leaves, WALK_LEAVES)) > 0) {
        for (uint32_t i = 0; i < n; i++) __builtin_prefetch(leaves[i]);
        for (uint32_t i = 0; i < n; i++) __builtin_prefetch(leaf_head(leaves[i]));
        for (uint32_t i = 0; i < n; i++) {
            const struct version *v = mvcc__visible(&s->view, leaf_head(leaves[i]));
            if (!v || v->tombstone || column__in_memory(s, part.memory, leaf_key(leaves[i]))) continue;
            r->keys[rows] = leaf_key(leaves[i]);
            r->rows[rows++] = slice_make(v->row, v->len);
        }
    }
    if (!rows) return END_OF_DATA;
    rows_piece(r, rows, ret);
    return OK;
}

/* Has a newer source the key? */
static enum status is_hidden(struct column_reader *r, struct slice key, bool *ret)
{
    const struct column_scan *s = r->scan;
    const struct scan_run *own = &s->runs[r->unit.run];
    uint64_t hash = run_key_hash(key);
    *ret = column__in_memory(s, s->shape->memory_count, key);
    if (!r->finders && !*ret) {
        r->finders = mem_alloc(MEM_TXN, (s->run_count + 1) * sizeof *r->finders);
        for (uint32_t i = 0; i < s->run_count; i++) r->finders[i].run = s->runs[i].ref->run;
    }
    for (uint32_t i = 0; i < r->unit.run && !*ret; i++) {
        const struct scan_run *newer = &s->runs[i];
        if (newer->level && newer->level == own->level) continue;
        if (!run_may_contain(newer->ref->run, key, hash)) continue;
        TRY(run_has_key(&r->finders[i], key, ret));
    }
    return OK;
}

/* Of a run without columns. */
static enum status run_piece(struct column_reader *r, struct column_piece *ret)
{
    uint32_t n = 0;
    struct run *run = r->scan->runs[r->unit.run].ref->run;
    while (n < BATCH_ROWS) {
        if (r->pending_at == r->pending.count) {
            if (r->at == r->unit.count || r->pins.pages.count >= PAGES_HELD_MAX) {
                if (n || r->at == r->unit.count) break;
                page_pins_release(&r->pins);
                arena_clear(&r->arena);
            }
            TRY(run_read_segment(run, r->unit.first + r->at++, &r->pins, &r->arena, &r->pending));
            r->pending_at = 0;
            continue;
        }
        const struct entry *e = &r->pending.entries[r->pending_at++];
        bool hidden;
        if (e->tombstone) continue;
        TRY(is_hidden(r, e->key, &hidden));
        if (hidden) continue;
        r->keys[n] = e->key;
        r->rows[n++] = e->row;
    }
    if (!n) return END_OF_DATA;
    rows_piece(r, n, ret);
    return OK;
}

/* --- blocks of columns ------------------------------------------------------------------------ */

static enum status begin_columns(struct column_reader *r)
{
    const struct column_scan *s = r->scan;
    struct run *run = s->runs[r->unit.run].ref->run;
    TRY(run_column_segment(run, r->unit.first, &r->segment));
    uint64_t from = (uint64_t)r->unit.count * UNIT_BLOCK_ROWS, to = from + UNIT_BLOCK_ROWS;
    uint32_t n = column_segment_block_count(r->segment), k = 0;
    while (k < n && column_segment_first_row(r->segment, k) < from) k++;
    r->at = k;
    while (k < n && column_segment_first_row(r->segment, k) < to) k++;
    r->block_end = k;
    for (uint32_t i = 0; i < s->count; i++) {
        bool has = column_segment_column(r->segment, s->numbers[i], &r->places[i]);
        if (!has) r->places[i] = COLUMN_ABSENT;
        else if (column_segment_type(r->segment, r->places[i]) != s->types[i])
            return FAIL(DATA_CORRUPTED, "column %u of a column segment is of another type",
                        s->numbers[i]);
    }
    return OK;
}

/* Bits of the positions at..at + n, from bit 0 on. */
static void take_bits(const uint64_t *bits, uint64_t at, uint32_t n, uint64_t *ret)
{
    uint32_t shift = at % 64, words = (n + 63) / 64;
    uint64_t first = at / 64, last = (at + n - 1) / 64;
    for (uint32_t w = 0; w < words; w++) {
        uint64_t low = bits[first + w] >> shift;
        bool more = shift && first + w + 1 <= last;
        ret[w] = low | (more ? bits[first + w + 1] << (64 - shift) : 0);
    }
}

/* The rows of the block that are seen. */
static void seen_rows(struct column_reader *r, uint32_t n)
{
    const uint64_t *skip = r->scan->runs[r->unit.run].skip;
    uint64_t gone[COLUMN_MASK_WORDS] = {0};
    if (skip) take_bits(skip, r->position, n, gone);
    for (uint32_t w = 0; w < COLUMN_MASK_WORDS; w++) {
        uint32_t from = w * 64;
        uint64_t all = n >= from + 64 ? UINT64_MAX : n > from ? (1ull << (n - from)) - 1 : 0;
        r->mask[w] = all & ~gone[w];
    }
}

static uint32_t count_rows(const uint64_t *mask)
{
    uint32_t n = 0;
    for (uint32_t w = 0; w < COLUMN_MASK_WORDS; w++) n += (uint32_t)__builtin_popcountll(mask[w]);
    return n;
}

static enum column_match match_of(const struct column_reader *r, const struct scan_condition *c)
{
    uint32_t at = r->places[c->c.column];
    if (at == COLUMN_ABSENT) return c->of_missing ? COLUMN_MATCH_ALL : COLUMN_MATCH_NONE;
    return column_zone_test(r->scan->types[c->c.column],
                            &column_segment_zones(r->segment, at)[r->block], &c->c.test);
}

/* Zones alone say that no row passes. */
static bool is_pruned(const struct column_reader *r)
{
    const struct column_scan *s = r->scan;
    for (uint32_t i = 0; i < s->condition_count; i++)
        if (match_of(r, &s->conditions[r->order[i]]) == COLUMN_MATCH_NONE) return true;
    return false;
}

static enum status block_of(struct column_reader *r, uint32_t column, struct column_block **ret)
{
    if (!r->open[column])
        TRY(column_segment_block(r->segment, r->places[column], r->block, &r->pins, &r->arena,
                                 &r->open[column]));
    *ret = r->open[column];
    return OK;
}

static double share(const struct passed *p)
{
    return p->asked ? (double)p->left / (double)p->asked : 0.5;
}

static void reorder(struct column_reader *r)
{
    for (uint32_t i = 1; i < r->scan->condition_count; i++) {
        uint32_t c = r->order[i], k = i;
        for (; k && share(&r->passed[r->order[k - 1]]) > share(&r->passed[c]); k--)
            r->order[k] = r->order[k - 1];
        r->order[k] = c;
    }
}

static void count_passed(struct passed *p, uint32_t asked, uint32_t left)
{
    p->asked += asked;
    p->left += left;
    if (p->asked < FORGET_ROWS) return;
    p->asked /= 2; /* what was long ago counts for less */
    p->left /= 2;
}

/* The mask becomes what passes all conditions. */
static enum status test_conditions(struct column_reader *r)
{
    const struct column_scan *s = r->scan;
    uint32_t rows = count_rows(r->mask);
    for (uint32_t i = 0; i < s->condition_count && rows; i++) {
        uint32_t at = r->order[i], left = 0;
        const struct scan_condition *c = &s->conditions[at];
        struct column_block *b;
        uint64_t more[COLUMN_MASK_WORDS];
        if (match_of(r, c) == COLUMN_MATCH_ALL) continue;
        TRY(block_of(r, c->c.column, &b));
        TRY(column_test(b, &c->c.test, more));
        for (uint32_t w = 0; w < COLUMN_MASK_WORDS; w++) r->mask[w] &= more[w];
        left = count_rows(r->mask);
        count_passed(&r->passed[at], rows, left);
        rows = left;
    }
    reorder(r);
    return OK;
}

/* Of block `at` of the segment; *ret_rows 0: nothing of it. */
static enum status test_block(struct column_reader *r, uint32_t *ret_rows)
{
    uint32_t first = column_segment_first_row(r->segment, r->block);
    uint32_t n = column_segment_first_row(r->segment, r->block + 1) - first;
    *ret_rows = 0;
    r->position = run_column_first(r->scan->runs[r->unit.run].ref->run, r->unit.first) + first;
    memset(r->open, 0, r->scan->count * sizeof *r->open);
    r->blocks++;
    if (!is_pruned(r)) {
        seen_rows(r, n);
        *ret_rows = count_rows(r->mask);
    }
    if (!*ret_rows) {
        r->blocks_skipped++;
        return OK;
    }
    if (r->scan->condition_count) TRY(test_conditions(r));
    *ret_rows = count_rows(r->mask);
    return OK;
}

static enum status columns_piece(struct column_reader *r, struct column_piece *ret)
{
    uint32_t rows = 0;
    while (!rows) {
        if (r->at == r->block_end) return END_OF_DATA;
        page_pins_release(&r->pins);
        arena_clear(&r->arena);
        r->block = r->at++;
        TRY(test_block(r, &rows));
    }
    uint32_t n = column_segment_first_row(r->segment, r->block + 1) -
                 column_segment_first_row(r->segment, r->block);
    *ret = (struct column_piece){.count = n, .mask = r->mask, .whole = rows == n};
    return OK;
}

/* --- pieces ----------------------------------------------------------------------------------- */

static enum status next_unit(struct column_reader *r)
{
    struct column_scan *s = r->scan;
    uint32_t n = __atomic_fetch_add(&s->next_unit, 1, __ATOMIC_RELAXED);
    tell_counts(r);
    if (n >= s->units.count) {
        __atomic_fetch_sub(&s->next_unit, 1, __ATOMIC_RELAXED); /* it never comes to overflow */
        return END_OF_DATA;
    }
    if (waiter_canceled(waiter_self()))
        return FAIL(QUERY_CANCELED, "canceling statement due to user request");
    r->unit = s->units.data[n];
    r->at = 0;
    r->has_unit = true;
    return r->unit.kind == UNIT_COLUMNS ? begin_columns(r) : OK;
}

static enum status unit_piece(struct column_reader *r, struct column_piece *ret)
{
    switch (r->unit.kind) {
    case UNIT_MEMORY: return memory_piece(r, ret);
    case UNIT_ROWS: return run_piece(r, ret);
    default: return columns_piece(r, ret);
    }
}

enum status column_reader_next(struct column_reader *r, struct column_piece *ret)
{
    bool more = r->has_unit && r->unit.kind == UNIT_ROWS && r->pending_at < r->pending.count;
    if (!more) { /* what is left of a segment is still to be given */
        page_pins_release(&r->pins);
        arena_clear(&r->arena);
    }
    for (;;) {
        if (!r->has_unit) TRY(next_unit(r));
        enum status st = unit_piece(r, ret);
        if (st != END_OF_DATA) return st;
        r->has_unit = false;
    }
}

/* --- what a block has ------------------------------------------------------------------------- */

/* The value of a column that the segment lacks. */
static void missing_column(struct column_reader *r, uint32_t column, uint32_t rows, bool flat,
                           struct vec *ret)
{
    const struct column_scan *s = r->scan;
    struct datum d = s->layout->missing ? s->layout->missing[s->numbers[column]]
                                        : (struct datum){.null = true};
    vec_init_const(ret, s->types[column], d, &r->arena);
    if (!flat) return;
    vec_init_flat(ret, s->types[column], &r->arena);
    for (uint32_t i = 0; i < rows; i++) vec_set(ret, i, d);
}

enum status column_reader_column(struct column_reader *r, uint32_t column, const uint16_t *sel,
                                 uint32_t count, bool flat, struct vec *ret)
{
    struct column_block *b;
    ASSERT(r->has_unit && r->unit.kind == UNIT_COLUMNS && column < r->scan->count);
    if (r->places[column] == COLUMN_ABSENT) {
        uint32_t first = column_segment_first_row(r->segment, r->block);
        missing_column(r, column, column_segment_first_row(r->segment, r->block + 1) - first, flat, ret);
        return OK;
    }
    TRY(block_of(r, column, &b));
    /* Many are found faster among all than one by one. */
    bool most = type_rep(r->scan->types[column]) == REP_BYTES ? count > column_rows(b) / 4 * 3
                                                              : count > column_rows(b) / 8;
    if (sel && most) {
        sel = NULL;
        count = column_rows(b);
    }
    return column_read(b, sel, count, flat, &r->arena, ret);
}

enum status column_reader_keys(struct column_reader *r, const uint16_t *sel, uint32_t count,
                               struct slice *ret)
{
    struct run_finder *f = &r->key_finder;
    struct run *run = r->scan->runs[r->unit.run].ref->run;
    const struct cache_page *kept = NULL;
    ASSERT(r->has_unit && r->unit.kind == UNIT_COLUMNS);
    if (f->run != run) {
        run_finder_end(f);
        f->run = run;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = sel ? sel[i] : i;
        struct entry e;
        TRY(run_entry_at(f, r->position + at, &e));
        if (f->page != kept) run_finder_keep(f, &r->pins);
        kept = f->page;
        ret[at] = e.key;
    }
    return OK;
}

const struct column_zone *column_reader_zone(const struct column_reader *r, uint32_t column)
{
    ASSERT(r->has_unit && r->unit.kind == UNIT_COLUMNS && column < r->scan->count);
    uint32_t at = r->places[column];
    return at == COLUMN_ABSENT ? NULL : &column_segment_zones(r->segment, at)[r->block];
}
