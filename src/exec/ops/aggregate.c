/* Grouping by hashing, and plain aggregates.
 *
 * Group keys are kept as rows of a set, found by hash; each group has its states side by side in one
 * block. Aggregates with DISTINCT or ORDER BY first collect their arguments, with the group's number,
 * and are fed at the end in the order asked for. Grouping sets run each batch once a set, with the
 * columns that are not in the set NULL and the set's number as one more key. */
#include "exec/ops/ops_priv.h"

#include <stdlib.h>

struct collected { /* of a DISTINCT or ordered call */
    struct rowset rows; /* group number (int8), arguments, sort keys */
    uint32_t columns;
};

struct agg_call {
    const struct aggregate_call *call;
    const struct aggregate_impl *impl;
    size_t offset; /* of its state in a group's block */
    bool collects;
    struct collected kept;
    struct call_ctx ctx;
};

struct agg_run {
    struct execution *x;
    const struct plan_node *n;
    struct arena *keep, *batch;
    struct agg_call *calls;
    size_t state_bytes;
    uint32_t key_count; /* groups, and the set's number with grouping sets */
    struct rowset keys;
    struct row_index index;
    ARRAY(char *) groups; /* blocks, in the arena */
};

static enum status setup_call(struct agg_run *r, struct agg_call *c, const struct aggregate_call *call)
{
    c->call = call;
    if (call->grouping) return OK;
    c->impl = aggregate_impl(call->proc->id);
    if (!c->impl || !c->impl->add)
        return FAIL(FEATURE_NOT_SUPPORTED, "aggregate function %s is not supported",
                    call->proc->name);
    c->offset = r->state_bytes;
    r->state_bytes += (c->impl->state_bytes + 15) & ~(size_t)15;
    c->collects = call->distinct || call->order_count > 0;
    c->ctx = (struct call_ctx){.session = r->x->session, .arena = r->batch, .keep = r->keep,
                               .expr = call->call};
    if (!c->collects) return OK;
    c->kept.columns = 1 + call->arg_count + call->order_count;
    type_id *types = ARENA_ARRAY(r->keep, type_id, c->kept.columns);
    types[0] = TYPE_INT8;
    for (uint32_t i = 0; i < call->arg_count; i++) types[1 + i] = call->args[i]->type;
    for (uint32_t i = 0; i < call->order_count; i++)
        types[1 + call->arg_count + i] = call->order_by[i].expr->type;
    rowset_init(&c->kept.rows, (uint16_t)c->kept.columns, types, r->keep);
    return OK;
}

static enum status setup(struct agg_run *r)
{
    const struct plan_node *n = r->n;
    r->calls = ARENA_ARRAY(r->keep, struct agg_call, n->aggregate.call_count + 1);
    for (uint32_t i = 0; i < n->aggregate.call_count; i++)
        TRY(setup_call(r, &r->calls[i], &n->aggregate.calls[i]));
    r->key_count = n->aggregate.group_count + (n->aggregate.set_count > 0);
    type_id *types = ARENA_ARRAY(r->keep, type_id, r->key_count + 1);
    for (uint32_t g = 0; g < n->aggregate.group_count; g++) types[g] = n->aggregate.groups[g]->type;
    if (n->aggregate.set_count) types[n->aggregate.group_count] = TYPE_INT4;
    rowset_init(&r->keys, (uint16_t)r->key_count, types, r->keep);
    row_index_init(&r->index, r->keep);
    return OK;
}

static uint32_t add_group(struct agg_run *r)
{
    ARENA_PUSH(r->keep, &r->groups, (char *)arena_zalloc(r->keep, r->state_bytes + 1));
    return (uint32_t)(r->groups.count - 1);
}

static bool same_keys(const struct agg_run *r, const struct vec *keys, uint32_t row, uint32_t group)
{
    for (uint32_t k = 0; k < r->key_count; k++) {
        struct datum a = vec_get(&keys[k], row), b = rowset_get(&r->keys, group, k);
        if (a.null != b.null) return false;
        if (!a.null && value_compare(r->keys.types[k], &a.v, &b.v) != 0) return false;
    }
    return true;
}

