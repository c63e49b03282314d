/* Window functions over rows that come sorted by partition and order. A partition's rows are
 * collected in a store, with what the calls read of each; when it has ended each row's frame is
 * found and its calls are computed. Small partitions share the store's chunks, so that what is
 * pushed are not crumbs. */
#include "exec/ops/window_priv.h"

enum { CLEAR_ROWS = 2048 };

struct window_state {
    struct op_state base;
    struct arena *store_arena, *index, *last; /* last: values of the partition so far */
    struct row_store store;
    struct window_call *calls;
    const type_id *types; /* of the store */
};

/* --- setup ------------------------------------------------------------------------------------- */

/* Columns of the store; the calls' places in it. */
static void lay_out(struct window_run *r, struct window_state *w)
{
    const struct plan_node *n = r->n;
    const struct window_def *def = n->window.window;
    uint32_t at = n->left->column_count, most = at + def->order_count;
    for (uint32_t i = 0; i < n->window.call_count; i++) most += n->window.calls[i].arg_count + 1;
    type_id *types = ARENA_ARRAY(r->x->arena, type_id, most + 1);
    w->calls = ARENA_ARRAY(r->x->arena, struct window_call, n->window.call_count + 1);
    for (uint32_t i = 0; i < at; i++) types[i] = n->left->columns[i].type;
    for (uint32_t i = 0; i < n->window.call_count; i++) {
        const struct aggregate_call *c = &n->window.calls[i];
        w->calls[i].column = at;
        for (uint32_t k = 0; k < c->arg_count; k++) types[at++] = c->args[k]->type;
        w->calls[i].filter_column = c->filter ? (int32_t)at : -1;
        if (c->filter) types[at++] = TYPE_BOOL;
    }
    r->frame.order_column = at;
    for (uint32_t i = 0; i < def->order_count; i++) types[at++] = def->order_by[i].expr->type;
    w->types = types;
    w->store_arena = exec_arena(r->x);
    w->index = exec_arena(r->x);
    w->last = exec_arena(r->x);
    row_store_init(&w->store, r->x, (uint16_t)at, types, w->store_arena, w->index);
}

static enum status setup(struct window_run *r)
{
    const struct plan_node *n = r->n;
    const struct window_def *def = n->window.window;
    bool fresh;
    struct window_state *w = exec_state(r->x, n, sizeof *w, &fresh);
    r->frame.def = def;
    if (!w->calls) lay_out(r, w);
    r->frame.order_column = (uint32_t)w->store.columns - def->order_count;
    row_store_clear(&w->store);
    r->store = &w->store;
    r->calls = w->calls;
    r->batch = op__arena(r->x, n, 0);
    r->results = op__arena(r->x, n, 1);
    r->keys = op__arena(r->x, n, 2);
    r->setup = op__arena(r->x, n, 3);
    r->epoch = 1;
    r->last = w->last;
    for (uint32_t i = 0; i < n->window.call_count; i++)
        TRY(window__call_setup(r, &r->calls[i], &n->window.calls[i]));
    return window__frame_setup(r);
}

/* --- output ------------------------------------------------------------------------------------ */

static enum status push_chunk(struct window_run *r, uint64_t end)
{
    const struct plan_node *n = r->n;
    const struct batch *chunk;
    uint32_t inputs = n->left->column_count;
    if (end == r->pushed) return OK;
    TRY(row_store_chunk(r->store, r->pushed, &chunk));
    struct batch b = {.rows = (uint32_t)(end - r->pushed), .column_count = (uint16_t)n->column_count};
    b.count = b.rows;
    b.columns = ARENA_ARRAY(r->results, struct vec, n->column_count + 1);
    memcpy(b.columns, chunk->columns, inputs * sizeof *b.columns);
    memcpy(b.columns + inputs, r->made, n->window.call_count * sizeof *b.columns);
    r->pushed = end;
    TRY(op__push(r->x, r->out, &b));
    arena_clear(r->results);
    r->made = NULL;
    r->epoch++;
    return OK;
}

static void begin_chunk(struct window_run *r)
{
    const struct plan_node *n = r->n;
    r->made = ARENA_ARRAY(r->results, struct vec, n->window.call_count + 1);
    for (uint32_t i = 0; i < n->window.call_count; i++)
        vec_init_flat_rows(&r->made[i], n->window.calls[i].result, STORE_CHUNK_ROWS, r->results);
}

static enum status end_partition(struct window_run *r)
{
    uint64_t first = r->partition, end = r->store->count;
    if (first == end) return OK;
    window__frame_partition(r, first, end);
    for (uint32_t i = 0; i < r->n->window.call_count; i++) window__call_partition(&r->calls[i]);
    for (uint64_t pos = first; pos < end; pos++) {
        uint32_t at = (uint32_t)(pos % STORE_CHUNK_ROWS);
        if (!r->made) begin_chunk(r);
        TRY(window__frame_next(r, pos));
        for (uint32_t i = 0; i < r->n->window.call_count; i++) {
            struct datum d;
            TRY(window__call(r, &r->calls[i], &d));
            /* The store may forget the chunk that the value lies in. */
            if (r->store->spilled && r->calls[i].function != WINDOW_AGGREGATE)
                d = datum_copy(r->results, r->n->window.calls[i].result, d);
            vec_set(&r->made[i], at, d);
        }
        TRY(window__step(r));
        if (at == STORE_CHUNK_ROWS - 1) TRY(push_chunk(r, pos + 1));
    }
    r->partition = end;
    if (end < CLEAR_ROWS) return OK;
    TRY(push_chunk(r, end));
    row_store_clear(r->store);
    r->partition = r->pushed = 0;
    return OK;
}

