#include "sql/plan_exprs.h"

struct walk {
    bool (*fn)(void *ctx, const struct expr *e);
    void *ctx;
};

static bool one(const struct walk *w, const struct expr *e)
{
    return !e || w->fn(w->ctx, e);
}

static bool list(const struct walk *w, struct expr *const *items, uint32_t n)
{
    for (uint32_t i = 0; items && i < n; i++)
        if (!one(w, items[i])) return false;
    return true;
}

static bool sorted(const struct walk *w, const struct sort_item *items, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!one(w, items[i].expr)) return false;
    return true;
}

static bool calls(const struct walk *w, const struct aggregate_call *c, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!list(w, c[i].args, c[i].arg_count) || !one(w, c[i].filter) ||
            !sorted(w, c[i].order_by, c[i].order_count))
            return false;
    return true;
}

static bool range(const struct walk *w, const struct key_range *r)
{
    return list(w, r->equal, r->equal_count) && one(w, r->lower) && one(w, r->upper) &&
           list(w, r->in_list, r->in_count) && one(w, r->in_array);
}

static bool window(const struct walk *w, const struct plan_node *n)
{
    const struct window_def *d = n->window.window;
    if (!calls(w, n->window.calls, n->window.call_count)) return false;
    if (!d) return true;
    return list(w, d->partition_by, d->partition_count) &&
           sorted(w, d->order_by, d->order_count) && one(w, d->start_offset) &&
           one(w, d->end_offset);
}

static bool values(const struct walk *w, const struct plan_node *n)
{
    for (uint32_t i = 0; i < n->values.row_count; i++)
        if (!list(w, n->values.rows[i], n->column_count)) return false;
    return true;
}

bool plan_node_exprs(const struct plan_node *n, bool (*fn)(void *ctx, const struct expr *e),
                     void *ctx)
{
    const struct walk walk = {fn, ctx}, *w = &walk;
    if (!one(w, n->filter)) return false;
    switch (n->kind) {
    case PLAN_VALUES: return values(w, n);
    case PLAN_SCAN:
    case PLAN_INDEX_SCAN:
    case PLAN_VIRTUAL_SCAN: return range(w, &n->scan.range);
    case PLAN_FUNCTION_SCAN: return list(w, n->function.calls, n->function.call_count);
    case PLAN_PROJECT:
    case PLAN_PROJECT_SET: return list(w, n->project.exprs, n->column_count);
    case PLAN_NESTED_LOOP:
    case PLAN_HASH_JOIN:
        return list(w, n->join.left_keys, n->join.key_count) &&
               list(w, n->join.right_keys, n->join.key_count) && one(w, n->join.condition) &&
               list(w, n->join.outer, n->join.outer_count);
    case PLAN_AGGREGATE:
        return list(w, n->aggregate.groups, n->aggregate.group_count) &&
               calls(w, n->aggregate.calls, n->aggregate.call_count);
    case PLAN_SORT: return sorted(w, n->sort.items, n->sort.item_count) && one(w, n->sort.limit);
    case PLAN_LIMIT:
        return one(w, n->limit.limit) && one(w, n->limit.offset) &&
               sorted(w, n->limit.ties, n->limit.tie_count);
    case PLAN_WINDOW: return window(w, n);
    default: return true;
    }
}

bool plan_node_children(const struct plan_node *n,
                        bool (*fn)(void *ctx, const struct plan_node *child), void *ctx)
{
    if (n->kind == PLAN_APPEND)
        for (uint32_t i = 0; i < n->append.child_count; i++)
            if (!fn(ctx, n->append.children[i])) return false;
    return (!n->left || fn(ctx, n->left)) && (!n->right || fn(ctx, n->right));
}
