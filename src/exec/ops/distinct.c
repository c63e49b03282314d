/* DISTINCT, DISTINCT ON, INTERSECT and EXCEPT: hash tables of rows. */
#include "exec/ops/ops_priv.h"

struct row_table {
    struct rowset rows;
    struct row_index index;
    uint64_t *counts; /* by row: SET_OP's multiplicity on the right side */
    uint64_t counts_cap;
};

struct unique_run {
    struct execution *x;
    const struct plan_node *n;
    const struct exec_sink *out;
    struct arena *keep, *batch;
    struct row_table table;
    const uint32_t *slots;
    uint32_t slot_count;
};

static void table_init(struct row_table *t, uint16_t columns, const type_id *types, struct arena *a)
{
    *t = (struct row_table){0};
    rowset_init(&t->rows, columns, types, a);
    row_index_init(&t->index, a);
}

/* Row number + 1 of an equal row, NULLs being equal; 0: none. */
static uint32_t table_find(const struct row_table *t, const struct datum *row, uint64_t hash)
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

static void table_add(struct row_table *t, const struct datum *row, uint64_t hash)
{
    rowset_add_row(&t->rows, row);
    row_index_add(&t->index, hash);
}

static void hash_rows(const struct batch *b, const uint32_t *slots, uint32_t count, uint64_t *hashes)
{
    memset(hashes, 0, b->count * sizeof *hashes);
    for (uint32_t i = 0; i < count; i++)
        vec_hash(&b->columns[slots ? slots[i] : i], b->sel, b->count, i == 0, hashes);
}

/* --- DISTINCT ---------------------------------------------------------------------------------- */

static enum status distinct_rows(void *ctx, const struct batch *in)
{
    struct unique_run *u = ctx;
    arena_clear(u->batch);
    uint64_t *hashes = arena_alloc(u->batch, (in->count + 1) * sizeof *hashes);
    uint16_t *sel = arena_alloc(u->batch, (in->count + 1) * sizeof *sel);
    struct datum *row = ARENA_ARRAY(u->batch, struct datum, u->slot_count + 1);
    hash_rows(in, u->slots, u->slot_count, hashes);
    struct batch b = *in;
    b.sel = sel;
    b.count = 0;
    for (uint32_t i = 0; i < in->count; i++) {
        uint32_t at = op__row(in, i);
        for (uint32_t c = 0; c < u->slot_count; c++)
            row[c] = vec_get(&in->columns[u->slots ? u->slots[c] : c], at);
        if (table_find(&u->table, row, hashes[i])) continue;
        table_add(&u->table, row, hashes[i]);
        sel[b.count++] = (uint16_t)at;
    }
    return op__push(u->x, u->out, &b);
}

enum status op__distinct(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    struct unique_run u = {.x = x, .n = n, .out = out};
    u.keep = op__arena(x, n, 1);
    u.batch = op__arena(x, n, 0);
    u.slots = n->distinct.slot_count ? n->distinct.slots : NULL;
    u.slot_count = n->distinct.slot_count ? n->distinct.slot_count : n->column_count;
    type_id *types = ARENA_ARRAY(u.keep, type_id, u.slot_count + 1);
    for (uint32_t i = 0; i < u.slot_count; i++)
        types[i] = n->columns[u.slots ? u.slots[i] : i].type;
    table_init(&u.table, (uint16_t)u.slot_count, types, u.keep);
    struct exec_sink sink = {distinct_rows, &u};
    return op__run(x, n->left, &sink);
}

/* --- INTERSECT, EXCEPT: the right side is counted, then the left side streams by ----------------- */

static void count_one(struct unique_run *u, uint32_t row)
{
    struct row_table *t = &u->table;
    if (row > t->counts_cap) {
        uint64_t cap = t->counts_cap ? t->counts_cap * 2 : 256;
        uint64_t *grown = ARENA_ARRAY(u->keep, uint64_t, cap);
        if (t->counts_cap) memcpy(grown, t->counts, t->counts_cap * sizeof *grown);
        t->counts = grown;
        t->counts_cap = cap;
    }
    t->counts[row - 1]++;
}

static enum status count_right(void *ctx, const struct batch *in)
{
    struct unique_run *u = ctx;
    arena_clear(u->batch);
    uint64_t *hashes = arena_alloc(u->batch, (in->count + 1) * sizeof *hashes);
    struct datum *row = ARENA_ARRAY(u->batch, struct datum, in->column_count + 1);
    hash_rows(in, NULL, in->column_count, hashes);
    for (uint32_t i = 0; i < in->count; i++) {
        op__get_row(in, op__row(in, i), row);
        uint32_t r = table_find(&u->table, row, hashes[i]);
        if (!r) {
            table_add(&u->table, row, hashes[i]);
            r = (uint32_t)u->table.rows.count;
        }
        count_one(u, r);
    }
    return exec_check(u->x);
}

/* Does this left row come out? ALL counts rows one against one; else each value comes once, and what
 * has come is marked in the table. */
static bool wanted(struct unique_run *u, const struct datum *row, uint64_t hash)
{
    struct row_table *t = &u->table;
    bool except = u->n->set_op.op == SETOP_EXCEPT;
    uint32_t r = table_find(t, row, hash);
    if (u->n->set_op.all) {
        bool matched = r && t->counts[r - 1] > 0;
        if (matched) t->counts[r - 1]--;
        return matched != except;
    }
    if (!r) {
        if (!except) return false;
        table_add(t, row, hash); /* seen: a later equal row finds it */
        count_one(u, (uint32_t)t->rows.count);
        return true;
    }
    if (except || t->counts[r - 1] == 0) return false;
    t->counts[r - 1] = 0;
    return true;
}

static enum status stream_left(void *ctx, const struct batch *in)
{
    struct unique_run *u = ctx;
    arena_clear(u->batch);
    uint64_t *hashes = arena_alloc(u->batch, (in->count + 1) * sizeof *hashes);
    uint16_t *sel = arena_alloc(u->batch, (in->count + 1) * sizeof *sel);
    struct datum *row = ARENA_ARRAY(u->batch, struct datum, in->column_count + 1);
    hash_rows(in, NULL, in->column_count, hashes);
    struct batch b = *in;
    b.sel = sel;
    b.count = 0;
    for (uint32_t i = 0; i < in->count; i++) {
        op__get_row(in, op__row(in, i), row);
        if (wanted(u, row, hashes[i])) sel[b.count++] = (uint16_t)op__row(in, i);
    }
    return op__push(u->x, u->out, &b);
}

enum status op__set_op(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    struct unique_run u = {.x = x, .n = n, .out = out};
    u.keep = op__arena(x, n, 1);
    u.batch = op__arena(x, n, 0);
    table_init(&u.table, (uint16_t)n->column_count, op__types(x, n), u.keep);
    struct exec_sink right = {count_right, &u}, left = {stream_left, &u};
    TRY(op__run(x, n->right, &right));
    return op__run(x, n->left, &left);
}