/* ids[i]: the group of selected row i. */
static enum status find_groups(struct agg_run *r, const struct batch *b, const struct vec *keys,
                               uint32_t *ids)
{
    if (!r->key_count) {
        memset(ids, 0, b->count * sizeof *ids);
        return OK;
    }
    uint64_t *hashes = arena_alloc(r->batch, b->count * sizeof *hashes);
    struct datum *row = ARENA_ARRAY(r->batch, struct datum, r->key_count);
    for (uint32_t k = 0; k < r->key_count; k++)
        vec_hash(&keys[k], b->sel, b->count, k == 0, hashes);
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t at = op__row(b, i), g = row_index_find(&r->index, hashes[i], 0);
        while (g && !same_keys(r, keys, at, g - 1)) g = row_index_find(&r->index, hashes[i], g);
        if (!g) {
            for (uint32_t k = 0; k < r->key_count; k++) row[k] = vec_get(&keys[k], at);
            rowset_add_row(&r->keys, row);
            row_index_add(&r->index, hashes[i]);
            g = add_group(r) + 1;
        }
        ids[i] = g - 1;
    }
    return OK;
}

/* --- feeding ----------------------------------------------------------------------------------- */

static bool skips(const struct agg_call *c, const struct datum *args)
{
    if (!c->impl->skips_nulls) return false;
    for (uint32_t i = 0; i < c->call->arg_count; i++)
        if (args[i].null) return true;
    return false;
}

static enum status collect(struct agg_run *r, struct agg_call *c, const struct batch *b,
                           const struct vec *args, const uint32_t *ids)
{
    const struct aggregate_call *call = c->call;
    struct batch rows = *b;
    rows.column_count = (uint16_t)c->kept.columns;
    rows.columns = ARENA_ARRAY(r->batch, struct vec, c->kept.columns);
    vec_init_flat(&rows.columns[0], TYPE_INT8, r->batch);
    for (uint32_t i = 0; i < b->count; i++) VEC_DATA(&rows.columns[0], int64_t)[op__row(b, i)] = ids[i];
    for (uint32_t a = 0; a < call->arg_count; a++) rows.columns[1 + a] = args[a];
    for (uint32_t o = 0; o < call->order_count; o++)
        TRY(exec_eval(r->x, call->order_by[o].expr, b, r->batch,
                      &rows.columns[1 + call->arg_count + o]));
    rowset_add_batch(&c->kept.rows, &rows);
    return OK;
}

static enum status feed_rows(struct agg_run *r, struct agg_call *c, const struct batch *b,
                             const struct vec *args, void *const *states)
{
    uint32_t n = c->call->arg_count;
    struct datum *row = ARENA_ARRAY(r->batch, struct datum, n + 1);
    for (uint32_t i = 0; i < b->count; i++) {
        for (uint32_t a = 0; a < n; a++) row[a] = vec_get(&args[a], op__row(b, i));
        if (skips(c, row)) continue;
        TRY(c->impl->add(&c->ctx, r->keep, states[i], row, n));
    }
    return OK;
}

