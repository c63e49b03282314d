/* Groups as rows. Where only the first groups by a count are wanted, the others are left out before anything
 * is computed of them. */
#include "exec/ops/aggregate_priv.h"

enum { TOP_MAX = 10000 };

/* --- the first groups -------------------------------------------------------------------------- */

enum status agg__begin_top(struct agg_run *r)
{
    const struct plan_node *n = r->n;
    uint64_t want;
    r->top = NULL;
    if (!n->aggregate.top) return OK;
    TRY(op__limit_value(r->x, n->aggregate.top, false, &want));
    if (want == 0 || want > TOP_MAX) return OK;
    struct arena *a = op__arena(r->x, n, 10);
    r->top = ARENA_NEW(a, struct agg_top);
    r->top->want = want;
    r->top->values = ARENA_ARRAY(a, int64_t, want);
    return OK;
}

static void sift_up(int64_t *v, uint32_t at)
{
    for (; at && v[(at - 1) / 2] > v[at]; at = (at - 1) / 2) {
        int64_t t = v[at];
        v[at] = v[(at - 1) / 2];
        v[(at - 1) / 2] = t;
    }
}

static void sift_down(int64_t *v, uint32_t n)
{
    for (uint32_t at = 0, child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && v[child + 1] < v[child]) child++;
        if (v[at] <= v[child]) return;
        int64_t t = v[at];
        v[at] = v[child];
        v[child] = t;
    }
}

/* May a group of that count be among the first? */
static bool is_first(struct agg_top *t, int64_t count)
{
    if (t->count < t->want) {
        t->values[t->count] = count;
        sift_up(t->values, t->count++);
        return true;
    }
    if (count <= t->values[0]) return count == t->values[0];
    t->values[0] = count;
    sift_down(t->values, t->count);
    return true;
}

/* `sel` may be the batch's. */
static uint32_t pick_first(struct agg_run *r, const struct vec *counts, const struct batch *b, uint16_t *sel)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t row = op__row(b, i);
        int64_t count = VEC_DATA(counts, int64_t)[row];
        if (is_first(r->top, r->n->aggregate.top_descending ? count : -count)) sel[kept++] = (uint16_t)row;
    }
    return kept;
}

/* --- rows -------------------------------------------------------------------------------------- */

/* Of the batch's rows, which are groups of `of`; others hold zeros, as some loops go over all. */
static enum status result_column(struct agg_run *r, struct agg_call *c, const struct agg_run *of,
                                 uint32_t first, const struct batch *b, struct vec *ret)
{
    vec_init_flat_rows(ret, op__types(r->x, r->n)[r->n->aggregate.group_count + (c - r->calls)],
                       b->rows, r->batch);
    if (b->sel) memset(ret->data, 0, (size_t)b->rows * ret->width);
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t row = op__row(b, i);
        struct datum d = {0};
        if (c->call->grouping) {
            const struct key_column *set = &of->table.columns[of->key_count - 1];
            const int32_t *sets = (const int32_t *)(const void *)set->data[first / BATCH_ROWS];
            d.v.i32 = c->call->grouping[r->n->aggregate.set_count ? sets[row] : 0];
        } else {
            c->ctx.arena = r->batch;
            TRY(c->impl->result(&c->ctx, agg__states(of, first + row) + c->offset, &d));
        }
        vec_set(ret, row, d);
    }
    return OK;
}

static uint32_t leave_out_merged(const struct agg_run *of, uint32_t first, uint32_t rows, uint16_t *sel)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < rows; i++) {
        sel[n] = (uint16_t)i;
        n += !of->merged[first + i];
    }
    return n;
}

/* Those of a batch's groups that may be among the first. */
static enum status choose_first(struct agg_run *r, const struct agg_run *of, uint32_t first,
                                struct batch *b, uint16_t *sel)
{
    const struct plan_node *n = r->n;
    struct vec *counts = &b->columns[n->aggregate.group_count + n->aggregate.top_call];
    TRY(result_column(r, &r->calls[n->aggregate.top_call], of, first, b, counts));
    b->count = pick_first(r, counts, b, sel);
    b->sel = sel;
    return OK;
}

enum status agg__push_chunk(struct agg_run *r, const struct agg_run *of, uint32_t chunk)
{
    const struct plan_node *n = r->n;
    uint32_t groups = n->aggregate.group_count, first = chunk * BATCH_ROWS;
    uint32_t total = r->key_count ? of->table.count : 1;
    uint32_t count = total - first < BATCH_ROWS ? total - first : BATCH_ROWS;
    arena_clear(r->batch);
    exec_arena_prime(r->batch, count);
    struct batch b = {.rows = count, .count = count, .column_count = (uint16_t)n->column_count};
    b.columns = ARENA_ARRAY(r->batch, struct vec, n->column_count + r->key_count + 1);
    uint16_t *sel = arena_alloc(r->batch, count * sizeof *sel);
    if (of != r || of->merged) {
        b.count = leave_out_merged(of, first, count, sel);
        if (b.count < b.rows) b.sel = sel;
    }
    if (r->top && b.count) TRY(choose_first(r, of, first, &b, sel));
    if (!b.count) return exec_check(r->x);
    for (uint32_t k = 0; k < groups; k++) group_table_view(&of->table, chunk, k, &b.columns[k]);
    for (uint32_t i = 0; i < r->call_count; i++)
        if (!r->top || i != n->aggregate.top_call)
            TRY(result_column(r, &r->calls[i], of, first, &b, &b.columns[groups + i]));
    if (n->column_count > groups + r->call_count && n->aggregate.set_count)
        group_table_view(&of->table, chunk, groups, &b.columns[groups + r->call_count]);
    if (n->filter) {
        struct batch all = b;
        TRY(exec_filter(r->x, n->filter, &all, r->batch, sel, &b.count));
        b.sel = sel;
        if (r->x->stats) r->x->stats[n->id].removed += all.count - b.count;
    }
    return op__push(r->x, r->out, &b);
}

enum status agg__push_groups(struct agg_run *r)
{
    uint32_t total = r->key_count ? r->table.count : 1;
    for (uint32_t chunk = 0; chunk * BATCH_ROWS < total; chunk++) TRY(agg__push_chunk(r, r, chunk));
    return OK;
}
