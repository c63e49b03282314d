/* From the plan to the tree that is shown. Expressions are searched for subplans before anything of
 * a node is printed, for their numbers and what they read of it: an outer value prints as the
 * expression that the enclosing node puts there. */
#include "exec/ops/explain_priv.h"

struct search {
    struct explain *x;
    struct explain_scope scope;
    ARRAY(uint32_t) found; /* subplans, in order */
};

/* A value that only passes through is known from further out. */
static void note_outer(struct explain *x, uint32_t index, const struct expr *e,
                       const struct explain_scope *s)
{
    if (index >= x->plan->outer_value_count || !e || e->kind == EXPR_OUTER) return;
    if (!x->outers[index].expr) x->outers[index] = (struct explain_outer){e, *s};
}

static bool search_expr(void *ctx, const struct expr *e)
{
    struct search *s = ctx;
    struct explain *x = s->x;
    if (x->status == OK) x->status = exec_check_stack();
    if (x->status != OK) return false;
    uint32_t i = e->kind == EXPR_SUBQUERY ? e->subquery.plan_index : UINT32_MAX;
    if (i < x->plan->subplan_count && !x->subplan_numbers[i]) {
        const struct subplan *p = &x->plan->subplans[i];
        struct explain_scope outside = s->scope;
        outside.bottom = NULL;
        x->subplan_numbers[i] = ++x->subplan_count;
        ARENA_PUSH(x->arena, &s->found, i);
        for (uint32_t k = 0; k < p->outer_count; k++)
            note_outer(x, p->outer_index[k], p->outer[k], &outside);
    }
    return expr_walk(e, search_expr, s);
}

static void search_list(struct search *s, struct expr *const *items, uint32_t count)
{
    for (uint32_t i = 0; items && i < count; i++)
        if (items[i]) (void)search_expr(s, items[i]);
}

static void search_one(struct search *s, struct expr *e)
{
    if (e) (void)search_expr(s, e);
}

static void search_calls(struct search *s, const struct aggregate_call *calls, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        search_list(s, calls[i].args, calls[i].arg_count);
        search_one(s, calls[i].filter);
        for (uint32_t k = 0; k < calls[i].order_count; k++)
            search_one(s, calls[i].order_by[k].expr);
    }
}

static void search_range(struct search *s, const struct key_range *r)
{
    search_list(s, r->equal, r->equal_count);
    search_one(s, r->lower);
    search_one(s, r->upper);
    search_list(s, r->in_list, r->in_count);
    search_one(s, r->in_array);
}

static void search_join(struct search *s, const struct plan_node *n)
{
    const struct explain_scope left = {.left = n->left};
    search_list(s, n->join.left_keys, n->join.key_count);
    search_one(s, n->join.condition);
    search_list(s, n->join.outer, n->join.outer_count);
    for (uint32_t i = 0; i < n->join.outer_count; i++)
        note_outer(s->x, n->join.outer_index[i], n->join.outer[i], &left);
    s->scope = (struct explain_scope){.left = n->right};
    search_list(s, n->join.right_keys, n->join.key_count);
}

static void search_window(struct search *s, const struct plan_node *n)
{
    const struct window_def *w = n->window.window;
    search_calls(s, n->window.calls, n->window.call_count);
    if (!w) return;
    search_list(s, w->partition_by, w->partition_count);
    for (uint32_t i = 0; i < w->order_count; i++) search_one(s, w->order_by[i].expr);
    search_one(s, w->start_offset);
    search_one(s, w->end_offset);
}

static void search_change(struct search *s, const struct plan_node *n)
{
    uint32_t columns = n->dml.table->column_count;
    search_list(s, n->dml.new_row, columns);
    for (uint32_t i = 0; i < n->dml.merge_count; i++) {
        search_one(s, n->dml.merge[i].when);
        search_list(s, n->dml.merge[i].new_row, columns);
    }
    s->scope = (struct explain_scope){.table = n->dml.table, .left = n->left};
    search_list(s, n->dml.returning, n->dml.returning_count);
    s->scope = (struct explain_scope){.table = n->dml.table, .excluded = true};
    search_list(s, n->dml.conflict_row, columns);
    search_one(s, n->dml.conflict_where);
}

