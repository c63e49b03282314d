/* Windows: a WINDOW node for each definition that is used, over rows sorted by its partition and
 * order. Definitions are taken in PostgreSQL's order (those that share leading columns are
 * neighbours, the longer first), so that one sort serves several of them, and rows come out in the
 * order in which they would there. */
#include "sql/plan/plan_priv.h"

struct sort_list {
    ARRAY(struct sort_item) items;
};

struct active_window {
    uint32_t number;
    struct sort_list sort; /* partition, then order; bound expressions */
    uint32_t *refs;        /* of each item: when the expression was first named as a sort column */
};

static bool collect(void *ctx, const struct expr *e)
{
    struct level *l = ctx;
    if (!e) return true;
    if (e->kind != EXPR_WINDOW) return expr_walk(e, collect, l);
    for (size_t i = 0; i < l->window_exprs.count; i++)
        if (expr_equal(l->window_exprs.data[i], e)) return true;
    ARENA_PUSH(l->planner->arena, &l->window_exprs, (struct expr *)(uintptr_t)e);
    return true;
}

void collect_windows(struct level *l, struct expr **exprs)
{
    struct query *q = l->query;
    for (uint32_t i = 0; i < q->target_count; i++) (void)collect(l, exprs[i]);
    if (!l->window_exprs.count) return;
    for (uint32_t w = 0; w < q->window_count; w++) {
        struct window_def *d = &q->windows[w];
        for (uint32_t i = 0; i < d->partition_count; i++)
            d->partition_by[i] = expand_joins(l, d->partition_by[i]);
        for (uint32_t i = 0; i < d->order_count; i++)
            d->order_by[i].expr = expand_joins(l, d->order_by[i].expr);
    }
}

void expressions_of_windows(struct level *l, void (*fn)(struct level *l, struct expr *e, void *ctx),
                            void *ctx)
{
    struct query *q = l->query;
    for (size_t i = 0; i < l->window_exprs.count; i++) {
        const struct expr *w = l->window_exprs.data[i];
        const struct window_def *d = &q->windows[w->window.window];
        for (uint32_t k = 0; k < w->arg_count; k++) fn(l, w->args[k], ctx);
        if (w->window.filter) fn(l, w->window.filter, ctx);
        for (uint32_t k = 0; k < d->partition_count; k++) fn(l, d->partition_by[k], ctx);
        for (uint32_t k = 0; k < d->order_count; k++) fn(l, d->order_by[k].expr, ctx);
    }
}

/* --- order of the windows ---------------------------------------------------------------------- */

static void name_column(struct level *l, struct sort_list *names, struct expr *e)
{
    struct sort_item item = {.expr = e};
    for (size_t i = 0; i < names->items.count; i++)
        if (expr_equal(names->items.data[i].expr, e)) return;
    ARENA_PUSH(l->planner->arena, &names->items, item);
}

/* Sort columns in the order in which the statement names them. */
static void name_columns(struct level *l, struct expr **exprs, struct sort_list *names)
{
    struct query *q = l->query;
    for (uint32_t i = 0; i < q->order_count; i++)
        name_column(l, names, exprs[q->order_by[i].target]);
    for (uint32_t i = 0; i < q->group_count; i++)
        name_column(l, names, expand_joins(l, q->group_by[i]));
    for (uint32_t i = 0; i < q->distinct_on_count; i++)
        name_column(l, names, exprs[q->distinct_on[i]]);
    for (uint32_t i = 0; q->distinct && !q->distinct_on_count && i < q->target_count; i++)
        if (!q->targets[i].junk) name_column(l, names, exprs[i]);
    for (uint32_t w = 0; w < q->window_count; w++) {
        const struct window_def *d = &q->windows[w];
        for (uint32_t i = 0; i < d->order_count; i++) name_column(l, names, d->order_by[i].expr);
        for (uint32_t i = 0; i < d->partition_count; i++) name_column(l, names, d->partition_by[i]);
    }
}

