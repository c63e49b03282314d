/* Aggregates with DISTINCT or ORDER BY: their arguments are kept until the input has ended, then
 * sorted by group and by the order asked for, and fed.
 *
 * Sort keys are bytes that compare as the rows do. When memory is pressed the rows at hand are
 * sorted and written as a run; at the end the runs are merged. */
#include <stdlib.h>

#include "exec/ops/aggregate_priv.h"

enum { ROWS_LEAST = 512 }; /* in a run, so that runs stay few */

struct entry {
    struct slice key;
    uint32_t row;
};

enum status agg__collect_init(struct agg_run *r, struct agg_call *c)
{
    const struct aggregate_call *call = c->call;
    struct agg_collected *k = &c->kept;
    if (!k->types) {
        k->columns = 1 + call->arg_count + call->order_count;
        type_id *types = ARENA_ARRAY(r->x->arena, type_id, k->columns + 1);
        types[0] = TYPE_BYTEA;
        types[1] = TYPE_INT8;
        for (uint32_t i = 0; i < call->arg_count; i++) types[2 + i] = call->args[i]->type;
        for (uint32_t i = 0; i < call->order_count; i++)
            types[2 + call->arg_count + i] = call->order_by[i].expr->type;
        k->types = types;
        k->arena = exec_arena(r->x);
    }
    k->run_count = 0;
    arena_clear(k->arena);
    rowset_init(&k->rows, (uint16_t)k->columns, k->types + 1, k->arena);
    return OK;
}

enum status agg__collect(struct agg_run *r, struct agg_call *c, const struct batch *b,
                         const struct vec *args, const uint32_t *ids)
{
    const struct aggregate_call *call = c->call;
    struct batch rows = *b;
    rows.column_count = (uint16_t)c->kept.columns;
    rows.columns = ARENA_ARRAY(r->batch, struct vec, c->kept.columns);
    vec_init_flat(&rows.columns[0], TYPE_INT8, r->batch);
    for (uint32_t i = 0; i < b->count; i++)
        VEC_DATA(&rows.columns[0], int64_t)[op__row(b, i)] = ids[i];
    for (uint32_t a = 0; a < call->arg_count; a++) rows.columns[1 + a] = args[a];
    for (uint32_t o = 0; o < call->order_count; o++)
        TRY(exec_eval(r->x, call->order_by[o].expr, b, r->batch,
                      &rows.columns[1 + call->arg_count + o]));
    rowset_add_batch(&c->kept.rows, &rows);
    return OK;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int c = slice_cmp(x->key, y->key);
    return c ? c : (x->row > y->row) - (x->row < y->row);
}

/* Sort items: the group, the order asked for, then with DISTINCT all arguments, so that equal ones
 * stand together. */
static enum status sort_rows(struct agg_run *r, struct agg_call *c, struct entry **ret)
{
    const struct aggregate_call *call = c->call;
    struct rowset *s = &c->kept.rows;
    struct arena *a = c->kept.arena;
    uint32_t items = 1 + call->order_count + (call->distinct ? call->arg_count : 0);
    struct expr *exprs = ARENA_ARRAY(a, struct expr, items);
    struct sort_item *order = ARENA_ARRAY(a, struct sort_item, items);
    uint32_t *columns = ARENA_ARRAY(a, uint32_t, items);
    for (uint32_t i = 0; i < items; i++) {
        bool ordered = i > 0 && i <= call->order_count;
        columns[i] = i == 0 ? 0 : ordered ? call->arg_count + i : i - call->order_count;
        exprs[i].type = s->types[columns[i]];
        order[i].expr = &exprs[i];
        if (ordered) {
            order[i].descending = call->order_by[i - 1].descending;
            order[i].nulls_first = call->order_by[i - 1].nulls_first;
        }
    }
    struct entry *entries = ARENA_ARRAY(a, struct entry, s->count + 1);
    struct datum *values = ARENA_ARRAY(a, struct datum, items);
    for (uint64_t i = 0; i < s->count; i++) {
        struct strbuf key;
        strbuf_init(&key, a);
        for (uint32_t k = 0; k < items; k++) values[k] = rowset_get(s, i, columns[k]);
        TRY(op__sort_key(r->x, order, items, values, &key));
        entries[i] = (struct entry){strbuf_slice(&key), (uint32_t)i};
        if ((i & 4095) == 0) TRY(exec_check(r->x));
    }
    qsort(entries, s->count, sizeof *entries, compare_entries);
    *ret = entries;
    return OK;
}

/* --- runs -------------------------------------------------------------------------------------- */

/* One row of some run, at hand while the runs are merged. */
struct head {
    struct spill *run;
    struct datum *row;
    bool done;
};

static enum status advance(struct head *h)
{
    enum status st = spill_next_row(h->run, h->row);
    h->done = st == END_OF_DATA;
    return h->done ? OK : st;
}

static int compare_heads(const struct head *a, const struct head *b)
{
    return slice_cmp(bytes_slice(&a->row[0].v.bytes), bytes_slice(&b->row[0].v.bytes));
}

