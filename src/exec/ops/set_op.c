/* INTERSECT and EXCEPT: the right side's rows are counted in a table, then the left side streams by.
 *
 * When the right side does not fit, the rows of both sides go to a sorter with a count each, right ones
 * first, and the answer is read off its groups. EXCEPT without ALL also remembers what has come from the
 * left; when there is no room for that the rest waits in sorters to the end. */
#include "exec/ops/row_table.h"

struct set_run {
    struct execution *x;
    const struct plan_node *n;
    const struct exec_sink *out;
    struct arena *keep, *batch;
    struct row_table table;
    struct late_rows late;
    struct sorter *sorter;      /* columns, and a count (int8): 0 for a left row */
    bool frozen, sorted;        /* sorted: the sorter has all rows */
    uint64_t right_count;       /* of the group being read: not yet matched */
    bool any_right, any_left;   /* of that group */
};

static bool is_except(const struct set_run *u)
{
    return u->n->set_op.op == SETOP_EXCEPT;
}

/* --- in memory --------------------------------------------------------------------------------- */

/* Does this left row come out? ALL counts rows one against one; else each value comes once, and what
 * has come is marked in the table. */
static enum status wanted(struct set_run *u, const struct datum *row, uint64_t hash, bool *ret)
{
    struct row_table *t = &u->table;
    uint32_t r = row_table_find(t, row, hash);
    if (u->n->set_op.all) {
        bool matched = r && t->counts[r - 1] > 0;
        if (matched) t->counts[r - 1]--;
        *ret = matched != is_except(u);
        return OK;
    }
    *ret = !r && is_except(u);
    if (!r) {
        if (!*ret || u->frozen) return OK;
        TRY(row_table_add(t, row, hash)); /* seen: a later equal row finds it */
        return row_table_count(t, (uint32_t)t->rows.count);
    }
    if (is_except(u) || t->counts[r - 1] == 0) return OK;
    t->counts[r - 1] = 0;
    *ret = true;
    return OK;
}

static enum status stream_left(void *ctx, const struct batch *in)
{
    struct set_run *u = ctx;
    arena_clear(u->batch);
    uint64_t *hashes = arena_alloc(u->batch, (in->count + 1) * sizeof *hashes);
    uint16_t *sel = arena_alloc(u->batch, (in->count + 1) * sizeof *sel);
    struct datum *row = ARENA_ARRAY(u->batch, struct datum, in->column_count + 1);
    row_hashes(in, NULL, in->column_count, hashes);
    struct batch b = *in;
    b.sel = sel;
    b.count = 0;
    for (uint32_t i = 0; i < in->count; i++) {
        op__get_row(in, op__row(in, i), row);
        bool comes;
        TRY(wanted(u, row, hashes[i], &comes));
        if (comes) sel[b.count++] = (uint16_t)op__row(in, i);
    }
    if (u->frozen) return late_rows_add(&u->late, &b, u->batch);
    u->frozen = is_except(u) && !u->n->set_op.all && row_table_is_full(&u->table);
    return op__push(u->x, u->out, &b);
}

/* --- sorted ------------------------------------------------------------------------------------ */

/* The batch's rows go to the sorter; counts are by row, NULL: `count` for all. */
static enum status sort_batch(struct set_run *u, const struct batch *in, const uint64_t *counts,
                              int64_t count, struct arena *a)
{
    struct batch b = *in;
    uint32_t columns = u->n->column_count;
    b.column_count = (uint16_t)(columns + 1);
    b.columns = ARENA_ARRAY(a, struct vec, columns + 1);
    memcpy(b.columns, in->columns, columns * sizeof *b.columns);
    vec_init_flat_rows(&b.columns[columns], TYPE_INT8, in->rows, a);
    for (uint32_t i = 0; i < in->rows; i++)
        VEC_DATA(&b.columns[columns], int64_t)[i] = counts ? (int64_t)counts[i] : count;
    return sorter_add(u->sorter, &b, b.columns);
}