static void search_node(struct search *s, const struct plan_node *n)
{
    search_one(s, n->filter);
    switch (n->kind) {
    case PLAN_VALUES:
        for (uint32_t i = 0; i < n->values.row_count; i++)
            search_list(s, n->values.rows[i], n->column_count);
        break;
    case PLAN_SCAN:
    case PLAN_INDEX_SCAN:
    case PLAN_VIRTUAL_SCAN: search_range(s, &n->scan.range); break;
    case PLAN_FUNCTION_SCAN: search_list(s, n->function.calls, n->function.call_count); break;
    case PLAN_PROJECT:
    case PLAN_PROJECT_SET: search_list(s, n->project.exprs, n->column_count); break;
    case PLAN_NESTED_LOOP:
    case PLAN_HASH_JOIN: search_join(s, n); break;
    case PLAN_AGGREGATE:
        search_list(s, n->aggregate.groups, n->aggregate.group_count);
        search_calls(s, n->aggregate.calls, n->aggregate.call_count);
        break;
    case PLAN_SORT:
        for (uint32_t i = 0; i < n->sort.item_count; i++) search_one(s, n->sort.items[i].expr);
        search_one(s, n->sort.limit);
        break;
    case PLAN_LIMIT:
        search_one(s, n->limit.limit);
        search_one(s, n->limit.offset);
        for (uint32_t i = 0; i < n->limit.tie_count; i++) search_one(s, n->limit.ties[i].expr);
        break;
    case PLAN_WINDOW: search_window(s, n); break;
    case PLAN_INSERT:
    case PLAN_UPDATE:
    case PLAN_DELETE:
    case PLAN_MERGE: search_change(s, n); break;
    default: break;
    }
}

/* --- the tree --------------------------------------------------------------------------------- */

static struct explain_node *child(struct explain *x, struct explain_node *e,
                                  const struct plan_node *n, const char *relationship)
{
    struct explain_node *c = explain__build(x, n);
    c->relationship = relationship;
    ARENA_PUSH(x->arena, &e->children, c);
    return c;
}

static void hash_number(struct explain *x, struct explain_node *h, const char *name, uint64_t n)
{
    struct explain_prop p = {name, EXPLAIN_BARE, EXPLAIN_IN_JSON,
                             arena_printf(x->arena, "%llu", (unsigned long long)n), NULL, 0};
    ARENA_PUSH(x->arena, &h->props, p);
}

/* A join that began in memory had one batch at first. */
static void hash_counts(struct explain *x, struct explain_node *h, const struct node_stats *s)
{
    unsigned long long buckets = s->buckets, kb = (s->memory_bytes + 1023) >> 10;
    const char *text =
        s->batches > 1
            ? arena_printf(x->arena, "%llu (originally %llu)  Batches: %llu (originally 1)  "
                           "Memory Usage: %llukB", buckets, buckets, (unsigned long long)s->batches, kb)
            : arena_printf(x->arena, "%llu  Batches: 1  Memory Usage: %llukB", buckets, kb);
    struct explain_prop p = {"Buckets", EXPLAIN_TEXT, EXPLAIN_IN_TEXT, text, NULL, 0};
    ARENA_PUSH(x->arena, &h->props, p);
    hash_number(x, h, "Hash Buckets", s->buckets);
    hash_number(x, h, "Original Hash Buckets", s->buckets);
    hash_number(x, h, "Hash Batches", s->batches);
    hash_number(x, h, "Original Hash Batches", 1);
    hash_number(x, h, "Peak Memory Usage", kb);
}

