/* Nested loop: the right side once for each left row when it reads the left row's values (LATERAL, an
 * index probe), else once in all, kept, and paired with every left row.
 *
 * The right rows lie in a row store, chunk by chunk, on disk when memory is pressed; a batch of left
 * rows meets one chunk after the other. */
#include "exec/ops/join.h"
#include "exec/ops/row_store.h"

struct loop_join {
    struct join_run j;
    struct row_store rows;
    struct arena *values, *chunk, *matched_arena;
    uint8_t *matched; /* RIGHT, FULL: by right row */
    bool whole;       /* the right side depends on nothing: kept over all left rows */
};

static enum status keep_rows(void *ctx, const struct batch *b)
{
    struct loop_join *l = ctx;
    TRY(row_store_add_batch(&l->rows, b));
    return exec_check(l->j.x);
}

static enum status run_right(struct loop_join *l)
{
    row_store_clear(&l->rows);
    struct exec_sink sink = {keep_rows, l};
    return op__run(l->j.x, l->j.n->right, &sink);
}

/* Makes a chunk of right rows the join's right side. */
static enum status open_chunk(struct loop_join *l, uint64_t chunk)
{
    struct batch b;
    arena_clear(l->chunk);
    TRY(row_store_read(&l->rows, chunk, l->chunk, &b));
    l->j.right = b.columns;
    l->j.right_count = b.rows;
    l->j.right_matched = l->matched ? l->matched + chunk * STORE_CHUNK_ROWS : NULL;
    return OK;
}

static enum status pair_all(struct loop_join *l, uint32_t row)
{
    for (uint32_t r = 0; r < l->j.right_count && !join_left_done(&l->j, row); r++)
        TRY(join_add_pair(&l->j, row, r));
    return OK;
}

static enum status pair_batch(struct loop_join *l, const struct batch *in)
{
    join_begin_batch(&l->j, in);
    for (uint64_t chunk = 0; chunk < row_store_chunks(&l->rows); chunk++) {
        TRY(open_chunk(l, chunk));
        for (uint32_t i = 0; i < in->count; i++) TRY(pair_all(l, op__row(in, i)));
        TRY(join_flush(&l->j)); /* pairs point into the chunk */
        TRY(exec_check(l->j.x));
    }
    return join_end_batch(&l->j);
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
    return pair_batch(l, &one);
}

static enum status loop_rows(void *ctx, const struct batch *in)
{
    struct loop_join *l = ctx;
    if (l->whole) return pair_batch(l, in);
    for (uint32_t i = 0; i < in->count; i++) {
        TRY(exec_check(l->j.x));
        TRY(loop_row(l, in, op__row(in, i)));
    }
    return OK;
}

/* Right rows without a match. */
static enum status push_unmatched(struct loop_join *l)
{
    for (uint64_t chunk = 0; l->matched && chunk < row_store_chunks(&l->rows); chunk++) {
        TRY(open_chunk(l, chunk));
        TRY(join_end(&l->j));
    }
    return OK;
}

/* One a node, for all its runs. */
static struct loop_join *loop_of(struct execution *x, const struct plan_node *n)
{
    bool fresh;
    struct op_state *state = exec_state(x, n, sizeof *state, &fresh);
    if (state->own) return state->own;
    struct loop_join *l = state->own = ARENA_NEW(x->arena, struct loop_join);
    type_id *types = ARENA_ARRAY(x->arena, type_id, n->right->column_count + 1);
    for (uint32_t c = 0; c < n->right->column_count; c++) types[c] = n->right->columns[c].type;
    row_store_init(&l->rows, x, (uint16_t)n->right->column_count, types, exec_arena(x),
                   exec_arena(x));
    l->matched_arena = exec_arena(x);
    return l;
}

enum status op__nested_loop(struct execution *x, const struct plan_node *n,
                            const struct exec_sink *out)
{
    struct loop_join *l = loop_of(x, n);
    l->values = op__arena(x, n, 2);
    l->chunk = op__arena(x, n, 1);
    l->whole = n->join.outer_count == 0;
    l->matched = NULL;
    join_init(&l->j, x, n, out, op__arena(x, n, 0));
    if (l->whole) {
        TRY(run_right(l));
        arena_release(l->matched_arena);
        if (n->join.type == JOIN_RIGHT || n->join.type == JOIN_FULL)
            l->matched = arena_zalloc(l->matched_arena, l->rows.count + 1);
    }
    struct exec_sink sink = {loop_rows, l};
    TRY(op__run(x, n->left, &sink));
    TRY(push_unmatched(l));
    row_store_end(&l->rows);
    return OK;
}