static void add_item(struct level *l, struct active_window *a, struct sort_item item)
{
    for (size_t i = 0; i < a->sort.items.count; i++)
        if (expr_equal(a->sort.items.data[i].expr, item.expr)) return;
    ARENA_PUSH(l->planner->arena, &a->sort.items, item);
}

static void sort_of(struct level *l, const struct sort_list *names, struct active_window *a)
{
    const struct window_def *d = &l->query->windows[a->number];
    for (uint32_t i = 0; i < d->partition_count; i++) {
        struct sort_item item = {.expr = d->partition_by[i]};
        for (uint32_t k = 0; k < d->order_count; k++) /* either direction does: its own order's */
            if (expr_equal(d->order_by[k].expr, item.expr)) item = d->order_by[k];
        add_item(l, a, item);
    }
    for (uint32_t i = 0; i < d->order_count; i++) add_item(l, a, d->order_by[i]);
    a->refs = ARENA_ARRAY(l->planner->arena, uint32_t, a->sort.items.count + 1);
    for (size_t i = 0; i < a->sort.items.count; i++)
        while (!expr_equal(names->items.data[a->refs[i]].expr, a->sort.items.data[i].expr))
            a->refs[i]++;
}

static bool comes_before(const struct active_window *a, const struct active_window *b)
{
    size_t n = a->sort.items.count, m = b->sort.items.count;
    for (size_t i = 0; i < n && i < m; i++) {
        const struct sort_item *x = &a->sort.items.data[i], *y = &b->sort.items.data[i];
        if (a->refs[i] != b->refs[i]) return a->refs[i] > b->refs[i];
        if (x->descending != y->descending) return x->descending;
        if (x->nulls_first != y->nulls_first) return x->nulls_first;
    }
    return n > m;
}

static uint32_t active_windows(struct level *l, struct expr **exprs, struct active_window **ret)
{
    const struct query *q = l->query;
    struct active_window *made = ARENA_ARRAY(l->planner->arena, struct active_window,
                                             q->window_count + 1);
    struct sort_list names = {0};
    uint32_t count = 0;
    name_columns(l, exprs, &names);
    for (uint32_t w = 0; w < q->window_count; w++) {
        bool used = false;
        for (size_t i = 0; i < l->window_exprs.count; i++)
            used |= l->window_exprs.data[i]->window.window == w;
        if (!used) continue;
        struct active_window a = {.number = w};
        sort_of(l, &names, &a);
        uint32_t at = count++;
        for (; at > 0 && comes_before(&a, &made[at - 1]); at--) made[at] = made[at - 1];
        made[at] = a;
    }
    *ret = made;
    return count;
}

/* --- nodes ------------------------------------------------------------------------------------- */

static enum status window_call(struct level *l, struct expr *e, struct aggregate_call *ret)
{
    *ret = (struct aggregate_call){.proc = e->window.proc, .arg_count = e->arg_count,
                                   .star = e->window.star, .distinct = e->window.distinct,
                                   .result = e->type, .call = e};
    TRY(rewrite_all(l, e->args, e->arg_count, &ret->args));
    if (e->window.filter) TRY(rewrite(l, e->window.filter, &ret->filter));
    return OK;
}

static enum status rewrite_window(struct level *l, const struct window_def *w,
                                  struct window_def **ret)
{
    struct arena *a = l->planner->arena;
    struct window_def *made = arena_memdup(a, w, sizeof *w);
    TRY(rewrite_all(l, w->partition_by, w->partition_count, &made->partition_by));
    made->order_by = ARENA_ARRAY(a, struct sort_item, w->order_count);
    for (uint32_t i = 0; i < w->order_count; i++) {
        made->order_by[i] = w->order_by[i];
        TRY(rewrite(l, w->order_by[i].expr, &made->order_by[i].expr));
    }
    if (w->start_offset) TRY(rewrite(l, w->start_offset, &made->start_offset));
    if (w->end_offset) TRY(rewrite(l, w->end_offset, &made->end_offset));
    *ret = made;
    return OK;
}

static bool same_item(const struct sort_item *a, const struct sort_item *b)
{
    return a->descending == b->descending && a->nulls_first == b->nulls_first &&
           expr_equal(a->expr, b->expr);
}