/* PostgreSQL shows the table that a hash join builds as a node of its own. */
static void hash_child(struct explain *x, struct explain_node *e, const struct plan_node *join)
{
    struct explain_node *h = explain__node_new(x, join->right);
    h->title = "Hash";
    h->relationship = "Inner";
    explain__head(x, h, "Node Type", "Hash");
    if (x->stats && x->stats[join->id].buckets) hash_counts(x, h, &x->stats[join->id]);
    ARENA_PUSH(x->arena, &e->children, h);
    child(x, h, join->right, "Outer");
}

/* UNION ALL of many arms is a chain of appends of two, perhaps with columns renamed between: the
 * inner append, or NULL when it must be seen. */
static const struct plan_node *inner_append(const struct plan_node *n)
{
    for (; n->kind == PLAN_PROJECT; n = n->left)
        for (uint32_t i = 0; i < n->column_count; i++)
            if (n->project.exprs[i]->kind != EXPR_SLOT || n->project.exprs[i]->slot != i)
                return NULL;
    return n->kind == PLAN_APPEND ? n : NULL;
}

static void members(struct explain *x, struct explain_node *e, const struct plan_node *n)
{
    if (x->status == OK) x->status = exec_check_stack();
    for (uint32_t i = 0; i < n->append.child_count && x->status == OK; i++) {
        const struct plan_node *c = n->append.children[i];
        const struct plan_node *inner = inner_append(c);
        if (inner) members(x, e, inner);
        else child(x, e, c, "Member");
    }
}

static void children(struct explain *x, struct explain_node *e, const struct plan_node *n)
{
    if (n->kind == PLAN_APPEND) members(x, e, n);
    if (n->left) child(x, e, n->left, "Outer");
    if (!n->right) return;
    if (n->kind == PLAN_HASH_JOIN) hash_child(x, e, n);
    else child(x, e, n->right, "Inner");
}

static void subplans(struct explain *x, struct explain_node *e, const struct search *s)
{
    for (size_t i = 0; i < s->found.count && x->status == OK; i++) {
        uint32_t index = s->found.data[i], number = x->subplan_numbers[index];
        const struct subplan *p = &x->plan->subplans[index];
        bool init = explain__is_init_plan(p);
        struct explain_node *c = explain__build(x, p->root);
        c->relationship = init ? "InitPlan" : "SubPlan";
        c->label = init ? arena_printf(x->arena, "InitPlan %u (returns $%u)", number, number - 1)
                        : arena_printf(x->arena, "SubPlan %u", number);
        if (init) ARENA_PUSH(x->arena, &e->before, c);
        else ARENA_PUSH(x->arena, &e->after, c);
    }
}

static void ctes(struct explain *x, struct explain_node *e)
{
    for (uint32_t i = 0; i < x->plan->cte_count && x->status == OK; i++) {
        if (!x->plan->ctes[i]) continue;
        struct explain_node *c = explain__build(x, x->plan->ctes[i]);
        const char *name = x->cte_names[i] ? x->cte_names[i] : x->plan->ctes[i]->alias;
        c->relationship = "InitPlan";
        c->label = arena_printf(x->arena, "CTE %s", name ? name : "?");
        ARENA_PUSH(x->arena, &e->before, c);
    }
}

struct explain_node *explain__build(struct explain *x, const struct plan_node *top)
{
    const struct plan_node *bottom = explain__bottom(top);
    struct explain_node *e = explain__node_new(x, top);
    struct search s = {.x = x};
    e->title = "Result";
    if (x->status == OK) x->status = exec_check_stack();
    if (x->status != OK) return e;
    for (const struct plan_node *n = top;; n = n->left) {
        s.scope = explain__scope(n, bottom);
        search_node(&s, n);
        if (n == bottom) break;
    }
    bool change = bottom->kind == PLAN_INSERT || bottom->kind == PLAN_UPDATE ||
                  bottom->kind == PLAN_DELETE || bottom->kind == PLAN_MERGE;
    e->no_rows = change && !bottom->dml.returning_count;
    explain__title(x, e, bottom);
    explain__describe(x, e, top, bottom);
    if (top == x->plan->root) ctes(x, e);
    children(x, e, bottom);
    subplans(x, e, &s);
    return e;
}
