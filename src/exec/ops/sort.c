/* Sorting: rows are kept column by column, each gets a key of bytes whose order is the order wanted
 * (types/key.h), and an array of (first 8 bytes, key, row) is sorted. With a limit only the best rows
 * are kept: whenever twice as many as wanted have come, the worse half goes. */
#include "exec/ops/ops_priv.h"

#include <endian.h>
#include <stdlib.h>

#include "types/key.h"

enum { TOP_ROWS_MIN = 4096 };

struct sort_entry {
    uint64_t prefix; /* of the key, big-endian */
    struct slice key;
    uint32_t row;
};

struct sort_run {
    struct execution *x;
    const struct plan_node *n;
    struct arena *keep[2], *batch; /* rows and keys lie in keep[side] */
    unsigned side;
    struct rowset rows;
    struct sort_entry *entries;
    uint64_t count, cap, limit;
    struct strbuf key;
};

enum status op__sort_key(struct execution *x, const struct sort_item *items, uint32_t count,
                         const struct datum *values, struct strbuf *out)
{
    (void)x;
    for (uint32_t i = 0; i < count; i++) {
        struct key_part part = {items[i].expr->type, items[i].descending, items[i].nulls_first};
        key_encode(&part, values[i], out);
    }
    return OK;
}

static uint64_t prefix_of(struct slice key)
{
    uint64_t p = 0;
    memcpy(&p, key.data, key.len < 8 ? key.len : 8);
    return be64toh(p);
}

static int compare_entries(const void *a, const void *b)
{
    const struct sort_entry *x = a, *y = b;
    if (x->prefix != y->prefix) return x->prefix < y->prefix ? -1 : 1;
    int c = slice_cmp(x->key, y->key);
    if (c) return c;
    return x->row < y->row ? -1 : x->row > y->row;
}

static void add_entry(struct sort_run *s, struct slice key)
{
    struct arena *a = s->keep[s->side];
    if (s->count == s->cap) {
        uint64_t cap = s->cap ? s->cap * 2 : 64;
        struct sort_entry *grown = arena_alloc(a, cap * sizeof *grown);
        if (s->count) memcpy(grown, s->entries, s->count * sizeof *grown);
        s->entries = grown;
        s->cap = cap;
    }
    struct slice copy = slice_make(arena_memdup(a, key.data, key.len), key.len);
    s->entries[s->count] = (struct sort_entry){prefix_of(key), copy, (uint32_t)s->count};
    s->count++;
}

/* Sorts, and keeps the best `limit` rows in the other arena. */
static void cut(struct sort_run *s)
{
    qsort(s->entries, s->count, sizeof *s->entries, compare_entries);
    struct sort_entry *old = s->entries;
    uint64_t n = s->count < s->limit ? s->count : s->limit;
    struct rowset rows = s->rows;
    s->side ^= 1;
    arena_clear(s->keep[s->side]);
    rowset_init(&s->rows, rows.column_count, rows.types, s->keep[s->side]);
    s->entries = NULL;
    s->count = s->cap = 0;
    struct datum *row = ARENA_ARRAY(s->batch, struct datum, rows.column_count + 1);
    for (uint64_t i = 0; i < n; i++) {
        for (uint32_t c = 0; c < rows.column_count; c++) row[c] = rowset_get(&rows, old[i].row, c);
        rowset_add_row(&s->rows, row);
        add_entry(s, old[i].key);
    }
}

static enum status sort_rows(void *ctx, const struct batch *b)
{
    struct sort_run *s = ctx;
    const struct plan_node *n = s->n;
    uint32_t items = n->sort.item_count;
    arena_clear(s->batch);
    struct vec *keys = ARENA_ARRAY(s->batch, struct vec, items + 1);
    struct datum *values = ARENA_ARRAY(s->batch, struct datum, items + 1);
    for (uint32_t i = 0; i < items; i++)
        TRY(exec_eval(s->x, n->sort.items[i].expr, b, s->batch, &keys[i]));
    rowset_add_batch(&s->rows, b);
    for (uint32_t r = 0; r < b->count; r++) {
        for (uint32_t i = 0; i < items; i++) values[i] = vec_get(&keys[i], op__row(b, r));
        strbuf_clear(&s->key);
        TRY(op__sort_key(s->x, n->sort.items, items, values, &s->key));
        add_entry(s, strbuf_slice(&s->key));
    }
    if (s->limit < UINT32_MAX && s->count >= 2 * s->limit + TOP_ROWS_MIN) cut(s);
    if (s->count > UINT32_MAX - BATCH_ROWS)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "too many rows to sort");
    return exec_check(s->x);
}

static enum status push_sorted(struct sort_run *s, const struct exec_sink *out)
{
    uint64_t n = s->count < s->limit ? s->count : s->limit;
    uint32_t rows[BATCH_ROWS];
    for (uint64_t at = 0; at < n;) {
        uint32_t m = 0;
        while (m < BATCH_ROWS && at < n) rows[m++] = s->entries[at++].row;
        arena_clear(s->batch);
        struct batch b = {.rows = m, .count = m, .column_count = s->rows.column_count};
        b.columns = ARENA_ARRAY(s->batch, struct vec, b.column_count + 1);
        for (uint32_t c = 0; c < b.column_count; c++)
            vec_init_flat_rows(&b.columns[c], s->rows.types[c], m, s->batch);
        rowset_gather(&s->rows, rows, m, 0, b.column_count, b.columns);
        TRY(op__push(s->x, out, &b));
    }
    return OK;
}

enum status op__sort(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    struct sort_run s = {.x = x, .n = n, .batch = op__arena(x, n, 0)};
    s.keep[0] = op__arena(x, n, 1);
    s.keep[1] = op__arena(x, n, 2);
    TRY(op__limit_value(x, n->sort.limit, false, &s.limit));
    strbuf_init(&s.key, op__arena(x, n, 3));
    rowset_init(&s.rows, (uint16_t)n->column_count, op__types(x, n), s.keep[0]);
    struct exec_sink sink = {sort_rows, &s};
    TRY(op__run(x, n->left, &sink));
    if (s.count > 1) qsort(s.entries, s.count, sizeof *s.entries, compare_entries);
    return push_sorted(&s, out);
}