/* Sorts the rows, unless the window before wanted them so. */
static enum status sort_for(struct level *l, const struct active_window *a)
{
    struct planner *p = l->planner;
    size_t n = a->sort.items.count, shared = 0;
    while (shared < n && shared < l->window_order_count &&
           same_item(&a->sort.items.data[shared], &l->window_order[shared]))
        shared++;
    if (shared == n) return OK;
    struct plan_node *input = l->current.node, *sort = node_new(p, PLAN_SORT);
    sort->left = input;
    node_columns_from(p, sort, input);
    sort->rows = input->rows;
    sort->sort.item_count = (uint32_t)n;
    sort->sort.items = ARENA_ARRAY(p->arena, struct sort_item, n);
    for (size_t i = 0; i < n; i++) {
        sort->sort.items[i] = a->sort.items.data[i];
        TRY(rewrite(l, a->sort.items.data[i].expr, &sort->sort.items[i].expr));
    }
    sort->cost_start = sort->cost_total = input->cost_total + input->rows * COST_SORT;
    l->current.node = sort;
    l->window_order = a->sort.items.data;
    l->window_order_count = (uint32_t)n;
    return OK;
}

static enum status window_node(struct level *l, const struct active_window *a)
{
    struct planner *p = l->planner;
    ARRAY(struct aggregate_call) calls = {0};
    TRY(sort_for(l, a));
    struct plan_node *n = node_new(p, PLAN_WINDOW), *input = l->current.node;
    for (size_t i = 0; i < l->window_exprs.count; i++) {
        struct aggregate_call c;
        if (l->window_exprs.data[i]->window.window != a->number) continue;
        TRY(window_call(l, l->window_exprs.data[i], &c));
        ARENA_PUSH(p->arena, &calls, c);
    }
    TRY(rewrite_window(l, &l->query->windows[a->number], &n->window.window));
    n->left = input;
    n->window.calls = calls.data;
    n->window.call_count = (uint32_t)calls.count;
    n->column_count = input->column_count + n->window.call_count;
    n->columns = ARENA_ARRAY(p->arena, struct plan_column, n->column_count);
    if (input->column_count)
        memcpy(n->columns, input->columns, input->column_count * sizeof *input->columns);
    for (size_t i = 0; i < calls.count; i++)
        n->columns[input->column_count + i] = (struct plan_column){calls.data[i].result, -1, NULL};
    n->rows = input->rows;
    n->cost_start = input->cost_start;
    n->cost_total = input->cost_total + input->rows * COST_SORT;
    n->width = input->width + 8 * n->window.call_count;
    l->current.node = n;
    return OK;
}

enum status plan_windows(struct level *l, struct expr **exprs)
{
    struct active_window *active;
    uint32_t count = active_windows(l, exprs, &active);
    /* Calls of one window are made neighbours, so that slots are known before the nodes are. */
    ARRAY(struct expr *) ordered = {0};
    for (uint32_t w = 0; w < count; w++)
        for (size_t i = 0; i < l->window_exprs.count; i++)
            if (l->window_exprs.data[i]->window.window == active[w].number)
                ARENA_PUSH(l->planner->arena, &ordered, l->window_exprs.data[i]);
    memcpy(l->window_exprs.data, ordered.data, ordered.count * sizeof *ordered.data);
    l->window_base = l->current.node->column_count;
    for (uint32_t w = 0; w < count; w++) TRY(window_node(l, &active[w]));
    return OK;
}

bool ordered_by_windows(const struct level *l, struct expr **exprs)
{
    const struct query *q = l->query;
    if (q->has_srf || q->distinct || q->order_count > l->window_order_count) return false;
    for (uint32_t i = 0; i < q->order_count; i++) {
        struct sort_item wanted = {exprs[q->order_by[i].target], q->order_by[i].descending,
                                   q->order_by[i].nulls_first};
        if (!same_item(&wanted, &l->window_order[i])) return false;
    }
    return q->order_count > 0;
}