static enum status feed_call(struct agg_run *r, struct agg_call *c, const struct batch *in,
                             const uint32_t *all_ids)
{
    const struct aggregate_call *call = c->call;
    struct batch b = *in;
    const uint32_t *ids = all_ids;
    if (call->filter) {
        uint16_t *sel = arena_alloc(r->batch, in->count * sizeof *sel);
        TRY(exec_filter(r->x, call->filter, in, r->batch, sel, &b.count));
        uint32_t *kept = arena_alloc(r->batch, in->count * sizeof *kept), at = 0;
        for (uint32_t i = 0; i < b.count; i++) {
            while (op__row(in, at) != sel[i]) at++;
            kept[i] = all_ids[at];
        }
        b.sel = sel;
        ids = kept;
    }
    if (!b.count) return OK;
    struct vec *args = ARENA_ARRAY(r->batch, struct vec, call->arg_count + 1);
    for (uint32_t a = 0; a < call->arg_count; a++)
        TRY(exec_eval(r->x, call->args[a], &b, r->batch, &args[a]));
    if (c->collects) return collect(r, c, &b, args, ids);
    void **states = arena_alloc(r->batch, b.count * sizeof *states);
    for (uint32_t i = 0; i < b.count; i++) states[i] = r->groups.data[ids[i]] + c->offset;
    if (!c->impl->add_batch) return feed_rows(r, c, &b, args, states);
    const struct vec **pointers = arena_alloc(r->batch, (call->arg_count + 1) * sizeof *pointers);
    for (uint32_t a = 0; a < call->arg_count; a++) pointers[a] = &args[a];
    return c->impl->add_batch(&c->ctx, r->keep, states, pointers, call->arg_count, b.sel, b.count);
}

static enum status feed_set(struct agg_run *r, const struct batch *b, struct vec *keys, int set)
{
    const struct plan_node *n = r->n;
    struct vec *used = keys;
    if (set >= 0) {
        used = ARENA_ARRAY(r->batch, struct vec, r->key_count);
        for (uint32_t g = 0; g < n->aggregate.group_count; g++) {
            if (n->aggregate.sets[set] >> g & 1) used[g] = keys[g];
            else vec_init_const(&used[g], n->aggregate.groups[g]->type,
                                (struct datum){.null = true}, r->batch);
        }
        vec_init_const(&used[n->aggregate.group_count], TYPE_INT4, (struct datum){.v.i32 = set},
                       r->batch);
    }
    uint32_t *ids = arena_alloc(r->batch, b->count * sizeof *ids);
    TRY(find_groups(r, b, used, ids));
    for (uint32_t i = 0; i < n->aggregate.call_count; i++)
        if (!n->aggregate.calls[i].grouping) TRY(feed_call(r, &r->calls[i], b, ids));
    return OK;
}

static enum status take_rows(void *ctx, const struct batch *b)
{
    struct agg_run *r = ctx;
    const struct plan_node *n = r->n;
    arena_clear(r->batch);
    exec_arena_prime(r->batch, b->count);
    struct vec *keys = ARENA_ARRAY(r->batch, struct vec, r->key_count + 1);
    for (uint32_t g = 0; g < n->aggregate.group_count; g++)
        TRY(exec_eval(r->x, n->aggregate.groups[g], b, r->batch, &keys[g]));
    if (!n->aggregate.set_count) TRY(feed_set(r, b, keys, -1));
    for (uint32_t s = 0; s < n->aggregate.set_count; s++) TRY(feed_set(r, b, keys, (int)s));
    return exec_check(r->x);
}

/* --- DISTINCT and ORDER BY --------------------------------------------------------------------- */

struct collected_entry {
    struct slice key;
    uint32_t row;
};

static int compare_collected(const void *a, const void *b)
{
    const struct collected_entry *x = a, *y = b;
    int c = slice_cmp(x->key, y->key);
    return c ? c : (x->row > y->row) - (x->row < y->row);
}

/* Sort items: the group, the order asked for, then with DISTINCT all arguments, so that equal ones
 * stand together. */
