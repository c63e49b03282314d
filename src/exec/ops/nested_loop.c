/* Nested loop: the right side once for each left row when it reads the left row's values (LATERAL, an
 * index probe), else once in all, kept, and paired with every left row. */
#include "exec/ops/join.h"

struct loop_join {
    struct join_run j;
    struct rowset rows;
    struct arena *keep, *values;
    const type_id *right_types;
    bool whole; /* the right side depends on nothing: kept over all left rows */
};

static enum status keep_rows(void *ctx, const struct batch *b)
{
    struct loop_join *l = ctx;
    rowset_add_batch(&l->rows, b);
    return exec_check(l->j.x);
}

static enum status run_right(struct loop_join *l)
{
    arena_clear(l->keep);
    rowset_init(&l->rows, (uint16_t)l->j.right_columns, l->right_types, l->keep);
    struct exec_sink sink = {keep_rows, l};
    TRY(op__run(l->j.x, l->j.n->right, &sink));
    if (l->rows.count > UINT32_MAX - 2)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "a join's side has too many rows");
    l->j.right = rowset_columns(&l->rows, l->keep);
    l->j.right_count = l->rows.count;
    return OK;
}

static enum status pair_all(struct loop_join *l, uint32_t row)
{
    for (uint64_t r = 0; r < l->rows.count && !join_left_done(&l->j, row); r++)
        TRY(join_add_pair(&l->j, row, (uint32_t)r));
    return OK;
}

/* One left row as a batch of its own, its values told to the right side. */
static enum status loop_row(struct loop_join *l, const struct batch *in, uint32_t row)
{
    struct execution *x = l->j.x;
    const struct plan_node *n = l->j.n;
    arena_clear(l->values);
    struct datum *values = ARENA_ARRAY(l->values, struct datum, in->column_count + 1);
    op__get_row(in, row, values);
    for (uint32_t i = 0; i < n->join.outer_count; i++)
        TRY(exec_eval_row(x, n->join.outer[i], values, l->values,
                          &x->outer[n->join.outer_index[i]]));
    TRY(run_right(l));
    uint16_t sel = (uint16_t)row;
    struct batch one = *in;
    one.sel = &sel;
    one.count = 1;
    join_begin_batch(&l->j, &one);
    TRY(pair_all(l, row));
    return join_end_batch(&l->j);
}

static enum status loop_rows(void *ctx, const struct batch *in)
{
    struct loop_join *l = ctx;
    if (!l->whole) {
        for (uint32_t i = 0; i < in->count; i++) {
            TRY(exec_check(l->j.x));
            TRY(loop_row(l, in, op__row(in, i)));
        }
        return OK;
    }
    join_begin_batch(&l->j, in);
    for (uint32_t i = 0; i < in->count; i++) TRY(pair_all(l, op__row(in, i)));
    return join_end_batch(&l->j);
}

enum status op__nested_loop(struct execution *x, const struct plan_node *n,
                            const struct exec_sink *out)
{
    struct arena *a = op__arena(x, n, 3);
    struct loop_join *l = arena_zalloc(a, sizeof *l);
    l->keep = op__arena(x, n, 1);
    l->values = op__arena(x, n, 2);
    l->whole = n->join.outer_count == 0;
    join_init(&l->j, x, n, out, op__arena(x, n, 0));
    type_id *types = ARENA_ARRAY(a, type_id, n->right->column_count + 1);
    for (uint32_t c = 0; c < n->right->column_count; c++) types[c] = n->right->columns[c].type;
    l->right_types = types;
    if (l->whole) {
        TRY(run_right(l));
        if (n->join.type == JOIN_RIGHT || n->join.type == JOIN_FULL)
            l->j.right_matched = arena_zalloc(l->keep, l->rows.count + 1);
    }
    struct exec_sink sink = {loop_rows, l};
    TRY(op__run(x, n->left, &sink));
    return join_end(&l->j);
}