/* --- input ------------------------------------------------------------------------------------- */

static bool same_values(const struct datum *a, struct datum b, type_id type)
{
    if (a->null != b.null) return false;
    return a->null || value_compare(type, &a->v, &b.v) == 0;
}

/* Is selected row i of another partition than the row before it? */
static bool begins_partition(const struct window_run *r, const struct batch *b,
                             const struct vec *keys, uint32_t i)
{
    const struct window_def *def = r->n->window.window;
    for (uint32_t k = 0; k < def->partition_count; k++) {
        struct datum before = i ? vec_get(&keys[k], op__row(b, i - 1)) : r->last_keys[k];
        if (!same_values(&before, vec_get(&keys[k], op__row(b, i)), keys[k].type)) return true;
    }
    return false;
}

/* Arguments are evaluated for the rows only that the filter lets through; NULL for the others. */
static enum status filtered_columns(struct window_run *r, const struct window_call *c,
                                    const struct batch *in, struct arena *a, struct batch *ret)
{
    const struct aggregate_call *call = c->call;
    struct batch rows = *in;
    struct vec *passed = &ret->columns[c->filter_column];
    uint16_t *sel = arena_alloc(a, in->rows * sizeof *sel);
    TRY(exec_filter(r->x, call->filter, in, a, sel, &rows.count));
    rows.sel = sel;
    vec_init_flat_rows(passed, TYPE_BOOL, in->rows, a);
    memset(passed->data, 0, in->rows * sizeof(bool));
    for (uint32_t i = 0; i < rows.count; i++) VEC_DATA(passed, bool)[sel[i]] = true;
    for (uint32_t k = 0; k < call->arg_count; k++) {
        struct vec v, *to = &ret->columns[c->column + k];
        vec_init_flat_rows(to, call->args[k]->type, in->rows, a);
        memset(to->nulls, 0xff, (in->rows + 63) / 64 * sizeof *to->nulls);
        if (rows.count) TRY(exec_eval(r->x, call->args[k], &rows, a, &v));
        for (uint32_t i = 0; i < rows.count; i++) vec_set(to, sel[i], vec_get(&v, sel[i]));
    }
    return OK;
}

/* The store's columns of a batch: vectors in `a`. */
static enum status store_columns(struct window_run *r, const struct batch *in, struct arena *a,
                                 struct batch *ret)
{
    const struct plan_node *n = r->n;
    const struct window_def *def = n->window.window;
    *ret = *in;
    ret->column_count = r->store->columns;
    ret->columns = ARENA_ARRAY(a, struct vec, r->store->columns + 1);
    memcpy(ret->columns, in->columns, n->left->column_count * sizeof *in->columns);
    for (uint32_t i = 0; i < n->window.call_count; i++) {
        const struct aggregate_call *c = &n->window.calls[i];
        uint32_t at = r->calls[i].column;
        if (c->filter) {
            TRY(filtered_columns(r, &r->calls[i], in, a, ret));
            continue;
        }
        for (uint32_t k = 0; k < c->arg_count; k++)
            TRY(exec_eval(r->x, c->args[k], in, a, &ret->columns[at + k]));
    }
    for (uint32_t i = 0; i < def->order_count; i++)
        TRY(exec_eval(r->x, def->order_by[i].expr, in, a,
                      &ret->columns[r->frame.order_column + i]));
    return OK;
}

static enum status take_rows(void *ctx, const struct batch *in)
{
    struct window_run *r = ctx;
    const struct window_def *def = r->n->window.window;
    struct arena *a = r->keys;
    struct batch b;
    arena_clear(a);
    struct vec *keys = ARENA_ARRAY(a, struct vec, def->partition_count + 1);
    uint16_t *sel = arena_alloc(a, in->rows * sizeof *sel);
    for (uint32_t i = 0; i < in->count; i++) sel[i] = (uint16_t)op__row(in, i);
    for (uint32_t k = 0; k < def->partition_count; k++)
        TRY(exec_eval(r->x, def->partition_by[k], in, a, &keys[k]));
    TRY(store_columns(r, in, a, &b));
    for (uint32_t from = 0; from < in->count;) {
        uint32_t to = from;
        if (r->any && begins_partition(r, in, keys, from)) TRY(end_partition(r));
        r->any = true;
        do to++;
        while (to < in->count && !begins_partition(r, in, keys, to));
        TRY(row_store_add(r->store, &b, sel + from, to - from));
        from = to;
    }
    uint32_t last = op__row(in, in->count - 1);
    arena_clear(r->last);
    r->last_keys = ARENA_ARRAY(r->last, struct datum, def->partition_count + 1);
    for (uint32_t k = 0; k < def->partition_count; k++)
        r->last_keys[k] = datum_copy(r->last, keys[k].type, vec_get(&keys[k], last));
    return exec_check(r->x);
}

enum status op__window(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    struct window_run r = {.x = x, .n = n, .out = out};
    TRY(setup(&r));
    struct exec_sink sink = {take_rows, &r};
    TRY(op__run(x, n->left, &sink));
    TRY(end_partition(&r));
    TRY(push_chunk(&r, r.store->count));
    row_store_end(r.store);
    return OK;
}
