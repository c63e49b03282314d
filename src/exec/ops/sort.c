/* ORDER BY, by the sorter (sorter.h). */
#include "exec/ops/ops_priv.h"
#include "exec/ops/sorter.h"

struct sort_run {
    struct execution *x;
    const struct plan_node *n;
    struct arena *batch;
    struct sorter *sorter;
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

static enum status sort_rows(void *ctx, const struct batch *b)
{
    struct sort_run *s = ctx;
    const struct plan_node *n = s->n;
    arena_clear(s->batch);
    struct vec *keys = ARENA_ARRAY(s->batch, struct vec, n->sort.item_count + 1);
    for (uint32_t i = 0; i < n->sort.item_count; i++)
        TRY(exec_eval(s->x, n->sort.items[i].expr, b, s->batch, &keys[i]));
    return sorter_add(s->sorter, b, keys);
}

static enum status push_sorted(struct sort_run *s, const struct exec_sink *out)
{
    for (;;) {
        struct batch b;
        arena_clear(s->batch);
        enum status st = sorter_next(s->sorter, s->batch, &b, NULL);
        if (st == END_OF_DATA) return OK;
        TRY(st);
        TRY(op__push(s->x, out, &b));
    }
}

/* One a node, for all its runs. */
static struct sorter *sorter_of(struct execution *x, const struct plan_node *n)
{
    bool fresh;
    const type_id *types = op__types(x, n);
    struct op_state *state = exec_state(x, n, sizeof *state, &fresh);
    if (state->own) return state->own;
    struct key_part *parts = ARENA_ARRAY(x->arena, struct key_part, n->sort.item_count + 1);
    for (uint32_t i = 0; i < n->sort.item_count; i++) {
        const struct sort_item *item = &n->sort.items[i];
        parts[i] = (struct key_part){item->expr->type, item->descending, item->nulls_first};
    }
    return state->own = sorter_new(x, (uint16_t)n->column_count, types, parts, n->sort.item_count);
}

enum status op__sort(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    struct sort_run s = {.x = x, .n = n, .batch = op__arena(x, n, 0), .sorter = sorter_of(x, n)};
    uint64_t limit;
    TRY(op__limit_value(x, n->sort.limit, false, &limit));
    sorter_begin(s.sorter, limit);
    struct exec_sink sink = {sort_rows, &s};
    TRY(op__run(x, n->left, &sink));
    TRY(sorter_finish(s.sorter));
    enum status st = push_sorted(&s, out);
    if (x->stats) {
        x->stats[n->id].memory_bytes = sorter_memory_most(s.sorter);
        x->stats[n->id].spilled_bytes = sorter_disk_bytes(s.sorter);
    }
    sorter_end(s.sorter);
    return st;
}