/* Each row of the runs in order; equal ones as they came. Frees the runs. */
static enum status merge_runs(struct agg_run *r, struct agg_call *c,
                              enum status (*each)(void *ctx, const struct datum *row), void *ctx)
{
    struct agg_collected *k = &c->kept;
    struct head *heads = ARENA_ARRAY(k->arena, struct head, AGG_RUNS_MAX);
    uint32_t n = k->run_count;
    for (uint32_t i = 0; i < n; i++) {
        heads[i] = (struct head){k->runs[i], ARENA_ARRAY(k->arena, struct datum, k->columns + 1u),
                                 false};
        TRY(spill_rewind(k->runs[i]));
        TRY(advance(&heads[i]));
    }
    for (uint64_t rows = 0;; rows++) {
        struct head *first = NULL;
        for (uint32_t i = 0; i < n; i++)
            if (!heads[i].done && (!first || compare_heads(&heads[i], first) < 0))
                first = &heads[i];
        if (!first) break;
        TRY(each(ctx, first->row));
        TRY(advance(first));
        if ((rows & 4095) == 0) TRY(exec_check(r->x));
    }
    for (uint32_t i = 0; i < n; i++) spill_free(k->runs[i]);
    k->run_count = 0;
    return OK;
}

static enum status copy_row(void *ctx, const struct datum *row)
{
    return spill_add_row(ctx, row);
}

/* Too many runs become one. */
static enum status merge_to_one(struct agg_run *r, struct agg_call *c)
{
    struct agg_collected *k = &c->kept;
    struct spill *all;
    TRY(spill_new(r->x, (uint16_t)(k->columns + 1), k->types, &all));
    TRY(merge_runs(r, c, copy_row, all));
    r->disk_bytes += spill_bytes(all);
    k->runs[k->run_count++] = all;
    return OK;
}

static enum status write_run(struct agg_run *r, struct agg_call *c)
{
    struct agg_collected *k = &c->kept;
    struct entry *entries;
    struct spill *run;
    if (k->run_count == AGG_RUNS_MAX) TRY(merge_to_one(r, c));
    TRY(sort_rows(r, c, &entries));
    TRY(spill_new(r->x, (uint16_t)(k->columns + 1), k->types, &run));
    struct datum *row = ARENA_ARRAY(k->arena, struct datum, k->columns + 1);
    for (uint64_t i = 0; i < k->rows.count; i++) {
        row[0].v.bytes = bytes_ref(entries[i].key.data, (uint32_t)entries[i].key.len);
        for (uint32_t col = 0; col < k->columns; col++)
            row[1 + col] = rowset_get(&k->rows, entries[i].row, col);
        TRY(spill_add_row(run, row));
    }
    r->disk_bytes += spill_bytes(run);
    k->runs[k->run_count++] = run;
    arena_release(k->arena);
    rowset_init(&k->rows, (uint16_t)k->columns, k->types + 1, k->arena);
    return OK;
}

enum status agg__collect_spill(struct agg_run *r, struct agg_call *c)
{
    return c->kept.rows.count < ROWS_LEAST ? OK : write_run(r, c);
}

/* --- feeding ----------------------------------------------------------------------------------- */

struct feeding {
    struct agg_run *r;
    struct agg_call *c;
    struct strbuf last; /* key of the row before */
    bool any;
};

static enum status feed_one(struct feeding *f, int64_t group, const struct datum *args)
{
    struct agg_call *c = f->c;
    if (agg__skips(c, args)) return OK;
    return c->impl->add(&c->ctx, f->r->keep, agg__states(f->r, (uint32_t)group) + c->offset, args,
                        c->call->arg_count);
}

static enum status feed_merged(void *ctx, const struct datum *row)
{
    struct feeding *f = ctx;
    if (f->c->call->distinct) {
        struct slice key = bytes_slice(&row[0].v.bytes);
        if (f->any && slice_eq(key, strbuf_slice(&f->last))) return OK;
        f->any = true;
        strbuf_clear(&f->last);
        strbuf_add(&f->last, key.data, key.len);
    }
    return feed_one(f, row[1].v.i64, row + 2);
}

enum status agg__collect_feed(struct agg_run *r, struct agg_call *c)
{
    const struct aggregate_call *call = c->call;
    struct rowset *s = &c->kept.rows;
    struct feeding f = {.r = r, .c = c};
    strbuf_init(&f.last, r->batch);
    c->ctx.arena = r->batch;
    if (c->kept.run_count) {
        if (s->count) TRY(write_run(r, c));
        TRY(merge_runs(r, c, feed_merged, &f));
        arena_clear(c->kept.arena);
        return OK;
    }
    struct entry *entries;
    TRY(sort_rows(r, c, &entries));
    struct datum *args = ARENA_ARRAY(r->batch, struct datum, call->arg_count + 1);
    for (uint64_t i = 0; i < s->count; i++) {
        if (call->distinct && i > 0 && slice_eq(entries[i].key, entries[i - 1].key)) continue;
        for (uint32_t a = 0; a < call->arg_count; a++)
            args[a] = rowset_get(s, entries[i].row, 1 + a);
        TRY(feed_one(&f, rowset_get(s, entries[i].row, 0).v.i64, args));
        if ((i & 4095) == 0) TRY(exec_check(r->x));
    }
    arena_clear(c->kept.arena);
    return OK;
}