/* What the table has goes to the sorter. */
static enum status sort_table(struct set_run *u)
{
    const struct plan_node *n = u->n;
    const type_id *types = op__types(u->x, n);
    if (!u->sorter) {
        type_id *with_count = ARENA_ARRAY(u->x->arena, type_id, n->column_count + 1);
        struct key_part *parts = ARENA_ARRAY(u->x->arena, struct key_part, n->column_count + 1);
        for (uint32_t c = 0; c < n->column_count; c++) with_count[c] = parts[c].type = types[c];
        with_count[n->column_count] = TYPE_INT8;
        u->sorter = sorter_new(u->x, (uint16_t)(n->column_count + 1), with_count, parts,
                               n->column_count);
    }
    u->sorted = true;
    sorter_begin(u->sorter, UINT64_MAX);
    for (uint32_t i = 0; i < u->table.rows.chunk_count; i++) {
        arena_clear(u->batch);
        TRY(sort_batch(u, &u->table.rows.chunks[i], u->table.counts + (uint64_t)i * BATCH_ROWS, 0,
                       u->batch));
    }
    row_table_init(&u->table, u->x, (uint16_t)n->column_count, types, u->keep);
    return OK;
}

static enum status sort_left(void *ctx, const struct batch *in)
{
    struct set_run *u = ctx;
    arena_clear(u->batch);
    return sort_batch(u, in, NULL, 0, u->batch);
}

static bool wanted_of_group(struct set_run *u)
{
    bool first = !u->any_left, matched = u->any_right;
    u->any_left = true;
    if (!u->n->set_op.all) return first && matched != is_except(u);
    matched = u->right_count > 0;
    if (matched) u->right_count--;
    return matched != is_except(u);
}

static enum status push_groups(struct set_run *u)
{
    bool same[BATCH_ROWS];
    uint16_t sel[BATCH_ROWS];
    TRY(sorter_finish(u->sorter));
    for (;;) {
        struct batch b;
        arena_clear(u->batch);
        enum status st = sorter_next(u->sorter, u->batch, &b, same);
        if (st == END_OF_DATA) break;
        TRY(st);
        const int64_t *counts = VEC_DATA(&b.columns[u->n->column_count], int64_t);
        b.column_count = (uint16_t)u->n->column_count;
        b.sel = sel;
        b.count = 0;
        for (uint32_t i = 0; i < b.rows; i++) {
            if (!same[i]) {
                u->right_count = 0;
                u->any_right = u->any_left = false;
            }
            u->right_count += (uint64_t)counts[i];
            u->any_right |= counts[i] > 0;
            if (counts[i] == 0 && wanted_of_group(u)) sel[b.count++] = (uint16_t)i;
        }
        TRY(op__push(u->x, u->out, &b));
    }
    sorter_end(u->sorter);
    return OK;
}

/* --- both -------------------------------------------------------------------------------------- */

static enum status count_right(void *ctx, const struct batch *in)
{
    struct set_run *u = ctx;
    arena_clear(u->batch);
    if (u->sorted) return sort_batch(u, in, NULL, 1, u->batch);
    uint64_t *hashes = arena_alloc(u->batch, (in->count + 1) * sizeof *hashes);
    struct datum *row = ARENA_ARRAY(u->batch, struct datum, in->column_count + 1);
    row_hashes(in, NULL, in->column_count, hashes);
    for (uint32_t i = 0; i < in->count; i++) {
        op__get_row(in, op__row(in, i), row);
        uint32_t r = row_table_find(&u->table, row, hashes[i]);
        if (!r) {
            TRY(row_table_add(&u->table, row, hashes[i]));
            r = (uint32_t)u->table.rows.count;
        }
        TRY(row_table_count(&u->table, r));
    }
    if (row_table_is_full(&u->table)) TRY(sort_table(u));
    return exec_check(u->x);
}

enum status op__set_op(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    bool fresh;
    const type_id *types = op__types(x, n);
    struct op_state *state = exec_state(x, n, sizeof *state, &fresh);
    struct set_run *u = state->own;
    if (!u) {
        u = state->own = ARENA_NEW(x->arena, struct set_run);
        u->x = x;
        u->n = n;
        late_rows_init(&u->late, x, n, NULL, n->column_count);
    }
    u->out = out;
    u->keep = op__arena(x, n, 1);
    u->batch = op__arena(x, n, 0);
    u->frozen = u->sorted = u->any_right = u->any_left = false;
    u->right_count = 0;
    row_table_init(&u->table, x, (uint16_t)n->column_count, types, u->keep);
    late_rows_begin(&u->late);
    struct exec_sink right = {count_right, u}, left = {stream_left, u};
    TRY(op__run(x, n->right, &right));
    if (u->sorted) left.rows = sort_left;
    TRY(op__run(x, n->left, &left));
    if (u->sorted) return push_groups(u);
    arena_clear(u->keep);
    return late_rows_push(&u->late, out, u->batch);
}