static enum status feed_collected(struct agg_run *r, struct agg_call *c)
{
    const struct aggregate_call *call = c->call;
    struct rowset *s = &c->kept.rows;
    uint32_t items = 1 + call->order_count + (call->distinct ? call->arg_count : 0);
    struct expr *exprs = ARENA_ARRAY(r->batch, struct expr, items);
    struct sort_item *order = ARENA_ARRAY(r->batch, struct sort_item, items);
    uint32_t *columns = ARENA_ARRAY(r->batch, uint32_t, items);
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
    struct collected_entry *entries = ARENA_ARRAY(r->batch, struct collected_entry, s->count + 1);
    struct datum *values = ARENA_ARRAY(r->batch, struct datum, items);
    for (uint64_t i = 0; i < s->count; i++) {
        struct strbuf key;
        strbuf_init(&key, r->batch);
        for (uint32_t k = 0; k < items; k++) values[k] = rowset_get(s, i, columns[k]);
        TRY(op__sort_key(r->x, order, items, values, &key));
        entries[i] = (struct collected_entry){strbuf_slice(&key), (uint32_t)i};
    }
    qsort(entries, s->count, sizeof *entries, compare_collected);
    struct datum *args = ARENA_ARRAY(r->batch, struct datum, call->arg_count + 1);
    for (uint64_t i = 0; i < s->count; i++) {
        if (call->distinct && i > 0 && slice_eq(entries[i].key, entries[i - 1].key)) continue;
        for (uint32_t a = 0; a < call->arg_count; a++)
            args[a] = rowset_get(s, entries[i].row, 1 + a);
        if (skips(c, args)) continue;
        int64_t group = rowset_get(s, entries[i].row, 0).v.i64;
        TRY(c->impl->add(&c->ctx, r->keep, r->groups.data[group] + c->offset, args,
                         call->arg_count));
        if ((i & 4095) == 0) TRY(exec_check(r->x));
    }
    return OK;
}

/* --- results ----------------------------------------------------------------------------------- */

static enum status push_groups(struct agg_run *r, const struct exec_sink *out)
{
    const struct plan_node *n = r->n;
    struct row_pusher p;
    row_pusher__init(&p, r->x, n, out);
    struct datum *row = ARENA_ARRAY(r->keep, struct datum, n->column_count + 1);
    uint32_t groups = n->aggregate.group_count, calls = n->aggregate.call_count;
    for (size_t g = 0; g < r->groups.count; g++) {
        int32_t set = 0;
        for (uint32_t k = 0; k < groups; k++) row[k] = rowset_get(&r->keys, g, k);
        if (n->aggregate.set_count) set = rowset_get(&r->keys, g, groups).v.i32;
        for (uint32_t i = 0; i < calls; i++) {
            const int32_t *grouping = r->calls[i].call->grouping;
            row[groups + i] = (struct datum){.v.i32 = grouping ? grouping[set] : 0};
            if (grouping) continue;
            r->calls[i].ctx.arena = p.arena;
            TRY(r->calls[i].impl->result(&r->calls[i].ctx, r->groups.data[g] + r->calls[i].offset,
                                         &row[groups + i]));
        }
        bool pass = true;
        if (n->filter) TRY(exec_test_row(r->x, n->filter, row, p.arena, &pass));
        if (pass) TRY(row_pusher__add(&p, row));
    }
    return row_pusher__flush(&p);
}

/* Without rows: one group where there are no group columns, and one for each empty grouping set. */
static void add_empty_groups(struct agg_run *r)
{
    const struct plan_node *n = r->n;
    if (r->groups.count) return;
    if (!r->key_count) {
        add_group(r);
        return;
    }
    struct datum *row = ARENA_ARRAY(r->keep, struct datum, r->key_count);
    for (uint32_t s = 0; s < n->aggregate.set_count; s++) {
        if (n->aggregate.sets[s]) continue;
        for (uint32_t g = 0; g < n->aggregate.group_count; g++) row[g].null = true;
        row[n->aggregate.group_count] = (struct datum){.v.i32 = (int32_t)s};
        rowset_add_row(&r->keys, row);
        add_group(r);
    }
}

enum status op__aggregate(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    struct arena *keep = op__arena(x, n, 1);
    struct agg_run r = {.x = x, .n = n, .keep = keep, .batch = op__arena(x, n, 2)};
    TRY(setup(&r));
    if (!r.key_count) add_group(&r); /* the only one: id 0 */
    struct exec_sink sink = {take_rows, &r};
    TRY(op__run(x, n->left, &sink));
    add_empty_groups(&r);
    for (uint32_t i = 0; i < n->aggregate.call_count; i++) {
        arena_clear(r.batch);
        if (r.calls[i].collects) TRY(feed_collected(&r, &r.calls[i]));
    }
    return push_groups(&r, out);
}
