#include "exec/ops/row_table.h"

enum { FULL_PERCENT = 40, LEAST_ROWS = 64 };

void row_table_init(struct row_table *t, struct execution *x, uint16_t columns,
                    const type_id *types, struct arena *a)
{
    *t = (struct row_table){.x = x, .arena = a};
    arena_clear(a);
    rowset_init(&t->rows, columns, types, a);
    row_index_init(&t->index, x, a);
}

uint32_t row_table_find(const struct row_table *t, const struct datum *row, uint64_t hash)
{
    for (uint32_t r = row_index_find(&t->index, hash, 0); r; r = row_index_find(&t->index, hash, r)) {
        bool same = true;
        for (uint32_t c = 0; c < t->rows.column_count && same; c++) {
            struct datum d = rowset_get(&t->rows, r - 1, c);
            same = d.null == row[c].null &&
                   (d.null || value_compare(t->rows.types[c], &d.v, &row[c].v) == 0);
        }
        if (same) return r;
    }
    return 0;
}

enum status row_table_add(struct row_table *t, const struct datum *row, uint64_t hash)
{
    rowset_add_row(&t->rows, row);
    return row_index_add(&t->index, hash);
}

enum status row_table_count(struct row_table *t, uint32_t row)
{
    if (row > t->counts_cap) {
        uint64_t cap = t->counts_cap ? t->counts_cap * 2 : 256;
        uint64_t *grown = arena_alloc(t->arena, cap * sizeof *grown);
        TRY(exec_copy(t->x, grown, t->counts, t->counts_cap * sizeof *grown));
        TRY(exec_zero(t->x, grown + t->counts_cap, (cap - t->counts_cap) * sizeof *grown));
        t->counts = grown;
        t->counts_cap = cap;
    }
    t->counts[row - 1]++;
    return OK;
}

bool row_table_is_full(const struct row_table *t)
{
    uint64_t limit = exec_memory_limit(t->x);
    if (t->rows.count >= UINT32_MAX - BATCH_ROWS) return true;
    return limit != UINT64_MAX && t->rows.count >= LEAST_ROWS &&
           exec_memory_used(t->x) > limit / 100 * FULL_PERCENT;
}

void row_hashes(const struct batch *b, const uint32_t *slots, uint32_t count, uint64_t *hashes)
{
    memset(hashes, 0, b->count * sizeof *hashes);
    for (uint32_t i = 0; i < count; i++)
        vec_hash(&b->columns[slots ? slots[i] : i], b->sel, b->count, i == 0, hashes);
}

/* --- late rows --------------------------------------------------------------------------------- */

void late_rows_init(struct late_rows *l, struct execution *x, const struct plan_node *n,
                    const uint32_t *slots, uint32_t slot_count)
{
    *l = (struct late_rows){.x = x, .columns = (uint16_t)n->column_count, .slots = slots,
                            .slot_count = slot_count};
}

static void make_sorters(struct late_rows *l, const struct batch *b)
{
    struct arena *a = l->x->arena;
    type_id *types = ARENA_ARRAY(a, type_id, l->columns + 1);
    struct key_part *parts = ARENA_ARRAY(a, struct key_part, l->slot_count + 1);
    struct key_part arrival = {.type = TYPE_INT8};
    for (uint16_t c = 0; c < l->columns; c++) types[c] = b->columns[c].type;
    types[l->columns] = TYPE_INT8;
    for (uint32_t i = 0; i < l->slot_count; i++)
        parts[i].type = types[l->slots ? l->slots[i] : i];
    l->by_key = sorter_new(l->x, l->columns + 1, types, parts, l->slot_count);
    l->by_arrival = sorter_new(l->x, l->columns + 1, types, &arrival, 1);
}

void late_rows_begin(struct late_rows *l)
{
    l->count = 0;
}

enum status late_rows_add(struct late_rows *l, const struct batch *b, struct arena *a)
{
    if (!b->count) return OK;
    if (!l->by_key) make_sorters(l, b);
    if (!l->count) sorter_begin(l->by_key, UINT64_MAX);
    struct batch rows = *b;
    struct vec *keys = ARENA_ARRAY(a, struct vec, l->slot_count + 1);
    rows.column_count = l->columns + 1;
    rows.columns = ARENA_ARRAY(a, struct vec, rows.column_count);
    memcpy(rows.columns, b->columns, l->columns * sizeof *rows.columns);
    vec_init_flat_rows(&rows.columns[l->columns], TYPE_INT8, b->rows, a);
    for (uint32_t i = 0; i < b->count; i++)
        VEC_DATA(&rows.columns[l->columns], int64_t)[op__row(b, i)] = l->count++;
    for (uint32_t i = 0; i < l->slot_count; i++)
        keys[i] = b->columns[l->slots ? l->slots[i] : i];
    return sorter_add(l->by_key, &rows, keys);
}

/* From one sorter to the other: the first of each key. */
static enum status sort_by_arrival(struct late_rows *l, struct arena *a)
{
    bool same[BATCH_ROWS];
    uint16_t sel[BATCH_ROWS];
    TRY(sorter_finish(l->by_key));
    sorter_begin(l->by_arrival, UINT64_MAX);
    for (;;) {
        struct batch b;
        arena_clear(a);
        enum status st = sorter_next(l->by_key, a, &b, same);
        if (st == END_OF_DATA) break;
        TRY(st);
        b.count = 0;
        b.sel = sel;
        for (uint32_t i = 0; i < b.rows; i++)
            if (!same[i]) sel[b.count++] = (uint16_t)i;
        TRY(sorter_add(l->by_arrival, &b, &b.columns[l->columns]));
    }
    sorter_end(l->by_key);
    return sorter_finish(l->by_arrival);
}

enum status late_rows_push(struct late_rows *l, const struct exec_sink *out, struct arena *a)
{
    if (!l->count) return OK;
    TRY(sort_by_arrival(l, a));
    for (;;) {
        struct batch b;
        arena_clear(a);
        enum status st = sorter_next(l->by_arrival, a, &b, NULL);
        if (st == END_OF_DATA) break;
        TRY(st);
        b.column_count = l->columns;
        TRY(op__push(l->x, out, &b));
    }
    sorter_end(l->by_arrival);
    return OK;
}
