/* Making plan nodes. */
#include "sql/plan/plan_priv.h"

struct plan_node *node_new(struct planner *p, enum plan_kind kind)
{
    struct plan_node *n = ARENA_NEW(p->arena, struct plan_node);
    n->kind = kind;
    n->id = p->plan->node_count++;
    n->rows = 1;
    return n;
}

void node_columns_from(struct planner *p, struct plan_node *n, const struct plan_node *from)
{
    n->column_count = from->column_count;
    n->columns = arena_memdup(p->arena, from->columns, from->column_count * sizeof *from->columns);
    n->width = from->width;
}

void node_columns_concat(struct planner *p, struct plan_node *n, const struct plan_node *a,
                         const struct plan_node *b)
{
    n->column_count = a->column_count + b->column_count;
    n->columns = ARENA_ARRAY(p->arena, struct plan_column, n->column_count);
    if (a->column_count) memcpy(n->columns, a->columns, a->column_count * sizeof *a->columns);
    if (b->column_count)
        memcpy(n->columns + a->column_count, b->columns, b->column_count * sizeof *b->columns);
    n->width = a->width + b->width;
}

struct plan_node *node_filter(struct planner *p, struct plan_node *input, struct expr *condition)
{
    if (!condition) return input;
    struct plan_node *n = node_new(p, PLAN_FILTER);
    n->left = input;
    n->filter = condition;
    node_columns_from(p, n, input);
    n->rows = input->rows * condition_fraction(p, NULL, input, condition);
    if (n->rows < 1) n->rows = 1;
    n->cost_start = input->cost_start;
    n->cost_total = input->cost_total + input->rows * COST_FILTER;
    return n;
}

struct plan_node *node_project(struct planner *p, struct plan_node *input, struct expr **exprs,
                               uint32_t n, const char *const *names)
{
    struct plan_node *node = node_new(p, PLAN_PROJECT);
    node->left = input;
    node->project.exprs = exprs;
    node->column_count = n;
    node->columns = ARENA_ARRAY(p->arena, struct plan_column, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct type_info *t = type_get(exprs[i]->type);
        node->columns[i] =
            (struct plan_column){exprs[i]->type, exprs[i]->typmod, names ? names[i] : NULL};
        node_column_facts(node, i, input, exprs[i]);
        node->width += t && t->typlen > 0 ? (uint32_t)t->typlen : 32;
    }
    node->rows = input->rows;
    node->cost_start = input->cost_start;
    node->cost_total = input->cost_total + input->rows * COST_FILTER;
    return node;
}

struct expr *expr_slot(struct planner *p, uint32_t slot, type_id type, int32_t typmod)
{
    struct expr *e = ARENA_NEW(p->arena, struct expr);
    e->kind = EXPR_SLOT;
    e->type = type;
    e->typmod = typmod;
    e->location = -1;
    e->slot = slot;
    return e;
}

void planner_use_table(struct planner *p, const struct table_def *t, uint8_t lock)
{
    for (size_t i = 0; i < p->tables.count; i++) {
        if (p->tables.data[i] != t) continue;
        if (p->locks.data[i] < lock) p->locks.data[i] = lock;
        return;
    }
    ARENA_PUSH(p->arena, &p->tables, t);
    ARENA_PUSH(p->arena, &p->locks, lock);
}

void planner_use_past(struct planner *p, const struct table_def *t)
{
    for (size_t i = 0; i < p->past_tables.count; i++)
        if (p->past_tables.data[i] == t) return;
    ARENA_PUSH(p->arena, &p->past_tables, t);
}
